/* SPDX-License-Identifier: Apache-2.0 */
/* Open5GS (mongoexport of its subscribers), PyHSS (its auc table, or an object with auc and subscriber) and our own
 * export: one array or one value after the other, read value by value. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/gba-ctl/import.h"

#define EXACT 9007199254740992.0 /* 2^53: below it a double has every whole number */
#define OPERATOR_DETERMINED_BARRING "1" /* Subscriber-Status, TS 29.272 7.3.29 */

struct source {
	struct import *imp;
	FILE *in;
	uint64_t line, at, rows; /* at: [octets] read */
	bool pyhss;
};

/* One octet per call: jansson then never reads beyond a value, and lines are counted. */
static size_t one_octet(void *buffer, size_t room, void *data)
{
	struct source *src = data;
	int c = room > 0 ? getc_unlocked(src->in) : EOF;

	if (c == EOF)
		return 0;
	src->at++;
	src->line += c == '\n';
	*(char *)buffer = (char)c;
	return 1;
}

/* What mongo wraps a number in: {"$numberLong": "64"}, and for one that a program wrote as floating, {"$numberDouble": "64.0"}. */
static json_t *unwrapped(json_t *value)
{
	static const char *const wraps[] = { "$numberLong", "$numberInt", "$numberDouble" };
	json_t *inner = NULL;
	size_t i;

	for (i = 0; i < sizeof(wraps) / sizeof(wraps[0]) && inner == NULL; i++)
		inner = json_object_get(value, wraps[i]);
	return inner != NULL ? inner : value;
}

/* Digits of a whole number, however it was written; anything else as it is, which no member takes. */
static struct bytes digits_of(struct import *imp, double number)
{
	bool whole = number >= 0 && number < EXACT && number == (double)(uint64_t)number;

	return bytes_of(talloc_asprintf(imp->row_ctx, whole ? "%.0f" : "%g", number));
}

/* A member as text: strings as they are, numbers in digits; null is absent. What is neither is nobody's value: the row is
 * refused, rather than taken without it. */
static struct bytes member(struct import *imp, json_t *object, const char *name)
{
	json_t *whole = json_object_get(object, name), *value = unwrapped(whole);

	if (json_is_string(value) && value != whole && strchr(json_string_value(value), '.') != NULL)
		return digits_of(imp, strtod(json_string_value(value), NULL));
	if (json_is_string(value))
		return BYTES(json_string_value(value), json_string_length(value));
	if (json_is_integer(value))
		return bytes_of(talloc_asprintf(imp->row_ctx, "%" JSON_INTEGER_FORMAT, json_integer_value(value)));
	if (json_is_real(value))
		return digits_of(imp, json_real_value(value));
	return value == NULL || json_is_null(value) ? BYTES_NONE : bytes_of("no value");
}

static struct bytes list_member(struct import *imp, json_t *object, const char *name)
{
	json_t *list = json_object_get(object, name), *item;
	char *text = talloc_strdup(imp->row_ctx, "");
	size_t i;

	json_array_foreach(list, i, item) text = talloc_asprintf_append(
		text, "%s%s", i > 0 ? " " : "", json_is_string(item) ? json_string_value(item) : "");
	return text != NULL && text[0] != '\0' ? bytes_of(text) : BYTES_NONE;
}

static void row_open5gs(struct import *imp, json_t *doc, struct import_row *row)
{
	json_t *security = json_object_get(doc, "security"),
	       *msisdn = json_array_get(json_object_get(doc, "msisdn"), 0);

	row->imsi = member(imp, doc, "imsi");
	row->k = member(imp, security, "k");
	row->op = member(imp, security, "op");
	row->opc = member(imp, security, "opc");
	row->amf = member(imp, security, "amf");
	row->sqn = member(imp, security, "sqn");
	if (json_is_string(msisdn))
		row->msisdn = BYTES(json_string_value(msisdn), json_string_length(msisdn));
	if (bytes_eq_str(member(imp, doc, "subscriber_status"), OPERATOR_DETERMINED_BARRING))
		row->state = bytes_of("barred");
}

static void row_own(struct import *imp, json_t *doc, struct import_row *row)
{
	row->impi = member(imp, doc, "impi");
	row->imsi = member(imp, doc, "imsi");
	row->impus = list_member(imp, doc, "public_identities");
	row->k = member(imp, doc, "k");
	row->op = member(imp, doc, "op");
	row->opc = member(imp, doc, "opc");
	row->provisioned = member(imp, doc, "provisioned");
	row->amf = member(imp, doc, "amf");
	row->sqn = member(imp, doc, "sqn");
	row->ind_bits = member(imp, doc, "ind_bits");
	row->algorithm = member(imp, doc, "algorithm");
	row->res_len = member(imp, doc, "res_len");
	row->iterations = member(imp, doc, "tuak_iterations");
	row->state = member(imp, doc, "state");
	row->guss = member(imp, doc, "guss");
}

