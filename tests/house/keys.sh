# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Every key of the registry is described in lxc.container.conf(5), its grammar is tested by a unit test, and its
# effect on a running container by an integration test; every key of old releases starts a container, too.
. "$top_srcdir/tests/harness/lib.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
config=$top_srcdir/lib/config

sed -n 's/^KEY("\([^"]*\)".*/\1/p' "$config/keys.def" >"$scratch/keys"
sed -n 's/^NETKEY("\([^"]*\)".*/lxc.net.N.\1/p' "$config/netkeys.def" >>"$scratch/keys"
# Today's name is in the second column: what has none has no effect either.
sed -n 's/^\t{ "\(lxc\.[^"]*\)", .* },$/\1/p' "$config/legacy.c" >"$scratch/legacy"
printf '%s\n' lxc.network.type lxc.network.ipv4 lxc.network.ipv6 lxc.network.vlan.id lxc.rootfs.backend lxc.limit.nofile >>"$scratch/legacy"

# pattern KEY: as it stands in a configuration, with whatever a prefix takes.
pattern() {
	printf '%s' "$1" | sed 's/\.$//; s/\./\\./g; s/^lxc\\\.net\\\.N/lxc\\.net\\.[0-9]+/'
}

# without FILE...: the keys of standard input that no line of the files sets.
without() {
	while read -r key; do
		grep -Eq -- "(^|[^a-z.])$(pattern "$key")(\.[A-Za-z0-9_.]+)?[^ =a-z._]* *= ?[^ ]" "$@" || echo "$key"
	done
}

# A table's rows of refused values are no effect.
cd "$top_srcdir/tests/integration" || exit 1
grep -hv '^[[:blank:]]*refused ' -- *.table *.sh >"$scratch/effects"
is "$(without "$scratch/effects" <"$scratch/keys")" "" "every key has a test of its effect"
grep -h '^[[:blank:]]*old ' -- *.table >"$scratch/effects"
is "$(without "$scratch/effects" <"$scratch/legacy")" "" "every key of old releases starts an equivalent container"

grammar() {
	while read -r key; do
		grep -Eq "\"$(pattern "$key")[\".]" "$top_srcdir"/tests/unit/*.c ||
			echo "$key"
	done
}
is "$(grammar <"$scratch/keys")" "" "every key has a test of its grammar"

echo '@KEYS@' >"$scratch/page"
"${AWK:-awk}" -v table="$config/types.def $config/keys.def $config/netkeys.def" \
	-f "$top_srcdir/tools/gen/tables.awk" "$scratch/page" >"$scratch/manual"

# A paragraph has a summary, an effect, the grammar with default and release, and what goes wrong.
unwritten() {
	"${AWK:-awk}" '
	function close_entry() {
		if (key != "" && (texts < 4 || !value || !caution))
			print key
	}
	/^\*/ { close_entry(); key = $1; gsub(/[*\\]/, "", key); texts = value = caution = 0 }
	/^\t./ { if (length($0) > 4) texts++ }
	/^\tValue: [^.].*Default: [^.].*Since LXC [0-9.]+/ { value = 1 }
	/^\t_Caution:_ .../ { caution = 1 }
	END { close_entry() }' "$scratch/manual"
}
is "$(unwritten)" "" "every key has a whole paragraph in the manual"
is "$(grep -c '^\*' "$scratch/manual")" "$(wc -l <"$scratch/keys" | tr -d ' ')" "and every one has its own"
finish
