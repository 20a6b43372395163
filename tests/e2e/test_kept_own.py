#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is overwritten or deleted on one's own machine can be had again: the base store."""

import hashlib
import json
import os
import random
import shutil
import time

from harness import check, main, stays, wait_for
from trees import leftovers, put

BLOCK = 4096


def alone(world):
    agent = world.agent("alpha").start()
    agent.folder_add("f", share=None)
    return agent, agent.paths["f"]


def stored(root):
    return os.listdir(root / ".cfgsync/base")


def is_stored(root, text):
    """The id of a content is the hash of its one leaf's hash, which we cannot know; its size is
    enough here: each test has each size once."""
    return any(name.endswith(f"-{len(text)}") for name in stored(root))


def rows(agent, path):
    return json.loads(agent.cli("kept", path, "--json").out)["kept"]


def save(root, path, text):
    put(path, text)
    wait_for(lambda: is_stored(root, text), lambda: f"{text!r} is stored: {stored(root)}")


def test_edits(world):
    agent, root = alone(world)
    path = root / "d/note"
    moments = []
    for text in ("one\n", "two, longer\n", "three, longer yet\n"):
        save(root, path, text)
        time.sleep(1.1)
        moments.append(time.strftime("%Y-%m-%d %H:%M:%S"))
    wait_for(lambda: len(rows(agent, path)) == 2, "both old ones are kept")
    check([row["size"] for row in rows(agent, path)] == [12, 4], "newest first", rows(agent, path))
    check(all(row["by"] == "alpha" for row in rows(agent, path)), "by whom", rows(agent, path))
    check(agent.minted() == 4, "a directory and three edits, nothing else", agent.minted())
    agent.cli("restore", path, "--at", moments[0])
    wait_for(lambda: path.read_text() == "one\n", "the first one is back")
    check(agent.minted() == 5, "a restore is one change", agent.minted())
    # What it was restored over is kept, too.
    agent.cli("restore", path)
    wait_for(lambda: path.read_text() == "three, longer yet\n", "and forth")
    result = agent.try_cli("undo")
    check(result.code == 0, "what was decided last can be taken back", result)


def test_deletions(world):
    agent, root = alone(world)
    put(root / "d/e/note", "one\n", 0o640)
    put(root / "d/run", "#!/bin/sh\n", 0o755)
    put(root / "d/empty", "")
    put(root / "stays", "what leaves nothing would be held\n")
    wait_for(lambda: len(stored(root)) == 3, "all are stored")
    os.unlink(root / "d/e/note")
    wait_for(lambda: len(rows(agent, root)) == 1, "it is kept")
    agent.cli("restore", root / "d/e/note")
    wait_for(lambda: (root / "d/e/note").exists(), "it is back")
    check((root / "d/e/note").read_text() == "one\n", "as it was")
    check((root / "d/e/note").stat().st_mode & 0o777 == 0o640, "with its mode")
    wait_for(lambda: len(stored(root)) == 3, "it is stored again")
    shutil.rmtree(root / "d")
    wait_for(lambda: len(rows(agent, root / "d")) == 4, "all are kept")
    agent.cli("restore", root / "d")
    wait_for(lambda: (root / "d/run").exists() and (root / "d/empty").exists() and
             (root / "d/e/note").exists(), "a whole folder comes back")
    check((root / "d/run").stat().st_mode & 0o777 == 0o755, "with modes")
    wait_for(lambda: leftovers(root) == [], lambda: f"left behind: {leftovers(root)}")


def test_renamed(world):
    """What has only got another name is there."""
    agent, root = alone(world)
    save(root, root / "a/note", "one\n")
    put(root / "stays", "what leaves nothing would be held\n")
    (root / "a").rename(root / "b")
    wait_for(lambda: agent.minted() == 7, lambda: f"it is published: {agent.minted()}")
    stays(lambda: rows(agent, root) == [], "nothing is kept of it", 3)
    check(is_stored(root, "one\n"), "it is stored")


def test_while_away(world):
    agent, root = alone(world)
    save(root, root / "note", "one\n")
    agent.stop()
    put(root / "note", "written while nobody looked\n")
    agent.start()
    wait_for(lambda: len(rows(agent, root / "note")) == 1, "what was there before is kept")
    agent.cli("restore", root / "note")
    wait_for(lambda: (root / "note").read_text() == "one\n", "it is back")
    wait_for(lambda: is_stored(root, "one\n"), "it is stored again")
    put(root / "note", "and then it ends\n")
    agent.cli("sync")
    agent.restart()
    check(rows(agent, root / "note")[0]["size"] == 4, "kept before the end", rows(agent, root))


