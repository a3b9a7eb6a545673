#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Containers of ordinary users, who have a range of ids and nothing else: no configuration, no setuid program of
# ours, a home that nobody else may enter.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox userns newuidmap setpriv pasta dnsmasq script
sandbox "$0"
users alice bob -carol
n=$tag
home=/home/alice/.local/share/lxc

state() {
	as alice lxc-info -n "$n" -s -H 2>/dev/null | sed 's/^State:[[:blank:]]*//'
}
state_is() {
	[ "$(state)" = "$1" ]
}

is "$(find "$TIFFIN_INST" -perm /6000)" "" "nothing that is installed is setuid or setgid"

# Its own name is that of a build for this processor.
# shellcheck disable=SC2329,SC2317 # through eventually
pastas() {
	pgrep -f '^pasta --foreground'
}

# ---- from nothing to nothing

succeeds "create works without a configuration" as alice lxc-create -n "$n" -t busybox
is "$(stat -c %a /home/alice)" 700 "the home is still closed"
is "$(stat -c %a:%U "$home/$n")" 700:alice "so is the container's directory"
base=$(stat -c %u "$home/$n/rootfs")
is "$(sed -n 's/^alice:\([0-9]*\):.*/\1/p' /etc/subuid)" "$base" "its root belongs to the first granted id"
like "$(cat "$home/$n/config")" "^lxc.idmap = u 0 $base 65536" "the map is in its configuration"
like "$(cat "$home/$n/config")" "^lxc.net.0.type = user" "and the network"
run as alice lxc-start -n "$n" --explain
like "$out" "^ids +uid 0 is host $base, 65536 of them" "explain says which ids"
like "$out" "^network +.*user.*pasta" "... and which network"
like "$out" "^cgroup +none" "... and that there are no cgroups"
succeeds "it starts" as alice lxc-start -n "$n"
is "$(printf '%s\n' "$err" | grep -c cgroup)" 1 "one line says that there are no cgroups"
pid=$(as alice lxc-info -n "$n" -p -H)
is "$(stat -c %u "/proc/$pid")" "$base" "its init is the mapped root"
is "$(as alice lxc-attach -n "$n" -- id -u)" 0 "attach is root inside"
run as alice lxc-info -n "$n"
like "$out" "^IDs: +0-65535 are $base-" "info says which ids"
like "$out" "^Network: +pasta" "... and what carries its packets"
is "$(as alice lxc-attach -n "$n" -- sh -c 'echo x >/root/made && cat /root/made')" x "it writes"
is "$(stat -c %u "$home/$n/rootfs/root/made")" "$base" "as the mapped root"
run as alice script -qec "timeout --foreground 3 lxc-console -n $n -t 1" /dev/null
like "$out" "Connected to tty 1" "the console works"
as alice lxc-attach -n "$n" -- reboot
# shellcheck disable=SC2329,SC2317 # through eventually
rebooted() {
	[ "$(as alice lxc-info -n "$n" -p -H)" != "$pid" ] && state_is RUNNING
}
ok "reboot from inside works" eventually 20 rebooted
fails 1 "freezing is refused for want of cgroups" as alice lxc-freeze -n "$n"
succeeds "it stops" as alice lxc-stop -n "$n"
is "$(pastas)" "" "and its network with it"
fails 1 "a limit is refused" as alice lxc-start -n "$n" -s lxc.cgroup2.memory.max=64M
like "$err" "lxc.cgroup2.memory.max cannot be applied: .*not writable" "... not ignored"
printf 'lxc.idmap = u 0 %s 65536\nlxc.idmap = g 0 %s 65536\nlxc.net.0.type = user\n' "$base" "$base" >"$scratch/execute.conf"
is "$(as alice lxc-execute -n "$n-x" -f "$scratch/execute.conf" -- id -u)" 0 "execute works"
with_address=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	as alice lxc-execute -n "$n-x" -f "$scratch/execute.conf" -- ip -4 addr show dev eth0 >"$scratch/address" 2>/dev/null
	! grep -q 'inet 10.0.2.15/24' "$scratch/address" || with_address=$((with_address + 1))
