#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Two at once that cannot both have their way: each ends well or says in a sentence why not, what is there is whole, and
# nothing is lost. The second begins a little later each time, so that it meets the first at another point.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns
sandbox "$0"
a=a-$tag b=b-$tag c=c-$tag
rounds=${ROUNDS:-8}

cat >"$scratch/template" <<'END'
#!/bin/sh
for arg; do case $arg in --rootfs=*) root=${arg#--rootfs=} ;; esac; done
cd "$root" || exit 1
mkdir -p dev proc sys bin etc && cp "$(command -v busybox)" bin/busybox && ln -s busybox bin/sh
i=0
while [ $i -lt 20 ]; do
	mkdir d$i && j=0
	while [ $j -lt 20 ]; do echo "$i $j" >d$i/f$j; j=$((j + 1)); done
	ln d$i/f0 d$i/l && ln -s f1 d$i/s && i=$((i + 1))
done
chmod 4755 d1/f1
END
chmod 0755 "$scratch/template"
printf 'lxc.net.0.type = empty\nlxc.init.cmd = /bin/busybox sleep 1000\n' >"$scratch/conf"
printf 'lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n' >"$scratch/mapped"

tree() {
	(cd "$1" 2>/dev/null && find . ! -path './dev/*' ! -path ./dev ! -path . -printf '%P %y %m %s %n %l\n' | sort)
}

# whole DIR: that container, or snapshot, is complete and belongs to one range of ids.
whole() {
	[ -e "$1/config" ] || return 1
	whole_root=$(sed -n 's/^lxc.rootfs.path = //p' "$1/config")
	case $whole_root in
	dir:"$1"/rootfs) [ "$(tree "$1/rootfs")" = "$complete" ] || return 1 ;;
	overlay:*:"$1"/overlay/delta) [ -d "$1/overlay/delta" ] && whole_root=${whole_root#overlay:} && [ -d "${whole_root%%:*}/d0" ] || return 1 ;;
	*) return 1 ;;
	esac
	[ ! -e "$1/rootfs" ] || [ "$(find "$1/rootfs" -printf '%U\n' | sort -u | wc -l)" = 1 ]
}

bad=''
note() {
	bad="$bad
round $round: $*"
}

# ended N: that command ended well, or with a message; one that was killed, or says nothing, is a fault.
ended() {
	eval "ended_status=\$status_$1"
	[ "$ended_status" -eq 0 ] && return
	[ "$ended_status" -eq 1 ] && grep -q '^lxc-[a-z]*: ' "$scratch/err.$1" && return
	note "command $1 ended with $ended_status: $(head -c 300 "$scratch/err.$1")"
}

# pair FIRST SECOND: status_1 and status_2.
pair() {
	pair_delay=$(awk "BEGIN { print $round * ${step:-0.008} }")
	sh -c "$1" >"$scratch/out.1" 2>"$scratch/err.1" </dev/null &
	pair_1=$!
	sleep "$pair_delay"
	sh -c "$2" >"$scratch/out.2" 2>"$scratch/err.2" </dev/null &
	pair_2=$!
	status_1=0 status_2=0
	wait "$pair_1" || status_1=$?
	wait "$pair_2" || status_2=$?
	ended 1
	ended 2
}

# whatever is there now is whole, and nothing is half done.
check() {
	for check_one in "$lxcpath"/* "$lxcpath"/*/snaps/*; do
		[ -d "$check_one" ] || continue
		case $check_one in */snaps | *'*') continue ;; esac
		if [ -e "$check_one/partial" ]; then
			note "$check_one is incomplete: $(cat "$scratch/err.1" "$scratch/err.2")"
		elif ! whole "$check_one"; then
			note "$check_one is not whole: $(ls "$check_one") $(cat "$scratch/err.1" "$scratch/err.2")"
		fi
	done
	check_left=$(find "$lxcpath" -maxdepth 3 -name '.*' -path "*$tag*" ! -path '*/rootfs/*' | head -n 3)
	[ -z "$check_left" ] || note "is left: $check_left"
}

