/* SPDX-License-Identifier: Apache-2.0 */
/* The registry's records: what each role may see and do, what is checked before it is kept. On SQLite and PostgreSQL. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fixture.h"
#include "common/json_fixture.h"
#include "common/pg_server.h"
#include "registry-fn/id/regdevid.h"
#include "registry-fn/record/rules.h"

#define NOW 1700000000

static const struct actor admin = { REG_ROLE_ADMIN, 0, "admin:alice" }, privacy = { REG_ROLE_PRIVACY, 0, "privacy:bob" },
			  node = { REG_ROLE_SYSTEM, 0, "system" }, custodian = { REG_ROLE_CUSTODIAN, 1, "custodian:1" },
			  stranger = { REG_ROLE_CUSTODIAN, 2, "custodian:2" }, enquirer = { REG_ROLE_ENQUIRER, 1, "enquirer:1" },
			  maker = { REG_ROLE_MAKER, 1, "maker:1" }, bulk = { REG_ROLE_BULK, 0, "bulk:1" };

static bool on_server;
static TALLOC_CTX *bed;
static char folder[64];
static struct registry *registry;
static struct registry_conf conf;
static struct records *r;
static struct record_call call;

static const char *in_folder(const char *name)
{
	return talloc_asprintf(bed, "%s/%s", folder, name);
}

static void bed_open(void)
{
	const char *why = "";

	strcpy(folder, "/tmp/check_registry.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	bed = talloc_new(test_ctx);
	conf = (struct registry_conf){ .reg_id = "IN1", .parent = "", .urn_namespace = "regdevid" };
	conf.database = on_server ? pg_server_schema("registry") : in_folder("registry.db");
	conf.kek_file = in_folder("registry.kek");
	conf.key_file = in_folder("registry.key");
	ck_assert_msg(registry_open(bed, &conf, &registry, &why) == GBA_OK, "%s", why);
	ck_assert_msg(registry_records(bed, registry, &r, &why) == GBA_OK, "%s", why);
	call = (struct record_call){ .actor = &admin, .now = NOW, .mem_ctx = bed };
}

static void bed_close(void)
{
	talloc_free(bed);
	fixture_folder_remove(folder);
}

#define CHECKED(err, want, json) \
	ck_assert_msg((err) == (want), "%s: got %s (%s: %s), want %s", json, gba_err_name(err), call.field, call.why, gba_err_name(want))

static int64_t add_as(const struct actor *actor, int kind, const char *text, enum gba_err want)
{
	json_t *json = fixture_json(bed, text);
	struct record *rec = NULL;
	enum gba_err err;

	call.actor = actor;
	err = records_add(r, &call, kind, json, &rec);
	json_decref(json);
	CHECKED(err, want, text);
	return err == GBA_OK ? rec->id : 0;
}

static void do_as(const struct actor *actor, int64_t id, const char *verb, const char *text, enum gba_err want)
{
	struct record seen = { .kind = &registry_set.kinds[REG_DEVICE], .id = id };
	json_t *json = fixture_json(bed, text);
	enum gba_err err;

	call.actor = actor;
	err = records_do(r, &call, &seen, verb, json, NULL);
	json_decref(json);
	CHECKED(err, want, verb);
}

static enum gba_err set_as(const struct actor *actor, int kind, int64_t id, const char *text)
{
	struct record seen = { .kind = &registry_set.kinds[kind], .id = id };
	json_t *json = fixture_json(bed, text);
	enum gba_err err;

	call.actor = actor;
	err = records_set(r, &call, &seen, json, NULL);
	json_decref(json);
	return err;
}

/* A member as the actor reads it: "" when the record or the member is not for him. */
static const char *read_as(const struct actor *actor, int kind, int64_t id, const char *member)
{
	struct record *rec = NULL;
	const char *text = "";
	json_t *json;

	call.actor = actor;
	if (records_get(r, &call, kind, id, &rec) != GBA_OK)
		return text;
	json = record_json(rec, actor->role);
	if (json_is_string(json_object_get(json, member)))
		text = talloc_strdup(bed, json_string_value(json_object_get(json, member)));
	json_decref(json);
	return text;
}

#define VERIFIED "{'account':'acme','kind':'organisation','name':'ACME','email':'a@acme.example','state':'verified','verifier':'me'}"
#define PHONE	 "{'scheme':'imei','identity':'49015420323751','make':'Acme','model':'One'}"

