#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
#
# some.sh BUILD TEST... - integration tests by name ("60-quotas"), as "make check" runs them in the build directory BUILD
# with its installed programs, where nothing can be built: on another kernel, which has what they skip elsewhere.
set -u
[ $# -ge 2 ] || { echo 'usage: some.sh BUILD TEST...' >&2; exit 1; }
top_srcdir=$(cd "$(dirname -- "$0")/../.." && pwd)
top_builddir=$(cd "$1" && pwd) || exit 1
TIFFIN_INST=$top_builddir/inst
export top_srcdir top_builddir TIFFIN_INST
shift
failed=0
for test; do
	echo "# $test"
	sh "$top_srcdir/tests/integration/$test.sh" || failed=1
done
exit "$failed"
