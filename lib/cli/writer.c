/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/writer.h"

#include <inttypes.h>
#include <jansson.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/secret.h"
#include "http/json.h"

#define VALUES_MAX 32

enum kind { KIND_TEXT, KIND_INT, KIND_BOOL, KIND_LIST };

struct value {
	const char *name;
	enum kind kind;
	char *text; /* NULL: null */
	size_t n;
	int64_t number;
};

struct writer {
	enum writer_format format;
	FILE *out;
	struct value value[VALUES_MAX];
	size_t values;
	uint64_t records;
	bool failed;
};

struct writer *writer_new(TALLOC_CTX *ctx, enum writer_format format, FILE *out)
{
	struct writer *w = talloc_zero(ctx, struct writer);

	if (w == NULL)
		return NULL;
	w->format = format;
	w->out = out;
	return w;
}

void writer_prefer(struct writer *w, enum writer_format format)
{
	if (w->format == WRITER_TEXT || w->format == WRITER_TABLE)
		w->format = format;
}

static struct value *value_new(struct writer *w, const char *name, enum kind kind)
{
	struct value *v;

	if (w->values == VALUES_MAX) {
		w->failed = true;
		return &w->value[0];
	}
	v = &w->value[w->values++];
	*v = (struct value){ .name = name, .kind = kind };
	return v;
}

static void set_text(struct writer *w, struct value *v, struct bytes text)
{
	if (text.p == NULL)
		return;
	v->text = talloc_size(w, text.n + 1); /* a rejected row's text may hold any octet */
	if (v->text == NULL) {
		w->failed = true;
		return;
	}
	memcpy(v->text, text.p, text.n);
	v->text[text.n] = '\0';
	v->n = text.n;
}

void writer_text(struct writer *w, const char *name, struct bytes value)
{
	set_text(w, value_new(w, name, KIND_TEXT), value);
}

void writer_int(struct writer *w, const char *name, int64_t value)
{
	value_new(w, name, KIND_INT)->number = value;
}

void writer_bool(struct writer *w, const char *name, bool value)
{
	struct value *v = value_new(w, name, KIND_BOOL);

	set_text(w, v, bytes_of(value ? "true" : "false"));
	v->number = value;
}

void writer_hex(struct writer *w, const char *name, struct bytes octets)
{
	char digits[HEX_LEN(64) + 1];

	if (octets.n > 64)
		w->failed = true;
	else
		hex_encode(octets, digits);
	writer_text(w, name, octets.n > 64 ? BYTES_NONE : bytes_of(digits));
	SECRET_WIPE(digits);
}

void writer_list(struct writer *w, const char *name, struct bytes lines)
{
	set_text(w, value_new(w, name, KIND_LIST), lines);
}

void writer_time(struct writer *w, const char *name, int64_t when)
{
	char text[TIME_TEXT_LEN + 1];

	time_format((time_t)when, text);
	writer_text(w, name, when != 0 ? bytes_of(text) : BYTES_NONE);
}

/* What is not UTF-8 cannot stand in JSON: each foreign octet becomes a question mark. */
static json_t *text_json(const struct value *v)
{
	json_t *text = json_stringn(v->text, v->n);
	size_t i;

	if (text != NULL)
		return text;
	for (i = 0; i < v->n; i++) {
		if ((uint8_t)v->text[i] >= 0x80)
			v->text[i] = '?';
	}
	return json_stringn(v->text, v->n);
}

static json_t *value_json(const struct value *v)
{
	if (v->kind == KIND_INT)
		return json_integer(v->number);
	if (v->kind == KIND_BOOL)
		return json_boolean(v->number != 0);
	if (v->kind == KIND_LIST)
		return json_split(BYTES(v->text, v->text != NULL ? v->n : 0), '\n');
	return v->text != NULL ? text_json(v) : json_null();
}

