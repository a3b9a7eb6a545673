#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What a start costs, counted in what depends neither on the machine's mood nor on its clock: the instructions that
# lxc-start and all that it makes execute outside the kernel until it ends (steps.c). budget.txt has the number for each
# layout of cgroups. More than a tenth above it fails; so does a budget that is a quarter too generous: it is to be
# made smaller. Takes a minute where a step costs as much as in a virtual machine.
. "${top_srcdir:?}/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
run_limit=600
sandbox "$0"
n=$tag
steps=$(readlink -f "$top_builddir/tests/bench/steps")

flags=$(sed -n 's/^CFLAGS = //p' "$top_builddir/Makefile")
case $(stat -f -c %T /sys/fs/cgroup) in
cgroup2fs) kind=v2 ;;
*) kind=hybrid ;;
esac
budget=$(awk -v key="start-$kind" '$1 == key { print $2 }' "$top_srcdir/tests/bench/budget.txt")

if [ -n "${TIFFIN_SANITIZED-}" ] || [ "$flags" != "-O1 -g" ] || [ "$(uname -m)" != x86_64 ]; then
	skip "a start within its budget" "needs a build as that by which the budget was measured: x86_64, CFLAGS='-O1 -g', without sanitizers"
	finish
fi

succeeds "a container is made" lxc-create -n "$n" -t busybox
cat >"$lxcpath/$n/config" <<END
lxc.rootfs.path = dir:$lxcpath/$n/rootfs
lxc.uts.name = budget
lxc.net.0.type = empty
lxc.tty.max = 0
lxc.mount.auto = cgroup:mixed proc:mixed sys:mixed
END
# What only the first start makes is not counted.
succeeds "it starts" lxc-start -n "$n"
succeeds "and stops" lxc-stop -n "$n" -k
succeeds "it starts step by step" "$steps" "$scratch/steps" lxc-start -n "$n"
is "$(lxc-info -n "$n" -s -H)" RUNNING "and runs"
count=$(cat "$scratch/steps")
comment "$count instructions; the budget is $budget"
ok "a start stays within its budget" test "$count" -le $((budget + budget / 10))
ok "its budget is not far too large" test "$count" -ge $((budget - budget / 4))
fails 3 "the end of what is counted is told" "$steps" "$scratch/steps" sh -c 'exit 3'
ok "with a number" test "$(cat "$scratch/steps")" -gt 1000
succeeds "it stops" lxc-stop -n "$n" -k
succeeds "and is destroyed" lxc-destroy -n "$n"
finish
