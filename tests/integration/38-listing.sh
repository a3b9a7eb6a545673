#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# lxc-ls: monitors that do not answer, many containers, and containers inside containers, of guests that lie.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup python3
sandbox "$0"
root=$lxcpath/root-$tag/rootfs
ours=$TIFFIN_INST/bin

# with LINE...: a container that shares the root of the others.
container() {
	mkdir "$lxcpath/$1-$tag"
	printf '%s\n' "lxc.uts.name = $1" "lxc.rootfs.path = dir:$root" "lxc.net.0.type = empty" "lxc.tty.max = 0" \
		"lxc.pty.max = 16" "lxc.mount.auto = proc:mixed sys:ro" "lxc.init.cmd = /bin/sleep 1000" \
		"lxc.signal.halt = SIGKILL" >"$lxcpath/$1-$tag/config"
}
monitor_of() {
	sed -n 's/^monitor \([0-9]*\) .*/\1/p' "/run/lxc/instance$lxcpath/$1-$tag/state"
}
succeeds "a root" lxc-create -n "root-$tag" -t busybox

# ---- monitors that do not answer

for n in a b c d e f g h; do
	container $n
done
for n in a b c d e f g; do
	lxc-start -n "$n-$tag" || comment "$n does not start"
done
lxc-freeze -n "b-$tag"
for n in a c d e f; do
	kill -STOP "$(monitor_of $n)"
done
# One after another they would take 2 seconds each.
run_limit=8 succeeds "five stuck monitors do not add up" lxc-ls -f -F NAME,STATE,PID,RAM,IPV4
is "$(printf '%s\n' "$out" | awk '{ print $1, $2 }' | sed "s/-$tag//" | tr '\n' ' ')" \
	"NAME STATE a STUCK b FROZEN c STUCK d STUCK e STUCK f STUCK g RUNNING h STOPPED root STOPPED " "and each state is told"
is "$(printf '%s\n' "$out" | awk '$2 == "STUCK" && ($3 !~ /^[0-9]+$/ || $4 != "-")')" "" \
	"with what is known without the monitor"
like "$out" "^g-$tag +RUNNING [0-9]+ +[0-9.]+MB" "others are told in full"
like "$err" "the monitor of container a-$tag has not answered within 2 s" "the reason is told"
run_limit=8 succeeds "as JSON" lxc-ls --json -F STATE
is "$(printf '%s\n' "$out" | python3 -c 'import json, sys
print(*(c["state"] for c in json.loads(sys.stdin.readline())["containers"]))')" \
	"STUCK FROZEN STUCK STUCK STUCK STUCK RUNNING STOPPED STOPPED" "too"
run_limit=8 succeeds "--running" lxc-ls -1 --running
is "$(printf '%s' "$out" | sed "s/-$tag//" | tr '\n' ' ')" "a b c d e f g" "counts the stuck ones in"
run_limit=8 succeeds "--frozen" lxc-ls -1 --frozen
is "$out" "b-$tag" "does not"
# Connections that nobody accepts fill the queue of a stuck monitor.
python3 - "$lxcpath/a-$tag/command" <<'PY'
import socket, sys
kept = []
for i in range(5000):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        s.connect("\0" + sys.argv[1])
    except BlockingIOError:
        sys.exit(0)
    if i < 900:
        kept.append(s)
sys.exit("the queue has no end")
PY
is "$?" 0 "the queue of a stuck monitor is full"
run_limit=8 succeeds "it is still stuck" lxc-ls -f -F STATE "^a-"
is "$(printf '%s\n' "$out" | tail -n 1 | tr -d ' ')" STUCK "and shows"
for n in a c d e f; do
	kill -CONT "$(monitor_of $n)"
done
succeeds "they go on" lxc-ls -f -F NAME,STATE
is "$(printf '%s\n' "$out" | grep -c RUNNING)" 6 "and are not stuck any more"
kill -KILL "$(monitor_of c)"
succeeds "a monitor that was killed" lxc-ls -f -F NAME,STATE "^c-"
like "$out" "^c-$tag RUNNING" "has a successor that answers"
for n in a b c d e f g; do
	lxc-stop -k -n "$n-$tag"
done

# ---- many

mkdir "$lxcpath/many"
python3 - "$lxcpath/many" <<'PY'
import os, sys
for i in range(1000):
    d = "%s/c%04d" % (sys.argv[1], i)
    os.mkdir(d)
    with open(d + "/config", "w") as f:
        f.write("lxc.uts.name = c%04d\nlxc.rootfs.path = dir:/nonexistent\nlxc.net.0.type = empty\nlxc.group = g%d\n" % (i, i % 7))
PY
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	succeeds "a thousand containers" strace -f -o "$scratch/trace" -e trace=clone,clone3,fork,vfork,execve,sendmsg,sendto,poll \
		lxc-ls -P "$lxcpath/many" -f
	is "$(grep -c 'clone\|fork\|send\|poll' "$scratch/trace")" 0 "take no process and no question each"
else
	succeeds "a thousand containers" lxc-ls -P "$lxcpath/many" -f
fi
is "$(printf '%s\n' "$out" | grep -c '^c[0-9]* STOPPED ')" 1000 "are listed"
rm -rf "$lxcpath/many"

# ---- containers inside containers

inner=$root$lxcpath
mkdir -p "$inner/one" "$inner/two" "$root/srv/root/bin" "$root/srv/root/dev" "$root/srv/root/proc" "$root/srv/root/sys"
cp "$root/bin/busybox" "$root/srv/root/bin/sleep"
printf '%s\n' "lxc.uts.name = one" "lxc.group = web" "lxc.start.auto = 1" "lxc.rootfs.path = dir:/srv/root" "lxc.net.0.type = empty" \
	"lxc.tty.max = 0" "lxc.pty.max = 16" "lxc.mount.auto = proc:mixed" "lxc.init.cmd = /bin/sleep 1000" >"$inner/one/config"
