#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Debian with systemd as an ordinary user's container: in a home that nobody else may enter, with the cgroup v2 that
# root has delegated to him, copied, snapshotted and thrown away.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools cgroup userns newuidmap setpriv pasta dnsmasq mmdebstrap

if [ -z "${TIFFIN_SANDBOX-}" ]; then
	# Out here is a network: what is fetched now is in the cache when the sandbox, which has none, wants it.
	place=$TIFFIN_INST/var/lib/lxc-user-debian
	mkdir -p "$place"
	trap 'rm -rf --one-file-system "$place"' EXIT
	run_limit=900
	run "$TIFFIN_INST/share/lxc/templates/lxc-debian" --path="$place" --name=fetch --rootfs="$place/rootfs" -r bookworm
	rm -rf --one-file-system "$place" "$scratch"
	case $err in
	*"could not be fetched"*) skip_all "mirror: $(printf '%s' "$err" | grep 'could not be fetched' | tr -d '#')" ;;
	esac
	[ "$status" -eq 0 ] || {
		echo "1..1"
		echo "not ok 1 - the template fills its cache"
		comment "$err"
		exit 1
	}
fi
sandbox "$0"
users alice
n=$tag
home=/home/alice/.local/share/lxc
run_limit=120

# What lxc(7) has root do.
unified=/sys/fs/cgroup
[ -e $unified/cgroup.procs ] || unified=/sys/fs/cgroup/unified
[ -e $unified/cgroup.procs ] || skip_all "cgroup v2: it is not mounted"
group=$unified/lxc.of-$tag
mkdir "$group"
chown alice "$group" "$group/cgroup.procs" "$group/cgroup.threads" "$group/cgroup.subtree_control"
cat >"$scratch/bin/session" <<END
#!/bin/sh
echo \$\$ >$group/cgroup.procs
exec as alice "\$@"
END
chmod 0755 "$scratch/bin/session"

# shellcheck disable=SC2329,SC2317 # through eventually
booted() {
	case $(session lxc-attach -n "$1" -- systemctl is-system-running 2>/dev/null) in
	running | degraded) return 0 ;;
	esac
	return 1
}
# is_up NAME TEXT: with every unit.
is_up() {
	ok "$2: systemd is up" eventually 60 booted "$1"
	is "$(session lxc-attach -n "$1" -- systemctl is-system-running)" running "$2: its state is running"
	is "$(session lxc-attach -n "$1" -- systemctl --failed --no-legend --plain)" "" "$2: no unit failed"
}
stop() {
	session lxc-stop -n "$1" -k
}

echo 'nameserver 127.0.0.1' >"$scratch/resolv"
mount --bind "$scratch/resolv" /etc/resolv.conf
dnsmasq --no-resolv --no-hosts --address=/there.test/192.0.2.10 --listen-address=127.0.0.1 --bind-interfaces \
	--pid-file="$scratch/dns.pid" --user=root

succeeds "create works without a configuration" as alice lxc-create -n "$n" -t debian -- -r bookworm
is "$(stat -c %a /home/alice)" 700 "the home is still closed"
fails 1 "without a cgroup it is refused" as alice lxc-start -n "$n"
like "$err" "starts systemd, which needs a cgroup of its own" "... with the reason"
succeeds "with one it starts" session lxc-start -n "$n"
is_up "$n" "the first"
is "$(session lxc-attach -n "$n" -- systemd-detect-virt -c)" lxc "it knows that it is in lxc"
# shellcheck disable=SC2329,SC2317
has_address() {
	session lxc-attach -n "$n" -- ip -4 -o addr show dev eth0 | grep -q 'inet '
}
ok "it gets an address" eventually 20 has_address
# shellcheck disable=SC2329,SC2317
resolves() {
	session lxc-attach -n "$n" -- getent hosts there.test | grep -q '^192\.0\.2\.10 '
}
ok "it resolves names" eventually 10 resolves
session lxc-attach -n "$n" -- sh -c 'echo first >/root/mark; chmod 600 /root/mark'
succeeds "systemd ends in order" session lxc-stop -n "$n" --nokill -t 60

# ---- copies

succeeds "an overlay copy is made" session lxc-copy -n "$n" -N "$n-o" -B overlay -s
succeeds "it starts" session lxc-start -n "$n-o"
is_up "$n-o" "the overlay"
is "$(session lxc-attach -n "$n-o" -- cat /root/mark)" first "it has the files of the first"
session lxc-attach -n "$n-o" -- sh -c 'rm /root/mark /etc/fstab; mv /etc/apt /etc/apt.2; rm -r /usr/share/doc; mkdir /usr/share/doc'
is "$(session lxc-attach -n "$n-o" -- sh -c 'ls -d /root/mark /etc/apt /usr/share/doc/* 2>/dev/null; ls /etc/apt.2/sources.list')" \
	/etc/apt.2/sources.list "what is deleted and moved is so"
stop "$n-o"
is "$(cat "$home/$n/rootfs/root/mark")" first "the first has all of it"
succeeds "a snapshot of the overlay" session lxc-snapshot -n "$n-o"
succeeds "... is restored" session lxc-snapshot -n "$n-o" -r snap0 -N "$n-r"
succeeds "... and starts" session lxc-start -n "$n-r"
is "$(session lxc-attach -n "$n-r" -- sh -c 'ls -d /root/mark /etc/apt.2 2>/dev/null')" /etc/apt.2 "... as it was"
stop "$n-r"
succeeds "... and goes" session lxc-destroy -n "$n-r"
succeeds "the overlay goes with its snapshots" session lxc-destroy -s -n "$n-o"
succeeds "an ephemeral copy runs" session lxc-copy -n "$n" -N "$n-e" -e -d
is "$(session lxc-attach -n "$n-e" -- cat /root/mark)" first "... with the same files"
stop "$n-e"
# shellcheck disable=SC2329,SC2317
gone() {
	[ ! -e "$home/$n-e" ]
}
ok "... and goes when it stops" eventually 20 gone
succeeds "a whole copy is made" session lxc-copy -n "$n" -N "$n-c"
is "$(find "$home/$n-c/rootfs" -xdev | wc -l)" "$(find "$home/$n/rootfs" -xdev | wc -l)" "with every file"
is "$(stat -c %u:%a "$home/$n-c/rootfs/root/mark")" "$(stat -c %u:%a "$home/$n/rootfs/root/mark")" "owned as before"
succeeds "it goes" session lxc-destroy -n "$n-c"
succeeds "the first goes" session lxc-destroy -n "$n"
is "$(find "$home" -mindepth 1)" "" "nothing is left"

kill "$(cat "$scratch/dns.pid")"
umount /etc/resolv.conf
# shellcheck disable=SC2329,SC2317
emptied() {
	rmdir "$group"
}
ok "the cgroup is empty" eventually 5 emptied
finish
