#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every verb, at a terminal and in a pipe: exit codes, JSON, colours, questions."""

import json
import re

from harness import check, main, program, wait_for
from terminal import Terminal
from trees import put


def table(agent):
    """All verbs, as help lists them."""
    lines = agent.cli("help").out.splitlines()
    found = [re.match(r"  (\S+(?: \S+)?)  ", line) for line in lines]
    return [tuple(match.group(1).split(" ")) for match in found if match]


def reading(agent, root):
    """Verbs that change nothing: their words, and the exit codes they may have."""
    return [
        (("id",), (0,)), (("version",), (0,)), (("help",), (0,)), (("help", "sync"), (0,)),
        (("config", "check"), (0,)), (("doctor",), (0,)), (("service", "status"), (1,)),
        (("completion", "bash"), (0,)), (("prompt", "zsh"), (0,)),
        (("status",), (0,)), (("peer", "list"), (0,)), (("folder", "list"), (0,)),
        (("folder", "set", "f"), (0,)), (("invite", "list"), (0,)), (("ignore", "list"), (0,)),
        (("conflicts",), (0,)), (("conflicts", "list"), (0,)), (("kept",), (0,)),
        (("kept", root), (0,)), (("plan",), (0,)), (("why", root / "x"), (0,)),
        (("verify",), (0,)), (("sync", "f"), (0,)), (("sync", "f", "--wait"), (0,)),
        (("status", "--prompt"), (0,)),
    ]


NO_JSON = {"help", "completion", "prompt"}


def test_help(world):
    """Each has its help, in both places, and refuses what it does not know."""
    a = world.agent("alpha")
    verbs = table(a)
    check(len(verbs) > 40 and ("peer", "add") in verbs and ("status",) in verbs, "all", verbs)
    for verb in verbs:
        piped = a.try_cli(*verb, "--help")
        check(piped.code == 0 and piped.out and not piped.err, "help", piped)
        shown = Terminal(world, [program(), *verb, "--help"], a.env)
        check(shown.end() == 0 and shown.text().replace("\n", "") == piped.out.replace("\n", ""),
              "the same at a terminal", verb)
        wrong = a.try_cli(*verb, "--nonsense")
        check(wrong.code == 2 and "--nonsense" in wrong.err, "refused", wrong)


def test_reading(world):
    """The same exit code everywhere, JSON where it is asked for, colours at a terminal alone."""
    a, _, root, _ = world.pair()
    put(root / "x", "one")
    a.sync("f")
    for words, codes in reading(a, root):
        piped = a.try_cli(*words)
        check(piped.code in codes and "\x1b" not in piped.text, "in a pipe", piped)
        shown = Terminal(world, [program(), *words], dict(a.env, NO_COLOR="1"), cwd=root)
        check(shown.end() in codes and b"\x1b[3" not in shown.raw, "at a terminal", words,
              shown.text())
        if words[0] in NO_JSON or "--prompt" in words:
            continue
        answer = a.try_cli(*words, "--json")
        check(answer.code in codes, "with --json", answer)
        check(isinstance(json.loads(answer.out), dict), "an object", answer)
        check(json.loads(a.try_cli("--json", *words).out).keys() == json.loads(answer.out).keys(),
              "before the verb, too", answer)


def test_without_agent(world):
    """Exit 6, with what to do; in JSON, too."""
    a = world.agent("alpha")
    needs_none = {"id", "version", "help", "config", "doctor", "service", "completion", "prompt"}
    for words, _ in reading(a, world.dir):
        if words[0] in needs_none or "--prompt" in words:
            continue
        result = a.try_cli(*words)
        check(result.code == 6 and "cfgsync-agent run" in result.err, "no agent", result)
        result = a.try_cli(*words, "--json")
        check(result.code == 6 and json.loads(result.out)["error"]["code"] == "no-agent",
              "in JSON", result)


def asked(world, agent, words, answer, code):
    """At a terminal it asks, and does what it is told."""
    shown = Terminal(world, [program(), *map(str, words)], agent.env)
    shown.expect(r"\[y/N\]")
    shown.send(answer + "\n")
    check(shown.end() == code, "the exit code", words, shown.text())
    return shown.text()


def test_questions(world):
    """What cannot simply be taken back asks at a terminal, not in a pipe, and not with --yes."""
    a, _, root, _ = world.pair()
    for number in range(40):
        put(root / f"d/{number}", f"{number}")
    a.sync("f")
    for number in range(40):
        (root / f"d/{number}").unlink()
    wait_for(lambda: a.folder("f")["code"] == "mass-delete", "held")
    check("nothing is changed" in asked(world, a, ("approve", "f"), "n", 1), "no")
    check(a.folder("f")["code"] == "mass-delete", "still held")
    check("nothing is changed" in asked(world, a, ("peer", "remove", "beta"), "", 1), "nothing")
    check("approved" in asked(world, a, ("approve", "f"), "y", 0), "yes")
    check("nothing is changed" in asked(world, a, ("folder", "remove", "f"), "no", 1), "no")
    check(a.folder("f")["items"] >= 0, "still there")
    shown = Terminal(world, [program(), "folder", "remove", "f", "--yes"], a.env)
    check(shown.end() == 0 and "[y/N]" not in shown.text(), "not asked", shown.text())
    check(a.try_cli("peer", "remove", "beta").code == 0, "in a pipe nobody is asked")
    check(a.status()["peers"] == [] and a.status()["folders"] == [], "both are gone", a.status())


if __name__ == "__main__":
    main()
