/* SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/role.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/trace.h"
#include "crypto/key_file.h"
#include "naf-adapter/oidc/oidc.h"

#define STOP_MS	 2000
#define BODY_MAX 32768 /* [octets] of a form */

static int complain(const char *why)
{
	fprintf(stderr, "gba-naf-oidc: %s\n", why);
	log_event(LOG_L_ERROR, "oidc.stop", NULL, "%s", why);
	return EXIT_FAILURE;
}

static bool user_find(const char *name, uid_t *_uid)
{
	struct passwd *found = getpwnam(name);
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	*_uid = found != NULL ? found->pw_uid : (uid_t)number;
	return found != NULL || (name[0] >= '0' && name[0] <= '9' && *end == '\0');
}

static enum gba_err users_find(struct oidc *oidc, const char **_why)
{
	const struct conf_strlist *names = &oidc->conf->device_users;
	size_t i;

	oidc->users = talloc_array(oidc, uid_t, names->n + 1);
	if (oidc->users == NULL)
		return GBA_E_NOMEM;
	oidc->users[oidc->n_users++] = geteuid();
	for (i = 0; i < names->n; i++) {
		if (!user_find(names->v[i], &oidc->users[oidc->n_users++])) {
			*_why = talloc_asprintf(oidc, "device-users: no such user: %s", names->v[i]);
			return GBA_E_CONF;
		}
	}
	return GBA_OK;
}

struct roster *oidc_roster(struct oidc *oidc)
{
	struct roster *roster;

	pthread_mutex_lock(&oidc->roster_lock);
	roster = roster_ref(oidc->roster);
	pthread_mutex_unlock(&oidc->roster_lock);
	return roster;
}

static bool is_in(const char *client, const void *roster)
{
	return roster_find(roster, client) != NULL;
}

/* What was granted to clients that have gone ends; whoever uses the roster before it keeps that for so long. */
static void roster_replace(struct oidc *oidc, struct roster *roster)
{
	struct roster *before;

	pthread_mutex_lock(&oidc->roster_lock);
	before = oidc->roster;
	oidc->roster = roster;
	pthread_mutex_unlock(&oidc->roster_lock);
	roster_drop(before);
	metric_add(oidc->ended, (int64_t)grants_retain(oidc->grants, is_in, roster));
}

/* The URLs were checked with the configuration. */
static enum gba_err names_make(struct oidc *oidc)
{
	struct bytes host, path, authorize;
	size_t i;

	https_url_split(oidc->conf->issuer, &host, &path);
	https_url_split(oidc->conf->authorize_url, &host, &authorize);
	oidc->base_path = talloc_strndup(oidc, (const char *)path.p, path.n);
	oidc->naf = talloc_strndup(oidc, (const char *)host.p, host.n);
	oidc->authorize_path = authorize.n > 0 ? talloc_strndup(oidc, (const char *)authorize.p, authorize.n) : "/";
	oidc->token_url = talloc_asprintf(oidc, "%s/token", oidc->conf->issuer);
	for (i = 0; i < oidc->conf->gsids.n; i++)
		oidc->gsids[i] = (uint32_t)strtoul(oidc->conf->gsids.v[i], NULL, 10);
	if (oidc->base_path == NULL || oidc->naf == NULL || oidc->authorize_path == NULL || oidc->token_url == NULL)
		return GBA_E_NOMEM;
	return GBA_OK;
}

static enum gba_err keys_open(struct oidc *oidc, const char **_why)
{
	const struct oidc_conf *conf = oidc->conf;
	const struct ring_conf ring = { conf->keys, conf->signing_alg, conf->key_rotation, conf->key_overlap };
	enum gba_err err = ring_open(oidc, &ring, clock_now(), &oidc->ring, _why);
	char *path;

	if (err != GBA_OK)
		return err;
	path = talloc_asprintf(oidc, "%s/pairwise.key", conf->keys);
	oidc->salt = secret_new(oidc, KEY_FILE_LEN);
	err = path != NULL && oidc->salt != NULL ? key_file_read(path, true, oidc->salt->p) : GBA_E_NOMEM;
	if (err != GBA_OK)
		*_why = talloc_asprintf(oidc, "keys: %s: %s", path, gba_strerror(err));
	return err;
}

