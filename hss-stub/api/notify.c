/* SPDX-License-Identifier: Apache-2.0 */
/* Telling users and ASPs (Y.3056 10.2-2c, 10.3-3, 10.3-6): a thread with a database handle of its own takes notices
 * from the store, delivers them by webhook, mail-drop or both, and takes them away when that was done. At least once: a
 * receiver tells repetitions by the notice's id. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/secret.h"
#include "core/trace.h"
#include "hss-stub/api/api_priv.h"
#include "hss-stub/sub_store.h"
#include "rest/notice.h"
#include "store/db_duty.h"

#define LOOK_MS     250
#define PAGE        100
#define WAITING_MAX 4096
#define WAIT_MAX_MS 3600000u
#define FULL_MS	    60000	 /* all are looked at again: owners who have a webhook now, places lost in the table */
#define NOTICE_LIFE (30 * 86400) /* [s] of a notice that cannot be delivered and is not fetched */

/* A notice that failed waits; after a restart all are tried at once. */
struct waiting {
	int64_t id;
	uint64_t due_ms;
};

/* A notice with whose it is. */
struct told {
	struct notice notice;
	int64_t owner;
	bool asp; /* the owner is an ASP, else a user */
	int event_number;
	const char *owner_name;
};

struct notifier {
	struct api *api;
	struct records *m;
	struct db_duty *duty; /* NULL: nobody else has this database */
	struct webhook *webhook;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop, runs;
	struct waiting waiting[WAITING_MAX];
	size_t n_waiting;
	int64_t seen;	  /* highest id looked at */
	uint64_t full_ms; /* when all are looked at again */
	int64_t failed[32]; /* owners whose webhook failed in this round: they do not hold up the others */
	size_t n_failed;
	bool sends; /* not another node */
	bool lost;  /* in this round: what was read in it may be told by another node by now */
};

void notify_key(struct records *m, bool asp, int64_t owner, char *key)
{
	mapping_pseudonym(m, owner, bytes_of(asp ? "webhook/asp" : "webhook/user"), key); /* no IMPI has this form */
}

static struct waiting *waiting_find(struct notifier *n, int64_t id)
{
	size_t i;

	for (i = 0; i < n->n_waiting; i++) {
		if (n->waiting[i].id == id)
			return &n->waiting[i];
	}
	return NULL;
}

static void waiting_drop(struct notifier *n, int64_t id)
{
	struct waiting *w = waiting_find(n, id);

	if (w != NULL)
		*w = n->waiting[--n->n_waiting];
}

static void waiting_add(struct notifier *n, int64_t id, int64_t tries)
{
	uint64_t wait = n->api->conf->notice.retry;
	struct waiting *w = waiting_find(n, id);

	for (; tries > 1 && wait < WAIT_MAX_MS; tries--)
		wait *= 2;
	if (wait > WAIT_MAX_MS)
		wait = WAIT_MAX_MS;
	if (w == NULL && n->n_waiting < WAITING_MAX)
		w = &n->waiting[n->n_waiting++];
	if (w != NULL)
		*w = (struct waiting){ id, clock_mono_ms() + wait };
}

static bool stopping(struct notifier *n)
{
	bool stop;

	pthread_mutex_lock(&n->lock);
	stop = n->stop;
	pthread_mutex_unlock(&n->lock);
	return stop;
}

/* One node sends, so that nobody is told everything twice. One that takes over looks at all there is. */
static bool on_duty(struct notifier *n)
{
	bool mine = n->duty == NULL || db_duty_mine(n->duty, clock_mono_ms());

	if (mine && !n->sends) {
		n->full_ms = 0;
		n->n_waiting = 0;
	}
	n->sends = mine;
	n->lost |= !mine;
	return mine;
}

static void log_notice(const struct told *told, enum log_level level, const char *event, enum gba_err err,
		       const char *text)
{
	const struct log_about about = { .iface = "REST", .id = bytes_of(told->owner_name), .result = err };

	log_event(level, event, &about, "notice %lld %s: %s", (long long)told->notice.id, told->notice.event, text);
}

/* An arrow of the ladder: what is told to whom. */
static void trace_notice(const struct told *told, const char *how)
{
	static const char *const clauses[] = {
		[EVENT_REQUEST_PASSED] = "Y.3056 10.3-3", [EVENT_ACCESS_GRANTED] = "Y.3056 10.3-6",
		[EVENT_ACCESS_REFUSED] = "Y.3056 10.3-6", [EVENT_APPLICATION_REGISTERED] = "Y.3056 10.2-2c",
		[EVENT_ACCESS_CHANGED] = "Y.3056 7.7",    [EVENT_TOKEN_CHANGED] = "Y.OBF 12.3"
	};
	char message[96];
	struct trace_step step = { .from = "hss-stub",
				   .to = told->asp ? "asp" : "user",
				   .iface = "REST",
				   .message = message,
				   .clause = clauses[told->event_number],
				   .id = bytes_of(told->owner_name) };

	if (!trace_on())
		return;
	snprintf(message, sizeof(message), "notice %s (%s)", told->notice.event, how);
	trace_step(&step);
}

