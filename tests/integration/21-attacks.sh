#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What a guest, another user of the host, or hostile text may try. Each class of attack has a case here; the unit
# tests hold the finer ones.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup perl setpriv
sandbox "$0"
n=$tag
config=$lxcpath/$n/config
root=$lxcpath/$n/rootfs
lf='
'
mkdir "$scratch/outside"
echo untouched >"$scratch/outside/marker"

printf 'lxc.net.0.type = empty\n' >"$scratch/base.conf"
lxc-create -n "$n" -t busybox -f "$scratch/base.conf" >/dev/null 2>&1 || {
	echo "1..1"
	echo "not ok 1 - create"
	exit 1
}
cp "$config" "$scratch/config"

with() {
	cp "$scratch/config" "$config"
	for line in "$@"; do
		printf '%s\n' "$line" >>"$config"
	done
}

init_pid() {
	lxc-info -n "$n" -p -H | sed 's/^PID:[[:blank:]]*//'
}

monitor_pid() {
	sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$(init_pid)/status"
}

# try: starts it; whether that works is not the question.
try() {
	run lxc-start -n "$n"
}

end() {
	lxc-stop -n "$n" -k >/dev/null 2>&1
}

outside_is_untouched() {
	is "$(find "$scratch/outside" | sort | tr '\n' ' ')$(cat "$scratch/outside/marker")" \
		"$scratch/outside $scratch/outside/marker untouched" "$1: nothing outside was touched"
}

# ---- 1 a stranger on the command socket

# What listens there says that all is well with pid 1, to everyone who asks.
cat >"$scratch/squat.pl" <<'END'
use Socket;
my ($name, $how) = @ARGV;
$SIG{PIPE} = "IGNORE";
socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
bind($s, pack("Sa*", AF_UNIX, "\0$name")) or die "bind: $!";
listen($s, 10) or die "listen: $!";
print "ready\n";
$| = 1; print "";
while (accept(my $c, $s)) {
	push @kept, $c if $how eq "silent";
	next if $how eq "silent";
	sysread($c, my $request, 4096);
	syswrite($c, pack("iiq", 0, 0, 2));
}
END
for how in answers silent; do
	setpriv --reuid 65534 --regid 65534 --clear-groups perl "$scratch/squat.pl" "$lxcpath/$n/command" $how >/dev/null &
	squatter=$!
	ok "a stranger ($how) has taken the name" eventually 5 grep -q "@$lxcpath/$n/command" /proc/net/unix
	run_limit=30
	run lxc-info -n "$n" -s -p
	unlike "$out" 'RUNNING|FROZEN|PID' "stranger ($how): info does not believe him"
	run lxc-attach -n "$n" -- true
	ok "stranger ($how): attach does not enter his process" test "$status" -eq 1
	run lxc-stop -n "$n"
	ok "stranger ($how): stop does not wait for him" test "$status" -ne 0
	ok "stranger ($how): stop was not timed out" test "$status" -ne 124
	ok "stranger ($how): process 1 is alive" kill -0 1
	fails 1 "stranger ($how): start is refused" lxc-start -n "$n"
	like "$err" "65534|nobody|$squatter" "stranger ($how): and says who it is"
	run lxc-ls -f
	unlike "$out" "$n +RUNNING" "stranger ($how): ls does not believe him"
	kill "$squatter"
	wait "$squatter" 2>/dev/null
done

# ---- 2 malformed frames of one who may

