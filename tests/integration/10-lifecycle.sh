#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# A busybox container of root's, from create to destroy, with what each command prints and returns.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
sandbox "$0"
n=$tag

state() {
	lxc-info -n "$n" -s -H 2>/dev/null | sed 's/^State:[[:blank:]]*//'
}

state_is() {
	[ "$(state)" = "$1" ]
}

init_pid() {
	lxc-info -n "$n" -p -H | sed 's/^PID:[[:blank:]]*//'
}

inside() {
	lxc-attach -n "$n" -- "$@"
}

# ---- create

succeeds "create makes a busybox container" lxc-create -n "$n" -t busybox
like "$(cat "$lxcpath/$n/config")" "^lxc\.rootfs\.path = dir:$lxcpath/$n/rootfs$" "its config names its root"
like "$(cat "$lxcpath/$n/config")" '^lxc\.net\.0\.hwaddr = ([0-9a-f]{2}:){5}[0-9a-f]{2}$' "its address was drawn once and kept"
is "$(stat -c %a "$lxcpath/$n")" 770 "its directory is not for others"
ok "no marker of a partial create is left" test ! -e "$lxcpath/$n/partial"
fails 1 "create refuses a name that is taken" lxc-create -n "$n" -t busybox
like "$err" "$n" "and says which"
is "$(lxc-ls | tr -d ' ')" "$n" "ls lists it"
is "$(state)" STOPPED "info says STOPPED"
fails 2 "stop of a stopped container returns 2" lxc-stop -n "$n"

# ---- start

succeeds "start returns when it runs" lxc-start -n "$n"
is "$err" "" "and says nothing"
is "$(state)" RUNNING "info says RUNNING at once"
succeeds "wait returns at once" lxc-wait -n "$n" -s RUNNING -t 1
succeeds "a second start returns 0, as LXC's" lxc-start -n "$n"
like "$err" "^lxc-start: container $n is already running$" "but says that it runs already"
init=$(init_pid)
ok "its network is its own" test "$(readlink "/proc/$init/ns/net")" != "$(readlink /proc/self/ns/net)"
monitor=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$init/status")
is "$(readlink "/proc/$monitor/ns/net")" "$(readlink /proc/self/ns/net)" "its monitor's is the host's"
# Where every processor has something to do the namespace is made in another way.
succeeds "it is stopped" lxc-stop -n "$n" -k
: >"$scratch/busy"
for _ in $(seq "$(($(nproc) + 1))"); do
	timeout 60 sh -c 'while [ -e "$1" ]; do :; done' sh "$scratch/busy" &
done
sleep 0.1
succeeds "it starts on a busy machine" lxc-start -n "$n"
rm "$scratch/busy"
wait
init=$(init_pid)
ok "with a network of its own" test "$(readlink "/proc/$init/ns/net")" != "$(readlink /proc/self/ns/net)"
monitor=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$init/status")
is "$(readlink "/proc/$monitor/ns/net")" "$(readlink /proc/self/ns/net)" "and the monitor in the host's"

run lxc-info -n "$n"
like "$out" "^Name:           $n$" "info shows the name in its column"
like "$out" '^State:          RUNNING$' "info shows the state"
like "$out" '^PID:            [0-9]+$' "info shows the pid"
like "$out" '^Memory use:     [0-9.]+ [KM]iB$' "info shows the memory"
like "$out" '^Link:           veth' "info shows the link"
run lxc-ls -f
like "$out" '^NAME +STATE +AUTOSTART GROUPS IPV4 +IPV6 +UNPRIVILEGED *$' "ls -f has LXC's columns"
like "$out" "^$n +RUNNING 0 +- +" "ls -f shows the container"

# ---- inside

