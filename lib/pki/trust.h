/* SPDX-License-Identifier: Apache-2.0 */
/** Whether a certificate that somebody shows is good: of one of the CAs of a file, in its time, for TLS clients, not on the list of
 * those revoked. Both files are read again when they change, so that a revocation needs no restart. Thread-safe. */
#ifndef GBA_PKI_TRUST_H
#define GBA_PKI_TRUST_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define TRUST_CHAIN_MAX 8 /* certificates looked at, the shown one first */

/* verdict, word for metrics and logs */
#define TRUST_VERDICTS(X)                                                                                              \
	X(TRUST_GOOD,    "good")                                                                                       \
	X(TRUST_NONE,    "none")    /* nothing was shown */                                                            \
	X(TRUST_UNKNOWN, "unknown") /* of no CA of ours, or not signed by it */                                        \
	X(TRUST_EXPIRED, "expired") /* or not yet good */                                                              \
	X(TRUST_REVOKED, "revoked")                                                                                    \
	X(TRUST_UNFIT,   "unfit")   /* not for clients, too weak, unreadable */                                        \
	X(TRUST_UNSURE,  "unsure")  /* our own list of revoked ones is out of date */
#define TRUST_ID(id, word) id,
enum trust_verdict { TRUST_VERDICTS(TRUST_ID) TRUST_COUNT };
#undef TRUST_ID
/** By value. */
extern const char *const trust_words[];

struct trust;

/** @param ca   PEM, one or more  @param crl  PEM, one or more lists; "": none is looked at
 * @param _error  text for the operator below mem_ctx, on failure  @retval GBA_E_CONF */
enum gba_err trust_open(TALLOC_CTX *mem_ctx, const char *ca, const char *crl, struct trust **_trust, const char **_error);
/** @param chain  DER, the shown certificate first; possession of its key is the caller's business */
enum trust_verdict trust_check(struct trust *trust, const struct bytes *chain, size_t n);

#define TRUST_MARK_LEN 16 /* [octets] of what names a certificate in lists of revoked ones: its issuer and serial, hashed */
/** Of a DER certificate. @retval GBA_E_SYNTAX */
enum gba_err trust_mark(struct bytes der, uint8_t out[TRUST_MARK_LEN]);
/** Is it in the lists as they were last read? One that is will be told once more. */
bool trust_listed(struct trust *trust, const uint8_t mark[TRUST_MARK_LEN]);
/** @return GBA_OK: done with it; else it is told again the next time */
typedef enum gba_err (*trust_each)(void *arg, const uint8_t mark[TRUST_MARK_LEN]);
/** Look at the files, and hand out each mark that has come into the lists (at first: all that are in them). What was used while
 * it was good can so be ended. One thread at a time. */
void trust_tell(struct trust *trust, trust_each each, void *arg);

#endif
