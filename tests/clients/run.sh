#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Programs of others over what coral writes, as TAP.  They are installed below build, by npm and as
# package-lock.json has them; what is there already is not asked for again.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$PWD/build/clients
mkdir -p "$dir"
if ! cmp -s tests/clients/package-lock.json "$dir/installed.json"; then
	cp tests/clients/package.json tests/clients/package-lock.json "$dir"
	(cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) || {
		tail -n 20 "$dir/npm.log" | sed 's/^/# /'
		echo "not ok 1 - npm installs what package-lock.json has"
		echo "1..1"
		exit 1
	}
	cp "$dir/package-lock.json" "$dir/installed.json"
fi
cp tests/clients/query.mjs "$dir"
exec env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/clients/duckdb_reads.py "$dir"
