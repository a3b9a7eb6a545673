# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# shellcheck shell=sh
#
# What every integration test begins with:
#
#	. "$top_srcdir/tests/harness/lib.sh"
#	needs root inst busybox
#	sandbox "$0"
#	... ok / is / like / succeeds / fails ...
#	finish
#
# needs: skips the whole test, with the reason, when something is not there.
# sandbox: runs the rest in private mount, network, ipc and pid namespaces with a /run, container directory and
# bridge of its own, where the host's files are read-only; what the test leaves there (processes, cgroups, mounts, network devices, containers) is a
# failure of the test, and is removed.
set -u
LC_ALL=C.UTF-8
export LC_ALL
tests_run=0
tests_failed=0
out='' err='' status=0

skip_all() {
	echo "1..0 # SKIP needs $1"
	exit 0
}

needs() {
	for need in "$@"; do
		case $need in
		root) [ "$(id -u)" -eq 0 ] || skip_all "root: run by uid $(id -u)" ;;
		inst)
			[ -e "${TIFFIN_INST:-/nonexistent}/share/lxc/templates/lxc-busybox" ] ||
				skip_all "inst: the prefix is not below the build directory, so that nothing is installed for the tests"
			;;
		tools) [ -x "$TIFFIN_INST/bin/lxc-start" ] || skip_all "tools: built without them" ;;
		hostroot)
			[ "$(id -u)" -eq 0 ] || skip_all "root: run by uid $(id -u)"
			[ "$(tr -s ' ' </proc/self/uid_map)" = " 0 0 4294967295" ] ||
				skip_all "hostroot: root of a user namespace only"
			;;
		busybox)
			command -v busybox >/dev/null || skip_all "busybox: it is not installed (apt-get install busybox-static)"
			;;
		cgroup) [ -w /sys/fs/cgroup/cgroup.procs ] || [ -w /sys/fs/cgroup/unified/cgroup.procs ] ||
			skip_all "cgroup: /sys/fs/cgroup is not writable" ;;
		userns) unshare -U true 2>/dev/null || skip_all "userns: user namespaces are not allowed here" ;;
		*) command -v "$need" >/dev/null || skip_all "$need: it is not installed" ;;
		esac
	done
}

comment() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

# result STATUS DESCRIPTION: one line of TAP.
result() {
	tests_run=$((tests_run + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tests_run - $2"
	else
		tests_failed=$((tests_failed + 1))
		echo "not ok $tests_run - $2"
	fi
}

skip() {
	tests_run=$((tests_run + 1))
	echo "ok $tests_run - $1 # SKIP $2"
}

# ok DESCRIPTION COMMAND...: the command must succeed.
ok() {
	ok_text=$1
	shift
	if "$@"; then
		result 0 "$ok_text"
	else
		result 1 "$ok_text"
		comment "failed: $*"
	fi
}

is() {
	if [ "$1" = "$2" ]; then
		result 0 "$3"
	else
		result 1 "$3"
		comment "got:  $1"
		comment "want: $2"
	fi
}

# like TEXT PATTERN DESCRIPTION: an extended regular expression.
like() {
	if printf '%s\n' "$1" | grep -Eq -- "$2"; then
		result 0 "$3"
	else
		result 1 "$3"
		comment "got:  $1"
		comment "want: /$2/"
	fi
}

unlike() {
	if printf '%s\n' "$1" | grep -Eq -- "$2"; then
		result 1 "$3"
		comment "got:      $1"
		comment "want not: /$2/"
	else
		result 0 "$3"
	fi
}

# run COMMAND...: sets $status, $out and $err. Nothing may take longer than a minute.
run() {
	: "${scratch:=$(mktemp -d)}"
	status=0
	timeout -k 5 "${run_limit:-60}" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
	# shellcheck disable=SC2034 # for the tests
	out=$(cat "$scratch/out")
	err=$(cat "$scratch/err")
}

succeeds() {
	succeeds_text=$1
	shift
	run "$@"
	result "$status" "$succeeds_text"
	[ "$status" -eq 0 ] || {
		comment "failed with $status: $*"
		comment "$err"
	}
}

# fails STATUS DESCRIPTION COMMAND...: with exactly this status; the message is in $err then.
fails() {
	fails_status=$1 fails_text=$2
	shift 2
	run "$@"
	is "$status" "$fails_status" "$fails_text"
	[ "$status" -eq "$fails_status" ] || comment "$* said: $err"
}

# eventually SECONDS COMMAND...: true as soon as the command is.
eventually() {
	eventually_tries=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		eventually_tries=$((eventually_tries - 1))
		[ "$eventually_tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

# idmaps DIR: this kernel can show what is there with other ids. What the mount says is no proof: it is what is tested.
idmaps() {
	case $(stat -f -c %T "$1") in
	tmpfs) [ "$(printf '%s\n' 6.3 "$(uname -r)" | sort -V | head -n 1)" = 6.3 ] ;;
	ext2/ext3 | xfs | btrfs) [ "$(printf '%s\n' 5.15 "$(uname -r)" | sort -V | head -n 1)" = 5.15 ] ;;
	*) return 1 ;;
	esac
}

# skip_idmaps COUNT DIR: so many tests are skipped, because of what it is on.
skip_idmaps() {
	skip_left=$1
	while [ "$skip_left" -gt 0 ]; do
		skip "ids shown shifted" "idmaps: Linux $(uname -r) cannot mount $(stat -f -c %T "$2") with shifted ids"
		skip_left=$((skip_left - 1))
	done
}

# The names of a test's containers hold this, so that what they leave can be told from the host's own.
test_tag() {
	basename "$1" .sh | tr -cd 'a-z0-9-'
}

in_cgroups() {
	find /sys/fs/cgroup -type d -path "*/lxc.*$tag*" 2>/dev/null
}

# What is left of an ended test is removed; true: nothing is.
no_cgroup() {
	[ -n "$(in_cgroups)" ] || return 0
	find /sys/fs/cgroup -depth -type d -path "*/lxc.*$tag*" -exec rmdir {} + 2>/dev/null
	[ -z "$(in_cgroups)" ]
}

# other_processes: those of the sandbox that are neither its process 1, which runs the test, nor our own.
other_processes() {
	read -r own _ </proc/self/stat
	for other in /proc/[0-9]*; do
		other=${other#/proc/}
		case $other in
		1 | "$own") continue ;;
		esac
		parent=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$other/status" 2>/dev/null)
		case $parent in
		'' | "$own") continue ;;
		esac
		grep -q '^State:.*zombie' "/proc/$other/status" 2>/dev/null && continue
		printf '%s %s\n' "$other" "$(tr '\0' ' ' <"/proc/$other/cmdline" 2>/dev/null)"
	done
}

