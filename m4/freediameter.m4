# SPDX-License-Identifier: Apache-2.0
# GBA_FREEDIAMETER: freeDiameter has no pkg-config file; find its libraries and its daemon.
AC_DEFUN([GBA_FREEDIAMETER], [
	AC_CHECK_HEADER([freeDiameter/extension.h], [], [AC_MSG_ERROR([freeDiameter headers not found (libfreediameter-dev)])])
	AC_CHECK_LIB([fdproto], [fd_libproto_init], [FD_LIBS="-lfdcore -lfdproto"], [AC_MSG_ERROR([libfdproto not found (libfreediameter-dev)])])
	AC_SUBST([FD_LIBS])
	AC_PATH_PROGS([FREEDIAMETERD], [freeDiameterd], [freeDiameterd], [$PATH:/usr/sbin:/usr/bin])
])
# Files made by configure beside the Makefile; each folder adds its own here.
AC_DEFUN([GBA_CONFIG_FILES], [
	AC_CONFIG_FILES([naf-adapter/libnaf/libgba-naf.pc naf-adapter/libnaf/libgba-naf-openssl.pc
			 naf-adapter/sealed/libgba-sealed.pc])
])
