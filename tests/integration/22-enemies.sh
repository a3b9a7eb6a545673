#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What an enemy does: a stranger at the command socket, a container's root file system, a program inside, a
# text that is more than a value. Each is a thing that some container manager has fallen for.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup setpriv script
sandbox "$0"
n=$tag
attacker=$scratch/attacker
chmod 755 "$scratch"
${CC:-cc} -static -D_GNU_SOURCE -o "$attacker" "$top_srcdir/tests/attack/attacker.c" 2>"$scratch/cc" ||
	skip_all "static: no static program can be linked: $(tail -n 1 "$scratch/cc")"

# within SECONDS TEXT STATUS COMMAND...: ends in time, with this status.
within() {
	within_limit=$1 within_text=$2 within_status=$3
	shift 3
	within_begin=$(date +%s)
	run "$@"
	is "$status" "$within_status" "$within_text"
	[ "$status" -eq "$within_status" ] || comment "$err"
	ok "... within $within_limit s" test $(($(date +%s) - within_begin)) -le "$within_limit"
}

state_is() {
	[ "$(lxc-info -n "$n" -s -H 2>/dev/null | sed 's/^State:[[:blank:]]*//')" = "$1" ]
}

# shellcheck disable=SC2329,SC2317 # through eventually
monitor_pid() {
	pgrep -o -f "^\\[lxc monitor\\] $lxcpath $n\$"
}

stop() {
	lxc-stop -n "$n" -k >/dev/null 2>&1
	eventually 5 state_is STOPPED
}

lxc-create -n "$n" -t busybox >/dev/null
root=$lxcpath/$n/rootfs
socket=$lxcpath/$n/command
cp "$attacker" "$root/bin/attacker"

# ---- a stranger holds the name of a stopped container

stranger() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$attacker" listen "$socket" "$1" >"$scratch/asked" 2>&1 &
	stranger_pid=$!
	eventually 5 grep -q bound "$scratch/asked"
}

sleep 300 &
victim=$!
for answer in 0 "$victim"; do
	stranger "$answer"
	for command in "lxc-info" "lxc-stop" "lxc-stop -k" "lxc-start" "lxc-freeze" "lxc-destroy -f" "lxc-wait -s STOPPED -t 2"; do
		# shellcheck disable=SC2086 # a command and its options
		within 2 "$command is not answered by a stranger" 1 $command -n "$n"
		like "$err" "uid 65534, pid $stranger_pid\\) is not its monitor" "... and names him"
	done
	within 2 "lxc-attach is not answered by a stranger" 1 lxc-attach -n "$n" -- true
	like "$err" "uid 65534, pid $stranger_pid\\)" "... and names him"
	within 2 "lxc-ls goes on" 0 lxc-ls -f
	like "$err" "uid 65534, pid $stranger_pid\\)" "... and names him"
	is "$(lxc-ls --running 2>/dev/null)" "" "a stranger does not make it run"
	is "$(grep -c asked "$scratch/asked")" 0 "nobody told him anything"
	kill "$stranger_pid"
	wait "$stranger_pid" 2>/dev/null
done
ok "the process that he named lives" kill -0 "$victim"
kill "$victim"
wait "$victim" 2>/dev/null

# ---- silence

"$attacker" listen "$socket" 0 >"$scratch/asked" &
silent=$!
eventually 5 grep -q bound "$scratch/asked"
within 12 "a listener of root's that says nothing is given up" 1 lxc-info -n "$n"
like "$err" 'has not answered within 10 s' "... and said"
within 4 "lxc-ls waits less" 0 lxc-ls -f
kill "$silent"
wait "$silent" 2>/dev/null
lxc-start -n "$n"
monitor=$(monitor_pid)
kill -STOP "$monitor"
within 12 "lxc-stop -k gives a stopped monitor up" 1 lxc-stop -n "$n" -k
like "$err" 'has not answered within 10 s' "... and says so"
within 4 "lxc-ls waits less" 0 lxc-ls -f
kill -CONT "$monitor"
ok "it goes on when it may" eventually 5 state_is RUNNING

# ---- a monitor that is talked to badly