pid=$(init_pid)
like "$(inside cat /proc/1/comm)" '^init$' "process 1 is the root's init"
is "$(tr '\0' '\n' <"/proc/$pid/environ" | grep -v '^container_ttys=\|^container_uuid=')" "container=lxc" "init's environment is the container's"
is "$(inside hostname)" "$n" "the host name is the container's"
is "$(inside sh -c 'test "$(readlink /proc/self/ns/pid)" = "$(readlink /proc/1/ns/pid)" && echo own')" own "proc is that of its own processes"
is "$(find "/proc/$pid/fd" -mindepth 1 -printf '%f\n' | sort -n | tail -n 1)" 2 "init holds no descriptor but its terminal's"
unlike "$(inside cat /proc/mounts)" "$TIFFIN_INST" "no mount of the host is seen"
unlike "$(inside sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "')" 'monitor|lxc-|\.sh' "no process of the host is seen"
for kind in mnt pid uts ipc net cgroup; do
	ok "it has its own $kind namespace" test "$(readlink "/proc/$pid/ns/$kind")" != "$(readlink "/proc/self/ns/$kind")"
done
is "$(readlink "/proc/$pid/ns/user")" "$(readlink /proc/self/ns/user)" "it shares the user namespace, having no map"
is "$(inside stat -c '%t:%T' /dev/null)" 1:3 "/dev/null is what it seems"
like "$(inside ls -l /dev/console)" '^c' "/dev/console is a device"
ok "it can write to /dev/null" lxc-attach -n "$n" -- sh -c 'echo x >/dev/null'
fails 1 "it cannot write what steers the host's kernel" lxc-attach -n "$n" -- sh -c 'echo 1 >/proc/sys/kernel/panic'
run lxc-attach -n "$n" -- date -s 2001-01-01
ok "it cannot set the clock" test "$(date +%Y)" -gt 2001

# ---- attach

fails 7 "attach returns the command's status" lxc-attach -n "$n" -- sh -c 'exit 7'
fails 137 "attach returns 128 and the signal that killed it" lxc-attach -n "$n" -- sh -c 'kill -9 $$'
fails 127 "attach says when a command is not found" lxc-attach -n "$n" -- /no/such/command
fails 126 "attach says when a command is not executable" lxc-attach -n "$n" -- /etc/passwd
is "$(printf 'a\nb\n' | lxc-attach -n "$n" -- cat)" "$(printf 'a\nb')" "attach passes its input on"
is "$(lxc-attach -n "$n" --clear-env -- env | grep -v -e '^PATH=' -e '^container=lxc$' -e '^_=' -e '^SHLVL=' -e '^PWD=')" "" "attach --clear-env leaves nothing of the caller's"
is "$(SECRET=1 lxc-attach -n "$n" --clear-env -v A=b -- sh -c 'echo $A$SECRET')" b "and -v adds to it"
is "$(lxc-attach -n "$n" -u 65534 -g 65534 -- id -u)" 65534 "attach takes a uid"

# ---- freeze

succeeds "freeze works" lxc-freeze -n "$n"
is "$(state)" FROZEN "info says FROZEN"
(sleep 0.5; lxc-unfreeze -n "$n") &
succeeds "what is attached to it waits" lxc-attach -n "$n" -- echo there
is "$out" there "until it is thawed"
like "$err" "warning: $n is frozen: .*lxc-unfreeze -n $n\$" "and is warned"
wait "$!"
lxc-freeze -n "$n"
succeeds "unfreeze works" lxc-unfreeze -n "$n"
is "$(state)" RUNNING "info says RUNNING again"

# ---- console

screen=$scratch/screen
: >"$screen"
mkfifo "$scratch/keys"
script -qefc "lxc-console -n $n -t 0" "$screen" <"$scratch/keys" >/dev/null 2>&1 &
console_pid=$!
exec 3>"$scratch/keys"
screen_shows() {
	grep -q "$1" "$screen"
}
prompts() {
	printf '\r' >&3
	grep -q '[#$] ' "$screen"
}
ok "the console shows a prompt" eventually 10 prompts
printf 'echo sum $((6 * 7))\r' >&3
ok "the console answers" eventually 5 screen_shows 'sum 42'
printf '\001q' >&3
console_left() {
	! kill -0 "$console_pid" 2>/dev/null
}
ok "Ctrl-a q leaves the console" eventually 5 console_left
exec 3>&-
is "$(state)" RUNNING "which goes on without it"

