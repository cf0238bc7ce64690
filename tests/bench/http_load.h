/* SPDX-License-Identifier: Apache-2.0 */
/** http_load: many keep-alive connections, one thread, closed or open loop. What a connection says is the script's: a whole
 * bootstrap on Ub, which is two GETs, after the other. */
#ifndef GBA_BENCH_HTTP_LOAD_H
#define GBA_BENCH_HTTP_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_ROOM 8192 /* [octets] of a request or a response */

struct http_conf {
	const char *host; /* Host header; realm of Ub */
	const char *impi; /* "%u" stands for ten digits, 0 .. users-1 */
	unsigned int users;
	uint8_t k[16], opc[16];
	const char *application; /* named in both requests, or NULL */
	const char *tokens; /* file that gets a line for each bootstrap, or NULL */
};

struct http_response {
	unsigned int status;
	const char *head; /* NUL-terminated, status line included */
	const char *body; /* not terminated */
	size_t body_len;
};

enum http_next { HTTP_DONE, HTTP_SEND, HTTP_BAD };

/** @param turn  0 at the first request of a transaction, then how many responses it has had
 * @param i     number of the transaction
 * @param response  NULL at turn 0
 * @param out   HTTP_ROOM octets for the next request; *_len its length, written on HTTP_SEND */
enum http_next http_script(const struct http_conf *conf, unsigned int turn, uint64_t i, const struct http_response *response,
			   char *out, size_t *_len);

#endif
