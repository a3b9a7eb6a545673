#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What scripts rely on: output layouts and exit codes of the tools.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup script
sandbox "$0"
one=one-$tag two=two-$tag

# ---- nothing there

fails 0 "lxc-ls of an empty directory" lxc-ls -f
is "$out" "" "lists nothing, not even a header"
fails 0 "lxc-ls of a directory that does not exist" lxc-ls -P /nonexistent
is "$out$err" "" "says nothing"
fails 1 "lxc-info of an unknown container" lxc-info -n nosuch
like "$err" "^lxc-info: container nosuch does not exist in $lxcpath\$" "names it and where it was looked for"
for tool in start freeze unfreeze destroy console attach; do
	fails 1 "lxc-$tool of an unknown container" "lxc-$tool" -n nosuch
	like "$err" "container nosuch does not exist in $lxcpath" "lxc-$tool names it and where it was looked for"
done
fails 2 "lxc-stop of an unknown container" lxc-stop -n nosuch
fails 0 "lxc-wait takes an unknown container for stopped" lxc-wait -n nosuch -s 'RUNNING|STOPPED' -t 1
fails 1 "no name" lxc-info
is "$err" "lxc-info: no container name given
  try: lxc-info --help" "is said"

# ---- wrong options: exit 1, one sentence, nothing done

wrong() {
	wrong_pattern=$1
	shift
	fails 1 "$*" "$@"
	like "$err" "^$1: $wrong_pattern" "$* is explained"
	is "$(printf '%s\n' "$err" | wc -l)" 2 "in one sentence and a hint"
}
wrong "option --timeout \(-t\): '5x' is not a number" lxc-stop -n "$one" -t 5x
wrong "option --timeout \(-t\): -2 is less than -1" lxc-stop -n "$one" -t -2
wrong 'options --kill \(-k\) and --reboot' lxc-stop -n "$one" -k -r
wrong 'options --kill \(-k\) and --nokill' lxc-stop -n "$one" -k --nokill
wrong 'options --kill \(-k\) and --timeout' lxc-stop -n "$one" -k -t 3
wrong 'option --nolock works only' lxc-stop -n "$one" --nolock
wrong "option --state \(-s\): 'SLEEPING' is not a state" lxc-wait -n "$one" -s 'RUNNING|SLEEPING'
wrong 'no state to wait for' lxc-wait -n "$one"
wrong 'option --uid \(-u\): 4294967295 is out of range' lxc-attach -n "$one" -u 4294967295
wrong "option --gid \(-g\): '-1' is not a numeric id" lxc-attach -n "$one" -g -1
wrong "option --namespaces \(-s\): 'Mount' is not a namespace" lxc-attach -n "$one" -s Mount
wrong "option --elevated-privileges \(-e\): 'cap' is not a privilege" lxc-attach -n "$one" -ecap
wrong 'option --context \(-c\) contradicts' lxc-attach -n "$one" -e -c label
wrong "option --set-var \(-v\): 'NAME' is not VARIABLE=VALUE" lxc-attach -n "$one" -v NAME
wrong "option --escape \(-e\): '\^1' is not a letter" lxc-console -n "$one" -e ^1
wrong "option --define \(-s\): 'lxc.arch' is not KEY=VALUE" lxc-start -n "$one" -s lxc.arch
wrong 'option --lxcpath \(-P\) can be given only once' lxc-start -n "$one" -P /a -P /b
wrong 'no template given' lxc-create -n "$one"
wrong "option --bdev \(-B\): 'floppy' is not a type of storage" lxc-create -n "$one" -t none -B floppy
wrong 'option --lvname is only for' lxc-create -n "$one" -t none -B dir --lvname x
wrong "option --dir: 'rel' is not an absolute path" lxc-create -n "$one" -t none --dir rel
wrong "option --fssize: '1Q' is not a size" lxc-create -n "$one" -t none -B loop --fssize 1Q
for name in ../x .x -x 'a b' 'a/b' 'a;b'; do
	fails 1 "a container '$name' is refused" lxc-info --name="$name"
	like "$err" "is not a valid container name" "with the reason"
done

# ---- the system configuration

