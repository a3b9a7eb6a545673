#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Clients in unusual states: large, with many descriptors open or hardly any allowed, with signals ignored or blocked,
# without standard input and output, in a directory that is gone, with a strange umask, with busy threads. A container's
# whole life works, nothing of the client gets into it, and the client is as before.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup "${CC%% *}"
sandbox "$0"
mib=1024
[ "$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)" -gt 3072 ] || mib=256

# shellcheck disable=SC2086 # the compiler may be several words
succeeds "the client is built" $CC -std=gnu11 -g -Wall -Wextra -Werror -pthread -o /run/odd "$top_srcdir/tests/compat/odd.c" \
	-I"$TIFFIN_INST/include" -L"$TIFFIN_INST/lib" -Wl,-rpath,"$TIFFIN_INST/lib" -llxc
: >/run/odd.mark

# lives STATE [NUMBER]: a client in that state.
lives() {
	rm -f "$scratch/facts"
	timeout -s KILL 120 /run/odd "$scratch/facts" "$lxcpath" "$tag" "$@" >"$scratch/odd" 2>&1 </dev/null
	is "$?" 0 "$*: the client gets to its end"
	while IFS="$(printf '\t')" read -r verdict text reason; do
		case $verdict in
		ok) result 0 "$text" ;;
		skip) skip "$text" "$reason" ;;
		*) result 1 "$text" ;;
		esac
	done <"$scratch/facts"
	[ ! -s "$scratch/odd" ] || comment "it said: $(tail -n 3 "$scratch/odd")"
	[ ! -d "$lxcpath/$tag" ] || {
		lxc-stop -k -n "$tag" >/dev/null 2>&1
		lxc-destroy -s -n "$tag" >/dev/null 2>&1
	}
}

lives plain
lives big "$mib"
lives open-files 1000
# Root in a container of its own may not raise a hard limit; a soft one everybody may.
lives few-files 64
lives no-sigchld
lives no-sigpipe
lives all-blocked
lives no-stdio
lives no-cwd
lives umask 077
lives umask 0
lives threads 6
rm -f /run/odd /run/odd.*
finish
