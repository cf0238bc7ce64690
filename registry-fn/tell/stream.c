/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events (HTML 9.2): one thread writes them to all readers. An event's id is its place in the log, so that
 * a reader that was cut off, or whose registry was killed, goes on behind the last one it has. No reader is waited for:
 * what it does not take stays in the log. Before anything is told, whose stream it is has to show anew that it may read
 * it. */
#include "registry-fn/tell/stream.h"

#include <pthread.h>
#include <sys/queue.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "registry-fn/trust/trust.h"

#define LOOK_MS  200    /* between looks at the log */
#define CHECK_MS 1000   /* between looks at a quiet reader's rights */
#define ROOM     131072 /* [octets] for what a reader has not taken yet; more than the longest event as a token */
#define RETRY_MS 1000   /* a reader whose stream has ended waits so long */

struct reader {
	LIST_ENTRY(reader) list;
	struct http_stream *http;
	struct rest *rest;
	struct rest_shown shown;
	struct actor actor;                 /* name: "" */
	int64_t subscription, cursor, told; /* told: last id that was written */
	uint64_t beat_ms, checked_ms;
	bool plain;
};

static struct {
	TALLOC_CTX *root;
	const struct registry_conf *conf;
	struct records *r;
	pthread_t thread;
	pthread_mutex_t lock; /* all below, and the list */
	pthread_cond_t wake;
	LIST_HEAD(, reader) readers, fresh; /* fresh: not yet the thread's */
	size_t count;
	bool running, stopping;
	struct metric *m_readers, *m_events, *m_ended[4];
} streams = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

/* Why a stream has ended. */
enum ended { ENDED_GONE, ENDED_STALLED, ENDED_REFUSED, ENDED_STOPPED };
static const char *const ended_words[] = { "gone", "stalled", "refused", "stopped" };

enum gba_err tell_stream_open(const struct tell_reader *want, struct http_stream *http)
{
	struct reader *reader = talloc_zero(NULL, struct reader);
	enum gba_err err = reader == NULL ? GBA_E_NOMEM : GBA_OK;

	if (err != GBA_OK)
		return err;
	*reader = (struct reader){ .http = http,
				   .rest = want->rest,
				   .shown = want->shown,
				   .actor = want->actor,
				   .subscription = want->subscription,
				   .cursor = want->after,
				   .told = want->after,
				   .plain = want->plain };
	reader->actor.name = "";
	reader->beat_ms = clock_mono_ms();
	pthread_mutex_lock(&streams.lock);
	if (!streams.running || streams.stopping || streams.count >= streams.conf->stream_max)
		err = GBA_E_BUSY;
	if (err == GBA_OK) {
		streams.count++;
		LIST_INSERT_HEAD(&streams.fresh, reader, list);
		pthread_cond_signal(&streams.wake);
	}
	pthread_mutex_unlock(&streams.lock);
	if (err != GBA_OK)
		talloc_free(reader);
	return err;
}

static void reader_end(struct reader *reader, enum ended why)
{
	pthread_mutex_lock(&streams.lock);
	LIST_REMOVE(reader, list);
	streams.count--;
	pthread_mutex_unlock(&streams.lock);
	http_stream_end(reader->http);
	metric_add(streams.m_ended[why], 1);
	log_event(why == ENDED_STALLED ? LOG_L_WARNING : LOG_L_INFO, "registry.stream.end", NULL,
		  "subscription %lld, up to event %lld: %s", (long long)reader->subscription, (long long)reader->cursor,
		  ended_words[why]);
	talloc_free(reader);
}

/* Still the same caller, and still allowed to read this subscription? @retval GBA_E_NOT_AUTHORIZED */
static enum gba_err check(struct reader *reader, TALLOC_CTX *ctx, struct tell_sub **_sub)
{
	struct record_call call = { .now = clock_now(), .mem_ctx = ctx };
	struct actor *actor = NULL;
	enum gba_err err = rest_again(reader->rest, streams.r, ctx, &reader->shown, &actor);

	if (err == GBA_OK && (actor->role != reader->actor.role || actor->id != reader->actor.id))
		err = GBA_E_NOT_AUTHORIZED;
	call.actor = actor;
	if (err == GBA_OK)
		err = record_visible(streams.r, &call, REG_SUBSCRIPTION, reader->subscription);
	if (err == GBA_OK)
		err = tell_sub_load(streams.r, ctx, reader->subscription, _sub);
	if (err == GBA_OK && (!(*_sub)->good || (*_sub)->rec->v[SUBSCRIPTION_METHOD].n != SUBSCRIPTION_STREAM))
		err = GBA_E_NOT_AUTHORIZED;
	return err == GBA_E_NOT_FOUND ? GBA_E_NOT_AUTHORIZED : err;
}

