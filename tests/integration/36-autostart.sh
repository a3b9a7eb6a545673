#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# lxc-autostart: who is started after whom, what is pulled in, readiness, circles, what is missing; one time for the
# shutdown of all, backwards; and a summary of what failed.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
sandbox "$0"
log=/run/test/log
mkdir -m 0777 "$log"

# make NAME LINE...: a container that notes its start and, when it is asked to end, its end in the log that all share.
# DEAF=1: it does not listen.
make() {
	name=$1-$tag
	shift
	root=$lxcpath/$name/rootfs
	mkdir -p "$root/log" "$root/bin" "$root/dev" "$root/proc"
	cp "$(command -v busybox)" "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	if [ -n "${DEAF-}" ]; then
		trap=':'
	else
		trap="echo $name >>/log/ends; exit 0"
	fi
	cat >"$root/bin/first" <<SH
#!/bin/sh
trap '$trap' PWR
echo $name >>/log/starts
: >/log/up-$name
while :; do /bin/busybox sleep 0.1; done
SH
	chmod +x "$root/bin/first"
	cat >"$lxcpath/$name/config" <<CONF
lxc.uts.name = $name
lxc.rootfs.path = dir:$root
lxc.init.cmd = /bin/first
lxc.signal.halt = SIGPWR
lxc.mount.entry = $log log none bind 0 0
lxc.net.0.type = empty
CONF
	printf '%s\n' "$@" >>"$lxcpath/$name/config"
}
config() {
	echo "$lxcpath/$1-$tag/config"
}
# names FILE: in order, without what all end in.
names() {
	tr '\n' ' ' <"$1" | sed "s/-$tag//g; s/ \$//"
}
short() {
	printf '%s\n' "$out" | sed "s/-$tag//g; s/ [0-9]*\$//" | tr '\n' ' ' | sed 's/ $//'
}
running() {
	lxc-ls -1 --running | sed "s/-$tag\$//" | tr '\n' ' ' | sed 's/ $//'
}
up() {
	for up_name in "$@"; do
		ok "$up_name is up" eventually 10 test -e "$log/up-$up_name-$tag"
	done
}
afresh() {
	rm -f "$log"/*
	: >"$log/starts"
	: >"$log/ends"
}
gone() {
	lxc-autostart -A -a -k || :
	for gone_name in $(lxc-ls -1); do
		lxc-destroy -n "$gone_name" || result 1 "destroy $gone_name"
	done
}

# ---- one process forks for all of root's

make first 'lxc.start.auto = 1'
afresh
ok "one starts" lxc-autostart
up first
monitor=$(sed -n 's/^monitor //p' "$(find "${XDG_RUNTIME_DIR:-/run}/lxc/instance" -path "*/first-$tag/state")" | cut -d' ' -f1)
is "$(stat -Lc %i "/proc/$monitor/exe")" "$(stat -Lc %i "$(command -v lxc-autostart)")" "its monitor executed no program"
is "$(tr '\0' '|' <"/proc/$monitor/cmdline")" "[lxc monitor] $lxcpath first-$tag|" "but has its title"
is "$(cat "/proc/$monitor/comm")" lxc-supervise "and its name"
gone

# ---- web requires db, which no group and no mark would start, and comes after cache; the least number of the order

make web 'lxc.start.auto = 1' 'lxc.start.order = -7' "lxc.start.requires = db-$tag" "lxc.start.after = cache-$tag nosuch-$tag"
make db 'lxc.group = other' 'lxc.start.ready = command:test -e /log/go' 'lxc.start.ready = command:true'
make cache 'lxc.start.auto = 1' 'lxc.start.order = 3'
make idle 'lxc.group = other'
afresh
succeeds "the list" lxc-autostart -L
is "$(short)" "db cache web" "is in the order of starting, with who is pulled in"
lxc-autostart &
run up cache db
ok "web waits while db is not ready" test "$(names "$log/starts" | grep -c web)" -eq 0
: >"$log/go"
wait $! && status=0 || status=$?
result "$status" "all start once it is"
up web
is "$(names "$log/starts" | sed 's/db cache/cache db/')" "cache db web" "web last"
succeeds "a second time there is nothing to do" lxc-autostart
is "$(wc -l <"$log/starts" | tr -d ' ')" 3 "and nothing is done"
succeeds "they are shut down" lxc-autostart -s -a -A
is "$(names "$log/ends" | cut -d ' ' -f 1)" web "web first"
is "$(running)" "" "and all of them"

