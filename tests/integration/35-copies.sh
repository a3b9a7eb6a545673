#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Copies, other names, snapshots and throwaway containers, and who stands on whose data.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup rsync
sandbox "$0"
a=a-$tag b=b-$tag s=s-$tag r=r-$tag
top=$lxcpath/$a

succeeds "a container to copy" lxc-create -n "$a" -t busybox
echo "$a" >"$top/rootfs/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 %s.example.net %s other%s # %s\n' "$a" "$a" "$a" "$a" >"$top/rootfs/etc/hosts"
echo 0123456789abcdef0123456789abcdef >"$top/rootfs/etc/machine-id"
mkdir -p "$top/rootfs/var/lib/dhcp" "$top/rootfs/var/lib/systemd" "$top/rootfs/data"
echo lease >"$top/rootfs/var/lib/dhcp/dhclient.eth0.leases"
echo seed >"$top/rootfs/var/lib/systemd/random-seed"
echo one >"$top/rootfs/data/one"
ln "$top/rootfs/data/one" "$top/rootfs/data/uno"
ln -s /etc/shadow "$top/rootfs/data/link"
truncate -s 64M "$top/rootfs/data/sparse"
mkfifo "$top/rootfs/data/fifo"
chmod 4711 "$top/rootfs/data/one"
touch -d '2001-02-03 04:05:06' "$top/rootfs/data/one"
cat >"$top/hook.sh" <<'END'
#!/bin/sh
{
	echo "args: $*"
	env | grep '^LXC_' | sort
	echo "sees: $(cat "$LXC_ROOTFS_MOUNT/data/one")"
} >/run/test/hook.out
END
chmod 755 "$top/hook.sh"
echo "proc proc proc defaults 0 0" >"$top/fstab"
mkdir -p "$top/up" "$top/wk" && echo up >"$top/up/file"
cat >>"$top/config" <<END
lxc.hook.clone = $top/hook.sh
lxc.mount.fstab = $top/fstab
lxc.console.logfile = $top/console.log
lxc.mount.entry = /etc mnt overlay lowerdir=/etc,upperdir=$top/up,workdir=$top/wk 0 0
END
same() {
	rsync -aHAXn --delete --itemize-changes "$1/" "$2/" 2>/dev/null || diff -r --no-dereference "$1" "$2" 2>&1
}
key() {
	sed -n "s/^$2 = //p" "$lxcpath/$1/config"
}

# ---- a copy

succeeds "lxc-copy" lxc-copy -n "$a" -N "$b" -- first "second one"
is "$out$err" "" "says nothing when all is well"
is "$(key "$b" lxc.rootfs.path)" "dir:$lxcpath/$b/rootfs" "the copy has a root of its own"
is "$(key "$b" lxc.uts.name)" "$b" "and a host name"
like "$(key "$b" lxc.net.0.hwaddr)" '^10:66:6a:' "and a hardware address"
ok "another one" test "$(key "$b" lxc.net.0.hwaddr)" != "$(key "$a" lxc.net.0.hwaddr)"
is "$(key "$b" lxc.hook.clone)" "$lxcpath/$b/hook.sh" "the hook in the directory came along"
ok "as a file" test -x "$lxcpath/$b/hook.sh"
is "$(key "$b" lxc.mount.fstab)" "$lxcpath/$b/fstab" "the fstab came along"
is "$(key "$b" lxc.console.logfile)" "$lxcpath/$b/console.log" "the console has a log of its own"
like "$(key "$b" lxc.mount.entry)" "upperdir=$lxcpath/$b/up,workdir=$lxcpath/$b/wk" "an overlay has layers of its own"
is "$(cat "$lxcpath/$b/up/file")" up "with what was in them"
is "$(cat "$lxcpath/$b/rootfs/etc/hostname")" "$b" "the root knows its name"
is "$(sed -n 2p "$lxcpath/$b/rootfs/etc/hosts")" "127.0.1.1 $b.example.net $b other$a # $a" "the table of hosts follows"
is "$(cat "$lxcpath/$b/rootfs/etc/machine-id")" "" "the machine-id is empty"
ok "no lease is left" test ! -e "$lxcpath/$b/rootfs/var/lib/dhcp/dhclient.eth0.leases"
ok "no seed is left" test ! -e "$lxcpath/$b/rootfs/var/lib/systemd/random-seed"
is "$(same "$top/rootfs/data" "$lxcpath/$b/rootfs/data")" "" "all else is the same"
is "$(stat -c %i "$lxcpath/$b/rootfs/data/one")" "$(stat -c %i "$lxcpath/$b/rootfs/data/uno")" "two names of a file stay two names"
ok "holes stay holes" test "$(stat -c %b "$lxcpath/$b/rootfs/data/sparse")" -lt 100
like "$(cat "$scratch/hook.out")" "^args: $b lxc clone first second one\$" "the hook got its arguments"
for want in "LXC_SRC_NAME=$a" "LXC_NAME=$b" "LXC_CONFIG_FILE=$lxcpath/$b/config" \
	"LXC_ROOTFS_MOUNT=$lxcpath/$b/rootfs" "LXC_ROOTFS_PATH=dir:$lxcpath/$b/rootfs" "sees: one"; do
	like "$(cat "$scratch/hook.out")" "^$want\$" "and $want"
