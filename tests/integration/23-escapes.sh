#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What root of a guest prepares for the next one who starts, enters or copies it: by root of the host and by an ordinary
# user, whose own files are then what is to be gained. The host's mounts, sysctls and files are the same before and after.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup userns newuidmap setpriv script
sandbox "$0"
chmod 755 "$scratch"
attacker=$scratch/attacker
${CC:-cc} -static -D_GNU_SOURCE -o "$attacker" "$top_srcdir/tests/attack/attacker.c" 2>"$scratch/cc" ||
	skip_all "static: no static program can be linked: $(tail -n 1 "$scratch/cc")"
users alice bob
# How often what is a race is tried.
starts=${ATTACK_STARTS:-30}

# Who has the container: root or alice. Files that she wants to keep are in her own directory.
become() {
	who=$1
	n=$tag-$who
	case $who in
	root) dir=$lxcpath/$n own=$scratch/own ;;
	*) dir=/home/$who/.local/share/lxc/$n own=/home/$who/own ;;
	esac
	root=$dir/rootfs
}
# It could be overwritten by anybody, the guest's root or a program of ours on his behalf.
canary() {
	mkdir -p "$own/tree/sub" "$own/sys/net/ipv4" "$own/self/attr"
	echo kept | tee "$own/tree/file" "$own/null" "$own/console" "$own/tty1" "$own/sys/net/ipv4/ip_forward" \
		"$own/self/attr/current" "$own/self/attr/exec" "$own/machine-id" "$own/shadow" "$own/oom_score_adj" >/dev/null
	chmod -R a+rwX "$own"
	[ "$who" = root ] || chown -R "$who:" "$own"
}
own_now() {
	cut -d ' ' -f 4,5,6 /proc/self/mountinfo | sort
	find "$own" -printf '%p %y %m %U %G %s %l\n' | sort
	find "$own" -type f -exec md5sum {} + | sort
	sysctl -a 2>/dev/null | grep -E '^(kernel\.(core_pattern|panic|printk|hostname|domainname|modprobe|sysrq)|net\.ipv4\.(ip_forward|conf\.(all|default)\.)|vm\.)' |
		grep -v 'stat_refresh\|vm.nr_huge'
}
untouched() {
	is "$(own_now)" "$before" "$who: $1: the host is as it was"
}
me() {
	case $who in
	root) "$@" ;;
	*) as "$who" "$@" ;;
	esac
}
go() {
	case $who in
	root) run "$@" ;;
	*) run as "$who" "$@" ;;
	esac
}
start() {
	go lxc-start -n "$n" "$@"
}
stop() {
	me lxc-stop -n "$n" -k >/dev/null 2>&1
}
attach() {
	me timeout -k 2 20 lxc-attach -n "$n" -- "$@"
}
# plant COMMAND...: in the root, as those who own it: in alice's case the mapped root.
plant() {
	case $who in
	root) (cd "$root" && "$@") ;;
	*) (cd "$root" && setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@") ;;
	esac
}

enemy() {
	become "$1"
	canary
	printf 'lxc.net.0.type = empty\n' >"$scratch/base.conf"
	if [ "$who" = root ]; then
		run lxc-create -n "$n" -t busybox -f "$scratch/base.conf"
	else
		run as "$who" lxc-create -n "$n" -t busybox
		sed -i 's/^lxc.net.0.type.*/lxc.net.0.type = empty/' "$dir/config"
	fi
	result "$status" "$who: create"
	uid=$(stat -c %u "$root")
	cp "$attacker" "$root/bin/attacker"
	cp -p "$dir/config" "$scratch/config.$who"
	before=$(own_now)
}

# ---- a /proc that is not one (2015-1334, 2016-9962, 2019-16884, 2025-52881)

# Regular files, then fifos that would hang whoever opens them, where a joining process would look or write. What was
# written there is told afterwards.
false_proc() {
	attach sh -c '
		mount -t tmpfs tmpfs /proc || exit 9
		mkdir -p /proc/self/attr/apparmor /proc/self/fd /proc/self/ns /proc/thread-self/attr /proc/1/ns /proc/1/attr /proc/1/fd \
			/proc/sys/kernel /proc/self/task
		for f in self/attr/current self/attr/exec self/attr/apparmor/exec thread-self/attr/exec thread-self/attr/current \
			self/status 1/status self/uid_map self/gid_map self/setgroups 1/attr/current self/oom_score_adj \
			self/loginuid self/mountinfo mounts sys/kernel/cap_last_cap sys/kernel/ngroups_max self/cgroup; do
			'"$1"' /proc/$f
		done'
}
fakes() {
	for kind in 'touch' 'mkfifo' 'ln -s /etc/stolen'; do
		start
		[ "$status" -eq 0 ] || { result 1 "$who: start"; comment "$err"; return; }
		false_proc "$kind"
		result $? "$who: /proc is covered by $kind"
		run_limit=20
		go lxc-attach -n "$n" -- sh -c 'echo entered; id -u'
		ok "$who: $kind: attach ends by itself" test "$status" -ne 124
		case $status in
		0) is "$out" "entered
