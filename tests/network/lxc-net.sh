#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
#
# lxc-net for real, in private mount and network namespaces: bridge, firewall, an address by DHCP,
# and nothing left after stop. Its settings and run directory are the test's.
set -u
top_srcdir=${top_srcdir:-.}
top_builddir=${top_builddir:-.}
script=$top_builddir/tools/libexec/lxc-net

skip() {
	echo "1..0 # SKIP $1"
	exit 0
}
[ "$(id -u)" = 0 ] || skip "needs root"
# dnsmasq changes to a user and a group of its own.
[ "$(tr -s ' ' < /proc/self/uid_map)" = " 0 0 4294967295" ] || skip "needs hostroot: root of a user namespace only"
for program in ip nft dnsmasq busybox unshare nsenter; do
	command -v $program >/dev/null || skip "needs $program"
done
if [ "${1-}" != inside ]; then
	unshare -m -n true 2>/dev/null || skip "needs unshare: namespaces are not allowed"
	exec unshare -m -n --propagation private sh "$0" inside
fi

tmp=$(mktemp -d) || exit 1
guest=
cleanup() {
	[ -z "$guest" ] || kill "$guest" 2>/dev/null
	[ ! -x "$tmp/lxc-net" ] || "$tmp/lxc-net" stop force >/dev/null 2>&1
	umount "$tmp"
	rmdir "$tmp"
}
mount -t tmpfs -o mode=755 tmpfs "$tmp" || skip "needs tmpfs"
trap cleanup EXIT
sed -e "s|^settings=.*|settings=$tmp/lxc|" -e "s|^run_dir=.*|run_dir=$tmp/run|" \
	-e "s|lease_dir=.*|lease_dir=$tmp/misc|" "$script" >"$tmp/lxc-net"
chmod +x "$tmp/lxc-net"
nft list tables >/dev/null 2>&1 || skip "needs nft: the kernel refuses it"
ip link set lo up

n=0
# ok TEXT: by the exit status before it.
ok() {
	result=$?
	n=$((n + 1))
	[ $result -eq 0 ] || printf 'not '
	echo "ok $n - $1"
	[ $result -eq 0 ] || sed 's/^/# /' "$tmp/out"
}
# run COMMAND...: with its output in $tmp/out; the exit status is in $status.
run() {
	"$@" >"$tmp/out" 2>&1
	status=$?
}
# refused VARIABLE VALUE: start fails, names the variable, and leaves nothing.
refused() {
	printf '%s\n' "$1='$2'" >"$tmp/lxc-net.conf"
	run "$tmp/lxc-net" start
	[ $status -eq 1 ] && grep -q "$1" "$tmp/out" && grep -q 'try: ' "$tmp/out" && ! ip link show lxcbr0 >/dev/null 2>&1
	ok "start refuses $1='$2'"
}
cat >"$tmp/lxc" <<END
USE_LXC_BRIDGE="false"
USE_LXC_BRIDGE="true"
LXC_DHCP_PING="false"
[ ! -f $tmp/lxc-net.conf ] || . $tmp/lxc-net.conf
END

run "$tmp/lxc-net" nonsense
[ $status -eq 2 ]
ok "a wrong verb is exit status 2"
run "$tmp/lxc-net" stop
[ $status -eq 1 ]
ok "stop of what does not run is exit status 1"
run "$tmp/lxc-net" start
[ $status -eq 0 ]
ok "start"
ip addr show dev lxcbr0 | grep -q 'inet 10.0.3.1/24 brd 10.0.3.255'
ok "the bridge has its address"
[ -e "$tmp/run/network_up" ]
ok "the marker is there"
nft list table ip lxc | grep -q masquerade && nft list table inet lxc | grep -q 'udp dport { 53, 67 } accept'
ok "the firewall is there"
run "$tmp/lxc-net" start
[ $status -eq 1 ] && grep -q 'already' "$tmp/out"
ok "a second start is refused"
run "$tmp/lxc-net" status
[ $status -eq 0 ] && grep -q 'dnsmasq runs' "$tmp/out"
ok "status"

