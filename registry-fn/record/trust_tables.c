/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of those who ask, of vulnerabilities, and of decisions by hand: rows of kind_tables.c. */
#include "ident/idrule.h"
#include "record/table.h"
#include "registry-fn/log/event.h"
#include "registry-fn/record/kinds.h"
#include "registry-fn/trust/cvss.h"
#include "registry-fn/trust/version.h"

const char *const reg_enquirer_state_words[] = { "requested", "approved", "refused", "suspended", NULL };
const char *const reg_right_words[] = { "regdevid", "virtual", "identity", "model", "custodian", "details", "device", NULL };
const char *const reg_credential_words[] = { "certificate", "token", NULL };
const char *const reg_source_words[] = { "device", "custodian", "registry", "agency", "platform", "maker", "researcher", "cert", NULL };
const char *const reg_vulnerability_words[] = { "received", "confirmed", "forwarded", "acknowledged", "fixed", "closed", "refused",
						NULL };
const char *const reg_override_words[] = { "requested", "in-force", "refused", "lifted", "lifting", NULL };

const char *const reg_method_words[] = { "push", "poll", "stream", NULL };
static const char *const event_kind_words[] = { "device.registered", "device.removed", "status.set", "vulnerability.set", "list.published",
						"registry.assigned", "registry.introduced", "device.changed", NULL };

/* Classes of event; what comes by the stream of Blacks is a status for subscribers. */
static const char *const told_class_words[] = { "registry", "device", "status", "vulnerability", "list", "custodian", NULL };

#define A   FOR_ADMIN
#define G   FOR_AGENCY
#define M   FOR_MAKER
#define C   FOR_CUSTODIAN
#define E   FOR_ENQUIRER
#define B   FOR_BULK
#define SYS FOR_SYSTEM
#define SEE (A | G | M | C | E)
#define NO  FOR_NOBODY

const struct field reg_enquirer_fields[ENQUIRER_COUNT] = {
	[ENQUIRER_NAME] = F_TEXT("name", KEY, 1, 64, id_token, A | G | E, A | G | SYS, NO, "Name with the registry"),
	[ENQUIRER_ORGANISATION] = F_TEXT("organisation", 0, 1, 200, id_text, A | G | E, A | G | SYS, A | G, "Who it asks for"),
	[ENQUIRER_CONTACT] = F_SEAL("contact", 0, 3, 254, id_email, FOR_PRIVACY | E, A | G | SYS, FOR_PRIVACY | E, "Address for letters (personal)"),
	[ENQUIRER_USE_CASE] = F_TEXT("use_case", 0, 1, 500, id_text, A | G | E, A | G | SYS, A | G, "What it asks for"),
	[ENQUIRER_PUBLIC_KEY] = F_TEXT("public_key", 0, 64, 64, id_hash, A | G | E, A | G | SYS, A | G, "Ed25519 key it answers challenges with, 64 hex digits"),
	[ENQUIRER_RIGHTS] = F_SET("rights", 0, reg_right_words, A | G | E, A | G, A | G, "What it may ask by; details: more than the status; device: devices themselves"),
	[ENQUIRER_STATE] = F_WORD("state", FLT, reg_enquirer_state_words, ENQUIRER_REQUESTED, A | G | E, A | G, A | G, "Only an approved one is answered"),
};

const struct field reg_credential_fields[REG_CREDENTIAL_COUNT] = {
	[REG_CREDENTIAL_OWNER_TYPE] = F_WORD("owner_type", FIX | FLT | REQ, reg_roles, 0, A, A, NO, "Role of its owner"),
	[REG_CREDENTIAL_OWNER] = F_INT("owner", FIX | FLT, 0, INT64_MAX, 0, A, A, NO, "Its maker, custodian or enquirer record; 0: none"),
	[REG_CREDENTIAL_NAME] = F_TEXT("name", REQ | FIX, 1, 64, id_token, A, A, NO, "Name, for history and audit"),
	[REG_CREDENTIAL_TYPE] = F_WORD("type", KEY, reg_credential_words, 0, A, A, NO, "certificate or token"),
	[REG_CREDENTIAL_HASH] = F_TEXT("hash", KEY, 64, 64, id_hash, A, A, NO, "SHA-256 of the certificate or token"),
	[REG_CREDENTIAL_EXPIRES] = F_TIME("expires", 0, A, A, A, "End of its life; none: until revoked"),
	[REG_CREDENTIAL_REVOKED] = F_BOOL("revoked", 0, 0, A, NO, A, "No longer good"),
};

