#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# lxc-export and lxc-import: what goes out comes in again, under other ids too, and nothing else does.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns python3
sandbox "$0"
a=a-$tag b=b-$tag c=c-$tag
top=$lxcpath/$a root=$lxcpath/$a/rootfs
base=100000

echo "root:$base:65536" >"$scratch/subid"
for file in /etc/subuid /etc/subgid; do
	[ ! -e "$file" ] || mount --bind "$scratch/subid" "$file"
done
mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
printf 'lxc.idmap = u 0 %s 65536\nlxc.idmap = g 0 %s 65536\n' $base $base >"$scratch/mapped.conf"
: >"$scratch/plain.conf"

succeeds "a container to move" lxc-create -n "$a" -t busybox
echo "$a" >"$root/etc/hostname"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
mkdir -p "$root/data/a/a/empty" "$root/data/b"
echo one >"$root/data/one" && ln "$root/data/one" "$root/data/b/uno"
ln -s /etc/shadow "$root/data/link"
truncate -s 64M "$root/data/hole"
printf 'x' | dd of="$root/data/hole" bs=1 seek=5000000 conv=notrunc 2>/dev/null
mkfifo "$root/data/fifo"
chown 1000:1001 "$root/data/b/uno" && chmod 4711 "$root/data/one"
touch -d '2001-02-03 04:05:06.123456789' "$root/data/one" "$root/data/a/a"
: >"$root/data/$(printf 'odd\nname\351')"
touch -h -d '2002-02-03 04:05:06' "$root/data/link"
setfattr -n user.note -v hello "$root/data/one" 2>/dev/null
setfacl -m u:1234:r,g:77:rw "$root/data/one" 2>/dev/null
cp "$root/bin/busybox" "$root/data/ping" && setcap cap_net_raw+ep "$root/data/ping" 2>/dev/null
succeeds "with a snapshot" lxc-snapshot -n "$a"
echo "as it was" >"$root/data/later"
same() {
	rsync -aHAXn --delete --itemize-changes "$1/" "$2/" 2>&1 | head -n 5
}

# ---- there and back

succeeds "lxc-export" lxc-export -n "$a" "$scratch/a.tar.zst"
is "$out$err" "" "says nothing when all is well"
like "$(zstd -dc "$scratch/a.tar.zst" | tar -tf - | head -n 2 | tr '\n' ' ')" "^manifest config " "it is a tar file"
is "$(zstd -dc "$scratch/a.tar.zst" | tar -tf - | tail -n 1)" digest "that ends with its digest"
unlike "$(lxc-import --show "$scratch/a.tar.zst")" "$top/" "its configuration names nothing of this host"
fails 1 "the same name again" lxc-import "$scratch/a.tar.zst"
like "$err" "container $a exists already" "is refused"
succeeds "lxc-import through a pipe" sh -c "lxc-export -n $a - | lxc-import -n $b -"
is "$out$err" "" "says nothing when all is well"
rm -f "$root/etc/hostname" "$lxcpath/$b/rootfs/etc/hostname.old"
is "$(cat "$lxcpath/$b/rootfs/etc/hostname")" "$b" "another name is another host name"
cp -p "$lxcpath/$b/rootfs/etc/hostname" "$root/etc/hostname" && touch -r "$lxcpath/$b/rootfs/etc" "$root/etc"
cp -p "$lxcpath/$b/rootfs/etc/hosts" "$root/etc/hosts" 2>/dev/null && touch -r "$lxcpath/$b/rootfs/etc" "$root/etc"
is "$(same "$root" "$lxcpath/$b/rootfs")" "" "every file is the same"
is "$(same "$top/snaps/snap0/rootfs" "$lxcpath/$b/snaps/snap0/rootfs")" "" "those of the snapshot too"
ok "holes stay holes" test "$(stat -c %b "$lxcpath/$b/rootfs/data/hole")" -lt 200
is "$(lxc-snapshot -n "$b" -L | cut -d ' ' -f 1)" snap0 "the snapshot is listed"
succeeds "and restored" lxc-snapshot -n "$b" -r snap0
ok "it is what it was" test ! -e "$lxcpath/$b/rootfs/data/later"
succeeds "what was imported starts" lxc-start -n "$b"
fails 1 "one that runs" lxc-export -n "$b" "$scratch/b.tar.zst"
like "$err" "container $b is running" "is not exported"
ok "and no file is made" test ! -e "$scratch/b.tar.zst"
succeeds "unless that is asked for" lxc-export -a -n "$b" "$scratch/b.tar.zst"
# Who reads it holds it still, and no longer than it lives.
slow() {
	lxc-export -a -n "$b" - >"$scratch/slow" 2>/dev/null &
	slow=$!
}
mkfifo "$scratch/slow"
head -c 16M /dev/urandom >"$lxcpath/$b/rootfs/data/much"
sleep 1000 <>"$scratch/slow" >/dev/null &
blocker=$!
slow
first=$slow
ok "a container that is read is frozen" eventually 10 sh -c "[ \"\$(lxc-info -n $b -s -H)\" = FROZEN ]"
slow
sleep 0.5
kill -9 "$first"
wait "$first" 2>/dev/null
is "$(lxc-info -n "$b" -s -H)" FROZEN "and stays so while another one reads"
kill -9 "$slow"
wait "$slow" 2>/dev/null
ok "a reader that is killed leaves nothing frozen" eventually 10 sh -c "[ \"\$(lxc-info -n $b -s -H)\" = RUNNING ]"
slow
ok "it is frozen again" eventually 10 sh -c "[ \"\$(lxc-info -n $b -s -H)\" = FROZEN ]"
succeeds "who freezes it meanwhile" lxc-freeze -n "$b"
kill -9 "$slow"
wait "$slow" 2>/dev/null
sleep 0.3
is "$(lxc-info -n "$b" -s -H)" FROZEN "keeps it so"
succeeds "and can thaw it" lxc-unfreeze -n "$b"
kill "$blocker"
wait "$blocker" 2>/dev/null
rm -f "$lxcpath/$b/rootfs/data/much"
like "$(lxc-info -n "$b" -s)" RUNNING "it runs on"
succeeds "it stops" lxc-stop -n "$b" -k
succeeds "and goes" lxc-destroy -s -n "$b"
succeeds "a new identity" lxc-import -n "$b" --new-identity "$scratch/a.tar.zst"
is "$(cat "$lxcpath/$b/rootfs/etc/machine-id")" "" "has no machine-id yet"
succeeds "it goes" lxc-destroy -s -n "$b"

