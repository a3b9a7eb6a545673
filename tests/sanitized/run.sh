#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# The library and the tools under the sanitizers and valgrind while real containers run. Prints TAP; a report of one of
# them is a failure, and so is a test that fails.
#
#	make check-sanitized [SANITIZED="PART..."] [SANITIZED_TESTS="TEST..."]
#
# Parts: asan (everything built with ASan and UBSan: unit tests and the integration tests below), bindings (python3-lxc
# and lua-lxc on that library, and a client that stays), leaks (the tools and two clients of that build under LSan),
# tsan (the library and a client of many threads), valgrind (a client and the unit tests of the usual build). What is built stays below
# BUILDDIR/sanitized, for the next time; so does what the tests said.
#
# Without an instrument are init.lxc.static, which is linked statically, and whatever runs in a container.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"
LC_ALL=C.UTF-8
export LC_ALL
work=$top_builddir/sanitized
parts=${SANITIZED:-asan bindings leaks tsan valgrind}
wanted=${SANITIZED_TESTS:-10-lifecycle 11-mapped 13-user 20-errors 30-crash 33-adopt 34-terminals 35-copies 36-autostart
	37-moving 40-network 51-hooks 52-live 60-extra 61-walk 64-odd}
usual_inst=${TIFFIN_INST-}
count=0 bad=0
# Single rows of the tests ask for this one.
TIFFIN_SANITIZED=1
export TIFFIN_SANITIZED

result() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		bad=1
	fi
}

