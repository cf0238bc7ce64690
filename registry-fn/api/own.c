/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that are no record's and no other room's: who am I, tokens, history, how far an import is. */
#include <stdio.h>

#include "core/clock.h"
#include "core/secret.h"
#include "ident/idrule.h"
#include "record/job.h"
#include "registry-fn/api/api.h"
#include "registry-fn/record/credential.h"
#include "registry-fn/record/rules.h"
#include "rest/token.h"

#define DAY 86400

static const struct field self_fields[] = {
	REST_WORD("role", reg_roles, 0, "What the caller may do"),
	REST_INT("id", 0, INT64_MAX, 0, "The caller's own record; 0: none"),
	REST_TEXT("name", 0, 1, 128, NULL, "Name in history and audit"),
};
static const struct field order_fields[] = {
	{ "acts_as", FIELD_WORD, FIELD_REQUIRED, 0, 0, 0, reg_roles, NULL, 0, 0, 0, 0, "Role of its holder" },
	REST_INT("owner", 0, INT64_MAX, 0, "Record the holder stands for; 0: none"),
	REST_TEXT("name", FIELD_REQUIRED, 1, 64, id_token, "Name in history and audit"),
	REST_INT("days", 1, 3650, 365, "Its life"),
};
static const struct field token_fields[] = {
	REST_INT("id", 1, INT64_MAX, 0, "The credential's record"),
	REST_TEXT("token", FIELD_REQUIRED, 40, 63, NULL, "Bearer token, shown once"),
	{ "expires", FIELD_TIME, FIELD_REQUIRED, 0, 0, 0, NULL, NULL, 0, 0, 0, 0, "End of its life" },
};
static const struct rest_schema self = REST_SCHEMA("Self", self_fields), order = REST_SCHEMA("TokenOrder", order_fields),
				issued = REST_SCHEMA("Token", token_fields);

static enum gba_err token_add(struct rest_call *call, json_t *body, const char *hash, const char *expires, struct record **_rec)
{
	json_object_set(body, "owner_type", json_object_get(body, "acts_as"));
	json_object_del(body, "acts_as");
	json_object_del(body, "days");
	json_object_set_new(body, "type", json_string("token"));
	json_object_set_new(body, "hash", json_string(hash));
	json_object_set_new(body, "expires", json_string(expires));
	return records_add(call->r, &call->rc, REG_CREDENTIAL, body, _rec);
}

static void token_issue(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	json_t *body = rest_read_body(call), *days;
	char token[TOKEN_ROOM], hash[TOKEN_HASH_ROOM], expires[TIME_TEXT_LEN + 1];
	struct record *rec = NULL;
	enum gba_err err;

	if (body == NULL)
		return;
	days = json_object_get(body, "days");
	time_format(call->rc.now + (time_t)(days != NULL ? json_integer_value(days) : 365) * DAY, expires);
	token_new(token, hash);
	err = records_begin(call->r);
	if (err == GBA_OK) {
		err = token_add(call, body, hash, expires, &rec);
		err = rest_write(call, err, "issue", &registry_set.kinds[REG_CREDENTIAL], rec);
	}
	if (err == GBA_OK)
		rest_json(call, 201,
			  json_pack("{s:I, s:s, s:s}", "id", (json_int_t)rec->id, "token", token, "expires", expires));
	else
		rest_fail(call, err);
	SECRET_WIPE(token);
	json_decref(body);
}

#define ADMINS (1U << REG_ROLE_ADMIN | 1U << REG_ROLE_PRIVACY)
#define ALL    (ADMINS | FOR_BULK | FOR_AGENCY | FOR_MAKER | FOR_CUSTODIAN | FOR_ENQUIRER | FOR_PARTIES)

static const struct route rows[] = {
	/* method, path, roles, flags, run, request, response, query, statuses, id, summary */
	{ "GET", "/openapi.json", 0, REST_OPEN, rest_openapi_get, NULL, &rest_schema_document, NULL, "200", "getOpenapi",
	  "This document" },
	{ "GET", "/problems", 0, REST_OPEN | REST_PAGE, rest_problems_page, NULL, NULL, NULL, "200", "getProblems",
	  "Kinds of problems" },
	{ "GET", "/v1/ca/crl", 0, REST_OPEN | REST_PEM, rest_crl, NULL, NULL, NULL, "200 404", "getCrl", "Revoked certificates" },
	{ "GET", "/v1/ca/certificate", 0, REST_OPEN | REST_PEM, rest_ca_get, NULL, NULL, NULL, "200 404", "getCa", "The CA" },
	{ "GET", "/v1/self", ALL, 0, rest_self, NULL, &self, NULL, "200", "getSelf", "Who the caller is" },
	{ "GET", "/v1/history", ALL, REST_LIST, rest_history, NULL, &rest_schema_history, "cursor limit kind record", "200",
	  "listHistory", "What was done to records" },
	{ "POST", "/v1/tokens", ADMINS, REST_SECRET, token_issue, &order, &issued, NULL, "201 409", "issueToken",
	  "A bearer token for a caller, shown once" },
	{ "GET", "/v1/imports/{id}", ADMINS | FOR_BULK | FOR_AGENCY | FOR_MAKER | FOR_PARTIES, 0, rest_import_job, NULL,
	  &rest_schema_document, NULL, "200 404", "getImport", "How far the caller's import of this name has come" },
};
const struct api_rows api_own_rows = { rows, sizeof(rows) / sizeof(rows[0]) };
