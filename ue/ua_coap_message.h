/* SPDX-License-Identifier: Apache-2.0 */
/** What the connection element asks, as options of a CoAP request, and a CoAP answer as it reads one (RFC 7252 5.10, 6.4).
 * Headers are those that CoAP has an option for: Content-Type, Accept, If-Match, ETag (hex), If-None-Match; in answers
 * Content-Type, ETag, Max-Age, Location and Observe. */
#ifndef GBA_UE_UA_COAP_MESSAGE_H
#define GBA_UE_UA_COAP_MESSAGE_H

#include <coap3/coap.h>

#include "ue/fetch.h"
#include "ue/url.h"

/** @return 0: not a method (RFC 7252 5.8, RFC 8132) */
coap_pdu_code_t ua_coap_method(const char *name);
/** @param observe  ask for changes, too (RFC 7641)
 * @param _list     for coap_delete_optlist(), whatever is returned
 * @retval GBA_E_SYNTAX, GBA_E_TOO_LONG, GBA_E_NOMEM; why tells */
enum gba_err ua_coap_options(const struct fetch_ask *ask, const struct url *url, bool observe, coap_optlist_t **_list,
			     struct why *why);
/** All but the body. @retval GBA_E_PEER  not an answer @retval GBA_E_NOMEM */
enum gba_err ua_coap_read(TALLOC_CTX *mem_ctx, const coap_pdu_t *pdu, struct fetch_answer *_answer);

#endif
