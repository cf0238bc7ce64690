/* SPDX-License-Identifier: Apache-2.0 */
/* The table of records: see record.h. Columns of a row stand in line; A, P, S are the roles. */
#include "core/ident.h"
#include "ident/idrule.h"
#include "hss-stub/mapping/mapping_priv.h"
#include "record/table.h"

#define A   FOR_ADMIN
#define P   FOR_ASP
#define S   FOR_SUBSCRIBER
#define AP  (A | P)
#define AS  (A | S)
#define APS FOR_ALL
#define NO  FOR_NOBODY

static const struct field verification_fields[VERIFICATION_COUNT] = {
	[VERIFICATION_REFERENCE] = F_TEXT("reference", KEY, 1, 64, id_token, A, A, NO, "Number of the verification case"),
	[VERIFICATION_NAME] = F_TEXT("name", REQ, 1, 200, id_text, A, A, A, "Name as verified"),
	[VERIFICATION_ADDRESS] = F_SEAL("address", 0, 1, 500, id_text, A, A, A, "Address as verified"),
	[VERIFICATION_DOCUMENT_KIND] = F_WORD("document_kind", 0, document_words, 0, A, A, A, "Identity document shown"),
	[VERIFICATION_DOCUMENT_NUMBER] = F_SEAL("document_number", 0, 1, 64, id_text, A, A, A, "Its number"),
	[VERIFICATION_DOCUMENT_COUNTRY] = F_SEAL("document_country", 0, 2, 3, id_token, A, A, A, "Who issued it (ISO 3166)"),
	[VERIFICATION_LEVEL] = F_INT("level", 0, 0, 3, 1, A, A, A, "Degree of assurance: 0 none, 3 highest"),
	[VERIFICATION_METHOD] = F_TEXT("method", 0, 1, 64, id_text, A, A, A, "How it was verified"),
	[VERIFICATION_VERIFIER] = F_TEXT("verifier", REQ, 1, 128, id_text, A, A, A, "Who verified"),
	[VERIFICATION_VERIFIED] = F_TIME("verified", 0, A, A, A, "When; now if not given"),
};

static const struct field authentication_fields[AUTHENTICATION_COUNT] = {
	[AUTHENTICATION_REFERENCE] = F_TEXT("reference", KEY, 1, 64, id_token, A, A, NO, "Number of the authentication"),
	[AUTHENTICATION_IDENTITIES] = F_LIST("identities", REQ, 3, IDRULE_MAX, id_device, A, A, A, "KIND:VALUE, such as imei:490154203237518"),
	[AUTHENTICATION_METHOD] = F_WORD("method", REQ, authentication_method_words, 0, A, A, A, "How the device was authenticated"),
	[AUTHENTICATION_AUTHENTICATOR] = F_TEXT("authenticator", REQ, 1, 128, id_text, A, A, A, "Who authenticated it"),
	[AUTHENTICATION_AUTHENTICATED] = F_TIME("authenticated", 0, A, A, A, "When; now if not given"),
	[AUTHENTICATION_CREDENTIAL] = F_SEAL("credential", 0, 1, 4096, id_text, A, A, A, "What it showed, such as a certificate's fingerprint"),
};

static const struct field user_fields[USER_COUNT] = {
	[USER_ACCOUNT] = F_TEXT("account", KEY, 1, 64, id_token, AS, A, NO, "The user's name with the operator"),
	[USER_VERIFICATION] = F_REF("verification", REQ, KIND_VERIFICATION, A, A, A, "Verification record the user is registered from"),
	[USER_NAME] = F_TEXT("name", 0, 1, 200, NULL, AS, NO, NO, "Name as verified"),
	[USER_ADDRESS] = F_SEAL("address", 0, 1, 500, NULL, AS, NO, NO, "Address as verified"),
	[USER_DOCUMENT_KIND] = F_WORD("document_kind", 0, document_words, 0, AS, NO, NO, "Identity document shown"),
	[USER_DOCUMENT_NUMBER] = F_SEAL("document_number", 0, 1, 64, NULL, AS, NO, NO, "Its number"),
	[USER_DOCUMENT_COUNTRY] = F_SEAL("document_country", 0, 2, 3, NULL, AS, NO, NO, "Who issued it"),
	[USER_LEVEL] = F_INT("level", 0, 0, 3, 0, AS, NO, NO, "Degree of assurance of the verification"),
	[USER_VERIFIER] = F_TEXT("verifier", 0, 1, 128, NULL, A, NO, NO, "Who verified"),
	[USER_VERIFIED] = F_TIME("verified", 0, AS, NO, NO, "When"),
	[USER_EMAIL] = F_TEXT("email", 0, 3, 254, id_email, AS, AS, AS, "Address for letters"),
	[USER_NOTICE_URL] = F_TEXT("notice_url", 0, 9, 500, id_https_url, AS, AS, AS, "Webhook for notices (https)"),
	[USER_NOTICE_DROP] = F_TEXT("notice_drop", 0, 1, 64, id_token, AS, A, A, "Mail-drop for notices"),
	[USER_STATE] = F_WORD("state", 0, user_state_words, USER_REGISTERED, AS, A, A, "Suspended: no permission is in force"),
};

