/* SPDX-License-Identifier: Apache-2.0 */
/* gba-naf-proxy: the daemon. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
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
#include "naf-adapter/proxy/worker.h"

#define DEFAULT_CONF GBA_SYSCONFDIR "/naf-proxy.conf"
#define BACKLOG	     4096

struct daemon {
	struct proxy_conf conf;
	struct proxy proxy;
	unsigned int workers;
	struct worker **worker;
	struct http_server *metrics;
};

static int complain(const char *what)
{
	fprintf(stderr, "gba-naf-proxy: %s\n", what);
	return EXIT_FAILURE;
}

/* ---- listening sockets: one per listener and worker, the kernel spreads connections over them ---- */

static int listen_on(const struct addrinfo *ai, const struct sockaddr_storage *same)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	const struct sockaddr *to = same != NULL ? (const struct sockaddr *)same : ai->ai_addr;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0 && bind(fd, to, ai->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

/* fds[worker * listeners + index]. Another program's SO_REUSEPORT socket must not share ours unseen: the first bind is
 * tried without it. */
static bool port_is_free(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	bool is_free;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	is_free = fd >= 0 && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0;
	if (fd >= 0)
		close(fd);
	return is_free;
}

static bool listen_all(struct daemon *daemon, size_t index, int *fds)
{
	const struct listener_conf *conf = (const struct listener_conf *)daemon->conf.listeners.v + index;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *ai = NULL;
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	char host[256], port[8];
	unsigned int i;
	bool good;

	if (!address_split(conf->address, host, sizeof(host), port, sizeof(port)) || getaddrinfo(host, port, &hints, &ai) != 0)
		return false;
	good = port_is_free(ai);
	for (i = 0; i < daemon->workers && good; i++) {
		int fd = listen_on(ai, i > 0 ? &bound : NULL);

		good = fd >= 0;
		fds[i * daemon->conf.listeners.n + index] = fd;
		if (good && i == 0)
			getsockname(fd, (struct sockaddr *)&bound, &len);
	}
	freeaddrinfo(ai);
	return good;
}

/* ---- start ---- */

static enum gba_err nonces_set_up(struct daemon *daemon, struct conf_error *_error)
{
	const char *path = daemon->conf.nonce_secret_file;
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
		daemon->proxy.nonces = nonces_new(daemon, secret, (uint64_t)daemon->conf.nonce_lifetime * 1000,
						  daemon->conf.nonce_entries);
	SECRET_WIPE(secret);
	if (daemon->proxy.nonces != NULL)
		return GBA_OK;
	snprintf(_error->text, sizeof(_error->text), "nonce-secret-file: %s: cannot read %d octets", path, NONCE_SECRET_LEN);
	return GBA_E_CONF;
}

static enum gba_err workers_set_up(struct daemon *daemon, struct conf_error *_error)
{
	size_t listeners = daemon->conf.listeners.n, i;
	const struct listener_conf *conf = daemon->conf.listeners.v;
	int *fds = talloc_array(daemon, int, daemon->workers * listeners);
	enum gba_err err = GBA_OK;
	const char *error = "";

	daemon->worker = talloc_zero_array(daemon, struct worker *, daemon->workers);
	if (fds == NULL || daemon->worker == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < listeners; i++) {
		if (!listen_all(daemon, i, fds)) {
			snprintf(_error->text, sizeof(_error->text), "listeners: %s: %s", conf[i].address, strerror(errno));
			return GBA_E_CONF;
		}
	}
	for (i = 0; i < daemon->workers && err == GBA_OK; i++)
		err = worker_new(daemon, &daemon->proxy, (unsigned int)i, fds + i * listeners, &daemon->worker[i], &error);
	if (err != GBA_OK)
		snprintf(_error->text, sizeof(_error->text), "%s", error);
	return err;
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static enum gba_err set_up(struct daemon *daemon, struct conf_error *_error)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	const char *error = NULL;
	enum gba_err err;

	raise_descriptors();
	daemon->workers = daemon->conf.workers > 0 ? daemon->conf.workers : cores > 0 && cores <= 64 ? (unsigned int)cores : 1;
	daemon->proxy.conf = &daemon->conf;
	stats_make(&daemon->proxy.stats);
	daemon->proxy.sources = sources_new(daemon, daemon->conf.max_connections, daemon->conf.max_per_source);
	if (daemon->proxy.sources == NULL)
		return GBA_E_NOMEM;
	err = nonces_set_up(daemon, _error);
	if (err == GBA_OK)
		err = workers_set_up(daemon, _error);
	if (err == GBA_OK) {
		daemon->proxy.health = health_start(daemon, &daemon->conf);
		err = daemon->proxy.health != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	if (err == GBA_OK && daemon->conf.metrics[0] != '\0') {
		err = http_metrics_start(daemon, daemon->conf.metrics, health_ready, daemon->proxy.health, &daemon->metrics,
					 &error);
		if (err != GBA_OK)
			snprintf(_error->text, sizeof(_error->text), "metrics: %s", error);
	}
	return err;
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
	kill(getpid(), SIGUSR1);
	return NULL;
}

static void serve(struct daemon *daemon, const sigset_t *signals)
{
	bool draining = false;
	int sig;

	for (;;) {
		if (sigwait(signals, &sig) != 0)
			continue;
		if (sig == SIGHUP) {
			log_reopen();
			if (!draining)
				tell_all(daemon, WORKER_RELOAD);
			continue;
		}
		if (sig == SIGUSR1 && draining)
			return;
		if (sig == SIGTERM || sig == SIGINT) {
			log_event(LOG_L_INFO, "proxy.stop", NULL, draining ? "now" : "after the requests in work");
			tell_all(daemon, draining ? WORKER_STOP : WORKER_DRAIN);
			draining = true;
		}
	}
}

/* Before the first thread: each has its maker's mask, and one that lets a signal through ends the process by it. */
static void block_signals(sigset_t *signals)
{
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(signals);
	sigaddset(signals, SIGHUP);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
}

static void log_site(const struct site_conf *site)
{
	struct log_about about = { .iface = "Ua", .id = bytes_of(site->fqdn), .clause = "Y.3056 7.6" };

	log_event(LOG_L_INFO, "proxy.site", &about, "application %s%s", site->application_id[0] != '\0' ? "" : "fqdn:",
		  site->application_id[0] != '\0' ? site->application_id : site->fqdn);
}

static int run(struct daemon *daemon, const sigset_t *signals)
{
	pthread_t joins;
	unsigned int i;

	for (i = 0; i < daemon->workers; i++) {
		if (worker_start(daemon->worker[i]) != GBA_OK)
			return complain("cannot start a thread");
	}
	if (pthread_create(&joins, NULL, joiner, daemon) != 0)
		return complain("cannot start a thread");
	log_event(LOG_L_INFO, "proxy.start", NULL, "version %s, %u workers, %zu sites", PACKAGE_VERSION, daemon->workers,
		  daemon->conf.sites.n);
	for (i = 0; i < daemon->conf.sites.n; i++)
		log_site((const struct site_conf *)daemon->conf.sites.v + i);
	serve(daemon, signals);
	pthread_join(joins, NULL);
	return EXIT_SUCCESS;
}

static int daemon_main(const struct role *role, const char *path)
{
	struct daemon *daemon = talloc_zero(NULL, struct daemon);
	struct conf_error error = { "out of memory" };
	sigset_t signals;
	int status;

	secret_init();
	block_signals(&signals);
	if (daemon == NULL || conf_load(daemon, role->name, path, role->items, &daemon->conf, &error) != GBA_OK ||
	    role->check(&daemon->conf, &error) != GBA_OK ||
	    conf_common_apply(role->name, &daemon->conf.common, &error) != GBA_OK || set_up(daemon, &error) != GBA_OK)
		status = complain(error.text);
	else
		status = run(daemon, &signals);
	if (daemon != NULL && daemon->metrics != NULL)
		http_server_stop(daemon->metrics, 0);
	if (daemon != NULL)
		health_stop(daemon->proxy.health);
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
