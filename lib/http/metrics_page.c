/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/metrics.h"
#include "http/route.h"
#include "http/server.h"

struct page {
	bool (*ready)(void *arg, const char **_missing);
	void *arg;
};

static const struct http_header plain[] = { { "Content-Type", "text/plain" }, { NULL, NULL } };

static void serve_metrics(struct http_req *req, const struct page *page, bool verbose)
{
	/* Prometheus exposition format 0.0.4 */
	const struct http_header headers[] = { { "Content-Type", "text/plain; version=0.0.4" }, { NULL, NULL } };
	size_t n = 0;
	char *text = metrics_text(&n);

	(void)page, (void)verbose;
	if (text == NULL)
		http_reply_error(req, GBA_E_NOMEM);
	else
		http_reply(req, 200, headers, BYTES(text, n));
	free(text);
}

static void serve_live(struct http_req *req, const struct page *page, bool verbose)
{
	(void)page, (void)verbose;
	http_reply(req, 200, plain, bytes_of("live\n"));
}

static void serve_ready(struct http_req *req, const struct page *page, bool verbose)
{
	const struct http_header later[] = { { "Content-Type", "text/plain" }, { "Retry-After", "5" }, { NULL, NULL } };
	const char *missing = NULL;
	char *text;

	if (page->ready == NULL || page->ready(page->arg, &missing)) {
		http_reply(req, 200, plain, bytes_of("ready\n"));
		return;
	}
	text = talloc_asprintf(req, "not ready\n%s%s%s", verbose ? "missing: " : "",
			       verbose ? (missing != NULL ? missing : "not named") : "", verbose ? "\n" : "");
	http_reply(req, 503, later, bytes_of(text != NULL ? text : "not ready\n"));
}

static const struct {
	const char *path;
	void (*serve)(struct http_req *req, const struct page *page, bool verbose);
} pages[] = {
	{ "/metrics", serve_metrics },
	{ "/livez", serve_live },
	{ "/readyz", serve_ready },
};

static void on_request(struct http_req *req, void *arg)
{
	const struct http_header allow[] = { { "Allow", "GET, HEAD" }, { NULL, NULL } };
	struct bytes query, path = route_target_path(http_req_target(req), &query), method = http_req_method(req);
	size_t i;

	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (!bytes_eq_str(path, pages[i].path))
			continue;
		if (bytes_eq_str(method, "GET") || bytes_eq_str(method, "HEAD"))
			pages[i].serve(req, arg, bytes_eq_str(query, "verbose"));
		else
			http_reply(req, 405, allow, bytes_of(""));
		return;
	}
	http_reply(req, 404, plain, bytes_of("not found\n"));
}

enum gba_err http_metrics_start(TALLOC_CTX *mem_ctx, const char *listen, bool (*ready)(void *arg, const char **_missing),
				void *arg, struct http_server **_server, const char **_error)
{
	struct http_conf conf = HTTP_CONF_DEFAULTS;
	struct page *page = talloc(mem_ctx, struct page);
	enum gba_err err;

	if (page == NULL)
		return GBA_E_NOMEM;
	page->ready = ready;
	page->arg = arg;
	conf.listen = listen;
	conf.max_connections = 64;
	conf.max_per_source = 32;
	conf.max_body = 0;
	err = http_server_start(mem_ctx, &conf, on_request, page, _server, _error);
	if (err != GBA_OK) {
		talloc_free(page);
		return err;
	}
	talloc_steal(*_server, page); /* lives as long as its server */
	return GBA_OK;
}
