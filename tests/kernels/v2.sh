#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# cgroup v2 alone, and AppArmor.
exec "$(dirname "$0")/boot.sh" "${BUILD:-build/release}" \
	coral.cgroup=v2 apparmor=1 lsm=landlock,lockdown,yama,apparmor
