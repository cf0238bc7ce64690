/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/ctx.h"

#include <ctype.h>

#include "core/codec.h"
#include "core/secret.h"
#include "crypto/hash.h"

/* Record: version, type, uicc, tmpi(8), owner(8), created(8), expires(8), ks(32), length of IMPI, IMPI, length of USS list(2),
 * list; and of one that was made by a certificate, in its version, what names that(16). */
#define REC_VERSION   2
#define REC_CERTIFIED 3

#define SHOWN_SLOT_S 604800 /* [s] no key lives longer (key-lifetime) */

static uint8_t *put_number(uint8_t *out, uint64_t value, size_t octets)
{
	size_t i;

	for (i = octets; i > 0; i--) {
		out[i - 1] = (uint8_t)value;
		value >>= 8;
	}
	return out + octets;
}

static uint64_t get_number(const uint8_t *in, size_t octets)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < octets; i++)
		value = value << 8 | in[i];
	return value;
}

size_t ctx_rec_size(const struct ctx *ctx)
{
	return CTX_REC_FIXED + ctx->impi.n + ctx->uss.n + (ctx_certificate_none(ctx->certificate) ? 0 : CTX_CERT_LEN);
}

void ctx_rec_write(const struct ctx *ctx, uint8_t *out)
{
	bool certified = !ctx_certificate_none(ctx->certificate);

	*out++ = certified ? REC_CERTIFIED : REC_VERSION;
	*out++ = (uint8_t)ctx->type;
	*out++ = (uint8_t)ctx->uicc;
	memcpy(out, ctx->tmpi, CTX_TMPI_LEN);
	memcpy(out + CTX_TMPI_LEN, ctx->owner, CTX_OWNER_LEN);
	out = put_number(out + CTX_TMPI_LEN + CTX_OWNER_LEN, (uint64_t)ctx->created, 8);
	out = put_number(out, (uint64_t)ctx->expires, 8);
	memcpy(out, ctx->ks, GBA_KS_LEN);
	out += GBA_KS_LEN;
	*out++ = (uint8_t)ctx->impi.n;
	memcpy(out, ctx->impi.p, ctx->impi.n);
	out = put_number(out + ctx->impi.n, ctx->uss.n, 2);
	if (ctx->uss.n > 0)
		memcpy(out, ctx->uss.p, ctx->uss.n);
	if (certified)
		memcpy(out + ctx->uss.n, ctx->certificate, CTX_CERT_LEN);
}

static bool type_known(uint8_t type)
{
	return type <= CTX_2G_GBA || type == CTX_SHOWN || type == CTX_CLAIM;
}

enum gba_err ctx_rec_read(const uint8_t rand[RAND_LEN], struct bytes rec, struct ctx *_ctx)
{
	const uint8_t *p = rec.p;
	size_t impi_n, uss_n, certificate_n;

	if (rec.n < CTX_REC_FIXED || rec.n > CTX_REC_MAX || (p[0] != REC_VERSION && p[0] != REC_CERTIFIED) || !type_known(p[1]) ||
	    p[2] > GUSS_UICC_GBA_U)
		return GBA_E_CORRUPT;
	certificate_n = p[0] == REC_CERTIFIED ? CTX_CERT_LEN : 0;
	impi_n = p[CTX_REC_FIXED - 3];
	if (impi_n == 0 || impi_n > IMPI_MAX || rec.n < CTX_REC_FIXED + impi_n)
		return GBA_E_CORRUPT;
	uss_n = (size_t)get_number(p + CTX_REC_FIXED - 2 + impi_n, 2);
	if (rec.n != CTX_REC_FIXED + impi_n + uss_n + certificate_n)
		return GBA_E_CORRUPT;
	memset(_ctx->certificate, 0, CTX_CERT_LEN);
	memcpy(_ctx->certificate, p + rec.n - certificate_n, certificate_n);
	if (certificate_n > 0 && ctx_certificate_none(_ctx->certificate))
		return GBA_E_CORRUPT;
	memcpy(_ctx->rand, rand, RAND_LEN);
	_ctx->type = (enum ctx_type)p[1];
	_ctx->uicc = (enum guss_uicc)p[2];
	memcpy(_ctx->tmpi, p + 3, CTX_TMPI_LEN);
	memcpy(_ctx->owner, p + 11, CTX_OWNER_LEN);
	_ctx->created = (time_t)get_number(p + 19, 8);
	_ctx->expires = (time_t)get_number(p + 27, 8);
	memcpy(_ctx->ks, p + 35, GBA_KS_LEN);
	_ctx->impi = BYTES(p + CTX_REC_FIXED - 2, impi_n);
	_ctx->uss = BYTES(p + CTX_REC_FIXED + impi_n, uss_n);
	return GBA_OK;
}

struct ctx *ctx_dup(TALLOC_CTX *mem_ctx, const struct ctx *ctx)
{
	struct ctx *copy = talloc_size(mem_ctx, sizeof(*copy) + ctx->impi.n + ctx->uss.n);
	uint8_t *tail;

