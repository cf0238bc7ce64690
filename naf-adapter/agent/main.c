/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/conf.h"

int main(int argc, char **argv)
{
	return role_main(&agent_role, argc, argv);
}
