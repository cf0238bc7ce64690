/* SPDX-License-Identifier: Apache-2.0 */
/* Connected peers: what each may ask (guard.conf), what it has sent, and whether its queue is too long. */
#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/ident.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/pace.h"
#include "dia/dia.h"
#include "dia/guard/guard.h"

#define PEERS_MAX  4096
#define UNTAKEN_MIN (32 * 1024) /* [octets] in a connection from which on it is the other side that is slow, not we */

struct guard_peer {
	_Atomic(struct peer_hdr *) hdr;
	char identity[FQDN_MAX + 3];
	const struct guard_peer_conf *conf; /* NULL: not in the table */
	uint32_t apps[GUARD_LISTED_MAX], commands[GUARD_LISTED_MAX];
	size_t n_apps, n_commands;
	_Atomic bool busy, impostor, leaving;
	unsigned int leaving_samples; /* the watch thread's */
	struct guard_socket socket; /* peers.lock */
	unsigned int slow_samples;  /* the watch thread's */
	struct guard_bucket lines;
	struct pace pace;
	struct metric *requests_in, *answers_in, *requests_out, *answers_out, *refused, *bad_answers, *slow, *psm, *to_send,
		*awaited, *open;
};

static struct {
	const struct guard_conf *conf;
	pthread_mutex_t lock; /* adding, sockets */
	_Atomic(struct guard_peer *) peer[PEERS_MAX];
	_Atomic size_t n;
	struct metric *local, *incoming, *outgoing;
	_Atomic bool busy;
} peers = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool number_under(const char *prefix, const char *text, uint32_t *_number)
{
	struct dict_application_data data;
	struct dict_object *found = NULL;
	char name[32] = "";
	size_t i, n = (size_t)snprintf(name, sizeof(name), "%s", prefix);

	for (i = 0; text[i] != '\0' && n + 1 < sizeof(name); i++)
		name[n++] = (char)toupper((unsigned char)text[i]);
	if (fd_dict_search(fd_g_config->cnf_dict, DICT_APPLICATION, APPLICATION_BY_NAME, name, &found, ENOENT) != 0 ||
	    fd_dict_getval(found, &data) != 0)
		return false;
	*_number = data.application_id;
	return true;
}

/* "RPA": Y3056-RPA under whatever number dict_y3056 was told; that dictionary is loaded before the guard. */
static bool number_in_dictionary(const char *text, uint32_t *_number)
{
	return number_under("Y3056-", text, _number) || number_under("Y3059-", text, _number);
}

static bool number_of(const char *text, uint32_t *_number)
{
	return guard_number(text, _number) || number_in_dictionary(text, _number);
}

static bool numbers_of(const struct conf_strlist *list, uint32_t *numbers, size_t *_n)
{
	size_t i;

	*_n = list->n;
	for (i = 0; i < list->n; i++) {
		if (!number_of(list->v[i], &numbers[i]))
			return false;
	}
	return true;
}

static enum gba_err check_entry(const struct guard_peer_conf *entry)
{
	uint32_t numbers[GUARD_LISTED_MAX];
	size_t n;

	if (numbers_of(&entry->applications, numbers, &n) && numbers_of(&entry->commands, numbers, &n))
		return GBA_OK;
	log_event(LOG_L_ERROR, "guard.conf", &(struct log_about){ .peer = bytes_of(entry->identity), .result = GBA_E_CONF },
		  "applications or commands: a name is in no dictionary that is loaded before the guard");
	return GBA_E_CONF;
}

enum gba_err guard_peers_start(const struct guard_conf *conf)
{
	const struct guard_peer_conf *entries = conf->peers.v;
	enum gba_err err = GBA_OK;
	size_t i;

	peers.conf = conf;
	peers.local = metric_get("gba_diameter_queue_messages", "Messages waiting in the framework", METRIC_GAUGE,
				 "queue=\"local\"");
	peers.incoming = metric_get("gba_diameter_queue_messages", "", METRIC_GAUGE, "queue=\"incoming\"");
	peers.outgoing = metric_get("gba_diameter_queue_messages", "", METRIC_GAUGE, "queue=\"outgoing\"");
	for (i = 0; i < conf->peers.n && err == GBA_OK; i++)
		err = check_entry(&entries[i]);
	return err;
}

static struct metric *counter(const struct guard_peer *peer, const char *name, const char *help, const char *kind)
{
	char labels[FQDN_MAX + 64] = "";