succeeds "idle has no part in it" test ! -e "$log/up-idle-$tag"
rm "$log/go"
fails 2 "one that is not ready in time fails, and so does who requires it" lxc-autostart -t 1 -g '' -j 1
like "$err" "cannot wait for db-$tag: .*command:test -e /log/go was not ready within" "says what was waited for"
like "$err" "web-$tag is not started: it requires db-$tag" "and who is not started for that"
unlike "$err" "cache-$tag" "who comes before them starts"
is "$(running)" "cache db" "who only waits to be ready keeps running"
fails 1 "when it runs already, it is waited for as well" lxc-autostart -t 1
like "$err" "2 of 2 containers were not started" "and counts"
: >"$log/go"
succeeds "now it is ready" lxc-autostart
is "$(running)" "cache db web" "web runs"
gone

# ---- circles, what is missing, what fails

make a 'lxc.start.auto = 1' "lxc.start.after = b-$tag"
make b 'lxc.start.auto = 1' "lxc.start.requires = c-$tag"
make c 'lxc.start.auto = 1' "lxc.start.requires = a-$tag"
make d 'lxc.start.auto = 1' "lxc.start.requires = c-$tag"
make e 'lxc.start.auto = 1' "lxc.start.after = c-$tag"
make f 'lxc.start.auto = 1' "lxc.start.requires = e-$tag nosuch-$tag"
make g 'lxc.start.auto = 1' 'lxc.init.cmd = /bin/nosuch' 'lxc.start.order = 1'
make h 'lxc.start.auto = 1' "lxc.start.after = g-$tag" "lxc.start.requires ="
afresh
fails 2 "a circle" lxc-autostart
like "$err" "wait for one another in a circle: a-$tag, b-$tag, c-$tag\$" "all its names"
like "$err" "^ *also $(config b):8: b-$tag requires c-$tag\$" "and where each waits"
like "$err" "^ *also $(config a):8: a-$tag comes after b-$tag\$" "or only comes after"
like "$err" "d-$tag is not started: it requires c-$tag" "who requires one of them"
like "$err" "$(config f):8: f-$tag requires container nosuch-$tag, which does not exist in $lxcpath" "a missing one, with its place"
like "$err" "6 of 8 containers were not started" "how many failed"
like "$err" "^lxc-autostart: g-$tag: .*/bin/nosuch" "which, and why"
is "$(running)" "e h" "the others run, and who only comes after one that failed"
: >"$log/ends"
# With all of them running: only at a stop does nothing stand in the way.
for name in a b c; do
	succeeds "start $name" lxc-start -n "$name-$tag"
done
up a b c e h
succeeds "a circle keeps nothing from being stopped" lxc-autostart -s -A -a
like "$err" "warning: .*in a circle: .*a-$tag" "but is said"
is "$(running)" "" "all are stopped"
gone

# ---- one time for the shutdown of all

make one 'lxc.start.auto = 1' "lxc.start.after = two-$tag"
DEAF=1 make two 'lxc.start.auto = 1'
DEAF=1 make three 'lxc.start.auto = 1'
make four 'lxc.start.auto = 1' 'lxc.start.order = -2'
afresh
succeeds "all start" lxc-autostart
up one two three four
run_limit=20
succeeds "all are stopped in time, also who does not listen" lxc-autostart -s -t 4
is "$(running)" "" "none runs"
is "$(names "$log/ends")" "one four" "backwards, each with a share of the time"
gone
finish