	if (copy == NULL)
		return NULL;
	talloc_set_name_const(copy, "struct ctx");
	secret_guard_chunk(copy);
	*copy = *ctx;
	tail = (uint8_t *)(copy + 1);
	memcpy(tail, ctx->impi.p, ctx->impi.n);
	copy->impi = BYTES(tail, ctx->impi.n);
	if (ctx->uss.n > 0)
		memcpy(tail + ctx->impi.n, ctx->uss.p, ctx->uss.n);
	copy->uss = BYTES(tail + ctx->impi.n, ctx->uss.n);
	return copy;
}

enum gba_err ctx_tmpi_index(struct bytes tmpi, uint8_t out[CTX_TMPI_LEN])
{
	uint8_t temp[24]; /* TS 33.220 B.4: TEMP is base64 of 24 octets */
	struct bytes left, right;
	size_t len;

	if (!bytes_split(tmpi, '@', &left, &right) || !bytes_eq_nocase(right, bytes_of(TMPI_DOMAIN)))
		return GBA_E_SYNTAX;
	if (left.n != BASE64_LEN(sizeof(temp)) || base64_decode(left, temp, sizeof(temp), &len) != GBA_OK ||
	    len != sizeof(temp))
		return GBA_E_SYNTAX;
	memcpy(out, temp, CTX_TMPI_LEN);
	return GBA_OK;
}

void ctx_owner(struct bytes fqdn, uint8_t out[CTX_OWNER_LEN])
{
	uint8_t lower[FQDN_MAX], digest[HASH_MAX];
	struct bytes piece = { lower, fqdn.n < FQDN_MAX ? fqdn.n : FQDN_MAX };
	size_t i;

	for (i = 0; i < piece.n; i++)
		lower[i] = (uint8_t)tolower(fqdn.p[i]);
	hash_pieces(HASH_SHA256, &piece, 1, digest);
	memcpy(out, digest, CTX_OWNER_LEN);
	out[0] |= 1; /* never none */
}

bool ctx_owner_none(const uint8_t owner[CTX_OWNER_LEN])
{
	static const uint8_t none[CTX_OWNER_LEN];

	return memcmp(owner, none, CTX_OWNER_LEN) == 0;
}

bool ctx_certificate_none(const uint8_t certificate[CTX_CERT_LEN])
{
	static const uint8_t none[CTX_CERT_LEN];

	return memcmp(certificate, none, CTX_CERT_LEN) == 0;
}

static void shown_rand(const uint8_t certificate[CTX_CERT_LEN], uint64_t slot, uint8_t rand[RAND_LEN])
{
	uint8_t digest[HASH_MAX], number[8];
	struct bytes pieces[] = { bytes_of("shown"), BYTES(certificate, CTX_CERT_LEN), BYTES(number, sizeof(number)) };

	put_number(number, slot, sizeof(number));
	hash_pieces(HASH_SHA256, pieces, 3, digest);
	memcpy(rand, digest, RAND_LEN);
}

void ctx_shown(const struct ctx *ctx, char name[CTX_SHOWN_NAME], struct ctx *_shown)
{
	uint64_t slot = (uint64_t)ctx->created / SHOWN_SLOT_S;

	memset(_shown, 0, sizeof(*_shown));
	shown_rand(ctx->certificate, slot, _shown->rand);
	memcpy(_shown->certificate, ctx->certificate, CTX_CERT_LEN);
	_shown->type = CTX_SHOWN;
	_shown->created = ctx->created;
	_shown->expires = (time_t)((slot + 2) * SHOWN_SLOT_S);
	hex_encode(BYTES(ctx->certificate, CTX_CERT_LEN), name);
	_shown->impi = bytes_of(name); /* among no user's */
	_shown->uss = ctx->impi;
}

void ctx_shown_at(const uint8_t certificate[CTX_CERT_LEN], time_t now, uint8_t (*rands)[RAND_LEN])
{
	uint64_t slot = (uint64_t)now / SHOWN_SLOT_S;

	shown_rand(certificate, slot, rands[0]);
	shown_rand(certificate, slot - 1, rands[1]);
}

void ctx_claim(const struct ctx *ctx, const uint8_t owner[CTX_OWNER_LEN], struct ctx *_claim)
{
	struct bytes pieces[] = { bytes_of("claim"), BYTES(ctx->rand, RAND_LEN) };
	uint8_t digest[HASH_MAX];

	memset(_claim, 0, sizeof(*_claim));
	hash_pieces(HASH_SHA256, pieces, 2, digest);
	memcpy(_claim->rand, digest, RAND_LEN);
	memcpy(_claim->owner, owner, CTX_OWNER_LEN);
	_claim->type = CTX_CLAIM;
	_claim->created = ctx->created;
	_claim->expires = ctx->expires;
	_claim->impi = ctx->impi; /* goes with the user's contexts */
	_claim->uss = BYTES("", 0);
}
