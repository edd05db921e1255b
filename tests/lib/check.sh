#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Run suites and add them up:  check.sh SUITE...
# (unit sanitized corpus lint kernels clients container)
# The last line is "N passed, N failed".  Logs stay in build/check.  With CI=true a skip is a
# failure.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

logs=build/check
mkdir -p "$logs"
passed=0 failed=0
jobs=-j$(nproc)

# suite_end NAME PASSED FAILED SKIPPED
suite_end() {
	local extra=
	if [ "$4" -gt 0 ]; then
		if [ "${CI:-}" = true ]; then
			set -- "$1" "$2" $(($3 + $4)) "$4"
			extra=" ($4 skipped, which counts as failed)"
		else
			extra=" ($4 skipped)"
		fi
	fi
	printf '%-10s %d ok, %d not ok%s\n' "$1" "$2" "$3" "$extra"
	passed=$((passed + $2))
	failed=$((failed + $3))
}

# build NAME MAKE-ARGUMENT...: a failure counts as one failed test.
build() {
	local name=$1
	shift
	# A jobserver of the make above us is not ours to use.
	if ! env -u MAKEFLAGS -u MFLAGS make "$jobs" --no-print-directory "$@" >"$logs/$name.build.log" 2>&1; then
		tail -n 40 "$logs/$name.build.log"
		echo "the build for $name failed: $logs/$name.build.log"
		suite_end "$name" 0 1 0
		return 1
	fi
}

# tap NAME PROGRAM...: run each, count its points; a bad exit or a wrong plan is one failure more.
tap() {
	local name=$1 ok=0 bad=0 skip=0 program log
	shift
	: >"$logs/$name.log"
	for program in "$@"; do
		log="$logs/$name.$(basename "$program").tap"
		timeout 300 "$program" </dev/null >"$log" 2>&1
		local rc=$? points oks skips plan
		points=$(grep -cE '^(not )?ok( |$)' "$log")
		skips=$(grep -ciE '^ok .*# skip' "$log")
		oks=$(grep -cE '^ok( |$)' "$log")
		plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$log" | tail -n 1)
		ok=$((ok + oks - skips)) bad=$((bad + points - oks)) skip=$((skip + skips))
		if [ "${plan:-none}" != "$points" ] || { [ $rc -ne 0 ] && [ "$points" = "$oks" ]; }; then
			bad=$((bad + 1))
			echo "# $program: exit $rc, plan ${plan:-none}, $points points" >>"$log"
		fi
		if [ $rc -ne 0 ] || [ "$points" != "$oks" ] || [ "${plan:-none}" != "$points" ]; then
			echo "--- $program (exit $rc)"
			grep -vE '^ok( |$)' "$log" | tail -n 60
		fi
		cat "$log" >>"$logs/$name.log"
	done
	suite_end "$name" $ok $bad $skip
}

unit_programs() { # BUILD
	local source name
	[ "$(id -u)" = 0 ] || echo "tests/unit/root_*.c need root and are left out" >&2
	for source in tests/unit/*.c; do
		name=$(basename "$source" .c)
		[ -e "$source" ] && { [ "$(id -u)" = 0 ] || [[ $name != root_* ]]; } && echo "$1/unit/$name"
	done
}

run_unit() {
	build unit all unit || return
	mapfile -t programs < <(unit_programs build/release)
	tap unit "${programs[@]}"
}

run_sanitized() { # the same under ASan and UBSan
	build sanitized DEV=1 unit || return
	mapfile -t programs < <(unit_programs build/dev)
	ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1 tap sanitized "${programs[@]}"
}

run_corpus() { # every fuzz harness over its kept inputs, under ASan and UBSan
	build corpus DEV=1 fuzz-build || return
	local ok=0 bad=0 harness name
	for source in tests/fuzz/fuzz_*.c; do
		[ -e "$source" ] || continue
		name=$(basename "$source" .c)
		harness=build/dev/fuzz/$name
		if UBSAN_OPTIONS=halt_on_error=1 timeout 300 "$harness" "tests/fuzz/corpus/${name#fuzz_}" \
			>"$logs/corpus.$name.log" 2>&1 </dev/null; then
			ok=$((ok + 1))
		else
			bad=$((bad + 1))
			echo "--- $name"
			tail -n 40 "$logs/corpus.$name.log"
		fi
	done
	suite_end corpus $ok $bad 0
}

run_lint() {
	build lint all || return
	tap lint tests/lint/run.sh
}

run_kernels() { # those that need root under Debian's own kernel, with the layouts this one lacks
	build kernels all unit || return
	tap kernels tests/kernels/v1.sh tests/kernels/v2.sh
}

run_clients() { # what others have to read coral's files with
	build clients all || return
	tap clients tests/clients/run.sh
}

# containers PART MARKS COMMAND...
containers() {
	local part=$1 marks=$2
	shift 2
	CORAL_TEST_LOGS="$PWD/$logs/failed" CORAL_TEST_PART=$part timeout 1500 "$@" \
		bash -c 'tests/lib/pytest.sh "$@"; exit $?' - -q -m "$marks" --durations=15 \
		--junitxml="$PWD/$logs/container.$part.xml" </dev/null >"$logs/container.$part.log" 2>&1
}

# Those that mostly wait are run beside the others, each part in a pid namespace where it sees its
# own containers alone (bash is process 1 there: it waits for orphans).
run_container() {
	build container all hostile || return
	local ok=0 bad=0 skip=0 rc pid log xml word
	local alone=(unshare --pid --fork --kill-child --mount --mount-proc)
	rm -rf "$logs"/failed "$logs"/container.*.xml
	mkdir -p "$logs/failed"
	containers slow 'slow and not host' "${alone[@]}" &
	pid=$!
	containers quick 'not slow and not host' "${alone[@]}"
	set -- quick $?
	wait $pid
	set -- "$@" slow $?
	containers host host
	set -- "$@" host $?
	while [ $# -gt 0 ]; do
		rc=$2 log=$logs/container.$1.log xml=$logs/container.$1.xml
		shift 2
		for word in tests errors failures skipped; do
			local "n_$word=$(sed -n "s/.*<testsuite [^>]* $word=\"\([0-9]*\)\".*/\1/p" "$xml" 2>/dev/null | head -n 1)"
		done
		# shellcheck disable=SC2154 # set by the loop above
		local wrong=$((${n_errors:-0} + ${n_failures:-0}))
		if [ $rc -ne 0 ]; then
			grep -nE '^(FAILED|ERROR|E  )|Error' "$log" | tail -n 80
			[ $wrong -gt 0 ] || { wrong=1; tail -n 30 "$log"; }
			echo "the log is $log; what failed tests left is in $logs/failed"
		fi
		ok=$((ok + ${n_tests:-0} - wrong - ${n_skipped:-0})) bad=$((bad + wrong))
		skip=$((skip + ${n_skipped:-0}))
	done
	suite_end container $ok $bad $skip
}

[ $# -gt 0 ] || set -- unit
for suite in "$@"; do
	case $suite in
	unit | sanitized | corpus | lint | kernels | clients | container) "run_$suite" ;;
	*) echo "check.sh: no such suite: $suite" >&2; exit 2 ;;
	esac
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
