#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Brakes: mass deletions, mass rewrites and what looks like a restore wait for a person."""

import json
import os
import shutil
import signal
import subprocess
import time

from harness import Skip, check, main, stays, wait_for
from trees import put, same, wait_same

FILES = 300


def path_of(i):
    return f"d{i // 30:02}/f{i:03}"


def fill(root, count=FILES):
    for i in range(count):
        put(root / path_of(i), f"content of {i}\n")


def files(root):
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != ".cfgsync"]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def contents(root):
    return {name: (root / name).read_text() for name in files(root)}


def delete(root, numbers):
    for i in numbers:
        (root / path_of(i)).unlink()


def group(world, *names, count=FILES):
    agents = world.company(*names)
    for agent in agents:
        agent.folder_add("f")
    fill(agents[0].paths["f"], count)
    agents[0].sync("f")
    for agent in agents:
        wait_for(lambda agent=agent: len(files(agent.paths["f"])) == count, "all are in step")
        wait_for(lambda agent=agent: agent.folder("f")["state"] == "synced", "synced")
    return agents, [agent.paths["f"] for agent in agents]


def wait_held(agent, code="mass-delete", seconds=40):
    wait_for(lambda: agent.folder("f")["code"] == code, f"{agent.name} holds: {code}", seconds)
    folder = agent.folder("f")
    check(folder["state"] == "held" and folder["held"] > 0, "it says so", folder)
    check(agent.try_cli("status").code == 5, "status exits 5", agent.try_cli("status"))


def wait_released(agent):
    wait_for(lambda: agent.folder("f")["held"] == 0, f"{agent.name} holds nothing")