done
is "$with_address" 10 "with an address that needs no guest to ask for it, from its first instruction on"
{ sed 's/= user$/= none/' "$scratch/execute.conf" && echo 'lxc.mount.auto = proc sys cgroup'; } >"$scratch/none.conf"
is "$(as alice lxc-execute -n "$n-x" -f "$scratch/none.conf" -- ls /sys/class/net)" "$(ls /sys/class/net)" "it can have the host's network"
succeeds "and lasts with it" as alice lxc-start -n "$n" -s lxc.net.0.type=none
is "$(as alice lxc-attach -n "$n" -s 'USER|MOUNT|PID|NETWORK' -- readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)" \
	"attach enters the network that it is in already, without a right to it"
is "$(as alice lxc-attach -n "$n" -s 'USER|MOUNT|PID|UTSNAME' -- hostname)" "$n" "and a namespace of the container's"
succeeds "it stops again" as alice lxc-stop -n "$n" -k

# ---- the network

echo 'nameserver 127.0.0.1' >"$scratch/resolv"
mount --bind "$scratch/resolv" /etc/resolv.conf
dnsmasq --no-resolv --no-hosts --address=/there.test/192.0.2.10 --listen-address=127.0.0.1 --bind-interfaces \
	--pid-file="$scratch/dns.pid" --user=root
succeeds "it starts with published ports" as alice lxc-start -n "$n" -s lxc.net.0.publish=8080:80 \
	-s lxc.net.0.publish=127.0.0.1:8081:81
# shellcheck disable=SC2329,SC2317
has_address() {
	as alice lxc-attach -n "$n" -- ip -4 addr show dev eth0 | grep -q 'inet '
}
ok "it gets an address" eventually 10 has_address
like "$(as alice lxc-attach -n "$n" -- nslookup there.test 10.0.2.3)" "Address: 192.0.2.10" "names are resolved"
as alice lxc-attach -n "$n" -- sh -c 'mkdir -p /www && echo page >/www/index.html && httpd -p 80 -h /www'
is "$(busybox wget -qO- http://192.0.2.10:8080/)" page "a published port leads inside"
is "$(busybox wget -qO- http://192.0.2.10:8081/ 2>/dev/null)" "" "one of an address is there only"
fails 1 "the host's loopback is not the container's" as alice lxc-attach -n "$n" -- \
	sh -c 'echo | timeout 3 nc -w 2 10.0.2.2 53'
fails 1 "a port that is taken is refused" as alice lxc-execute -n "$n-y" \
	-f "$scratch/execute.conf" -s lxc.net.0.publish=8080:80 -- true
like "$err" "publish = 8080:80 cannot be opened on the host" "... by name"
helper=$(pastas)
kill -9 "$helper"
# shellcheck disable=SC2329,SC2317
back() {
	pastas | grep -qvx "$helper" && as alice lxc-attach -n "$n" -- ip link show dev eth0 >/dev/null 2>&1
}
ok "the network's program is started again" eventually 10 back
kill -9 "$(pgrep -o -f "^\[lxc monitor\] $home $n\$")"
ok "the container goes on without its monitor" eventually 10 state_is RUNNING
is "$(pastas | wc -l)" 1 "its network too"
succeeds "and stops" as alice lxc-stop -n "$n"
is "$(pastas)" "" "with its network"
kill "$(cat "$scratch/dns.pid")"
umount /etc/resolv.conf

# ---- at boot

succeeds "autostart is enabled by one command" as alice lxc-autostart --enable
like "$out" "made /home/alice/.config/systemd/user/lxc-user.service" "... which says what it made"
like "$out" "lingering" "... and what boot needs"
ok "the unit starts them" grep -q "^ExecStart=$TIFFIN_INST/bin/lxc-autostart -a" \
	/home/alice/.config/systemd/user/default.target.wants/lxc-user.service
