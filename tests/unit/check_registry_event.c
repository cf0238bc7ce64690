/* SPDX-License-Identifier: Apache-2.0 */
/* The log of events: what may be said, what is taken of others, RegIDs. */
#include <stdlib.h>

#include "common/fixture.h"
#include "common/pg_server.h"
#include "registry-fn/peer/equipment.h"
#include "unit/registry_nodes.h"

#define ALL 0x7fu
#define T   NODE_T0

static struct node geo, sector, prim, other;

static void setup(void)
{
	struct event_registry as;

	node_new(&geo, "IN", REGISTRY_GEOGRAPHICAL);
	node_new(&sector, "IN4", REGISTRY_SECTORAL);
	node_new(&prim, "IN4F7", REGISTRY_PRIMARY);
	node_new(&other, "FR", REGISTRY_GEOGRAPHICAL);
	node_trust(&sector, &geo);
	node_trust(&sector, &prim);
	node_trust(&prim, &sector);
	as = node_as(&sector, "IN");
	ck_assert_err(db_begin(geo.db), GBA_OK);
	ck_assert_err(event_registry_assign(geo.log, &as, T), GBA_OK);
	ck_assert_err(db_commit(geo.db), GBA_OK);
	as = node_as(&prim, "IN4");
	ck_assert_err(db_begin(sector.db), GBA_OK);
	ck_assert_err(event_registry_assign(sector.log, &as, T), GBA_OK);
	ck_assert_err(db_commit(sector.db), GBA_OK);
}

static void teardown(void)
{
	node_remove(&geo);
	node_remove(&sector);
	node_remove(&prim);
	node_remove(&other);
}

/* ---- what may be said ---- */

#define KEY "\"0000000000000000000000000000000000000000000000000000000000000000\""

static const struct {
	const char *name;
	struct node *who;
	const char *kind, *subject, *body;
	enum gba_err want;
} say_rows[] = {
	/* REQ: Y3059-6.1-15 */
	{ "black",            &prim,   "status.set", "R1", "{\"status\":\"black\"}", GBA_OK },
	{ "grey",             &prim,   "status.set", "R1", "{\"status\":\"grey\"}", GBA_OK },
	{ "black at once",    &prim,   "black.set", "R1", "{\"status\":\"black\"}", GBA_OK },
	{ "grey at once",     &prim,   "black.set", "R1", "{\"status\":\"grey\"}", GBA_E_RANGE },
	{ "nothing at once",  &prim,   "black.set", "R1", "{}", GBA_E_RANGE },
	{ "no such status",   &prim,   "status.set", "R1", "{\"status\":\"red\"}", GBA_E_RANGE },
	{ "no status",        &prim,   "status.set", "R1", "{}", GBA_E_RANGE },
	{ "no subject",       &prim,   "status.set", "", "{\"status\":\"grey\"}", GBA_E_RANGE },
	{ "no class",         &prim,   "colour.set", "R1", "{}", GBA_E_RANGE },
	{ "no verb",          &prim,   "status.", "R1", "{\"status\":\"grey\"}", GBA_E_RANGE },
	{ "list",             &geo,    "list.published", "L1", "{\"status\":\"black\",\"subjects\":[\"R1\",\"R2\"]}", GBA_OK },
	{ "empty list",       &geo,    "list.published", "L1", "{\"status\":\"black\",\"subjects\":[]}", GBA_E_RANGE },
	{ "list of numbers",  &geo,    "list.published", "L1", "{\"status\":\"black\",\"subjects\":[1]}", GBA_E_RANGE },
	/* REQ: Y3059-6.1-13 */
	{ "registration",     &prim,   "device.registered", "R1", "{\"identities\":[{\"type\":\"imei\",\"value\":\"1\"}]}", GBA_OK },
	{ "at a sectoral",    &sector, "device.registered", "R1", "{}", GBA_E_DENIED },
	{ "at a geographic",  &geo,    "device.registered", "R1", "{}", GBA_E_DENIED },
	{ "identities odd",   &prim,   "device.registered", "R1", "{\"identities\":[{\"type\":\"imei\"}]}", GBA_E_RANGE },
	{ "its own device",   &prim,   "device.changed", "MAC-001B638445E6--IN4F7-H9", "{}", GBA_OK },
	{ "another's device", &prim,   "device.registered", "IN1-IMEI-490154203237518-D2", "{}", GBA_E_DENIED },
	{ "takes one away",   &prim,   "device.removed", "MAC-001B638445E6--IN1-P2", "{}", GBA_E_DENIED },
	{ "says what it thinks", &prim, "status.set", "IN1-IMEI-490154203237518-D2", "{\"status\":\"black\"}", GBA_OK },
	{ "personal",         &prim,   "device.registered", "R1", "{\"custodian\":{\"email\":\"a@b\"}}", GBA_E_DENIED },
	{ "personal in list", &prim,   "vulnerability.reported", "V1", "{\"a\":[{\"Phone\":\"1\"}]}", GBA_E_DENIED },
	{ "its own class",    &prim,   "custodian.shared", "C1", "{\"email\":\"a@b\"}", GBA_OK },
	{ "child of primary", &prim,   "registry.assigned", "IN4F7X", "{\"type\":\"primary\",\"key\":" KEY "}", GBA_E_DENIED },
	{ "of another",       &sector, "registry.assigned", "FR1", "{\"type\":\"primary\",\"key\":" KEY "}", GBA_E_DENIED },
	{ "sector of sector", &sector, "registry.assigned", "IN4X", "{\"type\":\"sectoral\",\"key\":" KEY "}", GBA_E_DENIED },
	{ "primary of geo",   &geo,    "registry.assigned", "INX", "{\"type\":\"primary\",\"key\":" KEY "}", GBA_E_DENIED },
	{ "region of geo",    &geo,    "registry.assigned", "INX", "{\"type\":\"geographical\",\"key\":" KEY "}", GBA_OK },
	{ "small letters",    &geo,    "registry.assigned", "INx", "{\"type\":\"sectoral\",\"key\":" KEY "}", GBA_E_RANGE },
	{ "no key",           &geo,    "registry.assigned", "INX", "{\"type\":\"sectoral\",\"key\":\"00\"}", GBA_E_RANGE },
	{ "primary vouches",  &prim,   "registry.introduced", "FR", "{\"type\":\"sectoral\",\"key\":" KEY "}", GBA_E_DENIED },
};

