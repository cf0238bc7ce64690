/* SPDX-License-Identifier: Apache-2.0 */
/* One row per step; a room that keeps tables of its own has its text in its own schema file and its row here. */
#include "registry-fn/record/schema.h"
#include "rest/rest.h"

#include "record/job.h"
#include "record/record.h"
#include "registry-fn/log/schema.h"
#include "registry-fn/log/entry_schema.h"

/* Who this database belongs to: a registry started with another's database would give out the other's identities. */
static const char node_schema_1[] = "CREATE TABLE node (id INTEGER PRIMARY KEY, reg_id TEXT NOT NULL, reg_type INTEGER NOT NULL,"
				    " public_key TEXT NOT NULL) STRICT";

/* The tables of kind_tables.c. */
static const char record_schema_1[] =
	RECORD_HISTORY RECORD_SECRETS("registry_secret")
	"CREATE TABLE custodian" RECORD_HEAD
	" account TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL, name BLOB, address BLOB, email BLOB, phone BLOB, document BLOB,"
	" country TEXT, state INTEGER NOT NULL, level INTEGER NOT NULL, verifier TEXT, checked INTEGER NOT NULL, impis TEXT,"
	" code_hash TEXT) STRICT;"
	"CREATE INDEX custodian_state ON custodian (state);"
	"CREATE TABLE maker" RECORD_HEAD
	" name TEXT NOT NULL UNIQUE, country TEXT, contact TEXT, policy_url TEXT, state INTEGER NOT NULL) STRICT;"
	"CREATE INDEX maker_state ON maker (state);"
	"CREATE TABLE model" RECORD_HEAD
	" maker INTEGER NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL, communication TEXT, tacs TEXT, latest_firmware TEXT,"
	" state INTEGER NOT NULL, UNIQUE (maker, name)) STRICT;"
	"CREATE INDEX model_state ON model (state);"
	"CREATE TABLE device" RECORD_HEAD
	" scheme INTEGER NOT NULL, identity TEXT NOT NULL, regdevid TEXT NOT NULL UNIQUE, impi TEXT, custodian INTEGER NOT NULL,"
	" make TEXT NOT NULL, model TEXT NOT NULL, kind INTEGER NOT NULL, root_of_trust INTEGER NOT NULL, firmware TEXT,"
	" software TEXT, communication TEXT, power INTEGER NOT NULL, protocols TEXT, state INTEGER NOT NULL,"
	" status INTEGER NOT NULL, serial INTEGER NOT NULL, expires INTEGER NOT NULL, effective INTEGER NOT NULL,"
	" reported INTEGER NOT NULL,"
	" report_due INTEGER NOT NULL, overdue INTEGER NOT NULL, composite TEXT, UNIQUE (identity, scheme)) STRICT;"
	"CREATE INDEX device_impi ON device (impi) WHERE impi IS NOT NULL;"
	"CREATE INDEX device_custodian ON device (custodian);"
	"CREATE INDEX device_make ON device (make, model);"
	"CREATE INDEX device_model ON device (model);"
	"CREATE INDEX device_state ON device (state);"
	"CREATE INDEX device_status ON device (status);"
	"CREATE INDEX device_overdue ON device (overdue) WHERE overdue <> 0;"
	"CREATE INDEX device_due ON device (report_due) WHERE report_due > 0;"
	"CREATE INDEX device_composite ON device (composite) WHERE composite IS NOT NULL;"
	"CREATE TABLE device_identity" RECORD_HEAD
	" device INTEGER NOT NULL, scheme INTEGER NOT NULL, value TEXT NOT NULL, type INTEGER NOT NULL, names INTEGER NOT NULL,"
	" personal INTEGER NOT NULL, UNIQUE (device, scheme, value)) STRICT;"
	"CREATE INDEX device_identity_value ON device_identity (value, scheme);"
	"CREATE TABLE application" RECORD_HEAD
	" scheme INTEGER NOT NULL, value TEXT NOT NULL, name TEXT NOT NULL, maker INTEGER NOT NULL, version TEXT,"
	" status INTEGER NOT NULL, state INTEGER NOT NULL, UNIQUE (scheme, value)) STRICT;"
	"CREATE INDEX application_maker ON application (maker);"
	"CREATE INDEX application_status ON application (status);"
	"CREATE INDEX application_state ON application (state)";

