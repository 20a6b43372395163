#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two and three agents over a copy of this machine's real /etc."""

import os
import pathlib
import random
import shutil
import stat
import time

from harness import check, main
from trees import conflicts, differences, edit, put, same, tree


def copy_etc(target):
    """What this user may read of /etc, modes and links as they are."""
    for folder, folders, files in os.walk("/etc"):
        here = pathlib.Path(target) / os.path.relpath(folder, "/etc")
        folders[:] = [n for n in folders if os.access(os.path.join(folder, n), os.R_OK | os.X_OK)]
        here.mkdir(exist_ok=True)
        for name in folders + files:
            source = os.path.join(folder, name)
            info = os.lstat(source)
            if stat.S_ISLNK(info.st_mode):
                os.symlink(os.readlink(source), here / name)
            elif stat.S_ISREG(info.st_mode) and os.access(source, os.R_OK):
                shutil.copy2(source, here / name)
    # Modes last: a folder may be read-only.
    for folder, _, _ in os.walk("/etc", topdown=False):
        here = pathlib.Path(target) / os.path.relpath(folder, "/etc")
        if here.is_dir() and folder != "/etc":
            os.chmod(here, stat.S_IMODE(os.lstat(folder).st_mode) & 0o777)


def spice(root):
    """What a real /etc may lack."""
    os.symlink("/nowhere/absolute", root / "dangling")
    os.symlink("/etc/passwd", root / "absolute")
    os.makedirs(root / "empty/er")
    put(root / "odd \n name/ü🙂\x01", "odd")
    put(root / ".env", "SECRET=1\n", 0o600)
    put(root / "tls/server.key", "key\n", 0o600)
    put(root / "read-only/file", "x", 0o400)
    os.chmod(root / "read-only", 0o555)


def all_same(agents):
    for other in agents[1:]:
        same(agents[0].paths["etc"], other.paths["etc"], f"{agents[0].name} and {other.name}")


def by_hand(agents):
    """Renames, type changes, modes and deletes, each made on one and seen on all."""
    for number, agent in enumerate(agents):
        root = agent.paths["etc"]
        files = sorted(p for p, e in tree(root).items() if e[0] == "file" and "read-only" not in p)
        pick = [root / p for p in files[number * 7::31]]
        os.rename(pick[0], root / f"renamed-{number}")
        os.unlink(pick[1])
        put(pick[1] / "inside", "was a file")
        os.chmod(pick[2], 0o711)
        os.unlink(pick[3])
        with open(pick[4], "ab") as file:
            file.write(b"\n# one more line\n")
        folder = next(root / p for p, e in sorted(tree(root).items())
                      if e[0] == "dir" and len(os.listdir(root / p)) > 2 and "read-only" not in p)
        os.rename(folder, root / f"folder-{number}")
        agent.sync("etc")
        all_same(agents)
        # and the way back of one type change
        os.unlink(pick[1] / "inside")
        os.rmdir(pick[1])
        put(pick[1], "a file again")
        agent.sync("etc")
        all_same(agents)


def run(world, count):
    agents = world.company(*("alpha", "beta", "gamma")[:count])
    first = agents[0]
    root = world.dir / "alpha-etc"
    root.mkdir()
    copy_etc(root)
    spice(root)
    before = tree(root)
    for agent in agents:
        agent.folder_add("etc", "--include-secrets")
    begin = time.monotonic()
    first.sync("etc")
    print(f"    {len(before)} entries on {count} machines after {time.monotonic() - begin:.2f} s")
    check(not differences(before, tree(root)), "the source is untouched")
    all_same(agents)
    by_hand(agents)
    rng = random.Random(count)
    for number in range(2 * count):
        agent = agents[number % count]
        part = agent.paths["etc"] / "folder-0"
        edit(part, rng, 10)
        agent.sync("etc")
        all_same(agents)
    for agent in agents:
        check(not conflicts(agent.paths["etc"]), "no conflict", list(conflicts(agent.paths["etc"])))
        check(agent.status()["state"] == "synced", f"{agent.name} is synced", agent.status())


def test_two(world):
    run(world, 2)


def test_three(world):
    run(world, 3)


if __name__ == "__main__":
    main()