printf 'lxc.uts.name = two\nlxc.group = web\n' >"$inner/two/config"
for n in g h; do
	echo "lxc.group = web" >>"$lxcpath/$n-$tag/config"
done
mkdir -p "$root/run" "$root${TIFFIN_INST%/*}"
# It has our tools, to start one of its own; another one does not.
printf '%s\n' "lxc.mount.auto = proc:rw sys:rw cgroup:rw:force" "lxc.mount.entry = $TIFFIN_INST ${TIFFIN_INST#/} none rbind,ro,create=dir 0 0" \
	"lxc.mount.entry = $inner ${lxcpath#/} none bind 0 0" "lxc.mount.entry = tmpfs run tmpfs create=dir 0 0" >>"$lxcpath/h-$tag/config"
succeeds "start" lxc-start -n "g-$tag"
succeeds "start" lxc-start -n "h-$tag"
succeeds "and one inside" lxc-attach -n "h-$tag" -- "$ours/lxc-start" -n one
succeeds "lxc-ls -1 --nesting" lxc-ls -1 --nesting -g web
is "$out" "g-$tag
g-$tag/one
g-$tag/two
h-$tag
h-$tag/one
h-$tag/two" "lists them behind the one that they are in"
is "$err" "" "without a word"
succeeds "lxc-ls -f --nesting" lxc-ls -f -F NAME,STATE,AUTOSTART,GROUPS --nesting=1 -g web
is "$(printf '%s\n' "$out" | sed "s/-$tag//;s/  */ /g")" 'NAME STATE AUTOSTART GROUPS 
g RUNNING 0 web 
\one STOPPED 1 web 
\two STOPPED 0 web 
h RUNNING 0 web 
\one RUNNING 1 web 
\two STOPPED 0 web ' "shows them and what they do"
succeeds "lxc-ls --json --nesting" lxc-ls --json -F STATE --nesting -g web
printf '%s\n' "$out" >"$scratch/json"
succeeds "fits its schema" python3 "$top_srcdir/tests/harness/schema.py" "$top_srcdir/doc/json/lxc-ls.json" "$scratch/json"
is "$(python3 -c 'import json, sys
for c in json.load(open(sys.argv[1]))["containers"]:
	print(c["name"], c.get("nesting"), c.get("parent"), c["state"])' "$scratch/json" | sed "s/-$tag//g")" "g None None RUNNING
one 1 g STOPPED
two 1 g STOPPED
h None None RUNNING
one 1 h RUNNING
two 1 h STOPPED" "and tells who is where"
succeeds "conditions" lxc-ls -1 --nesting --running
is "$out" "g-$tag
h-$tag
h-$tag/one" "hold inside as well"
succeeds "no depth" lxc-ls -1 --nesting=0 -g web
is "$out" "g-$tag
h-$tag" "is none"
lxc-freeze -n "g-$tag"
kill -STOP "$(monitor_of h)"
run_limit=8 succeeds "frozen and stuck ones" lxc-ls -1 --nesting -g web
is "$out" "g-$tag
h-$tag" "are not entered"
kill -CONT "$(monitor_of h)"
lxc-unfreeze -n "g-$tag"

# A guest that stops whoever looks, one that has too much to say, and one that has nowhere to look.
python3 - "$inner" <<'PY'
import os, sys
for i in range(3000):
    d = "%s/x%04d" % (sys.argv[1], i)
    os.mkdir(d)
    with open(d + "/config", "w") as f:
        f.write("lxc.uts.name = x\nlxc.group = web\nlxc.group = %s\n" % ("y" * 500))
PY
succeeds "too much" lxc-ls -f -F NAME,GROUPS --nesting -g web
is "$(printf '%s\n' "$out" | wc -l)" 3 "is left out"
like "$err" "^lxc-ls: warning: the containers inside g-$tag are left out: it says more than 1024 KiB about them" "which is said"
cat >"$root/stopper" <<'SH'
#!/bin/sh
while :; do
	for p in /proc/[0-9]*; do
		name=
		{ read -r name <$p/comm; } 2>/dev/null
		case $name in
		lxc-ls*) kill -STOP ${p#/proc/}; echo >/stopped ;;
		esac
	done
done
SH
chmod 755 "$root/stopper"
lxc-attach -n "g-$tag" -- /stopper >/dev/null 2>&1 &
run_limit=20 succeeds "a guest that stops who looks" lxc-ls -1 --nesting=1 -g web "^g"
is "$out" "g-$tag" "keeps what it has to itself"
like "$err" "^lxc-ls: warning: the containers inside g-$tag are not known: it has not answered within 4 s" "which is said"
ok "it was stopped indeed" test -e "$root/stopped"
lxc-stop -k -n "g-$tag"
wait
rm -rf "$inner"/x[0-9]* "$root$lxcpath.away"
mv "$inner" "$root$lxcpath.away"
ln -s /proc/self/mem "$inner"
lxc-start -n "g-$tag"
succeeds "a guest whose directory is none" lxc-ls -1 --nesting "^g"
like "$out" "^g-$tag\$" "has none"
lxc-stop -k -n "g-$tag"
lxc-attach -n "h-$tag" -- "$ours/lxc-stop" -n one -k
lxc-stop -k -n "h-$tag"
for n in a b c d e f g h; do
	rm -rf "${lxcpath:?}/$n-$tag"
done
succeeds "the end" lxc-destroy -n "root-$tag"
finish
