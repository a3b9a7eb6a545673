#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# LXC's own tools (each has its copy of LXC's library inside) control containers that ours started, and ours those
# that LXC's started: every command that the two sides say to each other over the command socket.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup python3
stock=${STOCK_LXC:-/usr/bin}
[ -x "$stock/lxc-start" ] || skip_all "lxc: LXC's own tools are not in $stock (apt-get install lxc)"
! "$stock/lxc-start" --version | grep -q tiffin || skip_all "lxc: what is in $stock is not LXC's own (STOCK_LXC=DIRECTORY tells where that is)"
sandbox "$0"
ours=$TIFFIN_INST/bin

cat >"$scratch/console.py" <<'PY'
# console.py PROGRAM ARGUMENT...: the console answers, and the keys ^A q leave it.
import os, pty, re, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""

def until(pattern, typed=b"", limit=20):
    global seen
    end = time.monotonic() + limit
    while not re.search(pattern, seen, re.S):
        # Who answers may not be there yet: it is asked again.
        if typed:
            os.write(fd, typed)
        if time.monotonic() > end:
            sys.exit("no %r in %r" % (pattern, seen))
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            seen += os.read(fd, 65536)
        except OSError:
            sys.exit("ended before %r: %r" % (pattern, seen))
    seen = b""

until(rb"Ctrl[+-]a q")
until(rb"answer 42", b"\recho answer $((6 * 7))\r")
os.write(fd, b"\x01q")
while True:
    try:
        if not os.read(fd, 65536):
            break
    except OSError:
        break
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY

has_line() {
	grep -qx -- "$1" "$scratch/events"
}

# A file of version 1 or 2 that takes a number.
cgroup_file() {
	if [ -d /sys/fs/cgroup/pids ] || grep -q pids /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
		echo pids.max
	elif [ -d /sys/fs/cgroup/cpu ]; then
		echo cpu.shares
	else
		echo cpu.weight
	fi
}

