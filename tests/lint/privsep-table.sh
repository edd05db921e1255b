#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The broker's table, its messages, and the table of coral-privsep(7) say the same, in one order.
set -euo pipefail
cd "$(dirname "$0")/../.."

code() { # "PM_X|states|rules" a row
	sed -n 's/^ *{\(PM_[A-Z_]*\), \([A-Z_ |]*\), [a-z_]*},$/\1 \2/p' src/agent/broker_table.c |
		while read -r name bits; do
			states='' rules=''
			for bit in ${bits//|/ }; do
				case $bit in
				IN_PRE) states+=' pre' ;;
				IN_AUTH) states+=' auth' ;;
				PRE_ONCE) rules+=' once' ;;
				SIGNED) rules+=' signed' ;;
				*) rules+=" $bit?" ;;
				esac
			done
			echo "$name|${states# }|${rules# }"
		done
}

page() {
	sed -n 's/^\.It Dv \(PM_[A-Z_]*\) Ta \([a-z ]*\) Ta \([^ ]*\) Ta ..*/\1|\2|\3/p' man/coral-privsep.7 |
		sed 's/\\-$//'
}

messages() {
	sed -n '/transport to broker/,/broker to transport/s/^\t\(PM_[A-Z_]*\).*/\1/p' src/transport/privmsg.h
}

[ -n "$(code)" ] || { echo "no table in src/agent/broker_table.c"; exit 1; }
diff <(code) <(page)
diff <(messages) <(code | cut -d'|' -f1)