fails 0 "lxc-config -l" lxc-config -l
is "$out" "lxc.default_config
lxc.lxcpath
lxc.bdev.lvm.vg
lxc.bdev.lvm.thin_pool
lxc.bdev.zfs.root
lxc.cgroup.use
lxc.cgroup.pattern" "lists seven items"
fails 0 "lxc-config lxc.lxcpath" lxc-config lxc.lxcpath
is "$out" "$lxcpath" "shows the directory"
fails 0 "an item without a value" lxc-config lxc.cgroup.use
is "$out" "lxc.cgroup.use is not set." "is said not to be set"
fails 1 "an unknown item" lxc-config lxc.nosuch
is "$out" "Unknown configuration item: lxc.nosuch" "is named on standard output"

# ---- stopped containers

succeeds "lxc-create" lxc-create -n "$one" -t busybox
is "$out$err" "" "says nothing when all is well"
fails 1 "the same name again" lxc-create -n "$one" -t busybox
like "$err" "container $one exists already in $lxcpath" "is refused"
succeeds "a container without a root" lxc-create -n "$two" -t none
printf 'lxc.group = web\nlxc.group = db\nlxc.start.auto = 1\nlxc.start.order = 3\nlxc.start.delay = 2\n' >>"$lxcpath/$two/config"
wide=$(printf '%s' "$one" | wc -c)
fails 0 "lxc-ls -f" lxc-ls -f
is "$out" "$(printf "%-${wide}s %s\n" NAME 'STATE   AUTOSTART GROUPS  IPV4 IPV6 UNPRIVILEGED ' \
	"$one" 'STOPPED 0         -       -    -    false        ' \
	"$two" 'STOPPED 1         web, db -    -    false        ')" "shows its table with a blank at the line's end"
fails 0 "lxc-ls" lxc-ls
is "$out" "$one
$two" "lists one name to a line where there is no terminal"
fails 0 "lxc-ls --filter" lxc-ls -1 --filter '^two'
is "$out" "$two" "selects"
fails 0 "lxc-ls REGEX" lxc-ls -1 '^one'
is "$out" "$one" "selects too"
fails 0 "lxc-ls -g" lxc-ls -1 -g web,db
is "$out" "$two" "wants all the groups"
fails 0 "lxc-ls -g of two" lxc-ls -1 -g web,mail
is "$out" "" "not one of them"
fails 0 "columns by name" lxc-ls -f -F name,PID,unprivileged --filter "^one"
is "$out" "$(printf "%-${wide}s %s\n" NAME 'PID UNPRIVILEGED ' "$one" '-   false        ')" "are shown in their order"
fails 0 "an unknown column" lxc-ls -f -F NAME,BOGUS
is "$out$err" "Invalid key: BOGUS" "is named, without a table"
fails 0 "lxc-info of a stopped container" lxc-info -n "$one"
is "$out" "Name:           $one
State:          STOPPED" "shows name and state"
fails 0 "lxc-info -c" lxc-info -n "$two" -c lxc.uts.name -c lxc.group -c nosuch -c lxc.start.order
is "$out" "lxc.uts.name =
lxc.group = web
db

lxc.start.order = 3" "shows values"
is "$err" "nosuch invalid" "and names unknown keys"
fails 0 "lxc-info -c -H" lxc-info -n "$two" -H -c lxc.start.order
is "$out" 3 "shows a bare value"
fails 2 "lxc-stop of a stopped container" lxc-stop -n "$one"
fails 1 "lxc-freeze of a stopped container" lxc-freeze -n "$one"
fails 0 "lxc-unfreeze of a stopped container" lxc-unfreeze -n "$one"
fails 1 "lxc-attach to a stopped container" lxc-attach -n "$one" -- true
fails 0 "lxc-autostart -L" lxc-autostart -L -g web
is "$out" "$two 2" "shows name and delay"
fails 0 "lxc-autostart -L of no group" lxc-autostart -L
is "$out" "" "leaves out containers with one"
fails 0 "lxc-autostart -L -A" lxc-autostart -L -A -a
is "$out" "$one 0
$two 2" "follows the order"
fails 0 "lxc-autostart -L -k" lxc-autostart -L -A -a -k
is "$out" "" "leaves out what does not run"

# ---- a running one

