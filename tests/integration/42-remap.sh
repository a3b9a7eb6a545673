#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# lxc-remap: from privileged to unprivileged, between ranges of ids and back; cut off at every call that changes the
# disk there is the old container or the new one, and the same command completes it.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns strace newuidmap setpriv rsync
sandbox "$0"
users alice
a=a-$tag n=n-$tag
top=$lxcpath/$a root=$lxcpath/$a/rootfs
first=100000 second=2000000

printf 'lxc.idmap = u 0 %s 65536\nlxc.idmap = g 0 %s 65536\n' $first $first >"$scratch/first.conf"
: >"$scratch/plain.conf"

succeeds "a container" lxc-create -n "$a" -t busybox
mkdir -p "$root/data/a/b" "$scratch/host"
echo one >"$root/data/one" && ln "$root/data/one" "$root/data/a/uno"
chown 1000:1001 "$root/data/one" && chmod 6711 "$root/data/one"
setfacl -m u:1234:r,g:77:rw "$root/data/a" && setfacl -d -m u:1234:r "$root/data/a"
cp "$root/bin/busybox" "$root/data/ping" && setcap cap_net_raw+ep "$root/data/ping"
ln -s /etc/shadow "$root/data/link" && chown -h 7:8 "$root/data/link"
mkfifo "$root/data/fifo" && chown 9:10 "$root/data/fifo"
mknod "$root/data/sda" b 8 0
: >"$root/data/last" && chown 65535:65535 "$root/data/last"
touch -d '2001-02-03 04:05:06' "$root/data/one"
# What lies outside and is linked from inside has other owners for nobody.
echo host >"$scratch/host/file" && chown 5:5 "$scratch/host/file"
if ln "$scratch/host/file" "$root/data/hostlink" 2>/dev/null; then linked=y; else linked=; fi
succeeds "with a snapshot" lxc-snapshot -n "$a"
echo said >"$top/snaps/snap0/comment"
taken=$(cat "$top/snaps/snap0/ts")
echo mine >"$top/notes"
cp -a "$root" "$scratch/before"
same() {
	rsync -aHAXn --delete --itemize-changes "$1/" "$2/" 2>&1 | head -n 5
}

# ---- what is refused

fails 1 "without a map" lxc-remap -n "$a"
like "$err" "no id map given" "root has to say which"
fails 1 "two answers" lxc-remap -n "$a" --privileged -f "$scratch/first.conf"
like "$err" "only one of --map" "are refused"
fails 1 "half a map" lxc-remap -n "$a" -m 'u 0 100000 65536'
like "$err" "gid|group" "is refused"
fails 1 "no container" lxc-remap -n nosuch --privileged
like "$err" "container nosuch does not exist" "is named"
fails 1 "a map that is too small" lxc-remap -n "$a" -m 'u 0 100000 1000' -m 'g 0 100000 65536'
like "$err" "has id (1000|1234|65535), which the map of the copy does not have" "names a file"
is "$(same "$scratch/before" "$root")" "" "and changes nothing"
ok "and leaves nothing" test ! -e "$lxcpath/.$a.restore"
succeeds "it starts" lxc-start -n "$a"
fails 1 "one that runs" lxc-remap -n "$a" -f "$scratch/first.conf"
like "$err" "container $a is running" "is refused"
succeeds "it stops" lxc-stop -n "$a" -k
succeeds "one that stands on it" lxc-copy -n "$a" -N "$n" -s
fails 1 "a base" lxc-remap -n "$a" -f "$scratch/first.conf"
like "$err" "other containers stand on the data of $a: $n" "is refused"
succeeds "that one" lxc-remap -n "$n" -f "$scratch/first.conf"
like "$(cat "$lxcpath/$n/config")" "^lxc.rootfs.path = dir:" "becomes a complete one of its own"
is "$(stat -c %u:%g "$lxcpath/$n/rootfs/data/one")" $((first + 1000)):$((first + 1001)) "with owners of its own"
ok "the base has nobody on it" test ! -e "$top/lxc_snapshots"
succeeds "it goes" lxc-destroy -n "$n"
is "$(same "$scratch/before/data" "$root/data")" "" "and nothing of it has changed"
cat >>"$top/config" <<END
lxc.hook.clone = /bin/false
# a remark of the administrator's
lxc.mount.fstab = $top/fstab
END
: >"$top/fstab"

# ---- there, on, and back

