# SPDX-License-Identifier: Apache-2.0
# GBA_SERVERS: stores beyond one machine, each of which can be left out.
AC_DEFUN([GBA_SERVERS], [
	AC_ARG_WITH([postgresql], [AS_HELP_STRING([--without-postgresql], [records in SQLite files only])], [], [with_postgresql=yes])
	AS_IF([test "$with_postgresql" != no], [
		PKG_CHECK_MODULES([PQ], [libpq >= 14])
		AC_DEFINE([HAVE_POSTGRESQL], [1], [records can be in PostgreSQL])
	])
	AM_CONDITIONAL([HAVE_POSTGRESQL], [test "$with_postgresql" != no])
	AC_ARG_WITH([redis], [AS_HELP_STRING([--without-redis], [bootstrap contexts in LMDB files only])], [], [with_redis=yes])
	AS_IF([test "$with_redis" != no], [
		PKG_CHECK_MODULES([HIREDIS], [hiredis >= 0.14])
		AC_DEFINE([HAVE_REDIS], [1], [bootstrap contexts can be on a Redis server])
	])
	AM_CONDITIONAL([HAVE_REDIS], [test "$with_redis" != no])
])
