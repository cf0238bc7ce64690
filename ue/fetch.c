/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/fetch.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct fetch_curl {
	CURL *easy;
	char *tls_name; /* of the connections kept alive; NULL: none that have one */
};

/* One exchange while it runs. */
struct exchange {
	TALLOC_CTX *mem_ctx;
	const struct fetch_ask *ask;
	struct fetch_answer *answer;
	CURL *easy;
	struct curl_slist *headers, *connect;
	uint8_t *body;
	size_t body_n, head_n;
	enum gba_err err; /* why a callback ended the transfer */
	char error[CURL_ERROR_SIZE];
};

struct bytes fetch_header(const struct fetch_answer *answer, const char *name)
{
	size_t i;

	for (i = 0; i < answer->header_count; i++) {
		if (strcasecmp(answer->headers[i].name, name) == 0)
			return bytes_of(answer->headers[i].value);
	}
	return BYTES_NONE;
}

/* Products are separated by blanks and may end in "/version". */
bool fetch_has_token(const struct fetch_answer *answer, const char *name, const char *token)
{
	struct bytes value = fetch_header(answer, name);
	const char *p = (const char *)value.p;
	size_t n = strlen(token);

	while (p != NULL && *p != '\0') {
		size_t len = strcspn(p, " \t,");

		if (len >= n && strncasecmp(p, token, n) == 0 && (len == n || p[n] == '/'))
			return true;
		p += len;
		p += strspn(p, " \t,");
	}
	return false;
}

static int fetch_curl_close(struct fetch_curl *curl)
{
	curl_easy_cleanup(curl->easy);
	return 0;
}

enum gba_err fetch_curl_new(TALLOC_CTX *mem_ctx, struct fetch_curl **_curl)
{
	struct fetch_curl *curl = talloc_zero(mem_ctx, struct fetch_curl);

	if (curl == NULL)
		return GBA_E_NOMEM;
	curl->easy = curl_easy_init();
	if (curl->easy == NULL) {
		talloc_free(curl);
		return GBA_E_NOMEM;
	}
	talloc_set_destructor(curl, fetch_curl_close);
	*_curl = curl;
	return GBA_OK;
}

bool fetch_curl_drop(struct fetch_curl *curl)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		return false;
	curl_easy_cleanup(curl->easy);
	curl->easy = easy;
	TALLOC_FREE(curl->tls_name);
	return true;
}

/* libcurl knows nothing of tokens: to it all connections without certificates are alike. */
static bool close_others(struct fetch_curl *curl, const struct fetch_ask *ask)
{
	if (ask->tls_setup == NULL || ask->tls_name == NULL)
		return true;
	if (curl->tls_name != NULL && strcmp(curl->tls_name, ask->tls_name) == 0)
		return true;
	if (curl->tls_name != NULL && !fetch_curl_drop(curl))
		return false;
	curl->tls_name = talloc_strdup(curl, ask->tls_name);
	return curl->tls_name != NULL;
}

/* Which suite the connection uses: known once the first octet of the answer is here. */
static void note_tls(struct exchange *x)
{
	const struct curl_tlssessioninfo *info = NULL;
	SSL *ssl;

	if (curl_easy_getinfo(x->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == NULL ||
	    info->backend != CURLSSLBACKEND_OPENSSL || info->internals == NULL)
		return;
	ssl = info->internals;
	if (SSL_get_current_cipher(ssl) == NULL)
		return;
	x->answer->tls_suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl));
	x->answer->tls_version = (unsigned int)SSL_version(ssl);
	if (x->ask->tls_setup != NULL && x->ask->tls_done != NULL)
		x->ask->tls_done(ssl, x->ask->tls_arg);
}

static size_t stop(struct exchange *x, enum gba_err err)
{
	x->err = err;
	return 0; /* libcurl ends the transfer */
}

