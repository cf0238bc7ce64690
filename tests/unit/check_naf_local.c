/* SPDX-License-Identifier: Apache-2.0 */
/* libgba-naf against the agent's socket: threads, time, ends of connections, and octets that are no frames. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fixture.h"
#include "core/clock.h"
#include "core/codec.h"
#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/libnaf/wire.h"
#include "unit/naf_host.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
#define NAF "naf1.example.com"

static struct host *host;
static struct gba_naf *naf;

static void setup(void)
{
	host = host_new(getuid());
	ck_assert_int_eq(gba_naf_open(host_socket(host), &naf), GBA_NAF_OK);
}

static void teardown(void)
{
	gba_naf_close(naf);
	naf = NULL;
	host_free(host);
}

static struct gba_naf_query query_of(const char *btid)
{
	struct gba_naf_query q = GBA_NAF_QUERY_INIT;

	q.btid = btid;
	q.btid_len = strlen(btid);
	q.fqdn = NAF;
	q.timeout_ms = 30000; /* the machine may stand still meanwhile */
	gba_naf_ua_id_tls13_psk(q.ua_id);
	return q;
}

/* ---- one key ---- */

START_TEST(key_comes_with_all_that_belongs_to_it)
{
	const char *btid = host_btid(DOES_ANSWER, 1);
	struct gba_naf_query q = query_of(btid);
	struct gba_naf_result *r = NULL;
	uint32_t gsids[] = { 1000 }, flag = 0;
	uint8_t want[32];

	q.gsids = gsids;
	q.gsid_count = 1;
	q.fqdn = "NAF1.example.COM";
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_OK);
	host_key(btid, NAF, q.ua_id, 0, want);
	ck_assert_mem_eq(gba_naf_result_key(r), want, 32);
	ck_assert_ptr_null(gba_naf_result_int_key(r));
	ck_assert_str_eq(gba_naf_result_btid(r), btid);
	ck_assert_str_eq(gba_naf_result_fqdn(r), NAF);
	ck_assert_str_eq(gba_naf_result_impi(r), HOST_IMPI);
	ck_assert_int_le(labs((long)(gba_naf_result_expiry(r) - time(NULL) - HOST_LIFE)), 60);
	ck_assert_int_le(labs((long)(gba_naf_result_created(r) - time(NULL) + 5)), 60);
	ck_assert_int_eq(gba_naf_result_type(r), GBA_NAF_TYPE_3G);
	ck_assert_ptr_nonnull(strstr(gba_naf_result_uss_xml(r), "<uid>tel:+1</uid>"));
	ck_assert_uint_eq(gba_naf_result_uss_count(r), 1);
	ck_assert_uint_eq(gba_naf_result_uss_gsid(r, 0), 1000);
	ck_assert_str_eq(gba_naf_result_uid(r, 1000, 1), "tel:+1");
	ck_assert_ptr_null(gba_naf_result_uid(r, 1000, 2));
	ck_assert_ptr_null(gba_naf_result_uid(r, 1001, 0));
	ck_assert_int_eq(gba_naf_result_flag(r, 1000, 7), 1);
	ck_assert_int_eq(gba_naf_result_flag(r, 1000, 8), 0);
	ck_assert_int_eq(gba_naf_result_flag_at(r, 1000, 0, &flag), 1);
	ck_assert_uint_eq(flag, 7);
	ck_assert_ptr_eq(gba_naf_result_ref(r), r);
	gba_naf_result_free(r);
	ck_assert_mem_eq(gba_naf_result_key(r), want, 32);
	gba_naf_result_free(r);
}
END_TEST

