/* SPDX-License-Identifier: Apache-2.0 */
/** The identities of GBA: IMSI, IMPI, B-TID, NAF_Id, and names of hosts (TS 23.003, TS 33.220). */
#ifndef GBA_CORE_IDENT_H
#define GBA_CORE_IDENT_H

#include "core/bytes.h"
#include "core/codec.h"
#include "core/err.h"

#define IMSI_MAX	15  /* [digits] E.212 */
#define IMPI_MAX	254 /* [octets] our limit; a NAI, RFC 7542 */
#define FQDN_MAX	253 /* [octets] RFC 1035 */
#define RAND_LEN	16  /* [octets] TS 33.102 6.3.7 */
#define BTID_RAND_CHARS BASE64_LEN(RAND_LEN)
#define BTID_MAX	(BTID_RAND_CHARS + 1 + FQDN_MAX)
#define UA_ID_LEN	5 /* [octets] Ua security protocol identifier, TS 33.220 Annex H */
#define NAF_ID_MAX	(FQDN_MAX + UA_ID_LEN)
#define TMPI_DOMAIN	"tmpi.bsf.3gppnetwork.org"

/** 6 to 15 decimal digits. */
bool imsi_valid(struct bytes imsi);
/** "user@realm" of printable ASCII without blanks or quotes, realm a host name, at most IMPI_MAX octets. */
bool impi_valid(struct bytes impi);
/** What follows the '@' of a valid IMPI; absent when it has none. */
struct bytes impi_realm(struct bytes impi);
/** IMPI of a USIM without ISIM (TS 23.003 13.3): IMSI@ims.mncXXX.mccYYY.3gppnetwork.org.
 * @param mnc_digits  2 or 3
 * @param out         IMPI_MAX + 1 octets, NUL-terminated
 * @retval GBA_E_SYNTAX */
enum gba_err impi_from_imsi(struct bytes imsi, unsigned int mnc_digits, char *out);
/** Letters, digits, '-', '.', '_', labels of 1..63, at most FQDN_MAX; no trailing dot. */
bool fqdn_valid(struct bytes fqdn);
/** A GAA service identifier as text: decimal, of 32 bits. */
bool gsid_valid(struct bytes text);
/** Is name equal to domain, or below it ("a.example" is below "example", "badexample" is not)? No case. */
bool fqdn_within(struct bytes name, struct bytes domain);

/** "base64(RAND)@fqdn" and a NUL into out (BTID_MAX + 1 octets). TS 33.220 4.5.2. fqdn must be valid. */
void btid_format(const uint8_t rand[RAND_LEN], struct bytes fqdn, char *out);
/** @param rand    written on GBA_OK
 * @param _fqdn   view into btid, written on GBA_OK; may be NULL
 * @retval GBA_E_BTID_SYNTAX  no '@', left part not 24 base64 characters, right part no host name */
enum gba_err btid_parse(struct bytes btid, uint8_t rand[RAND_LEN], struct bytes *_fqdn);

/** NAF_Id = FQDN octets, then the five octets of the Ua security protocol (TS 33.220 4.5.2). */
struct naf_id {
	struct bytes fqdn; /* view, as received; not lower-cased */
	uint8_t ua_id[UA_ID_LEN];
};
/** @retval GBA_E_NAF_ID_SYNTAX  shorter than one octet of FQDN and five more, or no host name */
enum gba_err naf_id_parse(struct bytes octets, struct naf_id *_id);
/** Write the octets, FQDN lower-cased (both ends derive keys from that form); out has NAF_ID_MAX octets.
 * @return octets written; 0 when fqdn is no host name */
size_t naf_id_build(struct bytes fqdn, const uint8_t ua_id[UA_ID_LEN], uint8_t *out);

/** The identifiers of TS 33.220 H.2, H.3 that we use ourselves. */
extern const uint8_t UA_ID_HTTP_DIGEST[UA_ID_LEN]; /* 01 00 00 00 02: HTTP Digest without TLS, TS 24.109 */
extern const uint8_t UA_ID_TLS13_PSK[UA_ID_LEN];   /* 01 00 00 00 07: shared-key TLS 1.3, TS 33.222 5.4.0.2 */
extern const uint8_t UA_ID_TMPI[UA_ID_LEN];	   /* 01 00 00 01 00: TMPI, TS 33.220 B.4 */
extern const uint8_t UA_ID_SEALED[UA_ID_LEN];	   /* ff 00 00 00 01: sealed datagrams; FF is for what is nobody's, H.2 */
/** 01 00 01 yy zz: TLS 1.2, yy zz the negotiated cipher suite's code point. */
void ua_id_tls12(uint16_t suite, uint8_t out[UA_ID_LEN]);

#define CORR_LEN 8 /* [characters] */
/** Name of one bootstrap run in logs and traces of all nodes: eight hex digits computed from RAND, so that ue, bsf,
 * hss-stub and naf-adapter name a run alike with nothing added on the wire. out has CORR_LEN + 1 octets. */
void corr_from_rand(const uint8_t rand[RAND_LEN], char *out);

#define BTID_PRINT_LEN 16 /* [characters] */
/** Fingerprint of a B-TID for logs that outlive the token or go where the B-TID must not: the first 16 hex digits of SHA-256 over
 * its text (printf %s B-TID | sha256sum). out has BTID_PRINT_LEN + 1 octets. */
void btid_print(struct bytes btid, char *out);

#endif
