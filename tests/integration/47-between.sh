#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Commands that come while a container begins or ends, with a hook of its begin or end at work: each is answered at once,
# with what is the matter, and what was wanted last is what happens.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
sandbox "$0"
n=$tag
succeeds "a busybox container is made" lxc-create -n "$n" -t busybox
cp "$lxcpath/$n/config" "$scratch/config"
# It ends when it is told to, or by itself after a time in which every command here is long done.
cat >"$scratch/hook" <<END
#!/bin/sh
: >$scratch/begun
i=0
while [ ! -e $scratch/go ] && [ \$i -lt 300 ]; do
	sleep 0.1
	i=\$((i + 1))
done
END
chmod 755 "$scratch" "$scratch/hook"

state() {
	lxc-info -n "$n" -s -H
}

state_is() {
	[ "$(state)" = "$1" ]
}

go() {
	: >"$scratch/go"
}

# at HOOK: the container, with this hook of it at work.
at() {
	go
	lxc-stop -k -n "$n" 2>/dev/null
	[ -z "${starter-}" ] || wait "$starter"
	starter=''
	rm -f "$scratch/go" "$scratch/begun"
	{
		cat "$scratch/config"
		echo "lxc.hook.$1 = $scratch/hook"
	} >"$lxcpath/$n/config"
	if [ "$1" = pre-start ]; then
		lxc-start -n "$n" >"$scratch/start" 2>&1 </dev/null &
		starter=$!
	else
		lxc-start -n "$n"
		eventually 5 lxc-attach -n "$n" -- test -e /dev/log
		lxc-attach -n "$n" -- reboot -f
	fi
	eventually 20 test -e "$scratch/begun" || result 1 "the hook $1 is at work"
}

# refused STATE PATTERN COMMAND...
refused() {
	refused_state=$1 refused_like=$2
	shift 2
	fails 1 "$refused_state: $1 is refused" "$@"
	# shellcheck disable=SC2154 # set by fails
	like "$err" "$refused_like" "and says why"
	like "$err" 'try: ' "and what to do"
	is "$(state)" "$refused_state" "which changes nothing"
}

at pre-start
starting="container $n is starting, and has no init yet"
refused STARTING "$starting" lxc-attach -n "$n" -- true
refused STARTING "$starting" lxc-freeze -n "$n"
refused STARTING "$starting" lxc-device -n "$n" add /dev/null
refused STARTING "$starting" lxc-stop -n "$n" -r -t 5
refused STARTING "container $n is running" lxc-destroy -n "$n"
succeeds "info tells of it" lxc-info -n "$n"
# shellcheck disable=SC2154 # set by succeeds
like "$out" '^State: +STARTING$' "with its state"
(sleep 0.3; go) &
succeeds "who waits gets it when it runs" lxc-wait -n "$n" -s RUNNING -t 20
wait "$starter"
is "$?" 0 "and so does who started it"
starter=''
for how in "" "-t 20" -k -W; do
	at pre-start
	# shellcheck disable=SC2086 # options
	succeeds "stop $how calls the start off" lxc-stop -n "$n" $how
	ok "at once" eventually 5 state_is STOPPED
	wait "$starter"
	is "$?" 1 "its starter is told"
	starter=''
	like "$(cat "$scratch/start")" 'the start was called off' "by name"
done

at stop
ending="container $n is stopping, and its init has ended"
refused STOPPING "$ending" lxc-attach -n "$n" -- true
refused STOPPING "$ending" lxc-freeze -n "$n"
refused STOPPING "$ending" lxc-device -n "$n" add /dev/null
refused STOPPING "container $n is running" lxc-destroy -n "$n"
refused STOPPING "container $n is running" lxc-copy -n "$n" -N "$n-copy"
succeeds "info tells of it" lxc-info -n "$n"
like "$out" '^State: +STOPPING$' "with its state"
(sleep 0.3; go) &
succeeds "a reboot that is asked for is the one it does" lxc-stop -n "$n" -r -t 20
is "$(state)" RUNNING "and it is back"
for how in -k "-t 20" -W; do
	at stop
	(sleep 0.3; go) &
	# shellcheck disable=SC2086 # options
	succeeds "stop $how comes in between" lxc-stop -n "$n" $how
	wait "$!"
	ok "and it stops" eventually 10 state_is STOPPED
	sleep 0.3
	is "$(state)" STOPPED "for good"
done
at pre-start
succeeds "destroy -f ends a start, too" lxc-destroy -n "$n" -f
wait "$starter"
is "$(ls "$lxcpath")" "" "nothing is left of it"
finish