# A guest asks for an address.
cat >"$tmp/bound" <<'END'
#!/bin/sh
[ "$1" != bound ] || echo "bound $ip $router $dns"
END
chmod +x "$tmp/bound"
unshare -n sleep 60 &
guest=$!
sleep 0.2
ip link add v0 master lxcbr0 up type veth peer name eth0 netns $guest
nsenter -t $guest -n ip link set eth0 up
run nsenter -t $guest -n busybox udhcpc -i eth0 -n -q -f -t 8 -T 1 -s "$tmp/bound"
[ $status -eq 0 ] && grep -q '^bound 10\.0\.3\.[0-9]* 10\.0\.3\.1 10\.0\.3\.1$' "$tmp/out"
ok "a guest gets address, router and name server by DHCP"

run "$tmp/lxc-net" stop
[ $status -eq 0 ] && ip link show lxcbr0 >/dev/null 2>&1 && [ -z "$(nft list tables)" ]
ok "stop keeps a bridge that has a port"
run "$tmp/lxc-net" start
[ $status -eq 0 ]
ok "start takes that bridge over"
kill $guest
wait $guest 2>/dev/null
guest=
tries=0
while ip link show v0 >/dev/null 2>&1 && [ $tries -lt 50 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
run "$tmp/lxc-net" restart
[ $status -eq 0 ]
ok "restart"
pid=$(cat "$tmp/run/dnsmasq.pid")
kill -9 "$pid"
# Its parent has to notice, then the number names nobody.
tries=0
while [ -e "/proc/$pid/cmdline" ] && [ $tries -lt 50 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
rm "$tmp/run/network_up"
run "$tmp/lxc-net" start
[ $status -eq 0 ]
ok "start clears what a crash left"
! grep -q "/proc/$pid" "$tmp/out"
ok "and says nothing of a process that is gone"
pid=$(cat "$tmp/run/dnsmasq.pid")
run "$tmp/lxc-net" stop
[ $status -eq 0 ] && [ "$(ip -o link | wc -l)" = 1 ] && [ -z "$(nft list tables)" ] && ! kill -0 "$pid" 2>/dev/null &&
	[ -z "$(ls "$tmp/run")" ]
ok "stop leaves nothing"

refused LXC_BRIDGE 'a b'
refused LXC_BRIDGE 'abcdefghijklmnop'
refused LXC_ADDR 10.0.3.256
refused LXC_ADDR 10.0.03.1
refused LXC_NETMASK 255.0.255.0
refused LXC_NETWORK 10.0.4.0/24
refused LXC_DHCP_RANGE 10.0.4.2,10.0.4.9
refused LXC_DHCP_MAX 1x
refused LXC_BRIDGE_MAC 11:66:6a:00:00:00
refused LXC_DOMAIN 'lxc; id'
refused LXC_DHCP_CONFILE /nonexistent
refused LXC_IPV6_ADDR 'fd00::1" }'

printf 'LXC_ADDR=192.168.77.1\nLXC_NETMASK=255.255.255.128\nLXC_IPV6_ENABLE=false\n' >"$tmp/lxc-net.conf"
run "$tmp/lxc-net" start
[ $status -eq 0 ] && ip addr show dev lxcbr0 | grep -q 'inet 192.168.77.1/25 brd 192.168.77.127' &&
	nft list table ip lxc | grep -q 'saddr 192.168.77.0/25' && ! nft list table ip6 lxc 2>/dev/null
ok "network and range follow from the address"
run "$tmp/lxc-net" stop
nft 'table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop; }; }'
run "$tmp/lxc-net" start
[ $status -eq 0 ] && grep -q "warning: .*chain FORWARD of table ip filter drops" "$tmp/out"
ok "a firewall that drops forwarded packets is named"
run "$tmp/lxc-net" stop
nft list table ip filter >/dev/null
ok "and left alone"
nft delete table ip filter
ip link add lxcbr0 type veth
run "$tmp/lxc-net" start
[ $status -eq 1 ] && grep -q 'is no bridge' "$tmp/out" && ip link show lxcbr0 >/dev/null
ok "an interface of that name that is no bridge is left alone"
ip link delete lxcbr0
printf 'USE_LXC_BRIDGE=false\n' >"$tmp/lxc-net.conf"
run "$tmp/lxc-net" start
[ $status -eq 0 ] && ! ip link show lxcbr0 >/dev/null 2>&1
ok "USE_LXC_BRIDGE=false makes nothing"
echo "1..$n"
