#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every option row stands in its verb's manual page, and every flag there is a row.
# usage: man-options.sh CORAL [MANDIR]
set -eu
coral=${1:?usage: man-options.sh CORAL [MANDIR]}
man=${2:-$(dirname "$0")/../../man}
"$coral" help --json | python3 -c '
import json, os, re, sys

man = sys.argv[1]
rows = {}
for verb in json.load(sys.stdin):
    if verb["hidden"]:
        continue
    have = rows.setdefault(verb["name"].split()[0], set())
    for o in verb["options"]:
        if len(o["name"]) > 1:
            have.add("--" + o["name"])
        if o["letter"]:
            have.add("-" + o["letter"])
bad = 0
for verb, have in sorted(rows.items()):
    names = [f"{man}/coral-{verb}.{s}" for s in (1, 8)] + [f"{man}/coral.1"]
    page = next((n for n in names if os.path.exists(n)), None)
    if not page:
        sys.exit(f"no manual page for coral {verb}")
    if page.endswith("/coral.1") and not have:
        continue
    told = set()
    for line in open(page, encoding="utf-8"):
        if page.endswith("/coral.1") or line.startswith(".It Fl"):
            told.update("-" + f for f in re.findall(r"Fl (-?[A-Za-z][A-Za-z-]*)", line))
    told -= {"-h", "--help"}
    for flag in sorted(have - told):
        bad += 1
        print(f"{page}: coral {verb} has {flag}, the page has not")
    if not page.endswith("/coral.1"):
        for flag in sorted(told - have):
            bad += 1
            print(f"{page}: the page has {flag}, coral {verb} has not")
sys.exit(1 if bad else 0)
' "$man"
