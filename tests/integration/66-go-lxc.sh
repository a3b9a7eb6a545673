#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# go-lxc as Debian has it, unmodified: compiled against our headers and lxc.pc, its own test suite on our library and real
# containers. It makes them with the template "download", for which there is a busybox here.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup go dnsmasq
binding=/usr/share/gocode/src/gopkg.in/lxc/go-lxc.v2
[ -e "$binding/lxc_test.go" ] || skip_all "go-lxc: it is not installed (apt-get install golang-gopkg-lxc-go-lxc.v2-dev)"
sandbox "$0"
program=/tmp/golxc
cd "$binding" || exit 1
run env GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=/tmp/go-cache GOFLAGS=-p=2 HOME=/tmp \
	PKG_CONFIG_PATH="$(dirname "$(find "$TIFFIN_INST" -name lxc.pc)")" go test -c -o "$program" .
is "$status:$err" "0:" "it is compiled without a word"
[ "$status" -eq 0 ] || finish
LD_LIBRARY_PATH=$TIFFIN_INST/lib
export LD_LIBRARY_PATH
cp -r "$TIFFIN_INST/share/lxc/templates" /tmp/templates
cat >/tmp/templates/lxc-download <<'END'
#!/bin/sh
for arg; do
	shift
	case $arg in --name=* | --path=* | --rootfs=* | --mapped-uid=* | --mapped-gid=*) set -- "$@" "$arg" ;; esac
done
exec "$(dirname "$0")/lxc-busybox" "$@"
END
chmod 0755 /tmp/templates/lxc-download
mount --bind /tmp/templates "$TIFFIN_INST/share/lxc/templates"
mkdir /tmp/etc
printf 'lxc.net.0.type = veth\nlxc.net.0.link = lxcbr0\nlxc.net.0.flags = up\n' >/tmp/etc/default.conf
mount --bind /tmp/etc "$TIFFIN_INST/etc/lxc"
dnsmasq --interface=lxcbr0 --bind-interfaces --dhcp-range=10.0.3.10,10.0.3.200 \
	--dhcp-leasefile=/tmp/leases --pid-file=/tmp/dnsmasq.pid --conf-file=/dev/null --port=0
cd /tmp || exit 1
USER=root timeout -k 5 400 "$program" -test.v -test.timeout 390s >"$scratch/suite" 2>&1
while read -r word verdict name rest; do
	[ "$word" = --- ] || continue
	case $verdict in
	PASS:) result 0 "$name" ;;
	SKIP:) skip "$name" "go-lxc's own: $(grep -B 2 -e "^--- SKIP: $name " "$scratch/suite" | sed -n 's/.*lxc_test.go:[0-9]*: //p' | head -n 1)" ;;
	*)
		result 1 "$name"
		grep -B 6 -e "^--- FAIL: $name " "$scratch/suite" | sed 's/^/# /'
		;;
	esac
done <"$scratch/suite"
ok "they were many" test "$tests_run" -ge 70
kill "$(cat /tmp/dnsmasq.pid)"
for left in $(lxc-ls -1); do
	lxc-destroy -s -f -n "$left" >/dev/null
done
cd / || exit 1
umount "$TIFFIN_INST/etc/lxc" "$TIFFIN_INST/share/lxc/templates"
finish
