#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# The manual pages of the library say all of its interface and nothing that is not there: every function that is
# exported, every member of struct lxc_container and of the other public structures, every constant, as the headers
# have them.
. "$top_srcdir/tests/harness/lib.sh"
export LC_ALL=C
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
headers=$top_srcdir/lib/api/include/lxc

# code HEADER...: without comments, preprocessor lines and the contents of literals.
code() {
	"${AWK:-awk}" -f "$top_srcdir/tests/house/strip.awk" "$@" | sed 's/^[^:]*:[0-9]*://' | grep -v '^#' | grep -v '^extern ""'
}

# prototypes: of what is read, one a line, without blanks; the first argument of a member is plain c.
prototypes() {
	tr -d '\n' | tr ';{}' '\n\n\n' | sed -n '
		s/^[[:blank:]]*extern //p
		/^[[:blank:]]*[a-z][a-z_0-9 ]*[ *]*(\*[a-z_0-9]*)(/p' |
		sed 's/(\*\([a-z_0-9]*\))(/\1(/; s/[[:blank:]]//g; s/structlxc_container\*c\([,)]\)/c\1/'
}

# members STRUCT HEADER: their names; those of a structure inside by their own.
members() {
	code "$headers/$2" | sed -n "/struct $1 {/,/^}/p" | sed '1d; $d' | tr -d '\n' | tr ';' '\n' |
		sed 's/.*(\*\([a-z_0-9]*\))(.*/\1/; s/.*}//; s/.*[ \t*{]\([a-z_0-9]*\)$/\1/; s/\[.*//' | grep -o '[a-z_0-9]*$' | grep .
}

# plain PAGE: its text without the examples and the marks of bold and underline.
plain() {
	sed '/^# EXAMPLES/,$d; s/\\_/\a/g; s/\\\*/\v/g; s/[_*]//g; s/\a/_/g; s/\v/*/g; s/\\//g' "$top_srcdir/tools/$1.3.scd"
}
plain liblxc >"$scratch/liblxc"
plain lxcext >"$scratch/lxcext"
for page in liblxc lxcext; do
	sed 's/[[:blank:]]//g; s/structlxc_container\*c\([,)]\)/c\1/' "$scratch/$page" >"$scratch/$page.terms"
done

# missing PAGE: of the words or lines read, those that the page does not have.
missing_terms() {
	while read -r term; do
		grep -Fxq -e "$term" "$scratch/$1.terms" || echo "$term"
	done
}
missing_words() {
	while read -r word; do
		grep -wq -e "$word" "$scratch/$1" || echo "$word"
	done
}

code "$headers/lxccontainer.h" "$headers/attach_options.h" >"$scratch/lxc.code"
code "$headers/lxcext.h" >"$scratch/ext.code"
sed -n '/^struct lxc_container {/,/^}/p' "$scratch/lxc.code" | prototypes | grep -v '^extern' >"$scratch/members"
grep -v '^typedef' "$scratch/lxc.code" | sed '/^struct [a-z_]* {/,/^}/d' | prototypes >"$scratch/functions"
sed '/^struct [a-z_]* {/,/^}/d' "$scratch/ext.code" | prototypes >"$scratch/ext"
is "$(wc -l <"$scratch/members")" 62 "the header has the operations of a container"
is "$(grep -c . "$scratch/functions")" 15 "and the functions of LXC"

is "$(missing_terms liblxc <"$scratch/members")" "" "liblxc(3) has every operation of struct lxc_container, as the header"
is "$(missing_terms liblxc <"$scratch/functions")" "" "liblxc(3) has every function, as the header"
is "$(missing_terms lxcext <"$scratch/ext")" "" "lxcext(3) has every function, as the header"

# What looks like a prototype in a page is one of the header.
cat "$scratch/members" "$scratch/functions" "$scratch/ext" >"$scratch/all"
for page in liblxc lxcext; do
	is "$(grep -E '^(bool|int|void|char\*+|constchar\*|pid_t|structlxc_container\*)[a-z_0-9]+\(.*\)$' "$scratch/$page.terms" |
		grep -Fxv -f "$scratch/all")" "" "$page(3) has no others"
done

# Every symbol, by the library itself.
if [ -e "$top_builddir/.libs/liblxc.so" ] && command -v nm >/dev/null; then
	nm -D --defined-only "$top_builddir/.libs/liblxc.so" | sed 's/.* //; s/@.*//' | grep -v '^LXCEXT' >"$scratch/symbols"
	ok "the library has symbols" test -s "$scratch/symbols"
	is "$(grep '^lxcext_' "$scratch/symbols" | missing_words lxcext)" "" "lxcext(3) has every symbol of the library"
	is "$(grep -v '^lxcext_' "$scratch/symbols" | missing_words liblxc)" "" "liblxc(3) has every symbol of the library"
else
	skip "the pages have every symbol of the library" "needs nm: it is not installed, or the library is not built"
fi

# Structures.
while read -r struct header page; do
	members "$struct" "$header" >"$scratch/names"
	ok "struct $struct has members" test -s "$scratch/names"
	is "$(missing_words "$page" <"$scratch/names")" "" "$page(3) has every member of $struct"
done <<END
lxc_container lxccontainer.h liblxc
lxc_snapshot lxccontainer.h liblxc
bdev_specs lxccontainer.h liblxc
migrate_opts lxccontainer.h liblxc
lxc_console_log lxccontainer.h liblxc
lxc_log lxccontainer.h liblxc
lxc_mount lxccontainer.h liblxc
lxc_attach_options_t attach_options.h liblxc
lxc_groups_t attach_options.h liblxc
lxc_attach_command_t attach_options.h liblxc
lxcext_error_link lxcext.h lxcext
lxcext_end lxcext.h lxcext
lxcext_event lxcext.h lxcext
lxcext_copy lxcext.h lxcext
lxcext_usage lxcext.h lxcext
END
is "$(sed -n 's/^\(typedef \)\?struct \([a-z_]*\) {.*/\2/p' "$scratch/lxc.code" "$scratch/ext.code" | wc -l)" 15 \
	"there are no others"

# Constants.
constants() {
	grep -ohE '\<(LXC|LXCEXT|MIGRATE|FEATURE)_[A-Z_0-9]+' "$@" | grep -vE '_(MAXFLAGS|H|)$|^LXC_ATTACH_OPTIONS$' | sort -u
}
constants "$headers/lxccontainer.h" "$headers/attach_options.h" | grep -v '^LXC_ATTACH_LSM$' >"$scratch/lxc.constants"
constants "$scratch/ext.code" | grep -v '^LXC_' >"$scratch/ext.constants"
is "$(missing_words liblxc <"$scratch/lxc.constants")" "" "liblxc(3) has every constant"
is "$(missing_words lxcext <"$scratch/ext.constants")" "" "lxcext(3) has every constant"
finish