# ---- other ids

succeeds "into an unprivileged one" lxc-import -n "$b" -f "$scratch/mapped.conf" "$scratch/a.tar.zst"
m=$lxcpath/$b/rootfs
is "$(stat -c %u:%g:%a "$m/data/one")" $((base + 1000)):$((base + 1001)):"$(stat -c %a "$root/data/one")" "owners are shifted, setuid stays"
like "$(getfacl -nc "$m/data/one" 2>/dev/null)" "user:$((base + 1234)):r" "ids in access control lists too"
like "$(getcap -n "$m/data/ping" 2>/dev/null)" "rootid=$base" "and capabilities"
is "$(find "$lxcpath/$b/snaps/snap0/rootfs" -uid -$base | head -n 3)" "" "in snapshots too"
is "$(grep -c 'userns.conf$' "$lxcpath/$b/config" "$lxcpath/$b/snaps/snap0/config" | cut -d : -f 2 | tr '\n' ' ')" "1 1 " "what belongs to a map is included"
is "$(stat -c %u:%a "$lxcpath/$b/snaps/snap0" "$lxcpath/$b/snaps/snap0/config" "$lxcpath/$b" "$lxcpath/$b/config" | tr '\n' ' ')" \
	"$base:770 0:640 $base:770 0:640 " "what holds them belongs to whom it should"
succeeds "it starts" lxc-start -n "$b"
succeeds "it stops" lxc-stop -n "$b" -k
succeeds "and back" sh -c "lxc-export -n $b | lxc-import -n $c -f $scratch/plain.conf"
is "$(same "$root/data" "$lxcpath/$c/rootfs/data")" "" "to what it was"
is "$(grep -c 'userns.conf$' "$lxcpath/$c/config")" 0 "without what belongs to a map"
chown 7:7 "$m/data/one"
fails 1 "a file of somebody outside the map" lxc-export -n "$b" "$scratch/x"
like "$err" "cannot be|outside the id map|cannot read" "is named"
ok "no file is left" test ! -e "$scratch/x"
succeeds "they go" sh -c "lxc-destroy -s -n $b && lxc-destroy -s -n $c"

# ---- what is damaged

size=$(stat -c %s "$scratch/a.tar.zst")
for at in 0 1000 $((size / 2)) $((size - 30)) $((size - 1)); do
	head -c "$at" "$scratch/a.tar.zst" >"$scratch/cut"
	fails 1 "cut off at $at" lxc-import -n "$b" "$scratch/cut"
	ok "leaves nothing" test ! -e "$lxcpath/$b"
