#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Disks that are really full, whose quota is used up, that break while they are written, and processes that may not
# write more: whatever moves data then fails with the cause and the place, leaves what there was, and works afterwards.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools cgroup userns zstd strace
sandbox "$0"
a=a-$tag b=b-$tag o=o-$tag
: >"$scratch/plain.conf"
printf 'lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n' >"$scratch/mapped.conf"
cat >"$scratch/template" <<'SH'
#!/bin/sh
for arg; do case $arg in --rootfs=*) root=${arg#--rootfs=} ;; esac; done
cd "$root" && mkdir -p etc sub/deep && head -c 300000 /dev/urandom >sub/large && ln sub/large sub/second && ln -s large sub/link || exit
i=0
while [ $i -lt 40 ]; do
	i=$((i + 1))
	mkdir "sub/d$i" && head -c 9000 /dev/urandom >"sub/d$i/file" || exit
done
SH
chmod 0755 "$scratch/template"
disk=$scratch/disk
mkdir "$disk"

# What there is of a container: kinds, modes, sizes, links and contents.
picture() {
	(cd "$1" 2>/dev/null && find . ! -path './snaps/*/ts' -printf '%P %y %m %n %l\n' | sort && find . -type f -exec cksum {} + | sort)
}
all() {
	picture "$disk" | grep -v "^ \|^lost+found "
}

# plant: the containers of a fresh disk: a with a snapshot, and an archive of it.
plant() {
	mkdir -m 0711 "$disk/out" &&
		lxc-create -P "$disk" -n "$a" -t "$scratch/template" -f "$scratch/plain.conf" >/dev/null &&
		lxc-snapshot -P "$disk" -n "$a" &&
		head -c 250000 /dev/urandom >"$disk/$a/rootfs/sub/large" &&
		echo old >"$disk/out/a.tar.zst" &&
		lxc-create -P "$disk" -n "$o" -t none -f "$scratch/plain.conf"
}

# What is tried; each makes b, or changes a.
operations() {
	cat <<-END
	copy lxc-copy -P $disk -n $a -N $b
	overlay lxc-copy -P $disk -s -n $a -N $b
	create lxc-create -P $disk -n $b -t $scratch/template -f $scratch/plain.conf
	import lxc-import -P $disk -n $b $scratch/a.tar.zst
	snapshot lxc-snapshot -P $disk -n $a
	restore lxc-snapshot -P $disk -n $a -r snap0
	another lxc-snapshot -P $disk -n $a -r snap0 -N $b
	remap lxc-remap -P $disk -n $a -f $scratch/mapped.conf
	export lxc-export -P $disk -n $a $disk/out/a.tar.zst
	rename lxc-copy -P $disk -R -n $o -N $b
	END
}

# try WHAT PATTERN: runs $command; a failure has to say PATTERN and to leave all as it was, a success to be one.
try() {
	tried=$((tried + 1))
	before=$(all)
	run sh -c "$command"
	if [ "$status" -eq 0 ]; then
		succeeded=$((succeeded + 1))
		return
	fi
	printf '%s\n' "$err" | tr '\n' ' ' | grep -Eq "$2" || bad="$bad
$1: says $err"
	[ "$(all)" = "$before" ] || bad="$bad
$1: something has changed: $(all >"$scratch/now"; printf '%s\n' "$before" | diff - "$scratch/now" | head -n 4)"
	[ "$status" -lt 125 ] || bad="$bad
$1: ends with $status"
}

# as_it_should: what a success of the operation has made.
as_it_should() {
	case $1 in
	copy | create | import | another) [ "$(find "$disk/$b/rootfs/sub" | wc -l)" -eq 85 ] && [ ! -e "$disk/$b/partial" ] ;;
	overlay) [ -e "$disk/$b/config" ] && [ ! -e "$disk/$b/partial" ] ;;
	snapshot) [ "$(picture "$disk/$a/snaps/snap1/rootfs")" = "$(picture "$disk/$a/rootfs")" ] ;;
	restore) [ "$(picture "$disk/$a/snaps/snap0/rootfs")" = "$(picture "$disk/$a/rootfs")" ] ;;
	remap) [ "$(find "$disk/$a/rootfs" -printf '%U\n' | sort -u)" = 100000 ] ;;
	export) lxc-import --show "$disk/out/a.tar.zst" >/dev/null ;;
	rename) [ -e "$disk/$b/config" ] && [ ! -e "$disk/$o" ] ;;
	esac
}

