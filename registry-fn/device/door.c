/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/device/door.h"

#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/ident.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/trace.h"
#include "http/json.h"
#include "http/problem.h"
#include "http/route.h"
#include "registry-fn/device/device.h"

#define STOP_MS	     2000
#define TOGETHER_MAX 128 /* requests in one transaction */

static struct {
	TALLOC_CTX *root;
	struct device_desk *desk;
	pthread_mutex_t lock; /* over desk */
	struct http_server *server;
	pthread_mutex_t queue_lock;
	pthread_cond_t come;
	struct visit *queue, **tail; /* requests that wait for the writer, in their order */
	pthread_t writer;
	bool writing, closing;
	uid_t *users;
	size_t n_users;
	struct metric *requests, *refused, *registered, *reports, *overdue, *answers, *commits;
	pthread_t sweeper;
	pthread_cond_t wake;
	bool sweeping, stopping;
} door = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER,
	   .queue_lock = PTHREAD_MUTEX_INITIALIZER, .come = PTHREAD_COND_INITIALIZER };

/* One request; below it. */
struct visit {
	struct route_call route; /* first: the row's function is given this */
	struct visit *next;	 /* in the queue */
	struct http_req *req;
	struct device_call call;
	json_t *body;
	const char *impi;
	enum gba_err err;
};

enum { WITH_BODY = 1 };
static void on_register(struct route_call *call), on_set(struct route_call *call), on_report(struct route_call *call),
	on_virtual(struct route_call *call), on_show(struct route_call *call), on_challenges(struct route_call *call),
	on_answer(struct route_call *call), on_challenge(struct route_call *call);

static const struct route routes[] = {
	{ "POST", "/register", 0, WITH_BODY, on_register, NULL, NULL, NULL, "", "registerDevice", "Register" },
	{ "PUT", "/set", 0, WITH_BODY, on_set, NULL, NULL, NULL, "", "setDevice", "Set" },
	{ "POST", "/report", 0, WITH_BODY, on_report, NULL, NULL, NULL, "", "reportDevice", "Report" },
	{ "POST", "/virtual", 0, WITH_BODY, on_virtual, NULL, NULL, NULL, "", "virtualDevice", "Ask for a virtual RegDevID" },
	{ "GET", "/device", 0, 0, on_show, NULL, NULL, "regdevid", "", "showDevice", "Its own record and reports" },
	{ "GET", "/challenges", 0, 0, on_challenges, NULL, NULL, "regdevid", "", "listChallenges", "Questions that wait for it" },
	{ "POST", "/challenge", 0, WITH_BODY, on_challenge, NULL, NULL, NULL, "", "challengeEnquirer", "Challenge the enquirer" },
	{ "POST", "/answer", 0, WITH_BODY, on_answer, NULL, NULL, NULL, "", "answerChallenge", "Answer" },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};

static struct visit *visit_of(struct route_call *call)
{
	return (struct visit *)call;
}

static void on_register(struct route_call *call)
{
	visit_of(call)->err = device_register(&visit_of(call)->call, visit_of(call)->body);
}

static void on_set(struct route_call *call)
{
	visit_of(call)->err = device_set(&visit_of(call)->call, visit_of(call)->body);
}

static void on_report(struct route_call *call)
{
	visit_of(call)->err = device_report(&visit_of(call)->call, visit_of(call)->body);
}

static void on_virtual(struct route_call *call)
{
	visit_of(call)->err = device_virtual(&visit_of(call)->call, visit_of(call)->body);
}

static void on_show(struct route_call *call)
{
	const char *regdevid = route_query_value(call, "regdevid");

	visit_of(call)->err = device_show(&visit_of(call)->call, bytes_of(regdevid != NULL ? regdevid : ""));
}

static void on_challenges(struct route_call *call)
{
	const char *regdevid = route_query_value(call, "regdevid");

	visit_of(call)->err = device_challenges(&visit_of(call)->call, regdevid != NULL ? regdevid : "");
}

static void on_answer(struct route_call *call)
{
	visit_of(call)->err = device_answer(&visit_of(call)->call, visit_of(call)->body);
}

static void on_challenge(struct route_call *call)
{
	visit_of(call)->err = device_challenge(&visit_of(call)->call, visit_of(call)->body);
}

/* "\"impi\"": one identity, and it is an IMPI. */
static const char *asserted(struct http_req *req)
{
	struct bytes list = http_req_header(req, "X-3GPP-Asserted-Identity");

	if (list.n < 3 || list.p[0] != '"' || list.p[list.n - 1] != '"' || !impi_valid(BYTES(list.p + 1, list.n - 2)))
		return NULL;
	return talloc_strndup(req, (const char *)list.p + 1, list.n - 2);
}