# sweep DESCRIPTION: the rounds; setup, first, second and verdict are defined by the caller.
sweep() {
	bad='' both=0 one=0
	round=0
	while [ "$round" -lt "$rounds" ]; do
		reset
		pair "$first" "$second"
		check
		verdict
		if [ "$status_1$status_2" = 00 ]; then both=$((both + 1)); else one=$((one + 1)); fi
		round=$((round + 1))
	done
	is "$bad" "" "$1 (both $both, one $one)"
}

# What each round begins with: the container a out of this archive, and nothing else.
archive=$scratch/a.tar.zst
reset() {
	for reset_name in "$c" "$b" "$a"; do
		[ -e "$lxcpath/$reset_name" ] || continue
		lxc-stop -n "$reset_name" -k >/dev/null 2>&1
		lxc-destroy -s -n "$reset_name" >/dev/null 2>"$scratch/err.reset" || note "$reset_name cannot be destroyed: $(cat "$scratch/err.reset")"
	done
	lxc-import "$archive" >/dev/null 2>&1
	is_there "$a" || note "the container could not be made"
}
is_there() {
	[ -e "$lxcpath/$1/config" ]
}

lxc-create -n "$a" -t "$scratch/template" -f "$scratch/conf" >/dev/null 2>&1
complete=$(tree "$lxcpath/$a/rootfs")
like "$complete" "d19/f19 f 644" "there is something to work with"
succeeds "an archive without snapshots" lxc-export -n "$a" "$scratch/a.tar.zst"
succeeds "a snapshot" lxc-snapshot -n "$a"
succeeds "an archive with one" lxc-export -n "$a" "$scratch/s.tar.zst"

# ---- copies

first="lxc-copy -n $a -N $b" second="lxc-destroy -n $a"
verdict() {
	[ "$status_1" -ne 0 ] || is_there "$b" || note "the copy is lost"
	[ "$status_1" -eq 0 ] || ! is_there "$b" || note "a failed copy is there"
	[ "$status_2" -eq 0 ] || is_there "$a" || note "the source is lost"
	is_there "$a" || is_there "$b" || [ "$status_2" -eq 0 ] || note "all is lost"
}
sweep "a copy, and the source is destroyed"

first="lxc-copy -n $a -N $b -s" second="lxc-destroy -n $a"
verdict() {
	[ "$status_1" -ne 0 ] || { is_there "$b" && is_there "$a"; } || note "a snapshot copy without its base"
	[ "$status_2" -eq 0 ] || is_there "$a" || note "the base is lost"
}
sweep "a snapshot copy, and its base is destroyed"

first="lxc-copy -n $a -N $b" second="lxc-copy -n $a -N $b"
verdict() {
	[ "$status_1$status_2" = 01 ] || [ "$status_1$status_2" = 10 ] || { [ "$status_1$status_2" = 00 ] && note "both say that they made it"; }
	is_there "$a" || note "the source is lost"
}
sweep "two copies of the same name"

first="lxc-copy -n $a -N $b" second="lxc-destroy -n $b"
verdict() {
	is_there "$a" || note "the source is lost"
	[ "$status_1" -ne 0 ] || [ "$status_2" -eq 0 ] || is_there "$b" || note "the copy is lost"
}
sweep "a copy, and the copy is destroyed"

first="lxc-copy -n $a -N $b" second="lxc-start -n $a && lxc-stop -n $a -k"
verdict() {
	is_there "$a" || note "the source is lost"
	[ "$status_1" -eq 0 ] || ! is_there "$b" || note "a failed copy is there"
}
sweep "a copy, and the source is started"