/* What devices report, and what stands for them for a time. A row is never changed. */
static const char device_schema_1[] =
	"CREATE TABLE report (id INTEGER PRIMARY KEY AUTOINCREMENT, device INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" at INTEGER NOT NULL, cause INTEGER NOT NULL, body TEXT NOT NULL, digest TEXT NOT NULL, changed TEXT,"
	" UNIQUE (device, seq)) STRICT;"
	"CREATE TABLE virtual_id (digest TEXT PRIMARY KEY, device INTEGER NOT NULL, single INTEGER NOT NULL,"
	" audience TEXT NOT NULL, issued INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER NOT NULL) STRICT;"
	"CREATE INDEX virtual_id_expires ON virtual_id (expires)";

/* Bulk imports under way, and answers of the REST API for who asks again. */
static const char job_schema_1[] = RECORD_JOBS REST_ANSWERS;
/* trust_tables.c. status: each change, never altered; vulnerable: which vulnerability is about which device now;
 * device_fact: what else counts in the rules of trust; session, challenge: how an enquirer proved its key. */
static const char trust_schema_1[] =
	"CREATE TABLE enquirer" RECORD_HEAD
	" name TEXT NOT NULL UNIQUE, organisation TEXT, contact BLOB, use_case TEXT, public_key TEXT UNIQUE, rights TEXT,"
	" state INTEGER NOT NULL) STRICT;"
	"CREATE INDEX enquirer_state ON enquirer (state);"
	"CREATE TABLE credential" RECORD_HEAD
	" owner_type INTEGER NOT NULL, owner INTEGER NOT NULL, name TEXT NOT NULL, type INTEGER NOT NULL, hash TEXT NOT NULL,"
	" expires INTEGER NOT NULL, revoked INTEGER NOT NULL, UNIQUE (hash, type)) STRICT;"
	"CREATE INDEX credential_owner_type ON credential (owner_type, owner);"
	"CREATE INDEX credential_owner ON credential (owner);"
	"CREATE TABLE vulnerability" RECORD_HEAD
	" reference TEXT NOT NULL UNIQUE, source INTEGER NOT NULL, reporter TEXT,"
	" reporter_id INTEGER NOT NULL, reported INTEGER NOT NULL, cve TEXT, cert_id TEXT,"
	" cvss TEXT, score INTEGER NOT NULL, severity INTEGER NOT NULL, title TEXT NOT NULL, description TEXT, device_type TEXT,"
	" make TEXT NOT NULL, model TEXT NOT NULL, versions TEXT, fixed_in TEXT, maker INTEGER NOT NULL, state INTEGER NOT NULL,"
	" reply TEXT, due INTEGER NOT NULL, overdue INTEGER NOT NULL, disclosed INTEGER NOT NULL, devices INTEGER NOT NULL) STRICT;"
	"CREATE INDEX vulnerability_make ON vulnerability (make, model);"
	"CREATE INDEX vulnerability_maker ON vulnerability (maker);"
	"CREATE INDEX vulnerability_state ON vulnerability (state);"
	"CREATE INDEX vulnerability_severity ON vulnerability (severity);"
	"CREATE INDEX vulnerability_overdue ON vulnerability (overdue) WHERE overdue <> 0;"
	"CREATE INDEX vulnerability_due ON vulnerability (due) WHERE overdue = 0 AND due > 0;"
	"CREATE TABLE trust_override" RECORD_HEAD
	" device INTEGER NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL, until INTEGER NOT NULL, state INTEGER NOT NULL,"
	" asked_by TEXT, decided_by TEXT) STRICT;"
	"CREATE INDEX trust_override_device ON trust_override (device);"
	"CREATE INDEX trust_override_state ON trust_override (state);"
	"CREATE TABLE status (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, subject INTEGER NOT NULL,"
	" status INTEGER NOT NULL, cause TEXT NOT NULL, evidence TEXT, author TEXT NOT NULL, at INTEGER NOT NULL) STRICT;"
	"CREATE INDEX status_subject ON status (kind, subject, at, id);"
	"CREATE TABLE vulnerable (device INTEGER NOT NULL, vulnerability INTEGER NOT NULL, since INTEGER NOT NULL,"
	" PRIMARY KEY (device, vulnerability)) STRICT;"
	"CREATE INDEX vulnerable_vulnerability ON vulnerable (vulnerability);"
	"CREATE TABLE device_fact (device INTEGER NOT NULL, fact INTEGER NOT NULL, value INTEGER NOT NULL, evidence TEXT,"
	" at INTEGER NOT NULL, PRIMARY KEY (device, fact)) STRICT;"
	"CREATE TABLE challenge (hash TEXT PRIMARY KEY, public_key TEXT NOT NULL, expires INTEGER NOT NULL) STRICT;"
	"CREATE TABLE session (hash TEXT PRIMARY KEY, enquirer INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT";