skip() {
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

# show LINES FILE
show() {
	head -n "$1" "$2" | sed 's/^/# /'
}

# no_reports TEXT: true when nobody has reported anything; else the reports are shown and put away.
no_reports() {
	found=0
	for report in "$reports"/*; do
		[ -s "$report" ] || { rm -f "$report"; continue; }
		# Of system calls that it does not know.
		case $report in
		*/valgrind.*)
			sed -i '/^--[0-9]*-- /d; /: noted but unhandled ioctl/,/README_MISSING_SYSCALL/d' "$report"
			[ -s "$report" ] || { rm -f "$report"; continue; }
			;;
		esac
		found=$((found + 1))
		kept=$work/found/$(echo "$1" | tr -c 'a-z0-9\n' -).${report##*/}
		mv "$report" "$kept"
		[ "$found" -gt 3 ] || { echo "# $kept:"; show 30 "$kept"; }
	done
	[ "$found" -eq 0 ] || echo "# $found reports"
	[ "$found" -eq 0 ]
}

# reports_in DIR: where reports are written. The sandbox of a test can write below the prefix only, and users do, too.
reports_in() {
	reports=$1
	rm -rf "$reports"
	mkdir -p "$reports"
	chmod 1777 "$reports"
}

# test_run PART DIR/TEST: one test, and whether it leaves reports.
test_run() {
	said=$work/$1-${2#*/}.out
	rc=0
	began=$(date +%s)
	timeout -k 5 "${SANITIZED_LIMIT:-1200}" sh "$top_srcdir/tests/$2.sh" >"$said" 2>&1 </dev/null || rc=$?
	took=$(($(date +%s) - began))
	if grep -q '^1\.\.0' "$said"; then
		skip "$1: ${2#*/}" "$(sed -n 's/^1\.\.0 # SKIP //p' "$said")"
		return
	fi
	rows=$(grep -c '^ok' "$said") failed=$(grep -c '^not ok' "$said") skipped=$(grep -c '^ok.*# SKIP' "$said")
	good=0
	no_reports "$1 ${2#*/}" || good=1
	# Whoever is in a container finds no place for a report, says so and ends.
	if grep -F "Can't open file: $reports" "$said" | sed 's/^/# /' | grep .; then
		good=1
	fi
	if [ -n "${lenient-}" ] && grep -q '^1\.\.[1-9]' "$said"; then
		sed -n 's/^not ok [0-9]* - /# fails: /p' "$said"
	elif [ "$rc" -ne 0 ] || [ "$failed" -gt 0 ] || ! grep -q '^1\.\.[1-9]' "$said"; then
		good=1
		echo "# it ended with $rc"
		grep -A 4 '^not ok' "$said" | head -n 30 | sed 's/^/# /'
	fi
	result "$good" "$1: ${2#*/}: $((rows - skipped)) rows in $took s"
	grep '^ok.*# SKIP' "$said" | sed 's/^ok [0-9]* - /# skipped: /'
}

# bites NAME CODE [COMMAND...]: a program with this fault is reported. Who sees nothing proves nothing.
bites() {
	bites_name=$1
	printf '#include <pthread.h>\n#include <stdlib.h>\n%s\n' "$2" >"$work/bites.c"
	shift 2
	# shellcheck disable=SC2086 # the compiler may be several words
	$CC -w -g -O0 -pthread -o "$work/bites" "$work/bites.c" >"$work/bites.out" 2>&1 || show 5 "$work/bites.out"
	"$@" "$work/bites" >"$work/bites.out" 2>&1
	found=$(find "$reports" -type f -size +0 | wc -l)
	find "$reports" -type f -exec rm -f {} +
	[ "$found" -gt 0 ] || show 5 "$work/bites.out"
	result "$((found == 0))" "$bites_name is seen"
}

# links FLAGS: the compiler has what they want.
links() {
	echo 'int main(void) { return 0; }' >"$work/empty.c"
	# shellcheck disable=SC2086 # the compiler may be several words
	$CC $1 -o "$work/empty" "$work/empty.c" >"$work/empty.out" 2>&1 && "$work/empty"
}

# configured DIR CFLAGS OPTION...: a build directory for the sources.
configured() {
	dir=$1 flags=$2
	shift 2
	[ -z "$(find "$dir/config.status" -newer "$source/configure" 2>/dev/null)" ] || return 0
	rm -rf "$dir"
	mkdir -p "$dir"
	(cd "$dir" && "$source/configure" CC="$CC" CFLAGS="-O1 -g $flags" --disable-man "$@") >"$dir.out" 2>&1
}

# built TEXT DIR TARGET...: result of make.
built() {
	text=$1 dir=$2
	shift 2
	make -C "$dir" "${MAKE_JOBS:--j2}" "$@" >"$dir.out" 2>&1
	rc=$?
	[ "$rc" -eq 0 ] || tail -n 20 "$dir.out" | sed 's/^/# /'
	result "$rc" "$text"
	return "$rc"
}

# The options are compiled in: neither the monitor nor what a user runs has the environment of a test.
options() {
	cat >"$1/options.c" <<END
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "log_path=$reports/asan:detect_leaks=0:handle_sigill=1:exitcode=99";
}
__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
	return "log_path=$reports/tsan:exitcode=99";
}
END
	# shellcheck disable=SC2086 # the compiler may be several words
	$CC -w -c -o "$1/options.o" "$1/options.c"
}

# with_asan: the build with ASan and UBSan, once; then what is installed is that one, and clients are built like it.
# Undefined behaviour is a trap, which ASan reports with the place: beside ASan, the run time of UBSan does not write
# where it is told.
asan_is=unknown trap=-fsanitize-undefined-trap-on-error
with_asan() {
	if [ "$asan_is" = unknown ]; then
		asan_is=missing
		asan=$work/asan inst=$work/asan/inst
		links -fsanitize=address,undefined || { why="libasan: $(tail -n 1 "$work/empty.out")"; return 1; }
		why="the build, which failed"
		mkdir -p "$work"
		reports=$inst/reports
		options "$work" || return 1
		configured "$asan" "$trap" --prefix="$inst" --sysconfdir="$inst/etc" --localstatedir="$inst/var" --enable-sanitizers \
			LDFLAGS="-Wl,$work/options.o" || { tail -n 5 "$asan.out" | sed 's/^/# /'; }
		built "asan: everything is built" "$asan" install || return 1
		asan_is=there
	fi
	[ "$asan_is" = there ] || return 1
	reports_in "$inst/reports"
	TIFFIN_INST=$inst
	CC="$usual_cc -fsanitize=address,undefined $trap -Wl,$work/options.o"
	export TIFFIN_INST CC
}

