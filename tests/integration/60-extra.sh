#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# What <lxc/lxcext.h> adds: errors as JSON, the plan, state changes, readiness, the end; and checkpoints, where criu can
# make them and with one that only writes down what it is asked.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup "${CC%% *}"
sandbox "$0"
n=$tag

# verdicts FILE: "ok TEXT" and "bad TEXT" lines as results.
verdicts() {
	while IFS="$(printf '\t')" read -r verdict text; do
		case $verdict in
		ok) result 0 "$text" ;;
		bad) result 1 "$text" ;;
		*) comment "$verdict $text" ;;
		esac
	done <"$1"
}

# ---- lxcext

# shellcheck disable=SC2086 # the compiler may be several words
succeeds "a client is built as C99" $CC -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -o /run/extra \
	-I"$TIFFIN_INST/include" "$top_srcdir/tests/compat/extra.c" -L"$TIFFIN_INST/lib" -Wl,-rpath,"$TIFFIN_INST/lib" -llxc -pthread
succeeds "a busybox container is made" lxc-create -n "$n" -t busybox
cat >>"$lxcpath/$n/config" <<'END'
lxc.net.0.type = veth
lxc.net.0.link = lxcbr0
lxc.net.0.flags = up
lxc.net.0.ipv4.address = 10.0.3.80/24
END
# shellcheck disable=SC2086 # several words or none
timeout "${SANITIZED_LIMIT:-200}" ${SANITIZED_CLIENT-} /run/extra "$lxcpath" "$n" >"$scratch/extra" 2>"$scratch/extra.err" </dev/null
is "$?" 0 "the client gets to its end"
comment "$(tail -n 5 "$scratch/extra.err")"
verdicts "$scratch/extra"
rm -f /run/extra

# ---- checkpoints: what criu is asked

mkdir -p /run/fake /run/dump
cat >/run/fake/criu <<'END'
#!/bin/sh
# A criu that writes down what it is asked, and "restores" a process that sleeps.
[ "$1" = --version ] && { echo "Version: $(cat /run/fake/version)"; exit 0; }
printf '%s\n' "$*" >>/run/fake/asked
action=$1 dir='' pidfile='' log=''
while [ $# -gt 0 ]; do
	case $1 in
	-D) dir=$2 ;;
	-o) log=$2 ;;
	--pidfile) pidfile=$2 ;;
	--feature) [ "$2" = mem_dirty_track ]; exit ;;
	esac
	shift
done
if [ -e /run/fake/broken ]; then
	printf '(00.1) Warn: odd\n(00.2) Error (criu/x.c:1): the kernel is too new\n(00.3) cleaning up\n' >"$log"
	exit 1
fi
case $action in
dump) : >"$dir/inventory.img" ;;
restore)
	setsid sleep 1000 </dev/null >/dev/null 2>&1 &
	echo $! >"$pidfile"
	;;
esac
exit 0
END
chmod 755 /run/fake/criu
echo 3.17.1 >/run/fake/version
asked() {
	tail -n 1 /run/fake/asked
}
real_path=$PATH
PATH=/run/fake:$PATH

fails 1 "a stopped container is not dumped" lxc-checkpoint -n "$n" -D /run/dump/one
succeeds "it starts" lxc-start -n "$n"
pid=$(lxc-info -n "$n" -p -H)
succeeds "a pre-dump" lxc-checkpoint -n "$n" -p -D /run/dump/pre
like "$(asked)" "^pre-dump .*-D /run/dump/pre -o /run/dump/pre/pre-dump.log .*-t $pid .*--track-mem" "tells criu what it is"
succeeds "a dump" lxc-checkpoint -n "$n" -v -D /run/dump/one
like "$(asked)" "^dump --tcp-established --file-locks --link-remap --manage-cgroups=full --ext-mount-map auto --enable-external-sharing --enable-external-masters --enable-fs hugetlbfs --enable-fs tracefs -D /run/dump/one -o /run/dump/one/dump.log -v4 " \
	"has criu's options in order"
