#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Nothing is ever lost: every operation on a container's files is killed, and meets a full and a broken disk, at each
# system call that changes the disk. Afterwards there is the old state or the new one; what is neither shows itself
# as incomplete and can be removed; and nothing else was touched.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools strace cgroup
sandbox "$0"
a=a-$tag b=b-$tag o=o-$tag
# KILL_STEP=1 takes every call of a kind, and its time.
step=${KILL_STEP:-4}
# Opening is left out: what an open has made is there when the next call is met.

calls="mkdir mkdirat rename renameat renameat2 unlink unlinkat rmdir linkat symlinkat mknodat write pwrite64
copy_file_range sendfile fchmod fchmodat fchown fchownat utimensat fsetxattr lsetxattr ioctl ftruncate fallocate fsync
fdatasync"

# A container that is small, so that there are not too many calls, and has one file of every kind.
plant() {
	mkdir -p "$1/rootfs/etc" "$1/rootfs/sub/deep"
	echo "$2" >"$1/rootfs/etc/hostname"
	echo content >"$1/rootfs/sub/file"
	ln "$1/rootfs/sub/file" "$1/rootfs/sub/second"
	ln -s file "$1/rootfs/sub/link"
	mkfifo "$1/rootfs/sub/deep/fifo"
	setfattr -n user.note -v text "$1/rootfs/sub/file" 2>/dev/null || :
	cat >"$1/config" <<END
lxc.rootfs.path = dir:$1/rootfs
lxc.uts.name = $2
END
	chmod 770 "$1"
}

# What there is below a directory: kinds, modes, owners, sizes, links and contents.
picture() {
	(cd "$1" 2>/dev/null && find . ! -path './snaps/*' \( -type d -printf '%P %y %m %U:%G\n' -o -printf '%P %y %m %U:%G %n %l\n' \) | sort &&
		find . -type f ! -path './snaps/*' -exec cksum {} + | sort)
}

