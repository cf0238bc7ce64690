/* SPDX-License-Identifier: Apache-2.0 */
/* Operations beside those of records; OpenAPI is made from the same rows. */
#include "ident/idrule.h"
#include "registry-fn/ask/ask.h"

#define FREE(title) { .name = title, .use = SCHEMA_FREE }

static const char *const by_words[] = { "regdevid", "virtual", "identity", "model", "capability", "status", "custodian", "use_case",
					  "root_of_trust", NULL };
static const char *const live_by_words[] = { "regdevid", "virtual", NULL };
static const char *const told_words[] = { "certificate", "missed-reports", "anomalies", NULL };

static const struct field registration_fields[] = {
	REST_TEXT("name", FIELD_REQUIRED, 1, 64, id_token, "Name with the registry"),
	REST_TEXT("organisation", FIELD_REQUIRED, 1, 200, id_text, "Who it asks for"),
	REST_TEXT("contact", FIELD_REQUIRED, 3, 254, id_email, "Address for letters"),
	REST_TEXT("use_case", FIELD_REQUIRED, 1, 500, id_text, "What it asks for"),
	REST_TEXT("public_key", FIELD_REQUIRED, 64, 64, id_hash, "Ed25519 key it will answer challenges with, 64 hex digits"),
};
static const struct field challenge_fields[] = {
	REST_TEXT("public_key", FIELD_REQUIRED, 64, 64, id_hash, "Key that will sign it"),
};
static const struct field session_fields[] = {
	REST_TEXT("challenge", FIELD_REQUIRED, 64, 64, id_hash, "As it was given"),
	REST_TEXT("signature", FIELD_REQUIRED, 128, 128, NULL,
	  "Ed25519 over \"gba-registry-challenge RegID challenge\", 128 hex digits"),
};
static const struct field question_fields[] = {
	{ "by", FIELD_WORD, FIELD_REQUIRED, 0, 0, 0, by_words, NULL, 0, 0, 0, 0, "What is asked by; each has its right" },
	REST_TEXT("value", 0, 1, 512, NULL, "RegDevID, virtual RegDevID, identity, capability, status, use case"
					  " (kind of device), root of trust, or the custodian's account"),
	REST_TEXT("scheme", 0, 1, 32, id_token, "identity: its scheme, such as imei"),
	REST_TEXT("make", 0, 1, 128, NULL, "model, capability, status, use_case, root_of_trust: of this make"),
	REST_TEXT("model", 0, 1, 128, NULL, "The same: of this model"),
	REST_TEXT("registry", 0, 1, REGID_MAX, NULL,
		  "RegID: of devices registered there, or at a registry below it; a sectoral or geographical registry answers of"
		  " all it knows when none is given, a primary one of its own"),
	REST_TEXT("behind", 0, 1, EVENT_SUBJECT_MAX, NULL, "The next page, as the answer before says by the same name"),
	{ "at", FIELD_TIME, 0, 0, 0, 0, NULL, NULL, 0, 0, 0, 0, "The status at this time; now when not given" },
	REST_INT("after", 0, INT64_MAX, 0,
		 "The next page of a primary registry's own devices: `next` of the answer before"),
	REST_TEXT("nonce", 0, 1, 128, id_token, "Comes back in the answer"),
};
static const struct field interrogation_fields[] = {
	REST_WORD("by", live_by_words, 0, "regdevid; or virtual, which has a right of its own"),
	REST_TEXT("value", FIELD_REQUIRED, 1, 512, NULL, "RegDevID or virtual RegDevID"),
	REST_TEXT("nonce", FIELD_REQUIRED, 16, 128, id_token, "Never used before; comes back in the answer"),
};
static const struct field device_proof_fields[] = {
	REST_TEXT("signature", FIELD_REQUIRED, 128, 128, NULL,
		  "Ed25519 over \"gba-device-challenge SUBJECT NONCE DEMAND\", 128 hex digits"),
};
static const struct field fact_fields[] = {
	{ "fact", FIELD_WORD, FIELD_REQUIRED, 0, 0, 0, told_words, NULL, 0, 0, 0, 0, "What is told" },
	REST_TEXT("value", FIELD_REQUIRED, 1, 32, id_token, "certificate: none, good, expired, revoked; others: a number"),
	REST_TEXT("evidence", 0, 1, 500, id_text, "Where it is known from"),
};
static const struct field application_status_fields[] = {
	{ "status", FIELD_WORD, FIELD_REQUIRED, 0, 0, 0, trust_status_names, NULL, 0, 0, 0, 0, "What it is held to be" },
	REST_TEXT("reason", FIELD_REQUIRED, 1, 500, id_text, "Why"),
};
static const struct field first_fields[] = {
	REST_TEXT("first", FIELD_REQUIRED, 1, 2000, NULL, "An older signed head of the log"),
};
const struct rest_schema ask_schema_registration = REST_SCHEMA("EnquirerRegistration", registration_fields);
const struct rest_schema ask_schema_challenge = REST_SCHEMA("ChallengeOrder", challenge_fields);
const struct rest_schema ask_schema_session = REST_SCHEMA("ChallengeAnswer", session_fields);
const struct rest_schema ask_schema_question = REST_SCHEMA("Question", question_fields);
const struct rest_schema ask_schema_interrogation = REST_SCHEMA("Interrogation", interrogation_fields);
const struct rest_schema ask_schema_device_proof = REST_SCHEMA("DeviceProof", device_proof_fields);
const struct rest_schema ask_schema_fact = REST_SCHEMA("Fact", fact_fields);
const struct rest_schema ask_schema_application_status = REST_SCHEMA("ApplicationStatus", application_status_fields);
const struct rest_schema ask_schema_first = REST_SCHEMA("OlderHead", first_fields);
static const struct rest_schema requested = FREE("EnquirerRequested"), challenge = FREE("Challenge"), session = FREE("Session"),
				interrogation = FREE("InterrogationState"),
				answer = FREE("SignedAnswer"), bulk = FREE("BulkQuestion"), status = FREE("Status"),
				statuses = FREE("Statuses"), list = FREE("StatusList"), order = FREE("ListOrder"),
				judging = FREE("Judging"), statements = FREE("Statements"),
				trqp = FREE("TrqpQuery"), trqp_answer = FREE("TrqpAnswer"),
				head = FREE("SignedHead"), proof = FREE("Receipt"), entries = FREE("Entries");