# renew: the disk is as it was planted; the archive too.
renew() {
	find "$disk" -mindepth 1 -delete 2>/dev/null
	cp -a "$scratch/base/." "$disk/"
}

# squeeze HOW: every operation with less and less room, until it works. HOW: leave N units.
squeeze() {
	leave=$1 pattern=$2 first=$3
	operations | while read -r word command; do
		tried=0 succeeded=0 bad='' room=$first
		while [ "$succeeded" -eq 0 ] && [ "$tried" -lt 14 ]; do
			renew
			$leave "$room"
			try "$word with $room" "$pattern"
			[ "$status" -ne 0 ] || as_it_should "$word" || bad="$bad
$word with $room: is not as it should be"
			# Destroying is the way out, and needs none.
			[ "$room" -gt 0 ] || [ "$leave" = leave_inodes ] || lxc-destroy -P "$disk" -s -n "$a" >/dev/null 2>"$scratch/err" || [ "$word" = rename ] ||
				[ -e "$disk/$b/lxc_rdepends" ] || bad="$bad
$word: cannot be destroyed on a full disk: $(cat "$scratch/err")"
			make_room
			room=$((room * 2 + first_step))
		done
		[ "$succeeded" -gt 0 ] || bad="$bad
$word: never works: $err"
		printf '%s\t%s\t%s\n' "$word" "$tried" "$(printf '%s' "$bad" | tr '\n' '|')"
	done >"$scratch/report"
	while IFS="$(printf '\t')" read -r word tries bad; do
		is "$(printf '%s' "$bad" | tr '|' '\n')" "" "$what: $word, after $tries tries"
	done <"$scratch/report"
}

# ---- memory, which can be made smaller

mount -t tmpfs -o mode=0711,size=64M tmpfs "$disk"
ok "containers on a disk" plant
succeeds "an archive" lxc-export -P "$disk" -n "$a" "$scratch/a.tar.zst"
mkdir "$scratch/base" && cp -a "$disk/." "$scratch/base/"
make_room() {
	mount -o remount,size=64M,nr_inodes=100000 "$disk"
}
leave_blocks() {
	mount -o "remount,size=$(($(df -k --output=used "$disk" | tail -n 1) + $1))k" "$disk"
}
leave_inodes() {
	mount -o "remount,nr_inodes=$(($(df --output=iused "$disk" | tail -n 1) + $1))" "$disk"
}
what="a full disk" first_step=30
squeeze leave_blocks "$disk.*(is full|No space left)|(is full|No space left).*$disk" 0
what="no more files" first_step=3
squeeze leave_inodes "$disk.*(is full|No space left)|(is full|No space left).*$disk" 0
umount "$disk"

# ---- quotas

mount -t tmpfs -o mode=0711,size=64M tmpfs "$disk"
renew
# The users of a kernel with quotas meet this where others meet a full disk.
for word in copy snapshot restore remap import export; do
	command=$(operations | sed -n "s/^$word //p")
	before=$(all)
	calls=copy_file_range,pwrite64
	[ "$word" != export ] || calls="write"
	run strace -f -qq -o "$scratch/trace" -e trace=$calls -e inject=$calls:error=EDQUOT:when=3 sh -c "exec $command"
	is "$status" 1 "$word over a quota fails"
	like "$err" "the quota on the file system of $disk/.* is used up" "which is said"
	is "$(all)" "$before" "and leaves what there was"
done
umount "$disk"

# ---- a process that may not write more

