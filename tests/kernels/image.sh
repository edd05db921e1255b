#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Build the memory-only system that the kernels boot:  image.sh BUILD OUT
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$here/../..
build=$1
out=$2

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$root"/{bin,sbin,usr/sbin,usr/bin,proc,sys,dev,run,tmp,etc,root,lib64,coral/tests,coral/lsm}
ln -s ../bin/busybox "$root/sbin/init"
cp /bin/busybox "$root/bin/"
for applet in $(/bin/busybox --list); do
	[ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
done

# With the libraries that it is linked with, where it looks for them.
program() {
	install -D -m 0755 "$(readlink -f "$1")" "$root$1"
	ldd "$1" | sed -n 's|.*[[:space:]]\(/[^ ]*\) (0x.*|\1|p' | while read -r lib; do
		[ -e "$root$lib" ] || install -D -m 0755 "$(readlink -f "$lib")" "$root$lib"
	done
}
program /usr/sbin/runc
program /usr/sbin/apparmor_parser
install -m 0755 "$build/coral" "$root/usr/bin/coral"
for source in "$top"/tests/unit/root_*.c; do
	# Wants FUSE, which is a module of its own here, and no cgroup or label.
	[ "${source##*/}" = root_named.c ] && continue
	# Those with a disk of their own want mkfs and loop devices, and no cgroup or label.
	grep -q '^#include "disk_util.h"' "$source" && continue
	install -m 0755 "$build/unit/$(basename "$source" .c)" "$root/coral/tests/"
done
install -m 0755 "$here/init" "$root/init"
install -m 0755 "$here/scene.sh" "$root/coral/tests/scene"
install -m 0644 "$here/apparmor.profile" "$root/coral/lsm/"
checkpolicy -U allow -o "$root/coral/lsm/selinux.policy" "$here/selinux.conf" >/dev/null
"$top/tests/lib/rootfs.sh" busybox "$root/coral/rootfs"
echo secret >"$root/coral/rootfs/etc/secret"
"$top/tests/lib/bundle.sh" /coral/rootfs /reef /bin/sleep 100000 >"$root/coral/config.json"
printf 'root:x:0:0::/root:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$out"
