/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/health.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "naf-adapter/proxy/upstream.h"

#define FAILURES   2
#define STATUS_LEN 12 /* [octets] "HTTP/1.1 200" */

struct probe {
	const struct site_conf *site;
	size_t index; /* of the site */
	const struct upstream_addresses *where;
	char *request;
	int fd;	      /* -1: this round's outcome is known */
	bool sent;
	char answer[STATUS_LEN + 1];
	size_t n;
	unsigned int failures;
	struct metric *up;
};

struct health {
	const struct proxy_conf *conf;
	struct probe *probes;
	struct pollfd *fds;
	size_t n;
	atomic_bool *down; /* per site */
	pthread_t thread;
	bool started;
	int bell;
};

static void outcome(struct health *health, struct probe *probe, bool good, const char *why)
{
	struct log_about about = { .iface = "upstream", .peer = bytes_of(probe->site->upstream),
				   .id = bytes_of(probe->site->fqdn) };
	bool was_down = atomic_load(&health->down[probe->index]), down;

	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
	probe->failures = good ? 0 : probe->failures + 1;
	down = probe->failures >= FAILURES;
	metric_set(probe->up, down ? 0 : 1);
	if (down == was_down)
		return;
	atomic_store(&health->down[probe->index], down);
	log_event(down ? LOG_L_ERROR : LOG_L_INFO, "ua.application", &about, "%s", down ? why : "answers again");
}

static void probe_start(struct health *health, struct probe *probe)
{
	const struct upstream_address *to = &probe->where->v[0];

	probe->sent = false;
	probe->n = 0;
	probe->fd = socket(to->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe->fd < 0 || (connect(probe->fd, (const struct sockaddr *)&to->ss, to->len) != 0 && errno != EINPROGRESS))
		outcome(health, probe, false, "refuses connections");
}

/* 2xx and 3xx: it lives. */
static bool status_good(const char *answer)
{
	return strncmp(answer, "HTTP/1.", 7) == 0 && answer[8] == ' ' && (answer[9] == '2' || answer[9] == '3');
}

static void probe_run(struct health *health, struct probe *probe)
{
	ssize_t n;

	if (!probe->sent) { /* so small a request fits into an empty socket */
		n = send(probe->fd, probe->request, strlen(probe->request), MSG_NOSIGNAL);
		if (n != (ssize_t)strlen(probe->request))
			outcome(health, probe, false, "refuses connections");
		probe->sent = true;
		return;
	}
	n = recv(probe->fd, probe->answer + probe->n, STATUS_LEN - probe->n, 0);
	if (n <= 0) {
		outcome(health, probe, false, "ends the connection without an answer");
		return;
	}
	probe->n += (size_t)n;
	probe->answer[probe->n] = '\0';
	if (probe->n == STATUS_LEN)
		outcome(health, probe, status_good(probe->answer), "answers that it is not well");
}

/* All applications at once, each within the time. @return false: it is time to stop */
static bool round_run(struct health *health)
{
	uint64_t end = clock_mono_ms() + health->conf->health_timeout, now;
	size_t i, open = 1;

	for (i = 0; i < health->n; i++)
		probe_start(health, &health->probes[i]);
	for (now = clock_mono_ms(); open > 0 && now < end; now = clock_mono_ms()) {
		for (open = i = 0; i < health->n; i++) {
			const struct probe *probe = &health->probes[i];

			open += probe->fd >= 0;
			health->fds[i] = (struct pollfd){ .fd = probe->fd, .events = probe->sent ? POLLIN : POLLOUT };
		}
		if (open == 0 || poll(health->fds, health->n + 1, (int)(end - now)) < 0)
			continue;
		if (health->fds[health->n].revents != 0)
			return false;
		for (i = 0; i < health->n; i++) {
			if (health->probes[i].fd >= 0 && health->fds[i].revents != 0)
				probe_run(health, &health->probes[i]);
		}
	}
	for (i = 0; i < health->n; i++) {
		if (health->probes[i].fd >= 0)
			outcome(health, &health->probes[i], false, "does not answer in time");
	}
	return true;
}

