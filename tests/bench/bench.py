#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
"""Times an installation of the lxc-* tools against another one, if there is one, and against the limit program.

usage: bench.py --out DIR --limit PROGRAM [--runs N] [--many N,N] [--only WORD,WORD] NAME=BINDIR [NAME=BINDIR]

All take turns in one run, so a machine that drifts hurts all alike; only the ratios mean anything. Needs root, a C
compiler and a static busybox. Runs in a mount and network namespace of its own, with a bridge of its own. Leaves
DIR/bench.txt, DIR/bench.json and DIR/bench.svg."""
import argparse, json, os, pty, shutil, signal, statistics, subprocess, sys, tempfile, time

INIT = r'''
#include <signal.h>
#include <unistd.h>
static void quit(int s) { (void)s; _exit(0); }
int main(int c, char **v) { (void)v; if (c > 1) return 0;
	signal(SIGPWR, quit); signal(SIGTERM, quit); signal(SIGINT, quit); signal(SIGRTMIN + 3, quit); for (;;) pause(); }
'''
BRIDGE = "benchbr0"
LIMIT_S = 600
RUNNING_MAX = 300


def too_long(number, frame):
    raise TimeoutError(f"a program did not end within {LIMIT_S} s")


def timed(command, tty=False):
    """Seconds, exit status, what it wrote to stderr; tty: a terminal is its stdin, stdout and stderr. The time limit is a
    signal's: subprocess's own looks at intervals whether the program has ended, the first of them a millisecond."""
    signal.alarm(LIMIT_S)
    begin = time.perf_counter()
    if tty:
        errors = b""
        ours, theirs = pty.openpty()
        p = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        try:
            while True:
                errors += os.read(ours, 4096)
        except OSError:  # the other end is closed
            pass
        p.wait()
        os.close(ours)
    else:
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        errors = p.communicate()[1]
    took = time.perf_counter() - begin
    signal.alarm(0)
    return took, p.returncode, errors.decode(errors="replace")


