#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""log: what changed, by whom, when, and what came of it."""

import fcntl
import json
import os
import subprocess

import harness
from harness import check, wait_for


def log(agent, *words):
    return json.loads(agent.cli("log", "--json", *words).out)["changes"]


def names(changes):
    return [change["path"].rsplit("/", 1)[1] for change in changes]


def test_nobody_reads_stderr(world):
    """A pager that waits, a terminal that was stopped: lines are dropped, and the work goes on."""
    a, b = world.agent("a"), world.agent("b")
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    a.process = subprocess.Popen([harness.program(), "run"], env=a.env, stdin=subprocess.DEVNULL,
                                 stdout=writing, stderr=writing,
                                 preexec_fn=harness.die_with_parent)
    os.close(writing)
    wait_for(a.answers, "it starts")
    for _ in range(40):
        a.peer_add(b)
        a.cli("peer", "remove", "b")
    check(a.status()["peers"] == [], "it answers")
    a.stop()
    check(b"agent started" in os.read(reading, 65536), "what found room was written")
    os.close(reading)


def test_log(world):
    a, b = world.agent("a"), world.agent("b")
    for agent, other in ((a, b), (b, a)):
        agent.start()
        agent.peer_add(other)
    for agent in (a, b):
        agent.folder_add("etc")
    here, there = a.paths["etc"], b.paths["etc"]
    check(a.cli("log").out == "nothing has changed\n", "nothing yet")
    (here / "one").write_text("1")
    a.sync()
    (there / "one").write_text("two")
    b.sync()
    (there / "gone").write_text("x")
    b.sync()
    (there / "gone").unlink()
    b.sync()
    wait_for(lambda: all(c["missing"] == [] for c in log(a)), "b has said what it has")
    found = log(a)
    check(names(found) == ["gone", "one"], "the last change of each, the latest first", found)
    check([(c["by"], c["what"], c["outcome"]) for c in found] ==
          [("b", "deleted", "here"), ("b", "changed", "here")], "who did what", found)
    text = a.cli("log").out.splitlines()
    check(len(text) == 2 and "deleted" in text[0] and "in sync" in text[0], "for people", text)

    history = log(a, here / "one")
    check([(c["by"], c["what"], c["outcome"], c["size"]) for c in history] ==
          [("b", "changed", "here", 3), ("a", "created", "replaced", 1)],
          "of one file, what was there before", history)
    check(names(log(a, "--max", "1")) == ["gone"], "so many")
    check(log(a, "--peer", "a") == [], "by whom: what stands is all of b")
    check(names(log(a, "--peer", "b", here)) == ["gone", "one"], "by whom")
    check(names(log(a, "--since", "1h")) == ["gone", "one"], "since")
    check(log(a, "--since", "2099-01-01") == [], "since then")

    b.stop()
    (here / "late").write_text("l")
    wait_for(lambda: "late" in names(log(a)), "found")
    late = log(a)[0]
    check(late["missing"] == ["b"], "who has it not yet is named", late)
    check("not yet on b" in a.cli("log").out, "for people")
    for words in (("--peer", "nobody"), ("--since", "soon"), ("--max", "0"), ("/nowhere",)):
        result = a.try_cli("log", *words)
        check(result.code in (1, 2) and result.err, "refused, and said why", result)


def test_many(world):
    """More than the agent looks at in one request."""
    a = world.agent("a").start()
    a.folder_add("etc", share=None)
    for number in range(5000):
        (a.paths["etc"] / f"f{number}").write_text(str(number))
    a.sync()
    found = log(a, "--since", "1d")
    check(len(found) == 5000, "all of them", len(found))
    check(len(set(names(found))) == 5000, "each once")
    check(len(log(a)) == 50, "and not more than asked for")


if __name__ == "__main__":
    harness.main()
