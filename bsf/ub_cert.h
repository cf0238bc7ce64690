/* SPDX-License-Identifier: Apache-2.0 */
/** Bootstrapping by certificate (Y.3056 10.4-5): one GET over mutual TLS. RAND and Ks are keying material of that TLS connection;
 * what comes of them is a context as any other (doc/ub.md). */
#ifndef GBA_BSF_UB_CERT_H
#define GBA_BSF_UB_CERT_H

#include "bsf/ub.h"

/** Of the TLS session (RFC 5705, RFC 8446 7.5), without context: RAND, then Ks. */
#define UB_CERT_LABEL  "EXPERIMENTAL-Y3056-bootstrapping"
#define UB_CERT_OCTETS (RAND_LEN + GBA_KS_LEN)
#define UB_CERT_USER   "Y3056-Identity" /* header: the IMPI */

struct ub_cert;
struct ub_op;

/** What an address needs. ub and conf live longer. @param _error  for the operator, below mem_ctx */
enum gba_err ub_cert_new(TALLOC_CTX *mem_ctx, struct ub *ub, const struct bsf_asym *conf, struct ub_cert **_place,
			 const char **_error);
/** An http_handler with a struct ub_cert as arg, and http_conf.refused. */
void ub_cert_handle(struct http_req *req, void *place);
void ub_cert_refused(void *place, const char *source, unsigned int status, const char *reason);

/** Whom to tell what has to end; NULL: nobody any more, and nobody is telling when this returns. */
struct revoker;
void ub_cert_revoker(struct ub_cert *place, struct revoker *revoker);
/** What was made by certificates that have come into the lists of revoked ones ends. Call several times a second. */
void ub_cert_tick(struct ub_cert *place);
/** As ctx_store_ops.put of a token that this operation's certificate makes, and not when that was revoked meanwhile. */
enum gba_err ub_cert_put(struct ub_op *op, const struct ctx *ctx, ctx_put_done done);

#endif
