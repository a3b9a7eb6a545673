#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# The monitor that answers whatever is slow, stopped, damaged or dead around it: terminals after an adoption, a
# freeze that takes long, a supervisor that a signal keeps stopped, a state file that does not say all.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup gcc script
sandbox "$0"
n=$tag

attacker=$scratch/attacker
gcc -O1 -o "$attacker" "$top_srcdir/tests/attack/attacker.c" || {
	echo "1..1"
	echo "not ok 1 - the attacker compiles"
	exit 1
}

monitor_pid() {
	grep -alE "^\[lxc monitor\].*$1" /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3 | head -n 1
}

# ---- terminals

# says TTY TEXT...: types what comes on standard input at a tty of the container, and keeps the screen.
types() {
	types_keys=$scratch/keys
	rm -f "$types_keys"
	mkfifo "$types_keys"
	: >"$scratch/screen"
	timeout 30 script -qefc "lxc-console -n $n -t $1" "$scratch/screen" <"$types_keys" >/dev/null 2>&1 &
	types_pid=$!
	exec 3>"$types_keys"
	eventually 10 grep -q 'leaves' "$scratch/screen"
}

leaves() {
	printf '\001q' >&3
	exec 3>&-
	wait "$types_pid"
}

answers() {
	printf '\r' >&3
	printf 'echo it says $((6 * 7))\r' >&3
	eventually 2 grep -q 'says 42' "$scratch/screen"
}

check_terminals() {
	for round in 1 2; do
		kill -9 "$(monitor_pid "$n")"
		is "$(lxc-info -n "$n" -s -H)" RUNNING "$1: it is adopted (round $round)"
		succeeds "$1: /dev/console can be written again (round $round)" \
			lxc-attach -n "$n" -- sh -c "echo round $round >/dev/console"
		ok "$1: and what is written is in its log (round $round)" eventually 5 grep -q "round $round" "$scratch/console.log"
		is "$(lxc-attach -n "$n" -- stat -c '%t %a %u' /dev/console)" "88 620 0" "$1: it is a terminal of root's (round $round)"
		is "$(lxc-attach -n "$n" -- grep -c ' /dev/console ' /proc/self/mountinfo)" 1 "$1: mounted once (round $round)"
		succeeds "$1: so can a tty (round $round)" lxc-attach -n "$n" -- sh -c "echo tty >/dev/tty1"
		types 0
		ok "$1: a shell answers at the console (round $round)" eventually 15 answers
		leaves
	done
}

cat >"$scratch/base.conf" <<END
lxc.net.0.type = empty
lxc.console.logfile = $scratch/console.log
lxc.tty.max = 2
END
lxc-create -n "$n" -t busybox -f "$scratch/base.conf" >/dev/null
succeeds "it starts" lxc-start -n "$n"
check_terminals plain
succeeds "it stops cleanly" lxc-stop -n "$n" -t 20
printf 'lxc.tty.dir = lxc\n' >>"$lxcpath/$n/config"
succeeds "it starts with lxc.tty.dir" lxc-start -n "$n"
check_terminals 'lxc.tty.dir'
succeeds "it is killed" lxc-stop -n "$n" -k
sed -i '/lxc.tty.dir/d' "$lxcpath/$n/config"
printf 'lxc.pty.max = 1\nlxc.tty.max = 0\n' >>"$lxcpath/$n/config"
succeeds "it starts with a console of the host's devpts" lxc-start -n "$n"
kill -9 "$(monitor_pid "$n")"
is "$(lxc-info -n "$n" -s -H)" RUNNING "it is adopted"
succeeds "its console can be written again" lxc-attach -n "$n" -- sh -c "echo of the host >/dev/console"
succeeds "it is killed" lxc-stop -n "$n" -k
succeeds "and destroyed" lxc-destroy -n "$n"

