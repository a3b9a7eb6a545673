#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# The same commands to LXC's own tools and to ours, about the same containers: exit status and standard output are the
# same. Where they are not, "differs" says why.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup python3
stock=${STOCK_LXC:-/usr/bin}
[ -x "$stock/lxc-start" ] || skip_all "lxc: LXC's own tools are not in $stock (apt-get install lxc)"
! "$stock/lxc-start" --version | grep -q tiffin || skip_all "lxc: what is in $stock is not LXC's own (STOCK_LXC=DIRECTORY tells where that is)"
sandbox "$0"
one=one-$tag two=two-$tag run=run-$tag new=new-$tag

# compare: the commands on standard input; see same.py.
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

# each FORMAT WORD...: a command for each of the words.
each() {
	each_format=$1
	shift
	for each_word; do
		# shellcheck disable=SC2059 # the format is ours
		printf "$each_format\n" "$each_word"
	done
}

# ---- command lines, and nothing there

{
	for option in --help --usage --no-such-option ''; do
		each "lxc-%s $option" attach cgroup checkpoint console copy create destroy device execute freeze info snapshot start \
			stop unfreeze unshare wait
	done
	for option in --help --usage --no-such-option; do
		each "lxc-%s $option" autostart ls monitor top
	done
	each 'lxc-%s -n nosuch' info freeze unfreeze destroy console attach start stop snapshot 'snapshot -L' 'copy -N other' wait 'stop -k' \
		'info -sH' 'wait -s STOPPED' 'wait -s RUNNING -t 1' "wait -s 'RUNNING|STOPPED'" 'wait -s SLEEPING' 'cgroup pids.max'
	each 'lxc-ls %s' '' -f -1
	each 'lxc-config %s' -l lxc.cgroup.use lxc.bdev.lvm.vg lxc.bdev.lvm.thin_pool lxc.bdev.zfs.root lxc.cgroup.pattern lxc.nosuch
	cat <<-END
	# The directories are those of the two installations.
	mask '(/work|/var|/usr|/etc|/tmp|/home|/build|$TIFFIN_INST)\\S*' PATH
	lxc-config lxc.lxcpath
	lxc-config lxc.default_config
	mask
	# It asks the lxc-start that is found first, ours, for its version. What is mounted changes while others test.
	mask '^tiffin .*\\n' ''
	mask '^ - .*\\n' ''
	mask '^(Note|usage) .*\\n+' ''
	lxc-checkconfig
	mask
	lxc-usernsexec -m bogus -- true
	lxc-usernsexec -m b:0:0:1 -- id -u
	lxc-usernsexec -m b:0:0:1 -- sh -c 'exit 3'
	lxc-usernsexec --no-such-option
	differs LXC's leaves by _exit, and its text in the buffer: lxc-usernsexec -h
	lxc-unshare -s BOGUS -- true
	quiet LXC waits for the child twice: lxc-unshare -s UTSNAME -- sh -c 'exit 3'
	lxc-unshare -s UTSNAME -H inner -- hostname
	lxc-top
	lxc-monitor -n '*a('
	lxc-monitor -Q
	END
} >"$scratch/commands"
compare <"$scratch/commands"

# ---- stopped containers

succeeds "a container" lxc-create -n "$one" -t busybox
for c in $one $two $run; do
	mkdir -p "$lxcpath/$c"
	printf '%s\n' "lxc.uts.name = $c" "lxc.rootfs.path = dir:$lxcpath/$one/rootfs" "lxc.net.0.type = empty" \
		"lxc.tty.max = 1" "lxc.pty.max = 16" "lxc.mount.auto = proc:mixed sys:ro" >"$lxcpath/$c/config"
done
printf '%s\n' "lxc.group = web" "lxc.group = db" "lxc.start.auto = 1" "lxc.start.order = 3" "lxc.start.delay = 2" \
	"lxc.environment = A=b" "lxc.cap.drop = sys_time sys_module" "lxc.mount.entry = proc proc proc ro 0 0" >>"$lxcpath/$two/config"
