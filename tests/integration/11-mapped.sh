#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# A container of root's whose ids are mapped: its root is nobody on the host.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns
sandbox "$0"
n=$tag
base=100000

# The map must be granted, as on any host with newuidmap.
echo "root:$base:65536" >"$scratch/subid"
for file in /etc/subuid /etc/subgid; do
	[ ! -e "$file" ] || mount --bind "$scratch/subid" "$file"
done
mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)

cat >"$scratch/mapped.conf" <<END
lxc.include = $TIFFIN_INST/etc/lxc/default.conf
lxc.idmap = u 0 $base 65536
lxc.idmap = g 0 $base 65536
END
succeeds "create makes a mapped container" lxc-create -n "$n" -t busybox -f "$scratch/mapped.conf"
is "$(stat -c %u:%g "$lxcpath/$n/rootfs")" "$base:$base" "its root belongs to its mapped root"
is "$(find "$lxcpath/$n/rootfs" ! -uid "$base" | head -n 3)" "" "and so does all that is in it"
ok "its config is the caller's to change" test "$(stat -c %u "$lxcpath/$n/config")" -eq 0
succeeds "it starts" lxc-start -n "$n"
pid=$(lxc-info -n "$n" -p -H)
is "$(stat -c %u "/proc/$pid")" "$base" "its init is the mapped root on the host"
is "$(tr -s ' ' <"/proc/$pid/uid_map")" " 0 $base 65536" "the uid map is the configured one"
is "$(tr -s ' ' <"/proc/$pid/gid_map")" " 0 $base 65536" "the gid map is the configured one"
is "$(lxc-attach -n "$n" -- id -u)" 0 "attach is root inside"
is "$(lxc-attach -n "$n" -- sh -c 'echo x >/root/made && stat -c %u /root/made')" 0 "it makes files"
is "$(stat -c %u "$lxcpath/$n/rootfs/root/made")" "$base" "which the host sees as the mapped root's"
is "$(lxc-attach -n "$n" -- stat -c '%t:%T' /dev/null)" 1:3 "/dev/null is what it seems"
ok "it writes to /dev/null" lxc-attach -n "$n" -- sh -c 'echo x >/dev/null'
is "$(lxc-attach -n "$n" -- hostname)" "$n" "its host name is set"
like "$(lxc-attach -n "$n" -- ip link show dev eth0)" "UP" "its eth0 is up"
fails 1 "it cannot make a device" lxc-attach -n "$n" -- mknod /root/null c 1 3
run lxc-ls -f
like "$out" "^$n +RUNNING .* true *$" "ls -f says that it is unprivileged"
succeeds "freeze works" lxc-freeze -n "$n"
like "$(lxc-info -n "$n" -s)" FROZEN "info says FROZEN"
succeeds "unfreeze works" lxc-unfreeze -n "$n"
eventually 5 lxc-attach -n "$n" -- test -e /dev/log
lxc-attach -n "$n" -- reboot
rebooted() {
	[ "$(lxc-info -n "$n" -p -H)" != "$pid" ] && lxc-info -n "$n" -s | grep -q RUNNING
}
ok "reboot from inside works" eventually 15 rebooted
eventually 5 lxc-attach -n "$n" -- test -e /dev/log
succeeds "stop works" lxc-stop -n "$n"

# ---- a root whose owners nobody has shifted

chown -hR 0:0 "$lxcpath/$n/rootfs"
if idmaps "$lxcpath"; then
	like "$(lxc-start -n "$n" --explain)" "^root .*its mount shifts ids" "explain says that a root of root's is shifted by its mount"
	succeeds "it starts" lxc-start -n "$n"
	is "$(lxc-attach -n "$n" -- stat -c %u:%g / /bin/busybox | tr '\n' ' ')" "0:0 0:0 " "its files are its own"
	lxc-attach -n "$n" -- sh -c 'touch /root/neutral && chown 5:6 /root/neutral'
	is "$(stat -c %u:%g "$lxcpath/$n/rootfs/root/neutral")" 5:6 "what it makes is written as it sees it"
	succeeds "it stops" lxc-stop -n "$n" -k
	succeeds "a copy works" lxc-copy -n "$n" -N "$n-c"
	is "$(stat -c %u:%g "$lxcpath/$n-c/rootfs/root/neutral" "$lxcpath/$n-c/rootfs/bin" | tr '\n' ' ')" \
		"$((base + 5)):$((base + 6)) $base:$base " "... and has owners of its map"
	succeeds "which goes" lxc-destroy -n "$n-c"
	fails 1 "an overlay over it is refused" lxc-copy -s -B overlay -n "$n" -N "$n-c"
	like "$err" "$lxcpath/$n/rootfs is shown with the container's ids by its mount" "... with the reason"
	cat "$scratch/mapped.conf" - >"$scratch/neutral.conf" <<-END
	lxc.rootfs.options = idmap=container
	END
	succeeds "create with idmap=container" lxc-create -n "$n-c" -t busybox -f "$scratch/neutral.conf"
	is "$(find "$lxcpath/$n-c/rootfs" ! -uid 0 | head -n 3)" "" "... leaves the owners as they are inside"
	succeeds "it starts" lxc-start -n "$n-c"
	is "$(lxc-attach -n "$n-c" -- sh -c 'touch /root/x && stat -c %u /root/x')" 0 "and writes"
	succeeds "it goes" lxc-destroy -f -n "$n-c"