# control BY WHOM: the tools in the directory BY control the running container $c.
control() {
	by=$1/lxc whose=$2
	fails 0 "$whose lxc-info -s" "$by-info" -P "$lxcpath" -n "$c" -sH
	is "$out" RUNNING "sees that it runs"
	fails 0 "$whose lxc-info -p" "$by-info" -P "$lxcpath" -n "$c" -pH
	is "$(tr '\0' ' ' <"/proc/$out/cmdline" 2>/dev/null | cut -c 1-4)" init "finds its init"
	fails 0 "$whose lxc-info -i" "$by-info" -P "$lxcpath" -n "$c" -iH
	is "$out" 10.0.3.5 "finds its address"
	fails 0 "$whose lxc-info -c" "$by-info" -P "$lxcpath" -n "$c" -c lxc.uts.name -H
	is "$out" "$c" "reads its configuration"
	fails 0 "$whose lxc-info -S" "$by-info" -P "$lxcpath" -n "$c" -S
	like "$(printf '%s\n' "$out" | cut -c 1-15 | tr '\n' '|')" '^CPU use:       \|.*Memory use:.*Link:          \| TX bytes:' \
		"knows what it uses, and its network device"
	link=$(printf '%s\n' "$out" | sed -n 's/^Link: *//p')
	ok "which is one of the host" test -e "/sys/class/net/$link"
	fails 0 "$whose lxc-ls" "$by-ls" -P "$lxcpath" -1 --running
	is "$out" "$c" "lists it"
	fails 0 "$whose lxc-ls -f" "$by-ls" -P "$lxcpath" -f -F NAME,STATE,IPV4
	is "$(printf '%s\n' "$out" | sed 's/ *$//' | tail -n 1)" "$c RUNNING 10.0.3.5" "shows it"

	fails 7 "$whose lxc-attach" "$by-attach" -P "$lxcpath" -n "$c" -- sh -c 'hostname; cat /proc/1/comm; exit 7'
	is "$out" "$c
init" "runs a command in all namespaces, and tells its status"
	fails 143 "$whose lxc-attach" "$by-attach" -P "$lxcpath" -n "$c" -- sh -c 'kill -15 $$'
	fails 0 "$whose lxc-attach --clear-env" "$by-attach" -P "$lxcpath" -n "$c" --clear-env -v A=b -- sh -c 'echo $A $container'
	is "$out" "b lxc" "sets variables"
	fails 0 "$whose lxc-attach -u -g" "$by-attach" -P "$lxcpath" -n "$c" -u 1000 -g 1001 -- id -u
	is "$out" 1000 "takes ids"
	fails 0 "$whose lxc-attach -s" "$by-attach" -P "$lxcpath" -n "$c" -s UTSNAME -- hostname
	is "$out" "$c" "enters one namespace"
	fails 0 "$whose lxc-attach" "$by-attach" -P "$lxcpath" -n "$c" -- cat /proc/self/cgroup
	# Seen from inside the cgroup namespace, "/.." would be beside the container.
	is "$(printf '%s\n' "$out" | grep -vE ':/(\.lxc)?$')" "" "moves the command into the container's cgroups"
	head -c 300000 /dev/urandom >"$scratch/bytes"
	"$by-attach" -P "$lxcpath" -n "$c" -- cat <"$scratch/bytes" >"$scratch/copy"
	ok "all bytes pass unchanged" cmp "$scratch/bytes" "$scratch/copy"

	file=$(cgroup_file)
	fails 0 "$whose lxc-cgroup $file 777" "$by-cgroup" -P "$lxcpath" -n "$c" "$file" 777
	fails 0 "$whose lxc-cgroup $file" "$by-cgroup" -P "$lxcpath" -n "$c" "$file"
	is "$(printf '%s' "$out" | tr -d '\n')" 777 "reads what was set"

	run python3 "$scratch/console.py" "$by-console" -P "$lxcpath" -n "$c" -t 1
	is "$status" 0 "$whose lxc-console reaches a terminal, and leaves it"
	[ "$status" -eq 0 ] || comment "$err"

	ip link add wire0 type veth peer name wire1
	fails 0 "$whose lxc-device add" "$by-device" -P "$lxcpath" -n "$c" -- add wire0 inner0
	fails 0 "the device" "$by-attach" -P "$lxcpath" -n "$c" -- ls -d /sys/class/net/inner0
	fails 0 "$whose lxc-device del" "$by-device" -P "$lxcpath" -n "$c" -- del inner0 wire0
	ok "comes back under its name" eventually 10 test -e /sys/class/net/wire0
	ip link del wire1
	fails 0 "$whose lxc-device add of a node" "$by-device" -P "$lxcpath" -n "$c" -- add /dev/full
	fails 0 "the node" "$by-attach" -P "$lxcpath" -n "$c" -- test -c /dev/full
	fails 0 "$whose lxc-device del of a node" "$by-device" -P "$lxcpath" -n "$c" -- del /dev/full
	fails 1 "the node" "$by-attach" -P "$lxcpath" -n "$c" -- test -c /dev/full

	"$by-monitor" -P "$lxcpath" -n "$c" >"$scratch/events" 2>"$scratch/monitor-err" &
	monitor=$!
	# LXC's gives no sign that it listens.
	eventually 10 sh -c "grep -q 'lxc/[0-9a-f]*/.* *\$' /proc/net/unix && [ -p '/run/lxc$lxcpath/monitor-fifo' ]"
	listens() {
		[ -s "$scratch/events" ] || { "$by-freeze" -P "$lxcpath" -n "$c"; "$by-unfreeze" -P "$lxcpath" -n "$c"; }
		[ -s "$scratch/events" ]
	}
	ok "$whose lxc-monitor hears of it" eventually 10 listens
	fails 0 "$whose lxc-freeze" "$by-freeze" -P "$lxcpath" -n "$c"
	fails 0 "$whose lxc-wait" "$by-wait" -P "$lxcpath" -n "$c" -s FROZEN -t 10
	is "$("$ours/lxc-info" -n "$c" -sH) $("$stock/lxc-info" -P "$lxcpath" -n "$c" -sH)" "FROZEN FROZEN" "freezes it for both sides"
	fails 0 "$whose lxc-unfreeze" "$by-unfreeze" -P "$lxcpath" -n "$c"
	fails 0 "$whose lxc-wait" "$by-wait" -P "$lxcpath" -n "$c" -s RUNNING -t 10
	is "$("$ours/lxc-info" -n "$c" -sH) $("$stock/lxc-info" -P "$lxcpath" -n "$c" -sH)" "RUNNING RUNNING" "thaws it for both sides"
	ok "$whose lxc-monitor tells it" eventually 10 has_line "'$c' changed state to \[FROZEN\]"
	ok "both" eventually 10 has_line "'$c' changed state to \[THAWED\]"

	fails 1 "$whose lxc-destroy" "$by-destroy" -P "$lxcpath" -n "$c"
	ok "does not destroy what runs" test -d "$lxcpath/$c/rootfs"
	fails 0 "$whose lxc-start of what runs" "$by-start" -P "$lxcpath" -n "$c"
	fails 1 "$whose lxc-wait" "$by-wait" -P "$lxcpath" -n "$c" -s STOPPED -t 1
	is "$(lxc-info -n "$c" -sH)" RUNNING "only waits"

	init=$("$by-info" -P "$lxcpath" -n "$c" -pH)
	fails 0 "$whose lxc-stop -r" "$by-stop" -P "$lxcpath" -n "$c" -r
	is_another() {
		now=$("$by-info" -P "$lxcpath" -n "$c" -pH)
		[ -n "$now" ] && [ "$now" != "$init" ] && [ "$("$by-info" -P "$lxcpath" -n "$c" -sH)" = RUNNING ]
	}
	ok "starts another init" eventually 20 is_another
	# Who waits is told by whoever ended it.
	"$by-wait" -P "$lxcpath" -n "$c" -s STOPPED -t 30 &
	waiter=$!
	fails 0 "$whose lxc-stop" "$by-stop" -P "$lxcpath" -n "$c" ${3-}
	wait "$waiter"
	is "$?" 0 "ends it, and who waited for that is told"
	is "$("$ours/lxc-info" -n "$c" -sH) $("$stock/lxc-info" -P "$lxcpath" -n "$c" -sH)" "STOPPED STOPPED" "for both sides"
	ok "$whose lxc-monitor tells that too" eventually 10 has_line "'$c' changed state to \[STOPPED\]"
	kill "$monitor" 2>/dev/null
	wait "$monitor" 2>/dev/null
	"$by-monitor" -P "$lxcpath" -Q >/dev/null 2>&1
	fails 2 "$whose lxc-stop of what is stopped" "$by-stop" -P "$lxcpath" -n "$c"
}

