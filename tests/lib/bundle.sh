#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Print an OCI config.json for runc:  bundle.sh ROOTFS CGROUP COMMAND [ARG...]
# The capabilities are the fourteen that docker gives.  ENVIRON adds "K=V" lines.
set -eu

rootfs=$1
cgroup=$2
shift 2

# Everything printed here comes from the tests themselves: backslash and quote are all there is.
json_words() {
	sep=
	for word in "$@"; do
		printf '%s"%s"' "$sep" "$(printf '%s' "$word" | sed 's/[\\"]/\\&/g')"
		sep=', '
	done
}

caps=$(json_words CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW CAP_SETGID \
	CAP_SETUID CAP_SETFCAP CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE)
extra=
if [ -n "${ENVIRON:-}" ]; then
	extra=$(printf '%s\n' "$ENVIRON" | while IFS= read -r kv; do
		printf ', %s' "$(json_words "$kv")"
	done)
fi

cat <<JSON
{
 "ociVersion": "1.0.2",
 "process": {
  "terminal": false,
  "user": {"uid": 0, "gid": 0},
  "args": [$(json_words "$@")],
  "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"$extra],
  "cwd": "/",
  "capabilities": {"bounding": [$caps], "effective": [$caps], "permitted": [$caps]},
  "noNewPrivileges": false
 },
 "root": {"path": "$rootfs", "readonly": false},
 "hostname": "reef",
 "mounts": [
  {"destination": "/proc", "type": "proc", "source": "proc"},
  {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
   "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
  {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
   "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
  {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
   "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
  {"destination": "/sys", "type": "sysfs", "source": "sysfs",
   "options": ["nosuid", "noexec", "nodev", "ro"]}
 ],
 "linux": {
  "cgroupsPath": "$cgroup",
  "resources": {"devices": [{"allow": false, "access": "rwm"}], "pids": {"limit": 4096}},
  "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
  "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
  "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
 }
}
JSON
