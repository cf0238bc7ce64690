/* SPDX-License-Identifier: Apache-2.0 */
/** A PostgreSQL server of the test's own: Debian's program, a temporary folder, a UNIX socket, no network. */
#ifndef GBA_TESTS_PG_SERVER_H
#define GBA_TESTS_PG_SERVER_H

#include <stdbool.h>

/** Make and start one; ends with this process. False: there is no server program here, or it does not start. */
bool pg_server_start(void);
/** End it and remove its folder. */
void pg_server_stop(void);
/** A connection string for an empty schema of that name (made anew). Static text. */
const char *pg_server_schema(const char *name);
/** Run SQL as the superuser; fails the test when that fails. */
void pg_server_sql(const char *sql);
/** End all other sessions; returns when they are gone. */
void pg_server_cut(void);
/** What loss of power does to it: memory is gone, with the log that was not flushed; returns when it has recovered. */
void pg_server_crash(void);

#endif
