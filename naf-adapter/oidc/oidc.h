/* SPDX-License-Identifier: Apache-2.0 */
/** gba-naf-oidc: an OpenID Connect provider (OpenID Connect Core 1.0, authorization code flow) whose users are bootstrapped
 * devices, in the spirit of 3GPP TR 33.924. Devices come to the authorization endpoint through gba-naf-proxy (door.c), clients
 * to all others over HTTPS (desk.c); the agent is asked about each login, and tells when a token ends (asker.c). */
#ifndef GBA_OIDC_OIDC_H
#define GBA_OIDC_OIDC_H

#include <pthread.h>

#include "core/metrics.h"
#include "core/secret.h"
#include "http/server.h"
#include "jose/jwt.h"
#include "naf-adapter/oidc/conf.h"
#include "naf-adapter/oidc/grants.h"
#include "naf-adapter/oidc/params.h"
#include "naf-adapter/oidc/ring.h"
#include "naf-adapter/oidc/roster.h"

struct asker;

struct oidc {
	const struct oidc_conf *conf;
	struct roster *roster; /* in force: oidc_roster() */
	pthread_mutex_t roster_lock;
	struct timespec certificate_at[2]; /* change of the files that are served, certificate and key */
	struct ring *ring;
	struct grants *grants;
	struct asker *asker;
	struct assertions *assertions;
	struct secret *salt; /* of pairwise subjects */
	const char *naf, *authorize_path, *base_path; /* host devices address; paths of authorize-url and issuer */
	const char *token_url;
	uid_t *users; /* that may connect to the device socket */
	size_t n_users;
	uint32_t gsids[GBA_NAF_GSID_MAX];
	struct http_server *door, *desk;
	struct metric *logins, *refused, *tokens, *tokens_refused, *ended;
};

/** The clients in force, with a reference of the caller's own: roster_drop(). */
struct roster *oidc_roster(struct oidc *oidc);

/* ---- asker.c: the agent ---- */

struct question {
	const char *btid;
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
};
/** Called once, from the asker's thread. @param result  NULL unless error is GBA_NAF_OK; the asker frees it */
typedef void (*asker_done)(void *arg, enum gba_naf_error error, struct gba_naf_result *result);
enum gba_err asker_start(struct oidc *oidc);
/** From any thread; the question is copied. @retval GBA_E_NOMEM  done will not be called */
enum gba_err asker_ask(struct asker *asker, const struct question *question, asker_done done, void *arg);
/** Those who wait get GBA_NAF_E_NO_AGENT. */
void asker_stop(struct oidc *oidc);

/* ---- auth.c: who a client is (OpenID Connect Core 9) ---- */

struct assertions;
/** What was used of private_key_jwt assertions; NULL: out of memory. */
struct assertions *assertions_new(TALLOC_CTX *mem_ctx);
/** @param _why  static text for the log @return NULL: not authenticated; *_header tells whether Authorization was tried */
const struct client *client_authenticate(struct oidc *oidc, const struct roster *roster, struct http_req *req,
					 const struct params *params, time_t now, const char **_why);

/* ---- door.c, desk.c: what is served ---- */

void door_request(struct http_req *req, void *oidc);
void desk_request(struct http_req *req, void *oidc);

/* ---- claims.c ---- */

/** sub for a client of a user known as `identity`; below mem_ctx. NULL: out of memory */
char *subject_of(const struct oidc *oidc, TALLOC_CTX *mem_ctx, const struct client *client, const char *identity);
/** ID Token (OpenID Connect Core 2) below mem_ctx. */
enum gba_err id_token_make(struct oidc *oidc, TALLOC_CTX *mem_ctx, const struct grant_facts *facts, const char *access, time_t now,
			   char **_token);
/** Of the UserInfo response (5.3.2); a new reference, NULL: out of memory. */
json_t *userinfo_of(const struct grant_facts *facts);
/** What the way a device has proved itself is called: acr and amr. */
void methods_of(const struct gba_naf_result *result, bool uicc, struct grant_facts *_facts);
/** The discovery document (OpenID Connect Discovery 1.0 3); a new reference, NULL: out of memory. */
json_t *discovery_of(const struct oidc *oidc);

#endif
