/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/peer/sync.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/json.h"

#define AVP_OCTETS 15 /* of its head and its padding */

struct stream {
	char origin[REGID_MAX + 1];
	enum event_class class;
	int64_t have;	 /* last number the neighbour has */
	int64_t offered; /* last number of the batch under way; 0: none */
	uint64_t parked_until_ms;
};

struct sync_peer {
	char reg_id[REGID_MAX + 1];
	unsigned int send, accept, takes; /* takes: what it says it accepts */
	bool greeted, under_way;
	bool seek; /* cursors are to be found from what it has */
	/* A Black does not wait until very many other statuses, or registrations, are there. Each stream is of one lane and keeps
	 * its order; a registry is known before it speaks because all that says so is in the first lane. */
	struct lane {
		int64_t cursor; /* place in our log before which it lacks nothing of the lane that is not parked */
		int64_t read;	/* how far the batch under way has come */
	} lane[EVENT_LANES];
	struct stream *streams;
	size_t n;
};

struct sync_peer *sync_peer_new(TALLOC_CTX *mem_ctx, const char *reg_id, unsigned int send, unsigned int accept)
{
	struct sync_peer *peer = talloc_zero(mem_ctx, struct sync_peer);

	if (peer == NULL)
		return NULL;
	snprintf(peer->reg_id, sizeof(peer->reg_id), "%s", reg_id);
	peer->send = send | 1u << EVENT_REGISTRY;
	peer->accept = accept | 1u << EVENT_REGISTRY;
	return peer;
}

/* ---- texts ---- */

static bool list_add(TALLOC_CTX *ctx, struct sync_list *list, const char *text)
{
	char *copy = talloc_strdup(ctx, text);
	struct bytes *grown = talloc_realloc(ctx, list->v, struct bytes, list->n + 1);

	if (copy == NULL || grown == NULL)
		return false;
	list->v = grown;
	list->v[list->n++] = bytes_of(copy);
	return true;
}

static bool have_add(TALLOC_CTX *ctx, struct sync_list *list, const char *origin, enum event_class class, int64_t number)
{
	char text[SYNC_HAVE_MAX + 1];

	snprintf(text, sizeof(text), "%s %s %" PRId64, origin, event_class_names[class], number);
	return list_add(ctx, list, text);
}

static bool class_read(struct bytes word, enum event_class *_class)
{
	size_t i;

	for (i = 0; i < EVENT_CLASSES; i++) {
		if (bytes_eq_str(word, event_class_names[i])) {
			*_class = (enum event_class)i;
			return true;
		}
	}
	return false;
}

static bool have_read(struct bytes text, struct event_have *_have)
{
	struct bytes origin, rest, word, number;
	char digits[20] = "";

	if (!bytes_split(text, ' ', &origin, &rest) || !bytes_split(rest, ' ', &word, &number) || !regid_valid(origin) ||
	    !class_read(word, &_have->class) || number.n == 0 || number.n >= sizeof(digits) - 1)
		return false;
	memcpy(digits, number.p, number.n);
	if (digits[strspn(digits, "0123456789")] != '\0')
		return false;
	snprintf(_have->origin, sizeof(_have->origin), "%.*s", BYTES_FMT(origin));
	_have->number = strtoll(digits, NULL, 10);
	return true;
}

enum gba_err sync_haves(struct event_log *log, TALLOC_CTX *mem_ctx, struct sync_list *_haves)
{
	struct event_have *haves = NULL;
	size_t n = 0, i, octets = 0;
	enum gba_err err = event_haves(log, mem_ctx, &haves, &n);

	*_haves = (struct sync_list){ NULL, 0 };
	for (i = 0; i < n && err == GBA_OK && octets < SYNC_BATCH_OCTETS; i++) {
		if (have_add(mem_ctx, _haves, haves[i].origin, haves[i].class, haves[i].number))
			octets += AVP_OCTETS + _haves->v[i].n;
		else
			err = GBA_E_NOMEM;
	}
	return err;
}