/* TEC 31188 3.1, 3.2.1: who told of it, of which devices, who has to mend it until when, what became of it. */
const struct field reg_vulnerability_fields[VULNERABILITY_COUNT] = {
	[VULNERABILITY_REFERENCE] = F_TEXT("reference", KEY, 1, 64, id_token, SEE, A | G | M | C | SYS, NO, "Number its reporter gave it"),
	[VULNERABILITY_SOURCE] = F_WORD("source", FIX, reg_source_words, 0, SEE, A | G | SYS, NO, "What kind of reporter"),
	[VULNERABILITY_REPORTER] = F_TEXT("reporter", FIX, 1, 128, id_text, A | G | M, A | G | SYS, NO, "Who reported it; platform: its identity"),
	[VULNERABILITY_REPORTER_ID] = { "reporter_id", FIELD_INT, FIELD_HIDDEN, 0, INT64_MAX, 0, NULL, NULL, 0, 0, 0, 0, "Record of a maker or custodian who reported it" },
	[VULNERABILITY_REPORTED] = F_TIME("reported", 0, SEE, NO, NO, "When it came in"),
	[VULNERABILITY_CVE] = F_TEXT("cve", 0, 13, 28, cve_check, SEE, A | G | M | C | SYS, A | G | M, "CVE identifier"),
	[VULNERABILITY_CERT_ID] = F_TEXT("cert_id", 0, 1, 64, id_token, SEE, A | G | SYS, A | G, "Identifier a CERT gave it"),
	[VULNERABILITY_CVSS] = F_TEXT("cvss", 0, 20, CVSS_MAX, cvss_check, SEE, A | G | M | C | SYS, A | G | M, "CVSS vector, 3.1 or 4.0"),
	[VULNERABILITY_SCORE] = F_INT("score", 0, 0, 100, 0, SEE, A | G | M | C | SYS, A | G | M, "Base score in tenths; of a 3.1 vector it is computed"),
	[VULNERABILITY_SEVERITY] = F_WORD("severity", FLT, cvss_severity_words, 0, SEE, NO, NO, "Of the score"),
	[VULNERABILITY_TITLE] = F_TEXT("title", REQ, 1, 200, id_text, SEE, A | G | M | C | SYS, A | G | M, "What it is, in a line"),
	[VULNERABILITY_DESCRIPTION] = F_TEXT("description", 0, 1, 8000, id_text, A | G | M, A | G | M | C | SYS, A | G | M, "For those who mend it"),
	[VULNERABILITY_DEVICE_TYPE] = F_TEXT("device_type", 0, 1, 64, id_text, SEE, A | G | M | C | SYS, A | G, "Type of device, as reported"),
	[VULNERABILITY_MAKE] = F_TEXT("make", REQ | FIX, 1, 128, id_text, SEE, A | G | M | C | SYS, NO, "Make of the devices"),
	[VULNERABILITY_MODEL] = F_TEXT("model", REQ | FIX, 1, 128, id_text, SEE, A | G | M | C | SYS, NO, "Their model; *: all of the make"),
	[VULNERABILITY_VERSIONS] = F_LIST("versions", 0, 1, VERSION_RANGE_MAX, version_range_check, SEE, A | G | M | C | SYS, A | G | M, "Firmware affected: any of these ranges, such as >=1.0 <1.4.2; none: all"),
	[VULNERABILITY_FIXED_IN] = F_TEXT("fixed_in", 0, 1, VERSION_MAX, id_text, SEE, A | G | M, A | G | M, "Firmware that has it no longer"),
	[VULNERABILITY_MAKER] = F_REF("maker", FIX | FLT, REG_MAKER, A | G | M, NO, NO, "Who has to mend it, found by the make"),
	[VULNERABILITY_STATE] = F_WORD("state", FLT, reg_vulnerability_words, VULNERABILITY_RECEIVED, SEE, NO, A | G | M, "What became of it; counts against devices from confirmed until closed or refused"),
	[VULNERABILITY_REPLY] = F_TEXT("reply", 0, 1, 2000, id_text, A | G | M, NO, A | G | M, "What the maker says"),
	[VULNERABILITY_DUE] = F_TIME("due", 0, A | G | M, A | G, A | G, "When the maker has to have mended it; by severity when not given"),
	[VULNERABILITY_OVERDUE] = F_BOOL("overdue", FLT, 0, A | G | M, NO, NO, "Has that time passed?"),
	[VULNERABILITY_PUBLIC] = F_BOOL("disclosed", 0, 0, SEE, A | G, A | G, "May every enquirer see it?"),
	[VULNERABILITY_DEVICES] = F_INT("devices", 0, 0, INT64_MAX, 0, A | G | M, NO, NO, "Devices here that it is about"),
};

