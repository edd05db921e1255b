#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Install what is missing from Debian:  deps.sh build | all | clients.  Quick when nothing is missing.
set -euo pipefail

build=(gcc libc6-dev make pkg-config libssh-dev libvterm-dev libtermkey-dev libunibilium-dev
	libjansson-dev libreadline-dev libncurses-dev libyaml-dev libssl-dev libseccomp-dev
	zlib1g-dev libzstd-dev libsqlite3-dev libsodium-dev psf-unifont runc
	busybox-static procps util-linux)
tests=(tmux asciinema docker.io containerd podman catatonit conmon mandoc openssh-server
	openssh-client openssl python3 python3-pytest python3-nacl vim-tiny less bash-completion zsh fish iproute2
	ncurses-base ncurses-bin perl shellcheck cppcheck clang-14 clang-tidy-14 clang-format-14
	libclang-rt-14-dev binutils qemu-system-x86 cpio apparmor checkpolicy chromium ttyrec
	fonts-dejavu-core zstd e2fsprogs tlog strace)

# Where Node.js is not Debian's it brings its own npm, and excludes Debian's.
clients=()
command -v npm >/dev/null || clients=(npm)

case ${1:-all} in
build) want=("${build[@]}") ;;
all) want=("${build[@]}" "${tests[@]}") ;;
clients) want=("${build[@]}" python3 "${clients[@]}") ;;
*) echo "deps.sh: build, all or clients" >&2; exit 2 ;;
esac

have=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "${want[@]}" 2>/dev/null | sed -n 's/^ii  *//p') || true
missing=()
for package in "${want[@]}"; do
	grep -qxF -- "$package" <<<"$have" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "coral: these packages are missing: ${missing[*]}" >&2
		echo "  why: installing them needs root, and there is no sudo" >&2
		echo "  try: apt-get install ${missing[*]}    (as root)" >&2
		exit 1
	fi
	as_root=(sudo)
fi
echo "Installing from Debian: ${missing[*]}"
# docker.io must not start a daemon by itself: the tests start their own.
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -y
	-o Dpkg::Use-Pty=0 -o APT::Install-Recommends=false)
"${apt[@]}" update
"${apt[@]}" install "${missing[@]}"
