/* SPDX-License-Identifier: Apache-2.0 */
#include "http/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HEADERS_MAX 16

static const struct {
	unsigned int status;
	const char *code, *title;
} rows[] = {
#define ROW(id, status, code, title) { status, code, title },
	PROBLEMS(ROW)
#undef ROW
};

struct problem {
	enum problem_kind kind;
	char *detail;
	size_t n_fields;
	struct {
		char *pointer, *detail;
	} fields[PROBLEM_FIELDS_MAX];
};

unsigned int problem_status(enum problem_kind kind)
{
	return rows[kind].status;
}

const char *problem_code(enum problem_kind kind)
{
	return rows[kind].code;
}

const char *problem_title(enum problem_kind kind)
{
	return rows[kind].title;
}

enum problem_kind problem_of(enum gba_err err)
{
	switch (gba_err_http(err)) {
	case 400: return PROBLEM_FIELDS;
	case 401: return PROBLEM_UNAUTHORIZED;
	case 403: return err == GBA_E_IMPI_UNKNOWN ? PROBLEM_NOT_FOUND : PROBLEM_FORBIDDEN;
	case 404: return PROBLEM_NOT_FOUND;
	case 409: return PROBLEM_CONFLICT;
	case 431: return PROBLEM_FIELDS;
	case 503: return PROBLEM_UNAVAILABLE;
	default: return PROBLEM_INTERNAL;
	}
}

struct problem *problem_new(TALLOC_CTX *mem_ctx, enum problem_kind kind)
{
	struct problem *p = talloc_zero(mem_ctx, struct problem);

	if (p != NULL)
		p->kind = kind;
	return p;
}

struct problem *problem_detail(struct problem *p, const char *fmt, ...)
{
	va_list args;

	if (p == NULL)
		return NULL;
	talloc_free(p->detail);
	va_start(args, fmt);
	p->detail = talloc_vasprintf(p, fmt, args);
	va_end(args);
	return p;
}

void problem_field(struct problem *p, const char *pointer, const char *fmt, ...)
{
	va_list args;

	if (p == NULL || p->n_fields == PROBLEM_FIELDS_MAX)
		return;
	p->fields[p->n_fields].pointer = talloc_strdup(p, pointer);
	va_start(args, fmt);
	p->fields[p->n_fields].detail = talloc_vasprintf(p, fmt, args);
	va_end(args);
	if (p->fields[p->n_fields].pointer != NULL && p->fields[p->n_fields].detail != NULL)
		p->n_fields++;
}

size_t problem_fields(const struct problem *p)
{
	return p->n_fields;
}

enum problem_kind problem_kind(const struct problem *p)
{
	return p->kind;
}

static json_t *fields_json(const struct problem *p)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < p->n_fields; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "pointer", p->fields[i].pointer, "detail",
						      p->fields[i].detail));
	return list;
}

json_t *problem_json(const struct problem *p, const char *instance)
{
	char type[64];
	json_t *root;

	snprintf(type, sizeof(type), "/problems#%s", rows[p->kind].code);
	root = json_pack("{s:s, s:s, s:i, s:s}", "type", type, "title", rows[p->kind].title, "status", (int)rows[p->kind].status,
			 "code", rows[p->kind].code);
	if (root == NULL)
		return NULL;
	if (p->detail != NULL)
		json_object_set_new(root, "detail", json_string(p->detail));
	if (instance != NULL)
		json_object_set_new(root, "instance", json_string(instance));
	if (p->n_fields > 0)
		json_object_set_new(root, "errors", fields_json(p));
	return root;
}

void problem_reply(struct http_req *req, const struct problem *p, const char *instance, const struct http_header *headers)
{
	struct http_header all[HEADERS_MAX + 1] = { { "Content-Type", "application/problem+json" } };
	json_t *root = p != NULL ? problem_json(p, instance) : NULL;
	char *text = root != NULL ? json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	size_t n = 1;

	for (; headers != NULL && headers->name != NULL && n < HEADERS_MAX; headers++)
		all[n++] = *headers;
	all[n] = (struct http_header){ NULL, NULL };
	if (text != NULL)
		http_reply(req, rows[p->kind].status, all, bytes_of(text));
	else
		http_reply_error(req, GBA_E_NOMEM);
	free(text);
	json_decref(root);
}
