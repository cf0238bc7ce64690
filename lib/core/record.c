/* SPDX-License-Identifier: Apache-2.0 */
#include "core/record.h"

#define FIELD_MAX 0xffff

static const uint8_t *take(struct record_in *in, size_t n)
{
	const uint8_t *p = in->rest.p;

	if (in->bad || n > in->rest.n) {
		in->bad = true;
		return NULL;
	}
	in->rest.p += n;
	in->rest.n -= n;
	return p;
}

uint64_t record_get(struct record_in *in, size_t width)
{
	const uint8_t *p = take(in, width);
	uint64_t value = 0;
	size_t i;

	if (p == NULL)
		return 0;
	for (i = 0; i < width; i++)
		value = value << 8 | p[i];
	return value;
}

struct bytes record_get_field(struct record_in *in, size_t max)
{
	size_t n = (size_t)record_get(in, 2);
	const uint8_t *p;

	if (n > max)
		in->bad = true;
	p = take(in, n);
	return p != NULL ? BYTES(p, n) : BYTES_NONE;
}

void record_get_text(struct record_in *in, char *out, size_t cap)
{
	struct bytes field = record_get_field(in, cap - 1);

	if (field.n > 0 && memchr(field.p, '\0', field.n) != NULL)
		in->bad = true;
	if (field.n > 0)
		memcpy(out, field.p, field.n);
	out[field.n] = '\0';
}

void record_get_octets(struct record_in *in, uint8_t *out, size_t n)
{
	struct bytes field = record_get_field(in, n);

	if (field.p == NULL || field.n != n) {
		in->bad = true;
		return;
	}
	memcpy(out, field.p, n);
}

static uint8_t *room(struct record_out *out, size_t n)
{
	uint8_t *p = out->p + out->n;

	if (out->bad || n > out->cap - out->n) {
		out->bad = true;
		return NULL;
	}
	out->n += n;
	return p;
}

void record_put(struct record_out *out, uint64_t value, size_t width)
{
	uint8_t *p = room(out, width);
	size_t i;

	for (i = 0; p != NULL && i < width; i++)
		p[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
}

void record_put_field(struct record_out *out, struct bytes field)
{
	uint8_t *p;

	if (field.n > FIELD_MAX) {
		out->bad = true;
		return;
	}
	record_put(out, field.n, 2);
	p = room(out, field.n);
	if (p != NULL && field.n > 0)
		memcpy(p, field.p, field.n);
}
