/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/log/schema.h"

/* seq is in the order of commits: the store has one writer at a time. */
const char event_schema_1[] =
	"CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, class INTEGER NOT NULL,"
	" number INTEGER NOT NULL, wire BLOB NOT NULL, UNIQUE (origin, class, number)) STRICT;"
	"CREATE TABLE event_stream (origin TEXT NOT NULL, class INTEGER NOT NULL, number INTEGER NOT NULL,"
	" lamport INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (origin, class)) STRICT;"
	"CREATE TABLE event_clock (id INTEGER PRIMARY KEY, lamport INTEGER NOT NULL) STRICT;"
	"CREATE TABLE event_registry (reg_id TEXT NOT NULL, public_key TEXT NOT NULL, type INTEGER NOT NULL, parent TEXT NOT NULL,"
	" rank INTEGER NOT NULL, PRIMARY KEY (reg_id, public_key)) STRICT;"
	"CREATE TABLE event_introduced (reg_id TEXT NOT NULL, public_key TEXT NOT NULL, PRIMARY KEY (reg_id, public_key)) STRICT;"
	"CREATE INDEX event_registry_parent ON event_registry (parent, reg_id);"
	"CREATE TABLE peering (reg_id TEXT NOT NULL PRIMARY KEY, host TEXT NOT NULL, bond INTEGER NOT NULL, state TEXT NOT NULL,"
	" heard INTEGER NOT NULL, behind INTEGER NOT NULL, error TEXT NOT NULL) STRICT;"
	"CREATE TABLE event_subject (subject TEXT NOT NULL PRIMARY KEY, registry TEXT NOT NULL, registered INTEGER NOT NULL,"
	" removed INTEGER NOT NULL, status INTEGER NOT NULL, lamport INTEGER NOT NULL, origin TEXT NOT NULL,"
	" at INTEGER NOT NULL) STRICT;"
	"CREATE TABLE event_identity (type TEXT NOT NULL, value TEXT NOT NULL, subject TEXT NOT NULL,"
	" PRIMARY KEY (type, value, subject)) STRICT;";

/* Every statement about a status; of those from before this step the ones that held are known. Devices of this registry that
 * others have spoken of since they were judged; lists that wait for a second pair of eyes. */
const char event_schema_2[] =
	"CREATE TABLE event_status (subject TEXT NOT NULL, lamport INTEGER NOT NULL, origin TEXT NOT NULL, class INTEGER NOT NULL,"
	" number INTEGER NOT NULL, status INTEGER NOT NULL, cause TEXT NOT NULL, at INTEGER NOT NULL,"
	" PRIMARY KEY (subject, lamport, origin)) STRICT;"
	"INSERT INTO event_status (subject, lamport, origin, class, number, status, cause, at)"
	" SELECT subject, lamport, origin, 2, 0, status, '', at FROM event_subject WHERE lamport > 0;"
	"CREATE TABLE said_due (device INTEGER PRIMARY KEY) STRICT;"
	"CREATE TABLE list_order (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, asked_by TEXT NOT NULL,"
	" waits INTEGER NOT NULL, approved_by TEXT, at INTEGER NOT NULL) STRICT;"
	"CREATE INDEX event_subject_black ON event_subject (subject) WHERE status = 2;";

/* Keys that are trusted no more, but for events up to a number of each class. */
const char event_schema_3[] = "CREATE TABLE event_revoked (public_key TEXT NOT NULL, class INTEGER NOT NULL, good INTEGER NOT NULL,"
			      " PRIMARY KEY (public_key, class)) STRICT";

/* What its registration said of a device, here or elsewhere: filters of subscribers ask. */
const char event_schema_4[] = "ALTER TABLE event_subject ADD COLUMN make TEXT NOT NULL DEFAULT '';"
			      "ALTER TABLE event_subject ADD COLUMN model TEXT NOT NULL DEFAULT '';"
			      "ALTER TABLE event_subject ADD COLUMN kind TEXT NOT NULL DEFAULT ''";

/* Which registration has said it: what a later one does not say is no identity any more. What goes first is found among
 * millions. */
const char event_schema_5[] = "ALTER TABLE event_identity ADD COLUMN lamport INTEGER NOT NULL DEFAULT 0;"
			      "CREATE INDEX event_first ON event (seq) WHERE class IN (0, 4, 6)";

/* What else a question may be asked by at every layer (Y.3059 8): capabilities are lines with one before the first and one behind
 * the last. Who a device belongs to is told by a registry that may, of its own devices. */
const char event_schema_6[] =
	"ALTER TABLE event_subject ADD COLUMN root_of_trust TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE event_subject ADD COLUMN capabilities TEXT NOT NULL DEFAULT '';"
	"CREATE INDEX event_subject_make ON event_subject (make, subject) WHERE make <> '';"
	"CREATE TABLE event_owner (subject TEXT NOT NULL PRIMARY KEY, registry TEXT NOT NULL, account TEXT NOT NULL) STRICT;"
	"CREATE INDEX event_owner_account ON event_owner (registry, account, subject) WHERE account <> ''";
