/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "ue/ua_coap.h"

struct any {
	struct fetch_curl *curl;
	struct fetcher coap; /* made when it is needed */
};

bool ua_coap_is(const char *url)
{
	return strncasecmp(url, "coaps:", 6) == 0;
}

static enum gba_err by_coap(struct any *any, TALLOC_CTX *mem_ctx, const struct fetch_ask *ask, struct fetch_answer *_answer,
			    struct why *why)
{
	enum gba_err err = any->coap.fetch != NULL ? GBA_OK : ua_coap_new(any, &any->coap);

	if (err != GBA_OK)
		return why_fail(why, err, "%s", gba_strerror(err));
	return any->coap.fetch(any->coap.arg, mem_ctx, ask, _answer, why);
}

static enum gba_err by_any(void *arg, TALLOC_CTX *mem_ctx, const struct fetch_ask *ask, struct fetch_answer *_answer,
			   struct why *why)
{
	struct any *any = arg;
	struct fetcher curl;

	if (ua_coap_is(ask->url))
		return by_coap(any, mem_ctx, ask, _answer, why);
	curl = fetch_curl_fetcher(any->curl);
	return curl.fetch(curl.arg, mem_ctx, ask, _answer, why);
}

enum gba_err ua_any_new(TALLOC_CTX *mem_ctx, struct fetcher *_fetcher)
{
	struct any *any = talloc_zero(mem_ctx, struct any);
	enum gba_err err = any != NULL ? fetch_curl_new(any, &any->curl) : GBA_E_NOMEM;

	if (err != GBA_OK) {
		talloc_free(any);
		return err;
	}
	*_fetcher = (struct fetcher){ by_any, any };
	return GBA_OK;
}
