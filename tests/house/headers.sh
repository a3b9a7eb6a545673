#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Every header compiles alone and twice; the public ones also as strict C99 and as C++11.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
src=${top_srcdir:-$here/../..}
build=${top_builddir:-$src}
cc=${CC:-cc}
cxx=${CXX:-c++}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
n=0

# check NAME COMMAND...
check()
{
	name=$1
	shift
	n=$((n + 1))
	if "$@" > "$tmp/out" 2>&1; then
		echo "ok $n - $name"
	else
		sed 's/^/# /' "$tmp/out"
		echo "not ok $n - $name"
	fi
}

# twice HEADER: a source that includes it two times.
twice()
{
	printf '#include "%s"\n#include "%s"\n' "$1" "$1"
}

if [ ! -e "$build/config.h" ]; then
	echo "1..0 # SKIP needs config.h: run configure first"
	exit 0
fi
# opt_table.h is no header but a pattern: each tool fills it with its own table.
(cd "$src" && find lib tools tests/harness -name '*.h' ! -path 'lib/api/include/*' \
	! -path tools/common/opt_table.h | sort) > "$tmp/ours"
(cd "$src/lib/api/include" && find . -name '*.h' | sed 's|^\./||' | sort) > "$tmp/public"
echo "1..$(($(wc -l < "$tmp/ours") + 2 * $(wc -l < "$tmp/public")))"

# The flags that the build itself uses; their relative paths are those of the build directory.
flags=${HEADER_FLAGS:-"-I$src/lib -I$build/lib -I$src/lib/api/include -I$build/lib/api/include -include $build/config.h"}
while read -r file; do
	dir=$(dirname "$src/$file")
	twice "$src/$file" > "$tmp/x.c"
	# shellcheck disable=SC2086 # flags and compiler are words
	check "$file compiles alone" $cc -std=gnu17 -D_GNU_SOURCE -Wall -Werror -fsyntax-only \
		-I"$dir" -I"$src/tools" -I"$src/tests" $flags "$tmp/x.c"
done < "$tmp/ours"
while read -r file; do
	twice "$file" > "$tmp/x.c"
	twice "$file" > "$tmp/x.cc"
	inc="-I$src/lib/api/include -I$build/lib/api/include"
	# shellcheck disable=SC2086
	check "$file is C99" $cc -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only $inc "$tmp/x.c"
	# shellcheck disable=SC2086
	check "$file is C++11" $cxx -std=c++11 -pedantic -Wall -Wextra -Werror -fsyntax-only $inc "$tmp/x.cc"
done < "$tmp/public"
