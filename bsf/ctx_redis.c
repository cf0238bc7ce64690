/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/ctx_redis_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/secret.h"

#define VERSION_MIN 7 /* EXPIREAT with NX and GT */

/* ---- words of commands ---- */

struct bytes redis_key(const struct ctx_redis *store, const char *kind, struct bytes name, struct redis_key *_key)
{
	size_t n = strlen(store->conf.prefix), m = strlen(kind);

	memcpy(_key->p, store->conf.prefix, n);
	memcpy(_key->p + n, kind, m);
	if (name.n > 0)
		memcpy(_key->p + n + m, name.p, name.n);
	return BYTES(_key->p, n + m + name.n);
}

struct bytes redis_impi_key(const struct ctx_redis *store, struct bytes impi, struct redis_key *_key)
{
	uint8_t mac[HASH_MAX];

	hmac_pieces(HASH_SHA256, BYTES(store->index_key, HASH_MAX), &impi, 1, mac);
	return redis_key(store, "i:", BYTES(mac, IMPI_KEY_LEN), _key);
}

static struct bytes number(time_t value, char out[24])
{
	return BYTES(out, (size_t)snprintf(out, 24, "%lld", (long long)value));
}

/* ---- put ---- */

struct put {
	struct redis_call call;
	struct ctx_redis *store;
	ctx_put_done done;
	void *arg;
	uint64_t started_us;
};

static void on_put(struct redis_call *call)
{
	struct put *put = call->arg;
	enum gba_err err = call->err;
	ctx_put_done done = put->done;
	void *arg = put->arg;

	if (err == GBA_OK && call->reply->type == REDIS_REPLY_NIL)
		err = GBA_E_EXISTS;
	if (err != GBA_OK && err != GBA_E_EXISTS)
		metric_add(put->store->m_failures, 1);
	metric_observe_us(put->store->m_seconds, clock_mono_us() - put->started_us);
	redis_call_end(call);
	talloc_free(put);
	done(arg, err);
}

/* The indices go first: an entry that points nowhere is harmless, a context nobody could revoke is not. The context's own
 * answer comes last and is the outcome. */
static void put_words(struct ctx_redis *store, struct redis_call *call, const struct ctx *ctx, struct bytes sealed)
{
	static const uint8_t none[CTX_TMPI_LEN];
	struct bytes rand = BYTES(ctx->rand, RAND_LEN), at, until;
	char expires[24], now[24];
	struct redis_key key;

	until = number(ctx->expires, expires);
	at = redis_impi_key(store, ctx->impi, &key);
	ADD(call, WORD("ZREMRANGEBYSCORE"), at, WORD("-inf"), number(ctx->created, now));
	ADD(call, WORD("ZADD"), at, until, rand);
	ADD(call, WORD("EXPIREAT"), at, until, WORD("NX"));
	ADD(call, WORD("EXPIREAT"), at, until, WORD("GT"));
	if (memcmp(ctx->tmpi, none, CTX_TMPI_LEN) != 0) {
		at = redis_key(store, "t:", BYTES(ctx->tmpi, CTX_TMPI_LEN), &key);
		ADD(call, WORD("SET"), at, rand, WORD("EXAT"), until);
	}
	at = redis_key(store, "c:", rand, &key);
	ADD(call, WORD("SET"), at, sealed, WORD("NX"), WORD("EXAT"), until);
}

static enum gba_err redis_put(struct ctx_store *base, TALLOC_CTX *mem_ctx, const struct ctx *ctx, ctx_put_done done, void *arg)
{
	struct ctx_redis *store = (struct ctx_redis *)base;
	size_t n = ctx_rec_size(ctx) + SEAL_OVERHEAD;
	struct put *put = talloc_zero(mem_ctx, struct put);
	uint8_t *sealed = put != NULL ? talloc_size(put, n) : NULL;
	enum gba_err err;

