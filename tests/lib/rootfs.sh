#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Build a small root filesystem out of what Debian has installed:
#   rootfs.sh busybox DIR   static busybox and nothing else
#   rootfs.sh full DIR      plus bash, vim, less, top, tmux and openssl with their libraries
set -eu

kind=$1
dir=$2

base() {
	mkdir -p "$dir/bin" "$dir/etc" "$dir/dev" "$dir/proc" "$dir/sys" "$dir/root" "$dir/run" \
		"$dir/tmp" "$dir/usr" "$dir/var/tmp" "$dir/home/app"
	chmod 1777 "$dir/tmp" "$dir/var/tmp"
	ln -sfn ../bin "$dir/usr/bin"
	ln -sfn bin "$dir/sbin"
	install -m 0755 /bin/busybox "$dir/bin/busybox"
	for applet in $(/bin/busybox --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$dir/bin/$applet"
	done
	cat >"$dir/etc/passwd" <<-PASSWD
		root:x:0:0:root:/root:/bin/sh
		app:x:1000:1000:app:/home/app:/bin/sh
		nobody:x:65534:65534:nobody:/:/bin/false
	PASSWD
	cat >"$dir/etc/group" <<-GROUP
		root:x:0:
		app:x:1000:
		extra:x:2000:app
		nogroup:x:65534:
	GROUP
	chown 1000:1000 "$dir/home/app" 2>/dev/null || true
	for n in 1 2 3 4 5 6 7 8 9 10; do
		echo "line $n: the tide goes out over the reef, and comes back"
	done >"$dir/etc/tide"
	seq 1 500 | sed 's/^/row /' >"$dir/etc/rows"
	printf 'not a program\n' >"$dir/etc/plain"
}

# Copy a program under its own name and every library that it is linked with.
program() {
	src=$(readlink -f "$(command -v "$1")")
	rm -f "$dir/bin/${2:-$1}"
	install -m 0755 "$src" "$dir/bin/${2:-$1}"
	ldd "$src" 2>/dev/null | sed -n 's|.*[[:space:]]\(/[^ ]*\) (0x.*|\1|p' | while read -r lib; do
		mkdir -p "$dir$(dirname "$lib")"
		[ -e "$dir$lib" ] || install -m 0755 "$(readlink -f "$lib")" "$dir$lib"
	done
}

full() {
	mkdir -p "$dir/lib" "$dir/usr/lib/locale"
	for p in bash less top tmux openssl; do
		program "$p"
	done
	program vim.tiny vi
	for t in /lib/terminfo /usr/share/terminfo; do
		[ -d "$t" ] || continue
		mkdir -p "$dir/lib/terminfo"
		cp -rL "$t/." "$dir/lib/terminfo/"
	done
	[ ! -d /usr/lib/locale/C.utf8 ] || cp -r /usr/lib/locale/C.utf8 "$dir/usr/lib/locale/"
	cat >"$dir/etc/tmux.conf" <<-TMUX
		set -g status-right ''
		set -g status-left '[inner]'
		set -g default-terminal tmux-256color
		set -g default-command 'exec /bin/bash --norc --noprofile'
		set -g window-status-current-format ' bash '
	TMUX
}

case $kind in
busybox) base ;;
full) base && full ;;
*) echo "rootfs.sh: no such kind: $kind" >&2; exit 2 ;;
esac
