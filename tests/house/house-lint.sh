#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# The rules of the house that a machine can check: layers, cycles, what may not be called or written.
# Lengths and missing unit tests are reported, not refused: they mean "look again".
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
cd "${top_srcdir:-$here/../..}" || exit 99
max_file=${MAX_FILE:-700}
max_function=${MAX_FUNCTION:-60}
awk=${AWK:-awk}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
echo 0 > "$tmp/number"

# count: the next test number. In a file, since the ends of pipes are shells of their own.
count()
{
	number=$(($(cat "$tmp/number") + 1))
	echo "$number" > "$tmp/number"
}

# verdict TEXT: the offences are on stdin, one a line.
verdict()
{
	cat > "$tmp/found"
	sed 's/^/# /' "$tmp/found"
	count
	if [ -s "$tmp/found" ]; then
		echo "not ok $number - $1"
	else
		echo "ok $number - $1"
	fi
}

# report TEXT: as verdict, but only said.
report()
{
	sed 's/^/# /'
	count
	echo "ok $number - $1"
}

# Who may include whom, besides itself and what lies below; siblings do not see each other.
allowed()
{
	case $1 in
	lib/base) ;;
	lib/kernel) echo base ;;
	lib/config) echo base kernel ;;
	lib/cgroup | lib/security | lib/storage | lib/network) echo base kernel config ;;
	# lxc/ is the public interface, whose types the upper two layers fill.
	lib/lifecycle) echo base kernel config cgroup security storage network lxc ;;
	lib/api | tools/libexec) echo base kernel config cgroup security storage network lifecycle lxc ;;
	tools/*) echo base common lxc ;;
	esac
}

# The layer of a file: lib/NAME or tools/NAME.
layer_of()
{
	case $1 in
	lib/*/* | tools/libexec/*)
		rest=${1#*/}
		echo "${1%%/*}/${rest%%/*}"
		;;
	tools/*) echo tools/programs ;;
	esac
}

find lib tools tests -name '*.[ch]' | sort > "$tmp/all"
grep -E '^(lib|tools)/' "$tmp/all" > "$tmp/ours"
grep -E '^lib/' "$tmp/all" > "$tmp/lib"
xargs "$awk" -f "$here/strip.awk" < "$tmp/all" > "$tmp/code"

echo 1..13

xargs grep -nE '^[[:blank:]]*#[[:blank:]]*include[[:blank:]]*"' < "$tmp/ours" |
	sed -n 's/^\([^:]*\):[0-9]*:[^"]*"\([^"]*\)".*/\1 \2/p' > "$tmp/includes"

while read -r file target; do
	layer=$(layer_of "$file")
	to=${target%%/*}
	case $target in
	*/*) ;;
	*) continue ;;
	esac
	[ "$to" = "${layer#*/}" ] && continue
	case " $(allowed "$layer") " in
	*" $to "*) ;;
	*) echo "$file: $layer may not include $target" ;;
	esac
done < "$tmp/includes" | verdict "includes point downward only"

# edges PATTERN: "module included-module" for the files of that pattern.
edges()
{
	grep -E "$1" "$tmp/includes" | while read -r file target; do
		me=${file#lib/}
		me=${me%.[ch]}
		to=${target%.h}
		[ -f "lib/$to.h" ] || to=${me%/*}/$to
		[ "$to" != "$me" ] && [ -f "lib/$to.h" ] && echo "$me $to"
	done | sort -u
}

# loops: the loops among edges, as tsort names them.
loops()
{
	tsort 2>&1 > /dev/null | sed -n 's/^tsort: -: input contains a loop:/loop:/p; s/^tsort: /  /p'
}

edges '^lib/[^ ]*\.h ' | loops | verdict "headers include each other without loops"
# x.c and x.h taken as one: an interface whose source knows its drivers, which know the interface.
edges '^lib/' | loops | report "modules that know each other"

# calls NAMES: where code calls one of them.
calls()
{
	grep -E "(^|[^A-Za-z0-9_>.])($1)[[:blank:]]*\(" "$tmp/code"
}

calls 'strtol|strtoul|strtoll|strtoull|strtoimax|strtoumax|strtod|atoi|atol|atoll|atof|sscanf' |
	grep -E '^(lib|tools)/' | grep -v '^lib/base/num\.c:' |
	verdict "numbers are read by base/num only"

calls 'sprintf|vsprintf|strcpy|strcat|strtok|gets|system|popen|alloca|mktemp|tmpnam|tempnam' |
	verdict "no unbounded or shell-running call"

calls 'printf|vprintf|puts|putchar|perror|exit|abort|setenv|putenv|unsetenv|signal' |
	grep '^lib/' | verdict "the library does not print, exit or change its process"

# lifecycle/launch gives the supervisor descriptors under other numbers, which kernel/spawn does not do.
calls 'fork|vfork|clone|clone3|posix_spawn|posix_spawnp' | grep -E '^lib/' |
	grep -vE '^lib/(kernel/(clone|spawn)|lifecycle/launch)\.c:' |
	verdict "processes are made by kernel/clone and kernel/spawn only"

grep -F '//' "$tmp/code" | verdict "comments are /* */"

grep -E ':[0-9]+:.*(^|[^A-Za-z0-9_])goto[[:blank:]]' "$tmp/code" | verdict "no goto"

{
	xargs grep -nE '(TODO|FIXME|XXX)' < "$tmp/all"
	find lib tools templates config hooks tests -type f \( -name '*.in' -o -name '*.am' -o -name '*.sh' \) \
		! -name house-lint.sh -exec grep -nE '(TODO|FIXME)' {} +
} | grep -v 'XXXXXX' | verdict "nothing is left to do in a comment"

{
	cat "$tmp/all"
	# templates/common.sh becomes a part of files that have the line.
	find lib tools templates config hooks tests doc -type f ! -path templates/common.sh \
		\( -name '*.am' -o -name '*.sh' -o -name '*.def' -o -name '*.awk' -o -name '*.opt' \)
} | while read -r file; do
	head -n 4 "$file" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' ||
		echo "$file: no SPDX line at its top"
done | verdict "every file names its licence"

{
	xargs wc -l < "$tmp/ours" | "$awk" -v max="$max_file" '$2 != "total" && $1 > max {
		print $2 ": " $1 " lines (" max " are enough)" }'
	# From the signature in column 0 to the brace in column 0.
	grep '\.c$' "$tmp/ours" | xargs "$awk" -v max="$max_function" '
	FNR == 1 { open = 0; signature = "" }
	!open && /^[A-Za-z_][A-Za-z_0-9 *]*[( ]/ && /\(/ && !/;[ \t]*$/ && !/^[^(]*=/ { signature = $0; at = FNR }
	!open && /^\{/ { open = 1 }
	/^\}/ {
		if (open && signature != "" && FNR - at + 1 > max) {
			split(signature, part, "(")
			words = split(part[1], word, /[ *]+/)
			printf "%s:%d: %s is %d lines (%d are enough)\n", FILENAME, at, word[words], FNR - at + 1, max
		}
		open = 0
		signature = ""
	}'
} | report "lengths"

grep '\.c$' "$tmp/lib" | while read -r file; do
	module=${file##*/}
	module=${module%.c}
	layer=$(basename "$(dirname "$file")")
	test=
	for name in "$module" "$layer-$module" "$layer-${module#"${layer}"_}"; do
		name=$(echo "$name" | tr _ -)
		[ -f "tests/unit/test-$name.c" ] && test=yes
	done
	[ -n "$test" ] || echo "$file has no tests/unit/test-$(echo "$module" | tr _ -).c"
done | report "unit tests"
