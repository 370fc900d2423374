#!/usr/bin/env bash
# Runs fuzz targets, one after the other: run.sh long|short SECONDS TARGET...
#
# long:  another seed each time; what was found interesting is kept in build/fuzz/corpus.
# short: one seed, and nothing is kept.
# A crash, a failed check, a leak, more than 5 s or 1 GB for one input fails the target; the input is
# then in build/fuzz/TARGET-{crash,leak,timeout,oom}-*, to be replayed with
#	build/fuzz/fuzz_TARGET build/fuzz/TARGET-crash-...
set -uo pipefail
cd "$(dirname "$0")/../.."

kind=$1 seconds=$2
shift 2
total=0 failures=0

for target in "$@"; do
	grown=build/fuzz/corpus/$target log=build/fuzz/$target.log
	options=(-max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1
		-artifact_prefix="build/fuzz/$target-" -max_len=16384)
	[ -f "tests/fuzz/$target.dict" ] && options+=(-dict="tests/fuzz/$target.dict")
	if [ "$kind" = short ]; then
		grown=build/fuzz/scratch/$target
		rm -rf "$grown"
		options+=(-seed=1)
	fi
	mkdir -p "$grown"
	"build/fuzz/fuzz_$target" "${options[@]}" "$grown" "tests/fuzz/corpus/$target" >"$log" 2>&1
	status=$?
	count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	cover=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
	echo "  FUZZ $target: ${count:-0} executions, ${cover:-cov: 0} edges"
	total=$((total + ${count:-0}))
	if [ $status -ne 0 ]; then
		failures=$((failures + 1))
		grep -vE '^(#[0-9]+|NEW_FUNC|\s*NEW_FUNC)' "$log" | tail -n 60
	fi
done
echo "fuzz: $# targets, $total executions, $failures failures"
[ $failures -eq 0 ]
