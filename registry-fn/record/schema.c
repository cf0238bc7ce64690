/* SPDX-License-Identifier: Apache-2.0 */
/* One row per step; a room that keeps tables of its own has its text in its own schema file and its row here. */
#include "registry-fn/record/schema.h"

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

/* Bulk imports under way. */
static const char job_schema_1[] = RECORD_JOBS;

const struct db_migration registry_schema[] = {
	{ node_schema_1 },
	{ event_schema_1 },
	{ entry_schema_1 },
	{ record_schema_1 },
	{ device_schema_1 },
	{ job_schema_1 },
};
const size_t registry_schema_steps = sizeof(registry_schema) / sizeof(registry_schema[0]);
