/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's logic: a fake port instead of Diameter, a clock that only moves when told. */
#include <stdio.h>
#include <stdlib.h>

#include "common/fixture.h"
#include "naf-adapter/agent/agent.h"
#include "naf-adapter/agent/realm.h"
#include "naf-adapter/agent/source.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
#define T0	1900000000
#define RAND_A	"I1U8vpY3qJ0hiuZNrke/NQ=="
#define RAND_B	"AAAAAAAAAAAAAAAAAAAAAA=="
#define BTID_A	RAND_A "@bsf.one.example"
#define BTID_B	RAND_B "@bsf.one.example"
#define BTID_2	RAND_A "@bsf.two.example"
#define ASKS_MAX 512

/* ---- a BSF that answers when it is told to ---- */

static struct {
	uint64_t flight[ASKS_MAX];
	char realm[ASKS_MAX][64], host[ASKS_MAX][64], naf_id[ASKS_MAX][64];
	uint32_t gsid[ASKS_MAX];
	bool aware[ASKS_MAX];
	size_t n;
	enum gba_err refuse;
} sent;

static struct {
	size_t calls;
	enum gba_naf_error error;
	uint8_t first_octet;
	time_t expires;
} got;

static struct realm_conf realms[] = {
	{ .domain = "one.example", .realm = "epc.one.example", .host = "" },
	{ .domain = "two.example", .realm = "epc.two.example", .host = "bsf1.epc.two.example" },
	{ .domain = "deep.two.example", .realm = "other.example", .host = "" },
};
static struct agent_conf conf;
static struct agent *agent;
static struct agent_time now;
static const uint8_t ua_id[5] = { 1, 0, 0, 0, 7 };

static enum gba_err fake_send(void *arg, const struct zn_ask *ask)
{
	size_t i = sent.n;

	(void)arg;
	if (sent.refuse != GBA_OK)
		return sent.refuse;
	ck_assert_uint_lt(i, ASKS_MAX);
	sent.flight[i] = ask->flight;
	snprintf(sent.realm[i], sizeof(sent.realm[i]), "%.*s", BYTES_FMT(ask->dest_realm));
	snprintf(sent.host[i], sizeof(sent.host[i]), "%.*s", (int)ask->dest_host.n,
		 ask->dest_host.n > 0 ? (const char *)ask->dest_host.p : "");
	snprintf(sent.naf_id[i], sizeof(sent.naf_id[i]), "%.*s", (int)ask->naf_id.n - 5, (const char *)ask->naf_id.p);
	sent.gsid[i] = ask->gsid_count > 0 ? ask->gsids[0] : 0;
	sent.aware[i] = ask->gba_u_aware;
	sent.n++;
	return GBA_OK;
}

static void agent_setup(void)
{
	memset(&sent, 0, sizeof(sent));
	memset(&got, 0, sizeof(got));
	conf = (struct agent_conf){
		.realms = { realms, 3 }, .cache_entries = 4, .cache_memory = 1, .negative_entries = 4, .key_lifetime_max = 3600,
		.negative_ttl = 5, .zn_timeout = 2000, .zn_window = 2, .zn_queue = 2, .unknown_burst = 10, .unknown_rate = 60,
		.accept_2g = true,
	};
	now = (struct agent_time){ T0, 1000000 };
	agent = agent_new(test_ctx, &conf, (struct zn_port){ fake_send, NULL });
	ck_assert_ptr_nonnull(agent);
}

static void agent_restart(void)
{
	talloc_free(agent);
	agent = agent_new(test_ctx, &conf, (struct zn_port){ fake_send, NULL });
	ck_assert_ptr_nonnull(agent);
}

static void on_reply(void *arg, enum gba_naf_error error, const struct key_record *record)
{
	(void)arg;
	ck_assert_int_eq(record != NULL, error == GBA_NAF_OK);
	got.calls++;
	got.error = error;
	got.first_octet = record != NULL ? record->ks_naf[0] : 0;
	got.expires = record != NULL ? record->expires : 0;
}

static struct agent_ask ask_of(const char *btid, const char *fqdn)
{
	return (struct agent_ask){ .btid = bytes_of(btid), .fqdn = bytes_of(fqdn), .ua_id = ua_id, .timeout_ms = 3000,
				   .source = bytes_of("192.0.2.1") };
}

static struct agent_waiter *ask(const char *btid, const char *fqdn)
{
	struct agent_ask a = ask_of(btid, fqdn);

	return agent_ask(agent, now, &a, on_reply, NULL);
}

static struct zn_answer success(size_t i, uint8_t octet, time_t expires)
{
	static uint8_t key[32];