else
	fails 1 "its file system cannot" lxc-start -n "$n" -s lxc.rootfs.options=idmap=container
	like "$err" "$lxcpath/$n/rootfs cannot be mounted with shifted ids: .*tmpfs" "... which is said with its name"
	skip_idmaps 14 "$lxcpath"
fi
# A file system that cannot be mounted so, on any kernel.
mkdir "$scratch/ram"
mount -t ramfs ramfs "$scratch/ram"
chmod 711 "$scratch/ram"
chmod 755 "$scratch"
succeeds "create on ramfs" lxc-create -P "$scratch/ram" -n "$n-r" -t busybox -f "$scratch/mapped.conf"
unlike "$(lxc-start -P "$scratch/ram" -n "$n-r" --explain)" "its mount shifts ids" "explain says of shifted owners that they stay"
lxc-start -P "$scratch/ram" -n "$n-r" && lxc-attach -P "$scratch/ram" -n "$n-r" -- chown 5:6 /etc/passwd
lxc-stop -P "$scratch/ram" -n "$n-r" -k
chown -hR 0:0 "$scratch/ram/$n-r/rootfs"
chown 5:6 "$scratch/ram/$n-r/rootfs/etc/passwd"
run lxc-start -P "$scratch/ram" -n "$n-r" --explain
unlike "$out" "its mount shifts ids" "explain does not promise what cannot be"
like "$err" "$scratch/ram/$n-r/rootfs belongs to root of the host, .* lxc-remap -n $n-r --config $scratch/ram/$n-r/config shifts their owners" \
	"... and says why, with the remedy"
succeeds "the remedy works" lxc-remap -P "$scratch/ram" -n "$n-r" --config "$scratch/ram/$n-r/config"
is "$(stat -c %u:%g "$scratch/ram/$n-r/rootfs" "$scratch/ram/$n-r/rootfs/etc/passwd" | tr '\n' ' ')" \
	"$base:$base $((base + 5)):$((base + 6)) " "... the owners are those of the map"
succeeds "... a second time, too" lxc-remap -P "$scratch/ram" -n "$n-r" --config "$scratch/ram/$n-r/config"
is "$(stat -c %u:%g "$scratch/ram/$n-r/rootfs/etc/passwd")" "$((base + 5)):$((base + 6))" "... which changes nothing"
succeeds "it starts then" lxc-start -P "$scratch/ram" -n "$n-r"
succeeds "it goes" lxc-destroy -P "$scratch/ram" -n "$n-r" -f
umount "$scratch/ram"
succeeds "it starts with shifted owners again" sh -c "chown -hR $base:$base $lxcpath/$n/rootfs && lxc-start -n $n && lxc-stop -k -n $n"

# ---- a directory of the host's, shown as one user's

idmaps "$scratch" || skip_idmaps 14 "$scratch"
! idmaps "$scratch" || {
install -d -o 1234 -g 1235 "$scratch/src"
: >"$scratch/src/roots"
for word in owner:1000 owner:0 caller:1000:0; do
	want=${word#*:}
	succeeds "it starts with idmap=$word" lxc-start -n "$n" -s "lxc.mount.entry=$scratch/src src none bind,create=dir,idmap=$word"
	case $word in
	owner:*) is "$(lxc-attach -n "$n" -- stat -c %u:%g /src /src/roots | tr '\n' ' ')" "$want:$want 65534:65534 " "$word: the owner's files are his" ;;
	*) is "$(lxc-attach -n "$n" -- stat -c %u:%g /src /src/roots | tr '\n' ' ')" "65534:65534 $want " "$word: the caller's files are his" ;;
	esac
	[ "$word" = caller:1000:0 ] || {
		lxc-attach -n "$n" -u "$want" -g "$want" -- touch "/src/made-$want"
		is "$(stat -c %u:%g "$scratch/src/made-$want")" 1234:1235 "$word: what is made inside is the owner's"
	}
	lxc-stop -n "$n" -k
done
fails 1 "an id that is not mapped is refused" lxc-start -n "$n" -s "lxc.mount.entry=$scratch/src src none bind,create=dir,idmap=owner:70000"
like "$err" "idmap = 70000 is not in the container's id map" "... by its number"
}
succeeds "destroy works" lxc-destroy -n "$n"

finish