#define SEE_STATUS (FOR_ADMIN | FOR_AGENCY | FOR_CUSTODIAN | FOR_BULK)
#define AUDIT	   (FOR_ADMIN | FOR_AGENCY)

static const struct route rows[] = {
	/* method, path, roles, flags, run, request, response, query, statuses, id, summary */
	{ "GET", "/.well-known/gba-registry", 0, REST_OPEN, ask_well_known, NULL, &rest_schema_document, NULL, "200",
	  "getRegistry",
	  "What this registry is: its key, accepted roots of trust, procedures (Y.3059 9.3-i)" },
	{ "GET", "/.well-known/jwks.json", 0, REST_OPEN, ask_jwks, NULL, &rest_schema_document, NULL, "200", "getKeys",
	  "The key that answers and heads are signed with (RFC 7517)" },
	{ "GET", "/practice-statement", 0, REST_OPEN | REST_PAGE, ask_practice, NULL, NULL, NULL, "200 404",
	  "getPracticeStatement",
	  "Practice statement (Y.3059 9.3-i)" },
	{ "POST", "/v1/enquirer-registrations", 0, REST_OPEN | REST_SHARED, ask_enquirer_registration, &ask_schema_registration,
	  &requested, NULL,
	  "202", "registerEnquirer", "An enquirer asks to be registered; an administrator decides" },
	{ "POST", "/v1/challenges", 0, REST_OPEN | REST_SHARED, ask_challenge, &ask_schema_challenge, &challenge, NULL, "201",
	  "getChallenge",
	  "A challenge for the holder of a key, whoever it is (Y.3059 9.3-iii)" },
	{ "POST", "/v1/sessions", 0, REST_OPEN | REST_SECRET | REST_SHARED, ask_session, &ask_schema_session, &session, NULL,
	  "201", "openSession",
	  "A token for an approved enquirer that has signed its challenge" },
	{ "POST", "/v1/questions", FOR_ENQUIRER | FOR_AGENCY | FOR_ADMIN | FOR_BULK, REST_SHARED, ask_one,
	  &ask_schema_question, &answer, NULL,
	  "200", "ask", "One question; the answer is signed and stands in the log" },
	{ "POST", "/v1/questions/bulk", FOR_BULK, 0, ask_bulk, &bulk, &answer, NULL, "200", "askBulk",
	  "Statuses of many devices: {\"subjects\": [RegDevID, ...]}; restricted administrators only (Y.3059 9.3-ii)" },
	{ "POST", "/v1/interrogations", FOR_ENQUIRER, 0, ask_device, &ask_schema_interrogation, &interrogation, NULL, "201 409",
	  "askDevice", "Ask a device itself, over its own channel; with the right device only (Y.3059 7, 9.1-iv)" },
	{ "GET", "/v1/interrogations/{id}", FOR_ENQUIRER, 0, ask_device_answer, NULL, &interrogation, NULL, "200 404",
	  "getDeviceAnswer", "Whether it waits; once answered or expired: signed, and in the log" },
	{ "POST", "/v1/interrogations/{id}/proof", FOR_ENQUIRER, 0, ask_device_proof, &ask_schema_device_proof, &interrogation,
	  NULL, "200 403 404 409", "proveToDevice", "Answer the challenge a device has put before it answers (Y.3059 9.3-iii)" },
	{ "GET", "/v1/devices/{id}/status", SEE_STATUS, 0, ask_status, NULL, &status, "at", "200 404", "getStatus",
	  "Trust status, now or at a time" },
	{ "GET", "/v1/devices/{id}/statuses", SEE_STATUS, 0, ask_statuses, NULL, &statuses, NULL, "200 404", "listStatuses",
	  "Every change of its status" },
	{ "POST", "/v1/devices/{id}/facts", FOR_ADMIN | FOR_AGENCY, REST_SHARED, ask_fact, &ask_schema_fact, &status, NULL,
	  "200 404", "tellFact",
	  "Say what counts in the rules of trust: certificate, missed reports, anomalies" },
	{ "POST", "/v1/applications/{id}/status", FOR_ADMIN | FOR_AGENCY, REST_SHARED, ask_application_status,
	  &ask_schema_application_status,
	  &status, NULL, "200 404", "setApplicationStatus",
	  "Decide the trust status of an application by hand: an override; with four eyes it waits for another's approval" },
	{ "GET", "/v1/judging", FOR_ADMIN | FOR_AGENCY, 0, ask_judging, NULL, &judging, NULL, "200", "listJudging",
	  "Devices that wait to be judged anew: why, how many, how far it is" },
	{ "GET", "/v1/lists/{status}", FOR_ADMIN | FOR_AGENCY | FOR_BULK, 0, ask_list, NULL, &list, "after", "200 404", "getList",
	  "White, grey or black: the list that all registries come to (Y.3059 7-iv-d)" },
	{ "POST", "/v1/lists", FOR_ADMIN | FOR_AGENCY, 0, ask_list_publish, &list, &order, NULL, "201 409", "publishList",
	  "Say of devices of other registries what they are held to be: status, subjects, reason" },
	{ "POST", "/v1/lists/{id}/approve", FOR_ADMIN | FOR_AGENCY, 0, ask_list_approve, NULL, &order, NULL, "200 403 404",
	  "approveList", "With four eyes: publish it; not by who asked for it" },
	{ "GET", "/v1/statements", FOR_ADMIN | FOR_AGENCY, 0, ask_statements, NULL, &statements, "subject at", "200",
	  "listStatements", "All that registries have said of a subject's status, and what held at a time (Y.3059 6.1)" },
	{ "POST", "/authorization", FOR_ENQUIRER | FOR_AGENCY | FOR_ADMIN | FOR_BULK, REST_SHARED, ask_trqp_authorization, &trqp,
	  &trqp_answer, NULL, "200 400 404", "trqpAuthorization",
	  "TRQP 2.0: is a device trusted? (action trust, resource device)" },
	{ "POST", "/recognition", FOR_ENQUIRER | FOR_AGENCY | FOR_ADMIN | FOR_BULK, REST_SHARED, ask_trqp_recognition, &trqp,
	  &trqp_answer, NULL, "200 400 404", "trqpRecognition",
	  "TRQP 2.0: is a registry known here? (action register, resource device)" },
	{ "GET", "/v1/log/head", 0, REST_OPEN, ask_log_head, NULL, &head, NULL, "200", "getLogHead",
	  "Signed head of the log of transactions" },
	{ "GET", "/v1/log/proofs/{index}", AUDIT | FOR_ENQUIRER, 0, ask_log_proof, NULL, &proof, NULL, "200 404", "getLogProof",
	  "Proof that an entry is in the log; to an enquirer of its own questions" },
	{ "POST", "/v1/log/consistency", 0, REST_OPEN, ask_log_consistency, &ask_schema_first, &proof, NULL, "200",
	  "proveLogGrowth",
	  "Proof that the log continues that of an older head" },
	{ "GET", "/v1/log/entries", AUDIT, 0, ask_log_entries, NULL, &entries, "cursor limit", "200", "listLogEntries",
	  "Entries of the log of transactions" },
};
const struct api_rows ask_api_rows = { rows, sizeof(rows) / sizeof(rows[0]) };
