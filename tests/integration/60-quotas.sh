#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# How much a container in a directory or a subvolume may take: held against what it writes itself, by the file system.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
sandbox "$0"
n=$tag
printf 'lxc.net.0.type = empty\n' >"$scratch/plain.conf"
printf 'lxc.net.0.type = empty\nlxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n' >"$scratch/mapped.conf"

# size_of FIELD: "Disk use", "Disk limit" in bytes; nothing where there is no such line.
size_of() {
	lxc-resize -P "$home" -n "$n" --no-humanize | sed -n "s/^$1: *//p"
}
# write PATH NAME MIB FILE: in the container, and on the disk.
cat >"$scratch/write" <<'END'
#!/bin/sh
exec lxc-attach -P "$1" -n "$2" -- sh -c "dd if=/dev/zero of=/root/$4 bs=1M count=$3 && sync"
END
chmod 755 "$scratch/write"
written() {
	lxc-attach -P "$home" -n "$n" -- stat -c %s "/root/$1"
}

# held TYPE CONF: all that a limit means for a container there.
held() {
	what="$1, $2"
	backing=dir
	[ "$1" != btrfs ] || backing=btrfs
	succeeds "$what: create" lxc-create -P "$home" -n "$n" -t busybox -B "$backing" -f "$scratch/$2.conf"
	is "$(size_of 'Disk limit')" "" "$what: there is no limit"
	succeeds "$what: start" lxc-start -P "$home" -n "$n"
	succeeds "$what: a limit, while it runs" lxc-resize -P "$home" -n "$n" 40M
	if [ "$1:$2" = ext4:plain ]; then
		like "$err" "root of $n .*ext4.*lxc.cap.drop = sys_resource" "$what: with the word that ext4 lets its root pass it"
	else
		is "$err" "" "$what: without a word"
	fi
	is "$(size_of 'Disk limit')" 41943040 "$what: is there"
	like "$(lxc-info -P "$home" -n "$n" --disk)" "^Disk limit: +40.00 MiB" "$what: lxc-info shows it"
	# What btrfs has not written yet it does not count.
	sync -f "$home"
	used=$(size_of 'Disk use')
	ok "$what: what it takes is less" [ "$used" -gt 500000 -a "$used" -lt 20000000 ]
	succeeds "$what: what is below it can be written" "$scratch/write" "$home" "$n" 20 first
	sync -f "$home"
	ok "$what: and is counted" [ "$(size_of 'Disk use')" -ge $((used + 20971520)) ]
	if [ "$1:$2" = ext4:plain ]; then
		succeeds "$what: its root has the power to take more" "$scratch/write" "$home" "$n" 60 large
	else
		run "$scratch/write" "$home" "$n" 60 large
		ok "$what: more is not ($status: $err)" [ "$status" -ne 0 ]
		like "$err" "quota|No space left" "$what: which its programs learn"
		ok "$what: the file ends at the limit" [ "$(written large)" -lt 23000000 ]
	fi
	succeeds "$what: the host's own files beside it are not held" sh -c "head -c 60M /dev/zero >$home/beside && rm $home/beside"
	# What is full is still there for its user.
	succeeds "$what: full, it gets a larger limit" lxc-resize -P "$home" -n "$n" 41M
	succeeds "$what: and the old one" lxc-resize -P "$home" -n "$n" 40M
	succeeds "$what: full, it stops" lxc-stop -P "$home" -n "$n" -k
	succeeds "$what: starts" lxc-start -P "$home" -n "$n"
	succeeds "$what: stops" lxc-stop -P "$home" -n "$n" -k
	succeeds "$what: is copied" lxc-copy -P "$home" -n "$n" -N "$n-c"
	is "$(lxc-resize -P "$home" -n "$n-c" | grep limit)" "Disk limit:     40.00 MiB" "$what: with its limit"
	succeeds "$what: the copy goes" lxc-destroy -P "$home" -n "$n-c"
	succeeds "$what: starts" lxc-start -P "$home" -n "$n"
	succeeds "$what: and can make room" lxc-attach -P "$home" -n "$n" -- rm /root/large
	succeeds "$what: a larger limit, while it runs" lxc-resize -P "$home" -n "$n" 100M
	succeeds "$what: lets it write" "$scratch/write" "$home" "$n" 60 large
	succeeds "$what: none" lxc-resize -P "$home" -n "$n" none
	is "$(size_of 'Disk limit')" "" "$what: is none"
	succeeds "$what: lets it write more" "$scratch/write" "$home" "$n" 120 larger
	lxc-attach -P "$home" -n "$n" -- rm -f /root/large /root/larger
	succeeds "$what: a limit again" lxc-resize -P "$home" -n "$n" 64M
	succeeds "$what: stop" lxc-stop -P "$home" -n "$n" -k
	succeeds "$what: it is kept where there is no process" lxc-start -P "$home" -n "$n"
	is "$(size_of 'Disk limit')" 67108864 "$what: and where there is one again"
	succeeds "$what: stop" lxc-stop -P "$home" -n "$n" -k
	succeeds "$what: snapshot" lxc-snapshot -P "$home" -n "$n"
	like "$(lxc-snapshot -P "$home" -n "$n" -L --long)" "^snap0 .* [0-9.]+ MiB" "$what: its size is shown"
	succeeds "$what: restore" lxc-snapshot -P "$home" -n "$n" -r snap0
	is "$(size_of 'Disk limit')" 67108864 "$what: restored in place, it has its limit"
	succeeds "$what: start" lxc-start -P "$home" -n "$n"
	if [ "$1:$2" != ext4:plain ]; then
		run "$scratch/write" "$home" "$n" 80 large
		ok "$what: which holds" [ "$status" -ne 0 ]
	fi
	succeeds "$what: stop" lxc-stop -P "$home" -n "$n" -k
	succeeds "$what: full again, it is a snapshot's" lxc-snapshot -P "$home" -n "$n"
	succeeds "$what: which can take its place" lxc-snapshot -P "$home" -n "$n" -r snap1
	is "$(size_of 'Disk limit')" 67108864 "$what: with the limit"
	succeeds "$what: or another" lxc-snapshot -P "$home" -n "$n" -r snap1 -N "$n-c"
	is "$(lxc-resize -P "$home" -n "$n-c" | grep limit)" "Disk limit:     64.00 MiB" "$what: with the limit"
	succeeds "$what: which goes" lxc-destroy -P "$home" -n "$n-c"
	succeeds "$what: as the snapshot does" lxc-snapshot -P "$home" -n "$n" -d snap1
	succeeds "$what: the snapshot goes" lxc-snapshot -P "$home" -n "$n" -d snap0
	succeeds "$what: another name" lxc-copy -P "$home" -n "$n" -R -N "$n-r"
	is "$(lxc-resize -P "$home" -n "$n-r" --no-humanize | sed -n 's/^Disk limit: *//p')" 67108864 "$what: keeps the limit"
	succeeds "$what: destroy" lxc-destroy -P "$home" -n "$n-r"
	is "$(find "$home" -mindepth 1 -maxdepth 1 -name "$n*")" "" "$what: nothing is left"
}

