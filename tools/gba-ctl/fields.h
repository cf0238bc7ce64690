/* SPDX-License-Identifier: Apache-2.0 */
/** Texts of options and imported rows into the members of a subscriber; the reason in words when one is not good. */
#ifndef GBA_CTL_FIELDS_H
#define GBA_CTL_FIELDS_H

#include "hss-stub/subscriber.h"

/** Decimal, or hex after 0x. @retval GBA_E_SYNTAX, GBA_E_RANGE */
enum gba_err field_number(struct bytes text, uint64_t min, uint64_t max, uint64_t *_value);
/** Index of text among names (no case); names end with NULL. @retval GBA_E_RANGE */
enum gba_err field_word(struct bytes text, const char *const *names, unsigned int *_index);
/** Four hex digits. */
enum gba_err field_amf(struct bytes text, uint8_t amf[AKA_AMF_LEN]);
/** K, and one of OP and OPc, as hex with or without blanks; the lengths follow sub->alg. Absent: what keys has stays.
 * @param opc   with op: OPc counts (what the card holds)
 * @param keys  all zero for a new subscriber: K and one of OP and OPc must then be given
 * @param _why  static text on failure */
enum gba_err field_keys(const struct subscriber *sub, struct bytes k, struct bytes op, struct bytes opc,
			struct subscriber_keys *keys, const char **_why);
/** IMPI of an IMSI: IMSI@realm, or of TS 23.003 when realm is NULL. out: IMPI_MAX + 1 octets. */
enum gba_err field_impi(struct bytes imsi, unsigned int mnc_digits, const char *realm, char *out);

#endif
