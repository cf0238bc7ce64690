/* SPDX-License-Identifier: Apache-2.0 */
/** Shared by the files that deliver notices only; one thread. */
#ifndef GBA_HSS_API_NOTIFY_PRIV_H
#define GBA_HSS_API_NOTIFY_PRIV_H

#include "hss-stub/api/api_priv.h"

/** What is told to whom; texts are never NULL. */
struct notice {
	int64_t id, owner, about;
	bool asp;	   /* the owner is an ASP, else a user */
	int event_number;
	time_t created;
	const char *event, *body, *about_kind, *url, *drop, *address, *owner_name;
};

/** The object that is delivered; NULL: out of memory. */
json_t *notice_json(const struct notice *notice);

struct webhook;
enum gba_err webhook_new(const struct api_conf *conf, struct webhook **_hook);
void webhook_free(struct webhook *hook);
/** POST, signed: GBA-Signature: t=SECONDS,v1=HEX, HMAC-SHA-256 under key of SECONDS "." body. 2xx is success.
 * @param why  for the log, on failure
 * @retval GBA_E_DENIED  an address that may not be used  @retval GBA_E_PEER, GBA_E_TIMEOUT, GBA_E_UNREACHABLE */
enum gba_err webhook_post(struct webhook *hook, const struct notice *notice, const char *key, char *why, size_t cap);
/** May a webhook be at this address? Not loopback, private, link-local, multicast or otherwise special unless allowed. */
bool webhook_address_good(const struct api_conf *conf, const void *sockaddr);

/** mail-drop/DROP/ID.eml, there as a whole or not at all; a second time replaces the first. */
enum gba_err mail_drop(const struct api_conf *conf, const struct notice *notice);

#endif
