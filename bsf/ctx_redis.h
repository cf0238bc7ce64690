/* SPDX-License-Identifier: Apache-2.0 */
/** Bootstrap contexts on a Redis server that a pool of BSFs shares: what one stores the others find. Sealed under the pool's
 * key; a context leaves by itself when it expires. Keys, after the prefix:
 *   c:RAND -> sealed record    t:TMPI octets -> RAND    i:HMAC of IMPI -> RANDs by expiry    format -> sealed: proves the key
 * While the server is away everything fails at once; finding waits for the configured time at most. */
#ifndef GBA_BSF_CTX_REDIS_H
#define GBA_BSF_CTX_REDIS_H

#include "bsf/ctx_lmdb.h"
#include "bsf/ctx_store.h"
#include "crypto/seal.h"

struct ctx_redis_conf {
	const char *server;	     /* "host:port", "[v6]:port", "/path"; rediss:// before it: TLS; redis:// changes nothing */
	const char *ca, *cert, *key; /* PEM files, "": none */
	const char *user;	     /* "": the default user */
	const char *password_file;   /* first line; must be ours and closed to others; "": no password */
	const char *prefix;	     /* of all keys */
	unsigned int timeout_ms;
	uint32_t sync;		     /* enum ctx_sync: what the server must be set to */
	bool warn_only;		     /* a server that can lose acknowledged contexts is used nevertheless */
	struct kek *kek;	     /* the same in all BSFs of the pool; lives longer than the store */
};

/** "host:port" and the other forms of ctx_redis_conf.server? */
bool ctx_redis_server_valid(struct bytes text);
/** A server that cannot be reached is no failure: the store is not usable until it can.
 * @param _error  text for the operator below mem_ctx, on failure
 * @retval GBA_E_CORRUPT  the pool's contexts are sealed under another key
 * @retval GBA_E_CONF     the server can lose what it acknowledges; certificate files
 * @retval GBA_E_DENIED   password, certificate
 * @retval GBA_E_UNSUPPORTED  older than 7.0, or built without Redis */
enum gba_err ctx_redis_open(TALLOC_CTX *mem_ctx, const struct ctx_redis_conf *conf, struct ctx_store **_store,
			    const char **_error);

#endif