static const struct field user_identity_fields[USER_IDENTITY_COUNT] = {
	[USER_IDENTITY_USER] = F_REF("custodian", REQ | FIX | FLT, KIND_USER, AS, A, NO, "Whose"),
	[USER_IDENTITY_TYPE] = F_WORD("type", KEY, user_identity_words, 0, AS, A, NO, "Kind of identity"),
	[USER_IDENTITY_VALUE] = F_TEXT("value", KEY, 1, IDRULE_MAX, id_text, AS, A, NO, "The identity"),
};

static const struct field device_fields[DEVICE_COUNT] = {
	[DEVICE_IMPI] = F_TEXT("impi", KEY, 3, IMPI_MAX, id_impi, AS, A, NO, "Client element: subscriber whose keys it holds"),
	[DEVICE_CUSTODIAN] = F_REF("custodian", REQ | FLT, KIND_USER, AS, A, A, "User it is registered to"),
	[DEVICE_AUTHENTICATION] = F_REF("authentication", REQ | FLT, KIND_AUTHENTICATION, A, A, A, "Record it is registered from"),
	[DEVICE_NAME] = F_TEXT("name", 0, 1, 100, id_text, AS, AS, AS, "The user's name for it"),
	[DEVICE_MODEL] = F_TEXT("model", 0, 1, 100, id_text, AS, A, A, "Make and model"),
	[DEVICE_IDENTITIES] = F_LIST("identities", 0, 3, IDRULE_MAX, NULL, AS, NO, NO, "As authenticated"),
	[DEVICE_METHOD] = F_WORD("method", 0, authentication_method_words, 0, AS, NO, NO, "How it was authenticated"),
	[DEVICE_AUTHENTICATOR] = F_TEXT("authenticator", 0, 1, 128, NULL, A, NO, NO, "Who authenticated it"),
	[DEVICE_AUTHENTICATED] = F_TIME("authenticated", 0, AS, NO, NO, "When"),
	[DEVICE_CREDENTIAL] = F_SEAL("credential", 0, 1, 4096, NULL, A, NO, NO, "What it showed"),
};

static const struct field device_identity_fields[DEVICE_IDENTITY_FIELD_COUNT] = {
	[DEVICE_IDENTITY_DEVICE] = F_REF("device", REQ | FIX | FLT, KIND_DEVICE, AS, NO, NO, "Which device"),
	[DEVICE_IDENTITY_TYPE] = F_WORD("type", KEY, device_identity_words, 0, AS, NO, NO, "Kind of identity"),
	[DEVICE_IDENTITY_VALUE] = F_TEXT("value", KEY, 1, IDRULE_MAX, id_text, AS, NO, NO, "In the form it is compared in"),
};

static const struct field asp_fields[ASP_COUNT] = {
	[ASP_TYPE] = F_WORD("type", KEY, asp_identity_words, 0, APS, A, NO, "Kind of public identity"),
	[ASP_IDENTITY] = F_TEXT("identity", KEY, 1, IDRULE_MAX, id_text, APS, A, NO, "Public identity, such as a CIN"),
	[ASP_NAME] = F_TEXT("name", REQ, 1, 200, id_text, APS, A, A, "Name"),
	[ASP_CONTACT] = F_TEXT("contact", 0, 3, 254, id_email, AP, AP, AP, "Address for letters"),
	[ASP_NOTICE_URL] = F_TEXT("notice_url", 0, 9, 500, id_https_url, AP, AP, AP, "Webhook for notices (https)"),
	[ASP_NOTICE_DROP] = F_TEXT("notice_drop", 0, 1, 64, id_token, AP, A, A, "Mail-drop for notices"),
	[ASP_STATE] = F_WORD("state", FLT, asp_state_words, ASP_ACTIVE, AP, A, A, "Only an active one is served"),
	[ASP_NAMES] = F_LIST("names", 0, 1, FQDN_MAX, asp_name_check, AP, A, A, "What it may call its applications by itself: host names with all below, KIND:IDENTITY"),
};