/* Questions that wait for a device's own answer: registry-fn/live/. */
static const char live_schema_1[] =
	"CREATE TABLE interrogation (id INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE, asked_by TEXT NOT NULL,"
	" subject TEXT NOT NULL, nonce TEXT NOT NULL, challenge TEXT NOT NULL UNIQUE, device INTEGER NOT NULL,"
	" asked INTEGER NOT NULL, expires INTEGER NOT NULL, answered INTEGER NOT NULL, answer TEXT,"
	" UNIQUE (asked_by, nonce)) STRICT;"
	"CREATE INDEX interrogation_device ON interrogation (device, expires);"
	"CREATE INDEX interrogation_expires ON interrogation (expires)";

/* What a device wants to see of the enquirer first. */
static const char live_schema_2[] = "ALTER TABLE interrogation ADD COLUMN demand TEXT;"
				    "ALTER TABLE interrogation ADD COLUMN proof TEXT";

/* tell/: subscriptions, how far each has come in the log of events, what it acknowledged out of order, what was given up. */
static const char tell_schema_1[] =
	"CREATE TABLE subscription" RECORD_HEAD
	" name TEXT NOT NULL, owner_role INTEGER NOT NULL, owner INTEGER NOT NULL, method INTEGER NOT NULL, url TEXT,"
	" paused INTEGER NOT NULL, events TEXT, statuses TEXT, use_cases TEXT, make TEXT, model TEXT, subjects TEXT) STRICT;"
	"CREATE INDEX subscription_method ON subscription (method, id);"
	"CREATE INDEX subscription_owner ON subscription (owner_role, owner);"
	"CREATE TABLE tell_state (subscription INTEGER PRIMARY KEY, place INTEGER NOT NULL, tries INTEGER NOT NULL,"
	" due INTEGER NOT NULL) STRICT;"
	"CREATE TABLE tell_done (subscription INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (subscription, seq)) STRICT;"
	"CREATE TABLE tell_dead (subscription INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, again INTEGER NOT NULL,"
	" why TEXT NOT NULL, PRIMARY KEY (subscription, seq)) STRICT";

/* Deliveries of many events at once, and digests: where one that is under way ends (upto; part: another follows it), the digest
 * told last and the one under way (told, ends). What was given up: an event, or a digest of what came after `since`. */
static const char tell_schema_2[] =
	"ALTER TABLE subscription ADD COLUMN kinds TEXT;"
	"ALTER TABLE subscription ADD COLUMN batch INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE subscription ADD COLUMN digest INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE subscription ADD COLUMN digest_empty INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tell_state ADD COLUMN upto INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tell_state ADD COLUMN part INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tell_state ADD COLUMN told INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tell_state ADD COLUMN ends INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE tell_letter (id INTEGER PRIMARY KEY AUTOINCREMENT, subscription INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" since INTEGER NOT NULL, began INTEGER NOT NULL, ends INTEGER NOT NULL, at INTEGER NOT NULL, again INTEGER NOT NULL,"
	" why TEXT NOT NULL, UNIQUE (subscription, seq, ends)) STRICT;"
	"INSERT INTO tell_letter (subscription, seq, since, began, ends, at, again, why)"
	" SELECT subscription, seq, 0, 0, 0, at, again, why FROM tell_dead;"
	"DROP TABLE tell_dead";

