#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What the options of the tools change: each command is given to LXC's own tool and to ours, in a world made anew; exit
# status, standard output and what is there afterwards are the same. Where they are not, "differs" says why.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup python3
stock=${STOCK_LXC:-/usr/bin}
[ -x "$stock/lxc-start" ] || skip_all "lxc: LXC's own tools are not in $stock (apt-get install lxc)"
! "$stock/lxc-start" --version | grep -q tiffin || skip_all "lxc: what is in $stock is not LXC's own (STOCK_LXC=DIRECTORY tells where that is)"
sandbox "$0"
n=c-$tag other=d-$tag new=new-$tag
export n other new lxcpath TIFFIN_INST

# each FORMAT WORD...: a command for each of the words.
each() {
	each_format=$1
	shift
	for each_word; do
		# shellcheck disable=SC2059 # the format is ours
		printf "$each_format\n" "$each_word"
	done
}

compare() {
	python3 "$top_srcdir/tests/compat/same.py" "$stock" "$TIFFIN_INST/bin" "$lxcpath" >"$scratch/report"
	result "$?" "the commands are run to their end"
	while IFS="$(printf '\t')" read -r verdict text; do
		case $verdict in
		ok) result 0 "$text" ;;
		bad) result 1 "$text" ;;
		*) comment "$text" ;;
		esac
	done <"$scratch/report"
}

# The world: a stopped container of busybox whose root is a directory. "world run": it runs.
mkdir -p /run/base
succeeds "a container" lxc-create -n "$n" -t busybox
mv "$lxcpath/$n" /run/base/one
cat >/run/world <<'SH'
for c in $($TIFFIN_INST/bin/lxc-ls --active -1); do
	$TIFFIN_INST/bin/lxc-stop -k -n "$c"
