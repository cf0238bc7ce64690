/* SPDX-License-Identifier: Apache-2.0 */
/** REST API of the authorization element (Y.3056 10.1 to 10.3): lib/rest in front of the mapping and registration function. Rights
 * are the mapping function's; here are whose a credential is and the flows that need more than a record. */
#ifndef GBA_HSS_API_API_H
#define GBA_HSS_API_API_H

#include <talloc.h>

#include "conf/conf.h"
#include "crypto/seal.h"
#include "rest/notice.h"
#include "rest/rest.h"

struct api;
struct audit;

struct api_conf {
	struct rest_conf rest;
	struct notice_conf notice;
	const char *connect_to;
	uint32_t notice_lease; /* [s] */
};

/** What the API has from its node; all of it outlives the API. */
struct api_node {
	const char *database;
	const char *identity; /* unlike that of other nodes with this database */
	struct kek *kek;
	struct audit *audit; /* NULL: none kept */
};

/** Rows of hss.conf, for a struct with a member m of struct api_conf. */
#define API_CONF_ITEMS(st, m)                                                                                                    \
	REST_CONF_ITEMS(st, m.rest),                                                                                             \
	CONF_STR("naf-connect-to", "", 0, 255, NULL, st, m.connect_to,                                                           \
		 "Address of the BSF for the agents of ASPs, put into their bundles; empty: by DNS"),                            \
	CONF_U32("notice-lease", 30, 1, 3600, "s", st, m.notice_lease,                                                           \
		 "Several nodes on one PostgreSQL: one sends notices; another one does when it has been silent for so long"),    \
	NOTICE_CONF_ITEMS(st, m.notice)

/** Open database handles, start threads, listen. @param conf  outlives the API
 * @param _error  text for the operator, below mem_ctx, on failure */
enum gba_err api_start(TALLOC_CTX *mem_ctx, const struct api_conf *conf, const struct api_node *node, struct api **_api,
		       const char **_error);
/** Where it listens. */
unsigned int api_port(const struct api *api);
/** Answer what is under way, end all threads, free. */
void api_stop(struct api *api);

#endif
