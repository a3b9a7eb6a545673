#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# A container whose monitor lives in another network namespace cannot be reached, but it is never taken for stopped:
# not started a second time, not destroyed. And what a start writes for its caller: the log of -o and -l, the pid file.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
sandbox "$0"
n=$tag

echo "lxc.net.0.type = empty" >"$scratch/base.conf"
succeeds "a container is made" lxc-create -n "$n" -t busybox -f "$scratch/base.conf"
succeeds "it starts with a log and a pid file" lxc-start -n "$n" -o "$scratch/log" -l DEBUG -p "$scratch/pid"
like "$(cat "$scratch/log")" "$n .*state RUNNING" "the monitor writes to the log of the command line"
is "$(cat "/proc/$(cat "$scratch/pid")/cmdline" | tr -d '\000')" "[lxc monitor] $(lxc-config lxc.lxcpath) $n" \
	"the pid file names the monitor"

for tool in info attach stop destroy freeze; do
	case $tool in
	attach) set -- -- true ;;
	*) set -- ;;
	esac
	status=0
	timeout 20 unshare -n "$(command -v lxc-$tool)" -n "$n" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
	like "$status" '^(1|2)$' "lxc-$tool from another network namespace fails at once"
	like "$(cat "$scratch/err")" "$n" "and names the container"
done
is "$(unshare -n "$(command -v lxc-info)" -n "$n" -s -p -H)" "$(lxc-info -n "$n" -s -p -H)" "what is recorded is known there too"
fails 1 "as JSON, too, with what is not" unshare -n "$(command -v lxc-info)" -n "$n" --json
like "$out" '"state":"RUNNING","pid":[0-9]+,.*"memory_bytes":null' "as null"
like "$err" "another network namespace" "and the reason"
like "$(unshare -n "$(command -v lxc-ls)" -f -F STATE "^$n\$")" RUNNING "and listed"
status=0
timeout 20 unshare -n "$(command -v lxc-start)" -n "$n" >"$scratch/out" 2>"$scratch/err" || status=$?
like "$(cat "$scratch/err")" "already running|another network namespace" "it is not started a second time"
is "$(lxc-info -n "$n" -s -H)" RUNNING "it runs on"
succeeds "and stops where it was started" lxc-stop -n "$n" -k
succeeds "the pid file goes with it" test ! -e "$scratch/pid"
succeeds "it is destroyed" lxc-destroy -n "$n"
succeeds "nothing stays recorded of it" test -z "$(find /run/lxc/instance -name "$n" 2>/dev/null)"
finish