static bool admitted(const struct http_req *req)
{
	int64_t uid = http_req_peer_uid(req);
	size_t i;

	for (i = 0; i < door.n_users && uid >= 0; i++) {
		if (door.users[i] == (uid_t)uid)
			return true;
	}
	return false;
}

static void refuse(struct visit *v, enum problem_kind kind, enum gba_err err, const char *field, const char *why)
{
	struct problem *problem = problem_new(v->req, kind);
	const struct log_about about = { .iface = "RPD",
					 .id = bytes_of(v->impi != NULL ? v->impi : ""),
					 .result = err };
	char pointer[64] = "";

	metric_add(door.refused, 1);
	if (field != NULL && *field != '\0') {
		json_pointer_add(pointer, sizeof(pointer), field);
		problem_field(problem, pointer, "%s", why);
	} else {
		problem = problem_detail(problem, "%s", why);
	}
	log_event_limited(1, LOG_L_INFO, "registry.device.refused", &about, "%s%s%s", field != NULL ? field : "",
			  field != NULL && *field != '\0' ? ": " : "", why);
	problem_reply(v->req, problem, NULL, NULL);
}

static enum problem_kind kind_of(enum gba_err err)
{
	switch (err) {
	case GBA_E_SYNTAX:
	case GBA_E_RANGE:
	case GBA_E_TOO_LONG: return PROBLEM_FIELDS;
	case GBA_E_REPLAY:
	case GBA_E_STATE:
	case GBA_E_EXISTS: return PROBLEM_CONFLICT;
	case GBA_E_KYC:
	case GBA_E_NOT_AUTHORIZED:
	case GBA_E_DENIED: return PROBLEM_FORBIDDEN;
	default: return problem_of(err);
	}
}

static void reply(struct visit *v, const struct route *route)
{
	static const struct http_header headers[] = {
		{"Content-Type",   "application/json"},
                { "Cache-Control", "no-store"        },
                { NULL,            NULL              }
	};
	const struct log_about about = { .iface = "RPD", .id = bytes_of(v->impi), .result = GBA_OK };
	char *text = json_dumps(v->call.answer, JSON_COMPACT);

	if (text == NULL) {
		http_reply_error(v->req, GBA_E_NOMEM);
		return;
	}
	if (v->call.fresh)
		log_event(LOG_L_INFO, "registry.device", &about, "%s", route->summary);
	http_reply(v->req, v->call.fresh && strcmp(route->method, "POST") == 0 ? 201 : 200, headers, bytes_of(text));
	free(text);
}

static void trace(const struct visit *v, const struct route *route)
{
	const char *clause = strcmp(route->path, "/register") == 0 ? "Y.3059 7-iv-a"
			     : strcmp(route->path, "/set") == 0    ? "Y.3059 7-iv-b"
			     : strcmp(route->path, "/report") == 0 ? "Y.3059 7-iv-c"
			     : strcmp(route->path, "/answer") == 0 ? "Y.3059 7, 9.1-iv"
			     : strcmp(route->path, "/challenge") == 0 ? "Y.3059 9.3-iii"
								      : "Y.3059 9.2";
	struct trace_step step = { .from = "ue",
				   .to = "registry-fn",
				   .iface = "RPD",
				   .clause = clause,
				   .message = route->summary,
				   .id = bytes_of(v->impi) };

	trace_step(&step);
	step.from = "registry-fn";
	step.to = "ue";
	step.message = v->err != GBA_OK                        ? gba_strerror(v->err)
		       : strcmp(route->path, "/register") == 0 ? "Acknowledge"
							       : "done";
	trace_step(&step);
}

static bool body_read(struct visit *v)
{
	struct json_fault fault = { 0 };
	enum gba_err err;
	json_t *body;

	if (!content_type_is(http_req_header(v->req, "Content-Type"), "application/json")) {
		refuse(v, PROBLEM_MEDIA_TYPE, GBA_E_UNSUPPORTED, NULL, "application/json");
		return false;
	}
	err = json_read(http_req_body(v->req), &v->body, &fault);
	if (err == GBA_OK && json_is_object(v->body))
		return true;
	body = v->body;
	refuse(v, PROBLEM_JSON, GBA_E_SYNTAX, NULL, err == GBA_OK ? "an object is expected" : fault.text);
	json_decref(body);
	return false;
}

/* What has come about is durable: counted and answered. The visit is gone after it. */
static void leave(struct visit *v)
{
	const struct route *route = v->route.route;
	json_t *answer = v->call.answer, *body = v->body;
	const char *why = v->call.record.why[0] != '\0' ? v->call.record.why : gba_strerror(v->err);
	bool fresh = v->err == GBA_OK && v->call.fresh;

	metric_add(door.registered, fresh && route->run == on_register);
	metric_add(door.reports, fresh && route->run == on_report);
	metric_add(door.answers, fresh && route->run == on_answer);
	trace(v, route);
	if (v->err == GBA_OK)
		reply(v, route);
	else
		refuse(v, kind_of(v->err), v->err, v->call.record.field, why);
	json_decref(answer);
	json_decref(body);
}

