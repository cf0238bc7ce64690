/* SPDX-License-Identifier: Apache-2.0 */
/* Built without PostgreSQL: there is never a server. */
#include <stddef.h>

#include "common/pg_server.h"

bool pg_server_start(void)
{
	return false;
}

void pg_server_stop(void)
{
}

const char *pg_server_schema(const char *name)
{
	return name;
}

void pg_server_sql(const char *sql)
{
	(void)sql;
}

void pg_server_cut(void)
{
}

void pg_server_crash(void)
{
}
