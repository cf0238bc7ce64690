/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/source.h"

#include <arpa/inet.h>

#include "naf-adapter/agent/table.h"

#define SOURCES_MAX 16384
#define SOURCE_NAME_MAX	64

struct source {
	struct table_node node;
	uint64_t at;	/* [ms] of the last refill */
	int64_t milli;	/* [1/1000 token] */
	unsigned int under_way;
	size_t name_len;
	uint8_t name[SOURCE_NAME_MAX];
};

struct sources {
	struct table table;
	unsigned int burst, per_minute;
};

struct sources *sources_new(TALLOC_CTX *mem_ctx, unsigned int burst, unsigned int per_minute)
{
	struct sources *sources = talloc_zero(mem_ctx, struct sources);

	if (sources == NULL || !table_init(&sources->table, sources, SOURCES_MAX)) {
		talloc_free(sources);
		return NULL;
	}
	sources->burst = burst;
	sources->per_minute = per_minute;
	return sources;
}

void sources_set(struct sources *sources, unsigned int burst, unsigned int per_minute)
{
	sources->burst = burst;
	sources->per_minute = per_minute;
}

/* One customer of an IPv6 network has a /64: its lower half is free to choose. */
static size_t name_of(struct bytes text, uint8_t name[SOURCE_NAME_MAX])
{
	char copy[SOURCE_NAME_MAX + 1];
	struct in6_addr v6;
	size_t n = text.n < SOURCE_NAME_MAX ? text.n : SOURCE_NAME_MAX;

	if (n > 0)
		memcpy(copy, text.p, n);
	copy[n] = '\0';
	if (inet_pton(AF_INET6, copy, &v6) == 1) {
		if (IN6_IS_ADDR_V4MAPPED(&v6)) {
			memcpy(name, v6.s6_addr, 16);
			return 16;
		}
		memcpy(name, v6.s6_addr, 8);
		return 8;
	}
	memcpy(name, copy, n);
	return n;
}

static struct source *find(struct sources *sources, struct bytes text)
{
	uint8_t name[SOURCE_NAME_MAX];
	struct table_node *node = table_find(&sources->table, BYTES(name, name_of(text, name)));

	return node != NULL ? TABLE_OWNER(node, struct source, node) : NULL;
}

static int64_t full(const struct sources *sources)
{
	return (int64_t)sources->burst * 1000;
}

static void refill(const struct sources *sources, struct source *source, uint64_t now_ms)
{
	uint64_t gone = now_ms - source->at, most = (uint64_t)full(sources);
	uint64_t gained = gone < UINT64_MAX / sources->per_minute ? gone * sources->per_minute / 60 : most;

	if (gained >= most) {
		source->at = now_ms;
		source->milli = full(sources);
		return;
	}
	/* The rest of the time counts next time; rounded so that asking often gains nothing. */
	source->at += (gained * 60 + sources->per_minute - 1) / sources->per_minute;
	source->milli += (int64_t)gained;
	if (source->milli > full(sources))
		source->milli = full(sources);
}

/* A bucket that has become full again needs no memory of its own. */
static void forget_oldest(struct sources *sources)
{
	struct source *oldest = TABLE_OWNER(sources->table.oldest, struct source, node);

	table_remove(&sources->table, &oldest->node);
	talloc_free(oldest);
}

static struct source *make(struct sources *sources, struct bytes text, uint64_t now_ms)
{
	struct source *source = find(sources, text);

	if (source != NULL)
		return source;
	if (sources->table.count >= SOURCES_MAX)
		forget_oldest(sources);
	source = talloc_zero(sources, struct source);
	if (source == NULL)
		return NULL;
	source->at = now_ms;
	source->milli = full(sources);
	source->name_len = name_of(text, source->name);
	table_add(&sources->table, &source->node, BYTES(source->name, source->name_len));
	return source;
}

bool sources_allow(struct sources *sources, struct bytes text, uint64_t now_ms)
{
	struct source *source = find(sources, text);

	if (source == NULL)
		return true;
	refill(sources, source, now_ms);
	if (source->milli < 1000)
		return false;
	return source->milli >= full(sources) / 2 || (int64_t)source->under_way * 1000 + 1000 <= source->milli;
}

bool sources_clean(struct sources *sources, struct bytes text, uint64_t now_ms)
{
	struct source *source = find(sources, text);

	if (source == NULL)
		return true;
	refill(sources, source, now_ms);
	return source->milli == full(sources);
}

void sources_begin(struct sources *sources, struct bytes text, uint64_t now_ms)
{
	struct source *source = make(sources, text, now_ms);

	if (source == NULL)
		return;
	table_touch(&sources->table, &source->node);
	source->under_way++;
}

void sources_done(struct sources *sources, struct bytes text, bool unknown, uint64_t now_ms)
{
	struct source *source = unknown ? make(sources, text, now_ms) : find(sources, text);

	if (source == NULL)
		return;
	refill(sources, source, now_ms);
	if (source->under_way > 0)
		source->under_way--;
	if (unknown)
		source->milli = source->milli > 1000 ? source->milli - 1000 : 0;
}
