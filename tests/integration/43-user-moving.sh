#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Ordinary users export, import, copy and rename: from one user to another, from root to a user and back, without any
# configuration, and from archives that somebody else has made.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns newuidmap setpriv python3 zstd rsync strace
sandbox "$0"
users alice bob -carol
n=$tag c=c-$tag
alice_home=/home/alice/.local/share/lxc bob_home=/home/bob/.local/share/lxc
alice_base=$(sed -n 's/^alice:\([0-9]*\):.*/\1/p' /etc/subuid)
bob_base=$(sed -n 's/^bob:\([0-9]*\):.*/\1/p' /etc/subuid)

# Owners as the container sees them, and all else.
tree() {
	(cd "$1" && find . ! -path './run/*' ! -path ./run ! -path ./etc ! -path ./etc/hostname ! -path ./etc/hosts -printf '/%P %y %m %U %G %s %n %l\n' |
		awk -v b="$2" '{ $4 -= b; $5 -= b; print }' | sort)
}

succeeds "a user's container" as alice lxc-create -n "$n" -t busybox
m=$alice_home/$n
mkdir "$m/rootfs/data" && echo one >"$m/rootfs/data/one" && ln "$m/rootfs/data/one" "$m/rootfs/data/two"
chown -R $((alice_base + 1000)):$((alice_base + 1001)) "$m/rootfs/data" && chmod 6755 "$m/rootfs/data/one"
setfacl -m u:$((alice_base + 7)):r "$m/rootfs/data/one"
succeeds "with a snapshot" as alice lxc-snapshot -n "$n"

# ---- to a file, and in again

succeeds "lxc-export" as alice lxc-export -n "$n" /home/alice/x.tar.zst
is "$out$err" "" "says nothing when all is well"
is "$(stat -c %a:%U /home/alice/x.tar.zst)" 600:alice "nobody else may read what it wrote"
is "$(zstd -dc /home/alice/x.tar.zst | tar --numeric-owner -tvf - | sed -n 's|^-[^ ]* *\([0-9]*/[0-9]*\) .* rootfs/data/.*|\1|p')" \
	1000/1001 "owners in it are those of the container"
succeeds "lxc-import" as alice lxc-import -n "$c" /home/alice/x.tar.zst
is "$out$err" "" "says nothing when all is well"
is "$(tree "$alice_home/$c/rootfs" "$alice_base")" "$(tree "$m/rootfs" "$alice_base")" "every file is the same"
is "$(tree "$alice_home/$c/snaps/snap0/rootfs" "$alice_base")" "$(tree "$m/snaps/snap0/rootfs" "$alice_base")" "those of the snapshot too"
is "$(getfacl -nc "$alice_home/$c/rootfs/data/one")" "$(getfacl -nc "$m/rootfs/data/one")" "access control lists too"
is "$(stat -c %a:%U "$alice_home/$c")" 700:alice "the directory is closed"
succeeds "it starts" as alice lxc-start -n "$c"
fails 1 "one that runs" as alice lxc-export -n "$c" /home/alice/y.tar.zst
like "$err" "container $c is running" "is not exported"
fails 1 "not even by force" as alice lxc-export -a -n "$c" /home/alice/y.tar.zst
like "$err" "cannot freeze $c: " "where it cannot be held still"
ok "and no file is left" sh -c "[ -z \"\$(ls /home/alice/y* 2>/dev/null)\" ]"
succeeds "it stops" as alice lxc-stop -n "$c" -k
is "$(stat -c %a:%U "$alice_home/$c/snaps" "$alice_home/$c/snaps/snap0" | tr '\n' ' ')" "755:alice 700:alice " "what holds the snapshot is his"
succeeds "a snapshot is restored" as alice lxc-snapshot -n "$c" -r snap0
succeeds "and goes" as alice lxc-snapshot -n "$c" -d snap0
succeeds "it gets another name" as alice lxc-copy -n "$c" -R -N "$c-x"
succeeds "it is copied" as alice lxc-copy -n "$c-x" -N "$c"
is "$(tree "$alice_home/$c/rootfs" "$alice_base")" "$(tree "$m/rootfs" "$alice_base")" "every file is the same"
succeeds "it goes" as alice lxc-destroy -s -n "$c"
# What writes in the namespace of the container's ids is a process of its own: when it is cut off the other one keeps the rest.
for cut in fchmod:4 mkdirat:9 fchown:2 copy_file_range:9 linkat:100 symlinkat:2; do
	timeout 120 strace -f -o "$scratch/trace" -e trace="${cut%:*}" -e inject="${cut%:*}:signal=SIGKILL:when=${cut#*:}" \
		as alice lxc-copy -n "$c-x" -N "$c" --resume >"$scratch/said" 2>&1
	[ -e "$alice_home/$c/partial" ] || { result 1 "a copy is cut off at $cut: $(cat "$scratch/said")"; continue; }
	succeeds "what was cut off at $cut is gone on with" as alice lxc-copy -n "$c-x" -N "$c" --resume
	is "$(tree "$alice_home/$c/rootfs" "$alice_base")" "$(tree "$m/rootfs" "$alice_base")" "and every file is the same"
	succeeds "it goes" as alice lxc-destroy -s -n "$c"