enum gba_err sync_classes(TALLOC_CTX *mem_ctx, unsigned int classes, struct sync_list *_words)
{
	size_t i;

	*_words = (struct sync_list){ NULL, 0 };
	for (i = 0; i < EVENT_CLASSES; i++) {
		if ((classes & 1u << i) != 0 && !list_add(mem_ctx, _words, event_class_names[i]))
			return GBA_E_NOMEM;
	}
	return GBA_OK;
}

/* ---- what the neighbour has ---- */

static struct stream *stream_of(struct sync_peer *peer, const char *origin, enum event_class class)
{
	struct stream *grown;
	size_t i;

	for (i = 0; i < peer->n; i++) {
		if (peer->streams[i].class == class && strcmp(peer->streams[i].origin, origin) == 0)
			return &peer->streams[i];
	}
	grown = talloc_realloc(peer, peer->streams, struct stream, peer->n + 1);
	if (grown == NULL)
		return NULL;
	peer->streams = grown;
	grown[peer->n] = (struct stream){ .class = class };
	snprintf(grown[peer->n].origin, sizeof(grown[peer->n].origin), "%s", origin);
	return &peer->streams[peer->n++];
}

static bool has(struct sync_peer *peer, const struct event_have *have)
{
	struct stream *stream = stream_of(peer, have->origin, have->class);

	if (stream == NULL)
		return false;
	stream->have = have->number > stream->have ? have->number : stream->have;
	return true;
}

enum gba_err sync_greeted(struct sync_peer *peer, const struct sync_list *haves, const struct sync_list *accepts)
{
	unsigned int takes = 1u << EVENT_REGISTRY;
	enum event_class class;
	struct event_have have;
	size_t i;

	for (i = 0; i < haves->n; i++) {
		if (!have_read(haves->v[i], &have))
			return GBA_E_SYNTAX;
	}
	for (i = 0; i < accepts->n; i++) {
		if (class_read(accepts->v[i], &class)) /* a class of a newer version: none of ours */
			takes |= 1u << class;
	}
	sync_lost(peer);
	for (i = 0; i < haves->n; i++) {
		if (!have_read(haves->v[i], &have) || !has(peer, &have))
			return GBA_E_NOMEM;
	}
	peer->takes = takes;
	peer->greeted = peer->seek = true;
	return GBA_OK;
}

bool sync_is_greeted(const struct sync_peer *peer)
{
	return peer->greeted;
}

void sync_lost(struct sync_peer *peer)
{
	talloc_free(peer->streams);
	peer->streams = NULL;
	peer->n = 0;
	peer->greeted = peer->under_way = false;
}

/* ---- sending ---- */

static bool is_sent(const struct sync_peer *peer, enum event_class class, const char *origin)
{
	return (peer->send & peer->takes & 1u << class) != 0 && strcmp(origin, peer->reg_id) != 0;
}

/* The first places of our log that it lacks. */
static enum gba_err seek(struct sync_peer *peer, struct event_log *log, uint64_t now_ms)
{
	struct event_have *haves = NULL;
	int64_t place, last = 0, first[EVENT_LANES] = { 0 };
	size_t n = 0, i;
	enum gba_err err = event_last(log, &last); /* first: what comes meanwhile lies behind it */

	if (err == GBA_OK)
		err = event_haves(log, peer, &haves, &n);
	for (i = 0; i < n && err == GBA_OK; i++) {
		struct stream *stream = stream_of(peer, haves[i].origin, haves[i].class);

		if (stream == NULL) {
			err = GBA_E_NOMEM;
			break;
		}
		if (stream->parked_until_ms > now_ms)
			continue;
		stream->parked_until_ms = 0;
		if (is_sent(peer, haves[i].class, haves[i].origin) && stream->have < haves[i].number) {
			int64_t *lane = &first[event_lane_of(haves[i].class)];

			err = event_place(log, haves[i].origin, haves[i].class, stream->have, &place);
			*lane = err == GBA_OK && place > 0 && (*lane == 0 || place < *lane) ? place : *lane;
		}
	}
	if (err == GBA_OK) {
		for (i = 0; i < EVENT_LANES; i++)
			peer->lane[i].cursor = first[i] > 0 ? first[i] - 1 : last;
		peer->seek = false;
	}
	talloc_free(haves);
	return err;
}

