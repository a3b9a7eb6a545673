#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# The examples of the manual pages are run as they stand there, but for the names of containers and of what this host
# has elsewhere, in a world where they make sense; each does what the page says, or at least succeeds.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup script
sandbox "$0"
mkdir -p /run/fake /run/cwd /run/backup
PATH=/run/fake:$PATH

# Programs of other hosts, and those that would take the network.
fake() {
	cat >"/run/fake/$1"
	chmod 755 "/run/fake/$1"
}
fake ssh <<'SH'
#!/bin/sh
shift
exec "$@"
SH
fake logger <<'SH'
#!/bin/sh
echo "$*" >>/run/cwd/logged
SH
PKG_CONFIG_PATH=$(dirname "$(find "$TIFFIN_INST" -name lxc.pc)")
export PKG_CONFIG_PATH
fake criu <<'SH'
#!/bin/sh
[ "$1" != --version ] || { echo "Version: 3.17.1"; exit 0; }
last='' action=$1
for word; do
	case $last in
	-D) dir=$word ;;
	--pidfile) pidfile=$word ;;
	-t) pid=$word ;;
	esac
	last=$word
done
case $action in
dump)
	: >"$dir/inventory.img"
	case " $* " in *' --leave-running '*) ;; *) kill -9 "$pid" ;; esac
	;;
restore)
	setsid sleep 1000 </dev/null >/dev/null 2>&1 &
	echo $! >"$pidfile"
	;;
esac
SH
fake mmdebstrap <<'SH'
#!/bin/sh
for word; do
	case $word in *.tar) tar=$word ;; esac
done
mkdir -p /run/cwd/fetched/etc/apt /run/cwd/fetched/sbin /run/cwd/fetched/usr/bin /run/cwd/fetched/bin /run/cwd/fetched/var/lib/dpkg /run/cwd/fetched/lib/systemd
cp "$(command -v busybox)" /run/cwd/fetched/bin/busybox
ln -s busybox /run/cwd/fetched/bin/sh
ln -s ../bin/busybox /run/cwd/fetched/sbin/init
cp /run/cwd/fetched/bin/busybox /run/cwd/fetched/lib/systemd/systemd
tar -C /run/cwd/fetched -cf "$tar" .
SH
# The parts of the host that examples name.
mkdir /run/etc
cp -a "$TIFFIN_INST/etc/lxc/." /run/etc
for dir in /srv /usr/src "$TIFFIN_INST/etc/lxc" "$TIFFIN_INST/var/cache"; do
	mount -t tmpfs -o mode=0755 tmpfs "$dir"
done
cp -a /run/etc/. "$TIFFIN_INST/etc/lxc"
mkdir -p /srv/lxc /srv/data /srv/checkpoints /usr/src/linux
printf 'CONFIG_NAMESPACES=y\n' >/usr/src/linux/.config
printf '%s\n' "lxc.idmap = u 0 100000 65536" "lxc.idmap = g 0 100000 65536" >"$TIFFIN_INST/etc/lxc/unprivileged.conf"

succeeds "a container" lxc-create -n "$tag" -t busybox
mv "$lxcpath/$tag/rootfs" /run/root
rm -r "${lxcpath:?}/$tag"
mkdir -p /run/root/usr/bin
printf '#!/bin/sh\n[ "$*" = update ] && [ -z "${HOME-}" ]\n' >/run/root/usr/bin/apt-get
printf '#!/bin/sh\n[ "$*" = "-C /data check" ] && ! touch /data/file 2>/dev/null\n' >/run/root/usr/bin/make
chmod 755 /run/root/usr/bin/apt-get /run/root/usr/bin/make

