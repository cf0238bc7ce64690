/* SPDX-License-Identifier: Apache-2.0 */
/* What applications must have, who has servers and whose keys, and tokens as BSFs report them. */
#include "check_mapping.h"
#include "core/clock.h"
#include "core/token_entry.h"

static void setup(void)
{
	bed_open();
	bed_populate();
}

/* An identity always, a developer where the realm says so. REQ: TEC-2.2.4-1, TEC-2.2.4-2 */
START_TEST(applications_are_named_and_have_a_developer)
{
	int64_t before, id;

	setup();
	add_as(&asp_one, KIND_APPLICATION, "{'asp':1,'type':'fqdn','name':'X'}", GBA_E_SYNTAX);
	ck_assert_str_eq(call.field, "identity");
	add_as(&asp_one, KIND_APPLICATION, "{'asp':1,'type':'fqdn','identity':'','name':'X'}", GBA_E_SYNTAX);
	ck_assert_str_eq(call.field, "identity");
	before = add_as(&admin, KIND_APPLICATION, "{'asp':1,'type':'aid','identity':'A0000000871002FF49FF0589','name':'X'}", GBA_OK);
	set_as(&admin, KIND_REALM, 1, "{'developer_required':true}", GBA_OK);
	add_as(&asp_one, KIND_APPLICATION, "{'asp':1,'type':'gs1','identity':'09506000134352','name':'X'}", GBA_E_SYNTAX);
	ck_assert_str_eq(call.field, "developer");
	id = add_as(&asp_one, KIND_APPLICATION, "{'asp':1,'type':'gs1','identity':'09506000134352','name':'X','developer':'Meter Works'}",
		    GBA_OK);
	set_as(&asp_one, KIND_APPLICATION, id, "{'developer':null}", GBA_E_SYNTAX);
	set_as(&asp_one, KIND_APPLICATION, id, "{'developer':'Other Works'}", GBA_OK);
	ck_assert_bytes(get_as(&asp_one, KIND_APPLICATION, id)->v[APPLICATION_DEVELOPER].t, bytes_of("Other Works"), "developer");
	set_as(&asp_one, KIND_APPLICATION, before, "{'name':'Y'}", GBA_OK); /* registered before the realm asked */
	bed_close();
}
END_TEST

/* REQ: OBF-9.2.2-3 */
START_TEST(providers_and_their_servers)
{
	int64_t mobile, iot, id;
	struct record *server;

	setup();
	add_as(&admin, KIND_PROVIDER, "{'type':'cin','identity':'17110MH1973PLC019786L','name':'Bad','role':'mobile-operator'}", GBA_E_SYNTAX);
	add_as(&admin, KIND_PROVIDER, "{'type':'cin','identity':'L17110MH1973PLC019787','role':'mobile-operator'}", GBA_E_SYNTAX);
	mobile = add_as(&admin, KIND_PROVIDER, "{'type':'cin','identity':'L17110MH1973PLC019787','name':'Tel','role':'mobile-operator'}", GBA_OK);
	iot = add_as(&admin, KIND_PROVIDER, "{'type':'lei','identity':'5493001KJTIIGC8Y1R12','name':'IoT','role':'iot-service-provider'}", GBA_OK);
	add_as(&asp_one, KIND_PROVIDER, "{'type':'other','identity':'me','name':'Me','role':'iot-service-provider'}", GBA_E_DENIED);
	ck_assert_uint_eq(count_as(&asp_one, KIND_PROVIDER) + count_as(&user_one, KIND_PROVIDER), 0);

	add_as(&admin, KIND_SERVER, "{'identity':'hss.tel.example','provider':99,'function':'resource','realm':'tel.example'}", GBA_E_NOT_FOUND);
	id = add_as(&admin, KIND_SERVER, talloc_asprintf(test_ctx, "{'identity':'hss.tel.example','provider':%d,'function':'resource',"
		    "'realm':'tel.example','impi_realms':['ims.Tel.example','iot.tel.example']}", (int)mobile), GBA_OK);
	add_as(&admin, KIND_SERVER, talloc_asprintf(test_ctx, "{'identity':'bsf.tel.example','provider':%d,'function':'authentication',"
		    "'realm':'tel.example','url':'https://bsf.tel.example/'}", (int)mobile), GBA_OK);
	add_as(&admin, KIND_SERVER, talloc_asprintf(test_ctx, "{'identity':'b.tel.example','provider':%d,'function':'authentication',"
		    "'realm':'tel.example','impi_realms':['x.example']}", (int)mobile), GBA_E_STATE);
	add_as(&admin, KIND_SERVER, talloc_asprintf(test_ctx, "{'identity':'keys.iot.example','provider':%d,'function':'resource',"
		    "'realm':'iot.example','impi_realms':['iot.example','IOT.tel.example']}", (int)iot), GBA_E_STATE);
	ck_assert_str_eq(call.field, "impi_realms"); /* another's */
	add_as(&admin, KIND_SERVER, talloc_asprintf(test_ctx, "{'identity':'keys.iot.example','provider':%d,'function':'resource',"
		    "'realm':'iot.example','impi_realms':['iot.example','tel.example']}", (int)iot), GBA_OK);
	add_as(&admin, KIND_SERVER, talloc_asprintf(test_ctx, "{'identity':'two.tel.example','provider':%d,'function':'resource',"
		    "'realm':'tel.example','impi_realms':['ims.tel.example']}", (int)mobile), GBA_OK); /* one provider, two of its servers */
	add_as(&admin, KIND_SERVER, talloc_asprintf(test_ctx, "{'identity':'hss.tel.example','provider':%d,'function':'resource',"
		    "'realm':'iot.example'}", (int)iot), GBA_E_EXISTS);
	server = get_as(&admin, KIND_SERVER, id);
	ck_assert_int_eq(server->v[SERVER_PROVIDER].n, mobile);
	ck_assert_bytes(server->v[SERVER_IMPI_REALMS].t, bytes_of("ims.tel.example\niot.tel.example"), "realms");
	set_as(&admin, KIND_PROVIDER, iot, "{'state':'suspended'}", GBA_OK);
	add_as(&admin, KIND_SERVER, talloc_asprintf(test_ctx, "{'identity':'new.iot.example','provider':%d,'function':'resource',"
		    "'realm':'iot.example'}", (int)iot), GBA_E_STATE);
	ck_assert_uint_eq(count_as(&admin, KIND_SERVER), 4);
	remove_as(&admin, KIND_PROVIDER, mobile, GBA_OK); /* with its servers */
	ck_assert_uint_eq(count_as(&admin, KIND_SERVER), 1);
	bed_close();
}
END_TEST

