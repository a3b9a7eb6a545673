# The part that every template shares; the build pastes it into each, so that an installed template is one
# file that can be copied and changed.

prog=${0##*/}

# die FACT [REMEDY]: one sentence with the object at fault, what to do about it, and a failing status.
die() {
	printf '%s: %s\n' "$prog" "$1" >&2
	[ -z "${2-}" ] || printf '  try: %s\n' "$2" >&2
	exit 1
}

# parse_options SPEC ARGUMENT...: SPEC lists "OPTION:VARIABLE", or "OPTION!VARIABLE" for an option without a
# value (its variable becomes "yes"). Takes --opt=value, --opt value, -o value and -ovalue.
parse_options() {
	options=' '
	for spec in $1; do
		options="$options$spec "
	done
	shift
	while [ $# -gt 0 ]; do
		opt=$1 arg='' given=no
		case $opt in
		-h | --help) usage; exit 0 ;;
		--)
			[ $# -eq 1 ] || die "argument \"$2\" is not expected" "$prog --help"
			return 0
			;;
		--?*=*) arg=${opt#*=} opt=${opt%%=*} given=yes ;;
		--*) ;;
		-??*) arg=${opt#-?} opt=${opt%"$arg"} given=yes ;;
		-?) ;;
		*) die "argument \"$opt\" is not expected" "$prog --help" ;;
		esac
		case $options in
		*" $opt:"*)
			var=${options#*" $opt:"}
			if [ "$given" = no ]; then
				[ $# -gt 1 ] || die "option $opt wants a value" "$prog --help"
				arg=$2
				shift
			fi
			;;
		*" $opt!"*)
			var=${options#*" $opt!"}
			[ "$given" = no ] || die "option $opt takes no value" "$prog --help"
			arg=yes
			;;
		*) die "option $opt is unknown" "$prog --help" ;;
		esac
		eval "${var%% *}=\$arg"
		shift
	done
}

# What lxc-create gives to every template.
name='' path='' rootfs='' mapped_uid='' mapped_gid=''
place_options="-n:name --name:name -p:path --path:path --rootfs:rootfs --mapped-uid:mapped_uid --mapped-gid:mapped_gid"

# check_text WHAT VALUE: refuses what would become another line of a config file.
check_text() {
	case $2 in
	*[[:cntrl:]]*) die "$1 has a control character in it" "give it without line breaks and tabs" ;;
	esac
}

check_dir() {
	check_text "$1" "$2"
	case $2 in
	/*) ;;
	*) die "$1 \"$2\" is not an absolute path" "give it beginning with /" ;;
	esac
}

check_id() {
	case $2 in
	'' | *[!0-9]*) die "$1 \"$2\" is not a number" ;;
	esac
	[ "${#2}" -le 10 ] || die "$1 \"$2\" is out of range"
}

check_word() {
	case $2 in
	'' | *[!A-Za-z0-9._+-]* | [!A-Za-z0-9]*)
		die "$1 \"$2\" is not a plain word" "use letters, digits and . _ + - only" ;;
	esac
}

# check_place: what every template is told by lxc-create.
check_place() {
	[ -n "$path" ] || die "option --path is missing" "run this template through lxc-create -t"
	check_dir "container directory" "$path"
	[ -d "$path" ] || die "container directory $path does not exist" "create the container with lxc-create"
	[ -n "$name" ] || name=${path##*/}
	check_text "container name" "$name"
	case $name in
	'' | .* | -* | */* | *[[:blank:]]* | *[\"\']*) die "container name \"$name\" is not valid" "use letters, digits, - and _" ;;
	esac
	[ "${#name}" -le 200 ] || die "container name is longer than 200 bytes"
	[ -n "$rootfs" ] || rootfs=$path/rootfs
	check_dir "rootfs" "$rootfs"
	[ "${rootfs%%/}" ] || die "rootfs / is the host's own" "give the container a directory of its own"
	[ -z "$mapped_uid" ] || [ "$mapped_uid" = -1 ] || check_id "--mapped-uid" "$mapped_uid"
	[ -z "$mapped_gid" ] || [ "$mapped_gid" = -1 ] || check_id "--mapped-gid" "$mapped_gid"
	config=$path/config
}

# ids_mapped: true when this runs in a user namespace, where device nodes cannot be made.
ids_mapped() {
	read -r map_inside map_outside map_count </proc/self/uid_map || return 1
	[ "$map_inside $map_outside $map_count" != "0 0 4294967295" ]
}

# in_userns: true when the ids here are those of a container with lxc.idmap, and not just those of a host that is
# a container itself (there, process 1 sees the same map).
in_userns() {
	ids_mapped || return 1
	read -r one_inside one_outside one_count </proc/1/uid_map 2>/dev/null || return 0
	[ "$map_inside $map_outside $map_count" != "$one_inside $one_outside $one_count" ]
}

# config_has KEY: true if the container's config sets KEY already.
config_has() {
	[ -f "$config" ] || return 1
	while IFS= read -r line || [ -n "$line" ]; do
		line=${line#"${line%%[![:blank:]]*}"}
		case $line in
		"$1"[[:blank:]]*=* | "$1"=*) return 0 ;;
		esac
	done <"$config"
	return 1
}

# give_back FILE...: hands what the user must be able to edit to the user who creates a mapped container.
give_back() {
	[ -n "$mapped_uid" ] && [ "$mapped_uid" != -1 ] || return 0
	in_userns || return 0
	chown -h -- "$mapped_uid${mapped_gid:+:$mapped_gid}" "$@" ||
		die "$1 cannot be handed to id $mapped_uid" "check that lxc.idmap covers it"
}

# write FILE LINE...: makes FILE of the lines given; the shell does it without another process.
write() {
	write_to=$1
	shift
	printf '%s\n' "$@" >"$write_to" || die "$write_to cannot be written"
}