/* party_tables.c. */
static const char party_schema_1[] =
	"CREATE TABLE party" RECORD_HEAD
	" name TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL, sector TEXT, sectors TEXT, identity_scheme INTEGER NOT NULL,"
	" identity TEXT, country TEXT, address TEXT, contact BLOB, url TEXT,"
	" networks TEXT, registrar INTEGER NOT NULL, state INTEGER NOT NULL,"
	" decided INTEGER NOT NULL, decided_by TEXT, reason TEXT) STRICT;"
	"CREATE INDEX party_kind ON party (kind, state);"
	"CREATE INDEX party_sector ON party (sector);"
	"CREATE INDEX party_registrar ON party (registrar);"
	"CREATE INDEX party_state ON party (state);"
	"CREATE UNIQUE INDEX party_identity ON party (identity, identity_scheme) WHERE identity IS NOT NULL;"
	"CREATE TABLE certification" RECORD_HEAD
	" scheme INTEGER NOT NULL, number TEXT NOT NULL, certifier INTEGER NOT NULL, authority TEXT, maker INTEGER NOT NULL,"
	" importer TEXT, model TEXT NOT NULL, hardware TEXT, firmware TEXT, software TEXT, operating_system TEXT, security TEXT,"
	" sbom TEXT, report TEXT, produced_from INTEGER NOT NULL, support_until INTEGER NOT NULL, end_of_life INTEGER NOT NULL,"
	" origin TEXT, suppliers TEXT, valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL, state INTEGER NOT NULL,"
	" reason TEXT, UNIQUE (number, scheme)) STRICT;"
	"CREATE INDEX certification_maker ON certification (maker, model);"
	"CREATE INDEX certification_model ON certification (model);"
	"CREATE INDEX certification_certifier ON certification (certifier);"
	"CREATE INDEX certification_state ON certification (state);"
	"CREATE INDEX certification_until ON certification (valid_until) WHERE state = 0 AND valid_until > 0;"
	"ALTER TABLE maker ADD COLUMN suppliers TEXT;"
	"ALTER TABLE device ADD COLUMN maker INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE device ADD COLUMN certification INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE device ADD COLUMN registrar INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX device_maker ON device (maker) WHERE maker <> 0;"
	"CREATE INDEX device_certification ON device (certification) WHERE certification <> 0;"
	"CREATE INDEX device_registrar ON device (registrar) WHERE registrar <> 0;"
	"INSERT INTO said_due (device) SELECT d.id FROM device AS d JOIN maker AS m ON d.make = m.name WHERE m.state = 0"
	" ON CONFLICT (device) DO NOTHING";

static const char list_schema_1[] =
	"CREATE TABLE endpoint" RECORD_HEAD
	" provider INTEGER NOT NULL, scheme INTEGER NOT NULL, value TEXT NOT NULL, kept_in INTEGER NOT NULL,"
	" device_scheme INTEGER NOT NULL, device TEXT, subscriber BLOB, state INTEGER NOT NULL, type INTEGER NOT NULL,"
	" names INTEGER NOT NULL, personal INTEGER NOT NULL, UNIQUE (value, scheme, provider)) STRICT;"
	"CREATE INDEX endpoint_provider ON endpoint (provider);"
	"CREATE INDEX endpoint_device ON endpoint (device, device_scheme) WHERE device IS NOT NULL;"
	"CREATE INDEX endpoint_state ON endpoint (state);"
	"CREATE TABLE unit" RECORD_HEAD
	" maker INTEGER NOT NULL, serial TEXT NOT NULL, model TEXT NOT NULL, identities TEXT NOT NULL, produced INTEGER NOT NULL,"
	" state INTEGER NOT NULL, UNIQUE (serial, maker)) STRICT;"
	"CREATE INDEX unit_maker ON unit (maker);"
	"CREATE INDEX unit_model ON unit (model);"
	"CREATE INDEX unit_state ON unit (state);"
	"CREATE TABLE unit_identity (value TEXT NOT NULL, scheme INTEGER NOT NULL, unit INTEGER NOT NULL,"
	" PRIMARY KEY (value, scheme, unit)) STRICT;"
	"CREATE INDEX unit_identity_unit ON unit_identity (unit)";

/* Decisions about applications, and their end, go the way of all decisions by hand. */
static const char trust_schema_2[] =
	"ALTER TABLE trust_override ADD COLUMN application INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE trust_override ADD COLUMN lift_asked_by TEXT;"
	"CREATE INDEX trust_override_application ON trust_override (application) WHERE application <> 0";

/* Devices that wait to be judged anew, and the rules they were judged by: trust/mass.h. */
static const char trust_schema_3[] =
	"CREATE TABLE judge_job (vulnerability INTEGER PRIMARY KEY, place INTEGER NOT NULL, upto INTEGER NOT NULL,"
	" done INTEGER NOT NULL, total INTEGER NOT NULL, found INTEGER NOT NULL, began INTEGER NOT NULL) STRICT;"
	"CREATE TABLE judge_rules (id INTEGER PRIMARY KEY, digest TEXT NOT NULL) STRICT";

const struct db_migration registry_schema[] = {
	{ node_schema_1 },
	{ event_schema_1 },
	{ entry_schema_1 },
	{ record_schema_1 },
	{ device_schema_1 },
	{ job_schema_1 },
	{ trust_schema_1 },
	{ live_schema_1 },
	{ tell_schema_1 },
	{ event_schema_2 },
	{ live_schema_2 },
	{ tell_schema_2 },
	{ event_schema_4 },
	{ event_schema_3 },
	{ party_schema_1 },
	{ list_schema_1 },
	{ trust_schema_2 },
	{ event_schema_5 },
	{ event_schema_6 },
	{ trust_schema_3 },
};
const size_t registry_schema_steps = sizeof(registry_schema) / sizeof(registry_schema[0]);
