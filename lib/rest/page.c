/* SPDX-License-Identifier: Apache-2.0 */
/* What every API shows: pages for people, the CA's files, who the caller is. */
#include <stdio.h>
#include <stdlib.h>

#include "pki/ca.h"
#include "rest/rest_priv.h"

void rest_html_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		default: putc(*text, out);
		}
	}
}

void rest_html_head(FILE *out, const char *title)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>", out);
	rest_html_text(out, title);
	fputs("</title><style>body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}"
	      "th{text-align:left;vertical-align:top;padding-right:1em}code{background:#eee}</style></"
	      "head><body>\n<h1>",
	      out);
	rest_html_text(out, title);
	fputs("</h1>\n", out);
}

void rest_html_reply(struct rest_call *call, FILE *out, char **text, size_t *n)
{
	fputs("</body></html>\n", out);
	if (fclose(out) != 0) {
		rest_refuse(call, PROBLEM_UNAVAILABLE, "out of memory");
	} else {
		rest_body(call, 200, "text/html; charset=utf-8", BYTES(talloc_memdup(call, *text, *n + 1), *n));
		rest_header(call, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
	}
	free(*text);
}

void rest_problems_page(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	int kind;

	if (out == NULL) {
		rest_refuse(call, PROBLEM_UNAVAILABLE, "out of memory");
		return;
	}
	rest_html_head(out, "Problems");
	fputs("<dl>\n", out);
	for (kind = 0; kind < PROBLEM_COUNT; kind++)
		fprintf(out, "<dt id=\"%s\">%s (%u)</dt><dd>%s</dd>\n", problem_code(kind), problem_code(kind),
			problem_status(kind), problem_title(kind));
	fputs("</dl>\n", out);
	rest_html_reply(call, out, &text, &n);
}

void rest_self(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);

	rest_json(call, 200,
		  json_pack("{s:s, s:I, s:s}", "role", call->rest->setup->set->roles[call->actor->role], "id",
			    (json_int_t)call->actor->id, "name", call->actor->name));
}

void rest_crl(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const char *pem;
	enum gba_err err;

	if (call->rest->ca == NULL) {
		rest_refuse(call, PROBLEM_NOT_FOUND, "%s", "");
		return;
	}
	err = ca_crl(call->rest->ca, call, call->rc.now, &pem);
	if (err == GBA_OK)
		rest_body(call, 200, REST_PEM_TYPE, bytes_of(pem));
	else
		rest_fail(call, err);
}

void rest_ca_get(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);

	if (call->rest->ca == NULL)
		rest_refuse(call, PROBLEM_NOT_FOUND, "%s", "");
	else
		rest_body(call, 200, REST_PEM_TYPE, bytes_of(ca_certificate(call->rest->ca)));
}