static const struct field application_fields[APPLICATION_COUNT] = {
	[APPLICATION_ASP] = F_REF("asp", REQ | FIX | FLT, KIND_ASP, APS, AP, NO, "Whose"),
	[APPLICATION_TYPE] = F_WORD("type", KEY, application_identity_words, 0, APS, AP, NO, "Kind of identity"),
	[APPLICATION_IDENTITY] = F_TEXT("identity", KEY, 1, IDRULE_MAX, id_text, APS, AP, NO, "Identity, kept as given"),
	[APPLICATION_NAF_FQDN] = F_TEXT("naf_fqdn", FIX | FLT, 1, FQDN_MAX, id_fqdn, APS, AP, NO, "Host name of its NAF_Id; made where the identity is none"),
	[APPLICATION_NAME] = F_TEXT("name", REQ, 1, 200, id_text, APS, AP, AP, "Name for users"),
	[APPLICATION_DESCRIPTION] = F_TEXT("description", 0, 1, 1000, id_text, APS, AP, AP, "What it does"),
	[APPLICATION_DEVELOPER] = F_TEXT("developer", 0, 1, 200, id_text, APS, AP, AP, "Who made it"),
	[APPLICATION_UA_IDS] = F_LIST("ua_ids", 0, 10, 10, id_ua_id, APS, AP, AP, "Ua security protocols (TS 33.220 Annex H), first is preferred"),
	[APPLICATION_NAF_ID] = F_TEXT("naf_id", FIELD_DERIVED, 0, 600, NULL, APS, NO, NO, "NAF_Id as hex: host name and first Ua protocol"),
	[APPLICATION_GSID] = F_INT("gsid", FIX | FLT, 1000000, 4294967295, 0, AP, A, NO, "GAA service identifier; the next free one if not given"),
	[APPLICATION_GAA_TYPE] = F_INT("gaa_type", 0, 0, 4294967295, 0, AP, A, A, "GAA service type of its USS (TS 29.109 Annex B)"),
	[APPLICATION_NAF_GROUP] = F_TEXT("naf_group", 0, 1, 64, id_token, A, A, A, "NAF group its USS is for"),
	[APPLICATION_TOKEN_USE] = F_WORD("token_use", 0, token_use_words, TOKEN_MULTIPLE, APS, AP, AP, "Does a token serve this application alone?"),
	[APPLICATION_TOKEN_LIFETIME] = F_INT("token_lifetime", 0, 0, 31536000, 0, AP, AP, AP, "[s] Longest life of its tokens; 0: the realm's"),
	[APPLICATION_SECURITY_DEGREE] = F_INT("security_degree", 0, 0, 3, 0, AP, AP, AP, "Least security of tokens: 1 any, 2 keys in UICC"),
	[APPLICATION_MIN_LEVEL] = F_INT("min_level", 0, 0, 3, 1, APS, AP, AP, "Least verification level of its users"),
	[APPLICATION_ATTRIBUTES] = F_SET("attributes", 0, attribute_words, APS, AP, AP, "User's attributes it asks for"),
	[APPLICATION_PUSH_PEER] = F_TEXT("push_peer", 0, 1, FQDN_MAX, id_fqdn, AP, A, A, "Diameter identity of its agent, for pushed tokens"),
	[APPLICATION_PUBLISHED] = F_BOOL("published", FLT, 0, APS, AP, AP, "Do users see it in the catalogue?"),
	[APPLICATION_STATE] = F_WORD("state", 0, application_state_words, APPLICATION_ACTIVE, AP, AP, AP, "Suspended: no permission is in force"),
};

static const struct field credential_fields[CREDENTIAL_COUNT] = {
	[CREDENTIAL_OWNER_TYPE] = F_WORD("owner_type", REQ | FIX | FLT, owner_words, 0, APS, A, NO, "Kind of owner: its role"),
	[CREDENTIAL_OWNER] = F_INT("owner", FIX | FLT, 0, INT64_MAX, 0, APS, A, NO, "Its asp or user record; 0: an administrator"),
	[CREDENTIAL_NAME] = F_TEXT("name", REQ, 1, 64, id_token, APS, A, A, "Name in history and audit"),
	[CREDENTIAL_TYPE] = F_WORD("type", KEY, credential_words, 0, APS, A, NO, "Kind of credential"),
	[CREDENTIAL_HASH] = F_TEXT("hash", KEY, 64, 64, id_hash, A, A, NO, "SHA-256 of the certificate (DER) or of the token"),
	[CREDENTIAL_EXPIRES] = F_TIME("expires", REQ | FIX, APS, A, NO, "End of its life"),
	[CREDENTIAL_REVOKED] = F_TIME("revoked", 0, APS, NO, NO, "When it was revoked"),
};

