#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Print the path of Debian's own kernel, unpacked in the user's cache and not installed: this
# machine goes on booting what it boots.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/coral/kernels
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
if [ -z "$package" ]; then
	apt-get -q update >&2
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
fi
version=$(apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')
dir=$cache/${package}_$version
if [ ! -e "$dir/boot/vmlinuz-${package#linux-image-}" ]; then
	mkdir -p "$cache"
	new=$(mktemp -d "$cache/new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	chmod 755 "$new"
	(cd "$new" && apt-get -q -o APT::Sandbox::User=root download "$package" >&2)
	dpkg-deb -x "$new"/linux-image-*.deb "$new/tree"
	rm -rf "$dir"
	mkdir -p "$dir/boot"
	mv "$new/tree/boot"/vmlinuz-* "$dir/boot/"
fi
echo "$dir/boot/vmlinuz-${package#linux-image-}"
