/* SPDX-License-Identifier: Apache-2.0 */
/* What stands without Redis, too. */
#include <string.h>

#include "bsf/ctx_redis.h"

bool ctx_redis_server_valid(struct bytes text)
{
	const char *p = (const char *)text.p, *colon;
	size_t port = 0;

	if (text.n > 9 && memcmp(p, "rediss://", 9) == 0)
		text = BYTES(p + 9, text.n - 9);
	else if (text.n > 8 && memcmp(p, "redis://", 8) == 0)
		text = BYTES(p + 8, text.n - 8);
	p = (const char *)text.p;
	if (text.n > 1 && p[0] == '/')
		return true;
	colon = memrchr(p, ':', text.n);
	if (colon == NULL || colon == p || memchr(p, '@', text.n) != NULL || memchr(p, '/', text.n) != NULL)
		return false;
	for (p = colon + 1; p < (const char *)text.p + text.n; p++) {
		if (*p < '0' || *p > '9')
			return false;
		port = port * 10 + (size_t)(*p - '0');
		if (port > 65535)
			return false;
	}
	return port > 0;
}

#ifndef HAVE_REDIS
enum gba_err ctx_redis_open(TALLOC_CTX *mem_ctx, const struct ctx_redis_conf *conf, struct ctx_store **_store,
			    const char **_error)
{
	(void)_store;
	*_error = talloc_asprintf(mem_ctx, "Redis %s: built without Redis", conf->server);
	return GBA_E_UNSUPPORTED;
}
#endif
