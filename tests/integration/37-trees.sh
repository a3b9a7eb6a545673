#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# A tree that has everything in it goes every way that there is: copies, other names, snapshots and back, archives, other
# ids. Each time every file is the same in everything that can be told of it, as rsync sees it and as tree.py does.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns python3 rsync newuidmap setpriv
sandbox "$0"
users alice
a=a-$tag b=b-$tag c=c-$tag
stores_notes() {
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b""); os.removexattr(sys.argv[1], "user.note")' "$1" 2>/dev/null
}
# Only what a disk keeps is tested on one: memory has other limits.
if [ -w /dev/loop-control ] && command -v mkfs.ext4 >/dev/null && truncate -s 12G /tmp/image &&
	mkfs.ext4 -q -I 512 -O ^has_journal -E lazy_itable_init=1 /tmp/image && mkdir /tmp/disk && mount -o loop /tmp/image /tmp/disk; then
	disk=y
	mkdir -m 0711 /tmp/disk/lxc
	mount --bind /tmp/disk/lxc "$lxcpath"
	mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
else
	disk=
	stores_notes "$lxcpath" || skip_all "loop devices with ext4, or Linux 6.6: this tmpfs has no attributes of users"
	comment "without a loop device and ext4: everything is in memory"
fi
top=$lxcpath/$a root=$lxcpath/$a/rootfs
tree() {
	python3 "$top_srcdir/tests/harness/tree.py" "$@" 2>&1
}
# same WHAT A B KIND...: all of A is in B. Of KIND is said in tree.py; v: it is seen through /proc, where rsync does not go.
same() {
	same_text=$1 same_a=$2 same_b=$3
	shift 3
	tree picture "$same_a" "$@" >"$scratch/one" && tree picture "$same_b" "$@" >"$scratch/two"
	result $? "$same_text: they can be looked at"
	is "$(diff "$scratch/one" "$scratch/two" | cut -c 1-300 | head -n 6)" "" "$same_text: everything is the same"
	# What rsync cannot do: paths that are too long for a call, and it reads the holes.
	case " $* " in
	*" t "* | *" v "*) return ;;
	esac
	without='--exclude=huge --exclude=deep'
	case " $* " in *" s "*) without="$without --exclude=socket" ;; esac
	# shellcheck disable=SC2086 # words
	is "$(rsync -aHAXn --delete --checksum --itemize-changes $without "$same_a/" "$same_b/" 2>&1 | head -n 6)" "" \
		"$same_text: rsync says so too"
}
gone() {
	succeeds "it goes" lxc-destroy -s "$@"
}
key() {
	sed -n "s/^$2 = //p" "$lxcpath/$1/config"
}

succeeds "a container" lxc-create -n "$a" -t busybox
mkdir "$root/data"
is "$(tree make "$root/data")" "" "which has everything in it"
tree picture "$root" >"$scratch/original"
ok "which is much" test "$(wc -l <"$scratch/original")" -gt 1600

# ---- copies

succeeds "lxc-copy" lxc-copy -n "$a" -N "$b" --keep-identity -K -M
same "lxc-copy" "$root" "$lxcpath/$b/rootfs"
gone -n "$b"
succeeds "lxc-copy with a new identity" lxc-copy -n "$a" -N "$b"
same "a new identity" "$root/data" "$lxcpath/$b/rootfs/data"
succeeds "another name" lxc-copy -R -n "$b" -N "$c"
same "another name" "$root/data" "$lxcpath/$c/rootfs/data"
gone -n "$c"
if stores_notes "$scratch"; then
	mkdir -m 0711 "$scratch/elsewhere"
	succeeds "into memory" lxc-copy -n "$a" -N "$b" -p "$scratch/elsewhere" --keep-identity -K -M
	same "into memory" "$root" "$scratch/elsewhere/$b/rootfs"
	succeeds "and back" lxc-copy -P "$scratch/elsewhere" -n "$b" -N "$c" -p "$lxcpath" --keep-identity -K -M
	same "and back" "$root" "$lxcpath/$c/rootfs"
	gone -n "$c"
	succeeds "it goes" lxc-destroy -P "$scratch/elsewhere" -n "$b"
else
	skip "into memory and back" "Linux 6.6: this tmpfs has no attributes of users"
fi

# ---- copies that stand on it

# The root of a running one, from outside.
seen() {
	echo "/proc/$(lxc-info -n "$1" -pH)/root"
}
succeeds "lxc-copy -s" lxc-copy -s -n "$a" -N "$b"
succeeds "start" lxc-start -n "$b"
same "lxc-copy -s" "$root/data" "$(seen "$b")/data" v
# What is written copies up: then the layers are mixed.
lxc-attach -n "$b" -- sh -c 'cd /data && chmod 0700 mode-4711 listed-dir && rm odd-size && echo more >>noted && mv dated/ dated-2 &&
	rm -r names && mkdir names && echo x >names/y && touch linked/name-3 && rm linked/name-4 && echo x >>able && touch -h absolute' 2>"$scratch/said"
