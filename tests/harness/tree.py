# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
"""Trees that have everything in them, and what can be told about each of their files.

tree.py make DIR [KIND...]	fills DIR; KIND leaves something out: nodevices, nosockets, notrusted, lowids, nodeep
tree.py picture DIR [KIND...]	one line for each file below DIR, in order: what is not listed is left out of the lines
				("s": sockets, "d": devices, "t": attributes named trusted.*, "h": hard links)

Everything is done with a directory's descriptor and one name, so that paths may be of any length."""
import hashlib
import os
import stat
import struct
import sys

HIGH = 3000000001
DEEP = 60			# times a name of 100 bytes: more than PATH_MAX


def capability(root=None):
    head = struct.pack("<IIIII", 0x03000001 if root else 0x02000001, 1 << 13, 0, 0, 0)
    return head + struct.pack("<I", root) if root else head


def acl(*entries):
    tags = {"u": 0x02, "g": 0x08}
    lines = [(0x01, 7, 0xffffffff)] + [(tags[t], p, i) for t, i, p in entries if t == "u"] + [(0x04, 5, 0xffffffff)]
    lines += [(tags[t], p, i) for t, i, p in entries if t == "g"] + [(0x10, 7, 0xffffffff), (0x20, 1, 0xffffffff)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *x) for x in lines)


