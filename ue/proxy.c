/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/proxy.h"

#include "ue/proxy_part.h"

struct proxy {
	struct proxy_conf conf;
	struct url to;
	struct token_source source;
	struct proxy_tls *tls; /* one of the two */
	struct proxy_http *http;
};

static const char *const schemes[] = { "tls", "https", "http", NULL };

static enum gba_err start(struct proxy *proxy, struct why *why)
{
	enum gba_err err;

	err = url_parse(proxy, proxy->conf.to, schemes, &proxy->to);
	if (err != GBA_OK)
		return why_fail(why, err, "%s: not tls://host:port, https://host or http://host", proxy->conf.to);
	if (!fqdn_valid(bytes_of(proxy->to.host)))
		return why_fail(why, GBA_E_SYNTAX, "%s: an application has a host name", proxy->conf.to);
	if (strcmp(proxy->to.scheme, "tls") != 0)
		return proxy_http_start(proxy, &proxy->conf, &proxy->to, &proxy->source, &proxy->http, why);
	if (proxy->to.port == 0)
		return why_fail(why, GBA_E_SYNTAX, "%s: a port is needed", proxy->conf.to);
	return proxy_tls_start(proxy, &proxy->conf, &proxy->to, &proxy->source, &proxy->tls, why);
}

enum gba_err proxy_start(TALLOC_CTX *mem_ctx, const struct proxy_conf *conf, struct client *client,
			 struct proxy **_proxy, struct why *why)
{
	struct proxy *proxy = talloc_zero(mem_ctx, struct proxy);
	enum gba_err err;

	if (proxy == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
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
	return proxy->tls != NULL ? proxy_tls_port(proxy->tls) : proxy_http_port(proxy->http);
}

void proxy_stop(struct proxy *proxy)
{
	if (proxy->tls != NULL)
		proxy_tls_stop(proxy->tls);
	else
		proxy_http_stop(proxy->http);
	talloc_free(proxy);
}
