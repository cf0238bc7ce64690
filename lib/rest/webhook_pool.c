/* SPDX-License-Identifier: Apache-2.0 */
/* Several deliveries at a time by one thread: who does not answer is waited for beside the others. */
#include "core/clock.h"
#include "rest/webhook_priv.h"

struct webhook_pool {
	CURLM *multi;
	size_t size, open;
	bool woken; /* atomic */
	struct place {
		struct webhook *hook; /* made when first needed */
		void *about;	      /* NULL: free */
	} place[];
};

enum gba_err webhook_pool_new(size_t size, struct webhook_pool **_pool)
{
	struct webhook_pool *pool = talloc_zero_size(NULL, sizeof(*pool) + size * sizeof(pool->place[0]));

	if (pool == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		talloc_free(pool);
		return GBA_E_NOMEM;
	}
	pool->size = size;
	pool->multi = curl_multi_init();
	*_pool = pool;
	return pool->multi != NULL ? GBA_OK : GBA_E_NOMEM;
}

void webhook_pool_free(struct webhook_pool *pool)
{
	size_t i;

	if (pool == NULL)
		return;
	for (i = 0; i < pool->size; i++) {
		if (pool->place[i].about != NULL)
			curl_multi_remove_handle(pool->multi, pool->place[i].hook->curl);
		webhook_free(pool->place[i].hook);
	}
	if (pool->multi != NULL)
		curl_multi_cleanup(pool->multi);
	curl_global_cleanup();
	talloc_free(pool);
}

size_t webhook_pool_open(const struct webhook_pool *pool)
{
	return pool->open;
}

enum gba_err webhook_pool_send(struct webhook_pool *pool, const struct notice_conf *conf, const struct webhook_order *order,
			       void *about)
{
	struct place *place = pool->place;
	enum gba_err err = GBA_OK;

	if (pool->open == pool->size)
		return GBA_E_BUSY;
	while (place->about != NULL)
		place++;
	if (place->hook == NULL)
		err = webhook_new(conf, &place->hook);
	if (err != GBA_OK) {
		webhook_free(place->hook);
		place->hook = NULL;
		return err;
	}
	webhook_begin(place->hook, order);
	if (curl_multi_add_handle(pool->multi, place->hook->curl) != CURLM_OK)
		return GBA_E_NOMEM;
	place->about = about;
	pool->open++;
	return GBA_OK;
}

static struct place *place_of(struct webhook_pool *pool, const CURL *curl)
{
	struct place *place = pool->place;

	while (place->hook == NULL || place->hook->curl != curl)
		place++;
	return place;
}

static void *ended(struct webhook_pool *pool, enum gba_err *_err, char *why, size_t cap)
{
	struct place *place;
	CURLMsg *msg;
	CURLcode code;
	void *about;
	int left;

	do {
		msg = curl_multi_info_read(pool->multi, &left);
		if (msg == NULL)
			return NULL;
	} while (msg->msg != CURLMSG_DONE);
	place = place_of(pool, msg->easy_handle);
	code = msg->data.result;
	curl_multi_remove_handle(pool->multi, place->hook->curl); /* the message is gone with it */
	*_err = webhook_end(place->hook, code, why, cap);
	about = place->about;
	place->about = NULL;
	pool->open--;
	return about;
}

void *webhook_pool_ended(struct webhook_pool *pool, unsigned int wait_ms, enum gba_err *_err, char *why, size_t cap)
{
	uint64_t now = clock_mono_ms(), until = now + wait_ms;
	void *about;
	int running;

	for (;;) {
		curl_multi_perform(pool->multi, &running);
		about = ended(pool, _err, why, cap);
		now = clock_mono_ms();
		if (about != NULL || now >= until || __atomic_exchange_n(&pool->woken, false, __ATOMIC_ACQ_REL))
			return about;
		curl_multi_poll(pool->multi, NULL, 0, (int)(until - now), NULL);
	}
}

void webhook_pool_wake(struct webhook_pool *pool)
{
	__atomic_store_n(&pool->woken, true, __ATOMIC_RELEASE);
	curl_multi_wakeup(pool->multi);
}
