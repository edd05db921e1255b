#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Calls that are never right here, SPDX lines, and words of unfinished work.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
bad=0
# Comments and strings are blanked first: words in them are not calls.
strip() {
	perl -0pe 's{/\*.*?\*/|"(?:\\.|[^"\\])*"}{ my $x = $&; $x =~ s/[^\n]/ /g; $x }gse' "$1"
}
calls='atoi|atol|strncat|strcpy|strcat|sprintf|vsprintf|gets|system|popen|strtok|tmpnam|mktemp|alloca|usleep|rand'
while read -r file; do
	hits=$(strip "$file" | grep -nE "(^|[^A-Za-z0-9_>.])($calls)[[:space:]]*\\(")
	if [ -n "$hits" ]; then
		while IFS= read -r hit; do echo "$file:$hit"; done <<<"$hits"
		bad=1
	fi
	head -n 1 "$file" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' || {
		echo "$file: the first line is not the SPDX line"
		bad=1
	}
done < <(git ls-files -co --exclude-standard 'src/*.c' 'src/*.h')
# exit() belongs to the programs, not to the libraries under them.
for room in base screen pty target record audit replay session client; do
	for file in src/"$room"/*.c; do
		[ -e "$file" ] || continue
		if strip "$file" | grep -nE '(^|[^A-Za-z0-9_])(exit|abort)[[:space:]]*\('; then
			echo "$file: no exit in library code"
			bad=1
		fi
	done
done
if git grep -nEI '\b(TODO|FIXME|XXX|HACK)\b' -- src tests man completions ':!tests/lint' ':!tests/fuzz/corpus' |
	grep -v 'XXXXXX'; then
	bad=1
fi
exit $bad