# sandbox SCRIPT: see above.
sandbox() {
	tag=$(test_tag "$1")-$(cut -c 1-4 /proc/sys/kernel/random/uuid)
	[ -z "${TIFFIN_TAG-}" ] || tag=$TIFFIN_TAG
	if [ -z "${TIFFIN_SANDBOX-}" ]; then
		status=0
		# LXC's own tools leave it behind.
		pivot_before=$(find /sys/fs/cgroup -maxdepth 2 -name lxc.pivot 2>/dev/null)
		# On cgroup v2 alone a service's or session's cgroup, which has processes, passes no controllers on: the test is
		# where the host's own containers would be.
		case $(cat /proc/self/cgroup) in
		0::/?*) root_cgroup=/sys/fs/cgroup/cgroup.procs ;;
		*) root_cgroup=/dev/null ;;
		esac
		# In the background: a signal that ends this shell ends the test, and is no reason not to clean up.
		# shellcheck disable=SC2016 # for the inner shell
		TIFFIN_SANDBOX=1 TIFFIN_TAG=$tag sh -c 'echo 0 >"$0"; exec "$@"' "$root_cgroup" unshare -m -n -i -p -f --kill-child --mount-proc --propagation private \
			"${SHELL_FOR_TESTS:-sh}" "$1" <&0 &
		child=$!
		trap 'kill -9 "$child" 2>/dev/null' HUP INT TERM
		wait "$child" || status=$?
		wait "$child" 2>/dev/null
		# A test that died may have left its cgroups; they are empty soon.
		eventually 5 no_cgroup
		[ -n "$pivot_before" ] || find /sys/fs/cgroup -maxdepth 2 -name lxc.pivot -exec rmdir {} + 2>/dev/null
		exit "$status"
	fi
	PATH=$TIFFIN_INST/bin:$TIFFIN_INST/sbin:/usr/sbin:/usr/bin:/sbin:/bin
	export PATH
	unset LXC_MEMFD_REXEC LXC_CACHE_PATH
	lxcpath=$TIFFIN_INST/var/lib/lxc
	mkdir -p "$lxcpath" "$TIFFIN_INST/var/log/lxc"
	# The host's files cannot be written in here, whatever goes wrong.
	mount --bind "$TIFFIN_INST" "$TIFFIN_INST"
	mount -o remount,bind,ro /
	# With a sanitizer the tools have no entry of ours that protects them; what they do only then is to be seen as well.
	[ -z "${TIFFIN_SANITIZED-}" ] || { mount --bind "$TIFFIN_INST/bin" "$TIFFIN_INST/bin" && mount -o remount,bind,ro "$TIFFIN_INST/bin"; }
	mount -t tmpfs -o mode=0755 tmpfs /run
	# What others have mounted there comes and goes with them.
	awk '$5 ~ "^/tmp/" { print $5 }' /proc/self/mountinfo | sort -r | while read -r theirs; do
		umount -l "$theirs"
	done
	mount -t tmpfs -o mode=1777 tmpfs /tmp
	mount -t tmpfs -o mode=0711 tmpfs "$lxcpath"
	mount -t tmpfs -o mode=0755 tmpfs "$TIFFIN_INST/var/log/lxc"
	mkdir /run/test
	scratch=/run/test
	# A sysfs of this network namespace; the cgroups stay.
	mkdir /run/cgroup
	mount --rbind /sys/fs/cgroup /run/cgroup
	mount -t sysfs sysfs /sys
	# What AppArmor can do is told there.
	mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
	mount --rbind /run/cgroup /sys/fs/cgroup
	umount -l /run/cgroup
	rmdir /run/cgroup
	ip link set lo up
	ip link add lxcbr0 type bridge
	ip addr add 10.0.3.1/24 dev lxcbr0
	ip link set lxcbr0 up
	mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
	links_before=$(ip -o link | cut -d ' ' -f 2 | sort)
	trap 'exit 143' TERM
}

