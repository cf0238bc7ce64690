/* SPDX-License-Identifier: Apache-2.0 */
/* gba-naf-mqtt: tells whether the plugin's configuration is good. The plugin itself is loaded by mosquitto. */
#include <stdlib.h>

#include "conf/role.h"
#include "naf-adapter/mosquitto/conf.h"

static int run(const struct role *role, const char *path)
{
	(void)path;
	fprintf(stderr, "%s: is loaded by mosquitto: plugin %s/gba_mqtt.so\n", role->program, GBA_PKGLIBDIR);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct role role = {
		.name = "naf_mqtt",
		.program = "gba-naf-mqtt",
		.what = "Checks the configuration of gba_mqtt.so, mosquitto's plugin for devices with bootstrapped keys.",
		.daemon_conf = GBA_SYSCONFDIR "/naf-mqtt.conf",
		.items = mqtt_conf_items,
		.conf_size = sizeof(struct mqtt_conf),
		.check = mqtt_conf_check,
		.run = run,
	};

	return role_main(&role, argc, argv);
}