/* REQ: Y3059-9.1-iii: administrator without the privacy role cannot read personal data. */
START_TEST(personal_data_is_for_privacy_and_the_custodian)
{
	int64_t id;

	bed_open();
	id = add_as(&admin, REG_CUSTODIAN, VERIFIED, GBA_OK);
	ck_assert_str_eq(read_as(&admin, REG_CUSTODIAN, id, "account"), "acme");
	ck_assert_str_eq(read_as(&admin, REG_CUSTODIAN, id, "name"), "");
	ck_assert_str_eq(read_as(&bulk, REG_CUSTODIAN, id, "name"), "");
	ck_assert_str_eq(read_as(&privacy, REG_CUSTODIAN, id, "name"), "ACME");
	ck_assert_str_eq(read_as(&custodian, REG_CUSTODIAN, id, "email"), "a@acme.example");
	ck_assert_str_eq(read_as(&stranger, REG_CUSTODIAN, id, "account"), "");
	ck_assert_str_eq(read_as(&enquirer, REG_CUSTODIAN, id, "account"), "");
	ck_assert_err(set_as(&admin, REG_CUSTODIAN, id, "{'name':'Other'}"), GBA_E_SYNTAX);
	ck_assert_err(set_as(&admin, REG_CUSTODIAN, id, "{'state':'suspended'}"), GBA_OK);
	bed_close();
}
END_TEST

/* REQ: Y3059-9.2-i-d: custodian with failed check is not linked. REQ: Y3059-7-0a, TEC-2.2-on-d: create, change, transfer, retire. */
START_TEST(devices_are_named_linked_transferred_and_retired)
{
	int64_t id, other;

	bed_open();
	add_as(&admin, REG_CUSTODIAN, VERIFIED, GBA_OK);
	add_as(&admin, REG_CUSTODIAN, "{'account':'late'}", GBA_OK);
	add_as(&admin, REG_CUSTODIAN, "{'account':'nobody','state':'verified'}", GBA_E_SYNTAX);
	id = add_as(&bulk, REG_DEVICE, "{'scheme':'imei','identity':'490154203237518','make':'Acme','model':'One','custodian':1}", GBA_OK);
	ck_assert_str_eq(read_as(&admin, REG_DEVICE, id, "regdevid"), "IN1-IMEI-490154203237518-D2");
	ck_assert_str_eq(read_as(&admin, REG_DEVICE, id, "state"), "announced");
	ck_assert_str_eq(read_as(&admin, REG_DEVICE, id, "status"), "grey");
	add_as(&admin, REG_DEVICE, PHONE, GBA_E_EXISTS); /* the same device, its check digit left out */
	add_as(&admin, REG_DEVICE, "{'scheme':'mac','identity':'00-1B-63-84-45-E6','make':'A','model':'B','custodian':2}", GBA_E_KYC);
	add_as(&admin, REG_DEVICE, "{'scheme':'advertising','identity':'f81d4fae-7dec-11d0-a765-00a0c91e6bf6','make':'A','model':'B'}",
	       GBA_E_RANGE);
	add_as(&admin, REG_DEVICE, "{'scheme':'imei','identity':'490154203237519','make':'A','model':'B'}", GBA_E_RANGE);
	add_as(&admin, REG_DEVICE, "{'scheme':'imei','identity':'356938035643809','make':'A','model':'B','state':'registered'}", GBA_E_DENIED);
	add_as(&enquirer, REG_DEVICE, PHONE, GBA_E_DENIED);
	ck_assert_err(set_as(&admin, REG_DEVICE, id, "{'status':'white'}"), GBA_E_DENIED);
	ck_assert_err(set_as(&admin, REG_DEVICE, id, "{'identity':'356938035643809'}"), GBA_E_DENIED);
	do_as(&stranger, id, "transfer", "{'account':'acme'}", GBA_E_NOT_FOUND);
	do_as(&custodian, id, "transfer", "{'account':'late'}", GBA_E_KYC);
	ck_assert_err(set_as(&admin, REG_CUSTODIAN, 2, "{'state':'verified','verifier':'me'}"), GBA_OK);
	do_as(&custodian, id, "transfer", "{'account':'late'}", GBA_OK);
	ck_assert_str_eq(read_as(&custodian, REG_DEVICE, id, "regdevid"), "");
	ck_assert_str_ne(read_as(&stranger, REG_DEVICE, id, "regdevid"), "");
	do_as(&stranger, id, "retire", "{}", GBA_OK);
	do_as(&admin, id, "retire", "{}", GBA_E_STATE);
	ck_assert_err(reg_device_by_regdevid(r, bytes_of("IN1-IMEI-490154203237518-D2"), &other), GBA_OK);
	ck_assert_int_eq(other, id);
	ck_assert_err(reg_device_by_identity(r, scheme_by_word(bytes_of("imei")), "490154203237518", &other), GBA_OK);
	ck_assert_int_eq(other, id);
	bed_close();
}
END_TEST

