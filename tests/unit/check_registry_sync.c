/* SPDX-License-Identifier: Apache-2.0 */
/* Ten registries in two trees, three layers each, joined at the top and by a bilateral bond, under random partitions, losses and
 * kills: in the end all say the same, and each event has arrived everywhere once. The seed is printed; GBA_SEED repeats a run.
 * REQ: Y3059-8.1-1: a function by what goes in and comes out, its neighbours and its network made up. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "common/fixture.h"
#include "registry-fn/peer/sync.h"
#include "unit/registry_nodes.h"

#define ALL   0x7fu
#define STEPS 900
#define SUBJECTS 12

static const struct {
	const char *reg_id;
	enum registry_type type;
	int parent;
} plan[] = {
	{ "IN", REGISTRY_GEOGRAPHICAL, -1 }, { "INA", REGISTRY_SECTORAL, 0 }, { "INB", REGISTRY_SECTORAL, 0 },
	{ "INA1", REGISTRY_PRIMARY, 1 },     { "INA2", REGISTRY_PRIMARY, 1 }, { "INB1", REGISTRY_PRIMARY, 2 },
	{ "INB2", REGISTRY_PRIMARY, 2 },     { "FR", REGISTRY_GEOGRAPHICAL, -1 }, { "FRA", REGISTRY_SECTORAL, 7 },
	{ "FRA1", REGISTRY_PRIMARY, 8 },
};
#define NODES (sizeof(plan) / sizeof(plan[0]))

/* Bonds: child and parent, the two roots, and two primaries outside of the trees (6.1-12), which closes a circle. */
static struct link {
	int a, b;
	struct sync_peer *at_a, *at_b; /* what a knows of b, what b knows of a */
	bool cut;
} links[NODES + 1];
static size_t link_n;
static struct node nodes[NODES];
static size_t said;
static uint64_t now_ms = 1000;
static unsigned int policy = ALL;

/* Once per event, and in the same transaction: a second time would be an error of the table. */
static enum gba_err heard(void *arg, const struct event *event)
{
	struct node *node = arg;
	struct db_stmt *stmt;
	enum gba_err err;

	err = db_prepare(node->db, "INSERT INTO heard (origin, class, number) VALUES (?1, ?2, ?3)", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(event->origin));
	db_bind_int(stmt, 2, event->class);
	db_bind_int(stmt, 3, event->number);
	return db_run(stmt, NULL);
}

static void listen_at(struct node *node)
{
	static const char sql[] = "CREATE TABLE IF NOT EXISTS heard (origin TEXT NOT NULL, class INTEGER NOT NULL,"
				  " number INTEGER NOT NULL, PRIMARY KEY (origin, class, number)) STRICT";
	struct db_stmt *stmt;

	ck_assert_err(db_prepare(node->db, sql, &stmt), GBA_OK);
	ck_assert_err(db_run(stmt, NULL), GBA_OK);
	event_log_listen(node->log, heard, node);
}

static struct sync_peer *peer_at(int node, int of)
{
	return sync_peer_new(nodes[node].ctx, plan[of].reg_id, policy, policy);
}

static void link_add(int a, int b)
{
	links[link_n++] = (struct link){ a, b, peer_at(a, b), peer_at(b, a), false };
	node_trust(&nodes[a], &nodes[b]);
	node_trust(&nodes[b], &nodes[a]);
}

static void assign(int parent, int child)
{
	struct event_registry as = node_as(&nodes[child], plan[parent].reg_id);

	ck_assert_err(db_begin(nodes[parent].db), GBA_OK);
	ck_assert_err(event_registry_assign(nodes[parent].log, &as, NODE_T0), GBA_OK);
	ck_assert_err(db_commit(nodes[parent].db), GBA_OK);
	said++;
}

static void introduce(int who, int whom)
{
	struct event_registry as = node_as(&nodes[whom], "");

	ck_assert_err(db_begin(nodes[who].db), GBA_OK);
	ck_assert_err(event_registry_introduce(nodes[who].log, &as, NODE_T0), GBA_OK);
	ck_assert_err(db_commit(nodes[who].db), GBA_OK);
	said++;
}

