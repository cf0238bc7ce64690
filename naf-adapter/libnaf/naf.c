/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/libnaf/naf.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "naf-adapter/libnaf/result.h"

#define BUCKETS 1024 /* a power of two; ids count up, so chains stay even */
#define RETRY_MS 200 /* [ms] between attempts to reach the agent again, when notices are wanted or a question was lost */

struct gba_naf_request {
	struct gba_naf *naf;
	struct gba_naf_request *prev, *next; /* in the list it waits in */
	struct gba_naf_request *chain;	     /* in the bucket of its id */
	struct list *list;
	uint64_t deadline; /* [ms] monotonic */
	uint32_t id;
	enum { ASKED, LOST, ASKED_AGAIN } how; /* LOST: with the connection; goes over the next one */
	uint8_t *frame; /* kept for that; NULL once it has gone again */
	size_t frame_n;
	enum gba_naf_error failed; /* what the callback will get, when in the list of the failed */
	gba_naf_done done;
	void *arg;
	char btid[WIRE_BTID_MAX + 1], fqdn[WIRE_FQDN_MAX + 1];
};

struct list {
	struct gba_naf_request *first, *last;
};

struct gba_naf {
	struct link link;
	int timer;
	uint64_t armed;	 /* [ms] instant the timer is set to; 0: not set */
	uint32_t last_id;
	struct list waiting; /* by deadline */
	struct list failed;  /* their callbacks are due at the next gba_naf_process() */
	gba_naf_noticed noticed; /* NULL: not wanted */
	void *noticed_arg;
	bool notices;	   /* the agent has shown that it sends them */
	bool doubtful;	   /* a new connection: who is interested has not been told yet */
	uint64_t retry_at; /* [ms] for a connection without a new question; 0: there is one, or nobody needs it */
	struct gba_naf_request *buckets[BUCKETS];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- lists ---- */

static void list_remove(struct gba_naf_request *request)
{
	struct list *list = request->list;

	*(request->prev != NULL ? &request->prev->next : &list->first) = request->next;
	*(request->next != NULL ? &request->next->prev : &list->last) = request->prev;
}

static void list_insert_after(struct list *list, struct gba_naf_request *before, struct gba_naf_request *request)
{
	request->list = list;
	request->prev = before;
	request->next = before != NULL ? before->next : list->first;
	*(request->prev != NULL ? &request->prev->next : &list->first) = request;
	*(request->next != NULL ? &request->next->prev : &list->last) = request;
}

/* Time-outs are mostly alike: the place is found from the end. */
static void list_insert_by_deadline(struct list *list, struct gba_naf_request *request)
{
	struct gba_naf_request *before = list->last;

	while (before != NULL && before->deadline > request->deadline)
		before = before->prev;
	list_insert_after(list, before, request);
}

static struct gba_naf_request **bucket_of(struct gba_naf *naf, uint32_t id)
{
	struct gba_naf_request **at = &naf->buckets[id & (BUCKETS - 1)];

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->chain;
	return at;
}

static void request_enter(struct gba_naf_request *request)
{
	struct gba_naf_request **bucket = &request->naf->buckets[request->id & (BUCKETS - 1)];

	request->chain = *bucket;
	*bucket = request;
	list_insert_by_deadline(&request->naf->waiting, request);
}

static void request_leave(struct gba_naf_request *request)
{
	*bucket_of(request->naf, request->id) = request->chain;
	list_remove(request);
}

static void request_free(struct gba_naf_request *request)
{
	free(request->frame);
	free(request);
}

/* Hand the outcome to the application; the request is gone before, so that the callback may do anything. */
static void request_finish(struct gba_naf_request *request, enum gba_naf_error error, struct gba_naf_result *result)
{
	gba_naf_done done = request->done;
	void *arg = request->arg;

	request_leave(request);
	request_free(request);
	done(arg, error, result);
}

/* ---- timer ---- */

/* @return [ms] instant of what is due next; 0: nothing */
static uint64_t next_due(const struct gba_naf *naf)
{
	uint64_t at = naf->waiting.first != NULL ? naf->waiting.first->deadline : 0;

	if (naf->failed.first != NULL || naf->doubtful)
		return 1;
	return naf->retry_at != 0 && (at == 0 || naf->retry_at < at) ? naf->retry_at : at;
}

static void timer_arm(struct gba_naf *naf)
{
	struct itimerspec spec = { { 0, 0 }, { 0, 0 } };
	uint64_t at = next_due(naf);

	if (at == 0 || (naf->armed != 0 && naf->armed <= at))
		return;
	spec.it_value.tv_sec = (time_t)(at / 1000);
	spec.it_value.tv_nsec = (long)(at % 1000) * 1000000;
	if (timerfd_settime(naf->timer, TFD_TIMER_ABSTIME, &spec, NULL) == 0)
		naf->armed = at;
}

static void timer_fired(struct gba_naf *naf)
{
	uint64_t times;

	if (read(naf->timer, &times, sizeof(times)) == sizeof(times))
		naf->armed = 0;
}

/* ---- connection ---- */

/* Callbacks never come from where the loss is noticed: they are due at the next gba_naf_process(). */
static void fail_later(struct gba_naf *naf, struct gba_naf_request *request, enum gba_naf_error error)
{
	list_remove(request);
	request->failed = error;
	list_insert_after(&naf->failed, naf->failed.last, request);
}

/* An agent that ended may be back in a moment: what it was asked is asked again, once, while its own time lasts. */
static void connection_lost(struct gba_naf *naf, enum gba_naf_error error)
{
	struct gba_naf_request *request, *next;
	bool wanted = naf->noticed != NULL;

	link_drop(&naf->link);
	if (error == GBA_NAF_E_PROTOCOL)
		naf->notices = false; /* another agent than the one that showed them, perhaps */
	wanted = wanted && naf->notices;
	for (request = naf->waiting.first; request != NULL; request = next) {
		next = request->next;
		if (error != GBA_NAF_E_NO_AGENT || request->how == ASKED_AGAIN) {
			fail_later(naf, request, error);
			continue;
		}
		request->how = LOST;
		wanted = true;
	}
	naf->retry_at = wanted ? now_ms() + RETRY_MS : 0;
	timer_arm(naf);
}

/* Over a new connection, before anything else is asked. */
static enum gba_naf_error ask_lost_again(struct gba_naf *naf)
{
	struct gba_naf_request *request, *next;
	enum gba_naf_error error = GBA_NAF_OK;