succeeds "it starts" lxc-start -n "$n"
init=$(init_pid)
cat >"$scratch/frames.pl" <<'END'
use Socket;
my ($name) = @ARGV;
sub dial {
	socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
	connect($s, pack("Sa*", AF_UNIX, "\0$name")) or return undef;
	return $s;
}
$SIG{PIPE} = "IGNORE";
for my $frame (pack("iiq", -1, 0, 0), pack("iiq", 99999, 0, 0), pack("iiq", 7, -1, 0), pack("iiq", 7, 2147483647, 0),
	pack("iiq", 7, 100, 0) . "x" x 100, pack("iiq", 10, 3, 0) . "abc", pack("iiq", 0, 4, -1) . "\xff\xff\xff\xff",
	pack("iiq", 6, 8192, 0) . "\0" x 8192, pack("iiq", 11, 1, 0) . "x", "short", "\xff" x 64, "") {
	my $s = dial() or next;
	syswrite($s, $frame);
	push @kept, $s;
}
push @kept, dial() for 1 .. 300;
print "done\n";
sleep 3;
END
perl "$scratch/frames.pl" "$lxcpath/$n/command" >"$scratch/frames.out" 2>&1 &
flood=$!
ok "bad frames and 300 idle connections are sent" eventually 10 grep -q "done" "$scratch/frames.out"
run_limit=10
succeeds "bad frames: info is answered meanwhile" lxc-info -n "$n" -s -p
like "$out" "PID: +$init" "bad frames: with the truth"
wait "$flood"
succeeds "bad frames: attach works" lxc-attach -n "$n" -- true
# A user of the host is refused.
run setpriv --reuid 65534 --regid 65534 --clear-groups "$TIFFIN_INST/bin/lxc-stop" -P "$lxcpath" -n "$n" -k
is "$(lxc-info -n "$n" -s -H | sed 's/^State:[[:blank:]]*//')" RUNNING "another user cannot stop it"
run setpriv --reuid 65534 --regid 65534 --clear-groups "$TIFFIN_INST/bin/lxc-attach" -P "$lxcpath" -n "$n" -- id
unlike "$out" 'uid=' "another user cannot enter it"

# ---- 19 a monitor that hangs

monitor=$(monitor_pid)
kill -STOP "$monitor"
run_limit=45
run lxc-info -n "$n" -s
ok "a stopped monitor: info ends by itself" test "$status" -ne 124
run lxc-ls -f
ok "a stopped monitor: ls ends by itself" test "$status" -ne 124
kill -CONT "$monitor"
run_limit=60
succeeds "a monitor that goes on again answers" lxc-info -n "$n" -s
end
with
before=$(find /sys/fs/cgroup -type d | wc -l)
with 'lxc.hook.pre-mount = /bin/false'
for _ in 1 2 3 4 5 6 7 8 9 10; do
	try
done
eventually 5 sh -c "[ \$(find /sys/fs/cgroup -type d -path '*$tag*' | wc -l) -eq 0 ]"
is "$(find /sys/fs/cgroup -type d -path "*$tag*" | wc -l)" 0 "ten failed starts leave no cgroup ($before before)"

# ---- 3 4 files and environment of the monitor

with
SECRET_OF_THE_CALLER=1
export SECRET_OF_THE_CALLER
exec 7</etc/shadow
succeeds "it starts with a secret around" lxc-start -n "$n"
unset SECRET_OF_THE_CALLER
monitor=$(monitor_pid)
init=$(init_pid)
unlike "$(tr '\0' '\n' <"/proc/$monitor/environ")" SECRET_OF_THE_CALLER "the monitor does not keep the caller's environment"
unlike "$(ls -l "/proc/$monitor/fd")" shadow "the monitor does not keep the caller's files"
unlike "$(ls -l "/proc/$init/fd")" shadow "nor does init"
is "$(lxc-attach -n "$n" -- sh -c 'ls /proc/self/fd | tr "\n" " "')" "0 1 2 3 " "attach passes on its terminal's descriptors only"
exec 7<&-
like "$(lxc-attach -n "$n" -- grep CapInh /proc/self/status)" '0000000000000000' "no capability is inheritable"
like "$(lxc-attach -n "$n" -- grep CapAmb /proc/self/status)" '0000000000000000' "none is ambient"
is "$(find /run/lxc -perm /022 ! -type l ! -type s)" "" "nothing in /run/lxc is for others to write"

# ---- 12 18 numbers

for uid in 4294967295 4294967296 -1 1000x '' +1 99999999999999999999; do
	run lxc-attach -n "$n" -u "$uid" -- id -u
	ok "attach refuses uid '$uid'" test "$status" -ne 0
	is "$out" "" "and runs nothing"
done
end
for value in 'lxc.init.uid = 4294967295' 'lxc.tty.max = 4294967296' 'lxc.tty.max = -1' 'lxc.tty.max = 1x' \
	'lxc.pty.max = 99999999999999999999' 'lxc.start.order = 2147483648' 'lxc.autodev = 2' 'lxc.idmap = u 0 -1 10' \
	'lxc.console.buffer.size = 99999999999999999999'; do
	with "$value"
	fails 1 "a config with $value is refused" lxc-start -n "$n"
	like "$err" "$config:[0-9]+" "with its line"