c=wire-$tag
succeeds "a container" lxc-create -n "$c" -t busybox
# What both libraries understand, and nothing of a distribution's defaults.
cat >"$lxcpath/$c/config" <<END
lxc.uts.name = $c
lxc.rootfs.path = dir:$lxcpath/$c/rootfs
lxc.signal.halt = SIGUSR1
lxc.signal.reboot = SIGTERM
lxc.tty.max = 2
lxc.pty.max = 1024
lxc.mount.auto = proc:mixed sys:ro
lxc.net.0.type = veth
lxc.net.0.link = lxcbr0
lxc.net.0.flags = up
lxc.net.0.ipv4.address = 10.0.3.5/24
END

# Can LXC's own start anything here?
run "$stock/lxc-start" -P "$lxcpath" -n "$c" -o "$scratch/stock.log" -l INFO
can_start=$status why=$(grep -m 1 ERROR "$scratch/stock.log" 2>/dev/null | sed 's/.* - //')
[ "$can_start" -ne 0 ] || "$stock/lxc-stop" -P "$lxcpath" -n "$c" -k

succeeds "started by ours" lxc-start -n "$c"
control "$stock" "LXC's" -k
if [ "$can_start" -eq 0 ]; then
	fails 0 "started by LXC's" "$stock/lxc-start" -P "$lxcpath" -n "$c"
	control "$ours" our
else
	skip "our tools control what LXC's started" "LXC's own lxc-start starts nothing here: $why"
fi
succeeds "destroy" lxc-destroy -n "$c"
# LXC leaves the cgroups of its monitors.
find /sys/fs/cgroup -depth -type d -name "lxc.*.$c*" -exec rmdir {} + 2>/dev/null
finish
