# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Every tool: --help and --usage have the house's shape, --version gives both versions, a wrong option is one
# sentence, every long option stands in the manual page and in the completion; every page is well-formed.
. "$top_srcdir/tests/harness/lib.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Long options that --help shows.
long_options() {
	sed -n 's/^  \(-.,\|   \) --\([a-z-]*\).*/\2/p'
}

# scdoc separates empty paragraphs and keeps long lines; all else that mandoc finds is a fault.
page_faults() {
	mandoc -T lint "$1" | grep -Ev 'STYLE: |skipping paragraph macro: PP (empty|after)'
}

check_page() {
	page=$top_builddir/tools/$1.1
	[ -f "$page" ] || { result 1 "$1 has a manual page"; return; }
	text=$(sed 's/\\-/-/g; s/\\&//g' "$page")
	for option in $2; do
		case $text in
		*"--$option"*) ;;
		*) result 1 "$1(1) describes --$option" ;;
		esac
	done
	for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
		printf '%s\n' "$text" | grep -Eq "^\\.SH \"?$section\"?\$" || result 1 "$1(1) has a section $section"
	done
	result 0 "$1(1) describes its options in the usual sections"
}

check_tool() {
	tool=$1
	fails 0 "$tool --version" "$top_builddir/$tool" --version
	like "$out" '^7\.0\.0$' "$tool --version begins with the API level"
	like "$out" '^tiffin [0-9]+\.[0-9]+\.[0-9]+$' "$tool --version names the product"
	fails 0 "$tool --help" "$top_builddir/$tool" --help
	case $tool in
	lxc-config | lxc-checkconfig | lxc-update-config)
		like "$out" "^Usage: $tool" "$tool --help shows the usage on standard output"
		return
		;;
	esac
	like "$err" "^Usage: $tool " "$tool --help shows the usage on standard error"
	is "$out" "" "$tool --help leaves standard output alone"
	options=$(printf '%s\n' "$err" | long_options)
	is "$(printf '%s\n' "$err" | awk 'length($0) > 79')" "" "$tool --help fits the screen"
	fails 0 "$tool --usage" "$top_builddir/$tool" --usage
	for option in $options; do
		case $err in
		*"--$option"*) ;;
		*) result 1 "$tool --usage has --$option" ;;
		esac
		grep -q -- "--${option}[= ']" "$top_builddir/tools/completion/$tool" ||
			result 1 "the completion of $tool has --$option"
	done
	for option in $options; do
		grep -Eq -- "'\*?--$option(=-?)?\[" "$top_builddir/tools/completion/$tool.zsh" ||
			result 1 "the zsh completion of $tool has --$option"
		grep -q -- " -l $option " "$top_builddir/tools/completion/$tool.fish" ||
			result 1 "the fish completion of $tool has --$option"
	done
	for shell in zsh fish; do
		if command -v "$shell" >/dev/null; then
			succeeds "the $shell completion of $tool is a script" "$shell" -n "$top_builddir/tools/completion/$tool.$shell"
		else
			skip "the $shell completion of $tool is a script" "needs $shell: it is not installed"
		fi
	done
	fails 1 "$tool refuses an unknown option" "$top_builddir/$tool" --no-such-option
	is "$err" "$tool: there is no option --no-such-option
  try: $tool --help" "$tool says so in one sentence"
	ok "the completion of $tool is a script" bash -n "$top_builddir/tools/completion/$tool"
	[ ! -f "$top_builddir/tools/lxc.7" ] || check_page "$tool" "$options"
}

for tool in attach autostart cgroup checkconfig checkpoint config console create destroy device doctor execute export freeze import info ls monitor \
	snapshot start stop top unfreeze unshare update-config wait; do
	check_tool "lxc-$tool"
done

