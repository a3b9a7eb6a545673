#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# lxc-monitor and its daemon: what is said, to whom, and how both end. lxc-top and lxc-checkpoint.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup script python3
sandbox "$0"
one=one-$tag two=two-$tag
fifo=/run/lxc$lxcpath/monitor-fifo

daemons() {
	for cmdline in /proc/[0-9]*/cmdline; do
		tr '\0' ' ' <"$cmdline" 2>/dev/null | grep -q '^[^ ]*lxc-monitord ' && echo "$cmdline"
	done
}
no_daemon() {
	[ -z "$(daemons)" ]
}
said() {
	grep -Fqx -- "$1" "$scratch/events"
}

# ---- nothing there

fails 1 "lxc-monitor -Q without a daemon" lxc-monitor -Q
like "$err" "^lxc-monitor: no lxc-monitord runs for $lxcpath\$" "says that there is none"
is "$(daemons)" "" "and starts none"
fails 1 "a bad expression" lxc-monitor -n '*a('
like "$err" "^lxc-monitor: '\*a\(' is not a regular expression: " "is named"

# ---- a life

succeeds "a container" lxc-create -n "$one" -t busybox
succeeds "another" lxc-create -n "$two" -t busybox
lxc-monitor -n "one-.*" >"$scratch/events" 2>&1 &
monitor=$!
lxc-monitor --json >"$scratch/json" 2>&1 &
monitor_json=$!
ok "the first listener starts the daemon" eventually 10 test -p "$fifo"
is "$(stat -c %a "$fifo")" 600 "whose fifo is for its owner only"
ok "one daemon serves both" eventually 10 sh -c "[ \$(grep -c 'lxc/[0-9a-f]*/' /proc/net/unix) -ge 3 ]"
is "$(daemons | wc -l)" 1 "one process"
fails 1 "a second daemon" "$TIFFIN_INST/libexec/lxc/lxc-monitord" --daemon "$lxcpath"
like "$err" "lxc-monitord is running for $lxcpath already" "is refused"
succeeds "start" lxc-start -n "$one"
succeeds "start of one that is not listened to" lxc-start -n "$two"
succeeds "freeze" lxc-freeze -n "$one"
succeeds "unfreeze" lxc-unfreeze -n "$one"
succeeds "stop" lxc-stop -n "$one" -k
ok "the end is told" eventually 10 said "'$one' changed state to [STOPPED]"
is "$(cat "$scratch/events")" "'$one' changed state to [STARTING]
'$one' changed state to [RUNNING]
'$one' changed state to [FREEZING]
'$one' changed state to [FROZEN]
'$one' changed state to [THAWED]
'$one' changed state to [RUNNING]
'$one' exited with status [0]
'$one' changed state to [STOPPING]
'$one' changed state to [STOPPED]" "and all states before it"
succeeds "stop of the other" lxc-stop -n "$two" -k
ok "JSON tells of both" eventually 10 grep -q "\"name\":\"$two\",\"event\":\"state\",\"state\":\"STOPPED\"" "$scratch/json"
ok "each line is an object" python3 -c 'import json, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
assert all(l["schema"] == "lxc-monitor" and l["version"] == 1 for l in lines)
assert [l["signal"] for l in lines if l["event"] == "exit"] == [9, 9], lines
assert [l["status"] for l in lines if l["event"] == "exit"] == [137, 137], lines' "$scratch/json"

# ---- a failed start

lxc-monitor -n "two-.*" >"$scratch/failed" 2>&1 &
monitor_two=$!
ok "a third listener" eventually 10 sh -c "[ \$(grep -c 'lxc/[0-9a-f]*/' /proc/net/unix) -ge 4 ]"
sed -i 's/^lxc.net.0.link.*/lxc.net.0.link = nobridge0/' "$lxcpath/$two/config"
printf 'lxc.hook.start-host = /bin/false\n' >>"$lxcpath/$one/config"
fails 1 "a start that fails late" lxc-start -n "$one"
ok "ends in STOPPED" eventually 10 sh -c "[ \$(grep -c 'STOPPED' '$scratch/events') -eq 2 ]"
like "$(tr '\n' ' ' <"$scratch/events")" "\[STARTING\] '$one' changed state to \[ABORTING\]" "after ABORTING"
kill "$monitor_two"
wait "$monitor_two" 2>/dev/null