	memset(key, octet, sizeof(key));
	return (struct zn_answer){ .flight = sent.flight[i], .code = 2001, .origin_host = bytes_of("bsf"),
				   .origin_realm = bytes_of(sent.realm[i]), .me_key = BYTES(key, 32), .expires = expires,
				   .created = T0 - 10, .gba_type = -1 };
}

static void answer_key(size_t i, uint8_t octet, time_t expires)
{
	struct zn_answer a = success(i, octet, expires);

	agent_answer(agent, now, &a);
}

static void answer_code(size_t i, uint32_t vendor, uint32_t code)
{
	struct zn_answer a = { .flight = sent.flight[i], .code = code, .vendor = vendor, .gba_type = -1,
			       .origin_realm = bytes_of(sent.realm[i]) };

	agent_answer(agent, now, &a);
}

static void answer_nothing(size_t i, enum gba_err err)
{
	struct zn_answer a = { .flight = sent.flight[i], .err = err, .gba_type = -1 };

	agent_answer(agent, now, &a);
}

/* ---- where a B-TID leads ---- */

static const struct {
	const char *name, *btid, *realm, *host;
	enum gba_naf_error refused;
} realm_rows[] = {
	{ "domain below", BTID_A, "epc.one.example", "", GBA_NAF_OK },
	{ "domain itself", RAND_A "@one.example", "epc.one.example", "", GBA_NAF_OK },
	{ "with a host", BTID_2, "epc.two.example", "bsf1.epc.two.example", GBA_NAF_OK },
	{ "longest wins", RAND_A "@bsf.deep.two.example", "other.example", "", GBA_NAF_OK },
	{ "any case", RAND_A "@BSF.One.Example", "epc.one.example", "", GBA_NAF_OK },
	{ "suffix trick", RAND_A "@evilone.example", NULL, NULL, GBA_NAF_E_REALM },
	{ "foreign", RAND_A "@bsf.attacker.example", NULL, NULL, GBA_NAF_E_REALM },
	{ "no B-TID", "hello", NULL, NULL, GBA_NAF_E_BTID_SYNTAX },
	{ "line break", RAND_A "@bsf.one.example\n", NULL, NULL, GBA_NAF_E_BTID_SYNTAX },
};

START_TEST(btid_leads_to_its_operator_only)
{
	struct agent_waiter *waiter = ask(realm_rows[_i].btid, "naf1.example.com");

	ck_assert_msg(got.error == realm_rows[_i].refused, "%s: got %s", realm_rows[_i].name, gba_naf_error_name(got.error));
	ck_assert_int_eq(waiter != NULL, realm_rows[_i].refused == GBA_NAF_OK);
	ck_assert_uint_eq(sent.n, realm_rows[_i].refused == GBA_NAF_OK);
	if (sent.n == 0)
		return;
	ck_assert_str_eq(sent.realm[0], realm_rows[_i].realm);
	ck_assert_str_eq(sent.host[0], realm_rows[_i].host);
	ck_assert_str_eq(sent.naf_id[0], "naf1.example.com");
}
END_TEST

/* ---- the cache ---- */

static const struct {
	const char *name;
	time_t bsf_expires, later;
	enum gba_naf_error second; /* GBA_NAF_OK: from the cache */
	bool asks_again;
} expiry_rows[] = {
	{ "at once", T0 + 600, 0, GBA_NAF_OK, false },
	{ "last second", T0 + 600, 599, GBA_NAF_OK, false },
	{ "expired exactly: its BSF would say so", T0 + 600, 600, GBA_NAF_E_BTID_UNKNOWN, false },
	{ "local limit, last second", T0 + 86400, 3599, GBA_NAF_OK, false },
	{ "local limit reached: asked again", T0 + 86400, 3600, GBA_NAF_OK, true },
	{ "no expiry told: local limit", 0, 3599, GBA_NAF_OK, false },
	{ "no expiry told, limit reached", 0, 3600, GBA_NAF_OK, true },
	{ "era after 2036", 2085978500, 100, GBA_NAF_OK, false },
};

START_TEST(keys_are_used_until_they_expire)
{
	ask(BTID_A, "naf1.example.com");
	answer_key(0, 0xaa, expiry_rows[_i].bsf_expires);
	ck_assert_uint_eq(got.calls, 1);
	ck_assert_int_eq(got.error, GBA_NAF_OK);
	ck_assert_uint_eq(got.first_octet, 0xaa);
	now.now += expiry_rows[_i].later;
	got.first_octet = 0;
	ask(BTID_A, "naf1.example.com");
	ck_assert_msg(sent.n == (expiry_rows[_i].asks_again ? 2 : 1), "%s: %zu requests", expiry_rows[_i].name, sent.n);
	if (expiry_rows[_i].asks_again)
		return;
	ck_assert_uint_eq(got.calls, 2);
	ck_assert_msg(got.error == expiry_rows[_i].second, "%s: %s", expiry_rows[_i].name, gba_naf_error_name(got.error));
	ck_assert_uint_eq(got.first_octet, expiry_rows[_i].second == GBA_NAF_OK ? 0xaa : 0);
}
END_TEST