done
succeeds "the other goes" as alice lxc-destroy -s -n "$c-x"
fails 1 "a directory that is not his" as alice lxc-export -n "$n" /home/bob/x
like "$err" "cannot make a file beside /home/bob/x: Permission denied" "is not written to"

# ---- to somebody else

install -m 0644 /home/alice/x.tar.zst "$scratch/x.tar.zst"
succeeds "another user's import" as bob lxc-import "$scratch/x.tar.zst"
is "$(stat -c %u:%g:%a "$bob_home/$n/rootfs/data/one")" $((bob_base + 1000)):$((bob_base + 1001)):6755 "gets his ids"
tree "$bob_home/$n/rootfs" "$bob_base" >"$scratch/bob" && tree "$m/rootfs" "$alice_base" >"$scratch/alice"
is "$(diff "$scratch/bob" "$scratch/alice")" "" "and is the same otherwise"
like "$(getfacl -nc "$bob_home/$n/rootfs/data/one")" "^user:$((bob_base + 7)):r" "in access control lists too"
is "$(find "$bob_home/$n" -uid $((alice_base + 1000)) -o -uid "$alice_base" -o -user alice | head -n 3)" "" "nothing of the other's is in it"
unlike "$(cat "$bob_home/$n/config" "$bob_home/$n/snaps/snap0/config")" "$alice_base|/home/alice" "nor in its configurations"
succeeds "it starts" as bob lxc-start -n "$n"
is "$(as bob lxc-attach -n "$n" -- stat -c %u:%g /data/one)" 1000:1001 "and sees the owners of before"
succeeds "it stops" as bob lxc-stop -n "$n" -k
succeeds "it goes" as bob lxc-destroy -s -n "$n"
fails 1 "a user without ids" as carol lxc-import "$scratch/x.tar.zst"
like "$err" "carol" "is told so"
like "$err" "subuid" "and what to do"
ok "and nothing is left" test ! -e "/home/carol/.local/share/lxc/$n"
install -d -o bob -g bob /home/bob/.config /home/bob/.config/lxc
printf 'lxc.idmap = u 0 %s 20000\nlxc.idmap = g 0 %s 20000\n' "$((bob_base + 10000))" "$((bob_base + 10000))" >/home/bob/.config/lxc/default.conf
succeeds "with a default configuration" as bob lxc-import "$scratch/x.tar.zst"
is "$(stat -c %u "$bob_home/$n/rootfs/data/one")" $((bob_base + 11000)) "its map counts"
succeeds "it goes" as bob lxc-destroy -s -n "$n"
rm -r /home/bob/.config/lxc

# ---- from root, and back

printf 'lxc.net.0.type = empty\n' >"$scratch/conf"
succeeds "a privileged container" lxc-create -n "$c" -t busybox -f "$scratch/conf"
mknod "$lxcpath/$c/rootfs/etc/sda" b 8 0
mkdir "$lxcpath/$c/rootfs/data" && echo one >"$lxcpath/$c/rootfs/data/one" && chown 1000 "$lxcpath/$c/rootfs/data/one"
fails 1 "with a device" sh -c "lxc-export -n $c - | as bob lxc-import -"
like "$err" "device" "is not for a user"
ok "and nothing is left" test ! -e "$bob_home/$c"
rm "$lxcpath/$c/rootfs/etc/sda"
succeeds "without" sh -c "lxc-export -n $c - | as bob lxc-import -"
is "$(stat -c %u "$bob_home/$c/rootfs/data/one")" $((bob_base + 1000)) "it gets his ids"
is "$(grep -c '^lxc.idmap = ' "$bob_home/$c/config")" 2 "and his map"
succeeds "it starts" as bob lxc-start -n "$c"
succeeds "it stops" as bob lxc-stop -n "$c" -k
: >"$scratch/plain.conf"
succeeds "and back" sh -c "as bob lxc-export -n $c - | lxc-import -n $c-b -f $scratch/plain.conf -"
is "$(stat -c %u "$lxcpath/$c-b/rootfs/data/one")" 1000 "it is what it was"
succeeds "it starts" lxc-start -n "$c-b"
succeeds "it stops" lxc-stop -n "$c-b" -k
succeeds "they go" sh -c "as bob lxc-destroy -n $c; lxc-destroy -n $c; lxc-destroy -n $c-b"

