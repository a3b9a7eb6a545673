#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Each thing a user can get wrong, provoked: the status is LXC's, the message names the object, says where it was
# configured and what to do, and nothing is left behind.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
sandbox "$0"
n=$tag
config=$lxcpath/$n/config
root=$lxcpath/$n/rootfs

printf 'lxc.net.0.type = empty\n' >"$scratch/base.conf"
lxc-create -n "$n" -t busybox -f "$scratch/base.conf" >/dev/null 2>&1 || {
	echo "1..1"
	echo "not ok 1 - create"
	exit 1
}
cp "$config" "$scratch/config"
lines=$(wc -l <"$scratch/config")

# with LINE...: the container's config is the good one and these lines.
with() {
	cp "$scratch/config" "$config"
	for line in "$@"; do
		printf '%s\n' "$line" >>"$config"
	done
}

# clean TEXT: nothing of a failed start is there. (Mounts and devices of a dying namespace go a moment later.)
clean() {
	eventually 5 sh -c "[ -z \"\$(find /sys/fs/cgroup -type d -path '*/lxc.*$tag*' 2>/dev/null)\" ]"
	eventually 5 no_other_process
	left="$(in_cgroups)$(other_processes)"
	[ "$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)" = "$mounts_before" ] || left="$left mounts"
	[ "$(ip -o link | cut -d ' ' -f 2 | sort)" = "$links_before" ] || left="$left links"
	case $(lxc-info -n "$n" -s 2>&1) in
	*RUNNING* | *STARTING* | *FROZEN*)
		left="$left state"
		lxc-stop -n "$n" -k
		;;
	esac
	is "$left" "" "$1: nothing is left"
}

# says TEXT PATTERN...: the message of the last command matches each of these.
says() {
	says_text=$1
	shift
	for pattern in "$@"; do
		like "$err" "$pattern" "$says_text: says /$pattern/"
	done
	unlike "$err" 'Failed to|[a-z_]+\.c:|\.$' "$says_text: in the house's style"
}

# refused TEXT PATTERN...: start fails with 1 and says so.
refused() {
	refused_text=$1
	fails 1 "$1: start returns 1" lxc-start -n "$n"
	says "$@"
	clean "$refused_text"
}

here="$config:$((lines + 1))"

# 1 container unknown
for tool in lxc-start lxc-stop lxc-attach lxc-freeze lxc-unfreeze lxc-console lxc-destroy lxc-info; do
	unknown_status=1
	[ $tool != lxc-stop ] || unknown_status=2
	fails $unknown_status "$tool: container unknown" $tool -n "$n-none"
	says "$tool: container unknown" "$n-none"
done

# 2 config unreadable
rm "$config"
mkdir "$config"
fails 1 "config is a directory" lxc-start -n "$n"
says "config is a directory" "$config"
rmdir "$config"
mkfifo "$config"
run_limit=10
fails 1 "config is a fifo" lxc-start -n "$n"
says "config is a fifo" "$config"
run_limit=60
rm "$config"

# 3 - 6 what a config says
with 'lxc.rootfs.pathh = x'
refused "unknown key" "$here" "unknown key 'lxc\.rootfs\.pathh'" 'lxc\.rootfs\.path'
with 'lxc.tty.max = many' 'lxc.pty.max = -1' 'lxc.nonsense = 1'
refused "all errors of a file at once" "$here" "'many' is not a valid value of lxc\.tty\.max" \
	"$config:$((lines + 2))" "$config:$((lines + 3))" 'lxc\.nonsense'
with "lxc.include = $scratch/missing.conf"
refused "include missing" "$here" "$scratch/missing\.conf does not exist"
echo "lxc.include = $scratch/loop-b.conf" >"$scratch/loop-a.conf"
echo "lxc.include = $scratch/loop-a.conf" >"$scratch/loop-b.conf"
with "lxc.include = $scratch/loop-a.conf"
refused "include loop" 'loop-a\.conf' 'loop-b\.conf' 'includes itself'

