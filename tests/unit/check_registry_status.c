/* SPDX-License-Identifier: Apache-2.0 */
/* Trust in devices: from facts, vulnerabilities and decisions by hand to statuses, with their history. On SQLite and PostgreSQL.
 * REQ: Y3059-6.1-1, Y3059-6.1-15, Y3059-7-0b, Y3059-9.3-ii-b, TEC-3-b, TEC-3.1-2, TEC-3.1-4, TEC-3.2.1-6, TEC-3.2.1-9,
 * TEC-3.2.1-10 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fixture.h"
#include "common/json_fixture.h"
#include "common/pg_server.h"
#include "merkle/receipt.h"
#include "registry-fn/log/event.h"
#include "registry-fn/trust/cvss.h"
#include "registry-fn/record/schema.h"
#include "registry-fn/listing/listing.h"
#include "registry-fn/trust/mass.h"
#include "registry-fn/trust/said.h"

#define NOW 1700000000
#define DAY 86400

static const struct actor admin = { REG_ROLE_ADMIN, 0, "admin:alice" }, other = { REG_ROLE_ADMIN, 0, "admin:bob" },
			  node = { REG_ROLE_SYSTEM, 0, "system" }, agency = { REG_ROLE_AGENCY, 0, "agency:ntc" };
static struct actor maker = { REG_ROLE_MAKER, 0, "maker:1" }, custodian = { REG_ROLE_CUSTODIAN, 0, "custodian:1" },
		    enquirer = { REG_ROLE_ENQUIRER, 1, "enquirer:1" };

static bool on_server;
static TALLOC_CTX *bed;
static char folder[64];
static struct registry *registry;
static struct registry_conf conf;
static struct records *r;
static struct record_call call;
static int64_t device;

static const char *in_folder(const char *name)
{
	return talloc_asprintf(bed, "%s/%s", folder, name);
}

static int64_t add_as(const struct actor *actor, int kind, const char *text, enum gba_err want)
{
	json_t *json = fixture_json(bed, text);
	struct record *rec = NULL;
	enum gba_err err;

	call.actor = actor;
	err = records_add(r, &call, kind, json, &rec);
	json_decref(json);
	ck_assert_msg(err == want, "%s: %s (%s: %s)", text, gba_err_name(err), call.field, call.why);
	return err == GBA_OK ? rec->id : 0;
}

static void set_as(const struct actor *actor, int kind, int64_t id, const char *text, enum gba_err want)
{
	struct record seen = { .kind = &registry_set.kinds[kind], .id = id };
	json_t *json = fixture_json(bed, text);
	enum gba_err err;

	call.actor = actor;
	err = records_set(r, &call, &seen, json, NULL);
	json_decref(json);
	ck_assert_msg(err == want, "%s: %s (%s: %s)", text, gba_err_name(err), call.field, call.why);
}

static void do_as(const struct actor *actor, int64_t override, const char *verb, enum gba_err want)
{
	struct record seen = { .kind = &registry_set.kinds[REG_OVERRIDE], .id = override };
	json_t *nothing = json_object();
	enum gba_err err;

	call.actor = actor;
	err = records_do(r, &call, &seen, verb, nothing, NULL);
	json_decref(nothing);
	ck_assert_msg(err == want, "%s: %s (%s)", verb, gba_err_name(err), call.why);
}

static void bed_open(void)
{
	const char *why = "";

	strcpy(folder, "/tmp/check_registry.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	bed = talloc_new(test_ctx);
	conf = (struct registry_conf){ .reg_id = "IN1", .parent = "", .urn_namespace = "regdevid", .fix_days_critical = 15,
				       .fix_days_high = 30, .fix_days_medium = 90, .fix_days_low = 180 };
	conf.database = on_server ? pg_server_schema("registry") : in_folder("registry.db");
	conf.kek_file = in_folder("registry.kek");
	conf.key_file = in_folder("registry.key");
	ck_assert_msg(registry_open(bed, &conf, &registry, &why) == GBA_OK, "%s", why);
	ck_assert_msg(registry_records(bed, registry, &r, &why) == GBA_OK, "%s", why);
	call = (struct record_call){ .actor = &admin, .now = NOW, .mem_ctx = bed };
	custodian.id = add_as(&admin, REG_CUSTODIAN, "{'account':'asha','state':'verified','verifier':'desk'}", GBA_OK);
	maker.id = add_as(&admin, REG_MAKER, "{'name':'Acme'}", GBA_OK);
	device = add_as(&admin, REG_DEVICE, "{'scheme':'imei','identity':'490154203237518','make':'Acme','model':'M1','firmware':'1.2.0',"
					    "'root_of_trust':'usim','custodian':1}", GBA_OK);
}

static void bed_close(void)
{
	talloc_free(bed);
	fixture_folder_remove(folder);
}

static void fact(enum trust_fact which, int64_t value)
{
	call.actor = &agency;
	ck_assert_err(records_begin(r), GBA_OK);
	ck_assert_err(trust_tell(r, &call, device, which, value, "report 7"), GBA_OK);
	ck_assert_err(records_commit(r), GBA_OK);
}

/* The status now, in the record, in the history and in what other registries are told. */
static void ck_status(enum trust_status want, const char *cause)
{
	struct registry_handle *handle = registry_handle_of(r);
	struct trust_change change;
	struct event_view view;
	struct record *rec = NULL;
	char *regdevid;

	call.actor = &admin;
	ck_assert_err(records_get(r, &call, REG_DEVICE, device, &rec), GBA_OK);
	ck_assert_int_eq(rec->v[DEVICE_STATUS].n, want);
	ck_assert_err(trust_at(r, bed, TRUST_DEVICE, device, call.now, &change), GBA_OK);
	ck_assert_msg(change.status == want && strcmp(change.cause, cause) == 0, "%s: %s", trust_status_names[change.status], change.cause);
	regdevid = talloc_strndup(bed, (const char *)rec->v[DEVICE_REGDEVID].t.p, rec->v[DEVICE_REGDEVID].t.n);
	ck_assert_err(event_view_subject(handle->events, regdevid, EVENT_NOW, &view), GBA_OK);
	ck_assert_int_eq(view.status, want);
}