/* What makes it another key. */
START_TEST(keys_are_told_apart_by_all_that_names_them)
{
	static const uint32_t gsids[] = { 7, 3 }, reversed[] = { 3, 7 };
	static const uint8_t digest[5] = { 1, 0, 0, 0, 2 };
	struct agent_ask a = ask_of(BTID_A, "naf1.example.com");

	conf.zn_window = 16;
	agent_ask(agent, now, &a, on_reply, NULL);
	a.fqdn = bytes_of("naf2.example.com");
	agent_ask(agent, now, &a, on_reply, NULL);
	a.ua_id = digest;
	agent_ask(agent, now, &a, on_reply, NULL);
	a.gsids = gsids;
	a.gsid_count = 2;
	agent_ask(agent, now, &a, on_reply, NULL);
	ck_assert_uint_eq(sent.gsid[3], 7);
	a.gsids = reversed; /* the same set */
	agent_ask(agent, now, &a, on_reply, NULL);
	ck_assert_uint_eq(sent.n, 4);
	a.flags = GBA_NAF_GBA_U_AWARE;
	agent_ask(agent, now, &a, on_reply, NULL);
	ck_assert_uint_eq(sent.n, 5);
	ck_assert(sent.aware[4] && !sent.aware[3]);
	a.btid = bytes_of(BTID_2);
	agent_ask(agent, now, &a, on_reply, NULL);
	ck_assert_uint_eq(sent.n, 6);
}
END_TEST

START_TEST(oldest_unused_key_gives_way)
{
	static const char *const names[] = { "n0.example", "n1.example", "n2.example", "n3.example", "n4.example" };
	size_t i;

	for (i = 0; i < 4; i++) {
		ask(BTID_A, names[i]);
		answer_key(i, (uint8_t)i, T0 + 600);
	}
	ask(BTID_A, names[0]); /* used again: n1 is the oldest now */
	ask(BTID_A, names[4]);
	answer_key(4, 4, T0 + 600);
	got.first_octet = 0xff;
	ask(BTID_A, names[0]);
	ck_assert_uint_eq(sent.n, 5);
	ck_assert_uint_eq(got.first_octet, 0);
	ask(BTID_A, names[1]);
	ck_assert_uint_eq(sent.n, 6);
}
END_TEST

START_TEST(no_cache_asks_again_and_replaces)
{
	struct agent_ask a = ask_of(BTID_A, "naf1.example.com");

	ask(BTID_A, "naf1.example.com");
	answer_key(0, 1, T0 + 600);
	a.flags = GBA_NAF_NO_CACHE;
	agent_ask(agent, now, &a, on_reply, NULL);
	ck_assert_uint_eq(sent.n, 2);
	answer_key(1, 2, T0 + 600);
	ask(BTID_A, "naf1.example.com");
	ck_assert_uint_eq(sent.n, 2);
	ck_assert_uint_eq(got.first_octet, 2);
}
END_TEST

/* The BSF's time or our own limit (key-lifetime-max: 3600 s), whichever ends first. REQ: OBF-11.2-2, OBF-11.2-3 */
START_TEST(the_shorter_of_two_lifetimes_counts)
{
	static const struct {
		time_t bsf, want;
		enum gba_naf_error then;
	} lives[] = { { T0 + 7200, T0 + 3600, GBA_NAF_OK }, { T0 + 600, T0 + 600, GBA_NAF_E_BTID_UNKNOWN },
		      { T0 + 3600, T0 + 3600, GBA_NAF_E_BTID_UNKNOWN }, { 0, T0 + 3600, GBA_NAF_OK } };

	ask(BTID_A, "naf1.example.com");
	answer_key(0, 1, lives[_i].bsf);
	ck_assert_int_eq(got.expires, lives[_i].want);
	now.now = lives[_i].want - 1;
	ask(BTID_A, "naf1.example.com");
	ck_assert_int_eq(got.error, GBA_NAF_OK);
	ck_assert_uint_eq(sent.n, 1);
	now.now = lives[_i].want; /* by our limit: ask again; by the BSF's: there is nothing to ask */
	ask(BTID_A, "naf1.example.com");
	ck_assert_uint_eq(sent.n, lives[_i].then == GBA_NAF_OK ? 2 : 1);
	if (lives[_i].then != GBA_NAF_OK)
		ck_assert_int_eq(got.error, lives[_i].then);
}
END_TEST

/* ---- joining, time, queue ---- */