static enum gba_err deliver(struct notifier *n, struct record_call *rc, struct told *told)
{
	const struct notice_conf *conf = &n->api->conf->notice;
	char key[PSEUDONYM_LEN + 1];
	enum gba_err err = GBA_OK;

	if (told->notice.drop[0] != '\0' && conf->mail_drop[0] != '\0') {
		err = mail_drop(conf, &told->notice);
		if (err == GBA_OK)
			trace_notice(told, "mail-drop");
	}
	if (err == GBA_OK && told->notice.url[0] != '\0') {
		notify_key(n->m, told->asp, told->owner, key);
		err = webhook_post(n->webhook, &told->notice, key, rc->why, sizeof(rc->why));
		SECRET_WIPE(key);
		if (err == GBA_OK)
			trace_notice(told, "webhook");
	}
	return err;
}

static bool owner_failed(const struct notifier *n, const struct told *told)
{
	int64_t id = told->asp ? -told->owner : told->owner;
	size_t i;

	for (i = 0; i < n->n_failed; i++) {
		if (n->failed[i] == id)
			return true;
	}
	return false;
}

static void remove_notice(struct notifier *n, struct record_call *rc, const struct record *rec)
{
	enum gba_err err = records_remove(n->m, rc, rec);

	if (err == GBA_OK || err == GBA_E_NOT_FOUND || err == GBA_E_STALE)
		waiting_drop(n, rec->id);
	else
		waiting_add(n, rec->id, 1); /* told, but still there: it will be told again */
}

static void failed(struct notifier *n, struct record_call *rc, const struct record *rec, const struct told *told,
		   enum gba_err err)
{
	int64_t tries = rec->v[NOTICE_TRIES].n + 1;
	json_t *values;

	metric_add(n->api->notices_failed, 1);
	if (n->n_failed < sizeof(n->failed) / sizeof(n->failed[0]))
		n->failed[n->n_failed++] = told->asp ? -told->owner : told->owner;
	if (tries >= n->api->conf->notice.tries) {
		metric_add(n->api->notices_dropped, 1);
		log_notice(told, LOG_L_WARNING, "notice.given-up", err, rc->why);
		remove_notice(n, rc, rec);
		return;
	}
	log_notice(told, LOG_L_INFO, "notice.failed", err, rc->why);
	waiting_add(n, rec->id, tries);
	values = json_pack("{s:I}", "tries", (json_int_t)tries);
	if (values != NULL)
		records_set(n->m, rc, rec, values, NULL);
	json_decref(values);
}

/* @return false: its owner is gone, or has nothing to be told by (it may look at /v1/notices) */
static bool notice_fill(struct notifier *n, struct record_call *rc, const struct record *rec, struct told *told)
{
	struct record *owner;

	told->asp = rec->v[NOTICE_OWNER_TYPE].n == OWNER_ASP;
	told->notice.id = rec->id;
	told->owner = rec->v[NOTICE_OWNER].n;
	told->notice.created = rec->created;
	told->event_number = (int)rec->v[NOTICE_EVENT].n;
	told->notice.event = event_words[rec->v[NOTICE_EVENT].n];
	told->notice.body = record_text(rec, NOTICE_BODY);
	told->notice.about_kind = record_text(rec, NOTICE_ABOUT_KIND);
	told->notice.about = rec->v[NOTICE_ABOUT].n;
	if (records_get(n->m, rc, told->asp ? KIND_ASP : KIND_USER, told->owner, &owner) != GBA_OK)
		return false;
	told->notice.url = record_text(owner, told->asp ? ASP_NOTICE_URL : USER_NOTICE_URL);
	told->notice.drop = record_text(owner, told->asp ? ASP_NOTICE_DROP : USER_NOTICE_DROP);
	told->notice.address = record_text(owner, told->asp ? ASP_CONTACT : USER_EMAIL);
	told->owner_name = talloc_asprintf(rc->mem_ctx, "%s:%lld", told->asp ? "asp" : "user", (long long)told->owner);
	return told->owner_name != NULL && (told->notice.url[0] != '\0' || (told->notice.drop[0] != '\0' &&
									    n->api->conf->notice.mail_drop[0] != '\0'));
}

static void one(struct notifier *n, struct record_call *rc, const struct record *rec)
{
	const struct waiting *w = waiting_find(n, rec->id);
	struct told told = { 0 };
	enum gba_err err;

	if ((w != NULL && w->due_ms > clock_mono_ms()) || n->lost || !on_duty(n))
		return;
	if (!notice_fill(n, rc, rec, &told)) {
		waiting_drop(n, rec->id);
		if (rec->created + NOTICE_LIFE < rc->now)
			remove_notice(n, rc, rec);
		return;
	}
	if (owner_failed(n, &told)) {
		waiting_add(n, rec->id, rec->v[NOTICE_TRIES].n + 1);
		return;
	}
	rc->why[0] = '\0';
	err = deliver(n, rc, &told);
	if (err != GBA_OK) {
		failed(n, rc, rec, &told, err);
		return;
	}
	metric_add(n->api->notices_sent, 1);
	log_notice(&told, LOG_L_INFO, "notice.delivered", GBA_OK, told.notice.url[0] != '\0' ? "webhook" : "mail-drop");
	remove_notice(n, rc, rec);
}

