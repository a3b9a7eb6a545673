#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
#
# run.sh PREFIX [DEBIAN-ROOTFS.tar] - checks an installation of Tiffin on a whole host; prints TAP.
#
# Run it as root in a disposable virtual machine with systemd, a pure cgroup v2 hierarchy and AppArmor: it
# starts units, makes containers below PREFIX/var/lib/lxc and kills monitors. PREFIX was configured with
# --prefix=PREFIX --sysconfdir=PREFIX/etc --localstatedir=PREFIX/var. No part of "make check".
set -u
P=${1:?usage: run.sh PREFIX [DEBIAN-ROOTFS.tar]}
tar=${2:-}
PATH=$P/bin:$P/sbin:$PATH
lxcpath=$P/var/lib/lxc
. "$(dirname -- "$0")/lib.sh"

refuses() { ! "$@"; }
inside() { c=$1; shift; lxc-attach -n "$c" -- "$@"; }
init_of() { lxc-info -n "$1" -pH; }
label() { cat "/proc/$(init_of "$1")/attr/current"; }
group() { sed 's/^0:://' "/proc/$(init_of "$1")/cgroup"; }
confined() { case $(label "$1") in lxc-*'(enforce)') ;; *) label "$1"; return 1 ;; esac; }
nothing_left() {
	left=$(find /sys/fs/cgroup -type d \( -name 'lxc.payload*' -o -name 'lxc.monitor*' \); ip -br link | grep veth
		grep '^lxc-' /sys/kernel/security/apparmor/profiles 2>/dev/null)
	is "$left" ''
}
is_up() {
	state=$(inside deb systemctl is-system-running 2>/dev/null)
	is "$state" running || { inside deb systemctl --failed --no-legend --plain; return 1; }
}
has_lease() { inside deb ip -4 -br address show dev eth0 | grep -q '10\.0\.3\.'; }
has_new_init() { now=$(init_of deb) && [ -n "$now" ] && [ "$now" != "$1" ]; }
flags() { findmnt -no OPTIONS /sys/fs/cgroup; }

for unit in lxc lxc@ lxc-net; do
	[ -e "/etc/systemd/system/$unit.service" ] || cp "$P/lib/systemd/system/$unit.service" /etc/systemd/system/
done
systemctl daemon-reload
mount -o remount,nsdelegate,memory_recursiveprot /sys/fs/cgroup
before=$(flags)

check 'lxc-net.service starts' systemctl start lxc-net
check 'a busybox container is created' lxc-create -n box -t busybox
cat >>"$lxcpath/box/config" <<-X
	lxc.cgroup.memory.limit_in_bytes = 64M
	lxc.cgroup2.pids.max = 50
	lxc.cgroup2.cpu.weight = 42
X
check 'it starts' lxc-start -n box
check 'its cgroup is of the name that it should have' is "$(group box)" /lxc.payload.box
check 'the v1 name of the memory limit is translated' is "$(inside box cat /sys/fs/cgroup/memory.max)" 67108864
check 'pids.max is seen inside' is "$(inside box cat /sys/fs/cgroup/pids.max)" 50
check 'cpu.weight is in force' is "$(cat /sys/fs/cgroup/lxc.payload.box/cpu.weight)" 42
check 'the container cannot raise its own limit' refuses inside box sh -c 'echo max >/sys/fs/cgroup/pids.max'
check 'it can make cgroups' inside box sh -c 'mkdir /sys/fs/cgroup/a && rmdir /sys/fs/cgroup/a'
check 'the options of the host'\''s cgroup mount are what they were' is "$(flags)" "$before"
check 'a kernel log device made inside is refused' refuses inside box sh -c 'mknod /tmp/k c 1 11 && head -c1 /tmp/k'
check 'a disk made inside is refused' refuses inside box sh -c 'mknod /tmp/d b 254 0 && head -c1 /tmp/d'
check '/dev/null works' inside box sh -c 'echo x >/dev/null'
check 'memory is accounted' sh -c 'lxc-info -n box | grep -q "^Memory use:  *[1-9]"'
check 'it freezes' sh -c 'lxc-freeze -n box && lxc-info -n box -sH | grep -q FROZEN'
check 'it thaws' sh -c 'lxc-unfreeze -n box && lxc-info -n box -sH | grep -q RUNNING'
[ ! -d /sys/kernel/security/apparmor ] || check 'it is confined by AppArmor' confined box
kill -9 "$(pgrep -f '^\[lxc monitor\].* box$')"
check 'it can be attached to after the death of its monitor' within 20 inside box true
check 'it stops then' lxc-stop -n box
check 'nothing is left' nothing_left
check 'it starts in a scope of its own' systemd-run --quiet --scope --slice=user.slice lxc-start -n box
check 'its cgroup is not in the scope' is "$(group box)" /lxc.payload.box
check 'it stops from elsewhere' lxc-stop -n box -t 20
check 'it starts as a unit' sh -c 'systemctl start lxc@box && lxc-wait -n box -s RUNNING -t 30'
check 'it stops as a unit' sh -c 'systemctl stop lxc@box && lxc-info -n box -sH | grep -q STOPPED'
check 'the unit has not failed' refuses systemctl is-failed lxc@box
echo 'lxc.apparmor.profile = no-such-profile' >>"$lxcpath/box/config"
[ ! -d /sys/kernel/security/apparmor ] || check 'a profile that is not loaded is an error' refuses lxc-start -n box
check 'it is destroyed' lxc-destroy -n box
check 'nothing is left of that either' nothing_left

if [ -n "$tar" ]; then
	mkdir -p "$lxcpath/deb/rootfs"
	tar -C "$lxcpath/deb/rootfs" --numeric-owner --xattrs -xf "$tar"
	cat >"$lxcpath/deb/config" <<-X
		lxc.include = $P/share/lxc/config/debian.common.conf
		lxc.include = $P/etc/lxc/default.conf
		lxc.rootfs.path = dir:$lxcpath/deb/rootfs
		lxc.uts.name = deb
	X
	check 'Debian starts' lxc-start -n deb
	check 'it comes up without a failed unit' within 120 is_up
	check 'it has an address by DHCP' within 60 has_lease
	check 'it sees that it is in lxc' is "$(inside deb systemd-detect-virt -c)" lxc
	[ ! -d /sys/kernel/security/apparmor ] || check 'it is confined' confined deb
	init=$(init_of deb)
	inside deb reboot
	check 'it reboots from inside' within 60 has_new_init "$init"
	check 'it comes up again' within 120 is_up
	inside deb poweroff
	check 'it powers off from inside' lxc-wait -n deb -s STOPPED -t 120
	check 'it starts once more' lxc-start -n deb
	check 'it is up once more' within 120 is_up
	check 'it stops cleanly' lxc-stop -n deb --nokill -t 120
	check 'it is destroyed too' lxc-destroy -n deb
	check 'nothing is left in the end' nothing_left
fi
finish