START_TEST(only_what_may_be_said)
{
	ck_assert_msg(node_say(say_rows[_i].who, say_rows[_i].kind, say_rows[_i].subject, say_rows[_i].body, T) == say_rows[_i].want,
		      "%s", say_rows[_i].name);
}
END_TEST

START_TEST(too_long_is_refused)
{
	char *text = talloc_asprintf(test_ctx, "{\"x\":\"%0*d\"}", EVENT_MAX, 0);

	ck_assert_err(node_say(&prim, "vulnerability.reported", "V1", text, T), GBA_E_TOO_LONG);
	talloc_free(text);
}
END_TEST

/* ---- what is taken ---- */

static struct bytes copy(TALLOC_CTX *ctx, struct bytes in)
{
	return BYTES(talloc_memdup(ctx, in.p, in.n), in.n);
}

static void expect(struct node *who, struct bytes wire, enum gba_err want, bool new)
{
	bool got = !new;

	ck_assert_err(node_take(who, wire, ALL, T, &got), want);
	ck_assert_int_eq(got, new);
}

/* Said by prim at T and taken by sector; its lamport. */
static int64_t said(const char *kind, const char *subject, const char *body)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct bytes wire;
	char *text;
	int64_t lamport;

	ck_assert_err(node_say(&prim, kind, subject, body, T), GBA_OK);
	wire = node_last(&prim, ctx);
	expect(&sector, wire, GBA_OK, true);
	text = talloc_strndup(ctx, (const char *)wire.p + SIGN_LEN, wire.n - SIGN_LEN);
	ck_assert_ptr_nonnull(strstr(text, "\"lamport\":"));
	lamport = strtoll(strstr(text, "\"lamport\":") + strlen("\"lamport\":"), NULL, 10);
	talloc_free(ctx);
	return lamport;
}

/* As an import of a million devices in minutes: nobody refuses what is said meanwhile, and order holds for each device. */
START_TEST(many_at_once_do_not_run_ahead)
{
	const int64_t far = (int64_t)T * 1000 + EVENT_AHEAD_MS;
	struct event_view view;
	struct db_stmt *stmt;
	char subject[24];
	int i;

	ck_assert_int_eq(said("status.set", "R0", "{\"status\":\"white\"}"), (int64_t)T * 1000);
	ck_assert_int_eq(said("status.set", "R0", "{\"status\":\"grey\"}"), (int64_t)T * 1000 + 1);
	ck_assert_err(db_prepare(prim.db, "UPDATE event_clock SET lamport = ?1", &stmt), GBA_OK);
	db_bind_int(stmt, 1, far);
	ck_assert_err(db_run(stmt, NULL), GBA_OK);
	for (i = 1; i < 100; i++) {
		snprintf(subject, sizeof(subject), "R%d", i);
		ck_assert_int_eq(said("device.registered", subject, "{\"make\":\"Acme\"}"), far);
		ck_assert_int_eq(said("status.set", subject, "{\"status\":\"white\"}"), far);
	}
	ck_assert_int_eq(said("status.set", "R7", "{\"status\":\"black\"}"), far + 1);
	ck_assert_int_eq(said("status.set", "R7", "{\"status\":\"grey\"}"), far + 2);
	ck_assert_int_eq(said("status.set", "R8", "{\"status\":\"black\"}"), far + 2);
	ck_assert_int_eq(said("device.removed", "R9", "{}"), far + 2);
	ck_assert_err(event_view_subject(sector.log, "R7", EVENT_NOW, &view), GBA_OK);
	ck_assert_int_eq(view.status, TRUST_GREY);
	ck_assert_err(event_view_subject(sector.log, "R8", EVENT_NOW, &view), GBA_OK);
	ck_assert_int_eq(view.status, TRUST_BLACK);
}
END_TEST

