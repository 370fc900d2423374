#!/usr/bin/env bash
# Runs fuzz targets, as many at a time as there are processors: run.sh long|short SECONDS TARGET...
#
# long:  another seed each time; what was found interesting is kept in build/fuzz/corpus.
# short: one seed, and nothing is kept.
# A crash, a failed check, a leak, more than 10 s or 1 GB for one input fails the target; the input
# is then in build/fuzz/TARGET-{crash,leak,timeout,oom}-*, to be replayed with
#	build/fuzz/fuzz_TARGET build/fuzz/TARGET-crash-...
# So does a kind of input that it is to meet (tally.h) and never met: "never: ...".
set -uo pipefail
cd "$(dirname "$0")/../.."

kind=$1 seconds=$2
shift 2
# What is freed is kept from use for a while, in less memory than by default: that costs time.
export ASAN_OPTIONS=quarantine_size_mb=16

run() {
	local target=$1 grown=build/fuzz/corpus/$1 log=build/fuzz/$1.log status options
	options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
		-artifact_prefix="build/fuzz/$target-" -max_len=16384)
	# Programs: many short ones say more than a few long ones.
	[ "$target" = map ] && options+=(-max_len=600)
	[ -f "tests/fuzz/$target.dict" ] && options+=(-dict="tests/fuzz/$target.dict")
	if [ "$kind" = short ]; then
		grown=build/fuzz/scratch/$target
		rm -rf "$grown"
		options+=(-seed=1)
	fi
	mkdir -p "$grown"
	"build/fuzz/fuzz_$target" "${options[@]}" "$grown" "tests/fuzz/corpus/$target" >"$log" 2>&1
	status=$?
	echo "  FUZZ $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions," \
		"$(grep -o 'cov: [0-9]*' "$log" | tail -n 1) edges"
	sed -n 's/^tally: /    /p' "$log"
	grep '^never: ' "$log" && status=1 # what must be met was not
	if [ $status -ne 0 ]; then
		grep -vE '^(#[0-9]+|\s*NEW_FUNC)' "$log" | tail -n 60
		echo "  FUZZ $target FAILED"
	fi
	return $status
}

failures=0
for target in "$@"; do
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
		wait -n || failures=$((failures + 1))
	done
	run "$target" &
done
while [ "$(jobs -p | wc -l)" -gt 0 ]; do
	wait -n || failures=$((failures + 1))
done
echo "fuzz: $# targets, $failures failures"
[ $failures -eq 0 ]
