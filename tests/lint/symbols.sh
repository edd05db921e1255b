#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A static link takes the first definition of a name: one of ours with the name
# of a library's own function would replace it inside that library, silently.
set -eu
cd "$(dirname "$0")/../.."
lib=${1:-build/release/libcoral.a}
ours=$(nm --defined-only -g "$lib" "${lib%/*}"/audit_index/*.o 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u)
[ -n "$ours" ] || { echo "build first: no names in $lib" >&2; exit 1; }
dir=$(dirname "$(gcc -print-file-name=libc.a)")
bad=0
for l in ssh jansson vterm termkey unibilium readline tinfo seccomp yaml z crypto ssl sqlite3; do
	hits=$(nm --defined-only -g "$dir/lib$l.a" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u |
		{ printf '%s\n' "$ours" >"${TMPDIR:-/tmp}/ours.$$"; comm -12 - "${TMPDIR:-/tmp}/ours.$$"; })
	rm -f "${TMPDIR:-/tmp}/ours.$$"
	if [ -n "$hits" ]; then
		echo "names that lib$l has as well: $hits" >&2
		bad=1
	fi
done
exit $bad