succeeds "twice does no harm" as alice lxc-autostart --enable
echo "lxc.start.auto = 1" >>"$home/$n/config"
succeeds "what the unit runs" as alice lxc-autostart -a
ok "starts the container" state_is RUNNING
succeeds "and stops it" as alice lxc-autostart -k -a -A
ok "which has stopped" state_is STOPPED
succeeds "it is disabled by another" as alice lxc-autostart --disable
is "$(find /home/alice/.config/systemd -type f -o -type l)" "" "... which leaves nothing"
fails 1 "for root there is lxc.service" lxc-autostart --enable

# ---- a directory of one's own

as alice mkdir /home/alice/src
share="lxc.mount.entry=/home/alice/src src none bind,create=dir,idmap=caller:61001"
fails 1 "showing files with other ids is refused" as alice lxc-start -n "$n" -s "$share"
like "$err" "the files of /home/alice/src cannot be shown with other ids" "... with the directory"
like "$err" "lxc.idmap = u 61001 61001 1" "... and the line that helps"
cp -p "$home/$n/config" "$scratch/config"
sed -i '/^lxc.idmap/d' "$home/$n/config"
for kind in u g; do
	printf 'lxc.idmap = %s 0 %s 61001\nlxc.idmap = %s 61001 61001 1\nlxc.idmap = %s 61002 %s 4534\n' \
		$kind "$base" $kind $kind $((base + 61002)) >>"$home/$n/config"
done
succeeds "with that it starts" as alice lxc-start -n "$n" -s "$share"
as alice lxc-attach -n "$n" -u 61001 -g 61001 -- touch /src/inside
is "$(stat -c %U /home/alice/src/inside)" alice "her files are hers on both sides"
succeeds "it stops" as alice lxc-stop -n "$n" -k
cp "$scratch/config" "$home/$n/config"

# ---- others

succeeds "it starts again" as alice lxc-start -n "$n"
for command in lxc-info "lxc-stop -k" lxc-freeze lxc-destroy "lxc-start -F"; do
	# shellcheck disable=SC2086 # a command and its options
	run as bob $command -n "$n" -P "$home"
	[ "$status" -ne 0 ] || result 1 "bob may $command"
done
fails 1 "bob does not attach" as bob lxc-attach -n "$n" -P "$home" -- true
is "$(as bob lxc-ls -P "$home" 2>/dev/null)" "" "bob sees nothing"
ok "alice's container runs" state_is RUNNING
succeeds "bob has one of that name" as bob lxc-create -n "$n" -t busybox
succeeds "which runs at the same time" as bob lxc-start -n "$n"
is "$(as bob lxc-attach -n "$n" -- id -u)" 0 "it works"
succeeds "it stops" as bob lxc-stop -n "$n" -k
succeeds "and is destroyed" as bob lxc-destroy -n "$n"
succeeds "alice's stops" as alice lxc-stop -n "$n" -k

# ---- a hostile run directory

mkdir "$scratch/run"
chmod 1777 "$scratch/run"
mkdir -m 0777 "$scratch/run/lxc"
chown bob "$scratch/run/lxc"
fails 1 "a run directory of somebody else is refused" as alice env XDG_RUNTIME_DIR="$scratch/run" lxc-start -n "$n"
is "$(find "$scratch/run" -mindepth 2)" "" "nothing was made there"

succeeds "destroy works" as alice lxc-destroy -n "$n"
is "$(find "$home" -mindepth 1)" "" "nothing is left"

# ---- what is missing is said

# Inside a user namespace of her own, which is one for whom these limits are hers.
succeeds "a container for what follows" as alice lxc-create -n "$n" -t busybox
fails 1 "where no user namespace may be made there is none" as alice unshare -Ur sh -c \
	'echo 0 >/proc/sys/user/max_user_namespaces; exec lxc-usernsexec -m b:0:0:1 -- true'
