#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# lxc-user-nic: a veth device for ordinary users as far as the administrator allows, and its enemies.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox userns newuidmap setpriv setcap
sandbox "$0"
users alice bob
n=$tag
helper=$TIFFIN_INST/libexec/lxc/lxc-user-nic
[ -x "$helper" ] || skip_all "user-nic: built without it"
setcap cap_net_admin,cap_dac_override,cap_chown+p "$helper" || skip_all "setcap: not supported by the file system"
policy=$TIFFIN_INST/etc/lxc/lxc-usernet
[ -e "$policy" ] || : >"$policy"
usernet() {
	printf '%s\n' "$@" >"$scratch/usernet"
}
usernet
mount --bind "$scratch/usernet" "$policy"
mounts_before=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
veths() {
	ip -o link show master lxcbr0 | wc -l
}

usernet "alice veth lxcbr0 2"
succeeds "create finds the grant" as alice lxc-create -n "$n" -t busybox
like "$(cat "/home/alice/.local/share/lxc/$n/config")" "^lxc.net.0.link = lxcbr0" "... and takes the bridge"
succeeds "it starts" as alice lxc-start -n "$n"
is "$(veths)" 1 "the bridge has a port"
like "$(as alice lxc-attach -n "$n" -- ip link show dev eth0)" "UP" "its eth0 is up"
# Its DHCP client may take the address away once more.
ok "it reaches the host" eventually 10 as alice lxc-attach -n "$n" -- sh -c 'ip addr flush dev eth0; ip addr add 10.0.3.77/24 dev eth0
	ping -c 1 -W 3 10.0.3.1'
like "$(cat /run/lxc/nics)" "^alice veth lxcbr0 veth[A-Za-z0-9_]+$" "the database has its line"
is "$(stat -c %a:%u /run/lxc/nics)" 600:0 "and is root's"
pid=$(as alice lxc-info -n "$n" -p -H)
is "$(grep -c '^' /run/lxc/nics)" 1 "one line"
succeeds "a second device is granted" as alice "$helper" create /x "$n" "$pid" veth lxcbr0 eth7
like "$out" '^eth7:[0-9]+:veth[A-Za-z0-9_]+:[0-9]+$' "it says what it made"
fails 1 "a third is not" as alice "$helper" create /x "$n" "$pid" veth lxcbr0 eth8
like "$err" "alice may make no more veth devices on lxcbr0" "... which is said"
is "$(veths)" 2 "there are two"

# ---- whose namespace it is

as bob lxc-create -n "$n" -t busybox 2>/dev/null
as bob lxc-start -n "$n" 2>/dev/null
bobs=$(as bob lxc-info -n "$n" -p -H)
usernet "alice veth lxcbr0 9"
sleep 100 &
roots=$!
as alice unshare -U sleep 100 &
users_only=$!
eventually 5 pgrep -u alice sleep
for other in "$bobs" "$roots" 1 99999999 "$(pgrep -o -u alice sleep)"; do
	fails 1 "no device for process $other" as alice "$helper" create /x "$n" "$other" veth lxcbr0 eth8
	is "$(printf '%s' "$err" | sed 's/process [0-9]*/process/')" \
		"lxc-user-nic: process is not the init of a container of yours" "... and one answer for all"
done
is "$(veths)" 2 "none was made"
kill "$roots" "$users_only"
wait "$roots" "$users_only" 2>/dev/null

# ---- what it is given

for word in "" / ../x "a b" -x lxcbr0x /dev/ptmx "$(printf 'a\nb')" 1234567890123456; do
	fails 1 "no link '$word'" as alice "$helper" create /x "$n" "$pid" veth "$word" eth8
	fails 1 "no device '$word'" as alice "$helper" create /x "$n" "$pid" veth lxcbr0 "${word:-/}x/"
done
for word in "" 0 -1 +1 1x 0x1 99999999999 "/proc/$pid" self; do
	fails 1 "no process '$word'" as alice "$helper" create /x "$n" "$word" veth lxcbr0 eth8
done
mkfifo "$scratch/fifo"
said=''
for path in /root/secret /nonexistent "$scratch/fifo" "/proc/$pid/ns/net" /dev/ptmx; do
	run as alice "$helper" delete /x "$n" "$path" veth lxcbr0 veth0
	is "$status" 1 "delete of $path is refused"
	[ -z "$said" ] || is "$err" "$said" "... by the same words"
	said=$err