static const struct {
	const char *name, *fqdn;
	char does;
	unsigned int flags;
	enum gba_naf_error want;
} get_rows[] = {
	{ "good", NAF, DOES_ANSWER, 0, GBA_NAF_OK },
	{ "below a domain of ours", "x.apps.example.com", DOES_ANSWER, 0, GBA_NAF_OK },
	{ "unknown", NAF, DOES_UNKNOWN, 0, GBA_NAF_E_BTID_UNKNOWN },
	{ "refused by the BSF", NAF, DOES_REFUSE, 0, GBA_NAF_E_NOT_AUTHORIZED },
	{ "foreign name", "naf2.example.com", DOES_ANSWER, 0, GBA_NAF_E_DENIED },
	{ "no name", "not a name", DOES_ANSWER, 0, GBA_NAF_E_ARGUMENT },
	{ "no answer", NAF, DOES_NOTHING, 0, GBA_NAF_E_TIMEOUT },
	{ "UICC key there", NAF, DOES_INT, GBA_NAF_NEED_INT_KEY, GBA_NAF_OK },
	{ "UICC key not there", NAF, DOES_ANSWER, GBA_NAF_NEED_INT_KEY, GBA_NAF_E_NO_INT_KEY },
};

START_TEST(every_outcome_reaches_the_application)
{
	struct gba_naf_query q = query_of(host_btid(get_rows[_i].does, 2));
	struct gba_naf_result *r = NULL;
	enum gba_naf_error got;
	uint8_t want[32];

	q.fqdn = get_rows[_i].fqdn;
	q.flags = get_rows[_i].flags;
	if (get_rows[_i].does == DOES_NOTHING)
		q.timeout_ms = 200;
	got = gba_naf_get(naf, &q, &r);
	ck_assert_msg(got == get_rows[_i].want, "%s: %s", get_rows[_i].name, gba_naf_error_name(got));
	ck_assert_int_eq(r != NULL, got == GBA_NAF_OK);
	if (get_rows[_i].does == DOES_INT) {
		host_key(q.btid, NAF, q.ua_id, 1, want);
		ck_assert_mem_eq(gba_naf_result_int_key(r), want, 32);
	}
	gba_naf_result_free(r);
}
END_TEST

START_TEST(queries_that_cannot_be_asked)
{
	struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, 3));
	struct gba_naf_result *r = NULL;
	uint32_t gsids[17] = { 0 };

	q.btid = "no B-TID";
	q.btid_len = 8;
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_E_BTID_SYNTAX);
	q = query_of(host_btid(DOES_ANSWER, 3));
	q.gsids = gsids;
	q.gsid_count = 17;
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_E_ARGUMENT);
	q = query_of(host_btid(DOES_ANSWER, 3));
	q.timeout_ms = 60001;
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_E_ARGUMENT);
	q = query_of(host_btid(DOES_ANSWER, 3));
	q.size = 8;
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_E_ARGUMENT);
	q.size = offsetof(struct gba_naf_query, source); /* an application older than that member */
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_OK);
	gba_naf_result_free(r);
	ck_assert_uint_eq(host_asked(host), 1);
}
END_TEST

START_TEST(made_up_btids_stop_at_the_agent)
{
	struct gba_naf_result *r = NULL;
	uint64_t began = clock_mono_ms();
	unsigned int i, busy = 0;

	for (i = 0; i < 300; i++) {
		struct gba_naf_query q = query_of(host_btid(DOES_UNKNOWN, i));

		q.source = "192.0.2.9";
		busy += gba_naf_get(naf, &q, &r) == GBA_NAF_E_BUSY;
	}
	ck_assert_uint_eq(busy, 300 - host_asked(host));
	ck_assert_uint_le(host_asked(host), 101 + (clock_mono_ms() - began) / 1000); /* 100 at once, 60 a minute */
}
END_TEST

/* ---- many at a time ---- */

static struct {
	size_t calls[GBA_NAF_E_SYSTEM + 1];
	size_t wrong;
} seen;

static void count(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	seen.calls[error]++;
	if (arg != NULL && result != NULL && strcmp(gba_naf_result_btid(result), arg) != 0)
		seen.wrong++;
	gba_naf_result_free(result);
}

static void run_until(size_t calls, int ms)
{
	struct pollfd pfd = { .fd = gba_naf_fd(naf), .events = POLLIN };
	size_t i, n = 0;

	while (n < calls && poll(&pfd, 1, ms) > 0) {
		gba_naf_process(naf);
		for (i = n = 0; i <= GBA_NAF_E_SYSTEM; i++)
			n += seen.calls[i];
	}
}

