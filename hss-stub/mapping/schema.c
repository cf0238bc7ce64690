/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of mapping_kinds as one migration of the subscribers' database. A migration is history: columns that come later
 * come by a later step (tests/unit/check_mapping.c compares the outcome with mapping_kinds). */
#include "hss-stub/mapping/schema.h"

#include "rest/rest.h"

#define HEAD " (id INTEGER PRIMARY KEY AUTOINCREMENT, rev INTEGER NOT NULL, created INTEGER NOT NULL, changed INTEGER NOT NULL, "

const char mapping_schema_1[] =
	"CREATE TABLE verification" HEAD
	" reference TEXT NOT NULL UNIQUE, name TEXT NOT NULL, address BLOB, document_kind INTEGER NOT NULL, document_number BLOB,"
	" document_country BLOB, level INTEGER NOT NULL, method TEXT, verifier TEXT NOT NULL, verified INTEGER NOT NULL) STRICT;"
	"CREATE TABLE authentication" HEAD
	" reference TEXT NOT NULL UNIQUE, identities TEXT NOT NULL, method INTEGER NOT NULL, authenticator TEXT NOT NULL,"
	" authenticated INTEGER NOT NULL, credential BLOB) STRICT;"
	"CREATE TABLE users" HEAD
	" account TEXT NOT NULL UNIQUE, verification INTEGER NOT NULL, name TEXT, address BLOB, document_kind INTEGER NOT NULL,"
	" document_number BLOB, document_country BLOB, level INTEGER NOT NULL, verifier TEXT,"
	" verified INTEGER NOT NULL, email TEXT,"
	" notice_url TEXT, notice_drop TEXT, state INTEGER NOT NULL) STRICT;"
	"CREATE INDEX users_verification ON users (verification);"
	"CREATE TABLE user_identity" HEAD
	" custodian INTEGER NOT NULL, type INTEGER NOT NULL, value TEXT NOT NULL, UNIQUE (type, value)) STRICT;"
	"CREATE INDEX user_identity_user ON user_identity (custodian);"
	"CREATE TABLE device" HEAD
	" impi TEXT NOT NULL UNIQUE, custodian INTEGER NOT NULL, authentication INTEGER NOT NULL, name TEXT, model TEXT,"
	" identities TEXT, method INTEGER NOT NULL, authenticator TEXT, authenticated INTEGER NOT NULL, credential BLOB) STRICT;"
	"CREATE INDEX device_custodian ON device (custodian);"
	"CREATE INDEX device_authentication ON device (authentication);"
	"CREATE TABLE device_identity" HEAD
	" device INTEGER NOT NULL, type INTEGER NOT NULL, value TEXT NOT NULL, UNIQUE (type, value)) STRICT;"
	"CREATE INDEX device_identity_device ON device_identity (device);"
	"CREATE TABLE asp" HEAD
	" type INTEGER NOT NULL, identity TEXT NOT NULL, name TEXT NOT NULL, contact TEXT, notice_url TEXT, notice_drop TEXT,"
	" state INTEGER NOT NULL, UNIQUE (type, identity)) STRICT;"
	"CREATE TABLE application" HEAD
	" asp INTEGER NOT NULL, type INTEGER NOT NULL, identity TEXT NOT NULL, naf_fqdn TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
	" description TEXT, developer TEXT, ua_ids TEXT, gsid INTEGER NOT NULL UNIQUE, gaa_type INTEGER NOT NULL, naf_group TEXT,"
	" token_use INTEGER NOT NULL, token_lifetime INTEGER NOT NULL, security_degree INTEGER NOT NULL,"
	" min_level INTEGER NOT NULL,"
	" attributes TEXT, push_peer TEXT, published INTEGER NOT NULL, state INTEGER NOT NULL, UNIQUE (type, identity)) STRICT;"
	"CREATE INDEX application_asp ON application (asp);"
	"CREATE TABLE credential" HEAD
	" owner_type INTEGER NOT NULL, owner INTEGER NOT NULL, name TEXT NOT NULL, type INTEGER NOT NULL, hash TEXT NOT NULL,"
	" expires INTEGER NOT NULL, revoked INTEGER NOT NULL, UNIQUE (type, hash)) STRICT;"
	"CREATE INDEX credential_owner ON credential (owner_type, owner);"
	"CREATE TABLE permission" HEAD
	" impi TEXT NOT NULL, application INTEGER NOT NULL, flag INTEGER NOT NULL, valid_from INTEGER NOT NULL,"
	" valid_until INTEGER NOT NULL, security_degree INTEGER NOT NULL, attributes TEXT, pseudonym TEXT, set_by TEXT,"
	" in_force INTEGER NOT NULL, due INTEGER NOT NULL, UNIQUE (impi, application)) STRICT;"
	"CREATE INDEX permission_application ON permission (application);"
	"CREATE INDEX permission_pseudonym ON permission (pseudonym);"
	"CREATE INDEX permission_due ON permission (due) WHERE due > 0;"
	"CREATE TABLE delegation" HEAD
	" permission INTEGER NOT NULL, to_impi TEXT NOT NULL, valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL,"
	" state INTEGER NOT NULL, pseudonym TEXT, set_by TEXT, in_force INTEGER NOT NULL, due INTEGER NOT NULL,"
	" UNIQUE (permission, to_impi)) STRICT;"
	"CREATE INDEX delegation_to ON delegation (to_impi);"
	"CREATE INDEX delegation_due ON delegation (due) WHERE due > 0;"
	"CREATE TABLE request" HEAD
	" custodian INTEGER NOT NULL, impi TEXT NOT NULL, application INTEGER NOT NULL, state INTEGER NOT NULL,"
	" consent INTEGER NOT NULL, attributes TEXT, pseudonym TEXT, shared BLOB, reason TEXT, permission INTEGER NOT NULL) STRICT;"
	"CREATE INDEX request_user ON request (custodian);"
	"CREATE INDEX request_application ON request (application);"
	"CREATE INDEX request_pseudonym ON request (pseudonym);"
	"CREATE INDEX request_state ON request (state);"
	"CREATE TABLE realm" HEAD
	" realm TEXT NOT NULL UNIQUE, name TEXT NOT NULL, bsf_identity TEXT NOT NULL, bsf_url TEXT NOT NULL,"
	" hss_identity TEXT NOT NULL,"
	" api_url TEXT, alias_domain TEXT NOT NULL, ua_ids TEXT, token_format TEXT,"
	" token_lifetime INTEGER NOT NULL, algorithms TEXT,"
	" asp_procedure TEXT, device_procedure TEXT, registered_only INTEGER NOT NULL) STRICT;"
	"CREATE TABLE notice" HEAD
	" owner_type INTEGER NOT NULL, owner INTEGER NOT NULL, event INTEGER NOT NULL,"
	" about_kind TEXT NOT NULL, about INTEGER NOT NULL,"
	" body TEXT NOT NULL, tries INTEGER NOT NULL) STRICT;"
	"CREATE INDEX notice_owner ON notice (owner_type, owner);"
	"CREATE TABLE history (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, record INTEGER NOT NULL,"
	" rev INTEGER NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL, act TEXT NOT NULL, change TEXT NOT NULL) STRICT;"
	"CREATE INDEX history_record ON history (kind, record);"
	"CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, impi TEXT NOT NULL, naf_fqdn TEXT,"
	" created INTEGER NOT NULL) STRICT;"
	"CREATE TABLE guss_base (id INTEGER PRIMARY KEY, guss BLOB) STRICT;"
	"CREATE TABLE realm_secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT";

