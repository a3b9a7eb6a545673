# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# shellcheck shell=sh
# What the scripts for a virtual machine begin with: they skip where the machine is none of theirs, and speak TAP.
n=0 failed=0

[ "$(id -u)" -eq 0 ] || { echo '1..0 # SKIP needs root'; exit 0; }
[ -f /sys/fs/cgroup/cgroup.controllers ] || { echo '1..0 # SKIP needs a pure cgroup v2 hierarchy'; exit 0; }
[ -d /run/systemd/system ] || { echo '1..0 # SKIP needs systemd'; exit 0; }

# check NAME COMMAND...
check() {
	name=$1
	shift
	n=$((n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $n - $name"
		return 0
	fi
	failed=$((failed + 1))
	echo "not ok $n - $name"
	printf '%s\n' "$out" | sed 's/^/# /'
}
is() { [ "$1" = "$2" ] || { echo "got: $1, wanted: $2"; return 1; }; }
# within SECONDS COMMAND...
within() {
	left=$1
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || { echo "not in time: $*"; "$@"; return 1; }
		sleep 1
	done
}
# finish: the plan, and the status of it all.
finish() {
	echo "1..$n"
	[ "$failed" -eq 0 ]
}