	for (request = naf->waiting.first; request != NULL && error == GBA_NAF_OK; request = next) {
		next = request->next;
		if (request->how != LOST)
			continue;
		request->how = ASKED_AGAIN;
		error = link_send(&naf->link, request->frame, request->frame_n);
		free(request->frame);
		request->frame = NULL;
		if (error == GBA_NAF_E_BUSY) {
			fail_later(naf, request, error);
			error = GBA_NAF_OK;
		}
	}
	return error;
}

/* Connect when there is no connection. Before anything else goes over a new one the agent is told that notices are wanted. */
static enum gba_naf_error connect_watching(struct gba_naf *naf)
{
	bool fresh = naf->link.sock < 0;
	enum gba_naf_error error = link_connect(&naf->link);
	uint8_t frame[WIRE_HEAD_LEN];
	struct wire_out out = { frame, sizeof(frame), 0, false };

	if (error != GBA_NAF_OK || !fresh)
		return error;
	naf->retry_at = 0;
	if (naf->noticed != NULL && naf->notices) {
		naf->doubtful = true;
		wire_begin(&out, WIRE_WATCH, 0);
		error = link_send(&naf->link, frame, wire_end(&out));
	}
	return error == GBA_NAF_OK ? ask_lost_again(naf) : error;
}

static enum gba_naf_error send_once(struct gba_naf *naf, const uint8_t *frame, size_t n)
{
	enum gba_naf_error error = connect_watching(naf);

	if (error == GBA_NAF_OK)
		error = link_send(&naf->link, frame, n);
	if (error == GBA_NAF_E_NO_AGENT || error == GBA_NAF_E_NOMEM)
		connection_lost(naf, error);
	return error;
}

/* A connection the agent has closed since the last query is noticed here: a second try on a new one. */
static enum gba_naf_error send_frame(struct gba_naf *naf, const uint8_t *frame, size_t n)
{
	bool had_connection = naf->link.sock >= 0;
	enum gba_naf_error error = send_once(naf, frame, n);

