/* SPDX-License-Identifier: Apache-2.0 */
/** The broker's TLS connections as OpenSSL makes and frees them. The broker tells a plugin neither the TLS version nor the suite of
 * a handshake, and the NAF_Id depends on both (TS 33.220 H.2); nor does it tell when a connection that never said CONNECT
 * ends. OpenSSL tells both to whoever has an index for SSL objects (CRYPTO_get_ex_new_index(3)), and the broker keeps its client in
 * its own index, which is how the two are matched. One thread: the broker's. */
#ifndef GBA_MQTT_CONNS_H
#define GBA_MQTT_CONNS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <talloc.h>

#include "core/ident.h"
#include "naf-adapter/agent/table.h"
#include "naf-adapter/libnaf/gba-naf.h"

struct session;

struct conn {
	struct conn *prev, *next;
	struct conn **list;	  /* in which it is */
	struct table_node node;	  /* by client */
	SSL *ssl;
	const void *client;	       /* struct mosquitto *; NULL: not known yet */
	struct gba_naf_result *result; /* whose key the handshake was given; NULL: none */
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
	struct gba_naf_request *again; /* the key is asked for again */
	bool doubt;		       /* it has to be */
	const char *end;	       /* why the connection has to end; NULL: it has not. conn_end() sets it */
	uint64_t turn;		       /* of the broker's loop, when the connection was made */
	struct session *session;       /* since CONNECT */
	char corr[CORR_LEN + 1];
};

/** Watch all SSL objects made from now on. @param ended  called before a connection is freed
 * @return false: OpenSSL has no index left, or out of memory */
bool conns_init(TALLOC_CTX *mem_ctx, void (*ended)(struct conn *conn));
/** Forget all, also for SSL objects that are freed later. */
void conns_close(void);
/** The connection of a client during its handshake. @return NULL: it has no SSL of our OpenSSL */
struct conn *conns_match(const void *client);
/** The connection of a client that was matched before. @return NULL: it was not */
struct conn *conns_find(const void *client);
/** All that were matched and do not have to end; then their `next`. */
struct conn *conns_first(void);
/** Mark it. @param why  static text, for the log */
void conn_end(struct conn *conn, const char *why);
/** One that has to end: is given out once. @return NULL: none */
struct conn *conns_ending(void);
/** The broker's loop goes round. */
void conns_turn(void);
uint64_t conns_turns(void);

/** Which Ua security protocol this handshake is for. @return false: none of GBA's */
bool conn_ua_id(const struct conn *conn, uint8_t out[GBA_NAF_UA_ID_LEN]);
/** The server name of this handshake as it was sent; empty: none. @return false: what was sent is no name */
bool conn_server_name(const struct conn *conn, struct bytes *_name);
/** Sessions of this listener end with their connections: no tickets, no cache. */
void conn_no_resumption(struct conn *conn);
/** End it without an alert, which would tell the device that its key is no good. */
void conn_cut(struct conn *conn);

#endif