START_TEST(an_event_is_taken_once)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct event_view view;
	struct bytes first, second;

	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"status\":\"white\"}", T), GBA_OK);
	first = node_last(&prim, ctx);
	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"status\":\"black\"}", T), GBA_OK);
	second = node_last(&prim, ctx);
	expect(&sector, second, GBA_E_GAP, false);
	expect(&sector, first, GBA_OK, true);
	expect(&sector, first, GBA_OK, false);
	expect(&sector, second, GBA_OK, true);
	expect(&sector, first, GBA_OK, false); /* a replay changes nothing */
	ck_assert_err(event_view_subject(sector.log, "R1", EVENT_NOW, &view), GBA_OK);
	ck_assert_int_eq(view.status, TRUST_BLACK);
	ck_assert_str_eq(view.status_origin, "IN4F7");
	talloc_free(ctx);
}
END_TEST

START_TEST(forgeries_are_refused)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct bytes wire, bad;
	bool new;

	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"status\":\"white\"}", T), GBA_OK);
	wire = node_last(&prim, ctx);
	bad = copy(ctx, wire);
	((uint8_t *)(uintptr_t)bad.p)[3] ^= 1;
	expect(&sector, bad, GBA_E_SIGNATURE, false);
	bad = copy(ctx, wire); /* another status, same signature */
	memcpy(memmem(bad.p, bad.n, "white", 5), "black", 5);
	expect(&sector, bad, GBA_E_SIGNATURE, false);
	bad = copy(ctx, wire); /* an origin nobody knows */
	memcpy(memmem(bad.p, bad.n, "IN4F7", 5), "IN4ZZ", 5);
	expect(&sector, bad, GBA_E_SIGNATURE, false);
	expect(&other, wire, GBA_E_SIGNATURE, false);
	bad = copy(ctx, wire); /* a blank: not the canonical form, though JSON */
	memmove((uint8_t *)(uintptr_t)bad.p + SIGN_LEN, bad.p + SIGN_LEN + 0, bad.n - SIGN_LEN);
	((uint8_t *)(uintptr_t)bad.p)[bad.n - 1] = ' ';
	expect(&sector, bad, GBA_E_SYNTAX, false);
	expect(&sector, BYTES(wire.p, SIGN_LEN), GBA_E_SYNTAX, false);
	ck_assert_err(node_take(&sector, wire, ALL & ~(1u << EVENT_STATUS), T, &new), GBA_E_DENIED);
	ck_assert_err(node_take(&sector, wire, ALL, T - 301, &new), GBA_E_RANGE); /* said by a clock far ahead */
	expect(&sector, wire, GBA_OK, true);
	talloc_free(ctx);
}
END_TEST

/* An origin that came back with an old database says other things under numbers it has used. */
START_TEST(a_fork_is_found_out)
{
	struct node again;
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	char from[128], to[128], command[300];
	struct bytes first, second, third;

	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"status\":\"white\"}", T), GBA_OK);
	first = node_last(&prim, ctx);
	node_new(&again, "IN4F7", REGISTRY_PRIMARY);
	node_kill(&again);
	snprintf(from, sizeof(from), "%s/key", prim.dir);
	snprintf(to, sizeof(to), "%s/key", again.dir);
	snprintf(command, sizeof(command), "cp -p %s %s", from, to);
	ck_assert_int_eq(system(command), 0);
	node_open(&again);
	ck_assert_err(node_say(&again, "status.set", "R1", "{\"status\":\"black\"}", T), GBA_OK);
	second = node_last(&again, ctx);
	ck_assert_err(node_say(&again, "status.set", "R1", "{\"status\":\"grey\"}", T), GBA_OK);
	third = node_last(&again, ctx);
	expect(&sector, first, GBA_OK, true);
	expect(&sector, second, GBA_E_FORK, false);
	expect(&sector, third, GBA_E_FORK, false);
	node_remove(&again);
	talloc_free(ctx);
}
END_TEST

/* A registry that lost its last events learns them again from its neighbours, and goes on behind them. */
START_TEST(own_events_are_taken_back)
{
	struct node again;
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	char command[300];
	bool new;

	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"status\":\"white\"}", T), GBA_OK);
	node_new(&again, "IN4F7", REGISTRY_PRIMARY);
	node_kill(&again);
	snprintf(command, sizeof(command), "cp -p %s/key %s/key", prim.dir, again.dir);
	ck_assert_int_eq(system(command), 0);
	node_open(&again);
	ck_assert_err(node_take(&again, node_last(&prim, ctx), ALL, T, &new), GBA_OK);
	ck_assert_err(node_say(&again, "status.set", "R1", "{\"status\":\"black\"}", T), GBA_OK);
	ck_assert_err(node_take(&prim, node_last(&again, ctx), ALL, T, &new), GBA_OK);
	ck_assert(new);
	node_remove(&again);
	talloc_free(ctx);
}
END_TEST

