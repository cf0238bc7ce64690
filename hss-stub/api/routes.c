/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operations: rows of our own, and those every kind of record has. OpenAPI is made from the same rows. */
#include <ctype.h>
#include <stdio.h>

#include "core/ident.h"
#include "hss-stub/api/api_priv.h"
#include "ident/idrule.h"

#define PER_KIND 12
#define OWN(title, table) { .name = title, .fields = table, .count = sizeof(table) / sizeof(table[0]), .use = SCHEMA_OWN }
#define TEXT(name, flags, min, max, check, help) { name, FIELD_TEXT, flags, min, max, 0, NULL, check, 0, 0, 0, 0, help }
#define WORD(name, words, def, help) { name, FIELD_WORD, 0, 0, 0, def, words, NULL, 0, 0, 0, 0, help }
#define INT(name, min, max, def, help) { name, FIELD_INT, 0, min, max, def, NULL, NULL, 0, 0, 0, 0, help }

static const struct field registration_fields[] = {
	{ "type", FIELD_WORD, FIELD_REQUIRED, 0, 0, 0, asp_identity_words, NULL, 0, 0, 0, 0, "Kind of public identity" },
	TEXT("identity", FIELD_REQUIRED, 1, IDRULE_MAX, id_text, "Public identity, such as a CIN"),
	TEXT("name", FIELD_REQUIRED, 1, 200, id_text, "Name of the ASP"),
	TEXT("contact", FIELD_REQUIRED, 3, 254, id_email, "Address for letters"),
};
static const struct field registered_fields[] = {
	TEXT("state", FIELD_REQUIRED, 1, 32, NULL, "requested: the operator decides"),
	TEXT("token", FIELD_REQUIRED, 40, 63, NULL, "Bearer token, shown once; good from the operator's approval on"),
	{ "expires", FIELD_TIME, FIELD_REQUIRED, 0, 0, 0, NULL, NULL, 0, 0, 0, 0, "End of the token's life" },
};
static const struct field invitation_fields[] = {
	TEXT("name", FIELD_REQUIRED, 1, 64, id_token, "Name of the administrator, for history and audit"),
	INT("days", 1, 3650, 365, "Life of the credential"),
	TEXT("csr", 0, 1, 8192, NULL, "PKCS #10 request (PEM): a certificate instead of a token"),
};
static const struct field issue_fields[] = {
	TEXT("name", FIELD_REQUIRED, 1, 64, id_token, "Name of the credential, for history and audit"),
	WORD("type", credential_words, CREDENTIAL_TOKEN, "certificate or token"),
	INT("days", 1, 3650, 365, "Life of the credential"),
	TEXT("csr", 0, 1, 8192, NULL, "PKCS #10 request (PEM); without it a key is made and shown once"),
};
static const struct field issued_fields[] = {
	INT("id", 1, INT64_MAX, 0, "The credential's record"),
	WORD("type", credential_words, 0, "certificate or token"),
	{ "expires", FIELD_TIME, FIELD_REQUIRED, 0, 0, 0, NULL, NULL, 0, 0, 0, 0, "End of its life" },
	TEXT("token", 0, 40, 63, NULL, "Bearer token, shown once"),
	TEXT("certificate", 0, 1, 16384, NULL, "PEM"),
	TEXT("private_key", 0, 1, 4096, NULL, "PEM, shown once; only when it was made here"),
	TEXT("ca", 0, 1, 16384, NULL, "Certificate of the realm's CA, PEM"),
};
static const struct field bundle_fields[] = {
	TEXT("identity", FIELD_REQUIRED, 1, FQDN_MAX, id_fqdn, "Diameter identity of the agent"),
	TEXT("realm", 0, 1, FQDN_MAX, id_fqdn, "Its Diameter realm; the identity's domain if not given"),
	TEXT("user", 0, 1, 64, id_token, "User the application runs as on the agent's host; www-data if not given"),
	INT("days", 1, 3650, 365, "Life of the agent's certificate"),
	TEXT("csr", 0, 1, 8192, NULL, "PKCS #10 request (PEM); without it the bundle has a key made for it"),
};
static const struct field self_fields[] = {
	WORD("role", mapping_roles, 0, "What the caller may do"),
	INT("id", 0, INT64_MAX, 0, "The caller's asp or user record; 0: none"),
	TEXT("name", 0, 1, 128, NULL, "Name in history and audit"),
};
static const struct field key_fields[] = {
	TEXT("key", FIELD_REQUIRED, 32, 32, NULL, "Key of HMAC-SHA-256 in GBA-Signature, as text"),
};
static const struct field history_fields[] = {
	INT("id", 1, INT64_MAX, 0, "Number of the change"),
	TEXT("kind", 0, 1, 64, NULL, "Kind of record"),
	INT("record", 1, INT64_MAX, 0, "Its id"),
	INT("rev", 0, INT64_MAX, 0, "Its revision after the change"),
	{ "at", FIELD_TIME, FIELD_REQUIRED, 0, 0, 0, NULL, NULL, 0, 0, 0, 0, "When" },
	TEXT("who", 0, 0, 256, NULL, "By whom"),
	TEXT("act", 0, 1, 64, NULL, "add, set, remove or a verb"),
};
const struct api_schema api_schema_registration = OWN("AspRegistration", registration_fields);
static const struct api_schema registered = OWN("AspRegistered", registered_fields);
static const struct api_schema invitation = OWN("Invitation", invitation_fields);
const struct api_schema api_schema_issue = OWN("CredentialOrder", issue_fields);
static const struct api_schema issued = OWN("CredentialIssued", issued_fields);
static const struct api_schema bundle = OWN("BundleOrder", bundle_fields);
static const struct api_schema self = OWN("Self", self_fields);
static const struct api_schema key = OWN("WebhookKey", key_fields);
static const struct api_schema history = { .name = "HistoryPage", .fields = history_fields,
					   .count = sizeof(history_fields) / sizeof(history_fields[0]), .use = SCHEMA_LIST };
