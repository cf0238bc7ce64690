/* SPDX-License-Identifier: Apache-2.0 */
/* Where libcoap is not installed. */
#include "ue/ua_coap.h"

enum gba_err ua_coap_new(TALLOC_CTX *mem_ctx, struct fetcher *_fetcher)
{
	(void)mem_ctx, (void)_fetcher;
	return GBA_E_UNSUPPORTED;
}

bool ua_coap_built(void)
{
	return false;
}

enum gba_err ua_coap_pack(TALLOC_CTX *mem_ctx, const json_t *json, struct bytes *_octets)
{
	(void)mem_ctx, (void)json, (void)_octets;
	return GBA_E_UNSUPPORTED;
}

enum gba_err ua_coap_unpack(const struct fetch_answer *answer, json_t **_json)
{
	(void)answer, (void)_json;
	return GBA_E_UNSUPPORTED;
}
