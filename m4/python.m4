# SPDX-License-Identifier: Apache-2.0
# Where the interpreter below this prefix looks for modules, which Debian's does elsewhere than Automake has it.
AC_DEFUN([GBA_PYTHON], [
AM_PATH_PYTHON([3.9], [], [:])
AS_IF([test "x$prefix" = xNONE], [gba_prefix=$ac_default_prefix], [gba_prefix=$prefix])
gba_modules=`$PYTHON -c 'import sys; at = sys.argv[[1]] + "/"; print(next((p[[len(at):]] for p in sys.path if p.startswith(at) and p.endswith("-packages")), ""))' "$gba_prefix"`
AS_IF([test -n "$gba_modules"], [pythondir='${prefix}/'"$gba_modules"])
])
