/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/libnaf/wire.h"

#include <string.h>
#include <strings.h>

#define ELEMENT_HEAD_LEN 4
#define ELEMENT_MAX	 0xffffff

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void set_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

enum wire_state wire_frame(struct wire_view in, size_t max, struct wire_frame *_frame, const char **_why)
{
	size_t octets;

	if (in.n < 4)
		return WIRE_MORE;
	octets = (size_t)get_u32(in.p) + 4;
	if (octets < WIRE_HEAD_LEN || octets > max) {
		*_why = octets < WIRE_HEAD_LEN ? "frame shorter than its head" : "frame too long";
		return WIRE_BAD;
	}
	if (in.n < octets)
		return WIRE_MORE;
	if (in.p[6] != 0 || in.p[7] != 0) {
		*_why = "reserved octets are not zero";
		return WIRE_BAD;
	}
	*_frame = (struct wire_frame){ in.p[4], in.p[5], get_u32(in.p + 8),
				       { in.p + WIRE_HEAD_LEN, octets - WIRE_HEAD_LEN }, octets };
	return WIRE_WHOLE;
}

bool wire_next(struct wire_view *body, uint8_t *_tag, struct wire_view *_value, const char **_why)
{
	size_t n;

	*_why = NULL;
	if (body->n == 0)
		return false;
	*_why = "element longer than its frame";
	if (body->n < ELEMENT_HEAD_LEN)
		return false;
	n = get_u32(body->p) & ELEMENT_MAX;
	if (n > body->n - ELEMENT_HEAD_LEN)
		return false;
	*_tag = body->p[0];
	*_value = (struct wire_view){ body->p + ELEMENT_HEAD_LEN, n };
	body->p += ELEMENT_HEAD_LEN + n;
	body->n -= ELEMENT_HEAD_LEN + n;
	*_why = NULL;
	return true;
}

/* How a value must look, and where it goes; one row per tag that may come once. */
enum shape { SHAPE_TEXT, SHAPE_OCTETS, SHAPE_U32, SHAPE_TIME };

struct element {
	uint8_t tag;
	enum shape shape;
	bool required;
	size_t len; /* TEXT: most octets without the NUL; OCTETS: exactly */
	size_t offset;
};

static bool text_fits(struct wire_view value, size_t most)
{
	return value.n > 0 && value.n - 1 <= most && memchr(value.p, '\0', value.n) == value.p + value.n - 1;
}

static const char *take(const struct element *row, struct wire_view value, void *out)
{
	char *member = (char *)out + row->offset;

	switch (row->shape) {
	case SHAPE_TEXT:
		if (!text_fits(value, row->len))
			return "text too long or not ended by its only NUL";
		*(const char **)member = (const char *)value.p;
		return NULL;
	case SHAPE_OCTETS:
		if (value.n != row->len)
			return "octets of wrong length";
		*(const uint8_t **)member = value.p;
		return NULL;
	case SHAPE_U32:
		if (value.n != 4)
			return "number of wrong length";
		*(uint32_t *)member = get_u32(value.p);
		return NULL;
	case SHAPE_TIME:
		if (value.n != 8 || value.p[0] > 0x7f)
			return "time of wrong length or range";
		*(int64_t *)member = (int64_t)((uint64_t)get_u32(value.p) << 32 | get_u32(value.p + 4));
		return NULL;
	}
	return "internal";
}

static size_t row_of(const struct element *rows, size_t count, uint8_t tag)
{
	size_t i;

	for (i = 0; i < count && rows[i].tag != tag; i++)
		;
	return i;
}

/* Takes single elements by the rows; the rest goes to other(). */
static const char *decode(struct wire_view body, const struct element *rows, size_t count,
			  const char *(*other)(uint8_t tag, struct wire_view value, void *out), void *out)
{
	struct wire_view value;
	uint32_t seen = 0;
	const char *why;
	uint8_t tag;
	size_t i;

	while (wire_next(&body, &tag, &value, &why)) {
		i = row_of(rows, count, tag);
		if (i < count && (seen & 1u << i) != 0)
			return "element twice";
		why = i < count ? take(&rows[i], value, out) : other(tag, value, out);
		if (why != NULL)
			return why;
		if (i < count)
			seen |= 1u << i;
	}
	for (i = 0; i < count && why == NULL; i++) {
		if (rows[i].required && (seen & 1u << i) == 0)
			why = "element missing";
	}
	return why;
}