static const struct field permission_fields[PERMISSION_COUNT] = {
	[PERMISSION_IMPI] = F_TEXT("impi", KEY, 3, IMPI_MAX, id_impi, AS, A, NO, "Client element"),
	[PERMISSION_APPLICATION] = F_REF("application", KEY, KIND_APPLICATION, APS, AP, NO, "May use this application"),
	[PERMISSION_FLAG] = F_WORD("flag", 0, flag_words, FLAG_SET, APS, AP, APS, "Service permission flag"),
	[PERMISSION_FROM] = F_TIME("valid_from", 0, APS, AP, AP, "Start; none: at once"),
	[PERMISSION_UNTIL] = F_TIME("valid_until", 0, APS, AP, AP, "End; none: no end"),
	[PERMISSION_SECURITY_DEGREE] = F_INT("security_degree", 0, 0, 3, 0, APS, AP, AP, "Least security, if above the application's"),
	[PERMISSION_ATTRIBUTES] = F_SET("attributes", 0, attribute_words, APS, A, AS, "Attributes the user lets the ASP have"),
	[PERMISSION_PSEUDONYM] = F_TEXT("pseudonym", FLT | FIX, 32, 32, NULL, APS, P, NO, "The client element's name for this ASP"),
	[PERMISSION_SET_BY] = F_TEXT("set_by", 0, 1, 96, NULL, APS, NO, NO, "Who gave the flag"),
	[PERMISSION_IN_FORCE] = F_BOOL("in_force", 0, 0, APS, NO, NO, "Does the network grant it now?"),
	[PERMISSION_DUE] = F_TIME("due", FIELD_HIDDEN, NO, NO, NO, "Next change by time"),
};

static const struct field delegation_fields[DELEGATION_COUNT] = {
	[DELEGATION_PERMISSION] = F_REF("permission", KEY, KIND_PERMISSION, AS, AS, NO, "What is delegated"),
	[DELEGATION_TO_IMPI] = F_TEXT("to_impi", KEY, 3, IMPI_MAX, id_impi, AS, AS, NO, "Client element it is delegated to"),
	[DELEGATION_FROM] = F_TIME("valid_from", 0, AS, AS, AS, "Start; none: at once"),
	[DELEGATION_UNTIL] = F_TIME("valid_until", REQ, AS, AS, AS, "End"),
	[DELEGATION_STATE] = F_WORD("state", 0, delegation_state_words, DELEGATION_ACTIVE, AS, NO, NO, "Ended before its time, or by it"),
	[DELEGATION_PSEUDONYM] = F_TEXT("pseudonym", 0, 32, 32, NULL, A, NO, NO, "The delegate's name for the ASP"),
	[DELEGATION_SET_BY] = F_TEXT("set_by", 0, 1, 96, NULL, AS, NO, NO, "Who delegated"),
	[DELEGATION_IN_FORCE] = F_BOOL("in_force", 0, 0, AS, NO, NO, "Does the network grant it now?"),
	[DELEGATION_DUE] = F_TIME("due", FIELD_HIDDEN, NO, NO, NO, "Next change by time"),
};

static const struct field request_fields[REQUEST_COUNT] = {
	[REQUEST_USER] = F_REF("custodian", FIX | FLT, KIND_USER, AS, AS, NO, "Who asks; a subscriber: himself"),
	[REQUEST_IMPI] = F_TEXT("impi", REQ | FIX, 3, IMPI_MAX, id_impi, AS, AS, NO, "With which client element"),
	[REQUEST_APPLICATION] = F_REF("application", REQ | FIX | FLT, KIND_APPLICATION, APS, AS, NO, "Access to which application"),
	[REQUEST_STATE] = F_WORD("state", FLT, request_state_words, REQUEST_REQUESTED, APS, NO, NO, "How far it is"),
	[REQUEST_CONSENT] = F_BOOL("consent", 0, 0, AS, AS, NO, "The user agrees that attributes go to the ASP"),
	[REQUEST_ATTRIBUTES] = F_SET("attributes", 0, attribute_words, APS, AS, NO, "Which; none: all the application asks for"),
	[REQUEST_PSEUDONYM] = F_TEXT("pseudonym", FLT, 32, 32, NULL, AP, NO, NO, "The client element's name for the ASP"),
	[REQUEST_SHARED] = F_SEAL("shared", 0, 0, 8192, NULL, AP, NO, NO, "Attributes passed to the ASP (JSON)"),
	[REQUEST_REASON] = F_TEXT("reason", 0, 1, 224, id_text, APS, NO, NO, "Why it was refused"),
	[REQUEST_PERMISSION] = F_REF("permission", 0, KIND_PERMISSION, APS, NO, NO, "What was granted"),
};

