#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# lxc-attach and lxc-console on terminals and pipes: size, keys, jobs, signals, exit codes, bytes, environment; and
# the caller's terminal is as before, whatever happened.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup python3
sandbox "$0"
one=one-$tag

cat >"$scratch/term.py" <<'PY'
import fcntl, os, pty, re, select, signal, struct, sys, termios, time

class Session:
    """A program on a terminal of its own."""
    def __init__(self, argv, rows=24, cols=80, files={}):
        self.seen = b""
        go_r, go_w = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.read(go_r, 1)
            for n, f in files.items():
                os.dup2(os.open(f, os.O_RDWR | os.O_CREAT), n)
            os.execvp(argv[0], argv)
        self.size(rows, cols)
        self.before = termios.tcgetattr(self.fd)
        os.write(go_w, b"x")

    def size(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, text):
        os.write(self.fd, text)

    def fill(self, limit):
        """Reads more; False at the end."""
        if not select.select([self.fd], [], [], limit)[0]:
            raise SystemExit("nothing comes after %r" % self.seen[-2000:])
        try:
            more = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += more
        return bool(more)

    def until(self, pattern, limit=20):
        while not re.search(pattern, self.seen, re.S):
            if not self.fill(limit):
                raise SystemExit("ended before %r: %r" % (pattern, self.seen[-2000:]))
        found = re.search(pattern, self.seen, re.S)
        self.seen = self.seen[found.end():]
        return found

    def end(self):
        """The exit status as a shell shows it, once the terminal was looked at."""
        status = None
        deadline = time.monotonic() + 30
        while status is None:
            if time.monotonic() > deadline:
                raise SystemExit("does not end: %r" % self.seen[-2000:])
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    pass
            pid, s = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                status = s
        while select.select([self.fd], [], [], 0)[0]:
            try:
                more = os.read(self.fd, 65536)
            except OSError:
                break
            if not more:
                break
            self.seen += more
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)

def is_(got, want):
    if got != want:
        raise SystemExit("got %r, want %r" % (got, want))

def attach(*argv, **kw):
    return Session(["lxc-attach", "-n", sys.argv[1], "--"] + list(argv), **kw)

def restored(s):
    is_(termios.tcgetattr(s.fd)[:4], s.before[:4])
PY
# terminal DESCRIPTION: the python on stdin passes.
terminal() {
	cat >"$scratch/case.py"
	run env PYTHONPATH="$scratch" PYTHONDONTWRITEBYTECODE=1 python3 -c "from term import *
exec(open('$scratch/case.py').read())" "$one"
	result "$status" "$1"
	[ "$status" -eq 0 ] || comment "$err"
}

succeeds "a container" lxc-create -n "$one" -t busybox
succeeds "runs" lxc-start -n "$one"

# ---- the size

terminal "the size is there before the program asks" <<'PY'
s = attach("stty", "size", rows=33, cols=111)
is_(s.end(), 0)
is_(s.seen.strip(), b"33 111")
PY
terminal "a change of the size arrives as SIGWINCH" <<'PY'
s = attach("sh", "-c", 'trap "stty size" WINCH; echo ready; while :; do sleep 0.1; done')
s.until(b"ready")
s.size(50, 132)
s.until(b"50 132")
s.type(b"\x03")
s.end()
restored(s)
PY

# ---- keys