printf '%s\n' "lxc.group = web" "lxc.start.auto = 1" "lxc.start.order = 7" >>"$lxcpath/$run/config"
autostart() {
	for list in "$@"; do
		each "lxc-autostart -L $list %s" '' -k -s -r
	done
}
{
	each 'lxc-ls %s' '' -1 -f '-F STATE' '-f -F name,state,name' '-f -F BOGUS' '-1 -g web' '-1 -g web,db' '-1 -g web,nosuch' \
		"-1 --filter '^two'" "-1 '^(one|two)'" '-1 --filter e-'
	echo "loud what is wrong is said: lxc-ls -1 --filter '*['"
	each 'lxc-ls -f -F NAME,%s' NAME STATE PID RAM SWAP AUTOSTART GROUPS INTERFACE IPV4 IPV6 UNPRIVILEGED
	each 'lxc-ls -1 %s' --active --running --frozen --stopped --defined
	each "lxc-info -n $one %s" '' -s -p -i -S -H -sH -pH -iH -SH
	for option in '' -H; do
		each "lxc-info -n $two $option -c %s" lxc.uts.name lxc.group lxc.start.order lxc.start.auto lxc.environment lxc.cap.drop \
			lxc.mount.entry lxc.net.0.type lxc.net lxc.rootfs.path lxc.tty.max lxc.idmap lxc.arch lxc.signal.stop lxc.nosuch
	done
	autostart "" "-a" "-A" "-A -a" "-g web" "-g db" "-g web,db" "-g nosuch" "-g web,"
	each "lxc-stop -n $one %s" '' -k '-k -t 3' '-k -r' '-k --nokill' --nolock
	each "lxc-wait -n $one %s" '-s STOPPED' '-s STOPPED -t 0' '-s RUNNING -t 0' '-s RUNNING -t 1' "-s 'RUNNING|FROZEN' -t 1"
	each "lxc-%s" "freeze -n $one" "unfreeze -n $one" "attach -n $one -- true" "console -n $one" "cgroup -n $one pids.max" "snapshot -n $one -L" \
		"snapshot -n $one -r nosuch" "snapshot -n $one -d nosuch" "create -n $one -t none" "create -n $new" \
		"create -n $new -t none -B floppy" "create -n $new -t none --dir rel" "copy -n $one" "copy -n $one -N $two" \
		"checkpoint -n $one" "checkpoint -n $one -D /run/test/cp" "device -n $one -- add" "device -n $one -- add /dev/null" \
		"info $two -s" "info -n $two -c lxc.uts.name -c lxc.start.order"
	echo "differs a time limit below -1 is none, whatever the container does: lxc-stop -n $one -t -2"
} >"$scratch/commands"
compare <"$scratch/commands"

# ---- a running one

succeeds "a container runs" lxc-start -n "$run"
{
	echo "lxc-start -n $run"
	each "lxc-info -n $run %s" -s -p -i -sH -pH -iH '-s -p -H'
	cat <<-END
	mask '[0-9][0-9.]* (seconds|bytes|KiB|MiB|GiB)\$' 'N UNIT'
	mask '[0-9]+\$' N
	END
	each "lxc-info -n $run %s" '' -S -SH
	cat <<-END
	mask
	mask '[0-9]+[.][0-9]+MB' NMB
	mask ' +' ' '
	lxc-ls -f -F NAME,STATE,PID,RAM,AUTOSTART,GROUPS,IPV4,IPV6,UNPRIVILEGED
	mask
	END
	each 'lxc-ls -1 %s' --active --running --frozen --stopped --defined
	autostart "-a" "-A -a" "-g web"
	each "lxc-attach -n $run %s" "-- sh -c 'exit 7'" "-- sh -c 'kill -9 \$\$'" "-- nosuch" "-- /etc" "-- hostname" \
		"--clear-env -- sh -c 'env | sort'" "--clear-env --keep-var HOME -v A=b -- sh -c 'env | sort'" \
		"--keep-env -- sh -c 'echo \$PATH \$HOME \$container'" "-u 1000 -g 1001 -- sh -c 'id -u; id -g'" "-s BOGUS -- true" \
		"-e -- true" "-eBOGUS -- true" "-s 'UTSNAME|NETWORK' -- hostname"
	each "lxc-cgroup -n $run %s" '' nosuch.file pids.max memory.limit_in_bytes memory.max cpu.shares cpu.weight cpuset.cpus
	each "lxc-%s" "destroy -n $run" "wait -n $run -s RUNNING" "wait -n $run -s STOPPED -t 1" "freeze -n $run" "info -n $run -sH" \
		"ls -1 --frozen" "ls -1 --running" "wait -n $run -s FROZEN" "unfreeze -n $run" "copy -n $run -N $new" "console -n $run -t 9" \
		"device -n $run -- del /dev/nosuch" "device -n $run -- add /dev/nosuch"
	echo "differs a snapshot of a running container is as good as one after a power cut: lxc-snapshot -n $run"
} >"$scratch/commands"
compare <"$scratch/commands"
succeeds "it ends" lxc-stop -n "$run" -k

