/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of lib/dia/y3056_names.h, their numbers as configured. */
#include "dict/dict_y3056.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "dia/y3056_names.h"
#include "dict/rules.h"

#define OURS UINT32_MAX /* in a rule: our vendor, and our base is added to the code */

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct dict_app_row apps[] = {
#define APP_ROW(id, name, item) { id, name },
	Y3056_APPS(APP_ROW)
	{ 0, NULL }
};

static struct dict_cmd_row cmds[] = {
#define CMD_ROW(code, app, name, item) { code, 0, name "-Request", name "-Answer" },
	Y3056_CMDS(CMD_ROW)
	{ 0, 0, NULL, NULL }
};

static const char *const app_of_cmd[] = {
#define CMD_APP(code, app, name, item) app,
	Y3056_CMDS(CMD_APP)
};

static struct dict_avp_row avps[] = {
#define AVP_ROW(code, name, base, type) { code, 0, name, AVP_TYPE_##base, M_MUST_NOT, type },
	Y3056_AVPS(AVP_ROW)
	{ 0, 0, NULL, AVP_TYPE_GROUPED, M_MUST_NOT, NULL }
};

static const struct dict_value_row values[] = {
#define VALUE_ROW(avp, value, name) { avp, value, name },
	Y3056_VALUES(VALUE_ROW)
	{ NULL, 0, NULL }
};

static const struct dict_result_row results[] = { { 0, NULL } };

#define ONE(cmd, avp)	   { cmd, avp, OURS, RULE_REQUIRED, -1, 1 }
#define MAY(cmd, avp)	   { cmd, avp, OURS, RULE_OPTIONAL, -1, 1 }
#define MANY(cmd, avp)	   { cmd, avp, OURS, RULE_OPTIONAL, -1, -1 }

#define TPR "Y3056-Token-Push-Request"
#define RNR "Y3056-Revocation-Notice-Request"
#define PQR "Y3056-Permission-Query-Request"
#define PNR "Y3056-Permission-Notice-Request"
#define CQR "Y3056-Certificate-Query-Request"
#define CQA "Y3056-Certificate-Query-Answer"
#define TRR "Y3056-Token-Report-Request"
#define OCR "Y3056-Operator-Change-Request"
#define OCA "Y3056-Operator-Change-Answer"
#define RSR "Y3059-Registry-Sync-Request"
#define RSA "Y3059-Registry-Sync-Answer"

static struct dict_rule_row rules[] = {
	REQUEST(TPR), BASE_MAY(TPR, 1), TGPP_ONE(TPR, 402), TGPP_ONE(TPR, 401), TGPP_ONE(TPR, 405), TGPP_MAY(TPR, 406),
	TGPP_ONE(TPR, 404), TGPP_MAY(TPR, 408), TGPP_MAY(TPR, 410), TGPP_MAY(TPR, 400), TGPP_MANY(TPR, 403), MAY(TPR, 8),
	ANSWER("Y3056-Token-Push-Answer"),
	REQUEST(RNR), MANY(RNR, 11), MANY(RNR, 1), MAY(RNR, 12),
	ANSWER("Y3056-Revocation-Notice-Answer"),
	REQUEST(PQR), BASE_ONE(PQR, 1), ONE(PQR, 1), TGPP_MAY(PQR, 409),
	ANSWER("Y3056-Permission-Query-Answer"),
	REQUEST(PNR), BASE_ONE(PNR, 1), ONE(PNR, 12), MAY(PNR, 1), TGPP_MAY(PNR, 400),
	ANSWER("Y3056-Permission-Notice-Answer"),
	REQUEST(CQR), BASE_ONE(CQR, 1), ONE(CQR, 24), MAY(CQR, 1), TGPP_MAY(CQR, 409),
	ANSWER(CQA), MAY(CQA, 2), MAY(CQA, 17), MAY(CQA, 24), TGPP_MAY(CQA, 400),
	REQUEST(TRR), MANY(TRR, 34),
	ANSWER("Y3056-Token-Report-Answer"),
	REQUEST(OCR), BASE_ONE(OCR, 1), ONE(OCR, 17), MAY(OCR, 18), MAY(OCR, 19), MAY(OCR, 20), MAY(OCR, 25), MAY(OCR, 26),
	MAY(OCR, 27), MAY(OCR, 33),
	ANSWER(OCA), MAY(OCA, 21), MAY(OCA, 22), MAY(OCA, 23), MAY(OCA, 24),
	REQUEST(RSR), ONE(RSR, 28), ONE(RSR, 29), MANY(RSR, 30), MANY(RSR, 31), MANY(RSR, 32),
	ANSWER(RSA), MAY(RSA, 28), MANY(RSA, 30), MANY(RSA, 31),
	ONE("Y3056-Permission", 3), MAY("Y3056-Permission", 16), MAY("Y3056-Permission", 4), MAY("Y3056-Permission", 5),
	MAY("Y3056-Permission", 6), MAY("Y3056-Permission", 7), MAY("Y3056-Permission", 8), MAY("Y3056-Permission", 9),
	MAY("Y3056-Permission", 10),
	MAY("Y3056-Declaration", 3), MAY("Y3056-Declaration", 8), MAY("Y3056-Declaration", 10),
	MAY("Y3056-Declaration", 14), MAY("Y3056-Declaration", 15),
	{ NULL, 0, 0, RULE_OPTIONAL, 0, 0 }
};