START_TEST(simultaneous_requests_share_one_bir)
{
	size_t i;

	for (i = 0; i < 50; i++)
		ck_assert_ptr_nonnull(ask(BTID_A, "naf1.example.com"));
	ck_assert_uint_eq(sent.n, 1);
	ck_assert_uint_eq(got.calls, 0);
	answer_key(0, 0x11, T0 + 600);
	ck_assert_uint_eq(got.calls, 50);
	ck_assert_uint_eq(got.first_octet, 0x11);
}
END_TEST

START_TEST(forgotten_and_late_requests_are_not_called_back)
{
	struct agent_waiter *first = ask(BTID_A, "naf1.example.com");
	struct agent_ask a = ask_of(BTID_A, "naf1.example.com");

	a.timeout_ms = 100;
	agent_ask(agent, now, &a, on_reply, NULL);
	ck_assert_int_eq(agent_next(agent, now), 100);
	agent_forget(first);
	ck_assert_int_eq(agent_next(agent, now), 100);
	now.ms += 100;
	agent_tick(agent, now);
	ck_assert_uint_eq(got.calls, 1);
	ck_assert_int_eq(got.error, GBA_NAF_E_TIMEOUT);
	ck_assert_int_eq(agent_next(agent, now), -1);
	answer_key(0, 0x22, T0 + 600); /* nobody waits, but the key is worth keeping */
	ck_assert_uint_eq(got.calls, 1);
	ask(BTID_A, "naf1.example.com");
	ck_assert_uint_eq(sent.n, 1);
	ck_assert_uint_eq(got.first_octet, 0x22);
	answer_key(0, 0x33, T0 + 600); /* an answer twice */
	ck_assert_uint_eq(got.calls, 2);
}
END_TEST

START_TEST(window_and_queue_are_bounded)
{
	ask(BTID_A, "n0.example");
	ask(BTID_A, "n1.example");
	agent_forget(ask(BTID_A, "n2.example")); /* in the queue, and given up there */
	ck_assert_ptr_nonnull(ask(BTID_A, "n3.example"));
	ck_assert_uint_eq(sent.n, 2);
	ck_assert_ptr_null(ask(BTID_A, "n4.example"));
	ck_assert_int_eq(got.error, GBA_NAF_E_BUSY);
	answer_key(0, 1, T0 + 600);
	ck_assert_uint_eq(sent.n, 3);
	ck_assert_str_eq(sent.naf_id[2], "n3.example");
}
END_TEST

START_TEST(bsf_down_is_told_quickly_and_cached_keys_live_on)
{
	ask(BTID_A, "naf1.example.com");
	answer_key(0, 0x44, T0 + 600);
	sent.refuse = GBA_E_UNREACHABLE;
	ask(BTID_B, "naf1.example.com");
	ck_assert_int_eq(got.error, GBA_NAF_E_UNREACHABLE);
	ask(BTID_A, "naf1.example.com");
	ck_assert_int_eq(got.error, GBA_NAF_OK);
	sent.refuse = GBA_OK;
	ask(BTID_B, "naf1.example.com"); /* not remembered against the B-TID */
	ck_assert_uint_eq(sent.n, 2);
	answer_nothing(1, GBA_E_UNREACHABLE);
	ck_assert_int_eq(got.error, GBA_NAF_E_UNREACHABLE);
}
END_TEST

START_TEST(silent_operator_is_tried_by_one_at_a_time)
{
	size_t i;

	for (i = 0; i < 3; i++) {
		ask(BTID_B, "naf1.example.com");
		answer_nothing(i, GBA_E_TIMEOUT);
		ck_assert_int_eq(got.error, GBA_NAF_E_TIMEOUT);
	}
	ask(BTID_B, "naf1.example.com");
	ck_assert_int_eq(got.error, GBA_NAF_E_UNREACHABLE);
	ck_assert_uint_eq(sent.n, 3);
	ask(BTID_2, "naf1.example.com"); /* another operator's are not concerned */
	ck_assert_uint_eq(sent.n, 4);
	now.ms += 1000;
	ask(BTID_B, "naf1.example.com");
	ck_assert_uint_eq(sent.n, 5);
	ask(BTID_A, "naf1.example.com");
	ck_assert_uint_eq(sent.n, 5);
	answer_key(4, 1, T0 + 600);
	answer_key(3, 1, T0 + 600);
	ask(BTID_A, "naf1.example.com");
	ck_assert_uint_eq(sent.n, 6);
}
END_TEST

/* ---- refusals ---- */

static const struct {
	uint32_t vendor, code;
	enum gba_naf_error error;
	bool kept, kept_for_all_names;
} result_rows[] = {
	{ 10415, 5403, GBA_NAF_E_BTID_UNKNOWN, true, true },
	{ 10415, 5402, GBA_NAF_E_NOT_AUTHORIZED, true, false },
	{ 10415, 5401, GBA_NAF_E_PEER, false, false },
	{ 0, 5403, GBA_NAF_E_PEER, false, false }, /* not 3GPP's */
	{ 0, 3002, GBA_NAF_E_UNREACHABLE, false, false },
	{ 0, 3003, GBA_NAF_E_UNREACHABLE, false, false },
	{ 0, 3004, GBA_NAF_E_BUSY, false, false },
	{ 0, 5012, GBA_NAF_E_PEER, false, false },
	{ 0, 0, GBA_NAF_E_PEER, false, false },
};