# ---- reboot and poweroff from inside

old=$(init_pid)
lxc-attach -n "$n" -- reboot
rebooted() {
	[ "$(init_pid)" != "$old" ] && state_is RUNNING
}
ok "reboot from inside gives a new init" eventually 15 rebooted
lxc-attach -n "$n" -- poweroff
succeeds "poweroff from inside ends it" lxc-wait -n "$n" -s STOPPED -t 15
ok "its network device is gone" eventually 5 sh -c '! ip -o link | grep -q ": veth"'

# ---- stop

for how in "" -k "-t 5" --nokill; do
	succeeds "it starts again" lxc-start -n "$n"
	eventually 5 lxc-attach -n "$n" -- test -e /dev/log
	# shellcheck disable=SC2086 # options, or none
	succeeds "stop ${how:-without options} works" lxc-stop -n "$n" $how
	is "$(state)" STOPPED "info says STOPPED"
done
succeeds "it starts to be frozen" lxc-start -n "$n"
eventually 5 lxc-attach -n "$n" -- test -e /dev/log
lxc-freeze -n "$n"
old=$(init_pid)
succeeds "a frozen one is rebooted" lxc-stop -n "$n" -r -t 30
isnt_old() {
	[ "$(init_pid)" != "$old" ]
}
ok "with a new init, which runs" isnt_old
is "$(state)" RUNNING "and is not frozen"
eventually 5 lxc-attach -n "$n" -- test -e /dev/log
lxc-freeze -n "$n"
succeeds "a frozen one is shut down, not killed" lxc-stop -n "$n" -t 30 --nokill
is "$(state)" STOPPED "and has stopped"
succeeds "it starts for a reboot" lxc-start -n "$n"
eventually 5 lxc-attach -n "$n" -- test -e /dev/log
old=$(init_pid)
succeeds "stop -r reboots it" lxc-stop -n "$n" -r
ok "with a new init" eventually 15 rebooted

# ---- a stop while it reboots: what was wanted last counts

cp "$lxcpath/$n/config" "$scratch/config"
mkdir -p "$scratch/hook"
printf '#!/bin/sh\n: >%s/hook/begun\nsleep 2\n' "$scratch" >"$scratch/hook/stop"
chmod 755 "$scratch/hook/stop"
echo "lxc.hook.stop = $scratch/hook/stop" >>"$lxcpath/$n/config"
lxc-stop -n "$n" -k
for how in -k "-t 30"; do
	rm -f "$scratch/hook/begun"
	succeeds "it starts" lxc-start -n "$n"
	lxc-attach -n "$n" -- reboot -f
	ok "it begins to reboot" eventually 15 test -e "$scratch/hook/begun"
	# shellcheck disable=SC2086 # options
	succeeds "stop $how comes in between" lxc-stop -n "$n" $how
	is "$(state)" STOPPED "and it stays stopped"
	sleep 0.5
	is "$(state)" STOPPED "for good"