static const char *refuse_unknown(uint8_t tag, struct wire_view value, void *out)
{
	(void)value, (void)out;
	return (tag & WIRE_IGNORABLE) != 0 ? NULL : "unknown element";
}

static const struct element ask_rows[] = {
	{ WIRE_T_BTID,    SHAPE_TEXT,   true,  WIRE_BTID_MAX,   offsetof(struct wire_ask, btid) },
	{ WIRE_T_FQDN,    SHAPE_TEXT,   true,  WIRE_FQDN_MAX,   offsetof(struct wire_ask, fqdn) },
	{ WIRE_T_UA_ID,   SHAPE_OCTETS, true,  WIRE_UA_ID_LEN,  offsetof(struct wire_ask, ua_id) },
	{ WIRE_T_FLAGS,   SHAPE_U32,    false, 0,               offsetof(struct wire_ask, flags) },
	{ WIRE_T_TIMEOUT, SHAPE_U32,    true,  0,               offsetof(struct wire_ask, timeout_ms) },
	{ WIRE_T_SOURCE,  SHAPE_TEXT,   false, WIRE_SOURCE_MAX, offsetof(struct wire_ask, source) },
	{ WIRE_T_UNTIL,   SHAPE_TIME,   false, 0,               offsetof(struct wire_ask, until) },
};

static const char *take_more(uint8_t tag, struct wire_view value, void *out)
{
	struct wire_ask *ask = out;

	if (tag == WIRE_T_NOTICES) {
		ask->notices = true;
		return value.n == 0 ? NULL : "notices are asked for without a value";
	}
	if (tag != WIRE_T_GSID)
		return refuse_unknown(tag, value, out);
	if (value.n != 4)
		return "number of wrong length";
	if (ask->gsid_count == WIRE_GSID_MAX)
		return "too many service identifiers";
	ask->gsids[ask->gsid_count++] = get_u32(value.p);
	return NULL;
}

const char *wire_ask_decode(struct wire_view body, struct wire_ask *_ask)
{
	const char *why;

	memset(_ask, 0, sizeof(*_ask));
	_ask->source = "";
	why = decode(body, ask_rows, sizeof(ask_rows) / sizeof(ask_rows[0]), take_more, _ask);
	if (why == NULL && (_ask->timeout_ms == 0 || _ask->timeout_ms > WIRE_TIMEOUT_MAX))
		why = "time-out out of range";
	return why;
}

static const struct element key_rows[] = {
	{ WIRE_T_KS_NAF,     SHAPE_OCTETS, true,  WIRE_KEY_LEN,    offsetof(struct wire_key, ks_naf) },
	{ WIRE_T_KS_INT_NAF, SHAPE_OCTETS, false, WIRE_KEY_LEN,    offsetof(struct wire_key, ks_int_naf) },
	{ WIRE_T_EXPIRY,     SHAPE_TIME,   true,  0,               offsetof(struct wire_key, expiry) },
	{ WIRE_T_CREATED,    SHAPE_TIME,   false, 0,               offsetof(struct wire_key, created) },
	{ WIRE_T_IMPI,       SHAPE_TEXT,   false, WIRE_ANSWER_MAX, offsetof(struct wire_key, impi) },
	{ WIRE_T_USS_XML,    SHAPE_TEXT,   false, WIRE_ANSWER_MAX, offsetof(struct wire_key, uss_xml) },
	{ WIRE_T_GBA_TYPE,   SHAPE_U32,    false, 0,               offsetof(struct wire_key, gba_type) },
	{ WIRE_T_DIGEST,     SHAPE_OCTETS, false, WIRE_DIGEST_LEN, offsetof(struct wire_key, digest) },
};

static const char *check_uss(struct wire_view uss)
{
	struct wire_view value;
	size_t gsids = 0;
	const char *why;
	uint8_t tag;

	while (wire_next(&uss, &tag, &value, &why)) {
		if (tag == WIRE_T_UID && !text_fits(value, WIRE_ANSWER_MAX))
			return "identity not ended by its only NUL";
		if ((tag == WIRE_T_GSID || tag == WIRE_T_FLAG) && value.n != 4)
			return "number of wrong length";
		if (tag != WIRE_T_UID && tag != WIRE_T_GSID && tag != WIRE_T_FLAG && (tag & WIRE_IGNORABLE) == 0)
			return "unknown element";
		gsids += tag == WIRE_T_GSID;
	}
	if (why == NULL && gsids != 1)
		why = "user security setting without its one service";
	return why;
}

