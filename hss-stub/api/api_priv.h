/* SPDX-License-Identifier: Apache-2.0 */
/** Shared by the files of the REST API only: what lib/rest does not know of. */
#ifndef GBA_HSS_API_PRIV_H
#define GBA_HSS_API_PRIV_H

#include "hss-stub/api/api.h"
#include "hss-stub/mapping/mapping.h"
#include "rest/call.h"

struct notifier;

struct api {
	const struct api_conf *conf;
	const char *database, *identity;
	struct kek *kek;
	struct aside_hold *hold; /* of who has the database's write lock */
	struct rest *rest;
	struct notifier *notifier;
	struct metric *notices_sent, *notices_failed, *notices_dropped;
};

static inline struct api *api_of(const struct rest_call *call)
{
	return rest_own(call->rest);
}

/* routes.c */
extern const struct rest_setup api_setup;

/* Hooks of the setup */
enum gba_err api_open(TALLOC_CTX *mem_ctx, void *own, struct records **_r, const char **_error);
enum gba_err api_authenticate(struct rest_call *call);
enum gba_err api_long_write(struct rest_call *call, bool begun);
/* onboard.c: a certificate that was revoked as a credential goes into the CA's list, too */
void api_done(struct rest_call *call, const char *verb, const struct record *old);
/* steps.c: arrows of the flows, when tracing is on */
void api_trace(const struct rest_call *call);

/* Handlers */
void api_invitation(struct route_call *route);
void api_asp_registration(struct route_call *route);
void api_issue(struct route_call *route);
void api_webhook_key(struct route_call *route);
void api_bundle(struct route_call *route);
void api_realm(struct route_call *route);
void api_realm_page(struct route_call *route);

/* realm.c: the realm's record; NULL: the problem is made */
struct record *api_realm_record(struct rest_call *call);

/* notify.c */
enum gba_err notifier_start(TALLOC_CTX *mem_ctx, struct api *api, const char *database, struct notifier **_n, const char **_error);
void notifier_stop(struct notifier *n);
/* key: 33 octets */
void notify_key(struct records *r, bool asp, int64_t owner, char *key);

#endif
