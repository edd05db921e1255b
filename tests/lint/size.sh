#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# No file of src over 500 lines, no function over 80; no line of a .c file over 100 columns (tabs are 8).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
bad=0
while read -r file; do
	awk -v file="$file" '
	/^\{/ { start = NR }
	/^\}/ && start { if (NR - start - 1 > 80) {
		printf "%s:%d: a function of %d lines\n", file, start, NR - start - 1; bad = 1 } start = 0 }
	END { if (NR > 500 && file ~ /^src/) { printf "%s: %d lines\n", file, NR; bad = 1 } exit bad }' "$file" || bad=1
	[[ $file == *.h ]] || expand -t 8 "$file" | awk -v file="$file" '
	length($0) > 100 && !/^[^ ]* *"|http/ && !/^static const char/ {
		printf "%s:%d: %d columns\n", file, NR, length($0); bad = 1 }
	END { exit bad }' || bad=1
done < <(git ls-files -co --exclude-standard 'src/*.c' 'src/*.h' 'tests/unit/*.c' 'tests/fuzz/*.c')
exit $bad