static const struct field realm_fields[REALM_COUNT] = {
	[REALM_REALM] = F_TEXT("realm", KEY, 1, FQDN_MAX, id_fqdn, APS, A, NO, "Diameter realm of the operator"),
	[REALM_NAME] = F_TEXT("name", REQ, 1, 200, id_text, APS, A, A, "The operator's name"),
	[REALM_BSF_IDENTITY] = F_TEXT("bsf_identity", REQ, 1, FQDN_MAX, id_fqdn, APS, A, A, "Diameter identity of the authentication element"),
	[REALM_BSF_URL] = F_TEXT("bsf_url", REQ, 8, 500, id_url, APS, A, A, "Where devices bootstrap (Ub)"),
	[REALM_HSS_IDENTITY] = F_TEXT("hss_identity", REQ, 1, FQDN_MAX, id_fqdn, APS, A, A, "Diameter identity of the authorization element"),
	[REALM_API_URL] = F_TEXT("api_url", 0, 9, 500, id_https_url, APS, A, A, "Where ASPs and users are served"),
	[REALM_ALIAS_DOMAIN] = F_TEXT("alias_domain", REQ, 1, 180, id_fqdn, APS, A, A, "Domain of host names made for applications"),
	[REALM_UA_IDS] = F_LIST("ua_ids", 0, 10, 10, id_ua_id, APS, A, A, "Ua security protocols allowed"),
	[REALM_TOKEN_FORMAT] = F_TEXT("token_format", 0, 1, 200, id_text, APS, A, A, "Token format"),
	[REALM_TOKEN_LIFETIME] = F_INT("token_lifetime", 0, 60, 31536000, 86400, APS, A, A, "[s] Life of a token"),
	[REALM_ALGORITHMS] = F_LIST("algorithms", 0, 1, 64, id_token, APS, A, A, "AKA algorithms and digests"),
	[REALM_ASP_PROCEDURE] = F_TEXT("asp_procedure", 0, 8, 500, id_url, APS, A, A, "Page that tells ASPs how to register"),
	[REALM_DEVICE_PROCEDURE] = F_TEXT("device_procedure", 0, 8, 500, id_url, APS, A, A, "Page that tells users how to bootstrap"),
	[REALM_REGISTERED_ONLY] = F_BOOL("registered_only", 0, 1, A, A, A, "Serve only client elements of registered devices"),
	[REALM_DEVELOPER_REQUIRED] = F_BOOL("developer_required", 0, 0, APS, A, A, "Register only applications whose developer is named"),
};

static const struct field provider_fields[PROVIDER_COUNT] = {
	[PROVIDER_TYPE] = F_WORD("type", KEY, asp_identity_words, 0, A, A, NO, "Kind of public identity"),
	[PROVIDER_IDENTITY] = F_TEXT("identity", KEY, 1, IDRULE_MAX, id_text, A, A, NO, "Public identity, such as a CIN"),
	[PROVIDER_NAME] = F_TEXT("name", REQ, 1, 200, id_text, A, A, A, "Name"),
	[PROVIDER_ROLE] = F_WORD("role", FLT, provider_role_words, 0, A, A, A, "What kind of provider"),
	[PROVIDER_CONTACT] = F_TEXT("contact", 0, 3, 254, id_email, A, A, A, "Address for letters"),
	[PROVIDER_STATE] = F_WORD("state", FLT, provider_state_words, PROVIDER_ACTIVE, A, A, A, "Suspended: no server of it is registered"),
};

static const struct field server_fields[SERVER_COUNT] = {
	[SERVER_IDENTITY] = F_TEXT("identity", KEY, 1, FQDN_MAX, id_fqdn, A, A, NO, "Diameter identity"),
	[SERVER_PROVIDER] = F_REF("provider", REQ | FIX | FLT, KIND_PROVIDER, A, A, NO, "Whose"),
	[SERVER_FUNCTION] = F_WORD("function", FIX | FLT, server_function_words, 0, A, A, NO, "Keys and permissions (resource), or bootstrapping"),
	[SERVER_REALM] = F_TEXT("realm", REQ | FLT, 1, FQDN_MAX, id_fqdn, A, A, A, "Diameter realm"),
	[SERVER_IMPI_REALMS] = F_LIST("impi_realms", 0, 1, FQDN_MAX, id_fqdn, A, A, A, "Realms of the identities whose keys it has; a resource server's"),
	[SERVER_URL] = F_TEXT("url", 0, 8, 500, id_url, A, A, A, "Where users or ASPs find it, such as Ub"),
};