rebuild() {
	rm -rf "$lxcpath"/* "$lxcpath"/.[!.]* /run/lxc
	cp -a "$scratch/base/." "$lxcpath/"
}

mkdir -p "$scratch/base" "$scratch/outside"
echo "lxc.arch = x86_64" >"$scratch/empty.conf"
plant "$lxcpath/$a" "$a"
plant "$lxcpath/$o" "$o"
lxc-snapshot -n "$a" || comment "no snapshot"
echo changed >"$lxcpath/$a/rootfs/sub/file"
cp -a "$lxcpath/." "$scratch/base/"
echo precious >"$scratch/outside/file"
ln -s "$scratch/outside" "$scratch/base/$a/rootfs/sub/outside"
rebuild
other=$(picture "$lxcpath/$o")
outside=$(picture "$scratch/outside")
whole=$(picture "$lxcpath/$a")
cat >"$scratch/template" <<'END'
#!/bin/sh
while [ $# -gt 0 ]; do
	case $1 in --rootfs=*) root=${1#--rootfs=} ;; --path=*) path=${1#--path=} ;; esac
	shift
done
mkdir -p "$root/etc" && echo made >"$root/etc/made" && echo "lxc.arch = x86_64" >>"$path/config"
END
chmod 755 "$scratch/template"

bad() {
	result 1 "$what: $1"
	comment "$(ls -lA "$lxcpath" "$lxcpath"/*)"
	comment "$(cat "$scratch/op.err" "$scratch/next.err" 2>/dev/null)"
	failed=$((failed + 1))
}

names() {
	ls -A "$lxcpath" | tr '\n' ' '
}

# A container of this name is not there, is complete, or says that it is not.
state_of() {
	if [ ! -e "$lxcpath/$1" ]; then
		echo none
	elif [ -e "$lxcpath/$1/partial" ]; then
		if grep -q "$1" "$scratch/next.err"; then echo partial; else echo silent; fi
	elif [ ! -e "$lxcpath/$1/config" ] && [ -z "$(ls -A "$lxcpath/$1")" ]; then
		echo none
	elif lxc-info -n "$1" -c lxc.rootfs.path -H >"$scratch/path" 2>"$scratch/info.err"; then
		if [ -d "$(cat "$scratch/path")" ] || [ -d "$(cut -d : -f 1 "$scratch/path")" ]; then echo whole; else echo rootless; fi
	else
		echo broken
	fi
}

removable() {
	lxc-destroy -n "$1" >"$scratch/destroy.out" 2>&1 || bad "$1 cannot be removed: $(cat "$scratch/destroy.out")"
	[ ! -e "$lxcpath/$1" ] || bad "$1 is still there after lxc-destroy"
}

# ---- what has to hold afterwards; $how: kill or an error, $code: the exit status of the operation

new_one() {
	[ "$(picture "$lxcpath/$a" | grep -v 'lxc_snapshots\|^ d')" = "$(printf '%s\n' "$whole" | grep -v '^ d')" ] ||
		bad "the original has changed"
	was=$(state_of "$b")
	case $was in
	none | whole | partial) ;;
	*) bad "$b is $was" ;;
	esac
	[ "$how" = kill ] || [ "$code" -eq 0 ] || [ "$was" = none ] || bad "it failed and left $b: $was"
	[ "$code" -ne 0 ] || [ "$was" = whole ] || bad "it succeeded and $b is $was"
	[ "$was" = none ] || [ ! -e "$lxcpath/$b" ] || removable "$b"
	eval "$again" >"$scratch/again.out" 2>&1 || bad "it does not work again: $(cat "$scratch/again.out")"
	removable "$b"
}
after_copy() { new_one; }
after_overlay() { new_one; }
after_create() { new_one; }

after_snapshot() {
	[ "$(picture "$lxcpath/$a")" = "$whole" ] || bad "the original has changed"
	lxc-snapshot -n "$a" -L >"$scratch/list" 2>"$scratch/next.err" || bad "the snapshots cannot be listed"
	grep -q '^snap0 .*:' "$scratch/list" || bad "snap0 is lost"
	if [ -e "$lxcpath/$a/snaps/snap1" ]; then
		if [ -e "$lxcpath/$a/snaps/snap1/partial" ]; then
			[ "$how" = kill ] || [ "$code" -eq 0 ] || bad "it failed and left snap1"
			[ ! -e "$lxcpath/$a/snaps/snap1/config" ] || grep -q snap1 "$scratch/next.err" || bad "snap1 does not show itself as incomplete"
			lxc-snapshot -n "$a" -r snap1 >/dev/null 2>&1 && bad "an incomplete snapshot was restored"
		else
			grep -q '^snap1 .*:' "$scratch/list" || bad "snap1 is there without a time"
			[ "$(picture "$lxcpath/$a/snaps/snap1/rootfs")" = "$(picture "$lxcpath/$a/rootfs")" ] || bad "snap1 is not the same"
		fi
		lxc-snapshot -n "$a" -d snap1 >"$scratch/destroy.out" 2>&1 || bad "snap1 cannot be removed: $(cat "$scratch/destroy.out")"
	fi
	lxc-snapshot -n "$a" >"$scratch/again.out" 2>&1 || bad "it does not work again: $(cat "$scratch/again.out")"
	[ -e "$lxcpath/$a/snaps/snap1/ts" ] || bad "the next one is not snap1: $(ls -A "$lxcpath/$a/snaps")"
}

after_restore() {
	lxc-snapshot -n "$a" -L >"$scratch/list" 2>&1
	grep -q '^snap0 .*:' "$scratch/list" || bad "snap0 is lost: $(cat "$scratch/list")"
	now=$(picture "$lxcpath/$a/rootfs")
	case $(cat "$lxcpath/$a/rootfs/sub/file") in
	changed) [ "$now" = "$(picture "$scratch/base/$a/rootfs")" ] || bad "the old root is not whole" ;;
	content) [ "$now" = "$(picture "$scratch/base/$a/snaps/snap0/rootfs")" ] || bad "the new root is not whole" ;;
	*) bad "the root is neither the old nor the new one" ;;
	esac
	[ "$(state_of "$a")" = whole ] || bad "$a is $(state_of "$a")"
	[ "$code" -ne 0 ] || [ "$(cat "$lxcpath/$a/rootfs/sub/file")" = content ] || bad "it succeeded without an effect"
	[ "$(names)" = "$a $o " ] || bad "something is left: $(names)"
	lxc-snapshot -n "$a" -r snap0 >"$scratch/again.out" 2>&1 || bad "it does not work again: $(cat "$scratch/again.out")"
}

after_rename() {
	case $(names) in
	"$a $o ") [ "$(state_of "$a")" = whole ] || bad "$a is $(state_of "$a")" ;;
	"$b $o ")
		[ "$(state_of "$b")" = whole ] || bad "$b is $(state_of "$b")"
		[ "$(cat "$scratch/path")" = "$lxcpath/$b/rootfs" ] || bad "$b has the root of another: $(cat "$scratch/path")"
		;;
	*) bad "there is $(names)" ;;
	esac
	[ "$code" -ne 0 ] || [ -d "$lxcpath/$b" ] || bad "it succeeded without an effect"
	if [ -d "$lxcpath/$a" ]; then
		lxc-copy -R -n "$a" -N "$b" >"$scratch/again.out" 2>&1 || bad "it does not work again: $(cat "$scratch/again.out")"
	fi
	removable "$b"
}

after_destroy() {
	was=$(state_of "$a")
	case $was in
	none | partial) ;;
	whole) [ "$(picture "$lxcpath/$a")" = "$whole_alone" ] || bad "half of it is gone, and it does not show" ;;
	*) bad "$a is $was" ;;
	esac
	[ "$code" -ne 0 ] || [ "$was" = none ] || bad "it succeeded and $a is $was"
	[ "$was" = none ] || removable "$a"
	[ ! -e "$lxcpath/$a" ] || rmdir "$lxcpath/$a" || bad "something is left"
}

# ---- running it

# try OPERATION HOW CALL N: false when it did not come to an N-th call.
try() {
	what="$1, $2 at $3 $4"
	how=$2
	rebuild
	eval "$before"
	case $how in
	kill) inject="signal=KILL" ;;
	*) inject="error=$how" ;;
	esac
	code=0
	strace -qq -o "$scratch/trace" -e trace="$3" -e inject="$3:$inject:when=$4" sh -c "exec $operation" \
		>"$scratch/op.out" 2>"$scratch/op.err" </dev/null || code=$?
	if [ "$how" = kill ]; then
		[ "$code" -eq 137 ] || return 1
	else
		grep -q INJECTED "$scratch/trace" || return 1
	fi
	points=$((points + 1))
	[ "$code" -eq 0 ] || [ "$how" = kill ] || [ -s "$scratch/op.err" ] || bad "it fails without a word"
	lxc-ls -1 >"$scratch/next.out" 2>"$scratch/next.err" || bad "lxc-ls fails"
	"after_$1"
	[ "$(picture "$lxcpath/$o")" = "$other" ] || bad "another container was touched"
	[ "$(picture "$scratch/outside")" = "$outside" ] || bad "something outside was touched"
	[ "$failed" -lt 20 ]
}

# operation NAME COMMAND: at every call.
every_point() {
	operation=$2
	for fault in ${KILL_FAULTS:-kill ENOSPC EIO}; do
		points=0 failed=0
		for call in $calls; do
			n=1
			while try "$1" "$fault" "$call" "$n"; do
				n=$((n + step))
			done
		done
		is "$failed" 0 "$1: $fault at $points points"
		ok "$1: $fault: there were such points" test "$points" -gt 5
	done
}

before=: again="lxc-copy -n $a -N $b"
every_point copy "$again"
again="lxc-copy -s -n $a -N $b"
every_point overlay "$again"
again="lxc-create -n $b -t $scratch/template -f $scratch/empty.conf"
every_point create "$again"
every_point snapshot "lxc-snapshot -n $a"
every_point restore "lxc-snapshot -n $a -r snap0"
before="rm -rf $lxcpath/$a/snaps"
every_point rename "lxc-copy -R -n $a -N $b"
rebuild
rm -rf "$lxcpath/$a/snaps"
whole_alone=$(picture "$lxcpath/$a")
every_point destroy "lxc-destroy -n $a"

# ---- two at once

# at_once COMMAND COMMAND: sets $first and $second to their exit statuses.
at_once() {
	sh -c "exec $1" >"$scratch/op.out" 2>"$scratch/op.err" &
	pid=$!
	second=0
	sh -c "exec $2" >"$scratch/next.out" 2>"$scratch/next.err" || second=$?
	first=0
	wait "$pid" || first=$?
}

failed=0 round=0
while [ "$round" -lt 8 ]; do
	round=$((round + 1))
	what="copy and destroy, round $round"
	rebuild
	rm -rf "$lxcpath/$a/snaps"
	at_once "lxc-copy -n $a -N $b" "lxc-destroy -n $a"
	lxc-ls -1 >/dev/null 2>"$scratch/next.err"
	[ "$second" -eq 0 ] || [ "$(picture "$lxcpath/$a")" = "$whole_alone" ] || bad "destroy failed, and the original is not whole"
	[ "$second" -ne 0 ] || [ ! -e "$lxcpath/$a" ] || bad "destroy succeeded, and the original is there"
	case $first:$(state_of "$b") in
	0:whole | [1-9]*:none) ;;
	*) bad "copy ended with $first, and the copy is $(state_of "$b")" ;;
	esac
	[ "$first" -ne 0 ] || [ "$(picture "$lxcpath/$b/rootfs" | grep -v hostname)" = "$(picture "$scratch/base/$a/rootfs" | grep -v hostname)" ] ||
		bad "the copy is not the same"

	what="snapshot and rename, round $round"
	rebuild
	rm -rf "$lxcpath/$a/snaps"
	at_once "lxc-snapshot -n $a" "lxc-copy -R -n $a -N $b"
	case $first$second:$(names) in
	0[1-9]*:"$a $o ")
		[ "$(lxc-snapshot -n "$a" -L | cut -d ' ' -f 1)" = snap0 ] || bad "the snapshot is not there"
		;;
	[1-9]0:"$b $o ") [ "$(state_of "$b")" = whole ] || bad "the renamed one is $(state_of "$b")" ;;
	*) bad "they ended with $first and $second, and there is $(names)" ;;
	esac

	what="restore and destroy, round $round"
	rebuild
	at_once "lxc-snapshot -n $a -r snap0" "lxc-destroy -s -n $a"
	case $(names) in
	"$o ") ;;
	"$a $o ") [ "$(state_of "$a")" = whole ] || [ "$second" -eq 0 ] || bad "it is $(state_of "$a")" ;;
	*) bad "they ended with $first and $second, and there is $(names)" ;;
	esac
done
is "$failed" 0 "conflicting operations at the same time"

rm -rf "$lxcpath"/* "$lxcpath"/.[!.]*
finish