START_TEST(results_have_their_meaning_and_refusals_are_kept_briefly)
{
	ask(BTID_A, "naf1.example.com");
	answer_code(0, result_rows[_i].vendor, result_rows[_i].code);
	ck_assert_msg(got.error == result_rows[_i].error, "%u: %s", result_rows[_i].code, gba_naf_error_name(got.error));
	ask(BTID_A, "naf1.example.com");
	ck_assert_uint_eq(sent.n, result_rows[_i].kept ? 1 : 2);
	if (!result_rows[_i].kept)
		return;
	ck_assert_int_eq(got.error, result_rows[_i].error);
	ask(BTID_A, "naf2.example.com");
	ck_assert_uint_eq(sent.n, result_rows[_i].kept_for_all_names ? 1 : 2);
	now.now += 5;
	ask(BTID_A, "naf1.example.com");
	ck_assert_uint_eq(sent.n, result_rows[_i].kept_for_all_names ? 2 : 3);
}
END_TEST

START_TEST(only_the_operator_itself_may_answer)
{
	struct zn_answer a;

	ask(BTID_A, "naf1.example.com");
	a = success(0, 1, T0 + 600);
	a.origin_realm = bytes_of("epc.two.example");
	agent_answer(agent, now, &a);
	ck_assert_int_eq(got.error, GBA_NAF_E_PEER);
	ask(BTID_A, "naf1.example.com");
	ck_assert_uint_eq(sent.n, 2);
	a = (struct zn_answer){ .flight = sent.flight[1], .code = 5403, .vendor = 10415, .gba_type = -1,
				.origin_realm = bytes_of("attacker.example") };
	agent_answer(agent, now, &a);
	ck_assert_int_eq(got.error, GBA_NAF_E_PEER);
	ask(BTID_A, "naf1.example.com"); /* and nothing was remembered of it */
	ck_assert_uint_eq(sent.n, 3);
	a = success(2, 1, T0 + 600);
	a.origin_realm = bytes_of("EPC.One.Example");
	agent_answer(agent, now, &a);
	ck_assert_int_eq(got.error, GBA_NAF_OK);
}
END_TEST

static const uint8_t octets[64];
static const struct {
	const char *name;
	size_t key, int_key; /* [octets] 99: absent */
	time_t expires;
	const char *impi, *uss;
	int32_t type;
	bool no_2g;
	enum gba_naf_error want;
} bia_rows[] = {
	{ "all there", 32, 32, T0 + 9, "a@b.example", "<ussList/>", 0, false, GBA_NAF_OK },
	{ "only the key", 32, 99, 0, NULL, NULL, -1, false, GBA_NAF_OK },
	{ "no key", 99, 99, T0 + 9, NULL, NULL, -1, false, GBA_NAF_E_PEER },
	{ "key of 31", 31, 99, T0 + 9, NULL, NULL, -1, false, GBA_NAF_E_PEER },
	{ "key of 33", 33, 99, T0 + 9, NULL, NULL, -1, false, GBA_NAF_E_PEER },
	{ "empty key", 0, 99, T0 + 9, NULL, NULL, -1, false, GBA_NAF_E_PEER },
	{ "int key of 16", 32, 16, T0 + 9, NULL, NULL, -1, false, GBA_NAF_E_PEER },
	{ "expired now", 32, 99, T0, NULL, NULL, -1, false, GBA_NAF_E_BTID_UNKNOWN },
	{ "expired long ago", 32, 99, T0 - 3600, NULL, NULL, -1, false, GBA_NAF_E_PEER },
	{ "no IMPI", 32, 99, T0 + 9, "two words@b", NULL, -1, false, GBA_NAF_E_PEER },
	{ "no XML", 32, 99, T0 + 9, NULL, "<ussList>", -1, false, GBA_NAF_E_PEER },
	{ "2G accepted", 32, 99, T0 + 9, NULL, NULL, 1, false, GBA_NAF_OK },
	{ "2G not accepted", 32, 99, T0 + 9, NULL, NULL, 1, true, GBA_NAF_E_PEER },
	{ "unknown type", 32, 99, T0 + 9, NULL, NULL, 3, false, GBA_NAF_E_PEER },
};