#define METER(identity) "{'scheme':'imei','identity':'" identity "','make':'Acme','model':'One'}"

static bool is_there(const char *imei)
{
	int64_t id = 0;

	ck_assert_err(reg_device_by_identity(r, scheme_by_word(bytes_of("imei")), imei, &id), GBA_OK);
	return id != 0;
}

/* What is refused after it has written, or at once, is undone alone; when the group fails, nothing of any is there. */
START_TEST(a_group_keeps_each_alone_or_none)
{
	bed_open();
	ck_assert_err(records_group_begin(r), GBA_OK);
	add_as(&admin, REG_DEVICE, METER("490154203237518"), GBA_OK);
	ck_assert_err(records_begin(r), GBA_OK);
	add_as(&admin, REG_DEVICE, METER("356938035643809"), GBA_OK);
	ck_assert(is_there("356938035643809"));
	records_rollback(r);
	ck_assert(!is_there("356938035643809"));
	add_as(&admin, REG_DEVICE, METER("490154203237518"), GBA_E_EXISTS);
	add_as(&admin, REG_DEVICE, METER("490154203237519"), GBA_E_RANGE);
	ck_assert_err(records_begin(r), GBA_OK);
	add_as(&admin, REG_CUSTODIAN, "{'account':'late'}", GBA_OK);
	ck_assert_err(records_commit(r), GBA_OK);
	ck_assert_err(records_group_end(r, GBA_OK), GBA_OK);
	ck_assert(is_there("490154203237518") && !is_there("356938035643809"));
	ck_assert_str_eq(read_as(&admin, REG_CUSTODIAN, 1, "account"), "late");
	ck_assert_err(records_group_begin(r), GBA_OK);
	add_as(&admin, REG_DEVICE, METER("356938035643809"), GBA_OK);
	ck_assert_err(records_group_end(r, GBA_E_IO), GBA_E_IO);
	ck_assert(!is_there("356938035643809"));
	ck_assert_err(records_group_begin(r), GBA_OK);
	ck_assert_err(records_group_end(r, GBA_OK), GBA_OK);
	add_as(&admin, REG_DEVICE, METER("356938035643809"), GBA_OK); /* as before */
	ck_assert(is_there("356938035643809"));
	bed_close();
}
END_TEST

/* While somebody else writes for too long there is no group: each fails with why, and what was there stays. */
START_TEST(a_group_that_cannot_begin_keeps_nothing)
{
	struct db *other = NULL;
	const char *why = "";

	bed_open();
	ck_assert_err(registry_store(bed, &conf, &other, &why), GBA_OK);
	ck_assert_err(db_begin(other), GBA_OK);
	db_patience(records_db(r), 100);
	ck_assert_int_ne(records_group_begin(r), GBA_OK);
	ck_assert_int_ne(records_begin(r), GBA_OK);
	ck_assert_int_ne(records_group_end(r, GBA_OK), GBA_OK);
	db_rollback(other);
	db_patience(records_db(r), 30000);
	add_as(&admin, REG_DEVICE, METER("356938035643809"), GBA_OK);
	bed_close();
}
END_TEST

