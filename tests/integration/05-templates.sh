#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# The templates by themselves, called as lxc-create calls them.
. "$top_srcdir/tests/harness/lib.sh"
needs root inst busybox chroot
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
templates=$TIFFIN_INST/share/lxc/templates
box=$scratch/box
mkdir "$box"

fresh() {
	rm -rf "$box"
	mkdir "$box"
	printf 'lxc.net.0.type = empty\nlxc.rootfs.path = dir:%s\n' "$box/rootfs" >"$box/config"
}

# template NAME OPTION...: as lxc-create calls it; a program, so that it can be timed out.
cat >"$scratch/template" <<END
#!/bin/sh
name=\$1
shift
exec "$templates/lxc-\$name" --path="$box" --name=box --rootfs="$box/rootfs" "\$@"
END
chmod +x "$scratch/template"

# ---- every script reads as sh

for script in "$templates"/* "$TIFFIN_INST"/libexec/lxc/lxc-containers "$TIFFIN_INST"/share/lxc/hooks/clonehostname; do
	succeeds "${script##*/} is valid shell" sh -n "$script"
	unlike "$(cat "$script")" '@[A-Z]+@' "${script##*/} has all its places filled in"
done
unlike "$(cat "$TIFFIN_INST"/share/lxc/config/*.conf)" '@[A-Z]+@' "the shipped configs have all their places filled in"
for file in "$TIFFIN_INST"/share/lxc/config/*.conf; do
	missing=$(sed -n 's/^lxc\.\(include\|seccomp\.profile\|hook\.[a-z-]*\) = //p' "$file" | while read -r target; do
		[ -e "$target" ] || echo "$target"
	done)
	is "$missing" "" "${file##*/} names only files that are installed"
done

# ---- busybox

fresh
succeeds "busybox makes a root" "$scratch/template" busybox
ok "init is another name of the busybox" test "$box/rootfs/sbin/init" -ef "$box/rootfs/bin/busybox"
ok "and no symlink" test ! -L "$box/rootfs/sbin/init"
ok "the root's shell runs" chroot "$box/rootfs" /bin/sh -c 'exit 0'
ok "no place is left behind from the making" test ! -e "$box/rootfs/proc/self"
is "$(find "$box/rootfs" -perm /6000)" "" "nothing in the root is setuid"
is "$(stat -c %a "$box/rootfs/etc/shadow")" 600 "shadow is for root only"
like "$(cat "$box/config")" '^lxc\.uts\.name = box$' "the config has the name"
like "$(cat "$box/config")" '^lxc\.net\.0\.type = empty$' "the network lines are kept"
is "$(grep -c '^lxc.rootfs.path' "$box/config")" 1 "the rootfs line is not doubled"
fresh
is_link() {
	is "$(readlink "$box/rootfs/sbin/init")" /bin/busybox "$1: init is a symlink that holds inside the root"
	ok "$1: the root's shell runs" chroot "$box/rootfs" /bin/sh -c 'exit 0'
}
mkdir "$scratch/bin"
printf '#!/bin/sh\n[ "$3" != --install ] || [ -n "$4" ] || exit 1\nexec %s "$@"\n' "$(command -v chroot)" >"$scratch/bin/chroot"
chmod +x "$scratch/bin/chroot"
succeeds "busybox makes a root where files have one name" env PATH="$scratch/bin:$PATH" "$scratch/template" busybox
is_link "without hard links"
fresh
printf 'lxc.net.0.type = empty\n' >"$box/config"
succeeds "busybox fills a config without a rootfs" "$scratch/template" busybox
is "$(grep '^lxc.rootfs.path' "$box/config")" "lxc.rootfs.path = dir:$box/rootfs" "and names it"

# ---- what templates refuse

lf='
'
fresh
for t in busybox debian local; do
	fails 1 "$t refuses a name with a line break" "$templates/lxc-$t" --path="$box" --rootfs="$box/rootfs" --name="a${lf}lxc.hook.start-host = x"
	like "$err" 'control character' "$t says why"
	fails 1 "$t refuses .. as a name" "$templates/lxc-$t" --path="$box" --rootfs="$box/rootfs" --name=..
	fails 1 "$t refuses a rootfs with a line break" "$templates/lxc-$t" --path="$box" --name=box --rootfs="/tmp/a${lf}b"
	fails 1 "$t refuses / as rootfs" "$templates/lxc-$t" --path="$box" --name=box --rootfs=/
	fails 1 "$t refuses unknown options" "$scratch/template" "$t" --frobnicate
	like "$err" '^lxc-'"$t"': option --frobnicate is unknown' "$t names the option"
	fails 1 "$t refuses an option without its value" "$templates/lxc-$t" --path
	fails 1 "$t refuses stray words" "$scratch/template" "$t" stray
	fails 1 "$t refuses a bad id" "$scratch/template" "$t" --mapped-uid=1x
	succeeds "$t has a help text" "$templates/lxc-$t" -h
	like "$out" 'Usage:' "$t says how it is used"
	is "$(cat "$box/config")" "lxc.net.0.type = empty${lf}lxc.rootfs.path = dir:$box/rootfs" "$t wrote nothing meanwhile"
