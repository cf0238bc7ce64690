/* SPDX-License-Identifier: Apache-2.0 */
#include "dict/dict_y3056.h"

static int dict_y3056_entry(char *conf)
{
	return dict_y3056_load(fd_g_config->cnf_dict, conf);
}

EXTENSION_ENTRY("dict_y3056", dict_y3056_entry, "dict_gba");