done
fails 1 "the name again" lxc-copy -n "$a" -N "$b"
like "$err" "container $b exists already in $lxcpath" "is refused"
fails 1 "a copy of nothing" lxc-copy -n nosuch -N "$s"
like "$err" "container nosuch does not exist" "is refused"
fails 1 "a bad name" lxc-copy -n "$a" -N ../x
like "$err" "not a valid container name" "is refused"
fails 1 "no name" lxc-copy -n "$a"
like "$err" "no name for the copy" "is refused"
for option in -F -D -t '-m bind=/etc'; do
	# shellcheck disable=SC2086 # two words
	fails 1 "$option without -e" lxc-copy -n "$a" -N "$s" $option
	like "$err" "works only with --ephemeral" "is refused"
done
succeeds "a copy that keeps who it is" lxc-copy -n "$a" -N "$s" -K -M --keep-identity
is "$(key "$s" lxc.uts.name)" "$a" "keeps the name"
is "$(key "$s" lxc.net.0.hwaddr)" "$(key "$a" lxc.net.0.hwaddr)" "the address"
is "$(same "$top/rootfs" "$lxcpath/$s/rootfs")" "" "and all of the root"
succeeds "it goes" lxc-destroy -n "$s"
mkdir "$scratch/elsewhere"
succeeds "a copy elsewhere" lxc-copy -n "$a" -N "$a" -p "$scratch/elsewhere"
is "$(sed -n 's/^lxc.rootfs.path = //p' "$scratch/elsewhere/$a/config")" "dir:$scratch/elsewhere/$a/rootfs" "lies there"
succeeds "it goes" lxc-destroy -P "$scratch/elsewhere" -n "$a"

printf '#!/bin/sh\nexit 7\n' >"$top/hook.sh"
fails 1 "a hook that fails" lxc-copy -n "$a" -N "$s"
like "$err" "clone hook '.*' failed: exit status 7" "says so"
ok "nothing is left" test ! -e "$lxcpath/$s"
is "$(ls -A "$lxcpath")" "$a
$b" "nothing at all"
printf '#!/bin/sh\nexit 0\n' >"$top/hook.sh"

succeeds "start" lxc-start -n "$a"
fails 1 "what runs is not copied" lxc-copy -n "$a" -N "$s"
like "$err" "container $a is running" "unless that is asked for"
succeeds "--allowrunning" lxc-copy -n "$a" -N "$s" -a
is "$(lxc-info -n "$a" -s -H)" RUNNING "afterwards it runs on"
fails 1 "what runs is not renamed" lxc-copy -R -n "$a" -N "$r"
like "$err" "container $a is running" "with the reason"
succeeds "stop" lxc-stop -n "$a" -k
succeeds "the copy starts" lxc-start -n "$s"
is "$(lxc-attach -n "$s" -- hostname)" "$s" "under its name"
succeeds "stop" lxc-stop -n "$s" -k
succeeds "it goes" lxc-destroy -n "$s"