done
fails 1 "busybox wants a busybox that exists" "$scratch/template" busybox --busybox-path=/nonexistent/bb
like "$err" '/nonexistent/bb does not exist' "and names it"
fails 1 "debian wants a plain release" "$scratch/template" debian -r '../x'
fails 1 "debian wants a mirror that is one" "$scratch/template" debian --mirror='x y'
fails 1 "debian wants plain package names" "$scratch/template" debian --packages='a;b'
fails 1 "debian wants a mirror for Ubuntu" "$scratch/template" debian -r noble
like "$err" '--mirror=' "and says how to give it"
fails 1 "local wants an archive" "$scratch/template" local
like "$err" '--fstree=' "and says how to give it"
fails 1 "local wants an archive that exists" "$scratch/template" local -f "$scratch/none.tar"
like "$err" 'none.tar does not exist' "and names it"

# ---- local

tree=$scratch/tree
mkdir -p "$tree/sbin" "$tree/etc"
echo init >"$tree/sbin/init"
echo 'name is LXC_NAME' >"$tree/etc/marker"
tar -C "$tree" -czf "$scratch/good.tar.gz" .
fresh
succeeds "local unpacks an archive" "$scratch/template" local -f "$scratch/good.tar.gz"
is "$(cat "$box/rootfs/sbin/init")" init "its files are there"
like "$(cat "$box/config")" '^lxc\.uts\.name = box$' "the config has the name"
is "$(grep -n '' "$box/config" | grep 'lxc.net.0' | cut -d : -f 2-)" "lxc.net.0.type = empty" "the network lines are kept"
is "$(ls -A "$box" | sort | tr '\n' ' ')" "config rootfs " "no temporary file is left"

tar -C "$tree" -P --transform='s|^\./etc/marker|/tmp/escaped-absolute|' -cf "$scratch/absolute.tar" ./etc/marker
tar -C "$tree" -P --transform='s|^\./etc/marker|../../escaped-up|' -cf "$scratch/up.tar" ./etc/marker
for bad in absolute up; do
	fresh
	fails 1 "local refuses an archive with an $bad name" "$scratch/template" local -f "$scratch/$bad.tar"
	like "$err" "$bad.tar has the name \"[^\"]*escaped-$bad\"" "and names both"
	ok "nothing was unpacked" test ! -e "$box/rootfs"
done
ok "nothing appeared outside" test ! -e /tmp/escaped-absolute
echo nothing >"$scratch/broken.tar"
fresh
fails 1 "local refuses a file that is no archive" "$scratch/template" local -f "$scratch/broken.tar"
like "$err" 'broken.tar cannot be read as an archive' "and says so"

meta=$scratch/meta
mkdir "$meta"
printf 'lxc.include = LXC_TEMPLATE_CONFIG/common.conf\nlxc.arch = x86_64\n' >"$meta/config"
printf '/etc/marker\n' >"$meta/templates"
printf 'proc proc proc nodev 0 0\n' >"$meta/fstab"
printf 'made LXC_NAME\n' >"$meta/create-message"
tar -C "$meta" -cf "$scratch/meta.tar" .
fresh
succeeds "local takes metadata" "$scratch/template" local -f "$scratch/good.tar.gz" -m "$scratch/meta.tar"
like "$out" '^made box$' "shows its message"
is "$(cat "$box/rootfs/etc/marker")" "name is box" "fills the files it names"
like "$(cat "$box/config")" "^lxc\.include = $TIFFIN_INST/share/lxc/config/common\.conf$" "fills its config"
like "$(cat "$box/config")" "^lxc\.mount\.fstab = $box/fstab$" "and takes its fstab"

for line in 'lxc.hook.pre-start = /bin/touch /tmp/owned' 'lxc.mount.entry = / host none bind 0 0' \
	'lxc.rootfs.path = dir:/' 'lxc.include = /etc/passwd' 'lxc.net.0.script.up = /bin/true' \
	'	lxc.hook.start-host=LXC_HOOK_DIR/../../../bin/sh' 'lxc.log.file = /etc/cron.d/x'; do
	printf '%s\n' "$line" >"$meta/config"
	tar -C "$meta" -cf "$scratch/evil.tar" .
	fresh
	fails 1 "local refuses metadata with:$line" "$scratch/template" local -f "$scratch/good.tar.gz" -m "$scratch/evil.tar"
	like "$err" 'reaches the host' "and says why"
done
succeeds "unless it is told to trust it" "$scratch/template" local -f "$scratch/good.tar.gz" -m "$scratch/evil.tar" --trust-metadata
rm "$meta/config"
ln -s /etc/shadow "$meta/config"
tar -C "$meta" -cf "$scratch/link.tar" .
fresh
fails 1 "local refuses metadata with links" "$scratch/template" local -f "$scratch/good.tar.gz" -m "$scratch/link.tar"

# ---- clonehostname

root=$scratch/root
mkdir -p "$root/etc/sysconfig/network-scripts"
printf '127.0.1.1 old old.example\n10.0.0.1 other\n' >"$root/etc/hosts"
printf 'secret old\n' >"$scratch/outside"
ln -s "$scratch/outside" "$root/etc/sysconfig/network"
succeeds "clonehostname runs" env LXC_SRC_NAME=old LXC_NAME=new.1 LXC_ROOTFS_MOUNT="$root" \
	"$TIFFIN_INST/share/lxc/hooks/clonehostname" old lxc clone
is "$(cat "$root/etc/hosts")" "127.0.1.1 new.1 old.example${lf}10.0.0.1 other" "the first name of a line is replaced"
is "$(cat "$scratch/outside")" "secret old" "a link out of the root is left alone"
fails 1 "clonehostname wants its environment" env -u LXC_SRC_NAME "$TIFFIN_INST/share/lxc/hooks/clonehostname"

finish