for who in 0 65534; do
	run setpriv --reuid "$who" --regid "$who" --clear-groups "$attacker" frames "$socket"
	like "$out" '^sent [1-9]' "uid $who sends requests that are none"
	run setpriv --reuid "$who" --regid "$who" --clear-groups "$attacker" fds "$socket"
	is "$out" sent "uid $who sends descriptors"
	setpriv --reuid "$who" --regid "$who" --clear-groups "$attacker" idle "$socket" 200 >/dev/null &
	eval "idle$who=$!"
	setpriv --reuid "$who" --regid "$who" --clear-groups "$attacker" flood "$socket" 3 >/dev/null 2>&1 &
done
sleep 0.5
for i in 1 2 3; do
	within 2 "it answers meanwhile ($i)" 0 lxc-info -n "$n" -s
done
# shellcheck disable=SC2154 # set above
kill "$idle0" "$idle65534"
wait 2>/dev/null
is "$(monitor_pid)" "$monitor" "it is the same monitor still"
run setpriv --reuid 65534 --regid 65534 --clear-groups "$attacker" ask "$socket"
is "$out" "asked 160" "whatever a stranger asks for is refused"
ok "it runs" state_is RUNNING
ok "it holds no descriptor of theirs" eventually 5 sh -c "[ \$(ls /proc/$monitor/fd | wc -l) -lt 60 ]"
stop

# ---- what the caller has

mkdir "$scratch/secret"
echo secret >"$scratch/secret/file"
with_files() {
	(
		for fd in 3 4 5 6 7 8 9; do
			eval "exec $fd<\"\$scratch/secret/file\""
		done
		SECRET=secret "$@"
	)
}
with_files lxc-start -n "$n"
pid=$(lxc-info -n "$n" -p -H)
monitor=$(monitor_pid)
is "$(find "/proc/$pid/fd" "/proc/$monitor/fd" -lname '*secret*')" "" "init and monitor have none of the caller's files"
unlike "$(cat "/proc/$pid/environ" "/proc/$monitor/environ" | tr '\0' '\n')" secret "nor of his environment"
is "$(with_files lxc-attach -n "$n" -- sh -c 'ls -l /proc/self/fd | grep secret')" "" "nor has an attached program"
is "$(grep -E 'Cap(Inh|Amb)' "/proc/$pid/status" | grep -v 0000000000000000)" "" "init inherits no capabilities"
is "$(lxc-attach -n "$n" -- grep -E 'Cap(Inh|Amb)' /proc/self/status | grep -v 0000000000000000)" "" "nor does an attached program"
lxc-attach -n "$n" -- attacker watch >"$scratch/watch" 2>&1 &
watcher=$!
ok "a guest's root watches" eventually 10 grep -q '^watching ' "$scratch/watch"
for i in 1 2 3 4 5 6 7 8 9 10; do
	with_files lxc-attach -n "$n" -- true
done
# By its number: whatever looks for a name has files of the guest's /proc open itself, and is seen with them.
lxc-attach -n "$n" -- kill "$(sed -n 's/^watching //p' "$scratch/watch")"
wait "$watcher" 2>/dev/null
seen=$(sed 1d "$scratch/watch" | cut -d ' ' -f 3- | sort -u)
like "$seen" . "the guest's root has watched attached processes"
unlike "$seen" '^/|^(mnt|net|pid|user|cgroup|ipc|uts):' "and saw nothing of the host from their birth on"
echo owned >"$scratch/mine"
lxc-attach -n "$n" -u 1000 -- cat <"$scratch/mine" >/dev/null
is "$(stat -c %u "$scratch/mine")" 0 "attach -u does not give the caller's file away"

# ---- the caller's terminal

script -qec "sh -c '$attacker tiocsti; $attacker hear 500 >$scratch/typed'" /dev/null </dev/null >/dev/null 2>&1
like "$(cat "$scratch/typed")" PWNED "who shares a terminal types into it"
for how in "" "</dev/null" "</dev/null >/dev/null 2>&1"; do
	: >"$scratch/typed"
	script -qec "sh -c 'lxc-attach -n $n -- attacker tiocsti $how; $attacker hear 500 >$scratch/typed'" /dev/null \
		</dev/null >/dev/null 2>&1
	is "$(tr -d "\004" <"$scratch/typed")" "" "nothing is typed into the caller's terminal ${how:-with all of it}"