terminal "Ctrl-C reaches the program only, and the terminal is restored" <<'PY'
s = attach("sh", "-c", "echo ready; exec sleep 100")
s.until(b"ready")
assert not termios.tcgetattr(s.fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
s.type(b"\x03")
is_(s.end(), 130)
restored(s)
PY
terminal "Ctrl-Z, jobs and fg work in the shell" <<'PY'
s = Session(["lxc-attach", "-n", sys.argv[1]])
s.type(b"PS1='$ '; echo be''gin\n")
s.until(b"begin\r\n")
s.type(b"sh -c 'echo g''o; read x; echo got $x; exec sleep 100'\n")
s.until(b"\ngo\r\n")
s.type(b"\x1a")
s.until(b"Stopped")
s.type(b"fg\n")
s.until(b"fg\r\n")
s.type(b"back\n")
s.until(b"got back")
s.type(b"\x03")
s.until(rb"\$ ")
s.type(b"exit 9\n")
is_(s.end(), 9)
restored(s)
PY
terminal "Ctrl-D ends the shell" <<'PY'
s = Session(["lxc-attach", "-n", sys.argv[1]])
# Not before the shell reads: between two lines it is the terminal that takes it.
s.type(b"PS1='re''ady> '\n")
s.until(b"ready> ")
s.type(b"\x04")
is_(s.end(), 0)
restored(s)
PY
terminal "what is typed while the program does not read holds up nothing" <<'PY'
s = attach("sh", "-c", "stty raw -echo; echo ready; sleep 1; head -c 300000 /dev/zero | tr '\\0' x; echo; echo end")
s.until(b"ready")
left = 150000
os.set_blocking(s.fd, False)
deadline = time.monotonic() + 40
while b"end" not in s.seen:
    if time.monotonic() > deadline:
        raise SystemExit("stuck at %d, %d left to type" % (len(s.seen), left))
    r, w, _ = select.select([s.fd], [s.fd] if left else [], [], 1)
    if w:
        try:
            left -= os.write(s.fd, b"y" * min(left, 4096))
        except BlockingIOError:
            pass
    if r:
        s.seen += os.read(s.fd, 65536)
is_(s.seen.count(b"x"), 300000)
os.kill(s.pid, signal.SIGTERM)
s.end()
restored(s)
PY

# ---- ends

terminal "the status of the program is told" <<'PY'
s = attach("sh", "-c", "exit 7")
is_(s.end(), 7)
restored(s)
s = attach("sh", "-c", "kill -9 $$")
is_(s.end(), 137)
restored(s)
s = attach("nosuch")
is_(s.end(), 127)
restored(s)
PY
for sig in TERM HUP QUIT INT; do
	terminal "a session that is ended by SIG$sig leaves the terminal as it was, and no program" <<PY
s = attach("sh", "-c", "trap 'echo hup >/tmp/hup; exit' HUP; echo ready; while :; do sleep 0.1; done")
s.until(b"ready")
os.kill(s.pid, signal.SIG$sig)
is_(s.end(), 128 + signal.SIG$sig)
restored(s)
PY
	ok "which hears that its terminal is gone" eventually 10 lxc-attach -n "$one" -- rm /tmp/hup
done
lxc-attach -n "$one" -- sh -c 'echo $$ >/tmp/pid; exec sleep 100' </dev/null >/dev/null 2>&1 &
attach=$!
ok "a program without a terminal runs" eventually 10 lxc-attach -n "$one" -- test -s /tmp/pid
kill "$attach"
status=0
wait "$attach" || status=$?
is "$status" 143 "is ended with lxc-attach"
# The signal is passed on to it: it ends at about the same time, and whoever inherits it has to notice.
ok "and gone" eventually 10 lxc-attach -n "$one" -- sh -c '! kill -0 $(cat /tmp/pid) 2>/dev/null'

# ---- bytes

head -c 3000000 /dev/urandom >"$scratch/bytes"
sum=$(sha256sum <"$scratch/bytes")
fails 0 "pipes without a terminal" sh -c "lxc-attach -n $one -- cat <$scratch/bytes | sha256sum"
is "$out" "$sum" "are clean"
terminal "pipes beside a terminal are clean too" <<PY
s = Session(["sh", "-c", "lxc-attach -n $one -- sh -c 'cat; echo said >&2' <$scratch/bytes >$scratch/copy; echo status \$?"])
s.until(rb"said\r+\n.*status 0")
is_(s.end(), 0)
restored(s)
PY
is "$(sha256sum <"$scratch/copy")" "$sum" "byte for byte"
terminal "output into a pipe has no carriage returns, and what is typed is not echoed into it" <<PY
s = Session(["sh", "-c", "lxc-attach -n $one -- sh -c 'read x; echo got \$x' >$scratch/out2; echo status \$?"])
time.sleep(0.5)
s.type(b"hello\n")
s.until(b"status 0")
s.end()
is_(open("$scratch/out2", "rb").read(), b"got hello\n")
PY
fails 0 "a reader that goes away" sh -c "lxc-attach -n $one -- yes | head -n 1"
is "$out" y "ends the program"
fails 0 "an early end of the input" sh -c "echo one | lxc-attach -n $one -- sh -c 'cat; echo two'"
is "$out" "one
two" "is one"

# ---- no way back to the caller's terminal

terminal "the program's terminal is one of the container's" <<'PY'
s = attach("sh", "-c", "tty; for i in 0 1 2; do readlink /proc/$$/fd/$i; done; ls -l $(tty) | cut -c 1")
is_(s.end(), 0)
lines = s.seen.split()
assert lines[0].startswith(b"/dev/pts/") and lines[1] == lines[2] == lines[3] == lines[0] and lines[4] == b"c", lines
PY
terminal "and without one it has no controlling terminal" <<PY
s = Session(["sh", "-c", "lxc-attach -n $one -- sh -c 'echo x >/dev/tty' </dev/null >$scratch/no 2>&1; echo status \$?"])
s.until(b"status [12]")
s.end()
PY

# ---- the environment

export PATH TERM=xterm MYVAR=mine USER=me LOGNAME=me SHELL=/bin/zsh HOME=/home/me TMPDIR=/host/tmp XDG_RUNTIME_DIR=/run/user/1 \
	XDG_SESSION_ID=3 DBUS_SESSION_BUS_ADDRESS=unix:path=/x SSH_AUTH_SOCK=/y HISTFILE=/home/me/.h LD_NOTHING=1
fails 0 "the environment" lxc-attach -n "$one" -- env
is "$(printf '%s\n' "$out" | grep -E '^(TERM|MYVAR|LC_ALL)=' | sort)" "LC_ALL=C.UTF-8
MYVAR=mine
TERM=xterm" "is the caller's"
is "$(printf '%s\n' "$out" | grep -E '^(PATH|HOME|USER|LOGNAME|SHELL)=' | sort)" "HOME=/root
LOGNAME=root
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
SHELL=/bin/sh
USER=root" "but for who and where one is"
unlike "$out" '^(TMPDIR|XDG_|DBUS_|SSH_|HISTFILE|LD_)' "and what only the host has"
fails 0 "--keep-var" lxc-attach -n "$one" --keep-var TMPDIR -- env
like "$out" '^TMPDIR=/host/tmp$' "keeps one of them"
fails 0 "--set-var" lxc-attach -n "$one" -v HOME=/srv -- env
like "$out" '^HOME=/srv$' "sets one"
fails 0 "--keep-env" lxc-attach -n "$one" --keep-env -- env
is "$(printf '%s\n' "$out" | grep -cE '^(PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS|SSH_AUTH_SOCK|HISTFILE|LD_NOTHING)=')" 11 \
	"keeps all"
like "$out" '^HOME=/home/me$' "as they are"
fails 0 "--clear-env" lxc-attach -n "$one" --clear-env -- env
is "$(printf '%s\n' "$out" | sort)" "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
container=lxc" "keeps none"
unset XDG_RUNTIME_DIR XDG_SESSION_ID

# ---- lxc-console

terminal "lxc-console: size, keys, escape, and the terminal is restored" <<'PY'
s = Session(["lxc-console", "-n", sys.argv[1], "-t", "1"], rows=31, cols=91)
s.until(b"Connected to tty 1")
s.type(b"\n")
s.until(b"login:|[#$] |activate")
s.type(b"\x01\x01")
s.type(b"\x01q")
is_(s.end(), 0)
restored(s)
PY
terminal "a killed lxc-console leaves the terminal as it was" <<'PY'
s = Session(["lxc-console", "-n", sys.argv[1], "-t", "1"])
s.until(b"Connected to tty 1")
s.type(b"\n")
s.until(b"login:|[#$] |activate")
os.kill(s.pid, signal.SIGTERM)
is_(s.end(), 143)
restored(s)
PY
terminal "the end of the container ends lxc-console" <<'PY'
s = Session(["lxc-console", "-n", sys.argv[1], "-t", "1"])
s.until(b"Connected to tty 1")
os.system("lxc-stop -n %s -k" % sys.argv[1])
s.end()
restored(s)
PY
succeeds "destroy" lxc-destroy -n "$one"
finish