/* Of the files that the listener has read. */
static void certificate_look(const struct oidc_conf *conf, struct timespec _changed[2])
{
	const char *paths[] = { conf->certificate, conf->private_key };
	struct stat st;
	size_t i;

	for (i = 0; i < 2; i++)
		_changed[i] = stat(paths[i], &st) == 0 ? st.st_ctim : (struct timespec){ 0, 0 };
}

static void on_refused(void *arg, const char *source, unsigned int status, const char *reason)
{
	struct oidc *oidc = arg;

	metric_add(oidc->refused, 1);
	log_event_limited(1, LOG_L_INFO, "oidc.malformed", NULL, "%u %s, from %s", status, reason, source != NULL ? source : "?");
}

static enum gba_err listen_start(struct oidc *oidc, const char **_why)
{
	const struct oidc_conf *conf = oidc->conf;
	struct http_conf http = HTTP_CONF_DEFAULTS;
	enum gba_err err;

	http.max_body = BODY_MAX;
	http.refused = on_refused;
	http.threads = 2;
	http.listen = talloc_asprintf(oidc, "unix:%s", conf->device_socket);
	err = http.listen != NULL ? http_server_start(oidc, &http, door_request, oidc, &oidc->door, _why) : GBA_E_NOMEM;
	if (err != GBA_OK)
		return err;
	http.threads = conf->threads;
	http.listen = conf->listen;
	http.cert = conf->certificate[0] != '\0' ? conf->certificate : NULL;
	http.key = conf->private_key[0] != '\0' ? conf->private_key : NULL;
	certificate_look(conf, oidc->certificate_at);
	return http_server_start(oidc, &http, desk_request, oidc, &oidc->desk, _why);
}

static void metrics_make(struct oidc *oidc)
{
	oidc->logins = metric_get("gba_oidc_logins_total", "Codes given to devices", METRIC_COUNTER, "");
	oidc->refused = metric_get("gba_oidc_logins_refused_total", "Authentication requests refused", METRIC_COUNTER, "");
	oidc->tokens = metric_get("gba_oidc_tokens_total", "ID Tokens given to clients", METRIC_COUNTER, "");
	oidc->tokens_refused = metric_get("gba_oidc_tokens_refused_total", "Requests of clients refused", METRIC_COUNTER, "");
	oidc->ended = metric_get("gba_oidc_grants_ended_total", "Grants ended with their bootstrapped token", METRIC_COUNTER, "");
}

static enum gba_err set_up(struct oidc *oidc, const char **_why)
{
	enum gba_err err;

	metrics_make(oidc);
	oidc->grants = grants_new(oidc, oidc->conf->max_grants);
	oidc->assertions = assertions_new(oidc);
	err = oidc->grants != NULL && oidc->assertions != NULL ? names_make(oidc) : GBA_E_NOMEM;
	if (err == GBA_OK)
		err = users_find(oidc, _why);
	if (err == GBA_OK)
		err = roster_new(oidc, NULL, oidc->conf, &oidc->roster, _why);
	if (err == GBA_OK)
		err = keys_open(oidc, _why);
	if (err == GBA_OK)
		err = asker_start(oidc);
	return err == GBA_OK ? listen_start(oidc, _why) : err;
}

/* Nobody asks any more when the asker goes; what waits for it is answered. */
static void stop(struct oidc *oidc)
{
	if (oidc->desk != NULL)
		http_server_stop(oidc->desk, STOP_MS);
	if (oidc->door != NULL)
		http_server_stop(oidc->door, STOP_MS);
	asker_stop(oidc);
}

static bool certificate_changed(const struct oidc *oidc)
{
	struct timespec changed[2];

	certificate_look(oidc->conf, changed);
	return memcmp(changed, oidc->certificate_at, sizeof(changed)) != 0;
}

/* The file as it is being read again. */
static struct {
	const struct oidc_conf *fresh;
	struct oidc_conf in_force; /* but for what changes with it */
} again;

static void on_good_conf(const void *fresh)
{
	again.fresh = fresh;
	again.in_force.clients = again.fresh->clients;
}

/* Clients, with their keys. Issuer, listeners and life times stand until a restart. */
static enum gba_err read_again(struct oidc *oidc, const struct role *role, const char *path, const char **_said)
{
	TALLOC_CTX *tree = talloc_new(NULL);
	struct conf_error error;
	struct roster *roster;
	const char *differs, *why;
	enum gba_err err;

