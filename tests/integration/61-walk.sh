#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Every member of struct lxc_container and every function, in every state of a real container, from a C program that
# is built with the installed headers: what each says is in walk.expected; where LXC's library is installed, it says
# the same, but for what bindings.differences names.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup "${CC%% *}"
sandbox "$0"

# shellcheck disable=SC2086 # the compiler may be several words
PKG_CONFIG_PATH=$TIFFIN_INST/lib/pkgconfig
export PKG_CONFIG_PATH
if command -v pkg-config >/dev/null; then
	flags=$(pkg-config --cflags --libs lxc)
	like "$flags" "-I$TIFFIN_INST/include" "lxc.pc says where the headers are"
else
	flags="-I$TIFFIN_INST/include -L$TIFFIN_INST/lib -llxc"
fi
# shellcheck disable=SC2086
succeeds "a client is built with the installed headers" $CC -std=gnu99 -Wall -Werror -Wno-unused-result -o /run/walk \
	"$top_srcdir/tests/compat/walk.c" $flags

succeeds "a busybox root is made" lxc-create -n "$tag-root" -t busybox
mv "$lxcpath/$tag-root/rootfs" /run/root
rm -rf "${lxcpath:?}/$tag-root"

# walk SIDE LIBRARY-PATH: sets $status.
walk() {
	# A root each: LXC's destroy deletes it, wherever it is.
	mkdir -p "/run/$1"
	cp -a /run/root "/run/$1-root"
	# shellcheck disable=SC2086 # several words or none
	LD_LIBRARY_PATH=$2 timeout -k 5 "${SANITIZED_LIMIT:-120}" ${3-} /run/walk "/run/$1" "/run/$1-root" "$tag-$1" >"$scratch/walk.$1" 2>"$scratch/walk.$1.err" </dev/null
	status=$?
	comment "$(tail -n 3 "$scratch/walk.$1.err")"
	# A library that hangs or dies half-way leaves what it has started.
	[ "$status" -eq 0 ] || lxc-stop -k -P "/run/$1" -n "$tag-$1" 2>/dev/null
	left=$(find "/run/$1" -mindepth 1 -maxdepth 1 ! -name log)
	rm -rf "/run/$1" "/run/$1-root"
	find /sys/fs/cgroup -depth -type d -name "lxc.*.$tag-$1*" -exec rmdir {} + 2>/dev/null
}

walk ours "$TIFFIN_INST/lib" "${SANITIZED_CLIENT-}"
is "$status" 0 "the walk gets to its end"
is "$left" "" "and leaves no container"
grep -v '^#' "$top_srcdir/tests/compat/walk.expected" >"$scratch/expected"
diff "$scratch/expected" "$scratch/walk.ours" >"$scratch/diff"
is "$?" 0 "every call says what it should"
comment "$(head -n ${DIFF_LINES:-40} "$scratch/diff")"

theirs=/usr/lib/$(gcc -dumpmachine 2>/dev/null || echo x86_64-linux-gnu)
if [ -e "$theirs/liblxc.so.1" ] && command -v python3 >/dev/null; then
	walk theirs "$theirs"
	comment "LXC's library got to: $(tail -n 1 "$scratch/walk.theirs")"
	/usr/bin/python3 "$top_srcdir/tests/compat/compare.py" walk "$scratch/walk.theirs" "$scratch/walk.ours" \
		"$top_srcdir/tests/compat/bindings.differences" >"$scratch/report" || comment "the comparison itself failed"
	while IFS="$(printf '\t')" read -r verdict text; do
		case $verdict in
		ok) result 0 "$text" ;;
		bad) result 1 "$text" ;;
		*) echo "# $text" ;;
		esac
	done <"$scratch/report"
else
	skip "LXC's library says the same" "liblxc1 is not installed"
fi

rm -rf /run/root /run/walk
finish