	if (sealed == NULL || !atomic_load(&store->writable)) {
		talloc_free(put);
		return sealed == NULL ? GBA_E_NOMEM : GBA_E_UNREACHABLE;
	}
	put->store = store;
	put->done = done;
	put->arg = arg;
	put->started_us = clock_mono_us();
	put->call.done = on_put;
	put->call.arg = put;
	err = ctx_sealed_write(store->conf.kek, BYTES(ctx->rand, RAND_LEN), ctx, sealed);
	if (err == GBA_OK) {
		put_words(store, &put->call, ctx, BYTES(sealed, n));
		talloc_free(sealed);
		err = redis_ask(store->redis, &put->call); /* after it, put may be gone */
	}
	if (err != GBA_OK) {
		redis_call_end(&put->call);
		talloc_free(put);
	}
	return err;
}

/* ---- find ---- */

/* GET one key. @param _value  stands until redis_call_end(call) */
static enum gba_err get(struct ctx_redis *store, struct redis_call *call, struct bytes key, struct bytes *_value)
{
	uint64_t started_us = clock_mono_us();
	enum gba_err err;

	ADD(call, WORD("GET"), key);
	err = redis_wait(store->redis, call);
	metric_observe_us(store->m_seconds, clock_mono_us() - started_us);
	if (err != GBA_OK) {
		metric_add(store->m_failures, 1);
		return err;
	}
	if (call->reply->type == REDIS_REPLY_NIL)
		return GBA_E_BTID_UNKNOWN;
	if (call->reply->type != REDIS_REPLY_STRING)
		return GBA_E_CORRUPT;
	*_value = BYTES(call->reply->str, call->reply->len);
	return GBA_OK;
}

static enum gba_err redis_find(struct ctx_store *base, TALLOC_CTX *mem_ctx, const uint8_t rand[RAND_LEN], time_t now,
			       struct ctx **_ctx)
{
	struct ctx_redis *store = (struct ctx_redis *)base;
	struct redis_call call = { .err = GBA_OK };
	struct ctx *ctx = NULL;
	struct bytes sealed;
	enum gba_err err;
	struct redis_key key;

	err = get(store, &call, redis_key(store, "c:", BYTES(rand, RAND_LEN), &key), &sealed);
	if (err == GBA_OK)
		err = ctx_sealed_open(store->conf.kek, mem_ctx, BYTES(rand, RAND_LEN), sealed, &ctx);
	redis_call_end(&call);
	return err == GBA_OK ? ctx_alive_only(ctx, now, _ctx) : err;
}

static enum gba_err redis_find_tmpi(struct ctx_store *base, TALLOC_CTX *mem_ctx, const uint8_t tmpi[CTX_TMPI_LEN], time_t now,
				    struct ctx **_ctx)
{
	struct ctx_redis *store = (struct ctx_redis *)base;
	struct redis_call call = { .err = GBA_OK };
	uint8_t rand[RAND_LEN];
	struct bytes owner;
	enum gba_err err;
	struct redis_key key;

	err = get(store, &call, redis_key(store, "t:", BYTES(tmpi, CTX_TMPI_LEN), &key), &owner);
	if (err == GBA_OK && owner.n != RAND_LEN)
		err = GBA_E_CORRUPT;
	if (err == GBA_OK)
		memcpy(rand, owner.p, RAND_LEN);
	redis_call_end(&call);
	return err == GBA_OK ? redis_find(base, mem_ctx, rand, now, _ctx) : err;
}

/* How many contexts the pool holds the server does not count apart from all its other keys. */
static uint64_t redis_count(struct ctx_store *base)
{
	(void)base;
	return 0;
}

static bool redis_usable(struct ctx_store *base)
{
	return atomic_load(&((struct ctx_redis *)base)->writable);
}

static void redis_close(struct ctx_store *base)
{
	struct ctx_redis *store = (struct ctx_redis *)base;

	redis_stop(store->redis);
	redis_call_end(&store->beat);
	secret_wipe(store->index_key, sizeof(store->index_key));
	talloc_free(store);
}