#define DIGEST_A "0a00000000000000000000000000000000000000000000000000000000000000"
#define DIGEST_B "0b00000000000000000000000000000000000000000000000000000000000000"

static void report(const char *digest, time_t made, const char *application)
{
	struct token_entry entry = { .made = made, .expires = made + 3600, .user = bytes_of(IMPI_A),
				     .application = application != NULL ? bytes_of(application) : BYTES_NONE };

	snprintf(entry.digest, sizeof(entry.digest), "%s", digest);
	ck_assert_err(records_begin(map), GBA_OK);
	ck_assert_err(token_note(map, bytes_of("bsf.example.net"), &entry, NOW), GBA_OK);
	ck_assert_err(records_commit(map), GBA_OK);
}

/* A run is counted once, whatever is said of it and in which order; who may see a token. REQ: OBF-8.5.2-3, OBF-9.2.1-1, OBF-9.2.3-1 */
START_TEST(tokens_as_reported)
{
	struct record *run;

	setup();
	report(DIGEST_A, NOW - 10, NULL);
	ck_assert_uint_eq(count_as(&admin, KIND_TOKEN), 0);
	report(DIGEST_A, NOW - 10, "app.example.com");
	report(DIGEST_A, NOW - 10, "app.example.com");
	report(DIGEST_A, NOW - 10, "nobody.example.com");
	ck_assert_uint_eq(count_as(&admin, KIND_TOKEN), 2);
	ck_assert_uint_eq(count_as(&asp_one, KIND_TOKEN), 1); /* its own application's */
	ck_assert_uint_eq(count_as(&asp_two, KIND_TOKEN), 0);
	ck_assert_uint_eq(count_as(&user_one, KIND_TOKEN), 2);
	ck_assert_uint_eq(count_as(&user_two, KIND_TOKEN) + count_as(&user_two, KIND_BOOTSTRAPPING), 0);
	run = get_as(&user_one, KIND_BOOTSTRAPPING, 1);
	ck_assert_int_eq(run->v[BOOTSTRAPPING_RUNS].n, 1);
	ck_assert_int_eq(run->v[BOOTSTRAPPING_STARTED_BY].n, STARTED_BY_CLIENT);
	do_as(&user_one, KIND_DEVICE, 1, "renew", "{}", GBA_E_DENIED);
	do_as(&admin, KIND_DEVICE, 1, "renew", "{}", GBA_OK); /* at NOW */
	ck_assert_uint_eq(count_as(&admin, KIND_TOKEN), 0);
	report(DIGEST_A, NOW - 10, "app.example.com"); /* late: of the run before */
	ck_assert_int_eq(get_as(&admin, KIND_BOOTSTRAPPING, 1)->v[BOOTSTRAPPING_ASKED].n, NOW);
	report(DIGEST_B, NOW, NULL);
	run = get_as(&admin, KIND_BOOTSTRAPPING, 1);
	ck_assert_int_eq(run->v[BOOTSTRAPPING_RUNS].n, 2);
	ck_assert_int_eq(run->v[BOOTSTRAPPING_STARTED_BY].n, STARTED_BY_NETWORK);
	ck_assert_int_eq(run->v[BOOTSTRAPPING_NETWORK_RUNS].n, 1);
	ck_assert_int_eq(run->v[BOOTSTRAPPING_ASKED].n, 0);
	ck_assert_err(records_begin(map), GBA_OK);
	ck_assert_err(token_sweep(map, NOW + 3589), GBA_OK);
	ck_assert_uint_eq(count_as(&admin, KIND_TOKEN), 1);
	ck_assert_err(token_sweep(map, NOW + 3590), GBA_OK);
	ck_assert_err(records_commit(map), GBA_OK);
	ck_assert_uint_eq(count_as(&admin, KIND_TOKEN), 0);
	bed_close();
}
END_TEST

TCase *mapping_parties_tcase(void)
{
	TCase *tc = fixture_tcase("parties");

	tcase_add_test(tc, applications_are_named_and_have_a_developer);
	tcase_add_test(tc, providers_and_their_servers);
	tcase_add_test(tc, tokens_as_reported);
	return tc;
}
