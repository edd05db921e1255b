#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Boot Debian's kernel in an emulator, run in it what needs a kernel of its own, print TAP:
#   boot.sh BUILD KERNEL-PARAMETER...
# coral.cgroup=v1 or v2 is for our init; the first word also names the points.
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$1
shift
profile=${1#*=}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
kernel=$("$here/kernel.sh") || exit
"$here/image.sh" "$build" "$dir/image" || exit
timeout 400 qemu-system-x86_64 -accel tcg -cpu max -m 1024 -nodefaults -display none -no-reboot \
	-serial "file:$dir/serial" -kernel "$kernel" -initrd "$dir/image" \
	-append "console=ttyS0 quiet panic=-1 $*" </dev/null >"$dir/qemu" 2>&1

# One stream out of many: a plan that is wrong, a bad exit and a missing end are failures.
tr -d '\r' <"$dir/serial" | awk -v profile="$profile" '
function point(good, text) { printf "%sok %d - %s: %s\n", good ? "" : "not ", ++total, name, text; if (!good) bad++ }
BEGIN { name = profile }
/^@begin / { name = profile " " $2; points = fails = 0; plan = -1; next }
/^@end / {
	if (plan != points || ($3 != 0 && !fails))
		point(0, "exit " $3 ", plan " plan ", " points " points")
	next
}
/^@off/ { off = 1; next }
/^ok [0-9]+ / { points++; sub(/^ok [0-9]+ - /, ""); point(1, $0); next }
/^not ok [0-9]+ / { points++; fails++; sub(/^not ok [0-9]+ - /, ""); point(0, $0); next }
/^1\.\.[0-9]+/ { plan = substr($0, 4) + 0; next }
{ print "# " $0 }
END {
	name = profile
	point(off, "the system came to its end")
	print "1.." total
	exit bad > 0
}'
