/* SPDX-License-Identifier: Apache-2.0 */
/** One delivery, for who drives it: webhook.c alone, webhook_pool.c several at a time. */
#ifndef GBA_REST_WEBHOOK_PRIV_H
#define GBA_REST_WEBHOOK_PRIV_H

#include <curl/curl.h>

#include "rest/notice.h"

struct webhook {
	const struct notice_conf *conf;
	CURL *curl;
	struct curl_slist *headers; /* of the request under way */
	bool refused;		    /* by address */
	char said[512];		    /* beginning of its answer */
	size_t n_said;
	char fault[CURL_ERROR_SIZE]; /* what curl says of a failure */
};

/* Everything about the order is set; curl performs it. */
void webhook_begin(struct webhook *hook, const struct webhook_order *order);
/* It was performed. @retval as webhook_send */
enum gba_err webhook_end(struct webhook *hook, CURLcode code, char *why, size_t cap);

#endif
