/* SPDX-License-Identifier: Apache-2.0 */
/* The table of records: see lib/record/record.h. Columns of a row stand in line. */
#include "registry-fn/record/kinds.h"

#include "core/ident.h"
#include "ident/idrule.h"
#include "record/table.h"
#include "registry-fn/id/composite.h"
#include "registry-fn/id/regdevid.h"
#include "registry-fn/listing/listing.h"
#include "registry-fn/record/credential.h"
#include "registry-fn/record/rules.h"
#include "registry-fn/tell/tell.h"
#include "registry-fn/trust/override.h"

const char *const reg_roles[] = { "admin", "privacy", "bulk", "agency", "maker", "custodian", "enquirer", "device", "registry", "system",
				  "registrar", "certifier", "provider", NULL };
const char *const reg_custodian_words[] = { "person", "organisation", NULL };
const char *const reg_custodian_state_words[] = { "unverified", "verified", "refused", "suspended", NULL };
const char *const reg_device_kind_words[] = { "other", "phone", "tablet", "computer", "router", "module", "gateway", "meter", "sensor",
					      "actuator", "camera", "vehicle", "wearable", "medical", "payment", NULL };
const char *const reg_root_words[] = { "none", "soft-usim", "usim", "euicc", "iuicc", "secure-element", "tpm", "tee", NULL };
const char *const reg_communication_words[] = { "2g", "3g", "4g", "5g", "nb-iot", "lte-m", "wlan", "bluetooth", "zigbee", "thread",
						"lorawan", "ethernet", "nfc", "satellite", "serial", NULL };
const char *const reg_power_words[] = { "unknown", "mains", "battery", "rechargeable", "harvested", NULL };
const char *const reg_device_state_words[] = { "announced", "acknowledged", "registered", "retired", NULL };
const char *const reg_status_words[] = { "grey", "white", "black", NULL };
const char *const reg_entry_state_words[] = { "active", "retired", NULL };

#define A   FOR_ADMIN
#define B   FOR_BULK
#define G   FOR_AGENCY
#define M   FOR_MAKER
#define C   FOR_CUSTODIAN
#define E   FOR_ENQUIRER
#define D   FOR_DEVICE
#define SYS FOR_SYSTEM
#define R   FOR_REGISTRAR
#define K   FOR_CERTIFIER
#define P   FOR_PROVIDER
#define PC  (FOR_PRIVACY | FOR_CUSTODIAN) /* personal data: by need, not by rank (9.1-iii) */
#define ANY (A | B | G | M | C | E | D | FOR_PARTIES)
#define NO  FOR_NOBODY

static const struct field custodian_fields[CUSTODIAN_COUNT] = {
	[CUSTODIAN_ACCOUNT] = F_TEXT("account", KEY, 1, 64, id_token, A | G | C | B, A | G | B, NO, "Name with the registry; says nothing of the person"),
	[CUSTODIAN_KIND] = F_WORD("kind", 0, reg_custodian_words, 0, A | G | C | B, A | G | B, A, "Person or organisation"),
	[CUSTODIAN_NAME] = F_SEAL("name", 0, 1, 200, id_text, PC, A | G | B, PC, "Name (personal)"),
	[CUSTODIAN_ADDRESS] = F_SEAL("address", 0, 1, 500, id_text, PC, A | G | B, PC, "Address (personal)"),
	[CUSTODIAN_EMAIL] = F_SEAL("email", 0, 3, 254, id_email, PC, A | G | B, PC, "Address for letters (personal)"),
	[CUSTODIAN_PHONE] = F_SEAL("phone", 0, 5, 15, id_msisdn, PC, A | G | B, PC, "Telephone number, without + (personal)"),
	[CUSTODIAN_DOCUMENT] = F_SEAL("document", 0, 1, 128, id_text, PC, A | G | B, FOR_PRIVACY, "Document shown, such as a CIN or a passport's number (personal)"),
	[CUSTODIAN_COUNTRY] = F_TEXT("country", 0, 2, 3, id_token, A | G | C | B, A | G | B, A, "Country (ISO 3166)"),
	[CUSTODIAN_STATE] = F_WORD("state", FLT, reg_custodian_state_words, 0, A | G | C | B, A | G | B, A | G, "Only to a verified one devices are linked"),
	[CUSTODIAN_LEVEL] = F_INT("level", 0, 0, 3, 0, A | G | C | B, A | G | B, A | G, "Degree of assurance of the verification"),
	[CUSTODIAN_VERIFIER] = F_TEXT("verifier", 0, 1, 128, id_text, A | G | B, A | G | B, A | G, "Who verified"),
	[CUSTODIAN_CHECKED] = F_TIME("checked", 0, A | G | C | B, NO, NO, "When its state was last set"),
	[CUSTODIAN_IMPIS] = F_LIST("impis", 0, 3, IMPI_MAX, id_impi, PC, A | G | B, FOR_PRIVACY | G, "Client elements whose devices are its own (personal)"),
	[CUSTODIAN_CODE_HASH] = F_TEXT("code_hash", 0, 64, 64, id_hash, SYS, A | G | B | C, A | G | C, "SHA-256 of the code its devices show when they register"),
};

