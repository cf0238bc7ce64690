/* SPDX-License-Identifier: Apache-2.0 */
/** The two ways of the proxy; used by proxy.c only. */
#ifndef GBA_UE_PROXY_PART_H
#define GBA_UE_PROXY_PART_H

#include "ue/proxy.h"
#include "ue/url.h"

struct proxy_tls;
enum gba_err proxy_tls_start(TALLOC_CTX *mem_ctx, const struct proxy_conf *conf, const struct url *to,
			     const struct token_source *source, struct proxy_tls **_part, struct why *why);
unsigned int proxy_tls_port(const struct proxy_tls *part);
void proxy_tls_stop(struct proxy_tls *part);

struct proxy_http;
enum gba_err proxy_http_start(TALLOC_CTX *mem_ctx, const struct proxy_conf *conf, const struct url *to,
			      const struct token_source *source, struct proxy_http **_part, struct why *why);
unsigned int proxy_http_port(const struct proxy_http *part);
void proxy_http_stop(struct proxy_http *part);

#endif