	if (error == GBA_NAF_E_NO_AGENT && had_connection)
		error = send_once(naf, frame, n);
	return error;
}

static void send_cancel(struct gba_naf *naf, uint32_t id)
{
	uint8_t frame[WIRE_HEAD_LEN];
	struct wire_out out = { frame, sizeof(frame), 0, false };

	wire_begin(&out, WIRE_CANCEL, id);
	if (naf->link.sock >= 0 && link_send(&naf->link, frame, wire_end(&out)) == GBA_NAF_E_NO_AGENT)
		connection_lost(naf, GBA_NAF_E_NO_AGENT);
}

/* ---- handle ---- */

static void naf_destroy(struct gba_naf *naf)
{
	if (naf->timer >= 0)
		close(naf->timer);
	link_close(&naf->link);
	free(naf);
}

enum gba_naf_error gba_naf_open(const char *socket_path, struct gba_naf **_naf)
{
	const char *path = socket_path != NULL ? socket_path : secure_getenv("GBA_NAF_SOCKET");
	struct epoll_event ev = { .events = EPOLLIN };
	struct gba_naf *naf = calloc(1, sizeof(*naf));
	enum gba_naf_error error;

	if (naf == NULL)
		return GBA_NAF_E_NOMEM;
	naf->timer = naf->link.epoll = naf->link.sock = -1;
	error = link_init(&naf->link, path != NULL ? path : GBA_RUNDIR "/naf.sock");
	if (error != GBA_NAF_OK) {
		free(naf);
		return error;
	}
	naf->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (naf->timer < 0 || epoll_ctl(naf->link.epoll, EPOLL_CTL_ADD, naf->timer, &ev) != 0) {
		naf_destroy(naf);
		return GBA_NAF_E_SYSTEM;
	}
	*_naf = naf;
	return GBA_NAF_OK;
}

void gba_naf_close(struct gba_naf *naf)
{
	if (naf == NULL)
		return;
	link_drop(&naf->link);
	while (naf->waiting.first != NULL)
		fail_later(naf, naf->waiting.first, GBA_NAF_E_NO_AGENT);
	while (naf->failed.first != NULL)
		request_finish(naf->failed.first, naf->failed.first->failed, NULL);
	naf_destroy(naf);
}

int gba_naf_fd(const struct gba_naf *naf)
{
	return naf->link.epoll;
}

/* ---- asking ---- */

/* Members that an application compiled against an older header does not have are left at zero. */
static bool query_copy(const struct gba_naf_query *query, struct gba_naf_query *_copy)
{
	if (query == NULL || query->size < offsetof(struct gba_naf_query, source))
		return false;
	memset(_copy, 0, sizeof(*_copy));
	memcpy(_copy, query, query->size < sizeof(*_copy) ? query->size : sizeof(*_copy));
	return _copy->btid != NULL && _copy->fqdn != NULL && _copy->gsid_count <= GBA_NAF_GSID_MAX &&
	       (_copy->gsid_count == 0 || _copy->gsids != NULL) && _copy->timeout_ms <= WIRE_TIMEOUT_MAX &&
	       (_copy->source == NULL || strlen(_copy->source) <= GBA_NAF_SOURCE_MAX) && _copy->until >= 0 &&
	       wire_fqdn_valid(_copy->fqdn, strlen(_copy->fqdn));
}

static struct gba_naf_request *request_new(struct gba_naf *naf, const struct gba_naf_query *q)
{
	struct gba_naf_request *request = calloc(1, sizeof(*request));
	size_t i;