done
# LXC leaves these of containers that cannot be started.
find /sys/fs/cgroup -depth -type d -name "lxc.*$n*" -exec rmdir {} + 2>/dev/null
rm -rf "$lxcpath"/* /run/out
mkdir -p /run/out "$lxcpath/$n"
[ "${1-}" != none ] || exit 0
cp -a /run/base/one/rootfs "$lxcpath/$n/rootfs"
printf '%s\n' "lxc.uts.name = $n" "lxc.rootfs.path = dir:$lxcpath/$n/rootfs" "lxc.net.0.type = empty" "lxc.tty.max = 1" \
	"lxc.pty.max = 16" "lxc.mount.auto = proc:mixed sys:ro" "lxc.signal.halt = SIGUSR1" "lxc.signal.reboot = SIGTERM" \
	>"$lxcpath/$n/config"
[ "${1-}" = run ] || exit 0
$TIFFIN_INST/bin/lxc-start -n "$n"
# Its init gets signals when its scripts are through.
for i in $(seq 100); do
	! $TIFFIN_INST/bin/lxc-attach -n "$n" -- pidof syslogd >/dev/null || break
	sleep 0.05
done
SH
# What there is afterwards: the containers, with state, configuration and files.
cat >/run/then <<'SH'
cd "$lxcpath"
for c in *; do
	for i in $(seq 40); do
		state=$($TIFFIN_INST/bin/lxc-info -sH -n "$c" 2>/dev/null)
		[ "$state" = STOPPING ] || break
		sleep 0.05
	done
	echo "$c: $state"
done
cat */config | grep -v '^#' | sort
ls -d */*
ls /run/out
SH
cat >/run/template <<'SH'
#!/bin/sh
echo "template: $*"
echo "a word" >&2
env | grep -E '^(LXC|CONT)' | sort
SH
printf '#!/bin/sh\nexit 3\n' >/run/failing
chmod 755 /run/template /run/failing
printf '%s\n' "lxc.net.0.type = none" "lxc.uts.name = foo" >/run/plain.conf
printf '%s\n' "lxc.nosuch.key = 1" >/run/bad.conf
printf '%s\n' "lxc.rootfs.path = dir:$lxcpath/$n/rootfs" "lxc.net.0.type = empty" "lxc.uts.name = vol" >/run/volatile.conf

# world [run]: the beginning of a list of commands.
world() {
	cat <<-END
	before sh /run/world ${1-}
	after sh /run/then
	mask '$lxcpath' LXCPATH
	mask '10:66:6a:[0-9a-f:]+' ADDRESS
	# LXC's overlays have a directory that nothing uses. Ours write down what is to be deleted when they end.
	mask '^$new/(rootfs|ephemeral)\n' ''
	# The default configurations are different ones.
	mask '^lxc[.](apparmor|net[.]0[.]hwaddr).*\n' ''
	END
}

# ---- create, destroy, copies, snapshots

{
	world
	each "lxc-create -n $new -t none %s" '' '-B none' '-B dir' '-B best' '-B overlay' '-B zfs' '-B lvm' '-B btrfs' '-B nosuch,dir' \
		'--dir /run/out/root' '-f /run/plain.conf' '--lvname x' '-B dir --vgname x' '--fssize 1G' '--zfsroot x' '--fstype ext4' \
		'--thinpool x' '-B loop --lvname x' 'more words' '-o /run/out/log -l DEBUG' '-P /tmp'
	each "lxc-create -n $new %s" '-t /run/template -- -x y' '-t /run/template -f /run/plain.conf' '-t /run/template -q' \
		'-t /run/failing' '-t nosuch' '-t /nosuch/template' '--templ none'
	each "lxc-create %s -t none" "$new" '-n bad/name' "-n ''" "-n $n" "-n a -n $new"
	cat <<-END
	differs several to try are those of 7.0: lxc-create -n $new -t none -B dir,overlay
	differs what was asked for and cannot be read is an error: lxc-create -n $new -t none -f /nonexistent
	differs and so is what cannot be loaded: lxc-create -n $new -t none -f /run/bad.conf
	differs LXC takes what is no size for 1G: lxc-create -n $new -t none -B loop --fssize bogus
	differs words are not known by their beginnings: lxc-create -n $new -t n
	differs there is no such level: lxc-create -n $new -t none -l BOGUS
	lxc-destroy $n
	lxc-destroy -n $n -f
	lxc-destroy -n $n -s
	loud an argument that is not used: lxc-destroy -n $n more
	END
	each "lxc-snapshot -n $n %s" '' '-c /run/plain.conf' "-r snap0 -N $new" "-r snap0 $new" "-N $new" '-L -r snap0' '-d ALL' '-d snap9' -C
	echo "differs LXC leaves an empty directory: lxc-snapshot -n $n -c /nonexistent"
	if command -v rsync >/dev/null; then
		each "lxc-copy -n $n -N $new %s" '' -q '-p /run/out' -R '-B dir' '-B floppy' -K -M '-R -p /run/out' '-L 10M' '-- arg'
		each "lxc-copy -n $n -N $new %s" '-m bind=/tmp' -t -D -F | sed 's/^/differs what only --ephemeral can do is refused without it: /'
	fi
	each "lxc-copy -n $n %s" "$new" "-N $n" '-N bad/name'
	each "lxc-copy -n $n -N $new -s %s" '' '-B overlay' '-B overlayfs' '-K -M'
	each "lxc-copy -n $n -N $new -e %s" '' -D '-B dir' '-m bind=/tmp:/mnt:ro -D'
	cat <<-END
	differs LXC leaves a copy behind: lxc-copy -n $n -N $new -e -t -D
	differs LXC leaves the mount out: lxc-copy -n $n -N $new -e -m bogus=/tmp -D
	mask '(delta|work)(#|.043).{6}' '\\\\1#XXXXXX'
	# The two have one name; a mount that fails does not keep the copy from starting.
	mask ',optional,create=dir 0 0' ',create=dir'
	lxc-copy -n $n -N $new -e -m overlay=/etc:/mnt -D
	END
} >"$scratch/commands"
compare <"$scratch/commands"
command -v rsync >/dev/null || skip "plain copies" "rsync: LXC copies with it, and it is not installed (apt-get install rsync)"

# ---- start, execute, autostart

{
	world
	each "lxc-start -n $n %s" '' '-p /run/out/pid' '-F -- /bin/true' '-d -- /bin/false' '-F -- /nosuch' '-- /nosuch' \
		'-s lxc.uts.name=defined -s lxc.tty.max=0' '-s lxc.nosuch=1' '-s bogus' '-f /run/bad.conf' '-f /nonexistent' '-f /run/volatile.conf' \
		'-L /run/out/conlog' '-c /run/out/con' '-c none' -C '-C -F -- /bin/true' '--share-net nosuch' '--share-net 1' '--share-ipc 1' \
		'--share-pid 1' '--share-net /proc/1/ns/net' '-o /run/out/log -l INFO -F -- /bin/true' '-d -F -- /bin/true' \
		'-p /nonexistent/pid' '-F -q -- /nosuch'
	each "lxc-start -n $new %s" '' '-- /bin/true' '-f /run/volatile.conf'
	cat <<-END
	differs LXC has no terminal for the output: lxc-start -n $n -F -- /bin/sh -c 'echo hello; exit 3'
	loud a key that has no effect: lxc-start -n $n --share-uts 1
	before sh /run/world; $TIFFIN_INST/bin/lxc-start -n $new -f /run/volatile.conf
	lxc-start -n $new
	lxc-start -n $new -f /run/volatile.conf
	lxc-start -n $new -- /bin/true
	before sh /run/world
	END
	each "lxc-execute -n $n %s" '-- /bin/true' "-- /bin/sh -c 'exit 5'" "-- /bin/sh -c 'kill -9 \$\$'" "-- /bin/sh -c 'kill -15 \$\$'" \
		'-d -- /bin/sleep 100' '-d -- /bin/false' "-u 1000 -g 1001 -- /bin/sh -c 'id -u; id -g'" '-u bogus -- /bin/true' \
		'-u -5 -- /bin/true' '-s lxc.uts.name=exec -- /bin/hostname' '-f /nonexistent -- /bin/true' '--share-pid 1 -- /bin/true' \
		'-- echo hello' '/bin/echo hello' '-- /bin/pwd' "-- /bin/sh -c 'echo out; echo err >&2'" "-- /bin/sh -c 'env | sort; echo \$PPID \$\$'" \
		"-s lxc.environment=FOO=bar -- /bin/sh -c 'echo \$FOO'" '-s lxc.init.cwd=/tmp -- /bin/pwd'
	each "lxc-execute -n $new %s" '-- /bin/true' '-f /run/volatile.conf -- /bin/hostname'
	cat <<-END
	differs the usual status of what cannot be found: lxc-execute -n $n -- /nosuch
	differs the usual status of what cannot be run: lxc-execute -n $n -- /etc/passwd
	differs LXC crashes: lxc-execute -n $n
	differs LXC crashes: lxc-execute -n $n -s 'lxc.execute.cmd=/bin/sh -c "exit 9"'
	differs what is open crosses with LXC: lxc-execute -n $n -- /bin/sh -c 'ls /proc/self/fd | wc -l'
	loud a key that has no effect: lxc-execute -n $n --share-uts 1 -- /bin/hostname
	END
	each "lxc-autostart -A %s" '' -a '-g nosuch' -k -s -r '-t 5' '-t bogus' '-L -k'
} >"$scratch/commands"
compare <"$scratch/commands"

# ---- a running one

ip link add dum0 type veth peer name dum1
{
	world run
	each "lxc-stop -n $n %s" '' -k '-k --nolock' -W '--nokill -t 20' '-t 0' '-t 0 --nokill' -r '-r -W' '-r -t 20' '-k -t 0' '-k -W' \
		'-t bogus' '-t -1' '-r -k' -q '-f /run/volatile.conf -k'
	each "lxc-%s" "freeze -n $n" "freeze -n $n -f /run/volatile.conf" "unfreeze -n $n" "destroy -n $n" "destroy -n $n -f" "destroy -n $n -f -s"
	each "lxc-wait -n $n %s" '-s STOPPED -t 2' '-s running -t 1' '-s RUNNING' "-s 'STOPPED|RUNNING' -t 5" "-s '' -t 1" '-t 3'
	echo "differs 'bogus' is no number: lxc-wait -n $n -s RUNNING -t bogus"
	each "lxc-device -n $n %s" 'add /dev/full' 'a /dev/full' 'd /dev/zero' 'del /dev/full' 'del /dev/zero' 'bogus /dev/full' \
		add 'add nosuch0' 'del lo' 'del nosuch0'
	echo "differs LXC looks for the new name on the host: lxc-device -n $n add /dev/full /dev/voll"
	each "lxc-cgroup -n $n %s" pids.max 'pids.max 77' 'pids.max bogus' devices.list 'devices.deny a' 'memory.limit_in_bytes 100M' nosuch.key \
		'nosuch.key 3' 'cpuset.cpus 0' '' /pids.max ../pids.max pids
	echo "loud an argument that is not used: lxc-cgroup -n $n pids.max 77 88"
	each "lxc-copy -n $n -N $new %s" '' '-a -s' -R
	each "lxc-checkpoint -n $n %s" '' '-D /run/out -r -s' '-D /run/out -r -p' '-D /run/out -d' '-D /run/out -F' '-D /run/out -r'
	each "lxc-autostart -A %s" -k '-s -t 20' -s -r '' '-L -r' '-L -k' '-L -s' '-k -s -r'
} >"$scratch/commands"
compare <"$scratch/commands"
{
	world run
	echo "mask '@if[0-9]+' @ifN"
	echo "after ip -o link | cut -d ' ' -f 2; $TIFFIN_INST/bin/lxc-attach -n $n -- ip -o link | cut -d ' ' -f 2; ip link set dum0 up"
	each "before sh /run/world run; ip link del dum1; ip link add dum0 type veth peer name dum1
lxc-device -n $n %s" 'add dum0' 'add dum0 eth7'
} >"$scratch/commands"
compare <"$scratch/commands"
ip link del dum1

# ---- inside

sh /run/world run
{
	each "lxc-attach -n $n %s" '-- echo hi' '-a x86 -- uname -m' '-a i686 -- uname -m' '-a x86_64 -- uname -m' '-a bogus -- uname -m' \
		'-R -- hostname' "-R -s PID -- sh -c 'ls -d /proc/[0-9]* >/dev/null'" "-s 'NETWORK|UTSNAME' -- hostname" "-s 'mnt|uts' -- hostname" \
		"-s 'Mnt|uTs' -- hostname" '-s mount -- hostname' '-s MNT -- hostname' "-s '' -- hostname" "-s 'MOUNT|' -- hostname" \
		"-s 'cgroup|pid|mnt' -- cat /proc/self/cgroup" '-s time -- true' '-eCGROUP -- true' '-eCAP -- grep CapEff /proc/self/status' \
		'-- grep CapEff /proc/self/status' '-e -- grep CapEff /proc/self/status' "'-eCAP|LSM' -- true" '-ecap -- true' \
		'--elevated-privileges=CAP -- true' '-eCAP -eLSM -- grep CapEff /proc/self/status' "-v A=1 -v B=2 -- sh -c 'echo \$A \$B'" \
		"-v A= -- sh -c 'echo x\$A'" '--clear-env -v A=1 -- env' '--clear-env --keep-var NOSUCH -- env' "--keep-var HOME -- sh -c 'echo \$HOME'" \
		"--clear-env --keep-env -- sh -c 'echo \$HOME'" '-L /run/out/ptylog -- echo hi' '-f /run/volatile.conf -- hostname' \
		'-f /nonexistent -- hostname' '-u 1 -- id -u' '-g 1 -- id -g' '-u 1 -g 1 -- id' '-u bogus -- id' '-u -1 -- id -u' \
		'-c x -eLSM -- true' "-- sh -c 'echo e >&2; echo o'" "-- sh -c 'exit 255'" "-- sh -c 'kill -TERM \$\$'" \
		"-- sh -c 'kill -SEGV \$\$'" '-- pwd' "-- sh -c 'umask; ulimit -n'" '-- cat /proc/self/cgroup' ''
	each "screen lxc-attach -n $n %s" '-- tty' "-- sh -c 'tty; stty size; echo err >&2; exit 4'" '-L /run/out/ptylog -- echo hi' \
		'--clear-env -- env' "-- sh -c 'kill -9 \$\$'"
	each "screen lxc-ls %s" '' -1 -f
	cat <<-'END'
	mask '^(.* use: +)[0-9.]+ ([KM]iB|bytes|seconds)$' '\1SOME'
	END
	cat <<-END
	screen lxc-info -n $n
	mask
	lxc-attach $n echo hi
	differs the namespace is its own already: lxc-attach -n $n -s user -- hostname
	differs that is no variable with a value: lxc-attach -n $n -v A -- sh -c 'echo \$A'
	differs that is nobody: lxc-attach -n $n -u 4294967295 -- id -u
	lxc-console -n $n -t bogus
	END
	each "lxc-info -n $n %s" '-c lxc.uts.name -H' '-c lxc.uts.name -s' '-c lxc.uts.name -s -H' '-s -s' '-f /run/volatile.conf -s' \
		'--rcfile /run/volatile.conf -c lxc.uts.name' '-i -H -s' '-c lxc.nosuch -s' "-c ''"
	each 'lxc-ls %s' "-f -F 'NAME,,STATE'" "-f -F ''" "-f -F ' NAME , STATE'" '-f --running -F name' '--running --stopped -1' \
		'--active --defined -1' '-1 --nesting=0' '-1 --filter c --filter d' -f1
	echo "loud arguments that are not used: lxc-ls -1 a b"
} >"$scratch/commands"
compare <"$scratch/commands"
sh /run/world
{
	cat <<-END
	lxc-unshare -s MOUNT -- true
	lxc-unshare -s 'mnt|uts' -H foo -- hostname
	lxc-unshare -s NETWORK -H foo -- hostname
	lxc-unshare -s MOUNT -i nosuch0 -- true
	lxc-unshare -s NETWORK -M -- true
	lxc-unshare -s PID -- sh -c 'echo \$\$'
	lxc-unshare -s USER -u 0 -- id -u
	lxc-unshare -s USER -u 1000 -- id -u
	lxc-unshare -s UTSNAME -d -- true
	lxc-unshare -s UTSNAME
	lxc-unshare -- true
	lxc-unshare -s UTSNAME -- nosuch
	lxc-unshare -s NETWORK -- sh -c 'wc -l </proc/net/dev'
	lxc-unshare -s IPC -- true
	lxc-unshare -s CGROUP -- cat /proc/self/cgroup
	differs LXC's remount of /proc fails silently: lxc-unshare -s 'MOUNT|PID' -M -- sh -c 'ls -d /proc/[0-9]* | wc -l'
	differs the id that -u has if it is not given: lxc-unshare -s USER -- id -u
	differs an interface that cannot be moved is an error: lxc-unshare -s NETWORK -i nosuch0 -- true
	quiet LXC waits for the child twice: lxc-unshare -s UTSNAME -- sh -c 'kill -9 \$\$'
	lxc-usernsexec -m x:0:1:1 -- id
	lxc-usernsexec -m b:0:1 -- id
	lxc-usernsexec -m b:0:0:1 -- nosuch
	lxc-usernsexec -m b:0:0:65536 -- sh -c 'id -G; cat /proc/self/setgroups; echo \$0'
	differs a command that was killed has not succeeded: lxc-usernsexec -m b:0:0:1 -- sh -c 'kill -9 \$\$'
	lxc-monitor -n x -Q
	lxc-config -l x
	lxc-config -n x lxc.lxcpath
	differs words are not known by their beginnings: lxc-config lxc
	lxc-update-config -c /nonexistent
	lxc-update-config -x
	lxc-top -s bogus
	lxc-top -d bogus
	END
} >"$scratch/commands"
compare <"$scratch/commands"

sh /run/world none
rm -rf "${lxcpath:?}"/*
rm -rf /run/base /run/out
finish