START_TEST(answers_are_checked)
{
	struct zn_answer a;

	conf.accept_2g = !bia_rows[_i].no_2g;
	ask(BTID_A, "naf1.example.com");
	a = success(0, 1, bia_rows[_i].expires);
	a.me_key = bia_rows[_i].key == 99 ? BYTES_NONE : BYTES(octets, bia_rows[_i].key);
	a.uicc_key = bia_rows[_i].int_key == 99 ? BYTES_NONE : BYTES(octets, bia_rows[_i].int_key);
	a.impi = bytes_of(bia_rows[_i].impi);
	a.uss = bytes_of(bia_rows[_i].uss);
	a.gba_type = bia_rows[_i].type;
	agent_answer(agent, now, &a);
	ck_assert_msg(got.error == bia_rows[_i].want, "%s: %s", bia_rows[_i].name, gba_naf_error_name(got.error));
	ask(BTID_A, "naf1.example.com"); /* a bad one is not kept, and not held against the B-TID */
	ck_assert_uint_eq(sent.n, bia_rows[_i].want == GBA_NAF_E_PEER ? 2 : 1);
}
END_TEST

START_TEST(needed_int_key_is_not_replaced_by_the_other)
{
	struct agent_ask a = ask_of(BTID_A, "naf1.example.com");

	a.flags = GBA_NAF_NEED_INT_KEY;
	agent_ask(agent, now, &a, on_reply, NULL);
	ck_assert(sent.aware[0]);
	answer_key(0, 1, T0 + 600);
	ck_assert_int_eq(got.error, GBA_NAF_E_NO_INT_KEY);
	agent_ask(agent, now, &a, on_reply, NULL); /* from the cache now */
	ck_assert_uint_eq(sent.n, 1);
	ck_assert_int_eq(got.error, GBA_NAF_E_NO_INT_KEY);
}
END_TEST

/* ---- made-up B-TIDs ---- */

static void ask_from(unsigned int device, const char *source)
{
	struct agent_ask a;
	char btid[64];

	snprintf(btid, sizeof(btid), "%021uA==@bsf.one.example", device); /* any 16 octets */
	a = ask_of(btid, "naf1.example.com");
	a.source = bytes_of(source);
	agent_ask(agent, now, &a, on_reply, NULL);
}

static void ask_unknown(unsigned int i, const char *source)
{
	size_t before = sent.n;

	ask_from(i, source);
	if (sent.n > before)
		answer_code(before, 10415, 5403);
}

START_TEST(made_up_btids_cause_a_bounded_number_of_requests)
{
	unsigned int i;

	conf.unknown_burst = 100;
	agent_restart();
	for (i = 0; i < 1000; i++)
		ask_unknown(i, "192.0.2.1");
	ck_assert_uint_eq(sent.n, 100);
	ck_assert_int_eq(got.error, GBA_NAF_E_BUSY);
	ask_unknown(1000, "192.0.2.2"); /* others are not hurt */
	ck_assert_uint_eq(sent.n, 101);
	now.ms += 1000; /* 60 a minute */
	ask_unknown(1001, "192.0.2.1");
	ask_unknown(1002, "192.0.2.1");
	ck_assert_uint_eq(sent.n, 102);
}
END_TEST

/* zn-rate: a tenth of a second's worth at once, then evenly, from however many addresses. */
START_TEST(all_together_are_bounded)
{
	char source[32];
	unsigned int i;

	conf.zn_rate = 100;
	conf.zn_window = 400;
	conf.zn_queue = 400;
	agent_restart();
	for (i = 0; i < 300; i++) {
		snprintf(source, sizeof(source), "192.0.%u.%u", i / 200, i % 200);
		ask_from(i, source);
	}
	ck_assert_uint_eq(sent.n, 11);
	ck_assert_int_eq(agent_next(agent, now), 10);
	now.ms += 10;
	agent_tick(agent, now);
	ck_assert_uint_eq(sent.n, 12);
	now.ms += 1000;
	agent_tick(agent, now);
	ck_assert_uint_eq(sent.n, 23); /* nothing is saved up beyond a tenth of a second */
}
END_TEST

/* Who asked for something unknown waits behind who did not, and in a queue of its own. */
START_TEST(doubted_addresses_wait_behind_the_others)
{
	unsigned int i;

	conf.zn_window = 1;
	conf.zn_queue = 5;
	agent_restart();
	ask_unknown(1, "192.0.2.66");
	ck_assert_uint_eq(sent.n, 1);
	ask_from(2, "192.0.2.1"); /* fills the window */
	for (i = 10; i < 20; i++)
		ask_from(i, "192.0.2.66");
	ck_assert_int_eq(got.error, GBA_NAF_E_BUSY);
	ck_assert_uint_eq(got.calls, 1 + 5);
	ask(BTID_A, "honest.example");
	ck_assert_uint_eq(got.calls, 1 + 5);
	answer_key(1, 1, T0 + 600);
	ck_assert_uint_eq(sent.n, 3);
	ck_assert_str_eq(sent.naf_id[2], "honest.example");
}
END_TEST

