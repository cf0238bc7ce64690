/* SPDX-License-Identifier: Apache-2.0 */
/* CoAP as the connection element reads and writes it: any datagram as an answer, any text as a target. What is shown of an answer has
 * no control character, and its format is one that could be asked for. */
#include <stdlib.h>

#include "ue/ua_coap.h"
#include "ue/ua_coap_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_shown(const struct fetch_answer *answer)
{
	const char *p;
	size_t i;

	for (i = 0; i < answer->header_count; i++) {
		for (p = answer->headers[i].value; *p != '\0'; p++) {
			if (*p < 0x20 || *p > 0x7e)
				abort();
		}
	}
	if (answer->status < 200 || answer->status > 531)
		abort();
}

static void check_answer(TALLOC_CTX *ctx, const uint8_t *data, size_t size)
{
	coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_CON, COAP_EMPTY_CODE, 0, size);
	struct fetch_answer answer;
	json_t *json = NULL;

	if (pdu == NULL)
		abort();
	if (coap_pdu_parse(COAP_PROTO_UDP, data, size, pdu) == 1 && ua_coap_read(ctx, pdu, &answer) == GBA_OK) {
		check_shown(&answer);
		answer.body = BYTES(data, size);
		ua_coap_unpack(&answer, &json);
		json_decref(json);
	}
	coap_delete_pdu(pdu);
}

static void check_target(TALLOC_CTX *ctx, const uint8_t *data, size_t size)
{
	const char *target = talloc_strndup(ctx, (const char *)data, size);
	const struct fetch_header headers[] = { { "Accept", target + 1 }, { "ETag", target + 1 }, { NULL, NULL } };
	struct fetch_ask ask = { .method = target + 1, .headers = headers };
	struct url url = { .host = "a.example", .target = target };
	coap_optlist_t *list = NULL;
	struct why why;

	ua_coap_options(&ask, &url, true, &list, &why);
	coap_delete_optlist(list);
	ua_coap_method(ask.method);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *ctx = talloc_new(NULL);

	coap_set_log_level(LOG_EMERG);
	if (size > 0 && data[0] == '/')
		check_target(ctx, data, size);
	else
		check_answer(ctx, data, size);
	talloc_free(ctx);
	return 0;
}
