# SPDX-License-Identifier: Apache-2.0
# GBA_SERVERS: stores beyond one machine, each of which can be left out.
AC_DEFUN([GBA_SERVERS], [
	AC_ARG_WITH([postgresql], [AS_HELP_STRING([--without-postgresql], [records in SQLite files only])], [], [with_postgresql=yes])
	AS_IF([test "$with_postgresql" != no], [
		PKG_CHECK_MODULES([PQ], [libpq >= 14])
		AC_DEFINE([HAVE_POSTGRESQL], [1], [records can be in PostgreSQL])
	])
	AM_CONDITIONAL([HAVE_POSTGRESQL], [test "$with_postgresql" != no])
])