/* Is a parked stream to be tried again? */
static bool unpark(struct sync_peer *peer, uint64_t now_ms)
{
	size_t i;

	for (i = 0; i < peer->n; i++) {
		if (peer->streams[i].parked_until_ms != 0 && peer->streams[i].parked_until_ms <= now_ms)
			return true;
	}
	return false;
}

static bool is_wanted(struct sync_peer *peer, const struct event *event, struct stream **_stream)
{
	if (!is_sent(peer, event->class, event->origin))
		return false;
	*_stream = stream_of(peer, event->origin, event->class);
	return *_stream != NULL && (*_stream)->parked_until_ms == 0 && event->number > (*_stream)->have;
}

struct batch {
	struct sync_list *list;
	size_t octets;
	bool full;
	int64_t upto; /* of all lanes: what is behind is for the next one */
};

/* Put events into the batch until it is full. @return it is */
static bool fill(struct sync_peer *peer, const struct event *events, size_t n, struct lane *lane, struct batch *batch)
{
	struct stream *stream = NULL;
	struct sync_list *list = batch->list;
	size_t i;

	for (i = 0; i < n; i++) {
		if (is_wanted(peer, &events[i], &stream)) {
			if (list->n == SYNC_BATCH_EVENTS || batch->octets + events[i].wire.n + AVP_OCTETS > SYNC_BATCH_OCTETS)
				return true;
			stream->offered = events[i].number;
			batch->octets += events[i].wire.n + AVP_OCTETS;
			list->v[list->n++] = events[i].wire;
		}
		lane->read = events[i].seq;
	}
	return false;
}

/* What the log has of a lane, until the batch is full. */
static enum gba_err lane_next(struct sync_peer *peer, struct event_log *log, TALLOC_CTX *mem_ctx, enum event_lane which,
			      struct batch *batch)
{
	struct lane *lane = &peer->lane[which];
	struct event_range range = { lane->cursor, batch->upto, SYNC_BATCH_EVENTS };
	size_t n = SYNC_BATCH_EVENTS, before = batch->list->n;
	struct event *events = NULL;
	enum gba_err err = GBA_OK;

	while (err == GBA_OK && !batch->full && n == SYNC_BATCH_EVENTS) {
		err = event_next_in(log, mem_ctx, which, &range, &events, &n);
		if (err == GBA_OK)
			batch->full = fill(peer, events, n, lane, batch);
		if (err == GBA_OK && !batch->full && n < SYNC_BATCH_EVENTS && batch->upto > lane->read)
			lane->read = batch->upto; /* what lies between is of other lanes */
		if (err == GBA_OK && batch->list->n == before)
			lane->cursor = lane->read; /* nothing in these for it */
		range.after = lane->read;
	}
	return err;
}

enum gba_err sync_next(struct sync_peer *peer, struct event_log *log, TALLOC_CTX *mem_ctx, uint64_t now_ms,
		       struct sync_list *_events)
{
	struct batch batch = { .list = _events };
	enum gba_err err = GBA_OK;
	size_t i;