0" "$who: $kind: it entered" ;;
		*) like "$err" 'lxc-attach: .+' "$who: $kind: it refuses with a sentence" ;;
		esac
		run_limit=60
		pid=$(me lxc-info -n "$n" -p -H)
		is "$(find "/proc/$pid/root/proc" -type f -size +0)$(ls "/proc/$pid/root/etc/stolen" 2>/dev/null)" "" "$who: $kind: nothing was written into it"
		# Who is in there although its /proc lies has no more rights than who entered before.
		me lxc-attach -n "$n" -- sleep 33 2>/dev/null &
		if eventually 3 pgrep -f '^sleep 33$'; then
			sleeper=$(pgrep -o -f '^sleep 33$')
			is "$(grep -E '^(CapBnd|Seccomp|NoNewPrivs|CapInh)' "/proc/$sleeper/status")" \
				"$(grep -E '^(CapBnd|Seccomp|NoNewPrivs|CapInh)' "/proc/$pid/status")" "$who: $kind: who enters is as confined as init"
			is "$(readlink "/proc/$sleeper/ns/user" "/proc/$sleeper/ns/mnt" "/proc/$sleeper/ns/pid")" \
				"$(readlink "/proc/$pid/ns/user" "/proc/$pid/ns/mnt" "/proc/$pid/ns/pid")" "$who: $kind: ... and in the same namespaces"
		else
			# It refused above, too.
			result 0 "$who: $kind: nobody enters"
		fi
		stop
		wait
	done
	untouched "fake /proc"
	# A volume over /proc, or over a part of it, while it starts.
	plant mkdir -p vol/sys/net/ipv4 vol/self/attr
	plant sh -c 'echo kept >vol/sys/net/ipv4/ip_forward; echo kept >vol/self/attr/current; echo kept >vol/oom_score_adj'
	for target in proc proc/sys proc/sys/net; do
		source=vol
		[ "$target" = proc ] || source=vol/sys
		[ "$target" != proc/sys/net ] || source=vol/sys/net
		for more in "lxc.sysctl.net.ipv4.ip_forward=1" "lxc.proc.oom_score_adj=500"; do
			start -s "lxc.mount.entry=$source $target none bind,relative 0 0" -s "$more"
			if [ "$status" -eq 0 ]; then
				value=$(cat "$root/vol/sys/net/ipv4/ip_forward" "$root/vol/oom_score_adj" | tr '\n' ' ')
				is "$value" "kept kept " "$who: $more went to the kernel, not to a file at $target"
				stop
			else
				like "$err" 'lxc-start: .+' "$who: $more with a volume over $target is refused"
				is "$(cat "$root/vol/sys/net/ipv4/ip_forward" "$root/vol/oom_score_adj" | tr '\n' ' ')" "kept kept " "... and nothing written"
			fi
		done
	done
	untouched "volumes over /proc"
}

# ---- an image's own /dev (2025-31133, 2025-52565, 2026-41579, 2026-88264, 2026-88265)

