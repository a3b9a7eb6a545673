#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What every hook is called with, and what becomes of a start, a stop and a reboot when one fails.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns
sandbox "$0"
n=$tag
base=100000
config=$lxcpath/$n/config
root=$lxcpath/$n/rootfs
t=$scratch
kinds='pre-start pre-mount mount autodev start start-host stop post-stop'

echo "root:$base:65536" >"$t/subid"
for file in /etc/subuid /etc/subgid; do
	[ ! -e "$file" ] || mount --bind "$t/subid" "$file"
done
mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
mkdir -m 1777 "$t/calls"
chmod 755 "$t"

# What a hook of the host's programs does: a file of its kind gets its arguments and variables.
cat >"$t/hook" <<END
#!/bin/sh
kind=\$1
shift
{
	printf '%s\n' "args: \$*"
	env | grep -E '^(LXC_|OWN|ONLY)' | sort
	[ -z "\${LXC_NET_NS-}" ] || [ ! -e "\$LXC_NET_NS" ] || echo 'the namespace is there'
	case " \$*" in
	*' net:/proc/'*) p=\${*##*net:}; [ ! -e "\${p%% *}" ] || echo 'the namespace is there' ;;
	esac
} >$t/calls/.\$kind
mv $t/calls/.\$kind $t/calls/\$kind
END
chmod 755 "$t/hook"

# has KIND TEXT...: these lines are in what the hook saw; hasnt KIND PATTERN.
has() {
	has_kind=$1
	shift
	for has_line in "$@"; do
		grep -qxF -- "$has_line" "$t/calls/$has_kind"
		result "$?" "$mode, version $version: $has_kind sees $has_line"
		grep -qxF -- "$has_line" "$t/calls/$has_kind" || comment "$(cat "$t/calls/$has_kind" 2>&1)"
	done
}
hasnt() {
	unlike "$(cat "$t/calls/$1" 2>&1)" "$2" "$mode, version $version: $1 does not see $2"
}

write() {
	{
		grep -v -e '^lxc.net' -e '^lxc.init' -e '^lxc.uts' -e '^lxc.hook' "$scratch/first"
		printf '%s\n' 'lxc.net.0.type = empty' 'lxc.init.cmd = /bin/sleep 1000' "lxc.console.logfile = $t/console" \
			'lxc.environment = OWN=both' 'lxc.environment.hooks = ONLY=hooks' 'lxc.environment.runtime = ONLY_INIT=1'
		cat
	} >"$config"
}