static const struct field maker_fields[MAKER_COUNT] = {
	[MAKER_NAME] = F_TEXT("name", KEY, 1, 128, id_text, ANY, A | G | B, NO, "Name, as devices give their make"),
	[MAKER_COUNTRY] = F_TEXT("country", 0, 2, 3, id_token, ANY, A | G | B, A | G | M, "Country (ISO 3166)"),
	[MAKER_CONTACT] = F_TEXT("contact", 0, 3, 254, id_email, A | G | M | B, A | G | B, A | G | M, "Address for security matters"),
	[MAKER_POLICY_URL] = F_TEXT("policy_url", 0, 9, 500, id_https_url, ANY, A | G | B, A | G | M, "Its vulnerability disclosure policy"),
	[MAKER_STATE] = F_WORD("state", FLT, reg_entry_state_words, 0, ANY, A | G | B, A | G, "Retired: no new devices"),
	[MAKER_SUPPLIERS] = F_LIST("suppliers", 0, 1, 128, id_text, A | G | M | B | FOR_PARTIES, A | G | B, A | G | M, "Who supplies components, such as \"radio module: Example Ltd\""),
};

static const struct field model_fields[MODEL_COUNT] = {
	[MODEL_MAKER] = F_REF("maker", KEY, REG_MAKER, ANY, A | G | M | B, NO, "Whose"),
	[MODEL_NAME] = F_TEXT("name", KEY, 1, 128, id_text, ANY, A | G | M | B, NO, "Name, as devices give their model"),
	[MODEL_KIND] = F_WORD("kind", REQ, reg_device_kind_words, 0, ANY, A | G | M | B, A | G | M, "Kind of device"),
	[MODEL_COMMUNICATION] = F_SET("communication", 0, reg_communication_words, ANY, A | G | M | B, A | G | M, "What it can communicate by"),
	[MODEL_TACS] = F_LIST("tacs", 0, 8, 8, id_serial, ANY, A | G | M | B, A | G | M, "Type allocation codes of its IMEIs"),
	[MODEL_LATEST_FIRMWARE] = F_TEXT("latest_firmware", 0, 1, 64, id_text, ANY, A | G | M | B, A | G | M, "Newest firmware"),
	[MODEL_STATE] = F_WORD("state", FLT, reg_entry_state_words, 0, ANY, A | G | M | B, A | G | M, "Retired: no new devices"),
};

