/* SPDX-License-Identifier: Apache-2.0 */
/** Between the two files of rules, and for who takes an identity apart. */
#ifndef GBA_IDENT_IDRULE_PRIV_H
#define GBA_IDENT_IDRULE_PRIV_H

#include "ident/idrule.h"

enum gba_err id_refuse(enum gba_err err, const char *why, const char **_why);
bool id_digits(struct bytes text);
/** "imei:4901..." into the index of its word and what follows. False: no such word. */
bool id_device_split(struct bytes text, int64_t *_type, struct bytes *_value);

#endif
