/* SPDX-License-Identifier: Apache-2.0 */
/** One HTTP exchange, bounded in time and size, over libcurl; what Ub and Ua send is theirs, nothing is added here: no
 * redirect is followed, no proxy of the environment used, no password of a file, no cookie, no encoding asked for.
 * Tests put a struct of their own in its place. */
#ifndef GBA_UE_FETCH_H
#define GBA_UE_FETCH_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"
#include "core/why.h"

#define FETCH_HEAD_MAX    65536 /* [octets] of an answer's head */
#define FETCH_HEADERS_MAX 64    /* in an answer; more are refused */

enum fetch_tls { FETCH_TLS_ANY, FETCH_TLS_12, FETCH_TLS_13 }; /* 1.2 or later; exactly 1.2; exactly 1.3 */

struct fetch_header {
	const char *name, *value;
};

struct fetch_answer;

struct fetch_ask {
	const char *method;
	const char *url;
	const char *target;  /* request-target, when it must be exactly this; NULL: the URL's */
	const char *connect; /* "address:port" instead of the URL's; NULL or "": none */
	const char *ca_file; /* PEM for https; NULL or "": the system's */
	enum fetch_tls tls;
	const struct fetch_header *headers; /* sent in this order after Host; ends with a NULL name */
	struct bytes body;                  /* absent: no body */
	size_t max_body;                    /* [octets] of the answer */
	unsigned int timeout_ms;            /* for everything: name, connection, TLS, answer */
	/** Called with OpenSSL's SSL_CTX before the handshake; NULL: certificates as usual. With it set, certificates
	 * are not checked here: what it installs must authenticate the server. */
	void (*tls_setup)(void *ssl_ctx, void *arg);
	/** Called with OpenSSL's SSL once it is authenticated: tls_arg ends with the exchange, the connection may not. */
	void (*tls_done)(void *ssl, void *arg);
	void *tls_arg;
	/** With tls_setup: by what the connection is authenticated. One kept alive under the same name is used again, those
	 * of other names are closed. NULL: a connection for this exchange alone. */
	const char *tls_name;
	/** CoAP: wait for so many answers, the first and what the resource then becomes (RFC 7641), each within timeout_ms. 0: one,
	 * nothing is observed. All but the last are told, below the same context. */
	unsigned int observe;
	void (*told)(void *arg, const struct fetch_answer *answer);
	void *told_arg;
};

/** All below the context given. */
struct fetch_answer {
	unsigned int status;
	const char *code; /* of CoAP: "2.05"; NULL: HTTP */
	struct fetch_header *headers;
	size_t header_count;
	struct bytes body;
	unsigned int retry_after; /* [s] of the header Retry-After, 0: none */
	uint16_t tls_suite;       /* code point negotiated; 0: no TLS */
	unsigned int tls_version; /* 0x0303, 0x0304, of DTLS 0xfefd; 0: no TLS */
};

/** @retval GBA_E_UNREACHABLE  name, connection or TLS handshake (why tells)
 * @retval GBA_E_TIMEOUT
 * @retval GBA_E_TOO_LONG      head or body beyond the limit
 * @retval GBA_E_PEER          not HTTP, or cut short */
struct fetcher {
	enum gba_err (*fetch)(void *arg, TALLOC_CTX *mem_ctx, const struct fetch_ask *ask, struct fetch_answer *_answer,
			      struct why *why);
	void *arg;
};

/** First value of a header, no case; absent: p == NULL. */
struct bytes fetch_header(const struct fetch_answer *answer, const char *name);
/** Does a product token occur in a header such as Server or User-Agent? */
bool fetch_has_token(const struct fetch_answer *answer, const char *name, const char *token);

struct fetch_curl;
/** A connection's worth of libcurl: keeps it alive between exchanges. One thread at a time. curl_global_init() was
 * called. */
enum gba_err fetch_curl_new(TALLOC_CTX *mem_ctx, struct fetch_curl **_curl);
struct fetcher fetch_curl_fetcher(struct fetch_curl *curl);
/** Close the connections kept alive: the next exchange shakes hands anew. @return false: out of memory, nothing done */
bool fetch_curl_drop(struct fetch_curl *curl);

/** Connect TCP only, name resolution included. @param _fd  stays curl's: closed by fetch_curl_drop() or with curl */
enum gba_err fetch_curl_connect(struct fetch_curl *curl, const char *host, unsigned int port, const char *connect,
				unsigned int timeout_ms, int *_fd, struct why *why);

#endif
