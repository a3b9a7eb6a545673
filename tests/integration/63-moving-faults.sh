#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# lxc-export and lxc-import fail, or are killed, at the system calls that change the disk or read the archive; and all that
# moves data is killed at moments that nobody has chosen. What there was before is there, what is new is complete or
# shows that it is not, and can be removed.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox strace userns zstd
sandbox "$0"
a=a-$tag b=b-$tag
spread=${FAULT_LIMIT:-4}
: >"$scratch/plain.conf"
printf 'lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n' >"$scratch/mapped.conf"
cat >"$scratch/template" <<'SH'
#!/bin/sh
for arg; do case $arg in --rootfs=*) root=${arg#--rootfs=} ;; esac; done
cd "$root" && mkdir -p a/b etc && echo one >a/one && ln a/one a/b/two && ln -s ../one a/b/link && mkfifo a/fifo &&
	head -c 400000 /dev/urandom >a/large && echo x | dd of=a/sparse bs=1 seek=1M 2>/dev/null && chmod 4711 a/one
SH
chmod 0755 "$scratch/template"
mkdir "$scratch/archives"
archive=$scratch/archives/x.tar.zst

tree() {
	(cd "$1" 2>/dev/null && find . -printf '%P %y %m %U:%G %n %l %T@\n' | sort && find . -type f -exec cksum {} + | sort)
}
ok "a container" lxc-create -n "$a" -t "$scratch/template" -f "$scratch/plain.conf"
ok "with a snapshot" lxc-snapshot -n "$a"
whole=$(tree "$lxcpath/$a")
root=$(tree "$lxcpath/$a/rootfs")
ok "an archive" lxc-export -n "$a" "$scratch/a.tar.zst"

note() {
	bad="$bad
$*: status $status: $(head -c 300 "$scratch/err")"
}
# all_end: what the killed one had started ends by itself.
all_end() {
	eventually 20 no_other_process || note "$1: something goes on: $(other_processes)"
}
# each_point CALLS: "judge" after every fault at so many of each of the calls of $command.
each_point() {
	# shellcheck disable=SC2086 # words, in lines
	strace -f -o "$scratch/all" -e trace="$(echo $1 | tr ' ' ,)" sh -c "exec $command" >/dev/null 2>&1
	between
	for fault in signal=SIGKILL error=ENOSPC error=EIO; do
		bad='' runs=0
		for call in $1; do
			# Each process counts for itself.
			count=$(grep " $call(" "$scratch/all" | cut -d ' ' -f 1 | sort | uniq -c | sort -rn | awk '{ print $1; exit }')
			[ -n "$count" ] || continue
			if [ "$count" -gt "$spread" ]; then here=$spread; else here=$count; fi
			at=0
			while [ "$at" -lt "$here" ]; do
				at=$((at + 1))
				nth=$((at * count / here))
				run strace -f -qq -o "$scratch/trace" -e trace="$call" -e inject="$call:$fault:when=$nth" sh -c "exec $command"
				where="$fault $call $nth"
				grep -q 'INJECTED\|killed by SIGKILL' "$scratch/trace" || continue
				runs=$((runs + 1))
				all_end "$where"
				judge "$where"
				# Each process fails, the one that would tell too.
				[ "$status" -eq 0 ] || [ "$fault" = signal=SIGKILL ] || [ "$call" = write ] || [ -s "$scratch/err" ] || note "$where: fails without a word"
				[ "$(tree "$lxcpath/$a")" = "$whole" ] || note "$where: the container has changed"
				between
			done
		done
		is "$bad" "" "$what, $fault: $runs times"
		ok "$what, $fault: faults were met" test "$runs" -ge 12
	done
}

# ---- export

is_archive() {
	zstd -qt "$1" 2>/dev/null && lxc-import --show "$1" >/dev/null 2>&1
}
between() {
	rm -f "$scratch/archives"/*
	[ -z "$old" ] || echo "$old" >"$archive"
}
judge() {
	if [ "$(cat "$archive" 2>/dev/null | head -c 3)" = "$old" ]; then
		[ "$status" -ne 0 ] || note "$1: succeeds and writes nothing"
	else
		is_archive "$archive" || note "$1: half an archive"
	fi
	# Between its two steps it has a name, and is complete.
	for left in "$scratch/archives"/x.tar.zst.*; do
		[ ! -e "$left" ] || { [ "$call" = rename ] && is_archive "$left"; } || note "$1: $left is left"
	done
}
command="lxc-export -n $a $archive"
for old in "" old; do
	what="lxc-export${old:+ over a file}"
	each_point "openat read write fsync linkat rename unlink ftruncate"
done

# ---- import

between() {
	! [ -e "$lxcpath/$b" ] && ! [ -e "$lxcpath/.$b.new" ] || lxc-destroy -s -n "$b" >/dev/null 2>"$scratch/err" || note "$1: cannot be removed"
	[ "$(ls -A "$lxcpath")" = "$a" ] || note "$1: something is left: $(ls -A "$lxcpath")"
}
judge() {
	lxc-ls >"$scratch/ls" 2>&1
	if [ -e "$lxcpath/$b/partial" ] || [ -e "$lxcpath/.$b.new" ]; then
		[ "$fault" = signal=SIGKILL ] || note "$1: is left"
		grep -q "lxc-destroy .*-n $b removes" "$scratch/ls" || note "$1: nothing says what to do: $(cat "$scratch/ls")"
		[ "$status" -ne 0 ] || note "$1: succeeds, and is incomplete"
	elif [ -e "$lxcpath/$b" ]; then
		[ "$(tree "$lxcpath/$b/rootfs" | grep -v '^etc')" = "$(printf '%s\n' "$root" | grep -v '^etc')" ] || note "$1: is not the same"
	else
		[ "$status" -ne 0 ] || note "$1: succeeds, and is not there"
	fi
}
command="lxc-import -n $b $scratch/a.tar.zst"
what=lxc-import
each_point "mkdirat mkdir openat read symlinkat linkat mknodat fchown fchownat fchmod fchmodat utimensat pwrite64 ftruncate write
	rename renameat2 unlinkat fsync syncfs"
run sh -c "$command"
is "$status" 0 "afterwards it works"
between

# ---- at any moment

# killed COMMAND...: after some of the time that it takes; afterwards what it had started has ended.
killed() {
	setsid "$@" >/dev/null 2>"$scratch/err" &
	killed_pid=$!
	sleep "0.$(printf '%03d' "$(($(od -An -N2 -tu2 /dev/urandom) % longest))")"
	kill -KILL "$killed_pid" 2>/dev/null
	wait "$killed_pid"
	status=$?
	all_end "$*"
}
mkdir "$lxcpath/$a/rootfs/many"
i=0
while [ $i -lt 1500 ]; do
	i=$((i + 1))
	echo $i >"$lxcpath/$a/rootfs/many/$i"
done
lxc-snapshot -n "$a" -d ALL
lxc-snapshot -n "$a"
echo changed >"$lxcpath/$a/rootfs/many/1"
names() {
	(cd "$1" && find . -printf '%P %y %m %n %l\n' | sort && find . -type f -exec cksum {} + | sort)
}
new=$(names "$lxcpath/$a/rootfs")
before=$(names "$lxcpath/$a/snaps/snap0/rootfs")
lxc-export -n "$a" "$scratch/a.tar.zst"
cp -a "$lxcpath/$a" "$scratch/kept"
rounds=${KILL_ROUNDS:-12}
rm -f "$archive"
# a_is STATE...: the root of a, whole, is one of these.
a_is() {
	a_is_now=$(names "$lxcpath/$a/rootfs")
	for a_is_one; do
		[ "$a_is_now" != "$a_is_one" ] || return 0
	done
	note "$what: the root of the container is neither the old nor the new one"
}
for what in copy snapshot restore remap import export destroy; do
	bad='' round=0 ended=0 longest=100
	while [ "$round" -lt "$rounds" ]; do
		round=$((round + 1))
		case $what in
		copy) killed lxc-copy -n "$a" -N "$b" ;;
		import) killed lxc-import -n "$b" "$scratch/a.tar.zst" ;;
		snapshot) killed lxc-snapshot -n "$a" ;;
		restore) killed lxc-snapshot -n "$a" -r snap0 ;;
		remap) if [ $((round % 2)) -eq 0 ]; then to=plain; else to=mapped; fi; killed lxc-remap -n "$a" -f "$scratch/$to.conf" ;;
		export) killed lxc-export -n "$a" "$archive" ;;
		destroy) lxc-copy -n "$a" -N "$b" && killed lxc-destroy -n "$b" ;;
		esac
		# What is too quick to be killed is killed sooner, the next time.
		[ "$status" -ne 0 ] && longest=$((longest * 3 / 2)) && [ "$longest" -lt 900 ] || longest=$((longest * 2 / 3 + 10))
		[ "$status" -eq 137 ] || ended=$((ended + 1))
		lxc-ls >"$scratch/ls" 2>&1
		case $what in
		copy | import | destroy)
			a_is "$new"
			if [ -e "$lxcpath/$b/partial" ] || [ -e "$lxcpath/.$b.new" ]; then
				grep -q "lxc-destroy .*-n $b removes" "$scratch/ls" || note "$what: nothing says what to do: $(cat "$scratch/ls")"
			elif [ -e "$lxcpath/$b" ] && [ -n "$(ls -A "$lxcpath/$b")" ]; then
				[ "$(find "$lxcpath/$b/rootfs/many" | wc -l)" -eq 1501 ] || note "$what: is not complete, and does not say so"
			fi
			between "$what"
			;;
		snapshot)
			a_is "$new"
			if [ -e "$lxcpath/$a/snaps/snap1/ts" ] && [ ! -e "$lxcpath/$a/snaps/snap1/partial" ]; then
				[ "$(names "$lxcpath/$a/snaps/snap1/rootfs")" = "$new" ] || note "a snapshot is not the same"
			fi
			# What has no name yet is removed under the one that it was to get.
			{ [ ! -e "$lxcpath/$a/snaps/snap1" ] && [ ! -e "$lxcpath/$a/snaps/.snap1.new" ]; } || lxc-snapshot -n "$a" -d snap1 2>"$scratch/err" || note "a snapshot cannot be removed"
			;;
		restore)
			a_is "$new" "$before"
			[ "$(names "$lxcpath/$a/snaps/snap0/rootfs")" = "$before" ] || note "the snapshot has changed"
			lxc-snapshot -n "$a" -r snap0 2>"$scratch/err" || note "it is not restored by the next one"
			a_is "$before"
			echo changed >"$lxcpath/$a/rootfs/many/1"
			;;
		remap)
			a_is "$new"
			[ "$(names "$lxcpath/$a/snaps/snap0/rootfs")" = "$before" ] || note "the snapshot has changed"
			[ "$(find "$lxcpath/$a/rootfs" -printf '%U\n' | sort -u | wc -l)" -eq 1 ] || note "owners are mixed"
			lxc-remap -n "$a" -f "$scratch/$to.conf" 2>"$scratch/err" || note "the next one does not complete it"
			a_is "$new"
			;;
		export)
			a_is "$new"
			[ ! -e "$archive" ] || is_archive "$archive" || note "half an archive"
			rm -f "$archive"
			[ -z "$(ls -A "$scratch/archives")" ] || note "something is left: $(ls -A "$scratch/archives")"
			rm -f "$scratch/archives"/*
			;;
		esac
		[ "$(ls -A "$lxcpath")" = "$a" ] || note "something is left: $(ls -A "$lxcpath")"
		[ "$(ls -A "$lxcpath/$a/snaps")" = snap0 ] || note "something is left: $(ls -A "$lxcpath/$a/snaps")"
	done
	is "$bad" "" "$what, killed at any moment: $((rounds - ended)) of $rounds times"
done
ok "all goes" lxc-destroy -s -n "$a"
# What is left of a removal that was killed before its last call.
mkdir "$lxcpath/$b"
succeeds "an empty directory goes" lxc-destroy -n "$b"
ok "it has" test ! -e "$lxcpath/$b"
mkdir "$lxcpath/$b"
echo precious >"$lxcpath/$b/file"
fails 1 "one with a file that is no container's" lxc-destroy -n "$b"
is "$(cat "$lxcpath/$b/file")" precious "is left alone"
rm -r "${lxcpath:?}/$b"
finish