static void setup(void)
{
	size_t i;

	link_n = said = 0;
	policy = ALL;
	for (i = 0; i < NODES; i++) {
		node_new(&nodes[i], plan[i].reg_id, plan[i].type);
		listen_at(&nodes[i]);
	}
	for (i = 0; i < NODES; i++) {
		if (plan[i].parent < 0)
			continue;
		link_add(plan[i].parent, (int)i);
		assign(plan[i].parent, (int)i);
		if (plan[i].type == REGISTRY_SECTORAL) /* primaries hear of the root from the registry between */
			introduce((int)i, plan[i].parent);
	}
	introduce(0, 7);
	introduce(7, 0);
	link_add(0, 7);
	link_add(4, 5);
}

static void teardown(void)
{
	for (size_t i = 0; i < NODES; i++)
		node_remove(&nodes[i]);
}

/* ---- one registry to another ---- */

static void kill_node(int i)
{
	node_kill(&nodes[i]); /* its peers' states with it */
	node_open(&nodes[i]);
	listen_at(&nodes[i]);
	for (size_t k = 0; k < link_n; k++) {
		if (links[k].a == i)
			links[k].at_a = peer_at(i, links[k].b);
		if (links[k].b == i)
			links[k].at_b = peer_at(i, links[k].a);
		if (links[k].a == i)
			sync_lost(links[k].at_b);
		if (links[k].b == i)
			sync_lost(links[k].at_a);
	}
}

static void greet(struct link *link)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct sync_list haves, accepts;

	ck_assert_err(sync_classes(ctx, policy, &accepts), GBA_OK);
	ck_assert_err(sync_haves(nodes[link->a].log, ctx, &haves), GBA_OK);
	ck_assert_err(sync_greeted(link->at_b, &haves, &accepts), GBA_OK);
	ck_assert_err(sync_haves(nodes[link->b].log, ctx, &haves), GBA_OK);
	ck_assert_err(sync_greeted(link->at_a, &haves, &accepts), GBA_OK);
	talloc_free(ctx);
}

enum mishap { NONE, REQUEST_LOST, ANSWER_LOST, RECEIVER_KILLED, SENDER_KILLED, CONNECTION_LOST, MISHAPS };

/* @return events that were new */
static size_t push(struct link *link, bool forth, enum mishap mishap)
{
	int from = forth ? link->a : link->b, to = forth ? link->b : link->a;
	struct sync_peer *sender = forth ? link->at_a : link->at_b, *receiver = forth ? link->at_b : link->at_a;
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct sync_taken taken = { 0 };
	struct sync_list events;
	size_t new = 0;

	ck_assert_err(sync_next(sender, nodes[from].log, ctx, now_ms, &events), GBA_OK);
	if (events.n > 0 && mishap == REQUEST_LOST)
		sync_failed(sender);
	else if (events.n > 0) {
		ck_assert_err(sync_take(receiver, nodes[to].log, nodes[to].db, ctx, &events, NODE_T0 + 1000, &taken), GBA_OK);
		new = taken.new;
		if (mishap == ANSWER_LOST)
			sync_failed(sender);
		else if (mishap == NONE || mishap > SENDER_KILLED)
			sync_answered(sender, &taken.haves, now_ms);
	}
	talloc_free(ctx);
	if (mishap == RECEIVER_KILLED)
		kill_node(to);
	if (mishap == SENDER_KILLED)
		kill_node(from);
	if (mishap == CONNECTION_LOST) {
		sync_lost(link->at_a);
		sync_lost(link->at_b);
	}
	return new;
}

static void pass(struct link *link, bool forth, enum mishap mishap, size_t *_new)
{
	if (link->cut)
		return;
	if (!sync_is_greeted(link->at_a) || !sync_is_greeted(link->at_b))
		greet(link);
	*_new += push(link, forth, mishap);
}

/* A kill between what is written and its commit. */
static void die_half_way(struct link *link)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct sync_list events;
	bool new;

	if (!link->cut && sync_is_greeted(link->at_a) && sync_is_greeted(link->at_b)) {
		ck_assert_err(sync_next(link->at_a, nodes[link->a].log, ctx, now_ms, &events), GBA_OK);
		ck_assert_err(db_begin(nodes[link->b].db), GBA_OK);
		for (size_t i = 0; i < events.n; i++)
			(void)event_take(nodes[link->b].log, events.v[i], policy, NODE_T0 + 1000, &new);
		kill_node(link->b);
	}
	talloc_free(ctx);
}

