/* SPDX-License-Identifier: Apache-2.0 */
/** Requests of devices on their way to the application, and the answers back (RFC 7252, RFC 8075 for an application that speaks
 * HTTP). Nothing passes but method, path, query, formats, conditions and body. Nobody waits for what another has asked: the
 * acknowledgement waits a second for the answer, and a later one comes in a message of its own (RFC 7252 5.2). What an application
 * that speaks CoAP lets be observed (RFC 7641) goes on to the device for as long as its token lives. One thread. */
#ifndef GBA_COAP_REQUEST_H
#define GBA_COAP_REQUEST_H

#include <coap3/coap.h>

#include "naf-adapter/coap/door.h"
#include "naf-adapter/coap/inner.h"

#define REQUESTS_OF_SESSION 8 /* that wait; a device has one at a time (RFC 7252 4.7) */
#define OBSERVED_OF_SESSION 16

struct request_ways {
	const char *fqdn;
	struct door *door;   /* one of the two: the other is NULL */
	struct inner *inner;
	unsigned int most;     /* that wait at once */
	unsigned int most_observed; /* who asks for more is answered once */
	/** May this session have an answer that came later, or hear of a change? */
	bool (*stands)(coap_session_t *session);
	/** An answer that came later is sent. */
	void (*answered)(coap_session_t *session, coap_pdu_code_t code);
};

/** What libcoap gives a request handler. */
struct request {
	coap_resource_t *resource;
	coap_session_t *session;
	const coap_pdu_t *pdu;
	const coap_string_t *query;
	coap_pdu_t *response;
};

struct requests;
/** @param ways  outlives it @return NULL: out of memory */
struct requests *requests_new(TALLOC_CTX *mem_ctx, const struct request_ways *ways);
/** "GET"; NULL: none that we pass on. */
const char *request_method(const coap_pdu_t *pdu);
/** Ask the application. The response is filled in, or has no code: it comes later.
 * @param who  absent (NULL): no identity the application may have, 4.03
 * @return for the log: GBA_OK, or why we refused by ourselves; GBA_E_BUSY: too many wait */
enum gba_err request_pass(struct requests *all, const struct request *request, const struct released *who);
/** A session ends: what it has asked is given up. @param session  NULL: of all */
void requests_forget(struct requests *all, const coap_session_t *session);
/** A message of ours was rejected, or never acknowledged: what was observed for it ends (RFC 7641 3.6, 4.5).
 * @param sent  NULL: not known any more, but its id */
void requests_rejected(struct requests *all, const coap_session_t *session, const coap_pdu_t *sent, coap_mid_t mid);
/** How many wait for the application. */
size_t requests_waiting(const struct requests *all);
/** How many resources are observed. */
size_t requests_observed(const struct requests *all);
/** Wait until one of these can be read (at most DOOR_FDS_MAX - 1), or the application has something to say; then go on with
 * that. Ends what is observed on a token that has ended. */
void requests_wait(struct requests *all, const int *fds, size_t n, unsigned int timeout_ms);

#endif
