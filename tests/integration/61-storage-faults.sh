#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Every system call that changes the disk fails or is the last one, while a container is made, copied and destroyed:
# then there is all of the new state or the old one, nothing beside it has changed, and what is partial can be removed.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox strace
sandbox "$0"
n=$tag
limit=${FAULT_LIMIT:-3}
changing='mkdirat mkdir openat linkat symlinkat mknodat fchown fchownat fchmod fchmodat fsetxattr utimensat
	copy_file_range pwrite64 write ftruncate rename renameat renameat2 unlinkat fsync'

cat >"$scratch/template" <<'END'
#!/bin/sh
for arg; do case $arg in --rootfs=*) root=${arg#--rootfs=} ;; esac; done
cd "$root" && mkdir -p a/b && echo one >a/one && ln a/one a/b/two && ln -s ../one a/b/link && mkfifo a/fifo &&
	dd if=/dev/zero of=a/sparse bs=1 count=1 seek=1M 2>/dev/null && chmod 4711 a/one
END
chmod 0755 "$scratch/template"
printf 'lxc.net.0.type = empty\n' >"$scratch/conf"
mkdir "$lxcpath/bystander"
echo precious >"$lxcpath/bystander/file"

# Names, types, modes, owners, sizes and links of all that is there, but for one container.
picture() {
	find "$lxcpath" -path "$lxcpath/$1" -prune -o -path "$lxcpath/.$1*" -prune -o -path "$lxcpath" -o \
		-printf '%P %y %m %U:%G %s %n %l\n' | sort
}

tree() {
	(cd "$1" 2>/dev/null && find . -printf '%P %y %m %U:%G %s %n %l\n' | sort)
}

# with_fault SYSCALL FAULT N COMMAND...: sets status; 200 when the N-th call never came.
with_fault() {
	call=$1 fault=$2 nth=$3
	shift 3
	run strace -f -o "$scratch/trace" -e trace="$call" -e inject="$call:$fault:when=$nth" "$@"
	grep -q 'INJECTED\|killed by SIGKILL' "$scratch/trace" || status=200
}

bad=''
note() {
	bad="$bad
$*: status $status: $(head -c 300 "$scratch/err")"
}

# sweep WHAT FAULT: every call, the first N times that it comes. attempt and judge are defined by the caller.
sweep() {
	what=$1 fault=$2 bad='' runs=0
	for call in $changing; do
		nth=0
		while [ "$nth" -lt "$limit" ]; do
			nth=$((nth + 1))
			attempt
			[ "$status" -ne 200 ] || break
			runs=$((runs + 1))
			judge || note "$what, $call $fault $nth"
			[ "$(picture "$n")" = "$before" ] ||
				note "$what, $call $fault $nth: something else changed: $(picture "$n" | sed 's/^/> /' | grep -vF "$(printf '%s\n' "$before" | sed 's/^/> /')")"
			clean || note "$what, $call $fault $nth: what is left cannot be removed"
		done
		clean
	done
	is "$bad" "" "$what, $fault: all or nothing, $runs times"
	ok "$what, $fault: faults were met" test "$runs" -ge 8
}

clean() {
	[ -e "$lxcpath/$n" ] || [ -e "$lxcpath/.$n.new" ] || return 0
	run lxc-destroy -n "$n"
	[ "$status" -eq 0 ] && [ ! -e "$lxcpath/$n" ] && [ ! -e "$lxcpath/.$n.new" ]
}

# A failure leaves nothing; a success is complete (a call that only tries may fail).
judge() {
	case $fault in
	signal=*) return 0 ;;
	esac
	if [ "$status" -eq 0 ]; then
		[ "$(tree "$lxcpath/$n/rootfs")" = "$complete" ]
	else
		[ ! -e "$lxcpath/$n" ]
	fi
}

lxc-create -n "$n-base" -t "$scratch/template" -f "$scratch/conf" >/dev/null 2>&1
complete=$(tree "$lxcpath/$n-base/rootfs")
like "$complete" "a/b/two f 4711 0:0 4 2" "there is something to copy"
before=$(picture "$n")

