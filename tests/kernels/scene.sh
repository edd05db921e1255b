#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A container by runc under this kernel's security module, entered by an embedded agent and by
# one on a socket: labels, cgroups, the end of a session.  Speaks TAP.
n=0
ok() { # ok NAME: by the last status
	if [ $? = 0 ]; then
		n=$((n + 1))
		echo "ok $n - $1"
	else
		n=$((n + 1))
		echo "not ok $n - $1"
	fi
}
same() { # same GOT WANT NAME
	[ "$1" = "$2" ]
	ok "$3"
	[ "$1" = "$2" ] || printf '#  got: %s\n# want: %s\n' "$1" "$2"
}

export CORAL_STATE_DIR=/tmp/state CORAL_RUNTIME_DIR=/tmp/run CORAL_CONFIG=/tmp/config
mkdir -m 700 /tmp/state /tmp/run /tmp/config
mkdir /tmp/box
cd /tmp/box || exit 1

lsm=none label=
if [ -e /sys/fs/selinux/enforce ]; then
	lsm=selinux label=u:r:reef_t
	edit='s/"noNewPrivileges"/"selinuxLabel": "u:r:reef_t", "noNewPrivileges"/'
elif [ -e /sys/kernel/security/apparmor ]; then
	lsm=apparmor label='coral-reef (enforce)'
	edit='s/"noNewPrivileges"/"apparmorProfile": "coral-reef", "noNewPrivileges"/'
fi
sed "$edit" /coral/config.json >config.json
runc run -d --pid-file pid reef </dev/null >log 2>&1 || cat log
ok "runc starts a container ($(uname -r), $lsm)"
pid=$(cat pid)
same "$(tr -d '\0' <"/proc/$pid/attr/current")" "$label" "its label"

check() { # check HOW: coral with its arguments before the target
	how=$1
	same "$(coral exec reef -- cat /proc/self/attr/current | tr -d '\0')" "$label" \
		"$how: the session has the target's label"
	if [ $lsm = apparmor ]; then
		coral exec reef -- cat /etc/secret 2>&1 | grep -q 'Permission denied'
		ok "$how: the profile holds for the session"
	fi
	coral exec --explain reef -- true 2>&1 | grep -E '^ *lsm +cloned' >/dev/null
	ok "$how: --explain says that the label is cloned"
	coral exec reef -- cat /proc/self/cgroup >cg
	while IFS=: read -r id names path; do
		want=$(sed -n "s/^$id:$names://p" "/proc/$pid/cgroup")
		case $path in
		"$want" | "$want"/coral-*) ;;
		*) false ;;
		esac
		ok "$how: cgroup $names: $path within $want"
	done <cg
	coral exec reef -- sh -c 'setsid sleep 4242 & (sleep 4242 &) ; sleep 0.1'
	! grep -qs 4242 /proc/[0-9]*/cmdline
	ok "$how: nothing of an ended session is left"
	! find /sys/fs/cgroup -path '*/reef/coral-*' | grep -q .
	ok "$how: nor a cgroup"
	coral exec --timeout=1s reef -- sh -c 'trap "" TERM; sleep 4343'
	! grep -qs 4343 /proc/[0-9]*/cmdline
	ok "$how: a timeout ends it"
}

check embedded
coral agent start --socket=/tmp/sock >agent.log 2>&1 &
agent=$!
export CORAL_AGENT=/tmp/sock
timeout 20 sh -c 'until [ -S /tmp/sock ]; do sleep 0.1; done'
check agent
kill $agent
wait $agent
runc delete -f reef
echo "1..$n"
