/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/local.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/files.h"
#include "core/log.h"
#include "core/metrics.h"
#include "naf-adapter/agent/conn.h"

#define EVENTS	 64
#define READY_MS 4000 /* [ms] after the start */
#define LOOK_MS	 20   /* [ms] between two looks until then */

enum letter_kind { LETTER_ANSWER, LETTER_PUSH, LETTER_REVOCATION, LETTER_NEWS };
struct letter {
	enum letter_kind kind;
	void *what; /* a talloc root */
};

struct local {
	struct conn_env env;
	struct agent_conf conf;	 /* in force */
	struct agent_news *news; /* that it is of; NULL: none yet */
	int epoll, listener, bell, spare;
	struct conn *conns;
	size_t conn_count;
	struct metric *connected;
	pthread_t thread;
	bool running;
	bool (*ready)(void); /* NULL: connections are taken */
	uint64_t ready_by;   /* [ms] monotonic */
	pthread_mutex_t lock; /* of what follows */
	struct letter *mail;
	size_t mail_n, mail_cap;
	bool stop;
};

/* ---- mailbox ---- */

static void ring(const struct local *local)
{
	eventfd_write(local->bell, 1); /* when it is full it rings already */
}

static bool post(struct local *local, enum letter_kind kind, void *what)
{
	bool kept = true;

	pthread_mutex_lock(&local->lock);
	if (local->mail_n == local->mail_cap) {
		size_t cap = local->mail_cap > 0 ? local->mail_cap * 2 : 64;
		struct letter *grown = realloc(local->mail, cap * sizeof(*grown));

		kept = grown != NULL;
		if (kept) {
			local->mail = grown;
			local->mail_cap = cap;
		}
	}
	if (kept)
		local->mail[local->mail_n++] = (struct letter){ kind, what };
	pthread_mutex_unlock(&local->lock);
	if (!kept)
		talloc_free(what);
	else
		ring(local);
	return kept;
}

void local_answer(struct local *local, struct zn_answer *answer)
{
	(void)post(local, LETTER_ANSWER, answer); /* lost: those who wait get a time-out */
}

bool local_push(struct local *local, struct agent_push *push)
{
	return post(local, LETTER_PUSH, push);
}

bool local_revoke(struct local *local, struct agent_revocation *revocation)
{
	return post(local, LETTER_REVOCATION, revocation);
}

bool local_renew(struct local *local, struct agent_news *news)
{
	return post(local, LETTER_NEWS, news);
}

/* @return the letters taken: the thread's own now */
static struct letter *mail_take(struct local *local, size_t *_n, bool *_stop)
{
	struct letter *mail;

	pthread_mutex_lock(&local->lock);
	mail = local->mail;
	*_n = local->mail_n;
	*_stop = local->stop;
	local->mail = NULL;
	local->mail_n = local->mail_cap = 0;
	pthread_mutex_unlock(&local->lock);
	return mail;
}

static void revoked(struct local *local, const struct agent_revocation *revocation)
{
	struct conn *conn;

	agent_revoked(local->env.agent, local->env.t, revocation);
	for (conn = local->conns; conn != NULL; conn = conn->next)
		conn_notice(conn, revocation);
}

/* Applications that hold keys of a token that theirs takes no longer. */
static void limits_tell(struct local *local)
{
	uint8_t digest[1][KEY_DIGEST_LEN];
	struct bytes fqdn;
	struct agent_revocation what = { .digests = digest, .digest_n = 1, .fqdns = &fqdn, .fqdn_n = 1 };
	struct conn *conn;

	while (agent_limit_reached(local->env.agent, local->env.t, digest[0], &fqdn)) {
		for (conn = local->conns; conn != NULL; conn = conn->next)
			conn_notice(conn, &what);
	}
}

/* Who is connected and may not ask any more is told so when it asks. */
static void renewed(struct local *local, struct agent_news *news)
{
	agent_conf_renew(&local->conf, &news->conf);
	local->env.clients = &news->clients;
	talloc_free(local->news);
	local->news = talloc_steal(local, news);
	agent_renewed(local->env.agent);
}

static void letter_read(struct local *local, const struct letter *letter)
{
	struct agent *agent = local->env.agent;

	switch (letter->kind) {
	case LETTER_ANSWER: agent_answer(agent, local->env.t, letter->what); break;
	case LETTER_PUSH: agent_pushed(agent, local->env.t, letter->what); break;
	case LETTER_REVOCATION: revoked(local, letter->what); break;
	case LETTER_NEWS: renewed(local, letter->what); return;
	}
	talloc_free(letter->what);
}

static bool mail_read(struct local *local)
{
	struct letter *mail;
	eventfd_t rings;
	size_t i, n;
	bool stop;

	eventfd_read(local->bell, &rings);
	mail = mail_take(local, &n, &stop);
	for (i = 0; i < n; i++)
		letter_read(local, &mail[i]);
	free(mail);
	return !stop;
}

