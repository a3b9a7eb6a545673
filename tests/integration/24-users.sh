#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Many containers of one user, two users at once, and places that somebody else has prepared for a user: nothing is
# gained by them, and each is told in one sentence.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox userns newuidmap setpriv
sandbox "$0"
users alice bob
n=$tag
count=${USER_CONTAINERS:-50}
home=/home/alice/.local/share/lxc
bobs=/home/bob/.local/share/lxc

# as_if NAME ASSIGNMENT... -- COMMAND...: as that user, with these in the environment.
cat >"$scratch/bin/as_if" <<'END'
#!/bin/sh
name=$1
shift
exec as "$name" env "$@"
END
chmod 755 "$scratch/bin/as_if"

state_of() {
	as "$1" lxc-info -n "$2" -s -H 2>/dev/null
}

# ---- many

printf 'lxc.net.0.type = empty\n' >"$scratch/base.conf"
base=$(sed -n 's/^alice:\([0-9]*\):.*/\1/p' /etc/subuid)
printf 'lxc.idmap = u 0 %s 65536\nlxc.idmap = g 0 %s 65536\n' "$base" "$base" >>"$scratch/base.conf"
chmod 755 "$scratch/base.conf"
succeeds "create" as alice lxc-create -n "$n" -t busybox -f "$scratch/base.conf"
as alice sh -c '
	cd ~/.local/share/lxc
	i=1
	while [ $i -le '"$count"' ]; do
		mkdir -m 700 many$i
		{
			grep -v -e "^lxc.uts" -e "^lxc.init" -e "^lxc.rootfs" '"$n"'/config
			echo "lxc.rootfs.path = dir:$PWD/'"$n"'/rootfs"
			echo "lxc.rootfs.managed = 0"
			echo "lxc.uts.name = many$i"
			echo "lxc.init.cmd = /bin/sleep 1000"
			echo "lxc.start.auto = 1"
			echo "lxc.group = many"
		} >many$i/config
		i=$((i + 1))
	done'
run_limit=120
run as alice sh -c '
	i=1
	while [ $i -le '"$count"' ]; do
		lxc-start -n many$i 2>/tmp/many$i &
		i=$((i + 1))
	done
	wait'
is "$(as alice lxc-ls --running -1 2>/dev/null | grep -c '^many')" "$count" "$count containers of one user start at once"
is "$(cat /tmp/many* 2>/dev/null | grep -v 'cgroup' | sort | uniq -c)" "" "... without a word but that there are no cgroups"
is "$(as alice lxc-ls -f -F NAME,PID 2>/dev/null | sed -n 's/^many[0-9]* *\([0-9]\)/\1/p' | sort -u | wc -l)" "$count" "each has an init of its own"
for i in 1 $((count / 2)) "$count"; do
	is "$(as alice lxc-attach -n "many$i" -- hostname)" "many$i" "many$i is itself"
done
succeeds "all are stopped by one command" as alice lxc-autostart -k -a -g many
is "$(as alice lxc-ls --running 2>/dev/null)" "" "none runs then"
run as alice sh -c 'cd ~/.local/share/lxc && rm -rf many*'

# ---- two

run as bob lxc-create -n "$n" -t busybox
result "$status" "bob has a container of that name"
for user in alice bob; do
	as "$user" sh -c '
		for i in 1 2 3 4; do
			lxc-start -n '"$n"' -s lxc.net.0.type=empty || exit 1
			[ "$(lxc-attach -n '"$n"' -- sh -c "echo '"$user"' >/root/who; cat /root/who")" = '"$user"' ] || exit 2
			lxc-stop -n '"$n"' -k || exit 3
		done' >"/tmp/$user.out" 2>&1 &
	eval "$user=$!"
done
# shellcheck disable=SC2154 # set above
for user in alice bob; do
	eval "wait \$$user"
	is "$?" 0 "$user starts, enters and stops while the other does"
	[ -z "$(grep -v cgroup "/tmp/$user.out")" ] || comment "$(cat "/tmp/$user.out")"
done
is "$(cat "$home/$n/rootfs/root/who" "$bobs/$n/rootfs/root/who" | tr '\n' ' ')" "alice bob " "each had his own"

# ---- places of somebody else's