/* Those after n->seen. */
static enum gba_err look_at_new(struct notifier *n, const struct actor *system)
{
	struct record_query query = { .kind = KIND_NOTICE, .limit = PAGE };
	struct record_page *page;
	struct record_call rc;
	enum gba_err err;
	size_t i, count;

	do {
		TALLOC_CTX *ctx = talloc_new(n->m);

		rc = (struct record_call){ .actor = system, .now = clock_now(), .mem_ctx = ctx };
		query.after = n->seen;
		err = ctx != NULL ? records_list(n->m, &rc, &query, &page) : GBA_E_NOMEM;
		count = err == GBA_OK ? page->count : 0;
		for (i = 0; i < count && !stopping(n); i++) {
			n->seen = page->rec[i]->id;
			one(n, &rc, page->rec[i]);
		}
		talloc_free(ctx);
	} while (count == PAGE && !stopping(n));
	return err;
}

static void retry(struct notifier *n, const struct actor *system, int64_t id)
{
	TALLOC_CTX *ctx = talloc_new(n->m);
	struct record_call rc = { .actor = system, .now = clock_now(), .mem_ctx = ctx };
	struct record *rec;

	if (ctx == NULL)
		return;
	if (records_get(n->m, &rc, KIND_NOTICE, id, &rec) == GBA_OK)
		one(n, &rc, rec);
	else
		waiting_drop(n, id); /* fetched, or its owner is gone; else the next full look finds it */
	talloc_free(ctx);
}

static void look_at_waiting(struct notifier *n, const struct actor *system)
{
	size_t i = n->n_waiting;

	while (i-- > 0 && !stopping(n)) { /* one that goes leaves its place to the last */
		if (i < n->n_waiting && n->waiting[i].due_ms <= clock_mono_ms())
			retry(n, system, n->waiting[i].id);
	}
}

static void round_of(struct notifier *n)
{
	const struct actor system = { ACTOR_SYSTEM, 0, "notifier" };
	enum gba_err err;

	n->n_failed = 0;
	n->lost = false;
	if (!on_duty(n))
		return;
	if (clock_mono_ms() >= n->full_ms) {
		n->seen = 0;
		n->full_ms = clock_mono_ms() + FULL_MS;
	}
	look_at_waiting(n, &system);
	err = look_at_new(n, &system);
	if (err != GBA_OK)
		log_event_limited(60, LOG_L_WARNING, "notice.store",
				  &((struct log_about){ .iface = "REST", .result = err }), "notices cannot be read");
}

static void *run(void *arg)
{
	struct notifier *n = arg;
	struct timespec when;

	pthread_mutex_lock(&n->lock);
	while (!n->stop) {
		pthread_mutex_unlock(&n->lock);
		round_of(n);
		when = clock_mono_after(LOOK_MS);
		pthread_mutex_lock(&n->lock);
		if (!n->stop)
			pthread_cond_clockwait(&n->wake, &n->lock, CLOCK_MONOTONIC, &when);
	}
	pthread_mutex_unlock(&n->lock);
	if (n->duty != NULL)
		db_duty_leave(n->duty);
	return NULL;
}

enum gba_err notifier_start(TALLOC_CTX *mem_ctx, struct api *api, const char *database, struct notifier **_n,
			    const char **_error)
{
	struct notifier *n = talloc_zero(mem_ctx, struct notifier);
	enum gba_err err;

	if (n == NULL)
		return GBA_E_NOMEM;
	n->api = api;
	err = api_open(NULL, api, &n->m, _error); /* a root of its own: its thread's */
	if (err == GBA_OK && db_is_server(database))
		err = db_duty_new(n->m, sub_store_db(mapping_subscribers(n->m)), "notices", api->identity,
				  api->conf->notice_lease * 1000, &n->duty);
	if (err == GBA_OK)
		err = webhook_new(&api->conf->notice, &n->webhook);
	if (err != GBA_OK) {
		talloc_free(n->m);
		talloc_free(n);
		return err;
	}
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->wake, NULL);
	*_n = n;
	n->runs = pthread_create(&n->thread, NULL, run, n) == 0;
	return n->runs ? GBA_OK : GBA_E_NOMEM;
}

void notifier_stop(struct notifier *n)
{
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
	if (n->runs)
		pthread_join(n->thread, NULL);
	webhook_free(n->webhook);
	talloc_free(n->m);
	pthread_cond_destroy(&n->wake);
	pthread_mutex_destroy(&n->lock);
}