START_TEST(status_follows_facts_and_every_time_is_answered)
{
	static const struct { enum trust_status status; const char *cause; } want[] = {
		{ TRUST_WHITE, "registered, nothing against it" }, { TRUST_GREY, "missed-reports >= 3" },
		{ TRUST_WHITE, "registered, nothing against it" }, { TRUST_BLACK, "certificate = revoked" },
		{ TRUST_WHITE, "registered, nothing against it" },
	};
	struct trust_change *changes, at;
	size_t n, i;

	ck_status(TRUST_GREY, "nothing is known");
	set_as(&node, REG_DEVICE, device, "{'state':'registered'}", GBA_OK);
	ck_status(want[0].status, want[0].cause);
	call.now += 100;
	fact(FACT_MISSED_REPORTS, 3);
	ck_status(want[1].status, want[1].cause);
	call.now += 100;
	fact(FACT_MISSED_REPORTS, 0);
	call.now += 100;
	fact(FACT_CERTIFICATE, CERTIFICATE_REVOKED);
	fact(FACT_CERTIFICATE, CERTIFICATE_REVOKED); /* no change, no row */
	ck_status(want[3].status, want[3].cause);
	call.now += 100;
	fact(FACT_CERTIFICATE, CERTIFICATE_GOOD);
	ck_assert_err(trust_history(r, bed, TRUST_DEVICE, device, 100, &changes, &n), GBA_OK);
	ck_assert_uint_eq(n, 5);
	for (i = 0; i < n; i++) {
		ck_assert_msg(changes[i].status == want[i].status && strcmp(changes[i].cause, want[i].cause) == 0, "%zu: %s", i,
			      changes[i].cause);
		ck_assert_int_eq(changes[i].at, NOW + 100 * (time_t)i);
		ck_assert_str_eq(changes[i].author, i == 0 ? "system" : "agency:ntc");
		ck_assert_err(trust_at(r, bed, TRUST_DEVICE, device, NOW + 100 * (time_t)i + 99, &at), GBA_OK);
		ck_assert_int_eq(at.id, changes[i].id);
	}
	ck_assert_err(trust_at(r, bed, TRUST_DEVICE, device, NOW - 1, &at), GBA_OK);
	ck_assert(at.id == 0 && at.status == TRUST_GREY);
	ck_assert_err(trust_at(r, bed, TRUST_DEVICE, 999, NOW, &at), GBA_OK); /* unknown item: Grey */
	ck_assert_int_eq(at.status, TRUST_GREY);
}
END_TEST