first="lxc-copy -n $a -N $b" second="lxc-copy -R -n $a -N $c"
verdict() {
	[ "$(is_there "$a" && echo y)$(is_there "$c" && echo y)" = y ] || note "it is there twice or not at all"
	[ "$status_2" -ne 0 ] || is_there "$c" || note "the new name is lost"
	[ "$status_1" -eq 0 ] || ! is_there "$b" || note "a failed copy is there"
}
sweep "a copy, and the source gets another name"

# ---- names

first="lxc-copy -R -n $a -N $b" second="lxc-copy -R -n $a -N $c"
verdict() {
	[ "$(is_there "$a" && echo y)$(is_there "$b" && echo y)$(is_there "$c" && echo y)" = y ] || note "it is there more than once or not at all"
	[ "$status_1$status_2" != 00 ] || note "both say that they named it"
}
sweep "two new names for one"

first="lxc-copy -R -n $a -N $b" second="lxc-copy -n $a -N $b"
verdict() {
	is_there "$a" || is_there "$b" || note "it is lost"
}
sweep "a new name, and a copy of that name"

first="lxc-copy -R -n $a -N $b" second="lxc-snapshot -n $a"
verdict() {
	[ "$(is_there "$a" && echo y)$(is_there "$b" && echo y)" = y ] || note "it is there twice or not at all"
	for name in "$a" "$b"; do
		[ ! -e "$lxcpath/$name/snaps/snap0" ] || [ "$status_2" -eq 0 ] || note "a failed snapshot is there"
		[ ! -e "$lxcpath/$name" ] || is_there "$name" || note "a rest of $name"
	done
	[ "$status_2" -ne 0 ] || [ -e "$lxcpath/$a/snaps/snap0" ] || [ -e "$lxcpath/$b/snaps/snap0" ] || note "the snapshot is lost"
}
sweep "a new name, and a snapshot"
first="lxc-snapshot -n $a" second="lxc-copy -R -n $a -N $b"
verdict() {
	[ "$(is_there "$a" && echo y)$(is_there "$b" && echo y)" = y ] || note "it is there twice or not at all"
	[ "$status_1" -ne 0 ] || [ -e "$lxcpath/$a/snaps/snap0" ] || note "the snapshot is lost"
}
sweep "a snapshot, and a new name"

first="lxc-copy -R -n $a -N $b" second="lxc-destroy -n $a"
verdict() {
	[ "$status_2" -eq 0 ] && ! is_there "$a" && ! is_there "$b" && return
	[ "$(is_there "$a" && echo y)$(is_there "$b" && echo y)" = y ] || note "it is there twice or not at all"
}
sweep "a new name, and it is destroyed"

# ---- snapshots

first="lxc-snapshot -n $a" second="lxc-snapshot -n $a"
verdict() {
	is_there "$a" || note "it is lost"
	[ "$status_1$status_2" = 00 ] || note "one failed: $(cat "$scratch/err.1" "$scratch/err.2")"
	[ "$(ls "$lxcpath/$a/snaps")" = "$(printf 'snap0\nsnap1')" ] || note "there are not two"
}
sweep "two snapshots"

first="lxc-snapshot -n $a" second="lxc-destroy -s -n $a"
verdict() {
	[ "$status_2" -eq 0 ] || is_there "$a" || note "it is lost"
	[ "$status_2" -ne 0 ] || [ ! -e "$lxcpath/$a" ] || note "destroyed, and there"
}
sweep "a snapshot, and all is destroyed"

archive=$scratch/s.tar.zst
first="lxc-snapshot -n $a -r snap0" second="lxc-snapshot -n $a -d snap0"
verdict() {
	is_there "$a" || note "it is lost"
	[ "$status_2" -eq 0 ] || is_there "$a/snaps/snap0" || note "the snapshot is lost"
}
sweep "a restore, and the snapshot is destroyed"