START_TEST(thousands_wait_on_one_connection)
{
	enum { MANY = 5000 };
	static char btids[MANY][64];
	size_t i;

	memset(&seen, 0, sizeof(seen));
	for (i = 0; i < MANY; i++) {
		struct gba_naf_query q;

		snprintf(btids[i], sizeof(btids[i]), "%s", host_btid(i % 2 ? DOES_ANSWER : DOES_LATE, (unsigned int)i));
		q = query_of(btids[i]);
		q.timeout_ms = 30000;
		ck_assert_int_eq(gba_naf_ask(naf, &q, count, btids[i], NULL), GBA_NAF_OK);
	}
	ck_assert_uint_eq(seen.calls[GBA_NAF_OK], 0); /* never from inside gba_naf_ask() */
	run_until(MANY, 30000);
	ck_assert_uint_eq(seen.calls[GBA_NAF_OK], MANY);
	ck_assert_uint_eq(seen.wrong, 0);
}
END_TEST

START_TEST(time_outs_and_cancellations_end_requests)
{
	struct gba_naf_query q = query_of(host_btid(DOES_NOTHING, 1));
	struct gba_naf_request *cancelled;
	size_t i;

	memset(&seen, 0, sizeof(seen));
	for (i = 0; i < 10; i++) {
		q.timeout_ms = i % 2 ? 40 : 30;
		ck_assert_int_eq(gba_naf_ask(naf, &q, count, NULL, NULL), GBA_NAF_OK);
	}
	q.timeout_ms = 10;
	ck_assert_int_eq(gba_naf_ask(naf, &q, count, NULL, &cancelled), GBA_NAF_OK);
	gba_naf_cancel(cancelled);
	run_until(10, 30000);
	ck_assert_uint_eq(seen.calls[GBA_NAF_E_TIMEOUT], 10);
	run_until(11, 50);
	ck_assert_uint_eq(seen.calls[GBA_NAF_E_TIMEOUT], 10);
}
END_TEST

static void ask_again(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, 77));

	count(NULL, error, result);
	ck_assert_int_eq(gba_naf_ask(arg, &q, count, NULL, NULL), GBA_NAF_OK);
}

/* The agent has asked its BSF so often. */
static void wait_asked(size_t times)
{
	struct pollfd pfd = { .fd = gba_naf_fd(naf), .events = POLLIN };
	int left;

	for (left = 3000; left > 0 && host_asked(host) < times; left--) {
		if (poll(&pfd, 1, 10) > 0)
			gba_naf_process(naf);
	}
	ck_assert_uint_eq(host_asked(host), times);
}

START_TEST(what_was_asked_is_asked_again_when_the_agent_is_back)
{
	char *btid = strdup(host_btid(DOES_SECOND, 1));
	struct gba_naf_query q = query_of(btid);

	memset(&seen, 0, sizeof(seen));
	q.timeout_ms = 60000;
	ck_assert_int_eq(gba_naf_ask(naf, &q, count, btid, NULL), GBA_NAF_OK);
	wait_asked(1);
	host_stop(host);
	host_start(host);
	run_until(1, 30000);
	ck_assert_uint_eq(seen.calls[GBA_NAF_OK], 1);
	ck_assert_uint_eq(seen.wrong, 0);
	ck_assert_uint_eq(host_asked(host), 2);
	free(btid);
}
END_TEST

START_TEST(but_only_once)
{
	struct gba_naf_query q = query_of(host_btid(DOES_NOTHING, 1));

	memset(&seen, 0, sizeof(seen));
	q.timeout_ms = 60000;
	ck_assert_int_eq(gba_naf_ask(naf, &q, count, NULL, NULL), GBA_NAF_OK);
	wait_asked(1);
	host_stop(host);
	host_start(host);
	wait_asked(2);
	host_stop(host);
	run_until(1, 30000);
	ck_assert_uint_eq(seen.calls[GBA_NAF_E_NO_AGENT], 1);
}
END_TEST