if unshare -U true 2>/dev/null; then
	echo "root:100000:65536" >"$scratch/subid"
	for file in /etc/subuid /etc/subgid; do
		[ ! -e "$file" ] || mount --bind "$scratch/subid" "$file"
	done
	mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
	cat "$scratch/base.conf" - >"$scratch/mapped.conf" <<-END
		lxc.idmap = u 0 100000 65536
		lxc.idmap = g 0 100000 65536
	END
	lxc-create -n "$n" -t busybox -f "$scratch/mapped.conf" >/dev/null
	succeeds "a mapped one starts" lxc-start -n "$n"
	check_terminals mapped
	succeeds "it stops cleanly" lxc-stop -n "$n" -t 20
	succeeds "and is destroyed" lxc-destroy -n "$n"
else
	skip "a mapped one is adopted with its terminals" "needs userns: user namespaces are not allowed here"
fi

# ---- a guest that has done something to its /dev

lxc-create -n "$n" -t busybox -f "$scratch/base.conf" >/dev/null
mkdir "$lxcpath/$n/rootfs/hang"
touch "$scratch/canary"
before=$(stat -c '%u %g %a %i' "$scratch/canary" /dev/null)
for trick in 'umount /dev/console; rm -f /dev/console; ln -s /../../tmp /dev/console' 'umount /dev/pts; mkdir /dev/pts; ln -s /dev/null /dev/pts/ptmx' \
	'mount -t tmpfs none /dev' 'rm -rf /dev/tty1; umount /dev/tty1; ln -s /etc/passwd /dev/tty1'; do
	lxc-start -n "$n"
	lxc-attach -n "$n" -- sh -c "$trick" >/dev/null 2>&1
	kill -9 "$(monitor_pid "$n")"
	is "$(timeout 20 lxc-info -n "$n" -s -H)" RUNNING "it is adopted after: $trick"
	succeeds "and obeys" lxc-attach -n "$n" -- true
	lxc-stop -n "$n" -k
done
is "$(stat -c '%u %g %a %i' "$scratch/canary" /dev/null)" "$before" "nothing of the host's has changed"

# ---- a freeze that takes long

"$attacker" hang "$lxcpath/$n/rootfs/hang" >"$scratch/hang" 2>&1 &
hang=$!
eventually 5 grep -q . "$scratch/hang"
if grep -q mounted "$scratch/hang"; then
	lxc-start -n "$n"
	lxc-attach -n "$n" -- ls /hang >/dev/null 2>&1 &
	looker=$!
	ok "somebody in it hangs" eventually 10 lxc-attach -n "$n" -- sh -c 'ps | grep -q "[l]s /hang"'
	lxc-freeze -n "$n" >"$scratch/out" 2>"$scratch/freeze.err" &
	freezer=$!
	ok "it shows that it is freezing" eventually 5 sh -c "lxc-info -n $n -s -H | grep -q FREEZING"
	begin=$(date +%s%N)
	succeeds "others are answered meanwhile" lxc-info -n "$n" -p
	comment "in $((($(date +%s%N) - begin) / 1000000)) ms"
	is "$(lxc-info -n "$n" -s -H)" FREEZING "and it still is"
	status=0
	wait "$freezer" || status=$?
	is "$status" 1 "the freeze fails when its time is over"
	like "$(cat "$scratch/freeze.err")" "could not be frozen|frozen" "and says so"
	is "$(lxc-info -n "$n" -s -H)" RUNNING "it runs on"
	lxc-freeze -n "$n" >/dev/null 2>&1 &
	freezer=$!
	eventually 5 sh -c "lxc-info -n $n -s -H | grep -q FREEZING"
	succeeds "it is killed in the middle of another one" lxc-stop -n "$n" -k
	wait "$freezer" 2>/dev/null
	is "$(lxc-info -n "$n" -s -H)" STOPPED "and is stopped"
	kill "$hang"
	wait "$hang" "$looker" 2>/dev/null
	umount -l "$lxcpath/$n/rootfs/hang"
else
	skip "a freeze that takes long delays nobody" "needs fuse: $(cat "$scratch/hang")"
fi

# ---- a supervisor that is stopped in the middle of a start

