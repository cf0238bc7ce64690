/* SPDX-License-Identifier: Apache-2.0 */
/* The operations beside those every kind of record has (lib/rest). */
#include "core/ident.h"
#include "hss-stub/api/api_priv.h"
#include "ident/idrule.h"

static enum gba_err pem_text(struct bytes text, const char **_why)
{
	size_t i;

	*_why = "PEM has printable characters and ends of lines only";
	for (i = 0; i < text.n; i++) {
		if ((text.p[i] < ' ' && text.p[i] != '\n' && text.p[i] != '\r') || text.p[i] > '~')
			return GBA_E_SYNTAX;
	}
	return GBA_OK;
}

static const struct field registration_fields[] = {
	{ "type", FIELD_WORD, FIELD_REQUIRED, 0, 0, 0, asp_identity_words, NULL, 0, 0, 0, 0, "Kind of public identity" },
	REST_TEXT("identity", FIELD_REQUIRED, 1, IDRULE_MAX, id_text, "Public identity, such as a CIN"),
	REST_TEXT("name", FIELD_REQUIRED, 1, 200, id_text, "Name of the ASP"),
	REST_TEXT("contact", FIELD_REQUIRED, 3, 254, id_email, "Address for letters"),
	{ "names", FIELD_LIST, 0, 1, FQDN_MAX, 0, NULL, asp_name_check, 0, 0, 0, 0, "Names its applications shall have: host names, KIND:IDENTITY" },
};
static const struct field registered_fields[] = {
	REST_TEXT("state", FIELD_REQUIRED, 1, 32, NULL, "requested: the operator decides"),
	REST_TEXT("token", FIELD_REQUIRED, 40, 63, NULL, "Bearer token, shown once; good from the operator's approval on"),
	{ "expires", FIELD_TIME, FIELD_REQUIRED, 0, 0, 0, NULL, NULL, 0, 0, 0, 0, "End of the token's life" },
};
static const struct field invitation_fields[] = {
	REST_TEXT("name", FIELD_REQUIRED, 1, 64, id_token, "Name of the administrator, for history and audit"),
	REST_INT("days", 1, 3650, 365, "Life of the credential"),
	REST_TEXT("csr", 0, 1, 8192, pem_text, "PKCS #10 request (PEM): a certificate instead of a token"),
};
static const struct field issue_fields[] = {
	REST_TEXT("name", FIELD_REQUIRED, 1, 64, id_token, "Name of the credential, for history and audit"),
	REST_WORD("type", credential_words, CREDENTIAL_TOKEN, "certificate or token"),
	REST_INT("days", 1, 3650, 365, "Life of the credential"),
	REST_TEXT("csr", 0, 1, 8192, pem_text, "PKCS #10 request (PEM); without it a key is made and shown once"),
};
static const struct field issued_fields[] = {
	REST_INT("id", 1, INT64_MAX, 0, "The credential's record"),
	REST_WORD("type", credential_words, 0, "certificate or token"),
	{ "expires", FIELD_TIME, FIELD_REQUIRED, 0, 0, 0, NULL, NULL, 0, 0, 0, 0, "End of its life" },
	REST_TEXT("token", 0, 40, 63, NULL, "Bearer token, shown once"),
	REST_TEXT("certificate", 0, 1, 16384, NULL, "PEM"),
	REST_TEXT("private_key", 0, 1, 4096, NULL, "PEM, shown once; only when it was made here"),
	REST_TEXT("ca", 0, 1, 16384, NULL, "Certificate of the realm's CA, PEM"),
};
static const struct field bundle_fields[] = {
	REST_TEXT("identity", FIELD_REQUIRED, 1, FQDN_MAX, id_fqdn, "Diameter identity of the agent"),
	REST_TEXT("realm", 0, 1, FQDN_MAX, id_fqdn, "Its Diameter realm; the identity's domain if not given"),
	REST_TEXT("user", 0, 1, 64, id_token, "User the application runs as on the agent's host; www-data if not given"),
	REST_INT("days", 1, 3650, 365, "Life of the agent's certificate"),
	REST_TEXT("csr", 0, 1, 8192, pem_text, "PKCS #10 request (PEM); without it the bundle has a key made for it"),
};
static const struct field self_fields[] = {
	REST_WORD("role", mapping_roles, 0, "What the caller may do"),
	REST_INT("id", 0, INT64_MAX, 0, "The caller's asp or user record; 0: none"),
	REST_TEXT("name", 0, 1, 128, NULL, "Name in history and audit"),
};
static const struct field key_fields[] = {
	REST_TEXT("key", FIELD_REQUIRED, 32, 32, NULL, "Key of HMAC-SHA-256 in GBA-Signature, as text"),
};
const struct rest_schema api_schema_registration = REST_SCHEMA("AspRegistration", registration_fields);
static const struct rest_schema registered = REST_SCHEMA("AspRegistered", registered_fields);
static const struct rest_schema invitation = REST_SCHEMA("Invitation", invitation_fields);
const struct rest_schema api_schema_issue = REST_SCHEMA("CredentialOrder", issue_fields);
static const struct rest_schema issued = REST_SCHEMA("CredentialIssued", issued_fields);
static const struct rest_schema bundle = REST_SCHEMA("BundleOrder", bundle_fields);
static const struct rest_schema self = REST_SCHEMA("Self", self_fields);
static const struct rest_schema key = REST_SCHEMA("WebhookKey", key_fields);