static void run(struct visit *v, time_t now)
{
	device_call_init(&v->call, door.desk, v->req, v->impi, now);
	v->route.route->run(&v->route);
}

/* Those that have come while the last were being written: one commit for all, and none is answered before it. What one does is
 * undone alone when it is refused; when the commit fails, nothing of any has happened. */
static void run_group(struct visit *first)
{
	bool together = first->next != NULL;
	time_t now = clock_now();
	enum gba_err err;
	struct visit *v;

	metric_add(door.commits, 1);
	pthread_mutex_lock(&door.lock);
	err = together ? device_group_begin(door.desk) : GBA_OK;
	for (v = first; v != NULL; v = v->next) {
		if (err == GBA_OK)
			run(v, now);
	}
	if (err == GBA_OK && together)
		err = device_group_end(door.desk);
	pthread_mutex_unlock(&door.lock);
	for (v = first; v != NULL; v = first) {
		first = v->next;
		if (v->err == GBA_OK && err != GBA_OK) {
			v->err = err;
			v->call.record.field[0] = v->call.record.why[0] = '\0';
		}
		leave(v);
	}
}

/* The first of the queue, so many at most, as a list of their own; NULL: the door is closed. */
static struct visit *wait_for_some(void)
{
	struct visit *first, **end;
	size_t n = 0;

	pthread_mutex_lock(&door.queue_lock);
	while (door.queue == NULL && !door.closing)
		pthread_cond_wait(&door.come, &door.queue_lock);
	first = door.queue;
	for (end = &first; *end != NULL && n < TOGETHER_MAX; n++)
		end = &(*end)->next;
	door.queue = *end;
	*end = NULL;
	if (door.queue == NULL)
		door.tail = &door.queue;
	pthread_mutex_unlock(&door.queue_lock);
	return first;
}

static void *write_all(void *arg)
{
	struct visit *first;

	(void)arg;
	while ((first = wait_for_some()) != NULL)
		run_group(first);
	return NULL;
}

static void enqueue(struct visit *v)
{
	pthread_mutex_lock(&door.queue_lock);
	*door.tail = v;
	door.tail = &v->next;
	pthread_cond_signal(&door.come);
	pthread_mutex_unlock(&door.queue_lock);
}

static void on_request(struct http_req *req, void *arg)
{
	const char *allow = NULL, *fault = NULL;
	struct visit *v = talloc_zero(req, struct visit);
	enum gba_err err;

	(void)arg;
	metric_add(door.requests, 1);
	if (v == NULL) {
		http_reply_error(req, GBA_E_NOMEM);
		return;
	}
	v->req = req;
	if (!admitted(req)) {
		refuse(v, PROBLEM_FORBIDDEN, GBA_E_DENIED, NULL, "devices come through the application element");
		return;
	}
	v->impi = asserted(req);
	if (v->impi == NULL) {
		refuse(v, PROBLEM_UNAUTHORIZED, GBA_E_NOT_AUTHORIZED, NULL,
		       "no asserted IMPI: identity = \"impi\" at the proxy's site");
		return;
	}
	err = route_find(v, routes, http_req_method(req), http_req_target(req), &v->route, &allow, &fault);
	if (err != GBA_OK)
		refuse(v, err == GBA_E_UNSUPPORTED ? PROBLEM_METHOD : problem_of(err), err, NULL,
		       fault != NULL ? fault : gba_strerror(err));
	else if ((v->route.route->flags & WITH_BODY) == 0 || body_read(v))
		enqueue(v);
}

static void on_refused(void *arg, const char *source, unsigned int status, const char *reason)
{
	(void)arg, (void)source;
	metric_add(door.refused, 1);
	log_event_limited(1, LOG_L_INFO, "registry.device.refused", NULL, "%u %s", status, reason);
}

/* Devices that are late: looked for every few seconds. */
static void *sweep(void *arg)
{
	struct timespec until;
	TALLOC_CTX *ctx;
	size_t flagged;
	enum gba_err err;

	(void)arg;
	pthread_mutex_lock(&door.lock);
	while (!door.stopping) {
		ctx = talloc_new(NULL);
		err = device_sweep(door.desk, ctx, clock_now(), &flagged);
		talloc_free(ctx);
		metric_add(door.overdue, (int64_t)flagged);
		if (err != GBA_OK)
			log_event_limited(60, LOG_L_WARNING, "registry.device.overdue", NULL, "%s", gba_strerror(err));
		else if (flagged > 0)
			log_event(LOG_L_WARNING, "registry.device.overdue", NULL,
				  "%zu devices have not reported in time", flagged);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += door.desk->registry->conf->report_check;
		while (!door.stopping && pthread_cond_clockwait(&door.wake, &door.lock, CLOCK_MONOTONIC, &until) == 0)
			;
	}
	pthread_mutex_unlock(&door.lock);
	return NULL;
}

