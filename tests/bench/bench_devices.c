/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of the trust registry: added as an import adds them, then looked up one after the other in an order of chance.
 *   bench_devices fill CONF FIRST COUNT BATCH    add COUNT devices from number FIRST on, BATCH to a durable commit; JSON
 *   bench_devices look CONF COUNT SECONDS        by RegDevID and by identity, in turn; among the first COUNT
 *   bench_devices cold CONF COUNT SECONDS        the same, with nothing of the database in memory but what a node reads at its start */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/stats.h"
#include "core/clock.h"
#include "core/secret.h"
#include "device_names.h"
#include "registry-fn/record/rules.h"

static struct {
	struct registry_conf conf;
	struct registry *registry;
	struct records *r;
	struct actor actor;
	struct record_call call;
} bench;

static void must(enum gba_err err, const char *what)
{
	if (err == GBA_OK)
		return;
	fprintf(stderr, "bench_devices: %s: %s\n", what, gba_strerror(err));
	exit(EXIT_FAILURE);
}

static void conf_read(TALLOC_CTX *ctx, const char *conf)
{
	struct conf_error error = { "" };

	must(conf_load(ctx, "registry", conf, registry_conf_items, &bench.conf, &error), error.text);
}

static void open_all(TALLOC_CTX *ctx)
{
	const char *why = "";

	must(registry_open(ctx, &bench.conf, &bench.registry, &why), why);
	must(registry_records(ctx, bench.registry, &bench.r, &why), why);
	bench.actor = (struct actor){ .role = REG_ROLE_BULK, .name = "bulk:bench" };
	bench.call = (struct record_call){ .actor = &bench.actor, .now = clock_now() };
}

static void device_add(TALLOC_CTX *ctx, unsigned long number)
{
	TALLOC_CTX *tmp = talloc_new(ctx);
	char imei[IMEI_ROOM], model[24];
	json_t *values;

	device_imei(number, imei);
	snprintf(model, sizeof(model), "Model %lu", number / 1000000 % 100);
	values = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "scheme", "imei", "identity", imei, "make", "Acme", "model", model,
			   "kind", "meter", "root_of_trust", "euicc");
	bench.call.mem_ctx = tmp;
	must(records_add(bench.r, &bench.call, REG_DEVICE, values, NULL), imei);
	json_decref(values);
	talloc_free(tmp);
}

static double octets(void)
{
	struct stat st;

	return stat(bench.conf.database, &st) == 0 ? (double)st.st_size : 0;
}

static void fill(TALLOC_CTX *ctx, unsigned long first, unsigned long count, unsigned long batch)
{
	uint64_t began = stats_now();
	double before = octets();
	unsigned long i;

	for (i = 0; i < count; i++) {
		if (i % batch == 0)
			must(records_begin(bench.r), "begin");
		device_add(ctx, first + i);
		if (i % batch == batch - 1 || i == count - 1)
			must(records_commit(bench.r), "commit");
	}
	printf("{\"rate\": %.0f, \"octets\": %.0f}\n", (double)count * 1e6 / (double)(stats_now() - began),
	       (octets() - before) / (double)count);
}

static unsigned long chance(unsigned long below)
{
	uint64_t n;

	rand_bytes((uint8_t *)&n, sizeof(n));
	return (unsigned long)(n % below);
}

static void look_by_regdevid(unsigned long number)
{
	char regdevid[REGDEVID_MAX + 1];
	struct record_query query = { .kind = REG_DEVICE, .limit = 1, .filters = 1, .filter = { { "regdevid", regdevid } } };
	struct record_page *page = NULL;

	device_regdevid(number, bench.conf.reg_id, (enum regdevid_form)bench.conf.regdevid_form, regdevid);
	must(records_list(bench.r, &bench.call, &query, &page), regdevid);
	must(page->count == 1 ? GBA_OK : GBA_E_NOT_FOUND, regdevid);
}

static void look_by_identity(unsigned long number)
{
	struct record *rec = NULL;
	char imei[IMEI_ROOM];
	json_t *key;

	device_imei(number, imei);
	key = json_pack("{s:s, s:s}", "scheme", "imei", "identity", imei);
	must(records_find(bench.r, &bench.call, REG_DEVICE, key, &rec), imei);
	json_decref(key);
}

/* What the system keeps of the file is thrown away; then as registry-fn/warmer.c. */
static void cool(TALLOC_CTX *ctx)
{
	uint64_t began, octets = 0;
	const char *why = "";
	struct db *db = NULL;
	int fd = open(bench.conf.database, O_RDWR | O_CLOEXEC); /* before SQLite has it: a close ends locks */

	must(fd >= 0 && fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0 ? GBA_OK : GBA_E_IO, "cache");
	close(fd);
	began = stats_now();
	must(registry_store(ctx, &bench.conf, &db, &why), why);
	must(db_warm(db, (uint64_t)bench.conf.store_warm << 20, NULL, &octets), "warm");
	talloc_free(db);
	fprintf(stderr, "%.1f MiB in %.0f ms\n", (double)octets / 1048576, (double)(stats_now() - began) / 1e3);
}

static void look(TALLOC_CTX *ctx, unsigned long count, unsigned long seconds)
{
	struct stats *stats = talloc_zero(ctx, struct stats);
	unsigned long number;
	uint64_t end, began;
	bool by_name = false;

	stats_start(stats);
	for (end = stats_now() + seconds * 1000000; stats_now() < end; by_name = !by_name) {
		bench.call.mem_ctx = talloc_new(ctx);
		number = chance(count);
		began = stats_now();
		if (by_name)
			look_by_regdevid(number);
		else
			look_by_identity(number);
		stats_good(stats, stats_now() - began);
		talloc_free(bench.call.mem_ctx);
	}
	stats->end = stats_now();
	stats_print(stats, stdout, "");
}

int main(int argc, char **argv)
{
	TALLOC_CTX *ctx = talloc_new(NULL);

	secret_init();
	if (argc == 6 && strcmp(argv[1], "fill") == 0) {
		conf_read(ctx, argv[2]);
		open_all(ctx);
		fill(ctx, strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10));
	} else if (argc == 5 && (strcmp(argv[1], "look") == 0 || strcmp(argv[1], "cold") == 0)) {
		conf_read(ctx, argv[2]);
		if (argv[1][0] == 'c')
			cool(ctx);
		open_all(ctx);
		look(ctx, strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	} else {
		return fprintf(stderr, "usage: bench_devices fill CONF FIRST COUNT BATCH | look|cold CONF COUNT SECONDS\n"), 2;
	}
	talloc_free(ctx);
	return EXIT_SUCCESS;
}
