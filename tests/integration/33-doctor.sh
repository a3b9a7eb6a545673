#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# lxc-doctor: each fault is found, named with what mends it, and nothing is changed unasked.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup python3 sysctl
sandbox "$0"
one=one-$tag

# A file of the kernel that says something else for a while.
pretend() {
	printf '%s\n' "$2" >"$scratch/pretended"
	mount --bind "$scratch/pretended" "$1"
}
finding() {
	printf '%s\n' "$out" | grep -A 1 -E "$1"
}

# ---- the host

run lxc-doctor
unlike "$out" '^(ok|fault) ' "a host that is well has no fault, and what is well is not listed"
fails 0 "lxc-doctor --all" lxc-doctor --all
like "$out" '^ok       kernel [0-9.]+[^ ]* is new enough$' "lists it"
like "$out" '^ok       the bridge lxcbr0 of new containers is there$' "finds the bridge"
ip link set lxcbr0 name other0
run lxc-doctor
ip link set other0 name lxcbr0
like "$(finding 'bridge lxcbr0')" 'warning  the bridge lxcbr0 that new containers are connected to does not exist' "finds it missing"
like "$(finding 'bridge lxcbr0')" '^         try: systemctl enable --now lxc-net$' "and says what makes it"
forward=$(cat /proc/sys/net/ipv4/ip_forward)
echo 0 >/proc/sys/net/ipv4/ip_forward
run lxc-doctor
like "$out" '^warning  net.ipv4.ip_forward is 0' "finds that nothing is forwarded"
echo "$forward" >/proc/sys/net/ipv4/ip_forward
pretend /proc/sys/user/max_user_namespaces 0
fails 1 "a fault" lxc-doctor
umount /proc/sys/user/max_user_namespaces
like "$(finding max_user_namespaces)" '^fault    user.max_user_namespaces is 0' "is weighed as one"
like "$(finding max_user_namespaces)" 'try: sysctl -w user.max_user_namespaces=15000' "with its remedy"
mkfifo "$scratch/hold"
python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 53))
sys.stdout.write("bound\n")
sys.stdout.flush()
sys.stdin.read()' >"$scratch/bound" <"$scratch/hold" &
holder=$!
exec 9>"$scratch/hold"
ok "a program takes port 53" eventually 10 grep -q bound "$scratch/bound"
run lxc-doctor
like "$out" "^warning  python3 \(process $holder\) has taken port 53 of all addresses" "and is found with its number"
exec 9>&-
wait "$holder"
if command -v nft >/dev/null && nft add table ip doctor 2>/dev/null; then
	nft add chain ip doctor forward '{ type filter hook forward priority 0; policy drop; }'
	run lxc-doctor
	like "$out" '^warning  the firewall drops forwarded packets' "finds a firewall that drops"
	nft add rule ip doctor forward iifname lxcbr0 accept
	run lxc-doctor
	unlike "$out" 'the firewall drops' "but not one that lets the bridge pass"
	nft delete table ip doctor
else
	skip "finds a firewall that drops" "needs nft: nftables cannot be used here"
	skip "but not one that lets the bridge pass" "needs nft: nftables cannot be used here"
fi

# ---- mending

fails 1 "--fix without a terminal" lxc-doctor --fix
like "$err" 'option --fix asks, and standard input is not a terminal' "is refused"
pretend /proc/sys/fs/inotify/max_user_instances 128
run lxc-doctor --json
like "$out" '"fix":\["sysctl","-w","fs.inotify.max_user_instances=1024"\]' "a limit has a remedy that is safe"
is "$(cat /proc/sys/fs/inotify/max_user_instances)" 128 "which is not run unasked"
run lxc-doctor --fix --yes
is "$(cat /proc/sys/fs/inotify/max_user_instances)" 1024 "but with --fix --yes"
umount /proc/sys/fs/inotify/max_user_instances
run lxc-doctor --all --json
ok "--json is an object" python3 -c 'import json, sys
d = json.loads(sys.argv[1])
assert d["schema"] == "lxc-doctor" and d["version"] == 1 and d["container"] is None
assert {f["level"] for f in d["findings"]} <= {"ok", "note", "warning", "fault"}
assert all(f["remedy"] for f in d["findings"] if f["level"] not in ("ok",)), d' "$out"

# ---- a container

fails 1 "an unknown container" lxc-doctor -n nosuch
like "$err" "^lxc-doctor: container nosuch does not exist in $lxcpath" "is said to be unknown"
succeeds "a container" lxc-create -n "$one" -t busybox
fails 0 "a sound one" lxc-doctor "$one"
like "$out" '^[0-9]+ checks, nothing found$' "gives no finding"
cp "$lxcpath/$one/config" "$scratch/config"
sed -i 's/^lxc.net.0.link.*/lxc.net.0.link = nobridge0/' "$lxcpath/$one/config"
line=$(grep -n nobridge0 "$lxcpath/$one/config" | cut -d : -f 1)
fails 1 "one that would not start" lxc-doctor -n "$one"
like "$out" "^fault    it would not start: bridge nobridge0 does not exist \($lxcpath/$one/config:$line\)\$" "is found without starting it"
like "$out" "^         try: " "with its remedy"
run lxc-start -n "$one"
run lxc-doctor -n "$one"
like "$out" "^note     the last start failed: .*bridge nobridge0 does not exist" "the last failure is told"
cp "$scratch/config" "$lxcpath/$one/config"
echo 'lxc.nosuch = 1' >>"$lxcpath/$one/config"
fails 1 "one whose configuration cannot be read" lxc-doctor -n "$one"
like "$out" "^fault    the configuration cannot be read: unknown key 'lxc.nosuch'" "is found"
cp "$scratch/config" "$lxcpath/$one/config"
mv "$lxcpath/$one/rootfs" "$lxcpath/$one/moved"
fails 1 "one without its root" lxc-doctor -n "$one"
like "$out" "^fault    the root file system $lxcpath/$one/rootfs does not exist" "is found"
mv "$lxcpath/$one/moved" "$lxcpath/$one/rootfs"
printf 'lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n' >>"$lxcpath/$one/config"
chmod 0750 "$lxcpath/$one"
fails 1 "one whose root its ids cannot reach" lxc-doctor -n "$one"
like "$out" "^fault    $lxcpath/$one cannot be searched by other users" "is found"
like "$out" "try: chmod o\+x $lxcpath/$one\$" "with its remedy"
cp "$scratch/config" "$lxcpath/$one/config"
succeeds "start" lxc-start -n "$one"
succeeds "freeze" lxc-freeze -n "$one"
run lxc-doctor -n "$one"
like "$out" "^warning  the container is frozen" "a frozen one is found"
run lxc-doctor -n "$one" --fix --yes
is "$(lxc-info -n "$one" -sH)" RUNNING "and goes on with --fix"
succeeds "stop" lxc-stop -n "$one" -k
succeeds "destroy" lxc-destroy -n "$one"
finish
