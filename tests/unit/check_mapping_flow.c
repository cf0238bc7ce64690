/* SPDX-License-Identifier: Apache-2.0 */
/* The flows of Y.3056 10.2 and 10.3 on the records, ownership, and what the network is told. */
#include "check_mapping.h"
#include "core/clock.h"
#include "record/records_priv.h"
#include "store/db.h"
#include "xml/guss.h"

#define FQDN_1 "app.example.com"
#define FQDN_2 "app.example.org"

static void setup(void)
{
	bed_open();
	bed_populate();
}

static size_t uss_of(const char *impi, uint32_t gsid, const char **_uid)
{
	struct guss *guss = NULL;
	struct bytes xml = guss_of(impi);
	size_t i, n = 0;

	if (xml.p == NULL)
		return 0;
	ck_assert_err(guss_parse(test_ctx, xml, &guss), GBA_OK);
	for (i = 0; i < guss->uss_count; i++) {
		if (guss->uss[i].gsid != gsid)
			continue;
		n++;
		if (_uid != NULL)
			*_uid = guss->uss[i].uids[0];
	}
	return n;
}

static size_t outbox_take(struct outbox_row **_rows)
{
	size_t n = 0, i;

	ck_assert_err(outbox_next(map, test_ctx, 0, 100, _rows, &n), GBA_OK);
	for (i = 0; i < n; i++)
		ck_assert_err(outbox_done(map, (*_rows)[i].id), GBA_OK);
	return n;
}

static void drop(void *p)
{
	talloc_free(p);
}

/* REQ: Y3056-8.4-2, Y3056-7.1-5, Y3056-7.1-6, Y3056-9.2.2-3, Y3056-9.2.2-4, OBF-10.1.2-a1, OBF-10.1.2-a2 */
START_TEST(registration_copies_verified_records)
{
	struct record *user, *device;

	setup();
	user = get_as(&admin, KIND_USER, 1);
	ck_assert_bytes(user->v[USER_NAME].t, bytes_of("Asha Rao"), "name");
	ck_assert_bytes(user->v[USER_ADDRESS].t, bytes_of("1 Lake Road"), "address");
	ck_assert_bytes(user->v[USER_DOCUMENT_NUMBER].t, bytes_of("Z1234567"), "document");
	ck_assert_int_eq(user->v[USER_LEVEL].n, 2);
	device = get_as(&admin, KIND_DEVICE, 1);
	ck_assert_bytes(device->v[DEVICE_IDENTITIES].t, bytes_of("imei:490154203237518\nmac:00-1B-63-84-45-E6"), "identities");
	ck_assert_int_eq(device->v[DEVICE_CUSTODIAN].n, 1);
	ck_assert_uint_eq(count_as(&user_one, KIND_DEVICE_IDENTITY), 2);
	add_as(&admin, KIND_USER, "{'account':'nobody'}", GBA_E_STATE);
	add_as(&admin, KIND_USER, "{'account':'nobody','verification':99}", GBA_E_NOT_FOUND);
	add_as(&admin, KIND_USER, "{'account':'nobody','verification':1,'name':'Somebody Else'}", GBA_E_DENIED);
	add_as(&admin, KIND_DEVICE, "{'impi':'" IMPI_C "','custodian':1}", GBA_E_STATE);
	add_as(&admin, KIND_DEVICE, "{'impi':'" IMPI_C "','custodian':1,'authentication':99}", GBA_E_NOT_FOUND);
	add_as(&admin, KIND_DEVICE, "{'impi':'9@unknown.example','custodian':1,'authentication':1}", GBA_E_NOT_FOUND);
	add_as(&admin, KIND_DEVICE, "{'impi':'" IMPI_C "','custodian':1,'authentication':1}", GBA_E_EXISTS); /* its IMEI is taken */
	ck_assert_ptr_null(get_as(&admin, KIND_DEVICE, 3));
	remove_as(&admin, KIND_VERIFICATION, 1, GBA_E_STATE);
	set_as(&admin, KIND_VERIFICATION, 2, "{'level':3}", GBA_OK);
	do_as(&admin, KIND_USER, 2, "verify", "{}", GBA_OK);
	ck_assert_int_eq(get_as(&admin, KIND_USER, 2)->v[USER_LEVEL].n, 3);
	bed_close();
}
END_TEST

/* Names of documents are nowhere in the file in clear. REQ: Y3056-7.5-4, Y3056-9.2-1, TEC-A4-rot-11 */
START_TEST(documents_are_sealed)
{
	char *file;
	FILE *in;
	size_t n;

	setup();
	file = talloc_size(test_ctx, 1 << 22);
	in = fopen(talloc_asprintf(file, "%s-wal", mapping_db), "rb");
	ck_assert_ptr_nonnull(in);
	n = fread(file, 1, 1 << 22, in);
	fclose(in);
	ck_assert_ptr_nonnull(memmem(file, n, "Asha Rao", 8));
	ck_assert_ptr_null(memmem(file, n, "Z1234567", 8));
	ck_assert_ptr_null(memmem(file, n, "1 Lake Road", 11));
	talloc_free(file);
	bed_close();
}
END_TEST

/* Five kinds of identity, each unchanged and on exactly one NAF_Id. The aliases: a + SHA-256("kind:identity"), 10 octets as
 * hex, by Python. REQ: Y3056-7.1-4, Y3056-10.2-2a, Y3056-10.2-2b, Y3056-10.2-2c, Y3056-7.7-2 */
