#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# The shared library exports LXC's fifteen functions, unversioned as LXC's, and ours under LXCEXT_1;
# nothing else. The public headers compile alone, as C99 and as C++11.
lib=${top_builddir:?}/.libs/liblxc.so
inc="-I${top_srcdir:?}/lib/api/include -I$top_builddir/lib/api/include"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0

ok() # STATUS TEXT
{
	n=$((n + 1))
	[ "$1" -eq 0 ] && echo "ok $n - $2" || echo "not ok $n - $2"
}

echo 1..10
if [ ! -e "$lib" ]; then
	echo "Bail out! $lib is not built"
	exit 1
fi

sort > "$tmp/expected" <<'LIST'
LXCEXT_1
lxcext_attach_exec@@LXCEXT_1
lxcext_copy@@LXCEXT_1
lxcext_disk_limit@@LXCEXT_1
lxcext_disk_usage@@LXCEXT_1
lxcext_load_default@@LXCEXT_1
lxcext_remap@@LXCEXT_1
lxcext_attach_login@@LXCEXT_1
list_active_containers
list_all_containers
list_defined_containers
lxc_attach_run_command
lxc_attach_run_shell
lxc_config_item_is_supported
lxc_container_get
lxc_container_new
lxc_container_put
lxc_get_global_config_item
lxc_get_version
lxc_get_wait_states
lxc_has_api_extension
lxc_log_close
lxc_log_init
lxcext_clear_warnings@@LXCEXT_1
lxcext_config_where@@LXCEXT_1
lxcext_error_id@@LXCEXT_1
lxcext_events_next@@LXCEXT_1
lxcext_events_open@@LXCEXT_1
lxcext_events_quit@@LXCEXT_1
lxcext_error_json@@LXCEXT_1
lxcext_error_text@@LXCEXT_1
lxcext_explain@@LXCEXT_1
lxcext_explain_json@@LXCEXT_1
lxcext_last_end@@LXCEXT_1
lxcext_state_fd@@LXCEXT_1
lxcext_state_read@@LXCEXT_1
lxcext_states@@LXCEXT_1
lxcext_wait_ready@@LXCEXT_1
lxcext_last_error@@LXCEXT_1
lxcext_last_exit@@LXCEXT_1
lxcext_print_error@@LXCEXT_1
lxcext_protect_self@@LXCEXT_1
lxcext_facts@@LXCEXT_1
lxcext_keep_state@@LXCEXT_1
lxcext_keep_states@@LXCEXT_1
lxcext_hold@@LXCEXT_1
lxcext_let_go@@LXCEXT_1
lxcext_snapshot@@LXCEXT_1
lxcext_snapshot_restore@@LXCEXT_1
lxcext_start_ahead@@LXCEXT_1
lxcext_execute@@LXCEXT_1
lxcext_start_end@@LXCEXT_1
lxcext_start_exec@@LXCEXT_1
lxcext_start_many@@LXCEXT_1
lxcext_start_timed@@LXCEXT_1
lxcext_version@@LXCEXT_1
lxcext_warning@@LXCEXT_1
LIST
nm -D --defined-only "$lib" | awk '{ print $3 }' | LC_ALL=C sort > "$tmp/found"
LC_ALL=C sort -o "$tmp/expected" "$tmp/expected"
diff "$tmp/expected" "$tmp/found" | sed 's/^/# /' >&2
cmp -s "$tmp/expected" "$tmp/found"
ok $? "the exported symbols are exactly the public ones"

objdump -p "$lib" | grep -q 'SONAME *liblxc.so.1$'
ok $? "the soname is liblxc.so.1"

for h in lxccontainer attach_options lxcext version; do
	echo "#include <lxc/$h.h>" > "$tmp/$h.c"
	cp "$tmp/$h.c" "$tmp/$h.cc"
done
for h in lxccontainer attach_options lxcext; do
	# shellcheck disable=SC2086
	${CC:-cc} -std=c99 -pedantic -Wall -Wextra -Werror $inc -c "$tmp/$h.c" -o "$tmp/o.o"
	ok $? "$h.h compiles alone as C99"
done
for h in lxccontainer attach_options lxcext; do
	# shellcheck disable=SC2086
	${CXX:-c++} -std=c++11 -pedantic -Wall -Wextra -Werror $inc -c "$tmp/$h.cc" -o "$tmp/o.o"
	ok $? "$h.h compiles alone as C++11"
done
cat > "$tmp/init.cc" <<'CODE'
#include <lxc/lxccontainer.h>
lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
CODE
# shellcheck disable=SC2086
${CXX:-c++} -std=c++11 -pedantic -Wall -Wextra -Werror $inc -c "$tmp/init.cc" -o "$tmp/o.o"
ok $? "the default attach options initialise in C++"

heavy=$(objdump -p "$lib" | grep -c 'NEEDED *lib\(ssl\|crypto\|dbus\|curl\|systemd\)')
ok "$heavy" "nothing heavy is linked"