# ---- the daemon's socket is not for everybody

cat >"$scratch/client.py" <<'PY'
import os, socket, sys
path = sys.argv[1]
h = 0xcbf29ce484222325
for b in ("lxc/%s/monitor-sock" % path).encode():
    h = ((h ^ b) * 0x100000001b3) & 0xffffffffffffffff
address = "\0lxc/%016x/%s" % (h, path)
os.setuid(int(sys.argv[2]))
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.settimeout(5)
s.connect(address)
sys.stdout.write("refused" if s.recv(264) == b"" else "served")
PY
fails 0 "a stranger" python3 "$scratch/client.py" "$lxcpath" 65534
is "$out" refused "is not listened to"

# ---- the end

succeeds "lxc-monitor -Q" lxc-monitor -Q
ok "the daemon ends" eventually 10 no_daemon
ok "its fifo goes" test ! -e "$fifo"
status=0
wait "$monitor" || status=$?
is "$status" 1 "a listener ends with its daemon"
like "$(cat "$scratch/events")" "^lxc-monitor: lxc-monitord of $lxcpath has ended\$" "and says so"
wait "$monitor_json" 2>/dev/null
long=$lxcpath/$(printf '%0100d' 0)
fails 1 "a lxcpath that no socket name can hold" lxc-monitor -P "$long"
like "$err" "too long for the name of lxc-monitord's socket" "is refused"
mkdir -p "/run/lxc$lxcpath"
ln -s /run/test/elsewhere "$fifo"
fails 1 "a link where the fifo should be" "$TIFFIN_INST/libexec/lxc/lxc-monitord" --daemon "$lxcpath"
like "$err" "cannot open the fifo" "is not followed"
ok "and nothing is made behind it" test ! -e /run/test/elsewhere
rm "$fifo"
fails 1 "wrong arguments of the daemon" "$TIFFIN_INST/libexec/lxc/lxc-monitord" a b c
like "$err" "^Usage: lxc-monitord " "are answered with the right ones"

# ---- lxc-top

sed -i '/start-host/d' "$lxcpath/$one/config"
succeeds "start" lxc-start -n "$one"
succeeds "lxc-top -b" lxc-top -b --cycles 1
is "$(printf '%s\n' "$out" | head -n 1)" \
	"time_ms,container,cpu_nanos,cpu_sys_userhz,cpu_user_userhz,blkio_bytes,blkio_iops,mem_used_bytes,memsw_used_bytes,kernel_mem_used_bytes" \
	"begins with LXC's heading"
like "$(printf '%s\n' "$out" | tail -n 1)" "^[0-9]{13},$one,[1-9][0-9]*,[0-9]+,[0-9]+,[0-9]+,[0-9]+,[1-9][0-9]*,[0-9]+,[0-9]+\$" \
	"and shows the container's numbers"
succeeds "lxc-top --json" lxc-top --json --cycles 2 -d 1
ok "is an object per look" python3 -c 'import json, sys
looks = [json.loads(l) for l in sys.argv[1].splitlines()]
assert len(looks) == 2
c, = looks[1]["containers"]
assert c["name"] == sys.argv[2] and c["memory_bytes"] > 0 and c["pids"] >= 1 and c["cpu_ns"] > 0' "$out" "$one"
fails 1 "lxc-top without a terminal" lxc-top
like "$err" "lxc-top: standard input and output are not a terminal" "says so"
fails 1 "a wrong key" lxc-top -s x
like "$err" "option --sort \(-s\): 'x' is not one of n c b m s k u p t" "is refused with the right ones"
fails 1 "no time" lxc-top -d 0
cat >"$scratch/top.py" <<'PY'
# Drives lxc-top on a terminal of 24 x 80, which becomes 10 x 200 later.
import fcntl, os, pty, re, select, signal, struct, sys, termios, time
name = sys.argv[1]