static const struct field bootstrapping_fields[BOOTSTRAPPING_COUNT] = {
	[BOOTSTRAPPING_IMPI] = F_TEXT("impi", KEY, 3, IMPI_MAX, id_impi, AS, NO, NO, "Client element"),
	[BOOTSTRAPPING_BSF] = F_TEXT("bsf", KEY, 1, FQDN_MAX, id_fqdn, AS, NO, NO, "Diameter identity of the BSF that authenticated it"),
	[BOOTSTRAPPING_SERVER] = F_REF("server", FLT, KIND_SERVER, A, NO, NO, "Its record, when it is registered"),
	[BOOTSTRAPPING_FIRST] = F_TIME("first_run", 0, AS, NO, NO, "When it first did"),
	[BOOTSTRAPPING_LAST] = F_TIME("last_run", 0, AS, NO, NO, "When it last did"),
	[BOOTSTRAPPING_RUNS] = F_INT("runs", 0, 0, INT64_MAX, 0, AS, NO, NO, "How often"),
	[BOOTSTRAPPING_STARTED_BY] = F_WORD("started_by", FLT, started_by_words, 0, AS, NO, NO, "Who began the last run: the device, or the network (device renew)"),
	[BOOTSTRAPPING_NETWORK_RUNS] = F_INT("network_runs", 0, 0, INT64_MAX, 0, AS, NO, NO, "How many the network began"),
	[BOOTSTRAPPING_ASKED] = F_TIME("asked", 0, AS, NO, NO, "The network has asked for a run since then; none: it has not, or there was one"),
	[BOOTSTRAPPING_LAST_TOKEN] = F_TEXT("last_token", 0, 64, 64, id_hash, AS, NO, NO, "SHA-256 of the last run's B-TID, hex"),
};

static const struct field token_fields[TOKEN_COUNT] = {
	[TOKEN_DIGEST] = F_TEXT("digest", KEY, 64, 64, id_hash, APS, NO, NO, "SHA-256 of the B-TID, hex"),
	[TOKEN_FQDN] = F_TEXT("naf_fqdn", KEY, 1, FQDN_MAX, id_fqdn, APS, NO, NO, "Host name of an application that it serves"),
	[TOKEN_APPLICATION] = F_REF("application", FLT, KIND_APPLICATION, APS, NO, NO, "Its record, when it is registered"),
	[TOKEN_IMPI] = F_TEXT("impi", FLT, 3, IMPI_MAX, id_impi, AS, NO, NO, "Whose"),
	[TOKEN_BSF] = F_TEXT("bsf", FLT, 1, FQDN_MAX, id_fqdn, AS, NO, NO, "Who issued it"),
	[TOKEN_MADE] = F_TIME("made", 0, APS, NO, NO, "When the device bootstrapped"),
	[TOKEN_EXPIRES] = F_TIME("expires", 0, APS, NO, NO, "End of its life"),
};

static const struct field notice_fields[NOTICE_COUNT] = {
	[NOTICE_OWNER_TYPE] = F_WORD("owner_type", FIX | FLT, owner_words, 0, A, NO, NO, "Who is told"),
	[NOTICE_OWNER] = F_INT("owner", FIX | FLT, 0, INT64_MAX, 0, A, NO, NO, "Its asp or user record"),
	[NOTICE_EVENT] = F_WORD("event", FIX, event_words, 0, APS, NO, NO, "What happened"),
	[NOTICE_ABOUT_KIND] = F_TEXT("about_kind", FIX, 1, 32, NULL, APS, NO, NO, "Kind of record it is about"),
	[NOTICE_ABOUT] = F_INT("about", FIX, 0, INT64_MAX, 0, APS, NO, NO, "Its id"),
	[NOTICE_BODY] = F_TEXT("body", FIX, 2, 4096, NULL, APS, NO, NO, "The notice (JSON)"),
	[NOTICE_TRIES] = F_INT("tries", 0, 0, INT64_MAX, 0, A, NO, A, "Deliveries that failed"),
};

static const char *const verify_arguments[] = { "verification", NULL }, *const authenticate_arguments[] = { "authentication", NULL },
	*const none[] = { NULL }, *const consent_arguments[] = { "attributes", NULL }, *const reason_arguments[] = { "reason", NULL },
	*const grant_arguments[] = { "valid_from", "valid_until", "security_degree", NULL };