done
cp "$scratch/config" "$lxcpath/$n/config"
# An init that takes no notice, and is about to reboot anyway.
printf '#!/bin/sh\ntrap "" PWR INT\nwhile [ ! -e /now ]; do sleep 0.2; done\nrm /now\nreboot -f\nsleep 60\n' >"$lxcpath/$n/rootfs/deaf"
chmod 755 "$lxcpath/$n/rootfs/deaf"
printf 'lxc.init.cmd = /deaf\nlxc.signal.halt = SIGPWR\nlxc.signal.reboot = SIGINT\n' >>"$lxcpath/$n/config"
succeeds "an init that takes no notice starts" lxc-start -n "$n"
(sleep 1; lxc-attach -n "$n" -- touch /now) &
succeeds "a stop is content with its reboot" lxc-stop -n "$n" -t 30 --nokill
wait "$!"
sleep 0.5
is "$(state)" STOPPED "and it does not come back"
succeeds "it starts again" lxc-start -n "$n"
fails 1 "a stop in vain" lxc-stop -n "$n" -t 1 --nokill
old=$(init_pid)
lxc-attach -n "$n" -- touch /now
ok "a reboot after its time is one" eventually 15 rebooted
fails 1 "a longer stop in vain" lxc-stop -n "$n" -t 3 --nokill
old=$(init_pid)
(sleep 0.2; lxc-attach -n "$n" -- touch /now) &
run lxc-stop -n "$n" -r -t 10
wait "$!"
ok "a reboot that is asked for then is one" eventually 15 rebooted
lxc-stop -n "$n" -k
cp "$scratch/config" "$lxcpath/$n/config"
lxc-start -n "$n"
fails 1 "destroy refuses a running container" lxc-destroy -n "$n"
like "$err" 'running' "and says why"
ok "and destroys nothing" test -d "$lxcpath/$n/rootfs/bin"
succeeds "destroy -f stops it first" lxc-destroy -n "$n" -f
ok "its directory is gone" test ! -e "$lxcpath/$n"

# ---- foreground and execute

lxc-create -n "$n" -t busybox >/dev/null
printf 'lxc.net.0.type = empty\n' >"$scratch/execute.conf"
run lxc-execute -n "$n-x" -f "$scratch/execute.conf" -- /bin/sh -c 'echo pid $$; exit 5'
is "$status" 5 "execute returns the command's status"
like "$out" '^pid [0-9]+$' "and shows its output"
lxc-start -n "$n" -F </dev/null >"$scratch/foreground" 2>&1 &
foreground=$!
ok "start -F runs it" eventually 10 state_is RUNNING
lxc-stop -n "$n" -k
wait "$foreground"
is "$?" 0 "start -F ends with 0 when it is stopped"

# The process that the caller knows stands for the monitor, which is born in a cgroup of its own where there is v2.
await_ready() {
	eventually 10 grep -q ready "$scratch/foreground"
}
monitor_pid() {
	sed -n 's/^monitor //p' "$(find "${XDG_RUNTIME_DIR:-/run}/lxc/instance" -path "*/$n-x/state" 2>/dev/null)" | cut -d' ' -f1
}
# 34 and 64: the first and the last of the real-time ones, of which every libc keeps some to itself.
for signal in TERM INT HUP USR1 34 64; do
	: >"$scratch/foreground"
	lxc-execute -n "$n-x" -f "$scratch/execute.conf" -- /bin/sh -c 'trap "exit 7" TERM INT USR1 34 64; echo ready; while :; do sleep 0.05; done' \
		</dev/null >"$scratch/foreground" 2>&1 &
	foreground=$!
	ok "execute runs" await_ready
	kill "-$signal" "$foreground"
	status=0
	wait "$foreground" || status=$?
	is "$status" 7 "signal $signal that a process sends to it reaches the command"
done
# Who has seen the command at work is often there before the monitor knows that it is.
mkfifo "$scratch/fifo"
i=0
status=7
while [ $i -lt 60 ] && [ "$status" -eq 7 ]; do
	i=$((i + 1))
	lxc-execute -n "$n-x" -f "$scratch/execute.conf" -- /bin/sh -c "trap 'exit 7' TERM; echo ready >$scratch/fifo; while :; do sleep 0.02; done" \
		</dev/null >"$scratch/foreground" 2>&1 &
	foreground=$!
	read -r word <"$scratch/fifo"
	kill -TERM "$foreground"
	status=0
	wait "$foreground" || status=$?