def size(fd, rows, cols):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

pid, fd = pty.fork()
if pid == 0:
    # The terminal has a size before the program starts.
    size(0, 24, 80)
    os.execvp("lxc-top", ["lxc-top", "-d", "60"])

def until(pattern, limit=20):
    global seen
    end = time.monotonic() + limit
    while not re.search(pattern, seen, re.S):
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.exit("no %r in %r" % (pattern, seen))
        try:
            seen += os.read(fd, 65536).decode()
        except OSError:
            sys.exit("ended before %r: %r" % (pattern, seen))

def lines(text):
    frame = text[text.rindex("\x1b[H"):text.rindex("\x1b[J")]
    return [re.sub(r"\x1b\[[0-9?]*[a-zA-Z]", "", l) for l in re.split("\r*\n", frame)]

seen = ""
# Canonical mode and echo come back at the end.
before = termios.tcgetattr(fd)
until(r"TOTAL 1 of 1.*\x1b\[J")
first = lines(seen)
assert all(len(l) <= 80 for l in first), first
assert first[0].startswith("Container") and first[2].startswith(name[:18]), first
assert not (termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO))
seen = ""
size(fd, 10, 200)
until(r"BlkIO.*TOTAL 1 of 1.*\x1b\[J")
assert any(len(l) > 100 for l in lines(seen)), lines(seen)
seen = ""
os.write(fd, b"m")
until(r"\x1b\[4m *Mem\x1b.*TOTAL.*\x1b\[J")
os.kill(pid, signal.SIGTSTP)
assert os.waitpid(pid, os.WUNTRACED)[1] & 0xff == 0x7f
assert termios.tcgetattr(fd)[3] & termios.ICANON
seen = ""
os.kill(pid, signal.SIGCONT)
until(r"\x1b\[\?1049h.*TOTAL.*\x1b\[J")
os.write(fd, b"q")
until(r"\x1b\[\?25h.*\x1b\[\?1049l")
assert os.waitpid(pid, 0)[1] == 0
print("ok")
PY
fails 0 "lxc-top on a terminal" python3 "$scratch/top.py" "$one"
is "$out" ok "fits the screen, follows its size, sorts, stops, goes on and leaves it as it was"
[ "$out" = ok ] || comment "$err"
succeeds "stop" lxc-stop -n "$one" -k
succeeds "lxc-top of nothing" lxc-top --json --cycles 1
like "$out" '"containers":\[\]' "shows nothing"

# ---- lxc-checkpoint: what is refused before anything is done

conflict() {
	conflict_pattern=$1
	shift
	fails 1 "lxc-checkpoint $*" lxc-checkpoint "$@"
	like "$err" "^lxc-checkpoint: $conflict_pattern" "is explained"
}
conflict "no directory of the checkpoint given" -n "$one"
conflict "options --restore \(-r\) and --stop" -n "$one" -D /run/test/cp -r -s
conflict "options --restore \(-r\) and --pre-dump" -n "$one" -D /run/test/cp -r -p
conflict "option --daemon \(-d\) works only" -n "$one" -D /run/test/cp -d
conflict "option --foreground \(-F\) works only" -n "$one" -D /run/test/cp -F
conflict "option --predump-dir: /abs is not relative" -n "$one" -D /run/test/cp --predump-dir /abs
conflict "container $one is not running" -n "$one" -D /run/test/cp
conflict "container nosuch does not exist" -n nosuch -D /run/test/cp
conflict "container nosuch does not exist" -n nosuch -D /run/test/cp -r
conflict "there is no directory /run/test/cp with a checkpoint" -n "$one" -D /run/test/cp -r
ok "nothing was made" test ! -e /run/test/cp

succeeds "destroy" lxc-destroy -n "$one"
succeeds "destroy" lxc-destroy -n "$two"
finish