/* The parent's word makes a registry known; a registry above may vouch for one that nobody else speaks for. */
START_TEST(keys_come_from_parents)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct event_registry as, found;
	struct bytes assigned = node_last(&sector, ctx), said;
	bool new;

	node_trust(&other, &geo);
	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"status\":\"white\"}", T), GBA_OK);
	said = node_last(&prim, ctx);
	expect(&other, assigned, GBA_E_SIGNATURE, false); /* by IN4, of whom FR has not heard */
	expect(&other, node_last(&geo, ctx), GBA_OK, true);
	expect(&other, said, GBA_E_SIGNATURE, false);
	expect(&other, assigned, GBA_OK, true);
	expect(&other, said, GBA_OK, true);
	ck_assert_err(event_registry_find(other.log, "IN4F7", &found), GBA_OK);
	ck_assert_str_eq(found.parent, "IN4");
	ck_assert_int_eq(found.type, REGISTRY_PRIMARY);
	as = node_as(&other, ""); /* IN vouches for FR towards IN4; nobody for what is below a known one */
	ck_assert_err(db_begin(geo.db), GBA_OK);
	ck_assert_err(event_registry_introduce(geo.log, &as, T), GBA_OK);
	ck_assert_err(event_registry_introduce(geo.log, &as, T), GBA_OK); /* once */
	ck_assert_err(db_commit(geo.db), GBA_OK);
	node_trust(&prim, &geo);
	ck_assert_err(node_take(&sector, node_last(&geo, ctx), ALL, T, &new), GBA_E_GAP);
	ck_assert_err(event_registry_find(sector.log, "FR", &found), GBA_E_NOT_FOUND);
	ck_assert_err(node_say(&other, "registry.introduced", "IN4Q", "{\"type\":\"primary\",\"key\":" KEY "}", T), GBA_OK);
	node_trust(&sector, &other);
	expect(&sector, node_last(&other, ctx), GBA_OK, true);
	ck_assert_err(event_registry_find(sector.log, "IN4Q", &found), GBA_E_NOT_FOUND);
	talloc_free(ctx);
}
END_TEST

/* ---- keys that are trusted no more ---- */

/* The same registry with another key, as another process has it. */
static void rekey(struct node *node, struct sign_key *key)
{
	struct event_self self = { node->reg_id, node->type, key };

	node->key = key;
	ck_assert_err(event_log_open(node->ctx, node->db, &self, &node->log), GBA_OK);
}

static void ck_view(struct node *who, const char *subject, enum trust_status status, const char *registry)
{
	struct event_view view;

	ck_assert_err(event_view_subject(who->log, subject, EVENT_NOW, &view), GBA_OK);
	ck_assert_msg(view.status == status && strcmp(view.registry, registry) == 0, "%s: %s, %s", subject,
		      trust_status_names[view.status], view.registry);
}

static char *revocation(TALLOC_CTX *ctx, const struct node *of, const char *good)
{
	struct event_registry as = node_as(of, "");
	char hex[2 * SIGN_PUBLIC_LEN + 1];
	size_t i;

	for (i = 0; i < SIGN_PUBLIC_LEN; i++)
		sprintf(hex + 2 * i, "%02x", as.key[i]);
	return talloc_asprintf(ctx, "{\"good\":%s,\"key\":\"%s\"}", good, hex);
}