static void settle(void)
{
	size_t new = 1;

	for (size_t i = 0; i < link_n; i++)
		links[i].cut = false;
	for (unsigned int quiet = 0; quiet < 2; quiet = new > 0 ? 0 : quiet + 1) {
		new = 0;
		now_ms += SYNC_PARK_MS + 1;
		for (size_t i = 0; i < link_n; i++) {
			pass(&links[i], true, NONE, &new);
			pass(&links[i], false, NONE, &new);
		}
	}
}

/* ---- random life ---- */

static const char *const statuses[] = { "white", "grey", "black" };

static void say_something(unsigned int *seed, unsigned int step)
{
	int who = (int)((unsigned int)rand_r(seed) % NODES), status = rand_r(seed) % 3;
	bool at_once = status == 2 && rand_r(seed) % 2 == 0;
	char subject[16], body[128];
	time_t now = NODE_T0 + 1 + rand_r(seed) % 20; /* clocks that differ */

	snprintf(subject, sizeof(subject), "R%u", (unsigned int)rand_r(seed) % SUBJECTS);
	snprintf(body, sizeof(body), "{\"status\":\"%s\",\"cause\":\"step %u\"}", statuses[status], step);
	switch (rand_r(seed) % 4) {
	case 0:
		if (plan[who].type != REGISTRY_PRIMARY)
			return;
		snprintf(body, sizeof(body), "{\"identities\":[{\"type\":\"imei\",\"value\":\"4901542032%04u\"}]}", step);
		ck_assert_err(node_say(&nodes[who], "device.registered", subject, body, now), GBA_OK);
		break;
	case 1:
		ck_assert_err(node_say(&nodes[who], "vulnerability.reported", subject, "{\"cve\":\"CVE-2031-0001\"}", now), GBA_OK);
		break;
	default:
		ck_assert_err(node_say(&nodes[who], at_once ? "black.set" : "status.set", subject, body, now), GBA_OK);
	}
	said++;
}

static const char state_text[] =
	"SELECT subject, registry, origin, CAST(status AS TEXT), CAST(lamport AS TEXT), CAST(registered AS TEXT)"
	" FROM event_subject ORDER BY subject";

/* Blacks that came to a registry after a later status that the same registry has said of the same subject. */
static const char overtaken_text[] =
	"SELECT CAST(count(*) AS TEXT) FROM event_status AS b JOIN event AS eb ON eb.origin = b.origin AND eb.class = b.class"
	" AND eb.number = b.number JOIN event_status AS w ON w.subject = b.subject AND w.origin = b.origin AND w.lamport > b.lamport"
	" JOIN event AS ew ON ew.origin = w.origin AND ew.class = w.class AND ew.number = w.number"
	" WHERE b.class = 6 AND w.class = 2 AND ew.seq < eb.seq";

static void all_the_same(void)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	char *first = node_dump(&nodes[0], ctx, state_text, 6), *heard_first, want[32];

	snprintf(want, sizeof(want), "%zu \n", said);
	heard_first = node_dump(&nodes[0], ctx, "SELECT CAST(count(*) AS TEXT) FROM heard", 1);
	ck_assert_str_eq(heard_first, want);
	for (size_t i = 1; i < NODES; i++) {
		ck_assert_str_eq(node_dump(&nodes[i], ctx, state_text, 6), first);
		ck_assert_str_eq(node_dump(&nodes[i], ctx, "SELECT CAST(count(*) AS TEXT) FROM heard", 1), want);
		ck_assert_str_eq(node_dump(&nodes[i], ctx, "SELECT CAST(count(*) AS TEXT) FROM event", 1), want);
		ck_assert_str_eq(node_dump(&nodes[i], ctx, overtaken_text, 1), "0 \n");
	}
	talloc_free(ctx);
}

