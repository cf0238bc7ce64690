/* SPDX-License-Identifier: Apache-2.0 */
/* gba-registry: check and show registry.conf, or run freeDiameterd with it. */
#include "registry-fn/conf.h"

int main(int argc, char **argv)
{
	return role_main(&registry_role, argc, argv);
}
