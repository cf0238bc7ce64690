# SPDX-License-Identifier: Apache-2.0
# GBA_WARNINGS: the warnings we build with; --enable-werror makes them errors (CI does).
AC_DEFUN([GBA_WARNINGS], [
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [treat warnings as errors])], [], [enable_werror=no])
	WARN_CFLAGS="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wno-format-nonliteral"
	AS_IF([test "$enable_werror" = yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
	HARDEN_CFLAGS="-fvisibility=hidden -fstack-protector-strong"
	AC_SUBST([WARN_CFLAGS])
	AC_SUBST([HARDEN_CFLAGS])
])