# 7 - 12 root and init
with "lxc.rootfs.path = dir:$scratch/noroot"
refused "rootfs missing" "$here" "$scratch/noroot does not exist"
with "lxc.rootfs.path = dir:/etc/hostname"
refused "rootfs not a directory" "$here" '/etc/hostname'
with 'lxc.init.cmd = /sbin/noinit'
refused "init missing" "$here" '/sbin/noinit'
echo text >"$root/notexec"
with 'lxc.init.cmd = /notexec'
refused "init not executable" "$here" '/notexec is not an executable file'
# An ELF header of another machine (s390, big endian).
{
	printf '\177ELF\002\002\001\000\000\000\000\000\000\000\000\000\000\002\000\026\000\000\000\001'
	head -c 40 /dev/zero
} >"$root/foreign"
chmod +x "$root/foreign"
with 'lxc.init.cmd = /foreign'
refused "init for another architecture" "$here" '/foreign is for another machine'
printf '\177ELF\002\001\001' >"$root/cut"
chmod +x "$root/cut"
with 'lxc.init.cmd = /cut'
refused "init in no format" "$here" '/cut is in no format that this kernel runs' '  try: '
printf '#!/no/such/shell\n' >"$root/script"
chmod +x "$root/script"
with 'lxc.init.cmd = /script'
refused "interpreter of init missing" "$here" '/script' '/no/such/shell'

# 13 - 15 network
sed '/^lxc\.net\./d' "$scratch/config" >"$scratch/nonet"
cp "$scratch/nonet" "$config"
printf 'lxc.net.0.type = veth\nlxc.net.0.link = br-none\n' >>"$config"
refused "bridge missing" "$config:[0-9]+" 'br-none does not exist' '  try: '
cp "$scratch/nonet" "$config"
printf 'lxc.net.0.type = veth\nlxc.net.0.link = lxcbr0\nlxc.net.0.veth.pair = taken0\n' >>"$config"
ip link add taken0 type bridge
links_kept=$links_before
links_before=$(ip -o link | cut -d ' ' -f 2 | sort)
refused "veth name taken" "$config:[0-9]+" 'taken0' 'taken'
ip link del taken0
links_before=$links_kept
cp "$scratch/nonet" "$config"
printf 'lxc.net.0.type = veth\nlxc.net.0.link = lxcbr0\nlxc.net.0.ipv4.address = 10.0.3.300/24\n' >>"$config"
refused "address malformed" "$config:[0-9]+" '10\.0\.3\.300/24'

# 16 - 17 hooks
printf '#!/bin/sh\necho first line >&2\necho the disk is upside down >&2\nexit 3\n' >"$scratch/hook"
chmod +x "$scratch/hook"
for kind in pre-start pre-mount mount autodev start-host; do
	with "lxc.hook.$kind = $scratch/hook"
	refused "hook $kind failing" "$here" "$scratch/hook" 'the disk is upside down'
done
with "lxc.hook.pre-start = $scratch/nohook"
refused "hook missing" "$here" "$scratch/nohook"

# 18 - 20 mounts
with "lxc.mount.entry = $scratch/nosource mnt none bind 0 0"
refused "mount source missing" "$here" "$scratch/nosource"
with 'lxc.mount.entry = /etc nowhere/at/all none bind 0 0'
refused "mount target missing" "$here" 'nowhere/at/all'
mkdir "$scratch/outside"
ln -s "../../../../../../../../../../..$scratch/outside" "$root/escape"
ln -s "$scratch/outside" "$root/absolute"
for link in escape absolute; do
	with "lxc.mount.entry = tmpfs $link/made tmpfs create=dir 0 0"
	run lxc-start -n "$n"
	[ "$status" -ne 0 ] || lxc-stop -n "$n" -k
	is "$(ls -A "$scratch/outside")" "" "mount target through the link $link: nothing is made outside"
	clean "mount target through the link $link"
done