static const struct {
	const char *kind, *identity, *fqdn;
} kinds[] = {
	{ "fqdn", "Meter.Example.com", "meter.example.com" },
	{ "ip", "192.0.2.7", "a8ad0425705eb00f85e61.apps.example.net" },
	{ "url", "https://example.com/Meter?x=1", "a8a563d592cff633fea11.apps.example.net" },
	{ "gs1", "(01)09506000134352(21)A-17", "abd667d3503b121fef0c3.apps.example.net" },
	{ "onem2m", "Rcom.example.meter", "aaafd7892239edb382c54.apps.example.net" },
};

START_TEST(applications_of_five_kinds)
{
	const char *json = talloc_asprintf(test_ctx, "{'asp':1,'type':'%s','identity':'%s','name':'X'}", kinds[_i].kind, kinds[_i].identity);
	uint8_t id[NAF_ID_MAX];
	struct record *app;
	char *hex;
	int64_t n;

	setup();
	n = add_as(&asp_one, KIND_APPLICATION, json, GBA_OK);
	app = get_as(&asp_one, KIND_APPLICATION, n);
	ck_assert_bytes(app->v[APPLICATION_IDENTITY].t, bytes_of(kinds[_i].identity), kinds[_i].kind);
	ck_assert_bytes(app->v[APPLICATION_NAF_FQDN].t, bytes_of(kinds[_i].fqdn), kinds[_i].kind);
	hex = talloc_size(test_ctx, HEX_LEN(NAF_ID_MAX) + 1);
	hex_encode(BYTES(id, naf_id_build(bytes_of(kinds[_i].fqdn), UA_ID_HTTP_DIGEST, id)), hex);
	ck_assert_bytes(app->v[APPLICATION_NAF_ID].t, bytes_of(hex), "NAF_Id");
	ck_assert_int_eq(app->v[APPLICATION_GSID].n, 1000002); /* two stand before it */
	add_as(&asp_two, KIND_APPLICATION, talloc_asprintf(hex, "{'asp':2,'type':'%s','identity':'%s','name':'Y'}", kinds[_i].kind,
							   kinds[_i].identity), GBA_E_DENIED); /* not who has it */
	ck_assert_uint_eq(count_as(&asp_one, KIND_NOTICE), 2);
	talloc_free(hex);
	bed_close();
	talloc_free((void *)(uintptr_t)json);
}
END_TEST

/* REQ: Y3056-8.4-2, Y3056-7.1-3, Y3056-10.2-1a, Y3056-10.2-1b, Y3056-7.7-1, Y3056-9.2.2-1, OBF-9.2.2-4 */
START_TEST(asps_are_keyed_by_a_public_identity)
{
	json_t *key;
	struct record *asp = NULL;

	setup();
	add_as(&admin, KIND_ASP, "{'type':'cin','name':'No Identity'}", GBA_E_SYNTAX);
	ck_assert_str_eq(call.field, "identity");
	add_as(&admin, KIND_ASP, "{'type':'cin','identity':'L17110MH1973PLC019787'}", GBA_E_SYNTAX);
	ck_assert_str_eq(call.field, "name");
	add_as(&admin, KIND_ASP, "{'type':'cin','identity':'L17110MH1973PLC019786','name':'Again'}", GBA_E_EXISTS);
	add_as(&admin, KIND_ASP, "{'type':'cin','identity':'17110MH1973PLC019786L','name':'Bad'}", GBA_E_SYNTAX);
	add_as(&asp_one, KIND_ASP, "{'type':'cin','identity':'L17110MH1973PLC019787','name':'Self'}", GBA_E_DENIED);
	add_as(&admin, KIND_APPLICATION, "{'asp':9,'type':'fqdn','identity':'x.example.com','name':'X'}", GBA_E_NOT_FOUND);
	key = json_pack("{s:s,s:s}", "type", "cin", "identity", "L17110MH1973PLC019786");
	call.actor = &admin;
	ck_assert_err(records_find(map, &call, KIND_ASP, key, &asp), GBA_OK);
	ck_assert_int_eq(asp->id, 1);
	json_decref(key);
	add_as(&asp_one, KIND_APPLICATION, "{'asp':1,'type':'fqdn','identity':'BSF.example.net','name':'X'}", GBA_E_DENIED);
	add_as(&asp_one, KIND_APPLICATION, "{'asp':1,'type':'fqdn','identity':'x.apps.example.net','name':'X'}", GBA_E_DENIED);
	set_as(&admin, KIND_ASP, 1, "{'state':'suspended'}", GBA_OK);
	add_as(&asp_one, KIND_APPLICATION, "{'asp':1,'type':'fqdn','identity':'x.example.com','name':'X'}", GBA_E_STATE);
	bed_close();
}
END_TEST