START_TEST(lost_questions_can_be_cancelled)
{
	struct gba_naf_query q = query_of(host_btid(DOES_NOTHING, 1));
	struct gba_naf_request *requests[3];
	size_t i;

	memset(&seen, 0, sizeof(seen));
	q.timeout_ms = 60000;
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(gba_naf_ask(naf, &q, count, NULL, &requests[i]), GBA_NAF_OK);
	wait_asked(1);
	host_stop(host);
	gba_naf_process(naf); /* it is noticed here */
	gba_naf_cancel(requests[1]);
	host_start(host);
	wait_asked(2); /* the two that are left are one request */
	gba_naf_cancel(requests[0]);
	host_stop(host);
	run_until(1, 30000);
	ck_assert_uint_eq(seen.calls[GBA_NAF_E_NO_AGENT], 1);
}
END_TEST

START_TEST(agent_may_go_and_come_back)
{
	struct gba_naf_query q = query_of(host_btid(DOES_NOTHING, 1));
	int fd = gba_naf_fd(naf);
	size_t i;

	memset(&seen, 0, sizeof(seen));
	q.timeout_ms = 300; /* for an agent that does not come back so soon */
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(gba_naf_ask(naf, &q, count, NULL, NULL), GBA_NAF_OK);
	host_stop(host);
	run_until(5, 30000);
	ck_assert_uint_eq(seen.calls[GBA_NAF_E_NO_AGENT], 5);
	ck_assert_int_eq(gba_naf_ask(naf, &q, count, NULL, NULL), GBA_NAF_E_NO_AGENT);
	host_start(host);
	q = query_of(host_btid(DOES_ANSWER, 1));
	ck_assert_int_eq(gba_naf_ask(naf, &q, ask_again, naf, NULL), GBA_NAF_OK);
	run_until(7, 30000);
	ck_assert_uint_eq(seen.calls[GBA_NAF_OK], 2);
	ck_assert_int_eq(gba_naf_fd(naf), fd);
	host_stop(host); /* an idle connection that ended is noticed by the next query */
	host_start(host);
	ck_assert_int_eq(gba_naf_ask(naf, &q, count, NULL, NULL), GBA_NAF_OK);
	run_until(8, 30000);
	ck_assert_uint_eq(seen.calls[GBA_NAF_OK], 3);
}
END_TEST

/* ---- notices ---- */

static struct {
	unsigned int calls[4]; /* by kind */
	int mine, other;       /* the last one's concern */
	struct gba_naf_result *held, *others;
} heard;

static void on_notice(void *arg, const struct gba_naf_notice *notice)
{
	ck_assert_ptr_eq(arg, &heard);
	heard.calls[gba_naf_notice_kind(notice)]++;
	heard.mine = gba_naf_notice_concerns(notice, heard.held);
	heard.other = gba_naf_notice_concerns(notice, heard.others);
}

static void hear(struct gba_naf *of, enum gba_naf_notice_kind kind, unsigned int calls)
{
	struct pollfd pfd = { .fd = gba_naf_fd(of), .events = POLLIN };

	while (heard.calls[kind] < calls) {
		ck_assert_int_eq(poll(&pfd, 1, 30000), 1);
		gba_naf_process(of);
	}
}

static void hold_two(void)
{
	struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, 1)), other = query_of(host_btid(DOES_ANSWER, 2));

	memset(&heard, 0, sizeof(heard));
	gba_naf_watch(naf, on_notice, &heard);
	ck_assert_int_eq(gba_naf_get(naf, &q, &heard.held), GBA_NAF_OK);
	ck_assert_int_eq(gba_naf_get(naf, &other, &heard.others), GBA_NAF_OK);
}

static void let_go(void)
{
	gba_naf_result_free(heard.held);
	gba_naf_result_free(heard.others);
}

