# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
"""same.py THEIRS OURS LXCPATH: runs the commands on standard input with the tools in the two directories, and says for
each, as "VERDICT<tab>TEXT" for the shell, whether exit status and standard output are the same.

	# a comment
	mask PATTERN REPLACEMENT	of what follows, in the output of both; "mask" alone ends that
	before COMMAND			for the shell, before each of what follows and on each side; "before" alone ends that
	after COMMAND			likewise; what it says is compared as well
	TOOL ARGUMENT...		must be the same
	differs REASON: TOOL ...	must not be the same, and why
	quiet REASON: TOOL ...		the same, but that ours says nothing on standard error
	loud REASON: TOOL ...		the same, but that ours says something on standard error
	screen TOOL ...			with a terminal of 80 columns for all three descriptors
	narrow TOOL ...			with one of 40

The shell's commands find the side's tools in $BIN. On standard error the texts are each side's own: there must be one
with a failure where LXC has one, and none with a success where LXC has none.
"""
import difflib, fcntl, os, pty, re, select, shlex, struct, subprocess, sys, termios, time

theirs, ours, lxcpath = sys.argv[1:]
NO_PATH = {"lxc-config", "lxc-checkconfig", "lxc-update-config", "lxc-usernsexec", "lxc-unshare"}
masks = []
before = after = ""


def on_screen(argv, columns):
    """Runs a command on a terminal; typed is what it is sent. Returns its status and what it showed."""
    main, sub = pty.openpty()
    fcntl.ioctl(sub, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    p = subprocess.Popen(argv, stdin=sub, stdout=sub, stderr=sub, start_new_session=True,
                         preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(sub)
    shown, end = b"", time.monotonic() + 60
    try:
        while time.monotonic() < end:
            if not select.select([main], [], [], 0.2)[0]:
                if p.poll() is not None:
                    break
                continue
            try:
                data = os.read(main, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        status = p.wait(max(0.1, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
        status = "no end"
    os.close(main)
    return status, shown


def shell(command, where):
    p = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       env=dict(os.environ, BIN=where), timeout=60)
    return p.stdout.decode(errors="replace")


def run(where, words, screen):
    """Exit status, standard output with what "after" says, whether there is anything on standard error."""
    argv = [where + "/" + words[0]] + ([] if words[0] in NO_PATH else ["-P", lxcpath]) + words[1:]
    if before:
        shell(before, where)
    try:
        if screen:
            status, shown = on_screen(argv, screen)
            out, err = re.sub("\r+\n", "\n", shown.decode(errors="replace")), ""
        else:
            p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                               close_fds=False)
            status, out, err = p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired:
        status, out, err = "no end", "", ""
    if after:
        out += "-- then:\n" + shell(after, where)
    for pattern, replacement in masks:
        out = re.sub(pattern, replacement, out, flags=re.M)
    return status, out, err


def say(verdict, text):
    print("%s\t%s" % (verdict, text.replace("\n", "\\n")), flush=True)


for line in sys.stdin:
    line = line.strip()
    if not line or line[0] == "#":
        continue
    reason, quiet, loud, screen = None, None, None, 0
    if line.startswith("differs "):
        reason, line = line[len("differs "):].split(": ", 1)
    elif line.startswith("quiet "):
        quiet, line = line[len("quiet "):].split(": ", 1)
    elif line.startswith("loud "):
        loud, line = line[len("loud "):].split(": ", 1)
    if line.startswith("screen "):
        screen, line = 80, line[len("screen "):]
    elif line.startswith("narrow "):
        screen, line = 40, line[len("narrow "):]
    verb, _, rest = line.partition(" ")
    if verb == "before":
        before = rest
        continue
    if verb == "after":
        after = rest
        continue
    words = shlex.split(line)
    if verb == "mask":
        masks = masks + [(words[1], words[2])] if len(words) == 3 else []
        continue
    a, b = run(theirs, words, screen), run(ours, words, screen)
    same = a[:2] == b[:2]
    silent, noisy = a[2] and not b[2], b[2] and not a[2]
    if reason:
        say("bad" if same else "ok", "%s differs: %s" % (line, reason))
        if same:
            say("note", "both say %r" % (a[:2],))
        continue
    say("ok" if same else "bad", line)
    if not same:
        say("note", "LXC's: %r, ours: %r; standard error: %r, %r" % (a[0], b[0], a[2], b[2]))
        for difference in difflib.unified_diff(a[1].split("\n"), b[1].split("\n"), "LXC's", "ours", n=0, lineterm=""):
            say("note", difference)
    elif quiet or loud:
        say("ok" if (silent if quiet else noisy) else "bad", "%s: standard error: %s" % (line, quiet or loud))
    elif (b[0] and silent) or (b[0] == 0 and noisy):
        say("bad", "%s: standard error" % line)
        say("note", "LXC's: %r" % (a[2],))
        say("note", "ours:  %r" % (b[2],))
