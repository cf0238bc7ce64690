/* SPDX-License-Identifier: Apache-2.0 */
#include "coap/cbor.h"

#include <cbor.h>
#include <inttypes.h>

/* Numbers of members, from 0; they are wire format: names are added at the end only. */
static const char *const names[] = {
	"regdevid", "serial", "seq", "cause", "firmware", "software", "communication", "power", "protocols", "kind",
	"root_of_trust", "scheme", "identity", "make", "model", "custodian", "custodian_code", "identities", "value", "urn",
	"state", "expires", "report_every", "seconds", "audience", "status", "title", "detail", "errors", "pointer", "type", "code"
};
#define NAMES (sizeof(names) / sizeof(names[0]))

static json_t *item(const cbor_item_t *in, unsigned int depth);

static json_t *text(const cbor_item_t *in)
{
	if (!cbor_string_is_definite(in) || memchr(cbor_string_handle(in), 0, cbor_string_length(in)) != NULL)
		return NULL;
	return json_stringn((const char *)cbor_string_handle(in), cbor_string_length(in)); /* NULL: not UTF-8 */
}

static json_t *list(const cbor_item_t *in, unsigned int depth)
{
	json_t *out = json_array(), *one;
	size_t i;

	for (i = 0; out != NULL && i < cbor_array_size(in); i++) {
		one = item(cbor_array_handle(in)[i], depth + 1);
		if (json_array_append_new(out, one) != 0) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

/* The member's name; NULL: none. */
static const char *name_of(const cbor_item_t *key, char copy[64])
{
	size_t n;

	if (cbor_isa_uint(key))
		return cbor_get_int(key) < NAMES ? names[cbor_get_int(key)] : NULL;
	if (!cbor_isa_string(key) || !cbor_string_is_definite(key))
		return NULL;
	n = cbor_string_length(key);
	if (n == 0 || n >= 64 || memchr(cbor_string_handle(key), 0, n) != NULL)
		return NULL;
	memcpy(copy, cbor_string_handle(key), n);
	copy[n] = '\0';
	return copy;
}

static json_t *map(const cbor_item_t *in, unsigned int depth)
{
	const struct cbor_pair *pair = cbor_map_handle(in);
	json_t *out = json_object();
	size_t i;

	for (i = 0; out != NULL && i < cbor_map_size(in); i++) {
		char copy[64];
		const char *name = name_of(pair[i].key, copy);

		if (name == NULL || json_object_get(out, name) != NULL ||
		    json_object_set_new(out, name, item(pair[i].value, depth + 1)) != 0) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

static json_t *number(const cbor_item_t *in)
{
	uint64_t value = cbor_get_int(in);

	if (value > INT64_MAX)
		return NULL;
	return json_integer(cbor_isa_uint(in) ? (json_int_t)value : -1 - (json_int_t)value);
}

static json_t *item(const cbor_item_t *in, unsigned int depth)
{
	if (depth > CBOR_DEPTH_MAX)
		return NULL;
	switch (cbor_typeof(in)) {
	case CBOR_TYPE_UINT:
	case CBOR_TYPE_NEGINT: return number(in);
	case CBOR_TYPE_STRING: return text(in);
	case CBOR_TYPE_ARRAY: return list(in, depth);
	case CBOR_TYPE_MAP: return map(in, depth);
	case CBOR_TYPE_FLOAT_CTRL:
		if (!cbor_float_ctrl_is_ctrl(in))
			return NULL;
		return cbor_is_bool(in) ? json_boolean(cbor_get_bool(in)) : cbor_is_null(in) ? json_null() : NULL;
	default: return NULL;
	}
}

/* A head: its argument, and the octets behind it. */
static bool head(struct bytes *in, unsigned int *_major, uint64_t *_argument)
{
	unsigned int low, n, i;

	if (in->n == 0)
		return false;
	*_major = in->p[0] >> 5;
	low = in->p[0] & 31;
	n = low < 24 ? 0 : 1U << (low - 24);
	if (low > 27 || in->n < 1 + n)
		return false;
	*_argument = n == 0 ? low : 0;
	for (i = 1; i <= n; i++)
		*_argument = *_argument << 8 | in->p[i];
	*in = BYTES(in->p + 1 + n, in->n - 1 - n);
	return true;
}

/* Of the kinds we take, no deeper than we go, and with no more items than there are octets: libcbor reserves room for as many as
 * a list promises. */
static bool well_formed(struct bytes *in, unsigned int depth)
{
	uint64_t n, i;
	unsigned int major;

	if (depth > CBOR_DEPTH_MAX || !head(in, &major, &n))
		return false;
	if (major == 3 && n > in->n)
		return false;
	if (major == 3)
		*in = BYTES(in->p + n, in->n - n);
	else if (major > 1 && major != 4 && major != 5 && major != 7)
		return false;
	if (major != 4 && major != 5)
		return true;
	if (n > in->n)
		return false;
	for (i = 0; i < n * (major - 3); i++) {
		if (!well_formed(in, depth + 1))
			return false;
	}
	return true;
}

enum gba_err cbor_to_json(struct bytes octets, json_t **_json)
{
	struct cbor_load_result result;
	struct bytes rest = octets;
	cbor_item_t *in;

	if (octets.n > CBOR_BODY_MAX || !well_formed(&rest, 0) || rest.n > 0)
		return GBA_E_SYNTAX;
	in = cbor_load(octets.p, octets.n, &result);
	if (in == NULL)
		return result.error.code == CBOR_ERR_MEMERROR ? GBA_E_NOMEM : GBA_E_SYNTAX;
	*_json = item(in, 0);
	cbor_decref(&in);
	return *_json != NULL ? GBA_OK : GBA_E_SYNTAX;
}

static cbor_item_t *build(const json_t *json);

static cbor_item_t *key_of(const char *name)
{
	size_t i;

	for (i = 0; i < NAMES; i++) {
		if (strcmp(name, names[i]) == 0)
			return cbor_build_uint8((uint8_t)i);
	}
	return cbor_build_string(name);
}

static cbor_item_t *build_map(const json_t *json)
{
	cbor_item_t *out = cbor_new_definite_map(json_object_size(json));
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)json, name, value) {
		cbor_item_t *one = out != NULL ? build(value) : NULL;

		if (one == NULL || !cbor_map_add(out, (struct cbor_pair){ cbor_move(key_of(name)), cbor_move(one) })) {
			if (out != NULL)
				cbor_decref(&out);
			return NULL;
		}
	}
	return out;
}

static cbor_item_t *build_list(const json_t *json)
{
	cbor_item_t *out = cbor_new_definite_array(json_array_size(json));
	json_t *value;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)json, i, value) {
		cbor_item_t *one = out != NULL ? build(value) : NULL;

		if (one == NULL || !cbor_array_push(out, cbor_move(one))) {
			if (out != NULL)
				cbor_decref(&out);
			return NULL;
		}
	}
	return out;
}

