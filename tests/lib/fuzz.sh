#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Run every libFuzzer harness in DIR for SECONDS; a crash is kept in build/fuzz/crashes.
set -uo pipefail
dir=$1
seconds=$2
crashes=build/fuzz/crashes
mkdir -p "$crashes"
bad=0
for harness in "$dir"/fuzz_*; do
	[ -x "$harness" ] || continue
	name=$(basename "$harness")
	work=build/fuzz/work/$name
	mkdir -p "$work" "tests/fuzz/corpus/${name#fuzz_}"
	printf '  %-7s %s ' FUZZ "$name"
	if "$harness" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$crashes/$name-" "$work" "tests/fuzz/corpus/${name#fuzz_}" \
		>"$work.log" 2>&1 </dev/null; then
		sed -n 's/^stat::number_of_executed_units: */runs: /p' "$work.log"
	else
		echo "CRASH"
		tail -n 30 "$work.log"
		bad=1
	fi
done
exit $bad
