#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What is changed on a running container: devices, network devices, cgroup items. Each is looked at from inside, and is
# taken back.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns
sandbox "$0"
n=$tag
base=100000
config=$lxcpath/$n/config

echo "root:$base:65536" >"$scratch/subid"
for file in /etc/subuid /etc/subgid; do
	[ ! -e "$file" ] || mount --bind "$scratch/subid" "$file"
done
mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)

inside() {
	lxc-attach -n "$n" -- "$@"
}

# The item that this host has: its v2 name, then that of v1.
items() {
	if [ -e "/sys/fs/cgroup/memory" ]; then
		memory=memory.limit_in_bytes memory_v2=memory.max
	else
		memory=memory.max memory_v2=
	fi
}

devices() {
	inside mknod /tmp/loop b 7 0
	like "$(inside sh -c 'head -c 0 </tmp/loop' 2>&1)" 'not permitted' "$mode: a device that is not allowed cannot be opened"
	succeeds "$mode: lxc-device add makes it" lxc-device -n "$n" add /dev/loop0
	is "$(inside stat -c '%F %t:%T' /dev/loop0)" 'block special file 7:0' "$mode: ... the one of the host"
	is "$(inside sh -c ': </dev/loop0 && echo opened')" opened "$mode: ... and allows it"
	fails 1 "$mode: what is no device is refused" lxc-device -n "$n" add /etc/passwd
	like "$err" '/etc/passwd' "$mode: ... by name"
	fails 1 "$mode: nor what is missing" lxc-device -n "$n" add /dev/nonsense
	like "$err" '/dev/nonsense' "$mode: ... by name"
	succeeds "$mode: lxc-device del takes it away" lxc-device -n "$n" del /dev/loop0
	is "$(inside ls /dev/loop0 2>/dev/null)" "" "$mode: ... the node"
	like "$(inside sh -c 'head -c 0 </tmp/loop' 2>&1)" 'not permitted' "$mode: ... and the right"
	succeeds "$mode: under another name" lxc-device -n "$n" add /dev/loop1 /dev/disk/mine
	is "$(inside stat -c %t:%T /dev/disk/mine)" 7:1 "$mode: ... directories are made"
	succeeds "$mode: and is taken away by it" lxc-device -n "$n" del /dev/loop1 /dev/disk/mine
}

nics() {
	ip link add live0 type veth peer name live1
	ip link set live0 address 02:00:00:00:00:42
	succeeds "$mode: lxc-device add moves a network device in" lxc-device -n "$n" add live0 inner0
	is "$(inside cat /sys/class/net/inner0/address)" 02:00:00:00:00:42 "$mode: ... under that name"
	ok "$mode: ... and out of the host" test ! -e /sys/class/net/live0
	inside ip addr add 10.9.8.7/24 dev inner0
	inside ip link set inner0 up
	like "$(lxc-info -n "$n" -i)" 10.9.8.7 "$mode: lxc-info sees its address"
	fails 1 "$mode: a name that is taken is refused" lxc-device -n "$n" add live1 inner0
	ok "$mode: ... and the device stays" test -e /sys/class/net/live1
	succeeds "$mode: lxc-device del gives it back" lxc-device -n "$n" del inner0 live2
	is "$(cat /sys/class/net/live2/address)" 02:00:00:00:00:42 "$mode: ... under a new name"
	is "$(inside ls /sys/class/net | tr '\n' ' ')" "lo " "$mode: ... and it is gone inside"
	fails 1 "$mode: a name that the host has is refused" sh -c "lxc-device -n $n add live2 inner2 && lxc-device -n $n del inner2 lxcbr0"
	is "$(inside ls /sys/class/net | tr '\n' ' ')" "inner2 lo " "$mode: ... and it stays inside"
	lxc-device -n "$n" del inner2 live2
	ip link del live1
}

cgroup_items() {
	items
	succeeds "$mode: lxc-cgroup sets $memory" lxc-cgroup -n "$n" "$memory" 100M
	is "$(lxc-cgroup -n "$n" "$memory")" 104857600 "$mode: ... and reads it"
	place=$(sed -n 's/^[0-9]*:[^:]*memory[^:]*:\(.*\)/\1/p' "/proc/$(lxc-info -n "$n" -p -H)/cgroup")
	[ -z "$memory_v2" ] || is "$(cat "/sys/fs/cgroup/memory${place%/.lxc}/$memory")" 104857600 "$mode: ... the kernel has it"
	succeeds "$mode: it can be raised" lxc-cgroup -n "$n" "$memory" 200M
	fails 1 "$mode: nonsense is refused" lxc-cgroup -n "$n" "$memory" much
	like "$err" "$memory" "$mode: ... with the item"
	is "$(lxc-cgroup -n "$n" "$memory")" 209715200 "$mode: ... and changes nothing"
	fails 1 "$mode: an item that is none is refused" lxc-cgroup -n "$n" memory.nonsense 1
	fails 1 "$mode: and one of somebody else's" lxc-cgroup -n "$n" ../memory.max 1
	fails 1 "$mode: and one with a slash" lxc-cgroup -n "$n" a/../../x 1
	succeeds "$mode: a frozen container is changed as well" sh -c "lxc-freeze -n $n && lxc-cgroup -n $n $memory 300M && lxc-unfreeze -n $n"
	is "$(lxc-cgroup -n "$n" "$memory")" 314572800 "$mode: ... in truth"
}

for mode in root mapped; do
	printf 'lxc.net.0.type = empty\n' >"$scratch/base.conf"
	[ "$mode" = root ] || printf '%s\n' "lxc.include = $TIFFIN_INST/share/lxc/config/userns.conf" "lxc.idmap = u 0 $base 65536" \
		"lxc.idmap = g 0 $base 65536" >>"$scratch/base.conf"
	succeeds "$mode: create" lxc-create -n "$n" -t busybox -f "$scratch/base.conf"
	printf 'lxc.init.cmd = /bin/sleep 1000\n' >>"$config"
	succeeds "$mode: start" lxc-start -n "$n"
	if [ "$mode" = root ]; then
		devices
	else
		fails 1 "$mode: a device is refused" lxc-device -n "$n" add /dev/loop0
		like "$err" 'loop0' "$mode: ... by name"
		is "$(inside ls /dev/loop0 2>/dev/null)" "" "$mode: ... and nothing of it is there"
	fi
	nics
	cgroup_items
	lxc-stop -n "$n" -k
	fails 1 "$mode: a stopped one has nothing to change" lxc-cgroup -n "$n" "$memory" 1M
	fails 1 "$mode: no device either" lxc-device -n "$n" add /dev/loop0
	succeeds "$mode: destroy" lxc-destroy -n "$n"
done
finish