/* REQ: Y3059-3.2-1, Y3059-3.2-3, Y3059-6.1-9, Y3059-6.1-14, Y3059-6.1-16, Y3059-7-iv-d */
START_TEST(all_come_to_the_same)
{
	const char *given = getenv("GBA_SEED");
	unsigned int seed = given != NULL ? (unsigned int)atoi(given) : (unsigned int)time(NULL) + (unsigned int)_i;
	size_t new = 0;

	printf("GBA_SEED=%u\n", seed);
	fflush(stdout);
	for (unsigned int step = 0; step < STEPS; step++) {
		struct link *link = &links[(unsigned int)rand_r(&seed) % link_n];
		unsigned int what = (unsigned int)rand_r(&seed) % 100;

		now_ms += 50;
		if (what < 15)
			say_something(&seed, step);
		else if (what < 20)
			link->cut = !link->cut;
		else if (what < 22)
			die_half_way(link);
		else
			pass(link, what % 2 == 0, what < 30 ? (enum mishap)(what - 21) % MISHAPS : NONE, &new);
	}
	settle();
	all_the_same();
}
END_TEST

/* A new registry gets everything there is, in the order in which it can understand it. REQ: Y3059-7-0e */
START_TEST(a_newcomer_gets_everything)
{
	char command[200];

	for (int i = 0; i < 300; i++) {
		char subject[16];

		snprintf(subject, sizeof(subject), "R%d", i);
		ck_assert_err(node_say(&nodes[3], "device.registered", subject, "{}", NODE_T0 + 5), GBA_OK);
		ck_assert_err(node_say(&nodes[9], "status.set", subject, "{\"status\":\"black\"}", NODE_T0 + 5), GBA_OK);
		said += 2;
	}
	settle();
	all_the_same();
	node_kill(&nodes[6]); /* INB2 begins with nothing but its key */
	snprintf(command, sizeof(command), "rm %s/db*", nodes[6].dir);
	ck_assert_int_eq(system(command), 0);
	node_open(&nodes[6]);
	kill_node(6);
	node_trust(&nodes[6], &nodes[2]);
	settle();
	all_the_same();
}
END_TEST

static int status_at(int node, const char *subject)
{
	struct event_view view = { 0 };

	ck_assert_err(event_view_subject(nodes[node].log, subject, EVENT_NOW, &view), GBA_OK);
	return view.status;
}

static struct link *link_between(int a, int b)
{
	size_t i;

	for (i = 0; i < link_n && (links[i].a != a || links[i].b != b); i++)
		;
	ck_assert_uint_lt(i, link_n);
	return &links[i];
}

/* A Black does not wait behind very many registrations: it is in the first batch of each bond, whether it was there when they greeted
 * or came while the registrations went over; what was first in its own stream stays first, and all come to the same. */
START_TEST(a_black_overtakes_registrations)
{
	struct link *link = link_between(1, 3); /* INA1 and INA above it */
	char subject[32];
	size_t new = 0, i, n = 0;

	settle();
	for (i = 0; i < 3 * SYNC_BATCH_EVENTS; i++) {
		snprintf(subject, sizeof(subject), "D%zu", i);
		ck_assert_err(node_say(&nodes[3], "device.registered", subject, "{}", NODE_T0), GBA_OK);
	}
	ck_assert_err(node_say(&nodes[3], "status.set", "D0", "{\"status\":\"white\",\"cause\":\"a\"}", NODE_T0), GBA_OK);
	ck_assert_err(node_say(&nodes[3], "status.set", "D1", "{\"status\":\"black\",\"cause\":\"b\"}", NODE_T0), GBA_OK);
	ck_assert_uint_eq(push(link, false, ANSWER_LOST), SYNC_BATCH_EVENTS);
	ck_assert_int_eq(status_at(1, "D1"), TRUST_BLACK);
	ck_assert_int_eq(status_at(1, "D0"), TRUST_WHITE);
	pass(link, false, NONE, &new);
	ck_assert_err(node_say(&nodes[3], "status.set", "D2", "{\"status\":\"black\",\"cause\":\"c\"}", NODE_T0), GBA_OK);
	pass(link, false, NONE, &new);
	ck_assert_int_eq(status_at(1, "D2"), TRUST_BLACK);
	for (new = 1; new > 0; n++) {
		new = 0;
		pass(link, false, NONE, &new);
	}
	ck_assert_uint_le(n, 4);
	settle();
	said += 3 * SYNC_BATCH_EVENTS + 3;
	all_the_same();
}
END_TEST

