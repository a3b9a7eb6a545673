# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
"""same.py THEIRS OURS LXCPATH: runs the commands on standard input with the tools in the two directories, and says for
each, as "VERDICT<tab>TEXT" for the shell, whether exit status and standard output are the same.

	# a comment
	mask PATTERN REPLACEMENT	of what follows, in the output of both; "mask" alone ends that
	TOOL ARGUMENT...		must be the same
	differs REASON: TOOL ...	must not be the same, and why
"""
import re, shlex, subprocess, sys

theirs, ours, lxcpath = sys.argv[1:]
NO_PATH = {"lxc-config", "lxc-checkconfig", "lxc-update-config", "lxc-usernsexec", "lxc-unshare"}
masks = []


def run(where, words):
    argv = [where + "/" + words[0]] + ([] if words[0] in NO_PATH else ["-P", lxcpath]) + words[1:]
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60,
                           close_fds=False)
        status, out = p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        status, out = "no end", ""
    for pattern, replacement in masks:
        out = re.sub(pattern, replacement, out, flags=re.M)
    return status, out


def say(verdict, text):
    print("%s\t%s" % (verdict, text.replace("\n", "\\n")), flush=True)


for line in sys.stdin:
    line = line.strip()
    if not line or line[0] == "#":
        continue
    reason = None
    if line.startswith("differs "):
        reason, line = line[len("differs "):].split(": ", 1)
    words = shlex.split(line)
    if words[0] == "mask":
        masks = masks + [(words[1], words[2])] if len(words) == 3 else []
        continue
    a, b = run(theirs, words), run(ours, words)
    if reason:
        say("ok" if a != b else "bad", "%s differs: %s" % (line, reason))
        if a == b:
            say("note", "both say %r" % (a,))
        continue
    say("ok" if a == b else "bad", line)
    if a != b:
        say("note", "LXC's: %r" % (a,))
        say("note", "ours:  %r" % (b,))