	metric_label(labels, sizeof(labels), "peer", peer->identity);
	if (kind != NULL)
		metric_label(labels, sizeof(labels), "kind", kind);
	return metric_get(name, help, METRIC_COUNTER, labels);
}

static struct metric *gauge(const struct guard_peer *peer, const char *name, const char *help)
{
	char labels[FQDN_MAX + 64] = "";

	metric_label(labels, sizeof(labels), "peer", peer->identity);
	return metric_get(name, help, METRIC_GAUGE, labels);
}

static void name_metrics(struct guard_peer *peer)
{
	static const char received[] = "gba_diameter_received_total", sent[] = "gba_diameter_sent_total";
	static const char received_help[] = "Messages received from a peer", sent_help[] = "Messages sent to a peer";

	peer->requests_in = counter(peer, received, received_help, "request");
	peer->answers_in = counter(peer, received, received_help, "answer");
	peer->requests_out = counter(peer, sent, sent_help, "request");
	peer->answers_out = counter(peer, sent, sent_help, "answer");
	peer->refused = counter(peer, "gba_diameter_refused_total", "Requests of a peer refused before any role saw them", NULL);
	peer->bad_answers = counter(peer, "gba_diameter_unusable_answers_total", "Answers of a peer that could not be used", NULL);
	peer->slow = counter(peer, "gba_diameter_slow_closed_total", "Connections of a peer closed as it did not take its answers",
			     NULL);
	peer->psm = gauge(peer, "gba_diameter_peer_queue_messages", "Messages of a peer waiting to be read");
	peer->to_send = gauge(peer, "gba_diameter_peer_unsent_messages", "Messages waiting to be sent to a peer");
	peer->awaited = gauge(peer, "gba_diameter_peer_awaited_answers", "Requests sent to a peer and not answered");
	peer->open = gauge(peer, "gba_diameter_peer_open", "1 while the connection to a peer is open");
}

static const struct guard_peer_conf *conf_of(const char *identity)
{
	const struct guard_peer_conf *entries = peers.conf->peers.v;
	size_t i;

	for (i = 0; i < peers.conf->peers.n; i++) {
		if (strcasecmp(entries[i].identity, identity) == 0)
			return &entries[i];
	}
	return NULL;
}

static struct guard_peer *peer_new(const char *identity)
{
	struct guard_peer *peer;
	size_t n = atomic_load(&peers.n);

	if (n == PEERS_MAX)
		return NULL;
	peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return NULL;
	pthread_mutex_init(&peer->lines.lock, NULL);
	snprintf(peer->identity, sizeof(peer->identity), "%s", identity);
	peer->conf = conf_of(identity);
	if (peer->conf != NULL) {
		(void)numbers_of(&peer->conf->applications, peer->apps, &peer->n_apps);
		(void)numbers_of(&peer->conf->commands, peer->commands, &peer->n_commands);
	}
	name_metrics(peer);
	atomic_store(&peers.peer[n], peer);
	atomic_store(&peers.n, n + 1);
	return peer;
}

static struct guard_peer *peer_at(size_t i)
{
	return atomic_load_explicit(&peers.peer[i], memory_order_acquire);
}

bool guard_peer_connected(struct peer_hdr *hdr)
{
	bool named = guard_cert_names(hdr);
	struct guard_peer *peer = NULL;
	size_t i;

	pthread_mutex_lock(&peers.lock);
	for (i = 0; i < atomic_load(&peers.n); i++) {
		if (atomic_load(&peer_at(i)->hdr) == hdr) /* an address may come back as another peer's */
			atomic_store(&peer_at(i)->hdr, NULL);
		if (strcasecmp(peer_at(i)->identity, hdr->info.pi_diamid) == 0)
			peer = peer_at(i);
	}
	if (peer == NULL)
		peer = peer_new(hdr->info.pi_diamid);
	if (peer != NULL) {
		atomic_store(&peer->impostor, !named);
		atomic_store(&peer->leaving, false);
		atomic_store(&peer->hdr, hdr);
	}
	pthread_mutex_unlock(&peers.lock);
	return named;
}

bool guard_peer_impostor(const struct guard_peer *peer)
{
	return peer != NULL && atomic_load_explicit(&peer->impostor, memory_order_relaxed);
}

void guard_peer_leaves(struct guard_peer *peer)
{
	if (peer != NULL)
		atomic_store(&peer->leaving, true);
}

