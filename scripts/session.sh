#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/session.sh: records docs/session.txt, which the README shows: two agents on this machine,
# each with a home of its own, typed at as two machines would be. CFGSYNC_AGENT is the program.
set -euo pipefail
cd "$(dirname "$0")/.."

agent=${CFGSYNC_AGENT:-$PWD/build/release/cfgsync-agent}
[[ -x $agent ]] || { echo "session: no program at $agent; build it first" >&2; exit 1; }
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$work"' EXIT
mkdir "$work/laptop" "$work/hub"

# on MACHINE COMMAND...: as that machine's user.
on() {
    local machine=$1
    shift
    (cd "$work/$machine" && env HOME="$work/$machine" CFGSYNC_HOME="$work/$machine/.agent" \
        PATH="$work:$PATH" NO_COLOR=1 "$@" </dev/null)
}

# show MACHINE LINE: what a reader sees of it.
show() {
    local machine=$1 line=$2
    printf '%s$ %s\n' "$machine" "$line"
    on "$machine" bash -c "$line" 2>&1 | sed "s#$work/[a-z]*#~#g" || true
}

ln -s "$agent" "$work/cfgsync-agent"
port=$((20000 + RANDOM % 5000))
for machine in laptop hub; do
    on "$machine" cfgsync-agent init --name "$machine" --listen "tcp://127.0.0.1:$port" >/dev/null
    on "$machine" cfgsync-agent run 2>/dev/null &
    port=$((port + 1))
done
for machine in laptop hub; do
    until on "$machine" cfgsync-agent status >/dev/null 2>&1; do sleep 0.05; done
    id=$(on "$machine" cfgsync-agent id)
    other=hub address=tcp://127.0.0.1:$((port - 2))
    [[ $machine == laptop ]] || other=laptop address=tcp://127.0.0.1:$((port - 1))
    until on "$other" cfgsync-agent peer add "$machine" "$id" --at \
        "$address" >/dev/null; do sleep 0.1; done
done
mkdir "$work/laptop/etc" "$work/hub/etc"
echo 'set number' >"$work/laptop/etc/vimrc"

{
    show laptop 'cfgsync-agent folder add etc ~/etc --with hub'
    show hub 'cfgsync-agent folder list'
    show hub 'cfgsync-agent folder add etc ~/etc --with laptop'
    show laptop 'cfgsync-agent sync etc --wait'
    show hub 'cat ~/etc/vimrc'
    show laptop 'cfgsync-agent pause etc'
    show laptop 'echo "set wrap" > ~/etc/vimrc'
    show hub 'echo "set nowrap" > ~/etc/vimrc'
    sleep 1
    show laptop 'cfgsync-agent resume etc'
    on laptop cfgsync-agent sync etc --wait >/dev/null 2>&1 || true
    show laptop 'cfgsync-agent conflicts show ~/etc/vimrc'
    show laptop 'cfgsync-agent conflicts take ~/etc/vimrc'
    show laptop 'cfgsync-agent sync etc --wait'
    show hub 'cat ~/etc/vimrc'
    show hub 'cfgsync-agent log ~/etc/vimrc'
} >"$work/session.txt"
mv "$work/session.txt" docs/session.txt
cat docs/session.txt