devs() {
	for target in "$own" "../../../../../../../../../..$own" "/proc/1/root$own" "/proc/self/cwd$own"; do
		for name in null console pts shm mqueue tty1 ptmx zero full random tty fd stdin; do
			plant rm -rf dev
			plant mkdir dev
			case $name in
			console | null | tty1) plant ln -s "$target/$name" "dev/$name" ;;
			*) plant ln -s "$target/tree" "dev/$name" ;;
			esac
			for autodev in 0 1; do
				start -s "lxc.autodev=$autodev" -s lxc.tty.max=2 -s lxc.mount.auto=
				[ "$status" -ne 0 ] || stop
				[ "$(own_now)" = "$before" ] || result 1 "$who: /dev/$name -> $target with lxc.autodev = $autodev changed the host"
			done
		done
		untouched "symlinks to $target in /dev"
	done
	# The directory for terminals, then /dev itself.
	for target in "$own/tree" "../../../../../../../../../..$own/tree"; do
		plant rm -rf dev
		plant mkdir dev
		plant ln -s "$target" dev/lxc
		for autodev in 0 1; do
			start -s "lxc.autodev=$autodev" -s lxc.tty.max=2 -s lxc.tty.dir=lxc
			[ "$status" -ne 0 ] || stop
		done
		plant rm -rf dev
		plant ln -s "$target" dev
		for autodev in 0 1; do
			start -s "lxc.autodev=$autodev" -s lxc.tty.max=2
			[ "$status" -ne 0 ] || stop
			[ "$status" -ne 0 ] || result 1 "$who: /dev -> $target is refused with lxc.autodev = $autodev"
		done
		untouched "terminals in $target"
	done
	for what in 'touch dev/null' 'mkdir dev/null' 'mkfifo dev/null' 'mkfifo dev/console' 'mkdir dev/console' 'mkfifo dev/ptmx'; do
		plant rm -rf dev
		plant mkdir dev
		plant $what
		run_limit=20
		start -s lxc.autodev=0
		ok "$who: '$what' does not hang a start" test "$status" -ne 124
		[ "$status" -ne 0 ] || stop
	done
	run_limit=60
	plant rm -rf dev
	plant mkdir dev
	start
	is "$(attach stat -c '%F %t:%T' /dev/null)" "character special file 1:3" "$who: /dev/null is what it should be"
	stop
	untouched "files in /dev"
}

# ---- one volume, two containers, and one of them is moving things (2019-19921, 2021-30465, 2024-45310)

races() {
	plant mkdir -p vol/a/b vol/c mnt/v
	plant ln -s "$own/tree" vol/link
	printf '%s\n' "lxc.mount.entry = $root/vol mnt/v none bind 0 0" >>"$dir/config"
	plant cp bin/attacker vol/c/attacker
	me lxc-copy -n "$n" -N "$n-b" >/dev/null 2>&1
	me lxc-start -n "$n-b"
	ok "$who: the one who moves things runs" me lxc-attach -n "$n-b" -- test -d /mnt/v/a
	me lxc-attach -n "$n-b" -- sh -c 'cd /mnt/v && exec attacker exchange a link' >/dev/null 2>&1 &
	ok "$who: and moves them" eventually 5 pgrep -f '^attacker exchange a link$'
	i=0
	started=0
	while [ $i -lt "$starts" ]; do
		i=$((i + 1))
		start -s "lxc.mount.entry=tmpfs mnt/v/a/made/deep tmpfs create=dir,optional 0 0" \
			-s "lxc.mount.entry=/etc/hostname mnt/v/a/made/file none bind,create=file,optional 0 0"
		[ "$status" -ne 0 ] || { started=$((started + 1)); stop; }
	done
	ok "$who: some of $starts starts succeed ($started)" test "$started" -gt 0
	kill "$(pgrep -f '^attacker exchange a link$')"
	wait
	me lxc-stop -n "$n-b" -k >/dev/null 2>&1
	me lxc-destroy -n "$n-b" >/dev/null 2>&1
	untouched "a shared volume whose directories move during $starts starts"
	cp -p "$scratch/config.$who" "$dir/config"
	# Its own system directories, moved from outside by its mapped root.
	for name in dev proc sys etc; do
		plant ln -s "$own/tree" ".$name"
		case $who in
		root) "$attacker" exchange "$root/$name" "$root/.$name" & ;;
		*) plant "$attacker" exchange "$name" ".$name" & ;;
		esac
		eventually 5 pgrep -f "^$attacker exchange"
		racer=$(pgrep -f "^$attacker exchange")
		i=0
		while [ $i -lt "$((starts / 3))" ]; do
			i=$((i + 1))
			start -s "lxc.mount.entry=/etc/hostname etc/hostname none bind,create=file,optional 0 0"
			[ "$status" -ne 0 ] || stop
		done
		kill "$racer"
		wait "$racer" 2>/dev/null
		if [ -L "$root/$name" ]; then
			plant rm "$name"
			plant mv ".$name" "$name"
		else
			plant rm ".$name"
		fi
		untouched "/$name that moves during $((starts / 3)) starts"
	done
}

# ---- our programs' own files (2019-5736)