like "$err" "a user namespace cannot be made: the sysctl user.max_user_namespaces of this host is 0" "... with the limit"
like "$err" "try: as root: sysctl -w user.max_user_namespaces=[0-9]+" "... and the remedy"
fails 1 "root of a namespace without the ids does not start it" as alice unshare -Ur lxc-start -P "$home" -n "$n"
like "$err" "the map names a uid that does not exist in this user namespace" "... and is told that"
like "$err" "try: use ids that /proc/self/uid_map lists" "... with the remedy"

# The same for what only some kernels have. A file of ours says why it is refused, and a limit of a namespace refuses it:
# refused FILE VALUE COMMAND...
mkdir "$scratch/kernel"
echo 15000 >"$scratch/large"
mount --bind "$scratch/kernel" /proc/sys/kernel
cat >"$scratch/bin/refused" <<'END'
#!/bin/sh
file=$1/kernel/$2 large=$1/large
echo "$3" >"$file"
shift 3
lxc-usernsexec -m b:0:0:4294967295 -- unshare -m sh -c '
	limit=/proc/sys/user/max_user_namespaces
	echo 0 >$limit && mount --bind "$1" $limit && shift && exec "$@"' sh "$large" "$@"
status=$?
rm "$file"
exit "$status"
END
chmod 755 "$scratch/bin/refused"
for command in lxc-start "lxc-create -t busybox" "lxc-execute -f /home/alice/execute.conf" lxc-destroy; do
	new='' rest=''
	case $command in
	*create*) new=-new ;;
	*execute*) new=-new rest='-- true' && cp "$scratch/execute.conf" /home/alice/execute.conf ;;
	esac
	# shellcheck disable=SC2086 # a command and its options
	set -- as alice $command -n "$n$new" $rest
	fails 1 "where the kernel keeps user namespaces for root: $command" refused "$scratch" unprivileged_userns_clone 0 "$@"
	like "$err" "a user namespace cannot be made: the sysctl kernel.unprivileged_userns_clone of this host is 0" "... the sysctl is named"
	like "$err" "try: as root: sysctl -w kernel.unprivileged_userns_clone=1" "... and the remedy"
	fails 1 "where AppArmor does: $command" refused "$scratch" apparmor_restrict_unprivileged_userns 1 "$@"
	like "$err" "a user namespace cannot be made: AppArmor of this host allows them only to programs with a profile" "... it is named"
	like "$err" "try: as root: cp $TIFFIN_INST/.*/apparmor-userns /etc/apparmor.d/lxc-userns && apparmor_parser -r" "... and the remedy"
	profile_remedy=$err
	fails 1 "where nothing says why: $command" refused "$scratch" unprivileged_userns_clone 1 "$@"
	like "$err" "no more namespaces may be created" "... it says so"
done
is "$(find "$home" -mindepth 1 -maxdepth 1)" "$home/$n" "nothing is left of what was not made"
ok "the profile that the remedy copies is there" test -s "$(printf '%s\n' "$profile_remedy" | sed -n 's/.*as root: cp \([^ ]*\) .*/\1/p')"
umount /proc/sys/kernel
succeeds "it goes" as alice lxc-destroy -n "$n"