/* What is another's does not exist. REQ: Y3056-7.7-5a, Y3056-7.7-5b, Y3056-10.3-0, Y3056-7.7-3 */
START_TEST(ownership)
{
	int64_t id;

	setup();
	id = add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1}", GBA_OK);
	ck_assert_ptr_nonnull(get_as(&asp_one, KIND_PERMISSION, id));
	ck_assert_ptr_null(get_as(&asp_two, KIND_PERMISSION, id));
	ck_assert_ptr_nonnull(get_as(&user_one, KIND_PERMISSION, id));
	ck_assert_ptr_null(get_as(&user_two, KIND_PERMISSION, id));
	set_as(&asp_two, KIND_PERMISSION, id, "{'flag':'cleared'}", GBA_E_NOT_FOUND);
	set_as(&user_two, KIND_PERMISSION, id, "{'flag':'cleared'}", GBA_E_NOT_FOUND);
	set_as(&asp_two, KIND_PERMISSION, 999, "{'flag':'cleared'}", GBA_E_NOT_FOUND);
	remove_as(&user_two, KIND_PERMISSION, id, GBA_E_NOT_FOUND);
	set_as(&user_one, KIND_PERMISSION, id, "{'flag':'cleared'}", GBA_OK);
	set_as(&user_one, KIND_PERMISSION, id, "{'flag':'set'}", GBA_E_DENIED);
	set_as(&asp_one, KIND_PERMISSION, id, "{'flag':'set'}", GBA_OK);
	set_as(&asp_one, KIND_PERMISSION, id, "{'impi':'" IMPI_B "'}", GBA_E_SYNTAX); /* an ASP does not know the member */
	set_as(&admin, KIND_PERMISSION, id, "{'impi':'" IMPI_B "'}", GBA_E_DENIED);
	add_as(&asp_two, KIND_APPLICATION, "{'asp':1,'type':'fqdn','identity':'x.example.com','name':'X'}", GBA_E_NOT_FOUND);
	add_as(&user_one, KIND_PERMISSION, "{'application':1}", GBA_E_DENIED);
	ck_assert_uint_eq(count_as(&admin, KIND_APPLICATION), 2);
	ck_assert_uint_eq(count_as(&user_one, KIND_APPLICATION), 1); /* the catalogue: published ones */
	ck_assert_uint_eq(count_as(&asp_two, KIND_APPLICATION), 1);
	ck_assert_uint_eq(count_as(&asp_one, KIND_USER), 0);
	ck_assert_uint_eq(count_as(&asp_one, KIND_VERIFICATION), 0);
	ck_assert_uint_eq(count_as(&user_one, KIND_USER), 1);
	set_as(&user_one, KIND_USER, 1, "{'notice_url':'https://asha.example.net/hook'}", GBA_OK);
	set_as(&user_one, KIND_USER, 1, "{'level':3}", GBA_E_DENIED);
	remove_as(&asp_one, KIND_PERMISSION, id, GBA_OK);
	bed_close();
}
END_TEST

/* An ASP reads a pseudonym, never the IMPI; two ASPs read different ones. REQ: Y3056-10.3-3, Y3056-7.5-6a */
START_TEST(pseudonyms_cannot_be_joined)
{
	char one[PSEUDONYM_LEN + 1], two[PSEUDONYM_LEN + 1], again[PSEUDONYM_LEN + 1];
	struct records known = { .secret = { secret_new(test_ctx, 32) } };
	const char *uid = "";
	json_t *seen;
	char *text;
	int64_t id;
	size_t i;

	setup();
	mapping_pseudonym(map, 1, bytes_of(IMPI_A), one);
	mapping_pseudonym(map, 2, bytes_of(IMPI_A), two);
	mapping_pseudonym(map, 1, bytes_of(IMPI_A), again);
	ck_assert_str_eq(one, again);
	ck_assert_str_ne(one, two);
	for (i = 0; i < map->secret[0]->n; i++) /* by Python's hmac under the key 00 01 ... 1f */
		known.secret[0]->p[i] = (uint8_t)i;
	mapping_pseudonym(&known, 7, bytes_of(IMPI_A), two);
	ck_assert_str_eq(two, "55d1cb53066d3b7f172ec385cb04ec23");
	talloc_free(known.secret[0]);
	id = add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1}", GBA_OK);
	seen = record_json(get_as(&asp_one, KIND_PERMISSION, id), ACTOR_ASP);
	text = json_dumps(seen, 0);
	ck_assert_ptr_null(strstr(text, "00101"));
	ck_assert_str_eq(json_string_value(json_object_get(seen, "pseudonym")), one);
	free(text);
	json_decref(seen);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, &uid), 1);
	ck_assert_str_eq(uid, one);
	bed_close();
}
END_TEST

