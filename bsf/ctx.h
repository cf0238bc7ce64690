/* SPDX-License-Identifier: Apache-2.0 */
/** A bootstrap context: what one successful run on Ub leaves behind (TS 33.220 4.5.2), and its record at rest. */
#ifndef GBA_BSF_CTX_H
#define GBA_BSF_CTX_H

#include <talloc.h>
#include <time.h>

#include "core/ident.h"
#include "crypto/gba_keys.h"
#include "xml/guss.h"

#define CTX_TMPI_LEN  8	    /* [octets] of a TMPI that index it; all zero: the context has none */
#define CTX_OWNER_LEN 8	    /* [octets] of the application that owns a context; all zero: it serves any */
#define CTX_CERT_LEN  16    /* [octets] of what names the certificate that made it; all zero: none did */
#define CTX_USS_MAX   16384 /* [octets] packed USS list */
#define CTX_REC_FIXED 70    /* [octets] of a record beside IMPI, USS list and certificate */
#define CTX_REC_MAX   (CTX_REC_FIXED + IMPI_MAX + CTX_USS_MAX + CTX_CERT_LEN)

/** Values are those of the GBA-Type AVP (TS 29.109 6.3.1.11). */
enum ctx_type {
	CTX_3G_GBA = 0,
	CTX_2G_GBA = 1,
	CTX_SHOWN = 254, /* no context: says whose a certificate was when it made one (ctx_shown) */
	CTX_CLAIM = 255	 /* no context: says who owns one (ctx_claim) */
};

struct ctx {
	uint8_t rand[RAND_LEN]; /* also the left part of the B-TID */
	uint8_t ks[GBA_KS_LEN];
	uint8_t tmpi[CTX_TMPI_LEN];
	uint8_t owner[CTX_OWNER_LEN]; /* ctx_owner() of the only application it serves (Y.3056 9.6.1) */
	uint8_t certificate[CTX_CERT_LEN];
	enum ctx_type type;
	enum guss_uicc uicc;
	time_t created, expires; /* [s since epoch] */
	struct bytes impi;
	struct bytes uss; /* packed by uss_pack(); n == 0: the user has no USS */
};

/** Octets that ctx_rec_write() makes. */
size_t ctx_rec_size(const struct ctx *ctx);
/** Write the record (without RAND, which is its key). It holds Ks: seal it, then wipe it. */
void ctx_rec_write(const struct ctx *ctx, uint8_t *out);
/** @param _ctx  views into rec; ks copied. Written on GBA_OK only; the caller wipes it
 * @retval GBA_E_CORRUPT  not one of our records */
enum gba_err ctx_rec_read(const uint8_t rand[RAND_LEN], struct bytes rec, struct ctx *_ctx);
/** One chunk below mem_ctx with all that ctx views, wiped when freed. NULL: out of memory. */
struct ctx *ctx_dup(TALLOC_CTX *mem_ctx, const struct ctx *ctx);

/** The mark of an application, by its host name (no case). */
void ctx_owner(struct bytes fqdn, uint8_t out[CTX_OWNER_LEN]);
bool ctx_owner_none(const uint8_t owner[CTX_OWNER_LEN]);
/** A record beside ctx that says who owns it, to be put: of two claims for one context the store keeps the first. Views ctx. */
void ctx_claim(const struct ctx *ctx, const uint8_t owner[CTX_OWNER_LEN], struct ctx *_claim);

bool ctx_certificate_none(const uint8_t certificate[CTX_CERT_LEN]);
#define CTX_SHOWN_NAME 33 /* [octets] with its NUL */
/** A record beside ctx that says whose its certificate is (its uss is the IMPI), to be put before it: stays while there can be
 * contexts, whatever is dropped of the user. Views ctx and name. */
void ctx_shown(const struct ctx *ctx, char name[CTX_SHOWN_NAME], struct ctx *_shown);
/** Where such records lie: those put now, and those put before that may still be of use. */
#define CTX_SHOWN_PLACES 2
void ctx_shown_at(const uint8_t certificate[CTX_CERT_LEN], time_t now, uint8_t (*rands)[RAND_LEN]);

/** The first CTX_TMPI_LEN octets a TMPI's left part stands for. @retval GBA_E_SYNTAX  no TMPI */
enum gba_err ctx_tmpi_index(struct bytes tmpi, uint8_t out[CTX_TMPI_LEN]);

#endif
