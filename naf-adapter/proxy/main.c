/* SPDX-License-Identifier: Apache-2.0 */
/* gba-naf-proxy: the daemon. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf/role.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/secret.h"
#include "core/trace.h"
#include "http/server.h"
#include "naf-adapter/proxy/listen.h"
#include "naf-adapter/proxy/worker.h"

#define DEFAULT_CONF GBA_SYSCONFDIR "/naf-proxy.conf"
#define SIG_DRAINED  SIGUSR2 /* to ourselves */

struct daemon {
	const struct role *role;
	const char *path;
	struct proxy proxy;
	unsigned int workers;
	struct worker **worker;
	struct http_server *metrics;
	pthread_mutex_t lock;	   /* for what the page of readiness looks at */
	struct snapshot *snapshot; /* in force */
	bool draining;
};

/* A configuration on its way into force: all that can fail is done before anything changes. */
struct plan {
	struct snapshot *snapshot;
	const char *pinned;	 /* items that need a restart; NULL: none */
	struct generation **gen; /* one per worker */
	struct http_server *metrics; /* at another address than before; NULL: none */
};

static int complain(const char *what)
{
	fprintf(stderr, "gba-naf-proxy: %s\n", what);
	return EXIT_FAILURE;
}

static bool ready(void *arg, const char **_missing)
{
	struct daemon *daemon = arg;
	bool is_ready;

	pthread_mutex_lock(&daemon->lock);
	*_missing = daemon->draining ? "drained: connections are taken no more" : "still starting";
	is_ready = daemon->snapshot != NULL && !daemon->draining && health_ready(daemon->snapshot->health, _missing);
	pthread_mutex_unlock(&daemon->lock);
	return is_ready;
}

/* ---- plans ---- */

static bool was_listening(const struct daemon *daemon, const char *address)
{
	const struct listener_conf *listeners;
	size_t i;

	for (i = 0; daemon->snapshot != NULL && i < daemon->snapshot->conf.listeners.n; i++) {
		listeners = daemon->snapshot->conf.listeners.v;
		if (strcmp(listeners[i].address, address) == 0)
			return true;
	}
	return false;
}

static enum gba_err plan_listeners(const struct daemon *daemon, struct plan *plan, struct conf_error *_error)
{
	const struct proxy_conf *conf = &plan->snapshot->conf;
	const struct listener_conf *listeners = conf->listeners.v;
	int *fds = talloc_array(plan->gen, int, daemon->workers);
	unsigned int w;
	size_t i;

	for (i = 0; fds != NULL && i < conf->listeners.n; i++) {
		if (was_listening(daemon, listeners[i].address))
			continue;
		if (!listen_on_all(listeners[i].address, conf->keepalive, fds, daemon->workers)) {
			snprintf(_error->text, sizeof(_error->text), "listeners: %s: %s", listeners[i].address, strerror(errno));
			return GBA_E_CONF;
		}
		for (w = 0; w < daemon->workers; w++)
			plan->gen[w]->fds[i] = fds[w];
	}
	return fds != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err plan_generations(const struct daemon *daemon, struct plan *plan, struct conf_error *_error)
{
	enum gba_err err = GBA_OK;
	const char *error = "";
	unsigned int w;

	plan->gen = talloc_zero_array(daemon, struct generation *, daemon->workers);
	if (plan->gen == NULL)
		return GBA_E_NOMEM;
	for (w = 0; w < daemon->workers && err == GBA_OK; w++)
		err = generation_new(daemon->worker[w], plan->snapshot, &plan->gen[w], &error);
	if (err != GBA_OK)
		snprintf(_error->text, sizeof(_error->text), "%s", error);
	return err;
}

static bool same_page(const struct daemon *daemon, const struct proxy_conf *conf)
{
	return strcmp(daemon->snapshot != NULL ? daemon->snapshot->conf.metrics : "", conf->metrics) == 0;
}

static enum gba_err plan_metrics(struct daemon *daemon, struct plan *plan, struct conf_error *_error)
{
	const struct proxy_conf *conf = &plan->snapshot->conf;
	const char *error = "";
	enum gba_err err;