# What bob would gain: his file made as alice, or anything of hers in his directories.
mkdir -m 1777 "$scratch/open"
bob_dir=$scratch/open/bob
as bob mkdir -m 0777 "$bob_dir"
touch "$scratch/open/alices"
chown alice "$scratch/open/alices"
as bob ln -s /home/alice "$scratch/open/link"
as bob mkfifo -m 666 "$scratch/open/fifo"
as bob sh -c "echo text >$scratch/open/file"
gained() {
	is "$(find "$scratch/open" -user alice ! -name alices)$(find "$bob_dir" -mindepth 1 ! -user bob)" "" "$1: nothing of alice's is in bob's places"
	is "$(find /home/alice -name 'pwned*' -o -user bob)" "" "$1: nothing of bob's happened in hers"
}
# refuses TEXT PATTERN ASSIGNMENT COMMAND...: one sentence and status 1.
refuses() {
	refuses_text=$1 refuses_pattern=$2
	shift 2
	fails 1 "$refuses_text is refused" as_if alice "$@"
	like "$err" "$refuses_pattern" "... and says why"
	[ -n "$err" ] || result 1 "$refuses_text: not a word"
}

for run in "$bob_dir" "$scratch/open/file" "$scratch/open/fifo" "$scratch/open/none/sub"; do
	refuses "the run directory $run" 'XDG_RUNTIME_DIR|run directory|belongs to|cannot|not absolute|'"$run" \
		XDG_RUNTIME_DIR="$run" lxc-start -n "$n" -s lxc.net.0.type=empty
done
gained "run directories"
as bob rm -rf "$bob_dir/lxc"

# Everybody's with a sticky bit, as /tmp: what is made there stays one's own.
succeeds "the run directory $scratch/open is as good as /tmp" as_if alice XDG_RUNTIME_DIR="$scratch/open" lxc-start -n "$n" -s lxc.net.0.type=empty
is "$(stat -c %U:%a "$scratch/open/lxc/instance")" alice:700 "... with a closed directory in it"
succeeds "... and stops" as_if alice XDG_RUNTIME_DIR="$scratch/open" lxc-stop -n "$n" -k
rm -rf "$scratch/open/lxc"
run as_if alice XDG_RUNTIME_DIR=relative/path lxc-start -n "$n" -s lxc.net.0.type=empty
result "$status" "a relative run directory does not count"
[ "$status" -eq 0 ] || comment "$err"
run as_if alice XDG_RUNTIME_DIR=relative/path lxc-stop -n "$n" -k
# su, cron and ssh commands have none: what a login would have is taken, and without that a place below home.
succeeds "it starts where XDG_RUNTIME_DIR is unset" as_if alice -u XDG_RUNTIME_DIR lxc-start -n "$n" -s lxc.net.0.type=empty
like "$(state_of alice "$n")" RUNNING "... and is seen from a login"
ok "... its state is where that looks" test -d "/run/user/$(id -u alice)/lxc/instance"
succeeds "... and stops from there" as alice lxc-stop -n "$n" -k
mv "/run/user/$(id -u alice)" "$scratch/login"
for cache in .cache .cache/lxc .cache/lxc/run; do
	as alice rm -rf /home/alice/.cache
	as alice mkdir -p "/home/alice/${cache%/*}"
	succeeds "it starts without any login, $cache missing" as_if alice -u XDG_RUNTIME_DIR lxc-start -n "$n" -s lxc.net.0.type=empty
	is "$(find /home/alice/.cache/lxc -perm /022)" "" "... in directories that nobody else may write to"
	like "$(as_if alice -u XDG_RUNTIME_DIR lxc-info -n "$n" -s -H)" RUNNING "... and is seen"
	[ "$cache" != .cache/lxc/run ] || mv "$scratch/login" "/run/user/$(id -u alice)"
	like "$(state_of alice "$n")" RUNNING "... from a login, too"
	is "$(as alice lxc-attach -n "$n" -- echo inside)" inside "... which enters it"
	succeeds "... and stops it" as alice lxc-stop -n "$n" -k
done
as alice chmod 777 /home/alice/.cache
as alice rm -rf /home/alice/.cache/lxc
mv "/run/user/$(id -u alice)" "$scratch/login"
fails 1 "nothing is made where others may exchange it" as_if alice -u XDG_RUNTIME_DIR lxc-start -n "$n" -s lxc.net.0.type=empty
like "$err" '/home/alice/.cache' "... which is said"
mv "$scratch/login" "/run/user/$(id -u alice)"
as alice rm -rf /home/alice/.cache
# A link to a directory of hers is hers.
run as_if alice XDG_RUNTIME_DIR="$scratch/open/link" lxc-info -n "$n"
gained "a run directory by a link"