/* Who has stolen a registry's key has a voice until it is revoked; what was forged goes, and does not come again. */
START_TEST(a_revoked_key_is_good_for_what_was_true)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct bytes registered, white, forged[2];
	struct event_registry as;
	struct sign_key *fresh;
	struct node thief;
	int64_t n = 0;

	ck_assert_err(node_say(&prim, "device.registered", "R1", "{\"identities\":[{\"type\":\"mac\",\"value\":\"01\"}]}", T), GBA_OK);
	registered = node_last(&prim, ctx);
	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"status\":\"white\"}", T), GBA_OK);
	white = node_last(&prim, ctx);
	node_new(&thief, "IN4F7", REGISTRY_PRIMARY);
	rekey(&thief, prim.key);
	expect(&thief, registered, GBA_OK, true);
	expect(&thief, white, GBA_OK, true);
	ck_assert_err(node_say(&thief, "status.set", "R1", "{\"status\":\"black\"}", T), GBA_OK);
	forged[0] = node_last(&thief, ctx);
	ck_assert_err(node_say(&thief, "device.registered", "R9", "{}", T), GBA_OK);
	forged[1] = node_last(&thief, ctx);
	expect(&sector, registered, GBA_OK, true);
	expect(&sector, white, GBA_OK, true);
	expect(&sector, forged[0], GBA_OK, true);
	expect(&sector, forged[1], GBA_OK, true);
	ck_view(&sector, "R1", TRUST_BLACK, "IN4F7");
	ck_view(&sector, "R9", TRUST_GREY, "IN4F7");

	ck_assert_err(node_say(&sector, "registry.revoked", "IN4F7", revocation(ctx, &prim, "{\"device\":1,\"status\":1}"), T), GBA_OK);
	ck_view(&sector, "R1", TRUST_WHITE, "IN4F7");
	ck_view(&sector, "R9", TRUST_GREY, "");
	expect(&sector, forged[0], GBA_E_SIGNATURE, false);
	expect(&sector, forged[1], GBA_E_SIGNATURE, false);
	expect(&sector, white, GBA_OK, false);

	/* It goes on with another key, where the true ones ended. */
	ck_assert_err(sign_key_open(prim.ctx, talloc_asprintf(ctx, "%s/fresh", prim.dir), true, &fresh), GBA_OK);
	rekey(&prim, fresh);
	ck_assert_err(db_begin(prim.db), GBA_OK);
	ck_assert_err(event_sign_again(prim.log, ctx, &n), GBA_OK);
	ck_assert_err(db_commit(prim.db), GBA_OK);
	ck_assert_int_eq(n, 2);
	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"status\":\"grey\"}", T + 1), GBA_OK);
	expect(&sector, node_last(&prim, ctx), GBA_E_SIGNATURE, false);
	as = node_as(&prim, "IN4");
	ck_assert_err(db_begin(sector.db), GBA_OK);
	ck_assert_err(event_registry_assign(sector.log, &as, T + 1), GBA_OK);
	ck_assert_err(db_commit(sector.db), GBA_OK);
	expect(&sector, node_last(&prim, ctx), GBA_OK, true);
	ck_view(&sector, "R1", TRUST_GREY, "IN4F7");

	/* Nothing of a key is good: nothing is left; said of one that is not below us, it holds here alone. */
	ck_assert_err(db_begin(sector.db), GBA_OK);
	ck_assert_err(event_registry_revoke(sector.log, "IN4F7", as.key, false, T + 2), GBA_OK);
	ck_assert_err(db_commit(sector.db), GBA_OK);
	ck_view(&sector, "R1", TRUST_WHITE, "IN4F7"); /* the first key's is still good */
	expect(&sector, node_last(&prim, ctx), GBA_E_SIGNATURE, false);
	node_remove(&thief);
	talloc_free(ctx);
}
END_TEST

static void ck_owner(struct node *who, const char *account, const char *subject)
{
	const struct event_search search = { .registry = "IN4F7", .owner = account, .status = -1, .after = "", .limit = 9 };
	struct event_subjects found;

	ck_assert_err(event_find(who->log, test_ctx, &search, &found), GBA_OK);
	ck_assert_msg(found.n == (subject != NULL ? 1u : 0u) && (subject == NULL || strcmp(found.v[0], subject) == 0), "%s", account);
	ck_assert_ptr_null(found.next);
	talloc_free(found.v);
}

/* Whose a device is its own registry says, and nobody else; what a stolen key has said of that goes with it. */
START_TEST(owners_are_told_by_the_devices_registry)
{
	static const char mac[] = "MAC-001B638445E6--IN4F7-H9";
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct bytes registered, owned;
	struct node thief;

	ck_assert_err(node_say(&prim, "device.registered", mac, "{\"make\":\"Acme\"}", T), GBA_OK);
	registered = node_last(&prim, ctx);
	ck_assert_err(node_say(&prim, "custodian.owns", mac, "{\"account\":\"asha\"}", T), GBA_OK);
	owned = node_last(&prim, ctx);
	node_new(&thief, "IN4F7", REGISTRY_PRIMARY);
	rekey(&thief, prim.key);
	expect(&thief, registered, GBA_OK, true);
	expect(&thief, owned, GBA_OK, true);
	expect(&sector, registered, GBA_OK, true);
	expect(&sector, owned, GBA_OK, true);
	ck_owner(&sector, "asha", mac);
	ck_owner(&sector, "ash", NULL);
	ck_assert_err(node_say(&sector, "custodian.owns", mac, "{\"account\":\"sector\"}", T), GBA_OK); /* kept, and counts for nothing */
	ck_owner(&sector, "asha", mac);
	ck_owner(&sector, "sector", NULL);
	ck_assert_err(node_say(&thief, "custodian.owns", mac, "{\"account\":\"mallory\"}", T), GBA_OK);
	expect(&sector, node_last(&thief, ctx), GBA_OK, true);
	ck_owner(&sector, "mallory", mac);
	ck_assert_err(node_say(&sector, "registry.revoked", "IN4F7", revocation(ctx, &prim, "{\"device\":1,\"custodian\":1}"), T), GBA_OK);
	ck_owner(&sector, "mallory", NULL);
	ck_owner(&sector, "asha", mac);
	node_remove(&thief);
	talloc_free(ctx);
}
END_TEST

