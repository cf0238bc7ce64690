/* SPDX-License-Identifier: Apache-2.0 */
/** A line about a token, as a bsf reports it and an hss keeps it: "digest made expires application user", application "-" where
 * none is named. */
#ifndef GBA_CORE_TOKEN_ENTRY_H
#define GBA_CORE_TOKEN_ENTRY_H

#include <time.h>

#include "core/codec.h"
#include "core/ident.h"

#define TOKEN_DIGEST_LEN 32						       /* [octets] SHA-256 of a B-TID */
#define TOKEN_ENTRY_MAX	 (HEX_LEN(TOKEN_DIGEST_LEN) + 48 + FQDN_MAX + IMPI_MAX) /* [octets] */

struct token_entry {
	char digest[HEX_LEN(TOKEN_DIGEST_LEN) + 1]; /* lower-case hex */
	time_t made, expires;			    /* [s since epoch] of the bootstrapping; of the key */
	struct bytes application, user;		    /* host name, absent: none; IMPI */
};

/** @param out  TOKEN_ENTRY_MAX octets and a NUL @return its length; 0: does not fit */
size_t token_entry_write(const struct token_entry *entry, char *out);
/** @param _entry  views into text @retval GBA_E_SYNTAX */
enum gba_err token_entry_parse(struct bytes text, struct token_entry *_entry);

#endif