static void print_json(struct writer *w)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; i < w->values; i++)
		json_object_set_new(object, w->value[i].name, value_json(&w->value[i]));
	if (json_dumpf(object, w->out, JSON_COMPACT | JSON_PRESERVE_ORDER) != 0)
		w->failed = true;
	fputc('\n', w->out);
	json_decref(object);
}

/* RFC 4180: quoted when it holds a comma, a quote or a line's end; lists are joined by blanks. */
static void print_csv_value(FILE *out, const struct value *v)
{
	const char *c;

	if (v->kind == KIND_INT) {
		fprintf(out, "%" PRId64, v->number);
		return;
	}
	if (v->text == NULL)
		return;
	if (strpbrk(v->text, ",\"\r\n") == NULL || v->kind == KIND_LIST) {
		for (c = v->text; *c != '\0'; c++)
			fputc(*c == '\n' ? ' ' : *c, out);
		return;
	}
	fputc('"', out);
	for (c = v->text; *c != '\0'; c++) {
		if (*c == '"')
			fputc('"', out);
		fputc(*c, out);
	}
	fputc('"', out);
}

static void print_csv(struct writer *w)
{
	size_t i;

	for (i = 0; w->records == 0 && i < w->values; i++)
		fprintf(w->out, "%s%s", i > 0 ? "," : "", w->value[i].name);
	if (w->records == 0)
		fputs("\r\n", w->out);
	for (i = 0; i < w->values; i++) {
		if (i > 0)
			fputc(',', w->out);
		print_csv_value(w->out, &w->value[i]);
	}
	fputs("\r\n", w->out);
}

static void print_plain(FILE *out, const struct value *v, int width)
{
	char number[24];
	const char *text = v->text != NULL ? v->text : "-";
	const char *c;

	snprintf(number, sizeof(number), "%" PRId64, v->number);
	if (v->kind == KIND_INT)
		text = number;
	for (c = text; *c != '\0'; c++, width--)
		fputc((*c == '\n' && v->kind == KIND_LIST) ? ' ' : *c, out);
	for (; width > 0; width--)
		fputc(' ', out);
}

static int column_width(const struct value *v)
{
	static const struct {
		const char *name;
		int width;
	} wide[] = {
		{"impi",    52},
                { "imsi",   15},
                { "sqn",    12},
                { "state",  6 },
                { "reason", 40}
	};
	size_t i;

	for (i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		if (strcmp(wide[i].name, v->name) == 0)
			return wide[i].width;
	}
	return (int)strlen(v->name);
}

static void print_table(struct writer *w)
{
	size_t i;

	for (i = 0; w->records == 0 && i < w->values; i++)
		fprintf(w->out, "%-*s%s", i + 1 < w->values ? column_width(&w->value[i]) : 0, w->value[i].name,
			i + 1 < w->values ? "  " : "\n");
	for (i = 0; i < w->values; i++) {
		print_plain(w->out, &w->value[i], i + 1 < w->values ? column_width(&w->value[i]) : 0);
		fputs(i + 1 < w->values ? "  " : "\n", w->out);
	}
}

static void print_text(struct writer *w)
{
	size_t i;

	if (w->records > 0)
		fputc('\n', w->out);
	for (i = 0; i < w->values; i++) {
		fprintf(w->out, "%s: ", w->value[i].name);
		print_plain(w->out, &w->value[i], 0);
		fputc('\n', w->out);
	}
}

void writer_end(struct writer *w)
{
	size_t i;

	switch (w->format) {
	case WRITER_JSON: print_json(w); break;
	case WRITER_CSV: print_csv(w); break;
	case WRITER_TABLE: print_table(w); break;
	case WRITER_TEXT: print_text(w); break;
	}
	for (i = 0; i < w->values; i++) {
		if (w->value[i].text != NULL)
			secret_wipe(w->value[i].text, w->value[i].n); /* --reveal */
		talloc_free(w->value[i].text);
	}
	w->values = 0;
	w->records++;
}

bool writer_flush(struct writer *w)
{
	return fflush(w->out) == 0 && !ferror(w->out) && !w->failed;
}
