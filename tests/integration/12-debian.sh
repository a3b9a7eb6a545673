#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Debian 12 with systemd: created from the cache without a network, booted to "running", with an address by DHCP
# from lxc-net, rebooted and powered off from inside; as the host's cgroups are and with cgroup v2 alone.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools cgroup dnsmasq nft mmdebstrap

place=$TIFFIN_INST/var/lib/lxc-debian
release=bookworm

if [ -z "${TIFFIN_SANDBOX-}" ]; then
	# Out here is a network: what is fetched now is in the cache when the sandbox, which has none, wants it.
	mkdir -p "$place/fetch"
	trap 'rm -rf --one-file-system "$place"' EXIT
	run_limit=900
	run "$TIFFIN_INST/share/lxc/templates/lxc-debian" --path="$place/fetch" --name=fetch --rootfs="$place/fetch/rootfs" -r "$release"
	rm -rf --one-file-system "$place/fetch" "$scratch"
	case $err in
	*"could not be fetched"*) skip_all "mirror: $(printf '%s' "$err" | grep 'could not be fetched' | tr -d '#')" ;;
	esac
	if [ "$status" -ne 0 ]; then
		echo "1..1"
		echo "not ok 1 - the template fills its cache"
		comment "$err"
		exit 1
	fi
fi
sandbox "$0"
run_limit=120
n=$tag

lxc() {
	lxc_tool=$1
	shift
	"lxc-$lxc_tool" -P "$place" -n "$n" "$@"
}

inside() {
	lxc attach -- "$@"
}

system_state() {
	inside systemctl is-system-running 2>/dev/null
}

booted() {
	case $(system_state) in
	running | degraded) return 0 ;;
	esac
	return 1
}

has_address() {
	inside ip -4 -o addr show dev eth0 | grep -q 'inet 10\.0\.3\.'
}

pid_of() {
	lxc info -p -H
}

# boots DESCRIPTION [OPTION]: starts it and looks at the result.
boots() {
	succeeds "start returns ($1)" lxc-start -P "$place" -n "$n" ${2:+"$2"}
	[ -z "${2-}" ] || like "$out" '"total_ns":[0-9]+,"boot_ns":[0-9]{6,},' "with the time that its boot took ($1)"
	ok "systemd is up ($1)" eventually 60 booted
	is "$(system_state)" running "its state is running ($1)"
	is "$(inside systemctl --failed --no-legend --plain)" "" "no unit failed ($1)"
	is "$(inside systemd-detect-virt -c)" lxc "it knows that it is in lxc ($1)"
	is "$(inside hostname)" "$n" "its host name is set ($1)"
	ok "it gets an address by DHCP ($1)" eventually 20 has_address
	like "$(lxc info -i)" 'IP: +10\.0\.3\.' "which info shows ($1)"
}

mount -t tmpfs tmpfs /var/lib/misc
ip link del lxcbr0
succeeds "lxc-net starts" "$TIFFIN_INST/libexec/lxc/lxc-net" start

succeeds "create needs no network when the cache is filled" lxc-create -P "$place" -n "$n" -t debian -- -r "$release"
unlike "$out" 'Fetching' "and fetches nothing"
root=$place/$n/rootfs
is "$(stat -c %s "$root/etc/machine-id")" 0 "the machine id is for the first boot to make"
like "$(grep '^root:' "$root/etc/shadow")" '^root:[*!]' "root has no password"
is "$(find "$root/etc/ssh" -name 'ssh_host_*' 2>/dev/null)" "" "no host key is shared"
is "$(cat "$root/etc/hostname")" "$n" "the name is in the root"

boots "the host's cgroups"
first=$(inside cat /etc/machine-id)
like "$first" '^[0-9a-f]{32}$' "it has made a machine id"
pid=$(pid_of)
is "$(tr '\0' '\n' <"/proc/$pid/environ" | grep -v '^container_ttys=\|^container_uuid=')" "container=lxc" "init's environment is the container's"
like "$(inside systemctl is-active container-getty@1 2>&1)" '^active$' "a login waits on its first terminal"
unlike "$(inside cat /proc/mounts)" "$TIFFIN_INST" "no mount of the host is seen"

inside systemctl reboot
rebooted() {
	[ "$(pid_of)" != "$pid" ] && booted
}
ok "reboot from inside gives a new init" eventually 60 rebooted
is "$(system_state)" running "which comes up as well"
is "$(inside cat /etc/machine-id)" "$first" "with the same machine id"
inside poweroff
succeeds "poweroff from inside ends it" lxc-wait -P "$place" -n "$n" -s STOPPED -t 60

boots "after a poweroff" --timing=json
succeeds "stop is clean" lxc-stop -P "$place" -n "$n" -t 60

# ---- cgroup v2 alone

umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
boots "cgroup v2 alone"
is "$(inside stat -f -c %T /sys/fs/cgroup)" cgroup2fs "it has cgroup v2"
succeeds "stop is clean on v2" lxc-stop -P "$place" -n "$n" -t 60
succeeds "destroy works" lxc-destroy -P "$place" -n "$n"
is "$(ls -A "$place")" "" "nothing is left of it"
succeeds "lxc-net stops" "$TIFFIN_INST/libexec/lxc/lxc-net" stop
ok "its bridge is gone" sh -c '! ip link show dev lxcbr0 2>/dev/null'
umount /var/lib/misc
mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
links_before=$(ip -o link | cut -d ' ' -f 2 | sort)

finish
