#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Contents that went with the device that had them, given up by the others."""

import json
import os
import pathlib
import pty
import subprocess

import harness
from harness import check, wait_for
from trees import conflicts, put, wait_same

LOST = os.urandom(200_000)  # too much to ride along with what is told of it


def orphans(agent):
    listed = json.loads(agent.cli("status", "--json", ok=(0, 3, 5)).out)
    check("errors" in listed, "status has errors", listed)
    answer = subprocess.run(
        ["curl", "-s", "--unix-socket", str(agent.home / "agent.sock"), "http://x/v1/orphans"],
        capture_output=True, check=True)
    return {os.path.basename(o["path"]): o for o in json.loads(answer.stdout)["orphans"]}


def lost(world):
    """alpha has told of `old` (edited) and `new`, and does not have their contents any more: a
    rule of its own keeps it from telling that they are gone."""
    agents = world.company("alpha", "beta", "gamma")
    for agent in agents:
        agent.folder_add("f")
    a, b, c = agents
    roots = [agent.paths["f"] for agent in agents]
    put(roots[0] / "old", "before\n")
    for agent in agents:
        agent.sync("f")
    wait_same(roots[0], roots[2])
    b.stop()
    c.stop()
    put(roots[0] / "old", LOST)
    put(roots[0] / "new", LOST[1:])
    a.try_sync("f", timeout=1)
    (roots[0] / ".cfgsync" / "ignore").write_text("/old\n/new\n")
    for name in ("old", "new"):
        wait_for(lambda name=name: "left out" in a.try_cli("why", roots[0] / name).out,
                 "alpha leaves it out")
    for name in ("old", "new"):
        os.rename(roots[0] / name, world.dir / name)
    b.start()
    c.start()
    for agent in (b, c):
        wait_for(lambda agent=agent: sorted(orphans(agent)) == ["new", "old"],
                 "both are sought in vain", 60)
    return agents, roots


def back(world, root):
    """What alpha had is there again."""
    for name in ("old", "new"):
        os.rename(world.dir / name, root / name)
    (root / ".cfgsync" / "ignore").write_text("# nothing\n")


def test_what_is_asked(world):
    (_, b, _), roots = lost(world)
    one = orphans(b)["old"]
    check(one["size"] == len(LOST) and one["by"] == "alpha" and one["here"], "what is sought", one)
    path = roots[1] / "old"
    early = b.try_cli("abandon", path, "--yes")
    check(early.code == 1 and "--now" in early.err and "alpha" in early.err, "not yet", early)
    silent = b.try_cli("abandon", path, "--now")
    check(silent.code == 2 and "--yes" in silent.err, "nobody can be asked", silent)
    check(b.try_cli("abandon", roots[1] / "none", "--now", "--yes").code == 1, "no such path")
    check(sorted(orphans(b)) == ["new", "old"], "nothing was given up", orphans(b))

    def at_a_terminal(reply):
        master, slave = pty.openpty()
        child = subprocess.Popen([harness.program(), "abandon", str(path), "--now"], env=b.env,
                                 stdin=slave, stderr=slave, stdout=subprocess.PIPE)
        os.close(slave)
        os.write(master, reply)
        out = child.communicate(timeout=90)[0].decode()
        os.close(master)
        return child.returncode, out

    code, out = at_a_terminal(b"n\n")
    check(code == 1 and "nothing was given up" in out, "no is no", out)
    check("200" in out and "saved by alpha" in out, "it says what", out)
    check(at_a_terminal(b"y\n")[0] == 0, "yes is yes")
    check(list(orphans(b)) == ["new"], "it is given up", orphans(b))


def test_all_give_up_at_once(world):
    (a, b, c), roots = lost(world)
    children = [subprocess.Popen([harness.program(), "abandon", str(root / "*"), "--now", "--yes"],
                                 env=agent.env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for agent, root in ((b, roots[1]), (c, roots[2]))]
    for child in children:
        child.wait(timeout=120)  # the slower of the two may find it done
    for agent, root in ((b, roots[1]), (c, roots[2])):
        wait_for(lambda agent=agent: not orphans(agent), "nothing is sought any more")
        check((root / "old").read_text() == "before\n", "what was there is there")
        check(not (root / "new").exists(), "nothing was there")
        check(conflicts(root) == {}, "no conflict", conflicts(root))
    # alpha has both after all, as they were: they go, and are kept.
    back(world, roots[0])
    wait_for(lambda: (roots[0] / "old").read_bytes() == b"before\n", "alpha follows", 60)
    wait_for(lambda: not (roots[0] / "new").exists(), "in both")
    for name, data in (("old", LOST), ("new", LOST[1:])):
        a.cli("restore", roots[0] / name)
        for root in roots:
            wait_for(lambda root=root, name=name, data=data: (root / name).exists() and
                     (root / name).read_bytes() == data, "and it comes back everywhere")


def test_an_edit_comes_back(world):
    (a, b, c), roots = lost(world)
    a.stop()
    b.cli("abandon", roots[1], "--now", "--yes", timeout=120)
    wait_for(lambda: not orphans(c), "gamma takes it over")
    check((roots[2] / "old").read_text() == "before\n", "what was there is there")
    (roots[1] / "other").write_text("on\n")
    wait_for(lambda: (roots[2] / "other").exists(), "all else goes on")
    back(world, roots[0])
    put(roots[0] / "new", LOST[2:])  # edited while nobody saw it
    put(roots[0] / "old", LOST[3:])
    a.start()
    for root in roots:
        wait_for(lambda root=root: (root / "new").exists() and
                 (root / "new").read_bytes() == LOST[2:], "the edit wins against nothing", 60)
        wait_for(lambda root=root: (root / "old").read_bytes() == LOST[3:], "and against the old")
        check(conflicts(root) == {}, "without a conflict", conflicts(root))


def test_a_holder_turns_up(world):
    (a, b, _), roots = lost(world)
    a.stop()
    wait_for(lambda: not b.connected("alpha"), "alpha is away")
    back(world, roots[0])
    a.start()
    wait_for(lambda: pathlib.Path(roots[1] / "new").exists(), "what was lost comes", 60)
    late = b.try_cli("abandon", roots[1] / "new", "--now", "--yes")
    check(late.code == 1, "nothing is left to give up", late)
    wait_same(roots[0], roots[1])


if __name__ == "__main__":
    harness.main()
