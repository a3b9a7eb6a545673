#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
#
# What a start and its neighbours may cost, counted in what does not depend on the machine's mood: system calls, and
# instructions of the part of a start that runs under valgrind (client and plan). budget.txt has the numbers; more than
# a tenth above them fails, and so does a budget that is more than a quarter too generous: it is to be made smaller.
. "${top_srcdir:?}/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup strace
sandbox "$0"

n=budget
lxc-create -n "$n" -t busybox >/dev/null || finish
cat >>"$lxcpath/$n/config" <<END
lxc.tty.max = 0
END

# calls FILE: how many of them; those of the program's own end and of the waiting for it vary.
calls() {
	grep -vcE 'restart_syscall|\+\+\+|---|resumed|epoll_wait|wait4|futex' "$1"
}

# within NAME COUNT
within_budget() {
	budget=$(awk -v key="$1" '$1 == key { print $2 }' "$top_srcdir/tests/bench/budget.txt")
	comment "$1: $2 (budget $budget)"
	ok "$1 stays within its budget" test "$2" -le $((budget + budget / 10))
	ok "$1 has no budget that is far too large" test "$2" -ge $((budget - budget / 4))
}

strace -f -o "$scratch/start" lxc-start -n "$n" &
tracer=$!
ok "it starts while it is traced" eventually 20 sh -c "lxc-info -n $n -s -H | grep -q RUNNING"
strace -f -o "$scratch/info" lxc-info -n "$n" >/dev/null
strace -f -o "$scratch/ls" lxc-ls -f >/dev/null
strace -f -o "$scratch/attach" lxc-attach -n "$n" -- /bin/true
lxc-stop -n "$n" -k
wait "$tracer"
# The traced processes of the start live until the end: only what came before init's own program counts.
awk '/execve\("\/sbin\/init"/ { exit } { print }' "$scratch/start" >"$scratch/start.until"
case $(stat -f -c %T /sys/fs/cgroup) in
cgroup2fs) kind=v2 ;;
*) kind=hybrid ;;
esac
within_budget "calls-start-$kind" "$(calls "$scratch/start.until")"
within_budget "calls-info-$kind" "$(calls "$scratch/info")"
within_budget "calls-ls-$kind" "$(calls "$scratch/ls")"
within_budget "calls-attach-$kind" "$(calls "$scratch/attach")"
is "$(grep -c 'fsync' "$scratch/start.until")" 0 "a start waits for no disk"
if [ "$kind" = v2 ]; then
	is "$(grep -c 'cgroup.procs.*O_WRONLY' "$scratch/start.until")" 0 "on v2 a start writes no cgroup.procs"
fi
is "$(grep -cE '"(cgroup.procs|tasks)", O_WRONLY' "$scratch/attach")" 0 "attach opens no list of processes itself"

if command -v valgrind >/dev/null; then
	valgrind -q --tool=callgrind --trace-children=yes --callgrind-out-file="$scratch/callgrind.%p" \
		"$TIFFIN_INST/bin/lxc-start" -n "$n" --explain >/dev/null 2>&1
	count=$(cat "$scratch"/callgrind.* | awk '/^(summary|totals):/ { if (!($2 in seen)) sum += $2; seen[$2] = 1 } END { print sum + 0 }')
	within_budget instructions-plan "$count"
else
	comment "valgrind is not installed: instructions are not counted (apt-get install valgrind)"
fi
finish