# clear: nothing is left of the example before.
clear() {
	for c in $(lxc-ls --active -1); do
		lxc-stop -k -n "$c"
	done
	ip link del eth1p 2>/dev/null
	lxc-monitor -P "$lxcpath" -P /srv/lxc -Q 2>/dev/null
	rm -rf "${lxcpath:?}"/* /run/cwd/* /run/backup/* /srv/checkpoints/*
}

# world EXAMPLE: web1 runs; there is what the example needs.
world() {
	clear
	web1=$lxcpath/web1-$tag
	mkdir -p "$web1"
	cp -a /run/root "$web1/rootfs"
	printf '%s\n' "lxc.uts.name = web1" "lxc.rootfs.path = dir:$web1/rootfs" "lxc.net.0.type = veth" "lxc.net.0.link = lxcbr0" \
		"lxc.net.0.flags = up" "lxc.net.0.hwaddr = 10:66:6a:00:00:01" "lxc.net.0.ipv4.address = 10.0.3.9/24" "lxc.tty.max = 2" \
		"lxc.pty.max = 16" "lxc.mount.auto = proc:mixed sys:ro" "lxc.signal.halt = SIGUSR1" "lxc.signal.reboot = SIGTERM" \
		"lxc.group = onboot" >"$web1/config"
	case $1 in
	lxc-start* | *' -D '*' -r' | lxc-snapshot* | lxc-copy* | lxc-export* | lxc-import* | lxc-remap* | lxc-resize* | *update-config*) ;;
	*'-s RUNNING'*) (sleep 1; exec lxc-start -n "web1-$tag") >/dev/null 2>&1 & ;;
	*) lxc-start -n "web1-$tag" ;;
	esac
	case $1 in
	lxc-snapshot*' -L' | lxc-snapshot*' -r '*) lxc-snapshot -n "web1-$tag" ;;
	*"-s 'STOPPED|ABORTING'"*) (sleep 1; exec lxc-stop -k -n "web1-$tag") >/dev/null 2>&1 & ;;
	lxc-import*.zst) lxc-export -n "web1-$tag" /run/backup/web1.tar.zst && rm -r "$web1" ;;
	*'lxc-import -') fake_host ;;
	lxc-update-config*) echo "lxc.utsname = old" >>"$web1/config" ;;
	'lxc-monitor -Q') timeout 1 lxc-monitor ;;	# that starts the daemon
	lxc-checkpoint*' -r')
		mkdir -p /srv/checkpoints/web1
		: >/srv/checkpoints/web1/inventory.img
		;;
	lxc-stop*' -t '* | lxc-stop*' -r' | 'lxc-autostart -s '*) eventually 10 lxc-attach -n "web1-$tag" -- pidof syslogd ;;
	lxc-unfreeze*) lxc-freeze -n "web1-$tag" ;;
	lxc-execute*) printf '%s\n' "lxc.net.0.type = empty" "lxc.rootfs.path = dir:$web1/rootfs" >/run/cwd/app.conf ;;
	lxc-device*eth1*) ip link add eth1 type veth peer name eth1p ;;
	*'rm -r tree')
		mkdir -p /run/cwd/tree/branch
		chown -R 100007:100007 /run/cwd/tree
		chmod 1777 /run/cwd
		;;
	lxc-remap*--privileged) lxc-remap -n "web1-$tag" --config "$TIFFIN_INST/etc/lxc/unprivileged.conf" ;;
	esac
}

# fake_host: the other end of ssh has a container directory of its own.
fake_host() {
	fake lxc-import <<-SH
	#!/bin/sh
	exec $TIFFIN_INST/bin/lxc-import -P /srv/lxc "\$@"
	SH
}

# here EXAMPLE: with the names of this host; containers are those of this test.
here() {
	printf '%s\n' "$1" | sed -E "s/ -([nN]) ([a-z0-9-]+)/ -\\1 \\2-$tag/g; s,/var/lib/lxc/web1/,@/web1-$tag/,g
		s,/var/lib/lxc,@,g; s,@,$lxcpath,g; s,/etc/lxc/,$TIFFIN_INST/etc/lxc/,g; s,/backup/,/run/backup/,g; s,/dev/ttyUSB0,/dev/full,g
		s,/usr/share/lxc/,$TIFFIN_INST/share/lxc/,g; s,/usr/libexec/lxc/,$TIFFIN_INST/libexec/lxc/,g"
}

containers() {
	find "$lxcpath" -mindepth 2 -maxdepth 2 -name config | sed "s,.*/\\(.*\\)-$tag/config,\\1," | sort | tr '\n' ' '
}