/* Steps 1 to 6 by their callers. REQ: Y3056-10.3-1, Y3056-10.3-2, Y3056-10.3-3, Y3056-10.3-4, Y3056-10.3-5, Y3056-10.3-6 */
START_TEST(trust_extension)
{
	struct record *request;
	struct grant *grant = NULL;
	json_t *shared;
	int64_t id;

	setup();
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED);
	id = add_as(&user_one, KIND_REQUEST, "{'impi':'" IMPI_A "','application':1}", GBA_OK);
	request = get_as(&user_one, KIND_REQUEST, id);
	ck_assert_int_eq(request->v[REQUEST_STATE].n, REQUEST_VERIFIED); /* waits for consent: attributes are asked for */
	ck_assert_ptr_null(get_as(&asp_one, KIND_REQUEST, id));
	do_as(&user_two, KIND_REQUEST, id, "consent", "{}", GBA_E_NOT_FOUND);
	do_as(&asp_one, KIND_REQUEST, id, "grant", "{}", GBA_E_NOT_FOUND);
	do_as(&user_one, KIND_REQUEST, id, "consent", "{'attributes':['address']}", GBA_E_RANGE);
	do_as(&user_one, KIND_REQUEST, id, "consent", "{'attributes':['name']}", GBA_OK);
	request = get_as(&asp_one, KIND_REQUEST, id);
	ck_assert_int_eq(request->v[REQUEST_STATE].n, REQUEST_PASSED);
	shared = json_loads((const char *)request->v[REQUEST_SHARED].t.p, 0, NULL);
	ck_assert_uint_eq(json_object_size(shared), 1);
	ck_assert_str_eq(json_string_value(json_object_get(shared, "name")), "Asha Rao");
	json_decref(shared);
	ck_assert_ptr_null(get_as(&asp_two, KIND_REQUEST, id));
	ck_assert_uint_eq(count_as(&asp_one, KIND_NOTICE), 2); /* application registered; request passed */
	do_as(&asp_two, KIND_REQUEST, id, "grant", "{}", GBA_E_NOT_FOUND);
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED);
	do_as(&asp_one, KIND_REQUEST, id, "grant", "{'security_degree':1}", GBA_OK);
	ck_assert_err(asked(IMPI_A, "APP.example.com", &grant), GBA_OK);
	ck_assert_uint_eq(grant->gsid, 1000000);
	ck_assert_uint_eq(grant->security_degree, 1);
	ck_assert_ptr_nonnull(strstr(grant->uss_list, grant->pseudonym));
	ck_assert_ptr_null(strstr(grant->uss_list, "00101"));
	ck_assert_uint_eq(count_as(&user_one, KIND_NOTICE), 1);
	do_as(&asp_one, KIND_REQUEST, id, "grant", "{}", GBA_E_STATE);
	bed_close();
}
END_TEST

/* The ASP sets the flag by a call of its own, by the pseudonym it was given, then reports. REQ: Y3056-10.3-4, Y3056-10.3-5 */
START_TEST(flag_by_pseudonym)
{
	struct record *request;
	struct grant *grant = NULL;
	const char *json;
	int64_t id;

	setup();
	id = add_as(&user_one, KIND_REQUEST, "{'impi':'" IMPI_A "','application':1,'consent':true}", GBA_OK);
	request = get_as(&asp_one, KIND_REQUEST, id);
	ck_assert_int_eq(request->v[REQUEST_STATE].n, REQUEST_PASSED);
	json = talloc_asprintf(request, "{'pseudonym':'%.*s','application':1}", BYTES_FMT(request->v[REQUEST_PSEUDONYM].t));
	add_as(&asp_one, KIND_PERMISSION, "{'application':1}", GBA_E_SYNTAX);
	add_as(&asp_one, KIND_PERMISSION, "{'pseudonym':'00000000000000000000000000000000','application':1}", GBA_E_NOT_FOUND);
	add_as(&asp_two, KIND_PERMISSION, json, GBA_E_NOT_FOUND);
	add_as(&asp_one, KIND_PERMISSION, json, GBA_OK);
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_OK);
	do_as(&asp_one, KIND_REQUEST, id, "grant", "{}", GBA_OK);
	ck_assert_int_eq(get_as(&user_one, KIND_REQUEST, id)->v[REQUEST_STATE].n, REQUEST_GRANTED);
	bed_close();
}
END_TEST

/* An unverified user stops at step 2, a foreign device, too. REQ: Y3056-10.3-2, Y3056-7.3-1, Y3056-7.3-2 */
START_TEST(requests_that_stop)
{
	struct record *request;
	struct grant *grant = NULL;
	int64_t id;

	setup();
	set_as(&admin, KIND_APPLICATION, 2, "{'published':true}", GBA_OK);
	id = add_as(&user_two, KIND_REQUEST, "{'impi':'" IMPI_B "','application':2}", GBA_OK);
	request = get_as(&user_two, KIND_REQUEST, id);
	ck_assert_int_eq(request->v[REQUEST_STATE].n, REQUEST_REFUSED); /* level 1, the application wants 2 */
	ck_assert_bytes(request->v[REQUEST_REASON].t, bytes_of("the user's verification level is below the application's"), "reason");
	ck_assert_uint_eq(count_as(&asp_two, KIND_REQUEST), 0);
	ck_assert_uint_eq(count_as(&user_two, KIND_NOTICE), 1);
	id = add_as(&user_two, KIND_REQUEST, "{'impi':'" IMPI_A "','application':1,'consent':true}", GBA_OK);
	ck_assert_int_eq(get_as(&user_two, KIND_REQUEST, id)->v[REQUEST_STATE].n, REQUEST_REFUSED);
	add_as(&user_two, KIND_REQUEST, "{'custodian':1,'impi':'" IMPI_A "','application':1}", GBA_E_NOT_FOUND);
	add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_C "','application':1}", GBA_E_STATE); /* no registered user */
	ck_assert_err(asked(IMPI_C, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED);
	ck_assert_err(asked("9@unknown.example", FQDN_1, &grant), GBA_E_IMPI_UNKNOWN);
	ck_assert_err(asked(IMPI_A, "unknown.example", &grant), GBA_E_NOT_FOUND);
	bed_close();
}
END_TEST

/* USS and notices follow a permission at once. REQ: Y3056-9.2.2-2, Y3056-9.2.2-6, Y3056-9.2.2-8,
 * REQ: Y3056-9.2.2-9, Y3056-9.2-3, Y3056-8.2.2-3, Y3056-8.4-3, OBF-8.5.2-1, OBF-10.1.2-a3 */
