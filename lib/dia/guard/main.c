/* SPDX-License-Identifier: Apache-2.0 */
/* gba-guard: tells whether the guard's configuration is good. The guard itself is loaded by freeDiameterd. */
#include "conf/role.h"
#include "dia/guard/guard.h"

static int run(const struct role *role, const char *path)
{
	(void)path;
	fprintf(stderr, "%s: is loaded by freeDiameterd: LoadExtension = \"gba_guard.fdx\" : \"%s\";\n", role->program,
		role->daemon_conf);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct role role = {
		.name = "guard",
		.program = "gba-guard",
		.what = "Checks the configuration of gba_guard.fdx, which every freeDiameterd of the suite loads first.",
		.daemon_conf = GBA_SYSCONFDIR "/guard.conf",
		.items = guard_conf_items,
		.conf_size = sizeof(struct guard_conf),
		.check = guard_conf_check,
		.run = run,
	};

	return role_main(&role, argc, argv);
}