static const char *take_uss(uint8_t tag, struct wire_view value, void *out)
{
	return tag == WIRE_T_USS ? check_uss(value) : refuse_unknown(tag, value, out);
}

const char *wire_key_decode(struct wire_view body, struct wire_key *_key)
{
	memset(_key, 0, sizeof(*_key));
	_key->uss = body;
	return decode(body, key_rows, sizeof(key_rows) / sizeof(key_rows[0]), take_uss, _key);
}

bool wire_element_at(struct wire_view body, uint8_t tag, size_t index, struct wire_view *_value)
{
	struct wire_view value;
	const char *why;
	uint8_t seen;

	while (wire_next(&body, &seen, &value, &why)) {
		if (seen != tag || index-- > 0)
			continue;
		*_value = value;
		return true;
	}
	return false;
}

uint32_t wire_u32(struct wire_view value)
{
	return value.n == 4 ? get_u32(value.p) : 0;
}

bool wire_uss_find(struct wire_view body, uint32_t gsid, struct wire_view *_uss)
{
	struct wire_view uss, id;
	size_t i;

	for (i = 0; wire_element_at(body, WIRE_T_USS, i, &uss); i++) {
		if (!wire_element_at(uss, WIRE_T_GSID, 0, &id) || wire_u32(id) != gsid)
			continue;
		*_uss = uss;
		return true;
	}
	return false;
}

const char *wire_fail_decode(struct wire_view body, uint32_t *_error)
{
	static const struct element rows[] = { { WIRE_T_ERROR, SHAPE_U32, true, 0, 0 } };

	return decode(body, rows, 1, refuse_unknown, _error);
}

const char *wire_notice_decode(struct wire_view body)
{
	struct wire_view value;
	size_t digests = 0;
	const char *why;
	uint8_t tag;

	while (wire_next(&body, &tag, &value, &why)) {
		if (tag == WIRE_T_DIGEST && value.n != WIRE_DIGEST_LEN)
			return "octets of wrong length";
		if (tag == WIRE_T_FQDN && !text_fits(value, WIRE_FQDN_MAX))
			return "text too long or not ended by its only NUL";
		if (tag != WIRE_T_DIGEST && tag != WIRE_T_FQDN && (tag & WIRE_IGNORABLE) == 0)
			return "unknown element";
		digests += tag == WIRE_T_DIGEST;
	}
	return why == NULL && digests == 0 ? "element missing" : why;
}

bool wire_notice_names(struct wire_view body, const uint8_t digest[WIRE_DIGEST_LEN], const char *fqdn)
{
	bool token = false, name = false, names = false;
	struct wire_view value;
	const char *why;
	uint8_t tag;

	while (wire_next(&body, &tag, &value, &why)) {
		if (tag == WIRE_T_DIGEST)
			token |= memcmp(value.p, digest, WIRE_DIGEST_LEN) == 0;
		names |= tag == WIRE_T_FQDN;
		if (tag == WIRE_T_FQDN)
			name |= strcasecmp((const char *)value.p, fqdn) == 0;
	}
	return token && (name || !names);
}

void wire_begin(struct wire_out *out, uint8_t type, uint32_t id)
{
	out->n = WIRE_HEAD_LEN;
	out->full = out->cap < WIRE_HEAD_LEN;
	if (out->full)
		return;
	out->p[4] = WIRE_VERSION;
	out->p[5] = type;
	out->p[6] = out->p[7] = 0;
	set_u32(out->p + 8, id);
}

size_t wire_open(struct wire_out *out, uint8_t tag)
{
	size_t opened = out->n;

	if (out->full || out->cap - out->n < ELEMENT_HEAD_LEN) {
		out->full = true;
		return 0;
	}
	out->p[opened] = tag;
	out->n += ELEMENT_HEAD_LEN;
	return opened;
}

void wire_close(struct wire_out *out, size_t opened)
{
	size_t n = out->n - opened - ELEMENT_HEAD_LEN;

	if (out->full)
		return;
	if (n > ELEMENT_MAX) {
		out->full = true;
		return;
	}
	set_u32(out->p + opened, (uint32_t)out->p[opened] << 24 | (uint32_t)n);
}

void wire_put(struct wire_out *out, uint8_t tag, const void *value, size_t n)
{
	size_t opened = wire_open(out, tag);

	if (out->full || out->cap - out->n < n) {
		out->full = true;
		return;
	}
	if (n > 0)
		memcpy(out->p + out->n, value, n);
	out->n += n;
	wire_close(out, opened);
}

