#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Every key that has an effect at run time: set, started, and read from inside. One line per key and value; then the
# values that are refused, with the key and where it stands. On the hierarchy of cgroups that there is; what depends on
# it on v2 alone as well (ALL_ON_V2=1: everything on that).
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns cc
sandbox "$0"
n=$tag
base=100000
config=$lxcpath/$n/config
root=$lxcpath/$n/rootfs
t=$scratch

echo "root:$base:65536" >"$scratch/subid"
for file in /etc/subuid /etc/subgid; do
	[ ! -e "$file" ] || mount --bind "$scratch/subid" "$file"
done
old=no
mkdir -p "$t/src/sub" "$t/mnt" "$t/shared"
mount -t tmpfs tmpfs "$t/shared"
mount --make-shared "$t/shared"
mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
echo content >"$t/src/file"
: >"$t/hook"
chmod 666 "$t/hook"
cp "$(command -v busybox)" "$t/src/busybox"
${CC:-cc} -static -o "$t/probe" "$top_srcdir/tests/integration/probe.c" 2>"$t/cc" ||
	skip_all "cc: no program can be linked statically ($(head -n 1 "$t/cc"))"
chmod 755 "$t" "$t/src" "$t/src/busybox"

# template KIND LINE...: a container whose init only waits.
template() {
	template_kind=$1
	shift
	printf '%s\n' 'lxc.net.0.type = empty' "$@" >"$scratch/base.conf"
	run lxc-create -n "$n" -t busybox -f "$scratch/base.conf"
	result "$status" "create a $template_kind container"
	[ "$status" -eq 0 ] || comment "$err"
	grep -v -e '^lxc.net' -e '^lxc.init' -e '^lxc.uts' "$config" >"$scratch/plain.conf"
	: >"$root/stamp" && rm "$root/stamp"
}

# write LINES: the container's config is the plain one and these, which ";;" separates.
write() {
	case $1 in
	*lxc.init.cmd*) init='' ;;
	*) init='lxc.init.cmd = /bin/sleep 1000' ;;
	esac
	{
		cat "$scratch/plain.conf"
		[ -z "$init" ] || echo "$init"
		case $1 in
		*lxc.net* | *share.net* | *namespace.*) ;;
		*) echo 'lxc.net.0.type = empty' ;;
		esac
		printf '%s\n' "$1" | sed 's/ *;; */\n/g'
	} >"$config"
}

# key LINES COMMAND PATTERN: what the command prints inside. A COMMAND beginning with "host:" runs outside, with the
# init's pid in $pid.
key() {
	key_text="$mode: $1 | $2"
	write "$1"
	run lxc-start -n "$n" -o "$scratch/log" -l DEBUG
	if [ "$status" -ne 0 ]; then
		result 1 "$key_text"
		comment "$err"
		return
	fi
	pid=$(lxc-info -n "$n" -p -H)
	case $2 in
	host:*) run sh -c "pid=$pid n=$n t=$t root=$root lxcpath=$lxcpath; ${2#host:}" ;;
	*) run lxc-attach -n "$n" -- sh -c "$2" ;;
	esac
	# Every command reads the old name anew, and says so.
	[ "$old" = no ] || err=$(printf '%s\n' "$err" | grep -v ': warning: .*:[0-9]*: lxc\.')
	like "$out$err" "$3" "$key_text"
	lxc-stop -n "$n" -k >/dev/null 2>&1
	: >"$scratch/log"
}

# after LINES COMMAND PATTERN: what the command prints outside when the container has stopped.
after() {
	write "$1"
	run lxc-start -n "$n"
	case $1 in
	*/tmp/ready*) eventually 30 test -e "$root/tmp/ready" ;;
	esac
	timeout 10 lxc-stop -n "$n" -k >/dev/null 2>&1
	lxc-wait -n "$n" -s STOPPED -t 10
	run sh -c "n=$n t=$t root=$root lxcpath=$lxcpath; $2"
	like "$out$err" "$3" "$mode: $1 | after its end: $2"
}

# refused LINES PATTERN...: the start fails, and the message names the last line's place and matches these.
refused() {
	write "$1"
	refused_lines=$1
	refused_here="$config:$(wc -l <"$config")"
	fails 1 "$mode: $1 is refused" lxc-start -n "$n"
	[ "$status" -eq 0 ] && lxc-stop -n "$n" -k >/dev/null 2>&1
	shift
	for refused_pattern in "$refused_here" "$@"; do
		like "$err" "$refused_pattern" "$mode: $refused_lines: says /$refused_pattern/"
	done
}

# old LINES KEY COMMAND PATTERN: lines of an old release start the container, with one warning for each key, which names
# the key's first line and, for the key of the last line, today's KEY.
old() {
	old=yes
	key "$1" "$3" "$4"
	old=no
	write "$1"
	run lxc-start -n "$n" -o "$scratch/log" -l WARN
	old_lines=$(printf '%s\n' "$1" | sed 's/ *;; */\n/g' | cut -d ' ' -f 1 | sort -u | while read -r old_key; do
		grep -n "^$(printf %s "$old_key" | sed 's/\./\\./g') " "$config" | head -n 1 | cut -d : -f 1
	done | sort -n)
	is "$(sed -n "s,.* WARN .* $config:\([0-9]*\): lxc\..*,\1,p" "$scratch/log" | sort -n)" "$old_lines" \
		"$mode: $1 gives one warning for each key"
	is "$(printf '%s\n' "$err" | sed -n "s,.*warning: $config:\([0-9]*\): lxc\..*,\1,p" | sort -n)" "$old_lines" "... on stderr, too"
	like "$(grep WARN "$scratch/log")" "$config:$(printf '%s\n' "$old_lines" | tail -n 1): .*$2" "$mode: $1 warns with its line and $2"
	lxc-stop -n "$n" -k >/dev/null 2>&1
	: >"$scratch/log"
}

if [ -n "${ALL_ON_V2-}" ]; then
	umount -R /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
fi

. "$top_srcdir/tests/integration/keys.table"
. "$top_srcdir/tests/integration/legacy.table"

# rows GROUP...: those that KEYS_ROWS names, where it is set.
rows() {
	for rows_group in "$@"; do
		case " ${KEYS_ROWS:-$rows_group} " in
		*" $rows_group "*) "$rows_group" ;;
		esac
	done
}

mode=root
template root
rows both_rows root_rows syslog_row seccomp_rows link_rows apparmor_rows share_rows cgroup_rows device_rows refused_rows \
	legacy_rows
last_rows

mode=mapped
template mapped "lxc.include = $TIFFIN_INST/share/lxc/config/userns.conf" "lxc.idmap = u 0 $base 65536" "lxc.idmap = g 0 $base 65536"
rows both_rows mapped_rows seccomp_rows
write ""
run lxc-destroy -n "$n"
result "$status" "destroy"

# Where the host has one hierarchy only, or is made to look so; what a chroot has mounted does not count.
mkdir "$t/chroot"
mount --rbind /sys/fs/cgroup "$t/chroot"
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
mode=v2
template v2
rows cgroup_rows device_rows
key 'lxc.mount.auto = cgroup:rw:force' 'grep -c " /sys/fs/cgroup .* cgroup2 " /proc/self/mountinfo' '^1$'
key 'lxc.mount.auto = cgroup:ro:force' 'grep " /sys/fs/cgroup " /proc/self/mountinfo' '/sys/fs/cgroup ro,'
write ""
run lxc-destroy -n "$n"
result "$status" "destroy"

finish
