/* SPDX-License-Identifier: Apache-2.0 */
/** RegDevID: what a registry calls a device (Y.3059 9.2-i): its RegID joined with the device's own identity, in A-Z, 0-9 and '-'
 * only. The grammar stands in doc/registry.md.
 *
 *   prefix form    IN1-IMEI-490154203237518-CC
 *   suffix form    IMEI-490154203237518--IN1-CC
 *
 * One device has one text: the parser takes nothing but what the formatter writes. CC are the check characters of ISO/IEC 7064
 * MOD 1271-36 over all letters and digits before: each single character that is another, and each two neighbours that changed
 * places, are found. */
#ifndef GBA_REGISTRY_REGDEVID_H
#define GBA_REGISTRY_REGDEVID_H

#include "registry-fn/id/regid.h"
#include "registry-fn/id/scheme.h"

#define REGDEVID_TOKEN_LEN   20 /* [octets] of a keyed digest, and of a virtual RegDevID */
#define REGDEVID_TOKEN_CHARS 32 /* the same in base32 */
#define REGDEVID_MAX	     (REGID_MAX + 1 + 5 + 1 + SCHEME_BODY_MAX + 2 + 2)
#define REGDEVID_URN_MAX     (4 + 32 + 1 + REGDEVID_MAX)
#define REGDEVID_NID	     "regdevid" /* namespace of the URN form where none is configured; not registered with IANA */

enum regdevid_form { REGDEVID_PREFIX, REGDEVID_SUFFIX };
/* Says what stands in the middle: the identity itself; a keyed digest of it, code HID; nothing of the device, code VID. */
enum regdevid_kind { REGDEVID_OPEN, REGDEVID_HIDDEN, REGDEVID_VIRTUAL };
extern const char *const regdevid_form_words[], *const regdevid_kind_words[];

struct regdevid {
	enum regdevid_form form;
	enum regdevid_kind kind;
	char reg_id[REGID_MAX + 1];
	const struct scheme *scheme;	     /* REGDEVID_OPEN: what it is */
	char identity[IDENTIFIER_MAX + 1];   /* REGDEVID_OPEN: canonical */
	uint8_t token[REGDEVID_TOKEN_LEN];   /* otherwise */
};

/** The text and a NUL into out (REGDEVID_MAX + 1 octets). id is good: from regdevid_parse(), or by the rules of its parts. */
void regdevid_format(const struct regdevid *id, char *out);
/** @param _why  static text on failure
 * @retval GBA_E_SYNTAX  not by the grammar, or not canonical  @retval GBA_E_RANGE  check characters, or the identity's own
 * @retval GBA_E_TOO_LONG */
enum gba_err regdevid_parse(struct bytes text, struct regdevid *_id, const char **_why);

/** "urn:regdevid:..." (RFC 8141), out has REGDEVID_URN_MAX + 1 octets. @param nid  namespace, 2 to 32 octets */
void regdevid_to_urn(const char *regdevid, const char *nid, char *out);
/** The RegDevID in a URN of this namespace ("urn" and namespace without case); other text is given back as it is. */
struct bytes regdevid_from_urn(struct bytes text, const char *nid);

/** The form that hides the network's identity: the first 160 bits of HMAC-SHA-256 under the registry's secret of
 * { "RegDevID", RegID, scheme word, canonical identity }, each with a NUL behind. The same device gets the same digest. */
void regdevid_digest(struct bytes key, const char *reg_id, const struct scheme *scheme, const char *identity,
		     uint8_t token[REGDEVID_TOKEN_LEN]);

/** The two check characters of ISO/IEC 7064 MOD 1271-36 for capital letters and digits; other octets are passed over. */
void check_1271_36(struct bytes text, char out[2]);

#endif
