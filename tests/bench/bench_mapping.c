/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of single permissions by their key, one after the other, in an order of chance:
 *   bench_mapping query|record DB KEK IMPI SUBSCRIBERS APPLICATIONS SECONDS
 * In IMPI "%u" stands for ten digits, 0 to SUBSCRIBERS - 1; applications are app0.example.com and on. `query` asks as a bsf does
 * over RPB (grant_find), `record` as REST and gba-ctl do (records_find). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stats.h"
#include "core/clock.h"
#include "hss-stub/mapping/grant.h"

struct bench {
	struct records *m;
	const char *impi;
	unsigned int subscribers, applications;
	struct stats stats;
};

static void must(enum gba_err err, const char *what)
{
	if (err == GBA_OK)
		return;
	fprintf(stderr, "bench_mapping: %s: %s\n", what, gba_strerror(err));
	exit(EXIT_FAILURE);
}

static void impi_of(const struct bench *b, unsigned int i, char out[IMPI_MAX + 1])
{
	const char *mark = strstr(b->impi, "%u");

	if (mark == NULL)
		must(GBA_E_RANGE, "IMPI without %u");
	snprintf(out, IMPI_MAX + 1, "%.*s%010u%s", (int)(mark - b->impi), b->impi, i, mark + 2);
}

static unsigned int chance(unsigned int below)
{
	uint32_t n;

	rand_bytes((uint8_t *)&n, sizeof(n));
	return n % below;
}

static enum gba_err query(const struct bench *b, TALLOC_CTX *ctx, const char *impi, unsigned int application)
{
	struct grant *grant = NULL;
	char fqdn[64];

	snprintf(fqdn, sizeof(fqdn), "app%u.example.com", application);
	return grant_find(b->m, ctx, bytes_of(impi), bytes_of(fqdn), clock_now(), &grant);
}

static enum gba_err record(const struct bench *b, TALLOC_CTX *ctx, const char *impi, unsigned int application)
{
	static const struct actor admin = { .role = ACTOR_ADMIN, .name = "bench" };
	struct record_call call = { .actor = &admin, .now = clock_now(), .mem_ctx = ctx };
	json_t *key = json_pack("{s:s, s:i}", "impi", impi, "application", (int)application + 1);
	struct record *rec = NULL;
	enum gba_err err = records_find(b->m, &call, KIND_PERMISSION, key, &rec);

	json_decref(key);
	return err;
}

int main(int argc, char **argv)
{
	struct bench *b = talloc_zero(NULL, struct bench);
	bool whole = argc == 8 && strcmp(argv[1], "record") == 0;
	struct kek *kek = NULL;
	const char *error = "";
	char impi[IMPI_MAX + 1];
	uint64_t end, began;
	TALLOC_CTX *ctx;
	enum gba_err err;

	if (argc != 8 || b == NULL) {
		fputs("usage: bench_mapping query|record DB KEK IMPI SUBSCRIBERS APPLICATIONS SECONDS\n", stderr);
		return EXIT_FAILURE;
	}
	b->impi = argv[4];
	b->subscribers = (unsigned int)strtoul(argv[5], NULL, 10);
	b->applications = (unsigned int)strtoul(argv[6], NULL, 10);
	must(kek_open(b, argv[3], false, &kek), argv[3]);
	must(mapping_open(b, argv[2], kek, &b->m, &error), error);
	stats_start(&b->stats);
	end = stats_now() + strtoul(argv[7], NULL, 10) * 1000000;
	while (stats_now() < end) {
		ctx = talloc_new(b);
		impi_of(b, chance(b->subscribers), impi);
		began = stats_now();
		err = whole ? record(b, ctx, impi, chance(b->applications)) : query(b, ctx, impi, chance(b->applications));
		must(err, impi);
		stats_good(&b->stats, stats_now() - began);
		talloc_free(ctx);
	}
	b->stats.end = stats_now();
	stats_print(&b->stats, stdout, "");
	talloc_free(b);
	return EXIT_SUCCESS;
}