START_TEST(who_may_revoke)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	char *body = revocation(ctx, &prim, "{}");

	ck_assert_err(node_say(&geo, "registry.revoked", "IN4F7", body, T), GBA_OK); /* at any distance above */
	ck_assert_err(node_say(&other, "registry.revoked", "IN4F7", body, T), GBA_E_DENIED);
	ck_assert_err(node_say(&sector, "registry.revoked", "IN4", body, T), GBA_E_DENIED);
	ck_assert_err(node_say(&prim, "registry.revoked", "IN4F7X", body, T), GBA_E_DENIED);
	ck_assert_err(node_say(&sector, "registry.revoked", "IN4F7", "{\"good\":{},\"key\":\"00\"}", T), GBA_E_RANGE);
	ck_assert_err(node_say(&sector, "registry.revoked", "IN4F7", revocation(ctx, &prim, "{\"status\":-1}"), T), GBA_E_RANGE);
	ck_assert_err(node_say(&sector, "registry.revoked", "IN4F7", revocation(ctx, &prim, "{\"colour\":1}"), T), GBA_E_RANGE);
	talloc_free(ctx);
}
END_TEST

/* With a registry's key goes what it has made known of others. */
START_TEST(a_forged_child_goes_with_its_parents_key)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct event_registry as, found;
	struct node forged;

	node_new(&forged, "IN4ZZ", REGISTRY_PRIMARY);
	node_trust(&geo, &sector);
	expect(&geo, node_last(&sector, ctx), GBA_OK, true); /* IN4F7 */
	as = node_as(&forged, "IN4");
	ck_assert_err(db_begin(sector.db), GBA_OK);
	ck_assert_err(event_registry_assign(sector.log, &as, T), GBA_OK);
	ck_assert_err(db_commit(sector.db), GBA_OK);
	expect(&geo, node_last(&sector, ctx), GBA_OK, true);
	ck_assert_err(node_say(&forged, "status.set", "R1", "{\"status\":\"black\"}", T), GBA_OK);
	expect(&geo, node_last(&forged, ctx), GBA_OK, true);
	ck_view(&geo, "R1", TRUST_BLACK, "");
	ck_assert_err(node_say(&geo, "registry.revoked", "IN4", revocation(ctx, &sector, "{\"registry\":1}"), T), GBA_OK);
	ck_view(&geo, "R1", TRUST_GREY, "");
	ck_assert_err(event_registry_find(geo.log, "IN4ZZ", &found), GBA_E_NOT_FOUND);
	ck_assert_err(event_registry_find(geo.log, "IN4F7", &found), GBA_OK);
	expect(&geo, node_last(&forged, ctx), GBA_E_SIGNATURE, false);
	node_remove(&forged);
	talloc_free(ctx);
}
END_TEST

/* ---- whose word holds ---- */

START_TEST(the_worst_of_several_devices_holds)
{
	static const char imei[] = "{\"identities\":[{\"type\":\"imei\",\"value\":\"49015420323751\"}]}";
	struct event_view view;

	ck_assert_err(event_view_identity(prim.log, "imei", bytes_of("49015420323751"), EVENT_NOW, &view), GBA_OK);
	ck_assert(!view.known);
	ck_assert_err(node_say(&prim, "device.registered", "R1", imei, T), GBA_OK);
	ck_assert_err(event_view_identity(prim.log, "imei", bytes_of("49015420323751"), EVENT_NOW, &view), GBA_OK);
	ck_assert(view.known && view.status == TRUST_GREY);
	ck_assert_str_eq(view.registry, "IN4F7");
	ck_assert_err(node_say(&prim, "device.registered", "R2", imei, T), GBA_OK);
	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"status\":\"white\"}", T), GBA_OK);
	ck_assert_err(node_say(&prim, "list.published", "L1", "{\"status\":\"black\",\"subjects\":[\"R2\"]}", T), GBA_OK);
	ck_assert_err(event_view_identity(prim.log, "imei", bytes_of("49015420323751"), EVENT_NOW, &view), GBA_OK);
	ck_assert_int_eq(view.status, TRUST_BLACK);
	ck_assert_err(node_say(&prim, "device.removed", "R2", "{}", T), GBA_OK);
	ck_assert_err(event_view_identity(prim.log, "imei", bytes_of("49015420323751"), EVENT_NOW, &view), GBA_OK);
	ck_assert_int_eq(view.status, TRUST_WHITE);
}
END_TEST

/* ---- RegIDs ---- */