/* ---- connections ---- */

static void watch(struct local *local, struct conn *conn, int op)
{
	bool write = conn->out_n > 0;
	struct epoll_event ev = { .events = EPOLLIN | (write ? EPOLLOUT : 0u), .data.ptr = conn };

	if (op == EPOLL_CTL_MOD && write == conn->waits_to_write)
		return;
	conn->waits_to_write = write;
	epoll_ctl(local->epoll, op, conn->fd, &ev);
}

static void conn_enter(struct local *local, struct conn *conn)
{
	conn->next = local->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	local->conns = conn;
	local->conn_count++;
	metric_set(local->connected, (int64_t)local->conn_count);
	watch(local, conn, EPOLL_CTL_ADD);
}

static void conn_leave(struct local *local, struct conn *conn)
{
	*(conn->prev != NULL ? &conn->prev->next : &local->conns) = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	local->conn_count--;
	metric_set(local->connected, (int64_t)local->conn_count);
	conn_free(conn);
}

/* Out of descriptors: one kept in reserve lets us take the connection and end it, or it would be reported for ever. */
static void accept_with_spare(struct local *local)
{
	int fd;

	close(local->spare);
	fd = accept4(local->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		conn_refuse(fd, GBA_NAF_E_BUSY, "out of descriptors");
	local->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	log_event_limited(10, LOG_L_ERROR, "local.accept", NULL, "out of descriptors");
}

static void accept_one(struct local *local)
{
	int fd = accept4(local->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *conn;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			accept_with_spare(local);
		return;
	}
	if (local->conn_count >= local->env.conf->connections_max || fd >= files_share()) {
		log_event_limited(10, LOG_L_WARNING, "local.accept", NULL, "%s reached",
				  fd >= files_share() ? "the limit of open files" : "connections-max");
		conn_refuse(fd, GBA_NAF_E_BUSY, "too many connections");
		return;
	}
	conn = conn_new(local, &local->env, fd);
	if (conn != NULL)
		conn_enter(local, conn);
}

static void conn_event(struct local *local, struct conn *conn, uint32_t events)
{
	bool alive = true;

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		alive = conn_read(conn);
	if (alive && (events & EPOLLOUT) != 0) {
		alive = conn_write(conn);
		if (alive)
			watch(local, conn, EPOLL_CTL_MOD);
	}
	if (!alive)
		conn_leave(local, conn);
}

/* What the events have queued goes out now, together. */
static void write_dirty(struct local *local)
{
	struct conn *conn;

	while ((conn = local->env.dirty) != NULL) {
		if (!conn_write(conn))
			conn_leave(local, conn);
		else
			watch(local, conn, EPOLL_CTL_MOD);
	}
}

/* ---- the thread ---- */

static bool watch_own(struct local *local, int fd, void *name)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = name };

	return epoll_ctl(local->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void handle(struct local *local, const struct epoll_event *ev, bool *_go_on)
{
	if (ev->data.ptr == &local->bell)
		*_go_on = mail_read(local);
	else if (ev->data.ptr == &local->listener)
		accept_one(local);
	else
		conn_event(local, ev->data.ptr, ev->events);
}

static void take_time(struct local *local)
{
	local->env.t = (struct agent_time){ clock_now(), clock_mono_ms() };
}

/* @return [ms] */
static int next_due(struct local *local)
{
	int next = agent_next(local->env.agent, local->env.t);

	if (local->ready == NULL)
		return next;
	if (!local->ready() && local->env.t.ms < local->ready_by)
		return next < 0 || next > LOOK_MS ? LOOK_MS : next;
	local->ready = NULL;
	if (!watch_own(local, local->listener, &local->listener))
		log_event(LOG_L_ERROR, "local.accept", NULL, "epoll: nobody can connect");
	return next;
}

static void *run(void *arg)
{
	struct local *local = arg;
	struct epoll_event events[EVENTS];
	bool go_on = true;
	int i, n;

	while (go_on) {
		take_time(local);
		n = epoll_wait(local->epoll, events, EVENTS, next_due(local));
		take_time(local);
		/* A connection is only ever freed by its own event or after all events: none of these points to a freed one. */
		for (i = 0; i < n && go_on; i++)
			handle(local, &events[i], &go_on);
		agent_tick(local->env.agent, local->env.t);
		limits_tell(local);
		write_dirty(local);
	}
	return NULL;
}

/* ---- start and stop ---- */

static bool in_use(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0;

	if (fd >= 0)
		close(fd);
	return answered;
}

static bool set_owner(const struct agent_conf *conf)
{
	const struct group *group;

	if (conf->socket_group[0] == '\0')
		return true;
	group = getgrnam(conf->socket_group);
	return group != NULL && chown(conf->socket, (uid_t)-1, group->gr_gid) == 0;
}

static enum gba_err fail(const char **_why, const char *why)
{
	*_why = why;
	return gba_err_from_errno(errno);
}

/* Nobody can connect before the permissions are as configured. */
static enum gba_err listen_at(struct local *local, const char **_why)
{
	const struct agent_conf *conf = local->env.conf;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t mask;
	int rc;

	memcpy(at.sun_path, conf->socket, strlen(conf->socket) + 1);
	if (in_use(&at)) {
		*_why = "another agent serves it";
		return GBA_E_EXISTS;
	}
	if (lstat(conf->socket, &st) == 0 && !S_ISSOCK(st.st_mode)) { /* a mistyped path must not cost a file */
		*_why = "a file that is no socket has this name";
		return GBA_E_EXISTS;
	}
	unlink(conf->socket);
	local->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (local->listener < 0)
		return fail(_why, "socket");
	mask = umask(0777);
	rc = bind(local->listener, (const struct sockaddr *)&at, sizeof(at));
	umask(mask);
	if (rc != 0)
		return fail(_why, "bind");
	if (!set_owner(conf))
		return fail(_why, "socket-group");
	if (chmod(conf->socket, (mode_t)strtoul(conf->socket_mode, NULL, 8)) != 0)
		return fail(_why, "socket-mode");
	return listen(local->listener, 512) == 0 ? GBA_OK : fail(_why, "listen");
}

static int local_destroy(struct local *local)
{
	size_t i;

	while (local->conns != NULL)
		conn_leave(local, local->conns);
	for (i = 0; i < local->mail_n; i++)
		talloc_free(local->mail[i].what);
	free(local->mail);
	if (local->listener >= 0)
		close(local->listener);
	if (local->epoll >= 0)
		close(local->epoll);
	if (local->bell >= 0)
		close(local->bell);
	if (local->spare >= 0)
		close(local->spare);
	pthread_mutex_destroy(&local->lock);
	return 0;
}

static enum gba_err set_up(struct local *local, struct zn_port port, const char **_why)
{
	struct conn_env *env = &local->env;

	*_why = "out of memory";
	env->agent = agent_new(local, env->conf, port);
	if (env->agent == NULL)
		return GBA_E_NOMEM;
	local->connected = metric_get("gba_naf_connections", "Applications connected.", METRIC_GAUGE, "");
	env->asks = metric_get("gba_naf_asks_total", "Keys asked for by applications.", METRIC_COUNTER, "");
	env->denied = metric_get("gba_naf_denied_total", "Applications refused, or asking for foreign names.", METRIC_COUNTER, "");
	env->malformed = metric_get("gba_naf_malformed_total", "Connections closed for malformed frames.", METRIC_COUNTER, "");
	env->notices = metric_get("gba_naf_notices_total", "Notices of ended tokens to applications.", METRIC_COUNTER, "");
	local->epoll = epoll_create1(EPOLL_CLOEXEC);
	local->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	local->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (local->epoll < 0 || local->bell < 0 || !watch_own(local, local->bell, &local->bell))
		return fail(_why, "epoll");
	return listen_at(local, _why);
}

enum gba_err local_new(TALLOC_CTX *mem_ctx, const struct agent_conf *conf, struct zn_port port, struct audit *audit,
		       struct local **_local, const char **_why)
{
	struct local *local = talloc_zero(mem_ctx, struct local);
	enum gba_err err;

	*_why = "out of memory";
	if (local == NULL)
		return GBA_E_NOMEM;
	local->conf = *conf;
	local->env.conf = &local->conf;
	local->env.clients = &conf->clients;
	local->env.audit = audit;
	local->epoll = local->bell = local->listener = local->spare = -1;
	pthread_mutex_init(&local->lock, NULL);
	talloc_set_destructor(local, local_destroy);
	err = set_up(local, port, _why);
	if (err != GBA_OK) {
		talloc_free(local);
		return err;
	}
	*_local = local;
	return GBA_OK;
}

void local_wait_for(struct local *local, bool (*ready)(void))
{
	local->ready = ready;
	local->ready_by = clock_mono_ms() + READY_MS;
}

enum gba_err local_start(struct local *local)
{
	sigset_t all, old;
	int rc;

	if (local->ready == NULL && !watch_own(local, local->listener, &local->listener))
		return gba_err_from_errno(errno);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the daemon's */
	rc = pthread_create(&local->thread, NULL, run, local);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	local->running = rc == 0;
	return rc == 0 ? GBA_OK : gba_err_from_errno(rc);
}

void local_stop(struct local *local)
{
	if (local == NULL || !local->running)
		return;
	pthread_mutex_lock(&local->lock);
	local->stop = true;
	pthread_mutex_unlock(&local->lock);
	ring(local);
	pthread_join(local->thread, NULL);
	local->running = false;
	unlink(local->env.conf->socket);
}