# A part whose build is missing is skipped; a build that failed has been a failure.
part() {
	TIFFIN_INST=$usual_inst CC=$usual_cc
	export TIFFIN_INST CC
	case " $parts " in *" $1 "*) ;; *) return 1 ;; esac
}

usual_cc=${CC:-gcc}
mkdir -p "$work"
# Reports of this run only.
rm -rf "$work/found"
mkdir -p "$work/found"
chmod 755 "$work"
# A directory that was configured itself is no source for other builds.
source=$top_srcdir
if [ -e "$top_srcdir/config.status" ]; then
	source=$work/source
	mkdir -p "$source"
	(cd "$top_srcdir" && tar -cf - --exclude=./build --exclude=./sanitized --exclude=./.git .) | (cd "$source" && tar -xf -)
	make -C "$source" distclean >/dev/null 2>&1
fi

# ---- asan: address and undefined behaviour

if part asan; then
	if with_asan; then
		bites "asan: what is used after it was freed" \
			'int main(void) { volatile char *p = malloc(8); free((char *)p); return *p; }'
		bites "asan: a sum that is too large" \
			'int main(int argc, char **argv) { volatile int n = 0x7fffffff; n += argc; return 0; }'
		if [ -z "${SANITIZED_TESTS-}" ]; then
			# shellcheck disable=SC2016 # for make
			make -C "$asan" "${MAKE_JOBS:--j2}" check TESTS='$(check_PROGRAMS)' >"$work/unit.out" 2>&1
			rc=$?
			no_reports "unit" || rc=1
			[ "$rc" -eq 0 ] || grep -E '^(FAIL|ERROR)|error:' "$work/unit.out" | head -n 30 | sed 's/^/# /'
			result "$rc" "asan: $(sed -n 's/^# PASS:  *//p' "$work/unit.out") unit tests"
			sed -n 's/^SKIP: tests.unit./# skipped: /p' "$work/unit.out"
		fi
		for name in $wanted; do
			test_run asan "integration/$name"
		done
	else
		skip "asan" "needs $why"
	fi
fi

# ---- bindings: interpreters that load the library, and a client that stays

if part bindings; then
	if with_asan; then
		# shellcheck disable=SC2086 # the compiler may be several words
		SANITIZED_PRELOAD=$(realpath "$($usual_cc -print-file-name=libasan.so)")
		ASAN_OPTIONS=log_path=$reports/asan:detect_leaks=0:handle_sigill=1:exitcode=99
		export SANITIZED_PRELOAD ASAN_OPTIONS
		test_run bindings integration/62-bindings
		unset SANITIZED_PRELOAD ASAN_OPTIONS
		test_run bindings integration/46-long
	else
		skip "bindings" "needs $why"
	fi
fi

# ---- leaks: of the tools and the library

if part leaks; then
	if with_asan; then
		test_run leaks sanitized/leaks
		# Of the library: clients that use all of it.
		SANITIZED_CLIENT="env ASAN_OPTIONS=detect_leaks=1"
		export SANITIZED_CLIENT
		test_run leaks integration/60-extra
		test_run leaks integration/61-walk
		unset SANITIZED_CLIENT
	else
		skip "leaks" "needs $why"
	fi
fi

# What follows runs the usual programs; the library or the client is another one.
reports_of_usual() {
	[ -n "$usual_inst" ] || { why="inst: the prefix is not below the build directory"; return 1; }
	reports_in "$usual_inst/reports"
}

# ---- tsan: threads