succeeds "to unprivileged" lxc-remap -n "$a" -f "$scratch/first.conf"
is "$out$err" "" "says nothing when all is well"
is "$(stat -c %u:%g:%a "$root/data/one")" $((first + 1000)):$((first + 1001)):6711 "owners are shifted, setuid stays"
is "$(stat -c %i "$root/data/one")" "$(stat -c %i "$root/data/a/uno")" "two names of a file stay two names"
is "$(stat -c %u:%g "$root/data/link")" $((first + 7)):$((first + 8)) "links too"
like "$(getfacl -nc "$root/data/a")" "^user:$((first + 1234)):r" "access control lists too"
like "$(getfacl -nc "$root/data/a")" "^default:user:$((first + 1234)):r" "and those for new files"
like "$(getcap -n "$root/data/ping")" "rootid=$first" "and capabilities"
ok "a device is left out" test ! -e "$root/data/sda"
is "$(find "$root" ! -uid +$((first - 1)) | head -n 3)" "" "everything is shifted"
[ -z "$linked" ] || is "$(stat -c %u:%g "$scratch/host/file")" 5:5 "a host's file that was linked is what it was"
is "$(find "$top/snaps/snap0/rootfs" ! -uid +$((first - 1)) | head -n 3)" "" "the snapshot's files too"
is "$(cat "$top/snaps/snap0/ts" "$top/snaps/snap0/comment")" "${taken}said" "it keeps its time and comment"
is "$(cat "$top/notes")" mine "the administrator's own files stay"
is "$(sed -n 's/^lxc.idmap = //p' "$top/config" | tr '\n' ,)" "u 0 $first 65536,g 0 $first 65536," "the map is in the configuration"
is "$(grep -c 'userns.conf$' "$top/config")" 1 "and what belongs to it"
like "$(cat "$top/config")" "^# a remark of the administrator's" "its remarks stay"
like "$(cat "$top/config")" "^lxc.mount.fstab = $top/fstab" "and what it names"
is "$(stat -c %a "$top")" 770 "nobody else may enter"
succeeds "it starts" lxc-start -n "$a"
is "$(stat -c %u "/proc/$(lxc-info -n "$a" -pH)")" $first "as the mapped root"
is "$(lxc-attach -n "$a" -- stat -c %u:%g /data/one)" 1000:1001 "which sees the owners of before"
succeeds "it stops" lxc-stop -n "$a" -k
inode=$(stat -c %i "$root")
succeeds "the same again" lxc-remap -n "$a" -f "$scratch/first.conf"
is "$(stat -c %i "$root")" "$inode" "has nothing to do"
succeeds "to another range, that overlaps" lxc-remap -n "$a" -m "u 0 $((first + 5)) 65536" -m "g 0 $((first + 5)) 65536"
is "$(stat -c %u:%g "$root/data/one" "$top/snaps/snap0/rootfs/data/one" | sort -u)" $((first + 1005)):$((first + 1006)) "is shifted once"
succeeds "to another" lxc-remap -n "$a" -m "u 0 $second 65536" -m "g 0 $second 65536"
is "$(stat -c %u:%g "$root/data/one")" $((second + 1000)):$((second + 1001)) "owners follow"
is "$(grep -c 'userns.conf$' "$top/config")" 1 "what belongs to a map is there once"
succeeds "a snapshot of it is restored" lxc-snapshot -n "$a" -r snap0
is "$(stat -c %u "$root/data/one")" $((second + 1000)) "under these ids"
succeeds "it starts" lxc-start -n "$a"
succeeds "it stops" lxc-stop -n "$a" -k
succeeds "back" lxc-remap -n "$a" --privileged
rm "$scratch/before/data/sda" && touch -r "$root/data" "$scratch/before/data"
rm -f "$root/data/hostlink" "$scratch/before/data/hostlink"
touch -r "$root/data" "$scratch/before/data"
is "$(same "$scratch/before/data" "$root/data")" "" "to what it was"
is "$(grep -c 'idmap\|userns.conf' "$top/config")" 0 "nothing of a map is left in the configuration"
succeeds "it starts" lxc-start -n "$a"
succeeds "it stops" lxc-stop -n "$a" -k
printf 'lxc.idmap = u 0 %s 65536\nlxc.idmap = g 0 %s 65536\nlxc.include = %s/common.conf\n' $first $first \
	"$TIFFIN_INST/share/lxc/config" >"$scratch/shown.conf"
mkdir "$lxcpath/$n" && cp -a "$root" "$lxcpath/$n/rootfs" && cp "$scratch/shown.conf" "$lxcpath/$n/config"
printf 'lxc.uts.name = x\nlxc.rootfs.path = dir:%s/rootfs\nlxc.rootfs.options = ro,idmap=container\n' "$lxcpath/$n" >>"$lxcpath/$n/config"
succeeds "files that are shown shifted" lxc-remap -n "$n" --privileged
is "$(stat -c %u:%g "$lxcpath/$n/rootfs/data/one")" 1000:1001 "are not shifted twice"
is "$(sed -n 's/^lxc.rootfs.options = //p' "$lxcpath/$n/config")" ro "and not shown so any more"
succeeds "it goes" lxc-destroy -n "$n"

# ---- cut off: a small one

