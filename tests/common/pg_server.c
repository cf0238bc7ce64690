/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pg_server.h"

#include <check.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_STEPS 300 /* of 100 ms */

static char programs[128], folder[64], data[96], url[256];
static pid_t server, owner;

/* In the child: PostgreSQL refuses to run as root. */
static void become_ordinary(void)
{
	struct passwd *user = getpwnam("postgres");

	if (getuid() != 0)
		return;
	if (user == NULL)
		user = getpwnam("nobody");
	if (user == NULL || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
		_exit(1);
}

static pid_t spawn(const char *name, const char *const *args)
{
	char path[160];
	pid_t child;
	int out;

	snprintf(path, sizeof(path), "%s/%s", programs, name);
	child = fork();
	if (child != 0)
		return child;
	become_ordinary();
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	out = open("/dev/null", O_RDWR);
	dup2(out, 0);
	dup2(out, 1);
	dup2(out, 2);
	if (chdir("/") == 0)
		execv(path, (char *const *)(uintptr_t)args);
	_exit(127);
}

static bool programs_find(void)
{
	glob_t found;
	bool any = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0;

	if (any) /* the newest comes last */
		snprintf(programs, sizeof(programs), "%.*s", (int)(strlen(found.gl_pathv[found.gl_pathc - 1]) - 7),
			 found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return any;
}

/* A file system in memory syncs at once: what is tested is the order of things, not the disk. */
static bool memory_has_room(void)
{
	struct statvfs fs;

	return statvfs("/dev/shm", &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize > UINT64_C(1) << 29 &&
	       access("/dev/shm", W_OK) == 0;
}

static bool folder_make(void)
{
	struct passwd *user = getpwnam("postgres");

	strcpy(folder, memory_has_room() ? "/dev/shm/gba_pg.XXXXXX" : "/tmp/gba_pg.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return false;
	if (user == NULL)
		user = getpwnam("nobody");
	snprintf(data, sizeof(data), "%s/data", folder);
	snprintf(url, sizeof(url), "host=%s user=gba dbname=postgres", folder);
	return getuid() != 0 || (user != NULL && chown(folder, user->pw_uid, user->pw_gid) == 0);
}

static bool server_ready(void)
{
	struct timespec step = { 0, 100000000 };
	int i;

	for (i = 0; i < WAIT_STEPS; i++, nanosleep(&step, NULL)) {
		PGconn *conn = PQconnectdb(url);
		bool good = PQstatus(conn) == CONNECTION_OK;

		PQfinish(conn);
		if (good || waitpid(server, NULL, WNOHANG) == server)
			return good;
	}
	return false;
}

static bool server_run(void)
{
	const char *args[] = { "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "max_connections=40",
			 "-c", "shared_buffers=16MB", "-c", "wal_writer_delay=10s", NULL }; /* only commits flush */

	server = spawn("postgres", args);
	return server > 0 && server_ready();
}

bool pg_server_start(void)
{
	const char *args[] = { "initdb", "-D", data, "-U", "gba", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", NULL };
	int status = 1;
	pid_t child;

	owner = getpid();
	if (!programs_find() || !folder_make())
		return false;
	child = spawn("initdb", args);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		return false;
	return server_run();
}

void pg_server_stop(void)
{
	char command[128];

	if (server > 0 && getpid() == owner) {
		kill(server, SIGQUIT);
		waitpid(server, NULL, 0);
	}
	if (folder[0] != '\0' && getpid() == owner) {
		snprintf(command, sizeof(command), "rm -rf '%s'", folder);
		if (system(command) != 0)
			fprintf(stderr, "%s is left behind\n", folder);
	}
}

void pg_server_sql(const char *sql)
{
	PGconn *conn = PQconnectdb(url);
	PGresult *res = PQexec(conn, sql);

	ck_assert_msg(PQresultStatus(res) == PGRES_COMMAND_OK || PQresultStatus(res) == PGRES_TUPLES_OK, "%s",
		      PQerrorMessage(conn));
	PQclear(res);
	PQfinish(conn);
}

void pg_server_cut(void)
{
	pg_server_sql("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity"
		      " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
}

static void notice_drop(void *arg, const PGresult *notice)
{
	(void)arg, (void)notice;
}

/* One backend that dies takes all others with it, and the server starts again from its log. */
void pg_server_crash(void)
{
	PGconn *victim = PQconnectdb(url), *witness = PQconnectdb(url);
	struct timespec step = { 0, 10000000 };
	int i;

	ck_assert(PQstatus(victim) == CONNECTION_OK && PQstatus(witness) == CONNECTION_OK);
	PQsetNoticeReceiver(witness, notice_drop, NULL);
	ck_assert_int_eq(kill(PQbackendPID(victim), SIGKILL), 0);
	for (i = 0; i < WAIT_STEPS * 10 && PQstatus(witness) == CONNECTION_OK; i++, nanosleep(&step, NULL))
		PQclear(PQexec(witness, "SELECT 1"));
	ck_assert(PQstatus(witness) != CONNECTION_OK);
	PQfinish(victim);
	PQfinish(witness);
	ck_assert(server_ready());
}

const char *pg_server_schema(const char *name)
{
	static char text[360];
	char sql[160];

	snprintf(sql, sizeof(sql), "SET client_min_messages = error; DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s", name,
		 name);
	pg_server_sql(sql);
	snprintf(text, sizeof(text), "postgres:%s options='-c search_path=%s'", url, name);
	return text;
}
