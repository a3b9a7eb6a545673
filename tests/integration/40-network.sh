#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Network interfaces of real containers, seen from inside and on the host.
. "$top_srcdir/tests/harness/lib.sh"
needs root inst tools busybox ip
sandbox "$0"
c=$tag
dir=$lxcpath/$c

succeeds "a container is made" lxc-create -n "$c" -t busybox
sed -e '/^lxc\.net\./d' "$dir/config" >"$scratch/base"

# nets: the network lines of the next start, from standard input; key NAME: the line a key stands in.
nets() {
	cp "$scratch/base" "$dir/config"
	cat >>"$dir/config"
}
line_of() {
	grep -n "^lxc\.net\.0\.$1 " "$dir/config" | cut -d : -f 1
}
inside() {
	lxc-attach -n "$c" --clear-env -- /bin/busybox "$@"
}
stop() {
	succeeds "it stops ($1)" lxc-stop -n "$c" -k
	is "$(ip -o link | cut -d ' ' -f 2 | sort)" "$links_before" "no device is left ($1)"
}

# ---- veth with everything

nets <<END
lxc.net.0.type = veth
lxc.net.0.link = lxcbr0
lxc.net.0.flags = up
lxc.net.0.name = lan0
lxc.net.0.hwaddr = 10:66:6a:AA:00:07
lxc.net.0.mtu = 1400
lxc.net.0.veth.pair = vhost
lxc.net.0.ipv4.address = 10.0.3.7/24
lxc.net.0.ipv4.address = 10.9.1.1/28
lxc.net.0.ipv4.gateway = auto
lxc.net.0.ipv6.address = fd11::7/64
lxc.net.0.ipv6.gateway = fd99::1
lxc.net.0.veth.ipv4.route = 10.77.0.0/16
lxc.net.0.veth.ipv6.route = fd77::/64
END
succeeds "veth on a bridge starts" lxc-start -n "$c"
link=$(inside ip -o link show lan0)
like "$link" '10:66:6a:aa:00:07' "the hardware address is set"
like "$link" 'mtu 1400' "the MTU is set inside"
like "$link" '[<,]UP[,>]' "the device is up"
like "$(inside ip -o link show lo)" '[<,]UP[,>]' "lo is up"
is "$(inside ls /sys/class/net | sort | tr '\n' ' ')" "lan0 lo " "there is nothing else"
addresses=$(inside ip addr show lan0)
like "$addresses" 'inet 10\.0\.3\.7/24 brd 10\.0\.3\.255' "the address has its broadcast address"
like "$addresses" 'inet 10\.9\.1\.1/28 brd 10\.9\.1\.15' "and the second one"
like "$addresses" 'inet6 fd11::7/64' "and the IPv6 one"
like "$(inside ip route)" 'default via 10\.0\.3\.1 dev lan0' "gateway auto is the bridge's address"
like "$(inside ip -6 route)" 'default via fd99::1 dev lan0' "a gateway outside every subnet is reached"
like "$(ip -o link show vhost)" 'mtu 1400 .*master lxcbr0.* link/ether fe:' "the host end is a port of the bridge"
like "$(ip route; ip -6 route)" '10\.77\.0\.0/16 dev vhost' "an IPv4 route leads to it"
like "$(ip route; ip -6 route)" 'fd77::/64 dev vhost' "an IPv6 route leads to it"
ok "the bridge is reached from inside" inside ping -c 1 -W 2 10.0.3.1
like "$(lxc-info -n "$c" -iH)" '^10\.0\.3\.7$' "lxc-info shows the address"
succeeds "a reboot makes it again" lxc-stop -n "$c" -r
ok "with the same devices" eventually 10 sh -c "lxc-attach -n $c -- /bin/busybox ip -o addr show lan0 | grep -q 10.0.3.7"
stop "veth"

# ---- several nics, names of our own choosing

nets <<END
lxc.net.0.type = veth
lxc.net.0.link = lxcbr0
lxc.net.1.type = veth
lxc.net.1.name = eth0
lxc.net.3.type = veth
lxc.net.3.name = wan%d
lxc.net.7.type = macvlan
lxc.net.7.link = lxcbr0
lxc.net.7.macvlan.mode = bridge
END
succeeds "four nics start" lxc-start -n "$c"
port=$(ip -o link show master lxcbr0 | cut -d ' ' -f 2)
like "$port" '^veth[0-9A-Za-z]{6}@' "the host end has a name of our making"
port=${port%%@*}
is "$(cat "/proc/sys/net/ipv6/conf/$port/disable_ipv6")" 1 "and no IPv6 of its own"
is "$(inside ls /sys/class/net | sort | tr '\n' ' ')" "eth0 eth1 eth2 lo wan0 " "each has its name"
stop "several nics"

nets <<END
lxc.net.0.type = empty
lxc.net.0.flags = up
END
succeeds "type empty starts" lxc-start -n "$c"
is "$(inside ls /sys/class/net)" lo "there is lo alone"
like "$(inside ip -o link show lo)" '[<,]UP[,>]' "and it is up"
stop "empty"

nets <<END
lxc.net.0.type = none
END
succeeds "type none starts" lxc-start -n "$c"
is "$(inside readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)" "the network is the host's"
stop "none"

# ---- a device of the host is lent and given back