done
is "$i: $status: $word" "60: 7: ready" "so does one that comes at once"
: >"$scratch/foreground"
lxc-execute -n "$n-x" -f "$scratch/execute.conf" -- /bin/sh -c 'echo ready; while :; do sleep 0.05; done' </dev/null >"$scratch/foreground" 2>&1 &
foreground=$!
ok "execute runs" await_ready
monitor=$(monitor_pid)
if [ "$monitor" != "$foreground" ]; then
	like "$(cat "/proc/$monitor/cgroup")" "^0::.*/lxc\.monitor\.$n-x$" "the monitor has a cgroup of its own"
	is "$(sed -n 's/^0:://p' "/proc/$foreground/cgroup")" "$(sed -n 's/^0:://p' /proc/self/cgroup)" "who stands for it is in the caller's"
	kill -KILL "$foreground"
	wait "$foreground" 2>/dev/null
	is "$?" 137 "who stands for it is killed"
	is "$(lxc-info -n "$n-x" -sH)" RUNNING "the container goes on"
	succeeds "and can be stopped" lxc-stop -n "$n-x" -k
	: >"$scratch/foreground"
	lxc-execute -n "$n-x" -f "$scratch/execute.conf" -- /bin/sh -c 'echo ready; while :; do sleep 0.05; done' </dev/null >"$scratch/foreground" 2>&1 &
	foreground=$!
	ok "execute runs" await_ready
	monitor=$(monitor_pid)
fi
# What is in the way of nobody is made while init is at work; not where a hook, or a mount, would see that.
if [ -d /sys/fs/cgroup/unified ] && [ -d /sys/fs/cgroup/pids ]; then
	late='monitor +making and limiting cgroups of v1'
	like "$(lxc-start -n "$n" --explain)" "$late" "cgroups of v1 are made beside init's set-up"
	for key in hook.mount=/bin/true hook.pre-mount=/bin/true hook.autodev=/bin/true mount.auto=cgroup:ro:force \
		"mount.entry=none mnt cgroup2 defaults 0 0" "idmap=u 0 100000 1" cgroup.dir.container.inner=x; do
		set -- -s "lxc.$key"
		[ "$key" = "${key#idmap}" ] || set -- "$@" -s "lxc.idmap=g 0 100000 1"
		[ "$key" = "${key#cgroup.dir}" ] || set -- "$@" -s lxc.cgroup.dir.monitor="m-$tag" -s lxc.cgroup.dir.container="p-$tag"
		run lxc-start -n "$n" "$@" --explain
		like "$out" 'monitor +setting cgroup limits' "not with lxc.${key%%=*}"
		unlike "$out" "$late" "but before init is"
	done
fi
kill -KILL "$monitor"
status=0
wait "$foreground" 2>/dev/null || status=$?
is "$status" 137 "a monitor's end by a signal is its own"
succeeds "what ran is stopped" lxc-stop -n "$n-x" -k

# Root's lxc-execute is the monitor itself, where nothing of the guest's could look at its file.
monitor_file() {
	: >"$scratch/foreground"
	lxc-execute -n "$n-x" -f "$1" -- /bin/sh -c 'echo ready; while :; do sleep 0.05; done' </dev/null >"$scratch/foreground" 2>&1 &
	foreground=$!
	eventually 10 grep -q ready "$scratch/foreground" && cat "/proc/$(monitor_pid)/comm"
	kill "$foreground"
	wait "$foreground" || true
}
like "$(monitor_file "$scratch/execute.conf")" '^lxc-execute$' "lxc-execute executes no monitor"
sed "\$ a lxc.hook.mount = /bin/true" "$scratch/execute.conf" >"$scratch/hook.conf"
like "$(monitor_file "$scratch/hook.conf")" '^lxc-supervise$' "but where a hook runs inside"
printf 'lxc.hook.pre-start = /bin/sh -c "env >%s"\nlxc.hook.version = 1\n' "$scratch/environment" >>"$scratch/hook.conf"
grep -v hook.mount "$scratch/hook.conf" >"$scratch/host-hook.conf"
for file in hook host-hook; do
	run env MINE=secret lxc-execute -n "$n-x" -f "$scratch/$file.conf" -o "$scratch/$file.log" -l DEBUG -- /bin/sh -c 'exit 6'
	is "$status" 6 "either ends as its command"
	like "$(cat "$scratch/environment")" '^LXC_HOOK_TYPE=pre-start$' "runs the hooks of the host"
	unlike "$(cat "$scratch/environment")" secret "in an environment that is not the caller's"
	like "$(cat "$scratch/$file.log")" 'state STOPPING' "and writes the log"
	sed -E '/^(LXC_CONFIG_FILE|_)=/d' "$scratch/environment" | sort >"$scratch/$file.environment"
