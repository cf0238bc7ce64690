/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/shared/ask.h"

#include <poll.h>

#include "core/clock.h"
#include "naf-adapter/agent/table.h"
#include "naf-adapter/proxy/keys.h"

#define REFUSED_MAX    4096
#define QUESTION_MAX   (GBA_NAF_BTID_MAX + GBA_NAF_FQDN_MAX + GBA_NAF_UA_ID_LEN)

/* Who waits inside a handshake. */
struct waiter {
	bool done;
	enum gba_naf_error error;
	struct gba_naf_result *result;
};

struct pending {
	struct table_node node;
	struct ask *ask;
	struct gba_naf_request *request;
	struct waiter *waiter; /* NULL: nobody any more */
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
};

struct refused {
	struct table_node node;
	enum gba_naf_error error;
	uint64_t until; /* [ms] monotonic */
};

struct ask {
	const struct ask_conf *conf;
	struct gba_naf *naf;
	struct keys *keys;
	struct table pending, refused;
	uint64_t allowed_us, allowed_at; /* [us] */
};

static int ask_destroy(struct ask *ask)
{
	while (ask->pending.newest != NULL) {
		struct pending *p = TABLE_OWNER(ask->pending.newest, struct pending, node);

		gba_naf_cancel(p->request);
		table_remove(&ask->pending, &p->node);
		talloc_free(p);
	}
	return 0;
}

struct ask *ask_new(TALLOC_CTX *mem_ctx, const struct ask_conf *conf, struct gba_naf *naf)
{
	struct ask *ask = talloc_zero(mem_ctx, struct ask);

	if (ask == NULL)
		return NULL;
	*ask = (struct ask){ .conf = conf, .naf = naf, .allowed_at = clock_mono_us() };
	ask->allowed_us = (uint64_t)conf->wait * 1000;
	ask->keys = keys_new(ask, conf->keys, conf->key_life);
	if (ask->keys == NULL || !table_init(&ask->pending, ask, conf->max_waiting) ||
	    !table_init(&ask->refused, ask, REFUSED_MAX)) {
		talloc_free(ask);
		return NULL;
	}
	talloc_set_destructor(ask, ask_destroy);
	return ask;
}

/* ---- what is known ---- */

static struct bytes question_of(const struct gba_naf_query *query, uint8_t out[QUESTION_MAX])
{
	size_t fqdn = strlen(query->fqdn), n = query->btid_len;

	if (n > GBA_NAF_BTID_MAX || fqdn > GBA_NAF_FQDN_MAX)
		return BYTES_NONE;
	memcpy(out, query->btid, n);
	memcpy(out + n, query->fqdn, fqdn);
	memcpy(out + n + fqdn, query->ua_id, GBA_NAF_UA_ID_LEN);
	return BYTES(out, n + fqdn + GBA_NAF_UA_ID_LEN);
}

static void refused_remove(struct ask *ask, struct table_node *node)
{
	table_remove(&ask->refused, node);
	talloc_free(TABLE_OWNER(node, struct refused, node));
}

static enum gba_naf_error refused_find(struct ask *ask, struct bytes question)
{
	struct table_node *node = table_find(&ask->refused, question);
	struct refused *refused;

	if (node == NULL)
		return GBA_NAF_OK;
	refused = TABLE_OWNER(node, struct refused, node);
	if (refused->until > clock_mono_ms())
		return refused->error;
	refused_remove(ask, node);
	return GBA_NAF_OK;
}

/* Only what the operator or the agent has decided; what failed by itself may be there a moment later. */
static void refused_remember(struct ask *ask, struct bytes question, enum gba_naf_error error)
{
	struct refused *refused;
	uint8_t *key;

	if (ask->conf->refused_life == 0 || gba_naf_error_http(error) == 503 || table_find(&ask->refused, question) != NULL)
		return;
	if (ask->refused.count >= REFUSED_MAX)
		refused_remove(ask, ask->refused.oldest);
	refused = talloc_zero(ask, struct refused);
	key = refused != NULL ? talloc_memdup(refused, question.p, question.n) : NULL;
	if (key == NULL) {
		talloc_free(refused);
		return;
	}
	refused->error = error;
	refused->until = clock_mono_ms() + (uint64_t)ask->conf->refused_life * 1000;
	table_add(&ask->refused, &refused->node, BYTES(key, question.n));
}

void ask_forget(struct ask *ask, const struct gba_naf_notice *notice)
{
	keys_drop(ask->keys, notice);
}

size_t ask_waiting(const struct ask *ask)
{
	return ask->pending.count;
}