START_TEST(who_holds_a_key_is_told_that_it_ended)
{
	struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, 3));
	struct gba_naf_result *r = NULL;
	struct gba_naf *deaf;

	hold_two();
	ck_assert_int_eq(gba_naf_open(host_socket(host), &deaf), GBA_NAF_OK);
	ck_assert_int_eq(gba_naf_get(deaf, &q, &r), GBA_NAF_OK); /* one that never asked for notices */
	gba_naf_result_free(r);
	host_revoke(host, host_btid(DOES_ANSWER, 1), NULL);
	hear(naf, GBA_NAF_REVOKED, 1);
	ck_assert(heard.mine && !heard.other);
	host_revoke(host, host_btid(DOES_ANSWER, 2), NAF);
	hear(naf, GBA_NAF_CHANGED, 1);
	ck_assert(!heard.mine && heard.other);
	host_revoke(host, host_btid(DOES_ANSWER, 2), "x.apps.example.com"); /* another name of this application */
	hear(naf, GBA_NAF_CHANGED, 2);
	ck_assert(!heard.mine && !heard.other);
	host_revoke(host, host_btid(DOES_ANSWER, 2), "somebody.else.example"); /* not told */
	host_revoke(host, host_btid(DOES_ANSWER, 2), NULL);
	hear(naf, GBA_NAF_REVOKED, 2);
	ck_assert_uint_eq(heard.calls[GBA_NAF_CHANGED], 2);
	ck_assert_uint_eq(heard.calls[GBA_NAF_DOUBTFUL], 0);
	q.flags = GBA_NAF_NO_CACHE;
	ck_assert_int_eq(gba_naf_get(deaf, &q, &r), GBA_NAF_OK); /* its connection is as it was */
	gba_naf_result_free(r);
	gba_naf_close(deaf);
	gba_naf_watch(naf, NULL, NULL);
	host_revoke(host, host_btid(DOES_ANSWER, 1), NULL);
	q = query_of(host_btid(DOES_ANSWER, 9));
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_OK);
	gba_naf_result_free(r);
	ck_assert_uint_eq(heard.calls[GBA_NAF_REVOKED], 2);
	let_go();
}
END_TEST

/* The application's own word: whoever else holds a key of the token hears of it, and nobody gets another. REQ: Y3056-9.5-1b */
START_TEST(an_application_ends_a_token)
{
	struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, 1));
	struct gba_naf_result *r = NULL;
	struct gba_naf *speaker;

	hold_two();
	ck_assert_int_eq(gba_naf_open(host_socket(host), &speaker), GBA_NAF_OK);
	q.until = 1; /* long past */
	ck_assert_int_eq(gba_naf_get(speaker, &q, &r), GBA_NAF_E_BTID_UNKNOWN);
	hear(naf, GBA_NAF_CHANGED, 1);
	ck_assert(heard.mine && !heard.other);
	q.until = 0;
	q.flags = GBA_NAF_NO_CACHE;
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_E_BTID_UNKNOWN);
	q.fqdn = "x.apps.example.com"; /* its word is for its name only */
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_OK);
	gba_naf_result_free(r);
	gba_naf_close(speaker);
	let_go();
}
END_TEST

START_TEST(an_application_shortens_a_token)
{
	struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, 1));
	struct gba_naf_result *r = NULL;
	time_t until;

	hold_two();
	q.until = time(NULL) + 100000; /* never lengthens */
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_OK);
	ck_assert_int_eq(gba_naf_result_expiry(r), gba_naf_result_expiry(heard.held));
	gba_naf_result_free(r);
	q.until = until = time(NULL) + 4;
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_OK);
	ck_assert_int_eq(gba_naf_result_expiry(r), until);
	gba_naf_result_free(r);
	q.until = 0;
	ck_assert_uint_eq(heard.calls[GBA_NAF_CHANGED], 0);
	hear(naf, GBA_NAF_CHANGED, 1); /* at its end, not before */
	ck_assert(heard.mine && !heard.other && time(NULL) >= until);
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_E_BTID_UNKNOWN);
	let_go();
}
END_TEST

START_TEST(a_lost_connection_raises_doubt)
{
	hold_two();
	host_stop(host);
	host_start(host);
	hear(naf, GBA_NAF_DOUBTFUL, 1); /* nothing was asked */
	ck_assert(heard.mine && heard.other);
	host_revoke(host, host_btid(DOES_ANSWER, 1), NULL); /* the new agent knows that we want to know; it may not yet have read it */
	while (heard.calls[GBA_NAF_REVOKED] == 0) {
		struct pollfd pfd = { .fd = gba_naf_fd(naf), .events = POLLIN };

		if (poll(&pfd, 1, 100) == 0)
			host_revoke(host, host_btid(DOES_ANSWER, 1), NULL);
		gba_naf_process(naf);
	}
	ck_assert(heard.mine && !heard.other);
	ck_assert_uint_eq(heard.calls[GBA_NAF_DOUBTFUL], 1);
	let_go();
}
END_TEST