class Maker:
    def __init__(self, top, kinds):
        self.dir = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        self.kinds = kinds
        self.high = 1005 if "lowids" in kinds else HIGH
        self.times = []

    def file(self, name, content=b"x", mode=0o644, uid=0, gid=0, at=None, mtime=None, **attrs):
        at = self.dir if at is None else at
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=at)
        for offset, data in content if isinstance(content, list) else [(0, content)]:
            if data is None:
                os.ftruncate(fd, offset)
            else:
                os.pwrite(fd, data, offset)
        self.dress(fd, mode, uid, gid, **attrs)
        if mtime is not None:
            os.utime(fd, ns=(1, mtime))
        os.close(fd)

    def dress(self, fd, mode, uid, gid, xattrs=()):
        os.fchown(fd, uid, gid)
        os.fchmod(fd, mode)
        for name, value in dict(xattrs).items():
            os.setxattr(fd, name, value)

    def enter(self, name, mode=0o755, uid=0, gid=0, xattrs=(), at=None):
        at = self.dir if at is None else at
        os.mkdir(name, 0o700, dir_fd=at)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        self.dress(fd, mode, uid, gid, xattrs)
        return fd

    def node(self, name, mode, dev=0, uid=0, gid=0):
        os.mknod(name, mode, dev, dir_fd=self.dir)
        os.chown(name, uid, gid, dir_fd=self.dir, follow_symlinks=False)
        os.chmod(name, mode & 0o7777, dir_fd=self.dir)

    def contents(self):
        self.file("empty", b"")
        self.file("odd-size", os.urandom(70001))
        self.file("hole-first", [(5 << 20, b"end")])
        self.file("hole-last", [(0, b"begin"), (7 << 20, None)])
        self.file("holes", [(i << 20, b"%d" % i) for i in range(1, 30, 3)])
        self.file("one-hole", [(3 << 20, None)])
        # No number of eight bytes of octal digits has its size.
        self.file("huge", [(9 << 30, b"x")])

    def modes(self):
        for mode in (0, 0o4711, 0o2755, 0o6777, 0o1666, 0o7000):
            self.file("mode-%o" % mode, mode=mode)
            os.close(self.enter("dir-%o" % mode, mode=mode))
        self.file("owned", uid=1000, gid=1001, mode=0o6711)
        self.file("high", uid=self.high, gid=self.high + 1, mode=0o4750)
        os.close(self.enter("high-dir", uid=self.high, gid=self.high + 2, mode=0o3770))

    def stamps(self):
        for i, ns in enumerate((1, 999999999, 1234567890123456789, -1, -86400 * 365 * 10**9 * 30 - 5, 4102444800000000001)):
            self.file("time-%d" % i, mtime=ns)
        os.close(self.enter("dated"))
        self.times.append(("dated", 981173106123456789))

    def attributes(self):
        deep = {"user.note": b"hello", "user.empty": b"", "user.binary": bytes(range(256)), "user." + "n" * 200: b"long"}
        deep.update({"user.many-%03d-%s" % (i, "y" * 20): b"%d" % i for i in range(30)})
        self.file("noted", xattrs=deep)
        if "notrusted" not in self.kinds:
            self.file("trusted", xattrs={"trusted.note": b"for root"})
        self.file("able", mode=0o755, xattrs={"security.capability": capability()})
        self.file("able-setuid", mode=0o4755, uid=1000, xattrs={"security.capability": capability()})
        if "lowids" not in self.kinds:
            self.file("able-elsewhere", mode=0o755, xattrs={"security.capability": capability(100000)})
        lists = {"system.posix_acl_access": acl(("u", 1234, 4), ("u", self.high, 6), ("g", 77, 7))}
        self.file("listed", mode=0o640, uid=5, xattrs=lists)
        lists["system.posix_acl_default"] = acl(("u", 4321, 5), ("g", self.high, 6))
        fd = self.enter("listed-dir", mode=0o2750, xattrs=dict(lists, **{"user.dir": b"y"}))
        self.file("inherits", at=fd)
        os.close(self.enter("inherits-too", at=fd))
        os.close(fd)

    def special(self):
        self.node("fifo", stat.S_IFIFO | 0o4644, uid=9, gid=self.high)
        if "nosockets" not in self.kinds:
            self.node("socket", stat.S_IFSOCK | 0o755, uid=9)
        if "nodevices" not in self.kinds:
            self.node("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
            self.node("disk", stat.S_IFBLK | 0o2660, os.makedev(259, 1048575), gid=6)
            os.link("disk", "disk-again", src_dir_fd=self.dir, dst_dir_fd=self.dir)
        links = {"absolute": "/etc/shadow", "dangling": "no/such/file", "up": "../../../../../../etc", "self": "self",
                 "long-target": "t/" * 2000 + "x", "odd-target": "a\nb\t\udcff", "to-dir": "listed-dir"}
        for name, target in links.items():
            os.symlink(os.fsencode(target), name, dir_fd=self.dir)
            os.utime(name, ns=(1, 1000000000000000007), dir_fd=self.dir, follow_symlinks=False)
            os.chown(name, 7, self.high, dir_fd=self.dir, follow_symlinks=False)

    def names(self):
        fd = self.enter("names")
        for name in ("new\nline", "\n", " ", "trailing ", "-rf", "*", "back\\slash", "q'uo\"te", "tab\t", "...", ".hidden",
                     "\udcff\udcfe bytes", "grüße-日本語-🍱", "\x01\x1b[31m", "n" * 255, "ü" * 127 + "x", ".wh.x", "rootfs", "%s%n"):
            self.file(os.fsencode(name), os.fsencode(name), at=fd)
        for name in ("d\nr", "d" * 255, "ö" * 127, "\udcff"):
            sub = self.enter(os.fsencode(name), at=fd)
            self.file(b"in it", at=sub)
            os.close(sub)
        os.close(fd)
        os.close(self.enter("nothing-in-it"))

    def hard_links(self):
        fd = self.enter("linked")
        self.file("first", uid=1, mode=0o4755, xattrs={"user.shared": b"y"})
        for i in range(20):
            os.link("first", "name-%d" % i, src_dir_fd=self.dir, dst_dir_fd=fd)
        for name in ("fifo", "dangling", "able", "empty", "hole-last", "high", "listed", "noted"):
            os.link(name, name, src_dir_fd=self.dir, dst_dir_fd=fd, follow_symlinks=False)
        os.close(fd)

    def depth(self):
        if "nodeep" in self.kinds:
            return
        fd = self.enter("deep")
        first = os.dup(fd)
        for i in range(DEEP):
            sub = self.enter("%03d-%s" % (i, "p" * 96), at=fd)
            os.close(fd)
            fd = sub
        self.file("at the end", b"deep", at=fd, uid=12)
        os.symlink("x", "link", dir_fd=fd)
        # Both names have paths that no call takes; one of them is met first.
        os.link("at the end", "beside it", src_dir_fd=fd, dst_dir_fd=fd)
        os.link("at the end", "from the end", src_dir_fd=fd, dst_dir_fd=first)
        sub = self.enter("empty at the end", at=fd)
        for each in (sub, fd, first):
            os.close(each)

    def wide(self):
        fd = self.enter("wide")
        for i in range(1500):
            self.file("%d" % i, b"", at=fd)
        os.close(fd)

    def all(self):
        for part in (self.contents, self.modes, self.stamps, self.attributes, self.special, self.names, self.hard_links,
                     self.depth, self.wide):
            part()
        for name, ns in self.times:
            os.utime(name, ns=(1, ns), dir_fd=self.dir)
        os.utime(self.dir, ns=(1, 1111111111111111111))


class Picture:
    def __init__(self, top, without):
        self.without = without
        self.lines, self.inodes = [], {}
        fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        self.add(fd, None, b".", os.fstat(fd))
        # Depth is not bounded by what can be open or called at once.
        self.walk(fd)

    def walk(self, fd):
        stack = [(b"", self.names(fd))]
        while stack:
            path, names = stack[-1]
            if not names:
                stack.pop()
                if stack:
                    up = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
                    os.close(fd)
                    fd = up
                continue
            name = names.pop(0)
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISSOCK(st.st_mode) and "s" in self.without:
                continue
            if (stat.S_ISBLK(st.st_mode) or stat.S_ISCHR(st.st_mode)) and "d" in self.without:
                continue
            self.add(fd, name, path + name, st)
            if stat.S_ISDIR(st.st_mode):
                sub = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
                os.close(fd)
                fd = sub
                stack.append((path + name + b"/", self.names(fd)))

    @staticmethod
    def names(fd):
        return sorted(os.fsencode(n) for n in os.listdir(fd))

    def content(self, fd, name, st):
        own = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
        digest, at = hashlib.sha256(), 0
        while at < st.st_size:
            try:
                at = os.lseek(own, at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(own, at, os.SEEK_HOLE)
            while at < end:
                block = os.pread(own, min(1 << 20, end - at), at)
                # Where a hole begins differs between file systems; zeros are zeros.
                for i in range(0, len(block), 4096):
                    piece = block[i:i + 4096]
                    if piece.strip(b"\0"):
                        digest.update(b"%d:" % (at + i) + piece.rstrip(b"\0"))
                at += len(block)
        os.close(own)
        return digest.hexdigest()[:16] + (" sparse" if st.st_blocks * 512 < st.st_size // 2 else "")

    def xattrs(self, fd, name):
        path = "/proc/self/fd/%d" % fd if name is None else b"/proc/self/fd/%d/" % fd + name
        follow = name is None
        for x in sorted(os.listxattr(path, follow_symlinks=follow)):
            if x.startswith("trusted.overlay") or (x.startswith("trusted.") and "t" in self.without):
                continue
            yield "%s=%s" % (x, os.getxattr(path, x, follow_symlinks=follow).hex()[:600])

    def add(self, fd, name, path, st):
        kind = stat.S_IFMT(st.st_mode)
        words = [repr(path)[1:], "%o" % st.st_mode, "%d:%d" % (st.st_uid, st.st_gid), "%d" % st.st_mtime_ns]
        if kind != stat.S_IFDIR and st.st_nlink > 1 and "h" not in self.without:
            words.append("%d names, first %r" % (st.st_nlink, self.inodes.setdefault(st.st_ino, path)))
        if kind == stat.S_IFREG:
            words += [str(st.st_size), self.content(fd, name, st)]
        elif kind == stat.S_IFLNK:
            words.append(repr(os.readlink(name, dir_fd=fd)))
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            words.append("%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev)))
        self.lines.append(" ".join(words + list(self.xattrs(fd, name))))


def main():
    os.umask(0)
    if sys.argv[1] == "make":
        Maker(sys.argv[2], sys.argv[3:]).all()
    else:
        print("\n".join(Picture(sys.argv[2], sys.argv[3:]).lines))


main()