ip link add card0 mtu 1450 type veth peer name card1
ip link property add dev card0 altname some-other-name
links_before=$(ip -o link | cut -d ' ' -f 2 | sort)
nets <<END
lxc.net.0.type = phys
lxc.net.0.link = card0
lxc.net.0.name = eth9
lxc.net.0.mtu = 1300
lxc.net.0.hwaddr = 10:66:6a:00:00:09
END
mac=$(ip -o link show card0 | sed 's/.*ether \([^ ]*\).*/\1/')
succeeds "phys starts" lxc-start -n "$c"
like "$(inside ip -o link show eth9)" 'mtu 1300.*10:66:6a:00:00:09' "the card is inside"
ok "and no longer outside" sh -c '! ip link show card0 2>/dev/null'
inside ip link set eth9 name hidden
stop "phys"
back=$(ip -o link show card0)
like "$back" "mtu 1450.*$mac" "it has its old MTU and address"
like "$(ip link show card0)" 'altname some-other-name' "and its other name"
succeeds "phys starts again" lxc-start -n "$c"
monitor=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$(lxc-info -n "$c" -pH)/status")
kill -9 "$monitor"
ok "its monitor is gone" eventually 5 sh -c "! kill -0 $monitor"
succeeds "it is stopped without the monitor it had" lxc-stop -k -n "$c"
ok "the card comes back after a crash, too" eventually 10 ip link show card0
like "$(ip -o link show card0)" "mtu 1450.*$mac" "with its old MTU and address"
ip link delete card0
links_before=$(ip -o link | cut -d ' ' -f 2 | sort)

# ---- scripts

cat >"$scratch/net-script" <<END
#!/bin/sh
echo "\$# \$*|\${LXC_HOOK_TYPE-}|\${LXC_HOOK_SECTION-}|\${LXC_NET_TYPE-}|\${LXC_NET_PARENT-}|\${LXC_NET_PEER-}|\${LXC_NAME-}" >>$scratch/calls
END
chmod +x "$scratch/net-script"
for version in 0 1; do
	nets <<-END
		lxc.hook.version = $version
		lxc.net.0.type = veth
		lxc.net.0.link = lxcbr0
		lxc.net.0.veth.pair = vhost
		lxc.net.0.script.up = $scratch/net-script own
		lxc.net.0.script.down = $scratch/net-script
		lxc.net.1.type = empty
		lxc.net.1.script.down = $scratch/net-script
	END
	: >"$scratch/calls"
	succeeds "scripts of version $version let it start" lxc-start -n "$c"
	stop "scripts of version $version"
	eventually 5 sh -c "[ \$(wc -l <$scratch/calls) = 3 ]"
	if [ $version = 0 ]; then
		is "$(sort "$scratch/calls")" "$(printf '%s\n' "4 $c net down empty|||||""|$c" \
			"6 $c net down veth lxcbr0 vhost|||||""|$c" "7 own $c net up veth lxcbr0 vhost|||||""|$c" | sort)" \
			"version 0 has the arguments"
	else
		is "$(sort "$scratch/calls")" "$(printf '%s\n' "1 empty|down|net|empty|""||$c" \
			"3 veth lxcbr0 vhost|down|net|veth|lxcbr0|vhost|$c" \
			"4 own veth lxcbr0 vhost|up|net|veth|lxcbr0|vhost|$c" | sort)" \
			"version 1 has arguments and environment"
	fi
done

# ---- refusals: the sentence, the line, the remedy, and nothing left

# refused TEXT KEY: what the next start says, and the line of which key.
refused() {
	fails 1 "start is refused: $1" lxc-start -n "$c"
	like "$err" "$1" "the sentence names it"
	like "$err" "$dir/config:$(line_of "$2")" "and the line"
	like "$err" '^  try: ' "and a remedy"
	is "$(ip -o link | cut -d ' ' -f 2 | sort)" "$links_before" "and nothing is left"
}
# veth KEY VALUE: a good nic but for one key.
veth() {
	{
		printf 'lxc.net.0.type = veth\nlxc.net.0.flags = up\n'
		[ "$1" = link ] || printf 'lxc.net.0.link = lxcbr0\n'
		printf 'lxc.net.0.%s = %s\n' "$1" "$2"
	} | nets
}
veth link br77
refused 'bridge br77 does not exist' link
veth link lo
refused 'interface lo is not a bridge' link
ip link add taken type veth peer name taken2
links_before=$(ip -o link | cut -d ' ' -f 2 | sort)
veth veth.pair taken
refused 'interface name taken is already taken by a veth' veth.pair
ip link delete taken
links_before=$(ip -o link | cut -d ' ' -f 2 | sort)
veth hwaddr 11:66:6a:00:00:01
refused '11:66:6a:00:00:01.*multicast' hwaddr
veth mtu 70000
refused '70000.* from 68 to 65535' mtu
veth name lo
refused 'interface name lo is used twice' name
veth ipv4.gateway 10.0.3.1
refused 'gateway 10.0.3.1 cannot be used: the nic has no address' ipv4.gateway
veth veth.vlan.id 12
refused 'lxcbr0 does not filter vlans' veth.vlan.id
veth script.up "sh -c 'echo no luck >&2; exit 7'"
refused 'failed with exit status 7: no luck' script.up
veth ipv4.address 10.0.3.256/24
refused '10.0.3.256' ipv4.address
veth script.up /nonexistent/script
refused '/nonexistent/script' script.up

succeeds "the container is destroyed" lxc-destroy -n "$c"
finish