START_TEST(known_btids_are_not_limited)
{
	char name[32];
	size_t i;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "n%zu.example", i);
		ask(BTID_A, name);
		answer_key(i, 1, T0 + 600);
		ck_assert_int_eq(got.error, GBA_NAF_OK);
	}
}
END_TEST

static const struct {
	const char *a, *b;
	bool same;
} source_rows[] = {
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.2", false },
	{ "2001:db8::1", "2001:db8::ffff:1", true }, /* one /64: one customer */
	{ "2001:db8::1", "2001:db8:0:1::1", false },
	{ "::ffff:192.0.2.1", "::ffff:192.0.2.2", false },
	{ "", "", true },
};

START_TEST(sources_are_customers)
{
	struct sources *sources = sources_new(test_ctx, 1, 1);

	sources_begin(sources, bytes_of(source_rows[_i].a), 0);
	sources_done(sources, bytes_of(source_rows[_i].a), true, 0);
	ck_assert_int_eq(sources_allow(sources, bytes_of(source_rows[_i].b), 0), !source_rows[_i].same);
	ck_assert(!sources_allow(sources, bytes_of(source_rows[_i].a), 59999));
	ck_assert(sources_allow(sources, bytes_of(source_rows[_i].a), 60000));
	talloc_free(sources);
}
END_TEST

START_TEST(burst_under_way_cannot_overdraw)
{
	struct sources *sources = sources_new(test_ctx, 10, 1);
	struct bytes who = bytes_of("192.0.2.1");
	size_t under_way = 0, i;

	for (i = 0; i < 6; i++) {
		sources_begin(sources, who, 0);
		sources_done(sources, who, true, 0);
	}
	while (under_way < 100 && sources_allow(sources, who, 0)) {
		sources_begin(sources, who, 0);
		under_way++;
	}
	ck_assert_uint_eq(under_way, 4);
	talloc_free(sources);
}
END_TEST

/* ---- who may ask for what ---- */

static const char *fqdns_a[] = { "naf1.example.com", "*.apps.example.com" }, *fqdns_b[] = { "naf2.example.com" };
static struct client_conf clients[] = {
	{ "a", "", "", { fqdns_a, 2 }, 1000, -1 },
	{ "b", "", "", { fqdns_b, 1 }, -1, 50 },
};
static gid_t further[] = { 7, 50 };
static const struct {
	const char *fqdn;
	struct client_peer peer;
	const char *client;
} client_rows[] = {
	{ "naf1.example.com", { 1000, 1000, 1, NULL, 0 }, "a" },
	{ "NAF1.Example.com", { 1000, 1000, 1, NULL, 0 }, "a" },
	{ "naf1.example.com", { 1001, 1000, 1, NULL, 0 }, NULL },
	{ "naf1.example.com", { 0, 0, 1, NULL, 0 }, NULL }, /* root is nobody special */
	{ "x.apps.example.com", { 1000, 1000, 1, NULL, 0 }, "a" },
	{ "apps.example.com", { 1000, 1000, 1, NULL, 0 }, NULL },
	{ "xapps.example.com", { 1000, 1000, 1, NULL, 0 }, NULL },
	{ "naf2.example.com", { 1000, 1000, 1, NULL, 0 }, NULL },
	{ "naf2.example.com", { 1001, 50, 1, NULL, 0 }, "b" },
	{ "naf2.example.com", { 1001, 51, 1, further, 2 }, "b" },
	{ "naf2.example.com", { 1001, 51, 1, further, 1 }, NULL },
};

START_TEST(applications_get_their_own_names_only)
{
	struct conf_groups groups = { clients, 2 };
	const struct client_conf *found = client_find(&groups, &client_rows[_i].peer, bytes_of(client_rows[_i].fqdn));

	ck_assert_msg((found != NULL) == (client_rows[_i].client != NULL), "row %d", _i);
	if (found != NULL)
		ck_assert_str_eq(found->name, client_rows[_i].client);
}
END_TEST

static struct agent_waiter *ask_until(const char *btid, time_t until)
{
	struct agent_ask a = ask_of(btid, "naf1.example.com");

	a.until = until;
	return agent_ask(agent, now, &a, on_reply, NULL);
}