done
for at in 100 $((size / 3)) $((size - 100)); do
	cp "$scratch/a.tar.zst" "$scratch/bad"
	printf '\377\000\377' | dd of="$scratch/bad" bs=1 seek="$at" conv=notrunc 2>/dev/null
	fails 1 "altered at $at" lxc-import -n "$b" "$scratch/bad"
	ok "leaves nothing" test ! -e "$lxcpath/$b"
done
zstd -dc "$scratch/a.tar.zst" | sed 's/as it was/AS IT WAS/' | zstd -q >"$scratch/bad"
fails 1 "altered below the compression" lxc-import -n "$b" "$scratch/bad"
like "$err" "digest does not fit" "is seen by the digest"
ok "and leaves nothing" test ! -e "$lxcpath/$b"
fails 1 "a limit" lxc-import -n "$b" --limit 1K "$scratch/a.tar.zst"
like "$err" "unpacks to more than 1024 bytes" "is kept"
fails 1 "some file" lxc-import -n "$b" /etc/passwd
like "$err" "no archive of lxc-export" "is no archive"

# ---- called off

mkfifo "$scratch/pipe"
lxc-import -n "$b" <"$scratch/pipe" 2>"$scratch/said" &
pid=$!
exec 9>"$scratch/pipe"
head -c $((size - 1000)) "$scratch/a.tar.zst" >&9
ok "an import has begun" eventually 10 test -e "$lxcpath/$b/rootfs/data"
like "$(lxc-ls -P "$lxcpath" -f 2>&1)" "$b" "lists show it"
fails 1 "what is incomplete" lxc-start -n "$b"
kill -TERM "$pid"
wait "$pid"
is $? 143 "told to end, it ends by the signal"
exec 9>&-
ok "and leaves nothing" test ! -e "$lxcpath/$b"
fails 1 "a full disk" sh -c "lxc-export -n $a - >/dev/full"
like "$err" "no room|full|space" "is named"

# ---- what is hostile

mkdir "$scratch/host" && echo safe >"$scratch/host/file"
before=$(ls -l --time-style=full-iso "$scratch/host" && ls "$lxcpath")
cat >"$scratch/evil.py" <<'PY'
import hashlib, io, subprocess, sys, tarfile
host, kind = sys.argv[1], sys.argv[2]
out = io.BytesIO()
t = tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT)
def add(name, data=None, **kw):
    i = tarfile.TarInfo(name)
    for k, v in kw.items():
        setattr(i, k, v)
    if data is not None:
        i.size = len(data)
    t.addfile(i, io.BytesIO(data) if data is not None else None)
D = dict(type=tarfile.DIRTYPE, mode=0o755)
def link(n, to): add(n, type=tarfile.SYMTYPE, linkname=to)
def hard(n, to): add(n, type=tarfile.LNKTYPE, linkname=to)
version, name, config, tail = "1", "evil", "lxc.include = @SHARED@/common.conf\n", True
config += {"hook": "lxc.hook.pre-start = /bin/sh -c id\n", "mount": "lxc.mount.entry = / mnt none bind 0 0\n",
    "bind": "lxc.mount.entry = /etc mnt tmpfs bind 0 0\n", "include": "lxc.include = /etc/passwd\n", "dots": "lxc.include = @SHARED@/../../x.conf\n",
    "caps": "lxc.cap.drop =\n", "newline": "lxc.uts.name = a\rlxc.hook.stop = x\n",
    "quoted": "lxc.apparmor.profile = \"unconfined\"\n", "netnone": "lxc.net.0.type = none\n",
    "lowmap": "lxc.idmap = u 0 100000 1000\nlxc.idmap = u 1000 1000 1\nlxc.idmap = g 0 100000 65536\n",
    "cgroupkey": "lxc.cgroup2.memory.max/../cgroup.procs = 1\n", "sysctlkey": "lxc.sysctl.net.x/../../kernel/core_pattern = x\n",
    "nesting": "lxc.include = @SHARED@/nesting.conf\n",
    "userns": "lxc.include = @SHARED@/userns.conf\n",
    "unknown": "lxc.new.key = 1\n", "log": "lxc.log.file = /etc/x\n"}.get(kind, "")
if kind == "version": version = "99"
if kind == "name": name = "../evil"
if kind == "first": add("rootfs", **D)
add("manifest", f"tiffin-container {version}\nname = {name}\n".encode())
add("config", config.encode())
if kind == "snapdots": add("snaps/../config", b"x")
if kind == "snaphook":
    add("snaps/snap0/config", b"lxc.hook.clone = /bin/x\n"); add("snaps/snap0/rootfs", **D)