	if (request == NULL)
		return NULL;
	request->naf = naf;
	if (++naf->last_id == 0)
		naf->last_id = 1;
	request->id = naf->last_id;
	memcpy(request->btid, q->btid, q->btid_len);
	for (i = 0; q->fqdn[i] != '\0'; i++)
		request->fqdn[i] = (char)tolower((unsigned char)q->fqdn[i]);
	return request;
}

void gba_naf_watch(struct gba_naf *naf, gba_naf_noticed noticed, void *arg)
{
	naf->noticed = noticed;
	naf->noticed_arg = arg;
	if (noticed == NULL && naf->waiting.first == NULL)
		naf->retry_at = 0;
}

static size_t request_encode(const struct gba_naf_request *request, const struct gba_naf_query *q, uint8_t *frame)
{
	struct wire_ask ask = { .btid = request->btid, .fqdn = request->fqdn, .ua_id = q->ua_id,
				.source = q->source != NULL ? q->source : "", .flags = q->flags, .until = q->until,
				.notices = request->naf->noticed != NULL };

	ask.timeout_ms = q->timeout_ms > 0 ? q->timeout_ms : GBA_NAF_TIMEOUT_DEFAULT;
	ask.gsid_count = q->gsid_count;
	if (q->gsid_count > 0)
		memcpy(ask.gsids, q->gsids, q->gsid_count * sizeof(ask.gsids[0]));
	return wire_ask_encode(&ask, request->id, frame);
}

static bool request_keep(struct gba_naf_request *request, const uint8_t *frame, size_t n)
{
	request->frame = malloc(n);
	if (request->frame == NULL)
		return false;
	memcpy(request->frame, frame, n);
	request->frame_n = n;
	return true;
}

enum gba_naf_error gba_naf_ask(struct gba_naf *naf, const struct gba_naf_query *query, gba_naf_done done, void *arg,
			       struct gba_naf_request **_request)
{
	struct gba_naf_request *request;
	uint8_t frame[WIRE_ASK_MAX];
	enum gba_naf_error error;
	struct gba_naf_query q;
	size_t n;

	if (!query_copy(query, &q) || done == NULL)
		return GBA_NAF_E_ARGUMENT;
	if (!gba_naf_btid_valid(q.btid, q.btid_len))
		return GBA_NAF_E_BTID_SYNTAX;
	request = request_new(naf, &q);
	if (request == NULL)
		return GBA_NAF_E_NOMEM;
	n = request_encode(request, &q, frame);
	error = request_keep(request, frame, n) ? send_frame(naf, frame, n) : GBA_NAF_E_NOMEM;
	if (error != GBA_NAF_OK) {
		request_free(request);
		return error;
	}
	request->deadline = now_ms() + (q.timeout_ms > 0 ? q.timeout_ms : GBA_NAF_TIMEOUT_DEFAULT);
	request->done = done;
	request->arg = arg;
	request_enter(request);
	timer_arm(naf);
	if (_request != NULL)
		*_request = request;
	return GBA_NAF_OK;
}

void gba_naf_cancel(struct gba_naf_request *request)
{
	struct gba_naf *naf;
	bool asked;
	uint32_t id;

	if (request == NULL)
		return;
	naf = request->naf;
	id = request->id;
	asked = request->list == &naf->waiting && request->how != LOST;
	request_leave(request);
	request_free(request);
	if (asked)
		send_cancel(naf, id);
}

/* ---- answers ---- */

static enum gba_naf_error read_answer(const struct gba_naf_request *request, const struct wire_frame *frame,
				      struct gba_naf_result **_result)
{
	enum gba_naf_error made;
	uint32_t error;

	if (frame->type == WIRE_KEY) {
		made = result_new(frame->body, request->btid, request->fqdn, _result);
		request->naf->notices |= made == GBA_NAF_OK && result_has_digest(*_result);
		return made;
	}
	if (wire_fail_decode(frame->body, &error) != NULL || error == GBA_NAF_OK)
		return GBA_NAF_E_PROTOCOL;
	return (enum gba_naf_error)error;
}

static void tell(struct gba_naf *naf, enum gba_naf_notice_kind kind, struct wire_view body)
{
	struct gba_naf_notice notice = { kind, body };

	if (naf->noticed != NULL)
		naf->noticed(naf->noticed_arg, &notice);
}

static enum gba_naf_error take_notice(struct gba_naf *naf, const struct wire_frame *frame)
{
	struct wire_view name;

	if (frame->id != 0 || wire_notice_decode(frame->body) != NULL)
		return GBA_NAF_E_PROTOCOL;
	tell(naf, wire_element_at(frame->body, WIRE_T_FQDN, 0, &name) ? GBA_NAF_CHANGED : GBA_NAF_REVOKED, frame->body);
	return GBA_NAF_OK;
}

/* An answer nobody waits for any more is passed over; a failure with id 0 is about the connection. */
static enum gba_naf_error take_frame(struct gba_naf *naf, const struct wire_frame *frame)
{
	struct gba_naf_request *request = *bucket_of(naf, frame->id);
	struct gba_naf_result *result = NULL;
	uint32_t why = GBA_NAF_E_PROTOCOL;
	enum gba_naf_error error;

