#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What runs before the C library calls nothing outside of its file and needs no thread data, whatever the build's flags:
# at worst every program would end with a signal at its first instruction.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
src=${top_srcdir:-$here/../..}
cc=${CC:-cc}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

case $($cc -dumpmachine) in
x86_64*) thread='%fs:' ;;
aarch64*) thread='tpidr_el0' ;;
*)
	echo "1..0 # SKIP needs x86_64 or aarch64: other programs begin in the C library"
	exit 0
	;;
esac
n=0
result() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
set -- '-O0 -fstack-protector-all' '-O1 -fstack-protector-all' '-O2 -fstack-protector-strong' '-Os' '-O3'
echo "1..$((2 * $#))"
for flags; do
	# shellcheck disable=SC2086 # flags and compiler are words
	$cc -std=gnu17 -D_GNU_SOURCE -fPIE -fno-plt $flags -S -o "$tmp/x.s" "$src/lib/kernel/entry.c" 2>"$tmp/cc"
	result $? "entry.c compiles with $flags"
	sed 's/^/# /' "$tmp/cc"
	# The two that the first instructions call, and where they go on.
	grep -nE "$thread|__stack_chk|GOTPCREL|:got:|[[:space:]](call|jmp|bl|b)[[:space:]]+\*?[a-zA-Z_]" "$tmp/x.s" |
		grep -vE 'entry_protect$|entry_populate$|_start$' >"$tmp/found"
	result $((! $?)) "with $flags it calls nothing and has no thread's data"
	sed 's/^/# /' "$tmp/found"
done