static const struct record_verb user_verbs[] = {
	{ "verify", A, verify_arguments, user_verify, "Take the identity over again from this or a newer verification" },
	{ NULL, 0, NULL, NULL, NULL }
};
static const struct record_verb device_verbs[] = {
	{ "verify", A, authenticate_arguments, device_verify, "Take the identities over again from this or a newer authentication" },
	{ "renew", A, none, device_renew, "End its tokens, so that it bootstraps again: the network begins (Y.OBF 9.2.3)" },
	{ NULL, 0, NULL, NULL, NULL }
};
static const struct record_verb credential_verbs[] = {
	{ "revoke", AP, none, credential_revoke, "End its life now" },
	{ NULL, 0, NULL, NULL, NULL }
};
static const struct record_verb delegation_verbs[] = {
	{ "end", AS, none, delegation_end, "End it before its time" },
	{ NULL, 0, NULL, NULL, NULL }
};
static const struct record_verb request_verbs[] = {
	{ "verify", A, none, request_verify, "Check the user's verification and the device (again)" },
	{ "consent", AS, consent_arguments, request_consent, "The user agrees; the ASP is told" },
	{ "grant", AP, grant_arguments, request_grant, "Set the permission flag if it is not set, report it, inform the user" },
	{ "refuse", AP, reason_arguments, request_refuse, "Refuse and inform the user" },
	{ NULL, 0, NULL, NULL, NULL }
};

#define MY_DEVICES "(SELECT impi FROM device WHERE custodian = @)"
#define MY_APPLICATIONS "(SELECT id FROM application WHERE asp = @)"
#define CATALOGUE "(published = 1 AND state = 0)"

const struct record_kind mapping_kinds[KIND_COUNT] = {
	[KIND_VERIFICATION] = { KIND_VERIFICATION, "verification", "verification", "verifications", "Verified identities of subscribers (KYC)", verification_fields,
		VERIFICATION_COUNT, { "", NULL, NULL, "" }, A, A, A, verification_before, NULL, NULL },
	[KIND_AUTHENTICATION] = { KIND_AUTHENTICATION, "authentication", "authentication", "authentications", "Authenticated identities of devices",
		authentication_fields, AUTHENTICATION_COUNT, { "", NULL, NULL, "" }, A, A, A, authentication_before, NULL, NULL },
	[KIND_USER] = { KIND_USER, "user", "users", "users", "Users registered for bootstrapping", user_fields, USER_COUNT,
		{ "", NULL, "id = @", "" }, A, AS, A, user_before, user_after, user_verbs },
	[KIND_USER_IDENTITY] = { KIND_USER_IDENTITY, "user_identity", "user_identity", "user-identities", "Further identities of users", user_identity_fields,
		USER_IDENTITY_COUNT, { "", NULL, "custodian = @", "" }, A, NO, A, user_identity_before, NULL, NULL },
	[KIND_DEVICE] = { KIND_DEVICE, "device", "device", "devices", "Devices registered for bootstrapping", device_fields, DEVICE_COUNT,
		{ "", NULL, "custodian = @", "" }, A, AS, A, device_before, device_after, device_verbs },
	[KIND_DEVICE_IDENTITY] = { KIND_DEVICE_IDENTITY, "device_identity", "device_identity", "device-identities", "Identities of devices, for look-up",
		device_identity_fields, DEVICE_IDENTITY_FIELD_COUNT, { "", NULL, "device IN (SELECT id FROM device WHERE custodian = @)", "" },
		NO, NO, NO, NULL, NULL, NULL },
	[KIND_ASP] = { KIND_ASP, "asp", "asp", "asps", "Application service providers", asp_fields, ASP_COUNT,
		{ "", "id = @", NULL, "" }, A, AP, A, asp_before, asp_after, NULL },
	[KIND_APPLICATION] = { KIND_APPLICATION, "application", "application", "applications", "Trusted applications of ASPs", application_fields,
		APPLICATION_COUNT, { "", "asp = @", CATALOGUE, "" }, AP, AP, AP, application_before, application_after, NULL, application_derive },
	[KIND_CREDENTIAL] = { KIND_CREDENTIAL, "credential", "credential", "credentials", "Credentials of callers, as hashes", credential_fields,
		CREDENTIAL_COUNT, { "", "owner_type = 1 AND owner = @", "owner_type = 2 AND owner = @", "" }, A, A, A, credential_before,
		NULL, credential_verbs },
	[KIND_PERMISSION] = { KIND_PERMISSION, "permission", "permission", "permissions", "Which client element may use which application",
		permission_fields, PERMISSION_COUNT, { "", "application IN " MY_APPLICATIONS, "impi IN " MY_DEVICES, "" },
		AP, APS, APS, permission_before, permission_after, NULL },
	[KIND_DELEGATION] = { KIND_DELEGATION, "delegation", "delegation", "delegations", "Permissions lent to other client elements", delegation_fields,
		DELEGATION_COUNT, { "", NULL, "(to_impi IN " MY_DEVICES " OR permission IN (SELECT id FROM permission WHERE impi IN " MY_DEVICES "))", "" },
		AS, AS, AS, delegation_before, delegation_after, delegation_verbs },
	[KIND_REQUEST] = { KIND_REQUEST, "request", "request", "requests", "Users' requests for access", request_fields, REQUEST_COUNT,
		{ "", "state >= 2 AND pseudonym IS NOT NULL AND application IN " MY_APPLICATIONS, "custodian = @", "" }, AS, NO, A,
		request_before, request_after, request_verbs },
	[KIND_REALM] = { KIND_REALM, "realm", "realm", "realm", "Profile of the realm", realm_fields, REALM_COUNT, { "", "", "", "" }, A, A, NO, realm_before,
		NULL, NULL },
	[KIND_NOTICE] = { KIND_NOTICE, "notice", "notice", "notices", "What users and ASPs are still to be told", notice_fields, NOTICE_COUNT,
		{ "", "owner_type = 1 AND owner = @", "owner_type = 2 AND owner = @", "" }, NO, A, APS, NULL, NULL, NULL },
	[KIND_PROVIDER] = { KIND_PROVIDER, "provider", "provider", "providers", "Operators and IoT service providers with servers of their own",
		provider_fields, PROVIDER_COUNT, { "", NULL, NULL, "" }, A, A, A, provider_before, NULL, NULL },
	[KIND_SERVER] = { KIND_SERVER, "server", "server", "servers", "Their resource servers and authentication servers", server_fields, SERVER_COUNT,
		{ "", NULL, NULL, "" }, A, A, A, server_before, NULL, NULL },
	[KIND_BOOTSTRAPPING] = { KIND_BOOTSTRAPPING, "bootstrapping", "bootstrapping", "bootstrappings", "Which device bootstraps at which BSF, as BSFs report it",
		bootstrapping_fields, BOOTSTRAPPING_COUNT, { "", NULL, "impi IN " MY_DEVICES, "" }, NO, NO, NO, NULL, NULL, NULL },
	[KIND_TOKEN] = { KIND_TOKEN, "token", "token", "tokens", "Live tokens and the applications they serve, as BSFs report them", token_fields,
		TOKEN_COUNT, { "", "application IN " MY_APPLICATIONS, "impi IN " MY_DEVICES, "" }, NO, NO, NO, NULL, NULL, NULL },
};

