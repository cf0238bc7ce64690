/* SPDX-License-Identifier: Apache-2.0 */
/** REST API of the authorization element (Y.3056 10.1 to 10.3): HTTPS in front of the mapping and registration function. Rights
 * are the mapping function's; here are credentials, limits, conditions, media types and the flows that need more than a record.
 * No freeDiameter thread ever works here: libmicrohttpd's threads read requests, workers with a database handle each do them. */
#ifndef GBA_HSS_API_API_H
#define GBA_HSS_API_API_H

#include <talloc.h>

#include "conf/conf.h"
#include "crypto/seal.h"

struct api;
struct audit;

struct api_conf {
	const char *listen, *cert, *key, *ca_dir, *connect_to, *webhook_ca, *mail_drop, *mail_from;
	uint32_t workers, queue, rate, burst, open_rate, import_max;
	uint32_t webhook_timeout, webhook_tries, webhook_retry;
	bool webhook_private;
};

/** What the API has from its node; all of it outlives the API. */
struct api_node {
	const char *database;
	struct kek *kek;
	struct audit *audit; /* NULL: none kept */
};

/** Rows of hss.conf, for a struct with a member m of struct api_conf. */
#define API_CONF_ITEMS(st, m)                                                                                                    \
	CONF_STR("api-listen", "", 0, 64, http_listen_valid, st, m.listen, "Address and port of the REST API (HTTPS); empty: off"), \
	CONF_STR("api-cert", "", 0, 255, NULL, st, m.cert, "Its certificate and chain, PEM"),                                    \
	CONF_STR("api-key", "", 0, 255, NULL, st, m.key, "Its private key, PEM"),                                                \
	CONF_STR("ca-dir", "", 0, 200, NULL, st, m.ca_dir,                                                                       \
		 "The realm's own CA (gba-ctl ca init): issues and checks client certificates; empty: tokens only"),             \
	CONF_U32("api-workers", 4, 1, 64, "threads", st, m.workers, "Requests served at a time, each with a database handle"),   \
	CONF_U32("api-queue", 256, 1, 65536, "requests", st, m.queue, "Requests that may wait for a worker; beyond: 503"),       \
	CONF_U32("api-rate", 100, 1, 100000, "requests/s", st, m.rate, "Of one caller, lasting; beyond: 429"),                   \
	CONF_U32("api-burst", 500, 1, 1000000, "requests", st, m.burst, "Of one caller, at once"),                               \
	CONF_U32("api-open-rate", 5, 1, 100000, "requests/s", st, m.open_rate,                                                   \
		 "Of one address without a valid credential; ten times as many at once"),                                        \
	CONF_U32("api-import-max", 16, 1, 256, "MiB", st, m.import_max, "Body of a bulk import; other bodies: 64 KiB"),          \
	CONF_STR("naf-connect-to", "", 0, 255, NULL, st, m.connect_to,                                                           \
		 "Address of the BSF for the agents of ASPs, put into their bundles; empty: by DNS"),                            \
	CONF_U32("webhook-timeout", 5000, 100, 60000, "ms", st, m.webhook_timeout, "Wait for a webhook's answer"),               \
	CONF_U32("webhook-tries", 8, 1, 64, "", st, m.webhook_tries, "Attempts before a notice is given up"),                    \
	CONF_U32("webhook-retry", 2000, 10, 3600000, "ms", st, m.webhook_retry, "Before the second attempt; doubles up to an hour"), \
	CONF_STR("webhook-ca", "", 0, 255, NULL, st, m.webhook_ca, "CAs of webhooks, PEM; empty: the system's"),                   \
	CONF_BOOL("webhook-private", false, st, m.webhook_private, "Deliver to loopback and private addresses, too"),            \
	CONF_STR("mail-drop", "", 0, 200, NULL, st, m.mail_drop,                                                                 \
		 "Folder for notices as RFC 5322 files, one folder per recipient in it; empty: none"),                           \
	CONF_STR("mail-from", "gba@localhost", 3, 254, NULL, st, m.mail_from, "Sender of these")

/** Open database handles, start threads, listen. @param conf  outlives the API
 * @param _error  text for the operator, below mem_ctx, on failure */
enum gba_err api_start(TALLOC_CTX *mem_ctx, const struct api_conf *conf, const struct api_node *node, struct api **_api,
		       const char **_error);
/** Where it listens. */
unsigned int api_port(const struct api *api);
/** Answer what is under way, end all threads, free. */
void api_stop(struct api *api);

#endif