first="lxc-snapshot -n $a -r snap0" second="lxc-snapshot -n $a"
verdict() {
	is_there "$a" || note "it is lost"
	is_there "$a/snaps/snap0" || note "the snapshot is lost"
	[ "$status_2" -ne 0 ] || is_there "$a/snaps/snap1" || note "the new snapshot is lost"
}
sweep "a restore, and a snapshot"
first="lxc-snapshot -n $a" second="lxc-snapshot -n $a -r snap0"
verdict() {
	is_there "$a" || note "it is lost"
	is_there "$a/snaps/snap0" || note "the snapshot is lost"
	[ "$status_1" -ne 0 ] || is_there "$a/snaps/snap1" || note "the new snapshot is lost"
}
sweep "a snapshot, and a restore"

first="lxc-snapshot -n $a -r snap0" second="lxc-snapshot -n $a -r snap0"
verdict() {
	is_there "$a" || note "it is lost"
	is_there "$a/snaps/snap0" || note "the snapshot is lost"
	[ "$status_1" -eq 0 ] || [ "$status_2" -eq 0 ] || note "none was restored"
}
sweep "two restores"

first="lxc-snapshot -n $a -r snap0" second="lxc-copy -n $a -N $b"
sweep "a restore, and a copy"
first="lxc-snapshot -n $a -r snap0" second="lxc-start -n $a && lxc-stop -n $a -k"
sweep "a restore, and a start"
first="lxc-snapshot -n $a -r snap0" second="lxc-destroy -s -n $a"
verdict() {
	[ "$status_2" -eq 0 ] || is_there "$a" || note "it is lost"
	[ "$status_2" -ne 0 ] || [ ! -e "$lxcpath/$a" ] || note "destroyed, and there"
}
sweep "a restore, and all is destroyed"

# ---- archives

first="lxc-export -n $a $scratch/out.tar.zst" second="lxc-destroy -s -n $a"
verdict() {
	[ "$status_2" -eq 0 ] || is_there "$a" || note "it is lost"
	if [ "$status_1" -eq 0 ]; then
		lxc-import -n "$c" "$scratch/out.tar.zst" >/dev/null 2>"$scratch/err" || note "the archive is not whole: $(cat "$scratch/err")"
		whole "$lxcpath/$c" || note "what it holds is not whole"
		lxc-destroy -s -n "$c" >/dev/null 2>&1
	else
		[ ! -e "$scratch/out.tar.zst" ] || note "a failed export left an archive"
	fi
	rm -f "$scratch"/out.tar.zst*
}
sweep "an export, and it is destroyed"
first="lxc-export -n $a $scratch/out.tar.zst" second="lxc-snapshot -n $a -d snap0"
verdict() {
	is_there "$a" || note "it is lost"
	if [ "$status_1" -eq 0 ]; then
		lxc-import -n "$c" "$scratch/out.tar.zst" >/dev/null 2>"$scratch/err" || note "the archive is not whole: $(cat "$scratch/err")"
		whole "$lxcpath/$c" || note "what it holds is not whole"
		[ ! -e "$lxcpath/$c/snaps/snap0" ] || whole "$lxcpath/$c/snaps/snap0" || note "the snapshot in it is not whole"
		lxc-destroy -s -n "$c" >/dev/null 2>&1
	fi
	rm -f "$scratch"/out.tar.zst*
}
sweep "an export, and its snapshot is destroyed"
first="lxc-export -n $a $scratch/out.tar.zst" second="lxc-snapshot -n $a -r snap0"
sweep "an export, and a restore"
first="lxc-export -n $a $scratch/out.tar.zst" second="lxc-remap -n $a -f $scratch/mapped"
sweep "an export, and other ids"

