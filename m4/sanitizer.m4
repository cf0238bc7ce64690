# SPDX-License-Identifier: Apache-2.0
# GBA_SANITIZER: --with-sanitizer=address,undefined or =thread, passed to compiler and linker.
AC_DEFUN([GBA_SANITIZER], [
	AC_ARG_WITH([sanitizer], [AS_HELP_STRING([--with-sanitizer=LIST], [build with -fsanitize=LIST (address,undefined or thread)])], [], [with_sanitizer=no])
	AS_CASE([$with_sanitizer],
		[no], [SAN_FLAGS=""],
		[yes], [AC_MSG_ERROR([--with-sanitizer needs a list, such as address,undefined])],
		[SAN_FLAGS="-fsanitize=$with_sanitizer -fno-sanitize-recover=all -fno-omit-frame-pointer"])
	AC_SUBST([SAN_FLAGS])
	# A symbol that no library has is found at link time; a sanitizer's are in the program that loads the extension.
	AS_IF([test "$with_sanitizer" = no], [FDX_DEFS="-Wl,-z,defs"], [FDX_DEFS=""])
	AC_SUBST([FDX_DEFS])
	AM_CONDITIONAL([SANITIZER], [test "$with_sanitizer" != no])
])

# GBA_FUZZ: --enable-fuzz links the targets of tests/fuzz with libFuzzer (needs clang) instead of their replaying main.
AC_DEFUN([GBA_FUZZ], [
	AC_ARG_ENABLE([fuzz], [AS_HELP_STRING([--enable-fuzz], [link the fuzz targets with libFuzzer (CC=clang)])], [], [enable_fuzz=no])
	FUZZ_CFLAGS=""; FUZZ_LDFLAGS=""
	AS_IF([test "$enable_fuzz" = yes], [
		AC_LANG_PUSH([C])
		saved_cflags=$CFLAGS; CFLAGS="$CFLAGS -fsanitize=fuzzer-no-link"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [], [AC_MSG_ERROR([--enable-fuzz needs a compiler with libFuzzer: configure with CC=clang])])
		CFLAGS=$saved_cflags
		AC_LANG_POP([C])
		FUZZ_CFLAGS="-fsanitize=fuzzer-no-link"; FUZZ_LDFLAGS="-fsanitize=fuzzer"
	])
	AC_SUBST([FUZZ_CFLAGS])
	AC_SUBST([FUZZ_LDFLAGS])
	AM_CONDITIONAL([FUZZ], [test "$enable_fuzz" = yes])
])
