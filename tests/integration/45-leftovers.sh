#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What is left of copies that were cut off: a throwaway one goes with the next command wherever its maker, its monitor or
# the host ended; any other one is shown as what it is, cannot be started or copied, and can be removed.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns strace newuidmap setpriv
sandbox "$0"
users alice
a=a-$tag e=e-$tag c=c-$tag
spread=${FAULT_LIMIT:-5}
calls='mkdirat mkdir openat symlinkat fchmod fchownat fchown write rename renameat renameat2 unlinkat fsync linkat utimensat copy_file_range'

succeeds "a container" lxc-create -n "$a" -t busybox
whole=$(cd "$lxcpath/$a/rootfs" && find . ! -path './dev/*' -printf '%P %y %m %s %l\n' | sort | cksum)

# points COMMAND...: counts its calls, once.
points() {
	strace -o "$scratch/all" -e trace="$(echo "$calls" | tr ' \n' ,,)" "$@" >/dev/null 2>&1
}
# killed_at CALL N COMMAND...
killed_at() {
	killed_call=$1 killed_n=$2
	shift 2
	run strace -o "$scratch/trace" -e trace="$killed_call" -e inject="$killed_call:signal=SIGKILL:when=$killed_n" "$@"
	! grep -q 'killed by SIGKILL' "$scratch/trace" || killed=$((killed + 1))
}
state_of() {
	lxc-info -n "$1" -sH 2>/dev/null
}
# each_point FUNCTION: CALL N of every call, spread over its count, the last ones always.
each_point() {
	for call in $calls; do
		count=$(grep -c "^$call(" "$scratch/all") at=0
		if [ "$count" -gt "$spread" ]; then here=$spread; else here=$count; fi
		while [ "$at" -lt "$here" ]; do
			at=$((at + 1))
			"$1" "$call" $((at * count / here))
		done
	done
}

# ---- throwaway: the maker ends

# shellcheck disable=SC2317,SC2329 # through each_point
throwaway_point() {
	killed_at "$1" "$2" lxc-copy -n "$a" -N "$e" -e
	lxc-ls >"$scratch/ls" 2>"$scratch/ls.err"
	# It may have been started: then it runs. Or it was not marked yet, and is shown as a creation that was cut off.
	if [ -e "$lxcpath/$e" ] || [ -e "$lxcpath/.$e.new" ]; then
		case $(state_of "$e") in
		RUNNING | STARTING) lxc-stop -n "$e" -k >/dev/null 2>&1 ;;
		*)
			[ ! -e "$lxcpath/$e/ephemeral" ] || bad="$bad $1 $2: not collected;"
			grep -q "$e was interrupted; lxc-destroy .*-n $e removes\|^lxc-ls: .*$e is not complete" "$scratch/ls.err" || bad="$bad $1 $2: not shown: $(cat "$scratch/ls.err");"
			lxc-destroy -n "$e" >/dev/null 2>"$scratch/err" || bad="$bad $1 $2: not removed: $(cat "$scratch/err");"
			;;
		esac
	fi
	lxc-ls >/dev/null 2>&1
	eventually 5 test ! -e "$lxcpath/$e" || bad="$bad $1 $2: is left;"
	[ ! -e "$lxcpath/.$e.new" ] || bad="$bad $1 $2: its beginning is left;"
	[ -z "$(cat "$lxcpath/$a/lxc_snapshots" 2>/dev/null)" ] || lxc-ls >/dev/null 2>&1
}
points lxc-copy -n "$a" -N "$e" -e
lxc-stop -n "$e" -k
ok "a throwaway copy goes when it stops" eventually 5 test ! -e "$lxcpath/$e"
bad='' killed=0
each_point throwaway_point
is "$bad" "" "whose maker was killed, at one of $killed points, goes too"
ok "points were met" test "$killed" -ge 25
is "$(lxc-ls)" "$a" "nothing else is left"
ok "nobody stands on the base" lxc-copy -R -n "$a" -N "$c"
succeeds "it gets its name back" lxc-copy -R -n "$c" -N "$a"