START_TEST(closing_tells_those_who_wait)
{
	struct gba_naf_query q = query_of(host_btid(DOES_NOTHING, 1));

	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(gba_naf_ask(naf, &q, count, NULL, NULL), GBA_NAF_OK);
	gba_naf_close(naf);
	naf = NULL;
	ck_assert_uint_eq(seen.calls[GBA_NAF_E_NO_AGENT], 1);
}
END_TEST

static void *get_many(void *arg)
{
	struct gba_naf *own = NULL;
	size_t *good = arg;
	unsigned int i;

	if (gba_naf_open(host_socket(host), &own) != GBA_NAF_OK)
		return NULL;
	for (i = 0; i < 200; i++) {
		struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, i));
		struct gba_naf_result *r = NULL;
		uint8_t want[32];

		if (gba_naf_get(own, &q, &r) != GBA_NAF_OK)
			continue;
		host_key(q.btid, NAF, q.ua_id, 0, want);
		*good += memcmp(gba_naf_result_key(r), want, 32) == 0;
		gba_naf_result_free(r);
	}
	gba_naf_close(own);
	return NULL;
}

START_TEST(threads_have_their_own_handles)
{
	pthread_t threads[4];
	size_t good[4] = { 0 }, i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, get_many, &good[i]), 0);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_uint_eq(good[i], 200);
	}
	ck_assert_uint_eq(host_asked(host), 200); /* cached or joined */
}
END_TEST

/* ---- the socket ---- */

START_TEST(foreign_users_are_refused)
{
	struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, 1));
	struct host *other = host_new(getuid() + 1);
	struct gba_naf_result *r = NULL;
	struct gba_naf *own;
	enum gba_naf_error got;

	ck_assert_int_eq(gba_naf_open(host_socket(other), &own), GBA_NAF_OK);
	got = gba_naf_get(own, &q, &r);
	ck_assert_msg(got == GBA_NAF_E_DENIED || got == GBA_NAF_E_NO_AGENT, "%s", gba_naf_error_name(got));
	ck_assert_uint_eq(host_asked(other), 0);
	gba_naf_close(own);
	host_free(other);
}
END_TEST

#define ASK(id) "00000025 01 01 0000 " id " 01 000002 6100 02 000002 6100 03 000005 0100000007 06 000004 00000bb8"
static const struct {
	const char *name, *hex, *text;
} malformed_rows[] = {
	{ "frame too short", "00000001", "frame shorter than its head" },
	{ "frame too long", "00001000", "frame too long" },
	{ "HTTP", "474554202f20485454502f312e310d0a", "frame too long" },
	{ "other version", "00000008 02 04 0000 00000001", "protocol version not spoken here" },
	{ "an answer", "00000008 01 02 0000 00000001", "unknown kind of frame" },
	{ "reserved", "00000008 01 04 0100 00000001", "reserved octets are not zero" },
	{ "empty question", "00000008 01 01 0000 00000001", "element missing" },
	{ "id zero", ASK("00000000"), "id zero or in use" },
	{ "cancellation with a body", "0000000d 01 04 0000 00000001 01 000001 00", "a cancellation has no elements" },
};