/* ---- asking ---- */

static void answered(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	struct pending *p = arg;
	struct waiter *waiter = p->waiter;
	struct ask *ask = p->ask;

	if (error == GBA_NAF_OK)
		keys_put(ask->keys, result, p->ua_id, clock_now());
	else
		refused_remember(ask, p->node.key, error);
	table_remove(&ask->pending, &p->node);
	talloc_free(p);
	if (waiter != NULL)
		*waiter = (struct waiter){ true, error, result };
	else
		gba_naf_result_free(result);
}

static enum gba_naf_error begin(struct ask *ask, const struct gba_naf_query *query, struct bytes question, struct pending **_p)
{
	struct pending *p;
	enum gba_naf_error error;
	uint8_t *key;

	if (ask->pending.count >= ask->conf->max_waiting)
		return GBA_NAF_E_BUSY;
	p = talloc_zero(ask, struct pending);
	key = p != NULL ? talloc_memdup(p, question.p, question.n) : NULL;
	if (key == NULL) {
		talloc_free(p);
		return GBA_NAF_E_NOMEM;
	}
	p->ask = ask;
	memcpy(p->ua_id, query->ua_id, GBA_NAF_UA_ID_LEN);
	error = gba_naf_ask(ask->naf, query, answered, p, &p->request);
	if (error != GBA_NAF_OK) {
		talloc_free(p);
		return error;
	}
	table_add(&ask->pending, &p->node, BYTES(key, question.n));
	*_p = p;
	return GBA_NAF_OK;
}

/* wait-share of the time that passes may be waited away; what is not used is saved up for one wait: handshakes that come together
 * hold the broker no longer than one. */
unsigned int ask_allowance(struct ask *ask)
{
	uint64_t now = clock_mono_us(), cap = (uint64_t)ask->conf->wait * 1000;

	ask->allowed_us += (now - ask->allowed_at) * ask->conf->wait_share / 100;
	ask->allowed_at = now;
	if (ask->allowed_us > cap)
		ask->allowed_us = cap;
	return (unsigned int)(ask->allowed_us / 1000);
}

static void stand_still(struct ask *ask, struct pending *p, struct waiter *waiter)
{
	struct pollfd pfd = { .fd = gba_naf_fd(ask->naf), .events = POLLIN };
	unsigned int allowed = ask_allowance(ask);
	uint64_t start = clock_mono_us(), spent = 0, most;

	most = (uint64_t)(allowed < ask->conf->wait ? allowed : ask->conf->wait) * 1000;
	p->waiter = waiter;
	while (!waiter->done && spent < most) {
		if (poll(&pfd, 1, (int)((most - spent + 999) / 1000)) > 0)
			gba_naf_process(ask->naf);
		spent = clock_mono_us() - start;
	}
	if (!waiter->done)
		p->waiter = NULL;
	ask->allowed_us -= spent < ask->allowed_us ? spent : ask->allowed_us;
	ask->allowed_at += spent; /* time that was waited away earns nothing */
}

static enum gba_naf_error ask_agent(struct ask *ask, const struct gba_naf_query *query, struct bytes question,
				    struct gba_naf_result **_result)
{
	struct table_node *node = table_find(&ask->pending, question);
	struct pending *p = node != NULL ? TABLE_OWNER(node, struct pending, node) : NULL;
	struct waiter waiter = { false, GBA_NAF_E_TIMEOUT, NULL };
	enum gba_naf_error error = p == NULL ? begin(ask, query, question, &p) : GBA_NAF_OK;

	if (error != GBA_NAF_OK)
		return error;
	stand_still(ask, p, &waiter);
	*_result = waiter.result;
	return waiter.error;
}

enum gba_naf_error ask_key(struct ask *ask, const struct gba_naf_query *query, struct gba_naf_result **_result)
{
	struct gba_naf_result *known, *result = NULL;
	uint8_t octets[QUESTION_MAX];
	struct bytes question = question_of(query, octets);
	enum gba_naf_error error;

	if (question.p == NULL)
		return GBA_NAF_E_BTID_SYNTAX;
	known = keys_find(ask->keys, BYTES(query->btid, query->btid_len), query->fqdn, query->ua_id, clock_now());
	if (known != NULL) {
		*_result = gba_naf_result_ref(known);
		return GBA_NAF_OK;
	}
	error = refused_find(ask, question);
	if (error == GBA_NAF_OK)
		error = ask_agent(ask, query, question, &result);
	if (error == GBA_NAF_OK)
		*_result = result;
	return error;
}