done

# ---- 5 10 mounts and links of the root

ln -s "$scratch/outside" "$root/evil"
ln -s /var/lib "$root/inner"
with 'lxc.mount.entry = evil mnt none bind,relative 0 0'
try
[ "$status" -ne 0 ] || ok "a relative source does not leave the root" lxc-attach -n "$n" -- test ! -e /mnt/marker
outside_is_untouched "relative source"
end
with 'lxc.mount.entry = tmpfs evil/sub/dir tmpfs create=dir 0 0' 'lxc.mount.entry = /etc/hostname evil/file none bind,create=file 0 0'
try
outside_is_untouched "targets through a link"
end
with 'lxc.mount.entry = tmpfs ../../outside/made tmpfs create=dir 0 0'
try
outside_is_untouched "target with .."
end
with 'lxc.mount.entry = tmpfs inner/made tmpfs create=dir 0 0'
succeeds "an absolute link inside the root is followed inside" lxc-start -n "$n"
like "$(lxc-attach -n "$n" -- cat /proc/mounts)" ' /var/lib/made tmpfs' "to where it leads in there"
end
rm -rf "${root:?}/dev"
ln -s "$scratch/outside" "$root/dev"
with
try
outside_is_untouched "/dev as a link"
end
rm "$root/dev"
mkdir "$root/dev"
for dir in proc sys; do
	mv "$root/$dir" "$root/$dir.was"
	ln -s "$scratch/outside" "$root/$dir"
	try
	outside_is_untouched "/$dir as a link"
	end
	rm "$root/$dir"
	mv "$root/$dir.was" "$root/$dir"
done

# ---- 6 working directories

for cwd in /evil /proc/self/fd/3 /proc/self/fd/5 /proc/self/fd/9 /proc/1/root /../../..; do
	with "lxc.init.cwd = $cwd"
	try
	[ "$status" -ne 0 ] || is "$(ls "/proc/$(init_pid)/cwd/marker" 2>/dev/null)$(stat -L -c %d:%i "/proc/$(init_pid)/cwd/etc/passwd" 2>/dev/null | grep -x "$(stat -c %d:%i /etc/passwd)")" \
		"" "init.cwd $cwd stays in the root"
	end
done
outside_is_untouched "init.cwd"

# ---- 7 no host init on the host's files

with
sed -i '/lxc\.rootfs\.path/d' "$config"
fails 1 "start without a root does not boot the host's init" lxc-start -n "$n"
clean_mounts=$(cut -d ' ' -f 5 /proc/self/mountinfo | sort)
is "$clean_mounts" "$mounts_before" "and changes no mount"

# ---- 9 our own programs