# ---- sharing data

succeeds "a snapshot copy" lxc-copy -s -n "$a" -N "$s"
is "$(key "$s" lxc.rootfs.path)" "overlay:$top/rootfs:$lxcpath/$s/overlay/delta" "is an overlay"
is "$(cat "$lxcpath/$s/lxc_rdepends")" "$lxcpath
$a" "which knows its base"
is "$(cat "$top/lxc_snapshots")" "$lxcpath
$s" "which knows of it"
before=$(find "$top" | sort)
fails 1 "the base is not destroyed" lxc-destroy -n "$a"
like "$err" "other containers stand on the data of $a: $s" "and the message lists who stands on it"
fails 1 "not renamed either" lxc-copy -R -n "$a" -N "$r"
like "$err" "other containers stand on the data of $a: $s" "with the same reason"
is "$(find "$top" | sort)" "$before" "nothing of it has gone"
succeeds "a snapshot of it" lxc-snapshot -n "$a"
fails 1 "restored in place it is not" lxc-snapshot -n "$a" -r snap0
like "$err" "other containers stand on the data of $a: $s" "with the same reason"
succeeds "but under another name" lxc-snapshot -n "$a" -r snap0 -N "$r"
is "$(cat "$lxcpath/$r/rootfs/data/one")" "$(cat "$top/rootfs/data/one")" "with its data"
succeeds "that goes" lxc-destroy -n "$r"
succeeds "and the snapshot" lxc-snapshot -n "$a" -d snap0
rmdir "$top/snaps" 2>/dev/null
succeeds "the snapshot copy starts" lxc-start -n "$s"
lxc-attach -n "$s" -- sh -c 'echo two >/data/one; hostname' >"$scratch/name"
is "$(cat "$scratch/name")" "$s" "under its name"
succeeds "stop" lxc-stop -n "$s" -k
is "$(cat "$top/rootfs/data/one")" one "the base is as it was"
succeeds "a snapshot copy of that" lxc-copy -s -n "$s" -N "$r"
is "$(lxc-start -n "$r" && lxc-attach -n "$r" -- cat /data/one && lxc-stop -k -n "$r")" two "has its changes"
like "$(cat "$top/lxc_snapshots")" "^$r\$" "and is known to the base"
succeeds "a copy of it that stands by itself" lxc-copy -B dir -n "$r" -N "$r-2"
is "$(cat "$lxcpath/$r-2/rootfs/data/one")" two "is whole"
ok "and needs nobody" test ! -e "$lxcpath/$r-2/lxc_rdepends"
succeeds "it goes" lxc-destroy -n "$r-2"
succeeds "the second goes" lxc-destroy -n "$r"
succeeds "the snapshot copy goes" lxc-destroy -n "$s"
ok "the base is free" test ! -e "$top/lxc_snapshots"
printf '%s\n%s\n' "$lxcpath" gone >"$top/lxc_snapshots"

# ---- another name

succeeds "one that is gone does not count: rename" lxc-copy -R -n "$a" -N "$r"
ok "the old name is free" test ! -e "$top"
is "$(key "$r" lxc.rootfs.path)" "dir:$lxcpath/$r/rootfs" "the root has moved"
is "$(key "$r" lxc.uts.name)" "$r" "the host name is the new one"
is "$(cat "$lxcpath/$r/rootfs/etc/hostname")" "$r" "in the root too"
is "$(key "$r" lxc.hook.clone)" "$lxcpath/$r/hook.sh" "the hook has moved"
is "$(cat "$lxcpath/$r/rootfs/etc/machine-id")" 0123456789abcdef0123456789abcdef "it is the same machine"
fails 1 "a name that is taken" lxc-copy -R -n "$r" -N "$b"
like "$err" "container $b exists already" "is refused"
succeeds "it starts" lxc-start -n "$r"
succeeds "stop" lxc-stop -n "$r" -k
succeeds "and back" lxc-copy -R -n "$r" -N "$a"
succeeds "b goes" lxc-destroy -n "$b"
# A rename cut off between its two steps.
cp "$top/config" "$top/.config.for.$r"
sed -i "s|$top|$lxcpath/$r|g" "$top/.config.for.$r"
mv "$top" "$lxcpath/$r"
succeeds "one that was cut off is finished by the next command" lxc-info -n "$r"
is "$(key "$r" lxc.rootfs.path)" "dir:$lxcpath/$r/rootfs" "with the paths of the new name"
succeeds "and back" lxc-copy -R -n "$r" -N "$a"

