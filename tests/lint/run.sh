#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Every check of the source that needs no run of the program, as TAP.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
number=0 failed=0

point() { # NAME COMMAND...
	local name=$1 out
	shift
	number=$((number + 1))
	if out=$("$@" 2>&1); then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		printf '%s\n' "$out" | head -n 60 | sed 's/^/# /'
		failed=1
	fi
}

files() { git ls-files -co --exclude-standard -- "$@"; }

shell_scripts() {
	mapfile -t scripts < <({ files '*.sh' '.ci/run'; } | sort)
	shellcheck -x -e SC2317,SC2086 "${scripts[@]}"
}

manual_pages() {
	local bad=0 page out
	for page in man/*.[1-8]; do
		[ -e "$page" ] || { echo "there are no manual pages"; return 1; }
		# Cross references to pages that are not installed yet are no fault of the page.
		out=$(mandoc -T lint -W warning "$page" 2>&1 | grep -v 'referenced manual not found')
		[ -z "$out" ] || { printf '%s\n' "$out"; bad=1; }
	done
	return $bad
}

# What completes --event is what coral-audit-log(5) lists, and what is written is there.
audit_events() {
	local listed told
	listed=$(sed -n '/^#define AUDIT_EVENTS/,/[^\\]$/p' src/cli/audit_text.h |
		grep -oE '[a-z]+\.[a-z]+|denied' | sort)
	told=$(sed -n '/^\.Ss Events/,/^\.Ss/{s/^\.It Cm //p}' man/coral-audit-log.5 |
		tr -s ', ' '\n' | sort)
	diff <(printf '%s\n' "$listed") <(printf '%s\n' "$told") || return 1
	grep -hoE 'audit_record_new\("[^"]+' src/*/*.c | sed 's/.*"//' | sort -u |
		comm -23 - <(printf '%s\n' "$listed") | { ! grep .; }
}

static_analysis() {
	cppcheck --quiet --std=c11 --enable=warning,portability,performance --inline-suppr \
		--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
		--suppress=preprocessorErrorDirective --error-exitcode=1 -D_GNU_SOURCE \
		-DCORAL_VERSION='"x"' '-Djson_array_foreach(a,i,v)=for(;;)' \
		'-Djson_object_foreach(o,k,v)=for(;;)' -Isrc src
}

python_files() {
	mapfile -t scripts < <(files '*.py')
	/usr/bin/python3 - "${scripts[@]}" <<-'PY'
	import ast, sys
	for path in sys.argv[1:]:
	    text = open(path, encoding="utf-8").read()
	    ast.parse(text, path)
	    for number, line in enumerate(text.splitlines(), 1):
	        if len(line) > 110:
	            sys.exit(f"{path}:{number}: {len(line)} columns")
	PY
}

headers_alone() { # each header compiles by itself: it includes what it needs
	local bad=0 header
	for header in src/*/*.h; do
		echo "#include \"${header#src/}\"" |
			gcc -std=gnu11 -D_GNU_SOURCE -Isrc -fsyntax-only -Wall -x c - || { echo "$header"; bad=1; }
	done
	return $bad
}

clang_warnings() {
	local bad=0 file
	for file in src/*/*.c; do
		clang-14 -std=gnu11 -D_GNU_SOURCE -DCORAL_VERSION='"x"' -DLIBSSH_STATIC -Isrc \
			-fsyntax-only -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
			-Wformat=2 -Wvla -Werror "$file" || bad=1
	done
	return $bad
}

# Nobody's machine, and no registry, is named in the tree.
no_private_paths() {
	! git grep -nEI '(^|[^A-Za-z0-9_.-])/(work|farm)/[a-z]' -- . ':!tests/lint'
}

point "rooms include downwards" tests/lint/layers.sh
point "files, functions and lines are short" tests/lint/size.sh
point "no banned calls" tests/lint/banned.sh
point "the child calls system calls only" tests/lint/child-syms.sh
point "no name is a library's as well" tests/lint/symbols.sh
point "headers stand alone" headers_alone
point "clang has nothing to say" clang_warnings
point "cppcheck has nothing to say" static_analysis
point "shell scripts pass shellcheck" shell_scripts
point "manual pages pass mandoc" manual_pages
point "the audit log's events are listed" audit_events
point "the broker's table is documented" tests/lint/privsep-table.sh
point "Python files parse" python_files
point "no private paths" no_private_paths
echo "1..$number"
exit $failed