sums=$(sha256sum "$TIFFIN_INST"/sbin/init.lxc* "$TIFFIN_INST"/bin/lxc-attach "$TIFFIN_INST"/libexec/lxc/*)
run lxc-execute -n "$n-x" -f "$scratch/config" -- /bin/sh -c 'echo x >>/proc/1/exe; echo x >/proc/self/exe; cat /proc/1/cmdline >/dev/null'
with
lxc-start -n "$n"
printf '#!/proc/self/exe\n' >"$root/loop"
chmod +x "$root/loop"
run lxc-attach -n "$n" -- /loop
run lxc-attach -n "$n" -- sh -c 'for p in /proc/[0-9]*; do echo x >>$p/exe; done'
is "$(sha256sum "$TIFFIN_INST"/sbin/init.lxc* "$TIFFIN_INST"/bin/lxc-attach "$TIFFIN_INST"/libexec/lxc/*)" "$sums" "no program of ours was written to"

# ---- 13 what root of a privileged container may do to the host

host_value() {
	cat /proc/sys/kernel/panic /proc/sys/vm/swappiness /proc/irq/default_smp_affinity 2>/dev/null
}
values=$(host_value)
for file in /proc/sys/kernel/panic /proc/sys/vm/swappiness /proc/sysrq-trigger; do
	fails 1 "the guest cannot write $file" lxc-attach -n "$n" -- sh -c "echo 1 >$file"
done
is "$(host_value)" "$values" "no value of the host changed"
end
# ---- 14 values that reach the whole host
for key in kernel.panic vm.swappiness kernel.core_pattern net.a+kernel.panic ../kernel.panic fs.file-max; do
	with "lxc.sysctl.$key = 77"
	run lxc-start -n "$n"
	ok "lxc.sysctl.$key is refused" test "$status" -ne 0
	end
done
is "$(host_value)" "$values" "and no value of the host changed"

# ---- 8 16 names and what destroy removes

for name in .. . ../outside a/b -x "a${lf}b" '' ' ' "$(printf '%0300d' 0)"; do
	for tool in create start destroy stop attach info; do
		set -- "lxc-$tool" --name="$name"
		[ "$tool" != create ] || set -- "$@" -t busybox
		run "$@"
		ok "lxc-$tool refuses the name '$(printf '%.20s' "$name" | tr '\n' '?')'" test "$status" -ne 0
	done
done
outside_is_untouched "names"
ok "the container is still there" test -d "$root/bin"
mv "$root" "$scratch/root"
ln -s "$scratch/outside" "$root"
with
run lxc-destroy -n "$n"
outside_is_untouched "destroy of a root that is a link"
rm -rf "${lxcpath:?}/$n" "$scratch/root"
mkdir -p "$scratch/elsewhere"
echo kept >"$scratch/elsewhere/config"
ln -s "$scratch/elsewhere" "$lxcpath/$n"
run lxc-destroy -n "$n"
is "$(cat "$scratch/elsewhere/config" 2>/dev/null)" kept "destroy of a directory that is a link leaves what it leads to"
rm -f "$lxcpath/$n"
mkdir "$scratch/mine"
echo mine >"$scratch/mine/file"
run lxc-create -n "$n" -t busybox -f "$scratch/base.conf" --dir="$scratch/mine" -- --no-such-option
is "$(cat "$scratch/mine/file" 2>/dev/null)" mine "a failing create keeps a --dir that was there"
run lxc-destroy -n "$n"
rm -rf "${lxcpath:?}/$n"

# ---- 15 line breaks

run lxc-create -n "$n" -t busybox --dir="$scratch/a${lf}lxc.hook.pre-start = /bin/touch $scratch/outside/owned"
ok "create refuses a --dir with a line break" test "$status" -ne 0
run lxc-create -n "$n" -t busybox -- --busybox-path="/bin/busybox${lf}lxc.hook.pre-start = /bin/touch $scratch/outside/owned"
ok "and a template's option with one" test "$status" -ne 0
run lxc-create -P "$scratch/p${lf}q" -n "$n" -t busybox
ok "and a container path with one" test "$status" -ne 0
run lxc-execute -n "$n-x" -s "lxc.rootfs.path=" -s "lxc.uts.name=x${lf}lxc.hook.pre-start=/bin/touch $scratch/outside/owned" -- /bin/true
ok "and a defined value with one" test "$status" -ne 0
outside_is_untouched "line breaks"
rm -rf "${lxcpath:?}/$n"

# ---- 17 files that never end

lxc-create -n "$n" -t busybox -f "$scratch/base.conf" >/dev/null 2>&1
cp "$config" "$scratch/config"
mkfifo "$scratch/fifo"
truncate -s 3G "$scratch/huge" 2>/dev/null
: >"$scratch/bomb0"
bomb=0
while [ $bomb -lt 30 ]; do
	next=$((bomb + 1))
	printf 'lxc.include = %s\nlxc.include = %s\n' "$scratch/bomb$bomb" "$scratch/bomb$bomb" >"$scratch/bomb$next"
	bomb=$next
done
run_limit=10
for odd in "$scratch/fifo" /dev/zero "$scratch/huge" "$scratch/bomb30" /proc/kmsg; do
	for key in lxc.include lxc.mount.fstab lxc.seccomp.profile; do
		with "$key = $odd"
		run lxc-start -n "$n"
		ok "$key = $odd does not hang" test "$status" -ne 124
		[ "$status" -ne 0 ] || end
	done
	run lxc-execute -n "$n-x" -f "$odd" -- /bin/true
	ok "-f $odd does not hang" test "$status" -ne 124
done
run_limit=60

with
end
succeeds "after all that it still starts" lxc-start -n "$n"
succeeds "and stops" lxc-stop -n "$n" -k
succeeds "and is destroyed" lxc-destroy -n "$n"
outside_is_untouched "the end"
rm -rf "${lxcpath:?}/$n-x"
finish