/* A head starts: an interim (1xx) answer before it does not count. */
static void new_head(struct exchange *x)
{
	x->answer->header_count = 0;
	note_tls(x);
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	struct fetch_answer *answer = x->answer;
	struct bytes name, value;

	n *= size;
	x->head_n += n;
	if (x->head_n > FETCH_HEAD_MAX)
		return stop(x, GBA_E_TOO_LONG);
	if (n > 5 && memcmp(data, "HTTP/", 5) == 0) {
		new_head(x);
		return n;
	}
	if (!bytes_split(BYTES(data, n), ':', &name, &value))
		return n;
	while (value.n > 0 && strchr(" \t", value.p[0]) != NULL)
		value.p++, value.n--;
	while (value.n > 0 && strchr(" \t\r\n", value.p[value.n - 1]) != NULL)
		value.n--;
	if (answer->header_count >= FETCH_HEADERS_MAX || memchr(data, '\0', n) != NULL)
		return stop(x, GBA_E_PEER);
	answer->headers[answer->header_count].name = talloc_strndup(answer->headers, (const char *)name.p, name.n);
	answer->headers[answer->header_count].value = talloc_strndup(answer->headers, (const char *)value.p, value.n);
	if (answer->headers[answer->header_count].name == NULL || answer->headers[answer->header_count].value == NULL)
		return stop(x, GBA_E_NOMEM);
	answer->header_count++;
	return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t cap = talloc_get_size(x->body);

	n *= size;
	if (n > x->ask->max_body - x->body_n)
		return stop(x, GBA_E_TOO_LONG);
	if (n > cap - x->body_n) {
		uint8_t *more = talloc_realloc_size(x->mem_ctx, x->body, (x->body_n + n) * 2);

		if (more == NULL)
			return stop(x, GBA_E_NOMEM);
		x->body = more;
	}
	memcpy(x->body + x->body_n, data, n);
	x->body_n += n;
	return n;
}

/* A line that libcurl would make itself is switched off by "Name:". */
static enum gba_err add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = line != NULL ? curl_slist_append(*list, line) : NULL;

	if (more == NULL)
		return GBA_E_NOMEM;
	*list = more;
	return GBA_OK;
}

static enum gba_err set_headers(struct exchange *x)
{
	const struct fetch_header *header = x->ask->headers;
	enum gba_err err = add_line(&x->headers, "Expect:");

	for (; err == GBA_OK && header != NULL && header->name != NULL; header++) {
		char *line;

		if (strpbrk(header->name, ":\r\n \t") != NULL || strpbrk(header->value, "\r\n") != NULL)
			return GBA_E_SYNTAX;
		line = talloc_asprintf(x->mem_ctx, header->value[0] != '\0' ? "%s: %s" : "%s;", header->name,
				       header->value);
		err = add_line(&x->headers, line);
		talloc_free(line);
	}
	if (err == GBA_OK)
		curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
	return err;
}

static enum gba_err set_connect(CURL *easy, const char *connect, struct curl_slist **_list)
{
	char line[1024];

	if (connect == NULL || connect[0] == '\0')
		return GBA_OK;
	snprintf(line, sizeof(line), "::%s", connect); /* any host, any port */
	if (add_line(_list, line) != GBA_OK)
		return GBA_E_NOMEM;
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, *_list);
	return GBA_OK;
}

static void set_common(CURL *easy, unsigned int timeout_ms, char *error)
{
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
}

static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
	struct exchange *x = arg;

	(void)easy;
	x->ask->tls_setup(ssl_ctx, x->ask->tls_arg);
	return CURLE_OK;
}

static void set_tls(struct exchange *x)
{
	static const long versions[] = {
		[FETCH_TLS_ANY] = CURL_SSLVERSION_TLSv1_2,
		[FETCH_TLS_12] = CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2,
		[FETCH_TLS_13] = CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3,
	};
	bool psk = x->ask->tls_setup != NULL;

	curl_easy_setopt(x->easy, CURLOPT_SSLVERSION, versions[x->ask->tls]);
	curl_easy_setopt(x->easy, CURLOPT_SSL_SESSIONID_CACHE, 0L); /* a session would outlive its token */
	curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYPEER, psk ? 0L : 1L);
	curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYHOST, psk ? 0L : 2L);
	if (x->ask->ca_file != NULL && x->ask->ca_file[0] != '\0')
		curl_easy_setopt(x->easy, CURLOPT_CAINFO, x->ask->ca_file);
	if (psk) {
		curl_easy_setopt(x->easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
		curl_easy_setopt(x->easy, CURLOPT_SSL_CTX_DATA, x);
		curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, x->ask->tls_name == NULL ? 1L : 0L);
		curl_easy_setopt(x->easy, CURLOPT_FORBID_REUSE, x->ask->tls_name == NULL ? 1L : 0L);
	}
}

static enum gba_err set_request(struct exchange *x)
{
	const struct fetch_ask *ask = x->ask;
	CURL *easy = x->easy;
	enum gba_err err;