/* Nor behind very many other statuses of its own registry. What is said of its device later goes after it, what was said before
 * arrives later and changes nothing. */
START_TEST(a_black_overtakes_other_statuses)
{
	struct link *link = link_between(1, 3); /* INA1 and INA above it */
	char subject[32];
	size_t new = 0, i;

	settle();
	for (i = 0; i < 3 * SYNC_BATCH_EVENTS; i++) {
		snprintf(subject, sizeof(subject), "D%zu", i);
		ck_assert_err(node_say(&nodes[3], "status.set", subject, i % 2 == 0 ? "{\"status\":\"grey\"}" : "{\"status\":\"white\"}",
				       NODE_T0), GBA_OK);
	}
	ck_assert_err(node_say(&nodes[3], "black.set", "D300", "{\"status\":\"black\"}", NODE_T0), GBA_OK);
	ck_assert_err(node_say(&nodes[3], "black.set", "D301", "{\"status\":\"black\"}", NODE_T0), GBA_OK);
	ck_assert_err(node_say(&nodes[3], "status.set", "D301", "{\"status\":\"white\"}", NODE_T0), GBA_OK);
	ck_assert_uint_eq(push(link, false, ANSWER_LOST), SYNC_BATCH_EVENTS);
	ck_assert_int_eq(status_at(1, "D300"), TRUST_BLACK);
	ck_assert_int_eq(status_at(1, "D301"), TRUST_BLACK);
	for (i = 0; i < 8; i++) {
		pass(link, false, NONE, &new);
		ck_assert_int_eq(status_at(1, "D300"), TRUST_BLACK); /* its older Grey comes */
	}
	ck_assert_int_eq(status_at(1, "D301"), TRUST_WHITE);
	settle();
	said += 3 * SYNC_BATCH_EVENTS + 3;
	all_the_same();
}
END_TEST

/* While a Black is not taken its registry's other statuses wait, too: they may be about the same device. */
START_TEST(nothing_goes_past_a_black_that_is_refused)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct bytes v[2];
	struct sync_list batch = { v, 2 };
	struct sync_taken taken;
	uint8_t *bad;

	greet(&links[2]); /* INA and INA1 */
	ck_assert_err(node_say(&nodes[3], "black.set", "R1", "{\"status\":\"black\"}", NODE_T0), GBA_OK);
	v[0] = node_last(&nodes[3], ctx);
	ck_assert_err(node_say(&nodes[3], "status.set", "R1", "{\"status\":\"white\"}", NODE_T0), GBA_OK);
	v[1] = node_last(&nodes[3], ctx);
	bad = talloc_memdup(ctx, v[0].p, v[0].n);
	bad[5] ^= 1;
	v[0].p = bad;
	ck_assert_err(sync_take(links[2].at_a, nodes[1].log, nodes[1].db, ctx, &batch, NODE_T0 + 10, &taken), GBA_OK);
	ck_assert_uint_eq(taken.new, 0);
	ck_assert_uint_eq(taken.refused, 1);
	said += 2;
	settle();
	all_the_same();
	ck_assert_int_eq(status_at(1, "R1"), TRUST_WHITE);
	talloc_free(ctx);
}
END_TEST

/* What a bond leaves out stays where it is, without a gap for the rest. */
START_TEST(bonds_carry_what_they_allow)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	static const char sql[] = "SELECT CAST(class AS TEXT), CAST(count(*) AS TEXT) FROM event WHERE class > 1"
				  " GROUP BY class ORDER BY class";

	policy = 1u << EVENT_STATUS | 1u << EVENT_VULNERABILITY;
	for (int i = 0; i < (int)NODES; i++)
		kill_node(i);
	for (int i = 0; i < 20; i++) {
		ck_assert_err(node_say(&nodes[3], "status.set", "R1", "{\"status\":\"black\"}", NODE_T0), GBA_OK);
		ck_assert_err(node_say(&nodes[3], "custodian.shared", "C1", "{\"email\":\"a@b\"}", NODE_T0), GBA_OK);
		ck_assert_err(node_say(&nodes[3], "vulnerability.reported", "V1", "{}", NODE_T0), GBA_OK);
	}
	settle();
	ck_assert_str_eq(node_dump(&nodes[3], ctx, sql, 2), "2 20 \n3 20 \n5 20 \n");
	for (size_t i = 0; i < NODES; i++) {
		if (i != 3)
			ck_assert_str_eq(node_dump(&nodes[i], ctx, sql, 2), "2 20 \n3 20 \n");
	}
	talloc_free(ctx);
}
END_TEST