/* What a device says of itself is written by its door (SYS) or, before it was ever seen, by import. */
static const struct field device_fields[DEVICE_COUNT] = {
	[DEVICE_SCHEME] = F_WORD("scheme", KEY, scheme_words, 0, ANY & ~E, A | G | B | R, NO, "Scheme of its inherent identity"),
	[DEVICE_IDENTITY] = F_TEXT("identity", KEY, 1, INHERENT_MAX, id_text, ANY & ~E, A | G | B | R, NO, "Inherent identity, in its canonical form"),
	[DEVICE_REGDEVID] = F_TEXT("regdevid", FIX | FLT, 1, REGDEVID_MAX, NULL, ANY, NO, NO, "RegDevID"),
	[DEVICE_IMPI] = F_TEXT("impi", FLT, 3, IMPI_MAX, id_impi, PC | D, SYS, SYS, "Client element it registered with (personal)"),
	[DEVICE_CUSTODIAN] = F_REF("custodian", FLT, REG_CUSTODIAN, A | G | C | B | D, A | G | B, A | G, "Owner or custodian"),
	[DEVICE_MAKE] = F_TEXT("make", REQ | FLT, 1, 128, id_text, ANY, A | G | B | R, A | G, "Make"),
	[DEVICE_MODEL] = F_TEXT("model", REQ | FLT, 1, 128, id_text, ANY, A | G | B | R, A | G, "Model"),
	[DEVICE_KIND] = F_WORD("kind", 0, reg_device_kind_words, 0, ANY, A | G | B | R, A | G, "Kind of device"),
	[DEVICE_ROOT] = F_WORD("root_of_trust", 0, reg_root_words, ROOT_NONE, ANY, A | G | B | R, SYS, "Root of trust; none: never White"),
	[DEVICE_FIRMWARE] = F_TEXT("firmware", 0, 1, 64, id_text, ANY, A | G | B | R, SYS, "Firmware version"),
	[DEVICE_SOFTWARE] = F_TEXT("software", 0, 1, 64, id_text, ANY, A | G | B | R, SYS, "Software version"),
	[DEVICE_COMMUNICATION] = F_SET("communication", 0, reg_communication_words, ANY, A | G | B | R, SYS, "What it can communicate by"),
	[DEVICE_POWER] = F_WORD("power", 0, reg_power_words, 0, ANY, A | G | B | R, SYS, "How it is powered"),
	[DEVICE_PROTOCOLS] = F_LIST("protocols", 0, 1, 32, id_token, ANY, A | G | B | R, SYS, "Protocols it speaks"),
	[DEVICE_STATE] = F_WORD("state", FLT, reg_device_state_words, DEVICE_ANNOUNCED, ANY, SYS, SYS, "Effective when registered"),
	[DEVICE_STATUS] = F_WORD("status", FLT, reg_status_words, STATUS_GREY, ANY, NO, NO, "Trust status here and now"),
	[DEVICE_SERIAL] = F_INT("serial", 0, 0, INT64_MAX, 0, A | D, SYS, SYS, "Number of the assignment; a new one with each Register after another"),
	[DEVICE_EXPIRES] = F_TIME("expires", 0, A | D, SYS, SYS, "Until when it may be confirmed by Set"),
	[DEVICE_EFFECTIVE] = F_TIME("effective", 0, ANY, SYS, SYS, "When it became effective"),
	[DEVICE_REPORTED] = F_TIME("reported", 0, ANY, SYS, SYS, "When it last reported"),
	[DEVICE_REPORT_DUE] = F_TIME("report_due", 0, ANY, SYS, SYS, "When it has to report again"),
	[DEVICE_OVERDUE] = F_BOOL("overdue", FLT, 0, ANY, SYS, SYS, "Has it missed that?"),
	[DEVICE_COMPOSITE] = F_TEXT("composite", FLT, 1, COMPOSITE_MAX, id_text, A | G | B | D | R, A | G | B | R, A | G, "Composite virtual identity (TEC 31188 2.2.1)"),
	[DEVICE_MAKER] = F_REF("maker", FLT, REG_MAKER, ANY & ~D, NO, NO, "Its maker, when one of this make is registered"),
	[DEVICE_CERTIFICATION] = F_WORD("certification", FLT, reg_certified_words, CERTIFIED_NOT, ANY & ~D, NO, NO, "What certifications say of its make, model and versions"),
	[DEVICE_REGISTRAR] = F_REF("registrar", FLT, REG_PARTY, A | G | B | R, NO, NO, "Sector's registrar that listed it"),
};

static const struct field device_identity_fields[DEVICE_IDENTITY_COUNT] = {
	[DEVICE_IDENTITY_DEVICE] = F_REF("device", KEY, REG_DEVICE, A | G | C | B | D | R, A | G | B | R, NO, "Which device"),
	[DEVICE_IDENTITY_SCHEME] = F_WORD("scheme", KEY, scheme_words, 0, A | G | C | B | D | R, A | G | B | R, NO, "Scheme"),
	[DEVICE_IDENTITY_VALUE] = F_TEXT("value", KEY, 1, IDENTIFIER_MAX, id_text, A | G | C | B | D | R, A | G | B | R, NO, "Identifier, in its canonical form"),
	[DEVICE_IDENTITY_TYPE] = F_WORD("type", 0, scheme_class_words, 0, A | G | C | B | D | R, NO, NO, "Type of identifier (TEC 31188 Annex I)"),
	[DEVICE_IDENTITY_NAMES] = F_WORD("names", 0, scheme_names_words, 0, A | G | C | B | D | R, NO, NO, "What it names"),
	[DEVICE_IDENTITY_PERSONAL] = F_BOOL("personal", 0, 0, A | G | C | B | D | R, NO, NO, "Personal data: for the privacy role and the custodian"),
};

