#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What a tool has lost when it ends is told by LSan: for tests/sanitized/run.sh, with its build. Each line is a tool in
# a state of a real container; what it answers is for other tests.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup "${CC%% *}"
sandbox "$0"
n=$tag
ASAN_OPTIONS=detect_leaks=1:exitcode=99
export ASAN_OPTIONS

# loses_nothing COMMAND...: whatever its status, but for the one of a report.
loses_nothing() {
	run "$@"
	ok "$* loses nothing (status $status)" [ "$status" -ne 99 ]
}

# It looks at a process from another one, which not every place allows.
run lxc-info --version
[ "$status" -eq 0 ] || skip_all "LSan: $err"
cat >/run/leak.c <<'END'
#include <stdlib.h>
int main(int argc, char **argv)
{
	char *volatile p = malloc(100);

	p = NULL;
	return p != NULL;
}
END
# shellcheck disable=SC2086 # the compiler may be several words
succeeds "a program that loses memory is built" $CC -o /run/leak /run/leak.c
fails 99 "and it is seen" env ASAN_OPTIONS="$ASAN_OPTIONS:log_path=stderr" /run/leak
rm -f /run/leak /run/leak.c
loses_nothing lxc-create -n "$n" -t busybox
loses_nothing lxc-create -n "$n" -t busybox
loses_nothing lxc-create -n "$n-none" -t none
loses_nothing lxc-create -n "$n-bad" -t no-such-template
cat >>"$lxcpath/$n/config" <<'END'
lxc.net.0.type = veth
lxc.net.0.link = lxcbr0
lxc.net.0.flags = up
lxc.net.0.ipv4.address = 10.0.3.80/24
lxc.group = some
lxc.environment = A=b
lxc.mount.entry = tmpfs mnt tmpfs defaults,create=dir 0 0
END

# looks: whoever only looks.
looks() {
	loses_nothing lxc-ls
	loses_nothing lxc-ls -f
	loses_nothing lxc-ls -f -F NAME,STATE,PID,RAM,SWAP,IPV4,GROUPS,INTERFACE,UNPRIVILEGED
	loses_nothing lxc-ls --running --filter "$n.*"
	loses_nothing lxc-info -n "$n"
	loses_nothing lxc-info -n "$n" -c lxc.net -c lxc.no.such
	loses_nothing lxc-info -n "$n" --plan
	loses_nothing lxc-info -n "$n-none"
	loses_nothing lxc-config -l
	loses_nothing lxc-config lxc.lxcpath
	loses_nothing lxc-checkconfig
	loses_nothing lxc-doctor
	loses_nothing lxc-doctor -n "$n"
	loses_nothing lxc-top -b --cycles 2 -d 1
	loses_nothing lxc-top --json --cycles 1
	loses_nothing lxc-snapshot -n "$n" -L
	loses_nothing lxc-autostart -L -a
	loses_nothing lxc-autostart -L -g some
	loses_nothing lxc-cgroup -n "$n" cpu.shares
	loses_nothing lxc-wait -n "$n" -s 'STOPPED|RUNNING' -t 1
	loses_nothing lxc-update-config -c "$lxcpath/$n/config"
}
looks
loses_nothing lxc-attach -n "$n" -- true
loses_nothing lxc-stop -n "$n"
loses_nothing lxc-start -n "$n" -s lxc.no.such=1
loses_nothing lxc-start -n "$n"
looks
loses_nothing lxc-attach -n "$n" -- true
loses_nothing lxc-attach -n "$n" --clear-env -v A=b -e -s 'NETWORK|PID' -- true
loses_nothing lxc-attach -n "$n" -- no-such-program
loses_nothing lxc-device -n "$n" add /dev/null /dev/null2
loses_nothing lxc-freeze -n "$n"
loses_nothing lxc-unfreeze -n "$n"
loses_nothing lxc-start -n "$n"
loses_nothing lxc-destroy -n "$n"
loses_nothing lxc-stop -n "$n" -k
loses_nothing lxc-execute -n "$n" -- true
loses_nothing lxc-copy -n "$n" -N "$n-copy"
loses_nothing lxc-copy -n "$n" -N "$n-copy"
loses_nothing lxc-copy -n "$n" -N "$n-overlay" -s -B overlay
loses_nothing lxc-copy -n "$n" -e -d
eventually 5 sh -c 'lxc-ls --running | grep -q .'
for ephemeral in $(lxc-ls --running); do
	loses_nothing lxc-stop -k -n "$ephemeral"
done
loses_nothing lxc-copy -n "$n-copy" -N "$n-moved" -R
loses_nothing lxc-snapshot -n "$n-none"
loses_nothing lxc-snapshot -n "$n"
loses_nothing lxc-snapshot -n "$n" -L -C
loses_nothing lxc-snapshot -n "$n" -r snap0 -N "$n-restored"
loses_nothing lxc-snapshot -n "$n" -d snap0
loses_nothing lxc-export -n "$n" -o /run/test/export.tar
loses_nothing lxc-import -n "$n-imported" /run/test/export.tar
loses_nothing lxc-unshare -s 'NETWORK|UTSNAME' -- true
loses_nothing lxc-usernsexec -m b:0:100000:65536 -- true
# The monitor reports, too, though it has none of our environment.
loses_nothing lxc-start -n "$n"
kill -SEGV "$(awk '/^monitor / { print $2 }' "/run/lxc/instance$lxcpath/$n/state")"
ok "a fault of the monitor is reported" eventually 10 grep -rlE 'ERROR: AddressSanitizer: SEGV' "$TIFFIN_INST/reports"
find "$TIFFIN_INST/reports" -type f -exec grep -q 'ERROR: AddressSanitizer: SEGV' {} \; -exec rm {} \;
loses_nothing lxc-stop -k -n "$n"
loses_nothing lxc-wait -n "$n" -s STOPPED -t 10
# Copies share with what they were made from.
for name in "$n-restored" "$n-imported" "$n-moved" "$n-overlay" "$n-none" "$n-bad" "$n"; do
	loses_nothing lxc-destroy -s -n "$name"
done
loses_nothing lxc-info -n "$n"
loses_nothing lxc-ls -f
finish