START_TEST(guss_follows_permissions)
{
	struct outbox_row *rows = NULL;
	struct grant *grant = NULL;
	int64_t id;

	setup();
	ck_assert_uint_eq(outbox_take(&rows), 0);
	id = add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1}", GBA_OK);
	ck_assert_int_eq(get_as(&admin, KIND_PERMISSION, id)->v[PERMISSION_IN_FORCE].n, 1);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 1);
	drop(rows);
	ck_assert_uint_eq(outbox_take(&rows), 1);
	ck_assert_int_eq(rows[0].kind, OUTBOX_PERMISSION_CHANGED);
	ck_assert_str_eq(rows[0].naf_fqdn, FQDN_1);
	ck_assert_bytes(rows[0].guss, guss_of(IMPI_A), "GUSS in the notice");
	set_as(&asp_one, KIND_PERMISSION, id, "{'flag':'cleared'}", GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 0);
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED);
	drop(rows);
	ck_assert_uint_eq(outbox_take(&rows), 1);
	ck_assert_int_eq(rows[0].kind, OUTBOX_PERMISSION_CLEARED);
	set_as(&asp_one, KIND_PERMISSION, id, "{'flag':'set'}", GBA_OK);
	set_as(&admin, KIND_USER, 1, "{'state':'suspended'}", GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 0);
	set_as(&admin, KIND_USER, 1, "{'state':'registered'}", GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 1);
	remove_as(&admin, KIND_DEVICE, 1, GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 0);
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED);
	add_as(&admin, KIND_DEVICE, "{'impi':'" IMPI_A "','custodian':2,'authentication':1}", GBA_OK);
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED); /* the next user does not inherit it */
	drop(rows);
	ck_assert_uint_eq(outbox_take(&rows), 5); /* set, suspended, back, device removed, cleared */
	ck_assert_int_eq(rows[3].kind, OUTBOX_DEVICE_REMOVED);
	ck_assert_int_eq(rows[4].kind, OUTBOX_PERMISSION_CLEARED);
	drop(rows);
	bed_close();
}
END_TEST

static const char base_xml[] = "<guss id='" IMPI_A "'><bsfInfo><uiccType>GBA</uiccType></bsfInfo><ussList><uss id='7' type='1'><uids><uid>u</uid></uids>"
			       "</uss></ussList></guss>";

/* What the operator gave stays, and comes back octet by octet when nothing is added any more. */
START_TEST(operator_guss_stays_base)
{
	struct sub_store *subs;
	struct subscriber *sub = NULL, before;
	const char *why = "";
	int64_t id;

	setup();
	subs = mapping_subscribers(map);
	ck_assert_err(sub_store_find(subs, test_ctx, bytes_of(IMPI_A), &sub), GBA_OK);
	before = *sub;
	ck_assert_err(records_begin(map), GBA_OK);
	ck_assert_err(subscriber_set_guss(sub, sub, bytes_of(base_xml), NOW, &why), GBA_OK);
	ck_assert_err(sub_store_update(subs, sub, NOW), GBA_OK);
	ck_assert_err(grant_subscriber_changed(map, &before, sub, NOW), GBA_OK);
	ck_assert_err(records_commit(map), GBA_OK);
	id = add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1}", GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_A, 7, NULL), 1);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 1);
	talloc_free(sub);
	ck_assert_err(sub_store_find(subs, test_ctx, bytes_of(IMPI_A), &sub), GBA_OK);
	before = *sub;
	ck_assert_err(records_begin(map), GBA_OK);
	ck_assert_err(subscriber_clear_guss(sub, sub, NOW), GBA_OK);
	ck_assert_err(sub_store_update(subs, sub, NOW), GBA_OK);
	ck_assert_err(grant_subscriber_changed(map, &before, sub, NOW), GBA_OK);
	ck_assert_err(records_commit(map), GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_A, 7, NULL), 0);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 1);
	remove_as(&admin, KIND_PERMISSION, id, GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 0);
	ck_assert_bytes(guss_of(IMPI_A), sub->guss, "the operator's GUSS");
	talloc_free(sub);
	bed_close();
}
END_TEST

static void sweep(void)
{
	bool more = true;

	while (more)
		ck_assert_err(grant_sweep(map, call.now, &more), GBA_OK);
}

/* REQ: Y3056-9.2.2-10 */
START_TEST(time_begins_and_ends)
{
	struct outbox_row *rows = NULL;
	struct grant *grant = NULL;
	int64_t id, lent;

	setup();
	id = add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1,'valid_from':'2023-11-14T22:14:20Z',"
		    "'valid_until':'2023-11-14T22:23:20Z'}", GBA_OK); /* NOW + 60, NOW + 600 */
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED);
	sweep();
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 0);
	call.now = NOW + 60;
	sweep();
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 1);
	lent = add_as(&user_one, KIND_DELEGATION, talloc_asprintf(call.mem_ctx, "{'permission':%lld,'to_impi':'" IMPI_B
		      "','valid_until':'2023-11-14T22:15:20Z'}", (long long)id), GBA_OK); /* NOW + 120 */
	ck_assert_err(asked(IMPI_B, FQDN_1, &grant), GBA_OK);
	ck_assert(grant->delegated);
	ck_assert_int_eq(grant->until, NOW + 120);
	ck_assert_uint_eq(uss_of(IMPI_B, 1000000, NULL), 1);
	ck_assert_ptr_nonnull(get_as(&user_two, KIND_DELEGATION, lent));
	call.now = NOW + 120;
	ck_assert_err(asked(IMPI_B, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED);
	sweep();
	ck_assert_uint_eq(uss_of(IMPI_B, 1000000, NULL), 0);
	ck_assert_int_eq(get_as(&admin, KIND_DELEGATION, lent)->v[DELEGATION_STATE].n, DELEGATION_ENDED);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 1);
	call.now = NOW + 600;
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED);
	sweep();
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 0);
	ck_assert_uint_eq(outbox_take(&rows), 4);
	drop(rows);
	bed_close();
}
END_TEST