# afterwards EXAMPLE: what is the case when it has ended.
afterwards() {
	case $1 in
	'lxc-stop -n web1 -r' | lxc-unfreeze* | 'lxc-start -n web1' | lxc-checkpoint*' -r') afterwards_state=RUNNING ;;
	lxc-stop* | lxc-checkpoint*' -s' | 'lxc-autostart -s '*) afterwards_state=STOPPED ;;
	'lxc-freeze -n web1') afterwards_state=FROZEN ;;
	*) afterwards_state='' ;;
	esac
	[ "$afterwards_state" != STOPPED ] || lxc-wait -n "web1-$tag" -s STOPPED -t 10
	[ -z "$afterwards_state" ] || is "$(lxc-info -sH -n "web1-$tag")" "$afterwards_state" "and it is $afterwards_state"
	case $1 in
	*' -N web2') is "$(containers)" "web1 web2 " "and there are two" ;;
	*' -N test -s') is "$(containers)" "test web1 " "and there are two" ;;
	*' -N www -R') is "$(containers)" "www " "and it has its new name" ;;
	*' -N web1-old') is "$(containers)" "web1 web1-old " "and the snapshot is a container" ;;
	lxc-create*deb*bookworm) is "$(containers)" "deb web1 " "and there is one more" ;;
	lxc-create*busybox) is "$(containers)" "bb web1 " "and there is one more" ;;
	lxc-destroy*) is "$(containers)" "" "and it is gone" ;;
	'lxc-import -n web2'*) is "$(containers)" "web2 " "and there is a container" ;;
	lxc-import*) is "$(containers)" "web1 " "and there is a container" ;;
	*'ssh host lxc-import -')
		ok "and there is a container on the other host" test -e "/srv/lxc/web1-$tag/config"
		rm -r /run/fake/lxc-import /srv/lxc/*
		;;
	*'-n web1u '*) like "$(cat "$lxcpath/web1u-$tag/config")" 'lxc.idmap = u 0 100000 65536' "and there is one with a map" ;;
	lxc-export*.zst) ok "and there is an archive" test -s /run/backup/web1.tar.zst ;;
	lxc-attach*NETWORK*) like "$out" '10\.0\.3\.9/24' "and shows the container's address" ;;
	lxc-device*ttyUSB0) succeeds "and the device is there" lxc-attach -n "web1-$tag" -- test -c /dev/full ;;
	lxc-device*eth1*) succeeds "and the interface is there" lxc-attach -n "web1-$tag" -- ip link show lan0 ;;
	lxc-info*hwaddr) is "$out" "lxc.net.0.hwaddr = 10:66:6a:00:00:01" "and shows it" ;;
	lxc-ls*"'^web'") like "$out" '^web1-.* RUNNING ' "and shows it" ;;
	lxc-remap*--privileged) unlike "$(cat "$lxcpath/web1-$tag/config")" idmap "and there is no map" ;;
	lxc-remap*) like "$(cat "$lxcpath/web1-$tag/config")" 'lxc.idmap = u 0 100000 65536' "and there is a map" ;;
	*'rm -r tree') ok "and the tree is gone" test ! -e /run/cwd/tree ;;
	lxc-snapshot*' -L') like "$out" '^snap0 ' "and lists it" ;;
	lxc-unshare*'ps aux') is "$(printf '%s\n' "$out" | wc -l)" 2 "and there is one process" ;;
	lxc-update-config*) ok "and the old text is kept" test -e "$lxcpath/web1-$tag/config.backup" ;;
	*usage.csv) like "$(cat /run/cwd/usage.csv)" '^time_ms,container,' "and there is a table" ;;
	esac
}

# example TEXT: runs it.
example() {
	example_want=0
	case $1 in
	lxc-monitor | lxc-monitor\ -n* | lxc-monitor\ --json* | *lxc-monitord\ --daemon* | lxc-top\ *--batch*)
		example_want=124	# they go on until they are ended
		;;
	lxc-cgroup*)
		if ! grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
			skip "$1" "cgroup2: the memory controller is one of cgroup v1, whose files have other names"
			return
		fi
		;;
	esac
	world "$1" >"$scratch/world" 2>&1
	example_words=$(here "$1")
	case $1 in
	lxc-resize*20G | lxc-resize*none)
		fails 1 "$1: not in memory" sh -c "$example_words"
		like "$err" 'quota' "and the reason is that there are no quotas"
		return
		;;
	lxc-console*-e*) example_words="printf '\\002q' | $example_words" ;;
	lxc-console*) example_words="printf '\\001q' | $example_words" ;;
	lxc-top\ -s*) example_words="{ sleep 1; echo q; } | script -qec '$example_words' /dev/null" ;;
	lxc-start*' -F '*) (eventually 20 lxc-wait -n "web1-$tag" -s RUNNING -t 1; lxc-stop -k -n "web1-$tag") & ;;
	esac
	run timeout "$([ "$example_want" -eq 124 ] && echo 3 || echo 50)" sh -c "cd /run/cwd; $example_words"
	case $1 in lxc-doctor*) [ "$status" -ne 1 ] || status=0 ;; esac	# it has found something
	is "$status" "$example_want" "$1"
	[ "$status" -eq "$example_want" ] || comment "$example_words said: $err
$(cat "$scratch/world")"
	afterwards "$1"
}

# block PAGE: what stands in its examples.
block() {
	awk '/^# /{inside = /^# EXAMPLES?$/} /^```/{block = !block; next} inside && block' "$1"
}

for page in "$top_srcdir"/tools/lxc-*.1.scd; do
	[ "$(basename "$page")" != lxc-user-nic.1.scd ] || continue	# for users: the test of that program has them
	block "$page" >"$scratch/examples"
	ok "$(basename "$page") has examples" test -s "$scratch/examples"
	while read -r line <&3; do
		example "$line" 3<&-
	done 3<"$scratch/examples"
done

# Files: the one starts a container, the other is read.
world lxc-start
block "$top_srcdir/tools/lxc.container.conf.5.scd" >"$scratch/config"
ok "lxc.container.conf.5.scd has an example" test -s "$scratch/config"
here "$(cat "$scratch/config")" >"$lxcpath/web1-$tag/config"
succeeds "a container of the example of lxc.container.conf(5) starts" lxc-start -n "web1-$tag"
succeeds "and ends" lxc-stop -k -n "web1-$tag"
block "$top_srcdir/tools/lxc.system.conf.5.scd" >"$scratch/config"
ok "lxc.system.conf.5.scd has an example" test -s "$scratch/config"
cp "$scratch/config" "$TIFFIN_INST/etc/lxc/lxc.conf"
while IFS=' =' read -r key value; do
	is "$(lxc-config "$key")" "$value" "$key = $value is read"
done <"$scratch/config"
rm "$TIFFIN_INST/etc/lxc/lxc.conf"
world lxc-start
echo "lxc.seccomp.profile = /run/cwd/policy" >>"$web1/config"
block "$top_srcdir/tools/lxc.seccomp.5.scd" >/run/cwd/policy
ok "lxc.seccomp.5.scd has an example" test -s /run/cwd/policy
succeeds "a container of the policy of lxc.seccomp(5) starts" lxc-start -n "web1-$tag"
is "$err" "" "and nothing in it is in vain"
succeeds "and ends" lxc-stop -k -n "web1-$tag"

# Programs that are no tools.
block "$top_srcdir/tools/init.lxc.8.scd" >"$scratch/examples"
ok "init.lxc.8.scd has an example" test -s "$scratch/examples"
while read -r line; do
	succeeds "$line" sh -c "$line"
	is "$out" started "and its command has run"
done <"$scratch/examples"
world lxc-start
echo "lxc.start.auto = 1" >>"$web1/config"
block "$top_srcdir/tools/lxc-containers.8.scd" >"$scratch/examples"
ok "lxc-containers.8.scd has examples" test -s "$scratch/examples"
while read -r line <&3; do
	succeeds "$line" sh -c "$(here "$line")" 3<&-
	case $line in
	*start) is "$(lxc-info -sH -n "web1-$tag")" RUNNING "and it is RUNNING" ;;
	*stop) is "$(lxc-info -sH -n "web1-$tag")" STOPPED "and it is STOPPED" ;;
	esac
done 3<"$scratch/examples"

# The bridge, with the settings that the page has as an example.
if ! command -v dnsmasq >/dev/null || ! nft list tables >/dev/null 2>&1; then
	skip "the examples of lxc-net(8)" "needs dnsmasq and nft: one is not installed, or the kernel refuses it"
else
	clear
	mount -t tmpfs -o mode=0755 tmpfs "$TIFFIN_INST/etc/default"
	block "$top_srcdir/tools/lxc-net.8.scd" | grep '^LXC_' >"$TIFFIN_INST/etc/default/lxc-net"
	block "$top_srcdir/tools/lxc-net.8.scd" | grep '/lxc-net ' >"$scratch/examples"
	ok "lxc-net.8.scd has examples" test -s "$TIFFIN_INST/etc/default/lxc-net" -a -s "$scratch/examples"
	while read -r line <&3; do
		succeeds "$line" sh -c "$(here "$line")" 3<&-
		case $line in
		*status) like "$out" 'bridge lxcbr0 has 192\.168\.77\.1/24, dnsmasq runs' "and says what there is" ;;
		esac
	done 3<"$scratch/examples"
	ok "and it is gone" sh -c '! ip link show lxcbr0'
	umount "$TIFFIN_INST/etc/default"
	ip link add lxcbr0 type bridge
	ip link set lxcbr0 up
fi

# The pages are where man looks for them.
if [ -f "$top_builddir/tools/lxc.7" ]; then
	for page in "$top_srcdir"/tools/*.[1-8].scd; do
		page=$(basename "$page" .scd)
		[ -s "$TIFFIN_INST/share/man/man${page##*.}/$page" ] || echo "$page"
	done >"$scratch/uninstalled"
	is "$(cat "$scratch/uninstalled")" "" "every page is installed in the directory of its section"
else
	skip "every page is installed in the directory of its section" "needs man: built with --disable-man"
fi

clear
umount "$TIFFIN_INST/etc/lxc" "$TIFFIN_INST/var/cache" /srv /usr/src
rm -rf /run/root
finish