cat >"$scratch/template" <<'END'
#!/bin/sh
for arg; do case $arg in --rootfs=*) root=${arg#--rootfs=} ;; esac; done
cd "$root" && mkdir -p a/b && echo one >a/one && ln a/one a/b/two && ln -s ../one a/b/link && mkfifo a/fifo && chmod 4711 a/one
END
chmod 0755 "$scratch/template"
printf 'lxc.net.0.type = empty\n' >"$scratch/conf"
t=$lxcpath/$n
picture() {
	for picture_of in "$t" "$t/snaps/snap0"; do
		(cd "$picture_of/rootfs" 2>/dev/null && find . -printf "%P %y %m $1 %s %n %l\n" | sort)
	done
}
# shellcheck disable=SC2317,SC2329
whole() {
	case $(sed -n 's/^lxc.idmap = u 0 //p' "$1/config") in
	'') whole_base=0 ;;
	*) whole_base=$first ;;
	esac
	[ "$(find "$1/rootfs" -printf '%U\n' | sort -u)" = "$whole_base" ]
}
lxc-create -n "$n" -t "$scratch/template" -f "$scratch/conf" >/dev/null 2>&1
lxc-snapshot -n "$n" >/dev/null 2>&1
complete=$(picture 0)
like "$complete" "a/b/two f 4711 0 4 2" "there is something to convert"
calls='mkdirat mkdir openat openat2 linkat symlinkat mknodat fchown fchownat fchmod fchmodat utimensat copy_file_range write
	rename renameat renameat2 unlinkat fsync'
strace -f -o "$scratch/all" -e trace="$(echo $calls | tr ' ' ,)" lxc-remap -n "$n" -f "$scratch/first.conf" 2>/dev/null
lxc-remap -n "$n" -f "$scratch/plain.conf" 2>/dev/null
is "$(picture 0)" "$complete" "there and back is the same"
spread=${FAULT_LIMIT:-5}
for fault in signal=SIGKILL error=EIO error=ENOSPC; do
	bad='' runs=0 to=first
	for call in $calls; do
		count=$(grep -c " $call(" "$scratch/all") at=0
		[ "$count" -gt "$spread" ] || spread_now=$count
		[ "$count" -le "$spread" ] || spread_now=$spread
		# The last ones always: those end it.
		while [ "$at" -lt "$spread_now" ]; do
			at=$((at + 1))
			nth=$((at * count / spread_now))
			run strace -f -o "$scratch/trace" -e trace="$call" -e inject="$call:$fault:when=$nth" \
				lxc-remap -n "$n" -f "$scratch/$to.conf"
			! grep -q 'INJECTED\|killed by SIGKILL' "$scratch/trace" || runs=$((runs + 1))
			[ -z "$linked" ] || [ "$(stat -c %u "$scratch/host/file")" = 5 ] || bad="$bad $call $nth: the host;"
			# A look at it settles it; then each is whole under the map that its configuration has.
			lxc-info -n "$n" >/dev/null 2>&1
			whole "$t" || bad="$bad $fault $call $nth: mixed;"
			whole "$t/snaps/snap0" || bad="$bad $fault $call $nth: the snapshot is mixed;"
			lxc-remap -n "$n" -f "$scratch/$to.conf" >/dev/null 2>"$scratch/err" ||
				bad="$bad $fault $call $nth: not completed: $(cat "$scratch/err");"
			[ "$(picture 0)" = "$complete" ] || bad="$bad $fault $call $nth: not the same;"
			[ ! -e "$lxcpath/.$n.restore" ] && [ ! -e "$t/snaps/.snap0.restore" ] ||
				bad="$bad $fault $call $nth: something is left;"
			[ "$to" = first ] && to=plain || to=first
		done
	done
	is "$bad" "" "$fault: the old one or the new one, and completed by the next, $runs times"
	ok "$fault: faults were met" test "$runs" -ge 30
done
succeeds "it goes" lxc-destroy -s -n "$n"

# ---- an ordinary user

home=/home/alice/.local/share/lxc
succeeds "a user's container" as alice lxc-create -n "$n" -t busybox
base=$(stat -c %u "$home/$n/rootfs")
is "$(stat -c %u "$home/$n/rootfs/etc")" "$base" "belongs to his ids"
as alice sh -c "echo 'lxc.hook.clone = /bin/true' >>$home/$n/config"
succeeds "with a snapshot, of which a hook is told" as alice lxc-snapshot -n "$n"
fails 1 "privileged" as alice lxc-remap -n "$n" --privileged
like "$err" "a user's containers need an id map" "it does not become"
fails 1 "ids that he has not got" as alice lxc-remap -n "$n" -m 'u 0 500000 65536' -m 'g 0 500000 65536'
like "$err" "500000" "are refused"
is "$(stat -c %u "$home/$n/rootfs/etc")" "$base" "and nothing changes"
for file in subuid subgid; do
	echo "alice:1800000000:65536" >>"$scratch/etc/$file"
done
succeeds "to a range that he is given" as alice lxc-remap -n "$n" -m 'u 0 1800000000 65536' -m 'g 0 1800000000 65536'
is "$(stat -c %u "$home/$n/rootfs/etc" "$home/$n/snaps/snap0/rootfs/etc" | sort -u)" 1800000000 "his files follow"
succeeds "it starts" as alice lxc-start -n "$n"
is "$(as alice lxc-attach -n "$n" -- id -u)" 0 "with a root inside"
succeeds "it stops" as alice lxc-stop -n "$n" -k
succeeds "without an option" as alice lxc-remap -n "$n"
is "$(stat -c %u "$home/$n/rootfs/etc")" "$base" "it gets the first that he has"
succeeds "it goes" as alice lxc-destroy -s -n "$n"
succeeds "all goes" lxc-destroy -s -n "$a"
finish
