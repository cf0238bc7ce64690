/* SPDX-License-Identifier: Apache-2.0 */
#include "http/route.h"

#include <string.h>

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %xx to octets; '+' stays what it is: these are no forms. NUL and control octets are nobody's identity. */
static enum gba_err decode(TALLOC_CTX *mem_ctx, struct bytes in, const char **_out)
{
	char *out = talloc_size(mem_ctx, in.n + 1);
	size_t i, n = 0;

	if (out == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < in.n; i++) {
		int c = in.p[i];

		if (c == '%') {
			if (i + 2 >= in.n || digit(in.p[i + 1]) < 0 || digit(in.p[i + 2]) < 0)
				return GBA_E_SYNTAX;
			c = digit(in.p[i + 1]) << 4 | digit(in.p[i + 2]);
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return GBA_E_SYNTAX;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	if (n > ROUTE_VALUE_MAX)
		return GBA_E_TOO_LONG;
	*_out = out;
	return GBA_OK;
}

struct bytes route_target_path(struct bytes target, struct bytes *_query)
{
	struct bytes path = target, scheme, rest;

	*_query = BYTES_NONE;
	bytes_split(target, '?', &path, _query);
	if ((path.n > 0 && path.p[0] == '/') || !bytes_split(path, ':', &scheme, &rest) || rest.n < 2 ||
	    memcmp(rest.p, "//", 2) != 0)
		return path;
	rest = BYTES(rest.p + 2, rest.n - 2); /* whoever is addressed by it: Host is not looked at, either */
	while (rest.n > 0 && rest.p[0] != '/')
		rest = BYTES(rest.p + 1, rest.n - 1);
	return rest.n > 0 ? rest : bytes_of("/");
}

static struct bytes segment(struct bytes *path)
{
	struct bytes head, tail;

	if (!bytes_split(*path, '/', &head, &tail)) {
		head = *path;
		tail = BYTES_NONE;
	}
	*path = tail;
	return head;
}

/* @param params  raw, as many as the template has  @return false: another path */
static bool path_matches(const char *template, struct bytes path, struct bytes params[ROUTE_PARAMS_MAX])
{
	struct bytes want = bytes_of(template);
	size_t n = 0;

	while (want.p != NULL && path.p != NULL) {
		struct bytes w = segment(&want), p = segment(&path);
		bool is_param = w.n > 2 && w.p[0] == '{';

		if (is_param ? p.n == 0 || n == ROUTE_PARAMS_MAX : !bytes_eq(w, p))
			return false;
		if (is_param)
			params[n++] = p;
	}
	return want.p == NULL && path.p == NULL;
}

static bool method_matches(const char *method, struct bytes asked)
{
	return bytes_eq_str(asked, method) || (bytes_eq_str(asked, "HEAD") && strcmp(method, "GET") == 0);
}

static enum gba_err params_decode(TALLOC_CTX *mem_ctx, const struct bytes params[ROUTE_PARAMS_MAX], struct route_call *_call)
{
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < ROUTE_PARAMS_MAX && params[i].p != NULL; i++)
		err = decode(mem_ctx, params[i], &_call->param[i]);
	return err;
}

static bool is_listed(const char *list, const char *word)
{
	size_t n = strlen(word);
	const char *at;

	for (at = list; at != NULL && *at != '\0'; at += strcspn(at, " "), at += *at == ' ') {
		if (strncmp(at, word, n) == 0 && (at[n] == ' ' || at[n] == '\0'))
			return n > 0;
	}
	return false;
}

static enum gba_err query_add(TALLOC_CTX *mem_ctx, struct bytes pair, struct route_call *_call, const char **_fault)
{
	struct bytes name = pair, value = BYTES(pair.p + pair.n, 0);
	struct route_query *q = &_call->query[_call->n_query];
	enum gba_err err;

	bytes_split(pair, '=', &name, &value);
	err = decode(mem_ctx, name, &q->name);
	if (err != GBA_OK)
		return err;
	*_fault = q->name;
	if (!is_listed(_call->route->query, q->name) || route_query_value(_call, q->name) != NULL)
		return GBA_E_SYNTAX;
	err = decode(mem_ctx, value, &q->value);
	if (err != GBA_OK)
		return err;
	_call->n_query++;
	*_fault = NULL;
	return GBA_OK;
}

static enum gba_err query_parse(TALLOC_CTX *mem_ctx, struct bytes query, struct route_call *_call, const char **_fault)
{
	enum gba_err err = GBA_OK;
	struct bytes pair;