/* ---- a hostile neighbour ---- */

static struct bytes spoiled(TALLOC_CTX *ctx, struct bytes in, size_t at)
{
	uint8_t *copy = talloc_memdup(ctx, in.p, in.n);

	copy[at] ^= 1;
	return BYTES(copy, in.n);
}

START_TEST(what_is_good_of_a_bad_batch)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct bytes v[6];
	struct sync_list batch = { v, 6 };
	struct sync_taken taken;

	greet(&links[2]); /* INA and INA1 */
	ck_assert_int_eq(links[2].b, 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_err(node_say(&nodes[3], "status.set", "R1", "{\"status\":\"white\"}", NODE_T0 + i), GBA_OK);
		v[i] = node_last(&nodes[3], ctx);
		ck_assert_err(node_say(&nodes[3], "vulnerability.reported", "V1", "{}", NODE_T0 + i), GBA_OK);
		v[3 + i] = node_last(&nodes[3], ctx);
	}
	v[1] = spoiled(ctx, v[1], 5);
	ck_assert_err(sync_take(links[2].at_a, nodes[1].log, nodes[1].db, ctx, &batch, NODE_T0 + 10, &taken), GBA_OK);
	ck_assert_uint_eq(taken.new, 4); /* one status, three vulnerabilities */
	ck_assert_uint_eq(taken.refused, 1);
	ck_assert_err(taken.first, GBA_E_SIGNATURE);
	ck_assert_uint_eq(taken.haves.n, 2);
	ck_assert_bytes(taken.haves.v[0], bytes_of("INA1 status 1"), "status");
	ck_assert_bytes(taken.haves.v[1], bytes_of("INA1 vulnerability 3"), "vulnerability");
	ck_assert_err(sync_take(links[2].at_a, nodes[1].log, nodes[1].db, ctx, &batch, NODE_T0 + 10, &taken), GBA_OK);
	ck_assert_uint_eq(taken.new, 0);
	ck_assert_uint_eq(taken.known, 4);
	batch = (struct sync_list){ v + 2, 1 }; /* behind a gap */
	ck_assert_err(sync_take(links[2].at_a, nodes[1].log, nodes[1].db, ctx, &batch, NODE_T0 + 10, &taken), GBA_OK);
	ck_assert_err(taken.first, GBA_E_GAP);
	talloc_free(ctx);
}
END_TEST

static const char *const bad_haves[] = { "", "IN", "IN status", "IN status x", "IN status -1", "in status 1", "IN colour 1",
					 "IN status 99999999999999999999", "IN status 1 2", " status 1" };

START_TEST(a_bad_hello_changes_nothing)
{
	struct bytes v[] = { bytes_of("IN status 1"), bytes_of(bad_haves[_i]) };
	struct sync_list list = { v, 2 }, none = { NULL, 0 };

	ck_assert_err(sync_greeted(links[0].at_a, &list, &none), GBA_E_SYNTAX);
	ck_assert(!sync_is_greeted(links[0].at_a));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry sync");
	TCase *tcase = fixture_tcase("sync");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, all_come_to_the_same, 0, 2);
	tcase_add_test(tcase, a_newcomer_gets_everything);
	tcase_add_test(tcase, a_black_overtakes_registrations);
	tcase_add_test(tcase, a_black_overtakes_other_statuses);
	tcase_add_test(tcase, nothing_goes_past_a_black_that_is_refused);
	tcase_add_test(tcase, bonds_carry_what_they_allow);
	tcase_add_test(tcase, what_is_good_of_a_bad_batch);
	tcase_add_loop_test(tcase, a_bad_hello_changes_nothing, 0, sizeof(bad_haves) / sizeof(bad_haves[0]));
	suite_add_tcase(suite, tcase);
	return fixture_run(suite);
}