# on TYPE OPTIONS MKFS...: what follows is on a file system of that type, or skipped by name.
on() {
	type=$1 options=$2 home=/tmp/$1
	shift 2
	missing=''
	command -v "$1" >/dev/null || missing="$1: it is not installed"
	[ -w /dev/loop-control ] || missing="loop devices"
	truncate -s 640M "/tmp/$type.img"
	mkdir "$home"
	[ -n "$missing" ] || "$@" "/tmp/$type.img" >/dev/null 2>"$scratch/err" || missing="$1: $(cat "$scratch/err")"
	[ -n "$missing" ] || mount -o "loop$options" "/tmp/$type.img" "$home" 2>/dev/null ||
		missing="a kernel that mounts $type with ${options#,}"
	[ -n "$missing" ] || return 0
	skip "limits on $type" "needs $missing"
	return 1
}
off() {
	umount "$home"
	rm "/tmp/$type.img"
}

for type in ext4 xfs btrfs; do
	case $type in
	ext4) on ext4 ,prjquota mkfs.ext4 -q -O quota,project -E quotatype=prjquota || continue ;;
	xfs) on xfs ,prjquota mkfs.xfs -q || continue ;;
	btrfs) on btrfs "" mkfs.btrfs -q || continue
		succeeds "btrfs: quota groups" btrfs quota enable "$home" ;;
	esac
	chmod 0755 "$home"
	for conf in plain mapped; do
		held "$type" "$conf"
	done
	off
done
finish
