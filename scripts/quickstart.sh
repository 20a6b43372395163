#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/quickstart.sh        installs what is missing, builds, starts an agent with a first folder
# scripts/quickstart.sh demo   the same build, then two agents on this machine; ends by itself
#
# CFGSYNC_AGENT=PATH   uses that program and builds nothing
# CFGSYNC_FOLDER=PATH  the first folder, default ~/Sync
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "quickstart: $*" >&2
    exit 1
}

build() {
    if [[ -n ${CFGSYNC_AGENT:-} ]]; then
        agent=$CFGSYNC_AGENT
        [[ -x $agent ]] || fail "CFGSYNC_AGENT is no program: $agent"
        return
    fi
    scripts/deps.sh
    echo "building ..."
    local log
    mkdir -p build
    log=build/quickstart.log
    if ! { cmake --preset release -DCFGSYNC_TESTS=OFF && cmake --build --preset release; } \
        >"$log" 2>&1; then
        tail -30 "$log" >&2
        fail "the build failed; all of it is in $log"
    fi
    agent=$PWD/build/release/cfgsync-agent
}

now_us() { echo "${EPOCHREALTIME/[^0-9]/}"; }

# until_true SECONDS COMMAND...: looks every few milliseconds.
until_true() {
    local end=$(($(now_us) + $1 * 1000000))
    shift
    until "$@"; do
        (($(now_us) < end)) || return 1
        sleep 0.002
    done
}

# ---- demo

demo_clean() {
    local pid
    for pid in "${demo_pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${demo_pids[@]}"; do
        until_true 5 eval "! kill -0 $pid 2>/dev/null" || kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$demo_dir"
}

demo_fail() {
    echo "quickstart: $*" >&2
    tail -n 5 "$demo_dir"/*.log >&2 || true
    exit 1
}

free_port() {
    local port
    for ((tries = 0; tries < 50; tries++)); do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
            echo "$port"
            return
        }
    done
    return 1
}

laptop() { "$agent" --home "$demo_dir/laptop" "$@"; }
server() { "$agent" --home "$demo_dir/server" "$@"; }
holds() { [[ -f $1 && $(<"$1") == "$2" ]]; }

demo_start() {
    local port name
    port=$(free_port) || fail "no free port"
    address=tcp://127.0.0.1:$port
    server init --name server --listen "$address" >/dev/null
    laptop init --name laptop --no-listen >/dev/null
    for name in server laptop; do
        "$agent" --home "$demo_dir/$name" run >"$demo_dir/$name.out" 2>"$demo_dir/$name.log" &
        demo_pids+=($!)
    done
    until_true 10 eval "server status >/dev/null 2>&1" || demo_fail "the first agent did not start"
    until_true 10 eval "laptop status >/dev/null 2>&1" || demo_fail "the second agent did not start"
}

demo() {
    demo_dir=$(mktemp -d "${TMPDIR:-/tmp}/cfgsync-demo.XXXXXX")
    demo_pids=()
    trap demo_clean EXIT
    trap 'exit 130' INT TERM
    demo_start
    echo "two agents: laptop (dials) and server ($address)"

    server peer add laptop "$(laptop id)" >/dev/null
    laptop peer add server "$(server id)" --at "$address" >/dev/null
    mkdir "$demo_dir/on-laptop" "$demo_dir/on-server"
    server folder add demo "$demo_dir/on-server" --with laptop >/dev/null
    laptop folder add demo "$demo_dir/on-laptop" --with server >/dev/null
    laptop sync demo --wait --timeout 20 >/dev/null || demo_fail "they did not meet"
    echo "they trust each other and share the folder demo"

    local start there back
    start=$(now_us)
    echo "hello from the laptop" >"$demo_dir/on-laptop/hello.txt"
    until_true 20 holds "$demo_dir/on-server/hello.txt" "hello from the laptop" ||
        demo_fail "hello.txt did not appear"
    there=$((($(now_us) - start) / 1000))
    echo "laptop wrote hello.txt, server has it"

    start=$(now_us)
    echo "an answer from the server" >"$demo_dir/on-server/hello.txt"
    until_true 20 holds "$demo_dir/on-laptop/hello.txt" "an answer from the server" ||
        demo_fail "the edit did not come back"
    back=$((($(now_us) - start) / 1000))
    echo "server edited hello.txt, laptop has the edit"

    laptop stop
    server stop
    demo_clean
    trap - EXIT
    echo "ok: hello.txt was on the other side after $there ms, its edit was back after $back ms"
}

# ---- the real thing

pid= # of the agent, as long as it is ours to end

quickstart() {
    local folder=${CFGSYNC_FOLDER:-$HOME/Sync}
    "$agent" init
    if "$agent" status >/dev/null 2>&1 || (($? != 6)); then
        echo "the agent is running already"
    else
        "$agent" run &
        pid=$!
        trap 'kill "$pid" 2>/dev/null || true; wait "$pid" || true' EXIT
        trap 'exit 0' INT TERM
        until_true 10 eval "\"\$agent\" status >/dev/null 2>&1 || ((\$? != 6)) || ! kill -0 $pid"
        kill -0 "$pid" 2>/dev/null || { trap - EXIT; fail "the agent did not start (see above)"; }
    fi
    mkdir -p "$folder"
    "$agent" folder list --json | grep -qF "\"$folder\"" ||
        "$agent" folder add sync "$folder" --with all || (($? == 5))
    cat <<END

The agent is running; what you put into $folder is kept the same on every machine you trust.

On the second machine, in this same checkout:
    scripts/quickstart.sh
and when it runs there, in another terminal here:
    $agent pair
It shows a code, and the line to type on the second machine.
Look:    $agent status
END
    if [[ -n $pid ]]; then
        echo "Ctrl-C ends the agent."
        local code=0
        wait "$pid" || code=$?
        trap - EXIT
        return "$code"
    fi
}

case ${1:-} in
demo) build && demo ;;
"") build && quickstart ;;
*)
    echo "usage: scripts/quickstart.sh [demo]" >&2
    exit 2
    ;;
esac
