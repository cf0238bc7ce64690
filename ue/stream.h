/* SPDX-License-Identifier: Apache-2.0 */
/** Ua for any protocol over TCP: a PSK-TLS connection to an application, and what is needed to pump octets through it.
 */
#ifndef GBA_UE_STREAM_H
#define GBA_UE_STREAM_H

#include <stdatomic.h>

#include "ue/psk.h"

#define STREAM_TIMEOUT_MS 30000 /* for connection and handshake */
#define STREAM_QUIET_MS   500   /* of a drained connection: nothing is under way any more */

struct stream_conf {
	const char *host; /* name of the application: SNI and NAF_Id */
	unsigned int port;
	const char *connect;   /* as in struct fetch_ask */
	const char *separator; /* NULL: PSK_SEPARATOR_DEFAULT */
	enum fetch_tls tls;
	unsigned int timeout_ms; /* 0: STREAM_TIMEOUT_MS */
	unsigned int idle_ms;    /* no octet either way for so long ends the connection; 0: never */
	unsigned int drain_ms;   /* how long at most it goes on after its token was retired */
};

struct stream;

/** Connect and shake hands; when the application does not take the token, bootstrap and try again, once.
 * @param mem_ctx  of this thread only
 * @retval GBA_E_UNREACHABLE, GBA_E_TIMEOUT
 * @retval GBA_E_NOT_AUTHORIZED  the application does not take a fresh token either
 * @return and all of token_source.token() */
enum gba_err stream_open(TALLOC_CTX *mem_ctx, const struct stream_conf *conf, const struct token_source *source,
			 struct stream **_stream, struct why *why);
/** When the token under which it was opened ends. */
time_t stream_expires(const struct stream *stream);
/** Move octets between a connected socket and the stream until one side ends, nothing moves for idle_ms, the token
 * expires, or *stop is set (seen within a second). A token that was retired, or whose realm is no longer the active one,
 * drains the connection: it ends with close_notify as soon as nothing moves for STREAM_QUIET_MS, or after drain_ms.
 * Half-closed connections are kept up. Makes fd non-blocking; the process ignores SIGPIPE. */
enum gba_err stream_pump(struct stream *stream, int fd, const atomic_int *stop);

#endif