	curl_easy_reset(easy);
	set_common(easy, ask->timeout_ms, x->error);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_URL, ask->url);
	curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, ask->target); /* Digest's uri must be what goes out */
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, ask->method);
	curl_easy_setopt(easy, CURLOPT_NOBODY, strcmp(ask->method, "HEAD") == 0 ? 1L : 0L);
	if (ask->body.p != NULL) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.n);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, ask->body.p);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, ask->method);
	}
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
	set_tls(x);
	err = set_headers(x);
	return err == GBA_OK ? set_connect(easy, ask->connect, &x->connect) : err;
}

static enum gba_err curl_err(CURLcode code)
{
	switch (code) {
	case CURLE_OK: return GBA_OK;
	case CURLE_OPERATION_TIMEDOUT: return GBA_E_TIMEOUT;
	case CURLE_OUT_OF_MEMORY: return GBA_E_NOMEM;
	case CURLE_URL_MALFORMAT: return GBA_E_SYNTAX;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE: return GBA_E_UNREACHABLE;
	default: return GBA_E_PEER;
	}
}

static enum gba_err perform(struct exchange *x, struct why *why)
{
	CURLcode code = curl_easy_perform(x->easy);
	curl_off_t retry_after = 0;
	long status = 0;
	enum gba_err err = x->err != GBA_OK ? x->err : curl_err(code);

	if (err == GBA_E_TOO_LONG)
		return why_fail(why, err, "%s: answer longer than %zu octets", x->ask->url, x->ask->max_body);
	if (err != GBA_OK)
		return why_fail(why, err, "%s: %s", x->ask->url,
			       x->error[0] != '\0' ? x->error : curl_easy_strerror(code));
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &retry_after);
	x->answer->status = (unsigned int)status;
	x->answer->retry_after = retry_after > 0 && retry_after < UINT32_MAX ? (unsigned int)retry_after : 0;
	x->answer->body = BYTES(x->body, x->body_n);
	return GBA_OK;
}

static enum gba_err fetch_by_curl(void *arg, TALLOC_CTX *mem_ctx, const struct fetch_ask *ask,
				  struct fetch_answer *_answer, struct why *why)
{
	struct fetch_curl *curl = arg;
	struct exchange x = { .mem_ctx = mem_ctx, .ask = ask, .answer = _answer };
	enum gba_err err;

	memset(_answer, 0, sizeof(*_answer));
	_answer->headers = talloc_array(mem_ctx, struct fetch_header, FETCH_HEADERS_MAX);
	x.body = talloc_size(mem_ctx, 4096);
	if (_answer->headers == NULL || x.body == NULL || !close_others(curl, ask))
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	x.easy = curl->easy;
	err = set_request(&x);
	if (err == GBA_OK)
		err = perform(&x, why);
	else
		why_fail(why, err, "%s: request cannot be made: %s", ask->url, gba_strerror(err));
	curl_easy_reset(curl->easy); /* nothing of this frame stays behind in the handle */
	curl_slist_free_all(x.headers);
	curl_slist_free_all(x.connect);
	return err;
}

struct fetcher fetch_curl_fetcher(struct fetch_curl *curl)
{
	return (struct fetcher){ fetch_by_curl, curl };
}

enum gba_err fetch_curl_connect(struct fetch_curl *curl, const char *host, unsigned int port, const char *connect,
				unsigned int timeout_ms, int *_fd, struct why *why)
{
	struct curl_slist *list = NULL;
	char url[512], error[CURL_ERROR_SIZE] = "";
	curl_socket_t fd = CURL_SOCKET_BAD;
	CURLcode code;

	snprintf(url, sizeof(url), "http://%s:%u/", host, port);
	curl_easy_reset(curl->easy);
	set_common(curl->easy, timeout_ms, error);
	curl_easy_setopt(curl->easy, CURLOPT_URL, url);
	curl_easy_setopt(curl->easy, CURLOPT_CONNECT_ONLY, 1L);
	if (set_connect(curl->easy, connect, &list) != GBA_OK)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	code = curl_easy_perform(curl->easy);
	if (code == CURLE_OK)
		code = curl_easy_getinfo(curl->easy, CURLINFO_ACTIVESOCKET, &fd);
	curl_easy_setopt(curl->easy, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(curl->easy, CURLOPT_CONNECT_TO, NULL);
	curl_slist_free_all(list);
	if (code != CURLE_OK || fd == CURL_SOCKET_BAD)
		return why_fail(why, code != CURLE_OK ? curl_err(code) : GBA_E_UNREACHABLE, "%s:%u: %s", host, port,
			       error[0] != '\0' ? error : curl_easy_strerror(code));
	*_fd = fd;
	return GBA_OK;
}
