/* SPDX-License-Identifier: Apache-2.0 */
/* The registry's doors under load, from keep-alive connections with a thread each; prints JSON:
 *   bench_doors register SOCKET FIRST CONNECTIONS SECONDS          devices from number FIRST on: Register, then Set
 *   bench_doors ask URL TOKEN REG-ID COUNT CONNECTIONS SECONDS     questions by RegDevID, among the first COUNT devices */
#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stats.h"
#include "core/clock.h"
#include "core/secret.h"
#include "device_names.h"

#define CONNECTIONS_MAX 512
#define BODY_ROOM	16384

static struct {
	bool ask;
	const char *to, *reg_id; /* socket or URL */
	struct curl_slist *head;
	unsigned long count;	/* of devices that stand */
	_Atomic unsigned long next; /* device to register */
	uint64_t end;
	pthread_mutex_t lock; /* of stats */
	struct stats stats;
} bench = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct line {
	CURL *curl;
	struct curl_slist *head; /* of a device: with its IMPI */
	char body[BODY_ROOM];
	size_t n;
};

static size_t take(char *octets, size_t size, size_t n, void *arg)
{
	struct line *line = arg;

	if (line->n + size * n < BODY_ROOM) {
		memcpy(line->body + line->n, octets, size * n);
		line->n += size * n;
	}
	return size * n;
}

static long say(struct line *line, const char *method, const char *path, const char *body)
{
	char url[512];
	long status = 0;

	line->n = 0;
	snprintf(url, sizeof(url), "%s%s", bench.ask ? bench.to : "http://registry", path);
	curl_easy_setopt(line->curl, CURLOPT_URL, url);
	curl_easy_setopt(line->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(line->curl, CURLOPT_POSTFIELDS, body);
	if (curl_easy_perform(line->curl) == CURLE_OK)
		curl_easy_getinfo(line->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* "{"regdevid": ..., "serial": ...}" of the Acknowledge. */
static bool confirmation(const struct line *line, char out[512])
{
	json_t *answer = json_loadb(line->body, line->n, 0, NULL);
	const char *regdevid = json_string_value(json_object_get(answer, "regdevid"));

	snprintf(out, 512, "{\"regdevid\":\"%s\",\"serial\":%lld}", regdevid != NULL ? regdevid : "",
		 (long long)json_integer_value(json_object_get(answer, "serial")));
	json_decref(answer);
	return regdevid != NULL;
}

static void become(struct line *line, unsigned long number)
{
	char impi[128];

	curl_slist_free_all(line->head);
	snprintf(impi, sizeof(impi), "X-3GPP-Asserted-Identity: \"%015lu@ims.mnc001.mcc001.3gppnetwork.org\"", number);
	line->head = curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), impi);
	curl_easy_setopt(line->curl, CURLOPT_HTTPHEADER, line->head);
}

static bool register_one(struct line *line)
{
	unsigned long number = atomic_fetch_add(&bench.next, 1);
	char imei[IMEI_ROOM], body[512];

	device_imei(number, imei);
	become(line, number);
	snprintf(body, sizeof(body),
		 "{\"scheme\":\"imei\",\"identity\":\"%s\",\"make\":\"Acme\",\"model\":\"One\",\"kind\":\"meter\","
		 "\"root_of_trust\":\"euicc\",\"firmware\":\"1.0\"}", imei);
	return say(line, "POST", "/register", body) == 201 && confirmation(line, body) && say(line, "PUT", "/set", body) == 200;
}

static bool ask_one(struct line *line)
{
	char regdevid[REGDEVID_MAX + 1], body[512];
	uint64_t n;

	rand_bytes((uint8_t *)&n, sizeof(n));
	device_regdevid((unsigned long)(n % bench.count), bench.reg_id, REGDEVID_PREFIX, regdevid);
	snprintf(body, sizeof(body), "{\"by\":\"regdevid\",\"value\":\"%s\"}", regdevid);
	return say(line, "POST", "/v1/questions", body) == 200;
}

static void line_open(struct line *line)
{
	line->curl = curl_easy_init();
	curl_easy_setopt(line->curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(line->curl, CURLOPT_WRITEDATA, line);
	curl_easy_setopt(line->curl, CURLOPT_HTTPHEADER, bench.head);
	curl_easy_setopt(line->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(line->curl, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(line->curl, CURLOPT_SSL_VERIFYPEER, 0L); /* its speed is what is looked at */
	curl_easy_setopt(line->curl, CURLOPT_SSL_VERIFYHOST, 0L);
	if (!bench.ask)
		curl_easy_setopt(line->curl, CURLOPT_UNIX_SOCKET_PATH, bench.to);
}

static void *work(void *arg)
{
	struct line line = { 0 };
	uint64_t began;
	bool good;

	(void)arg;
	line_open(&line);
	for (began = stats_now(); began < bench.end; began = stats_now()) {
		good = bench.ask ? ask_one(&line) : register_one(&line);
		pthread_mutex_lock(&bench.lock);
		if (good)
			stats_good(&bench.stats, stats_now() - began);
		else
			bench.stats.bad++;
		pthread_mutex_unlock(&bench.lock);
	}
	curl_easy_cleanup(line.curl);
	curl_slist_free_all(line.head);
	return NULL;
}

static void run(unsigned long connections, unsigned long seconds)
{
	pthread_t threads[CONNECTIONS_MAX];
	unsigned long i;

	connections = connections < CONNECTIONS_MAX ? connections : CONNECTIONS_MAX;
	stats_start(&bench.stats);
	bench.end = stats_now() + seconds * 1000000;
	for (i = 0; i < connections; i++) {
		if (pthread_create(&threads[i], NULL, work, NULL) != 0)
			abort();
	}
	for (i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	bench.stats.end = stats_now();
	stats_print(&bench.stats, stdout, "");
}

int main(int argc, char **argv)
{
	char token[512];

	secret_init();
	curl_global_init(CURL_GLOBAL_DEFAULT);
	bench.head = curl_slist_append(NULL, "Content-Type: application/json");
	bench.ask = argc == 8 && strcmp(argv[1], "ask") == 0;
	if (!bench.ask && (argc != 6 || strcmp(argv[1], "register") != 0))
		return fprintf(stderr, "usage: bench_doors register SOCKET FIRST CONNECTIONS SECONDS |"
				       " ask URL TOKEN REG-ID COUNT CONNECTIONS SECONDS\n"), 2;
	bench.to = argv[2];
	if (bench.ask) {
		snprintf(token, sizeof(token), "Authorization: Bearer %s", argv[3]);
		bench.reg_id = argv[4];
		bench.count = strtoul(argv[5], NULL, 10);
	} else {
		bench.next = strtoul(argv[3], NULL, 10);
	}
	if (bench.ask)
		bench.head = curl_slist_append(bench.head, token);
	run(strtoul(argv[argc - 2], NULL, 10), strtoul(argv[argc - 1], NULL, 10));
	curl_slist_free_all(bench.head);
	curl_global_cleanup();
	return EXIT_SUCCESS;
}
