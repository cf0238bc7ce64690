/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/mosquitto/conns.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/socket.h>

#define EXPECTED    65536
#define INDICES_MAX 64 /* of SSL objects, looked through for the broker's */

static struct {
	int index; /* of ours in every SSL; -1: not watching */
	void (*ended)(struct conn *conn);
	struct table by_client;
	struct conn *fresh, *matched, *ending, *told; /* whose handshake has asked for no key yet, and so on */
	uint64_t turn;
	int clients; /* index in which the broker keeps its client; -1: not seen yet */
} me = { .index = -1, .clients = -1 };

static void enter(struct conn **list, struct conn *conn)
{
	conn->list = list;
	conn->prev = NULL;
	conn->next = *list;
	if (*list != NULL)
		(*list)->prev = conn;
	*list = conn;
}

static void leave(struct conn *conn)
{
	*(conn->prev != NULL ? &conn->prev->next : conn->list) = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
}

static struct bytes key_of(const struct conn *conn)
{
	return BYTES(&conn->client, sizeof(conn->client));
}

static void conn_free(struct conn *conn)
{
	if (conn->client != NULL) {
		me.ended(conn);
		table_remove(&me.by_client, &conn->node);
	}
	leave(conn);
	gba_naf_cancel(conn->again);
	gba_naf_result_free(conn->result);
	free(conn);
}

static void on_ssl_new(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	(void)ptr, (void)argl, (void)argp;
	if (conn == NULL)
		return; /* never matched: no key */
	if (CRYPTO_set_ex_data(ad, index, conn) != 1) {
		free(conn);
		return;
	}
	conn->ssl = parent;
	conn->turn = me.turn;
	enter(&me.fresh, conn);
}

static void on_ssl_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	(void)parent, (void)ad, (void)index, (void)argl, (void)argp;
	if (ptr != NULL)
		conn_free(ptr);
}

bool conns_init(TALLOC_CTX *mem_ctx, void (*ended)(struct conn *conn))
{
	me.ended = ended;
	if (!table_init(&me.by_client, mem_ctx, EXPECTED))
		return false;
	me.index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, NULL, on_ssl_new, NULL, on_ssl_free);
	return me.index >= 0;
}

static void free_all(struct conn **list)
{
	while (*list != NULL)
		conn_free(*list);
}

void conns_close(void)
{
	if (me.index < 0)
		return;
	CRYPTO_free_ex_index(CRYPTO_EX_INDEX_SSL, me.index); /* who is freed later does not come back to us */
	me.index = -1;
	free_all(&me.fresh);
	free_all(&me.matched);
	free_all(&me.ending);
	free_all(&me.told);
}

static bool belongs(const struct conn *conn, const void *client)
{
	int i;

	if (me.clients >= 0)
		return SSL_get_ex_data(conn->ssl, me.clients) == client;
	for (i = 0; i < INDICES_MAX; i++) {
		if (i != me.index && SSL_get_ex_data(conn->ssl, i) == client) {
			me.clients = i;
			return true;
		}
	}
	return false;
}

struct conn *conns_match(const void *client)
{
	struct conn *conn = conns_find(client);

	if (conn != NULL)
		return conn;
	for (conn = me.fresh; conn != NULL && !belongs(conn, client); conn = conn->next)
		;
	if (conn == NULL)
		return NULL;
	leave(conn);
	conn->client = client;
	enter(&me.matched, conn);
	table_add(&me.by_client, &conn->node, key_of(conn));
	return conn;
}

struct conn *conns_find(const void *client)
{
	struct table_node *node = me.index >= 0 ? table_find(&me.by_client, BYTES(&client, sizeof(client))) : NULL;

	return node != NULL ? TABLE_OWNER(node, struct conn, node) : NULL;
}

struct conn *conns_first(void)
{
	return me.matched;
}

void conn_end(struct conn *conn, const char *why)
{
	if (conn->end != NULL)
		return;
	conn->end = why;
	leave(conn);
	enter(&me.ending, conn);
}

struct conn *conns_ending(void)
{
	struct conn *conn = me.ending;

	if (conn == NULL)
		return NULL;
	leave(conn);
	enter(&me.told, conn);
	return conn;
}

void conns_turn(void)
{
	me.turn++;
}

uint64_t conns_turns(void)
{
	return me.turn;
}

bool conn_ua_id(const struct conn *conn, uint8_t out[GBA_NAF_UA_ID_LEN])
{
	const SSL_CIPHER *suite = SSL_get_pending_cipher(conn->ssl);

	if (SSL_version(conn->ssl) == TLS1_3_VERSION) {
		gba_naf_ua_id_tls13_psk(out);
		return true;
	}
	if (SSL_version(conn->ssl) != TLS1_2_VERSION || suite == NULL)
		return false;
	gba_naf_ua_id_tls12(SSL_CIPHER_get_protocol_id(suite), out);
	return true;
}

/* OpenSSL looks for PSKs of TLS 1.3 before it reads the extension: it is still raw (RFC 6066 3). */
bool conn_server_name(const struct conn *conn, struct bytes *_name)
{
	const char *read = SSL_get_servername(conn->ssl, TLSEXT_NAMETYPE_host_name);
	const unsigned char *p;
	size_t n;

	*_name = read != NULL ? bytes_of(read) : BYTES(NULL, 0);
	if (read != NULL || SSL_version(conn->ssl) != TLS1_3_VERSION)
		return true;
	if (SSL_client_hello_get0_legacy_version(conn->ssl) == 0)
		return false; /* no hello at hand: nothing is known of the name */
	if (SSL_client_hello_get0_ext(conn->ssl, TLSEXT_TYPE_server_name, &p, &n) != 1)
		return true;
	if (n < 6 || p[2] != TLSEXT_NAMETYPE_host_name || ((size_t)p[3] << 8 | p[4]) != n - 5)
		return false;
	*_name = BYTES(p + 5, n - 5);
	return true;
}

void conn_no_resumption(struct conn *conn)
{
	SSL_CTX *ctx = SSL_get_SSL_CTX(conn->ssl);

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_set_options(conn->ssl, SSL_OP_NO_TICKET); /* the first one was made before */
	SSL_set_num_tickets(conn->ssl, 0);
}

void conn_cut(struct conn *conn)
{
	shutdown(SSL_get_fd(conn->ssl), SHUT_RDWR);
}
