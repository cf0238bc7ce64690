/* SPDX-License-Identifier: Apache-2.0 */
/* gba-bsf: checks bsf.conf, or runs the freeDiameter daemon that loads bsf.fdx. */
#include "bsf/conf.h"
#include "conf/role.h"

int main(int argc, char **argv)
{
	static const struct role role = {
		.name = "bsf",
		.program = "gba-bsf",
		.what = "Bootstrapping Server Function (TS 33.220), authentication element (Y.3056).",
		.daemon_conf = GBA_SYSCONFDIR "/freeDiameter-bsf.conf",
		.items = bsf_conf_items,
		.conf_size = sizeof(struct bsf_conf),
		.check = bsf_conf_check,
	};

	return role_main(&role, argc, argv);
}
