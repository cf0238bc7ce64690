/* SPDX-License-Identifier: Apache-2.0 */
#include "check_mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/json_fixture.h"
#include "common/pg_server.h"
#include "store/db.h"

struct records *map;
struct record_call call;
char mapping_db[400]; /* a file, or the connection string of a schema */
bool mapping_on_server;
static char folder[64];
static struct kek *kek;
static TALLOC_CTX *bed;

const struct actor admin = { ACTOR_ADMIN, 0, "admin:alice" }, node = { ACTOR_SYSTEM, 0, "system" };
const struct actor asp_one = { ACTOR_ASP, 1, "asp:1" }, asp_two = { ACTOR_ASP, 2, "asp:2" };
const struct actor user_one = { ACTOR_SUBSCRIBER, 1, "user:1" }, user_two = { ACTOR_SUBSCRIBER, 2, "user:2" };

static void subscriber_add(const char *impi)
{
	struct subscriber_keys keys = { .k_len = 16, .k = { 1, 2, 3 } };
	struct sub_store *subs = mapping_subscribers(map);
	struct subscriber sub;

	subscriber_init(&sub);
	sub.impi = bytes_of(impi);
	ck_assert_err(subscriber_seal(bed, kek, &sub, &keys), GBA_OK);
	ck_assert_err(sub_store_begin(subs), GBA_OK);
	ck_assert_err(sub_store_add(subs, &sub, NOW - 1000), GBA_OK);
	ck_assert_err(sub_store_commit(subs), GBA_OK);
}

