#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# The programs in liblxc(3) and lxcext(3), as a reader would copy them: they compile without a warning, as C99 too,
# with what pkg-config says, and do on real containers what the pages say.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup python3 pkg-config "${CC%% *}"
sandbox "$0"
n=$tag
mkdir /run/api
export PKG_CONFIG_PATH="$TIFFIN_INST/lib/pkgconfig"

# programs PAGE: writes the blocks of its examples that have a main() to /run/api/PAGE-1.c and so on.
programs() {
	awk -v base="/run/api/$1" '
		/^# / && !block { inside = /^# EXAMPLES$/ }
		/^```/ {
			if (block && inside && text ~ /\nint main\(/) {
				file = base "-" ++number ".c"
				printf "%s", text >file
				close(file)
			}
			block = !block
			text = ""
			next
		}
		# In the source of a page a backslash is written twice.
		block { gsub(/\\\\/, "\\"); text = text $0 "\n" }' "$top_srcdir/tools/$1.3.scd"
}
programs liblxc
programs lxcext
is "$(cd /run/api && echo *.c)" "liblxc-1.c liblxc-2.c lxcext-1.c lxcext-2.c" "the pages have two programs each"

cflags=$(pkg-config --cflags lxc)
libs="$(pkg-config --libs lxc) -Wl,-rpath,$TIFFIN_INST/lib"
like "$cflags $libs" "$TIFFIN_INST/include.*-llxc" "pkg-config knows the library"
for source in /run/api/*.c; do
	program=${source%.c}
	# shellcheck disable=SC2086 # several words each
	succeeds "${program##*/} compiles without a warning" $CC -Wall -Wextra -Werror $cflags "$source" -o "$program" $libs
	# shellcheck disable=SC2086
	succeeds "${program##*/} is C99" $CC -std=c99 -pedantic -Wall -Wextra -Werror $cflags -fsyntax-only "$source"
done

# liblxc-1: from create to destroy.
succeeds "liblxc: the container of the example lives its life" /run/api/liblxc-1 "$n"
like "$(printf '%s\n' "$out" | sed -n 1p)" "^$n: RUNNING, init is process [1-9][0-9]*\$" "it has run"
is "$(printf '%s\n' "$out" | sed 1d)" "hello
the command ended with 7
$n: gone" "its command has said what the configuration gave it, and it is gone"
is "$err" "" "nothing is complained of"
ok "and nothing is left of it" test ! -e "$lxcpath/$n"

# The same where something is in the way.
succeeds "a container" lxc-create -n "$n" -t busybox
fails 1 "liblxc: the program fails where there is a container already" /run/api/liblxc-1 "$n"
is "$out" "" "and says so on standard error only"
is "$(printf '%s\n' "$err" | sed -n 1p)" "cannot create $n" "first what was attempted"
like "$err" "^  because .*$n.* exists" "then why"
like "$err" '^  try: ' "and what mends it"
fails 1 "liblxc: a name that none can have" /run/api/liblxc-1 "a/b"
like "$err" '^cannot open container a/b' "is an error of the thread, and told as well"
ok "and the container that was in the way is as it was" test -e "$lxcpath/$n/rootfs/sbin/init"

# liblxc-2: the list.
cat >>"$lxcpath/$n/config" <<'END'
lxc.uts.name = box.example
lxc.net.0.type = veth
lxc.net.0.link = lxcbr0
lxc.net.0.flags = up
lxc.net.0.ipv4.address = 10.0.3.77/24
END
succeeds "liblxc: the list of one that is stopped" /run/api/liblxc-2
is "$out" "$n box.example STOPPED -" "has its names and its state"
succeeds "it starts" lxc-start -n "$n"
succeeds "liblxc: the list of one that runs" /run/api/liblxc-2 "$lxcpath"
is "$out" "$n box.example RUNNING 10.0.3.77" "has its address too"
mkdir "$lxcpath/broken"
echo "lxc.nonsense = 1" >"$lxcpath/broken/config"
succeeds "liblxc: the list where one does not load" /run/api/liblxc-2
is "$out" "$n box.example RUNNING 10.0.3.77" "has the others"
like "$err" '^containers: warning: broken is left out: ' "and a warning"
rm -r "$lxcpath/broken"
fails 1 "liblxc: the list of what does not exist" /run/api/liblxc-2 /nonexistent
like "$err" '^containers: .*/nonexistent' "names it"
succeeds "it stops" lxc-stop -k -n "$n"

# lxcext-1: the plan and the states.
seen() {
	grep -qx "$1" /run/api/states
}
/run/api/lxcext-1 "$n" >/run/api/states 2>/run/api/states.err &
watcher=$!
ok "lxcext: the watcher sees that it is stopped" eventually 10 seen STOPPED
succeeds "it starts again" lxc-start -n "$n"
ok "lxcext: the watcher sees it run" eventually 10 seen RUNNING
succeeds "it is frozen" lxc-freeze -n "$n"
ok "lxcext: the watcher sees it frozen" eventually 10 seen FROZEN
succeeds "it is killed" lxc-stop -k -n "$n"
status=0
ok "lxcext: the watcher ends by itself" eventually 20 sh -c "! kill -0 $watcher"
kill "$watcher" 2>/dev/null
wait "$watcher" || status=$?
is "$status" 0 "with success"
is "$(tail -n 2 /run/api/states)" "STOPPED
stopped by lxc-stop of user 0" "having seen the end, and who wanted it"
is "$(cat /run/api/states.err)" "" "without a complaint"
sed '/^STOPPED$/,$d' /run/api/states >/run/api/plan
like "$(python3 -c 'import json, sys; p = json.load(sys.stdin); print(p["version"], p["name"])' </run/api/plan)" "^1 $n\$" \
	"what comes before the states is the plan, in JSON"
fails 1 "lxcext: the plan of one that does not exist" /run/api/lxcext-1 nosuch
is "$(printf '%s\n' "$err" | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')" "container-unknown" \
	"is an error in JSON"
fails 1 "lxcext: no container named" /run/api/lxcext-1

# lxcext-2: a copy.
succeeds "lxcext: a copy is made" /run/api/lxcext-2 "$n" "$n-2"
is "$out" "$n-2 is a copy of $n" "and has its name"
ok "and a root" test -e "$lxcpath/$n-2/rootfs/sbin/init"
mkdir "$lxcpath/$n/rootfs/many"
(cd "$lxcpath/$n/rootfs/many" && seq 200 | xargs touch)
fails 1 "lxcext: a copy is called off" /run/api/lxcext-2 "$n" "$n-3" 100
like "$err" '^copy: ' "which is an error"
ok "and leaves nothing" test ! -e "$lxcpath/$n-3"

for c in "$n" "$n-2"; do
	succeeds "$c is destroyed" lxc-destroy -n "$c"
done
finish