# ---- snapshots

is "$(lxc-snapshot -n "$a" -L)" "No snapshots" "there are none"
echo "before the change" >"$scratch/comment"
succeeds "a snapshot" lxc-snapshot -n "$a" -c "$scratch/comment"
is "$out$err" "" "says nothing"
like "$(lxc-snapshot -n "$a" -L)" "^snap0 \($top/snaps\) [0-9]{4}:[0-9]{2}:[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\$" "is listed"
is "$(lxc-snapshot -n "$a" -L -C | sed -n 2p)" "before the change" "with its comment"
like "$(lxc-snapshot -n "$a" -L --long | sed -n 2p)" "^snap0 .* [0-9]+[smhd] .*(B|bytes) .*before the change" "and in a table"
like "$(lxc-snapshot -n "$a" -L --json)" '"name":"snap0".*"complete":true,"created":[0-9]+,"age":[0-9]+,"used":[0-9]+,"exclusive":null,"comment":"before the change' "and as JSON"
is "$(same "$top/rootfs" "$top/snaps/snap0/rootfs")" "" "it is the same, file by file"
is "$(sed -n 's/^lxc.net.0.hwaddr = //p' "$top/snaps/snap0/config")" "$(key "$a" lxc.net.0.hwaddr)" "and by its address"
succeeds "start" lxc-start -n "$a"
lxc-attach -n "$a" -- sh -c 'echo two >/data/one'
succeeds "a snapshot of what runs" lxc-snapshot -n "$a"
is "$(lxc-info -n "$a" -s -H)" RUNNING "which runs on"
fails 1 "nothing takes its place" lxc-snapshot -n "$a" -r snap0
like "$err" "container $a is running" "while it runs"
succeeds "stop" lxc-stop -n "$a" -k
is "$(cat "$top/snaps/snap1/rootfs/data/one")" two "the second has the change"
echo notes >"$top/notes"
rm -rf "$top/rootfs/bin"
mac=$(key "$a" lxc.net.0.hwaddr)
succeeds "restore" lxc-snapshot -n "$a" -r snap0
is "$(same "$top/snaps/snap0/rootfs" "$top/rootfs")" "" "everything is as it was"
is "$(key "$a" lxc.net.0.hwaddr)" "$mac" "the address too"
is "$(key "$a" lxc.rootfs.path)" "dir:$top/rootfs" "in its place"
is "$(lxc-snapshot -n "$a" -L | cut -d ' ' -f 1 | tr '\n' ' ')" "snap0 snap1 " "the snapshots are still there"
is "$(cat "$top/notes")" notes "and what else was in the directory"
is "$(ls -A "$lxcpath")" "$a" "nothing else is left"
succeeds "under another name" lxc-snapshot -n "$a" -r snap1 -N "$b"
is "$(cat "$lxcpath/$b/rootfs/data/one")" two "it is another container"
is "$(key "$b" lxc.uts.name)" "$b" "with its own name"
fails 1 "a snapshot that is not there" lxc-snapshot -n "$a" -r snap7
like "$err" "there is no snapshot snap7 of container $a" "is named"
ok "and nothing is touched" test -x "$top/rootfs/bin/busybox"
fails 1 "nor destroyed" lxc-snapshot -n "$a" -d snap7
fails 1 "the container is not destroyed" lxc-destroy -n "$a"
like "$err" "has snapshots in $top/snaps" "while it has snapshots"
fails 1 "nor renamed" lxc-copy -R -n "$a" -N "$r"
like "$err" "has snapshots in $top/snaps" "with the same reason"
succeeds "one goes" lxc-snapshot -n "$a" -d snap0
is "$(lxc-snapshot -n "$a" -L | cut -d ' ' -f 1)" snap1 "the other stays"
succeeds "a new one" lxc-snapshot -n "$a"
is "$(lxc-snapshot -n "$a" -L | cut -d ' ' -f 1 | tr '\n' ' ')" "snap0 snap1 " "takes the free number"
fails 1 "a comment that cannot be read" lxc-snapshot -n "$a" -c /nonexistent
ok "makes none" test ! -e "$top/snaps/snap2"
: >"$top/snaps/snap1/partial"
fails 1 "an incomplete one" lxc-snapshot -n "$a" -r snap1
like "$err" "snapshot snap1 of container $a is not complete" "is not restored"
run lxc-snapshot -n "$a" -L
like "$err" "snapshot snap1 is not complete" "and shown as such"
succeeds "all go" lxc-snapshot -n "$a" -d ALL
ok "with their directory" test ! -e "$top/snaps"