static const struct field application_fields[APPLICATION_COUNT] = {
	[APPLICATION_SCHEME] = F_WORD("scheme", KEY, scheme_words, 0, ANY, A | G | M | B, NO, "app-uri, app-url or package"),
	[APPLICATION_VALUE] = F_TEXT("value", KEY, 1, IDENTIFIER_MAX, id_text, ANY, A | G | M | B, NO, "Identifier"),
	[APPLICATION_NAME] = F_TEXT("name", REQ, 1, 200, id_text, ANY, A | G | M | B, A | G | M, "Name for people"),
	[APPLICATION_MAKER] = F_REF("maker", FLT, REG_MAKER, ANY, A | G | M | B, A | G, "Who made it"),
	[APPLICATION_VERSION] = F_TEXT("version", 0, 1, 64, id_text, ANY, A | G | M | B, A | G | M, "Newest version"),
	[APPLICATION_STATUS] = F_WORD("status", FLT, reg_status_words, STATUS_GREY, ANY, NO, NO, "Trust status here and now"),
	[APPLICATION_STATE] = F_WORD("state", FLT, reg_entry_state_words, 0, ANY, A | G | M | B, A | G | M, "Retired: kept for its history"),
};

#define ALL_ROWS \
	[REG_ROLE_ADMIN] = "", [REG_ROLE_PRIVACY] = "", [REG_ROLE_SYSTEM] = "", [REG_ROLE_BULK] = "", [REG_ROLE_AGENCY] = ""
#define NOT_PERSONAL "personal = 0"
#define CONCERNED    "((source = 1 AND reporter_id = @) OR (state >= 1 AND id IN (SELECT x.vulnerability FROM vulnerable AS x" \
		     " JOIN device AS d ON d.id = x.device WHERE d.custodian = @)))"
#define OWN_DEVICES  "device IN (SELECT id FROM device WHERE custodian = @)"
#define LISTED       NOT_PERSONAL " AND device IN (SELECT id FROM device WHERE registrar = @)"
#define FOR_ALL	     [REG_ROLE_REGISTRAR] = "", [REG_ROLE_CERTIFIER] = "", [REG_ROLE_PROVIDER] = ""

