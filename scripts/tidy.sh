#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/tidy.sh BUILD-FOLDER [FILE...]: clang-tidy over the rooms, with that build's flags.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:?usage: scripts/tidy.sh BUILD-FOLDER [FILE...]}
shift
tool=$(command -v clang-tidy-14 || command -v clang-tidy || true)
[[ -n $tool ]] || { echo "tidy: clang-tidy is missing: apt-get install clang-tidy-14" >&2; exit 1; }
[[ -f $build/compile_commands.json ]] || { echo "tidy: $build is no build folder" >&2; exit 1; }
if (($# == 0)); then
    mapfile -t files < <(find agent proto crypto discovery -name '*.c' ! -name '*_macos.c' | sort)
    set -- "${files[@]}"
fi
printf '%s\0' "$@" | xargs -0 -n 4 -P "$(nproc)" "$tool" --quiet -p "$build"