# ---- snapshots of a snapshot copy

succeeds "a snapshot copy" lxc-copy -s -n "$a" -N "$s"
lxc-start -n "$s" && lxc-attach -n "$s" -- sh -c 'echo three >/data/one' && lxc-stop -k -n "$s"
succeeds "a snapshot of it" lxc-snapshot -n "$s"
lxc-start -n "$s" && lxc-attach -n "$s" -- sh -c 'echo four >/data/one; rm /data/uno' && lxc-stop -k -n "$s"
succeeds "restore" lxc-snapshot -n "$s" -r snap0
is "$(cat "$lxcpath/$s/overlay/delta/data/one")" three "the change is back"
lxc-start -n "$s"
is "$(lxc-attach -n "$s" -- cat /data/one /data/uno)" "three
one" "inside too"
lxc-stop -k -n "$s"
fails 1 "the base stays" lxc-destroy -n "$a"
succeeds "all go" lxc-destroy -s -n "$s"
ok "the base is free" test ! -e "$top/lxc_snapshots"

# ---- throwaway copies

succeeds "lxc-copy -e" lxc-copy -e -n "$a" -N "$s" -m "bind=$scratch:/data2:ro,overlay=/etc:/ovl"
is "$out" "Created $s as clone of $a" "says what it made"
is "$(lxc-info -n "$s" -s -H)" RUNNING "it runs"
lxc-attach -n "$s" -- sh -c 'cat /data2/comment; echo x >/data2/x; echo x >/ovl/new-file; echo five >/data/one' >"$scratch/seen" 2>/dev/null
is "$(cat "$scratch/seen")" "before the change" "with the host's directory"
ok "read-only" test ! -e "$scratch/x"
ok "an overlay keeps what is written" test ! -e /etc/new-file
succeeds "stop" lxc-stop -k -n "$s"
ok "and it is gone" eventually 5 test ! -e "$lxcpath/$s"
ok "the base is free" test ! -e "$top/lxc_snapshots"
is "$(cat "$top/rootfs/data/one")" one "and as it was"
succeeds "with a command" lxc-copy -e -n "$a" -- sh -c 'hostname >/run/name; exit 3'
like "$out" "^Created ${a}_[0-9A-Za-z]{6} as clone of $a\$" "it gets a name"
ok "and it is gone" eventually 5 sh -c "[ \"\$(ls -A '$lxcpath' | wc -l)\" -eq 2 ]"
succeeds "kept" lxc-copy -e -D -n "$a" -N "$s"
succeeds "stop" lxc-stop -k -n "$s"
succeeds "it is still there" lxc-info -n "$s"
succeeds "until it is destroyed" lxc-destroy -n "$s"
succeeds "in memory" lxc-copy -e -t -n "$a" -N "$s"
lxc-attach -n "$s" -- sh -c 'echo volatile >/data/new; cat /data/new /data/one; cat /etc/hostname' >"$scratch/seen"
is "$(cat "$scratch/seen")" "volatile
one
$s" "it works as any"
ok "nothing is written to the disk" test ! -e "$lxcpath/$s/overlay/delta/data"
succeeds "stop" lxc-stop -k -n "$s"
ok "and it is gone" eventually 5 test ! -e "$lxcpath/$s"
fails 1 "a mount of nothing" lxc-copy -e -n "$a" -N "$s" -m bind=/nonexistent
like "$err" "'bind=/nonexistent' names something that does not exist" "is refused"
fails 1 "a mount of another kind" lxc-copy -e -n "$a" -N "$s" -m aufs=/etc
like "$err" "is neither bind=" "too"
ok "before anything is made" test ! -e "$lxcpath/$s"

