/* SPDX-License-Identifier: Apache-2.0 */
/* The asking end: a window of requests in flight, each answer's callback sends the next; then one line of JSON. */
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_dia.h"

#define D	  (fd_g_config->cnf_dict)
#define WARM_UP	  1000000 /* [us] */
#define TIMEOUT_S 10

static const struct bench_kind *const kinds[] = { &bench_floor, &bench_mar, &bench_bir, &bench_ecr };

struct slot {
	uint64_t sent_at;
};

static struct {
	const struct bench_conf *conf;
	const struct bench_kind *kind;
	struct dict_object *command, *origin_host, *origin_realm, *dest_host, *dest_realm, *session_id, *vsai, *vendor_id,
		*auth_app, *auth_state, *result_code;
	pthread_mutex_t lock; /* all below */
	struct stats stats;
	uint64_t sent, warm_until, stop_at, cpu;
	unsigned int in_flight;
	size_t request_size, answer_size;
	uint32_t last_bad; /* a result that was not 2001 */
	struct slot slots[BENCH_WINDOW_MAX];
} ask = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int add_text(struct msg *msg, struct dict_object *model, const char *text)
{
	return bench_add(msg, model, text, strlen(text));
}

/* Session-Id first; a counter of our own makes it unique (RFC 6733 8.8). */
static int add_session_id(struct msg *msg, uint64_t i)
{
	char text[BENCH_TEXT_MAX + 64];

	snprintf(text, sizeof(text), "%s;%u;%u;b", fd_g_config->cnf_diamid, (unsigned int)getpid(), (unsigned int)i);
	return add_text(msg, ask.session_id, text);
}

static int add_vsai(struct msg *msg)
{
	struct avp *group;
	int rc = fd_msg_avp_new(ask.vsai, 0, &group);

	rc = rc != 0 ? rc : bench_add_u32(group, ask.vendor_id, ask.kind->vendor);
	rc = rc != 0 ? rc : bench_add_u32(group, ask.auth_app, ask.kind->app);
	return rc != 0 ? rc : fd_msg_avp_add(msg, MSG_BRW_LAST_CHILD, group);
}

static int build(struct msg **_msg, uint64_t i)
{
	struct msg_hdr *hdr;
	struct msg *msg;
	int rc = fd_msg_new(ask.command, MSGFL_ALLOC_ETEID, &msg);

	if (rc != 0)
		return rc;
	rc = fd_msg_hdr(msg, &hdr);
	hdr->msg_appl = ask.kind->app;
	rc = rc != 0 ? rc : add_session_id(msg, i);
	rc = rc != 0 ? rc : add_vsai(msg);
	rc = rc != 0 ? rc : bench_add_u32(msg, ask.auth_state, 1);
	rc = rc != 0 ? rc : fd_msg_add_origin(msg, 0);
	rc = rc != 0 ? rc : add_text(msg, ask.dest_realm, ask.conf->realm);
	rc = rc != 0 ? rc : add_text(msg, ask.dest_host, ask.conf->peer);
	rc = rc != 0 ? rc : ask.kind->fill(msg, i);
	*_msg = msg;
	return rc;
}

static uint32_t result_of(struct msg *answer)
{
	struct avp_hdr *hdr;
	struct avp *avp = NULL;

	if (fd_msg_search_avp(answer, ask.result_code, &avp) != 0 || avp == NULL || fd_msg_avp_hdr(avp, &hdr) != 0 ||
	    hdr->avp_value == NULL)
		return 0;
	return hdr->avp_value->u32;
}

static void send_next(struct slot *slot);

static void count(const struct slot *slot, uint32_t result, uint64_t now)
{
	if (slot->sent_at < ask.warm_until)
		return;
	if (ask.stats.start == 0)
		stats_start(&ask.stats);
	if (result == ER_DIAMETER_SUCCESS)
		stats_good(&ask.stats, now - slot->sent_at);
	else
		ask.stats.bad++;
	if (result != ER_DIAMETER_SUCCESS)
		ask.last_bad = result;
	ask.stats.end = now;
}

static void on_answer(void *arg, struct msg **answer)
{
	struct slot *slot = arg;
	uint64_t now = stats_now();
	uint32_t result = result_of(*answer);
	bool more;

	pthread_mutex_lock(&ask.lock);
	ask.answer_size = bench_size(*answer);
	count(slot, result, now);
	more = now < ask.stop_at;
	if (!more)
		ask.in_flight--;
	pthread_mutex_unlock(&ask.lock);
	fd_msg_free(*answer);
	*answer = NULL;
	if (more)
		send_next(slot);
}

static void on_expire(void *arg, DiamId_t peer, size_t len, struct msg **request)
{
	struct slot *slot = arg;

	(void)peer, (void)len;
	fd_msg_free(*request);
	*request = NULL;
	pthread_mutex_lock(&ask.lock);
	count(slot, 0, stats_now());
	ask.in_flight--;
	pthread_mutex_unlock(&ask.lock);
}

