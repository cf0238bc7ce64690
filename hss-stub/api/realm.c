/* SPDX-License-Identifier: Apache-2.0 */
/* What a realm makes known (Y.3056 10.1): its profile and token format for programs and for people, and both
 * procedures. */
#include <stdio.h>
#include <stdlib.h>

#include "hss-stub/api/api_priv.h"
#include "hss-stub/api/pack.h"

struct record *api_realm_record(struct rest_call *call)
{
	const struct actor system = { ACTOR_SYSTEM, 0, "open" }, *caller = call->rc.actor;
	struct record_query query = { .kind = KIND_REALM, .limit = 1 };
	struct record_page *page = NULL;
	enum gba_err err;

	call->rc.actor = &system;
	err = records_list(call->r, &call->rc, &query, &page);
	call->rc.actor = caller;
	if (err == GBA_OK && page->count == 1)
		return page->rec[0];
	if (err == GBA_OK)
		rest_refuse(call, PROBLEM_NOT_FOUND, "the realm has no profile yet");
	else
		rest_fail(call, err);
	return NULL;
}

/* TS 33.220 4.5.2, 4.5.3; TS 29.109 5.2 */
static json_t *token_json(const struct record *realm)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:I}", "identifier",
			 "B-TID: base64(RAND)@domain of the authentication element (TS 33.220 4.5.2)", "key",
			 "Ks_NAF or Ks_(ext/int)_NAF, 256 bit (TS 33.220 Annex B)", "application",
			 "NAF_Id: host name of the application and five octets of the Ua security protocol", "format",
			 record_text(realm, REALM_TOKEN_FORMAT), "lifetime", (json_int_t)realm->v[REALM_TOKEN_LIFETIME].n);
}

static json_t *links_json(bool ca)
{
	json_t *links = json_pack("{s:s, s:s, s:s}", "asp_registration", "/v1/asp-registrations", "openapi",
				  "/openapi.json", "page", "/realm");

	if (ca)
		json_object_update_new(links, json_pack("{s:s, s:s}", "ca", "/v1/ca/certificate", "crl", "/v1/ca/crl"));
	return links;
}

void api_realm(struct route_call *route)
{
	static const char *const own[] = { "id", "rev", "created", "changed" };
	struct rest_call *call = rest_call_of(route);
	struct record *realm = api_realm_record(call);
	json_t *body;
	size_t i;

	if (realm == NULL)
		return;
	body = record_json(realm, ACTOR_SUBSCRIBER);
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		json_object_del(body, own[i]);
	json_object_set_new(body, "token", token_json(realm));
	json_object_set_new(body, "links", links_json(rest_ca(call->rest) != NULL));
	rest_json(call, 200, body);
	rest_header(call, "ETag", "\"%lld\"", (long long)realm->rev);
}

static void html_number(FILE *out, const struct field *field, int64_t n)
{
	if (field->type == FIELD_BOOL)
		fputs(n ? "yes" : "no", out);
	else
		fprintf(out, "%lld", (long long)n);
}

static void realm_rows(FILE *out, const struct record *realm)
{
	size_t i;

	fputs("<table>\n", out);
	for (i = 0; i < realm->kind->count; i++) {
		const struct field *field = &realm->kind->fields[i];

		if ((field->read & FOR_SUBSCRIBER) == 0 || (field->flags & FIELD_HIDDEN))
			continue;
		fputs("<tr><th>", out);
		rest_html_text(out, field->help);
		fputs("</th><td>", out);
		if (field->type == FIELD_TEXT || field->type == FIELD_LIST)
			rest_html_text(out, record_text(realm, (int)i));
		else
			html_number(out, field, realm->v[i].n);
		fputs("</td></tr>\n", out);
	}
	fputs("</table>\n", out);
}

static const char procedures[] =
	"<h2>Providers of applications</h2>\n<ol>\n"
	"<li>Register: <code>POST /v1/asp-registrations</code> with type and value of your public identity, name and "
	"contact. The answer has a"
	" token that works from the operator's approval on.</li>\n"
	"<li>With it, get a certificate or further tokens: <code>POST /v1/asps/{id}/credentials</code>.</li>\n"
	"<li>Register each application: <code>POST /v1/applications</code>; the answer confirms it, a notice "
	"follows.</li>\n"
	"<li>Get its agent's configuration, ready to run: <code>POST /v1/applications/{id}/bundle</code>.</li>\n"
	"<li>Users ask for access; you are told by a notice with a pseudonym and what they agreed to. Grant or refuse:"
	" <code>POST /v1/requests/{id}/grant</code>.</li>\n</ol>\n"
	"<h2>Users</h2>\n<ol>\n<li>Have yourself verified and your device registered by the operator.</li>\n"
	"<li>Find applications: <code>GET /v1/applications</code>. Ask for access: <code>POST /v1/requests</code>; you "
	"are told when it is"
	" there.</li>\n"
	"<li>The device bootstraps with the authentication element by itself (TS 33.220) and opens the application "
	"with the token.</li>\n"
	"</ol>\n<p>For programs: <a href=\"/.well-known/gba-realm\">profile</a>, <a href=\"/openapi.json\">OpenAPI</a>,"
	" <a href=\"/problems\">problems</a>.</p>\n";

void api_realm_page(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct record *realm = api_realm_record(call);
	char *text = NULL;
	size_t n = 0;
	FILE *out;

	if (realm == NULL)
		return;
	out = open_memstream(&text, &n);
	if (out == NULL) {
		rest_refuse(call, PROBLEM_UNAVAILABLE, "out of memory");
		return;
	}
	rest_html_head(out, record_text(realm, REALM_NAME));
	realm_rows(out, realm);
	fputs(procedures, out);
	rest_html_reply(call, out, &text, &n);
}