succeeds "lxc-start" lxc-start -n "$one"
is "$out$err" "" "says nothing when all is well"
fails 0 "lxc-start of a running container" lxc-start -n "$one"
like "$err" "container $one is already running" "says so"
pid=$(lxc-info -n "$one" -pH)
like "$pid" '^[0-9]+$' "lxc-info -pH is a number"
fails 0 "lxc-info" lxc-info -n "$one"
like "$(printf '%s\n' "$out" | tr '\n' '|')" \
	"^Name:           $one\|State:          RUNNING\|PID:            $pid\|" "begins with name, state and pid"
like "$out" '^Link:           veth' "shows the host's end of the network"
like "$out" '^ TX bytes:      [0-9.]+ (bytes|KiB)$' "and its counters"
fails 0 "lxc-info -s -p" lxc-info -n "$one" -s -p -H
is "$out" "State:          RUNNING
PID:            $pid" "keeps the labels of two facts"
fails 0 "lxc-ls --running" lxc-ls -1 --running
is "$out" "$one" "shows the running one"
fails 0 "lxc-ls --stopped" lxc-ls -1 --stopped
is "$out" "$two" "and --stopped the other"
fails 1 "lxc-destroy of a running container" lxc-destroy -n "$one"
like "$err" "container $one is running" "is refused"
fails 7 "the exit status of a command" lxc-attach -n "$one" -- sh -c 'exit 7'
fails 137 "of one that was killed" lxc-attach -n "$one" -- sh -c 'kill -9 $$'
fails 127 "of one that does not exist" lxc-attach -n "$one" -- nosuch
like "$err" 'cannot execute nosuch: No such file' "is explained"
fails 126 "of one that is no program" lxc-attach -n "$one" -- /etc
fails 0 "an empty environment" lxc-attach -n "$one" --clear-env -- env
is "$(printf '%s\n' "$out" | sort)" "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
container=lxc" "has what LXC leaves"
fails 0 "variables" lxc-attach -n "$one" --clear-env --keep-var HOME -v A=b -v C= -- env
is "$(printf '%s\n' "$out" | grep -E '^(A|C|HOME)=' | sort)" "A=b
C=
HOME=$HOME" "are set and kept"
fails 0 "ids" lxc-attach -n "$one" -u 1000 -g 1001 -- id
is "$out" "uid=1000 gid=1001" "are taken, without further groups"
fails 0 "some namespaces" lxc-attach -n "$one" -s 'UTSNAME|NETWORK' -- sh -c 'hostname; ls /proc/1/root >/dev/null && ls -d /run/test'
is "$out" "$one
/run/test" "leave the others as they were"
succeeds "lxc-attach -L" sh -c "sleep 1 | script -qec 'lxc-attach -n $one -L /run/test/log -- echo logged' /dev/null"
is "$(tr -d '\r' </run/test/log)" "logged" "writes what the terminal shows"
is "$(stat -c %a /run/test/log)" 640 "to a file of its own"
ln -s log /run/test/link
fails 1 "a log through a link" lxc-attach -n "$one" -L /run/test/link -- true
mkfifo /run/test/fifo
fails 1 "a fifo as the log" lxc-attach -n "$one" -L /run/test/fifo -- true
like "$err" 'cannot open the log|not a regular file' "is refused"
fails 0 "closed descriptors" sh -c "lxc-attach -n $one -- readlink /proc/self/fd/0 <&-"
is "$out" "/dev/null" "are not filled with something of ours"
fails 0 "closed output" sh -c "lxc-attach -n $one -- sh -c 'where=\$(readlink /proc/\$\$/fd/1); echo \$where >&2' >&-"
is "$err" "/dev/null" "is not either"
fails 1 "output that cannot be written" sh -c 'lxc-ls >/dev/full'
like "$err" 'cannot write the output: No space left' "is an error"
is "$(printf '%s\n' "$err" | grep -c 'cannot write the output')" 1 "which is said once"
fails 1 "a version that cannot be written" sh -c 'lxc-info --version >/dev/full'
like "$err" '^lxc-info: cannot write the output: No space left' "is one as well"
fails 1 "the same as JSON" sh -c 'lxc-info --json-errors --version >/dev/full'
like "$err" '"program":"lxc-info","message":"cannot write the output: No space left' "is an object"
fails 1 "quietly" sh -c 'lxc-ls -q >/dev/full'
is "$err" "" "it says nothing"
succeeds "lxc-freeze" lxc-freeze -n "$one"
fails 0 "lxc-info -s" lxc-info -n "$one" -s
is "$out" "State:          FROZEN" "shows it"
fails 0 "lxc-ls --frozen" lxc-ls -1 --frozen
is "$out" "$one" "shows it too"
succeeds "lxc-wait for one of two states" lxc-wait -n "$one" -s 'STOPPED|FROZEN' -t 5
succeeds "lxc-unfreeze" lxc-unfreeze -n "$one"
fails 1 "lxc-wait that takes too long" lxc-wait -n "$one" -s STOPPED -t 1
succeeds "lxc-stop -k" lxc-stop -n "$one" -k
fails 0 "lxc-start --timing" lxc-start -n "$one" --timing
like "$out" '^ +[0-9.]+ +[0-9.]+ +init +executing init$' "has a line for each step"
like "$out" '^ +[0-9.]+ +running$' "and one for all"
unlike "$out$err" 'booting|not known' "and none for an init that does not say when it is ready"
succeeds "it is stopped again" lxc-stop -n "$one" -k
fails 0 "the same as JSON" lxc-start -n "$one" --timing=json
like "$out" '^\{"name":"'"$one"'","total_ns":[0-9]+,"boot_ns":null,"steps":\[\{"step":' "is an object"
succeeds "it is stopped once more" lxc-stop -n "$one" -k
fails 0 "and as a chart" lxc-start -n "$one" --timing=svg
like "$out" '<rect class="init".*executing init' "is SVG"
succeeds "lxc-stop -k again" lxc-stop -n "$one" -k
succeeds "lxc-wait for the end" lxc-wait -n "$one" -s STOPPED -t 5