# What a host that went down leaves: no monitor, another boot.
succeeds "one more" lxc-copy -e -n "$a" -N "$s"
monitor=$(grep -alE "^\[lxc monitor\].* $s" /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3)
init=$(lxc-info -n "$s" -p -H)
kill -9 "$monitor" "$init"
eventually 5 test ! -d "/proc/$init"
run lxc-ls -1
is "$out" "$a
$b" "one whose monitor and init were killed is collected by the next command"
ok "all of it" test ! -e "$lxcpath/$s"
succeeds "another" lxc-copy -e -D -n "$a" -N "$s"
succeeds "stop" lxc-stop -k -n "$s"
echo "00000000-0000-0000-0000-000000000000 1 1" >"$lxcpath/$s/ephemeral"
run lxc-ls -1
is "$out" "$a
$b" "one of another boot is collected"
ok "all of it" test ! -e "$lxcpath/$s"

# ---- Ctrl-C in the middle of the largest file: there is neither a half nor a whole, and the original is as it was
head -c 768M /dev/zero >"$lxcpath/$a/rootfs/large"
interrupted() {
	find "$lxcpath" -maxdepth 5 ! -path "*/rootfs/*" ! -name console.log -printf '%p %y %s\n' | sort >"$scratch/before"
	find "$lxcpath" -name large >"$scratch/large"
	env --default-signal=INT "$@" >"$scratch/out" 2>"$scratch/err" &
	copying=$!
	until find "$lxcpath" -name large | grep -qvFxf "$scratch/large" || ! kill -0 "$copying" 2>/dev/null; do
		:
	done
	ok "$* is at work" kill -INT "$copying"
	status=0
	wait "$copying" || status=$?
	is "$status" 130 "$* ends by the signal that interrupted it"
	like "$(cat "$scratch/err")" "interrupted" "and says so"
	is "$(find "$lxcpath" -maxdepth 5 ! -path "*/rootfs/*" ! -name console.log -printf '%p %y %s\n' | sort | diff "$scratch/before" -)" "" "and leaves nothing"
}
interrupted lxc-copy -n "$a" -N "$s"
interrupted lxc-copy -n "$a" -N "$s" --keep-identity
mkdir -p "$lxcpath/$a/snaps"
interrupted lxc-snapshot -n "$a"
is "$(lxc-snapshot -n "$a" -L)" "No snapshots" "and there is none"
succeeds "it starts" lxc-start -n "$a"
interrupted lxc-snapshot -n "$a"
is "$(lxc-info -n "$a" -s -H)" RUNNING "what runs goes on after its snapshot was called off"
succeeds "it stops" lxc-stop -k -n "$a"
succeeds "one that is not called off" lxc-snapshot -n "$a"
echo newer >"$lxcpath/$a/rootfs/newer"
interrupted lxc-snapshot -n "$a" -r snap0
is "$(cat "$lxcpath/$a/rootfs/newer")" newer "what was to be replaced is as it was"
interrupted lxc-snapshot -n "$a" -r snap0 -N "$s"
succeeds "the snapshot is whole" lxc-snapshot -n "$a" -r snap0
ok "and takes its place" [ ! -e "$lxcpath/$a/rootfs/newer" -a -s "$lxcpath/$a/rootfs/large" ]
succeeds "it goes" lxc-snapshot -n "$a" -d snap0

# ---- a copy that was cut off is gone on with: what is whole stays, what has changed since does not
r=$lxcpath/$a/rootfs
mkdir -p "$r/tree/gone" "$r/tree/turns" "$r/tree/deep/er"
for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$r/tree/f$i"; done
ln "$r/tree/f1" "$r/tree/deep/er/other-name"
ln -s f2 "$r/tree/link"
cut_off() {
	lxc-copy -n "$a" -N "$s" "$@" >"$scratch/out" 2>&1 &
	copying=$!
	until [ -e "$lxcpath/$s/rootfs/large" ] || ! kill -0 "$copying" 2>/dev/null; do :; done
	kill -KILL "$copying"
	wait "$copying" 2>/dev/null
	# The last of the tree is what was being written.
	[ "$(stat -c %s "$lxcpath/$s/rootfs/large")" -le "$(stat -c %s "$r/large")" ]
}
alike() {
	rsync -aHAXn --delete --itemize-changes --exclude=/etc --exclude=/var "$r/" "$lxcpath/$s/rootfs/"
}
ok "a copy is killed in the middle" cut_off
lxc-copy -n "$a" -N "$s" --resume -B loop >/dev/null 2>"$scratch/err" && status=0 || status=$?
is "$status" 1 "another kind of storage cannot go on with it"
like "$(cat "$scratch/err")" 'storage of type loop is copied as a whole' "and says so"
run lxc-copy -n "$a" -N "$s"
is "$status" 1 "without --resume it is in the way"
like "$err" "the copy of $a to $s was interrupted
.*lxc-copy --resume -n $a -N $s goes on with it; lxc-destroy -n $s" "which names both ways out"
run lxc-copy -n "$b" -N "$s" --resume
is "$status" 1 "it is no copy of another one"
like "$err" "$s is no interrupted copy of $b" "which is said"
run lxc-start -n "$s"
like "$err" "was interrupted" "nor is it started"
t=$lxcpath/$s/rootfs
mkdir -p "$t/tree"
for i in 1 2 3; do [ -e "$t/tree/f$i" ] || cp -p "$r/tree/f$i" "$t/tree/f$i"; done
kept=$(stat -c %i "$t/tree/f2" "$t/tree/f3")
# The same size and time, and another content; gone; and of another kind.
touch -r "$r/tree/f3" "$scratch/then"
echo x >"$r/tree/f3"
touch -r "$scratch/then" "$r/tree/f3"
rmdir "$r/tree/gone" "$r/tree/turns"
echo file >"$r/tree/turns"
mkdir -p "$t/tree/gone/deep" "$t/tree/turns/deep" "$t/of-its-own"
echo old >"$t/tree/gone/deep/file"
rm -f "$t/tree/link"
mkdir "$t/tree/link"
succeeds "it is gone on with" lxc-copy -n "$a" -N "$s" --resume
is "$(alike)" "" "and is what the original is now"
is "$(stat -c %i "$t/tree/f2")" "${kept%%
*}" "what was whole has stayed"
is "$(cat "$t/tree/f3")" x "what only looked whole was copied again"
ok "the marker is gone" test ! -e "$lxcpath/$s/partial"
run lxc-copy -n "$a" -N "$s" --resume
is "$status" 1 "what is complete is not gone on with"
like "$err" "exists already" "and says so"
succeeds "the copy goes" lxc-destroy -n "$s"
env --default-signal=INT lxc-copy -n "$a" -N "$s" --resume >"$scratch/out" 2>"$scratch/err" &
copying=$!
until [ -e "$lxcpath/$s/rootfs/large" ] || ! kill -0 "$copying" 2>/dev/null; do :; done
kill -INT "$copying"
status=0
wait "$copying" || status=$?
is "$status" 130 "one with --resume is interrupted"
like "$(cat "$scratch/err")" "kept: the same command with --resume goes on" "which says that it is kept"
ok "and is kept" test -d "$lxcpath/$s/rootfs"
succeeds "the same command completes it" lxc-copy -n "$a" -N "$s" --resume
is "$(alike)" "" "as the original is"
succeeds "that copy goes" lxc-destroy -n "$s"
ok "another is killed" cut_off
succeeds "and is destroyed instead" lxc-destroy -n "$s"
ok "with all of it" test ! -e "$lxcpath/$s"
rm -r "$r/large" "$r/tree"

succeeds "a goes" lxc-destroy -n "$a"
succeeds "b goes" lxc-destroy -n "$b"
finish
