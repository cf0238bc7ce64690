/* SPDX-License-Identifier: Apache-2.0 */
/** One request of a device on its way to the application, and the answer back (RFC 7252, RFC 8075 for an application that speaks
 * HTTP). Nothing passes but method, path, query, formats, conditions and body. One thread. */
#ifndef GBA_COAP_REQUEST_H
#define GBA_COAP_REQUEST_H

#include <coap3/coap.h>

#include "naf-adapter/coap/door.h"
#include "naf-adapter/coap/inner.h"

struct request_ways {
	const char *fqdn;
	struct door *door;   /* one of the two: the other is NULL */
	struct inner *inner;
};

/** What libcoap gives a request handler. */
struct request {
	coap_resource_t *resource;
	coap_session_t *session;
	const coap_pdu_t *pdu;
	const coap_string_t *query;
	coap_pdu_t *response;
};

/** "GET"; NULL: none that we pass on. */
const char *request_method(const coap_pdu_t *pdu);
/** Ask the application and fill the response in. @param who  absent (NULL): no identity the application may have, 4.03
 * @return for the log: GBA_OK, or why we refused by ourselves */
enum gba_err request_pass(const struct request_ways *ways, const struct request *request, const struct released *who);

#endif
