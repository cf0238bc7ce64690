/* SPDX-License-Identifier: Apache-2.0 */
/** Telling somebody: by HTTPS to an address of theirs, or by a letter in a folder. Who is told what, how often, is the role's. */
#ifndef GBA_REST_NOTICE_H
#define GBA_REST_NOTICE_H

#include <jansson.h>
#include <stdbool.h>
#include <talloc.h>
#include <time.h>

#include "conf/conf.h"

struct notice_conf {
	const char *ca, *mail_drop, *mail_from;
	uint32_t timeout, tries, retry;
	bool inside;
};

/** Rows of a role's configuration, for a struct with a member m of struct notice_conf: webhooks; letters, too. */
#define WEBHOOK_CONF_ITEMS(st, m)                                                                                              \
	CONF_U32("webhook-timeout", 5000, 100, 60000, "ms", st, m.timeout, "Wait for a webhook's answer"),                     \
	CONF_U32("webhook-tries", 8, 1, 64, "", st, m.tries, "Attempts before a notice is given up"),                          \
	CONF_U32("webhook-retry", 2000, 10, 3600000, "ms", st, m.retry, "Before the second attempt; doubles up to an hour"),   \
	CONF_STR("webhook-ca", "", 0, 255, NULL, st, m.ca, "CAs of webhooks, PEM; empty: the system's"),                       \
	CONF_BOOL("webhook-private", false, st, m.inside, "Deliver to loopback and private addresses, too")
#define NOTICE_CONF_ITEMS(st, m)                                                                                               \
	WEBHOOK_CONF_ITEMS(st, m),                                                                                             \
	CONF_STR("mail-drop", "", 0, 200, NULL, st, m.mail_drop,                                                               \
		 "Folder for notices as RFC 5322 files, one folder per recipient in it; empty: none"),                         \
	CONF_STR("mail-from", "gba@localhost", 3, 254, NULL, st, m.mail_from, "Sender of these")

/** What is told to whom; texts are never NULL. */
struct notice {
	int64_t id, about;
	time_t created;
	const char *event, *body, *about_kind;
	const char *url, *drop, *address; /* of who is told: webhook, name of mail-drop, address for letters; "" none */
};

/** The object that is delivered; NULL: out of memory. */
json_t *notice_json(const struct notice *notice);

/** One per thread. */
struct webhook;
enum gba_err webhook_new(const struct notice_conf *conf, struct webhook **_hook);
void webhook_free(struct webhook *hook);
/** POST a text to an https address. Signed when there is a key: GBA-Signature: t=SECONDS,v1=HEX, HMAC-SHA-256 under key of
 * SECONDS "." body. 2xx is success.
 * @param type  media type  @param authorization  value of that header; NULL: none  @param key  NULL: not signed */
struct webhook_order {
	const char *url, *type, *body, *authorization, *key;
};
/** @param why  for the log, on failure
 * @retval GBA_E_DENIED  an address that may not be used  @retval GBA_E_PEER, GBA_E_TIMEOUT, GBA_E_UNREACHABLE */
enum gba_err webhook_send(struct webhook *hook, const struct webhook_order *order, char *why, size_t cap);
/** The same with a notice as JSON to its url, signed. */
enum gba_err webhook_post(struct webhook *hook, const struct notice *notice, const char *key, char *why, size_t cap);
/** Deliveries beside each other, by one thread. */
struct webhook_pool;
/** @param size  deliveries at a time, at most */
enum gba_err webhook_pool_new(size_t size, struct webhook_pool **_pool);
/** What is under way is given up. */
void webhook_pool_free(struct webhook_pool *pool);
/** Begin, as webhook_send. @param order  its body stays until it has ended  @param about  given back then; not NULL
 * @retval GBA_E_BUSY  so many are under way  @retval GBA_E_NOMEM */
enum gba_err webhook_pool_send(struct webhook_pool *pool, const struct notice_conf *conf, const struct webhook_order *order,
			       void *about);
/** One that has ended; drives them all until then.
 * @param wait_ms  at most  @param _err, why  as webhook_send gives
 * @return its `about`; NULL: none meanwhile, or woken */
void *webhook_pool_ended(struct webhook_pool *pool, unsigned int wait_ms, enum gba_err *_err, char *why, size_t cap);
/** From any thread: who waits waits no longer. */
void webhook_pool_wake(struct webhook_pool *pool);
/** How many are under way. */
size_t webhook_pool_open(const struct webhook_pool *pool);
/** Who an address belongs to: "host:port", below mem_ctx; the text itself when it is no URL. NULL: out of memory. */
char *webhook_receiver(TALLOC_CTX *mem_ctx, const char *url);
/** May a webhook be at this address? Not loopback, private, link-local, multicast or otherwise special unless allowed. */
bool webhook_address_good(const struct notice_conf *conf, const void *sockaddr);

/** mail-drop/DROP/ID.eml, there as a whole or not at all; a second time replaces the first. */
enum gba_err mail_drop(const struct notice_conf *conf, const struct notice *notice);

#endif