/* A delegation can be ended before its time, and ends with its permission. REQ: Y3056-9.2.2-10 */
START_TEST(delegation_is_revoked)
{
	struct grant *grant = NULL;
	int64_t id, lent;

	setup();
	id = add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1}", GBA_OK);
	add_as(&user_two, KIND_DELEGATION, "{'permission':1,'to_impi':'" IMPI_B "','valid_until':'2030-01-01T00:00:00Z'}", GBA_E_NOT_FOUND);
	add_as(&user_one, KIND_DELEGATION, "{'permission':1,'to_impi':'" IMPI_B "'}", GBA_E_SYNTAX);
	add_as(&user_one, KIND_DELEGATION, "{'permission':1,'to_impi':'" IMPI_C "','valid_until':'2030-01-01T00:00:00Z'}", GBA_E_STATE);
	lent = add_as(&user_one, KIND_DELEGATION, "{'permission':1,'to_impi':'" IMPI_B "','valid_until':'2030-01-01T00:00:00Z'}", GBA_OK);
	ck_assert_err(asked(IMPI_B, FQDN_1, &grant), GBA_OK);
	set_as(&user_two, KIND_DELEGATION, lent, "{'valid_until':'2031-01-01T00:00:00Z'}", GBA_E_DENIED); /* the borrower */
	set_as(&user_one, KIND_DELEGATION, lent, "{'valid_until':'2031-01-01T00:00:00Z'}", GBA_OK);
	do_as(&user_two, KIND_DELEGATION, lent, "end", "{}", GBA_OK);
	ck_assert_err(asked(IMPI_B, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED);
	ck_assert_uint_eq(uss_of(IMPI_B, 1000000, NULL), 0);
	remove_as(&user_one, KIND_DELEGATION, lent, GBA_OK);
	add_as(&user_one, KIND_DELEGATION, "{'permission':1,'to_impi':'" IMPI_B "','valid_until':'2030-01-01T00:00:00Z'}", GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_B, 1000000, NULL), 1);
	set_as(&asp_one, KIND_PERMISSION, id, "{'flag':'cleared'}", GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_B, 1000000, NULL), 0);
	set_as(&asp_one, KIND_PERMISSION, id, "{'flag':'set'}", GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_B, 1000000, NULL), 1);
	remove_as(&admin, KIND_PERMISSION, id, GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_B, 1000000, NULL), 0);
	ck_assert_uint_eq(count_as(&admin, KIND_DELEGATION), 0);
	bed_close();
}
END_TEST

START_TEST(application_and_asp_suspended)
{
	struct grant *grant = NULL;

	setup();
	add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1}", GBA_OK);
	set_as(&asp_one, KIND_APPLICATION, 1, "{'state':'suspended'}", GBA_OK);
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED); /* at once */
	sweep();
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 0);
	set_as(&asp_one, KIND_APPLICATION, 1, "{'state':'active'}", GBA_OK);
	sweep();
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 1);
	set_as(&admin, KIND_ASP, 1, "{'state':'suspended'}", GBA_OK);
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_E_NOT_AUTHORIZED);
	sweep();
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 0);
	remove_as(&admin, KIND_ASP, 1, GBA_OK); /* with its application and its permission */
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_E_NOT_FOUND);
	ck_assert_uint_eq(count_as(&admin, KIND_PERMISSION), 0);
	bed_close();
}
END_TEST

/* Two writers: the second has seen an older one. */
START_TEST(revisions_and_history)
{
	struct history_query query = { .kind = KIND_PERMISSION, .record = 1, .limit = 10 };
	struct record *first, *second = NULL;
	struct history_row *rows = NULL;
	json_t *change;
	int64_t next = 0;
	size_t n = 0;

	setup();
	add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1}", GBA_OK);
	first = get_as(&asp_one, KIND_PERMISSION, 1);
	ck_assert_int_eq(first->rev, 1);
	change = json_pack("{s:s}", "flag", "cleared");
	ck_assert_err(records_set(map, &call, first, change, &second), GBA_OK);
	ck_assert_int_eq(second->rev, 2);
	ck_assert_err(records_set(map, &call, first, change, NULL), GBA_E_STALE);
	ck_assert_err(records_remove(map, &call, first), GBA_E_STALE);
	json_decref(change);
	remove_as(&admin, KIND_PERMISSION, 1, GBA_OK);
	call.actor = &admin;
	ck_assert_err(records_history(map, &call, &query, &rows, &n, &next), GBA_OK);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(rows[0].act, "add");
	ck_assert_str_eq(rows[0].who, "admin:alice");
	ck_assert_str_eq(rows[1].who, "asp:1");
	ck_assert_msg(strstr(rows[1].change, "\"flag\":[\"set\",\"cleared\"]") != NULL, "%s", rows[1].change);
	ck_assert_str_eq(rows[2].act, "remove");
	query.kind = KIND_VERIFICATION;
	ck_assert_err(records_history(map, &call, &query, &rows, &n, &next), GBA_OK);
	ck_assert_ptr_nonnull(strstr(rows[0].change, "\"document_number\":\"changed\""));
	ck_assert_ptr_null(strstr(rows[0].change, "Z1234567"));
	call.actor = &asp_one;
	ck_assert_err(records_history(map, &call, &query, &rows, &n, &next), GBA_OK);
	ck_assert_uint_eq(n, 0);
	bed_close();
}
END_TEST

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