	_events->n = 0;
	_events->v = talloc_array(mem_ctx, struct bytes, SYNC_BATCH_EVENTS);
	if (_events->v == NULL)
		return GBA_E_NOMEM;
	if (!peer->greeted || peer->under_way)
		return GBA_OK;
	if (peer->seek || unpark(peer, now_ms))
		err = seek(peer, log, now_ms);
	for (i = 0; i < EVENT_LANES; i++)
		peer->lane[i].read = peer->lane[i].cursor;
	if (err == GBA_OK)
		err = event_last(log, &batch.upto); /* once: a status behind it does not go before a Black that came between */
	for (i = 0; i < EVENT_LANES && err == GBA_OK && !batch.full; i++)
		err = lane_next(peer, log, mem_ctx, (enum event_lane)i, &batch);
	peer->under_way = err == GBA_OK && _events->n > 0;
	return err;
}

/* While a Black is not taken, neither do other statuses of its registry go. */
static void park(struct sync_peer *peer, struct stream *stream, uint64_t until_ms)
{
	size_t i;

	stream->parked_until_ms = until_ms;
	for (i = 0; i < peer->n; i++) {
		if (stream->class == EVENT_BLACK && peer->streams[i].class == EVENT_STATUS &&
		    strcmp(peer->streams[i].origin, stream->origin) == 0)
			peer->streams[i].parked_until_ms = until_ms;
	}
}

void sync_answered(struct sync_peer *peer, const struct sync_list *haves, uint64_t now_ms)
{
	struct event_have have;
	bool all = true;
	size_t i;

	for (i = 0; i < haves->n; i++) {
		if (have_read(haves->v[i], &have))
			(void)has(peer, &have);
	}
	for (i = 0; i < peer->n; i++) {
		struct stream *stream = &peer->streams[i];

		if (stream->offered > stream->have) {
			park(peer, stream, now_ms + SYNC_PARK_MS);
			all = false;
		}
		stream->offered = 0;
	}
	for (i = 0; i < EVENT_LANES && all; i++)
		peer->lane[i].cursor = peer->lane[i].read;
	peer->seek |= !all;
	peer->under_way = false;
}

void sync_failed(struct sync_peer *peer)
{
	size_t i;

	for (i = 0; i < peer->n; i++)
		peer->streams[i].offered = 0;
	peer->under_way = false;
	peer->seek = true;
}

enum gba_err sync_behind(struct sync_peer *peer, struct event_log *log, int64_t *_events)
{
	struct event_have *haves = NULL;
	size_t n = 0, i;
	enum gba_err err = event_haves(log, peer, &haves, &n);

	*_events = 0;
	for (i = 0; i < n && err == GBA_OK; i++) {
		struct stream *stream = stream_of(peer, haves[i].origin, haves[i].class);

		if (stream != NULL && is_sent(peer, haves[i].class, haves[i].origin) && haves[i].number > stream->have)
			*_events += haves[i].number - stream->have;
	}
	talloc_free(haves);
	return err;
}

/* ---- receiving ---- */

/* What is good of an event's text, for its stream: nothing behind a refused one is taken. */
struct place {
	struct event_have has; /* the last one that was good */
	bool refused;
};

static struct place *place_of(struct place *places, size_t *n, const struct event_have *of)
{
	size_t i;

	for (i = 0; i < *n; i++) {
		if (places[i].has.class == of->class && strcmp(places[i].has.origin, of->origin) == 0)
			return &places[i];
	}
	places[*n] = (struct place){ .has = *of };
	places[*n].has.number = 0;
	return &places[(*n)++];
}

/* A status of a registry whose Black was refused. */
static bool is_behind_black(const struct place *places, size_t n, const struct event_have *said)
{
	size_t i;

	for (i = 0; said->class == EVENT_STATUS && i < n; i++) {
		if (places[i].refused && places[i].has.class == EVENT_BLACK && strcmp(places[i].has.origin, said->origin) == 0)
			return true;
	}
	return false;
}

