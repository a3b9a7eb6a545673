#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Debian's python3-lxc and lua-lxc, unmodified, on real containers: once with LXC's liblxc.so.1, once with ours. What
# the two say is the same, but for what bindings.differences names, with the reason.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
# Debian's modules are for Debian's interpreter.
python=/usr/bin/python3
$python -c 'import lxc' 2>/dev/null || skip_all "python3-lxc: it is not installed (apt-get install python3-lxc)"
{ command -v lua5.2 && lua5.2 -e 'require("lxc")'; } >/dev/null 2>&1 ||
	skip_all "lua-lxc: it is not installed (apt-get install lua-lxc lua5.2)"
sandbox "$0"

# with theirs|ours COMMAND...
with() {
	case $1 in
	theirs) with_path='' with_preload='' ;;
	# "make check-sanitized": the run time of the sanitizers comes before anything else.
	ours) with_path=$TIFFIN_INST/lib with_preload=${SANITIZED_PRELOAD-} ;;
	esac
	shift
	LD_PRELOAD=$with_preload LD_LIBRARY_PATH=$with_path "$@"
}

is "$(with ours $python -c 'import lxc; print(lxc.version)')" 7.0.0 "the module runs on our library"
unlike "$(with theirs $python -c 'import lxc; print(lxc.version)')" '^7\.0\.0$' "and on LXC's without the search path"

# The same root for both: what is compared are the libraries, not templates. A copy each: LXC's destroy deletes the
# root file system wherever it is.
succeeds "a busybox root is made" lxc-create -n "$tag-root" -t busybox
mv "$lxcpath/$tag-root/rootfs" /run/root
rm -rf "${lxcpath:?}/$tag-root"
cat >/run/template <<'END'
#!/bin/sh
for word; do
	case $word in
	--path=*) path=${word#*=} ;;
	--rootfs=*) rootfs=${word#*=} ;;
	esac
done
mkdir -p "$rootfs/etc" && echo made >"$rootfs/etc/hostname" && echo 'lxc.uts.name = made' >>"$path/config"
END
chmod 755 /run/template

# A library that cannot start a container here has nothing to compare.
mkdir /run/probe
cp -a /run/root /run/probe-root
with theirs $python - /run/probe "$tag-p" >"$scratch/probe" 2>&1 <<'END'
import lxc, sys
c = lxc.Container(sys.argv[2], sys.argv[1])
for k, v in (("lxc.rootfs.path", "/run/probe-root"), ("lxc.net.0.type", "empty"), ("lxc.tty.max", "2"), ("lxc.pty.max", "1024")):
    c.set_config_item(k, v)
c.save_config()
print("started" if c.start() else "not started")
c.stop()
c.destroy()
END
rm -rf /run/probe /run/probe-root
find /sys/fs/cgroup -depth -type d -name "lxc.*.$tag-p" -exec rmdir {} + 2>/dev/null
can_compare=$(grep -c '^started$' "$scratch/probe")

# compare BINDING COMMAND...
compare() {
	binding=$1
	shift
	for side in theirs ours; do
		[ "$can_compare" -gt 0 ] || [ "$side" = ours ] || continue
		mkdir -p "/run/$side/path"
		cp -a /run/root "/run/$side/root"
		KEPT=kept LOST=lost with "$side" timeout -k 5 300 "$@" "/run/$side/path" "/run/$side/root" "$tag-$side" /run/template \
			>"$scratch/$binding.$side" 2>"$scratch/$binding.$side.err" </dev/null
		is "$?" 0 "$binding runs to its end with $side"
		is "$(find "/run/$side/path" -mindepth 1 -maxdepth 1 ! -name elsewhere ! -name comment)" "" "and leaves no container"
		rm -rf "/run/$side"
		find /sys/fs/cgroup -depth -type d -name "lxc.*.$tag-$side*" -exec rmdir {} + 2>/dev/null
	done
	if [ "$can_compare" -eq 0 ]; then
		skip "$binding says the same with both" "LXC's library starts no container here: $(tr "\n" " " <"$scratch/probe")"
		return
	fi
	$python "$top_srcdir/tests/compat/compare.py" "$binding" "$scratch/$binding.theirs" "$scratch/$binding.ours" \
		"$top_srcdir/tests/compat/bindings.differences" >"$scratch/report" || comment "the comparison itself failed"
	while IFS="$(printf '\t')" read -r verdict text; do
		case $verdict in
		ok) result 0 "$text" ;;
		bad) result 1 "$text" ;;
		*) echo "# $text" ;;
		esac
	done <"$scratch/report"
}

compare python $python "$top_srcdir/tests/compat/bindings.py"
compare lua lua5.2 "$top_srcdir/tests/compat/bindings.lua"

rm -rf /run/root /run/template
finish
