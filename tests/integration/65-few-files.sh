#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Hardly any file may be open: every tool either works or says that it is this, and what helps; nothing is left half made,
# and what runs can be stopped.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup python3
sandbox "$0"
n=$tag
printf 'lxc.net.0.type = veth\nlxc.net.0.link = lxcbr0\n' >"$scratch/conf"
fails 0 "a container" lxc-create -n "$n" -t busybox -f "$scratch/conf"
before=$(cd "$lxcpath" && find . ! -name console.log | sort)
bad='' failures=0

# with N COMMAND...: sets status. Descriptors above the standard three are the shell's own.
with() {
	limit=$1
	shift
	status=0
	sh -c 'ulimit -n "$0" && exec timeout 60 "$@"' "$limit" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
	[ "$status" -ne 0 ] || return 0
	failures=$((failures + 1))
	grep -Eq 'Too many open files|files may be open' "$scratch/err" && grep -q 'ulimit -n 1024' "$scratch/err" ||
		bad="$bad
$limit: $*: $status: $(cat "$scratch/err")"
}
# What cannot be opened cannot be removed either: it shows itself as incomplete.
same() {
	if [ -e "$lxcpath/$n-c/partial" ] || [ -e "$lxcpath/.$n-c.new" ]; then
		[ "$limit" -lt 14 ] || bad="$bad $1: something is left;"
		lxc-destroy -n "$n-c" || bad="$bad $1: what is left cannot be removed;"
	fi
	[ "$(cd "$lxcpath" && find . ! -name console.log | sort)" = "$before" ] || bad="$bad
$1: something else is there now"
}

for limit in 5 6 7 8 9 10 11 12 13 14 15 16 18 20 24 28 32 40; do
	with "$limit" lxc-start -n "$n"
	[ "$status" -ne 0 ] || bad="$bad $limit: it starts;"
	with "$limit" lxc-copy -n "$n" -N "$n-c"
	[ "$status" -ne 0 ] || lxc-destroy -n "$n-c"
	same "$limit: copy"
	with "$limit" lxc-create -n "$n-c" -t busybox -f "$scratch/conf"
	[ "$status" -ne 0 ] || lxc-destroy -n "$n-c"
	same "$limit: create"
	with "$limit" lxc-info -n "$n"
	with "$limit" lxc-ls -f
done
is "$bad" "" "$failures times it is said that it is the files, and what helps"
ok "which was often enough" test "$failures" -ge 25
is "$(find /sys/fs/cgroup -maxdepth 3 -name "*$n*")" "" "no cgroup is left"

bad='' failures=0
fails 1 "below what a container needs" sh -c "ulimit -n 60; lxc-start -n $n"
like "$err" "no more than 60 files may be open, and a container needs 64
.*ulimit -n 1024" "it is not started, and both numbers are told"
succeeds "with as many as it needs" sh -c "ulimit -n 64; lxc-start -n $n"
for limit in 5 6 7 8 9 10 11 12 13 14 15 16 18 20 24 28 32 40; do
	with "$limit" lxc-attach -n "$n" -- true
	with "$limit" lxc-info -n "$n"
	with "$limit" lxc-freeze -n "$n"
	with "$limit" lxc-unfreeze -n "$n"
	with "$limit" lxc-cgroup -n "$n" pids.max
	lxc-unfreeze -n "$n" >/dev/null 2>&1
done
is "$bad" "" "what talks to one that runs works or says why, $failures times"
is "$(lxc-info -sH -n "$n")" RUNNING "it runs as before"
# Its monitor, whose limit is 64, with as many clients as it may have.
python3 - "$TIFFIN_INST" "$n" 2>/dev/null <<'END' &
import socket, sys, time
name = "\0" + sys.argv[1] + "/var/lib/lxc/" + sys.argv[2] + "/command"
held = []
for i in range(200):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(0.2)
    try:
        s.connect(name)
    except OSError:
        break
    held.append(s)
open("/tmp/held", "w").write(str(len(held)))
time.sleep(15)
END
holder=$!
eventually 10 test -s /tmp/held
comment "$(cat /tmp/held) clients that say nothing"
ok "many clients hold it" test "$(cat /tmp/held)" -ge 20
succeeds "it is stopped all the same" timeout 60 lxc-stop -k -n "$n"
kill "$holder" 2>/dev/null
wait "$holder" 2>/dev/null
succeeds "it is destroyed" lxc-destroy -n "$n"
finish
