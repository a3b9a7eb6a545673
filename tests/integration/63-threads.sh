#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# A program of many threads that share handles and have their own: it works, and loses no memory.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup "${CC%% *}"
sandbox "$0"

PKG_CONFIG_PATH=$TIFFIN_INST/lib/pkgconfig
export PKG_CONFIG_PATH
LD_LIBRARY_PATH=${SANITIZED_LIBRARY:-$TIFFIN_INST/lib}
export LD_LIBRARY_PATH
# shellcheck disable=SC2086 # the compiler may be several words
succeeds "the program is built" $CC -std=gnu11 -g -Wall -Werror -pthread -o /run/threads "$top_srcdir/tests/compat/threads.c" \
	"-I$TIFFIN_INST/include" "-L$TIFFIN_INST/lib" -llxc
mkdir -p /run/root/bin /run/root/dev /run/root/proc /run/root/sys
cp "$(command -v busybox)" /run/root/bin/busybox
for applet in sh sleep true; do
	ln -s busybox "/run/root/bin/$applet"
done

succeeds "many threads" /run/threads "$lxcpath" dir:/run/root "$tag" 2
is "$err" "" "and no call fails"
if $CC -fsanitize=leak -o /run/leaks -pthread "$top_srcdir/tests/compat/threads.c" "-I$TIFFIN_INST/include" "-L$TIFFIN_INST/lib" \
	-llxc 2>/dev/null; then
	succeeds "the same, watched" /run/leaks "$lxcpath" dir:/run/root "$tag" 1
	is "$err" "" "loses no memory"
	rm /run/leaks
else
	skip "no memory is lost" "needs liblsan: the compiler cannot link it"
fi
rm -rf /run/root /run/threads
finish
