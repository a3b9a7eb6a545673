#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Pets: many starts, stops and attaches, and many containers at once, leave nothing behind and do not grow, neither
# the monitor nor a client nor the host. LONG=50 makes it 10,000 cycles and 100,000 attaches with 300 containers.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup "${CC%% *}"
sandbox "$0"
n=$tag
long=${LONG:-1}
cycles=$((100 * long)) attaches=$((1000 * long)) many=$((20 * long))
[ "$many" -le 300 ] || many=300
run_limit=$((60 + 120 * long))

# What a leak would be seen in: descriptors of ours, files, cgroups, interfaces, mounts, sockets.
host() {
	find /run/lxc "$lxcpath" -path "*/rootfs/*" -prune -o -print 2>/dev/null | sort
	in_cgroups
	ip -o link | cut -d ' ' -f 2
	cut -d ' ' -f 5 /proc/self/mountinfo
	sed -n 's/.* [@\/]/@/p' /proc/net/unix | sort -u
}

# Sockets without a name: of whoever is about to end, too.
few_sockets() {
	[ "$(cat /proc/net/unix /proc/net/netlink | wc -l)" -le $((sockets_before + 4)) ]
}

# The keyrings of root, which the kernel clears away when it has time. Others have some, too.
few_keys() {
	[ "$(awk '$1 == "0:" { print $2 }' /proc/key-users)" -le $((keys_before + cycles / 2)) ]
}

# The pid of a container's monitor.
monitor_of() {
	awk '/^monitor / { print $2 }' "/run/lxc/instance$lxcpath/$1/state"
}

# What only a process has, in KiB. (Pages of a program that was just installed count as dirty, too.)
own() {
	awk '/^Anonymous:/ { sum += $2 } END { print sum + 0 }' "/proc/$1/smaps_rollup"
}

fds() {
	find "/proc/$1/fd" -mindepth 1 | wc -l
}

# of_ours DESCRIPTION COMMAND...: as ok, of a process that has no memory but its own.
of_ours() {
	if [ -z "${TIFFIN_SANITIZED-}" ]; then
		ok "$@"
	else
		skip "$1" "ASan: its notes on memory are counted, and it keeps what was freed"
	fi
}

# repeat COUNT COMMAND...: so often, and says how many of them failed.
repeat() {
	repeat_left=$1 repeat_failed=0
	shift
	while [ "$repeat_left" -gt 0 ]; do
		"$@" >"$scratch/repeat" 2>&1 </dev/null || {
			repeat_failed=$((repeat_failed + 1))
			cp "$scratch/repeat" "$scratch/failed"
		}
		repeat_left=$((repeat_left - 1))
	done
	[ "$repeat_failed" -eq 0 ] || comment "$repeat_failed failed, the last with: $(cat "$scratch/failed")"
	return "$repeat_failed"
}

succeeds "a busybox container is made" lxc-create -n "$n" -t busybox
cat >>"$lxcpath/$n/config" <<'END'
lxc.init.cmd = /bin/sleep 100000
lxc.net.0.type = veth
lxc.net.0.link = lxcbr0
lxc.net.0.flags = up
lxc.net.0.ipv4.address = 10.0.3.80/24
END

# ---- start and stop

once() {
	lxc-start -n "$n" && lxc-stop -k -n "$n"
}
once
host >"$scratch/before"
sockets_before=$(cat /proc/net/unix /proc/net/netlink | wc -l)
keys_before=$(awk '$1 == "0:" { print $2 }' /proc/key-users)
ok "$cycles starts and stops" repeat "$cycles" once
eventually 10 sh -c '! ip -o link | grep -q veth'
is "$(host | diff "$scratch/before" -)" "" "nothing has been left on the host"

# ---- attach

lxc-start -n "$n"
monitor=$(monitor_of "$n")
repeat 50 lxc-attach -n "$n" -- true
fds_before=$(fds "$monitor") own_before=$(own "$monitor")
host >"$scratch/before.running"
inside_before=$(lxc-attach -n "$n" -- ps | wc -l)
ok "$attaches attaches" repeat "$attaches" lxc-attach -n "$n" -- true
ok "and $((attaches / 10)) questions" repeat "$((attaches / 10))" lxc-info -n "$n"
is "$(fds "$monitor")" "$fds_before" "the monitor has no descriptor more"
grown=$(($(own "$monitor") - own_before))
comment "the monitor has $(own "$monitor") KiB of its own, $grown more than before"
of_ours "nor memory" [ "$grown" -le 16 ]
is "$(host | diff "$scratch/before.running" -)" "" "nothing has been left on the host"
is "$(lxc-attach -n "$n" -- ps | wc -l)" "$inside_before" "nor in the container"
succeeds "it stops" lxc-stop -k -n "$n"

# ---- a client that stays

# shellcheck disable=SC2086 # the compiler may be several words
succeeds "a client is built" $CC -std=gnu99 -Wall -Wextra -Werror -o /run/long \
	-I"$TIFFIN_INST/include" "$top_srcdir/tests/compat/long.c" -L"$TIFFIN_INST/lib" -Wl,-rpath,"$TIFFIN_INST/lib" -llxc
succeeds "it does the same as often" /run/long "$lxcpath" "$n" "$cycles" "$attaches"
# shellcheck disable=SC2154 # set by succeeds
comment "$out"
is "$(echo "$out" | grep fds)" "cycles fds 0
attaches fds 0" "it has no descriptor more"
# Room for what the allocator keeps.
of_ours "nor memory" [ "$(echo "$out" | awk '/ kib / && $3 > 64' | wc -l)" -eq 0 ]
rm -f /run/long
eventually 10 sh -c '! ip -o link | grep -q veth'
is "$(host | diff "$scratch/before" -)" "" "nothing has been left on the host"
ok "nor sockets" eventually 10 few_sockets
ok "nor in the kernel's keys" eventually 30 few_keys

# ---- many at once

sed "s/^lxc.rootfs.path = .*/lxc.rootfs.path = dir:$(echo "$lxcpath/$n/rootfs" | sed 's/[\/&]/\\&/g')/; /^lxc.net.0.ipv4/d" \
	"$lxcpath/$n/config" >"$scratch/config"
i=0
while [ "$i" -lt "$many" ]; do
	i=$((i + 1))
	mkdir "$lxcpath/$n-$i"
	sed "s/^lxc.uts.name = .*/lxc.uts.name = $n-$i/" "$scratch/config" >"$lxcpath/$n-$i/config"
done
start_all() {
	i=0
	while [ "$i" -lt "$many" ]; do
		i=$((i + 1))
		lxc-start -n "$n-$i" || return 1
	done
}
ok "$many containers start" start_all
is "$(lxc-ls --running | wc -w)" "$many" "and run at once"
sum=0
for i in $(seq "$many"); do
	sum=$((sum + $(own "$(monitor_of "$n-$i")")))
done
comment "their monitors have $sum KiB of their own"
of_ours "their monitors have less than 200 KiB each of their own" [ "$sum" -lt $((200 * many)) ]
stop_all() {
	for i in $(seq "$many"); do
		lxc-stop -k -n "$n-$i" || return 1
	done
}
ok "they stop" stop_all
for i in $(seq "$many"); do
	lxc-destroy -n "$n-$i" >/dev/null 2>&1
done
ok "what they shared is there" [ -x "$lxcpath/$n/rootfs/bin/busybox" ]
succeeds "the first is destroyed" lxc-destroy -n "$n"
eventually 10 sh -c '! ip -o link | grep -q veth'
finish