def test_emptied_by_crash(world):
    """A program that does not flush, and a power cut: nobody else has it."""
    agent, root = alone(world)
    save(root, root / "note", "one\n")
    agent.kill9()
    put(root / "note", "")
    agent.start()
    wait_for(lambda: (root / "note").read_text() == "one\n", "it is put back")
    check(agent.minted() == 0, "and was never published as empty", agent.minted())


def test_secret(world):
    """Nobody else can read what is put aside, and a rule takes it away again."""
    agent, root = alone(world)
    save(root, root / "token", "secret\n")
    (root / "token").chmod(0o600)
    save(root, root / "stays", "stays as it is\n")
    check((root / ".cfgsync/base").stat().st_mode & 0o777 == 0o700, "the directory")
    for name in stored(root):
        check((root / ".cfgsync/base" / name).stat().st_mode & 0o777 == 0o600, "each file", name)
    put(root / ".cfgsync/ignore", "token\n")
    wait_for(lambda: not is_stored(root, "secret\n"), "what is left out is not stored")
    check(is_stored(root, "stays as it is\n"), "what is not is")


def test_folder_removed(world):
    agent, root = alone(world)
    save(root, root / "note", "one\n")
    agent.cli("folder", "remove", "f")
    wait_for(lambda: stored(root) == [], "nothing is stored of what is no folder")
    check((root / "note").read_text() == "one\n", "its files stay")
    agent.folder_add("f", path=root, share=None)
    wait_for(lambda: is_stored(root, "one\n"), "it is a folder again")


def test_room(world):
    """No more than is allowed, of the files that have changed last; none at all if it is off."""
    agent, root = alone(world)
    agent.cli("folder", "set", "f", "base_space=1M")
    agent.stop()
    chance = random.Random(1)
    for i in range(400):
        put(root / f"{i % 7}/{i:03}", chance.randbytes(100 + i))  # each size once
        os.utime(root / f"{i % 7}/{i:03}", (1_700_000_000 + i, 1_700_000_000 + i))
    agent.start()
    full = (1 << 20) // BLOCK
    wait_for(lambda: len(stored(root)) == full, lambda: f"{len(stored(root))} are stored")
    stays(lambda: len(stored(root)) <= full, "and no more", 2)
    sizes = {int(name.rsplit("-", 1)[1]) for name in stored(root)}
    check(sizes == set(range(500 - full, 500)), "the newest", sorted(set(range(100, 500)) - sizes))
    agent.cli("folder", "set", "f", "base_space=512K")
    wait_for(lambda: len(stored(root)) == full // 2, lambda: f"{len(stored(root))} are stored")
    agent.cli("folder", "set", "f", "base_space=2M")
    wait_for(lambda: len(stored(root)) == 400, lambda: f"{len(stored(root))} are stored")
    agent.cli("folder", "set", "f", "base_space=off")
    wait_for(lambda: stored(root) == [], lambda: f"{len(stored(root))} are stored")
    put(root / "0/000", "overwritten\n")
    stays(lambda: rows(agent, root) == [] and stored(root) == [], "nothing is kept", 3)


def test_kill9(world):
    """Whatever of it a crash leaves is used or done again; nothing is left over."""
    agent, root = alone(world)
    chance = random.Random(2)
    texts = {f"{i:04}": chance.randbytes(2000 + i) for i in range(600)}
    for name, text in texts.items():
        put(root / name, text)
    for i in range(4):
        wait_for(lambda i=i: len(stored(root)) >= 100 * i + 20, "it is being filled", every=0.002)
        for name in list(texts)[20 * i:20 * i + 20]:
            put(root / name, b"edited " + texts[name])
        time.sleep(chance.random() * 1.5)
        agent.kill9()
        agent.start()
    wait_for(lambda: len(stored(root)) == 600, lambda: f"{len(stored(root))} are stored")
    stays(lambda: len(stored(root)) == 600, "and stay", 2)
    wait_for(lambda: leftovers(root) == [], lambda: f"left behind: {leftovers(root)}")
    kept = {row["path"]: row for row in rows(agent, root)}
    files = os.listdir(root / ".cfgsync/kept")
    check(len(files) == len(kept), "each kept file has its row", sorted(kept), sorted(files))
    for path in kept:
        agent.cli("restore", path)
        name = os.path.basename(path)
        wait_for(lambda path=path, name=name: hashlib.sha256(open(path, "rb").read()).digest() ==
                 hashlib.sha256(texts[name]).digest(), f"{name} is back")
    check(agent.try_cli("status").code == 0, "all is well", agent.try_cli("status"))


if __name__ == "__main__":
    main()