# users NAME...: ordinary users with homes that nobody else may enter and 65536 ids each; "-" before a name: without
# ids. "as NAME COMMAND..." runs something as one of them. A route leads out, as user-mode networking wants it, and /dev/net/tun is for everybody, as on any host.
users() {
	mkdir -p "$scratch/etc" "$scratch/dev" /run/user
	mount -t tmpfs -o mode=0755 tmpfs /home
	for users_file in passwd group shadow subuid subgid; do
		cp -p "/etc/$users_file" "$scratch/etc/$users_file" 2>/dev/null || : >"$scratch/etc/$users_file"
	done
	users_id=61001
	for users_name in "$@"; do
		echo "${users_name#-}:x:$users_id:$users_id::/home/${users_name#-}:/bin/sh" >>"$scratch/etc/passwd"
		echo "${users_name#-}:x:$users_id:" >>"$scratch/etc/group"
		for users_file in subuid subgid; do
			[ "$users_name" != "${users_name#-}" ] ||
				echo "$users_name:$(((users_id - 61000) * 65536 + 1900000000)):65536" >>"$scratch/etc/$users_file"
		done
		install -d -m 0700 -o "$users_id" -g "$users_id" "/home/${users_name#-}" "/run/user/$users_id"
		users_id=$((users_id + 1))
	done
	for users_file in passwd group shadow subuid subgid; do
		[ ! -e "/etc/$users_file" ] || mount --bind "$scratch/etc/$users_file" "/etc/$users_file"
	done
	# as NAME COMMAND...: as that user, after a login. A program, so that "run" takes it too.
	mkdir "$scratch/bin"
	PATH=$scratch/bin:$PATH
	cat >"$scratch/bin/as" <<-'END'
	#!/bin/sh
	name=$1 id=$(id -u "$1")
	shift
	exec setpriv --reuid "$id" --regid "$id" --init-groups env -i -C "/home/$name" HOME="/home/$name" USER="$name" \
		XDG_RUNTIME_DIR="/run/user/$id" TERM=xterm PATH="$PATH" "$@"
	END
	chmod 0755 "$scratch" "$scratch/bin" "$scratch/bin/as"
	mknod -m 0666 "$scratch/dev/tun" c 10 200
	[ ! -e /dev/net/tun ] || mount --bind "$scratch/dev/tun" /dev/net/tun
	ip link add out0 type veth peer name out1
	ip addr add 192.0.2.10/24 dev out0
	ip link set out0 up
	ip link set out1 up
	ip route add default via 192.0.2.1
	mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
	links_before=$(ip -o link | cut -d ' ' -f 2 | sort)
}

no_other_process() {
	[ -z "$(other_processes)" ]
}

# finish: nothing may be left; then the plan.
finish() {
	if [ -n "${TIFFIN_SANDBOX-}" ]; then
		eventually 5 sh -c "[ -z \"\$(find /sys/fs/cgroup -type d -path '*/lxc.*$tag*' 2>/dev/null)\" ]"
		eventually 5 no_other_process
		is "$(other_processes)" "" "no process is left"
		is "$(in_cgroups)" "" "no cgroup is left"
		is "$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)" "$mounts_before" "no mount is left"
		is "$(ip -o link | cut -d ' ' -f 2 | sort)" "$links_before" "no network device is left"
		is "$(find "$lxcpath" -mindepth 1)" "" "no container is left"
	fi
	echo "1..$tests_run"
	# The driver of "make check" would count the status as one failure more.
	[ -n "${TAP_DRIVER-}" ] || [ "$tests_failed" -eq 0 ]
	exit
}