like "$(asked)" " -t $pid --skip-in-flight --force-irmap --leave-running " "names init and leaves it running"
like "$(asked)" " --cgroup-root .*lxc\.payload\.$n" "names its cgroups"
like "$(asked)" ' --external tty\[[0-9a-f]+:[0-9a-f]+\]' "names its console"
like "$(cat /run/dump/one/tty.info)" '^tty\[[0-9a-f]+:[0-9a-f]+\]$' "which the checkpoint remembers"
is "$(stat -c %a /run/dump/one)" 700 "the checkpoint is nobody else's"
fails 1 "a dump does not overwrite another" lxc-checkpoint -n "$n" -D /run/dump/one
like "$err" 'holds a checkpoint already' "and says so"
fails 1 "a running container is not restored into" lxc-checkpoint -n "$n" -r -D /run/dump/one
touch /run/fake/broken
fails 1 "a dump that criu cannot make fails" lxc-checkpoint -n "$n" -D /run/dump/two
like "$err" 'Error \(criu/x\.c:1\): the kernel is too new' "with criu's own last error"
rm /run/fake/broken
echo 1.8 >/run/fake/version
fails 1 "a criu of long ago is refused" lxc-checkpoint -n "$n" -D /run/dump/three
like "$err" 'version 1\.8' "by its version"
echo 3.17.1 >/run/fake/version
fails 1 "without criu" env PATH=/run/dump "$TIFFIN_INST/bin/lxc-checkpoint" -n "$n" -D /run/dump/three
like "$err" 'criu is not installed' "the remedy is to install it"
lxc-stop -k -n "$n"

# ---- a restore

succeeds "a restore" lxc-checkpoint -n "$n" -r -D /run/dump/one
like "$(asked)" '^restore .* --restore-detached --restore-sibling --pidfile .* --root [^ ]+ .*--cgroup-root ' "tells criu where"
like "$(asked)" ' --external veth\[[^]]*\]:veth[^ ]*@lxcbr0' "names the network device to make"
is "$(lxc-info -n "$n" -s -H)" RUNNING "what criu restored runs"
is "$(tr '\0' ' ' <"/proc/$(lxc-info -n "$n" -p -H)/cmdline")" "sleep 1000 " "as the container's init"
succeeds "and stops" lxc-stop -k -n "$n"
is "$(lxc-info -n "$n" -s -H)" STOPPED "it is stopped"
fails 1 "nothing is restored from an empty directory" lxc-checkpoint -n "$n" -r -D /run/dump
like "$err" 'holds no checkpoint' "and that is said"
touch /run/fake/broken
fails 1 "a restore that criu cannot do fails" lxc-checkpoint -n "$n" -r -D /run/dump/one
like "$err" 'the kernel is too new' "with criu's own last error"
is "$(lxc-info -n "$n" -s -H)" STOPPED "and leaves it stopped"
rm -f /run/fake/broken

# ---- for real

PATH=$real_path
if command -v criu >/dev/null; then
	lxc-start -n "$n"
	eventually 10 lxc-attach -n "$n" -- test -e /dev/log
	run lxc-checkpoint -n "$n" -s -D /run/dump/real
	if [ "$status" -eq 0 ]; then
		is "$(lxc-info -n "$n" -s -H)" STOPPED "a checkpoint with -s ends the container"
		succeeds "and it is brought back" lxc-checkpoint -n "$n" -r -D /run/dump/real
		succeeds "alive" lxc-attach -n "$n" -- test -e /dev/log
	else
		last=$(grep Error /run/dump/real/dump.log | tail -n 1)
		ok "criu says why it cannot work here" test -n "$last"
		like "$(printf '%s' "$err" | tr -d '()')" "$(printf '%s' "$last" | tr -d '()' | sed 's/[].*^$+?{|\\[]/./g')" "and that is the error"
		comment "$last"
		is "$(lxc-info -n "$n" -s -H)" RUNNING "the container goes on"
	fi
	lxc-stop -k -n "$n"
else
	skip "a real checkpoint" "criu is not installed"
fi

rm -rf /run/fake /run/dump
lxc-destroy -n "$n"
finish