/* REQ: Y3059-9.1-i */
/* REQ: Y3059-6.1-1: a replica tells the status at any time, as the registry that said it does, in whatever order it heard. */
START_TEST(a_replica_knows_every_time)
{
	static const struct { time_t at; enum trust_status want; const char *origin; } rows[] = {
		{ T - 1, TRUST_GREY, "" },	 { T, TRUST_WHITE, "IN4F7" },	   { T + 9, TRUST_WHITE, "IN4F7" },
		{ T + 10, TRUST_BLACK, "IN" },	 { T + 19, TRUST_BLACK, "IN" },	   { T + 20, TRUST_WHITE, "IN4F7" },
		{ EVENT_NOW, TRUST_WHITE, "IN4F7" },
	};
	struct event_statement held, *said;
	struct bytes of_prim[2], of_geo;
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct event_view view;
	size_t i, n = 0;
	bool new;

	node_trust(&sector, &geo);
	node_trust(&geo, &prim);
	ck_assert_err(node_say(&prim, "device.registered", "R1", "{\"identities\":[{\"type\":\"mac\",\"value\":\"00\"}]}", T), GBA_OK);
	expect(&sector, node_last(&prim, ctx), GBA_OK, true);
	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"cause\":\"good\",\"status\":\"white\"}", T), GBA_OK);
	of_prim[0] = node_last(&prim, ctx);
	ck_assert_err(node_say(&geo, "list.published", "IN", "{\"status\":\"black\",\"subjects\":[\"R1\",\"R1\"]}", T + 10), GBA_OK);
	of_geo = node_last(&geo, ctx);
	ck_assert_err(node_say(&prim, "status.set", "R1", "{\"cause\":\"again\",\"status\":\"white\"}", T + 20), GBA_OK);
	of_prim[1] = node_last(&prim, ctx);
	ck_assert_err(node_take(&sector, of_prim[0], ALL, T + 30, &new), GBA_OK);
	ck_assert_err(node_take(&sector, of_prim[1], ALL, T + 30, &new), GBA_OK);
	ck_assert_err(node_take(&sector, of_geo, ALL, T + 30, &new), GBA_OK); /* late */
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_err(event_view_subject(sector.log, "R1", rows[i].at, &view), GBA_OK);
		ck_assert_msg(view.status == rows[i].want && strcmp(view.status_origin, rows[i].origin) == 0, "%zu: %s", i, view.status_origin);
		ck_assert_err(event_view_identity(sector.log, "mac", bytes_of("00"), rows[i].at, &view), GBA_OK);
		ck_assert_int_eq(view.status, rows[i].want);
		ck_assert_err(event_status_at(sector.log, ctx, "R1", rows[i].at, &held), GBA_OK);
		ck_assert_int_eq(held.status, rows[i].want);
	}
	ck_assert_err(event_status_history(sector.log, ctx, "R1", 10, &said, &n), GBA_OK);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(said[0].cause, "good");
	ck_assert_str_eq(said[1].origin, "IN");
	ck_assert_str_eq(said[2].cause, "again");
	talloc_free(ctx);
}
END_TEST

START_TEST(lists_page_by_page)
{
	static const enum trust_status of[] = { TRUST_WHITE, TRUST_GREY, TRUST_BLACK };
	static const char *const words[] = { "white", "grey", "black" };
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct event_subjects list;
	char subject[8], body[64];
	size_t i;

	for (i = 0; i < 9; i++) {
		snprintf(subject, sizeof(subject), "R%zu", i);
		snprintf(body, sizeof(body), "{\"status\":\"%s\"}", words[i % 3]);
		ck_assert_err(node_say(&prim, "status.set", subject, body, T), GBA_OK);
	}
	ck_assert_err(node_say(&prim, "device.removed", "R8", "{}", T), GBA_OK);
	for (i = 0; i < 3; i++) {
		ck_assert_err(event_status_list(prim.log, ctx, of[i], "", 2, &list), GBA_OK);
		ck_assert_uint_eq(list.n, 2);
		ck_assert(list.v[0][1] == (char)('0' + i) && list.v[1][1] == (char)('3' + i));
		ck_assert_str_eq(list.next, list.v[1]);
		ck_assert_err(event_status_list(prim.log, ctx, of[i], list.next, 2, &list), GBA_OK);
		ck_assert(list.n == (i < 2) && list.next == NULL);
	}
	talloc_free(ctx);
}
END_TEST

