#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# The guests: every root of roots.sh boots without a failed unit, takes a reboot from outside and a clean stop,
# privileged and mapped, with the host's cgroups and with cgroup v2 alone. "make check-guests"; GUESTS names some of
# them, GUESTS_CACHE where the roots are kept.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools cgroup userns mmdebstrap
cache=${GUESTS_CACHE:-$top_builddir/var/cache/guests}
place=$TIFFIN_INST/var/lib/lxc-guests
base=100000

if [ -z "${TIFFIN_SANDBOX-}" ]; then
	# Out here is a network.
	# shellcheck disable=SC2086 # names
	"$top_srcdir/tests/guests/roots.sh" "$cache" ${GUESTS-} || comment "not every root could be made"
	mkdir -p "$place"
	trap 'rm -rf --one-file-system "$place"' EXIT
fi
sandbox "$0"
run_limit=180
n=$tag
echo "root:$base:65536" >"$scratch/subid"
for file in /etc/subuid /etc/subgid; do
	[ ! -e "$file" ] || mount --bind "$scratch/subid" "$file"
done
mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)

inside() {
	timeout 30 lxc-attach -P "$place" -n "$n" --clear-env -- "$@"
}

pid_of() {
	lxc-info -P "$place" -n "$n" -p -H
}

# unpack GUEST KIND: its root, and the config of a container in it.
unpack() {
	mkdir -p "$place/$n/rootfs"
	chmod 755 "$place" "$place/$n"
	if [ "$2" = mapped ]; then
		# Unpacked in the map, so that the files are the container's.
		chown "$base:$base" "$place/$n/rootfs"
		lxc-usernsexec -m "b:0:$base:65536" -- tar -C "$place/$n/rootfs" --exclude='./dev/*' -xpf - --numeric-owner <"$cache/$1.tar"
	else
		tar -C "$place/$n/rootfs" --exclude='./dev/*' -xpf "$cache/$1.tar" --numeric-owner
	fi
	echo "$n" >"$place/$n/rootfs/etc/hostname"
	{
		echo "lxc.include = $TIFFIN_INST/share/lxc/config/common.conf"
		[ "$2" = privileged ] || echo "lxc.include = $TIFFIN_INST/share/lxc/config/userns.conf"
		[ "$2" = privileged ] || printf 'lxc.idmap = u 0 %s 65536\nlxc.idmap = g 0 %s 65536\n' "$base" "$base"
		echo "lxc.rootfs.path = dir:$place/$n/rootfs"
		echo "lxc.uts.name = $n"
		echo 'lxc.net.0.type = veth'
		echo 'lxc.net.0.link = lxcbr0'
		echo 'lxc.net.0.flags = up'
		echo 'lxc.net.0.ipv4.address = 10.0.3.20/24'
	} >"$place/$n/config"
}

is_booted() {
	case $guest in
	sysvinit | openrc) [ -n "$(inside cat /run/initctl.booted /run/utmp 2>/dev/null | tr -d '\0')" ] && inside pgrep -x getty >/dev/null ;;
	runit) inside pgrep -x runsvdir >/dev/null ;;
	*)
		case $(inside systemctl is-system-running 2>/dev/null) in
		running | degraded) return 0 ;;
		esac
		return 1
		;;
	esac
}

has_rebooted() {
	now=$(pid_of)
	[ -n "$now" ] && [ "$now" != "$pid" ] && is_booted
}

# faults: units, or services, that failed.
faults() {
	case $guest in
	openrc) inside rc-status --crashed 2>/dev/null | grep -v '^ *$' ;;
	sysvinit | runit) ;;
	*) inside systemctl --failed --no-legend --plain ;;
	esac
}

# boots GUEST KIND HOST
boots() {
	what="$1, $2, $3"
	run lxc-start -P "$place" -n "$n" -o "$scratch/log" -l INFO
	result "$status" "$what: starts"
	[ "$status" -eq 0 ] || {
		comment "$err"
		return
	}
	ok "$what: is up" eventually 90 is_booted
	is "$(faults)" "" "$what: nothing failed"
	case $guest in
	# From systemd 258 on there is v2 alone for it, whatever the host has.
	forky | sid) is "$(inside stat -f -c %T /sys/fs/cgroup)" cgroup2fs "$what: sees the unified hierarchy" ;;
	esac
	[ -z "$(faults)" ] || comment "$(inside journalctl -b -p 4 --no-pager 2>/dev/null | tail -n 20)"
	pid=$(pid_of)
	run lxc-stop -P "$place" -n "$n" -r -t 90
	result "$status" "$what: takes a reboot"
	ok "$what: is up again" eventually 90 has_rebooted
	run lxc-stop -P "$place" -n "$n" --nokill -t 90
	result "$status" "$what: stops cleanly"
	[ "$status" -eq 0 ] || lxc-stop -P "$place" -n "$n" -k
}

# unfit HOST: a systemd that is older than v2 is refused where there is nothing else, and by name.
unfit() {
	root=$place/$n/rootfs
	mkdir -p "$root/sbin" "$root/usr/lib/systemd" "$root/etc" "$root/dev" "$root/proc" "$root/sys" "$root/bin"
	: >"$root/usr/lib/systemd/libsystemd-shared-229.so"
	cp "$(command -v busybox)" "$root/bin/sh"
	printf '#!/bin/sh\nwhile :; do read -r _; done\n' >"$root/usr/lib/systemd/systemd"
	chmod 755 "$root/usr/lib/systemd/systemd"
	ln -s ../usr/lib/systemd/systemd "$root/sbin/init"
	printf 'ID=centos\nPRETTY_NAME="CentOS Linux 7 (Core)"\n' >"$root/etc/os-release"
	printf '%s\n' "lxc.include = $TIFFIN_INST/share/lxc/config/common.conf" "lxc.rootfs.path = dir:$root" 'lxc.net.0.type = empty' \
		>"$place/$n/config"
	run lxc-start -P "$place" -n "$n"
	if [ "$1" = "cgroup v2 alone" ]; then
		is "$status" 1 "systemd 229, $1: is refused"
		like "$err" "systemd of CentOS Linux 7 \\(Core\\) is too old for this host: version 229" "... with its version"
		like "$err" "run CentOS Stream 8 or newer" "... and what to run instead"
	else
		is "$status" 0 "systemd 229, $1: is started"
		[ "$status" -ne 0 ] || lxc-stop -P "$place" -n "$n" -k
	fi
	rm -rf --one-file-system "${place:?}/$n"
}

guests=$("$top_srcdir/tests/guests/roots.sh" --list)
for host in "the host's cgroups" "cgroup v2 alone"; do
	if [ "$host" = "cgroup v2 alone" ]; then
		umount -R /sys/fs/cgroup
		# Wherever else the host has them.
		sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2\{0,1\} .*/\1/p' /proc/self/mountinfo | sort -r | while read -r other; do
			umount -l "$other" 2>/dev/null
		done
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
	fi
	case $host in
	cgroup*) unfit "$host" ;;
	*) [ -e /sys/fs/cgroup/cgroup.controllers ] || unfit "$host" ;;
	esac
	for guest in $guests; do
		case " ${GUESTS:-$guest} " in
		*" $guest "*) ;;
		*) continue ;;
		esac
		if [ ! -e "$cache/$guest.tar" ]; then
			skip "$guest" "mirror: its root could not be made"
			continue
		fi
		for kind in ${GUEST_KINDS:-privileged mapped}; do
			unpack "$guest" "$kind"
			boots "$guest" "$kind" "$host"
			rm -rf --one-file-system "${place:?}/$n"
		done
	done
done
finish
