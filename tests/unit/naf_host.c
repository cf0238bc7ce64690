/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/naf_host.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/secret.h"

#define JOBS_MAX 65536

struct job {
	struct zn_answer *answer;
	uint64_t due_ms;
};

struct host {
	char folder[64], socket[96];
	const char *fqdns[2];
	struct realm_conf realm;
	struct client_conf client;
	struct agent_conf conf;
	struct local *local;
	pthread_t bsf;
	pthread_mutex_t lock;
	struct job jobs[JOBS_MAX];
	size_t begun, done, asked;
	int stop;
};

const char *host_socket(const struct host *host)
{
	return host->socket;
}

const char *host_btid(char does, unsigned int n)
{
	static __thread char text[8][96];
	static __thread unsigned int next;
	char *out = text[next++ % 8];

	snprintf(out, sizeof(text[0]), "test%c%016uA==@" HOST_REALM, does, n);
	return out;
}

/* FNV-1a spread over 32 octets: any difference in the input changes the key. */
void host_key(const char *btid, const char *fqdn, const uint8_t ua_id[5], int internal, uint8_t key[32])
{
	uint64_t h = 0xcbf29ce484222325u + (internal ? 1 : 0);
	size_t i;

	for (i = 0; btid[i] != '\0'; i++)
		h = (h ^ (uint8_t)btid[i]) * 0x100000001b3u;
	for (i = 0; fqdn[i] != '\0'; i++)
		h = (h ^ (uint8_t)fqdn[i]) * 0x100000001b3u;
	for (i = 0; i < 5; i++)
		h = (h ^ ua_id[i]) * 0x100000001b3u;
	for (i = 0; i < 32; i++) {
		h = (h ^ i) * 0x100000001b3u;
		key[i] = (uint8_t)(h >> 32);
	}
}

/* ---- the BSF ---- */

static struct bytes copy(TALLOC_CTX *ctx, const void *octets, size_t n)
{
	return BYTES(talloc_memdup(ctx, octets, n), n);
}

static struct zn_answer *answer_to(const struct zn_ask *ask)
{
	static const char uss[] = "<ussList><uss id=\"1000\" type=\"0\"><uids><uid>sip:a@b.example</uid><uid>tel:+1</uid></uids>"
				  "<flags><flag>7</flag></flags></uss></ussList>";
	struct zn_answer *a = talloc_zero(NULL, struct zn_answer);
	char btid[300], fqdn[300];
	uint8_t key[32];

	snprintf(btid, sizeof(btid), "%.*s", BYTES_FMT(ask->btid));
	snprintf(fqdn, sizeof(fqdn), "%.*s", (int)ask->naf_id.n - 5, (const char *)ask->naf_id.p);
	a->flight = ask->flight;
	a->code = btid[4] == DOES_UNKNOWN ? 5403 : btid[4] == DOES_REFUSE ? 5402 : 2001;
	a->vendor = a->code == 2001 ? 0 : 10415;
	a->origin_realm = copy(a, "epc.example", 11);
	host_key(btid, fqdn, ask->naf_id.p + ask->naf_id.n - 5, 0, key);
	a->me_key = copy(a, key, sizeof(key));
	host_key(btid, fqdn, ask->naf_id.p + ask->naf_id.n - 5, 1, key);
	if (btid[4] == DOES_INT && ask->gba_u_aware)
		a->uicc_key = copy(a, key, sizeof(key));
	a->impi = copy(a, HOST_IMPI, strlen(HOST_IMPI));
	if (ask->gsid_count > 0)
		a->uss = copy(a, uss, strlen(uss));
	a->expires = clock_now() + HOST_LIFE;
	a->created = clock_now() - 5;
	a->gba_type = -1;
	return a;
}

static enum gba_err take_request(void *arg, const struct zn_ask *ask)
{
	struct host *host = arg;
	char does = (char)ask->btid.p[4];
	struct job *job;