	if (conf->metrics[0] == '\0' || same_page(daemon, conf))
		return GBA_OK;
	err = http_metrics_start(daemon, conf->metrics, ready, daemon, &plan->metrics, &error);
	if (err != GBA_OK)
		snprintf(_error->text, sizeof(_error->text), "metrics: %s", error);
	return err;
}

static void plan_free(const struct daemon *daemon, struct plan *plan)
{
	unsigned int w;

	if (plan->metrics != NULL)
		http_server_stop(plan->metrics, 0);
	for (w = 0; plan->gen != NULL && w < daemon->workers; w++)
		generation_unref(plan->gen[w]);
	talloc_free(plan->gen);
	snapshot_unref(plan->snapshot);
}

/* The snapshot of the plan is made. The last step changes how we log, and cannot be followed by one that fails. */
static enum gba_err plan_make(struct daemon *daemon, struct plan *plan, struct conf_error *_error)
{
	enum gba_err err;

	snprintf(_error->text, sizeof(_error->text), "out of memory");
	err = plan_generations(daemon, plan, _error);
	if (err == GBA_OK)
		err = plan_listeners(daemon, plan, _error);
	if (err == GBA_OK)
		err = plan_metrics(daemon, plan, _error);
	if (err == GBA_OK && !health_start(plan->snapshot->health))
		err = GBA_E_NOMEM;
	if (err == GBA_OK)
		err = conf_common_apply(daemon->role->name, &plan->snapshot->conf.common, _error);
	if (err != GBA_OK)
		health_stop(plan->snapshot->health);
	return err;
}

/* The workers have the plan's generations: what else there is follows. */
static void plan_follow(struct daemon *daemon, struct plan *plan)
{
	struct snapshot *old = daemon->snapshot;
	struct http_server *page = !same_page(daemon, &plan->snapshot->conf) ? daemon->metrics : NULL;

	if (plan->metrics != NULL || page != NULL)
		daemon->metrics = plan->metrics;
	pthread_mutex_lock(&daemon->lock);
	daemon->snapshot = plan->snapshot;
	pthread_mutex_unlock(&daemon->lock);
	if (page != NULL)
		http_server_stop(page, 0);
	if (old != NULL)
		health_stop(old->health);
	snapshot_unref(old);
	talloc_free(plan->gen);
}

/* ---- start ---- */

static enum gba_err nonces_set_up(struct daemon *daemon, const struct proxy_conf *conf, struct conf_error *_error)
{
	const char *path = conf->nonce_secret_file;
	uint8_t secret[NONCE_SECRET_LEN];
	ssize_t n = NONCE_SECRET_LEN;
	int fd;

	if (path[0] == '\0') {
		rand_bytes(secret, sizeof(secret));
	} else {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd >= 0 ? read(fd, secret, sizeof(secret)) : -1;
		if (fd >= 0)
			close(fd);
	}
	if (n == NONCE_SECRET_LEN)
		daemon->proxy.nonces = nonces_new(daemon, secret, (uint64_t)conf->nonce_lifetime * 1000,
						  conf->nonce_entries);
	SECRET_WIPE(secret);
	if (daemon->proxy.nonces != NULL)
		return GBA_OK;
	snprintf(_error->text, sizeof(_error->text), "nonce-secret-file: %s: cannot read %d octets", path, NONCE_SECRET_LEN);
	return GBA_E_CONF;
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static enum gba_err workers_set_up(struct daemon *daemon, const struct proxy_conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	enum gba_err err = GBA_OK;
	unsigned int w;

	daemon->workers = conf->workers > 0 ? conf->workers : cores > 0 && cores <= 64 ? (unsigned int)cores : 1;
	daemon->worker = talloc_zero_array(daemon, struct worker *, daemon->workers);
	if (daemon->worker == NULL)
		return GBA_E_NOMEM;
	for (w = 0; w < daemon->workers && err == GBA_OK; w++)
		err = worker_new(daemon, &daemon->proxy, w, conf, &daemon->worker[w]);
	return err;
}

static enum gba_err set_up(struct daemon *daemon, struct plan *plan, struct conf_error *_error)
{
	const struct proxy_conf *conf;
	enum gba_err err;