fails 1 "without ids there is no container" as carol lxc-create -n "$n" -t busybox
like "$err" "user carol has no ids to map in /etc/subuid" "... which is said"
like "$err" "try: as root: usermod --add-subuids [0-9]+-[0-9]+ carol" "... with the remedy"
is "$(find /home/carol/.local/share/lxc -mindepth 1)" "" "nothing is left of it"
echo carol:1000000000:1000 >>"$scratch/etc/subuid"
echo carol:1000000000:70000 >>"$scratch/etc/subgid"
fails 1 "a small range is refused" as carol lxc-create -n "$n" -t busybox
like "$err" "user carol may map 1000 ids in /etc/subuid, and a system container needs 65536" "... with its size"
echo carol:1100000000:64536 >>"$scratch/etc/subuid"
succeeds "two ranges together are enough" as carol lxc-create -n "$n" -t busybox
like "$(cat "/home/carol/.local/share/lxc/$n/config")" "^lxc.idmap = u 1000 1100000000 64536" "... one behind the other"
succeeds "it starts" as carol lxc-start -n "$n"
is "$(as carol lxc-attach -n "$n" -- sh -c 'touch /f && chown 2000 /f && stat -c %u /f')" 2000 "it has both"
succeeds "it stops" as carol lxc-stop -n "$n" -k
cp -a "/home/carol/.local/share/lxc/$n/rootfs/bin" "$scratch/bins"
cp /usr/bin/newuidmap "$scratch/newuidmap"
mount --bind "$scratch/newuidmap" /usr/bin/newuidmap
fails 1 "a powerless newuidmap is found out" as carol lxc-start -n "$n"
like "$err" "/usr/bin/newuidmap has neither the setuid bit nor file capabilities" "... and named"
umount /usr/bin/newuidmap
# One that is not there: the same directory but for it.
mkdir "$scratch/programs" "$scratch/without"
mount --bind /usr/bin "$scratch/programs"
for program in /usr/bin/*; do
	ln -s "$scratch/programs/${program##*/}" "$scratch/without/"
done
rm "$scratch/without/newuidmap"
mount --bind "$scratch/without" /usr/bin
for command in lxc-start "lxc-create -t busybox" lxc-destroy; do
	new=''
	case $command in *create*) new=-new ;; esac
	# shellcheck disable=SC2086 # a command and its options
	fails 1 "without newuidmap: $command" as carol $command -n "$n$new"
	like "$err" "program newuidmap does not exist in /usr/" "... the program is named"
	like "$err" "try: on Debian: apt-get install uidmap" "... and what has it"
done
umount /usr/bin
umount "$scratch/programs"
# Ids that were taken back.
cp "$scratch/etc/subgid" "$scratch/subgid"
grep -v ^carol "$scratch/subgid" >"$scratch/etc/subgid"
for command in lxc-start lxc-destroy; do
	fails 1 "without group ids: $command" as carol $command -n "$n"
	like "$err" "gid range 1000000000-1000065535 is not granted to carol in /etc/subgid" "... the range is named"
	like "$err" "try: as root: usermod --add-subgids 1000000000-1000065535 carol" "... with the remedy"
done
is "$(find "/home/carol/.local/share/lxc/$n/rootfs/bin" | wc -l)" "$(find "$scratch/bins" | wc -l)" "what cannot be destroyed is whole"
cat "$scratch/subgid" >"$scratch/etc/subgid"
# Places that she may not enter.
for place in "$scratch/closed" /home/carol; do
	case $place in
	/home/carol) home_dir=$place mode=0600 remedy="chmod u\+x $place" ;;
	*) home_dir=$place/carol mode=0700 remedy="as its owner: chmod o\+x $place" ;;
	esac
	mkdir -p "$home_dir"
	chown carol "$home_dir"
	chmod "$mode" "$place"
	for command in "lxc-start -n $n" lxc-ls; do
		# shellcheck disable=SC2086 # a command and its options
		fails 1 "$place is closed: $command" setpriv --reuid "$(id -u carol)" --regid "$(id -g carol)" --clear-groups \
			env -i HOME="$home_dir" XDG_RUNTIME_DIR="/run/user/$(id -u carol)" PATH="$PATH" $command
		like "$err" "$home_dir/.config/lxc/lxc.conf cannot be read: this user has no x permission on $place\$" "... the directory is named"
		like "$err" "try: $remedy" "... with the remedy"
	done
done
chmod 0700 /home/carol
rm -r "$scratch/closed"
succeeds "destroy works with two ranges" as carol lxc-destroy -n "$n"

finish