static const struct ctx_store_ops redis_ops = {
	.put = redis_put,
	.find = redis_find,
	.find_tmpi = redis_find_tmpi,
	.revise = ctx_redis_revise,
	.count = redis_count,
	.usable = redis_usable,
	.close = redis_close,
};

/* ---- a new connection ---- */

static enum gba_err refused(char *why, enum gba_err err, const char *what, const redisReply *reply)
{
	const char *text = reply != NULL && reply->type == REDIS_REPLY_ERROR ? reply->str : gba_strerror(err);

	snprintf(why, REDIS_WHY_MAX, "%s: %.160s", what, text);
	return err;
}

static enum gba_err authenticate(struct ctx_redis *store, struct redis_link *link, char *why)
{
	struct bytes words[3] = { WORD("AUTH"), bytes_of(store->conf.user), secret_bytes(store->password) };
	enum gba_err err;
	redisReply *reply;

	if (store->password == NULL)
		return GBA_OK;
	if (words[1].n == 0)
		words[1] = words[2];
	reply = redis_link_ask(link, words, store->conf.user[0] != '\0' ? 3 : 2, &err);
	if (err == GBA_OK && reply->type == REDIS_REPLY_ERROR)
		err = GBA_E_DENIED;
	if (err != GBA_OK)
		refused(why, err, "AUTH", reply);
	freeReplyObject(reply);
	return err;
}

static enum gba_err version_check(struct redis_link *link, char *why)
{
	const struct bytes words[] = { WORD("INFO"), WORD("server") };
	const char *at = NULL;
	redisReply *reply;
	enum gba_err err;

	reply = redis_link_ask(link, words, 2, &err);
	if (err == GBA_OK && reply->type == REDIS_REPLY_STRING)
		at = strstr(reply->str, "redis_version:");
	if (err == GBA_OK && at == NULL)
		err = reply->type == REDIS_REPLY_ERROR && redis_reply_err(reply) == GBA_E_BUSY ? GBA_E_BUSY : GBA_E_DENIED;
	if (err != GBA_OK)
		refused(why, err, "INFO", reply);
	if (err == GBA_OK && atoi(at + strlen("redis_version:")) < VERSION_MIN) {
		snprintf(why, REDIS_WHY_MAX, "version %.10s: %d.0 or later is needed", at + strlen("redis_version:"), VERSION_MIN);
		err = GBA_E_UNSUPPORTED;
	}
	freeReplyObject(reply);
	return err;
}

/* The value of one setting; "unknown" when the server does not tell (managed services). */
static enum gba_err setting_get(struct redis_link *link, const char *name, char out[24])
{
	struct bytes words[] = { WORD("CONFIG"), WORD("GET"), bytes_of(name) };
	redisReply *reply;
	enum gba_err err;

	snprintf(out, 24, "unknown");
	reply = redis_link_ask(link, words, 3, &err);
	if (err == GBA_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
	    reply->element[1]->type == REDIS_REPLY_STRING)
		snprintf(out, 24, "%s", reply->element[1]->str);
	freeReplyObject(reply);
	return err;
}

