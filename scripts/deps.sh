#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/deps.sh [--test]: installs what the build (with --test: the tests, too) needs and this
# machine lacks. Nothing is asked of the network when nothing is missing.
set -euo pipefail

build_debian=(build-essential cmake ninja-build pkg-config libzmq3-dev libsodium-dev libmsgpack-dev
    libsqlite3-dev libmicrohttpd-dev libconfuse-dev libjansson-dev libzstd-dev libssl-dev
    libutf8proc-dev libcurl4-openssl-dev librsync-dev libavahi-client-dev)
test_debian=(libcmocka-dev clang-14 clang-format-14 libclang-rt-14-dev valgrind python3
    python3-msgpack python3-zmq python3-nacl rsync strace git xfsprogs e2fsprogs
    exfat-fuse exfatprogs vim-tiny nano emacs-nox fuse3 libfuse3-dev openssh-server
    avahi-daemon avahi-utils libavahi-compat-libdnssd-dev dbus iproute2 faketime zsh fish
    debhelper lintian ruby)
build_brew=(bash cmake ninja pkg-config zeromq libsodium msgpack-cxx sqlite libmicrohttpd confuse
    jansson zstd openssl@3 utf8proc curl librsync)
test_brew=(cmocka llvm clang-format python@3 rsync git)

fail() {
    echo "deps: $*" >&2
    exit 1
}

with_tests=0
case ${1:-} in
--test) with_tests=1 ;;
"") ;;
*)
    echo "usage: scripts/deps.sh [--test]" >&2
    exit 2
    ;;
esac

installed() {
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]] && return
    # Newer systems have pkgconf in the place of pkg-config.
    [[ $1 == pkg-config ]] && command -v pkg-config >/dev/null
}

debian() {
    local wanted=("${build_debian[@]}") missing=() package root=()
    ((with_tests)) && wanted+=("${test_debian[@]}")
    for package in "${wanted[@]}"; do
        installed "$package" || missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then
        echo "deps: all there"
        return
    fi
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail "run as root: apt-get install ${missing[*]}"
        root=(sudo)
    fi
    echo "deps: installing ${missing[*]}"
    "${root[@]}" apt-get update -q || fail "apt-get update failed; is there a network?"
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        "${missing[@]}" || fail "apt-get install ${missing[*]} failed"
}

macos() {
    local wanted=("${build_brew[@]}") missing=() package have
    ((with_tests)) && wanted+=("${test_brew[@]}")
    command -v brew >/dev/null || fail "needs Homebrew (https://brew.sh), then:
    brew install ${wanted[*]}"
    have=$(brew list --formula -1)
    for package in "${wanted[@]}"; do
        grep -qxE "${package}(@[0-9.]+)?" <<<"$have" || missing+=("$package")
    done
    ((${#missing[@]} == 0)) || fail "missing; install them and try again:
    brew install ${missing[*]}"
    echo "deps: all there"
}

case $(uname -s) in
Linux)
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
        fail "knows Debian and Ubuntu only. The packages are called there:
    ${build_debian[*]} ${test_debian[*]}"
    debian
    ;;
Darwin) macos ;;
*) fail "knows Debian, Ubuntu and macOS, not $(uname -s)" ;;
esac