#define AP  (FOR_ADMIN | FOR_ASP)
#define APS FOR_ALL

static const struct route own_rows[] = {
	/* method, path, roles, flags, run, request, response, query, statuses, id, summary */
	{ "GET", "/.well-known/gba-realm", 0, REST_OPEN, api_realm, NULL, &rest_schema_document, NULL, "200 404", "getProfile",
	  "Realm profile and token format (Y.3056 10.1)" },
	{ "GET", "/realm", 0, REST_OPEN | REST_PAGE, api_realm_page, NULL, NULL, NULL, "200 404", "getProfilePage",
	  "The same, and both procedures, for people" },
	{ "GET", "/problems", 0, REST_OPEN | REST_PAGE, rest_problems_page, NULL, NULL, NULL, "200", "getProblems", "Kinds of problems" },
	{ "GET", "/openapi.json", 0, REST_OPEN, rest_openapi_get, NULL, &rest_schema_document, NULL, "200", "getOpenapi",
	  "This document" },
	{ "GET", "/v1/ca/crl", 0, REST_OPEN | REST_PEM, rest_crl, NULL, NULL, NULL, "200 404", "getCrl", "Revoked certificates" },
	{ "GET", "/v1/ca/certificate", 0, REST_OPEN | REST_PEM, rest_ca_get, NULL, NULL, NULL, "200 404", "getCa", "The realm's CA" },
	{ "POST", "/v1/asp-registrations", 0, REST_OPEN | REST_SECRET, api_asp_registration, &api_schema_registration,
	  &registered, NULL, "201", "registerAsp",
	  "An ASP asks to be registered (Y.3056 10.2-1a)" },
	{ "POST", "/v1/invitation", 0, REST_INVITED, api_invitation, &invitation, &issued, NULL, "201 409", "acceptInvitation",
	  "Exchange a one-time invitation for an administrator's credential" },
	{ "GET", "/v1/self", APS, 0, rest_self, NULL, &self, NULL, "200", "getSelf", "Who the caller is" },
	{ "GET", "/v1/history", APS, REST_LIST, rest_history, NULL, &rest_schema_history, "cursor limit kind record", "200",
	  "listHistory", "What was done to records" },
	{ "POST", "/v1/asps/{id}/credentials", AP, REST_SECRET, api_issue, &api_schema_issue, &issued, NULL, "201 404 409",
	  "issueAspCredential", "Issue a credential to an ASP (Y.3056 10.2-1c)" },
	{ "POST", "/v1/users/{id}/credentials", APS, REST_SECRET, api_issue, &api_schema_issue, &issued, NULL, "201 404 409",
	  "issueUserCredential", "Issue a credential to a user" },
	{ "GET", "/v1/asps/{id}/webhook-key", AP, 0, api_webhook_key, NULL, &key, NULL, "200 404", "getAspWebhookKey",
	  "Key that notices to an ASP are signed with" },
	{ "GET", "/v1/users/{id}/webhook-key", FOR_ADMIN | FOR_SUBSCRIBER, 0, api_webhook_key, NULL, &key, NULL, "200 404",
	  "getUserWebhookKey", "Key that notices to a user are signed with" },
	{ "POST", "/v1/applications/{id}/bundle", AP, REST_GZIP | REST_SECRET, api_bundle, &bundle, NULL, NULL,
	  "200 404 409", "makeBundle",
	  "Configuration of an application's agent, ready to run (Y.3056 10.1-3b)" },
};

const struct rest_setup api_setup = { .set = &mapping_set,
				      .rows = own_rows,
				      .n_rows = sizeof(own_rows) / sizeof(own_rows[0]),
				      .title = "Authorization element of a GBA realm (Y.3056 9.2)",
				      .metrics = "gba_hss_api",
				      .answers = true,
				      .callers = 1U << ACTOR_ADMIN | FOR_ASP | FOR_SUBSCRIBER,
				      .importers = FOR_ADMIN | FOR_ASP,
				      .guest = ACTOR_SUBSCRIBER,
				      .terms = &mapping_kinds[KIND_PERMISSION], /* a grant's terms are the permission's */
				      .open = api_open,
				      .authenticate = api_authenticate,
				      .done = api_done,
				      .long_write = api_long_write,
				      .trace = api_trace };
