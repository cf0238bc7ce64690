/* SPDX-License-Identifier: Apache-2.0 */
/** A request that a web server describes and asks about: nginx' auth_request, forward authentication of Traefik and Caddy,
 * external authorisation of Envoy and HAProxy. Each way has its headers, which the web server sets over whatever a device sent;
 * all of a way's are required, so that one left out by mistake is not a device's to fill. Pure functions. */
#ifndef GBA_PROXY_DESCRIBED_H
#define GBA_PROXY_DESCRIBED_H

#include <talloc.h>

#include "naf-adapter/proxy/http1.h"

/** listeners: authorization. */
enum asks {
	ASKS_NOT,	/* devices connect here */
	ASKS_ORIGINAL,	/* X-Original-Method, X-Original-URI, X-Real-IP, and Host */
	ASKS_FORWARDED, /* X-Forwarded-Method, -Uri, -Host, -For (its last address) */
	ASKS_ITSELF,	/* the request is as the device's: method, target, Host */
};
/** listeners: authorization-tls: what the web server speaks with devices. */
enum asks_tls {
	ASKS_TLS_NONE,	 /* HTTP */
	ASKS_TLS_DIGEST, /* TLS; the Ua identifier is HTTP Digest's all the same, 01 00 00 00 02 */
	ASKS_TLS_SUITE,	 /* TLS; X-GBA-TLS-Suite tells the suite: its name as OpenSSL or IANA has it */
};

struct described {
	struct bytes address; /* of the device, valid; absent: not told */
	struct bytes suite;   /* ASKS_TLS_SUITE */
};

/** Put the described request's method, target, path, authority and host into the head, as strictly read as a device's own.
 * @return NULL, or what is missing or malformed: static text for the operator's log */
const char *described_read(TALLOC_CTX *mem_ctx, enum asks how, enum asks_tls tls, struct h1_head *head, struct described *_what);

#endif