START_TEST(credentials)
{
	struct actor *who = NULL;

	setup();
	add_as(&admin, KIND_CREDENTIAL, "{'owner_type':'asp','owner':1,'name':'key-1','type':'token','hash':'" HASH
	       "','expires':'2030-01-01T00:00:00Z'}", GBA_OK);
	add_as(&admin, KIND_CREDENTIAL, "{'owner_type':'asp','owner':7,'name':'k','type':'certificate','hash':'" HASH
	       "','expires':'2030-01-01T00:00:00Z'}", GBA_E_NOT_FOUND);
	add_as(&admin, KIND_CREDENTIAL, "{'owner_type':'asp','owner':1,'name':'k','type':'certificate','hash':'" HASH
	       "','expires':'2020-01-01T00:00:00Z'}", GBA_E_RANGE);
	ck_assert_err(mapping_authenticate(map, &call, CREDENTIAL_TOKEN, HASH, &who), GBA_OK);
	ck_assert_int_eq(who->role, ACTOR_ASP);
	ck_assert_int_eq(who->id, 1);
	ck_assert_str_eq(who->name, "asp:1");
	ck_assert_err(mapping_authenticate(map, &call, CREDENTIAL_CERTIFICATE, HASH, &who), GBA_E_NOT_AUTHORIZED);
	set_as(&admin, KIND_ASP, 1, "{'state':'suspended'}", GBA_OK);
	ck_assert_err(mapping_authenticate(map, &call, CREDENTIAL_TOKEN, HASH, &who), GBA_E_NOT_AUTHORIZED);
	set_as(&admin, KIND_ASP, 1, "{'state':'active'}", GBA_OK);
	do_as(&asp_two, KIND_CREDENTIAL, 1, "revoke", "{}", GBA_E_NOT_FOUND);
	do_as(&asp_one, KIND_CREDENTIAL, 1, "revoke", "{}", GBA_OK);
	ck_assert_err(mapping_authenticate(map, &call, CREDENTIAL_TOKEN, HASH, &who), GBA_E_NOT_AUTHORIZED);
	bed_close();
}
END_TEST

/* Two ASPs' link to devices: what they serve; a client element's applications. REQ: Y3056-9.2.2-5, OBF-8.5.2-2 */
START_TEST(lists_pages_and_filters)
{
	struct record_query query = { .kind = KIND_PERMISSION, .limit = 1 };
	struct record_page *page = NULL;

	setup();
	add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1}", GBA_OK);
	add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_B "','application':1}", GBA_OK);
	add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':2}", GBA_OK);
	call.actor = &asp_one;
	ck_assert_err(records_list(map, &call, &query, &page), GBA_OK);
	ck_assert_uint_eq(page->count, 1);
	ck_assert_int_eq(page->next, 1);
	query.after = page->next;
	ck_assert_err(records_list(map, &call, &query, &page), GBA_OK);
	ck_assert_int_eq(page->rec[0]->id, 2);
	query = (struct record_query){ .kind = KIND_PERMISSION, .limit = 10, .filters = 1, .filter = { { "impi", IMPI_A } } };
	ck_assert_err(records_list(map, &call, &query, &page), GBA_E_SYNTAX); /* an ASP has no such member */
	call.actor = &admin;
	ck_assert_err(records_list(map, &call, &query, &page), GBA_OK);
	ck_assert_uint_eq(page->count, 2);
	ck_assert_int_eq(page->next, 0);
	query.filter[0].field = "flag";
	ck_assert_err(records_list(map, &call, &query, &page), GBA_E_SYNTAX); /* not one to filter by */
	query.limit = 0;
	ck_assert_err(records_list(map, &call, &query, &page), GBA_E_RANGE);
	bed_close();
}
END_TEST