static void row_pyhss(struct import *imp, json_t *auc, json_t *subscribers, struct import_row *row)
{
	json_t *sub, *id = json_object_get(auc, "auc_id");
	size_t i;

	row->imsi = member(imp, auc, "imsi");
	row->k = member(imp, auc, "ki");
	row->opc = member(imp, auc, "opc");
	row->amf = member(imp, auc, "amf");
	row->sqn = member(imp, auc, "sqn");
	json_array_foreach(subscribers, i, sub)
	{
		if (id == NULL || !json_equal(json_object_get(sub, "auc_id"), id))
			continue;
		if (row->imsi.p == NULL)
			row->imsi = member(imp, sub, "imsi");
		row->msisdn = member(imp, sub, "msisdn");
		if (json_is_false(json_object_get(sub, "enabled")))
			row->state = bytes_of("barred");
		break;
	}
}

static bool take(struct source *src, json_t *doc, json_t *subscribers, uint64_t line)
{
	struct import_row row = { .line = line };
	bool own = !src->imp->lte;

	if (!json_is_object(doc)) {
		import_reject(src->imp, line, BYTES_NONE, "not an object");
		return true;
	}
	if (src->pyhss)
		row_pyhss(src->imp, doc, subscribers, &row);
	else if (own)
		row_own(src->imp, doc, &row);
	else
		row_open5gs(src->imp, doc, &row);
	if (++src->rows % 64 == 0)
		progress_show(&src->imp->progress, src->at, src->rows);
	return import_row(src->imp, &row);
}

/* A dump of both tables in one object, or one row. */
static bool take_value(struct source *src, json_t *value, uint64_t line)
{
	json_t *aucs = src->pyhss ? json_object_get(value, "auc") : NULL, *auc;
	size_t i;

	if (!json_is_array(aucs))
		return take(src, value, NULL, line);
	json_array_foreach(aucs, i, auc)
	{
		if (!take(src, auc, json_object_get(value, "subscriber"), i + 1))
			return false;
	}
	return true;
}

static int next_char(struct source *src)
{
	int c;

	do {
		c = getc_unlocked(src->in);
		src->at++;
		src->line += c == '\n';
	} while (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',');
	return c;
}

static bool broken(struct source *src, const char *why)
{
	progress_end(&src->imp->progress);
	src->imp->status = why_fail(&src->imp->ctl->cli.why, GBA_E_SYNTAX, "%s:%" PRIu64 ": %s", src->imp->path, src->line, why);
	return false;
}

static bool value_read(struct source *src, int first)
{
	json_error_t error;
	uint64_t line;
	json_t *value;
	bool good;

	ungetc(first, src->in);
	src->at--;
	line = src->line;
	value = json_load_callback(one_octet, src, JSON_DISABLE_EOF_CHECK, &error);
	if (value == NULL)
		return broken(src, error.text);
	good = take_value(src, value, line);
	json_decref(value);
	return good;
}

/* Arrays, values, or one after the other, as pages of an API that were put into one file. */
static bool values_read(struct source *src)
{
	bool array = false, good = true;
	int c;

	for (c = next_char(src); good && c != EOF; c = next_char(src)) {
		if (c == (array ? ']' : '['))
			array = !array;
		else
			good = value_read(src, c);
	}
	return good && (!array || broken(src, "the array does not end"));
}

static bool byte_order_mark_skip(struct source *src)
{
	int c = getc_unlocked(src->in);

	if (c == 0xef)
		return (getc_unlocked(src->in) == 0xbb && getc_unlocked(src->in) == 0xbf) || broken(src, "not JSON");
	ungetc(c, src->in);
	return true;
}

bool import_json(struct import *imp, bool pyhss)
{
	struct source src = { .imp = imp, .line = 1, .pyhss = pyhss };
	struct stat st = { 0 };
	bool good;

	src.in = fopen(imp->path, "rb");
	if (src.in == NULL) {
		imp->status = why_fail(&imp->ctl->cli.why, GBA_E_UNREACHABLE, "%s: %s", imp->path, strerror(errno));
		return false;
	}
	if (fstat(fileno(src.in), &st) == 0)
		progress_start(&imp->progress, (uint64_t)st.st_size);
	good = byte_order_mark_skip(&src) && values_read(&src);
	fclose(src.in);
	return good;
}