first="lxc-import -n $b $scratch/s.tar.zst" second="lxc-import -n $b $scratch/s.tar.zst"
verdict() {
	is_there "$a" || note "it is lost"
	[ "$status_1$status_2" = 01 ] || [ "$status_1$status_2" = 10 ] || note "one of the two: $status_1 $status_2 $(cat "$scratch/err.1" "$scratch/err.2")"
	is_there "$b" || note "the import is lost"
}
sweep "two imports of the same name"
first="lxc-import -n $b $scratch/s.tar.zst" second="lxc-destroy -s -n $b"
verdict() {
	[ "$status_1" -ne 0 ] || [ "$status_2" -eq 0 ] || is_there "$b" || note "the import is lost"
	[ "$status_1" -eq 0 ] || [ ! -e "$lxcpath/$b" ] || note "a failed import is there"
}
sweep "an import, and it is destroyed"
first="lxc-import -n $b $scratch/s.tar.zst" second="lxc-copy -n $a -N $b"
verdict() {
	is_there "$a" || note "it is lost"
	is_there "$b" || note "neither was made"
	[ "$status_1$status_2" != 00 ] || note "both say that they made it"
}
sweep "an import, and a copy of that name"

# ---- ids

first="lxc-remap -n $a -f $scratch/mapped" second="lxc-destroy -s -n $a"
verdict() {
	[ "$status_2" -eq 0 ] || is_there "$a" || note "it is lost"
}
sweep "other ids, and it is destroyed"
first="lxc-remap -n $a -f $scratch/mapped" second="lxc-start -n $a && lxc-stop -n $a -k"
verdict() {
	is_there "$a" || note "it is lost"
	is_there "$a/snaps/snap0" || note "the snapshot is lost"
}
sweep "other ids, and a start"
first="lxc-remap -n $a -f $scratch/mapped" second="lxc-snapshot -n $a"
sweep "other ids, and a snapshot"
first="lxc-remap -n $a -f $scratch/mapped" second="lxc-snapshot -n $a -r snap0"
sweep "other ids, and a restore"
first="lxc-remap -n $a -f $scratch/mapped" second="lxc-copy -n $a -N $b"
sweep "other ids, and a copy"
first="lxc-remap -n $a -f $scratch/mapped" second="lxc-remap -n $a --privileged"
sweep "other ids, and others"

# ---- ends

first="lxc-destroy -s -n $a" second="lxc-destroy -s -n $a"
verdict() {
	[ ! -e "$lxcpath/$a" ] || note "it is there"
	[ "$status_1" -eq 0 ] || [ "$status_2" -eq 0 ] || note "nobody destroyed it"
}
sweep "it is destroyed twice"
first="lxc-destroy -s -n $a" second="lxc-start -n $a && lxc-stop -n $a -k"
verdict() {
	[ "$status_1" -eq 0 ] || is_there "$a" || note "it is lost"
}
sweep "it is destroyed, and started"
first="lxc-destroy -s -n $a" second="lxc-import $scratch/s.tar.zst"
verdict() {
	[ "$status_2" -ne 0 ] || [ "$status_1" -ne 0 ] || is_there "$a" || note "the import is lost"
}
sweep "it is destroyed, and imported"

# ---- while somebody else puts another container in its place, a snapshot has no path: nothing is done to it then

reset
before=$(tree "$lxcpath/$a")
for command in "lxc-snapshot -n $a -d snap0" "lxc-snapshot -n $a -d ALL" "lxc-snapshot -n $a -r snap0" "lxc-snapshot -n $a -r snap0 -N $b" "lxc-remap -n $a -f $scratch/mapped" "lxc-destroy -s -n $a"; do
	fails 1 "not while it is held: $command" flock "$lxcpath/$a" -c "$command"
	like "$err" "container $a is being copied, started, moved or removed by another process$" "which it says"
	is "$(tree "$lxcpath/$a")$(ls -A "$lxcpath/$b" 2>&1 | grep -v "No such")" "$before" "and all is as it was"
done
succeeds "which does not last" lxc-snapshot -n "$a" -d snap0

for name in "$a" "$b" "$c"; do lxc-destroy -s -n "$name" >/dev/null 2>&1; done
finish
