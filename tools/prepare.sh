# shellcheck shell=bash disable=SC2154 # top and build come from the caller
# SPDX-License-Identifier: Apache-2.0
# Sourced by run-lab and run-tests: install what is missing (saying so first) and build out of tree.
# Uses: $top (source folder), $build (build folder). Sets nothing else in the caller but functions.

apt_log=${TMPDIR:-/tmp}/gba-suite-apt.log

say() { printf '%s\n' "$*" >&2; }

# check_path: autoconf and make know of no way to quote these in names of folders
check_path() {
	case $top$build in
	*[[:space:]\"\'\`\\\$\&\#:]*)
		say "The tools that build this take no blank, quote, backslash, \$, &, # or colon in the path of a folder. Move it:"
		say "  $top"
		[ "$build" = "$top/build" ] || say "  $build"
		exit 69
		;;
	esac
}

# packages GROUP...: the names listed for these groups in tools/debian-packages
packages() {
	local group
	for group in "$@"; do
		sed -n "s/^$group //p" "$top/tools/debian-packages"
	done | tr ' ' '\n' | sort -u
}

# missing_packages GROUP...: those of them that are not installed
missing_packages() {
	local name
	for name in $(packages "$@"); do
		dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || echo "$name"
	done
}

# install_packages GROUP...: ask apt for what is missing; without root say what to install, and stop
install_packages() {
	local missing
	missing=$(missing_packages "$@" | tr '\n' ' ')
	[ -n "${missing// /}" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		say "These Debian packages are missing and installing them needs root. Run:"
		say "  sudo apt-get install --no-install-recommends $missing"
		exit 69
	fi
	say "Installing Debian packages: $missing"
	if ! (without_services "$missing"); then
		tail -n 20 "$apt_log" >&2
		say "apt-get could not install them (whole log: $apt_log)"
		exit 69
	fi
}

# without_services NAMES: install; no server that comes with them starts by itself and takes ports (in a subshell)
without_services() {
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	# shellcheck disable=SC2086 # one word per package
	if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1 >"$apt_log" 2>&1; then
		apt-get update -qq >>"$apt_log" 2>&1 || true
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1 >>"$apt_log" 2>&1
	fi
}

# configure_tree DIR [configure options]: autoreconf and configure when the build system changed since the last time
configure_tree() {
	local dir=$1 stamp
	shift
	stamp=$( (cd "$top" && cat configure.ac m4/warnings.m4 m4/sanitizer.m4 m4/freediameter.m4 m4/servers.m4 Makefile.am \
		$(find . -name Makefile.inc -not -path './build*' | sort)); echo "$*" )
	stamp=$(printf '%s' "$stamp" | sha256sum)
	mkdir -p "$dir"
	[ -f "$top/configure" ] && [ "$(cat "$dir/.configured" 2>/dev/null)" = "$stamp" ] && return 0
	(cd "$top" && autoreconf -i) >"$dir/autoreconf.log" 2>&1 || { tail -n 20 "$dir/autoreconf.log" >&2; return 1; }
	(cd "$dir" && "$top/configure" --disable-maintainer-mode -q "$@") >"$dir/configure.log" 2>&1 ||
		{ tail -n 20 "$dir/configure.log" >&2; return 1; }
	printf '%s' "$stamp" >"$dir/.configured"
}

# build_tree DIR [make arguments]
build_tree() {
	local dir=$1
	shift
	make -C "$dir" -s -j"$(nproc)" "$@" >"$dir/make.log" 2>&1 || { tail -n 40 "$dir/make.log" >&2; return 1; }
}