static bool user_find(const char *name, uid_t *_uid)
{
	struct passwd *found = getpwnam(name);
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	*_uid = found != NULL ? found->pw_uid : (uid_t)number;
	return found != NULL || (name[0] >= '0' && name[0] <= '9' && *end == '\0');
}

static enum gba_err users_find(const struct registry_conf *conf, const char **_why)
{
	size_t i;

	door.users = talloc_array(door.root, uid_t, conf->device_users.n + 1);
	if (door.users == NULL)
		return GBA_E_NOMEM;
	door.users[door.n_users++] = geteuid();
	for (i = 0; i < conf->device_users.n; i++) {
		if (!user_find(conf->device_users.v[i], &door.users[door.n_users++])) {
			*_why = talloc_asprintf(door.root, "device-users: no such user: %s", conf->device_users.v[i]);
			return GBA_E_CONF;
		}
	}
	return GBA_OK;
}

static void metrics_make(void)
{
	door.requests = metric_get("gba_registry_device_requests_total", "Requests of devices", METRIC_COUNTER, "");
	door.refused =
		metric_get("gba_registry_device_refused_total", "Requests of devices refused", METRIC_COUNTER, "");
	door.registered =
		metric_get("gba_registry_device_acknowledged_total", "Registrations acknowledged", METRIC_COUNTER, "");
	door.reports = metric_get("gba_registry_device_reports_total", "Reports kept", METRIC_COUNTER, "");
	door.answers =
		metric_get("gba_registry_device_answers_total", "Challenges devices answered", METRIC_COUNTER, "");
	door.commits = metric_get("gba_registry_device_commits_total", "Transactions they were done in", METRIC_COUNTER, "");
	door.overdue =
		metric_get("gba_registry_device_overdue_total", "Devices that became overdue", METRIC_COUNTER, "");
}

static void door_stop(struct registry *registry)
{
	(void)registry;
	if (door.server != NULL)
		http_server_stop(door.server, STOP_MS);
	if (door.writing) {
		pthread_mutex_lock(&door.queue_lock);
		door.closing = true;
		pthread_cond_signal(&door.come);
		pthread_mutex_unlock(&door.queue_lock);
		pthread_join(door.writer, NULL);
	}
	if (door.sweeping) {
		pthread_mutex_lock(&door.lock);
		door.stopping = true;
		pthread_cond_signal(&door.wake);
		pthread_mutex_unlock(&door.lock);
		pthread_join(door.sweeper, NULL);
	}
	talloc_free(door.root);
	door.root = NULL;
	door.server = NULL;
	door.n_users = 0;
	door.sweeping = door.stopping = door.writing = door.closing = false;
}

static enum gba_err listen_start(const struct registry_conf *conf, const char **_why)
{
	struct http_conf http = HTTP_CONF_DEFAULTS;

	http.listen = talloc_asprintf(door.root, "unix:%s", conf->device_socket);
	http.problems = true;
	http.threads = 2;
	http.max_body = DEVICE_BODY_MAX;
	http.refused = on_refused;
	if (http.listen == NULL)
		return GBA_E_NOMEM;
	return http_server_start(door.root, &http, on_request, NULL, &door.server, _why);
}

static enum gba_err door_start(struct registry *registry, const char **_why)
{
	enum gba_err err;

	if (registry->conf->device_socket[0] == '\0')
		return GBA_OK;
	door.root = talloc_named_const(NULL, 0, "device door");
	metrics_make();
	err = door.root != NULL ? users_find(registry->conf, _why) : GBA_E_NOMEM;
	if (err == GBA_OK)
		err = device_desk_open(door.root, registry, &door.desk, _why);
	door.queue = NULL;
	door.tail = &door.queue;
	if (err == GBA_OK) {
		door.writing = pthread_create(&door.writer, NULL, write_all, NULL) == 0;
		err = door.writing ? listen_start(registry->conf, _why) : GBA_E_NOMEM;
	}
	if (err == GBA_OK) {
		door.sweeping = pthread_create(&door.sweeper, NULL, sweep, NULL) == 0;
		err = door.sweeping ? GBA_OK : GBA_E_NOMEM;
	}
	if (err != GBA_OK) {
		*_why = talloc_strdup(registry, *_why);
		door_stop(registry);
		return err;
	}
	log_event(LOG_L_INFO, "registry.device", NULL, "devices are served on %s", registry->conf->device_socket);
	return GBA_OK;
}

const struct registry_room door_room = { "device door", door_start, door_stop };