const struct api_schema api_schema_report = { .name = "ImportReport", .use = SCHEMA_FREE };
static const struct api_schema document = { .name = "Document", .use = SCHEMA_FREE };

#define AP  (FOR_ADMIN | FOR_ASP)
#define APS FOR_ALL

static const struct route own_rows[] = {
	/* method, path, roles, flags, run, request, response, query, statuses, id, summary */
	{ "GET", "/.well-known/gba-realm", 0, API_OPEN, api_realm, NULL, &document, NULL, "200 404", "getProfile",
	  "Realm profile and token format (Y.3056 10.1)" },
	{ "GET", "/realm", 0, API_OPEN | API_PAGE, api_realm_page, NULL, NULL, NULL, "200 404", "getProfilePage",
	  "The same, and both procedures, for people" },
	{ "GET", "/problems", 0, API_OPEN | API_PAGE, api_problems_page, NULL, NULL, NULL, "200", "getProblems", "Kinds of problems" },
	{ "GET", "/openapi.json", 0, API_OPEN, api_openapi_get, NULL, &document, NULL, "200", "getOpenapi", "This document" },
	{ "GET", "/v1/ca/crl", 0, API_OPEN | API_PEM, api_crl, NULL, NULL, NULL, "200 404", "getCrl", "Revoked certificates" },
	{ "GET", "/v1/ca/certificate", 0, API_OPEN | API_PEM, api_ca_get, NULL, NULL, NULL, "200 404", "getCa", "The realm's CA" },
	{ "POST", "/v1/asp-registrations", 0, API_OPEN | API_SECRET, api_asp_registration, &api_schema_registration,
	  &registered, NULL, "201 409", "registerAsp", "An ASP asks to be registered (Y.3056 10.2-1a)" },
	{ "POST", "/v1/invitation", 0, 0, api_invitation, &invitation, &issued, NULL, "201 409", "acceptInvitation",
	  "Exchange a one-time invitation for an administrator's credential" },
	{ "GET", "/v1/self", APS, 0, api_self, NULL, &self, NULL, "200", "getSelf", "Who the caller is" },
	{ "GET", "/v1/history", APS, API_LIST, api_history, NULL, &history, "cursor limit kind record", "200", "listHistory",
	  "What was done to records" },
	{ "POST", "/v1/asps/{id}/credentials", AP, API_SECRET, api_issue, &api_schema_issue, &issued, NULL, "201 404 409",
	  "issueAspCredential", "Issue a credential to an ASP (Y.3056 10.2-1c)" },
	{ "POST", "/v1/users/{id}/credentials", APS, API_SECRET, api_issue, &api_schema_issue, &issued, NULL, "201 404 409",
	  "issueUserCredential", "Issue a credential to a user" },
	{ "GET", "/v1/asps/{id}/webhook-key", AP, 0, api_webhook_key, NULL, &key, NULL, "200 404", "getAspWebhookKey",
	  "Key that notices to an ASP are signed with" },
	{ "GET", "/v1/users/{id}/webhook-key", FOR_ADMIN | FOR_SUBSCRIBER, 0, api_webhook_key, NULL, &key, NULL, "200 404",
	  "getUserWebhookKey", "Key that notices to a user are signed with" },
	{ "POST", "/v1/applications/{id}/bundle", AP, API_GZIP | API_SECRET, api_bundle, &bundle, NULL, NULL,
	  "200 404 409", "makeBundle",
	  "Configuration of an application's agent, ready to run (Y.3056 10.1-3b)" },
};

