#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The main job, shown on this machine:  demo.sh CORAL
# A real container by runc, an agent, an exec, a shell, the recording and its replay.  On a
# terminal it ends by offering the shell to you.  It always cleans up.
set -euo pipefail
cd "$(dirname "$0")/../.."

coral=$(readlink -f "$1")
if [ "$(id -u)" != 0 ]; then
	if command -v sudo >/dev/null; then
		echo "Containers need root: going on through sudo."
		exec sudo -- "$0" "$coral"
	fi
	echo "coral: the demo needs root, to start a container and an agent" >&2
	echo "  why: this is uid $(id -u), and there is no sudo" >&2
	echo "  try: su -c 'make demo'" >&2
	exit 1
fi

dir=$(mktemp -d /tmp/coral-demo.XXXXXX)
name=reef-$$
agent=

cleanup() {
	set +e
	if [ -n "$agent" ]; then
		kill "$agent" 2>/dev/null
		wait "$agent" 2>/dev/null
	fi
	runc --root "$dir/runc" delete -f "$name" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

bold="" plain=""
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' plain=$'\e[m'
fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
show() { # as it would be typed
	local word line=
	for word in "$@"; do
		case $word in
		*[!A-Za-z0-9_./:=-]*) word="'$word'" ;;
		esac
		line="$line $word"
	done
	printf '%s$%s%s\n' "$bold" "$line" "$plain"
	"$@"
}
coral() { "$coral" "$@"; }

export CORAL_STATE_DIR=$dir/state CORAL_RUNTIME_DIR=$dir/run CORAL_CONFIG=$dir/config
unset CORAL_AGENT CORAL_SERVICE SERVICE_NAME
mkdir -m 700 "$CORAL_STATE_DIR" "$CORAL_RUNTIME_DIR" "$CORAL_CONFIG" "$dir/bundle"

say "A real container: runc, and a root filesystem out of Debian's static busybox"
tests/lib/rootfs.sh busybox "$dir/bundle/rootfs"
ENVIRON=SERVICE_NAME=checkout tests/lib/bundle.sh "$dir/bundle/rootfs" "/$name" \
	/bin/sleep 100000 >"$dir/bundle/config.json"
runc --root "$dir/runc" run -d --bundle "$dir/bundle" --pid-file "$dir/pid" "$name" \
	</dev/null >"$dir/runc.log" 2>&1 || { cat "$dir/runc.log" >&2; exit 1; }
echo "$name runs, pid $(cat "$dir/pid")"

say "An agent on a unix socket"
"$coral" agent start --socket "$dir/run/agent.sock" >"$dir/agent.log" 2>&1 </dev/null &
agent=$!
for _ in $(seq 200); do
	[ ! -S "$dir/run/agent.sock" ] || break
	kill -0 "$agent" 2>/dev/null || { cat "$dir/agent.log" >&2; exit 1; }
	sleep 0.05
done
show coral ps

say "One command: exact streams, exact exit status"
show coral exec checkout -- head -3 /etc/tide
show coral exec --service checkout "cat /etc/rows | grep 7 | wc -l"
printf '%s$ coral exec checkout -- cat /etc/rows | sha256sum%s\n' "$bold" "$plain"
coral exec checkout -- cat /etc/rows | sha256sum
status=0
show coral exec checkout -- sh -c 'exit 42' || status=$?
echo "exit status $status"
[ "$status" = 42 ]

say "A shell on a terminal inside the container (typed by this script)"
printf 'tty; stty size\nhostname; id -un\nexit 3\n' |
	show coral shell -tt --service checkout || status=$?
echo "exit status $status"
[ "$status" = 3 ]

say "Everything was recorded"
show coral sessions
id=$(coral sessions -o json | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' | head -n 1)

say "The shell again, from its recording"
if [ -t 0 ] && [ -t 1 ]; then
	read -rp "Enter plays it (space pauses, q leaves). "
	show coral replay "$id"
	say "Your turn: a shell in the container. exit, or ^D, ends the demo."
	show coral shell checkout || true
else
	show coral replay --format text "$id"
fi
say "Done; the container, the agent and the recordings are removed."