static const struct {
	const char *name, *json;
	enum gba_err want;
	const char *field, *why;
} bad_rows[] = {
	{ "no object", "[]", GBA_E_SYNTAX, "", "not an object" },
	{ "unknown", "{'colour':1}", GBA_E_SYNTAX, "colour", "no such member" },
	{ "hidden", "{'due':1}", GBA_E_SYNTAX, "due", "no such member" },
	{ "not given by anybody", "{'in_force':true}", GBA_E_DENIED, "in_force", "cannot be given" },
	{ "word", "{'flag':'maybe'}", GBA_E_SYNTAX, "flag", "one of cleared, set" },
	{ "number for word", "{'flag':1}", GBA_E_SYNTAX, "flag", "a string" },
	{ "null for word", "{'flag':null}", GBA_E_SYNTAX, "flag", "a string" },
	{ "range", "{'security_degree':4}", GBA_E_RANGE, "security_degree", "4 is not within 0..3" },
	{ "fraction", "{'security_degree':1.5}", GBA_E_SYNTAX, "security_degree", "a whole number" },
	{ "time", "{'valid_from':'tomorrow'}", GBA_E_SYNTAX, "valid_from", "a time such as 2031-01-01T12:00:00Z" },
	{ "validity turned round", "{'impi':'" IMPI_A "','application':1,'valid_from':'2030-01-01T00:00:00Z','valid_until':'2029-01-01T00:00:00Z'}",
	  GBA_E_RANGE, "valid_until", "before valid_from" },
	{ "past", "{'impi':'" IMPI_A "','application':1,'valid_until':'2020-01-01T00:00:00Z'}", GBA_E_RANGE, "valid_until", "a time to come" },
	{ "list", "{'attributes':'name'}", GBA_E_SYNTAX, "attributes", "an array of strings" },
	{ "list's word", "{'attributes':['shoe size']}", GBA_E_SYNTAX, "attributes", "one of name, address, level, msisdn, email, device" },
	{ "list's newline", "{'attributes':['name\\naddress']}", GBA_E_SYNTAX, "attributes", "an array of strings" },
	{ "reference", "{'impi':'" IMPI_A "','application':77}", GBA_E_NOT_FOUND, "application", "no application 77" },
	{ "reference of zero", "{'impi':'" IMPI_A "','application':0}", GBA_E_RANGE, "application", NULL },
	{ "missing", "{'application':1}", GBA_E_SYNTAX, "impi", "is needed" },
	{ "identity", "{'impi':'nobody','application':1}", GBA_E_SYNTAX, "impi", "an IMPI is user@realm" },
	{ "too long", "{'impi':'" "%0300d" "@x','application':1}", GBA_E_TOO_LONG, "impi", "at most 254 octets" },
	{ "no subscriber", "{'impi':'9@unknown.example','application':1}", GBA_E_NOT_FOUND, "impi", "no such subscriber" },
};

START_TEST(bad_members_are_named)
{
	char *json;

	setup();
	json = talloc_asprintf(call.mem_ctx, "%s", bad_rows[_i].json);
	if (strstr(json, "%0300d") != NULL)
		json = talloc_asprintf(call.mem_ctx, "{'impi':'%0300d@x','application':1}", 1);
	add_as(&admin, KIND_PERMISSION, json, bad_rows[_i].want);
	ck_assert_str_eq(call.field, bad_rows[_i].field);
	if (bad_rows[_i].why != NULL)
		ck_assert_str_eq(call.why, bad_rows[_i].why);
	bed_close();
}
END_TEST

/* One commit for many; a row that is bad leaves the others standing. */
START_TEST(many_in_one_transaction)
{
	struct grant *grant = NULL;

	setup();
	ck_assert_err(records_begin(map), GBA_OK);
	add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1}", GBA_OK);
	add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_A "','application':1}", GBA_E_EXISTS);
	add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_B "','application':1,'flag':'x'}", GBA_E_SYNTAX);
	add_as(&admin, KIND_PERMISSION, "{'impi':'" IMPI_B "','application':1}", GBA_OK);
	ck_assert_err(records_commit(map), GBA_OK);
	ck_assert_err(asked(IMPI_A, FQDN_1, &grant), GBA_OK);
	ck_assert_err(asked(IMPI_B, FQDN_1, &grant), GBA_OK);
	ck_assert_uint_eq(uss_of(IMPI_B, 1000000, NULL), 1);
	ck_assert_err(records_begin(map), GBA_OK);
	remove_as(&admin, KIND_PERMISSION, 1, GBA_OK);
	records_rollback(map);
	ck_assert_uint_eq(uss_of(IMPI_A, 1000000, NULL), 1);
	ck_assert_err(records_begin(map), GBA_OK);
	add_as(&admin, KIND_DEVICE, "{'impi':'" IMPI_C "','custodian':1,'authentication':1}", GBA_E_EXISTS); /* refused before it wrote */
	ck_assert_err(records_commit(map), GBA_OK);
	ck_assert_uint_eq(count_as(&admin, KIND_DEVICE), 2);
	bed_close();
}
END_TEST

TCase *mapping_file_tcase(void)
{
	TCase *tc = fixture_tcase("file");

	tcase_add_test(tc, documents_are_sealed);
	return tc;
}

TCase *mapping_flow_tcase(void)
{
	TCase *tc = fixture_tcase("flow");

	tcase_add_test(tc, registration_copies_verified_records);
	tcase_add_loop_test(tc, applications_of_five_kinds, 0, sizeof(kinds) / sizeof(kinds[0]));
	tcase_add_test(tc, asps_are_keyed_by_a_public_identity);
	tcase_add_test(tc, ownership);
	tcase_add_test(tc, pseudonyms_cannot_be_joined);
	tcase_add_test(tc, trust_extension);
	tcase_add_test(tc, flag_by_pseudonym);
	tcase_add_test(tc, requests_that_stop);
	tcase_add_test(tc, guss_follows_permissions);
	tcase_add_test(tc, operator_guss_stays_base);
	tcase_add_test(tc, time_begins_and_ends);
	tcase_add_test(tc, delegation_is_revoked);
	tcase_add_test(tc, application_and_asp_suspended);
	tcase_add_test(tc, revisions_and_history);
	tcase_add_test(tc, credentials);
	tcase_add_test(tc, lists_pages_and_filters);
	tcase_add_loop_test(tc, bad_members_are_named, 0, sizeof(bad_rows) / sizeof(bad_rows[0]));
	tcase_add_test(tc, many_in_one_transaction);
	return tc;
}