if kind == "files": add("files/config", b"x")
if kind == "topdir": link("rootfs", host)
add("rootfs/ok", b"ok")
if kind == "dotdot": add("rootfs/../../x", b"x")
if kind == "absolute": add("/rootfs/x", b"x")
if kind == "slashes": add("rootfs//etc", b"x")
if kind == "outside": add("x", b"x")
if kind == "through": link("rootfs/l", host); add("rootfs/l/file", b"bad")
if kind == "overlink": link("rootfs/l", host + "/file"); add("rootfs/l", b"bad")
if kind == "dirlink": link("rootfs/l", host); add("rootfs/l", **D)
if kind == "hardout": hard("rootfs/h", host + "/file")
if kind == "harddots": hard("rootfs/h", "rootfs/../../../host/file")
if kind == "hardlink": link("rootfs/l", host); hard("rootfs/h", "rootfs/l/file")
if kind == "twice": add("rootfs/ok", b"again")
if kind == "again": add("rootfs/d/x", b"x"); add("rootfs/d", **D); add("rootfs/y", b"y"); add("rootfs/d/z", b"z")
if kind == "device": add("rootfs/sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0)
if kind == "kmem": add("rootfs/kmem", type=tarfile.CHRTYPE, devmajor=1, devminor=2)
if kind == "xattr": add("rootfs/y", b"", pax_headers={"SCHILY.xattr.security.ima": "x"})
if kind == "filedir": add("rootfs/ok/x", b"x")
if kind == "caller": add("rootfs/y", b"x", uid=65536, mode=0o4755)
if kind == "deep": add("rootfs/" + "a/" * 3000 + "x", b"x")
add("rootfs", **D)
if kind == "behind": add("rootfs/late", b"x")
if kind == "tworoots": add("rootfs", **D)
t.fileobj.flush()
data = out.getvalue()
if kind != "nodigest":
    add("digest", b"sha256 " + hashlib.sha256(data).hexdigest().encode() + b"\n")
if kind == "after": add("rootfs/after", b"x")
t.close()
sys.stdout.buffer.write(subprocess.run(["zstd", "-qc"], input=out.getvalue() + bytes({"bomb": 8 << 20, "padded": 10240}.get(kind, 0)), stdout=subprocess.PIPE, check=True).stdout)
PY
python3 "$scratch/evil.py" "$scratch/host" none >"$scratch/evil"
succeeds "what does no harm is taken" lxc-import "$scratch/evil"
succeeds "and goes" lxc-destroy -n evil
python3 "$scratch/evil.py" "$scratch/host" padded >"$scratch/evil"
succeeds "so is what ends with a tape's block" lxc-import "$scratch/evil"
succeeds "and goes" lxc-destroy -n evil
python3 "$scratch/evil.py" "$scratch/host" userns >"$scratch/evil"
succeeds "what gives rights to those with a map" lxc-import "$scratch/evil"
is "$(grep -c 'userns.conf' "$lxcpath/evil/config")" 0 "gives none to one without"
succeeds "it goes" lxc-destroy -n evil
succeeds "with a map" lxc-import -f "$scratch/mapped.conf" "$scratch/evil"
is "$(grep -c 'userns.conf' "$lxcpath/evil/config")" 1 "it stays"
succeeds "it goes" lxc-destroy -n evil
for kind in hook lowmap cgroupkey sysctlkey mount bind include dots caps newline quoted netnone nesting unknown log version name first snapdots snaphook files \
	topdir dotdot absolute slashes outside through overlink dirlink hardout harddots hardlink twice again device kmem xattr \
	filedir deep behind tworoots nodigest after bomb; do
	python3 "$scratch/evil.py" "$scratch/host" "$kind" >"$scratch/evil"
	fails 1 "hostile: $kind" lxc-import "$scratch/evil"
	like "$err" "^lxc-import: " "is refused in a sentence"
	is "$(ls -l --time-style=full-iso "$scratch/host" && ls "$lxcpath")" "$before" "and leaves nothing"
done
python3 "$scratch/evil.py" "$scratch/host" caller >"$scratch/evil"
fails 1 "a file of whoever imports" lxc-import -f "$scratch/mapped.conf" "$scratch/evil"
like "$err" "not in the container's id map" "is refused"
python3 "$scratch/evil.py" "$scratch/host" hook >"$scratch/evil"
succeeds "a trusted hook" lxc-import --trust "$scratch/evil"
like "$(cat "$lxcpath/evil/config")" "lxc.hook.pre-start = /bin/sh" "is taken"
succeeds "they go" sh -c "lxc-destroy -n evil && lxc-destroy -s -n $a"

finish