struct guard_peer *guard_peer_of(struct peer_hdr *hdr)
{
	size_t i, n = atomic_load_explicit(&peers.n, memory_order_acquire);

	for (i = 0; i < n; i++) {
		if (atomic_load_explicit(&peer_at(i)->hdr, memory_order_relaxed) == hdr)
			return peer_at(i);
	}
	return NULL;
}

static bool is_listed(const uint32_t *numbers, size_t n, uint32_t number)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (numbers[i] == number)
			return true;
	}
	return n == 0;
}

static bool may_speak_for(const struct guard_peer *peer, struct bytes origin_host)
{
	size_t i;

	if (peer->conf == NULL || peer->conf->origin_hosts.n == 0)
		return bytes_eq_nocase(origin_host, bytes_of(peer->identity));
	for (i = 0; i < peer->conf->origin_hosts.n; i++) {
		struct bytes allowed = bytes_of(peer->conf->origin_hosts.v[i]);

		if (allowed.n > 2 && allowed.p[0] == '*') {
			allowed = BYTES(allowed.p + 2, allowed.n - 2);
			if (fqdn_within(origin_host, allowed) && !bytes_eq_nocase(origin_host, allowed))
				return true;
		} else if (bytes_eq_nocase(origin_host, allowed)) {
			return true;
		}
	}
	return false;
}

bool guard_peer_may(const struct guard_peer *peer, struct bytes origin_host, uint32_t app, uint32_t command)
{
	if (guard_peer_impostor(peer) || atomic_load_explicit(&peer->leaving, memory_order_relaxed) ||
	    (peer->conf == NULL && peers.conf->peers.n > 0))
		return false;
	return may_speak_for(peer, origin_host) && is_listed(peer->apps, peer->n_apps, app) &&
	       is_listed(peer->commands, peer->n_commands, command);
}

bool guard_peer_in_pace(struct guard_peer *peer)
{
	if (peer->conf == NULL || peer->conf->rate == 0) /* no clock is read for each message of most peers */
		return true;
	return pace_allow(&peer->pace, peer->conf->rate, peer->conf->burst, clock_mono_us());
}

bool guard_peer_busy(const struct guard_peer *peer)
{
	return atomic_load_explicit(&peers.busy, memory_order_relaxed) ||
	       atomic_load_explicit(&peer->busy, memory_order_relaxed);
}

void guard_peer_counted(struct guard_peer *peer, bool request, bool sent)
{
	if (peer == NULL)
		return;
	if (sent)
		metric_add(request ? peer->requests_out : peer->answers_out, 1);
	else
		metric_add(request ? peer->requests_in : peer->answers_in, 1);
}

void guard_peer_refused(struct guard_peer *peer, uint32_t code, const char *why, struct bytes origin_host)
{
	uint64_t left_out;

	if (peer == NULL)
		return;
	metric_add(peer->refused, 1);
	if (!guard_bucket_pass(&peer->lines, &left_out))
		return;
	log_event(LOG_L_WARNING, "guard.refused",
		  &(struct log_about){ .peer = bytes_of(peer->identity), .id = origin_host, .clause = "RFC 6733 7.1" },
		  "request refused with %u: %s (%llu lines left out before)", code, why, (unsigned long long)left_out);
}

void guard_peer_bad_answer(struct guard_peer *peer, const char *why)
{
	uint64_t left_out;

	if (peer == NULL)
		return;
	metric_add(peer->bad_answers, 1);
	if (!guard_bucket_pass(&peer->lines, &left_out))
		return;
	log_event(LOG_L_WARNING, "guard.answer",
		  &(struct log_about){ .peer = bytes_of(peer->identity), .result = GBA_E_PEER },
		  "unusable answer: %s (%llu lines left out before)", why, (unsigned long long)left_out);
}

/* lib/dia notes here what a role of this process serves, or asks only where a peer has it; the rest of what we advertise, we
 * need. */
static bool is_needed(uint32_t app)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "application=\"%u\"", app);
	return metric_value(metric_get("gba_diameter_served", "1 for applications that this process serves",
				       METRIC_GAUGE, labels)) == 0 &&
	       metric_value(metric_get("gba_diameter_optional",
				       "1 for applications that this process asks where a peer has them", METRIC_GAUGE,
				       labels)) == 0;
}