static void *run(void *arg)
{
	struct health *health = arg;

	while (round_run(health) && poll(&health->fds[health->n], 1, (int)health->conf->health_interval * 1000) <= 0)
		;
	return NULL;
}

static bool probe_make(struct health *health, const struct site_conf *site, size_t index, const struct upstream_addresses *where)
{
	struct probe *probe = &health->probes[health->n];
	char labels[300] = "";

	probe->site = site;
	probe->index = index;
	probe->where = where;
	probe->fd = -1;
	probe->request = talloc_asprintf(health,
					 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: gba-naf-proxy\r\nConnection: close\r\n\r\n",
					 site->health_path, site->fqdn);
	metric_label(labels, sizeof(labels), "site", site->fqdn);
	probe->up = metric_get("gba_naf_proxy_application_up", "Does the application answer its health check?", METRIC_GAUGE,
			       labels);
	health->n++;
	return probe->request != NULL;
}

/* What is known of the same application, asked the same. */
static void know(struct health *health, struct probe *probe, const struct health *before)
{
	size_t i;

	for (i = 0; before != NULL && i < before->n; i++) {
		const struct probe *was = &before->probes[i];

		if (strcmp(was->request, probe->request) != 0 || strcmp(was->site->upstream, probe->site->upstream) != 0 ||
		    !health_down(before, was->index))
			continue;
		probe->failures = FAILURES;
		atomic_store(&health->down[probe->index], true);
	}
}

static bool set_up(struct health *health, const struct upstream_addresses *upstreams, const struct health *before)
{
	const struct site_conf *sites = health->conf->sites.v;
	size_t i;

	health->probes = talloc_zero_array(health, struct probe, health->conf->sites.n);
	health->fds = talloc_zero_array(health, struct pollfd, health->conf->sites.n + 1);
	health->down = talloc_zero_array(health, atomic_bool, health->conf->sites.n);
	if (health->probes == NULL || health->fds == NULL || health->down == NULL)
		return false;
	for (i = 0; i < health->conf->sites.n; i++) {
		if (sites[i].health_path[0] == '\0')
			continue;
		if (!probe_make(health, &sites[i], i, &upstreams[i]))
			return false;
		know(health, &health->probes[health->n - 1], before);
	}
	health->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	health->fds[health->n] = (struct pollfd){ .fd = health->bell, .events = POLLIN };
	return health->bell >= 0;
}

static int health_destroy(struct health *health)
{
	size_t i;

	for (i = 0; i < health->n; i++) {
		if (health->probes[i].fd >= 0)
			close(health->probes[i].fd);
	}
	if (health->bell >= 0)
		close(health->bell);
	return 0;
}

struct health *health_new(TALLOC_CTX *mem_ctx, const struct proxy_conf *conf, const struct upstream_addresses *upstreams,
			  const struct health *before)
{
	struct health *health = talloc_zero(mem_ctx, struct health);

	if (health == NULL)
		return NULL;
	health->conf = conf;
	health->bell = -1;
	talloc_set_destructor(health, health_destroy);
	if (set_up(health, upstreams, before))
		return health;
	talloc_free(health);
	return NULL;
}

bool health_start(struct health *health)
{
	size_t i;

	for (i = 0; i < health->n; i++)
		metric_set(health->probes[i].up, health_down(health, health->probes[i].index) ? 0 : 1);
	health->started = pthread_create(&health->thread, NULL, run, health) == 0;
	return health->started;
}

void health_stop(struct health *health)
{
	if (health == NULL || !health->started)
		return;
	eventfd_write(health->bell, 1);
	pthread_join(health->thread, NULL);
	health->started = false;
}

bool health_down(const struct health *health, size_t site)
{
	return health != NULL && atomic_load(&health->down[site]);
}

bool health_ready(void *health_, const char **_missing)
{
	const struct health *health = health_;
	size_t i;

	for (i = 0; i < health->n; i++) {
		if (!health_down(health, health->probes[i].index))
			return true;
	}
	*_missing = "application";
	return health->n == 0;
}