mount -t tmpfs -o mode=0711,size=64M tmpfs "$disk"
for ignored in "trap '' XFSZ; " ""; do
	operations | while read -r word command; do
		tried=0 succeeded=0 bad='' status=0
		renew
		command="${ignored}ulimit -f 200; exec $command"
		before=$(all)
		run sh -c "$command"
		if [ "$status" -eq 0 ]; then
			as_it_should "$word" || bad="$word: is not as it should be"
		elif [ -n "$ignored" ]; then
			printf '%s\n' "$err" | grep -q 'File too large\|SIGXFSZ' || [ "$word" = create ] || bad="$word: says $err"
			[ "$(all)" = "$before" ] || bad="$bad $word: something has changed"
		else
			lxc-ls -P "$disk" >/dev/null 2>&1
			[ ! -e "$disk/$b" ] && [ ! -e "$disk/.$b.new" ] || lxc-destroy -P "$disk" -n "$b" >/dev/null 2>"$scratch/err" || bad="$bad $word: cannot be removed: $(cat "$scratch/err")"
			lxc-snapshot -P "$disk" -n "$a" -d snap1 >/dev/null 2>&1
			lxc-snapshot -P "$disk" -n "$a" -L >/dev/null 2>&1
			[ "$(all)" = "$before" ] || bad="$bad $word: something is left: $(all >"$scratch/now"; printf '%s\n' "$before" | diff - "$scratch/now" | head -n 4)"
		fi
		printf '%s\t%s\t%s\n' "$word" "$status" "$(printf '%s' "$bad" | tr '\n' '|')"
	done >"$scratch/report"
	while IFS="$(printf '\t')" read -r word ended bad; do
		is "$bad" "" "files of 100 KiB at most${ignored:+, signal ignored}: $word ends with $ended"
	done <"$scratch/report"
done
umount "$disk"

# ---- disks that break

# An image that lies where there is no room for it: what is written to new places fails, and only later.
if [ -w /dev/loop-control ] && command -v mkfs.ext4 >/dev/null && command -v fstrim >/dev/null; then
	# No file more can be made there, as on memory; but a file may get another name.
	truncate -s 16M /tmp/image
	mkfs.ext4 -q -N 256 /tmp/image
	mount -o loop /tmp/image "$disk"
	chmod 0711 "$disk"
	mkdir "$disk/$o"
	cp "$scratch/base/$o/config" "$disk/$o/config"
	i=0
	while true >"$disk/out-$i"; do i=$((i + 1)); done 2>/dev/null
	is "$(df --output=iavail "$disk" | tail -n 1 | tr -d ' ')" 0 "a disk without room for one more file"
	succeeds "something on it can be destroyed" lxc-destroy -P "$disk" -n "$o"
	ok "and is gone" test ! -e "$disk/$o"
	umount "$disk"
	rm /tmp/image

	image=/tmp/below/$tag
	mkdir /tmp/below
	mount -t tmpfs -o size=100M tmpfs /tmp/below
	truncate -s 80M "$image"
	mkfs.ext4 -q -b 4096 -O ^has_journal -E lazy_itable_init=0,nodiscard "$image"
	# A loop device does not report that a part of a write was left out: each is to be one page.
	attach() {
		mount -o "loop,errors=continue$1" "$image" "$disk"
		echo 4 >"/sys/dev/block/$(mountpoint -d "$disk")/queue/max_sectors_kb"
	}
	attach ''
	chmod 0711 "$disk"
	ok "containers on a disk" plant
	# What has been deleted has no place either.
	fstrim "$disk"
	umount "$disk"
	cp --sparse=always "$image" "$scratch/image"
	fresh() {
		# The one before goes with its loop device, in a moment.
		eventually 10 sh -c "! losetup -a | grep -q $image"
		rm "$image"
		mount -o remount,size=100M /tmp/below
		cp --sparse=always "$scratch/image" "$image"
		attach ''
	}
	for word in restore remap import export; do
		fresh
		command=$(operations | sed -n "s/^$word //p")
		whole=$(picture "$disk/$a" | sed -n '/^rootfs\|rootfs/p')
		# The configuration, which is waited for, still gets there. Of the one file of an archive nothing may.
		some=16
		[ "$word" != export ] || some=0
		mount -o "remount,size=$(($(df -k --output=used /tmp/below | tail -n 1) + some))k" /tmp/below
		run sh -c "$command"
		is "$status" 1 "$word on a disk that breaks fails"
		like "$err" "(cannot write $disk/.* to its disk|cannot write $disk/out/a.tar.zst): |the file system of $disk/.* is full" "and says where"
		# What the disk has, not what memory has.
		umount "$disk"
		mount -o remount,size=100M /tmp/below
		attach ,ro
		is "$(picture "$disk/$a" | sed -n '/^rootfs\|rootfs/p')" "$whole" "$word: the old one is whole, on the disk"
		[ "$word" != export ] || is "$(head -c 3 "$disk/out/a.tar.zst" | od -c | head -n 1)" "$(printf old | od -c | head -n 1)" "and so is the old archive"
		umount "$disk"
	done
	umount /tmp/below
else
	skip "disks that break" "needs loop devices, mkfs.ext4 and fstrim"
fi
finish
