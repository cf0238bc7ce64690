/* SPDX-License-Identifier: Apache-2.0 */
/** Subscribers that read server-sent events. doc/registry.md. */
#ifndef GBA_REGISTRY_TELL_STREAM_H
#define GBA_REGISTRY_TELL_STREAM_H

#include "registry-fn/tell/tell.h"
#include "rest/call.h"

struct tell_reader {
	struct rest *rest;
	struct rest_shown shown; /* looked at again and again: a credential that is revoked ends the stream */
	struct actor actor;
	int64_t subscription, after; /* events behind this place */
	bool plain;		     /* claims as JSON, not a signed token */
};
/** A stream for a reader. NULL: out of memory */
struct http_stream *tell_stream_new(void);
/** From now on the room writes to it, and ends it. @retval GBA_E_BUSY  as many as stream-max: it stays the caller's */
enum gba_err tell_stream_open(const struct tell_reader *want, struct http_stream *http);

#endif