/* A server as it comes loses what it has acknowledged when it is killed, and drops contexts when its memory is full. */
static enum gba_err durable_check(struct ctx_redis *store, struct redis_link *link, char *why)
{
	static const struct {
		const char *name, *good, *also; /* also: with store-sync = "process" */
	} rows[] = {
		{ "appendonly", "yes", NULL },
		{ "appendfsync", "always", "everysec" },
		{ "maxmemory-policy", "noeviction", NULL },
	};
	char value[24];
	enum gba_err err;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err = setting_get(link, rows[i].name, value);
		if (err != GBA_OK)
			return refused(why, err, "CONFIG GET", NULL);
		if (strcmp(value, rows[i].good) == 0 ||
		    (store->conf.sync == CTX_SYNC_PROCESS && rows[i].also != NULL && strcmp(value, rows[i].also) == 0))
			continue;
		snprintf(why, REDIS_WHY_MAX, "%s is %s, must be %s%s%s: acknowledged contexts could be lost", rows[i].name, value,
			 rows[i].good, store->conf.sync == CTX_SYNC_PROCESS && rows[i].also != NULL ? " or " : "",
			 store->conf.sync == CTX_SYNC_PROCESS && rows[i].also != NULL ? rows[i].also : "");
		if (!store->conf.warn_only)
			return GBA_E_CONF;
		log_event(LOG_L_WARNING, "bsf.store", NULL, "%s", why);
	}
	return GBA_OK;
}

/* The pool's first record: what it is, and the key of the names. */
static enum gba_err format_seal(struct ctx_redis *store, const uint8_t index_key[HASH_MAX], uint8_t *sealed)
{
	uint8_t plain[FORMAT_LEN];
	struct redis_key key;
	enum gba_err err;

	memcpy(plain, FORMAT_PLAIN, sizeof(FORMAT_PLAIN) - 1);
	memcpy(plain + sizeof(FORMAT_PLAIN) - 1, index_key, HASH_MAX);
	err = seal(store->conf.kek, redis_key(store, "format", BYTES_NONE, &key), BYTES(plain, sizeof(plain)), sealed);
	SECRET_WIPE(plain);
	return err;
}

/* @param _old  sealed under a key that seals no more */
static bool format_open(struct ctx_redis *store, struct bytes sealed, uint8_t index_key[HASH_MAX], bool *_old)
{
	uint8_t plain[FORMAT_LEN];
	struct redis_key key;
	bool good;

	good = sealed.n == sizeof(store->format) &&
	       unseal_old(store->conf.kek, redis_key(store, "format", BYTES_NONE, &key), sealed, plain, _old) == GBA_OK &&
	       memcmp(plain, FORMAT_PLAIN, sizeof(FORMAT_PLAIN) - 1) == 0;
	if (good)
		memcpy(index_key, plain + sizeof(FORMAT_PLAIN) - 1, HASH_MAX);
	SECRET_WIPE(plain);
	return good;
}

static enum gba_err format_write(struct ctx_redis *store, struct redis_link *link, char *why)
{
	uint8_t index_key[HASH_MAX], sealed[FORMAT_LEN + SEAL_OVERHEAD];
	struct bytes words[4] = { WORD("SET"), BYTES_NONE, BYTES(sealed, sizeof(sealed)), WORD("NX") };
	redisReply *reply;
	enum gba_err err;
	struct redis_key key;

	words[1] = redis_key(store, "format", BYTES_NONE, &key);
	rand_bytes(index_key, sizeof(index_key));
	err = format_seal(store, index_key, sealed);
	SECRET_WIPE(index_key);
	if (err != GBA_OK)
		return err;
	reply = redis_link_ask(link, words, 4, &err);
	if (err == GBA_OK)
		err = redis_reply_err(reply);
	if (err != GBA_OK)
		refused(why, err, "the pool's first record", reply);
	freeReplyObject(reply);
	return err;
}

/* @retval GBA_E_NOT_FOUND  the pool is empty */
static enum gba_err format_read(struct ctx_redis *store, struct redis_link *link, char *why)
{
	struct bytes words[2] = { WORD("GET"), BYTES_NONE };
	redisReply *reply;
	enum gba_err err;
	struct redis_key key;
	bool old;