def own_namespaces():
    """Once more, in namespaces where the bridge is nobody else's."""
    if os.environ.get("BENCH_INSIDE"):
        # LXC looks for a bridge in sysfs: in that of this network namespace, with the host's cgroups.
        with tempfile.TemporaryDirectory() as cgroups:
            for command in (["mount", "--rbind", "/sys/fs/cgroup", cgroups], ["mount", "-t", "sysfs", "sysfs", "/sys"],
                            ["mount", "--rbind", cgroups, "/sys/fs/cgroup"], ["umount", "-l", cgroups]):
                subprocess.check_call(command)
        subprocess.check_call(["ip", "link", "set", "lo", "up"])
        subprocess.check_call(["ip", "link", "add", BRIDGE, "type", "bridge"])
        subprocess.check_call(["ip", "link", "set", BRIDGE, "up"])
        return
    os.environ["BENCH_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "-m", "-n", sys.executable, *sys.argv])


class Install:
    def __init__(self, spec, base, init):
        self.name, self.bin = spec.split("=", 1)
        self.path = os.path.join(base, self.name)
        self.init = init
        os.makedirs(self.path)
        shutil.copy("/bin/busybox", os.path.join(self.path, ".busybox"))

    def run(self, tool, *args, check=True, path=None, tty=False):
        command = [os.path.join(self.bin, tool), "-P", path or self.path, *args]
        took, status, errors = timed(command, tty)
        if check and status != 0:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {status}: {errors[-300:]}")
        return took

    def make(self, name, net="empty", extra="", path=None):
        d = os.path.join(path or self.path, name)
        root = os.path.join(d, "rootfs")
        for s in ("sbin", "bin", "proc", "sys", "dev", "tmp", "etc", "usr", "var", "run", "mnt"):
            os.makedirs(os.path.join(root, s))
        shutil.copy(self.init, os.path.join(root, "sbin/init"))
        os.link(os.path.join(self.path, ".busybox"), os.path.join(root, "bin/busybox"))
        for a in ("sh", "true"):
            os.symlink("busybox", os.path.join(root, "bin", a))
        with open(os.path.join(d, "config"), "w") as f:
            f.write(f"lxc.rootfs.path = dir:{root}\nlxc.uts.name = {name}\nlxc.pty.max = 64\nlxc.tty.max = 0\n"
                    "lxc.autodev = 1\nlxc.mount.auto = cgroup:mixed proc:mixed sys:mixed\n"
                    "lxc.cap.drop = sys_module mac_admin mac_override sys_time\nlxc.apparmor.profile = unconfined\n")
            for n in range(4 if net == "veth4" else 1):
                f.write(f"lxc.net.{n}.type = {'empty' if net == 'empty' else 'veth'}\n")
                if net != "empty":
                    f.write(f"lxc.net.{n}.link = {BRIDGE}\nlxc.net.{n}.flags = up\n")
            f.write(extra)


def monitors(path):
    """(private, PSS) in KiB of each monitor of a container path."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            title = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode(errors="replace")
            if "[lxc monitor] " + path + " " not in title:
                continue
            fields = {}
            for line in open(f"/proc/{pid}/smaps_rollup"):
                if line.endswith("kB\n"):
                    key, value, _ = line.split()
                    fields[key] = int(value)
            found.append((fields["Private_Dirty:"] + fields["Private_Clean:"], fields["Pss:"]))
        except (OSError, KeyError, ValueError):
            pass
    return found


class Bench:
    def __init__(self, options, base):
        self.o, self.base, self.results = options, base, {}
        init = os.path.join(base, "init")
        with open(init + ".c", "w") as f:
            f.write(INIT)
        subprocess.check_call(["cc", "-O2", "-static", "-o", init, init + ".c"])
        self.all = [Install(s, base, init) for s in options.installs]
        self.only = set(options.only.split(",")) if options.only else None

    def wants(self, group):
        return self.only is None or group in self.only

    def put(self, workload, name, value):
        self.results.setdefault(workload, {}).setdefault(name, []).append(value)

    def turns(self, n=None):
        """(installation, first): the first turn of each warms up."""
        for turn in range((n or self.o.runs) + 1):
            for i in self.all:
                yield i, turn == 0, turn

    def limit(self):
        took, status, errors = timed([self.o.limit, os.path.join(self.all[0].path, "empty", "rootfs"), "/sbin/init"])
        if status != 0:
            raise RuntimeError(f"{self.o.limit}: {status}: {errors}")
        return took

    def to_limit(self):
        """Of nobody else's starts, whose remains the kernel clears away meanwhile: the two in turn."""
        first = self.all[0]
        for turn in range(2 * self.o.runs + 1):
            started = first.run("lxc-start", "-n", "empty")
            time.sleep(0.05)
            first.run("lxc-stop", "-k", "-n", "empty")
            took = self.limit()
            if turn:
                self.put("start, beside the limit", first.name, started)
                self.put("start, beside the limit", "limit", took)

    def lives(self, container, label):
        for i, first, turn in self.turns():
            started = i.run("lxc-start", "-n", container)
            time.sleep(0.05)  # until init has its handlers
            kill = turn % 2 == 0
            stopped = i.run("lxc-stop", *(["-k"] if kill else []), "-n", container)
            if not first:
                self.put(f"start, {label}", i.name, started)
                self.put(f"{'kill' if kill else 'stop'}, {label}", i.name, stopped)

    def start(self):
        entries = "".join(f"lxc.mount.entry = tmpfs mnt/{n} tmpfs create=dir,size=100k 0 0\n" for n in range(10))
        for i in self.all:
            i.make("empty")
            i.make("veth", "veth")
            i.make("entries", "empty", entries)
            i.make("nics", "veth4")
        if self.wants("limit"):
            self.to_limit()
        if self.wants("start"):
            for container, label in (("empty", "empty network"), ("veth", "veth"), ("entries", "10 mount entries"),
                                     ("nics", "4 nics")):
                self.lives(container, label)

    def use(self):
        tools = {"attach": ("lxc-attach", "-n", "empty", "--", "/bin/true"), "info": ("lxc-info", "-n", "empty"),
                 "wait": ("lxc-wait", "-n", "empty", "-s", "RUNNING")}
        for i in self.all:
            i.run("lxc-start", "-n", "empty")
        for i, first, _ in self.turns():
            for label, command in tools.items():
                took = i.run(*command)
                if not first:
                    self.put(label, i.name, took)
            took = i.run(*tools["attach"], tty=True)
            if not first:
                self.put("attach with a pty", i.name, took)
        for i in self.all:
            i.run("lxc-stop", "-k", "-n", "empty")
        for i, first, _ in self.turns():
            took = i.run("lxc-execute", "-n", "empty", "--", "/bin/true")
            if not first:
                self.put("execute", i.name, took)

    def create(self):
        for i, first, _ in self.turns(max(3, self.o.runs // 3)):
            made = i.run("lxc-create", "-n", "made", "-t", "busybox")
            copied = i.run("lxc-copy", "-n", "made", "-N", "copy", check=False) \
                if os.path.exists(os.path.join(i.bin, "lxc-copy")) else None
            if copied is not None and os.path.isdir(os.path.join(i.path, "copy")):
                i.run("lxc-destroy", "-n", "copy")
                if not first:
                    self.put("copy", i.name, copied)
            if copied is not None:
                cloned = i.run("lxc-copy", "-n", "empty", "-N", "clone", "-e")
                i.run("lxc-stop", "-k", "-n", "clone")
                self.wait_until_gone(os.path.join(i.path, "clone"))
                if not first:
                    self.put("ephemeral clone, started", i.name, cloned)
            gone = i.run("lxc-destroy", "-n", "made")
            if not first:
                self.put("create -t busybox", i.name, made)
                self.put("destroy", i.name, gone)

    def wait_until_gone(self, path):
        end = time.monotonic() + 10
        while os.path.exists(path):
            if time.monotonic() > end:
                raise RuntimeError(f"{path} is still there")
            time.sleep(0.01)

    def many(self, n):
        path = {i.name: f"{i.path}-{n}" for i in self.all}
        for i in self.all:
            for k in range(n):
                i.make(f"m{k}", "empty", "lxc.start.auto = 1\n", path[i.name])
        self.lists(path, f"{n} defined")
        if n > RUNNING_MAX:
            return
        for i in self.all:
            self.put(f"autostart of {n}", i.name, i.run("lxc-autostart", path=path[i.name]))
        self.lists(path, f"{n} running")
        for i in self.all:
            found = monitors(path[i.name])
            if found:
                self.put(f"private memory of {n} monitors, KiB", i.name, sum(f[0] for f in found))
                self.put(f"PSS of {n} monitors, KiB", i.name, sum(f[1] for f in found))
        for i in self.all:
            self.put(f"autostart -k of {n}", i.name, i.run("lxc-autostart", "-k", path=path[i.name]))

    def lists(self, path, label):
        for i, first, _ in self.turns(3):
            for options in ((), ("-f",)):
                took = i.run("lxc-ls", *options, path=path[i.name])
                if not first:
                    self.put(f"ls {''.join(options)}{' ' if options else ''}of {label}", i.name, took)

    def clean(self):
        for i in self.all:
            for path in [p for p in os.listdir(self.base) if p == i.name or p.startswith(i.name + "-")]:
                full = os.path.join(self.base, path)
                for name in os.listdir(full):
                    if os.path.isdir(os.path.join(full, name)):
                        i.run("lxc-stop", "-k", "-n", name, path=full, check=False)

    def run(self):
        try:
            self.start()
            if self.wants("use"):
                self.use()
            if self.wants("create"):
                self.create()
            if self.wants("many"):
                for n in [int(w) for w in self.o.many.split(",")]:
                    self.many(n)
        finally:
            self.clean()


def rows_of(bench):
    first = bench.all[0].name
    others = [i.name for i in bench.all[1:]] + ["limit"]
    for workload, d in bench.results.items():
        values = {n: statistics.median(v) for n, v in d.items()}
        ratios = {o: statistics.median([a / b for a, b in zip(d[first], d[o])]) for o in others
                  if o in d and first in d and all(d[o])}
        yield workload, values, ratios


def table(bench, rows):
    names = [i.name for i in bench.all] + ["limit"]
    first = names[0]
    lines = [f"{'workload':38}" + "".join(f"{n:>12}" for n in names) + "".join(f"{first + '/' + n:>16}" for n in names[1:])]
    for workload, values, ratios in rows:
        scale = 1 if workload.endswith("KiB") else 1000
        line = f"{workload:38}"
        for n in names:
            line += f"{values[n] * scale:12.2f}" if n in values else f"{'-':>12}"
        for n in names[1:]:
            line += f"{ratios[n]:16.3f}" if n in ratios else f"{'-':>16}"
        lines.append(line)
    return "\n".join(lines) + "\n(times in ms, medians; ratios are medians of the ratios of turns)\n"


def chart(bench, rows):
    """A bar per ratio; the line is 1."""
    bars = [(w, n, r) for w, _, ratios in rows for n, r in ratios.items()]
    top = max([r for _, _, r in bars] + [1.2])
    x = lambda r: 300 + 500 * r / top
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="880" height="{40 + 18 * len(bars)}">',
           "<style>text{font:11px sans-serif}</style>",
           f'<text x="10" y="16">{bench.all[0].name} as a part of each other (shorter is faster; the line is 1)</text>']
    for k, (workload, name, r) in enumerate(bars):
        y = 28 + 18 * k
        color = "#6f9fd8" if name != "limit" else "#e0a458"
        out.append(f'<text x="10" y="{y + 12}">{workload} / {name}</text><rect x="300" y="{y}" '
                   f'width="{x(r) - 300:.1f}" height="14" fill="{color}"/><text x="{x(r) + 4:.1f}" y="{y + 12}">{r:.2f}</text>')
    out.append(f'<line x1="{x(1):.1f}" x2="{x(1):.1f}" y1="24" y2="{30 + 18 * len(bars)}" stroke="#c00"/></svg>')
    return "\n".join(out) + "\n"


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--out", required=True)
    p.add_argument("--limit", required=True)
    p.add_argument("--runs", type=int, default=11)
    p.add_argument("--many", default="1,10,100,300,1000")
    p.add_argument("--only", default="", help="of: limit, start, use, create, many")
    p.add_argument("installs", nargs="+")
    options = p.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench.py: this wants root")
    own_namespaces()
    signal.signal(signal.SIGALRM, too_long)
    with tempfile.TemporaryDirectory(prefix="bench-") as base:
        bench = Bench(options, base)
        bench.run()
    rows = list(rows_of(bench))
    text = table(bench, rows)
    os.makedirs(options.out, exist_ok=True)
    for name, content in (("bench.txt", text), ("bench.svg", chart(bench, rows)),
                          ("bench.json", json.dumps({w: {"medians": v, "ratios": r} for w, v, r in rows}, indent=1))):
        with open(os.path.join(options.out, name), "w") as f:
            f.write(content)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