static const struct record_kind kinds[REG_KIND_COUNT] = {
	[REG_CUSTODIAN] = { REG_CUSTODIAN, "custodian", "custodian", "custodians", "Owners and custodians of devices", custodian_fields,
			    CUSTODIAN_COUNT, { ALL_ROWS, [REG_ROLE_CUSTODIAN] = "id = @" }, A | G | B, A | G | C, A, reg_custodian_before,
			    NULL, NULL, NULL },
	[REG_MAKER] = { REG_MAKER, "maker", "maker", "makers", "Makers of devices and applications", maker_fields, MAKER_COUNT,
			{ ALL_ROWS, FOR_ALL, [REG_ROLE_MAKER] = "id = @", [REG_ROLE_CUSTODIAN] = "", [REG_ROLE_ENQUIRER] = "" }, A | G | B,
			A | G | M, A, NULL, reg_maker_after, NULL, NULL },
	[REG_MODEL] = { REG_MODEL, "model", "model", "models", "Models of devices", model_fields, MODEL_COUNT,
			{ ALL_ROWS, FOR_ALL, [REG_ROLE_MAKER] = "maker = @", [REG_ROLE_CUSTODIAN] = "", [REG_ROLE_ENQUIRER] = "" }, A | G | M | B,
			A | G | M, A, reg_model_before, NULL, NULL, NULL },
	[REG_DEVICE] = { REG_DEVICE, "device", "device", "devices", "Devices", device_fields, DEVICE_COUNT,
			 { ALL_ROWS, [REG_ROLE_CUSTODIAN] = "custodian = @", [REG_ROLE_DEVICE] = "id = @", [REG_ROLE_REGISTRAR] = "registrar = @" },
			 A | G | B | R, A | G, NO, reg_device_before, reg_device_after, reg_device_verbs, NULL },
	[REG_DEVICE_IDENTITY] = { REG_DEVICE_IDENTITY, "device-identity", "device_identity", "device-identities",
				  "Further identifiers of devices", device_identity_fields, DEVICE_IDENTITY_COUNT,
				  { [REG_ROLE_ADMIN] = NOT_PERSONAL, [REG_ROLE_PRIVACY] = "", [REG_ROLE_SYSTEM] = "", [REG_ROLE_BULK] = NOT_PERSONAL,
				    [REG_ROLE_AGENCY] = NOT_PERSONAL, [REG_ROLE_CUSTODIAN] = OWN_DEVICES, [REG_ROLE_DEVICE] = "device = @",
				    [REG_ROLE_REGISTRAR] = LISTED },
				  A | G | B | R, NO, A | G, reg_device_identity_before, reg_device_identity_after, NULL, NULL },
	[REG_APPLICATION] = { REG_APPLICATION, "application", "application", "applications", "Applications", application_fields,
			      APPLICATION_COUNT, { ALL_ROWS, FOR_ALL, [REG_ROLE_MAKER] = "maker = @", [REG_ROLE_CUSTODIAN] = "", [REG_ROLE_ENQUIRER] = "" },
			      A | G | M | B, A | G | M, A, reg_application_before, NULL, NULL, NULL },
	[REG_ENQUIRER] = { REG_ENQUIRER, "enquirer", "enquirer", "enquirers", "Those who may ask for the trust in devices", reg_enquirer_fields,
			   ENQUIRER_COUNT, { [REG_ROLE_ADMIN] = "", [REG_ROLE_PRIVACY] = "", [REG_ROLE_SYSTEM] = "", [REG_ROLE_AGENCY] = "",
			   [REG_ROLE_ENQUIRER] = "id = @" }, A | G, A | G | E, A, NULL, NULL, NULL, NULL },
	[REG_CREDENTIAL] = { REG_CREDENTIAL, "credential", "credential", "credentials", "Certificates and tokens of callers", reg_credential_fields,
			     REG_CREDENTIAL_COUNT, { [REG_ROLE_ADMIN] = "", [REG_ROLE_PRIVACY] = "", [REG_ROLE_SYSTEM] = "" }, A, A, A,
			     reg_credential_before, NULL, reg_credential_verbs, NULL },
	[REG_VULNERABILITY] = { REG_VULNERABILITY, "vulnerability", "vulnerability", "vulnerabilities", "Vulnerabilities of devices",
				reg_vulnerability_fields, VULNERABILITY_COUNT,
				{ [REG_ROLE_ADMIN] = "", [REG_ROLE_PRIVACY] = "", [REG_ROLE_SYSTEM] = "", [REG_ROLE_AGENCY] = "",
				  [REG_ROLE_MAKER] = "((maker = @ AND state >= 2) OR (source = 5 AND reporter_id = @))", [REG_ROLE_CUSTODIAN] = CONCERNED, [REG_ROLE_ENQUIRER] = "disclosed <> 0" },
				A | G | M | C, A | G | M, NO, reg_vulnerability_before, reg_vulnerability_after, NULL, NULL },
	[REG_OVERRIDE] = { REG_OVERRIDE, "override", "trust_override", "overrides", "Trust status decided by hand", reg_override_fields, OVERRIDE_COUNT,
			   { [REG_ROLE_ADMIN] = "", [REG_ROLE_PRIVACY] = "", [REG_ROLE_SYSTEM] = "", [REG_ROLE_AGENCY] = "" }, A | G, NO, NO,
			   reg_override_before, reg_override_after, reg_override_verbs, NULL },
	[REG_SUBSCRIPTION] = { REG_SUBSCRIPTION, "subscription", "subscription", "subscriptions", "Who is told of what", reg_subscription_fields,
			       SUBSCRIPTION_COUNT, { [REG_ROLE_ADMIN] = "", [REG_ROLE_PRIVACY] = "", [REG_ROLE_SYSTEM] = "",
			       [REG_ROLE_AGENCY] = "owner_role = 3", [REG_ROLE_MAKER] = "(owner_role = 4 AND owner = @)",
			       [REG_ROLE_CUSTODIAN] = "(owner_role = 5 AND owner = @)", [REG_ROLE_ENQUIRER] = "(owner_role = 6 AND owner = @)" },
			       A | G | M | C | E, A | G | M | C | E, A | G | M | C | E, reg_subscription_before, reg_subscription_after, NULL, NULL },
	[REG_PARTY] = { REG_PARTY, "party", "party", "parties", "Service, application and connectivity providers, registrars, certifiers and others",
			reg_party_fields, PARTY_COUNT, { ALL_ROWS, [REG_ROLE_REGISTRAR] = "(registrar = @ OR id = @)", [REG_ROLE_CERTIFIER] = "id = @",
			[REG_ROLE_PROVIDER] = "id = @", [REG_ROLE_MAKER] = "state = 1", [REG_ROLE_CUSTODIAN] = "state = 1",
			[REG_ROLE_ENQUIRER] = "state = 1" }, A | G | B | R, A | G | R | K | P, A, reg_party_before, reg_party_after, reg_party_verbs,
			NULL },
	[REG_CERTIFICATION] = { REG_CERTIFICATION, "certification", "certification", "certifications", "Certificates of products",
				reg_certification_fields, CERTIFICATION_COUNT, { ALL_ROWS, [REG_ROLE_REGISTRAR] = "", [REG_ROLE_CERTIFIER] = "certifier = @",
				[REG_ROLE_PROVIDER] = "", [REG_ROLE_MAKER] = "maker = @", [REG_ROLE_CUSTODIAN] = "", [REG_ROLE_ENQUIRER] = "" },
				A | G | B | K, A | G | K, A, reg_certification_before, reg_certification_after, reg_certification_verbs, NULL },
	[REG_ENDPOINT] = { REG_ENDPOINT, "endpoint", "endpoint", "endpoints", "Identifiers of end points, as connectivity providers list them",
			   reg_endpoint_fields, ENDPOINT_COUNT, { [REG_ROLE_ADMIN] = NOT_PERSONAL, [REG_ROLE_PRIVACY] = "", [REG_ROLE_SYSTEM] = "",
			   [REG_ROLE_BULK] = NOT_PERSONAL, [REG_ROLE_AGENCY] = NOT_PERSONAL, [REG_ROLE_PROVIDER] = "provider = @" }, A | G | B | P,
			   A | G | P, A | P, reg_endpoint_before, reg_endpoint_after, NULL, NULL },
	[REG_UNIT] = { REG_UNIT, "unit", "unit", "units", "Serial numbers, and what makers have mapped them to", reg_unit_fields, UNIT_COUNT,
		       { ALL_ROWS, [REG_ROLE_MAKER] = "maker = @" }, A | G | B | M, A | G | M, A | M, reg_unit_before, reg_unit_after, NULL, NULL },
};