/* Of which stream does it say it is? Only to skip what follows a refused one: event_take() judges. */
static bool stream_said(struct bytes wire, struct event_have *_have)
{
	json_t *root = NULL;
	const char *origin, *kind;
	json_int_t number;
	bool good;

	if (wire.n <= SIGN_LEN || wire.n > EVENT_MAX ||
	    json_read(BYTES(wire.p + SIGN_LEN, wire.n - SIGN_LEN), &root, NULL) != GBA_OK)
		return false;
	good = json_unpack(root, "{s:s, s:s, s:I}", "origin", &origin, "kind", &kind, "number", &number) == 0 &&
	       regid_valid(bytes_of(origin)) && class_read(BYTES(kind, strcspn(kind, ".")), &_have->class);
	if (good) {
		snprintf(_have->origin, sizeof(_have->origin), "%s", origin);
		_have->number = number;
	}
	json_decref(root);
	return good;
}

static bool is_of_store(enum gba_err err)
{
	switch (err) {
	case GBA_E_NOMEM: case GBA_E_INTERNAL: case GBA_E_IO: case GBA_E_NOSPACE: case GBA_E_BUSY: case GBA_E_TIMEOUT:
	case GBA_E_UNREACHABLE: case GBA_E_UNCERTAIN: case GBA_E_CORRUPT: case GBA_E_EXISTS:
		return true;
	default:
		return false;
	}
}

static enum gba_err take_all(struct sync_peer *peer, struct event_log *log, const struct sync_list *events, time_t now,
			     struct sync_taken *taken, struct place *places, size_t *n)
{
	struct event_have said;
	struct place *place;
	enum gba_err err;
	size_t i;
	bool new;

	for (i = 0; i < events->n; i++) {
		place = stream_said(events->v[i], &said) ? place_of(places, n, &said) : NULL;
		if (place != NULL && (place->refused || is_behind_black(places, *n, &said)))
			continue;
		err = event_take(log, events->v[i], peer->accept, now, &new);
		if (is_of_store(err))
			return err;
		taken->new += err == GBA_OK && new;
		taken->known += err == GBA_OK && !new;
		if (err == GBA_OK && place != NULL)
			place->has.number = said.number;
		if (err == GBA_OK)
			continue;
		if (taken->refused++ == 0)
			taken->first = err;
		if (place != NULL)
			place->refused = true;
	}
	return GBA_OK;
}

/* What we have now of the streams in the batch: the sender has them too, as far as it has sent. */
static enum gba_err taken_haves(struct sync_peer *peer, struct event_log *log, TALLOC_CTX *mem_ctx, struct sync_taken *taken,
				const struct place *places, size_t n)
{
	struct event_have *haves = NULL;
	size_t count = 0, i, k;
	enum gba_err err = event_haves(log, mem_ctx, &haves, &count);

	for (i = 0; i < count && err == GBA_OK; i++) {
		for (k = 0; k < n; k++) {
			if (places[k].has.class != haves[i].class || strcmp(places[k].has.origin, haves[i].origin) != 0)
				continue;
			if (!have_add(mem_ctx, &taken->haves, haves[i].origin, haves[i].class, haves[i].number))
				err = GBA_E_NOMEM;
			if (peer->greeted && !places[k].refused)
				(void)has(peer, &places[k].has);
		}
	}
	return err;
}

enum gba_err sync_take(struct sync_peer *peer, struct event_log *log, struct db *db, TALLOC_CTX *mem_ctx,
		       const struct sync_list *events, time_t now, struct sync_taken *_taken)
{
	struct place *places = talloc_array(mem_ctx, struct place, events->n + 1);
	enum gba_err err;
	size_t n = 0;

	memset(_taken, 0, sizeof(*_taken));
	if (places == NULL)
		return GBA_E_NOMEM;
	err = db_begin(db);
	if (err != GBA_OK)
		return err;
	err = take_all(peer, log, events, now, _taken, places, &n);
	if (err == GBA_OK)
		err = taken_haves(peer, log, mem_ctx, _taken, places, n);
	if (err == GBA_OK && _taken->new > 0)
		return db_commit(db);
	db_rollback(db);
	return err;
}
