#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Rooms include downwards only and no private header of another, and each library has one room.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
bad=0

allowed() { # FROM -> the rooms it may include, itself included
	case $1 in
	base) echo base ;;
	screen | pty | target | transport | record | audit) echo "base $1" ;;
	audit_index) echo "base audit audit_index" ;;
	replay) echo "base screen record replay" ;;
	session) echo "base screen pty target transport record audit session" ;;
	client) echo "base screen pty transport session client" ;;
	agent) echo "base pty target transport record audit replay session agent" ;;
	cli) echo "base screen pty target transport record audit replay session client agent cli" ;;
	*) echo "$1" ;;
	esac
}

for file in src/*/*.[ch]; do
	room=$(basename "$(dirname "$file")")
	rooms=" $(allowed "$room") "
	while read -r header; do
		other=${header%%/*}
		case $header in
		*/*) ;;
		*) echo "$file: includes \"$header\" without its room"; bad=1; continue ;;
		esac
		if [ -d "src/$other" ] && [[ $rooms != *" $other "* ]]; then
			echo "$file: $room may not include $header"
			bad=1
		fi
		case $header in
		*_int.h | *_priv.h) [ "$other" = "${room%_index}" ] || { echo "$file: $header is private"; bad=1; } ;;
		esac
		[ -e "src/$header" ] || { echo "$file: no such header: $header"; bad=1; }
	done < <(sed -n 's/^#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file")
	while read -r header; do
		case $header in
		libssh/*) owner=transport ;;
		sqlite3.h) owner=audit_index ;;
		vterm.h | vterm_keycodes.h) owner=screen ;;
		termkey.h | readline/*) owner=cli ;;
		*) continue ;;
		esac
		if [ "$owner" != "$room" ]; then
			echo "$file: only $owner/ includes <$header>"
			bad=1
		fi
	done < <(sed -n 's/^#[[:space:]]*include[[:space:]]*<\([^>]*\)>.*/\1/p' "$file")
done
exit $bad