bool guard_peers_ready(void *unused, const char **_missing)
{
	struct fd_list *li;

	(void)unused;
	for (li = fd_g_config->cnf_apps.next; li != &fd_g_config->cnf_apps; li = li->next) {
		uint32_t app = ((struct fd_app *)li)->appid;

		if (!is_needed(app) || dia_peer_ready(app))
			continue;
		*_missing = "no open Diameter peer for an application we ask";
		return false;
	}
	return true;
}

static int queue_length(enum fd_stat_type type, struct peer_hdr *hdr, int *_limit)
{
	int count = 0;

	if (fd_stat_getstats(type, hdr, &count, _limit, NULL, NULL, NULL, NULL, NULL) != 0)
		return 0;
	return count;
}

void guard_peer_socket(struct peer_hdr *hdr, const struct guard_socket *socket)
{
	struct guard_peer *peer = guard_peer_of(hdr);

	if (peer == NULL)
		return;
	pthread_mutex_lock(&peers.lock);
	peer->socket = *socket;
	pthread_mutex_unlock(&peers.lock);
}

/* Answers go through one queue, in order. When that of a peer's connection is full, all behind wait: for the slowest peer. */
static void sample_slow(struct guard_peer *peer, int unsent, int limit)
{
	struct guard_socket socket;

	pthread_mutex_lock(&peers.lock);
	socket = peer->socket;
	pthread_mutex_unlock(&peers.lock);
	if (limit <= 0 || unsent < limit || guard_net_untaken(&socket) < UNTAKEN_MIN) {
		peer->slow_samples = 0;
		return;
	}
	if (++peer->slow_samples * GUARD_SAMPLE_MS < peers.conf->slow_timeout)
		return;
	peer->slow_samples = 0;
	metric_add(peer->slow, 1);
	log_event_limited(1, LOG_L_WARNING, "peer.slow", (&(struct log_about){ .peer = bytes_of(peer->identity) }),
			  "does not take its answers: connection closed");
	guard_net_drop(&socket);
}

/* At the second look the CEA has been sent. */
static void sample_leaving(struct guard_peer *peer)
{
	struct guard_socket socket;

	if (!atomic_load_explicit(&peer->leaving, memory_order_relaxed)) {
		peer->leaving_samples = 0;
		return;
	}
	if (++peer->leaving_samples < 2)
		return;
	peer->leaving_samples = 0;
	pthread_mutex_lock(&peers.lock);
	socket = peer->socket;
	pthread_mutex_unlock(&peers.lock);
	guard_net_drop(&socket);
}

static void sample_peer(struct guard_peer *peer, struct peer_hdr *hdr)
{
	int state = fd_peer_get_state(hdr), psm = 0, unsent = 0, limit = 0;
	bool open = state == STATE_OPEN, connected = open || state == STATE_SUSPECT || state == STATE_REOPEN;
	long awaited = 0, unanswered = 0;

	if (connected) /* the queues of others may be going away */
		psm = queue_length(STAT_P_PSM, hdr, NULL);
	if (open)
		unsent = queue_length(STAT_P_TOSEND, hdr, &limit);
	sample_slow(peer, unsent, limit);
	sample_leaving(peer);
	metric_set(peer->open, open);
	metric_set(peer->psm, psm);
	metric_set(peer->to_send, unsent);
	(void)fd_peer_get_load_pending(hdr, &awaited, &unanswered);
	metric_set(peer->awaited, awaited);
	atomic_store(&peer->busy, (uint32_t)psm >= peers.conf->busy_peer);
}

/* The framework's own list: it knows which peers still exist. */
void guard_peers_sample(void)
{
	int local = queue_length(STAT_G_LOCAL, NULL, NULL);
	struct guard_peer *peer;
	struct fd_list *li;

	metric_set(peers.local, local);
	metric_set(peers.incoming, queue_length(STAT_G_INCOMING, NULL, NULL));
	metric_set(peers.outgoing, queue_length(STAT_G_OUTGOING, NULL, NULL));
	atomic_store(&peers.busy, (uint32_t)local >= peers.conf->busy_local);
	if (pthread_rwlock_rdlock(&fd_g_peers_rw) != 0)
		return;
	for (li = fd_g_peers.next; li != &fd_g_peers; li = li->next) {
		peer = guard_peer_of((struct peer_hdr *)li->o);
		if (peer != NULL)
			sample_peer(peer, (struct peer_hdr *)li->o);
	}
	pthread_rwlock_unlock(&fd_g_peers_rw);
}
