#!/usr/bin/env bash
# Three daemons in a temporary directory: children, names, a kill -9 and a return, in 10 seconds.
#
#   tests/demo.sh [HORDED]          KEEP=1: leave the cluster running until Enter is pressed
#
# Prints each curl command that it used. Exits 0 when all went as it should; anything else ends it
# with 1 and says what. Nothing stays behind: what was started carries a mark in its environment,
# and the last step looks for that mark in all of /proc.
set -Eeuo pipefail

horded=${1:-build/horded}
children=12
soon_s=15 # how long any single step may take
nodes=(n1 n2 n3)
declare -A pid=() url=()
code=0

mark=HORDES_OF_$$_$RANDOM$RANDOM
dir=
stage='begin'
body=

if [[ -t 1 && ${TERM:-dumb} != dumb && -z ${NO_COLOR:-} ]]; then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' off=$'\e[0m'
else
	bold='' dim='' red='' green='' off=''
fi

# ---- the end, however it comes -----------------------------------------------------------------

marked() { # the processes that descend from our daemons, and the daemons
	grep -lzsxF "DEMO_MARK=$mark" /proc/[0-9]*/environ | cut -d/ -f3 || true
}

now_ms() {
	local now=${EPOCHREALTIME/[.,]/}
	echo $((now / 1000))
}

# expect_within SECONDS COMMAND...: for what no API can tell, because no daemon is there yet or any more.
expect_within() {
	local until_ms=$(($(now_ms) + $1 * 1000))
	shift
	until "$@"; do
		(($(now_ms) < until_ms)) || return 1
		sleep 0.02
	done
}

none_marked() { [[ -z $(marked) ]]; }

finish() {
	local code=$? p
	trap '' INT TERM HUP PIPE
	trap - ERR EXIT
	set +e
	for p in "${pid[@]}"; do # the guardian of a daemon then kills its children
		{ kill -KILL "$p" && wait "$p"; } 2>/dev/null
	done
	if ((${#pid[@]})) && ! expect_within 3 none_marked; then
		echo "demo: these had to be killed one by one: $(marked | tr '\n' ' ')" >&2
		for p in $(marked); do kill -KILL "$p" 2>/dev/null; done
		code=1
	fi
	[[ -z $dir ]] || rm -rf "$dir"
	exit "$code"
}

fail() {
	trap - ERR
	((BASH_SUBSHELL == 0)) || exit 1 # the caller says it
	echo "${red}demo: surprise while: $stage${off}" >&2
	echo "demo: $*" >&2
	local n
	for n in "${nodes[@]}"; do
		if [[ -n $dir && -s $dir/$n.log ]]; then
			echo "--- the last lines of $n" >&2
			tail -n 8 "$dir/$n.log" >&2
		fi
	done
	exit 1
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
trap 'fail "line $LINENO: \"$BASH_COMMAND\" ended with $?"' ERR

# ---- saying and calling ------------------------------------------------------------------------

title() {
	stage=$*
	printf '\n%s%s%s\n' "$bold" "$*" "$off"
}

quoted() { # as one would type it
	local word out=
	for word; do
		if [[ $word =~ ^[A-Za-z0-9_./:=%,-]+$ ]]; then out+=" $word"; else out+=" '$word'"; fi
	done
	echo "${out# }"
}

# call CURL_ARGUMENT...: prints the command, runs it, keeps the answer in $body; a problem is a surprise.
call() {
	printf '%s$ %s%s\n' "$dim" "$(quoted curl "$@")" "$off"
	call_quietly "$@"
	[[ $body != '{"type":"/problems/'* ]] || fail "$(quoted curl "$@") was answered $body"
}

# refused CODE CURL_ARGUMENT...: the same, for what must be answered with that problem.
refused() {
	local code=$1
	shift
	printf '%s$ %s%s\n' "$dim" "$(quoted curl "$@")" "$off"
	call_quietly "$@"
	[[ $body == *"\"code\":\"$code\""* ]] || fail "$(quoted curl "$@") was answered $body"
	pick '"  %s %s: %s" % (it["status"], it["code"], it["detail"])'
}

call_quietly() {
	local code=0
	body=$(timeout -k 1 "$soon_s" curl "$@" 2>"$dir/curl.err") || code=$?
	((code != 0)) || return 0
	((code != 124)) || fail "no answer within $soon_s s: $(quoted curl "$@")"
	fail "$(quoted curl "$@") failed ($code): $(cat "$dir/curl.err") $body"
}

# pick EXPRESSION [WORD...]: Python over the answer, as `it`, and the words, as `word`.
pick() {
	local expression=$1
	shift
	python3 -ES -c '
import json, sys
it, word = json.load(sys.stdin), sys.argv[2:]
print(eval(sys.argv[1]))' "$expression" "$@" <<<"$body"
}

# ---- daemons -----------------------------------------------------------------------------------

has_address() {
	kill -0 "${pid[$1]}" 2>/dev/null || fail "$1 ended before it listened"
	[[ -s $dir/$1/url ]]
}

is_ready() { [[ $(curl -s -m 2 -o /dev/null -w '%{http_code}' "${url[$1]}/readyz") == 200 ]]; }

start_daemon() { # NAME ADDRESS [FLAG...]
	local name=$1 address=$2
	shift 2
	local flags=(--name "$name" --listen "$address" --data-dir "$dir/$name" "$@")
	rm -f "$dir/$name/url"
	printf '%s$ %s &%s\n' "$dim" "$(quoted "$horded" "${flags[@]}")" "$off"
	env "DEMO_MARK=$mark" "$horded" "${flags[@]}" </dev/null >>"$dir/$name.log" 2>&1 &
	pid[$name]=$!
	expect_within "$soon_s" has_address "$name" || fail "$name does not listen after $soon_s s"
	url[$name]=$(<"$dir/$name/url")
	expect_within "$soon_s" is_ready "$name" || fail "$name is not ready after $soon_s s"
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }

end_of() { # NAME: waits for its end and leaves the exit code in $code
	expect_within "$soon_s" has_ended "${pid[$1]}" || fail "$1 still runs after $soon_s s"
	code=0
	wait "${pid[$1]}" 2>/dev/null || code=$?
	unset "pid[$1]"
}

# awaited URL EXPRESSION [WORD...]: asks until the expression holds of the answer. Each further read
# carries the ETag of the last answer and is parked by the daemon until there is another one.
awaited() {
	local address=$1 until_ms=$(($(now_ms) + soon_s * 1000)) joint='?'
	shift
	[[ $address != *'?'* ]] || joint='&'
	call -sS "$address"
	until [[ $(pick "$@") == True ]]; do
		(($(now_ms) < until_ms)) || fail "$address does not come to hold $1: $body"
		call -sS "$address${joint}since=$(pick 'it["etag"]')&wait=1s"
	done
}

all_alive='sum(m["status"] == "alive" for m in it["items"]) == int(word[0])'
all_run='sum(c["status"]["state"] == "running" for c in it["items"]) == int(word[0])'

# ---- tables ------------------------------------------------------------------------------------

show_members() {
	pick '"\n".join("  %-4s %-24s %-8s %2d children" % (m["name"], m["url"], m["status"],
		m.get("children", 0)) for m in it["items"])'
}

# The children in $body and the names in the file `names`; where a child was in the file `before`.
show_children() {
	python3 -ES -c '
import json, os, sys
def items(file):
    return json.load(open(file))["items"] if os.path.exists(file) else []
names = {e["owner"]["id"]: e["key"] for e in items(sys.argv[1] + "/names")}
before = {c["id"]: c["status"] for c in items(sys.argv[1] + "/before")}
row = "  %-8s %-8s %-5s %8s  %-8s %s"
print((row % ("CHILD", "NAME", "NODE", "PID", "STATE", "")).rstrip())
for child in json.load(sys.stdin)["items"]:
    now = child["status"]
    old = before.get(child["id"], now)
    was = "was on %s, pid %s" % (old["node"], old["pid"]) if old["node"] != now["node"] else ""
    print((row % (child["id"], names.get("default/" + child["id"], "-"), now.get("node", "-"),
        now.get("pid", "-"), now["state"], was)).rstrip())' "$dir" <<<"$body"
}

check_processes() { # of $body: each pid is a process of this machine
	local p
	for p in $(pick '" ".join(str(c["status"]["pid"]) for c in it["items"])'); do
		kill -0 "$p" 2>/dev/null || fail "there is no process $p, but n3 says so: $body"
	done
}

# ------------------------------------------------------------------------------------------------

unset "${!HORDE_@}" # the caller's options are not the demo's
export no_proxy='*'
[[ -x $horded ]] || fail "$horded is not a program; run make first"
[[ $horded == /* ]] || horded=$PWD/$horded
dir=$(mktemp -d "${TMPDIR:-/tmp}/horde-demo.XXXXXX")
began_ms=$(now_ms)

title 'Three daemons, each with a data directory and a free port of its own'
start_daemon n1 127.0.0.1:0
start_daemon n2 127.0.0.1:0 --join "${url[n1]}"
start_daemon n3 127.0.0.1:0 --join "${url[n1]}"
for n in "${nodes[@]}"; do awaited "${url[$n]}/v1/cluster/members" "$all_alive" 3; done
show_members
[[ ! -t 1 ]] || echo '  (With KEEP=1 the demo waits before it ends, so that you can try these commands yourself.)'

title "$children children, all started through n1; each answer says that the process runs"
for ((i = 1; i <= children; i++)); do
	printf -v id 'web-%02d' "$i"
	call -sS -X PUT "${url[n1]}/v1/supervisors/default/children/$id" \
		-d '{"command":["sleep","600"]}'
	state=$(pick 'it["status"]["state"]')
	[[ $state == running ]] || fail "$id is $state, not running: $body"
done

title 'A name for each of them, registered through n2'
for ((i = 1; i <= children; i++)); do
	printf -v nr '%02d' "$i"
	call -sS -X PUT "${url[n2]}/v1/registries/default/entries/web%2F$nr" \
		-d '{"owner":{"kind":"child","id":"default/web-'"$nr"'"},"value":{"port":'$((8000 + i))'}}'
done

title 'Who runs what, and under which name, asked at n3'
names="${url[n3]}/v1/registries/default/entries?prefix=web/"
awaited "$names" 'len(it["items"]) == int(word[0])' "$children"
echo "$body" >"$dir/names"
awaited "${url[n3]}/v1/supervisors/default/children" "$all_run" "$children"
echo "$body" >"$dir/before"
check_processes
show_children
of_n1='[c for c in it["items"] if c["status"]["node"] == "n1"]'
victims=$(pick '" ".join(str(c["status"]["pid"]) for c in '"$of_n1)")
moving=$(pick "($of_n1 + [{}])[0].get('id', '')")
share=$(wc -w <<<"$victims")
((share > 0)) || fail 'n1 runs no child, so its end would show nothing'

title "kill -9 of n1: everything was started through it, and it runs $share of the $children"
count="${url[n2]}/v1/supervisors/default/count"
call -sS "$count"
echo "${dim}\$ kill -9 ${pid[n1]}${off}"
killed_ms=$(now_ms)
kill -KILL "${pid[n1]}"
wait "${pid[n1]}" 2>/dev/null || code=$?
((code == 137)) || fail "n1 ended with $code, not by SIGKILL"
unset "pid[n1]"
until [[ $body == *'"by_state":{"running":'$children'}'* && $body != *'"n1":'* ]]; do
	[[ $body =~ \"etag\":\"([^\"]+)\" ]] || fail "no etag in $body"
	call -sS "$count?since=${BASH_REMATCH[1]}&wait=10s"
	took_ms=$(($(now_ms) - killed_ms))
	((took_ms < soon_s * 1000)) || fail "not all run again: $body"
done
echo "  ${green}All $children run again, seen at n2 $took_ms ms after the kill.${off}"
awaited "${url[n3]}/v1/supervisors/default/children" \
	"$all_run"' and all(c["status"]["node"] != "n1" for c in it["items"])' "$children"
check_processes
show_children
for p in $victims; do
	! kill -0 "$p" 2>/dev/null || fail "process $p of n1 has outlived its daemon"
done
echo "  The $share processes of n1 are gone; those of the table are there."

title 'Names survive: a name is "stale" until the new process of its owner registers again'
entry=v1/registries/default/entries/${moving/-/%2F}
call -sS "${url[n3]}/$entry"
echo "  $body"
[[ $(pick 'it["stale"]') == True ]] || fail "the name of $moving is not stale: $body"
refused already-registered -sS -X PUT "${url[n3]}/$entry" \
	-d '{"owner":{"kind":"static","id":"somebody-else"},"value":{"port":1}}'
call -sS -X PUT "${url[n3]}/$entry" \
	-d '{"owner":{"kind":"child","id":"default/'"$moving"'"},"value":{"port":9000}}'
echo "  $body"
[[ $(pick 'it["stale"]') == False ]] || fail "the name of $moving is stale still: $body"
awaited "${url[n2]}/$entry" 'it["value"]["port"] == 9000'
call -sS "${url[n2]}/$entry/value"
echo "  $body"

title 'n1 comes back, on the address it had'
start_daemon n1 "${url[n1]#http://}"
for n in "${nodes[@]}"; do awaited "${url[$n]}/v1/cluster/members" "$all_alive" 3; done
show_members
echo '  What runs stays where it is. A new child goes where there is room:'
call -sS -X PUT "${url[n3]}/v1/supervisors/default/children/web-13" -d '{"command":["sleep","600"]}'
[[ $(pick 'it["status"]["state"]') == running ]] || fail "web-13 does not run: $body"
pick '"  %s runs on %s, pid %s" % (it["id"], it["status"]["node"], it["status"]["pid"])'

if [[ -n ${KEEP:-} ]]; then
	title 'The cluster is yours until you press Enter'
	printf '  %s\n' "${url[@]}"
	read -r || true
fi

title 'SIGTERM to all three'
echo "${dim}\$ kill ${pid[n1]} ${pid[n2]} ${pid[n3]}${off}"
kill -TERM "${pid[n1]}" "${pid[n2]}" "${pid[n3]}"
for n in "${nodes[@]}"; do
	end_of "$n"
	((code == 0)) || fail "$n ended with $code, not 0"
done
none_marked || fail "these processes are left: $(marked | tr '\n' ' ')"
echo "  All ended with 0, and no process of theirs is left. ($(($(now_ms) - began_ms)) ms in all)"
