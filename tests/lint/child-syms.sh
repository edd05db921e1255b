#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The code between clone and exec calls nothing but thin system call wrappers: no allocation, no
# stdio, no locks.  Every undefined symbol of its objects stands on the list.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
build=${BUILD:-build/release}
list=tests/lint/child-syms.allow
bad=0 seen=0
for object in "$build"/target/enter_child*.o; do
	[ -e "$object" ] || continue
	seen=1
	while read -r symbol; do
		if ! grep -qxF "$symbol" <(grep -v '^#' "$list"); then
			echo "$object: calls $symbol, which is not in $list"
			bad=1
		fi
	done < <(nm -u "$object" | awk '{print $2}')
done
[ $seen = 1 ] || { echo "no $build/target/enter_child*.o: build first"; bad=1; }
exit $bad
