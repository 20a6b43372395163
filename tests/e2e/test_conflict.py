#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Both sides changed the same thing while apart: the same outcome on both, and nothing lost."""

import os
import time

from harness import check, main, wait_for
from trees import conflicts, put, same, wait_same


def apart(world, files, on_alpha, on_beta):
    """A pair with files; both agents off, alpha edits, then beta (later); both on, in step."""
    a, b, on_a, on_b = world.pair()
    for name, text in files.items():
        put(on_a / name, text)
    a.sync("f")
    same(on_a, on_b)
    a.stop()
    b.stop()
    on_alpha(on_a)
    time.sleep(0.05)
    on_beta(on_b)
    a.start()
    b.start()
    wait_for(lambda: a.connected("beta") and b.connected("alpha"), "connected")
    a.sync("f")
    b.sync("f")
    a.sync("f")
    wait_same(on_a, on_b)
    check(conflicts(on_a) == conflicts(on_b), "the same conflict items on both",
          conflicts(on_a), conflicts(on_b))
    return a, b, on_a, on_b


def test_edit_edit(world):
    a, b, on_a, on_b = apart(
        world, {"file": "start"},
        lambda root: put(root / "file", "alpha's edit"),
        lambda root: put(root / "file", "beta's edit, later"))
    check((on_a / "file").read_text() == "beta's edit, later", "the later edit keeps the name",
          (on_a / "file").read_text())
    check(list(conflicts(on_a).values()) == [b"alpha's edit"], "one item with the other's bytes",
          conflicts(on_a))
    check(list(conflicts(on_a))[0].endswith("-file"), "its name ends with the file's",
          conflicts(on_a))
    for agent in (a, b):
        check(agent.folder("f")["conflicts"] == 1, "status counts it", agent.folder("f"))
        check(agent.try_cli("status").code == 3, "status exits 3")
        check(agent.status()["state"] == "conflict", "the state says it", agent.status()["state"])
    os.unlink(on_a / ".cfgsync/conflicts" / list(conflicts(on_a))[0])
    wait_for(lambda: not conflicts(on_b), "a conflict item deleted here is gone there")
    wait_for(lambda: b.try_cli("status").code == 0, "status exits 0 again")


def test_start_order_does_not_matter(world):
    """The later mtime wins, not the agent that was started later."""
    a, b, on_a, on_b = world.pair()
    put(on_a / "file", "start")
    a.sync("f")
    a.stop()
    b.stop()
    put(on_b / "file", "beta, earlier")
    time.sleep(0.05)
    put(on_a / "file", "alpha, later")
    a.start()
    a.try_cli("sync", "f")
    b.start()
    wait_for(lambda: conflicts(on_a) and conflicts(on_b), "a conflict item on both")
    wait_same(on_a, on_b)
    check((on_b / "file").read_text() == "alpha, later", "the later edit keeps the name")


def test_same_content(world):
    _, _, on_a, _ = apart(
        world, {"file": "start"},
        lambda root: put(root / "file", "equal"), lambda root: put(root / "file", "equal"))
    check(not conflicts(on_a), "no conflict", conflicts(on_a))


def test_delete_edit(world):
    _, _, on_a, _ = apart(
        world, {"one": "start", "two": "start", "keep": "x"},
        lambda root: (os.unlink(root / "one"), put(root / "two", "edited")),
        lambda root: (put(root / "one", "edited"), os.unlink(root / "two")))
    check((on_a / "one").read_text() == "edited" and (on_a / "two").read_text() == "edited",
          "modify beats delete")
    check(not conflicts(on_a), "no conflict item", conflicts(on_a))


def test_delete_delete(world):
    _, _, on_a, _ = apart(
        world, {"one": "start", "keep": "x"},
        lambda root: os.unlink(root / "one"), lambda root: os.unlink(root / "one"))
    check(not (on_a / "one").exists() and not conflicts(on_a), "gone, no conflict")


def test_folder_deleted_child_edited(world):
    def remove(root):
        for name in ("x", "y"):
            os.unlink(root / "d" / name)
        os.rmdir(root / "d")
    _, _, on_a, _ = apart(
        world, {"d/x": "1", "d/y": "2", "keep": "x"}, remove,
        lambda root: put(root / "d/x", "edited"))
    check((on_a / "d/x").read_text() == "edited", "the edited child lives")
    check(not (on_a / "d/y").exists(), "the other one does not")


def test_file_and_folder(world):
    """The folder keeps the name, the file becomes a conflict item."""
    _, _, on_a, _ = apart(
        world, {"keep": "x"},
        lambda root: put(root / "p/inside", "in the folder"),
        lambda root: put(root / "p", "the file, later"))
    check((on_a / "p/inside").read_text() == "in the folder", "the folder keeps the name")
    check(list(conflicts(on_a).values()) == [b"the file, later"], "the file is a conflict item",
          conflicts(on_a))


def test_links(world):
    def turn(root, target):
        os.unlink(root / "l")
        os.symlink(target, root / "l")
    _, _, on_a, _ = apart(
        world, {"keep": "x", "l": "a file"},
        lambda root: turn(root, "/to/alpha"), lambda root: turn(root, "/to/beta"))
    check(os.readlink(on_a / "l") == "/to/beta", "the later link keeps the name")
    check(list(conflicts(on_a).values()) == [b"/to/alpha"], "the other link is an item",
          conflicts(on_a))


def test_chmod_and_edit(world):
    """A mode changed here and content changed there both survive."""
    _, _, on_a, on_b = apart(
        world, {"tool": "v1"},
        lambda root: os.chmod(root / "tool", 0o755), lambda root: put(root / "tool", "v2", 0o644))
    check((on_a / "tool").read_text() == "v2", "the edit is there")
    check(os.stat(on_b / "tool").st_mode & 0o777 == 0o755, "the mode, too")
    check(not conflicts(on_a), "no conflict", conflicts(on_a))


def test_many(world):
    """A hundred conflicts at once, in a folder large enough that no brake minds."""
    names = [f"d{n % 7}/f{n}" for n in range(100)]
    others = [f"others/f{n}" for n in range(300)]
    _, _, on_a, _ = apart(
        world, {name: "start" for name in names + others},
        lambda root: [put(root / name, f"alpha {name}") for name in names],
        lambda root: [put(root / name, f"beta {name}") for name in names])
    check(sorted(conflicts(on_a).values()) == sorted(f"alpha {n}".encode() for n in names),
          "each loser is an item", len(conflicts(on_a)))


if __name__ == "__main__":
    main()