START_TEST(reg_ids_until_none_is_left)
{
	struct event_registry child = { .type = REGISTRY_PRIMARY };
	char seen[36] = "";

	ck_assert_err(db_begin(sector.db), GBA_OK); /* IN4F7 is given: of one letter, IN4F is not free */
	for (int i = 0; i < 35; i++) {
		ck_assert_err(event_registry_free_id(sector.log, 1, child.reg_id), GBA_OK);
		ck_assert_uint_eq(strlen(child.reg_id), 4);
		ck_assert_int_eq(strncmp(child.reg_id, "IN4", 3), 0);
		ck_assert_ptr_null(strchr(seen, child.reg_id[3]));
		ck_assert_int_ne(child.reg_id[3], 'F');
		seen[i] = child.reg_id[3];
		child.key[0] = (uint8_t)i;
		ck_assert_err(event_registry_assign(sector.log, &child, T), GBA_OK);
	}
	ck_assert_err(event_registry_free_id(sector.log, 1, child.reg_id), GBA_E_EXHAUSTED);
	ck_assert_err(event_registry_free_id(sector.log, 2, child.reg_id), GBA_OK); /* below F alone */
	ck_assert_int_eq(child.reg_id[3], 'F');
	snprintf(child.reg_id, sizeof(child.reg_id), "IN4A9");
	ck_assert_err(event_registry_assign(sector.log, &child, T), GBA_E_EXISTS);
	ck_assert_err(event_registry_free_id(sector.log, 30, child.reg_id), GBA_E_RANGE);
	ck_assert_err(db_commit(sector.db), GBA_OK);
}
END_TEST

/* ---- equipment ---- */

static const struct {
	const char *imei;
	uint64_t want; /* 0: refused */
} imei_rows[] = {
	{ "490154203237518", 49015420323752 }, { "49015420323751", 49015420323752 },   { "490154203237510", 49015420323752 },
	{ "4901542032375107", 49015420323752 }, { "00000000000000", 1 },		 { "99999999999999", 100000000000000 },
	{ "4901542032375", 0 },			{ "49015420323751071", 0 },		 { "4901542032375a", 0 },
	{ "", 0 },				{ " 4901542032375", 0 },		 { "490154203237-1", 0 },
};

START_TEST(imeis_in_all_their_lengths)
{
	enum gba_err want = imei_rows[_i].want != 0 ? GBA_OK : GBA_E_SYNTAX;
	uint64_t key = 0;

	ck_assert_err(imei_key(bytes_of(imei_rows[_i].imei), &key), want);
	ck_assert_uint_eq(key, imei_rows[_i].want);
}
END_TEST

START_TEST(the_cache_forgets)
{
	struct equipment_cache *cache = NULL;
	enum equipment what = EQUIPMENT_UNKNOWN;
	unsigned int age;

	ck_assert_err(equipment_cache_new(test_ctx, &cache), GBA_OK);
	ck_assert(!equipment_cache_get(cache, 7, &what));
	age = equipment_cache_age(cache);
	equipment_cache_put(cache, 7, EQUIPMENT_BLACK, age);
	ck_assert(equipment_cache_get(cache, 7, &what) && what == EQUIPMENT_BLACK);
	equipment_cache_forget(cache);
	ck_assert(!equipment_cache_get(cache, 7, &what));
	equipment_cache_put(cache, 7, EQUIPMENT_WHITE, age); /* read before the change */
	ck_assert(!equipment_cache_get(cache, 7, &what));
	talloc_free(cache);
}
END_TEST

static TCase *cases(const char *name)
{
	TCase *tcase = fixture_tcase(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 180);
	tcase_add_loop_test(tcase, only_what_may_be_said, 0, sizeof(say_rows) / sizeof(say_rows[0]));
	tcase_add_test(tcase, too_long_is_refused);
	tcase_add_test(tcase, many_at_once_do_not_run_ahead);
	tcase_add_test(tcase, an_event_is_taken_once);
	tcase_add_test(tcase, forgeries_are_refused);
	tcase_add_test(tcase, a_fork_is_found_out);
	tcase_add_test(tcase, own_events_are_taken_back);
	tcase_add_test(tcase, keys_come_from_parents);
	tcase_add_test(tcase, the_worst_of_several_devices_holds);
	tcase_add_test(tcase, a_replica_knows_every_time);
	tcase_add_test(tcase, a_revoked_key_is_good_for_what_was_true);
	tcase_add_test(tcase, owners_are_told_by_the_devices_registry);
	tcase_add_test(tcase, who_may_revoke);
	tcase_add_test(tcase, a_forged_child_goes_with_its_parents_key);
	tcase_add_test(tcase, lists_page_by_page);
	tcase_add_test(tcase, reg_ids_until_none_is_left);
	return tcase;
}

/* On SQLite, and on PostgreSQL where there is one. */
int main(void)
{
	Suite *suite = suite_create("registry event"), *again = suite_create("registry event on PostgreSQL");
	TCase *equipment = fixture_tcase("equipment");
	int status;

	tcase_add_loop_test(equipment, imeis_in_all_their_lengths, 0, sizeof(imei_rows) / sizeof(imei_rows[0]));
	tcase_add_test(equipment, the_cache_forgets);
	suite_add_tcase(suite, equipment);
	suite_add_tcase(suite, cases("event"));
	status = fixture_run(suite);
	nodes_on_server = pg_server_start();
	suite_add_tcase(again, cases("event"));
	if (nodes_on_server)
		status |= fixture_run(again);
	else
		srunner_free(srunner_create(again));
	pg_server_stop();
	return status;
}