programs() {
	sums=$(cat "$TIFFIN_INST"/bin/lxc-* "$TIFFIN_INST"/libexec/lxc/* "$TIFFIN_INST"/sbin/init.lxc* | md5sum)
	plant sh -c 'printf "#!/proc/self/exe\n" >bin/evil; chmod 755 bin/evil'
	start
	# In the background: a program that is being executed, as lxc-attach would be, refuses writers.
	attach sh -c 'attacker overwrite >/tmp/overwrite 2>&1 </dev/null &'
	ok "$who: a program waits for ours" eventually 10 grep -q '^watching ' "$root/tmp/overwrite"
	i=0
	while [ $i -lt "$starts" ]; do
		i=$((i + 1))
		me lxc-attach -n "$n" -- /bin/evil >/dev/null 2>&1
		me lxc-attach -n "$n" -- true
	done
	attach kill "$(sed -n 's/^watching //p' "$root/tmp/overwrite")"
	is "$(sed 1d "$root/tmp/overwrite" | sort -u)" "" "$who: none of ours could be opened for writing in $starts attaches"
	stop
	is "$(cat "$TIFFIN_INST"/bin/lxc-* "$TIFFIN_INST"/libexec/lxc/* "$TIFFIN_INST"/sbin/init.lxc* | md5sum)" "$sums" "$who: they are what they were"
	[ "$who" != root ] || for mode in start execute; do
		# What runs as init is the caller's, its /proc/self/exe ours.
		rm -f "$root/sbin/init"
		cp "$root/bin/evil" "$root/sbin/init"
		case $mode in
		start) run lxc-start -n "$n" ;;
		*) run lxc-execute -n "$n" -- /bin/evil ;;
		esac
		stop
		is "$(cat "$TIFFIN_INST"/bin/lxc-* "$TIFFIN_INST"/libexec/lxc/* "$TIFFIN_INST"/sbin/init.lxc* | md5sum)" "$sums" "$who: nor by lxc-$mode"
		ln -sf ../bin/busybox "$root/sbin/init"
	done
	plant rm -f bin/evil tmp/overwrite
	# A mapped root may trace those of his ids: not before they execute a program of his.
	[ "$who" = root ] || {
		start
		me lxc-attach -n "$n" -- attacker peek >"$scratch/peek" 2>&1 &
		watcher=$!
		ok "$who: a program looks for traceable ones" eventually 10 grep -q '^watching ' "$scratch/peek"
		i=0
		while [ $i -lt "$starts" ]; do
			i=$((i + 1))
			me lxc-attach -n "$n" -- true
		done
		me lxc-attach -n "$n" -- kill "$(sed -n 's/^watching //p' "$scratch/peek")"
		wait "$watcher" 2>/dev/null
		is "$(sed 1d "$scratch/peek" | sort | uniq -c)" "" "$who: none of $starts that enter can be traced"
		stop
	}
}

# ---- directories and descriptors (2024-21626)

directories() {
	plant sh -c 'rm -rf wd; ln -s /proc/self/fd/3 wd; ln -s /proc/1/root/../.. up'
	start
	for where in "$own/tree" /proc/self/fd/3 /proc/self/cwd "$own"; do
		(
			cd "$own" && cd "$where" 2>/dev/null
			exec 3<"$own/tree" 4<"$own" 5</
			me lxc-attach -n "$n" -- sleep 44 2>/dev/null
		) 3<"$own" &
		if eventually 5 pgrep -f '^sleep 44$'; then
			sleeper=$(pgrep -o -f '^sleep 44$')
			# It may have one of that name.
			is "$(stat -L -c %d:%i "/proc/$sleeper/cwd")" "$(stat -c %d:%i "$root$(readlink "/proc/$sleeper/cwd")")" \
				"$who: attached from $where it is in a directory of its own"
			is "$(find "/proc/$sleeper/fd" -lname "$own*")" "" "$who: ... and has no descriptor of there"
			kill "$sleeper"
		else
			result 1 "$who: attach from $where"
		fi
		wait
	done
	stop
	for cwd in /wd /up /wd/.. /proc/self/fd/4 /proc/self/fd/8 /proc/thread-self/fd/5 /proc/1/cwd/../..; do
		start -s "lxc.init.cwd=$cwd"
		[ "$status" -eq 0 ] || { like "$err" 'lxc.init.cwd' "$who: lxc.init.cwd = $cwd is refused"; continue; }
		pid=$(me lxc-info -n "$n" -p -H)
		unlike "$(stat -L -c %d:%i "/proc/$pid/cwd")" "^$(stat -c %d:%i /)\$" "$who: lxc.init.cwd = $cwd is not the host's root"
		like "$(attach readlink /proc/1/cwd)" '^/' "$who: ... but inside"
		stop
	done
	plant rm -f wd
	# Whoever has the host's processes in its /proc has links to the host's directories there.
	[ "$who" != root ] || for link in "/proc/1/root$own/tree" "/proc/1/cwd/../../../../../../../..$own/tree"; do
		plant ln -s "$link" wd
		start -s lxc.namespace.keep=pid -s "lxc.init.cmd=/bin/sleep 1000" -s lxc.init.cwd=/wd
		if [ "$status" -eq 0 ]; then
			pid=$(me lxc-info -n "$n" -p -H)
			unlike "$(stat -L -c %d:%i "/proc/$pid/cwd")" "^$(stat -c %d:%i "$own/tree")\$" "$who: lxc.init.cwd -> $link is not the host's"
			stop
		else
			like "$err" 'lxc.init.cwd' "$who: lxc.init.cwd -> $link is refused"
		fi
		plant rm -f wd
	done
	plant rm -f up
	untouched "working directories"
}

# ---- the caller's terminal, for every tool that may share it (2016-10124)

# What was typed into the terminal; the end of its input that script(1) passes on, now or later, is nobody's attack.
typed() {
	tr -d '\004' <"$scratch/typed"
}

terminals() {
	# The same without a container, to know that it would be heard.
	: >"$scratch/typed"
	chmod 666 "$scratch/typed"
	me script -qec "sh -c '$attacker later; $attacker hear 1500 >$scratch/typed'" /dev/null </dev/null >/dev/null 2>&1
	case $who$(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null) in
	alice0) ;;
	*) like "$(typed)" PWNED "$who: who shares the terminal types into it" ;;
	esac
	start
	for command in "lxc-attach -n $n -- attacker tiocsti" "lxc-execute -n $n-e -f $dir/config -s lxc.rootfs.path=dir:$root -- /bin/attacker tiocsti" \
		"lxc-attach -n $n -- su -c /bin/attacker\ tiocsti"; do
		: >"$scratch/typed"
		chmod 666 "$scratch/typed"
		case $command in lxc-execute*) stop ;; esac
		me script -qec "sh -c '$command; $attacker hear 500 >$scratch/typed'" /dev/null </dev/null >"$scratch/said" 2>&1
		is "$(typed)" "" "$who: ${command%% *} types nothing into the caller's terminal"
		case $command in lxc-execute*) start ;; esac
	done
	: >"$scratch/typed"
	me script -qec "sh -c 'lxc-attach -n $n -- attacker later; $attacker hear 1500 >$scratch/typed'" /dev/null </dev/null >"$scratch/said" 2>&1
	is "$(typed)" "" "$who: nor does what it leaves running"
	stop
	# lxc-start -F: init's console is a terminal of its own.
	plant sh -c 'rm -f sbin/init; printf "#!/bin/sh\n/bin/attacker tiocsti\n" >sbin/init; chmod 755 sbin/init'
	: >"$scratch/typed"
	me script -qec "sh -c 'timeout 20 lxc-start -n $n -F; $attacker hear 500 >$scratch/typed'" /dev/null </dev/null >"$scratch/said" 2>&1
	like "$(cat "$scratch/said")" tried "$who: an init has tried"
	is "$(typed)" "" "$who: lxc-start -F types nothing into the caller's terminal"
	stop
	plant ln -sf ../bin/busybox sbin/init
}

# ---- cgroups (2014-1425, 2023-25809)

cgroups() {
	start
	pid=$(me lxc-info -n "$n" -p -H)
	limits() {
		while IFS=: read -r _ _ path; do
			for top in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/memory /sys/fs/cgroup/pids /sys/fs/cgroup/cpu; do
				up=$path
				while [ -n "$up" ] && [ "$up" != / ]; do
					up=${up%/*}
					case $up in *lxc.payload*) continue ;; esac
					(cd "$top/$up" 2>/dev/null && grep -H . memory.max memory.limit_in_bytes pids.max cpu.max cpu.shares cgroup.subtree_control cgroup.freeze 2>/dev/null |
						sed "s,^,$top$up/,")
				done
			done
		done <"/proc/$pid/cgroup" | sort -u
	}
	limits_before=$(limits)
	attach sh -c '
		cd /sys/fs/cgroup || exit
		for d in . .. ../.. ../../.. /proc/1/root/sys/fs/cgroup/.. $(find . -maxdepth 4 -type d); do
			for f in memory.max memory.limit_in_bytes pids.max cpu.shares cgroup.procs tasks release_agent notify_on_release cgroup.subtree_control; do
				case $d in .|..*|*/..) ;; */lxc*) ;; *) continue ;; esac
				[ -e $d/../$f ] && echo 7 >$d/../$f
				[ -e $d/release_agent ] && echo /bin/attacker >$d/release_agent
			done
		done
		mkdir -p /run/cg && for t in memory pids cpu devices; do
			mount -t cgroup -o $t cgroup /run/cg && { find /run/cg -maxdepth 1; umount /run/cg; }
		done
		mount -t cgroup2 cgroup2 /run/cg && ls /run/cg' >"$scratch/cgroups" 2>&1
	is "$(limits)" "$limits_before" "$who: the guest's root changed no cgroup above its own"
	is "$(cat /sys/fs/cgroup/*/release_agent 2>/dev/null)" "$agents" "$who: nor any release agent"
	# Who has no cgroup of his own has none to be the root of what he sees.
	[ "$who" != root ] || unlike "$(cat "$scratch/cgroups")" "lxc.payload|lxc.monitor" "$who: and sees none of others"
	run as bob lxc-cgroup -n "$n" -P "${dir%/*}" memory.max 1
	ok "$who: nor does another user by lxc-cgroup" test "$status" -ne 0
	is "$(me lxc-info -n "$n" -s -H | sed 's/.* //')" RUNNING "$who: it runs"
	stop
}

