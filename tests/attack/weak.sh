#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Do the attack tests bite? Each defence below is taken out of a copy of the sources, and the test that is about it
# must fail then. A line here that no longer changes its file is a failure, too.
#
#	make check-weak [WEAK="NAME..."]
set -eu
: "${top_srcdir:?}"
# Not below /tmp: the tests have one of their own.
work=$(mktemp -d "${top_builddir:?}/weak.XXXXXX")
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM INT
wanted=${WEAK-}
bad=0 count=0 passed='' whole=yes

# attack TEST[:CLASSES]: 0 when it passes, with its output in $work/out.
attack() (
	cd "$work/src/build"
	top_srcdir=$work/src top_builddir=$work/src/build TIFFIN_INST=$work/src/build/inst
	case $1 in
	*:*) ATTACKS=$(echo "${1#*:}" | tr , ' ') ;;
	*) unset ATTACKS ;;
	esac
	export top_srcdir top_builddir TIFFIN_INST ATTACKS
	timeout -k 5 "${WEAK_LIMIT:-300}" sh "$work/src/tests/integration/${1%%:*}.sh" >"$work/out" 2>&1
)

# build: installs what the copy is now; what is newer than its objects is built again.
build() {
	make -C "$work/src/build" "${MAKE_JOBS:--j2}" install >"$work/make.out" 2>&1
}

# weak NAME TEST[:CLASSES] FILES PERL: what is defended twice has several files, each of which it must change.
weak() {
	[ -z "$wanted" ] || case " $wanted " in *" $1 "*) ;; *) return 0 ;; esac
	count=$((count + 1))
	# Whatever fails by itself proves nothing.
	case " $passed " in
	*" $2 "*) ;;
	*)
		[ "$whole" = yes ] || build
		whole=yes
		if ! attack "$2" || grep -q '^not ok' "$work/out" || grep -Eq '^1\.\.0' "$work/out"; then
			echo "not ok $count - $1: $2 fails without it, too"
			grep -E -m 3 'SKIP|^not ok' "$work/out" | sed 's/^/# /' || :
			bad=1
			return 0
		fi
		passed="$passed $2"
		;;
	esac
	for file in $3; do
		cp -p "$work/src/$file" "$work/kept/${file##*/}"
		perl -0pi -e "$4" "$work/src/$file"
	done
	whole=no
	same=''
	for file in $3; do
		! cmp -s "$work/src/$file" "$work/kept/${file##*/}" || same="$same $file"
	done
	if [ -n "$same" ]; then
		echo "not ok $count - $1: the line for it changes nothing in$same"
		bad=1
	elif ! build; then
		echo "not ok $count - $1: does not build"
		tail -n 5 "$work/make.out" | sed 's/^/# /'
		bad=1
	else
		rc=0
		attack "$2" || rc=$?
		# A run that was cut off, or one that skipped more than before, says nothing about the defence.
		if grep -q '^not ok' "$work/out"; then
			echo "ok $count - $1: $2 notices"
			grep -m 3 '^not ok' "$work/out" | sed 's/^/# /'
		else
			case $rc in
			0) why="does not notice" ;;
			124 | 137) why="did not end in ${WEAK_LIMIT:-300} s, and no check had failed" ;;
			*) why="ended with $rc, and no check had failed" ;;
			esac
			echo "not ok $count - $1: $2 $why"
			{ grep -E -m 3 'SKIP' "$work/out" || tail -n 3 "$work/out"; } | sed 's/^/# /'
			bad=1
		fi
	fi
	for file in $3; do
		cp "$work/kept/${file##*/}" "$work/src/$file"
	done
}

