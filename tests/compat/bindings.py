# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Debian's python3-lxc on real containers, every method of it: prints one line "LABEL<TAB>RESULT" per call, with what
# differs from run to run (pids, addresses, paths) replaced by a word. 62-bindings.sh runs it with LXC's liblxc and with
# ours and compares.
#
#	bindings.py LXCPATH ROOT NAME TEMPLATE
#
# ROOT: a busybox root that the containers share; TEMPLATE: a template for create().
import os
import re
import sys

import lxc

lxcpath, root, name, template = sys.argv[1:5]
words = {}


def plain(value):
    """What is the same in every run of a result."""
    if isinstance(value, lxc.Container):
        value = "container %s" % value.name
    text = repr(value)
    text = text.replace(lxcpath, "LXCPATH").replace(root, "ROOT").replace(name, "NAME")
    text = re.sub(r"veth[A-Za-z0-9]+", "VETH", text)
    text = re.sub(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", "MAC", text)
    text = re.sub(r"'fe80:[0-9a-f:]+'", "'LINKLOCAL'", text)
    text = re.sub(r"[0-9]{4}:[0-9]{2}:[0-9]{2} [0-9:]{8}", "TIME", text)
    return text


def say(label, value):
    print("%s\t%s" % (label, plain(value)), flush=True)


def call(label, fn, *args, **kw):
    """One line for a call; what it raises is a result, too."""
    try:
        value = fn(*args, **kw)
    except BaseException as e:
        value = "%s: %s" % (type(e).__name__, e)
    say(label, value)
    return value


def number(value):
    return "a number" if isinstance(value, int) and value > 0 else value


def inside(c, *argv, **kw):
    """What a command says inside."""
    r, w = os.pipe()
    status = c.attach_wait(lxc.attach_run_command, list(argv), stdout=w, **kw)
    os.close(w)
    with os.fdopen(r) as f:
        return status, f.read().strip()


def exits(code):
    return lambda arg: code if arg is None else arg


def container(n):
    return lxc.Container(n, lxcpath)


def configure(c):
    for key, value in (
        ("lxc.rootfs.path", root),
        ("lxc.uts.name", "inside"),
        ("lxc.tty.max", "2"),
        ("lxc.pty.max", "1024"),
        ("lxc.net.0.type", "veth"),
        ("lxc.net.0.link", "lxcbr0"),
        ("lxc.net.0.flags", "up"),
        ("lxc.net.0.name", "eth0"),
        ("lxc.net.0.ipv4.address", "10.0.3.77/24"),
        ("lxc.console.buffer.size", "65536"),
    ):
        call("set " + key, c.set_config_item, key, value)


# ---- the module

call("get_version is a version", lambda: re.match(r"^\d+\.\d+\.\d+$", lxc.version) is not None)
for key in ("lxc.bdev.lvm.vg", "lxc.bdev.zfs.root", "lxc.nonsense", "lxc.cgroup.use"):
    call("global " + key, lxc.get_global_config_item, key)
for arch in ("x86_64", "i686", "i386", "linux32", "linux64", "nonsense"):
    call("arch " + arch, lxc.arch_to_personality, arch)
call("list none", lxc.list_containers, config_path=lxcpath)
call("no name", lxc.Container)
call("nameless", lxc.Container, "")

# ---- a container that does not exist

c = container(name)
for attribute in ("name", "state", "running", "defined", "controllable", "init_pid", "config_file_name"):
    call("absent " + attribute, getattr, c, attribute)
for method in ("start", "stop", "destroy", "freeze", "unfreeze", "reboot", "get_config_path", "clear_config",
               "snapshot", "snapshot_list"):
    call("absent %s()" % method, getattr(c, method))
call("absent shutdown", c.shutdown, 1)
call("absent wait", c.wait, "RUNNING", 0)
call("absent wait stopped", c.wait, "STOPPED", 1)
call("absent get_config_item", c.get_config_item, "lxc.uts.name")
call("absent get_keys", lambda: len(c.get_keys()) > 50)
call("absent get_running_config_item", c.get_running_config_item, "lxc.uts.name")
call("absent get_ips", c.get_ips)
call("absent get_interfaces", c.get_interfaces)
call("absent get_cgroup_item", c.get_cgroup_item, "memory.max")
call("absent set_cgroup_item", c.set_cgroup_item, "memory.max", "1")
call("absent attach", c.attach, exits(1))
call("absent attach_wait", c.attach_wait, exits(1))
call("absent console_getfd", c.console_getfd)
call("absent rename", c.rename, name + "-new")
call("absent clone", c.clone, name + "-clone")
call("absent load", c.load_config, "/nonexistent")

# ---- configuration

configure(c)
for key in ("lxc.uts.name", "lxc.rootfs.path", "lxc.tty.max", "lxc.net", "lxc.net.0.type", "lxc.net.0.ipv4.address",
            "lxc.cap.drop", "lxc.nonsense", "lxc.mount.entry"):
    call("item " + key, c.get_config_item, key)
call("set nonsense", c.set_config_item, "lxc.nonsense", "1")
call("set bad number", c.set_config_item, "lxc.tty.max", "many")
call("set list", c.set_config_item, "lxc.cap.drop", ["mknod", "sys_boot"])
call("list item", c.get_config_item, "lxc.cap.drop")
call("append", c.append_config_item, "lxc.cap.drop", "sys_time")
call("appended", c.get_config_item, "lxc.cap.drop")
call("clear item", c.clear_config_item, "lxc.cap.drop")
call("cleared", c.get_config_item, "lxc.cap.drop")
call("clear nonsense", c.clear_config_item, "lxc.nonsense")
call("get_keys net", lambda: sorted(c.get_keys("lxc.net.0")))
call("get_keys nonsense", c.get_keys, "lxc.nonsense")
call("config_file_name", getattr, c, "config_file_name")
call("get_config_path", c.get_config_path)
call("set_config_path", c.set_config_path, lxcpath)
call("network length", lambda: len(c.network))
for key in ("type", "link", "flags", "name", "ipv4_address", "nonsense"):
    call("network " + key, lambda: getattr(c.network[0], key))
call("network add", c.network.add, "empty")
call("network has two", lambda: len(c.network))
call("network set", setattr, c.network[0], "mtu", "1400")
call("network mtu", lambda: c.network[0].mtu)
call("network remove", c.network.remove, 1)
call("network has one", lambda: len(c.network))
call("save", c.save_config)
call("defined now", lambda: c.defined)
call("save elsewhere", c.save_config, lxcpath + "/elsewhere")
call("load elsewhere", container(name + "-e").load_config, lxcpath + "/elsewhere")
call("list one", lxc.list_containers, config_path=lxcpath)
call("clear_config", c.clear_config)
call("nothing set", c.get_config_item, "lxc.uts.name")
call("load own", c.load_config)
call("set again", c.get_config_item, "lxc.uts.name")

# ---- life

call("start", c.start)
for attribute in ("state", "running", "controllable", "defined"):
    call("up " + attribute, getattr, c, attribute)
call("up init_pid", lambda: number(c.init_pid))
call("start twice", c.start)
call("destroy up", c.destroy)
call("rename up", c.rename, name + "-new")
call("clone up", c.clone, name + "-clone")
call("list active", lxc.list_containers, active=True, defined=False, config_path=lxcpath)
call("list objects", lambda: [x.name for x in lxc.list_containers(as_object=True, config_path=lxcpath)])
call("wait running", c.wait, "RUNNING", 3)
call("wait bad", c.wait, "NONSENSE", 1)
call("running uts", c.get_running_config_item, "lxc.uts.name")
call("running nonsense", c.get_running_config_item, "lxc.nonsense")
call("running unset", c.get_running_config_item, "lxc.cap.drop")
call("interfaces", c.get_interfaces)
call("ips", c.get_ips)
call("ips inet", c.get_ips, family="inet", interface="eth0")
call("ips lo", c.get_ips, family="inet", interface="lo")
call("ips timeout", c.get_ips, timeout=1, family="inet")
call("ips none", c.get_ips, family="inet", interface="eth7")
call("network of a running one", lambda: c.network[0].ipv4_address)

# ---- attach

call("attach_wait code", c.attach_wait, exits(7))
call("attach_wait argument", c.attach_wait, exits(7), 9)
call("attach_wait killed", c.attach_wait, lambda: os.kill(os.getpid(), 9))
call("attach_wait command", c.attach_wait, lxc.attach_run_command, ["true"])
call("attach_wait failing", c.attach_wait, lxc.attach_run_command, ["sh", "-c", "exit 5"])
call("attach_wait missing", c.attach_wait, lxc.attach_run_command, ["/no/such/command"])
call("attach_wait directory", c.attach_wait, lxc.attach_run_command, ["/etc"])
call("attach pid", lambda: os.WEXITSTATUS(os.waitpid(c.attach(exits(3)), 0)[1]))
call("attach hostname", inside, c, "hostname")
call("attach uid", inside, c, "id", "-u", uid=65534, gid=65534)
call("attach gid", inside, c, "id", "-g", uid=65534, gid=65534)
call("attach groups", inside, c, "id", "-G")
call("attach cwd", inside, c, "pwd", initial_cwd="/etc")
call("attach cwd missing", inside, c, "pwd", initial_cwd="/no/such/place")
call("attach env", inside, c, "sh", "-c", "echo $A-$container", extra_env_vars=["A=b"])
call("attach clear env", inside, c, "sh", "-c", "echo $HOME-$PATH", env_policy=lxc.LXC_ATTACH_CLEAR_ENV)
call("attach keep env", inside, c, "sh", "-c", "echo $KEPT-$LOST", env_policy=lxc.LXC_ATTACH_CLEAR_ENV,
     extra_keep_env=["KEPT"])
call("attach personality", inside, c, "uname", "-m", personality=lxc.arch_to_personality("i686"))
call("attach uts only", inside, c, "hostname", namespaces=lxc.CLONE_NEWUTS)
call("attach no such option", inside, c, "true", nonsense=1)
call("attach no shell missing", inside, c, "sh", "-c", "echo $0")

# ---- cgroups, devices, interfaces

item = "pids.max"
call("cgroup read", c.get_cgroup_item, item)
call("cgroup set", c.set_cgroup_item, item, "1234")
call("cgroup read again", c.get_cgroup_item, item)
call("cgroup missing", c.get_cgroup_item, "pids.nonsense")
call("cgroup set missing", c.set_cgroup_item, "pids.nonsense", "1")
call("add_device_node", c.add_device_node, "/dev/full", "/dev/filled")
call("device inside", inside, c, "stat", "-c", "%t:%T", "/dev/filled")
call("add_device_node missing", c.add_device_node, "/dev/nonsense")
call("add_device_node file", c.add_device_node, "/etc/passwd")
call("remove_device_node", c.remove_device_node, "/dev/full", "/dev/filled")
call("device gone", lambda: inside(c, "stat", "/dev/filled")[0])
os.system("ip link add tdummy type dummy")
call("attach_interface", c.attach_interface, "tdummy", "eth9")
call("interfaces with it", c.get_interfaces)
call("detach_interface", c.detach_interface, "eth9", "tback")
call("detach_interface missing", c.detach_interface, "eth8")
call("back", lambda: os.path.exists("/sys/class/net/tback"))
os.system("ip link del tback 2>/dev/null")
call("attach_interface missing", c.attach_interface, "nonsense0")

# ---- console

call("console_getfd", lambda: number(c.console_getfd()))
call("console_getfd tty", lambda: number(c.console_getfd(1)))
call("console_getfd beyond", c.console_getfd, 7)

# ---- freeze, reboot, end

call("freeze", c.freeze)
call("frozen state", lambda: c.state)
call("freeze twice", c.freeze)
call("frozen start", c.start)
call("frozen destroy", c.destroy)
call("unfreeze", c.unfreeze)
call("thawed state", lambda: c.state)
call("unfreeze twice", c.unfreeze)
first = c.init_pid
call("reboot", c.reboot)


def rebooted():
    for _ in range(300):
        if c.init_pid not in (-1, first) and c.state == "RUNNING":
            return True
        lxc.time.sleep(0.05)
    return False


call("rebooted", rebooted)
call("stop", c.stop)
call("stopped state", lambda: c.state)
call("stop twice", c.stop)
call("stopped shutdown", c.shutdown, 1)
call("stopped reboot", c.reboot)
call("start with a command", c.start, False, True, False, ("/bin/sleep", "1000"))
call("its command", lambda: open("/proc/%d/cmdline" % c.init_pid).read().split("\0")[:2])
call("stop it", c.stop)
call("start in the foreground", c.start, False, False, False, ("/bin/true",))
call("ended", lambda: c.state)
call("start what is missing", c.start, False, True, False, ("/no/such/init",))
# After a start that failed LXC's next one fails too at times, while the first is being cleaned up.
call("start again", lambda: any(c.start() or lxc.time.sleep(0.2) for _ in range(10)))
call("ready", lambda: any(inside(c, "test", "-e", "/dev/log")[0] == 0 or lxc.time.sleep(0.05) for _ in range(200)))
call("shutdown", c.shutdown, 20)
call("after shutdown", lambda: c.state)

# ---- create, clone, rename, snapshots, destroy

call("create", container(name + "-t").create, template, lxc.LXC_CREATE_QUIET, {"busybox-path": "/bin/busybox"})
t = container(name + "-t")
call("created", lambda: t.defined)
call("create twice", t.create, template, lxc.LXC_CREATE_QUIET)
call("create nonsense", container(name + "-n").create, "nonsense", lxc.LXC_CREATE_QUIET)
call("destroy nonsense", container(name + "-n").destroy)
call("create nothing", container(name + "-o").create)
call("destroy nothing", container(name + "-o").destroy)
if "clone" in sys.argv[5:]:
    call("clone", t.clone, name + "-c")
    call("cloned", lambda: container(name + "-c").defined)
    call("clone name", lambda: container(name + "-c").get_config_item("lxc.uts.name"))
    call("clone exists", t.clone, name + "-c")
    call("clone keeps", t.clone, name + "-k", flags=lxc.LXC_CLONE_KEEPNAME | lxc.LXC_CLONE_KEEPMACADDR)
    call("clone shared", t.clone, name + "-s", flags=lxc.LXC_CLONE_SNAPSHOT, bdevtype="overlay")
    call("destroy shared", container(name + "-s").destroy)
    call("destroy kept", container(name + "-k").destroy)
    call("rename", container(name + "-c").rename, name + "-r")
    call("old name", lambda: container(name + "-c").defined)
    call("new name", lambda: container(name + "-r").defined)
    call("destroy renamed", container(name + "-r").destroy)
    call("no snapshots", t.snapshot_list)
    open(lxcpath + "/comment", "w").write("why\n")
    call("snapshot", t.snapshot)
    call("snapshot with comment", t.snapshot, lxcpath + "/comment")
    call("snapshots", lambda: sorted(t.snapshot_list()))
    call("destroy with snapshots", t.destroy)
    call("snapshot_restore", t.snapshot_restore, "snap0", name + "-y")
    call("restored", lambda: container(name + "-y").defined)
    call("destroy restored", container(name + "-y").destroy)
    call("snapshot_restore in place", t.snapshot_restore, "snap1")
    call("snapshot_restore nonsense", t.snapshot_restore, "snap7", name + "-z")
    call("snapshot_destroy nonsense", t.snapshot_destroy, "snap7")
    call("snapshot_destroy", t.snapshot_destroy, "snap0")
    call("snapshot_destroy last", t.snapshot_destroy, "snap1")
    call("snapshots gone", lambda: t.snapshot_list())
call("destroy created", container(name + "-t").destroy)
call("destroy", c.destroy)
call("list nothing", lxc.list_containers, config_path=lxcpath)