# ---- throwaway: what ran it ends

crash() {
	crash_init=$(lxc-info -n "$1" -pH)
	crash_monitor=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$crash_init/status")
	case $(tr '\0' ' ' <"/proc/$crash_monitor/cmdline") in
	"[lxc monitor] "*" $1 ") ;;
	*) return 1 ;;
	esac
	# The monitor first, so that it cannot tidy up.
	kill -KILL "$crash_monitor" && kill -KILL "$crash_init"
	eventually 5 test ! -e "/proc/$crash_init"
}
for how in "" -t; do
	succeeds "a throwaway copy $how" lxc-copy -n "$a" -N "$e" -e $how
	is "$(state_of "$e")" RUNNING "runs"
	ok "all of it crashes" crash "$e"
	ok "it is there" test -e "$lxcpath/$e"
	is "$(lxc-ls)" "$a" "the next command collects it"
	ok "it is gone" test ! -e "$lxcpath/$e"
done
succeeds "one that is kept" lxc-copy -n "$a" -N "$e" -e -D
ok "all of it crashes" crash "$e"
like "$(lxc-ls)" "$e" "is kept"
succeeds "it goes" lxc-destroy -n "$e"
succeeds "one whose monitor alone is killed" lxc-copy -n "$a" -N "$e" -e
init=$(lxc-info -n "$e" -pH)
kill -KILL "$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$init/status")"
ok "goes on" eventually 5 sh -c "[ \"\$(lxc-info -n $e -sH)\" = RUNNING ]"
like "$(lxc-ls)" "$e" "is not collected"
is "$(lxc-info -n "$e" -pH)" "$init" "it is the same"
succeeds "it stops" lxc-stop -n "$e" -k
ok "and goes" eventually 5 test ! -e "$lxcpath/$e"
succeeds "one more" lxc-copy -n "$a" -N "$e" -e
ok "all of it crashes" crash "$e"
succeeds "its name is free for the next one" lxc-copy -n "$a" -N "$e" -e
is "$(state_of "$e")" RUNNING "which runs"
succeeds "it stops" lxc-stop -n "$e" -k
ok "and goes" eventually 5 test ! -e "$lxcpath/$e"
succeeds "one more" lxc-copy -n "$a" -N "$e" -e
ok "all of it crashes" crash "$e"
succeeds "its name is free for an archive" sh -c "lxc-export -n $a - | lxc-import -n $e -"
succeeds "it goes" lxc-destroy -n "$e"
succeeds "one more" lxc-copy -n "$a" -N "$e" -e
ok "all of it crashes" crash "$e"
succeeds "the base is not held by it" lxc-destroy -n "$a"
is "$(lxc-ls)" "" "nothing is left"

# ---- other copies