(cd "$top_srcdir" && tar -cf - --exclude=./build --exclude=./.git .) | (mkdir "$work/src" && cd "$work/src" && tar -xf -)
mkdir "$work/src/build" "$work/kept"
(
	cd "$work/src/build"
	# A copy without the files that belong to a finished build beside its sources.
	[ ! -e ../config.status ] || make -C .. distclean >/dev/null 2>&1
	../configure --prefix="$PWD/inst" --sysconfdir="$PWD/inst/etc" --localstatedir="$PWD/inst/var" CFLAGS='-O0 -w' >"$work/configure.out"
) && build || { echo "Bail out! the sources cannot be built"; exit 1; }

# ---- paths of a guest's
weak in-root 22-enemies lib/kernel/openat.c \
	's/int fd = open2\(rootfd, path, flags, mode, RESOLVE_IN_ROOT\);\n\n\treturn is_missing/int fd = openat(rootfd, path, flags | O_CLOEXEC, mode);\n\tif (fd < 0) fd = -errno;\n\treturn 0 \&\& is_missing/'
weak no-symlinks 23-escapes:devs lib/kernel/openat.c \
	's/fd = open2\(rootfd, below, [^\n]*\n\tif \(is_missing\(fd\)\)/fd = openat(rootfd, below, flags | O_CLOEXEC, mode);\n\tif (fd < 0) fd = -errno;\n\tif (0)/'
weak init-cwd 23-escapes:directories lib/lifecycle/start_identity.c \
	's/mkdir_in_root\(root, cwd->v, 0755\)/open(cwd->v, O_PATH | O_DIRECTORY | O_CLOEXEC)/; s/!getcwd\(real, sizeof\(real\)\) \|\| real\[0\] != .\/./0/'
weak destroy 22-enemies lib/storage/rmtree.c \
	's/O_NOFOLLOW \|//; s/\.resolve = RESOLVE[^,]*,/.resolve = 0,/'
# ---- who enters
weak dumpable 23-escapes:programs lib/lifecycle/attach_steps.c 's/\(void\)prctl\(PR_SET_DUMPABLE, 0\);//g'
weak attach-fds 22-enemies lib/lifecycle/attach_steps.c \
	's/\(void\)syscall\(SYS_close_range, 3U, ~0U, 0U\);//; s/\(void\)proc_close_fds\(3, keep, ARRAY_SIZE\(keep\)\);//'
weak own-pty 23-escapes:terminals lib/lifecycle/attach_steps.c \
	's/if \(a->is_terminal\[i\]\)\n\t+a->stdio\[i\] = a->pty.pts;/;/; s/setsid\(\) < 0 \|\| ioctl\(a->pty.pts, TIOCSCTTY, 0\) < 0/0/'
weak own-program 23-escapes:programs 'lib/api/protect.c lib/kernel/entry.c' \
	's/else if \(is_protected\(exe\)\)/else if (1)/; s/if \(aux_value\(b.aux, AT_EUID\) != 0 \|\|/if (1 ||/'
weak inheritable 22-enemies lib/kernel/caps.c 's/data\[0\]\.inheritable = data\[1\]\.inheritable = 0;/data[0].inheritable = data[0].permitted;/'
# ---- the command socket
weak server-peer 22-enemies lib/lifecycle/server.c 's/if \(c->creds\.uid != 0 && [^\n]*\n\t\treturn false;/;/'
weak client-peer 22-enemies lib/lifecycle/client_call.c \
	's/(bool client_peer_is_trusted\([^{]*\{)/$1 if (1) return true;/'
# ---- places of other people
weak run-directory 24-users lib/lifecycle/instance.c 's/(static int check_rundir\([^{]*\{)/$1 if (1) return 0;/'
weak foreign-config 24-users lib/api/handle.c 's/return err_config_foreign\([^;]*;/return 0;/'
weak user-nic-target 14-user-nic tools/libexec/lxc-user-nic.c 's/ \|\| owner != getuid\(\) \|\| owner == 0//'
# ---- values that reach the host
weak sysctls 22-enemies lib/lifecycle/start_identity.c 's/return "it belongs to the host, not to a namespace";/return NULL;/; s/if \(strchr\(key, .\+.\)[^;]*;//'
echo "1..$count"
exit $bad
