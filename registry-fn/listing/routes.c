/* SPDX-License-Identifier: Apache-2.0 */
/* A party asks to be registered (TEC 31188 3.1): anybody may ask. */
#include "ident/idrule.h"
#include "registry-fn/api/api.h"
#include "registry-fn/record/rules.h"

static const struct actor node = { REG_ROLE_SYSTEM, 0, "system" };

static const struct field request_fields[] = {
	REST_TEXT("name", FIELD_REQUIRED, 1, 128, id_text, "Name"),
	{ "kind", FIELD_WORD, FIELD_REQUIRED, 0, 0, 0, reg_party_words, NULL, 0, 0, 0, 0, "What it is" },
	REST_TEXT("sector", 0, 1, 64, id_token, "Sector it works in"),
	REST_WORD("identity_scheme", asp_identity_words, ASP_IDENTITY_OTHER, "Kind of identity"),
	REST_TEXT("identity", FIELD_REQUIRED, 1, 128, id_text, "Identity as a body, such as a CIN or LEI"),
	REST_TEXT("country", FIELD_REQUIRED, 2, 3, id_token, "Country (ISO 3166)"),
	REST_TEXT("address", 0, 1, 500, id_text, "Address of its office"),
	REST_TEXT("contact", FIELD_REQUIRED, 3, 254, id_email, "Address for letters"),
	REST_TEXT("url", 0, 9, 500, id_https_url, "Its practice statement or disclosure policy"),
};
static const struct field request_answer_fields[] = {
	REST_WORD("state", reg_party_state_words, PARTY_REQUESTED, "It waits for who decides on it"),
};
static const struct rest_schema request = REST_SCHEMA("PartyRegistration", request_fields),
				request_answer = REST_SCHEMA("PartyRequested", request_answer_fields);

/* Whether such a party is known already is not told: who decides sees what was asked for. */
static void party_request(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct record_call rc = { .actor = &node, .now = call->rc.now, .mem_ctx = call };
	json_t *body = rest_read_body(call);
	enum gba_err err;

	if (body == NULL)
		return;
	err = records_add(call->r, &rc, REG_PARTY, body, NULL);
	json_decref(body);
	if (err == GBA_OK || err == GBA_E_EXISTS) {
		rest_json(call, 202, json_pack("{s:s}", "state", reg_party_state_words[PARTY_REQUESTED]));
		return;
	}
	memcpy(call->rc.field, rc.field, sizeof(rc.field));
	memcpy(call->rc.why, rc.why, sizeof(rc.why));
	rest_fail(call, err);
}

static const struct route rows[] = {
	/* method, path, roles, flags, run, request, response, query, statuses, id, summary */
	{ "POST", "/v1/party-registrations", 0, REST_OPEN, party_request, &request, &request_answer, NULL, "202", "requestParty",
	  "Ask to be registered as a provider, registrar, certifier, platform or other party" },
};
const struct api_rows listing_api_rows = { rows, sizeof(rows) / sizeof(rows[0]) };
