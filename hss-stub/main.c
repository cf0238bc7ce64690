/* SPDX-License-Identifier: Apache-2.0 */
/* gba-hss: check and show hss.conf, or run freeDiameterd with it. */
#include "conf/role.h"
#include "hss-stub/conf.h"

int main(int argc, char **argv)
{
	static const struct role role = {
		.name = "hss",
		.program = "gba-hss",
		.what = "Authorization element: subscribers' keys, authentication vectors over Zh.",
		.daemon_conf = GBA_SYSCONFDIR "/freeDiameter-hss.conf",
		.items = hss_conf_items,
		.conf_size = sizeof(struct hss_conf),
		.check = hss_conf_check,
	};

	return role_main(&role, argc, argv);
}