static const struct record_hang hangs[] = {
	{ REG_DEVICE, REG_DEVICE_IDENTITY, "device", -1, false },
	{ REG_CUSTODIAN, REG_DEVICE, "custodian", -1, true },
	{ REG_MAKER, REG_MODEL, "maker", -1, true },
	{ REG_MAKER, REG_APPLICATION, "maker", -1, true },
	{ REG_MAKER, REG_CERTIFICATION, "maker", -1, true },
	{ REG_PARTY, REG_PARTY, "registrar", -1, true },
	{ REG_PARTY, REG_DEVICE, "registrar", -1, true },
	{ REG_PARTY, REG_CERTIFICATION, "certifier", -1, true },
	{ REG_PARTY, REG_ENDPOINT, "provider", -1, true },
	{ REG_MAKER, REG_UNIT, "maker", -1, true },
	{ REG_APPLICATION, REG_OVERRIDE, "application", -1, true },
};

static const char *const secrets[] = { "identity", NULL };

const struct record_set registry_set = {
	.kinds = kinds,
	.count = REG_KIND_COUNT,
	.roles = reg_roles,
	.all = 1U << REG_ROLE_PRIVACY | 1U << REG_ROLE_SYSTEM,
	.hangs = hangs,
	.n_hangs = sizeof(hangs) / sizeof(hangs[0]),
	.secrets = secrets,
	.secret_table = "registry_secret",
	.jobs = true,
	.before_commit = registry_before_commit,
	.ended = registry_ended,
};