/* @retval GBA_E_BUSY  no room: later */
static enum gba_err write_event(struct reader *reader, TALLOC_CTX *ctx, const struct tell_sub *sub,
				const struct tell_item *item)
{
	json_t *claims = reader->plain ? tell_claims(streams.r, sub, item) : NULL;
	char *plain = claims != NULL ? json_dumps(claims, JSON_COMPACT) : NULL, *token = NULL, *text = NULL;
	enum gba_err err = reader->plain ? GBA_OK : tell_token(streams.r, ctx, sub, item, &token);

	if (err == GBA_OK && (plain != NULL || token != NULL))
		text = talloc_asprintf(ctx, "id: %lld\nevent: %s\ndata: %s\n\n", (long long)item->event->seq,
				       item->event->kind, plain != NULL ? plain : token);
	if (err == GBA_OK)
		err = text != NULL ? http_stream_write(reader->http, bytes_of(text)) : GBA_E_NOMEM;
	json_decref(claims);
	free(plain);
	if (err != GBA_OK)
		return err;
	reader->cursor = reader->told = item->event->seq;
	reader->beat_ms = clock_mono_ms();
	metric_add(streams.m_events, 1);
	return GBA_OK;
}

static enum gba_err tell(struct reader *reader, TALLOC_CTX *ctx, const struct tell_sub *sub, bool *_more)
{
	struct tell_page *page = talloc_zero(ctx, struct tell_page);
	enum gba_err err =
		page != NULL ? tell_read(streams.r, ctx, sub, reader->cursor, 0, TELL_WINDOW, page) : GBA_E_NOMEM;
	size_t i;

	for (i = 0; err == GBA_OK && i < page->n; i++)
		err = write_event(reader, ctx, sub, &page->items[i]);
	if (err == GBA_E_BUSY) /* no room: with a later look */
		return GBA_OK;
	if (err == GBA_OK)
		reader->cursor = page->seen;
	*_more = *_more || (err == GBA_OK && !page->end);
	return err;
}

/* A comment; and an id without an event, so that what was nobody's here need not be looked at again. */
static void beat(struct reader *reader, uint64_t now)
{
	char text[64];

	if (now - reader->beat_ms < streams.conf->stream_beat)
		return;
	if (reader->told != reader->cursor)
		snprintf(text, sizeof(text), ":\nid: %lld\n\n", (long long)reader->cursor);
	else
		snprintf(text, sizeof(text), ":\n\n");
	if (http_stream_write(reader->http, bytes_of(text)) == GBA_OK)
		reader->told = reader->cursor;
	reader->beat_ms = now;
}

/* @return GBA_E_UNREACHABLE: the reader has gone; GBA_E_NOT_AUTHORIZED: it may not read any more; others: later */
static enum gba_err serve(struct reader *reader, int64_t last, bool *_more)
{
	uint64_t now = clock_mono_ms();
	struct tell_sub *sub = NULL;
	enum gba_err err = http_stream_open(reader->http) ? GBA_OK : GBA_E_UNREACHABLE;
	bool news = reader->cursor < last;
	TALLOC_CTX *ctx;

	if (err == GBA_OK)
		beat(reader, now);
	if (err != GBA_OK || (!news && now - reader->checked_ms < CHECK_MS))
		return err;
	ctx = talloc_new(streams.root);
	err = ctx != NULL ? check(reader, ctx, &sub) : GBA_E_NOMEM;
	reader->checked_ms = now;
	if (err == GBA_OK && news && sub->rec->v[SUBSCRIPTION_PAUSED].n == 0)
		err = tell(reader, ctx, sub, _more);
	talloc_free(ctx);
	return err;
}

/* A failure is told once, not with every look. */
static bool look(enum gba_err *_last_err)
{
	struct reader *reader, *next;
	enum gba_err err, first;
	int64_t last = 0;
	bool more = false;

	first = event_last(registry_handle_of(streams.r)->events, &last);
	for (reader = LIST_FIRST(&streams.readers); reader != NULL && first == GBA_OK; reader = next) {
		next = LIST_NEXT(reader, list);
		err = serve(reader, last, &more);
		if (err == GBA_E_UNREACHABLE)
			reader_end(reader, http_stream_cut(reader->http) ? ENDED_STALLED : ENDED_GONE);
		else if (err == GBA_E_NOT_AUTHORIZED)
			reader_end(reader, ENDED_REFUSED);
		else if (err != GBA_OK)
			first = err;
	}
	if (first != GBA_OK && first != *_last_err)
		log_event(LOG_L_ERROR, "registry.stream", NULL, "readers not told: %s", gba_strerror(first));
	*_last_err = first;
	return more && first == GBA_OK;
}