/* REQ: TEC-A1-5, TEC-A1-11: a smartphone with identifiers of all classes; those of persons are personal data. */
START_TEST(further_identifiers_are_labelled)
{
	static const struct {
		const char *scheme, *value, *type, *names;
		bool personal;
	} rows[] = {
		{ "iccid", "8965880812100011146", "object", "thing", false },
		{ "wlan-mac", "00:1b:63:84:45:e6", "communication", "communication-end", false },
		{ "e164", "919812345678", "communication", "communication-end", true },
		{ "imsi", "001010000000001", "object", "user", true },
		{ "account", "alice", "application", "user", true },
		{ "package", "com.example.app", "application", "application", false },
	};
	const char *text;
	int64_t device, id;
	size_t i;

	bed_open();
	add_as(&admin, REG_CUSTODIAN, VERIFIED, GBA_OK);
	device = add_as(&admin, REG_DEVICE, PHONE, GBA_OK);
	ck_assert_err(set_as(&admin, REG_DEVICE, device, "{'custodian':1}"), GBA_OK);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text = talloc_asprintf(bed, "{'device':%d,'scheme':'%s','value':'%s'}", (int)device, rows[i].scheme, rows[i].value);
		if (rows[i].personal)
			add_as(&admin, REG_DEVICE_IDENTITY, text, GBA_E_DENIED);
		id = add_as(&privacy, REG_DEVICE_IDENTITY, text, GBA_OK);
		ck_assert_str_eq(read_as(&privacy, REG_DEVICE_IDENTITY, id, "type"), rows[i].type);
		ck_assert_str_eq(read_as(&privacy, REG_DEVICE_IDENTITY, id, "names"), rows[i].names);
		ck_assert_str_eq(read_as(&admin, REG_DEVICE_IDENTITY, id, "value"), rows[i].personal ? "" : rows[i].value);
		ck_assert_str_eq(read_as(&custodian, REG_DEVICE_IDENTITY, id, "value"), rows[i].value);
		ck_assert_str_eq(read_as(&stranger, REG_DEVICE_IDENTITY, id, "value"), "");
	}
	add_as(&privacy, REG_DEVICE_IDENTITY, "{'device':1,'scheme':'imsi','value':'12'}", GBA_E_SYNTAX);
	bed_close();
}
END_TEST

START_TEST(makers_models_and_applications)
{
	bed_open();
	add_as(&admin, REG_MAKER, "{'name':'Acme','policy_url':'https://acme.example/security'}", GBA_OK);
	add_as(&maker, REG_MODEL, "{'maker':1,'name':'One','kind':'phone','communication':['5g','wlan'],'tacs':['49015420']}", GBA_OK);
	add_as(&maker, REG_MODEL, "{'maker':1,'name':'Two','tacs':['4901542x']}", GBA_E_SYNTAX);
	add_as(&maker, REG_APPLICATION, "{'scheme':'package','value':'com.acme.app','name':'App','maker':1}", GBA_OK);
	add_as(&admin, REG_APPLICATION, "{'scheme':'imei','value':'490154203237518','name':'App'}", GBA_E_RANGE);
	ck_assert_str_eq(read_as(&enquirer, REG_APPLICATION, 1, "status"), "grey");
	ck_assert_err(set_as(&maker, REG_APPLICATION, 1, "{'status':'white'}"), GBA_E_DENIED);
	bed_close();
}
END_TEST

/* REQ: Y3059-6.1-13: registries above take no devices. */
START_TEST(only_primary_registries_take_devices)
{
	bed_open();
	conf.reg_type = REGISTRY_SECTORAL;
	add_as(&admin, REG_DEVICE, PHONE, GBA_E_STATE);
	add_as(&node, REG_DEVICE, PHONE, GBA_E_STATE);
	bed_close();
}
END_TEST

START_TEST(hidden_forms_hide_and_stay_the_same)
{
	const char *text;

	bed_open();
	conf.hide_identity = true;
	conf.regdevid_form = REGDEVID_SUFFIX;
	add_as(&admin, REG_DEVICE, PHONE, GBA_OK);
	text = read_as(&admin, REG_DEVICE, 1, "regdevid");
	ck_assert_int_eq(strncmp(text, "HID-", 4), 0);
	ck_assert_ptr_null(strstr(text, "4901"));
	ck_assert_ptr_nonnull(strstr(text, "--IN1-"));
	bed_close();
}
END_TEST

static Suite *suite(const char *where)
{
	Suite *suite = suite_create(on_server ? "registry records on PostgreSQL" : "registry records");
	TCase *tcase = fixture_tcase(where);

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, personal_data_is_for_privacy_and_the_custodian);
	tcase_add_test(tcase, devices_are_named_linked_transferred_and_retired);
	tcase_add_test(tcase, a_group_keeps_each_alone_or_none);
	tcase_add_test(tcase, a_group_that_cannot_begin_keeps_nothing);
	tcase_add_test(tcase, further_identifiers_are_labelled);
	tcase_add_test(tcase, makers_models_and_applications);
	tcase_add_test(tcase, only_primary_registries_take_devices);
	tcase_add_test(tcase, hidden_forms_hide_and_stay_the_same);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	int failed = fixture_run(suite("file"));

	on_server = pg_server_start();
	if (on_server) {
		failed |= fixture_run(suite("server"));
		pg_server_stop();
	}
	return failed;
}