	while (err == GBA_OK && query.n > 0) {
		struct bytes rest = BYTES_NONE;

		if (!bytes_split(query, '&', &pair, &rest))
			pair = query;
		query = rest;
		if (_call->n_query == ROUTE_QUERY_MAX)
			return GBA_E_TOO_LONG;
		err = query_add(mem_ctx, pair, _call, _fault);
	}
	return err;
}

static void allow_add(TALLOC_CTX *mem_ctx, const char *method, const char **_allow)
{
	const char *head = strcmp(method, "GET") == 0 ? "GET, HEAD" : method;

	*_allow = *_allow == NULL ? talloc_strdup(mem_ctx, head) : talloc_asprintf(mem_ctx, "%s, %s", *_allow, head);
}

enum gba_err route_find(TALLOC_CTX *mem_ctx, const struct route *rows, struct bytes method, struct bytes target,
			struct route_call *_call, const char **_allow, const char **_fault)
{
	struct bytes query, path = route_target_path(target, &query);
	enum gba_err err;

	*_allow = *_fault = NULL;
	for (; rows->method != NULL; rows++) {
		struct bytes params[ROUTE_PARAMS_MAX] = { { NULL, 0 } };

		if (!path_matches(rows->path, path, params))
			continue;
		if (!method_matches(rows->method, method)) {
			allow_add(mem_ctx, rows->method, _allow);
			continue;
		}
		*_call = (struct route_call){ .route = rows, .head = bytes_eq_str(method, "HEAD") };
		err = params_decode(mem_ctx, params, _call);
		return err == GBA_OK ? query_parse(mem_ctx, query, _call, _fault) : err;
	}
	return *_allow != NULL ? GBA_E_UNSUPPORTED : GBA_E_NOT_FOUND;
}

const char *route_query_value(const struct route_call *call, const char *name)
{
	size_t i;

	for (i = 0; i < call->n_query; i++) {
		if (strcmp(call->query[i].name, name) == 0)
			return call->query[i].value;
	}
	return NULL;
}

static struct bytes trim(struct bytes v)
{
	while (v.n > 0 && (v.p[0] == ' ' || v.p[0] == '\t'))
		v = BYTES(v.p + 1, v.n - 1);
	while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
		v.n--;
	return v;
}

/* Is there a "q=0", "q=0.000" among the parameters? */
static bool refuses(struct bytes params)
{
	struct bytes one, rest;
	size_t i;

	for (; params.n > 0; params = rest) {
		rest = BYTES_NONE;
		one = params;
		bytes_split(params, ';', &one, &rest);
		one = trim(one);
		if (one.n < 3 || !bytes_eq_nocase(BYTES(one.p, 2), bytes_of("q=")))
			continue;
		for (i = 2; i < one.n && (one.p[i] == '0' || one.p[i] == '.'); i++)
			;
		if (i == one.n)
			return true;
	}
	return false;
}

/* 3: the type itself, 2: its family, 1: any, 0: not this range. The most precise range decides (RFC 9110 12.5.1). */
static int range_fits(struct bytes range, const char *type)
{
	size_t family = (size_t)(strchr(type, '/') - type) + 1;

	if (bytes_eq_nocase(range, bytes_of(type)))
		return 3;
	if (range.n == family + 1 && range.p[family] == '*' && bytes_eq_nocase(BYTES(range.p, family), BYTES(type, family)))
		return 2;
	return bytes_eq_str(range, "*/*") ? 1 : 0;
}

bool accept_takes(struct bytes accept, const char *type)
{
	struct bytes item, range, params, rest;
	bool takes = trim(accept).n == 0;
	int best = 0, fit;

	for (; accept.n > 0; accept = rest) {
		rest = BYTES_NONE;
		item = accept;
		bytes_split(accept, ',', &item, &rest);
		range = item;
		params = BYTES_NONE;
		bytes_split(item, ';', &range, &params);
		fit = range_fits(trim(range), type);
		if (fit > best) {
			best = fit;
			takes = !refuses(params);
		}
	}
	return takes;
}

bool content_type_is(struct bytes content_type, const char *type)
{
	struct bytes media = content_type, param = BYTES_NONE;

	bytes_split(content_type, ';', &media, &param);
	if (!bytes_eq_nocase(trim(media), bytes_of(type)))
		return false;
	param = trim(param);
	return param.n == 0 || bytes_eq_nocase(param, bytes_of("charset=utf-8")) ||
	       bytes_eq_nocase(param, bytes_of("charset=\"utf-8\""));
}