	if (frame->version == WIRE_VERSION && frame->type == WIRE_NOTICE)
		return take_notice(naf, frame);
	if (frame->version != WIRE_VERSION || (frame->type != WIRE_KEY && frame->type != WIRE_FAIL))
		return GBA_NAF_E_PROTOCOL;
	if (frame->id == 0)
		return wire_fail_decode(frame->body, &why) == NULL && why != GBA_NAF_OK ? why : GBA_NAF_E_PROTOCOL;
	if (request == NULL || request->list != &naf->waiting)
		return GBA_NAF_OK;
	error = read_answer(request, frame, &result);
	request_finish(request, error, result);
	return GBA_NAF_OK;
}

static void take_frames(struct gba_naf *naf)
{
	enum gba_naf_error error = GBA_NAF_OK;
	enum wire_state state = WIRE_MORE;
	struct wire_frame frame;

	while (error == GBA_NAF_OK && (state = link_next(&naf->link, &frame)) == WIRE_WHOLE)
		error = take_frame(naf, &frame);
	if (error != GBA_NAF_OK || state == WIRE_BAD)
		connection_lost(naf, error != GBA_NAF_OK ? error : GBA_NAF_E_PROTOCOL);
}

static void expire(struct gba_naf *naf, uint64_t now)
{
	struct gba_naf_request *request;

	while ((request = naf->waiting.first) != NULL && request->deadline <= now) {
		uint32_t id = request->id;
		bool lost = request->how == LOST;

		request_finish(request, lost ? GBA_NAF_E_NO_AGENT : GBA_NAF_E_TIMEOUT, NULL);
		if (!lost)
			send_cancel(naf, id);
	}
}

/* Notices are wanted although there is nothing new to ask, or what was asked was lost. */
static void reconnect(struct gba_naf *naf)
{
	enum gba_naf_error error;

	if (naf->retry_at == 0 || naf->link.sock >= 0 || now_ms() < naf->retry_at)
		return;
	error = connect_watching(naf);
	if (error != GBA_NAF_OK)
		connection_lost(naf, error);
}

/* What was held before the connection was lost may have ended since; told before anything newer is read. */
static void tell_doubt(struct gba_naf *naf)
{
	if (!naf->doubtful)
		return;
	naf->doubtful = false;
	tell(naf, GBA_NAF_DOUBTFUL, (struct wire_view){ NULL, 0 });
}

void gba_naf_process(struct gba_naf *naf)
{
	timer_fired(naf);
	reconnect(naf);
	tell_doubt(naf);
	if (!link_pump(&naf->link))
		connection_lost(naf, GBA_NAF_E_NO_AGENT);
	else
		take_frames(naf);
	while (naf->failed.first != NULL)
		request_finish(naf->failed.first, naf->failed.first->failed, NULL);
	expire(naf, now_ms());
	timer_arm(naf);
}

struct wait {
	bool done;
	enum gba_naf_error error;
	struct gba_naf_result *result;
};

static void wake(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	struct wait *wait = arg;

	*wait = (struct wait){ true, error, result };
}

enum gba_naf_error gba_naf_get(struct gba_naf *naf, const struct gba_naf_query *query, struct gba_naf_result **_result)
{
	struct wait wait = { false, GBA_NAF_OK, NULL };
	struct pollfd pfd = { .fd = naf->link.epoll, .events = POLLIN };
	struct gba_naf_request *request;
	enum gba_naf_error error = gba_naf_ask(naf, query, wake, &wait, &request);

	if (error != GBA_NAF_OK)
		return error;
	while (!wait.done) {
		if (poll(&pfd, 1, -1) < 0 && errno != EINTR) {
			gba_naf_cancel(request);
			return GBA_NAF_E_SYSTEM;
		}
		gba_naf_process(naf);
	}
	if (wait.error == GBA_NAF_OK)
		*_result = wait.result;
	return wait.error;
}