def test_deleted_and_reverted(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta")
    before = contents(on_a)
    a.process.send_signal(signal.SIGSTOP)  # all are found at once, however busy the machine is
    delete(on_a, range(200))
    a.process.send_signal(signal.SIGCONT)
    wait_held(a)
    began = time.monotonic()
    result = a.try_sync("f")
    check(result.code == 5 and time.monotonic() - began < 20, "sync --wait exits 5 at once", result)
    check("plan f" in result.err, "and says what to do", result)
    check("cfgsync-agent plan f" in a.log(), "so does the log")
    check(len(files(on_b)) == FILES, "nothing has spread", len(files(on_b)))
    held = json.loads(a.cli("plan", "f", "--json").out)["folders"][0]
    check(held["found_here"]["deleted"] >= 200, "all of it is in the plan", held)
    check(a.cli("plan").out.count("deleted") >= 20, "with names", a.cli("plan").out)
    wait_for(lambda: b.try_sync("f").code == 5, "the other side is told, too")
    check("alpha holds" in b.cli("status").out, "in its status", b.cli("status").out)
    a.cli("revert")
    check(contents(on_a) == before, "they are back")
    wait_released(a)
    check(a.try_cli("status").code == 0, "nothing is held", a.try_cli("status"))
    a.sync("f")
    check(contents(on_b) == before, "the other side has never seen it")
    check(b.status()["folders"][0]["items"] == a.status()["folders"][0]["items"], "same items")
    put(on_a / "d00/f000", "edited afterwards\n")
    wait_for(lambda: (on_b / "d00/f000").read_text() == "edited afterwards\n", "life goes on")


def test_deleted_and_approved(world):
    (a, b, c), (on_a, on_b, on_c) = group(world, "alpha", "beta", "gamma")
    delete(on_a, range(200))
    wait_held(a)
    put(on_a / "other", "an edit beside it\n")
    wait_for(lambda: (on_b / "other").exists(), "other edits go on meanwhile")
    check(len(files(on_b)) == FILES + 1, "the deletions do not", len(files(on_b)))
    a.cli("approve", "f")
    for agent, root in ((b, on_b), (c, on_c)):
        wait_for(lambda root=root: len(files(root)) == FILES - 200 + 1, "approved: it spreads", 40)
        check("held folder" not in agent.log(), "and is not held again", agent.log()[-2000:])
    a.sync("f")
    check(a.try_cli("status").code == 0, "nothing is left to decide", a.try_cli("status"))
    wait_same(on_a, on_b)
    wait_same(on_b, on_c)


def test_few_pass_at_once(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta", count=60)
    began = time.monotonic()
    delete(on_a, range(5))
    wait_for(lambda: len(files(on_b)) == 55, "five are nothing to wait for")
    check(time.monotonic() - began < 2.5, "no time is lost", time.monotonic() - began)
    delete(on_a, range(5, 25))
    wait_held(a)
    check(len(files(on_b)) >= 40, "the act is counted as one", len(files(on_b)))


def test_nothing_left(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta", count=5)
    shutil.rmtree(on_a / "d00")
    wait_held(a)
    check(len(files(on_b)) == 5, "what leaves nothing is held, however few", files(on_b))
    a.cli("revert")
    check(len(files(on_a)) == 5, "and comes back", files(on_a))


def test_rename_passes(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta", count=30)
    big = on_a / "big"
    for i in range(FILES):
        put(big / f"{i:03}", f"of the big directory {i}\n")
    a.sync("f")
    big.rename(on_a / "renamed")
    wait_for(lambda: not (on_b / "big").exists() and len(files(on_b / "renamed")) == FILES,
             "a rename is no deletion", 40)
    for agent in (a, b):
        check("held folder" not in agent.log(), "nobody held it", agent.log()[-3000:])
        check(agent.try_cli("status").code == 0, "nothing is held", agent.try_cli("status"))
    wait_same(on_a, on_b)


def test_renamed_while_off(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta", count=120)
    a.stop()
    for directory in sorted(on_a.glob("d*")):
        directory.rename(on_a / ("was-" + directory.name))
    a.start()
    wait_for(lambda: not list(on_b.glob("d*")) and len(files(on_b)) == 120, "moved there, too", 40)
    check(a.try_cli("status").code == 0, "nothing is held", a.try_cli("status"))
    wait_same(on_a, on_b)


def test_rewritten(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta", count=200)
    before = contents(on_a)
    a.stop()
    for name in before:
        put(on_a / name, "encrypted " + name)
    a.start()
    wait_held(a, "mass-rewrite")
    spread = sum(text.startswith("encrypted") for text in contents(on_b).values())
    check(spread <= 60, "at most what passes at once has spread", spread)
    a.cli("revert")
    wait_released(a)
    back = sum(contents(on_a)[name] == before[name] for name in before)
    check(back >= 140, "what was held is as it was", back)
    a.sync("f")
    wait_same(on_a, on_b)
    kept = json.loads(a.cli("kept", on_a, "--json").out)["kept"]
    check(len(kept) >= 140, "what replaced it is kept", len(kept))


def test_rewritten_and_approved(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta", count=200)
    for name in files(on_a):
        put(on_a / name, "new " + name)
    wait_held(a, "mass-rewrite")
    a.cli("approve")
    wait_for(lambda: all(text.startswith("new") for text in contents(on_b).values()),
             "it was meant", 40)
    check("held folder" not in b.log(), "and is not held there")


def test_restart_and_kill(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta")
    before = contents(on_a)
    delete(on_a, range(100, 300))
    wait_held(a)
    a.restart()
    wait_held(a)
    a.kill9()
    a.start()
    wait_held(a)
    check(contents(on_b) == before, "nothing has spread")
    a.cli("revert", "f")
    check(contents(on_a) == before, "and it can still be taken back")


def test_deleted_while_off(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta")
    a.stop()
    for directory in sorted(on_a.glob("d*"))[1:]:
        shutil.rmtree(directory)
    a.start()
    wait_held(a)
    check(len(files(on_b)) == FILES, "nothing has spread")
    a.cli("revert")
    check(len(files(on_a)) == FILES, "back from the peer", len(files(on_a)))


def test_back_by_hand(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta")
    (on_a / "d00").rename(world.dir / "aside")
    for i in range(1, 9):
        (on_a / f"d{i:02}").rename(world.dir / f"aside{i}")
    wait_held(a)
    (world.dir / "aside").rename(on_a / "d00")
    for i in range(1, 9):
        (world.dir / f"aside{i}").rename(on_a / f"d{i:02}")
    wait_released(a)
    a.sync("f")
    check(len(files(on_b)) == FILES and a.try_cli("status").code == 0, "as if nothing had been")


def split(world):
    """alpha and beta delete 60 each while gamma is away: together it is too much for gamma."""
    (a, b, c), roots = group(world, "alpha", "beta", "gamma")
    before = contents(roots[0])
    c.stop()
    delete(roots[0], range(60))
    a.sync("f", "--peer", "beta")
    delete(roots[1], range(60, 120))
    b.sync("f", "--peer", "alpha")
    check(len(files(roots[0])) == FILES - 120, "each act is few enough", len(files(roots[0])))
    c.start()
    wait_held(c)
    check(contents(roots[2]) == before, "what came from others is not done here")
    return (a, b, c), roots, before


def test_receiver_reverts(world):
    (a, b, c), roots, before = split(world)
    wait_for(lambda: "gamma holds" in a.cli("status").out, "its author sees it")
    wait_for(lambda: a.try_sync("f").code == 5, "and sync --wait says so at once")
    result = c.try_sync("f")
    check(result.code == 5, "here, too", result)
    put(roots[0] / "d09/f299", "an edit\n")
    wait_for(lambda: (roots[2] / "d09/f299").read_text() == "an edit\n", "other edits come in")
    before["d09/f299"] = "an edit\n"
    c.restart()
    wait_held(c)
    c.cli("revert")
    for root in roots:
        wait_for(lambda root=root: contents(root) == before, "the files are back everywhere", 40)
    for agent in (a, b, c):
        wait_for(lambda agent=agent: agent.try_cli("status").code == 0, "nothing is held")


def test_receiver_approves(world):
    (a, b, c), roots, before = split(world)
    c.cli("approve")
    wait_for(lambda: len(files(roots[2])) == FILES - 120, "now it is done here")
    wait_same(roots[0], roots[2])
    c.sync("f")
    check(c.try_cli("status").code == 0, "nothing is held")


def test_author_approves(world):
    (a, b, c), roots, before = split(world)
    wait_for(lambda: "gamma holds" in b.cli("status").out, "the author sees it")
    b.cli("approve")
    wait_for(lambda: len(files(roots[2])) == FILES - 120, "approved from there")
    wait_same(roots[0], roots[2])


def test_not_believed(world):
    """A peer that may not approve: its word counts for nothing here."""
    a, b = world.agent("alpha"), world.agent("beta")
    for agent in (a, b):
        agent.start()
    a.peer_add(b)
    b.cli("peer", "add", "alpha", a.device_id, "--at", a.address, "--no-approve")
    for agent in (a, b):
        agent.folder_add("f")
    on_a, on_b = a.paths["f"], b.paths["f"]
    fill(on_a)
    a.sync("f")
    delete(on_a, range(200))
    wait_held(a)
    a.cli("approve")
    wait_held(b)
    check(len(files(on_b)) >= FILES - 40, "it is held here", len(files(on_b)))
    b.cli("approve")
    wait_for(lambda: len(files(on_b)) == FILES - 200, "until somebody here says so")


def test_restored_files(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta", count=100)
    backup = world.dir / "backup"
    shutil.copytree(on_a, backup, ignore=shutil.ignore_patterns(".cfgsync"))
    time.sleep(1.1)
    for name in files(on_a)[:40]:
        put(on_a / name, "written since " + name)
    a.sync("f")
    newer = contents(on_b)
    a.stop()
    shutil.copytree(backup, on_a, dirs_exist_ok=True)
    a.start()
    wait_held(a, "restore")
    check(contents(on_b) == newer, "the old state does not spread")
    a.cli("revert")
    check(contents(on_a) == newer, "what was written since is back")


def test_root_away(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta")
    before = contents(on_b)
    aside = world.dir / "aside"
    on_a.rename(aside)
    wait_for(lambda: a.folder("f")["code"] == "root-missing", "moved away: stopped", 40)
    on_a.mkdir()
    put(on_a / "x", "another directory in its place\n")
    stays(lambda: a.folder("f")["code"] == "root-missing", "another directory is not the root", 8)
    check(contents(on_b) == before, "nothing spreads")
    shutil.rmtree(on_a)
    aside.rename(on_a)
    wait_for(lambda: a.folder("f")["state"] == "synced", "it goes on by itself", 40)
    put(on_a / "x", "on it goes\n")
    wait_for(lambda: (on_b / "x").exists(), "with edits")


def test_root_emptied(world):
    (a, b), (on_a, on_b) = group(world, "alpha", "beta")
    before = contents(on_b)
    for path in on_a.iterdir():
        shutil.rmtree(path)
    wait_for(lambda: a.folder("f")["code"] in ("root-missing", "mass-delete"), "stopped", 40)
    stays(lambda: contents(on_b) == before, "nothing spreads", 3)


def test_root_unmounted(world):
    mounted = world.dir / "disk"
    mounted.mkdir()
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "tmpfs", str(mounted)], capture_output=True,
            check=False).returncode != 0:
        raise Skip("nothing can be mounted here")
    try:
        a, b = world.company("alpha", "beta")
        a.folder_add("f", path=mounted / "f")
        b.folder_add("f")
        on_a, on_b = mounted / "f", b.paths["f"]
        fill(on_a)
        a.sync("f")
        before = contents(on_b)
        other = world.dir / "elsewhere"
        other.mkdir()
        subprocess.run(["mount", "--move", str(mounted), str(other)], check=True)
        try:
            put(on_b / "new", "comes while the disk is away\n")
            wait_for(lambda: a.folder("f")["code"] == "root-missing", "its disk is away", 60)
            a.restart()
            wait_for(lambda: a.folder("f")["code"] == "root-missing", "and still is", 60)
            (on_b / "new").unlink()
            check(contents(on_b) == before, "nothing spreads")
            check(os.listdir(mounted) == [], "nothing is written where it was")
        finally:
            subprocess.run(["mount", "--move", str(other), str(mounted)], check=True)
        wait_for(lambda: a.folder("f")["state"] == "synced", "it goes on by itself", 40)
        put(on_a / "x", "on it goes\n")
        wait_for(lambda: (on_b / "x").exists(), "with edits")
    finally:
        a.stop()
        subprocess.run(["umount", "-l", str(mounted)], check=False)


def test_mass_rewrite_reverted_elsewhere(world):
    """A revert is a person's word, too: the author of what it takes back does not hold it."""
    (a, b, c), roots = group(world, "alpha", "beta", "gamma", count=200)
    before = contents(roots[0])
    c.stop()
    for agent, root, part in ((a, roots[0], range(0, 45)), (b, roots[1], range(45, 120))):
        for i in part:
            put(root / path_of(i), f"new {i}")
        wait_for(lambda agent=agent: agent.try_sync("f", "--peer",
                                                    "beta" if agent is a else "alpha").code == 0,
                 "each act is few enough")
    c.start()
    wait_held(c, "mass-rewrite")
    c.cli("revert")
    for agent, root in zip((a, b, c), roots):
        wait_for(lambda root=root: contents(root) == before, "as it was, everywhere", 40)
        check(agent.try_cli("status").code == 0, "nothing is held", agent.try_cli("status"))


def test_undo_spreads(world):
    """What a person takes back on one machine is held on no other."""
    (a, b), (on_a, on_b) = group(world, "alpha", "beta", count=60)
    time.sleep(2.5)  # what comes within 2 s of what b joined with goes with that
    for i in range(FILES):
        put(on_a / f"many/{i:03}", f"one of many {i}\n")
    a.sync("f")
    time.sleep(2.5)
    b.cli("undo")
    wait_for(lambda: not (on_a / "many").exists(), "taken back there, too", 40)
    check("held folder" not in a.log() + b.log(), "and held nowhere")


def test_plan_of_a_join(world):
    a, b = world.company("alpha", "beta")
    for agent, count in ((a, 3), (b, 5)):
        root = world.dir / f"{agent.name}-f"
        root.mkdir()
        for i in range(count):
            put(root / f"{agent.name}{i}", "x")
        agent.folder_add("f", share=None, ok=(0, 5))
    for agent in (a, b):
        agent.cli("folder", "share", "f", "--with", "all")
    wait_for(lambda: a.folder("f")["code"] == "join-pending", "two folders of one name")
    text = a.cli("plan", "f").out
    check("another folder of this name, with 5 items" in text, "what is there", text)
    check("folder accept f --from beta" in text, "and how it goes on", text)


def test_nothing_held(world):
    a = world.agent("alpha")
    a.start()
    a.folder_add("f")
    for verb in ("approve", "revert"):
        result = a.try_cli(verb)
        check(result.code == 1 and "nothing is held" in result.err, f"{verb}: nothing", result)
        result = a.try_cli(verb, "nosuch")
        check(result.code == 1 and "nosuch" in result.err, f"{verb}: no such folder", result)
    check("nothing is held" in a.cli("plan").out, "plan says so", a.cli("plan").out)
    check(a.try_cli("plan", "nosuch").code == 1, "no such folder")


if __name__ == "__main__":
    main()