# Every program that is installed has a page, or is named as one of the helpers in lxc(7).
installed() {
	# shellcheck disable=SC2016 # for make
	${MAKE:-make} -s -C "$top_builddir" --no-print-directory --eval \
		'print-installed: ; @echo $(bin_PROGRAMS) $(bin_SCRIPTS) $(sbin_PROGRAMS) $(lxclibexec_PROGRAMS) $(lxclibexec_SCRIPTS)' \
		print-installed 2>/dev/null | tr ' ' '\n' | sed 's,.*/,,' | sort -u
}
# named PROGRAM: in the NAME of a page.
named() {
	sed -n '/^# NAME/,/^# [^N]/p' "$top_srcdir"/tools/*.[18].scd | grep -wq -e "$1" && return 0
	sed -n '/^# OTHER PROGRAMS/,/^# [^O]/p' "$top_srcdir/tools/lxc.7.scd" | grep -q "^\*$1\*"
}
installed >"$scratch/installed"
ok "programs are installed" grep -qx init.lxc "$scratch/installed"
is "$(while read -r program; do named "$program" || echo "$program"; done <"$scratch/installed")" "" \
	"each of them has a page, or is named in lxc(7)"

# Examples: options and their values are accepted, as far as that shows without containers (--help is looked at last).
examples() {
	sed -n '/^# EXAMPLES/,/^# [^E]/p' "$1" | sed -n '/^```/,/^```/p' | grep -E '^lxc-' | grep -vE '^lxc-(config|checkconfig|update-config|usernsexec)|bind=' |
		sed "s/\('[^']*\)|\([^']*'\)/\1@@\2/g; s/ -- .*//; s/[|>;&#].*//; s/@@/|/g"
}
for page in "$top_srcdir"/tools/lxc-*.1.scd; do
	examples "$page" >"$scratch/examples"
	while read -r example; do
		tool=${example%% *}
		[ "$tool" != lxc-device ] || [ "$(id -u)" -eq 0 ] || continue
		[ -x "$top_builddir/$tool" ] || { result 1 "the example '$example' is of a program that exists"; continue; }
		run sh -c "PATH=$top_builddir:\$PATH; $example --help"
		is "$status" 0 "the example '$example' is understood"
	done <"$scratch/examples"
done

# man -k finds what lexgrog understands.
if [ -f "$top_builddir/tools/lxc.7" ] && command -v lexgrog >/dev/null; then
	for page in "$top_builddir"/tools/*.[13578]; do
		run lexgrog "$page"
		like "$out" ': "[a-z.-]*lxc.* - .+"$' "man -k lxc finds $(basename "$page")"
		name=$(basename "$page")
		like "$out" ": \"${name%.*} - .+\"\$" "... by its name"
	done
else
	skip "man -k lxc finds the pages" "needs lexgrog: man-db is not installed, or the pages are not built"
fi

# Pages that are referred to and do not exist.
dangling() {
	grep -ho '\*[a-z.-]*lxc[a-z.-]*\*([1-8])' "$top_srcdir"/tools/*.scd | sort -u | tr -d '*)' | tr '(' ' ' |
		while read -r page section; do
			[ -f "$top_srcdir/tools/$page.$section.scd" ] || echo "$page($section)"
		done
}
is "$(dangling)" "" "the pages refer to pages that exist"
# scdoc takes a dot away.
is "$(grep -n "^$(printf '\t')*\." "$top_srcdir"/tools/*.scd)" "" "no line of a page begins with a dot"
# Units of systemd refer to pages too, and a function has none.
units() {
	sed -n 's/^Documentation=//p' "$top_srcdir"/config/systemd/*.in | tr ' ' '\n' | sed -n 's/^man:\(.*\)(\([1-8]\))$/\1.\2/p' |
		while read -r page; do
			[ -f "$top_srcdir/tools/$page.scd" ] || echo "$page"
		done
}
is "$(units)" "" "the units of systemd refer to pages that exist"
is "$(grep -ho '\*lxc[a-z]*\\_[a-z\\_]*\*([1-8])' "$top_srcdir"/tools/*.scd)" "" "no page refers to a page of a function"

if [ ! -f "$top_builddir/tools/lxc.7" ]; then
	skip "the manual pages are well-formed" "needs man: built with --disable-man"
elif ! command -v mandoc >/dev/null; then
	skip "the manual pages are well-formed" "needs mandoc: it is not installed"
else
	for page in "$top_builddir"/tools/*.[13578]; do
		is "$(page_faults "$page")" "" "$(basename "$page") is well-formed"
	done
fi
finish