done
fails 1 "no call without words" as alice "$helper"
# What it is given is never a path: the same words, the same status and no look at it, there or not.
mkdir -m 700 "$scratch/closed"
touch "$scratch/closed/there"
mkfifo "$scratch/closed/queue"
mkdir "$scratch/closed/inner"
for word in LINK DEVICE PID LXCPATH NAME; do
	said=''
	for path in "$scratch/closed/there" "$scratch/closed/other" "$scratch/closed/queue" "$scratch/closed/inner"; do
		case $word in
		LINK) set -- create /x "$n" "$pid" veth "$path" eth8 ;;
		DEVICE) set -- create /x "$n" "$pid" veth lxcbr0 "$path" ;;
		PID) set -- create /x "$n" "$path" veth lxcbr0 eth8 ;;
		LXCPATH) set -- create "$path" "$n" 1 veth lxcbr0 eth8 ;;
		NAME) set -- create /x "$path" 1 veth lxcbr0 eth8 ;;
		esac
		run as alice "$helper" "$@"
		[ -z "$said" ] || is "$status $err" "$said" "one answer for $word $path"
		said="$status $err"
		if command -v strace >/dev/null; then
			strace -u alice -o "$scratch/trace" "$helper" "$@" >/dev/null 2>&1
			like "$(cat "$scratch/trace")" '^execve' "it is watched"
			is "$(sed 1d "$scratch/trace" | grep -v '^write' | grep -F "\"$path")" "" "$word $path is not looked at"
		else
			skip "$word $path is not looked at" "strace: it is not installed"
		fi
	done
done
# Nobody takes away what is somebody else's.
port=$(sed -n 's/^alice veth lxcbr0 //p' /run/lxc/nics | head -n 1)
for who in alice bob; do
	said=''
	for name in "$port" lxcbr0 out0 nothere ../../x; do
		run as "$who" "$helper" delete /x "$n" "$pid" veth lxcbr0 "$name"
		is "$status" 1 "$who deletes no $name"
		[ -z "$said" ] || is "$err" "$said" "... by the same words"
		said=$err
	done
done
ok "the port is there" ip link show "$port"
is "$(veths)" 2 "nothing came of it"
usernet "alice veth lxcbr0 0" "bob veth lxcbr0 5" "alicex veth lxcbr0 5" "@nobody veth lxcbr0 5" "alice phys lxcbr0 5"
fails 1 "grants of others do not count" as alice "$helper" create /x "$n" "$pid" veth lxcbr0 eth8
chmod 666 "$scratch/usernet"
usernet "alice veth lxcbr0 9"
fails 1 "a policy that others may write is none" as alice "$helper" create /x "$n" "$pid" veth lxcbr0 eth8
chmod 644 "$scratch/usernet"
mv /run/lxc/nics /run/lxc/nics.real
ln -s "$scratch/victim" /run/lxc/nics
fails 1 "a database that is a link is none" as alice "$helper" create /x "$n" "$pid" veth lxcbr0 eth8
ok "nothing was made through it" test ! -e "$scratch/victim"
rm /run/lxc/nics
mv /run/lxc/nics.real /run/lxc/nics
printf '%s\n' "@staff veth lxcbr0 vethgone" "bob veth lxcbr0 vethgone2" >>/run/lxc/nics
succeeds "it works again" as alice "$helper" create /x "$n" "$pid" veth lxcbr0 eth9
unlike "$(cat /run/lxc/nics)" "vethgone" "lines of devices that are gone are gone"
is "$(grep -c '^alice' /run/lxc/nics)" 3 "lines of those that are there are there"

# ---- two at once never exceed the quota

usernet "alice veth lxcbr0 5"
for i in 1 2 3 4 5 6; do
	as alice "$helper" create /x "$n" "$pid" veth lxcbr0 "eth2$i" >"$scratch/out$i" 2>/dev/null &
	eval "job$i=$!"
done
for i in 1 2 3 4 5 6; do
	eval "wait \$job$i"
done
is "$(veths)" 5 "six callers at once get what is granted"

# ---- as the pages have it

example() {
	awk '/^# /{inside = /^# EXAMPLES$/} /^```/{block = !block; next} inside && block' "$top_srcdir/tools/$1.scd" |
		sed "s,/usr/libexec/lxc/,$TIFFIN_INST/libexec/lxc/,g; s/ box / $n /g"
}
usernet "$(example lxc-usernet.5)"
example lxc-user-nic.1 >"$scratch/examples"
is "$(wc -l <"$scratch/examples")" 2 "lxc-user-nic(1) has two examples"
succeeds "the administrator's example" sh -c "$(sed -n 1p "$scratch/examples")"
succeeds "the user's example, as lxc-usernet(5) allows" as alice sh -c "$(sed -n 2p "$scratch/examples")"
like "$out" '^eth1:[0-9]+:veth[A-Za-z0-9_]+:[0-9]+$' "makes a device"
is "$(veths)" 6 "which is on the bridge"

usernet ""
fails 1 "without a grant it does not start again" as alice lxc-start -n "$n-x" -f "/home/alice/.local/share/lxc/$n/config"
like "$err" "user alice may make no more veth devices on lxcbr0" "... which is said"
like "$err" "add the line 'alice veth lxcbr0 10' to" "... with the remedy"
fails 1 "nor with another type" as alice lxc-start -n "$n-x" -f "/home/alice/.local/share/lxc/$n/config" \
	-s lxc.net.0.type=macvlan -s lxc.net.0.link=lxcbr0
like "$err" "lxc.net.N.type = user" "... which names the one there is"
succeeds "it stops" as alice lxc-stop -n "$n" -k
ok "and its devices are gone" eventually 10 sh -c '[ "$(ip -o link show master lxcbr0 | wc -l)" -eq 0 ]'
as bob lxc-stop -n "$n" -k
succeeds "destroy works" as alice lxc-destroy -n "$n"
as bob lxc-destroy -n "$n"

finish
