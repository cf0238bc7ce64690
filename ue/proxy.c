/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/proxy.h"

#include "ue/proxy_part.h"

struct proxy {
	struct proxy_conf conf;
	struct url to;
	struct token_source source;
	struct proxy_tls *tls;
};

static const char *const schemes[] = { "tls", NULL };

static enum gba_err start(struct proxy *proxy, struct ue_why *why)
{
	enum gba_err err;

	err = url_parse(proxy, proxy->conf.to, schemes, &proxy->to);
	if (err != GBA_OK)
		return ue_fail(why, err, "%s: not tls://host:port", proxy->conf.to);
	if (!fqdn_valid(bytes_of(proxy->to.host)))
		return ue_fail(why, GBA_E_SYNTAX, "%s: an application has a host name", proxy->conf.to);
	if (proxy->to.port == 0)
		return ue_fail(why, GBA_E_SYNTAX, "%s: a port is needed", proxy->conf.to);
	return proxy_tls_start(proxy, &proxy->conf, &proxy->to, &proxy->source, &proxy->tls, why);
}

enum gba_err proxy_start(TALLOC_CTX *mem_ctx, const struct proxy_conf *conf, struct client *client, struct proxy **_proxy,
			 struct ue_why *why)
{
	struct proxy *proxy = talloc_zero(mem_ctx, struct proxy);
	enum gba_err err;

	if (proxy == NULL)
		return ue_fail(why, GBA_E_NOMEM, "out of memory");
	proxy->conf = *conf;
	proxy->source = client_source(client);
	err = start(proxy, why);
	if (err != GBA_OK) {
		talloc_free(proxy);
		return err;
	}
	*_proxy = proxy;
	return GBA_OK;
}

unsigned int proxy_port(const struct proxy *proxy)
{
	return proxy_tls_port(proxy->tls);
}

void proxy_stop(struct proxy *proxy)
{
	proxy_tls_stop(proxy->tls);
	talloc_free(proxy);
}