# ---- lxc-execute and our init

fails 5 "lxc-execute ends as its command" lxc-execute -n "$one" -- sh -c 'echo out; exit 5'
is "$out" out "whose output it shows"
fails 137 "or as the signal" lxc-execute -n "$one" -- sh -c 'kill -9 $$'
fails 127 "a command that does not exist" lxc-execute -n "$one" -- nosuch
like "$err" 'cannot execute nosuch' "is named"
fails 126 "a command that is none" lxc-execute -n "$one" -- /etc
fails 4 "what the command left behind is waited for" lxc-execute -n "$one" -- sh -c 'sleep 0.3 & exit 4'
fails 0 "ids" lxc-execute -n "$one" -u 1000 -g 1001 -- id
is "$out" "uid=1000 gid=1001" "are taken"
fails 0 "-s" lxc-execute -n "$one" -s 'lxc.environment = "GREETING=good day"' -- sh -c 'echo "$GREETING"'
is "$out" "good day" "sets keys for the run"
fails 0 "a container that is only a configuration" lxc-execute -n "three-$tag" -f "$lxcpath/$one/config" -- hostname
is "$out" "$one" "runs"
fails 1 "a command is needed" lxc-execute -n "$one"
succeeds "lxc-execute -d" lxc-execute -n "$one" -d -- sleep 30
succeeds "is stopped like any other" lxc-stop -n "$one" -t 10

# ---- failures leave their reason

sed -i 's/^lxc.net.0.link.*/lxc.net.0.link = nobridge0/' "$lxcpath/$one/config"
line=$(grep -n nobridge0 "$lxcpath/$one/config" | cut -d : -f 1)
fails 1 "a bridge that is not there" lxc-start -n "$one"
is "$(printf '%s\n' "$err" | head -n 1)" "lxc-start: cannot start $one: bridge nobridge0 does not exist" "is the first line"
like "$err" "$lxcpath/$one/config:$line\)" "with file and line"
fails 1 "quietly" lxc-start -n "$one" -q
is "$out$err" "" "nothing is said"
fails 1 "--verbose" lxc-start -n "$one" --verbose
like "$err" '\(bridge-missing\)' "adds the error's name"
fails 0 "lxc-info afterwards" lxc-info -n "$one"
like "$out" '^Last error:     .*bridge nobridge0 does not exist' "knows why"
fails 0 "lxc-info -s" lxc-info -n "$one" -s
is "$out" "State:          STOPPED" "does not say it"

# ---- the end

succeeds "lxc-destroy" lxc-destroy -n "$one"
is "$out$err" "" "says nothing when all is well"
succeeds "lxc-destroy of the other" lxc-destroy -n "$two" -f
finish