void wire_put_text(struct wire_out *out, uint8_t tag, const char *text)
{
	if (text != NULL)
		wire_put(out, tag, text, strlen(text) + 1);
}

void wire_put_u32(struct wire_out *out, uint8_t tag, uint32_t value)
{
	uint8_t octets[4];

	set_u32(octets, value);
	wire_put(out, tag, octets, sizeof(octets));
}

void wire_put_time(struct wire_out *out, uint8_t tag, int64_t value)
{
	uint8_t octets[8];

	set_u32(octets, (uint32_t)((uint64_t)value >> 32));
	set_u32(octets + 4, (uint32_t)value);
	wire_put(out, tag, octets, sizeof(octets));
}

size_t wire_end(struct wire_out *out)
{
	if (out->full)
		return 0;
	set_u32(out->p, (uint32_t)(out->n - 4));
	return out->n;
}

size_t wire_ask_encode(const struct wire_ask *ask, uint32_t id, uint8_t out[WIRE_ASK_MAX])
{
	struct wire_out w = { out, WIRE_ASK_MAX, 0, false };
	size_t i;

	wire_begin(&w, WIRE_ASK, id);
	wire_put_text(&w, WIRE_T_BTID, ask->btid);
	wire_put_text(&w, WIRE_T_FQDN, ask->fqdn);
	wire_put(&w, WIRE_T_UA_ID, ask->ua_id, WIRE_UA_ID_LEN);
	for (i = 0; i < ask->gsid_count; i++)
		wire_put_u32(&w, WIRE_T_GSID, ask->gsids[i]);
	wire_put_u32(&w, WIRE_T_FLAGS, ask->flags);
	wire_put_u32(&w, WIRE_T_TIMEOUT, ask->timeout_ms);
	if (ask->source[0] != '\0')
		wire_put_text(&w, WIRE_T_SOURCE, ask->source);
	if (ask->until > 0)
		wire_put_time(&w, WIRE_T_UNTIL, ask->until);
	if (ask->notices)
		wire_put(&w, WIRE_T_NOTICES, NULL, 0);
	return wire_end(&w);
}

size_t wire_fail_encode(uint32_t error, const char *text, uint32_t id, uint8_t *out, size_t cap)
{
	struct wire_out w = { out, cap, 0, false };

	wire_begin(&w, WIRE_FAIL, id);
	wire_put_u32(&w, WIRE_T_ERROR, error);
	wire_put_text(&w, WIRE_T_TEXT, text);
	return wire_end(&w);
}

void wire_key_begin(struct wire_out *out, const struct wire_key *key, uint32_t id)
{
	wire_begin(out, WIRE_KEY, id);
	wire_put(out, WIRE_T_KS_NAF, key->ks_naf, WIRE_KEY_LEN);
	if (key->ks_int_naf != NULL)
		wire_put(out, WIRE_T_KS_INT_NAF, key->ks_int_naf, WIRE_KEY_LEN);
	wire_put_time(out, WIRE_T_EXPIRY, key->expiry);
	if (key->created > 0)
		wire_put_time(out, WIRE_T_CREATED, key->created);
	wire_put_text(out, WIRE_T_IMPI, key->impi);
	wire_put_text(out, WIRE_T_USS_XML, key->uss_xml);
	wire_put_u32(out, WIRE_T_GBA_TYPE, key->gba_type);
	if (key->digest != NULL)
		wire_put(out, WIRE_T_DIGEST, key->digest, WIRE_DIGEST_LEN);
}

static bool is_alnum(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool wire_fqdn_valid(const char *fqdn, size_t n)
{
	size_t i, label = 0;

	if (n == 0 || n > WIRE_FQDN_MAX)
		return false;
	for (i = 0; i < n; i++) {
		if (fqdn[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!is_alnum(fqdn[i]) && fqdn[i] != '-' && fqdn[i] != '_') {
			return false;
		} else if (++label > 63) {
			return false;
		}
	}
	return label > 0;
}

bool wire_btid_valid(const char *btid, size_t n)
{
	size_t i;

	if (n < 26 || btid[22] != '=' || btid[23] != '=' || btid[24] != '@')
		return false;
	for (i = 0; i < 22; i++) {
		if (!is_alnum(btid[i]) && btid[i] != '+' && btid[i] != '/')
			return false;
	}
	/* 16 octets leave four bits of the 22nd character unused: a strict encoder sets none of them */
	if (memchr("AQgw", btid[21], 4) == NULL)
		return false;
	return wire_fqdn_valid(btid + 25, n - 25);
}