const struct field reg_override_fields[OVERRIDE_COUNT] = {
	[OVERRIDE_DEVICE] = F_REF("device", FIX | FLT, REG_DEVICE, A | G, A | G, NO, "Which device; or an application"),
	[OVERRIDE_STATUS] = F_WORD("status", REQ | FIX, trust_status_names, TRUST_GREY, A | G, A | G, NO, "What it is held to be"),
	[OVERRIDE_REASON] = F_TEXT("reason", REQ | FIX, 1, 500, id_text, A | G, A | G, NO, "Why"),
	[OVERRIDE_UNTIL] = F_TIME("until", FIX, A | G, A | G, NO, "When it ends; none: when it is lifted"),
	[OVERRIDE_STATE] = F_WORD("state", FLT, reg_override_words, OVERRIDE_REQUESTED, A | G, NO, NO, "In force at once, or when another administrator has approved it; lifting: in force, its end waits for another's approval"),
	[OVERRIDE_ASKED_BY] = F_TEXT("asked_by", 0, 1, 128, NULL, A | G, NO, NO, "Who asked for it"),
	[OVERRIDE_DECIDED_BY] = F_TEXT("decided_by", 0, 1, 128, NULL, A | G, NO, NO, "Who approved, refused or lifted it"),
	[OVERRIDE_APPLICATION] = F_REF("application", FIX | FLT, REG_APPLICATION, A | G, A | G, NO, "Which application"),
	[OVERRIDE_LIFT_ASKED_BY] = F_TEXT("lift_asked_by", 0, 1, 128, NULL, A | G, NO, NO, "Who asked for its end"),
};

/* Y.3059 9.4: who wants to be told of what. What is hidden says whose it is. */
#define SUB (SEE)
const struct field reg_subscription_fields[SUBSCRIPTION_COUNT] = {
	[SUBSCRIPTION_NAME] = F_TEXT("name", REQ, 1, 64, id_token, SUB, SUB, SUB, "Name for its owner"),
	[SUBSCRIPTION_OWNER_ROLE] = { "owner_role", FIELD_INT, FIELD_HIDDEN, 0, INT64_MAX, 0, NULL, NULL, 0, 0, 0, 0, "Role of its owner" },
	[SUBSCRIPTION_OWNER] = { "owner", FIELD_INT, FIELD_HIDDEN, 0, INT64_MAX, 0, NULL, NULL, 0, 0, 0, 0, "Record of its owner; 0: none" },
	[SUBSCRIPTION_METHOD] = F_WORD("method", FIX | FLT, reg_method_words, SUBSCRIPTION_PUSH, SUB, SUB, NO, "Tokens are pushed (RFC 8935), fetched (RFC 8936), or read as server-sent events"),
	[SUBSCRIPTION_URL] = F_TEXT("url", 0, 9, 500, id_https_url, SUB, SUB, SUB, "Where to push to"),
	[SUBSCRIPTION_PAUSED] = F_BOOL("paused", 0, 0, SUB, SUB, SUB, "Nothing is told, and nothing lost, until it goes on"),
	[SUBSCRIPTION_EVENTS] = F_SET("events", 0, told_class_words, SUB, SUB, SUB, "These classes of event; none: all"),
	[SUBSCRIPTION_STATUSES] = F_SET("statuses", 0, reg_status_words, SUB, SUB, SUB, "Of changes of status only those to one of these; none: all"),
	[SUBSCRIPTION_USE_CASES] = F_SET("use_cases", 0, reg_device_kind_words, SUB, SUB, SUB, "Of devices for these uses (their kind); none: all"),
	[SUBSCRIPTION_MAKE] = F_TEXT("make", 0, 1, 128, id_text, SUB, SUB, SUB, "Of this make"),
	[SUBSCRIPTION_MODEL] = F_TEXT("model", 0, 1, 128, id_text, SUB, SUB, SUB, "Of this model"),
	[SUBSCRIPTION_KINDS] = F_SET("kinds", 0, event_kind_words, SUB, SUB, SUB, "These kinds of event; none: all"),
	[SUBSCRIPTION_BATCH] = F_INT("batch", 0, 1, SUBSCRIPTION_BATCH_MAX, 1, SUB, SUB, SUB, "Push: so many events in one delivery, when as many wait"),
	[SUBSCRIPTION_DIGEST] = F_INT("digest", 0, 0, 2678400, 0, SUB, SUB, SUB, "Push: a summary every so many seconds (3600 hourly, 86400 daily, on the hour and day of UTC) in place of the events; 0: the events"),
	[SUBSCRIPTION_DIGEST_EMPTY] = F_BOOL("digest_empty", 0, 0, SUB, SUB, SUB, "Summaries also of times in which nothing happened"),
	[SUBSCRIPTION_SUBJECTS] = F_LIST("subjects", 0, 1, EVENT_SUBJECT_MAX, id_text, SUB, SUB, SUB, "Of these alone: RegDevIDs, references of vulnerabilities; none: all"),
};
