#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
#
# roots.sh DIR [GUEST...] - fills DIR with the roots that the guests' matrix boots, one archive each: DIR/GUEST.tar.
# What is there is kept; "rm DIR/GUEST.tar" has it fetched anew. Needs mmdebstrap and a Debian mirror
# (GUESTS_MIRROR, without it deb.debian.org).
set -eu
umask 022
LC_ALL=C
export LC_ALL

# GUEST SUITE PACKAGES: the init systems of Debian.
guests() {
	cat <<-'END'
	bullseye bullseye systemd-sysv,dbus,libpam-systemd
	bookworm bookworm systemd-sysv,dbus,libpam-systemd
	trixie trixie systemd-sysv,dbus,libpam-systemd
	forky forky systemd-sysv,dbus,libpam-systemd
	sid sid systemd-sysv,dbus,libpam-systemd
	sysvinit bookworm sysvinit-core,initscripts
	openrc bookworm sysvinit-core,initscripts,openrc
	runit bookworm runit-init
	END
}

if [ "${1-}" = --list ]; then
	guests | cut -d ' ' -f 1
	exit
fi
dir=${1:?the directory of the roots}
shift
mkdir -p "$dir"
mirror=${GUESTS_MIRROR:-http://deb.debian.org/debian}
failed=0
guests | {
	while read -r guest suite packages; do
		case " $* " in
		"  " | *" $guest "*) ;;
		*) continue ;;
		esac
		[ ! -e "$dir/$guest.tar" ] || continue
		# Two runs at a time must not write the same file.
		part=$dir/.$guest.$$.tar
		# A mirror may stand still: its lists are then older than they say they may be.
		if mmdebstrap --quiet --variant=minbase --mode=auto --aptopt='Acquire::Retries "2"' \
			--aptopt='Acquire::Check-Valid-Until "false"' \
			--include="$packages,iproute2,procps,netbase,ifupdown" \
			--customize-hook='rm -f "$1"/etc/ssh/ssh_host_*; : >"$1/etc/machine-id"' \
			"$suite" "$part" "deb $mirror $suite main" >"$dir/$guest.log" 2>&1; then
			mv "$part" "$dir/$guest.tar"
			rm -f "$dir/$guest.log"
		else
			rm -f "$part"
			echo "$guest: its root cannot be made: $(grep -m 1 '^E:' "$dir/$guest.log" || tail -n 1 "$dir/$guest.log")" >&2
			failed=1
		fi
	done
	exit "$failed"
}
