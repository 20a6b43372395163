#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/format.sh [--check]: brings every C file into the shape of .clang-format, or says which
# ones are not in it (exit 1).
set -euo pipefail
cd "$(dirname "$0")/.."

tool=$(command -v clang-format-14 || command -v clang-format || true)
if [[ -z $tool ]]; then
    echo "format: clang-format-14 is missing; scripts/deps.sh --test installs it" >&2
    exit 1
fi
mapfile -d '' files < <(
    find agent proto crypto discovery tests -name build -prune -o \
        \( -name '*.c' -o -name '*.h' \) -type f -print0 | sort -z
)
((${#files[@]})) || exit 0
case ${1:-} in
--check) exec "$tool" --dry-run --Werror "${files[@]}" ;;
"") exec "$tool" -i "${files[@]}" ;;
*) echo "usage: scripts/format.sh [--check]" >&2; exit 2 ;;
esac