START_TEST(only_facts_that_are_told)
{
	call.actor = &agency;
	ck_assert_err(records_begin(r), GBA_OK);
	ck_assert_err(trust_tell(r, &call, device, FACT_SEVERITY, 1, NULL), GBA_E_RANGE);
	ck_assert_err(trust_tell(r, &call, device, FACT_CERTIFICATE, 9, NULL), GBA_E_RANGE);
	ck_assert_err(trust_tell(r, &call, device, FACT_ANOMALIES, -1, NULL), GBA_E_RANGE);
	ck_assert_err(trust_tell(r, &call, 999, FACT_ANOMALIES, 1, NULL), GBA_E_NOT_FOUND);
	records_rollback(r);
	set_as(&admin, REG_DEVICE, device, "{'status':'white'}", GBA_E_DENIED); /* nobody writes it past the rules */
	add_as(&admin, REG_OVERRIDE, "{'device':1,'status':'red','reason':'x'}", GBA_E_SYNTAX);
	set_as(&node, REG_DEVICE, device, "{'root_of_trust':'none','state':'registered'}", GBA_OK);
	ck_status(TRUST_GREY, "nothing is known"); /* no root of trust: not White */
}
END_TEST

#define CRITICAL "'cvss':'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H'"
#define REPORT(ref, rest) "{'reference':'" ref "','source':'platform','reporter':'p.example','device_type':'meter','title':'t'," rest "}"