is "$(cat "$scratch/said")" "" "much is changed in it"
same_a=$(seen "$b")/data
tree picture "$same_a" h >"$scratch/view"
succeeds "stop" lxc-stop -n "$b" -k
same "its base" "$root" "$root"
is "$(tree picture "$root" | diff "$scratch/original" - | head -n 5)" "" "is what it was"
succeeds "a copy that stands alone" lxc-copy -B dir -n "$b" -N "$c"
is "$(tree picture "$lxcpath/$c/rootfs/data" h | diff "$scratch/view" - | cut -c 1-300 | head -n 6)" "" "has what the layers had together"
gone -n "$c"
succeeds "a snapshot of it" lxc-snapshot -n "$b"
succeeds "restored" lxc-snapshot -n "$b" -r snap0
succeeds "start" lxc-start -n "$b"
is "$(tree picture "$(seen "$b")/data" h | diff "$scratch/view" - | cut -c 1-300 | head -n 6)" "" "has it too"
succeeds "stop" lxc-stop -n "$b" -k
succeeds "an archive of it" sh -c "lxc-export -n $b --no-snapshots | lxc-import -n $c --trust"
tree picture "$lxcpath/$c/rootfs/data" h >"$scratch/two"
is "$(grep -v "^'socket'" "$scratch/view" | diff - "$scratch/two" | cut -c 1-300 | head -n 6)" "" "has it too"
gone -n "$c"
gone -n "$b"
succeeds "lxc-copy -e" lxc-copy -e -n "$a" -N "$b"
same "lxc-copy -e" "$root/data" "$(seen "$b")/data" v
succeeds "stop" lxc-stop -n "$b" -k
ok "it has gone" eventually 10 test ! -e "$lxcpath/$b"

# ---- snapshots

succeeds "lxc-snapshot" lxc-snapshot -n "$a"
same "lxc-snapshot" "$root" "$top/snaps/snap0/rootfs"
chmod -R u+w "$root/data" && rm -rf "$root/data/names" "$root/data/deep" "$root/bin" && echo x >"$root/data/empty"
succeeds "restored" lxc-snapshot -n "$a" -r snap0
is "$(tree picture "$root" | diff "$scratch/original" - | cut -c 1-300 | head -n 6)" "" "it is what it was"
succeeds "under another name" lxc-snapshot -n "$a" -r snap0 -N "$b"
same "under another name" "$root/data" "$lxcpath/$b/rootfs/data"
gone -n "$b"

# ---- archives

succeeds "lxc-export" lxc-export -n "$a" "$scratch/a.tar.zst"
fails 1 "lxc-import without trust" lxc-import -n "$b" "$scratch/a.tar.zst"
like "$err" "data/disk(-again)?', the device 259:1048575" "does not take a disk of the host"
succeeds "lxc-import" lxc-import -n "$b" --trust "$scratch/a.tar.zst"
# The name is another.
for file in hostname hosts; do
	[ ! -e "$root/etc/$file" ] || cp -p "$root/etc/$file" "$lxcpath/$b/rootfs/etc/$file"
done
touch -r "$root/etc" "$lxcpath/$b/rootfs/etc"
same "lxc-import" "$root" "$lxcpath/$b/rootfs" s
same "its snapshot" "$top/snaps/snap0/rootfs" "$lxcpath/$b/snaps/snap0/rootfs" s
succeeds "of what was imported" sh -c "lxc-export --no-snapshots -n $b | lxc-import -n $c --trust"
same "of what was imported" "$root/data" "$lxcpath/$c/rootfs/data" s
gone -n "$c"
gone -n "$b"
rm "$scratch/a.tar.zst"
find "$root/data" -maxdepth 2 -type b -delete
touch -d @1111111111.111111111 "$root/data"
succeeds "one without disks" sh -c "lxc-export --no-snapshots -n $a | lxc-import -n $b"
same "one without disks" "$root/data" "$lxcpath/$b/rootfs/data" s t
gone -n "$b"

# ---- other ids

