/* SPDX-License-Identifier: Apache-2.0 */
/** The dictionary of Zh, Zn and Zpn (TS 29.109) and S13 (TS 29.272). */
#ifndef GBA_DICT_DICT_GBA_H
#define GBA_DICT_DICT_GBA_H

#include "dict/dict.h"

/** Errors as dict_tables_load. */
int dict_gba_load(struct dictionary *dict);

#endif
