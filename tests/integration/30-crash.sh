#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# kill -9 at any instant: a running container goes on and is adopted by the next command; a half started or half
# stopped one is cleaned up by it.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
sandbox "$0"
n=$tag
rounds=${CRASH_ROUNDS:-8}

cat >"$scratch/base.conf" <<END
lxc.net.0.type = veth
lxc.net.0.link = lxcbr0
lxc.net.0.flags = up
END
lxc-create -n "$n" -t busybox -f "$scratch/base.conf" >/dev/null 2>&1 || {
	echo "1..1"
	echo "not ok 1 - create"
	exit 1
}

# monitors: every process that supervises; init's parent is not enough, since it may be starting yet.
monitors() {
	grep -alE "^\[lxc monitor\].*$n" /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3
}

kill_monitors() {
	for monitor in $(monitors); do
		kill -9 "$monitor" 2>/dev/null
	done
}

state() {
	lxc-info -n "$n" -s -H 2>"$scratch/info.err" | sed 's/^State:[[:blank:]]*//'
}

veths() {
	ip -o link show type veth 2>/dev/null | wc -l
}

# ---- a running container

round=0
while [ "$round" -lt "$rounds" ]; do
	round=$((round + 1))
	lxc-start -n "$n" 2>"$scratch/start.err" || comment "$(cat "$scratch/start.err")"
	init=$(lxc-info -n "$n" -p -H)
	kill_monitors
	is "$(state)" RUNNING "round $round: info sees that it goes on"
	[ ! -s "$scratch/info.err" ] || comment "$(cat "$scratch/info.err")"
	is "$(lxc-info -n "$n" -p -H)" "$init" "round $round: with the same init"
	is "$(lxc-attach -n "$n" -- hostname)" "$n" "round $round: attach enters it"
	like "$(lxc-ls -f)" "^$n +RUNNING" "round $round: ls lists it as running"
	case $((round % 4)) in
	0)
		ok "round $round: freeze works" lxc-freeze -n "$n"
		is "$(state)" FROZEN "round $round: and shows"
		ok "round $round: unfreeze works" lxc-unfreeze -n "$n"
		;;
	1)
		kill_monitors
		is "$(state)" RUNNING "round $round: it survives a second kill"
		;;
	2)
		lxc-attach -n "$n" -- kill -USR2 1
		ok "round $round: its own end is noticed" lxc-wait -n "$n" -s STOPPED -t 20
		;;
	esac
	run lxc-stop -n "$n" -k
	case $((round % 4)):$status in
	2:2 | 2:0 | *:0) result 0 "round $round: stop works" ;;
	*)
		result 1 "round $round: stop works"
		comment "$status: $err"
		;;
	esac
	is "$(state)" STOPPED "round $round: it is stopped"
done

# ---- killed while it starts

delay=0
while [ "$delay" -lt "$((rounds * 3))" ]; do
	lxc-start -n "$n" >"$scratch/starter" 2>&1 &
	starter=$!
	sleep "0.0$(printf '%02d' "$delay")"
	kill_monitors
	wait "$starter"
	delay=$((delay + 1))
	case $(state) in
	RUNNING) run lxc-stop -n "$n" -k ;;
	STOPPED) ;;
	*)
		result 1 "killed $delay ms into its start: info says $(state)"
		comment "$(cat "$scratch/starter")"
		run lxc-stop -n "$n" -k
		;;
	esac
	if [ "$(veths)" -ne 0 ] && ! eventually 3 sh -c '[ -z "$(ip -o link show type veth)" ]'; then
		result 1 "killed $delay ms into its start: a network device is left"
		comment "$(ip -o link show type veth)" "$(other_processes)" "$(in_cgroups)" "$(state)"
	fi
	succeeds "killed $delay ms into its start: it starts again" lxc-start -n "$n"
	succeeds "killed $delay ms into its start: and attach works" lxc-attach -n "$n" -- true
	succeeds "killed $delay ms into its start: and stop works" lxc-stop -n "$n" -k
done

# ---- killed while it stops

delay=0
while [ "$delay" -lt "$((rounds * 2))" ]; do
	lxc-start -n "$n"
	lxc-stop -n "$n" -k >/dev/null 2>&1 &
	stopper=$!
	sleep "0.0$(printf '%02d' "$delay")"
	kill_monitors
	wait "$stopper"
	delay=$((delay + 1))
	[ "$(state)" = STOPPED ] || run lxc-stop -n "$n" -k
	is "$(state)" STOPPED "killed $delay ms into its stop: it is stopped"
	succeeds "killed $delay ms into its stop: it starts again" lxc-start -n "$n"
	run lxc-stop -n "$n" -k
done

# ---- the client killed

lxc-start -n "$n" &
starter=$!
kill -9 "$starter" 2>/dev/null
wait "$starter" 2>/dev/null
settled() {
	case $(state) in
	RUNNING | STOPPED) return 0 ;;
	esac
	return 1
}
ok "the client of a start killed: the container gets into one state or the other" eventually 10 settled
[ "$(state)" = STOPPED ] || lxc-stop -n "$n" -k
succeeds "destroy works" lxc-destroy -n "$n"

finish