for to in 1000000:3000000000 1200000:3000000500; do
	cat >"$scratch/map-${to%%:*}" <<-END
	lxc.idmap = u 0 ${to%%:*} 150000
	lxc.idmap = g 0 ${to%%:*} 150000
	lxc.idmap = u 3000000000 $((${to#*:} + 200000000)) 100
	lxc.idmap = g 3000000000 $((${to#*:} + 200000000)) 100
	END
done
: >"$scratch/plain"
succeeds "lxc-snapshot" lxc-snapshot -n "$a" -d ALL
succeeds "with a snapshot" lxc-snapshot -n "$a"
tree picture "$root" d >"$scratch/original"
succeeds "lxc-remap" lxc-remap -n "$a" -f "$scratch/map-1000000"
is "$(find "$root" -maxdepth 4 -uid -1000000 | head -n 3)" "" "nothing is left behind"
is "$(stat -c %u:%g "$root/data/high")" 3200000001:3200000002 "high ids have places of their own"
tree picture "$root" >"$scratch/mapped"
succeeds "a copy of it" lxc-copy -n "$a" -N "$b" --keep-identity -K -M
same "a copy of it" "$root" "$lxcpath/$b/rootfs"
gone -n "$b"
succeeds "an archive of it" sh -c "lxc-export -n $a | lxc-import -n $b"
same "an archive of it" "$root/data" "$lxcpath/$b/rootfs/data" s t
same "its snapshot" "$top/snaps/snap0/rootfs/data" "$lxcpath/$b/snaps/snap0/rootfs/data" s t
gone -n "$b"
succeeds "as a privileged one" sh -c "lxc-export --no-snapshots -n $a | lxc-import -n $b -f $scratch/plain"
tree picture "$lxcpath/$b/rootfs/data" t >"$scratch/privileged"
gone -n "$b"
succeeds "on to other ids" lxc-remap -n "$a" -f "$scratch/map-1200000"
same "its snapshot" "$root" "$top/snaps/snap0/rootfs"
succeeds "and back to those before" lxc-remap -n "$a" -f "$scratch/map-1000000"
is "$(tree picture "$root" | diff "$scratch/mapped" - | cut -c 1-300 | head -n 6)" "" "it is what it was"
succeeds "restored" lxc-snapshot -n "$a" -r snap0
is "$(tree picture "$root" | diff "$scratch/mapped" - | cut -c 1-300 | head -n 6)" "" "the snapshot is the same"
succeeds "to privileged" lxc-remap -n "$a" --privileged
is "$(tree picture "$root" d | diff "$scratch/original" - | cut -c 1-300 | head -n 6)" "" "everything is what it was at first"
tree picture "$root/data" s d t >"$scratch/one"
is "$(diff "$scratch/one" "$scratch/privileged" | cut -c 1-300 | head -n 6)" "" "the archive of the mapped one had the same"
gone -n "$a"
ok "paths of any length are destroyed" test ! -e "$top"

# ---- an ordinary user's

home=/home/alice/.local/share/lxc
[ -z "$disk" ] || { mkdir -m 0711 /tmp/disk/alice && home=/tmp/disk/alice/lxc && chown alice /tmp/disk/alice; }
cp "$top_srcdir/tests/harness/tree.py" "$scratch/tree.py" && chmod 0644 "$scratch/tree.py"
u() {
	u_tool=$1
	shift
	as alice "$u_tool" -P "$home" "$@"
}
ok "a user's container" u lxc-create -n "$a" -t busybox
root=$home/$a/rootfs
# Made by his root, where that may go.
base=$(stat -c %u "$root") made=${home%/.local/share/lxc}/made
chmod 0711 /home/alice && install -d -o "$base" -g "$base" "$made"
ok "which has all that a user may have in it" as alice lxc-usernsexec -- python3 "$scratch/tree.py" make "$made" nodevices notrusted lowids
mv "$made" "$root/data"
like "$(getcap -n "$root/data/able")" "rootid=" "capabilities that count for him"
tree picture "$root" >"$scratch/original"
ok "which is much" test "$(wc -l <"$scratch/original")" -gt 1600
ok "a user's copy" u lxc-copy -n "$a" -N "$b" --keep-identity -K -M
same "a user's copy" "$root" "$home/$b/rootfs"
ok "it goes" u lxc-destroy -n "$b"
ok "a user's snapshot" u lxc-snapshot -n "$a"
same "a user's snapshot" "$root" "$home/$a/snaps/snap0/rootfs"
chmod 0700 "$root/data/listed-dir" && rm -r "$root/data/names" "$root/data/deep"
ok "restored" u lxc-snapshot -n "$a" -r snap0
is "$(tree picture "$root" | diff "$scratch/original" - | cut -c 1-300 | head -n 6)" "" "it is what it was"
ok "a user's archive" u lxc-export -n "$a" "/home/alice/a.tar.zst"
ok "comes in again" u lxc-import -n "$b" "/home/alice/a.tar.zst"
same "a user's archive" "$root/data" "$home/$b/rootfs/data" s
ok "it goes" u lxc-destroy -s -n "$b"
ok "root takes it" lxc-import -n "$b" -f "$scratch/plain" "/home/alice/a.tar.zst"
is "$(stat -c %u:%g "$lxcpath/$b/rootfs/data/high")" 1005:1006 "with the owners that it sees"
gone -n "$b"
for file in subuid subgid; do
	echo "alice:1800000000:65536" >>"$scratch/etc/$file"
done
ok "other ids" u lxc-remap -n "$a" -m 'u 0 1800000000 65536' -m 'g 0 1800000000 65536'
is "$(find "$root" -maxdepth 4 -uid -1800000000 | head -n 3)" "" "are on all of it"
ok "and back" u lxc-remap -n "$a"
is "$(tree picture "$root" | diff "$scratch/original" - | cut -c 1-300 | head -n 6)" "" "it is what it was"
ok "it goes" u lxc-destroy -s -n "$a"
ok "all of it" test ! -e "$home/$a"

if [ -n "$disk" ]; then
	umount "$lxcpath" /tmp/disk
	mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
fi
finish
