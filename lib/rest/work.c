/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: requests from the queue, done, answered. Those that write a record or two have a queue of their own and one worker at
 * a time, which takes all that have come while it was writing the last ones: one transaction of the database, one sync of the audit
 * log for all, and none is answered before both are durable. What one does is undone alone when it is refused. */
#include "rest/rest_priv.h"

#include "core/clock.h"

#define TOGETHER_MAX 64 /* requests in one transaction: who else wants to write waits for so many */

bool rest_enqueue(struct rest *rest, struct rest_call *call)
{
	struct rest_queue *queue = call->route.route->flags & REST_SHARED ? &rest->writes : &rest->others;
	bool room;

	pthread_mutex_lock(&rest->lock);
	room = !rest->closing && rest->queued < rest->conf->queue;
	if (room) {
		*queue->tail = call;
		queue->tail = &call->next;
		rest->queued++;
		pthread_cond_signal(&rest->wake);
	}
	pthread_mutex_unlock(&rest->lock);
	return room;
}

/* ---- one request ---- */

/* What has one form that is not JSON is given in it whatever is accepted (RFC 9110 12.4.1 allows that). */
static const char *only_type(unsigned int flags)
{
	if (flags & REST_GZIP)
		return REST_GZIP_TYPE;
	if (flags & REST_PAGE)
		return REST_HTML;
	if (flags & REST_STREAM)
		return REST_EVENTS;
	return flags & REST_PEM ? REST_PEM_TYPE : NULL;
}

static bool negotiated(struct rest_call *call)
{
	static const char *const types[] = { REST_JSON, REST_NDJSON, REST_CSV };
	unsigned int flags = call->route.route->flags;
	size_t i, n = flags & REST_LIST ? 3 : flags & REST_IMPORT ? 2 : 1;

	call->type = only_type(flags);
	for (i = 0; call->type == NULL && i < n; i++) {
		if (accept_takes(bytes_of(call->accept), types[i]))
			call->type = types[i];
	}
	if (call->type == NULL)
		rest_refuse(call, PROBLEM_ACCEPT, "%s", "");
	return call->type != NULL;
}

static bool body_fits(struct rest_call *call)
{
	const struct route *route = call->route.route;
	struct bytes type = bytes_of(call->content_type);
	bool good;

	if (route->request == NULL) {
		if (call->body.n > 0)
			rest_refuse(call, PROBLEM_BAD_REQUEST, "this operation takes no body");
		return call->body.n == 0;
	}
	if (call->body.n == 0 && ((const struct rest_schema *)route->request)->optional)
		return true;
	if (call->range != NULL) { /* RFC 9110 14.4 */
		rest_refuse(call, PROBLEM_BAD_REQUEST, "a part of a body is not taken");
		return false;
	}
	if (call->encoding != NULL && !bytes_eq_nocase(bytes_of(call->encoding), bytes_of("identity"))) {
		rest_refuse(call, PROBLEM_MEDIA_TYPE, "expected without Content-Encoding");
		return false;
	}
	if (route->flags & REST_IMPORT)
		good = content_type_is(type, REST_NDJSON) || content_type_is(type, REST_CSV);
	else
		good = content_type_is(type, REST_JSON) ||
		       ((route->flags & REST_MERGED) && content_type_is(type, REST_MERGE));
	if (!good)
		rest_refuse(call, PROBLEM_MEDIA_TYPE, "expected %s",
			    route->flags & REST_IMPORT ? REST_NDJSON " or " REST_CSV : REST_JSON);
	return good;
}

/* Done, unless it was: by this key here or at another node. Both of two nodes may have begun: the one whose commit came second
 * was refused, and gives the first one's answer. */
static enum idem_state run_new(struct rest_call *call)
{
	enum idem_state state = answer_find(call);

	if (state != IDEM_NEW)
		return state;
	call->route.route->run(&call->route);
	return call->reply.status == problem_status(PROBLEM_CONFLICT) ? answer_find(call) : IDEM_NEW;
}

static void run_once(struct rest_call *call)
{
	enum idem_state state = idem_begin(call->rest->idem, call, clock_mono_ms());

	call->first = state == IDEM_NEW;
	if (call->first)
		state = run_new(call);
	switch (state) {
	case IDEM_NEW:
	case IDEM_FAILED: break;
	case IDEM_SAME: rest_header(call, "Idempotent-Replayed", "true"); break;
	case IDEM_OTHER: rest_refuse(call, PROBLEM_CONFLICT, "this Idempotency-Key was used with another body"); break;
	case IDEM_BUSY:
		rest_refuse(call, PROBLEM_CONFLICT, "the request with this Idempotency-Key is under way");
		break;
	case IDEM_FULL: rest_refuse(call, PROBLEM_UNAVAILABLE, "%s", ""); break;
	}
}

