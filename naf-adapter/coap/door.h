/* SPDX-License-Identifier: Apache-2.0 */
/** The application behind: HTTP over its UNIX socket, for a device of this IMPI. */
#ifndef GBA_COAP_DOOR_H
#define GBA_COAP_DOOR_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

struct door;
struct door_answer {
	unsigned int status;
	struct bytes body; /* below mem_ctx */
};

/** @param path  of the socket  @param timeout_ms  for one exchange @return NULL: out of memory */
struct door *door_new(TALLOC_CTX *mem_ctx, const char *path, unsigned int timeout_ms);
/** @param body  JSON; absent: none @retval GBA_E_UNREACHABLE, GBA_E_TIMEOUT, GBA_E_TOO_LONG, GBA_E_NOMEM */
enum gba_err door_ask(struct door *door, TALLOC_CTX *mem_ctx, const char *method, const char *target, const char *impi,
		      struct bytes body, struct door_answer *_answer);

#endif