static unsigned int readers(const struct record_kind *kind)
{
	unsigned int roles = 0, role;

	for (role = 0; role < ACTOR_ROLE_COUNT; role++)
		roles |= kind->scope[role] != NULL ? 1U << role : 0;
	return roles;
}

/* "user_identity" -> "UserIdentity" */
static char *camel(TALLOC_CTX *mem_ctx, const char *name)
{
	char *out = talloc_strdup(mem_ctx, name), *to = out;
	bool upper = true;

	for (; out != NULL && *name != '\0'; name++) {
		if (*name == '_' || *name == '-')
			upper = true;
		else {
			*to++ = (char)(upper ? toupper((unsigned char)*name) : *name);
			upper = false;
		}
	}
	if (out != NULL)
		*to = '\0';
	return out;
}

struct builder {
	TALLOC_CTX *ctx;
	struct route *row;
	const struct record_kind *kind;
	const char *camel;
	bool failed;
};

static const struct api_schema *schema_new(struct builder *b, const char *suffix, int use)
{
	struct api_schema *schema = talloc_zero(b->ctx, struct api_schema);

	if (schema == NULL) {
		b->failed = true;
		return NULL;
	}
	*schema = (struct api_schema){ .name = talloc_asprintf(schema, "%s%s", b->camel, suffix), .kind = b->kind,
				       .fields = b->kind->fields, .count = b->kind->count, .use = use };
	b->failed |= schema->name == NULL;
	return schema;
}

static struct route *row_add(struct builder *b, const char *method, const char *tail, const char *verb)
{
	struct route *row = b->row++;

	row->method = method;
	row->path = talloc_asprintf(b->ctx, "/v1/%s%s", b->kind->path, tail);
	row->id = talloc_asprintf(b->ctx, "%s%s", verb, b->camel);
	row->summary = b->kind->help;
	b->failed |= row->path == NULL || row->id == NULL;
	return row;
}

static char *filters(struct builder *b)
{
	char *list = talloc_strdup(b->ctx, "cursor limit fields");
	size_t i;

	for (i = 0; list != NULL && i < b->kind->count; i++) {
		if ((b->kind->fields[i].flags & FIELD_FILTER) && !(b->kind->fields[i].flags & FIELD_HIDDEN))
			list = talloc_asprintf_append(list, " %s", b->kind->fields[i].name);
	}
	b->failed |= list == NULL;
	return list;
}