check_version() {
	version=$1
	rm -f "$t"/calls/* "$root/calls"
	{
		echo "lxc.hook.version = $version"
		for kind in $kinds; do
			case $kind in
			start)
				echo "lxc.hook.start = /bin/sh -c '{ echo \"args: \$*\"; env | grep -E \"^(LXC_|OWN|ONLY)\" | sort; } >/calls; true' sh own words"
				;;
			*) echo "lxc.hook.$kind = $t/hook $kind own words" ;;
			esac
		done
	} | write
	run lxc-start -n "$n" -l DEBUG -o "$t/log"
	result "$status" "$mode, version $version: starts with all hooks"
	[ "$status" -eq 0 ] || comment "$err"
	pid=$(lxc-info -n "$n" -p -H)
	cp "$root/calls" "$t/calls/start"
	unlike "$(tr '\0' '\n' <"/proc/$pid/environ")" '^(LXC_|ONLY=)' "$mode, version $version: init sees none of it"
	run lxc-stop -n "$n" -k
	lxc-wait -n "$n" -s STOPPED -t 20
	eventually 10 test -e "$t/calls/post-stop"
	for kind in $kinds; do
		arguments='own words'
		if [ "$version" = 0 ]; then
			arguments="own words $n lxc $kind"
			hasnt "$kind" '^LXC_HOOK_(TYPE|SECTION)='
		else
			has "$kind" "LXC_HOOK_TYPE=$kind" 'LXC_HOOK_SECTION=lxc'
		fi
		[ "$kind$version" = stop0 ] || has "$kind" "args: $arguments"
		has "$kind" "LXC_NAME=$n" "LXC_CONFIG_FILE=$config" "LXC_ROOTFS_PATH=$root" \
			"LXC_ROOTFS_MOUNT=$(lxc-info -n "$n" -c lxc.rootfs.mount -H)" "LXC_CONSOLE_LOGPATH=$t/console" \
			'LXC_CGNS_AWARE=1' 'LXC_LOG_LEVEL=DEBUG' "LXC_HOOK_VERSION=$version"
		case $kind in
		pre-mount | mount | autodev | start) has "$kind" 'OWN=both' 'ONLY=hooks' ;;
		*) hasnt "$kind" '^(OWN|ONLY)' ;;
		esac
		case $kind in
		start-host | stop | post-stop) has "$kind" "LXC_PID=$pid" ;;
		*) hasnt "$kind" '^LXC_PID=' ;;
		esac
		case $kind in
		stop | post-stop) has "$kind" 'LXC_TARGET=stop' ;;
		*) hasnt "$kind" '^LXC_TARGET=' ;;
		esac
	done
	has stop 'the namespace is there'
	if [ "$version" = 0 ]; then
		like "$(grep ^args "$t/calls/stop")" "^args: own words $n lxc stop (user:[^ ]* )?mnt:/proc/[0-9]+/fd/[0-9]+ pid:[^ ]* .*net:" \
			"$mode, version 0: stop gets the namespaces as arguments"
	else
		for namespace in PID UTS IPC NET CGROUP; do
			like "$(cat "$t/calls/stop")" "^LXC_${namespace}_NS=/proc/[0-9]+/fd/[0-9]+\$" "$mode, version 1: stop gets $namespace as a variable"
		done
		like "$(cat "$t/calls/stop")" '^LXC_MNT_NS=/proc/[0-9]+/fd/[0-9]+$' "$mode, version 1: stop gets the namespaces as variables"
	fi
}

check_reboot() {
	version=1
	rm -f "$t"/calls/*
	printf '%s\n' 'lxc.hook.version = 1' "lxc.hook.stop = $t/hook stop" "lxc.hook.post-stop = $t/hook post-stop" |
		write
	sed -i "s|^lxc.init.cmd.*|lxc.init.cmd = /bin/sh -c 'trap \"kill -HUP 1\" INT; [ ! -e /again ] \&\& : >/again \&\& exec reboot -f; sleep 1000'|" "$config"
	rm -f "$root/again"
	run lxc-start -n "$n"
	ok "$mode: a reboot runs them" eventually 10 test -e "$t/calls/post-stop"
	has stop 'LXC_TARGET=reboot'
	has post-stop 'LXC_TARGET=reboot'
	ok "$mode: and it runs again" eventually 10 sh -c "[ \"\$(lxc-info -n $n -s -H)\" = RUNNING ]"
	lxc-stop -n "$n" -k
	lxc-wait -n "$n" -s STOPPED -t 20
	sed -i "s|^lxc.hook.post-stop.*|lxc.hook.post-stop = sh -c 'echo no luck >\&2; exit 5'|" "$config"
	rm -f "$root/again"
	run lxc-start -n "$n" -l DEBUG -o "$t/log"
	ok "$mode: a failing post-stop turns a reboot into a stop" lxc-wait -n "$n" -s STOPPED -t 20
	like "$(cat "$t/log")" 'post-stop.*no luck' "with its last line in the log"
	rm -f "$root/again"
}

check_failures() {
	for kind in pre-start pre-mount mount autodev start-host start; do
		case $kind in
		start) line="/bin/sh -c 'echo first >&2; echo the reason >&2; exit 3'" ;;
		*) line="sh -c 'echo first >&2; echo the reason >&2; exit 3'" ;;
		esac
		echo "lxc.hook.$kind = $line" | write
		fails 1 "$mode: a failing $kind aborts the start" lxc-start -n "$n"
		like "$err" "$kind.*the reason" "with its last line in the error"
		like "$err" "$config:$(grep -n '^lxc.hook' "$config" | cut -d : -f 1)" "and the line of the configuration"
		is "$(lxc-info -n "$n" -s -H)" STOPPED "and nothing runs"
	done
	printf '%s\n' "lxc.hook.start-host = false" "lxc.hook.stop = sh -c 'echo \$LXC_TARGET >>$t/order'" \
		"lxc.hook.post-stop = sh -c 'echo post >>$t/order'" | write
	rm -f "$t/order"
	fails 1 "$mode: a start that fails" lxc-start -n "$n"
	ok "ends with the hooks of a stop" eventually 5 grep -q post "$t/order"
	is "$(tr '\n' ' ' <"$t/order")" 'stop post ' "in their order"
	echo "lxc.hook.stop = sh -c 'echo not that >&2; exit 4'" | write
	run lxc-start -n "$n" -l DEBUG -o "$t/log"
	succeeds "$mode: a failing stop hook does not keep it from stopping" lxc-stop -n "$n" -k
	eventually 5 grep -q 'not that' "$t/log"
	like "$(cat "$t/log")" 'stop.*not that' "and is in the log"
	printf '%s\n' "lxc.hook.pre-start = sh -c 'echo 1 >>$t/order'" "lxc.hook.pre-start = sh -c 'echo 2 >>$t/order; exit 1'" \
		"lxc.hook.pre-start = sh -c 'echo 3 >>$t/order'" | write
	rm -f "$t/order"
	fails 1 "$mode: the first that fails is the last that runs" lxc-start -n "$n"
	is "$(tr '\n' ' ' <"$t/order")" '1 2 ' "in the order of the lines"
	echo "lxc.hook.pre-start = sh -c 'kill -9 \$\$'" | write
	fails 1 "$mode: a killed hook fails" lxc-start -n "$n"
	like "$err" 'signal 9' "and the signal is named"
}

# A mapped container's root is nobody on the host: what of a hook he can reach, and what is said where he cannot.
check_reach() {
	mkdir -m 700 "$t/private"
	printf '#!/bin/sh\necho "$* $(cat /proc/self/uid_map)" >%s/calls/reached\n' "$t" >"$t/private/hook"
	chmod 755 "$t/private/hook"
	for kind in pre-mount mount autodev; do
		rm -f "$t/calls/reached"
		echo "lxc.hook.$kind =  $t/private/hook a  'b c'" | write
		succeeds "$mode: a $kind hook in a directory that its root may not enter" lxc-start -n "$n"
		like "$(cat "$t/calls/reached")" "^a b c $n lxc $kind +0 +$base +65536\$" "... ran as that root, with its arguments"
		pid=$(lxc-info -n "$n" -p -H)
		unlike "$(ls -l "/proc/$pid/fd")" private "... and nothing of it is left in init"
		lxc-stop -n "$n" -k
		chmod 700 "$t/private/hook"
		fails 1 "$mode: a $kind hook that its root may not execute" lxc-start -n "$n"
		like "$err" "$kind hook: the container's root \(uid $base of the host\) may not run $t/private/hook: it has no x permission on $t/private" \
			"... is refused with the reason"
		like "$err" "chmod o\+x $t/private.*pre-start" "... and the ways out"
		chmod 755 "$t/private/hook"
	done
	for kind in pre-start start-host post-stop; do
		echo "lxc.hook.$kind = $t/private/hook" | write
		rm -f "$t/calls/reached"
		succeeds "$mode: a $kind hook there" lxc-start -n "$n"
		lxc-stop -n "$n" -k
		ok "... is the host's" eventually 10 grep -q 'lxc .* 0 .* 4294967295$' "$t/calls/reached"
	done
	printf '#!/bin/sh\n' >"$root/inner"
	chmod 755 "$root/inner"
	echo 'lxc.hook.start = /inner' | write
	succeeds "$mode: a start hook" lxc-start -n "$n"
	lxc-stop -n "$n" -k
	chown 0:0 "$root/inner"
	chmod 700 "$root/inner"
	fails 1 "$mode: a start hook of an id that is not mapped" lxc-start -n "$n"
	like "$err" "start hook: .*uid $base of the host\) may not run /inner in the container: it has no x permission on /inner" \
		"... is refused with the reason"
	rm "$root/inner"

	# Not even the host's root directory: then there is no shell either, nor a place to mount on.
	mkdir "$t/newroot"
	mount -t tmpfs -o mode=0700 tmpfs "$t/newroot"
	mkdir "$t/newroot/old"
	for dir in /*; do
		if [ -L "$dir" ]; then
			cp -a "$dir" "$t/newroot/"
		elif [ -d "$dir" ]; then
			mkdir "$t/newroot$dir"
			mount --rbind "$dir" "$t/newroot$dir"
		fi
	done
	closed="cd $t/newroot && pivot_root . old && cd / && umount -l old && exec lxc-start -n $n"
	echo 'lxc.hook.pre-mount = true' | write
	fails 1 "$mode: below a / that nobody may enter" unshare -m sh -c "$closed"
	like "$err" 'pre-mount hook: .*may not run /bin/sh: it has no x permission on /$' "... a hook is refused with the reason"
	: | write
	fails 1 "$mode: without a hook" unshare -m sh -c "$closed"
	like "$err" "where the root is mounted during the start, cannot be reached by the container's root \(uid $base of the host\): it has no x permission on /$" \
		"... the mount point is named"
	umount -R "$t/newroot"
}

for mode in root mapped; do
	printf 'lxc.net.0.type = empty\n' >"$t/base.conf"
	[ "$mode" = root ] || printf '%s\n' "lxc.include = $TIFFIN_INST/share/lxc/config/userns.conf" "lxc.idmap = u 0 $base 65536" \
		"lxc.idmap = g 0 $base 65536" >>"$t/base.conf"
	succeeds "$mode: a container is made" lxc-create -n "$n" -t busybox -f "$t/base.conf"
	cp "$config" "$scratch/first"
	[ "$mode" = root ] || chmod 711 "$lxcpath/$n"
	check_version 0
	check_version 1
	check_failures
	check_reboot
	[ "$mode" = root ] || check_reach
	cp "$scratch/first" "$config"
	succeeds "$mode: and destroyed" lxc-destroy -n "$n"
done
finish
