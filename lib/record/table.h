/* SPDX-License-Identifier: Apache-2.0 */
/** What the rows of a kind's table are written with. Included by the files that hold tables only. */
#ifndef GBA_RECORD_TABLE_H
#define GBA_RECORD_TABLE_H

#include "record/record.h"

#define REQ FIELD_REQUIRED
#define KEY (FIELD_REQUIRED | FIELD_KEY | FIELD_FIXED | FIELD_FILTER)
#define FIX FIELD_FIXED
#define FLT FIELD_FILTER

/*                    name, flags, min, max, check, read, add, change, help */
#define F_TEXT(name, flags, min, max, check, r, a, c, help) { name, FIELD_TEXT, flags, min, max, 0, NULL, check, 0, r, a, c, help }
#define F_SEAL(name, flags, min, max, check, r, a, c, help) { name, FIELD_SEALED, flags, min, max, 0, NULL, check, 0, r, a, c, help }
#define F_LIST(name, flags, min, max, check, r, a, c, help) { name, FIELD_LIST, flags, min, max, 0, NULL, check, 0, r, a, c, help }
#define F_SET(name, flags, words, r, a, c, help) { name, FIELD_LIST, flags, 1, 32, 0, words, NULL, 0, r, a, c, help }
#define F_INT(name, flags, min, max, def, r, a, c, help) { name, FIELD_INT, flags, min, max, def, NULL, NULL, 0, r, a, c, help }
#define F_BOOL(name, flags, def, r, a, c, help) { name, FIELD_BOOL, flags, 0, 1, def, NULL, NULL, 0, r, a, c, help }
#define F_WORD(name, flags, words, def, r, a, c, help) { name, FIELD_WORD, flags, 0, 0, def, words, NULL, 0, r, a, c, help }
#define F_TIME(name, flags, r, a, c, help) { name, FIELD_TIME, flags, 0, 0, 0, NULL, NULL, 0, r, a, c, help }
#define F_REF(name, flags, kind, r, a, c, help) { name, FIELD_REF, flags, 0, 0, 0, NULL, NULL, kind, r, a, c, help }

#endif
