#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""doctor: what is wrong is an error or a warning, with what to do about it."""

import json

from harness import SLOW, check, main, other_clock, program, wait_for
from terminal import Terminal


def findings(agent, env=None, code=None):
    result = agent.try_cli("doctor", "--json", env=env)
    told = json.loads(result.out)
    check(result.code == (1 if told["errors"] else 0), "the exit code tells of errors", result)
    check(code is None or result.code == code, f"exit {code}", result)
    return told["findings"]


def find(found, subject, level):
    """The one finding of this subject and level."""
    fit = [f for f in found if f["subject"] == subject and f["level"] == level]
    check(len(fit) == 1, f"one {level} about {subject}", json.dumps(found, indent=1))
    check((fit[0]["fix"] is None) == (level == "ok"), "what is not well has a fix", fit)
    return fit[0]


def test_new(world):
    """Before init, and before the first run."""
    a = world.agent("alpha", init=False)
    check("init" in find(findings(a, code=1), "state", "error")["fix"], "init comes first")
    a.init()
    found = findings(a, code=1)
    find(found, "identity", "ok")
    check("cfgsync-agent run" in find(found, "agent", "error")["fix"], "then run")


def test_well(world):
    """A pair in order: no errors; the address of this machine alone is worth a warning."""
    a, _, on_a, _ = world.pair()
    found = findings(a, code=0)
    for subject in ("program", "state", "configuration", "identity", "index", "config", "agent",
                    "watches", "peer beta", "status"):
        find(found, subject, "ok")
    check("127.0.0.1" in find(found, "ports", "warning")["text"], "only this machine")
    check(str(on_a) in [f for f in found if f["subject"] == "folder f"][0]["text"], "the folder")
    check(list((on_a / ".cfgsync/staging").iterdir()) == [], "nothing is left of the trial")
    shown = Terminal(world, [program(), "doctor"], a.env)
    check(shown.end() == 0, "in a terminal, too", shown.text())
    check(b"\x1b[32mok" in shown.raw and "ports: tcp://" in shown.text(), "colours", shown.raw)
    plain = Terminal(world, [program(), "doctor"], dict(a.env, NO_COLOR="1"))
    plain.end()
    check(b"\x1b[" not in plain.raw, "none if asked for none", plain.raw)
    check("\x1b" not in a.cli("doctor").out, "none in a pipe")


def test_wrong(world):
    """Each thing that is broken is named."""
    a, b, on_a, _ = world.pair()
    b.stop()
    wait_for(lambda: not a.connected("beta"), "beta goes")
    find(findings(a), "peer beta", "warning")
    a.home.chmod(0o755)
    check("chmod 700" in find(findings(a), "state", "warning")["fix"], "open to others")
    a.home.chmod(0o700)
    (a.home / "identity").chmod(0o644)
    check("chmod 600" in find(findings(a, code=1), "identity", "error")["fix"], "the key, too")
    (a.home / "identity").chmod(0o600)
    with open(a.home / "config", "a") as file:
        file.write("\nnonsense = 1\n")
    text = find(findings(a, code=1), "config", "error")["text"]
    check("config:" in text and "nonsense" in text, "file and line", text)
    away = on_a.with_name("away")
    on_a.rename(away)
    check("folder remove f" in find(findings(a, code=1), "folder f", "error")["fix"], "no root")
    away.rename(on_a)
    a.stop()
    index = a.home / "index.db"
    data = bytearray(index.read_bytes())
    for at in range(4096, len(data), 4096):
        data[at:at + 64] = b"\xee" * 64
    index.write_bytes(data)
    check("made anew" in find(findings(a, code=1), "index", "error")["fix"], "a damaged index")


def test_clock(world):
    """A peer whose clock is wrong."""
    clock = other_clock("+1h")
    a, b = world.company("alpha", "beta", start=False)
    a.start()
    b.start(env=dict(b.env, **clock))
    a.peer_add(b)
    b.peer_add(a)
    wait_for(lambda: a.peer("beta")["clock_ms"] is not None, "a first PONG")
    off = a.peer("beta")["clock_ms"]
    check(abs(off - 3600_000) < 20_000 * SLOW, "an hour", off)
    text = find(findings(a, code=1), "peer beta", "error")["text"]
    check("ahead" in text, "which way", text)
    text = find(findings(b, code=1), "peer alpha", "error")["text"]
    check("behind" in text, "seen from there", text)


if __name__ == "__main__":
    main()
