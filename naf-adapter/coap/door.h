/* SPDX-License-Identifier: Apache-2.0 */
/** The application behind, that speaks HTTP. What a device sends reaches it as method, target and body only; who the device is
 * comes in headers that nobody else can set, as CoAP has none. */
#ifndef GBA_COAP_DOOR_H
#define GBA_COAP_DOOR_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"
#include "naf-adapter/shared/release.h"

/** Where an application is. */
struct door_place {
	enum { DOOR_UNIX, DOOR_HTTP, DOOR_COAP } kind;
	const char *path; /* view: of the socket */
	char host[64];	  /* without brackets */
	uint16_t port;
};
/** "unix:/path", "http://host:port", "coap://[host]:port". @return false: none of them */
bool door_place_read(const char *text, struct door_place *_place);

struct door;
struct door_request {
	const char *method, *target; /* origin form */
	const char *media, *accept;  /* NULL: nothing is said */
	struct bytes body;	     /* absent: none */
	const struct released *who;
};
struct door_answer {
	unsigned int status;
	struct bytes body;  /* below mem_ctx; absent: none */
	const char *media;  /* below mem_ctx; NULL: not said */
};

/** @param place  DOOR_UNIX or DOOR_HTTP @param timeout_ms  for one exchange @return NULL: out of memory */
struct door *door_new(TALLOC_CTX *mem_ctx, const struct door_place *place, unsigned int timeout_ms);
/** Changes what exchanges that begin from now on are given. */
void door_set_timeout(struct door *door, unsigned int timeout_ms);
/** @param err  GBA_OK, GBA_E_UNREACHABLE, GBA_E_TIMEOUT, GBA_E_TOO_LONG; may free the exchange's mem_ctx */
typedef void door_done(void *arg, enum gba_err err, const struct door_answer *answer);
/** Begin an exchange; done is called by door_process(), unless mem_ctx is freed before: that cancels it.
 * @param request  its body outlives the exchange @retval GBA_E_NOMEM */
enum gba_err door_begin(struct door *door, TALLOC_CTX *mem_ctx, const struct door_request *request, door_done *done, void *arg);
/** Go on with all exchanges; never waits. */
void door_process(struct door *door);
/** Wait until one of these can be read, or an exchange can go on. @param n  at most DOOR_FDS_MAX */
#define DOOR_FDS_MAX 4
void door_wait(struct door *door, const int *fds, size_t n, unsigned int timeout_ms);

#endif
