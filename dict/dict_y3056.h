/* SPDX-License-Identifier: Apache-2.0 */
/** The dictionary of what Y.3056 asks beyond 3GPP's: token push, permission query, notices, change of operator. */
#ifndef GBA_DICT_DICT_Y3056_H
#define GBA_DICT_DICT_Y3056_H

#include "dict/dict.h"

/** Load after dict_gba_load. @param path  lines "item = number" (doc/y3056-diameter.md); NULL: all defaults
 * @return 0, EINVAL (a line is wrong, logged), or as dict_tables_load */
int dict_y3056_load(struct dictionary *dict, const char *path);

#endif
