/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/uss_pack.h"

#include "bsf/ctx.h"

/* List: count of USSs(2), then each: gsid(4) type(4) naf_group key_choice uid_count(2) uids flag_count(2) flags(4 each).
 * A text is its length + 1 in two octets (0: absent) and its octets. */
struct writer {
	uint8_t *p; /* NULL: only count */
	size_t n;
};
struct reader {
	struct bytes rest;
	TALLOC_CTX *mem_ctx;
	enum gba_err err; /* the first failure stays */
};

static void put_number(struct writer *w, uint32_t value, size_t octets)
{
	size_t i;

	for (i = octets; i > 0 && w->p != NULL; i--) {
		w->p[w->n + i - 1] = (uint8_t)value;
		value >>= 8;
	}
	w->n += octets;
}

static void put_text(struct writer *w, const char *text)
{
	size_t n = text != NULL ? strlen(text) : 0;

	put_number(w, text != NULL ? (uint32_t)n + 1 : 0, 2);
	if (w->p != NULL && n > 0)
		memcpy(w->p + w->n, text, n);
	w->n += n;
}

static void put_uss(struct writer *w, const struct uss *uss)
{
	size_t i;

	put_number(w, uss->gsid, 4);
	put_number(w, uss->type, 4);
	put_text(w, uss->naf_group);
	put_text(w, uss->key_choice);
	put_number(w, (uint32_t)uss->uid_count, 2);
	for (i = 0; i < uss->uid_count; i++)
		put_text(w, uss->uids[i]);
	put_number(w, (uint32_t)uss->flag_count, 2);
	for (i = 0; i < uss->flag_count; i++)
		put_number(w, uss->flags[i], 4);
}

static void put_list(struct writer *w, const struct guss *guss)
{
	size_t i;

	put_number(w, (uint32_t)guss->uss_count, 2);
	for (i = 0; i < guss->uss_count; i++)
		put_uss(w, &guss->uss[i]);
}

enum gba_err uss_pack(TALLOC_CTX *mem_ctx, const struct guss *guss, struct bytes *_packed)
{
	struct writer w = { NULL, 0 };
	uint8_t *octets;

	if (guss->uss_count == 0) {
		*_packed = BYTES("", 0);
		return GBA_OK;
	}
	put_list(&w, guss);
	if (w.n > CTX_USS_MAX) /* also keeps every count and text within its two octets */
		return GBA_E_TOO_LONG;
	octets = talloc_array(mem_ctx, uint8_t, w.n);
	if (octets == NULL)
		return GBA_E_NOMEM;
	w = (struct writer){ octets, 0 };
	put_list(&w, guss);
	*_packed = BYTES(octets, w.n);
	return GBA_OK;
}

static uint32_t get_number(struct reader *r, size_t octets)
{
	uint32_t value = 0;
	size_t i;

	if (r->rest.n < octets) {
		r->err = r->err != GBA_OK ? r->err : GBA_E_CORRUPT;
		return 0;
	}
	for (i = 0; i < octets; i++)
		value = value << 8 | r->rest.p[i];
	r->rest = BYTES(r->rest.p + octets, r->rest.n - octets);
	return value;
}

static const char *get_text(struct reader *r)
{
	size_t n = get_number(r, 2);
	char *text;

	if (n == 0 || r->err != GBA_OK)
		return NULL;
	n--;
	if (r->rest.n < n || memchr(r->rest.p, '\0', n) != NULL) {
		r->err = GBA_E_CORRUPT;
		return NULL;
	}
	text = talloc_strndup(r->mem_ctx, (const char *)r->rest.p, n);
	if (text == NULL)
		r->err = GBA_E_NOMEM;
	r->rest = BYTES(r->rest.p + n, r->rest.n - n);
	return text;
}

/* How many items of at least `octets` each follow: what does not fit into the rest is no count. */
static size_t get_count(struct reader *r, size_t octets)
{
	size_t count = get_number(r, 2);

	if (r->err == GBA_OK && count > r->rest.n / octets)
		r->err = GBA_E_CORRUPT;
	return r->err == GBA_OK ? count : 0;
}

static void get_uids(struct reader *r, struct uss *uss)
{
	size_t count = get_count(r, 2), i;

	uss->uids = talloc_array(r->mem_ctx, const char *, count);
	if (uss->uids == NULL) {
		r->err = GBA_E_NOMEM;
		return;
	}
	for (i = 0; i < count; i++) {
		uss->uids[i] = get_text(r);
		if (uss->uids[i] == NULL && r->err == GBA_OK)
			r->err = GBA_E_CORRUPT;
	}
	uss->uid_count = count;
}

static void get_flags(struct reader *r, struct uss *uss)
{
	size_t count = get_count(r, 4), i;

	uss->flags = talloc_array(r->mem_ctx, uint32_t, count);
	if (uss->flags == NULL) {
		r->err = GBA_E_NOMEM;
		return;
	}
	for (i = 0; i < count; i++)
		uss->flags[i] = get_number(r, 4);
	uss->flag_count = count;
}

static void get_uss(struct reader *r, struct uss *uss)
{
	uss->gsid = get_number(r, 4);
	uss->type = get_number(r, 4);
	uss->naf_group = get_text(r);
	uss->key_choice = get_text(r);
	if (r->err == GBA_OK)
		get_uids(r, uss);
	if (r->err == GBA_OK)
		get_flags(r, uss);
}

enum gba_err uss_unpack(TALLOC_CTX *mem_ctx, struct bytes packed, struct guss **_guss)
{
	struct guss *guss = talloc_zero(mem_ctx, struct guss);
	struct reader r = { packed, guss, GBA_OK };
	size_t count, i;

	if (guss == NULL)
		return GBA_E_NOMEM;
	count = packed.n > 0 ? get_count(&r, 16) : 0; /* no USS is shorter than 16 octets */
	guss->uss = talloc_zero_array(guss, struct uss, count);
	if (guss->uss == NULL)
		r.err = GBA_E_NOMEM;
	for (i = 0; i < count && r.err == GBA_OK; i++)
		get_uss(&r, &guss->uss[i]);
	if (r.err == GBA_OK && r.rest.n != 0)
		r.err = GBA_E_CORRUPT;
	if (r.err != GBA_OK) {
		talloc_free(guss);
		return r.err;
	}
	guss->uss_count = count;
	*_guss = guss;
	return GBA_OK;
}