/* What hangs on a record: removed with it, or (keep) forbids its removal. */
static const struct record_hang hangs[] = {
	{KIND_VERIFICATION,    KIND_USER,            "verification",   -1,         true },
	{ KIND_AUTHENTICATION, KIND_DEVICE,          "authentication", -1,         true },
	{ KIND_USER,           KIND_USER_IDENTITY,   "custodian",      -1,         false},
	{ KIND_USER,           KIND_DEVICE,          "custodian",      -1,         false},
	{ KIND_USER,           KIND_REQUEST,         "custodian",      -1,         false},
	{ KIND_USER,           KIND_CREDENTIAL,      "owner",          OWNER_USER, false},
	{ KIND_USER,           KIND_NOTICE,          "owner",          OWNER_USER, false},
	{ KIND_DEVICE,         KIND_DEVICE_IDENTITY, "device",         -1,         false},
	{ KIND_ASP,            KIND_APPLICATION,     "asp",            -1,         false},
	{ KIND_ASP,            KIND_CREDENTIAL,      "owner",          OWNER_ASP,  false},
	{ KIND_ASP,            KIND_NOTICE,          "owner",          OWNER_ASP,  false},
	{ KIND_APPLICATION,    KIND_PERMISSION,      "application",    -1,         false},
	{ KIND_APPLICATION,    KIND_REQUEST,         "application",    -1,         false},
	{ KIND_PERMISSION,     KIND_DELEGATION,      "permission",     -1,         false},
	{ KIND_PROVIDER,       KIND_SERVER,          "provider",       -1,         false},
};

static const char *const secrets[] = { [REALM_SECRET_PSEUDONYM] = "pseudonym", NULL };

const struct record_set mapping_set = { .kinds = mapping_kinds,
					.count = KIND_COUNT,
					.roles = mapping_roles,
					.all = FOR_ADMIN,
					.hangs = hangs,
					.n_hangs = sizeof(hangs) / sizeof(hangs[0]),
					.secrets = secrets,
					.secret_table = "realm_secret",
					.before_commit = mapping_flush,
					.ended = mapping_forget };