# ---- what somebody else made

mkdir "$scratch/host" && chmod 0777 "$scratch/host" && echo safe >"$scratch/host/file" && chmod 0666 "$scratch/host/file"
before=$(ls -l --time-style=full-iso "$scratch/host")
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
add("manifest", b"tiffin-container 1\nname = evil\n")
config = "lxc.include = @SHARED@/common.conf\n"
config += {"map": "lxc.idmap = u 0 0 1\nlxc.idmap = g 0 0 1\n", "mount": "lxc.mount.entry = /home/bob mnt none bind 0 0\n",
    "hook": "lxc.hook.pre-start = /bin/sh\n"}.get(kind, "")
add("config", config.encode())
if kind == "snapmap":
    add("snaps/snap0/config", b"lxc.idmap = u 0 0 1\nlxc.idmap = g 0 0 1\n"); add("snaps/snap0/rootfs", **D)
add("rootfs/ok", b"ok", mode=0o4755)
if kind == "caller": add("rootfs/y", b"x", uid=65536, mode=0o4755)
if kind == "callergroup": add("rootfs/y", b"x", gid=65536, mode=0o2755)
if kind == "beyond": add("rootfs/y", b"x", uid=70000)
if kind == "through":
    add("rootfs/l", type=tarfile.SYMTYPE, linkname=host); add("rootfs/l/file", b"bad")
if kind == "hardout": add("rootfs/h", type=tarfile.LNKTYPE, linkname=host + "/file")
if kind == "kmem": add("rootfs/kmem", type=tarfile.CHRTYPE, devmajor=1, devminor=2)
if kind == "null": add("rootfs/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)
if kind == "huge": add("rootfs/huge", b"", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
    "GNU.sparse.realsize": "9223372036854775807"})
add("rootfs", **D)
t.fileobj.flush()
add("digest", b"sha256 " + hashlib.sha256(out.getvalue()).hexdigest().encode() + b"\n")
t.close()
sys.stdout.buffer.write(subprocess.run(["zstd", "-qc"], input=out.getvalue(), stdout=subprocess.PIPE, check=True).stdout)
PY
for kind in caller callergroup beyond through hardout kmem mount hook huge; do
	python3 "$scratch/evil.py" "$scratch/host" "$kind" >"$scratch/evil"
	fails 1 "hostile: $kind" as bob lxc-import "$scratch/evil"
	like "$err" "^lxc-import: " "is refused in a sentence"
	ok "and leaves nothing" test ! -e "$bob_home/evil"
	is "$(ls -l --time-style=full-iso "$scratch/host")" "$before" "here and elsewhere"
done
python3 "$scratch/evil.py" "$scratch/host" null >"$scratch/evil"
succeeds "a usual device" as bob lxc-import "$scratch/evil"
like "$err" "1 device nodes are left out" "is left out"
ok "it is not there" test ! -e "$bob_home/evil/rootfs/null"
is "$(stat -c %u:%a "$bob_home/evil/rootfs/ok")" "$bob_base:4755" "setuid is that of the container's root"
succeeds "it goes" as bob lxc-destroy -n evil
for kind in map snapmap; do
	python3 "$scratch/evil.py" "$scratch/host" "$kind" >"$scratch/evil"
	succeeds "a map of its own: $kind" as bob lxc-import "$scratch/evil"
	is "$(cat "$bob_home/evil/config" "$bob_home"/evil/snaps/*/config 2>/dev/null | grep '^lxc.idmap' | sort -u | cut -d ' ' -f 3-)" \
		"$(printf 'g 0 %s 65536\nu 0 %s 65536' "$bob_base" "$bob_base")" "does not count"
	succeeds "it goes" as bob lxc-destroy -s -n evil
done
succeeds "all goes" as alice lxc-destroy -s -n "$n"
finish