START_TEST(limits_of_applications_are_kept)
{
	uint8_t digest[KEY_DIGEST_LEN], want[KEY_DIGEST_LEN];
	struct bytes fqdn;

	ask(BTID_A, "naf1.example.com");
	answer_key(0, 1, T0 + 1000);
	ask_until(BTID_A, T0 + 50);
	ck_assert_int_eq(got.error, GBA_NAF_OK);
	ck_assert_int_eq(agent_limit(agent, bytes_of(BTID_A), bytes_of("naf1.example.com")), T0 + 50);
	ask_until(BTID_A, T0 + 60); /* further away: nothing */
	ck_assert_int_eq(agent_limit(agent, bytes_of(BTID_A), bytes_of("naf1.example.com")), T0 + 50);
	ck_assert_int_eq(agent_limit(agent, bytes_of(BTID_A), bytes_of("naf2.example.com")), 0);
	ck_assert_int_eq(agent_limit(agent, bytes_of(BTID_2), bytes_of("naf1.example.com")), 0);
	ck_assert_int_eq(agent_next(agent, now), 50000);
	ck_assert(!agent_limit_reached(agent, now, digest, &fqdn));
	now.now += 50;
	ck_assert_int_eq(agent_next(agent, now), 0);
	ck_assert(agent_limit_reached(agent, now, digest, &fqdn));
	key_digest(bytes_of(BTID_A), want);
	ck_assert_mem_eq(digest, want, KEY_DIGEST_LEN);
	ck_assert(bytes_eq_str(fqdn, "naf1.example.com"));
	ck_assert(!agent_limit_reached(agent, now, digest, &fqdn)); /* each once */
	ck_assert_int_eq(agent_next(agent, now), -1);
	ask(BTID_A, "naf1.example.com");
	ck_assert_int_eq(got.error, GBA_NAF_E_BTID_UNKNOWN);
	ask_until(BTID_A, T0 + 5000); /* what has ended stays so */
	ck_assert_int_eq(got.error, GBA_NAF_E_BTID_UNKNOWN);
	ck_assert_uint_eq(sent.n, 1);
}
END_TEST

START_TEST(limits_are_bounded_in_number)
{
	static const char letters[] = "ABCDEF";
	char btid[6][64];
	size_t i;

	for (i = 0; i < 6; i++) {
		snprintf(btid[i], sizeof(btid[i]), "%cAAAAAAAAAAAAAAAAAAAAA==@bsf.one.example", letters[i]);
		ask_until(btid[i], T0 + 10 - (time_t)i);
	}
	for (i = 0; i < 6; i++) /* negative_entries is 4: the oldest two have gone */
		ck_assert_int_eq(agent_limit(agent, bytes_of(btid[i]), bytes_of("naf1.example.com")), i < 2 ? 0 : T0 + 10 - (time_t)i);
	ck_assert_int_eq(agent_next(agent, now), 3000); /* the time of those who wait for the BSF is the nearer one */
}
END_TEST

static void agent_teardown(void)
{
	talloc_free(agent);
	agent = NULL;
}

int main(void)
{
	Suite *suite = suite_create("naf agent");
	TCase *tc = fixture_tcase("agent");

	tcase_add_checked_fixture(tc, agent_setup, agent_teardown);
	tcase_add_loop_test(tc, btid_leads_to_its_operator_only, 0, ROWS(realm_rows));
	tcase_add_loop_test(tc, keys_are_used_until_they_expire, 0, ROWS(expiry_rows));
	tcase_add_test(tc, keys_are_told_apart_by_all_that_names_them);
	tcase_add_test(tc, oldest_unused_key_gives_way);
	tcase_add_test(tc, no_cache_asks_again_and_replaces);
	tcase_add_loop_test(tc, the_shorter_of_two_lifetimes_counts, 0, 4);
	tcase_add_test(tc, simultaneous_requests_share_one_bir);
	tcase_add_test(tc, forgotten_and_late_requests_are_not_called_back);
	tcase_add_test(tc, window_and_queue_are_bounded);
	tcase_add_test(tc, bsf_down_is_told_quickly_and_cached_keys_live_on);
	tcase_add_test(tc, silent_operator_is_tried_by_one_at_a_time);
	tcase_add_loop_test(tc, results_have_their_meaning_and_refusals_are_kept_briefly, 0, ROWS(result_rows));
	tcase_add_test(tc, only_the_operator_itself_may_answer);
	tcase_add_loop_test(tc, answers_are_checked, 0, ROWS(bia_rows));
	tcase_add_test(tc, needed_int_key_is_not_replaced_by_the_other);
	tcase_add_test(tc, made_up_btids_cause_a_bounded_number_of_requests);
	tcase_add_test(tc, all_together_are_bounded);
	tcase_add_test(tc, doubted_addresses_wait_behind_the_others);
	tcase_add_test(tc, known_btids_are_not_limited);
	tcase_add_loop_test(tc, sources_are_customers, 0, ROWS(source_rows));
	tcase_add_test(tc, burst_under_way_cannot_overdraw);
	tcase_add_test(tc, limits_of_applications_are_kept);
	tcase_add_test(tc, limits_are_bounded_in_number);
	tcase_add_loop_test(tc, applications_get_their_own_names_only, 0, ROWS(client_rows));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
