/* SPDX-License-Identifier: Apache-2.0 */
/** One connection to a Redis server: a socket, perhaps TLS on it, and hiredis's parser. One thread uses it. */
#ifndef GBA_BSF_REDIS_LINK_H
#define GBA_BSF_REDIS_LINK_H

#include <sys/types.h>

#include "bsf/redis.h"

struct redis_link;

/** Connect within conf->timeout_ms. @param why  REDIS_WHY_MAX characters
 * @retval GBA_E_UNREACHABLE, GBA_E_TIMEOUT
 * @retval GBA_E_CONF    certificate files
 * @retval GBA_E_DENIED  the server's certificate */
enum gba_err redis_link_open(const struct redis_conf *conf, struct redis_link **_link, char *why);
void redis_link_close(struct redis_link *link);
int redis_link_fd(const struct redis_link *link);
/** Take as many octets as go without waiting. @return octets, 0: none now, -1: the connection is gone */
ssize_t redis_link_send(struct redis_link *link, const char *p, size_t n);
/** Read what is there. @return false: the connection is gone */
bool redis_link_recv(struct redis_link *link);
/** The next whole answer of those read. @param _reply  NULL: none yet  @return false: not Redis's protocol */
bool redis_link_reply(struct redis_link *link, redisReply **_reply);
/** The row for an answer of the server that is an error. */
enum gba_err redis_reply_err(const redisReply *reply);

#endif