/* New readers join; while there is none at all the log is left alone. @return false: the end */
static bool wait(bool at_once)
{
	const struct timespec until = clock_mono_after(LOOK_MS);
	struct reader *reader;
	bool on;

	pthread_mutex_lock(&streams.lock);
	if (!at_once && !streams.stopping && LIST_EMPTY(&streams.fresh))
		pthread_cond_clockwait(&streams.wake, &streams.lock, CLOCK_MONOTONIC, &until);
	metric_set(streams.m_readers, (int64_t)streams.count);
	while (streams.count == 0 && !streams.stopping)
		pthread_cond_wait(&streams.wake, &streams.lock);
	while ((reader = LIST_FIRST(&streams.fresh)) != NULL) {
		LIST_REMOVE(reader, list);
		LIST_INSERT_HEAD(&streams.readers, reader, list);
	}
	metric_set(streams.m_readers, (int64_t)streams.count);
	on = !streams.stopping;
	pthread_mutex_unlock(&streams.lock);
	return on;
}

static void *run(void *arg)
{
	enum gba_err last = GBA_OK;
	bool more = false;

	(void)arg;
	metric_set(streams.m_readers, 0);
	while (wait(more))
		more = look(&last);
	while (!LIST_EMPTY(&streams.readers))
		reader_end(LIST_FIRST(&streams.readers), ENDED_STOPPED);
	return NULL;
}

static void metrics_get(void)
{
	char label[48];
	size_t i;

	streams.m_readers =
		metric_get("gba_registry_streams", "Subscribers that read server-sent events.", METRIC_GAUGE, "");
	streams.m_events =
		metric_get("gba_registry_stream_events_total", "Events written to them.", METRIC_COUNTER, "");
	for (i = 0; i < sizeof(ended_words) / sizeof(ended_words[0]); i++) {
		label[0] = '\0';
		metric_label(label, sizeof(label), "why", ended_words[i]);
		streams.m_ended[i] = metric_get("gba_registry_streams_ended_total", "Streams that have ended, and why.",
						METRIC_COUNTER, label);
	}
}

struct http_stream *tell_stream_new(void)
{
	static const char first[] = "retry: ";
	struct http_stream *http = http_stream_new(ROOM, streams.conf != NULL ? streams.conf->stream_stall : 0);
	char text[32];

	if (http == NULL)
		return NULL;
	snprintf(text, sizeof(text), "%s%d\n\n", first, RETRY_MS);
	(void)http_stream_write(http, bytes_of(text)); /* there is room */
	return http;
}

static enum gba_err stream_start(struct registry *registry, const char **_why)
{
	enum gba_err err;

	*_why = "server-sent events";
	if (registry->conf->api.listen[0] == '\0')
		return GBA_OK;
	streams.root = talloc_named_const(NULL, 0, "streams");
	if (streams.root == NULL)
		return GBA_E_NOMEM;
	metrics_get();
	LIST_INIT(&streams.readers);
	LIST_INIT(&streams.fresh);
	streams.count = 0;
	streams.stopping = false;
	streams.conf = registry->conf;
	err = registry_records(streams.root, registry, &streams.r, _why);
	pthread_mutex_lock(&streams.lock);
	if (err == GBA_OK && pthread_create(&streams.thread, NULL, run, NULL) != 0)
		err = GBA_E_NOMEM;
	streams.running = err == GBA_OK;
	pthread_mutex_unlock(&streams.lock);
	if (err != GBA_OK) {
		*_why = talloc_strdup(registry, *_why);
		TALLOC_FREE(streams.root);
	}
	return err;
}

static void stream_stop(struct registry *registry)
{
	(void)registry;
	if (!streams.running)
		return;
	pthread_mutex_lock(&streams.lock);
	streams.stopping = true;
	pthread_cond_signal(&streams.wake);
	pthread_mutex_unlock(&streams.lock);
	pthread_join(streams.thread, NULL);
	pthread_mutex_lock(&streams.lock);
	streams.running = false;
	pthread_mutex_unlock(&streams.lock);
	TALLOC_FREE(streams.root);
}

const struct registry_room tell_stream_room = { "streams", stream_start, stream_stop };
