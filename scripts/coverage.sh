#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/coverage.sh [RUNS]: lines and branches of agent/sync, agent/core and proto that the unit
# tests, the model, the corpora and the simulator (RUNS random runs, 250 if not given) reach.
set -euo pipefail
cd "$(dirname "$0")/.."

build=$PWD/build/coverage
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_COMPILER=gcc -DCMAKE_C_FLAGS="--coverage -fprofile-update=atomic" >/dev/null
cmake --build "$build"
find "$build" -name '*.gcda' -delete
CFGSYNC_SWEEP=all ctest --test-dir "$build" --timeout 600 \
    -L "unit|model|fuzz" -j 2 --output-on-failure
"$build/tests/sim/sim" --seed 1 --runs "${1:-250}"
scripts/coverage.py "$build" agent/sync agent/core proto