void bed_open(void)
{
	const char *error = "";
	char path[96];

	strcpy(folder, "/tmp/check_mapping.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	if (mapping_on_server)
		snprintf(mapping_db, sizeof(mapping_db), "%s", pg_server_schema("mapping"));
	else
		snprintf(mapping_db, sizeof(mapping_db), "%s/hss.db", folder);
	snprintf(path, sizeof(path), "%s/hss.kek", folder);
	bed = talloc_new(test_ctx);
	ck_assert_err(kek_open(bed, path, true, &kek), GBA_OK);
	ck_assert_msg(mapping_open(bed, mapping_db, kek, &map, &error) == GBA_OK, "%s", error);
	call = (struct record_call){ .actor = &admin, .now = NOW, .mem_ctx = bed };
	subscriber_add(IMPI_A);
	subscriber_add(IMPI_B);
	subscriber_add(IMPI_C);
}

void bed_close(void)
{
	talloc_free(bed);
	fixture_folder_remove(folder);
}

#define CHECKED(err, want, json) \
	ck_assert_msg((err) == (want), "%s: got %s (%s: %s), want %s", json, gba_err_name(err), call.field, call.why, gba_err_name(want))

int64_t add_as(const struct actor *actor, enum record_kind_id kind, const char *text, enum gba_err want)
{
	json_t *json = fixture_json(bed, text);
	struct record *rec = NULL;
	enum gba_err err;

	call.actor = actor;
	err = records_add(map, &call, kind, json, &rec);
	json_decref(json);
	CHECKED(err, want, text);
	ck_assert(err == GBA_OK || call.why[0] != '\0');
	return err == GBA_OK ? rec->id : 0;
}

void set_as(const struct actor *actor, enum record_kind_id kind, int64_t id, const char *text, enum gba_err want)
{
	struct record seen = { .kind = &mapping_kinds[kind], .id = id };
	json_t *json = fixture_json(bed, text);
	enum gba_err err;

	call.actor = actor;
	err = records_set(map, &call, &seen, json, NULL);
	json_decref(json);
	CHECKED(err, want, text);
}

void remove_as(const struct actor *actor, enum record_kind_id kind, int64_t id, enum gba_err want)
{
	struct record seen = { .kind = &mapping_kinds[kind], .id = id };
	enum gba_err err;

	call.actor = actor;
	err = records_remove(map, &call, &seen);
	CHECKED(err, want, mapping_kinds[kind].name);
}

void do_as(const struct actor *actor, enum record_kind_id kind, int64_t id, const char *verb, const char *text, enum gba_err want)
{
	struct record seen = { .kind = &mapping_kinds[kind], .id = id };
	json_t *json = fixture_json(bed, text);
	enum gba_err err;

	call.actor = actor;
	err = records_do(map, &call, &seen, verb, json, NULL);
	json_decref(json);
	CHECKED(err, want, verb);
}

struct record *get_as(const struct actor *actor, enum record_kind_id kind, int64_t id)
{
	struct record *rec = NULL;

	call.actor = actor;
	return records_get(map, &call, kind, id, &rec) == GBA_OK ? rec : NULL;
}

size_t count_as(const struct actor *actor, enum record_kind_id kind)
{
	struct record_query query = { .kind = kind, .limit = 100 };
	struct record_page *page = NULL;

	call.actor = actor;
	ck_assert_err(records_list(map, &call, &query, &page), GBA_OK);
	return page->count;
}

enum gba_err asked(const char *impi, const char *fqdn, struct grant **_grant)
{
	return grant_find(map, bed, bytes_of(impi), bytes_of(fqdn), call.now, _grant);
}

struct bytes guss_of(const char *impi)
{
	struct subscriber *sub = NULL;

	ck_assert_err(sub_store_find(mapping_subscribers(map), bed, bytes_of(impi), &sub), GBA_OK);
	return sub->guss;
}

void bed_populate(void)
{
	add_as(&admin, KIND_REALM, "{'realm':'example.net','name':'Example','bsf_identity':'bsf.example.net','bsf_url':'http://bsf.example.net/',"
	       "'hss_identity':'hss.example.net','alias_domain':'apps.example.net'}", GBA_OK);
	add_as(&admin, KIND_VERIFICATION, "{'reference':'case-1','name':'Asha Rao','address':'1 Lake Road','document_kind':'passport',"
	       "'document_number':'Z1234567','document_country':'IN','level':2,'verifier':'desk 4'}", GBA_OK);
	add_as(&admin, KIND_VERIFICATION, "{'reference':'case-2','name':'Ben Okoro','level':1,'verifier':'desk 4'}", GBA_OK);
	add_as(&admin, KIND_USER, "{'account':'asha','verification':1,'email':'asha@example.net'}", GBA_OK);
	add_as(&admin, KIND_USER, "{'account':'ben','verification':2}", GBA_OK);
	add_as(&admin, KIND_AUTHENTICATION, "{'reference':'dev-1','identities':['imei:490154203237518','mac:00-1B-63-84-45-E6'],"
	       "'method':'imei-check','authenticator':'eir.example.net'}", GBA_OK);
	add_as(&admin, KIND_AUTHENTICATION, "{'reference':'dev-2','identities':['imei:356938035643809'],'method':'aka',"
	       "'authenticator':'hss.example.net'}", GBA_OK);
	add_as(&admin, KIND_DEVICE, "{'impi':'" IMPI_A "','custodian':1,'authentication':1}", GBA_OK);
	add_as(&admin, KIND_DEVICE, "{'impi':'" IMPI_B "','custodian':2,'authentication':2}", GBA_OK);
	add_as(&admin, KIND_ASP, "{'type':'cin','identity':'L17110MH1973PLC019786','name':'Meters Ltd','names':['example.com','example.org','example.net','ip:*','gs1:*','onem2m:R*']}", GBA_OK);
	add_as(&admin, KIND_ASP, "{'type':'llpin','identity':'AAA-1234','name':'Locks LLP','names':['app.example.org']}", GBA_OK);
	add_as(&asp_one, KIND_APPLICATION, "{'asp':1,'type':'fqdn','identity':'App.example.com','name':'Meter','published':true,"
	       "'attributes':['name','level'],'min_level':1}", GBA_OK);
	add_as(&asp_two, KIND_APPLICATION, "{'asp':2,'type':'fqdn','identity':'app.example.org','name':'Lock','min_level':2}", GBA_OK);
}

static void server_on(void)
{
	mapping_on_server = true;
}

/* The same tests on PostgreSQL. */
static TCase *on_server(TCase *tc)
{
	tcase_add_unchecked_fixture(tc, server_on, NULL);
	return tc;
}

/* What a sanitizer can find here it finds on a file, and in the tests of the store on a server: its build saves the time. */
static bool server_wanted(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	return true;
#endif
}

int main(void)
{
	Suite *suite = suite_create("mapping");
	int failed;

	suite_add_tcase(suite, mapping_rules_tcase());
	suite_add_tcase(suite, mapping_flow_tcase());
	suite_add_tcase(suite, mapping_parties_tcase());
	suite_add_tcase(suite, mapping_file_tcase());
	if (server_wanted() && pg_server_start()) {
		suite_add_tcase(suite, on_server(mapping_flow_tcase()));
		suite_add_tcase(suite, on_server(mapping_parties_tcase()));
	} else {
		printf("the half on PostgreSQL is left out\n");
	}
	failed = fixture_run(suite);
	pg_server_stop();
	return failed;
}