static void run(struct rest_call *call, struct records *r)
{
	call->r = r;
	call->rc = (struct record_call){ .actor = NULL, .now = clock_now(), .mem_ctx = call };
	if (!rest_admit(call) || !negotiated(call) || !body_fits(call))
		return;
	call->judged = true;
	if ((call->route.route->flags & REST_CREATES) == 0 || call->idempotency == NULL)
		call->route.route->run(&call->route);
	else if (call->idempotency[0] == '\0' || strlen(call->idempotency) > 255)
		rest_refuse(call, PROBLEM_BAD_REQUEST, "Idempotency-Key: 1 to 255 characters");
	else
		run_once(call);
}

/* What it has written is durable, or nothing of it is there: it is answered, and gone. */
static void leave(struct rest_call *call)
{
	if (call->done_verb != NULL && call->rest->setup->done != NULL)
		call->rest->setup->done(call, call->done_verb, call->done_old);
	if (call->first)
		idem_done(call->rest->idem, call);
	rest_send(call);
}

/* ---- some that write ---- */

/* Nothing of the group is there: whoever was judged by what it would have been is told so, also who was refused. */
static void take_back(struct rest_call *call, enum gba_err err)
{
	if (!call->judged)
		return;
	if (call->noted != NULL)
		rest_note(call, err, call->noted, call->noted_kind, call->noted_record);
	call->done_verb = NULL;
	call->rc.field[0] = call->rc.why[0] = '\0';
	rest_fail(call, err);
}

static void run_group(struct rest *rest, struct rest_call *first, struct records *r)
{
	bool together = records_group_begin(r) == GBA_OK; /* else what is refused without it is refused, the others fail */
	struct rest_call *call;
	enum gba_err err;

	for (call = first; call != NULL; call = call->next) {
		call->together = true;
		run(call, r);
	}
	err = audit_sync(rest->audit); /* what cannot be noted does not happen */
	err = records_group_end(r, err);
	if (together && err != GBA_OK) {
		for (call = first; call != NULL; call = call->next)
			take_back(call, err);
		audit_sync(rest->audit);
	}
	for (call = first; call != NULL; call = first) {
		first = call->next;
		leave(call);
	}
}

static void serve(struct rest *rest, struct rest_call *first, struct records *r)
{
	metric_add(rest->metrics.commits, (first->route.route->flags & REST_SHARED) != 0);
	if (first->next != NULL) {
		run_group(rest, first, r);
	} else {
		run(first, r);
		leave(first);
	}
}

/* ---- the queues ---- */

/* The first of them, so many at most, as a list of their own. */
static struct rest_call *take(struct rest *rest, struct rest_queue *queue, size_t most)
{
	struct rest_call *first = queue->first, **end = &queue->first;
	size_t n;

	for (n = 0; *end != NULL && n < most; n++)
		end = &(*end)->next;
	queue->first = *end;
	*end = NULL;
	if (queue->first == NULL)
		queue->tail = &queue->first;
	rest->queued -= (uint32_t)n;
	return first;
}

/* The next that this worker is to do; NULL: none now. The lock is held. */
static struct rest_call *next(struct rest_worker *worker)
{
	struct rest *rest = worker->rest;
	bool writes = rest->writes.first != NULL && !rest->writing;

	if (rest->others.first != NULL && !(writes && !worker->wrote)) { /* by turns: neither queue waits for the other's end */
		worker->wrote = false;
		if (writes)
			pthread_cond_signal(&rest->wake); /* for somebody else */
		return take(rest, &rest->others, 1);
	}
	worker->wrote = writes;
	rest->writing |= writes;
	return writes ? take(rest, &rest->writes, TOGETHER_MAX) : NULL;
}

void *rest_work(void *arg)
{
	struct rest_worker *worker = arg;
	struct rest *rest = worker->rest;
	struct rest_call *call;

	pthread_mutex_lock(&rest->lock);
	for (;;) {
		while ((call = next(worker)) == NULL && !rest->closing)
			pthread_cond_wait(&rest->wake, &rest->lock);
		if (call == NULL)
			break;
		pthread_mutex_unlock(&rest->lock);
		serve(rest, call, worker->r);
		pthread_mutex_lock(&rest->lock);
		if (worker->wrote)
			rest->writing = false; /* and looks at both queues itself before it waits */
	}
	pthread_mutex_unlock(&rest->lock);
	return NULL;
}
