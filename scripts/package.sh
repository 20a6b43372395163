#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/package.sh deb OUT      builds cfgsync-agent_VERSION_ARCH.deb into OUT
# scripts/package.sh source OUT   packs the sources into OUT, and a Homebrew formula and a PKGBUILD
#                                 that name them and their checksum
#
# CFGSYNC_AGENT=PATH   deb: packs that program and builds none
# CFGSYNC_URL=URL      source: where the archive will be (default: the file in OUT)
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "package: $*" >&2
    exit 1
}

usage() {
    echo "usage: scripts/package.sh deb|source OUT" >&2
    exit 2
}

(($# == 2)) || usage
what=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
version=$(sed -nE 's/^project\(cfgsync-agent VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
[[ -n $version ]] || fail "no version in CMakeLists.txt"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The sources as they are here, without what is built of them.
copy_sources() {
    local target=$1
    mkdir -p "$target"
    tar -c --exclude=./.git --exclude=./build --exclude=__pycache__ . | tar -x -C "$target"
}

deb() {
    local missing=() tool packed
    for tool in dpkg-buildpackage dh; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) || fail "needs ${missing[*]}: apt-get install debhelper dpkg-dev"
    packed=$(sed -nE '1s/^cfgsync-agent \(([^)]*)\).*/\1/p' packaging/debian/changelog)
    [[ $packed == "$version" ]] ||
        fail "packaging/debian/changelog is of $packed, CMakeLists.txt of $version"
    if [[ -n ${CFGSYNC_AGENT:-} ]]; then
        [[ -x $CFGSYNC_AGENT ]] || fail "CFGSYNC_AGENT is no program: $CFGSYNC_AGENT"
        CFGSYNC_AGENT=$(realpath "$CFGSYNC_AGENT")
        export CFGSYNC_AGENT
    fi
    copy_sources "$work/cfgsync-agent"
    cp -r packaging/debian "$work/cfgsync-agent/debian"
    local checks=()
    [[ -z ${CFGSYNC_AGENT:-} ]] || checks=(-d) # nothing is built, nothing is needed for it
    (cd "$work/cfgsync-agent" &&
        DEB_BUILD_OPTIONS="noautodbgsym ${DEB_BUILD_OPTIONS:-}" \
            dpkg-buildpackage -us -uc -b "${checks[@]}") >"$out/deb.log" 2>&1 || {
        tail -n 30 "$out/deb.log" >&2
        fail "dpkg-buildpackage failed; all it said is in $out/deb.log"
    }
    rm -f "$out/deb.log"
    for packed in "$work"/cfgsync-agent_*.deb; do
        cp "$packed" "$out/"
        echo "$out/${packed##*/}"
    done
}

source_archive() {
    local name=cfgsync-agent-$version archive day sum file
    archive=$out/$name.tar.gz
    copy_sources "$work/$name"
    day=$(sed -nE 's/^ -- .*>  //p;/^ -- /q' packaging/debian/changelog)
    tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="$day" \
        -c "$name" | gzip -n9 >"$archive"
    sum=$(sha256sum "$archive")
    for file in packaging/homebrew/cfgsync-agent.rb packaging/arch/PKGBUILD; do
        sed -e "s|@VERSION@|$version|; s|@SHA256@|${sum%% *}|" \
            -e "s|@URL@|${CFGSYNC_URL:-file://$archive}|" "$file" >"$out/${file##*/}"
    done
    printf '%s\n' "$archive" "$out/cfgsync-agent.rb" "$out/PKGBUILD"
}

case $what in
deb) deb ;;
source) source_archive ;;
*) usage ;;
esac