succeeds "a container" lxc-create -n "$a" -t busybox
# shellcheck disable=SC2317,SC2329 # through each_point
copy_point() {
	killed_at "$1" "$2" lxc-copy -n "$a" -N "$c"
	lxc-ls >"$scratch/ls" 2>"$scratch/ls.err"
	if [ -e "$lxcpath/$c/partial" ]; then
		shown=$((shown + 1))
		grep -q "$c" "$scratch/ls" || bad="$bad $1 $2: not listed;"
		grep -q "^lxc-ls: .*$c is not complete: .*lxc-destroy -n $c removes it" "$scratch/ls.err" || bad="$bad $1 $2: not shown;"
		for verb in "lxc-start -n $c" "lxc-copy -n $c -N $e" "lxc-snapshot -n $c" "lxc-export -n $c $scratch/x" "lxc-copy -R -n $c -N $e" \
			"lxc-copy -n $a -N $c" "lxc-remap --privileged -n $c"; do
			$verb >/dev/null 2>"$scratch/err" && bad="$bad $1 $2: $verb;"
			grep -q "of container $c was interrupted\|of $c was interrupted\|to $c was interrupted\|$c .*incomplete\|$c is incomplete" "$scratch/err" || bad="$bad $1 $2: $verb: $(cat "$scratch/err");"
		done
	elif [ -e "$lxcpath/.$c.new" ]; then
		shown=$((shown + 1))
		grep -q "creation of $c was interrupted; lxc-destroy .*-n $c removes" "$scratch/ls.err" || bad="$bad $1 $2: not shown;"
	elif [ -e "$lxcpath/$c" ]; then
		[ "$(cd "$lxcpath/$c/rootfs" && find . ! -path './dev/*' -printf '%P %y %m %l\n' | wc -l)" = "$size" ] || bad="$bad $1 $2: not complete;"
	else
		return
	fi
	lxc-destroy -n "$c" >/dev/null 2>"$scratch/err" || bad="$bad $1 $2: not removed: $(cat "$scratch/err");"
	[ -z "$(ls -A "$lxcpath" | grep -v "^$a\$")" ] || bad="$bad $1 $2: something is left;"
}
size=$(cd "$lxcpath/$a/rootfs" && find . ! -path './dev/*' | wc -l)
points lxc-copy -n "$a" -N "$c"
lxc-destroy -n "$c"
bad='' killed=0 shown=0
each_point copy_point
is "$bad" "" "a copy that was cut off, at one of $killed points, is shown and removed"
ok "such were there" test "$shown" -ge 10

# ---- an ordinary user's

home=/home/alice/.local/share/lxc
succeeds "a user's container" as alice lxc-create -n "$a" -t busybox
succeeds "a throwaway copy" as alice lxc-copy -n "$a" -N "$e" -e
is "$(as alice lxc-info -n "$e" -sH)" RUNNING "runs"
user_crash() {
	crash_init=$(as alice lxc-info -n "$e" -pH)
	crash_monitor=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$crash_init/status")
	kill -KILL "$crash_monitor" && kill -KILL "$crash_init"
	eventually 5 test ! -e "/proc/$crash_init"
}
ok "all of it crashes" user_crash
is "$(as alice lxc-ls)" "$a" "the next command collects it"
ok "it is gone" test ! -e "$home/$e"
points as alice lxc-copy -n "$a" -N "$c"
as alice lxc-destroy -n "$c" >/dev/null 2>&1
bad='' killed=0 shown=0
for call in mkdirat renameat2 unlinkat fsync write; do
	count=$(grep -c "^$call(" "$scratch/all")
	[ "$count" -gt 0 ] || continue
	killed_at "$call" "$count" as alice lxc-copy -n "$a" -N "$c"
	if [ -e "$home/$c/partial" ] || [ -e "$home/.$c.new" ]; then
		shown=$((shown + 1))
		as alice lxc-ls 2>&1 | grep -q "$c was interrupted\|$c is not complete" || bad="$bad $call: not shown;"
	fi
	[ ! -e "$home/$c" ] && [ ! -e "$home/.$c.new" ] || as alice lxc-destroy -n "$c" >/dev/null 2>"$scratch/err" || bad="$bad $call: $(cat "$scratch/err");"
	[ ! -e "$home/$c" ] || bad="$bad $call: is left;"
done
is "$bad" "" "a copy that was cut off, at one of $killed points, is shown and removed"
succeeds "it goes" as alice lxc-destroy -n "$a"
# The beginning of a snapshot is none; somebody's link in its place is not followed.
mkdir "$lxcpath/$a/snaps" "$lxcpath/$a/snaps/.snap0.new" "$scratch/precious" "$scratch/precious/.snap0.new"
: >"$lxcpath/$a/snaps/.snap0.new/partial"
: >"$scratch/precious/.snap0.new/partial"
succeeds "all goes" lxc-destroy -n "$a"
succeeds "another one" lxc-create -n "$a" -t busybox
ln -s "$scratch/precious" "$lxcpath/$a/snaps"
succeeds "goes, too" lxc-destroy -n "$a"
ok "and nothing that a link names" test -e "$scratch/precious/.snap0.new/partial"
finish