/* The shortest form (RFC 8949 4.2.1). */
static cbor_item_t *build_number(json_int_t value)
{
	uint64_t n = value >= 0 ? (uint64_t)value : (uint64_t)(-1 - value);
	cbor_item_t *out = n <= UINT8_MAX    ? cbor_build_uint8((uint8_t)n)
			   : n <= UINT16_MAX ? cbor_build_uint16((uint16_t)n)
			   : n <= UINT32_MAX ? cbor_build_uint32((uint32_t)n)
					     : cbor_build_uint64(n);

	if (out != NULL && value < 0)
		cbor_mark_negint(out);
	return out;
}

static cbor_item_t *build(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT: return build_map(json);
	case JSON_ARRAY: return build_list(json);
	case JSON_STRING: return cbor_build_stringn(json_string_value(json), json_string_length(json));
	case JSON_INTEGER: return build_number(json_integer_value(json));
	case JSON_TRUE:
	case JSON_FALSE: return cbor_build_bool(json_is_true(json));
	case JSON_NULL: return cbor_new_null();
	default: return NULL;
	}
}

enum gba_err cbor_from_json(const json_t *json, struct bytes *_octets)
{
	cbor_item_t *out = build(json);
	unsigned char *octets = NULL;
	size_t n = 0, size;

	if (out == NULL)
		return GBA_E_RANGE;
	n = cbor_serialize_alloc(out, &octets, &size);
	cbor_decref(&out);
	if (n == 0)
		return GBA_E_NOMEM;
	*_octets = BYTES(octets, n);
	return GBA_OK;
}
