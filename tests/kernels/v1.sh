#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# cgroup v1 alone, and SELinux.
exec "$(dirname "$0")/boot.sh" "${BUILD:-build/release}" \
	coral.cgroup=v1 selinux=1 enforcing=1 lsm=landlock,lockdown,yama,selinux
