/* SPDX-License-Identifier: Apache-2.0 */
/* Answers kept for a retry with the same Idempotency-Key: by caller, method, target and key; a day, or until newer ones
 * need the place. Those of writes are in the database, too (answer.c); without that a retry after a restart is done again, and
 * the natural keys of records make it a 409, never a second record. */
#include "core/clock.h"
#include "core/codec.h"
#include "crypto/hash.h"
#include "rest/rest_priv.h"

#define LIFE_MS   (24ull * 3600 * 1000)
#define WAYS      8
#define REPLY_MAX 8192 /* [octets] larger answers are not kept: the retry is done again */

struct slot {
	uint8_t id[HASH_MAX], body[HASH_MAX];
	uint64_t until_ms; /* 0: free */
	bool busy;         /* the first is still under way */
	struct rest_reply *reply;
};

struct idem {
	pthread_mutex_t lock;
	uint32_t rows;
	struct slot *slots;
};

static int idem_free(struct idem *idem)
{
	pthread_mutex_destroy(&idem->lock);
	return 0;
}

struct idem *idem_new(TALLOC_CTX *mem_ctx, uint32_t capacity)
{
	struct idem *idem = talloc_zero(mem_ctx, struct idem);

	if (idem == NULL)
		return NULL;
	idem->rows = capacity / WAYS + 1;
	idem->slots = talloc_zero_array(idem, struct slot, (size_t)idem->rows * WAYS);
	if (idem->slots == NULL) {
		talloc_free(idem);
		return NULL;
	}
	pthread_mutex_init(&idem->lock, NULL);
	talloc_set_destructor(idem, idem_free);
	return idem;
}

static void names(const struct rest_call *call, uint8_t id[HASH_MAX], uint8_t body[HASH_MAX])
{
	const struct bytes nul = BYTES("", 1);
	struct bytes query, path = route_target_path(http_req_target(call->req), &query);
	const struct bytes pieces[] = { bytes_of(call->actor != NULL ? call->actor->name : call->source),
					nul,
					http_req_method(call->req),
					nul,
					path,
					bytes_of(query.p != NULL ? "?" : ""),
					query,
					nul,
					bytes_of(call->idempotency) };

	hash_pieces(HASH_SHA256, pieces, sizeof(pieces) / sizeof(pieces[0]), id);
	hash_pieces(HASH_SHA256, &call->body, 1, body);
}

static struct slot *row_of(struct idem *idem, const uint8_t id[HASH_MAX])
{
	uint32_t row;

	memcpy(&row, id, sizeof(row));
	return &idem->slots[(size_t)(row % idem->rows) * WAYS];
}

static struct slot *slot_find(struct idem *idem, const uint8_t id[HASH_MAX], uint64_t now_ms)
{
	struct slot *row = row_of(idem, id);
	size_t i;

	for (i = 0; i < WAYS; i++) {
		if (row[i].until_ms > now_ms && memcmp(row[i].id, id, HASH_MAX) == 0)
			return &row[i];
	}
	return NULL;
}

/* The one that ends first, but none that is under way. */
static struct slot *slot_take(struct idem *idem, const uint8_t id[HASH_MAX])
{
	struct slot *row = row_of(idem, id), *best = NULL;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		if (!row[i].busy && (best == NULL || row[i].until_ms < best->until_ms))
			best = &row[i];
	}
	if (best != NULL) {
		talloc_free(best->reply);
		memset(best, 0, sizeof(*best));
	}
	return best;
}

/* Headers and body below mem_ctx; NULL: out of memory. */
static struct rest_reply *reply_copy(TALLOC_CTX *mem_ctx, const struct rest_reply *from)
{
	struct rest_reply *to = talloc_memdup(mem_ctx, from, sizeof(*from));
	size_t i;

	if (to == NULL)
		return NULL;
	to->type = talloc_strdup(to, from->type != NULL ? from->type : "");
	to->body = BYTES(talloc_memdup(to, from->body.n > 0 ? from->body.p : (const uint8_t *)"",
				       from->body.n + (from->body.n == 0)),
			 from->body.n);
	for (i = 0; i < from->n_headers; i++)
		to->headers[i] = (struct http_header){ talloc_strdup(to, from->headers[i].name),
						       talloc_strdup(to, from->headers[i].value) };
	return to;
}

static enum idem_state again(struct slot *slot, const uint8_t body[HASH_MAX], struct rest_call *call)
{
	struct rest_reply *copy;

	if (memcmp(slot->body, body, HASH_MAX) != 0)
		return IDEM_OTHER;
	if (slot->busy || slot->reply == NULL)
		return IDEM_BUSY;
	copy = reply_copy(call, slot->reply);
	if (copy == NULL)
		return IDEM_BUSY;
	call->reply = *copy;
	return IDEM_SAME;
}

static char *hex_of(TALLOC_CTX *mem_ctx, const uint8_t hash[HASH_MAX])
{
	char *text = talloc_size(mem_ctx, 2 * HASH_MAX + 1);

	if (text != NULL)
		hex_encode(BYTES(hash, HASH_MAX), text);
	return text;
}

enum idem_state idem_begin(struct idem *idem, struct rest_call *call, uint64_t now_ms)
{
	uint8_t id[HASH_MAX], body[HASH_MAX];
	enum idem_state state = IDEM_NEW;
	struct slot *slot;

	names(call, id, body);
	call->once = hex_of(call, id);
	call->once_body = hex_of(call, body);
	if (call->once == NULL || call->once_body == NULL)
		return IDEM_FULL;
	pthread_mutex_lock(&idem->lock);
	slot = slot_find(idem, id, now_ms);
	if (slot != NULL) {
		state = again(slot, body, call);
	} else {
		slot = slot_take(idem, id);
		if (slot == NULL) {
			state = IDEM_FULL;
		} else {
			memcpy(slot->id, id, HASH_MAX);
			memcpy(slot->body, body, HASH_MAX);
			slot->busy = true;
			slot->until_ms = now_ms + LIFE_MS;
		}
	}
	pthread_mutex_unlock(&idem->lock);
	return state;
}

/* What failed on our side is not kept. No operation that takes the key answers with a secret. */
static bool keeps(const struct rest_call *call)
{
	return call->reply.status < 500 && call->reply.status != 429 && call->reply.body.n <= REPLY_MAX &&
	       call->reply.file == NULL;
}

void idem_done(struct idem *idem, struct rest_call *call)
{
	uint8_t id[HASH_MAX], body[HASH_MAX];
	struct slot *slot;

	names(call, id, body);
	pthread_mutex_lock(&idem->lock);
	slot = slot_find(idem, id, 0);
	if (slot != NULL && slot->busy) {
		slot->busy = false;
		slot->reply = keeps(call) ? reply_copy(idem, &call->reply) : NULL;
		if (slot->reply == NULL)
			slot->until_ms = 0;
	}
	pthread_mutex_unlock(&idem->lock);
}
