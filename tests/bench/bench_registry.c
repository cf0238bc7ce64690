/* SPDX-License-Identifier: Apache-2.0 */
/* The registry's log of events, measured; prints JSON:
 *   bench_registry fill DB KEY REG-ID FIRST N   say N registrations with an IMEI each and a status, 500 to a transaction
 *   bench_registry wait DB KEY REG-ID FIRST N   the same without statuses
 *   bench_registry sync DB KEY REG-ID DIR       bring the registry of DIR, which may be a new one, up by batches as over Diameter */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "core/secret.h"
#include "registry-fn/peer/sync.h"
#include "registry-fn/record/schema.h"

#define TOGETHER 500
#define ALL	 0x7fu

struct place {
	struct db *db;
	struct sign_key *key;
	struct event_log *log;
};

static void must(enum gba_err err, const char *what)
{
	if (err == GBA_OK)
		return;
	fprintf(stderr, "bench_registry: %s: %s\n", what, gba_strerror(err));
	exit(EXIT_FAILURE);
}

static void place_open(TALLOC_CTX *ctx, const char *db, const char *key, const char *reg_id, struct place *place)
{
	struct event_self self = { reg_id, REGISTRY_PRIMARY, NULL };
	const char *why = "";

	must(db_open(ctx, db, registry_schema, registry_schema_steps, &place->db, &why), why);
	must(sign_key_open(ctx, key, true, &place->key), key);
	self.key = place->key;
	must(event_log_open(ctx, place->db, &self, &place->log), "log");
}

static long long octets_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (long long)st.st_size : 0;
}

static void status_say(struct place *place, const char *subject, const char *status)
{
	json_t *body = json_pack("{s:s, s:s}", "status", status, "cause", "policy");

	must(event_append(place->log, "status.set", subject, body, clock_now(), NULL), "status");
	json_decref(body);
}

/* fill: devices and their statuses; wait: devices; statuses: of them, and no Black */
static void device_say(struct place *place, const char *reg_id, unsigned int i, char act)
{
	char subject[64], imei[16];
	json_t *body;

	snprintf(subject, sizeof(subject), "%s-I3500%010u", reg_id, i);
	if (act == 's') {
		status_say(place, subject, i % 2 == 0 ? "grey" : "white");
		return;
	}
	snprintf(imei, sizeof(imei), "3500%010u", i);
	body = json_pack("{s:s, s:s, s:[{s:s, s:s}], s:s}", "make", "Acme", "model", "M1", "identities", "type", "imei", "value", imei,
			 "root", "uicc");
	must(event_append(place->log, "device.registered", subject, body, clock_now(), NULL), "device");
	json_decref(body);
	if (act == 'f')
		status_say(place, subject, i % 10 == 0 ? "black" : "white");
}

static void fill(TALLOC_CTX *ctx, char **argv, char act)
{
	unsigned int i, first = (unsigned int)atoi(argv[3]), n = (unsigned int)atoi(argv[4]);
	long long before = octets_of(argv[0]);
	uint64_t begin = clock_mono_us();
	struct place place;

	place_open(ctx, argv[0], argv[1], argv[2], &place);
	must(db_begin(place.db), "begin");
	for (i = 0; i < n; i++) {
		device_say(&place, argv[2], first + i, act);
		if (i % TOGETHER == TOGETHER - 1) {
			must(db_commit(place.db), "commit");
			must(db_begin(place.db), "begin");
		}
	}
	must(db_commit(place.db), "commit");
	talloc_free(place.db); /* the file is whole then */
	printf("{\"rate\": %.0f, \"octets\": %.0f}\n", (act == 'f' ? 2.0 : 1.0) * n * 1e6 / (double)(clock_mono_us() - begin),
	       (double)(octets_of(argv[0]) - before) / n);
}

static size_t batch(TALLOC_CTX *ctx, struct sync_peer *sender, struct place *from, struct sync_peer *receiver, struct place *to)
{
	TALLOC_CTX *tmp = talloc_new(ctx);
	struct sync_taken taken = { 0 };
	struct sync_list events;

	must(sync_next(sender, from->log, tmp, clock_mono_ms(), &events), "next");
	if (events.n > 0) {
		must(sync_take(receiver, to->log, to->db, tmp, &events, clock_now(), &taken), "take");
		must(taken.refused > 0 ? taken.first : GBA_OK, "refused");
		sync_answered(sender, &taken.haves, clock_mono_ms());
	}
	talloc_free(tmp);
	return taken.new;
}

static void sync(TALLOC_CTX *ctx, char **argv)
{
	struct sync_peer *sender = sync_peer_new(ctx, "NEW", ALL, ALL), *receiver = sync_peer_new(ctx, argv[2], ALL, ALL);
	char *db = talloc_asprintf(ctx, "%s/new.db", argv[3]), *key = talloc_asprintf(ctx, "%s/new.key", argv[3]);
	struct sync_list haves, classes;
	struct event_registry as = { .type = REGISTRY_PRIMARY };
	struct place from, to;
	size_t new, all = 0;
	uint64_t begin;

	place_open(ctx, argv[0], argv[1], argv[2], &from);
	place_open(ctx, db, key, "NEW", &to);
	snprintf(as.reg_id, sizeof(as.reg_id), "%s", argv[2]);
	memcpy(as.key, sign_key_public(from.key), SIGN_PUBLIC_LEN);
	must(db_begin(to.db), "begin");
	must(event_registry_trust(to.log, &as), "trust");
	must(db_commit(to.db), "commit");
	must(sync_haves(to.log, ctx, &haves), "haves");
	must(sync_classes(ctx, ALL, &classes), "classes");
	must(sync_greeted(sender, &haves, &classes), "hello");
	begin = clock_mono_us();
	do {
		new = batch(ctx, sender, &from, receiver, &to);
		all += new;
	} while (new > 0);
	printf("{\"rate\": %.0f, \"events\": %zu}\n", (double)all * 1e6 / (double)(clock_mono_us() - begin), all);
}

int main(int argc, char **argv)
{
	TALLOC_CTX *ctx = talloc_new(NULL);

	secret_init();
	if (argc == 7 && (strcmp(argv[1], "fill") == 0 || strcmp(argv[1], "wait") == 0 || strcmp(argv[1], "statuses") == 0))
		fill(ctx, argv + 2, argv[1][0]);
	else if (argc == 6 && strcmp(argv[1], "sync") == 0)
		sync(ctx, argv + 2);
	else
		return fprintf(stderr, "usage: bench_registry fill|wait|statuses DB KEY REG-ID FIRST N | sync DB KEY REG-ID DIR\n"), 2;
	talloc_free(ctx);
	return 0;
}
