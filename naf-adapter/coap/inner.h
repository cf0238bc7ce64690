/* SPDX-License-Identifier: Apache-2.0 */
/** The application behind, that speaks CoAP without DTLS: it gets a request of its own with the options it may see, and with who
 * the device is in an option that does not pass from outside. */
#ifndef GBA_COAP_INNER_H
#define GBA_COAP_INNER_H

#include <coap3/coap.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"
#include "naf-adapter/coap/door.h"

/** Number of the option with the value of X-3GPP-Asserted-Identity: of the experimental range (RFC 7252 12.2), elective, unsafe to
 * forward: a proxy that does not know it does not pass it on. */
#define INNER_OPTION_IDENTITY 65002

struct inner;
struct inner_answer {
	coap_pdu_code_t code;
	int format;	    /* -1: not said */
	int64_t max_age;    /* [s]; -1: not said */
	struct bytes etag, body; /* below mem_ctx; absent: none */
};

/** @return NULL: the address cannot be resolved, or out of memory */
struct inner *inner_new(TALLOC_CTX *mem_ctx, const struct door_place *place, unsigned int timeout_ms);
/** @param request  the device's @param body  its body, whole
 * @retval GBA_E_UNREACHABLE, GBA_E_TIMEOUT, GBA_E_NOMEM */
enum gba_err inner_ask(struct inner *inner, TALLOC_CTX *mem_ctx, const coap_pdu_t *request, struct bytes body,
		       const struct released *who, struct inner_answer *_answer);

#endif