	words[1] = redis_key(store, "format", BYTES_NONE, &key);
	reply = redis_link_ask(link, words, 2, &err);
	if (err == GBA_OK)
		err = redis_reply_err(reply);
	if (err != GBA_OK) {
		refused(why, err, "the pool's first record", reply);
	} else if (reply->type == REDIS_REPLY_NIL) {
		err = GBA_E_NOT_FOUND;
	} else if (reply->type != REDIS_REPLY_STRING ||
		   !format_open(store, BYTES(reply->str, reply->len), store->index_key, &old)) {
		snprintf(why, REDIS_WHY_MAX, "contexts are sealed under another key: all BSFs of the pool need the same kek-file");
		err = GBA_E_CORRUPT;
	} else {
		memcpy(store->format, reply->str, sizeof(store->format));
	}
	freeReplyObject(reply);
	return err;
}

static enum gba_err greet(void *arg, struct redis_link *link, char *why)
{
	struct ctx_redis *store = arg;
	enum gba_err err;

	err = authenticate(store, link, why);
	if (err == GBA_OK)
		err = version_check(link, why);
	if (err == GBA_OK)
		err = durable_check(store, link, why);
	if (err == GBA_OK)
		err = format_read(store, link, why);
	if (err == GBA_E_NOT_FOUND) {
		err = format_write(store, link, why);
		if (err == GBA_OK)
			err = format_read(store, link, why); /* another BSF may have been first */
	}
	return err;
}

/* What stands there now is the record we know, or it was sealed anew after a rotation; else the server was emptied and begun
 * anew by somebody else: look at it from the start. */
static enum gba_err format_compare(struct ctx_redis *store, struct bytes sealed)
{
	uint8_t index_key[HASH_MAX];
	enum gba_err err = GBA_OK;
	bool old;

	if (bytes_eq(sealed, BYTES(store->format, sizeof(store->format))))
		return GBA_OK;
	if (format_open(store, sealed, index_key, &old) && memcmp(index_key, store->index_key, HASH_MAX) == 0)
		memcpy(store->format, sealed.p, sizeof(store->format));
	else
		err = GBA_E_CORRUPT;
	SECRET_WIPE(index_key);
	return err;
}

static void on_beat(struct redis_call *call)
{
	struct ctx_redis *store = call->arg;

	if (call->err == GBA_OK && call->reply->type == REDIS_REPLY_STRING)
		call->err = format_compare(store, BYTES(call->reply->str, call->reply->len));
	atomic_store(&store->writable, call->err == GBA_OK);
}

/* After a rotation of the key file one of the pool seals the record anew, before the old key is retired. Sealing comes first: it
 * is what looks at the file. */
static bool format_renew(struct ctx_redis *store)
{
	uint8_t index_key[HASH_MAX], sealed[FORMAT_LEN + SEAL_OVERHEAD];
	bool old = false;

	if (format_seal(store, store->index_key, sealed) == GBA_OK &&
	    format_open(store, BYTES(store->format, sizeof(store->format)), index_key, &old) && old)
		memcpy(store->format, sealed, sizeof(store->format));
	SECRET_WIPE(index_key);
	return old;
}

/* Can it be written to? The record is there already, unless somebody has emptied the server: then the pool goes on with it. */
static bool beat(void *arg)
{
	struct ctx_redis *store = arg;
	struct redis_key key;
	struct bytes at = redis_key(store, "format", BYTES_NONE, &key), format = BYTES(store->format, sizeof(store->format));

	if (store->beating && store->beat.answered == 0)
		return true; /* under way: the deadline judges it */
	if (store->beating && store->beat.err != GBA_OK && store->beat.err != GBA_E_NOSPACE && store->beat.err != GBA_E_BUSY) {
		store->beating = false;
		return false;
	}
	redis_call_end(&store->beat);
	store->beat = (struct redis_call){ .done = on_beat, .arg = store, .direct = true };
	if (format_renew(store))
		ADD(&store->beat, WORD("SET"), at, format, WORD("XX"));
	else
		ADD(&store->beat, WORD("SET"), at, format, WORD("NX"), WORD("GET"));
	store->beating = redis_ask(store->redis, &store->beat) == GBA_OK;
	return true;
}