/* ---- numbers ---- */

static uint32_t vendor = Y3056_VENDOR, avp_base = Y3056_AVP_BASE;

/* What one line of the configuration may set. */
static const struct item {
	const char *name;
	uint32_t *number; /* NULL: in the tables above */
	uint32_t min, max;
} items[] = {
	{ "vendor",   &vendor,   1, UINT32_MAX - 1 },
	{ "avp-base", &avp_base, 0, UINT32_MAX - 4096 },
#define APP_ITEM(def, app, item) { item, NULL, 16777216, UINT32_MAX - 1 }, /* RFC 6733 11.3: vendor-specific */
	Y3056_APPS(APP_ITEM)
#define CMD_ITEM(def, app, cmd, item) { item, NULL, 8388608, 16777213 },   /* RFC 6733 11.2.1: vendor-specific */
	Y3056_CMDS(CMD_ITEM)
};
#define FIRST_APP 2
#define FIRST_CMD (FIRST_APP + COUNT(apps) - 1)

static uint32_t *number_of(size_t i)
{
	if (i >= FIRST_CMD)
		return &cmds[i - FIRST_CMD].code;
	return i >= FIRST_APP ? &apps[i - FIRST_APP].id : items[i].number;
}

static int fail(const char *path, unsigned int line, const char *what)
{
	LOG_E("dict_y3056: %s:%u: %s", path, line, what);
	return EINVAL;
}

static int item_set(const char *path, unsigned int line, const char *name, unsigned long long value)
{
	size_t i;

	for (i = 0; i < COUNT(items); i++) {
		if (strcmp(items[i].name, name) != 0)
			continue;
		if (value < items[i].min || value > items[i].max)
			return fail(path, line, "number out of range");
		*number_of(i) = (uint32_t)value;
		return 0;
	}
	return fail(path, line, "unknown item");
}

static int line_read(const char *path, unsigned int line, char *text)
{
	unsigned long long value;
	char name[32], rest;

	text[strcspn(text, "#;\r\n")] = '\0';
	if (text[strspn(text, " \t")] == '\0')
		return 0;
	if (sscanf(text, " %31[a-z-] = %10llu %c", name, &value, &rest) != 2)
		return fail(path, line, "expected: item = number");
	return item_set(path, line, name, value);
}

static int conf_read(const char *path)
{
	FILE *in = fopen(path, "re");
	unsigned int line = 0;
	char text[256];
	int rc = 0;

	if (in == NULL)
		return fail(path, 0, strerror(errno));
	while (rc == 0 && fgets(text, sizeof(text), in) != NULL)
		rc = line_read(path, ++line, text);
	fclose(in);
	return rc;
}

/* Two meanings of one number cannot be told apart. */
static int numbers_check(const char *path)
{
	size_t i, j;

	for (i = FIRST_APP; i < COUNT(items); i++) {
		for (j = i + 1; j < COUNT(items); j++) {
			if ((i < FIRST_CMD) == (j < FIRST_CMD) && *number_of(i) == *number_of(j))
				return fail(path, 0, "one number for two applications or commands");
		}
	}
	return 0;
}

static void numbers_enter(void)
{
	size_t i, k;

	for (i = 0; avps[i].name != NULL; i++) {
		avps[i].vendor = vendor;
		avps[i].code += avp_base;
	}
	for (i = 0; cmds[i].request != NULL; i++) {
		for (k = 0; apps[k].name != NULL; k++) {
			if (strcmp(apps[k].name, app_of_cmd[i]) == 0)
				cmds[i].app = apps[k].id;
		}
	}
	for (i = 0; rules[i].parent != NULL; i++) {
		if (rules[i].vendor != OURS)
			continue;
		rules[i].vendor = vendor;
		rules[i].avp += avp_base;
	}
}

int dict_y3056_load(struct dictionary *dict, const char *path)
{
	struct dict_tables tables = { "dict_y3056", 0, Y3056_VENDOR_NAME, apps, avps, values, results, cmds, rules };
	int rc;

	rc = path != NULL ? conf_read(path) : 0;
	if (rc == 0)
		rc = numbers_check(path != NULL ? path : "defaults");
	if (rc != 0)
		return rc;
	numbers_enter();
	tables.vendor = vendor;
	return dict_tables_load(dict, &tables);
}
