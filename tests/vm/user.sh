#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
#
# user.sh PREFIX - a container of an ordinary user on a host with systemd and a pure cgroup v2 hierarchy; prints TAP.
#
# Run it as root in a disposable virtual machine: it adds a user, who has nothing but ids in /etc/subuid and
# /etc/subgid and a manager of systemd, and removes that user again. No part of "make check".
set -u
P=${1:?usage: user.sh PREFIX}
user=tiffin-guest
. "$(dirname -- "$0")/lib.sh"

# As a program that the user's own manager starts, as in a session.
theirs() {
	timeout 120 setpriv --reuid "$user" --regid "$user" --init-groups env -i "PATH=$P/bin:$P/sbin:$PATH" HOME="/home/$user" \
		USER="$user" XDG_RUNTIME_DIR="/run/user/$uid" \
		systemd-run --user --pipe --wait --quiet --collect -E "PATH=$P/bin:$P/sbin:$PATH" -- "$@" </dev/null
}
init_of() { theirs lxc-info -n box -pH; }
group() { sed 's/^0:://' "/proc/$(init_of)/cgroup"; }
below() { case $2 in "$1"/*) ;; *) echo "$2 is not below $1"; return 1 ;; esac; }
runs() { is "$(theirs lxc-info -n box -sH)" RUNNING; }
has_new_init() { now=$(init_of) && [ -n "$now" ] && [ "$now" != "$1" ]; }

useradd --create-home --shell /bin/sh "$user" || exit 1
uid=$(id -u "$user")
trap 'loginctl disable-linger "$user"; loginctl terminate-user "$user" 2>/dev/null; sleep 2; userdel --remove "$user" 2>/dev/null' EXIT
loginctl enable-linger "$user"
manager=/user.slice/user-$uid.slice/user@$uid.service
check 'the user has a manager' within 60 test -S "/run/user/$uid/bus"
chmod 700 "/home/$user"

check 'a container is created' theirs lxc-create -n box -t busybox
config=/home/$user/.local/share/lxc/box/config
echo 'lxc.cgroup2.memory.max = 64M' >>"$config"
check 'it starts' theirs lxc-start -n box
check 'it runs' runs
check "its cgroup is its user's manager's" below "$manager" "$(group)"
check 'its limit is set' is "$(theirs lxc-cgroup -n box memory.max)" 67108864
check 'and is what the kernel holds' is "$(cat "/sys/fs/cgroup$(group)/memory.max" 2>/dev/null)" 67108864
check 'its root is root inside' is "$(theirs lxc-attach -n box -- id -u)" 0
check 'and nobody outside' test "$(stat -c %u "/proc/$(init_of)")" -ge 100000
init=$(init_of)
theirs lxc-attach -n box -- reboot
check 'it reboots from inside' within 30 has_new_init "$init"
check 'with its limit' is "$(theirs lxc-cgroup -n box memory.max)" 67108864
check 'it stops' theirs lxc-stop -n box

# In the foreground the process that the user knows stays outside the container's cgroups, and in nobody's way.
executes() { said=$(theirs lxc-execute -n box -- sh -c 'cat /sys/fs/cgroup/memory.max; exit 5'); is "$? $said" '5 67108864'; }
no_scope() { is "$(theirs systemctl --user --no-legend list-units 'lxc-*')" ''; }
check 'a program in it has its limit, and ends as it does' executes
check 'which leaves no scope' within 10 no_scope

# A host that keeps user namespaces for root: refused with the remedy, and nothing is half made.
switch=/proc/sys/kernel/unprivileged_userns_clone
restricts() {
	remedy='sysctl -w kernel.unprivileged_userns_clone=1'
	said=$("$@" 2>&1) && { echo "it succeeds: $said"; return 1; }
	case $said in *"$remedy"*) ;; *) echo "no remedy in: $said"; return 1 ;; esac
}
if [ -e $switch ]; then
	echo 0 >$switch
	check 'without user namespaces a start is refused with the remedy' restricts theirs lxc-start -n box
	check 'and a creation' restricts theirs lxc-create -n other -t busybox
	check 'which leaves nothing' is "$(ls "/home/$user/.local/share/lxc")" box
	echo 1 >$switch
else
	echo "# without user namespaces: not run, this kernel has no $switch"
fi

# At boot the manager of a user who lingers is started, and nothing else happens.
echo 'lxc.start.auto = 1' >>"$config"
check 'autostart is enabled' theirs lxc-autostart --enable
systemctl restart "user@$uid.service"
check 'it comes up with the manager' within 60 runs
check 'in its cgroup' below "$manager" "$(group)"
check 'and stops' theirs lxc-stop -n box
check 'autostart is disabled' theirs lxc-autostart --disable
check 'it is destroyed' theirs lxc-destroy -n box
check 'nothing of it is left' is "$(ls -A "/home/$user/.local/share/lxc")" ''
check 'nor a cgroup' is "$(find "/sys/fs/cgroup$manager" -name '*box*')" ''
finish