START_TEST(vulnerability_is_driven_to_its_end)
{
	struct record *rec = NULL;
	struct event_view view;
	struct bytes none = BYTES_NONE;
	int64_t id;

	(void)view, (void)none;
	set_as(&node, REG_DEVICE, device, "{'state':'registered'}", GBA_OK);
	id = add_as(&agency, REG_VULNERABILITY, REPORT("V-1", "'make':'Acme','model':'M1','versions':['>=1.0 <1.2.5']," CRITICAL), GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it"); /* not confirmed: nobody can blacken devices by a report */
	call.actor = &maker;
	ck_assert_err(records_get(r, &call, REG_VULNERABILITY, id, &rec), GBA_E_NOT_FOUND);
	call.actor = &custodian;
	ck_assert_err(records_get(r, &call, REG_VULNERABILITY, id, &rec), GBA_E_NOT_FOUND);
	set_as(&agency, REG_VULNERABILITY, id, "{'state':'confirmed'}", GBA_OK);
	ck_status(TRUST_BLACK, "severity >= critical");
	call.actor = &maker; /* it was forwarded to the maker of the make */
	ck_assert_err(records_get(r, &call, REG_VULNERABILITY, id, &rec), GBA_OK);
	ck_assert_int_eq(rec->v[VULNERABILITY_STATE].n, VULNERABILITY_FORWARDED);
	ck_assert_int_eq(rec->v[VULNERABILITY_DUE].n, NOW + 15 * DAY);
	ck_assert_int_eq(rec->v[VULNERABILITY_SCORE].n, 98);
	ck_assert_int_eq(rec->v[VULNERABILITY_DEVICES].n, 1);
	call.actor = &custodian; /* whose device has it */
	ck_assert_err(records_get(r, &call, REG_VULNERABILITY, id, &rec), GBA_OK);
	custodian.id += 1;
	ck_assert_err(records_get(r, &call, REG_VULNERABILITY, id, &rec), GBA_E_NOT_FOUND);
	custodian.id -= 1;
	call.actor = &enquirer;
	ck_assert_err(records_get(r, &call, REG_VULNERABILITY, id, &rec), GBA_E_NOT_FOUND);
	set_as(&maker, REG_VULNERABILITY, id, "{'state':'closed'}", GBA_E_DENIED);
	set_as(&maker, REG_VULNERABILITY, id, "{'state':'acknowledged','reply':'we are at it'}", GBA_OK);
	call.now += 16 * DAY;
	ck_assert_err(trust_sweep(r, bed, call.now), GBA_OK);
	call.actor = &agency;
	ck_assert_err(records_get(r, &call, REG_VULNERABILITY, id, &rec), GBA_OK);
	ck_assert_int_eq(rec->v[VULNERABILITY_OVERDUE].n, 1);
	set_as(&maker, REG_VULNERABILITY, id, "{'state':'fixed','fixed_in':'1.2.5'}", GBA_OK);
	ck_status(TRUST_BLACK, "severity >= critical"); /* a fix is out, this device has not got it */
	set_as(&node, REG_DEVICE, device, "{'firmware':'1.2.5'}", GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it");
	set_as(&agency, REG_VULNERABILITY, id, "{'disclosed':true,'state':'closed'}", GBA_OK);
	call.actor = &enquirer;
	ck_assert_err(records_get(r, &call, REG_VULNERABILITY, id, &rec), GBA_OK);
	set_as(&agency, REG_VULNERABILITY, id, "{'state':'confirmed'}", GBA_E_STATE);
}
END_TEST

/* Either side may come first; make, model and each range decide. */
START_TEST(matched_whichever_comes_first)
{
	int64_t id = add_as(&agency, REG_VULNERABILITY, REPORT("V-1", "'make':'Acme','model':'*','versions':['<1.0','=2.0-rc1']," CRITICAL), GBA_OK);

	set_as(&agency, REG_VULNERABILITY, id, "{'state':'confirmed'}", GBA_OK);
	set_as(&node, REG_DEVICE, device, "{'state':'registered'}", GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it");
	set_as(&node, REG_DEVICE, device, "{'firmware':'2.0-rc1'}", GBA_OK);
	ck_status(TRUST_BLACK, "severity >= critical");
	set_as(&node, REG_DEVICE, device, "{'firmware':'2.0'}", GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it");
	set_as(&agency, REG_VULNERABILITY, id, "{'versions':[]}", GBA_OK); /* all versions */
	ck_status(TRUST_BLACK, "severity >= critical");
	set_as(&agency, REG_VULNERABILITY, id, "{'state':'refused'}", GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it");
	add_as(&agency, REG_VULNERABILITY, REPORT("V-2", "'make':'Bolt','model':'M1'," CRITICAL), GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it");
}
END_TEST

static const struct { const char *text; enum gba_err want; } report_rows[] = {
	{ REPORT("V-1", "'make':'Acme','model':'M1','cve':'CVE-2021-44228'"), GBA_OK },
	{ REPORT("V-1", "'make':'Acme','model':'M1','cve':'CVE-21-1'"), GBA_E_SYNTAX },
	{ REPORT("V-1", "'make':'Acme','model':'M1','cvss':'CVSS:3.1/AV:N'"), GBA_E_SYNTAX },
	{ REPORT("V-1", "'make':'Acme','model':'M1'," CRITICAL ",'score':50"), GBA_E_RANGE },
	{ REPORT("V-1", "'make':'Acme','model':'M1'," CRITICAL ",'score':98"), GBA_OK },
	{ REPORT("V-1", "'make':'Acme','model':'M1','score':101"), GBA_E_RANGE },
	{ REPORT("V-1", "'make':'Acme','model':'M1','versions':['newest']"), GBA_E_SYNTAX },
	{ REPORT("V-1", "'model':'M1'"), GBA_E_SYNTAX },
	{ REPORT("V-1", "'make':'Acme'"), GBA_E_SYNTAX },
	{ "{'reference':'V-1','source':'platform','device_type':'meter','title':'t','make':'Acme','model':'M1'}", GBA_E_SYNTAX },
	{ "{'reference':'V-1','source':'platform','reporter':'p','title':'t','make':'Acme','model':'M1'}", GBA_E_SYNTAX },
	{ "{'reference':'V-1','source':'agency','reporter':'p','title':'t','make':'Acme','model':'M1','state':'confirmed'}", GBA_E_DENIED },
};

START_TEST(reports_are_checked)
{
	add_as(&agency, REG_VULNERABILITY, report_rows[_i].text, report_rows[_i].want);
}
END_TEST

/* One from each source is kept, distinguishable by origin and time (9.3-ii). */
START_TEST(each_source_has_its_record)
{
	struct record *rec = NULL;
	char text[256];
	int64_t id;
	int i;

	for (i = 0; reg_source_words[i] != NULL; i++) {
		call.now = NOW + i;
		snprintf(text, sizeof(text), "{'reference':'V-%d','source':'%s','reporter':'r%d','device_type':'x','title':'t','make':'Acme',"
			 "'model':'M1'}", i, reg_source_words[i], i);
		id = add_as(&agency, REG_VULNERABILITY, text, GBA_OK);
		ck_assert_err(records_get(r, &call, REG_VULNERABILITY, id, &rec), GBA_OK);
		ck_assert(rec->v[VULNERABILITY_SOURCE].n == i && rec->v[VULNERABILITY_REPORTED].n == NOW + i);
	}
	id = add_as(&custodian, REG_VULNERABILITY, "{'reference':'C-1','title':'t','make':'Acme','model':'M1'}", GBA_OK);
	call.actor = &agency;
	ck_assert_err(records_get(r, &call, REG_VULNERABILITY, id, &rec), GBA_OK);
	ck_assert_int_eq(rec->v[VULNERABILITY_SOURCE].n, SOURCE_CUSTODIAN); /* whatever he says */
	ck_assert(bytes_eq_str(rec->v[VULNERABILITY_REPORTER].t, "custodian:1"));
	add_as(&enquirer, REG_VULNERABILITY, "{'reference':'E-1','title':'t','make':'Acme','model':'M1'}", GBA_E_DENIED);
}
END_TEST

START_TEST(by_hand_and_with_four_eyes)
{
	int64_t id;

	set_as(&node, REG_DEVICE, device, "{'state':'registered'}", GBA_OK);
	id = add_as(&admin, REG_OVERRIDE, "{'device':1,'status':'black','reason':'stolen'}", GBA_OK);
	ck_status(TRUST_BLACK, "decided by hand");
	do_as(&admin, id, "lift", GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it");
	do_as(&admin, id, "lift", GBA_E_STATE);
	conf.four_eyes = true;
	call.now += 10;
	id = add_as(&admin, REG_OVERRIDE, "{'device':1,'status':'black','reason':'stolen'}", GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it");
	do_as(&admin, id, "approve", GBA_E_DENIED);
	do_as(&other, id, "approve", GBA_OK);
	ck_status(TRUST_BLACK, "decided by hand");
	fact(FACT_ANOMALIES, 9);
	do_as(&other, id, "lift", GBA_OK);
	ck_status(TRUST_BLACK, "decided by hand"); /* nor is one enough to end it */
	do_as(&admin, id, "lift", GBA_E_STATE);
	do_as(&other, id, "approve", GBA_E_DENIED);
	do_as(&other, id, "refuse", GBA_OK);
	do_as(&other, id, "approve", GBA_E_STATE);
	do_as(&admin, id, "lift", GBA_OK);
	ck_status(TRUST_BLACK, "decided by hand");
	do_as(&other, id, "approve", GBA_OK);
	ck_status(TRUST_BLACK, "anomalies >= 5");
	do_as(&other, id, "lift", GBA_E_STATE);
	id = add_as(&admin, REG_OVERRIDE, "{'device':1,'status':'white','reason':'false alarm'}", GBA_OK);
	do_as(&other, id, "refuse", GBA_OK);
	do_as(&other, id, "approve", GBA_E_STATE);
	ck_status(TRUST_BLACK, "anomalies >= 5");
}
END_TEST

static enum trust_status application_status(int64_t application, const char *cause)
{
	struct trust_change change;

	ck_assert_err(trust_at(r, bed, TRUST_APPLICATION, application, call.now, &change), GBA_OK);
	ck_assert_str_eq(change.cause, cause);
	return change.status;
}

START_TEST(applications_by_hand_go_the_same_way)
{
	struct record seen = { .kind = &registry_set.kinds[REG_APPLICATION] };
	int64_t application = add_as(&admin, REG_APPLICATION, "{'scheme':'package','value':'com.example.a','name':'A'}", GBA_OK), id;

	conf.four_eyes = true;
	add_as(&admin, REG_OVERRIDE, "{'status':'black','reason':'x'}", GBA_E_SYNTAX);
	add_as(&admin, REG_OVERRIDE, "{'device':1,'application':1,'status':'black','reason':'x'}", GBA_E_SYNTAX);
	id = add_as(&admin, REG_OVERRIDE, "{'application':1,'status':'black','reason':'spies'}", GBA_OK);
	ck_assert_int_eq(application_status(application, "nothing is known"), TRUST_GREY);
	do_as(&admin, id, "approve", GBA_E_DENIED);
	do_as(&other, id, "approve", GBA_OK);
	ck_assert_int_eq(application_status(application, "decided by hand"), TRUST_BLACK);
	seen.id = application;
	call.actor = &admin;
	ck_assert_err(records_remove(r, &call, &seen), GBA_E_STATE); /* and back again, Grey: no way around */
	call.now += 10;
	do_as(&admin, id, "lift", GBA_OK);
	ck_assert_int_eq(application_status(application, "decided by hand"), TRUST_BLACK);
	do_as(&other, id, "approve", GBA_OK);
	ck_assert_int_eq(application_status(application, "no decision is in force"), TRUST_GREY);
}
END_TEST

START_TEST(time_ends_what_waits_to_be_lifted)
{
	int64_t id;

	conf.four_eyes = true;
	id = add_as(&admin, REG_OVERRIDE, "{'device':1,'status':'white','reason':'lab','until':'2033-05-18T03:33:20Z'}", GBA_OK);
	do_as(&other, id, "approve", GBA_OK);
	do_as(&other, id, "lift", GBA_OK);
	call.now = 2000000000;
	ck_assert_err(trust_sweep(r, bed, call.now), GBA_OK);
	ck_status(TRUST_GREY, "not registered");
	do_as(&admin, id, "approve", GBA_E_STATE);
}
END_TEST

static int64_t count(const char *sql)
{
	struct db_stmt *stmt;
	int64_t n = -1;

	ck_assert_err(records_stmt(r, sql, &stmt), GBA_OK);
	ck_assert_err(records_int(stmt, &n), GBA_OK);
	return n;
}

static void judge_all(void)
{
	bool left = true;

	while (left)
		ck_assert_err(trust_due(r, bed, call.now, &left), GBA_OK);
}

#define MANY (MASS_FROM + 100)

/* Of another model than the first device's. */
static void many_devices(void)
{
	char text[160];
	int i;

	ck_assert_err(records_begin(r), GBA_OK);
	for (i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text),
			 "{'scheme':'mac','identity':'001b63%06x','make':'Acme','model':'M2','firmware':'1.0','root_of_trust':'tpm'}", i);
		add_as(&admin, REG_DEVICE, text, GBA_OK);
	}
	ck_assert_err(records_run(r, "UPDATE device SET state = ?1 WHERE model = 'M2'", DEVICE_REGISTERED), GBA_OK);
	ck_assert_err(records_commit(r), GBA_OK);
}

/* Nobody waits for them: not who reports the vulnerability, and no Black that is said meanwhile. */
START_TEST(very_many_are_judged_in_slices)
{
	static const char black[] = "SELECT count(*) FROM device WHERE model = 'M2' AND status = 2";
	struct mass_job *jobs = NULL;
	bool left = false;
	size_t n = 0;
	int64_t id;

	many_devices();
	id = add_as(&agency, REG_VULNERABILITY, "{'reference':'V-1','source':'cert','reporter':'x','title':'t','make':'Acme','model':'M2',"
		    "'versions':['<2.0'],'cvss':'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H'}", GBA_OK);
	set_as(&agency, REG_VULNERABILITY, id, "{'state':'confirmed'}", GBA_OK);
	ck_assert_int_eq(count(black), 0);
	ck_assert_err(mass_jobs(r, bed, &jobs, &n), GBA_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert(jobs[0].vulnerability == id && jobs[0].done == 0 && jobs[0].total == MANY);
	ck_assert_str_eq(jobs[0].reference, "V-1");
	ck_assert_err(trust_due(r, bed, call.now, &left), GBA_OK);
	ck_assert(left);
	ck_assert_int_gt(count(black), 0);
	add_as(&admin, REG_OVERRIDE, "{'device':1,'status':'black','reason':'stolen'}", GBA_OK);
	judge_all();
	ck_assert_int_eq(count(black), MANY);
	ck_assert_int_eq(count("SELECT count(*) FROM event WHERE class = 6"), 1); /* the one by hand waits behind none of them */
	ck_assert_int_eq(count("SELECT devices FROM vulnerability"), MANY);
	ck_assert_int_eq(count("SELECT count(*) FROM status WHERE status = 2 AND cause = 'severity >= critical'"), MANY);
	set_as(&agency, REG_VULNERABILITY, id, "{'description':'who knows more judges nobody'}", GBA_OK);
	ck_assert_err(mass_jobs(r, bed, &jobs, &n), GBA_OK);
	ck_assert_uint_eq(n, 0);
	set_as(&agency, REG_VULNERABILITY, id, "{'versions':['<0.5']}", GBA_OK);
	judge_all();
	ck_assert_int_eq(count(black), 0);
	ck_assert_int_eq(count("SELECT devices FROM vulnerability"), 0);
	ck_assert_int_eq(count("SELECT count(*) FROM vulnerable"), 0);
}
END_TEST

START_TEST(other_rules_are_for_all_devices)
{
	struct mass_job *jobs = NULL;
	size_t n = 0;

	set_as(&node, REG_DEVICE, device, "{'state':'registered'}", GBA_OK);
	ck_assert_err(mass_rules(r, bed, call.now), GBA_OK); /* the first that are known: it was judged by these */
	ck_assert_err(mass_rules(r, bed, call.now), GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it");
	ck_assert_err(mass_jobs(r, bed, &jobs, &n), GBA_OK);
	ck_assert_uint_eq(n, 0);
	conf.uncertified_models = LISTING_GREY;
	ck_assert_err(mass_rules(r, bed, call.now), GBA_OK);
	ck_assert_err(mass_jobs(r, bed, &jobs, &n), GBA_OK);
	ck_assert(n == 1 && jobs[0].vulnerability == 0);
	judge_all();
	ck_status(TRUST_GREY, "no certificate covers its model and versions");
}
END_TEST

START_TEST(by_hand_until)
{
	add_as(&admin, REG_OVERRIDE, "{'device':1,'status':'white','reason':'x','until':'2001-01-01T00:00:00Z'}", GBA_E_RANGE);
	add_as(&admin, REG_OVERRIDE, "{'device':1,'status':'white','reason':'lab','until':'2033-05-18T03:33:20Z'}", GBA_OK); /* 2e9 */
	ck_status(TRUST_WHITE, "decided by hand");
	call.now = 2000000000;
	ck_assert_err(trust_sweep(r, bed, call.now), GBA_OK);
	ck_status(TRUST_GREY, "not registered");
}
END_TEST

/* Time alone makes the reports missed more. */
START_TEST(silent_device_turns_grey)
{
	conf.report_interval = 3600;
	set_as(&node, REG_DEVICE, device, "{'state':'registered'}", GBA_OK);
	set_as(&node, REG_DEVICE, device, "{'overdue':true,'report_due':'2023-11-14T22:13:10Z'}", GBA_OK); /* NOW - 10 */
	ck_status(TRUST_WHITE, "registered, nothing against it");
	call.now = NOW + 2 * 3600;
	ck_assert_err(trust_sweep(r, bed, call.now), GBA_OK);
	ck_status(TRUST_GREY, "missed-reports >= 3");
	set_as(&node, REG_DEVICE, device, "{'overdue':false}", GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it");
}
END_TEST

/* As a neighbour would: a registry above says something of our device. */
static void elsewhere(struct event_log *log, const char *regdevid, const char *status, int64_t number)
{
	struct sign_key *key;
	struct event_registry as = { .reg_id = "IN", .type = REGISTRY_GEOGRAPHICAL };
	struct event_log *theirs;
	struct event_self self = { "IN", REGISTRY_GEOGRAPHICAL, NULL };
	struct event *event;
	const char *why = "";
	struct db *db = NULL;
	json_t *body = json_pack("{s:s, s:s}", "cause", "court order", "status", status);
	size_t n = 0;
	bool new = false;

	ck_assert_err(sign_key_open(bed, in_folder("above.key"), true, &key), GBA_OK);
	self.key = key;
	ck_assert_err(db_open(bed, in_folder("above.db"), registry_schema, registry_schema_steps, &db, &why), GBA_OK);
	ck_assert_err(event_log_open(bed, db, &self, &theirs), GBA_OK);
	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(event_append(theirs, "status.set", regdevid, body, call.now, NULL), GBA_OK);
	ck_assert_err(event_next(theirs, bed, number - 1, 1, &event, &n), GBA_OK);
	ck_assert_err(db_commit(db), GBA_OK);
	json_decref(body);
	memcpy(as.key, sign_key_public(key), SIGN_PUBLIC_LEN);
	ck_assert_err(records_begin(r), GBA_OK);
	ck_assert_err(event_registry_trust(log, &as), GBA_OK);
	ck_assert_err(event_take(log, event->wire, 0x7f, call.now, &new), GBA_OK);
	ck_assert_err(records_commit(r), GBA_OK);
	ck_assert(new);
}

static void ck_held(const char *regdevid, enum trust_status want, const char *author)
{
	struct registry_handle *handle = registry_handle_of(r);
	struct trust_change change;
	struct event_view view;

	ck_assert_err(trust_held_at(r, bed, NULL, device, call.now, &change), GBA_OK);
	ck_assert_msg(change.status == want && strcmp(change.author, author) == 0, "%s: %s", trust_status_names[change.status],
		      change.author);
	ck_assert_err(event_view_subject(handle->events, regdevid, EVENT_NOW, &view), GBA_OK);
	ck_assert_int_eq(view.status, want);
}

/* REQ: Y3059-7-iv-d: what another registry says counts at once, then by our rules; by hand goes before them, and is said again. */
START_TEST(what_others_say_is_a_fact)
{
	struct event_log *log = registry_handle_of(r)->events;
	struct record *rec = NULL;
	const char *regdevid;
	int64_t override;

	set_as(&node, REG_DEVICE, device, "{'state':'registered'}", GBA_OK);
	ck_assert_err(records_get(r, &call, REG_DEVICE, device, &rec), GBA_OK);
	regdevid = record_text(rec, DEVICE_REGDEVID);
	ck_held(regdevid, TRUST_WHITE, "system");
	call.now++;
	elsewhere(log, regdevid, "black", 1);
	ck_held(regdevid, TRUST_BLACK, "registry:IN");
	ck_assert_err(trust_sweep(r, bed, ++call.now), GBA_OK);
	ck_status(TRUST_BLACK, "elsewhere = black");
	fact(FACT_ANOMALIES, 1); /* is worse than White, and does not lift it */
	ck_status(TRUST_BLACK, "elsewhere = black");
	fact(FACT_ANOMALIES, 0);
	call.now++;
	elsewhere(log, regdevid, "white", 2);
	ck_assert_err(trust_sweep(r, bed, ++call.now), GBA_OK);
	ck_status(TRUST_WHITE, "registered, nothing against it");
	override = add_as(&admin, REG_OVERRIDE, "{'device':1,'status':'white','reason':'checked by us'}", GBA_OK);
	call.now++;
	elsewhere(log, regdevid, "black", 3);
	ck_held(regdevid, TRUST_BLACK, "registry:IN");
	ck_assert_err(trust_sweep(r, bed, ++call.now), GBA_OK);
	ck_held(regdevid, TRUST_WHITE, "admin:alice");
	ck_assert_err(trust_held_at(r, bed, NULL, device, call.now - 1, &(struct trust_change){ 0 }), GBA_OK);
	call.now++;
	do_as(&admin, override, "lift", GBA_OK);
	ck_status(TRUST_BLACK, "elsewhere = black");
}
END_TEST

/* Every change of records and of status stands in the log, without what is personal. */
START_TEST(all_of_it_is_in_the_log)
{
	struct entry_log *log = registry_handle_of(r)->entries;
	struct entry_row *rows;
	struct merkle_head head;
	json_t *receipt;
	size_t n, i, statuses = 0;

	add_as(&admin, REG_CUSTODIAN, "{'account':'b','name':'Asha Rao','email':'asha@example.com'}", GBA_OK);
	add_as(&admin, REG_OVERRIDE, "{'device':1,'status':'black','reason':'stolen from Asha Rao'}", GBA_OK);
	ck_assert_err(entry_read(log, bed, 0, 100, &rows, &n), GBA_OK);
	ck_assert_uint_eq(n, 6); /* custodian, maker, device; custodian; status, override */
	for (i = 0; i < n; i++) {
		ck_assert_ptr_null(strstr(rows[i].text, "Asha"));
		ck_assert_ptr_null(strstr(rows[i].text, "asha@"));
		statuses += strstr(rows[i].text, "\"act\":\"status.set\"") != NULL;
		ck_assert_err(entry_receipt(log, i, NOW, &receipt), GBA_OK);
		ck_assert_err(merkle_receipt_verify(receipt, sign_key_public(registry->key), &head), GBA_OK);
		json_decref(receipt);
	}
	ck_assert_uint_eq(statuses, 1);
}
END_TEST

static void add_all(TCase *tc)
{
	tcase_add_checked_fixture(tc, bed_open, bed_close);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, status_follows_facts_and_every_time_is_answered);
	tcase_add_test(tc, only_facts_that_are_told);
	tcase_add_test(tc, vulnerability_is_driven_to_its_end);
	tcase_add_test(tc, matched_whichever_comes_first);
	tcase_add_loop_test(tc, reports_are_checked, 0, (int)(sizeof(report_rows) / sizeof(report_rows[0])));
	tcase_add_test(tc, each_source_has_its_record);
	tcase_add_test(tc, very_many_are_judged_in_slices);
	tcase_add_test(tc, other_rules_are_for_all_devices);
	tcase_add_test(tc, by_hand_and_with_four_eyes);
	tcase_add_test(tc, applications_by_hand_go_the_same_way);
	tcase_add_test(tc, time_ends_what_waits_to_be_lifted);
	tcase_add_test(tc, by_hand_until);
	tcase_add_test(tc, silent_device_turns_grey);
	tcase_add_test(tc, what_others_say_is_a_fact);
	tcase_add_test(tc, all_of_it_is_in_the_log);
}

static Suite *suite_of(const char *name)
{
	Suite *suite = suite_create(name);
	TCase *tc = fixture_tcase(name);

	add_all(tc);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	int failed = fixture_run(suite_of("file"));

	on_server = pg_server_start();
	if (on_server) {
		failed |= fixture_run(suite_of("server"));
		pg_server_stop();
	}
	return failed;
}
