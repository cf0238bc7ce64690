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
	bool goes_on;	    /* the resource is observed (RFC 7641 3.1): done is called again when it changes */
	bool confirmable;   /* as the application sent it */
};

/** @return NULL: the address cannot be resolved, or out of memory */
struct inner *inner_new(TALLOC_CTX *mem_ctx, const struct door_place *place, unsigned int timeout_ms);
/** Changes what exchanges that begin from now on are given. */
void inner_set_timeout(struct inner *inner, unsigned int timeout_ms);
/** @param err  GBA_OK, GBA_E_UNREACHABLE, GBA_E_TIMEOUT; may free the exchange's mem_ctx @param answer  written with GBA_OK */
typedef void inner_done(void *arg, enum gba_err err, const struct inner_answer *answer);
struct inner_ask {
	const coap_pdu_t *request; /* the device's */
	struct bytes body;	   /* its body, whole */
	const struct released *who;
	bool observe; /* ask to hear of changes, too */
};
/** Begin an exchange; done is called by inner_process(), unless mem_ctx is freed before: that ends it, and the observation with it.
 * @retval GBA_E_UNREACHABLE, GBA_E_TOO_LONG, GBA_E_NOMEM  done is not called */
enum gba_err inner_begin(struct inner *inner, TALLOC_CTX *mem_ctx, const struct inner_ask *ask, inner_done *done, void *arg);
/** Go on with all exchanges. @param timeout_ms  wait so long for a message; 0: never */
void inner_process(struct inner *inner, unsigned int timeout_ms);
int inner_fd(const struct inner *inner);

#endif