	raise_descriptors();
	pthread_mutex_init(&daemon->lock, NULL);
	sem_init(&daemon->proxy.in_force, 0, 0);
	plan->snapshot = snapshot_new(daemon->role, daemon->path, NULL, &plan->pinned, _error);
	if (plan->snapshot == NULL)
		return GBA_E_CONF;
	conf = &plan->snapshot->conf;
	snprintf(_error->text, sizeof(_error->text), "out of memory");
	stats_make(&daemon->proxy.stats);
	daemon->proxy.sources = sources_new(daemon, conf->max_connections, conf->max_per_source);
	err = daemon->proxy.sources != NULL ? nonces_set_up(daemon, conf, _error) : GBA_E_NOMEM;
	if (err == GBA_OK)
		err = workers_set_up(daemon, conf);
	return err == GBA_OK ? plan_make(daemon, plan, _error) : err;
}

static void log_site(const struct site_conf *site)
{
	struct log_about about = { .iface = "Ua", .id = bytes_of(site->fqdn), .clause = "Y.3056 7.6" };

	log_event(LOG_L_INFO, "proxy.site", &about, "application %s%s", site->application_id[0] != '\0' ? "" : "fqdn:",
		  site->application_id[0] != '\0' ? site->application_id : site->fqdn);
}

static void log_sites(const struct daemon *daemon)
{
	const struct conf_groups *sites = &daemon->snapshot->conf.sites;
	size_t i;

	for (i = 0; i < sites->n; i++)
		log_site((const struct site_conf *)sites->v + i);
}

/* ---- run ---- */

static void tell_all(struct daemon *daemon, enum worker_command command)
{
	unsigned int i;

	for (i = 0; i < daemon->workers; i++)
		worker_tell(daemon->worker[i], command);
}

/* Threads that end by themselves have drained. */
static void *joiner(void *arg)
{
	struct daemon *daemon = arg;
	unsigned int i;

	for (i = 0; i < daemon->workers; i++)
		worker_join(daemon->worker[i]);
	kill(getpid(), SIG_DRAINED);
	return NULL;
}

/* All or nothing: when it returns, what begins is served by the new configuration, or everything by the old one. */
static void reload(struct daemon *daemon)
{
	struct log_about about = { .result = GBA_E_CONF };
	struct conf_error error = { "out of memory" }, undone;
	struct plan plan = { .snapshot = NULL };
	unsigned int w;

	plan.snapshot = snapshot_new(daemon->role, daemon->path, daemon->snapshot, &plan.pinned, &error);
	if (plan.snapshot == NULL || plan_make(daemon, &plan, &error) != GBA_OK) {
		conf_common_apply(daemon->role->name, &daemon->snapshot->conf.common, &undone);
		log_event(LOG_L_ERROR, "proxy.reload", &about, "refused, all stays as it was: %s", error.text);
		plan_free(daemon, &plan);
		return;
	}
	sources_cap(daemon->proxy.sources, plan.snapshot->conf.max_connections, plan.snapshot->conf.max_per_source);
	for (w = 0; w < daemon->workers; w++)
		worker_hand(daemon->worker[w], plan.gen[w]);
	for (w = 0; w < daemon->workers; w++) {
		while (sem_wait(&daemon->proxy.in_force) != 0)
			;
	}
	plan_follow(daemon, &plan);
	log_event(LOG_L_INFO, "proxy.reload", NULL, "%s in force: %zu sites, %zu listeners%s%s", daemon->path,
		  daemon->snapshot->conf.sites.n, daemon->snapshot->conf.listeners.n,
		  plan.pinned != NULL ? "; as they were until a restart: " : "", plan.pinned != NULL ? plan.pinned : "");
	log_sites(daemon);
}

static void end(struct daemon *daemon)
{
	log_event(LOG_L_INFO, "proxy.stop", NULL, daemon->draining ? "now" : "after the requests in work");
	tell_all(daemon, daemon->draining ? WORKER_STOP : WORKER_DRAIN);
	pthread_mutex_lock(&daemon->lock);
	daemon->draining = true;
	pthread_mutex_unlock(&daemon->lock);
}

static void serve(struct daemon *daemon, const sigset_t *signals)
{
	int sig;

	for (;;) {
		if (sigwait(signals, &sig) != 0)
			continue;
		if (sig == SIG_DRAINED && daemon->draining)
			return;
		if (sig == SIGTERM || sig == SIGINT)
			end(daemon);
		if (sig == SIGHUP || sig == SIGUSR1)
			log_reopen();
		if (sig == SIGHUP && !daemon->draining)
			reload(daemon);
	}
}

/* Before the first thread: each has its maker's mask, and one that lets a signal through ends the process by it. */
static void block_signals(sigset_t *signals)
{
	static const int ours[] = { SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIG_DRAINED };
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(signals);
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaddset(signals, ours[i]);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
}

static int run(struct daemon *daemon, struct plan *plan, const sigset_t *signals)
{
	pthread_t joins;
	unsigned int i;

	for (i = 0; i < daemon->workers; i++) {
		if (worker_start(daemon->worker[i], plan->gen[i]) != GBA_OK)
			return complain("cannot start a thread");
	}
	plan_follow(daemon, plan);
	if (pthread_create(&joins, NULL, joiner, daemon) != 0)
		return complain("cannot start a thread");
	log_event(LOG_L_INFO, "proxy.start", NULL, "version %s, %u workers, %zu sites", PACKAGE_VERSION, daemon->workers,
		  daemon->snapshot->conf.sites.n);
	log_sites(daemon);
	serve(daemon, signals);
	pthread_join(joins, NULL);
	for (i = 0; i < daemon->workers; i++) /* not before: a second signal tells them to end */
		talloc_free(daemon->worker[i]);
	return EXIT_SUCCESS;
}

static int daemon_main(const struct role *role, const char *path)
{
	struct daemon *daemon = talloc_zero(NULL, struct daemon);
	struct conf_error error = { "out of memory" };
	struct plan plan = { .snapshot = NULL };
	sigset_t signals;
	int status = EXIT_FAILURE;

	secret_init();
	block_signals(&signals);
	if (daemon == NULL)
		return complain(error.text);
	daemon->role = role;
	daemon->path = path;
	if (set_up(daemon, &plan, &error) == GBA_OK) {
		status = run(daemon, &plan, &signals);
	} else {
		complain(error.text);
		plan_free(daemon, &plan);
	}
	if (daemon->metrics != NULL)
		http_server_stop(daemon->metrics, 0);
	if (daemon->snapshot != NULL)
		health_stop(daemon->snapshot->health);
	snapshot_unref(daemon->snapshot);
	talloc_free(daemon);
	trace_close();
	log_close();
	return status;
}

int main(int argc, char **argv)
{
	static const struct role role = {
		.name = "naf-proxy",
		.program = "gba-naf-proxy",
		.what = "Authentication proxy (NAF): GBA on Ua by PSK-TLS and HTTP Digest, in front of an application.",
		.daemon_conf = DEFAULT_CONF,
		.items = proxy_conf_items,
		.conf_size = sizeof(struct proxy_conf),
		.check = proxy_conf_check,
		.run = daemon_main,
	};

	return role_main(&role, argc, argv);
}