done
ok "the same one" cmp "$scratch/hook.environment" "$scratch/host-hook.environment"
# It ends when the container is STOPPED; the monitor is a moment later, and the next start waits for it.
i=0
while [ $i -lt 30 ] && [ "$(lxc-execute -n "$n-x" -f "$scratch/execute.conf" -- echo "$i" 2>&1)" = "$i" ]; do
	i=$((i + 1))
done
is "$i" 30 "one follows the other at once"
is "$(lxc-ls --active)" "" "each leaves nothing that runs"
# Root's lxc-start makes the monitor itself, and leaves it with nothing of the caller's.
daemon_pid() {
	sed -n 's/^monitor //p' "$(find "${XDG_RUNTIME_DIR:-/run}/lxc/instance" -path "*/$n/state" 2>/dev/null)" | cut -d' ' -f1
}
unheld() {
	! find "/proc/$monitor/fd" -lname "$1" | grep -q .
}
printf '#!/bin/sh\ntouch %s\nsleep 2\n' "$scratch/hook-runs" >"$scratch/slow"
chmod 755 "$scratch/slow"
is "$(MINE=secret lxc-start -n "$n" 9<"$scratch/slow")" "" "who reads what lxc-start says is at the end when it has ended"
monitor=$(daemon_pid)
is "$(cat "/proc/$monitor/comm")" lxc-start "its monitor has executed no other program"
is "$(tr '\0' '|' <"/proc/$monitor/cmdline")" "[lxc monitor] $lxcpath $n|" "but has the title of one"
unlike "$(tr '\0' '\n' <"/proc/$monitor/environ")" secret "and nothing of the environment"
is "$(readlink "/proc/$monitor/cwd")" / "it is in no directory of the caller's"
ok "it holds no file of the caller's" unheld "$scratch/slow"
is "$(readlink "/proc/$monitor/fd/2")" /dev/null "nor the output"
is "$(cut -d' ' -f6 "/proc/$monitor/stat")" "$monitor" "it leads a session"
lxc-stop -n "$n" -k
ok "it starts without an environment" env -i "$(command -v lxc-start)" -n "$n" -P "$lxcpath"
is "$(cat "/proc/$(daemon_pid)/comm")" lxc-supervise "where the title has no room another program is executed"
lxc-stop -n "$n" -k
# Its maker can be killed, or ignore what it likes.
for signal in TERM KILL; do
	rm -f "$scratch/hook-runs"
	lxc-start -n "$n" -s "lxc.hook.pre-start=$scratch/slow" 2>"$scratch/start.err" &
	starter=$!
	ok "a hook runs" eventually 10 test -e "$scratch/hook-runs"
	kill "-$signal" "$starter"
	status=0
	wait "$starter" 2>/dev/null || status=$?
	case $signal in
	TERM) is "$status" 143 "a start ends by the signal" ;;
	*) is "$status" 137 "a start ends by the signal" ;;
	esac
	ok "and is called off" eventually 10 state_is STOPPED
	is "$(find /sys/fs/cgroup -maxdepth 2 -name "lxc.*.$n" | head -n 1)" "" "nothing is left of it"
done
ok "with SIGCHLD ignored" env --ignore-signal=CHLD lxc-start -n "$n"
succeeds "it is stopped" lxc-stop -n "$n" -k
succeeds "destroy works" lxc-destroy -n "$n"
is "$(lxc-ls)" "" "ls lists nothing"
rm -rf "${lxcpath:?}/$n-x"

finish