attempt() {
	with_fault "$call" "$fault" "$nth" lxc-copy -n "$n-base" -N "$n"
}
for fault in error=ENOSPC error=EIO signal=SIGKILL; do
	sweep "copy" "$fault"
done
is "$(tree "$lxcpath/$n-base/rootfs")" "$complete" "copy: the source is what it was"

# What is gone on with becomes whole, wherever it was cut off, in the first round and in the second.
attempt() {
	with_fault "$call" "$fault" "$nth" lxc-copy -n "$n-base" -N "$n" --resume
}
judge() {
	if [ -e "$lxcpath/$n" ] && [ -e "$lxcpath/$n/partial" ]; then
		kept=$((kept + 1))
		with_fault "$call" "$fault" "$nth" lxc-copy -n "$n-base" -N "$n" --resume
		[ ! -e "$lxcpath/$n/partial" ] || run lxc-copy -n "$n-base" -N "$n" --resume
		[ ! -e "$lxcpath/$n/partial" ] || return 1
	fi
	[ ! -e "$lxcpath/$n" ] || [ "$(tree "$lxcpath/$n/rootfs")" = "$complete" ]
}
for fault in error=EIO signal=SIGKILL; do
	kept=0
	sweep "copy --resume" "$fault"
	ok "copy --resume, $fault: some were cut off in the middle" test "$kept" -ge 5
done
is "$(tree "$lxcpath/$n-base/rootfs")" "$complete" "copy --resume: the source is what it was"

attempt() {
	with_fault "$call" "$fault" "$nth" lxc-create -n "$n" -t "$scratch/template" -f "$scratch/conf"
}
# The template's own calls fail too: it says so, or copes.
judge() {
	case $fault in
	signal=*) return 0 ;;
	esac
	[ "$status" -eq 0 ] || [ ! -e "$lxcpath/$n" ]
}
for fault in error=ENOSPC signal=SIGKILL; do
	sweep "create" "$fault"
done

# What a destroy that was stopped leaves is destroyed by the next one.
attempt() {
	[ -e "$lxcpath/$n" ] || lxc-copy -n "$n-base" -N "$n" >/dev/null 2>&1
	with_fault "$call" "$fault" "$nth" lxc-destroy -n "$n"
}
judge() {
	return 0
}
changing='unlinkat rename renameat2 openat write fsync mkdirat'
for fault in error=EIO signal=SIGKILL; do
	sweep "destroy" "$fault"
done
is "$(cat "$lxcpath/bystander/file")" precious "the bystander is what it was"

# Two at once: of conflicting ones at most one wins, and nothing is half done.
bad=''
for round in 1 2 3 4 5 6; do
	lxc-copy -n "$n-base" -N "$n" >/dev/null 2>&1 &
	first=$!
	lxc-copy -n "$n-base" -N "$n" >/dev/null 2>&1 &
	second=$!
	lxc-destroy -n "$n-base" >/dev/null 2>&1 &
	third=$!
	wait $first; a=$?
	wait $second; b=$?
	wait $third; c=$?
	[ "$a" -ne 0 ] || [ "$b" -ne 0 ] || bad="$bad both copies won;"
	if [ "$a" -eq 0 ] || [ "$b" -eq 0 ]; then
		[ "$(tree "$lxcpath/$n/rootfs")" = "$complete" ] || bad="$bad round $round: the copy is not complete;"
	else
		[ ! -e "$lxcpath/$n" ] || bad="$bad round $round: $a $b $c: something is left;"
	fi
	clean || bad="$bad round $round: cannot be removed;"
	[ -e "$lxcpath/$n-base" ] ||
		lxc-create -n "$n-base" -t "$scratch/template" -f "$scratch/conf" >/dev/null 2>&1
done
is "$bad" "" "a copy that a destroy of its source runs into is whole or nothing"