static int connect_raw(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(at.sun_path, host_socket(host), sizeof(at.sun_path) - 1);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static size_t hex_octets(const char *hex, uint8_t *out)
{
	char digits[512];
	size_t n = 0;

	for (; *hex != '\0'; hex++) {
		if (*hex != ' ')
			digits[n++] = *hex;
	}
	ck_assert_int_eq(hex_decode(BYTES(digits, n), out, n / 2), GBA_OK);
	return n / 2;
}

START_TEST(malformed_octets_get_a_reason_and_the_end)
{
	uint8_t octets[256], reply[512];
	size_t n = hex_octets(malformed_rows[_i].hex, octets), got = 0;
	struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, 1));
	struct gba_naf_result *r = NULL;
	struct wire_view text, reply_view;
	struct wire_frame frame;
	const char *why;
	int fd = connect_raw();
	ssize_t part;

	ck_assert_int_eq(send(fd, octets, n, 0), (ssize_t)n);
	while ((part = recv(fd, reply + got, sizeof(reply) - got, 0)) > 0)
		got += (size_t)part;
	ck_assert_int_le(part, 0);
	reply_view = (struct wire_view){ reply, got };
	ck_assert_int_eq(wire_frame(reply_view, sizeof(reply), &frame, &why), WIRE_WHOLE);
	ck_assert_uint_eq(frame.type, WIRE_FAIL);
	ck_assert_uint_eq(frame.id, 0);
	ck_assert(wire_element_at(frame.body, WIRE_T_TEXT, 0, &text));
	ck_assert_str_eq((const char *)text.p, malformed_rows[_i].text);
	close(fd);
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_OK); /* others are served */
	gba_naf_result_free(r);
}
END_TEST

START_TEST(half_frames_and_silence_hurt_nobody)
{
	struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, 1));
	struct gba_naf_result *r = NULL;
	int fds[40];
	size_t i;

	for (i = 0; i < 40; i++) {
		fds[i] = connect_raw();
		ck_assert_int_eq(send(fds[i], "\0\0", 2, 0), 2);
	}
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_OK);
	gba_naf_result_free(r);
	for (i = 0; i < 40; i++)
		close(fds[i]);
}
END_TEST

START_TEST(second_agent_does_not_take_the_socket_away)
{
	struct agent_conf conf = { .socket = host_socket(host), .socket_mode = "0600", .socket_group = "", .cache_entries = 1,
				   .cache_memory = 1, .negative_entries = 1, .unknown_burst = 1, .unknown_rate = 1 };
	struct gba_naf_query q = query_of(host_btid(DOES_ANSWER, 1));
	struct gba_naf_result *r = NULL;
	struct local *local = NULL;
	const char *why = NULL;

	ck_assert_int_eq(local_new(NULL, &conf, (struct zn_port){ NULL, NULL }, NULL, &local, &why), GBA_E_EXISTS);
	ck_assert_str_eq(why, "another agent serves it");
	ck_assert_int_eq(gba_naf_get(naf, &q, &r), GBA_NAF_OK);
	gba_naf_result_free(r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("naf local");
	TCase *tc = tcase_create("local");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, key_comes_with_all_that_belongs_to_it);
	tcase_add_loop_test(tc, every_outcome_reaches_the_application, 0, ROWS(get_rows));
	tcase_add_test(tc, queries_that_cannot_be_asked);
	tcase_add_test(tc, made_up_btids_stop_at_the_agent);
	tcase_add_test(tc, thousands_wait_on_one_connection);
	tcase_add_test(tc, time_outs_and_cancellations_end_requests);
	tcase_add_test(tc, what_was_asked_is_asked_again_when_the_agent_is_back);
	tcase_add_test(tc, but_only_once);
	tcase_add_test(tc, lost_questions_can_be_cancelled);
	tcase_add_test(tc, agent_may_go_and_come_back);
	tcase_add_test(tc, who_holds_a_key_is_told_that_it_ended);
	tcase_add_test(tc, an_application_ends_a_token);
	tcase_add_test(tc, an_application_shortens_a_token);
	tcase_add_test(tc, a_lost_connection_raises_doubt);
	tcase_add_test(tc, closing_tells_those_who_wait);
	tcase_add_test(tc, threads_have_their_own_handles);
	tcase_add_test(tc, foreign_users_are_refused);
	tcase_add_loop_test(tc, malformed_octets_get_a_reason_and_the_end, 0, ROWS(malformed_rows));
	tcase_add_test(tc, half_frames_and_silence_hurt_nobody);
	tcase_add_test(tc, second_agent_does_not_take_the_socket_away);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
