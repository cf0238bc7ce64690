/* SPDX-License-Identifier: Apache-2.0 */
/** The realm's own certification authority, a folder of files: ca.pem, ca.key (0600), issued/<serial>.pem, revoked/<serial>,
 * crl.pem. P-256, random serials. Its key is read for each signature and never kept. Several processes may share the folder. */
#ifndef GBA_PKI_CA_H
#define GBA_PKI_CA_H

#include <stdbool.h>
#include <talloc.h>
#include <time.h>

#include "core/bytes.h"
#include "core/err.h"

#define CA_SERIAL_LEN 16   /* [octets] */
#define CA_PRINT_LEN  32   /* [octets] SHA-256 of a certificate */
#define CA_CSR_MAX    8192 /* [octets] */
#define CA_CN_MAX     64   /* [octets] RFC 5280 ub-common-name */
#define CA_DAYS_MAX   3650

struct ca;

/** Make the folder (0700) with a new CA. @param _error  text for the operator below mem_ctx, on failure
 * @retval GBA_E_EXISTS  there is one  @retval GBA_E_RANGE  name or days */
enum gba_err ca_init(TALLOC_CTX *mem_ctx, const char *dir, const char *name, unsigned int days, time_t now, const char **_error);
/** @retval GBA_E_NOT_FOUND  no CA there  @retval GBA_E_DENIED  its key is open to others */
enum gba_err ca_open(TALLOC_CTX *mem_ctx, const char *dir, struct ca **_ca, const char **_error);
/** Its certificate, PEM, below ca. */
const char *ca_certificate(const struct ca *ca);

struct ca_order {
	const char *cn;
	const char *dns;  /* subjectAltName, and good for TLS servers too (Diameter); NULL: a client only */
	struct bytes csr; /* PKCS #10, PEM: only its public key is used; absent: a key is made */
	struct bytes like; /* instead of csr: a certificate, DER, whose key it is; its holder has proved to have it */
	unsigned int days;
};
struct ca_issued {
	const char *certificate, *private_key; /* PEM; private_key NULL when a request was given, wiped when freed */
	char serial[2 * CA_SERIAL_LEN + 1], fingerprint[2 * CA_PRINT_LEN + 1]; /* hex */
	time_t not_after;
};
/** From any thread. Noted in issued/ before it is given out.
 * @retval GBA_E_SYNTAX  no such request, or not signed with its key  @retval GBA_E_RANGE  key too weak, cn, days
 * @retval GBA_E_IO, GBA_E_NOSPACE, GBA_E_DENIED, GBA_E_NOMEM */
enum gba_err ca_issue(struct ca *ca, TALLOC_CTX *mem_ctx, const struct ca_order *order, time_t now, struct ca_issued **_issued);

struct ca_entry {
	char serial[2 * CA_SERIAL_LEN + 1], fingerprint[2 * CA_PRINT_LEN + 1];
	const char *subject; /* RFC 4514 */
	time_t not_before, not_after, revoked; /* revoked 0: not */
};
/** All certificates issued, by serial, below mem_ctx as one array. */
enum gba_err ca_list(struct ca *ca, TALLOC_CTX *mem_ctx, struct ca_entry **_entries, size_t *_count);
/** A certificate issued, by serial or fingerprint (hex), as DER below mem_ctx. @retval GBA_E_NOT_FOUND */
enum gba_err ca_der(struct ca *ca, TALLOC_CTX *mem_ctx, const char *which, struct bytes *_der);
/** A certificate, PEM or DER, as DER below mem_ctx. @retval GBA_E_SYNTAX  it is neither, or something follows it */
enum gba_err ca_certificate_read(TALLOC_CTX *mem_ctx, struct bytes text, struct bytes *_der);
/** By serial or fingerprint (hex), and write the list of revoked ones anew. Twice is once.
 * @param fingerprint  out, may be NULL: 65 octets  @retval GBA_E_NOT_FOUND */
enum gba_err ca_revoke(struct ca *ca, const char *which, time_t now, char *fingerprint);
/** The list of revoked certificates (RFC 5280 5), PEM, signed anew when it is older than an hour. */
enum gba_err ca_crl(struct ca *ca, TALLOC_CTX *mem_ctx, time_t now, const char **_pem);

#endif
