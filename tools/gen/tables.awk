# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# tables.awk - makes manual page text and completion tables from the tables that the programs are
# compiled from. Reads text only and runs nothing that was built.
#
#	awk -v own=X.opt -v common=common.opt -f tables.awk X.1.scd
#		the page, "@OPTIONS@" and "@COMMON@" replaced by the options
#	awk -v table="types.def keys.def netkeys.def" -f tables.awk lxc.container.conf.5.scd
#		the page, "@KEYS@" replaced by the configuration keys
#	awk -v table=errors.def -f tables.awk lxc-errors.7.scd
#		the page, "@ERRORS@" replaced by the errors
#	awk -v own=X.opt -v common=common.opt -f tables.awk lxc.in
#		the completion script, "@TABLE@" replaced by the options; "@ZSH@" and "@FISH@" in those of these shells

# The next C string of rest; adjacent strings are joined. Leaves rest after it.
function str(  s, out) {
	out = ""
	if (!match(rest, /"/))
		return ""
	rest = substr(rest, RSTART)
	while (substr(rest, 1, 1) == "\"") {
		rest = substr(rest, 2)
		while (rest != "" && substr(rest, 1, 1) != "\"") {
			s = substr(rest, 1, 1)
			if (s == "\\") {
				s = substr(rest, 2, 1)
				rest = substr(rest, 2)
			}
			out = out s
			rest = substr(rest, 2)
		}
		rest = substr(rest, 2)
		sub(/^[ \t]+/, "", rest)
	}
	return out
}

# Text as scdoc wants it: markup characters escaped.
function plain(s) {
	gsub(/\\/, "\\\\", s)
	gsub(/[_*]/, "\\\\&", s)
	if (s ~ /^[-.#]/)
		s = "\\" s
	return s
}

# Reads one row OPT(KEY, 'l', "name", KIND, "ARG", "help") from the current rest.
function option_row(  f, end) {
	sub(/^(OPT|EXT)\([A-Z0-9_]+, */, "", rest)
	letter = ""
	if (substr(rest, 1, 1) == "'")
		letter = substr(rest, 2, 1)
	name = str()
	sub(/^, */, "", rest)
	end = index(rest, ",")
	kind = substr(rest, 1, end - 1)
	arg = str()
	help = str()
}

function is_option(line) {
	return line ~ /^(OPT|EXT)\(/
}

function print_option(  head, value) {
	head = ""
	if (letter != "") {
		head = "*-" letter "*"
		if (kind == "ARG" && name == "")
			head = head " _" plain(arg) "_"
	}
	if (name != "") {
		value = ""
		if (kind == "ARG")
			value = "=_" plain(arg) "_"
		else if (kind == "OPTIONAL")
			value = "\\[=_" plain(arg) "_\\]"
		head = head (head == "" ? "" : ", ") "*--" name "*" value
	}
	print head
	print "\t" toupper(substr(plain(help), 1, 1)) substr(plain(help), 2) "."
	print ""
}

function print_options(  line) {
	while ((getline line < own) > 0) {
		if (!is_option(line))
			continue
		rest = line
		option_row()
		print_option()
	}
	close(own)
}

# The common ones but for those that the tool has itself.
function print_common(  line) {
	if (own != "") {
		while ((getline line < own) > 0)
			if (is_option(line)) {
				rest = line
				option_row()
				taken["-" letter] = taken["--" name] = 1
			}
		close(own)
	}
	while ((getline line < common) > 0) {
		if (!is_option(line))
			continue
		rest = line
		option_row()
		if (("--" name) in taken || (letter != "" && ("-" letter) in taken))
			continue
		print_option()
	}
	close(common)
}

# A sentence: a capital at the beginning, a full stop at the end.
function sentence(s) {
	s = toupper(substr(s, 1, 1)) substr(s, 2)
	return s ~ /[.!?]$/ ? s : s "."
}

# KEY(name, type, ..., example, summary, since, default, effect, faults)
function print_key(row,  key, type, parts, m) {
	rest = row
	key = str()
	type = rest
	sub(/^, */, "", type)
	sub(/,.*/, "", type)
	m = 0
	while (rest ~ /"/)
		parts[++m] = str()
	if (row ~ /^NET/)
		key = "lxc.net.N." key
	print "*" plain(key) "*" (parts[1] == "" ? "" : " = " plain(parts[1]))
	print "\t" sentence(plain(parts[2]))
	print ""
	print "\t" sentence(parts[5])
	print ""
	print "\tValue: " grammar[type] ". Default: " plain(parts[4]) ". Since LXC " plain(parts[3]) "."
	print ""
	print "\t_Caution:_ " sentence(parts[6])
	print ""
}

function print_keys(  files, n, i, line, row) {
	n = split(table, files, " ")
	for (i = 1; i <= n; i++) {
		row = ""
		while ((getline line < files[i]) > 0) {
			if (line ~ /^[A-Z]+\(/)
				row = ""
			else if (row == "")
				continue
			sub(/^[ \t]+/, " ", line)
			row = row line
			if (line !~ /"\)$/)
				continue
			if (row ~ /^TYPE/) {
				rest = row
				line = substr(row, 6, index(row, ",") - 6)
				grammar[line] = str()
			} else {
				print_key(row)
			}
			row = ""
		}
		close(files[i])
	}
}

# printf formats as words.
function readable(s) {
	gsub(/%s%s%s/, "%s", s) # a name and what PATH_OPTION adds to it
	gsub(/%[-0-9.*lz]*[dusxcio]/, "(...)", s)
	gsub(/%%/, "%", s)
	return s
}

# A row may span lines: ERROR(id, errno, (parameters), (what), (remedy), doc)
function print_error(row,  id, what, hint, doc) {
	id = row
	sub(/^ERROR\(/, "", id)
	sub(/,.*/, "", id)
	gsub(/_/, "-", id)
	rest = row
	what = str()
	sub(/^[^"]*\)[ \t]*,[ \t]*\(/, "", rest)
	hint = str()
	sub(/^[^"]*\)[ \t]*,[ \t]*/, "", rest)
	doc = str()
	print "*" plain(id) "*"
	print "\t" plain(readable(what))
	print ""
	print "\t" plain(doc)
	if (hint != "" && hint != "%s") {
		sub(/%s$/, "", hint)
		print ""
		print "\tRemedy: " plain(readable(hint)) "."
	}
	print ""
}

function print_errors(  line, row) {
	row = ""
	while ((getline line < table) > 0) {
		if (line ~ /^ERROR\(/ || (row != "" && line ~ /^[ \t]/)) {
			sub(/^[ \t]+/, " ", line)
			if (line ~ /^ERROR\(/ && row != "")
				print_error(row)
			row = line ~ /^ERROR\(/ ? line : row line
			continue
		}
		if (row != "")
			print_error(row)
		row = ""
	}
	if (row != "")
		print_error(row)
	close(table)
}

# The long names of a table, and in values the case arms of those that take an argument.
function completion_words(file, skip,  line, words) {
	words = ""
	while ((getline line < file) > 0)
		if (is_option(line)) {
			rest = line
			option_row()
			if (name == "" || (("--" name) in skip))
				continue
			skip["--" name] = 1
			words = words " --" name (kind == "ARG" ? "=" : "")
			if (kind == "ARG") {
				values = values "\t--" name (letter == "" ? "" : "|-" letter) ") kind=" arg " ;;\n"
			}
		}
	close(file)
	return words
}

function print_completion(  words, seen) {
	values = ""
	words = completion_words(own, seen) completion_words(common, seen)
	print "\twords='" substr(words, 2) "'"
	print "\tcase $option in"
	printf "%s", values
	print "\tesac"
}

# Calls visit() for the options of both tables, each once.
function each_option(  i, n, files, line, seen) {
	n = split(own " " common, files, " ")
	for (i = 1; i <= n; i++) {
		while ((getline line < files[i]) > 0) {
			if (!is_option(line))
				continue
			rest = line
			option_row()
			if ((name != "" && ("--" name) in seen) || (letter != "" && ("-" letter) in seen && name == ""))
				continue
			if (letter != "" && ("-" letter) in seen)
				letter = ""
			seen["--" name] = 1
			seen["-" letter] = 1
			if (shell == "zsh")
				zsh_option()
			else
				fish_option()
		}
		close(files[i])
	}
}

# What stands for the argument of a kind: an action of zsh, or the words of fish.
function values_of(kind,  list) {
	if (kind == "LEVEL")
		list = "TRACE DEBUG INFO NOTICE WARN ERROR CRIT ALERT FATAL"
	else if (kind == "STATES")
		list = "STOPPED STARTING RUNNING STOPPING ABORTING FREEZING FROZEN THAWED"
	else if (kind == "COLUMNS")
		list = "NAME STATE PID RAM SWAP AUTOSTART GROUPS INTERFACE IPV4 IPV6 UNPRIVILEGED"
	return list
}

function zsh_option(  text, value, spec, action) {
	text = help
	gsub(/\\/, "\\\\", text)
	gsub(/\[/, "\\[", text)
	gsub(/\]/, "\\]", text)
	gsub(/:/, "\\:", text)
	gsub(/\047/, "\047\\\047\047", text)
	value = ""
	if (kind != "FLAG") {
		action = values_of(arg)
		if (arg == "FILE")
			action = "_files"
		else if (arg == "DIR")
			action = "_files -/"
		else if (arg == "NAME")
			action = "_lxc_names"
		else if (arg == "TEMPLATE")
			action = "_lxc_templates"
		else
			action = action == "" ? " " : "(" action ")"
		value = (kind == "OPTIONAL" ? "::" : ":") tolower(arg) ":" action
	}
	if (letter != "")
		print "\t\047" repeatable() "-" letter (kind == "OPTIONAL" ? "-" : kind == "ARG" ? "+" : "") "[" text "]" value "\047 \\"
	if (name != "")
		print "\t\047" repeatable() "--" name (kind == "OPTIONAL" ? "=-" : kind == "ARG" ? "=" : "") "[" text "]" value "\047 \\"
}

# Those that may be given more than once.
function repeatable() {
	return help ~ /may be repeated/ ? "*" : ""
}

function fish_option(  text, line, list) {
	text = help
	gsub(/[\\\047]/, "\\\\&", text)
	line = "complete -c " tool (letter == "" ? "" : " -s " letter) (name == "" ? "" : " -l " name)
	if (kind == "ARG") {
		list = values_of(arg)
		if (arg == "NAME")
			list = "(__lxc_names)"
		else if (arg == "TEMPLATE")
			list = "(__lxc_templates)"
		else if (arg == "DIR")
			list = "(__fish_complete_directories)"
		if (arg == "FILE")
			line = line " -r -F"
		else
			line = line " -x" (list == "" ? "" : " -a \047" list "\047")
	}
	print line " -d \047" text "\047"
}

$0 == "@ZSH@" { shell = "zsh"; each_option(); next }
$0 == "@FISH@" { shell = "fish"; each_option(); next }
$0 == "@OPTIONS@" { print_options(); next }
$0 == "@COMMON@" { print_common(); next }
$0 == "@KEYS@" { print_keys(); next }
$0 == "@ERRORS@" { print_errors(); next }
$0 == "@TABLE@" { print_completion(); next }
{ print }
