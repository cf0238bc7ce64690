/* SPDX-License-Identifier: Apache-2.0 */
/* The registry's doors under load, from keep-alive connections with a thread each; prints JSON:
 *   bench_doors register SOCKET FIRST CONNECTIONS SECONDS          devices from number FIRST on: Register, then Set
 *   bench_doors write URL TOKEN FIRST CONNECTIONS SECONDS          the same over REST, as an administrator: POST /v1/devices
 *   bench_doors get URL TOKEN PATH CONNECTIONS SECONDS             what is read only
 *   bench_doors ask URL TOKEN REG-ID COUNT BY CONNECTIONS SECONDS  questions by regdevid or identity, among the first COUNT devices */
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

struct line;
static struct {
	bool (*one)(struct line *line);
	bool tls;
	const char *to, *reg_id, *path, *by; /* to: socket or URL */
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
	snprintf(url, sizeof(url), "%s%s", bench.tls ? bench.to : "http://registry", path);
	curl_easy_setopt(line->curl, CURLOPT_URL, url);
	curl_easy_setopt(line->curl, CURLOPT_CUSTOMREQUEST, method);
	if (body != NULL)
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

/* A device that nobody has seen; its number. */
static unsigned long device_new(char body[512])
{
	unsigned long number = atomic_fetch_add(&bench.next, 1);
	char imei[IMEI_ROOM];

	device_imei(number, imei);
	snprintf(body, 512,
		 "{\"scheme\":\"imei\",\"identity\":\"%s\",\"make\":\"Acme\",\"model\":\"One\",\"kind\":\"meter\","
		 "\"root_of_trust\":\"euicc\",\"firmware\":\"1.0\"}", imei);
	return number;
}

static bool register_one(struct line *line)
{
	char body[512];

	become(line, device_new(body));
	return say(line, "POST", "/register", body) == 201 && confirmation(line, body) && say(line, "PUT", "/set", body) == 200;
}

static bool write_one(struct line *line)
{
	char body[512];

	device_new(body);
	return say(line, "POST", "/v1/devices", body) == 201;
}

static bool get_one(struct line *line)
{
	return say(line, "GET", bench.path, NULL) == 200;
}

static bool ask_one(struct line *line)
{
	char regdevid[REGDEVID_MAX + 1], imei[IMEI_ROOM], body[512];
	bool by_name = strcmp(bench.by, "regdevid") == 0;
	unsigned long number;
	uint64_t n;

	rand_bytes((uint8_t *)&n, sizeof(n));
	number = (unsigned long)(n % bench.count);
	device_regdevid(number, bench.reg_id, REGDEVID_PREFIX, regdevid);
	device_imei(number, imei);
	snprintf(body, sizeof(body), "{\"by\":\"%s\",%s\"value\":\"%s\"}", bench.by, by_name ? "" : "\"scheme\":\"imei\",",
		 by_name ? regdevid : imei);
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
	if (!bench.tls)
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
		good = bench.one(&line);
		pthread_mutex_lock(&bench.lock);
		if (good)
			stats_good(&bench.stats, stats_now() - began);
		else if (bench.stats.bad++ == 0)
			fprintf(stderr, "refused: %.*s\n", (int)line.n, line.body);
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

static int usage(void)
{
	fprintf(stderr, "usage: bench_doors register SOCKET FIRST CONNECTIONS SECONDS | write URL TOKEN FIRST CONNECTIONS SECONDS |"
			" get URL TOKEN PATH CONNECTIONS SECONDS | ask URL TOKEN REG-ID COUNT BY CONNECTIONS SECONDS\n");
	return 2;
}

static bool words_read(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "register") == 0) {
		bench.one = register_one;
		bench.next = strtoul(argv[3], NULL, 10);
	} else if (argc == 7 && strcmp(argv[1], "write") == 0) {
		bench.one = write_one;
		bench.next = strtoul(argv[4], NULL, 10);
	} else if (argc == 7 && strcmp(argv[1], "get") == 0) {
		bench.one = get_one;
		bench.path = argv[4];
	} else if (argc == 9 && strcmp(argv[1], "ask") == 0) {
		bench.one = ask_one;
		bench.reg_id = argv[4];
		bench.count = strtoul(argv[5], NULL, 10);
		bench.by = argv[6];
	} else {
		return false;
	}
	bench.tls = bench.one != register_one;
	bench.to = argv[2];
	return true;
}

int main(int argc, char **argv)
{
	char token[512];

	secret_init();
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (!words_read(argc, argv))
		return usage();
	bench.head = curl_slist_append(NULL, "Content-Type: application/json");
	if (bench.tls) {
		snprintf(token, sizeof(token), "Authorization: Bearer %s", argv[3]);
		bench.head = curl_slist_append(bench.head, token);
	}
	run(strtoul(argv[argc - 2], NULL, 10), strtoul(argv[argc - 1], NULL, 10));
	curl_slist_free_all(bench.head);
	curl_global_cleanup();
	return EXIT_SUCCESS;
}
