#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pause and resume: of everything, a folder, a peer; for a while; over a restart."""

import datetime
import json

import harness
from harness import check, stays, wait_for


def write(agent, name, text):
    (agent.paths["etc"] / name).write_text(text)


def has(agent, name):
    return (agent.paths["etc"] / name).exists()


def pair(world):
    a, b = world.agent("a"), world.agent("b")
    for agent, other in ((a, b), (b, a)):
        agent.start()
        agent.peer_add(other)
    for agent in (a, b):
        agent.folder_add("etc")
    a.sync()
    return a, b


def test_everything(world):
    """Nothing goes either way, both are told, a restart changes nothing, and all goes on."""
    a, b = pair(world)
    out = a.cli("pause").out
    check(out == "everything is paused\n", "pause says what is paused", out)
    write(a, "mine", "m")
    write(b, "theirs", "t")
    wait_for(lambda: a.folder("etc")["items"] == 1, "what is saved meanwhile is noted")
    stays(lambda: not has(a, "theirs") and not has(b, "mine"), "nothing is exchanged")
    check(a.status()["state"] == "paused", "the status says so", a.status()["state"])
    check(a.connected("b"), "they stay connected")
    state = b.folder("etc")["peers"][0]["state"]
    check(state == "paused-there", "the other one is told", state)
    result = b.try_sync(timeout=1)
    check(result.code == 4 and "paused on a" in result.text, "b waits for a, and says why", result)
    result = a.try_sync()
    check(result.code == 4 and "cfgsync-agent resume" in result.text, "a does not wait", result)
    check("everything is paused" in a.cli("status").out, "status names the pause")
    a.restart()
    wait_for(lambda: a.connected("b"), "connected again")
    stays(lambda: not has(a, "theirs") and not has(b, "mine"), "a pause outlasts a restart")
    out = a.cli("resume").out
    check(out == "nothing is paused\n", "resume says what is left", out)
    a.sync()
    check(has(a, "theirs") and has(b, "mine"), "all goes on")


def test_one_of_them(world):
    """A folder, or a peer; the others go on. Edits of both sides meanwhile are a conflict."""
    a, b = pair(world)
    c = world.agent("c").start()
    a.peer_add(c)
    c.peer_add(a)
    c.folder_add("etc")
    c.sync()
    out = a.cli("pause", "b").out
    check(out == "peer b is paused\n", "pause says what is paused", out)
    write(a, "x", "of a")
    wait_for(lambda: has(c, "x"), "the other peer has it")
    stays(lambda: not has(b, "x"), "b has it not", seconds=0.5)
    why = json.loads(a.cli("why", a.paths["etc"] / "x", "--json").out)
    check(any(r["code"] == "paused" for r in why["reasons"]), "why says so", why)
    a.cli("pause", "etc")
    write(c, "y", "of c")
    stays(lambda: not has(a, "y"), "a paused folder is paused with all", seconds=0.5)
    out = a.cli("resume", "etc").out
    check(out == "peer b is paused\n", "one ends, the other stays", out)
    wait_for(lambda: has(a, "y"), "c goes on")
    stays(lambda: not has(b, "y"), "b does not", seconds=0.5)
    write(b, "x", "of b")
    b.try_cli("sync")
    a.cli("resume", "b")
    a.sync()
    b.sync()
    found = json.loads(a.cli("conflicts", "--json").out)["conflicts"]
    check(len(found) == 1, "what both changed is a conflict, and nothing is lost", found)


def test_for_a_while(world):
    a, b = pair(world)
    out = a.cli("pause", "--for", "2s", "--folder", "etc").out
    check(out.startswith("folder etc is paused until 20"), "it says until when", out)
    write(a, "x", "x")
    wait_for(lambda: has(b, "x"), "it goes on by itself")
    check(a.status()["pauses"] == [], "and nothing is paused")
    for words in (("pause", "nobody"), ("pause", "--for", "soon"), ("pause", "etc", "--peer", "b"),
                  ("resume", "--peer", "etc")):
        result = a.try_cli(*words)
        check(result.code in (1, 2) and result.err, "refused, and said why", result)
    check(a.status()["pauses"] == [], "what is refused changes nothing")
    a.cli("pause", "b")
    a.cli("peer", "remove", "b")
    check(a.status()["pauses"] == [], "who is removed takes the pause along")


def test_over_on_a_full_disk(world):
    """A pause that cannot be taken out of its file is over all the same, and is tried again."""
    a, b = pair(world)
    a.cli("pause", "--for", "2s")
    (a.home / "pauses.json.new").mkdir()  # as if there were no room
    write(a, "x", "x")
    wait_for(lambda: has(b, "x"), "it goes on")
    check(a.status()["pauses"] == [], "nothing is paused")
    stays(lambda: a.log().count("pause is over") == 1, "not again and again")
    (a.home / "pauses.json.new").rmdir()
    a.restart()
    check(a.status()["pauses"] == [] and "until" not in (a.home / "pauses.json").read_text(),
          "now it is gone")


def test_quiet_hours(world):
    """The hours of the config file are a pause that is not stored, and can be ended once."""
    a, b = pair(world)
    a.stop()
    now = datetime.datetime.now()
    hours = [(now + datetime.timedelta(minutes=m)).strftime("%H:%M") for m in (-60, 60)]
    config = a.home / "config"
    config.write_text(config.read_text() + f'quiet = "{hours[0]}-{hours[1]}"\n')
    a.start()
    pauses = a.status()["pauses"]
    check([p["what"] for p in pauses] == ["quiet"], "it is quiet", pauses)
    write(a, "x", "x")
    wait_for(lambda: a.connected("b"), "connected")
    stays(lambda: not has(b, "x"), "nothing is exchanged", seconds=0.5)
    a.cli("resume")
    wait_for(lambda: has(b, "x"), "until a person says so")
    a.stop()
    config.write_text(config.read_text().replace("quiet = ", "quiet = \"25:00-07:00\" #"))
    result = a.try_cli("run")
    check(result.code == 1 and "quiet: must be like" in result.err, "a wrong one is named", result)


if __name__ == "__main__":
    harness.main()