static void changed(void *arg, enum gba_err err, const char *why)
{
	struct ctx_redis *store = arg;
	struct log_about about = { .result = err };

	atomic_store(&store->writable, err == GBA_OK);
	metric_set(store->m_up, err == GBA_OK);
	store->beating = false;
	if (err == GBA_OK)
		log_event(LOG_L_INFO, "bsf.store", &about, "Redis %s: connected", store->conf.server);
	else if (err != GBA_E_BUSY)
		log_event_limited(10, LOG_L_ERROR, "bsf.store", &about, "Redis %s: %s; Ub gets 503, Zn 3004 until it is back",
				  store->conf.server, why);
}

/* ---- open ---- */

static enum gba_err password_read(struct ctx_redis *store)
{
	char line[256];
	enum gba_err err = GBA_OK;
	struct stat st;
	ssize_t n;
	int fd;

	if (store->conf.password_file[0] == '\0')
		return GBA_OK;
	fd = open(store->conf.password_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return gba_err_from_errno(errno);
	n = read(fd, line, sizeof(line));
	if (fstat(fd, &st) != 0 || (st.st_mode & 077) != 0 || st.st_uid != geteuid())
		err = GBA_E_DENIED;
	close(fd);
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (err == GBA_OK && (n <= 0 || n == sizeof(line)))
		err = GBA_E_SYNTAX;
	if (err == GBA_OK) {
		store->password = secret_dup(store, BYTES(line, (size_t)n));
		err = store->password != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	SECRET_WIPE(line);
	return err;
}

static enum gba_err start(struct ctx_redis *store, char *why)
{
	const char *server = store->conf.server;
	bool tls = strncmp(server, "rediss://", 9) == 0;
	struct redis_conf redis = { .tls = tls, .ca = store->conf.ca, .cert = store->conf.cert, .key = store->conf.key,
				    .timeout_ms = store->conf.timeout_ms, .greet = greet, .beat = beat, .changed = changed,
				    .arg = store };
	enum gba_err err, first;

	redis.server = tls ? server + 9 : strncmp(server, "redis://", 8) == 0 ? server + 8 : server;
	err = redis_start(store, &redis, &store->redis, &first, why);
	if (err != GBA_OK)
		return err;
	if (first == GBA_OK || first == GBA_E_UNREACHABLE || first == GBA_E_TIMEOUT || first == GBA_E_BUSY || first == GBA_E_IO)
		return GBA_OK; /* it may come yet */
	redis_stop(store->redis);
	return first;
}

enum gba_err ctx_redis_open(TALLOC_CTX *mem_ctx, const struct ctx_redis_conf *conf, struct ctx_store **_store,
			    const char **_error)
{
	struct ctx_redis *store = talloc_zero(mem_ctx, struct ctx_redis);
	char why[REDIS_WHY_MAX] = "";
	enum gba_err err;

	if (store == NULL)
		return GBA_E_NOMEM;
	store->base.ops = &redis_ops;
	store->conf = *conf;
	store->m_up = metric_get("gba_bsf_redis_up", "1: connected to the pool's Redis", METRIC_GAUGE, "");
	store->m_failures = metric_get("gba_bsf_redis_failures_total", "Puts and finds Redis failed", METRIC_COUNTER, "");
	store->m_seconds = metric_get("gba_bsf_redis_seconds", "From a question to Redis to its answer", METRIC_HISTOGRAM, "");
	err = password_read(store);
	if (err != GBA_OK)
		snprintf(why, sizeof(why), "%s: %s (one line; it must be ours, and closed to group and others)",
			 conf->password_file, gba_strerror(err));
	else
		err = start(store, why);
	if (err != GBA_OK) {
		*_error = talloc_asprintf(mem_ctx, "Redis %s: %s", conf->server, why[0] != '\0' ? why : gba_strerror(err));
		talloc_free(store);
		return err;
	}
	*_store = &store->base;
	return GBA_OK;
}