if part tsan; then
	if ! reports_of_usual; then
		skip "tsan" "needs $why"
	elif ! links -fsanitize=thread; then
		skip "tsan" "needs libtsan: $(tail -n 1 "$work/empty.out")"
	else
		mkdir -p "$work/tsan-options"
		options "$work/tsan-options"
		# The places are those of the usual build: its monitor is started.
		configured "$work/tsan" '' --prefix="$usual_inst" --sysconfdir="$usual_inst/etc" --localstatedir="$usual_inst/var" \
			--disable-tools --disable-tests --enable-sanitizers=thread || tail -n 5 "$work/tsan.out" | sed 's/^/# /'
		if built "tsan: the library is built" "$work/tsan" lib/base/paths.h liblxc.la; then
			SANITIZED_LIBRARY=$work/tsan/.libs
			CC="$usual_cc -fsanitize=thread -Wl,$work/tsan-options/options.o"
			run_limit=600
			export SANITIZED_LIBRARY CC run_limit
			bites "tsan: a race" 'static int n;
				static void *more(void *arg) { for (int i = 0; i < 1000; i++) n++; return arg; }
				int main(void)
				{
					pthread_t t;
					pthread_create(&t, NULL, more, NULL);
					more(NULL);
					pthread_join(t, NULL);
					return 0;
				}'
			test_run tsan integration/63-threads
			unset SANITIZED_LIBRARY run_limit
		fi
	fi
fi

# ---- valgrind: what is read that nobody wrote. Valgrind 3.19 knows neither openat2 nor pidfd_open nor clone3, so that a
# client under it does not get into a container: rows that fail are only said here, and walk.c does not end.

if part valgrind; then
	if ! reports_of_usual; then
		skip "valgrind" "needs $why"
	elif ! command -v valgrind >/dev/null; then
		skip "valgrind" "needs valgrind: it is not installed"
	else
		# Silent but for errors; a child that was forked is one of the client's memory, and has its own end.
		SANITIZED_CLIENT="valgrind -q --vgdb=no --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
			--child-silent-after-fork=yes --error-exitcode=99 --log-file=$reports/valgrind.%p"
		export SANITIZED_CLIENT
		# shellcheck disable=SC2086 # several words
		bites "valgrind: a leak" 'int main(void) { char *volatile p = malloc(8); p = NULL; return 0; }' $SANITIZED_CLIENT
		lenient=yes
		test_run valgrind integration/60-extra
		lenient=''
		unset SANITIZED_CLIENT
		# What a test loses that jumps out of its middle is nobody's leak: only what is read and written.
		make -C "$top_builddir" "${MAKE_JOBS:--j2}" check TESTS= >"$work/unit.out" 2>&1 || tail -n 5 "$work/unit.out" | sed 's/^/# /'
		programs=0 failed=''
		find /sys/fs/cgroup -maxdepth 2 -name "lxc.*.unit-*" >"$work/cgroups"
		for program in "$top_builddir"/tests/unit/test-*; do
			case ${program##*/} in
			*.*) continue ;;
			test-spawn)
				skip "valgrind: test-spawn" "pidfd_open: valgrind does not know it, and the test takes what never ran"
				continue
				;;
			esac
			programs=$((programs + 1))
			(cd "$top_builddir" && timeout -k 5 120 valgrind -q --vgdb=no --child-silent-after-fork=yes \
				--log-file="$reports/valgrind.%p" "$program") >"$work/unit.out" 2>&1 </dev/null &&
				! grep -q '^not ok' "$work/unit.out" || failed="$failed ${program##*/}"
		done
		# What a test that valgrind has ended did not remove: they are empty.
		find /sys/fs/cgroup -maxdepth 2 -name "lxc.*.unit-*" | grep -vxFf "$work/cgroups" |
			while read -r group; do find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null; done
		good=0
		no_reports "valgrind unit" || good=1
		[ "$programs" -gt 0 ] || good=1
		result "$good" "valgrind: $programs programs of unit tests"
		[ -z "$failed" ] || echo "# with system calls that are unknown to it:$failed"
	fi
fi
[ -z "$usual_inst" ] || rm -rf "$usual_inst/reports"
echo "1..$count"
exit $bad