done

# ---- what a privileged guest may not

for file in /proc/sys/kernel/core_pattern /proc/sys/kernel/dmesg_restrict /proc/sys/vm/swappiness /proc/sysrq-trigger \
	/proc/irq/default_smp_affinity /sys/kernel/mm/ksm/run; do
	[ -e "$file" ] || continue
	fails 1 "it cannot write $file" lxc-attach -n "$n" -- sh -c ": >>$file"
done
fails 1 "it cannot read the kernel log" lxc-attach -n "$n" -- dmesg
fails 1 "nor by its file" lxc-attach -n "$n" -- head -c 1 /proc/kmsg
unlike "$(lxc-attach -n "$n" -- attacker alg)" allowed "it gets no socket of the kernel's crypto"
stop

# ---- our own program's file

printf 'lxc.net.0.type = empty\nlxc.mount.auto = proc:mixed\nlxc.rootfs.path = dir:%s\n' "$root" >"$scratch/execute.conf"
is "$(lxc-execute -n "$n-x" -f "$scratch/execute.conf" -- /bin/attacker exe 1)" readonly "process 1 of lxc-execute cannot be written"
printf '#!/proc/self/exe\n' >"$root/bin/evil"
chmod 755 "$root/bin/evil"
before=$(cat "$TIFFIN_INST"/bin/lxc-* "$TIFFIN_INST"/libexec/lxc/* "$TIFFIN_INST"/sbin/init.lxc* | md5sum)
lxc-start -n "$n"
run lxc-attach -n "$n" -- /bin/evil
run lxc-execute -n "$n-x" -f "$scratch/execute.conf" -- /bin/evil
stop
is "$(cat "$TIFFIN_INST"/bin/lxc-* "$TIFFIN_INST"/libexec/lxc/* "$TIFFIN_INST"/sbin/init.lxc* | md5sum)" "$before" "our programs are what they were"

# ---- symlinks in the root: nothing is made or mounted outside

host=$scratch/host
mkdir -p "$host/x/y" "$host/dev" "$host/proc"
echo kept >"$host/null"
host_now() {
	cut -d ' ' -f 4,5,6 /proc/self/mountinfo | sort
	find "$host" -printf '%p %y %m %u %s\n' | sort
	cat "$host/null"
}
host_before=$(host_now)
for target in "$host" "../../../../../../../..$host" "/proc/1/root$host" /proc/self/cwd; do
	for name in dev proc sys; do
		mv "$root/$name" "$root/.$name"
		ln -s "$target" "$root/$name"
		fails 1 "a root whose /$name is $target does not start" lxc-start -n "$n"
		like "$err" "$name in the container's root is a symlink" "... and says why"
		rm "$root/$name"
		mv "$root/.$name" "$root/$name"
	done
	ln -s "$target" "$root/way"
	for create in dir file; do
		run lxc-start -n "$n" -s "lxc.mount.entry=$host/x way/new/deep none bind,create=$create 0 0"
		stop
	done
	run lxc-start -n "$n" -s "lxc.mount.entry=way mnt none bind,relative,optional 0 0"
	is "$(lxc-attach -n "$n" -- sh -c 'ls /mnt/x 2>/dev/null')" "" "a relative source through $target shows nothing of the host"
	stop
	is "$(host_now)" "$host_before" "the host is unchanged after mounts by $target"
	rm -rf "$root/way"
done
mkdir -p "$root/data/real"
ln -s /data/real "$root/inside"
succeeds "an absolute symlink that stays inside works" lxc-start -n "$n" -s "lxc.mount.entry=$host/x inside none bind 0 0"
is "$(lxc-attach -n "$n" -- ls /data/real)" y "... and leads where it says"
stop
# A thousand starts.
races=${ENEMY_RACES:-334}
for name in dev proc x; do
	mkdir -p "$root/$name"
	ln -s "$host" "$root/.racer"
	"$attacker" exchange "$root/$name" "$root/.racer" &
	racer=$!
	left=$races started=0
	while [ "$left" -gt 0 ]; do
		run lxc-start -n "$n" -s "lxc.mount.entry=$scratch/secret x/y/z none bind,create=dir 0 0"
		[ "$status" -ne 0 ] || { started=$((started + 1)) && stop; }
		left=$((left - 1))
	done
	comment "/$name: $started of $races starts met no symlink"
	kill "$racer"
	wait "$racer" 2>/dev/null
	[ -L "$root/$name" ] && rm "$root/$name" && mv "$root/.racer" "$root/$name"
	rm -f "$root/.racer"
	is "$(host_now)" "$host_before" "the host is unchanged after a race for /$name"
done
for fd in 3 4 5 6 7 8 9 10; do
	run lxc-start -n "$n" -s "lxc.init.cwd=/proc/self/fd/$fd"
	if [ "$status" -eq 0 ]; then
		like "$(lxc-attach -n "$n" -- readlink /proc/1/cwd)" '^/' "init's directory by descriptor $fd is inside"
		stop
	else
		like "$err" 'lxc.init.cwd' "init's directory by descriptor $fd is refused"
	fi
done

# ---- planted files

touch "$scratch/victim"
mkdir -m 1777 "$scratch/open"
ln -s "$scratch/victim" "$scratch/open/link"
mkfifo "$scratch/open/fifo"
for bad in link fifo; do
	for option in -o -L; do
		within 3 "a log that is a $bad is refused ($option)" 1 lxc-start -n "$n" "$option" "$scratch/open/$bad"
	done
done
succeeds "a pid file replaces a symlink" lxc-start -n "$n" -p "$scratch/open/link"
stop
is "$(cat "$scratch/victim")" "" "nothing was written through symlinks"
for plant in "ln -s $scratch/open /run/lxc" "mkdir -m 777 /run/lxc" "install -d -o 65534 /run/lxc"; do
	mv /run/lxc /run/lxc.real
	$plant
	fails 1 "a run directory of others is refused: $plant" lxc-start -n "$n"
	rm -rf /run/lxc
	mv /run/lxc.real /run/lxc
done
is "$(find "$scratch/open" -mindepth 1 ! -name fifo ! -name link)" "" "nothing was made there"

# ---- sysctls and /proc of the host

pattern=$(cat /proc/sys/kernel/core_pattern)
for item in 'lxc.sysctl.kernel.core_pattern=|/x' 'lxc.sysctl.net.x+kernel.core_pattern=|/x' \
	'lxc.sysctl.net/../kernel/core_pattern=|/x' 'lxc.proc.sys.kernel.core_pattern=|/x' \
	'lxc.proc.../1/oom_score_adj=5' 'lxc.proc.mem=x' 'lxc.proc.root.etc.passwd=x'; do
	fails 1 "$item is refused" lxc-start -n "$n" -s "$item"
done
is "$(cat /proc/sys/kernel/core_pattern)" "$pattern" "the host's core pattern is what it was"

# ---- names and text

newline=$(printf 'a\nlxc.hook.pre-start = touch %s/pwned' "$scratch")
long=$(printf '%0201d' 0)
for name in "" . .. -x a/b "$newline" "$long" 'a b' 'a;b' 'a$(b)'; do
	for command in "lxc-create -t busybox" "lxc-destroy" "lxc-start" "lxc-info" "lxc-stop" "lxc-attach"; do
		# shellcheck disable=SC2086 # a command and its options
		run $command -n "$name"
		[ "$status" -eq 1 ] || result 1 "$command -n '$name' returned $status"
	done
	like "$err" . "no tool takes the name '$(printf '%.20s' "$name" | tr '\n' '~')'"
done
for command in "lxc-start -n $n -s lxc.uts.name=" "lxc-start -n $n -s lxc.environment=A=" \
	"lxc-create -n $n-c -t busybox --dir /" "lxc-create -n $n-c -t busybox -- --x" "lxc-create -n $n-c -t "; do
	case $command in
	*[=/t\ ]) fails 1 "no newline in: $command" ${command% *} "${command##* }$newline" ;;
	*) fails 1 "no newline in: $command" $command "$newline" ;;
	esac
done
ok "no hook came of it" test ! -e "$scratch/pwned"

# ---- what is no config

mkfifo "$scratch/fifo"
truncate -s 2G "$scratch/huge"
i=0
while [ $i -lt 24 ]; do
	printf 'lxc.include = %s/bomb%d\n%.0s' "$scratch" $((i + 1)) 1 "$scratch" $((i + 1)) 2 >"$scratch/bomb$i"
	i=$((i + 1))
done
printf 'lxc.include = %s/loop\n' "$scratch" >"$scratch/loop"
for file in fifo huge bomb0 loop; do
	within 3 "a config that is a $file is refused" 1 lxc-start -n "$n" -f "$scratch/$file"
done
within 3 "a config that is /dev/zero is refused" 1 lxc-start -n "$n" -f /dev/zero
for key in lxc.mount.fstab lxc.seccomp.profile; do
	for file in "$scratch/fifo" "$scratch/huge" /dev/zero /; do
		within 3 "$key = $file is refused" 1 lxc-start -n "$n" -s "$key=$file"
	done
done
for item in lxc.tty.max=+1 lxc.tty.max=4294967297 lxc.pty.max=4x lxc.init.uid=4294967295 lxc.init.uid=4294967296 \
	'lxc.idmap=u 0 4294967295 1' 'lxc.idmap=u 0 100000 4294967296' lxc.prlimit.nofile=-1 lxc.start.order=1e3; do
	fails 1 "$item is refused" lxc-start -n "$n" -s "$item"
done
lxc-start -n "$n"
for id in 4294967295 4294967296 -1 +0 "" 0x 1000:; do
	fails 1 "attach as uid '$id' is refused" lxc-attach -n "$n" --uid="$id" -- true
done

# ---- a config that no longer loads must not keep anyone from looking and stopping

cp "$lxcpath/$n/config" "$scratch/config"
echo 'lxc.nonsense = 1' >>"$lxcpath/$n/config"
succeeds "lxc-info works" lxc-info -n "$n" -s
like "$out" RUNNING "... and says RUNNING"
succeeds "lxc-stop works" lxc-stop -n "$n" -k
cp "$scratch/config" "$lxcpath/$n/config"

# ---- a hook that hangs

printf '#!/bin/sh\nexec sleep 60\n' >"$scratch/hang"
chmod 755 "$scratch/hang"
for hook in pre-start mount start-host; do
	lxc-start -n "$n" -s "lxc.hook.$hook=$scratch/hang" 2>"$scratch/hung" &
	starter=$!
	ok "the state is seen while a $hook hook hangs" eventually 5 state_is STARTING
	within 3 "lxc-stop -k works meanwhile" 0 lxc-stop -n "$n" -k
	wait "$starter"
	is "$?" 1 "the start is called off"
	ok "... and says so" grep -q 'called off' "$scratch/hung"
done

# ---- destroy deletes what is its own, and nothing else

keep=$scratch/keep
mkdir "$keep"
echo kept >"$keep/file"
for path in "$keep" "$lxcpath/$n-d/rootfs" "$lxcpath/$n-d/../../../../../../../../../..$keep" / "$lxcpath"; do
	mkdir "$lxcpath/$n-d"
	printf 'lxc.rootfs.path = dir:%s\n' "$path" >"$lxcpath/$n-d/config"
	ln -s "$keep" "$lxcpath/$n-d/rootfs"
	ln -s "$keep" "$lxcpath/$n-d/snaps"
	run lxc-destroy -n "$n-d"
	is "$(cat "$keep/file")" kept "destroy leaves alone what is not its own: $path"
	rm -rf "${lxcpath:?}/$n-d"
done
ln -s "$keep" "$lxcpath/$n-d"
run lxc-create -n "$n-d" -t /bin/false
is "$(cat "$keep/file")" kept "a create that fails leaves a linked directory alone"
run lxc-destroy -n "$n-d"
is "$(cat "$keep/file")" kept "so does destroy"
rm -f "$lxcpath/$n-d"
fails 1 "a create into a directory that exists fails" lxc-create -n "$n-d" -t /bin/false --dir "$keep"
is "$(cat "$keep/file")" kept "... and leaves it as it was"
ok "the other container is whole" test -d "$root/bin"

succeeds "destroy works" lxc-destroy -n "$n"
rm -rf "${lxcpath:?}/$n-x"
finish