const char mapping_schema_2[] = REST_ANSWERS;

const char mapping_schema_3[] = "ALTER TABLE asp ADD COLUMN names TEXT";

const char mapping_schema_4[] =
	"ALTER TABLE realm ADD COLUMN developer_required INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE provider" HEAD
	" type INTEGER NOT NULL, identity TEXT NOT NULL, name TEXT NOT NULL, role INTEGER NOT NULL, contact TEXT,"
	" state INTEGER NOT NULL, UNIQUE (type, identity)) STRICT;"
	"CREATE TABLE server" HEAD
	" identity TEXT NOT NULL UNIQUE, provider INTEGER NOT NULL, function INTEGER NOT NULL, realm TEXT NOT NULL,"
	" impi_realms TEXT, url TEXT) STRICT;"
	"CREATE INDEX server_provider ON server (provider)";

const char mapping_schema_5[] =
	"CREATE TABLE bootstrapping" HEAD
	" impi TEXT NOT NULL, bsf TEXT NOT NULL, server INTEGER NOT NULL, first_run INTEGER NOT NULL, last_run INTEGER NOT NULL,"
	" runs INTEGER NOT NULL, started_by INTEGER NOT NULL, network_runs INTEGER NOT NULL, asked INTEGER NOT NULL,"
	" last_token TEXT, UNIQUE (impi, bsf)) STRICT;"
	"CREATE INDEX bootstrapping_server ON bootstrapping (server);"
	"CREATE TABLE token" HEAD
	" digest TEXT NOT NULL, naf_fqdn TEXT NOT NULL, application INTEGER NOT NULL, impi TEXT, bsf TEXT,"
	" made INTEGER NOT NULL, expires INTEGER NOT NULL, UNIQUE (digest, naf_fqdn)) STRICT;"
	"CREATE INDEX token_application ON token (application);"
	"CREATE INDEX token_impi ON token (impi);"
	"CREATE INDEX token_bsf ON token (bsf);"
	"CREATE INDEX token_expires ON token (expires)";