for bad in "$bob_dir" "$scratch/open/file" /nonexistent relative '' "/home/alice
lxc.hook.pre-start = touch $bob_dir/pwned"; do
	run as_if alice HOME="$bad" lxc-start -n "$n" -s lxc.net.0.type=empty
	if [ "$status" -eq 0 ]; then
		# Without a usable one the password file says where home is.
		is "$(state_of alice "$n" | sed 's/.*: *//')" RUNNING "HOME='$(printf %s "$bad" | tr '\n' '~')': it was alice's own that started"
		as alice lxc-stop -n "$n" -k
	else
		like "$err" 'lxc-start: .+' "HOME='$(printf %s "$bad" | tr '\n' '~')' is refused with a sentence"
	fi
	run as_if alice HOME="$bad" lxc-create -n "$n-c" -t busybox
	[ "$status" -ne 0 ] || as_if alice HOME="$bad" lxc-destroy -n "$n-c" >/dev/null 2>&1
done
rm -rf "$bob_dir/.local" "$bob_dir/.config"
gained "homes"

# Her own hooks run, in a user namespace as well.
as alice sh -c "echo 'lxc.hook.clone = /bin/sh -c \"echo \$LXC_NAME >>/home/alice/hooked\"' >>$home/$n/config"
succeeds "an overlay copy of hers" as alice lxc-copy -n "$n" -N "$n-h" -B overlay -s
succeeds "... has a new name" as alice lxc-copy -n "$n-h" -R -N "$n-r"
is "$(cat /home/alice/hooked)" "$n-h
$n-r" "... and her hooks ran both times"
succeeds "... goes" as alice lxc-destroy -n "$n-r"
as alice sh -c "sed -i /hook.clone/d $home/$n/config; rm -f /home/alice/hooked"
# Also one that the container's root runs, from a home that he may not enter.
as alice sh -c 'printf "#!/bin/sh\necho \"\$3 \$(id -u)\" >\$LXC_ROOTFS_MOUNT/tmp/hooked\n" >hook; chmod 755 hook'
as alice sh -c "echo 'lxc.hook.mount = /home/alice/hook' >>$home/$n/config"
succeeds "a mount hook in her home" as alice lxc-start -n "$n"
is "$(as alice lxc-attach -n "$n" -- cat /tmp/hooked)" "mount 0" "... runs as the container's root"
as alice lxc-stop -n "$n" -k
as alice sh -c "sed -i /hook.mount/d $home/$n/config; rm hook"

# What bob says in a configuration is not done as alice.
as bob mkdir -p "$bob_dir/$n"
as bob sh -c "cat >$bob_dir/$n/config" <<END
lxc.rootfs.path = dir:$home/$n/rootfs
lxc.idmap = u 0 $base 65536
lxc.idmap = g 0 $base 65536
lxc.uts.name = $n
lxc.hook.pre-start = /bin/sh -c 'touch /home/alice/pwned-start'
lxc.hook.destroy = /bin/sh -c 'touch /home/alice/pwned-destroy'
lxc.hook.clone = /bin/sh -c 'touch /home/alice/pwned-clone'
lxc.log.file = /home/alice/pwned-log
lxc.console.logfile = /home/alice/pwned-console
lxc.mount.entry = /home/alice mnt none bind,create=dir 0 0
END
for command in "lxc-start" "lxc-start --explain" "lxc-execute" "lxc-copy -N copied" "lxc-snapshot" "lxc-destroy" "lxc-attach" "lxc-stop"; do
	# shellcheck disable=SC2086 # a command and its options
	set -- $command -P "$bob_dir" -n "$n"
	[ "$command" != lxc-execute ] || set -- "$@" -- true
	fails 1 "$command in a path of bob's is refused" as alice "$@"
	case $command in
	lxc-attach | lxc-stop) ;;
	*) like "$err" "$bob_dir/$n/config belongs to uid 61002" "... with whose it is" ;;
	esac
