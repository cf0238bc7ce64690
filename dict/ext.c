/* SPDX-License-Identifier: Apache-2.0 */
#include "dict/dict_gba.h"

static int dict_gba_entry(char *conf)
{
	(void)conf;
	return dict_gba_load(fd_g_config->cnf_dict);
}

EXTENSION_ENTRY("dict_gba", dict_gba_entry);