	pthread_mutex_lock(&host->lock);
	host->asked++;
	if (does != DOES_NOTHING && (does != DOES_SECOND || host->asked > 1)) {
		job = &host->jobs[host->begun++ % JOBS_MAX];
		job->answer = answer_to(ask);
		job->due_ms = clock_mono_ms() + (does == DOES_LATE ? 50 : 0);
	}
	pthread_mutex_unlock(&host->lock);
	return GBA_OK;
}

static void *bsf_run(void *arg)
{
	struct host *host = arg;
	struct zn_answer *answer;
	int stop = 0;

	while (!stop) {
		pthread_mutex_lock(&host->lock);
		stop = host->stop;
		answer = NULL;
		if (host->done < host->begun && host->jobs[host->done % JOBS_MAX].due_ms <= clock_mono_ms())
			answer = host->jobs[host->done++ % JOBS_MAX].answer;
		pthread_mutex_unlock(&host->lock);
		if (answer != NULL)
			local_answer(host->local, answer);
		else
			usleep(200);
	}
	return NULL;
}

size_t host_asked(struct host *host)
{
	size_t n;

	pthread_mutex_lock(&host->lock);
	n = host->asked;
	pthread_mutex_unlock(&host->lock);
	return n;
}

void host_revoke(struct host *host, const char *btid, const char *fqdn)
{
	struct agent_revocation *revocation = talloc_zero(NULL, struct agent_revocation);

	revocation->digests = talloc_size(revocation, KEY_DIGEST_LEN);
	key_digest((struct bytes){ (const uint8_t *)btid, strlen(btid) }, revocation->digests[0]);
	revocation->digest_n = 1;
	revocation->fqdns = talloc_zero_array(revocation, struct bytes, 1);
	if (fqdn != NULL)
		revocation->fqdns[revocation->fqdn_n++] = copy(revocation, fqdn, strlen(fqdn));
	ck_assert(local_revoke(host->local, revocation));
}

/* ---- the agent ---- */

void host_start(struct host *host)
{
	const char *why;

	host->stop = 0;
	ck_assert_int_eq(local_new(NULL, &host->conf, (struct zn_port){ take_request, host }, NULL, &host->local, &why), GBA_OK);
	ck_assert_int_eq(pthread_create(&host->bsf, NULL, bsf_run, host), 0);
	ck_assert_int_eq(local_start(host->local), GBA_OK);
}

void host_stop(struct host *host)
{
	if (host->local == NULL)
		return;
	pthread_mutex_lock(&host->lock);
	host->stop = 1;
	pthread_mutex_unlock(&host->lock);
	pthread_join(host->bsf, NULL);
	local_stop(host->local);
	talloc_free(host->local);
	host->local = NULL;
	for (; host->done < host->begun; host->done++)
		talloc_free(host->jobs[host->done % JOBS_MAX].answer);
}

struct host *host_new(uid_t uid)
{
	struct host *host = calloc(1, sizeof(*host));

	ck_assert_ptr_nonnull(host);
	secret_init();
	strcpy(host->folder, "/tmp/gba-naf-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(host->folder));
	snprintf(host->socket, sizeof(host->socket), "%s/naf.sock", host->folder);
	host->fqdns[0] = "naf1.example.com";
	host->fqdns[1] = "*.apps.example.com";
	host->realm = (struct realm_conf){ .domain = HOST_REALM, .realm = "epc.example", .host = "" };
	host->client = (struct client_conf){ "application", "", "", { host->fqdns, 2 }, (int64_t)uid, -1 };
	host->conf = (struct agent_conf){
		.socket = host->socket, .socket_mode = "0600", .socket_group = "", .connections_max = 64, .requests_max = 20000,
		.realms = { &host->realm, 1 }, .clients = { &host->client, 1 }, .cache_entries = 1000, .cache_memory = 16,
		.negative_entries = 100, .key_lifetime_max = 3600, .negative_ttl = 5, .zn_timeout = 20000, .zn_window = 128,
		.zn_queue = 20000, .unknown_burst = 100, .unknown_rate = 60, .accept_2g = true,
	};
	pthread_mutex_init(&host->lock, NULL);
	host_start(host);
	return host;
}

void host_free(struct host *host)
{
	host_stop(host);
	rmdir(host->folder);
	pthread_mutex_destroy(&host->lock);
	free(host);
}