done
ok "bob's is still there" test -e "$bob_dir/$n/config"
gained "a container of bob's"
fails 1 "root does not do what he says either" lxc-start -P "$bob_dir" -n "$n"
like "$err" "belongs to uid 61002" "... and says whose it is"
fails 1 "... nor copies it, as its hooks would run" lxc-copy -P "$bob_dir" -n "$n" -p "$scratch/path" -N copied
like "$err" "belongs to uid 61002" "... and says whose it is"
succeeds "... but looks" lxc-info -P "$bob_dir" -n "$n" -s
ok "no file came of it" test ! -e /home/alice/pwned-start -a ! -e /home/alice/pwned-clone
as bob rm -rf "$bob_dir/$n"
cp -p "$home/$n/config" "$scratch/config"
chmod 666 "$home/$n/config"
fails 1 "a configuration that everybody may write is refused" as alice lxc-start -n "$n"
like "$err" "may be written by everybody" "... and says so"
cp -p "$scratch/config" "$home/$n/config"

# A new container in a place that is bob's.
as bob mkdir -m 1777 "$bob_dir/path"
as bob ln -s /home/alice/.ssh "$bob_dir/path/$n-l"
as alice mkdir -p /home/alice/.ssh
for name in "$n-c" "$n-l"; do
	fails 1 "a container in a path of bob's is refused: $name" as alice lxc-create -P "$bob_dir/path" -n "$name" -t busybox
	like "$err" "directory of containers $bob_dir/path belongs to uid 61002" "... with whose it is"
	[ "$name" != "$n-l" ] || continue
	fails 1 "so is a copy" as alice lxc-copy -n "$n" -N "$name" -p "$bob_dir/path"
	like "$err" "directory of containers $bob_dir/path belongs to uid 61002" "... with whose it is"
done
mkdir -m 777 "$scratch/everybodys"
fails 1 "so is one that everybody may write to" as alice lxc-create -P "$scratch/everybodys" -n "$n-c" -t busybox
rmdir "$scratch/everybodys"
is "$(find /home/alice/.ssh -mindepth 1)" "" "... and nothing was made where it leads"
run as alice lxc-destroy -P "$bob_dir/path" -n "$n-l"
ok "nor is it removed by it" test -d /home/alice/.ssh
as bob rm -rf "$bob_dir/path"
find "$bob_dir" -mindepth 1 -delete

for bad in "$bob_dir" "$scratch/open/file" /nonexistent "$scratch/open/fifo"; do
	run as_if alice TMPDIR="$bad" lxc-create -n "$n-t" -t busybox
	if [ "$status" -eq 0 ]; then
		succeeds "TMPDIR=$bad does not matter" as alice lxc-destroy -n "$n-t"
	else
		like "$err" "$bad" "TMPDIR=$bad is refused by name"
	fi
done
gained "temporary directories"
is "$(find "$bob_dir" -mindepth 1)" "" "... nor anything else"

# ---- many connections keep nobody out of his own container
cat >"$scratch/flood" <<'END'
import os, socket, sys, time
address = "\0" + sys.argv[1]
for i in range(2):
    os.fork()
end = time.time() + 25
while time.time() < end:
    held = []
    for i in range(150):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.setblocking(False)
        try:
            s.connect(address)
        except OSError:
            s.close()
            break
        held.append(s)
    for s in held:
        s.close()
END
chmod 0644 "$scratch/flood"
succeeds "alice's runs" as alice lxc-start -n "$n"
address=$(sed -n "s|.* @\(.*/$n/command\)\$|\1|p" /proc/net/unix | head -n 1)
ok "its command socket is found" test -n "$address"
as bob python3 "$scratch/flood" "$address" &
flood=$!
sleep 1
bad=''
for i in 1 2 3 4 5 6; do
	for what in "lxc-attach -n $n -- true" "lxc-info -n $n -p" "lxc-info -n $n -c lxc.uts.name" "lxc-ls -f"; do
		run as alice timeout 30 sh -c "$what"
		[ "$status" -eq 0 ] || bad="$bad $i: $what: $err;"
	done
done
ok "bob's flood has not ended" kill -0 "$flood"
is "$bad" "" "while bob floods its command socket alice's commands work"
if ! as alice lxc-freeze -n "$n" 2>"$scratch/freeze.err"; then
	like "$(cat "$scratch/freeze.err")" "has no cgroup that can be frozen
.*--explain" "what cannot be frozen says why"
fi
succeeds "it is stopped" as alice timeout 60 lxc-stop -k -n "$n"
is "$(as alice lxc-info -sHn "$n")" STOPPED "and has"
wait "$flood"

succeeds "alice's is destroyed" as alice lxc-destroy -n "$n"
succeeds "bob's, too" as bob lxc-destroy -n "$n"
rm -rf "$scratch/open"
finish
