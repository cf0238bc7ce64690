/* SPDX-License-Identifier: Apache-2.0 */
/* Identities and records of the mapping function: first octet chooses, the rest is an identity and a JSON object. What a rule
 * accepts has a comparable form that the rule accepts, too, and that does not change again; what a record takes it gives back. */
#include <jansson.h>
#include <stdlib.h>

#include "hss-stub/mapping/kinds.h"
#include "ident/idrule_priv.h"
#include "record/records_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(id_rule rule, struct bytes text)
{
	const char *why = NULL;
	enum gba_err err = rule(text, &why);

	if (err != GBA_OK && err != GBA_E_SYNTAX && err != GBA_E_RANGE)
		abort();
	if ((err == GBA_OK) != (why == NULL))
		abort();
	if (err == GBA_OK && text.n > 0 && memchr(text.p, '\0', text.n) != NULL)
		abort();
}

static void check_device(int64_t type, struct bytes text)
{
	char once[IDRULE_MAX + 1], twice[IDRULE_MAX + 1];
	const char *why = "";

	if (text.n > IDRULE_MAX || id_rule_device(type)(text, &why) != GBA_OK)
		return;
	id_device_canonical(type, text, once);
	if (id_rule_device(type)(bytes_of(once), &why) != GBA_OK)
		abort();
	id_device_canonical(type, bytes_of(once), twice);
	if (strcmp(once, twice) != 0)
		abort();
}

static void check_record(const struct record_kind *kind, struct bytes text)
{
	static const struct actor admin = { .role = ACTOR_ADMIN, .name = "fuzz" };
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct record_call call = { .actor = &admin, .mem_ctx = ctx };
	json_t *values = json_loadb((const char *)text.p, text.n, JSON_ALLOW_NUL, NULL), *shown;
	struct record *rec = NULL;

	if (values != NULL && record_new(ctx, kind, &rec) == GBA_OK && record_take(&call, rec, values, true) == GBA_OK) {
		shown = record_json(rec, ACTOR_ADMIN);
		if (!json_is_object(shown) || record_diff(ctx, NULL, rec) == NULL)
			abort();
		json_decref(shown);
	}
	json_decref(values);
	talloc_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = BYTES(data + 1, size - 1);
	const char *why = "";
	int64_t i;

	if (size == 0)
		return 0;
	for (i = 0; id_rule_device(i) != NULL; i++) {
		check_rule(id_rule_device(i), text);
		check_device(i, text);
	}
	for (i = 0; id_rule_asp(i) != NULL; i++)
		check_rule(id_rule_asp(i), text);
	for (i = 0; id_rule_application(i) != NULL; i++)
		check_rule(id_rule_application(i), text);
	for (i = 0; id_rule_user(i) != NULL; i++)
		check_rule(id_rule_user(i), text);
	(void)id_device(text, &why);
	check_record(&mapping_kinds[data[0] % KIND_COUNT], text);
	return 0;
}
