#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What --json and --json-errors print fits the schemas in doc/json and says the same as the plain output.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup python3
sandbox "$0"
one=one-$tag two=two-$tag

# fits SCHEMA DESCRIPTION TEXT
fits() {
	printf '%s\n' "$3" >"$scratch/json"
	fits_schema=$1 fits_text=$2
	run python3 "$top_srcdir/tests/harness/schema.py" "$top_srcdir/doc/json/$fits_schema.json" "$scratch/json"
	result "$status" "$fits_text"
	[ "$status" -eq 0 ] || comment "$err"
}
# says EXPRESSION DESCRIPTION: python, about d, the last text.
says() {
	run python3 -c "import json; d = json.loads(open('$scratch/json').readline()); assert $1, d"
	result "$status" "$2"
	[ "$status" -eq 0 ] || comment "$err"
}

fails 0 "lxc-ls of nothing" lxc-ls --json
fits lxc-ls "is an empty list" "$out"
says "d['containers'] == []" "and nothing else"
succeeds "a container" lxc-create -n "$one" -t busybox
succeeds "another" lxc-create -n "$two" -t none
printf 'lxc.group = web\nlxc.group = db\nlxc.start.auto = 1\n' >>"$lxcpath/$two/config"
succeeds "start" lxc-start -n "$one"
fails 0 "lxc-ls" lxc-ls --json
fits lxc-ls "fits its schema" "$out"
says "[c['name'] for c in d['containers']] == ['$one', '$two']" "is sorted by name"
says "d['containers'][0]['state'] == 'RUNNING' and d['containers'][0]['pid'] == $(lxc-info -n "$one" -pH)" "has numbers as numbers"
says "d['containers'][1]['groups'] == ['web', 'db'] and d['containers'][1]['autostart'] is True and d['containers'][1]['pid'] is None" "lists as lists"
fails 0 "lxc-ls of some columns" lxc-ls --json -F STATE --running
fits lxc-ls "fits it too" "$out"
says "d['containers'] == [{'name': '$one', 'state': 'RUNNING'}]" "and has no more than those"
fails 1 "an unknown column" lxc-ls --json -F BOGUS
like "$err" "there is no column 'BOGUS'" "is an error here"
fails 0 "lxc-info" lxc-info -n "$one" --json -c lxc.uts.name -c lxc.nosuch
fits lxc-info "fits its schema" "$out"
says "d['state'] == 'RUNNING' and d['memory_bytes'] > 0 and d['cpu_ns'] > 0 and d['links'][0]['name'].startswith('veth')" "knows the numbers"
says "d['config'] == {'lxc.uts.name': ['$one'], 'lxc.nosuch': None}" "and the keys that were asked for"
fails 0 "lxc-info of a stopped one" lxc-info -n "$two" --json
fits lxc-info "fits it too" "$out"
fails 0 "lxc-config" lxc-config --json
fits lxc-config "fits its schema" "$out"
says "d['items']['lxc.lxcpath'] == '$lxcpath' and d['items']['lxc.cgroup.use'] is None" "has all items"
fails 1 "an unknown item" lxc-config --json lxc.nosuch
like "$err" "there is no configuration item lxc.nosuch" "is an error"
fails 0 "lxc-cgroup" lxc-cgroup --json -n "$one" cgroup.procs
fits lxc-cgroup "fits its schema" "$out"
fails 0 "lxc-top" lxc-top --json --cycles 1
fits lxc-top "fits its schema" "$out"
run lxc-doctor --json --all
fits lxc-doctor "lxc-doctor fits its schema" "$out"
run lxc-doctor --json "$one"
fits lxc-doctor "also for a container" "$out"
lxc-monitor --json -n ".*" >"$scratch/events" &
monitor=$!
ok "lxc-monitor listens" eventually 10 test -p "/run/lxc$lxcpath/monitor-fifo"
ok "and is heard" eventually 10 sh -c "lxc-freeze -n $one && lxc-unfreeze -n $one && test -s '$scratch/events'"
succeeds "stop" lxc-stop -n "$one" -k
ok "hears the end" eventually 10 grep -q STOPPED "$scratch/events"
kill "$monitor"
wait "$monitor" 2>/dev/null
fits lxc-monitor "lxc-monitor fits its schema" "$(cat "$scratch/events")"
succeeds "its daemon ends" lxc-monitor -Q
run lxc-autostart -L --json -a
fits lxc-autostart "lxc-autostart fits its schema" "$out"
says "d == {'schema': 'lxc-autostart', 'version': 1, 'action': 'start', 'containers': [{'name': '$two', 'delay': 0}]}" "with name and delay"

# ---- errors

sed -i 's/^lxc.net.0.link.*/lxc.net.0.link = nobridge0/' "$lxcpath/$one/config"
line=$(grep -n nobridge0 "$lxcpath/$one/config" | cut -d : -f 1)
fails 1 "a failing start" lxc-start -n "$one" --json-errors
fits message "is told in one object" "$err"
says "d['kind'] == 'error' and d['program'] == 'lxc-start' and d['id'] == 'bridge-missing'" "with its id"
says "d['message'] == 'cannot start $one: bridge nobridge0 does not exist'" "its sentence"
says "d['where'] == '$lxcpath/$one/config:$line' and d['remedy'] and d['chain'][-1]['what'] == 'bridge nobridge0 does not exist'" "its place and remedy"
fails 1 "a wrong option before --json-errors" lxc-info --bogus --json-errors
fits message "is one too" "$err"
fails 2 "an unknown container" lxc-stop -n nosuch --json-errors
fits message "is one too" "$err"
fails 0 "a warning" lxc-info -n "$two" --json-errors more
fits message "is one too" "$err"
says "d['kind'] == 'warning'" "of another kind"
for tool in attach autostart cgroup checkpoint console create destroy device doctor execute freeze info ls monitor snapshot \
	start stop top unfreeze unshare wait; do
	fails 1 "lxc-$tool --json-errors" "lxc-$tool" --json-errors --no-such-option
	fits message "lxc-$tool tells errors as JSON" "$err"
done
succeeds "destroy" lxc-destroy -n "$one"
succeeds "destroy" lxc-destroy -n "$two"
finish