# 21 - 23 cgroups
with 'lxc.cgroup.pids.max = a lot' 'lxc.cgroup2.pids.max = a lot'
refused "limit refused by the kernel" "$config:[0-9]+" 'pids\.max' 'a lot'
with 'lxc.cgroup.devices.allow = q 1:3 rwm' 'lxc.cgroup2.devices.allow = q 1:3 rwm'
refused "device rule malformed" "$config:[0-9]+" 'q 1:3 rwm'
groups=$(findmnt -rno TARGET -t cgroup,cgroup2 | sort -r)
for group in $groups; do
	mount -o remount,bind,ro "$group" 2>/dev/null || mount --bind -o ro "$group" "$group"
done
with 'lxc.cgroup.pids.max = 100' 'lxc.cgroup2.pids.max = 100'
refused "cgroup not writable" "$config:[0-9]+" '(pids\.max|devices) cannot be applied' '/sys/fs/cgroup.* is not writable'
with
sed -i '/common\.conf/d' "$config"
run lxc-start -n "$n"
is "$status" 0 "cgroup not writable, and none asked for: it starts"
like "$err" 'warning: cgroup /sys/fs/cgroup.* is not writable' "but says so"
lxc-stop -n "$n" -k
for group in $groups; do
	mount -o remount,bind,rw "$group"
done
clean "cgroup not writable"

# 24 seccomp: a warning, and the rest applies
printf '2\ndenylist\n[all]\nno_such_call errno 1\nmkdirat errno 13\nmkdir errno 13\n' >"$scratch/policy"
with "lxc.seccomp.profile = $scratch/policy"
run lxc-start -n "$n"
is "$status" 0 "unknown system call: start goes on"
like "$err" "$scratch/policy:4.*no_such_call|no_such_call.*$scratch/policy:4" "unknown system call: the warning names it and its line"
fails 1 "unknown system call: the rest of the policy applies" lxc-attach -n "$n" -- mkdir /made
lxc-stop -n "$n" -k
clean "unknown system call"

# 25 AppArmor
if [ -e /sys/kernel/security/apparmor/profiles ] || [ -d /sys/module/apparmor ] && grep -q Y /sys/module/apparmor/parameters/enabled; then
	with 'lxc.apparmor.profile = no-such-profile'
	refused "profile not loaded" "$here" 'no-such-profile'
else
	skip "profile not loaded" "needs apparmor: the kernel has it not enabled"
fi

# 26 - 27 id maps
with 'lxc.idmap = u 0 4294967290 65536' 'lxc.idmap = g 0 100000 65536'
refused "idmap out of range" "$here" '4294967290'
with 'lxc.idmap = u 0 100000 65536' 'lxc.idmap = g 0 100000 65536' 'lxc.idmap = u 1000 300000 65536'
refused "idmap overlapping" "$config:[0-9]+" 'overlap' '1000'

# 28 - 29 running or not
with
fails 2 "not running: stop returns 2" lxc-stop -n "$n"
says "not running: stop" "$n is not running"
for tool in attach freeze console; do
	fails 1 "not running: $tool returns 1" "lxc-$tool" -n "$n"
	says "not running: $tool" "$n is not running"
done
succeeds "it starts" lxc-start -n "$n"
run lxc-start -n "$n"
says "already running" "$n is already running"
fails 1 "running: destroy returns 1" lxc-destroy -n "$n"
says "running: destroy" "$n is running"

# 30 monitor killed
init=$(lxc-info -n "$n" -p -H)
monitor=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$init/status")
kill -9 "$monitor"
succeeds "monitor killed: info answers" lxc-info -n "$n" -s -H
like "$out" RUNNING "monitor killed: the container goes on"
succeeds "monitor killed: attach works" lxc-attach -n "$n" -- true
succeeds "monitor killed: stop works" lxc-stop -n "$n" -k
clean "monitor killed"

# and a full disk
mkdir "$scratch/small"
mount -t tmpfs -o size=512k tmpfs "$scratch/small"
fails 1 "disk full in create: create returns 1" lxc-create -P "$scratch/small" -n "$n-full" -t busybox
says_nothing_left=$(find "$scratch/small" -mindepth 1)
like "$err" '[Nn]o space left' "disk full in create: says why"
is "$says_nothing_left" "" "disk full in create: nothing is left"
umount "$scratch/small"

lxc-destroy -n "$n"
finish