# ---- what is written into a root (2025-24965)

written() {
	for file in etc/machine-id etc/hostname etc/resolv.conf var/lib/dbus/machine-id etc/ssh etc; do
		plant sh -c "mkdir -p .kept/$file; rm -rf .kept; mkdir .kept; [ ! -e $file ] || mv $file .kept/; mkdir -p \$(dirname $file); ln -s $own/machine-id $file"
		case $file in etc | etc/ssh) plant ln -sfn "$own/tree" "$file" ;; esac
		go lxc-copy -n "$n" -N "$n-c"
		[ "$status" -ne 0 ] || {
			go lxc-start -n "$n-c"
			me lxc-stop -n "$n-c" -k >/dev/null 2>&1
		}
		me lxc-destroy -n "$n-c" >/dev/null 2>&1
		plant sh -c "rm -f $file; [ ! -e .kept/\$(basename $file) ] || mv .kept/\$(basename $file) $file"
		untouched "a copy with /$file elsewhere"
	done
	plant rm -rf .kept
}

# ---- text (2021-43784)

texts() {
	long=$(head -c 70000 /dev/zero | tr '\0' a)
	for key in lxc.uts.name lxc.environment lxc.hook.pre-start lxc.init.cmd lxc.mount.entry lxc.rootfs.path lxc.console.path \
		lxc.seccomp.profile lxc.net.0.link lxc.net.0.hwaddr lxc.cap.drop lxc.group lxc.signal.halt lxc.idmap; do
		cp -p "$scratch/config.$who" "$dir/config"
		echo "$key = A=$long" >>"$dir/config"
		run_limit=20
		start
		[ "$status" -ne 0 ] && [ "$status" -ne 1 ] && result 1 "$who: $key of 70000 bytes ended with $status"
		[ "$status" -eq 1 ] || stop
	done
	run_limit=60
	cp -p "$scratch/config.$who" "$dir/config"
	start
	result "$status" "$who: after values of 70000 bytes it starts"
	stop
}

agents=$(cat /sys/fs/cgroup/*/release_agent 2>/dev/null)
for enemy in root alice; do
	enemy "$enemy"
	[ "$tests_failed" -eq 0 ] || break
	for class in ${ATTACKS:-fakes devs races programs directories terminals cgroups written texts}; do
		$class
	done
	start
	case $(uname -m) in
	x86_64) unlike "$(attach attacker alg32)" allowed "$who: no socket of the kernel's crypto by a 32-bit call" ;;
	esac
	stop
	go lxc-destroy -n "$n"
	result "$status" "$who: it is destroyed"
	untouched "the end"
	is "$(find "${dir%/*}" -mindepth 1 -maxdepth 1)" "" "$who: nothing is left"
done
finish