static void send_next(struct slot *slot)
{
	struct timespec until;
	struct msg *msg;
	uint64_t i;

	pthread_mutex_lock(&ask.lock);
	i = ask.sent++;
	pthread_mutex_unlock(&ask.lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TIMEOUT_S;
	slot->sent_at = stats_now();
	if (build(&msg, i) != 0)
		abort();
	if (i == 0 && fd_msg_update_length(msg) == 0)
		ask.request_size = bench_size(msg);
	if (fd_msg_send_timeout(&msg, on_answer, slot, on_expire, &until) != 0)
		abort();
}

static bool peer_open(void)
{
	struct peer_hdr *peer = NULL;

	return fd_peer_getbyid((char *)ask.conf->peer, strlen(ask.conf->peer), 0, &peer) == 0 && peer != NULL &&
	       fd_peer_get_state(peer) == STATE_OPEN;
}

/* [us] of CPU this process has used. */
static uint64_t cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void report(void)
{
	FILE *out = fopen(ask.conf->out, "w");
	char more[192];

	if (out == NULL)
		return;
	snprintf(more, sizeof(more),
		 ", \"request_octets\": %zu, \"answer_octets\": %zu, \"last_bad\": %u, \"sent\": %llu, \"cpu_us\": %llu",
		 ask.request_size, ask.answer_size, (unsigned int)ask.last_bad, (unsigned long long)ask.sent,
		 (unsigned long long)(cpu_now() - ask.cpu));
	pthread_mutex_lock(&ask.lock);
	stats_print(&ask.stats, out, more);
	pthread_mutex_unlock(&ask.lock);
	fclose(out);
}

static void *run(void *arg)
{
	unsigned int left = 1;

	(void)arg;
	fd_core_waitstartcomplete();
	for (int tries = 0; !peer_open() && tries < 3000; tries++)
		usleep(10000);
	usleep(300000); /* a peer that has just answered CER may not be ready yet */
	ask.warm_until = stats_now() + WARM_UP;
	ask.stop_at = ask.warm_until + ask.conf->seconds * UINT64_C(1000000);
	ask.in_flight = ask.conf->window;
	ask.cpu = cpu_now();
	for (unsigned int i = 0; i < ask.conf->window; i++)
		send_next(&ask.slots[i]);
	while (left > 0) {
		usleep(20000);
		pthread_mutex_lock(&ask.lock);
		left = ask.in_flight;
		pthread_mutex_unlock(&ask.lock);
	}
	report();
	fd_core_shutdown();
	return NULL;
}

static int resolve(void)
{
	const struct {
		struct dict_object **model;
		const char *name;
	} rows[] = {
		{ &ask.origin_host, "Origin-Host" },   { &ask.origin_realm, "Origin-Realm" },
		{ &ask.dest_host, "Destination-Host" }, { &ask.dest_realm, "Destination-Realm" },
		{ &ask.session_id, "Session-Id" },     { &ask.vsai, "Vendor-Specific-Application-Id" },
		{ &ask.vendor_id, "Vendor-Id" },       { &ask.auth_app, "Auth-Application-Id" },
		{ &ask.auth_state, "Auth-Session-State" }, { &ask.result_code, "Result-Code" },
	};
	uint32_t app_id = ask.kind->app;
	struct dict_object *app = NULL, *vendor = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		*rows[i].model = bench_model(rows[i].name);
		if (*rows[i].model == NULL)
			return EINVAL;
	}
	if (fd_dict_search(D, DICT_COMMAND, CMD_BY_NAME, ask.kind->command, &ask.command, ENOENT) != 0 ||
	    fd_dict_search(D, DICT_APPLICATION, APPLICATION_BY_ID, &app_id, &app, ENOENT) != 0 ||
	    fd_dict_search(D, DICT_VENDOR, VENDOR_OF_APPLICATION, app, &vendor, ENOENT) != 0)
		return EINVAL;
	return fd_disp_app_support(app, vendor, 1, 0);
}

static int listen_nowhere_else(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return fd_ep_add_merge(&fd_g_config->cnf_endpoints, (sSA *)&here, sizeof(here), EP_FL_CONF | EP_ACCEPTALL);
}

int bench_ask_start(const struct bench_conf *conf)
{
	pthread_t thread;

	ask.conf = conf;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i]->name, conf->what) == 0)
			ask.kind = kinds[i];
	}
	if (ask.kind == NULL || resolve() != 0 || ask.kind->prepare(conf) != 0 || listen_nowhere_else() != 0)
		return EINVAL;
	return pthread_create(&thread, NULL, run, NULL) == 0 ? pthread_detach(thread) : EINVAL;
}
