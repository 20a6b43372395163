#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/coverage.sh [RUNS]: lines and branches of agent/sync, agent/core and proto that the unit
# tests, the model and the simulator (RUNS random runs, 250 if not given) reach, file by file.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v gcovr >/dev/null; then
    echo "coverage: gcovr is missing; Debian and Homebrew have it" >&2
    exit 1
fi
build=$PWD/build/coverage
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS="--coverage -fprofile-update=atomic" >/dev/null
cmake --build "$build"
find "$build" -name '*.gcda' -delete
ctest --test-dir "$build" -L 'unit|model|fuzz' -j 2 --output-on-failure
"$build/tests/sim/sim" --seed 1 --runs "${1:-250}"
# CHECK never fails in a program that goes on.
gcovr --root . --object-directory "$build" --exclude-lines-by-pattern '\s*CHECK\(' \
    --exclude-branches-by-pattern '\s*CHECK\(' --exclude-unreachable-branches \
    --filter agent/sync/ --filter agent/core/ --filter proto/ --txt --print-summary "$build"