cp "$lxcpath/$n/config" "$scratch/config"
# shellcheck disable=SC2016 # for the hook's shell
printf '#!/bin/sh\n[ ! -e %s/stop ] || { rm %s/stop; kill -STOP $PPID; }\n' "$scratch" "$scratch" >"$scratch/hook"
chmod +x "$scratch/hook"
printf 'lxc.hook.pre-start = %s/hook\n' "$scratch" >>"$lxcpath/$n/config"
touch "$scratch/stop"
run timeout 40 lxc-start -n "$n"
is "$status" 1 "a start whose monitor is stopped by a signal does not wait for ever"
like "$err" "monitor of container $n .*has been stopped by a signal" "it says so"
pid=$(printf '%s' "$err" | sed -n 's/.*kill -CONT \([0-9]*\).*/\1/p')
like "$pid" '^[0-9]+$' "and how to let it go on"
[ -z "$pid" ] || kill -CONT "$pid"
ok "it then calls the start off" eventually 10 sh -c "! kill -0 $pid"
is "$(lxc-info -n "$n" -s -H)" STOPPED "it is stopped"
is "$(in_cgroups)" "" "no cgroup is left of it"
succeeds "it can be started" lxc-start -n "$n"

# ---- a state file that names no cgroups, or nonsense

instance=$(find /run/lxc/instance -type d -name "$n")
# without BLOCK: the state file with one of its blocks left out.
without() {
	awk -v block="$1" '
		left > 0 { left -= length($0) + 1; next }
		$1 == block { left = $2 + 1; next }
		{ print }' "$scratch/state"
}
for edit in sum cgroups net 's/^cgroups .*/cgroups 7/' 's/^init .*/init 4294967295 1/' 's/^[a-z]*//'; do
	kill -9 "$(monitor_pid "$n")" 2>/dev/null
	# As an earlier version wrote it: without a sum, which would give the edit away. With "sum" it does.
	{
		echo 'tiffin-state 1'
		tail -n +2 "$instance/state" | head -c "$(awk 'NR == 1 { print $3 }' "$instance/state")"
	} >"$scratch/state"
	case $edit in
	sum) sed 's/^flags .*/flags 1/' "$instance/state" ;;
	s*) sed "$edit" "$scratch/state" ;;
	*) without "$edit" ;;
	esac >"$instance/state"
	for tool in 'info' 'info -S' 'cgroup memory.limit_in_bytes' 'cgroup memory.max' 'freeze' 'unfreeze' 'attach -- true' 'wait -s RUNNING -t 1' 'ls -f'; do
		name="-n $n"
		[ "${tool% *}" != ls ] || name=
		# shellcheck disable=SC2086 # words
		run timeout 20 lxc-${tool%% *} $name $(printf '%s' "$tool" | sed 's/^[a-z]* *//')
		like "$status" '^[0-2]$' "state file with $edit: $tool neither crashes nor hangs"
	done
	run timeout 20 lxc-stop -n "$n" -k
	like "$status" '^[0-2]$' "state file with $edit: nor does stop"
	# What it no longer knew it could not end: init goes with its cgroup, or by hand.
	for left in $(grep -l "lxc.payload.$n" /proc/[0-9]*/cgroup 2>/dev/null | cut -d / -f 3); do
		kill -9 "$left"
	done
	eventually 5 sh -c "[ -z \"\$(grep -l 'lxc.payload.$n' /proc/[0-9]*/cgroup 2>/dev/null)\" ]"
	find /sys/fs/cgroup -depth -type d -path "*/lxc.*$tag*" -exec rmdir {} + 2>/dev/null
	succeeds "state file with $edit: it starts again" lxc-start -n "$n"
done
lxc-stop -n "$n" -k

# ---- standard descriptors exchanged

lxc-start -n "$n"
echo to-stdin >"$scratch/in"
lxc-attach -n "$n" -- sh -c 'cat; echo error >&2' <"$scratch/in" 3>"$scratch/a" 4>"$scratch/b" 1>&3 2>&4
is "$(cat "$scratch/a"):$(cat "$scratch/b")" "to-stdin:error" "attach gives each of its descriptors its own"
lxc-stop -n "$n" -k
cp "$scratch/config" "$lxcpath/$n/config"
succeeds "it is destroyed" lxc-destroy -n "$n"

finish
