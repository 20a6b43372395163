#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/test.sh: installs what is missing, builds, runs all tests, then the unit tests and some
# others again under ASan and UBSan, and what has threads under ThreadSanitizer. The last line is
# `N passed, N failed`; exit 1 if anything failed.
#
# CFGSYNC_ONLY=REGEX   only tests whose ctest name matches (unit_..., lint_..., e2e_...)
# CFGSYNC_ASAN=0       without ASan and UBSan
# CFGSYNC_TSAN=0       without ThreadSanitizer
set -uo pipefail
cd "$(dirname "$0")/.." || exit

passed=0
failed=0
jobs=$((2 * $(getconf _NPROCESSORS_ONLN))) # tests/CMakeLists.txt

# A test that could not be run, for want of its program, has failed, too; one that says itself why
# it cannot be run here has not.
count() {
    local report=$1 tests good skipped
    if [[ ! -s $report ]]; then
        echo "test: ctest wrote no report" >&2
        failed=$((failed + 1))
        return
    fi
    tests=$(grep -c '<testcase ' "$report")
    good=$(grep -c '<testcase .*status="run"' "$report")
    passed=$((passed + good))
    skipped=$(grep -c '<skipped message="SKIP_RETURN_CODE' "$report")
    failed=$((failed + tests - good - skipped))
}

# run PRESET CTEST-ARGUMENT...
run() {
    local preset=$1 report
    shift
    report=$PWD/build/$preset/tests.xml
    echo "== $preset"
    if ! cmake --preset "$preset" >/dev/null || ! cmake --build --preset "$preset"; then
        echo "test: the build of $preset failed" >&2
        failed=$((failed + 1))
        return
    fi
    rm -f "$report"
    ctest --preset "$preset" -j "$jobs" --output-junit "$report" "$@" || true
    count "$report"
}

only=()
[[ -z ${CFGSYNC_ONLY:-} ]] || only=(-R "$CFGSYNC_ONLY")

scripts/deps.sh --test || exit 1
run dev "${only[@]}"
[[ ${CFGSYNC_ASAN:-1} == 0 ]] || run asan "${only[@]}"
[[ ${CFGSYNC_TSAN:-1} == 0 ]] || run tsan "${only[@]}"
if ((passed + failed == 0)); then
    echo "test: nothing was run" >&2
    failed=1
fi
echo "$passed passed, $failed failed"
((failed == 0))
