#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Builds the fuzz targets with clang, ASan and UBSan, and runs each for a while on its corpus.
#
#	tests/fuzz/run.sh BUILDDIR [SECONDS [TARGET...]]
#
# BUILDDIR is a configured build directory (for config.h and what make generates). New inputs and
# findings stay in BUILDDIR/fuzz; a finding makes the exit status 1.
set -eu
build=$(cd "${1:?usage: $0 BUILDDIR [SECONDS [TARGET...]]}" && pwd)
seconds=${2:-60}
if [ $# -gt 2 ]; then shift 2; else set --; fi
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$build/fuzz
: "${CC:=clang}"
if [ $# -eq 0 ]; then
	for src in "$top"/tests/fuzz/fuzz-*.c; do
		target=${src##*/fuzz-}
		set -- "$@" "${target%.c}"
	done
fi

compile() {
	"$CC" -g -O1 -std=gnu17 -D_GNU_SOURCE -fsanitize=address,undefined -fno-sanitize-recover=undefined \
		-include "$build/config.h" -I"$top/lib" -I"$build/lib" -I"$top/lib/api/include" \
		-I"$build/lib/api/include" "$@"
}

# Every layer below the API, as one archive.
rm -rf "$work/obj" "$work/lib.a"
mkdir -p "$work/obj"
for src in "$top"/lib/base/*.c "$top"/lib/kernel/*.c "$top"/lib/config/*.c "$top"/lib/cgroup/*.c \
	"$top"/lib/security/*.c "$top"/lib/storage/*.c "$top"/lib/network/*.c "$top"/lib/lifecycle/*.c; do
	[ "${src##*/}" = seccomp_none.c ] ||
		compile -fsanitize=fuzzer-no-link -c "$src" -o "$work/obj/$(echo "${src#"$top"/lib/}" | tr / _).o"
done
ar rcs "$work/lib.a" "$work"/obj/*.o

status=0
for target; do
	more='' longest=4096
	# What reads archives is in a program of its own.
	if [ "$target" = archive ]; then
		longest=16384
		more="$top/tools/libexec/archive_policy.c $top/tools/libexec/archive_stream.c
			$top/tools/libexec/archive_entry.c $top/tools/libexec/archive_unpack.c -larchive -lzstd -lcrypto"
	fi
	# shellcheck disable=SC2086 # several words
	compile -fsanitize=fuzzer "$top/tests/fuzz/fuzz-$target.c" $more "$work/lib.a" -lseccomp -lcap -luuid \
		-o "$work/fuzz-$target"
	mkdir -p "$work/corpus-$target"
	dict=$top/tests/fuzz/$target.dict
	[ -e "$dict" ] || dict=
	echo "fuzz-$target: $seconds s"
	"$work/fuzz-$target" -max_total_time="$seconds" -max_len="$longest" ${dict:+-dict="$dict"} \
		-artifact_prefix="$work/finding-$target-" "$work/corpus-$target" "$top/tests/fuzz/corpus/$target" \
		>"$work/$target.log" 2>&1 || { status=1; tail -30 "$work/$target.log"; }
	grep '^Done ' "$work/$target.log" || :
done
exit $status