static void verbs_add(struct builder *b, const struct api_schema *record)
{
	const struct record_verb *verb;
	struct api_schema *arguments;
	struct route *row;

	for (verb = b->kind->verbs; verb != NULL && verb->name != NULL; verb++) {
		arguments = (struct api_schema *)(uintptr_t)schema_new(b, "", SCHEMA_VERB);
		row = row_add(b, "POST", talloc_asprintf(b->ctx, "/{id}/%s", verb->name), verb->name);
		row->roles = verb->roles;
		row->flags = API_MATCH;
		row->run = api_verb;
		row->request = arguments;
		row->response = record;
		row->statuses = "200 404 409 412";
		row->summary = verb->help;
		if (arguments != NULL) {
			arguments->name = talloc_asprintf(arguments, "%s%s", b->camel, camel(arguments, verb->name));
			arguments->verb = verb;
			api_schema_verb(arguments);
		}
	}
}

static void writes_add(struct builder *b, const struct api_schema *record)
{
	struct api_schema *put = NULL;
	struct route *row;

	if (b->kind->add != 0) {
		row = row_add(b, "POST", "", "add");
		row->roles = b->kind->add;
		row->flags = API_CREATES;
		row->run = api_add;
		row->request = schema_new(b, "Add", SCHEMA_ADD);
		row->response = record;
		row->statuses = "201 409";
		row = row_add(b, "POST", "/import", "import");
		row->roles = b->kind->add;
		row->flags = API_IMPORT | API_CREATES;
		row->run = api_import;
		row->request = row[-1].request;
		row->response = &api_schema_report;
		row->query = "mode existing";
		row->statuses = "200 409";
	}
	if (b->kind->change != 0) {
		row = row_add(b, "PATCH", "/{id}", "change");
		row->roles = b->kind->change;
		row->flags = API_MATCH | API_MERGED;
		row->run = api_patch;
		row->request = schema_new(b, "Change", SCHEMA_CHANGE);
		row->response = record;
		row->statuses = "200 404 409 412 428";
	}
	if (b->kind->add != 0 && b->kind->change != 0) {
		put = (struct api_schema *)(uintptr_t)schema_new(b, "Put", SCHEMA_ADD);
		row = row_add(b, "PUT", "/{id}", "put");
		row->roles = b->kind->add & b->kind->change;
		row->flags = API_MATCH;
		row->run = api_put;
		row->request = put;
		row->response = record;
		row->statuses = "200 201 404 409 412 428";
	}
	if (put != NULL)
		put->whole = true;
	if (b->kind->remove != 0) {
		row = row_add(b, "DELETE", "/{id}", "remove");
		row->roles = b->kind->remove;
		row->flags = API_MATCH;
		row->run = api_delete;
		row->response = record; /* its kind; nothing is answered */
		row->statuses = "204 404 409 412 428";
	}
}

static void kind_add(struct builder *b)
{
	const struct api_schema *record = schema_new(b, "", SCHEMA_RECORD);
	struct route *row;

	row = row_add(b, "GET", "", "list");
	row->roles = readers(b->kind);
	row->flags = API_LIST;
	row->run = api_list;
	row->response = schema_new(b, "Page", SCHEMA_LIST);
	row->query = filters(b);
	row->statuses = "200";
	row = row_add(b, "GET", "/{id}", "get");
	row->roles = readers(b->kind);
	row->run = api_get;
	row->response = record;
	row->statuses = "200 304 404";
	writes_add(b, record);
	verbs_add(b, record);
}

const struct route *api_routes_new(TALLOC_CTX *mem_ctx)
{
	const size_t own = sizeof(own_rows) / sizeof(own_rows[0]);
	struct route *rows = talloc_zero_array(mem_ctx, struct route, own + KIND_COUNT * PER_KIND + 1);
	struct builder b = { .ctx = rows };
	int kind;

	if (rows == NULL)
		return NULL;
	memcpy(rows, own_rows, sizeof(own_rows));
	b.row = rows + own;
	for (kind = 0; kind < KIND_COUNT; kind++) {
		b.kind = &mapping_kinds[kind];
		b.camel = camel(rows, b.kind->name);
		if (b.camel == NULL)
			return NULL;
		kind_add(&b);
	}
	return b.failed ? NULL : rows;
}