# Copies that share: the base knows of them before they count, and no more when they are gone.
shares() {
	kind=$1
	# Directories have sizes that depend on what they hold.
	picture() {
		find "$lxcpath" -path "$lxcpath/$1" -prune -o -path "$lxcpath/.$1*" -prune -o -path "$lxcpath" -o \
			-type d -printf '%P %m %U:%G\n' -o -printf '%P %y %m %U:%G %s %n %l\n' | grep -v "^$n-base/lxc_snapshots\(.tmp\)\? " | sort
	}
	before=$(picture "$n")
	attempt() {
		with_fault "$call" "$fault" "$nth" lxc-copy -n "$n-base" -N "$n" -s
	}
	judge() {
		if [ -e "$lxcpath/$n/partial" ] || [ ! -e "$lxcpath/$n" ]; then
			return 0
		fi
		# It counts: it can be looked into, and the base cannot go.
		! with_dependence || ! lxc-destroy -n "$n-base" 2>/dev/null
	}
	clean() {
		if [ -e "$lxcpath/$n" ] || [ -e "$lxcpath/.$n.new" ]; then
			run lxc-destroy -n "$n"
			[ "$status" -eq 0 ] || return 1
		fi
		[ ! -e "$lxcpath/$n" ] && [ ! -e "$lxcpath/.$n.new" ] && [ ! -e "$lxcpath/$n-base/lxc_snapshots" ]
	}
	for fault in error=EIO error=ENOSPC signal=SIGKILL; do
		sweep "$kind, a copy that shares" "$fault"
	done
	succeeds "$kind: one that nothing befalls" lxc-copy -n "$n-base" -N "$n" -s
	succeeds "$kind: and goes" lxc-destroy -n "$n"
	is "$(ls -A "$lxcpath/$n-base")" "config
rootfs" "$kind: nothing stays at the base"
	attempt() {
		with_fault "$call" "$fault" "$nth" lxc-snapshot -n "$n-base"
	}
	judge() {
		return 0
	}
	clean() {
		[ -z "$(ls -A "$lxcpath/$n-base/snaps" 2>/dev/null)" ] || lxc-snapshot -n "$n-base" -d ALL >/dev/null 2>"$scratch/err" || return 1
		rmdir "$lxcpath/$n-base/snaps" 2>/dev/null
		[ ! -e "$lxcpath/$n-base/snaps" ]
	}
	# Of a snapshot its own directory is new, and nothing else.
	picture() {
		(cd "$lxcpath" && find . -path "./$n-base/snaps" -prune -o -path . -o -type d -printf '%P %m %U:%G\n' -o \
			-printf '%P %y %m %U:%G %s %n %l\n') | sort
	}
	before=$(picture)
	for fault in error=EIO signal=SIGKILL; do
		sweep "$kind, a snapshot" "$fault"
	done
	is "$(tree "$lxcpath/$n-base/rootfs")" "$complete" "$kind: the base is what it was"
}
changing='mkdirat mkdir openat linkat fchown fchmod fsetxattr ioctl write pwrite64 rename renameat2 unlinkat fsync'
with_dependence() { true; }
shares overlay
succeeds "the base goes" lxc-destroy -n "$n-base"
if ! [ -w /dev/loop-control ] || ! command -v mkfs.btrfs >/dev/null; then
	skip "copies that share on btrfs" "needs loop devices and mkfs.btrfs"
else
	truncate -s 300M /tmp/btrfs.img
	mkfs.btrfs -q /tmp/btrfs.img
	mount -o loop /tmp/btrfs.img "$lxcpath"
	chmod 0711 "$lxcpath"
	lxc-create -n "$n-base" -B btrfs -t "$scratch/template" -f "$scratch/conf" >/dev/null 2>&1
	like "$(grep rootfs.path "$lxcpath/$n-base/config")" "btrfs:" "a base on btrfs"
	complete=$(tree "$lxcpath/$n-base/rootfs")
	# A subvolume stands by itself.
	with_dependence() { false; }
	shares btrfs
	succeeds "the base goes" lxc-destroy -n "$n-base"
	is "$(btrfs subvolume list "$lxcpath")" "" "no subvolume is left"
	umount "$lxcpath"
fi
rm -r "$lxcpath/bystander"
finish