	again.in_force = *oidc->conf;
	err = conf_reread(tree, role, path, &again.in_force, &differs, &error);
	why = error.text;
	if (err == GBA_OK)
		err = roster_new(tree, tree, again.fresh, &roster, &why);
	if (err != GBA_OK) {
		*_said = talloc_strdup(oidc, why);
		talloc_free(tree);
		return err;
	}
	*_said = talloc_asprintf(oidc, "%zu clients in force%s%s%s", roster_size(roster),
				 differs[0] != '\0' ? "; as they were until a restart: " : "", differs,
				 certificate_changed(oidc) ? "; certificate or private-key has changed, and needs a restart" : "");
	roster_replace(oidc, roster);
	return GBA_OK;
}

static void hung_up(struct oidc *oidc, const struct role *role, const char *path)
{
	struct log_about about = { .result = GBA_E_CONF };
	const char *said = NULL;

	log_reopen();
	if (read_again(oidc, role, path, &said) != GBA_OK)
		log_event(LOG_L_ERROR, "oidc.reload", &about, "refused, all stays as it was: %s", said);
	else
		log_event(LOG_L_INFO, "oidc.reload", NULL, "log reopened, %s", said);
	talloc_free((void *)(uintptr_t)said);
}

static void serve(struct oidc *oidc, const struct role *role, const char *path, const sigset_t *signals)
{
	int sig = 0;

	while (sig != SIGTERM && sig != SIGINT) {
		if (sigwait(signals, &sig) != 0)
			continue;
		if (sig == SIGHUP)
			hung_up(oidc, role, path);
	}
}

static bool ready(void *arg, const char **_missing)
{
	(void)arg, (void)_missing;
	return true;
}

static int work(struct oidc *oidc, const struct role *role, const char *path, const sigset_t *signals)
{
	struct http_server *metrics = NULL;
	const char *why = "out of memory";
	int status = EXIT_SUCCESS;

	if (set_up(oidc, &why) != GBA_OK) {
		status = complain(why);
	} else if (oidc->conf->metrics_listen[0] != '\0' &&
		   http_metrics_start(oidc, oidc->conf->metrics_listen, ready, NULL, &metrics, &why) != GBA_OK) {
		status = complain(why);
	} else {
		log_event(LOG_L_INFO, "oidc.start", NULL, "version %s, %s, %zu clients", PACKAGE_VERSION, oidc->conf->issuer,
			  roster_size(oidc->roster));
		serve(oidc, role, path, signals);
		log_event(LOG_L_INFO, "oidc.stop", NULL, "stopped");
	}
	stop(oidc);
	if (metrics != NULL)
		http_server_stop(metrics, 0);
	return status;
}

static int run(const struct role *role, const char *path)
{
	struct oidc *oidc = talloc_zero(NULL, struct oidc);
	struct oidc_conf *conf = talloc_zero(oidc, struct oidc_conf);
	struct conf_error error = { "out of memory" };
	sigset_t signals;
	int status;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	secret_init();
	if (conf == NULL || conf_load(oidc, role->name, path, role->items, conf, &error) != GBA_OK ||
	    role->check(conf, &error) != GBA_OK || conf_common_apply("naf-oidc", &conf->common, &error) != GBA_OK) {
		status = complain(error.text);
	} else {
		oidc->conf = conf;
		pthread_mutex_init(&oidc->roster_lock, NULL);
		status = work(oidc, role, path, &signals);
	}
	roster_drop(oidc->roster);
	talloc_free(oidc);
	trace_close();
	log_close();
	return status;
}

int main(int argc, char **argv)
{
	static const struct role role = {
		.name = "naf_oidc",
		.program = "gba-naf-oidc",
		.what = "OpenID Connect provider whose users are bootstrapped devices, behind gba-naf-proxy.",
		.daemon_conf = GBA_SYSCONFDIR "/naf-oidc.conf",
		.items = oidc_conf_items,
		.conf_size = sizeof(struct oidc_conf),
		.check = oidc_conf_check,
		.run = run,
		.live = on_good_conf,
	};

	return role_main(&role, argc, argv);
}