# ---- snapshots, old keys

printf 'first\n' >"$scratch/comment"
succeeds "a snapshot" lxc-snapshot -n "$one" -c "$scratch/comment"
each "lxc-%s" "snapshot -n $one -L" "snapshot -n $one -L -C" "destroy -n $one" "destroy -n $run" >"$scratch/commands"
compare <"$scratch/commands"
succeeds "without it" lxc-snapshot -n "$one" -d ALL
cat >"$scratch/old" <<'END'
# lxc.utsname = commented
lxc.utsname = old
lxc.rootfs = /srv/root
lxc.rootfs.backend = dir
lxc.id_map = u 0 100000 65536
lxc.pts = 1024
lxc.tty = 4
lxc.aa_profile = unconfined
lxc.mount = /etc/fstab.old
lxc.network.type = veth
lxc.network.link = lxcbr0
lxc.network.ipv4 = 10.0.3.9/24
lxc.network.type = macvlan
lxc.network.hwaddr = 00:16:3e:00:00:01
lxc.haltsignal = SIGUSR1
lxc.loglevel = 2
lxc.init_cmd = /sbin/init
lxc.kmsg = 0
END
for side in "$stock" "$TIFFIN_INST/bin"; do
	cp "$scratch/old" "$scratch/old.$(basename "$(dirname "$side")")"
	(cd "$scratch" && "$side/lxc-update-config" -c "old.$(basename "$(dirname "$side")")" >/dev/null)
done
is "$(cat "$scratch/old.inst")" "$(cat "$scratch/old.$(basename "$(dirname "$stock")")")" "lxc-update-config rewrites the same keys"


# ---- a thousand containers, on terminals and into pipes

all=$lxcpath
lxcpath=$lxcpath/many-$tag
mkdir "$lxcpath"
python3 - "$lxcpath" <<'PY'
import os, sys
for i in range(1000):
    d = "%s/%s%d" % (sys.argv[1], ("c", "web-", "a.very.long.name-")[i % 3], i)
    os.makedirs(d + "/rootfs")
    with open(d + "/config", "w") as f:
        f.write("lxc.rootfs.path = dir:%s/rootfs\nlxc.net.0.type = empty\nlxc.start.auto = %d\n" % (d, i % 2))
        f.write("".join("lxc.group = g%d\n" % g for g in range(i % 4)))
PY
{
	for list in '' -1 -f --fancy --nesting '-1 --nesting=2' '-f --nesting' '-1 ^c' "-f --filter '9\$'" '-1 (web|a)-?1' '-1 -g g1' \
		'-f -g g1,g2' '-1 --running' '-1 --active' '-1 --stopped' '-1 --frozen' '-f --stopped' '-1 --defined' \
		'-f -F NAME,PID,RAM,SWAP,AUTOSTART,GROUPS,INTERFACE,IPV4,IPV6,UNPRIVILEGED'; do
		each "%slxc-ls $list" '' 'screen ' 'narrow '
	done
} >"$scratch/commands"
compare <"$scratch/commands"
rm -rf "$lxcpath"
lxcpath=$all

for c in $one $two $run; do
	lxc-destroy -s -n "$c"
done
rm -rf "${lxcpath:?}/$new"
finish
