#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A root on a file system that can do less, with one that can do all: both edit, both end the same,
and nothing is published that nobody did."""

import os
import shutil
import subprocess
import time

from harness import SLOW, Skip, check, main, stays, wait_for
from test_disk import Mount
from trees import conflicts, leftovers, put, tree


class Exfat(Mount):
    """No permissions, no links of either sort, no exchange; whole seconds; folds case (by FUSE)."""

    kind = "exfat"

    def make(self):
        return "mkfs.exfat", self.image

    def mount(self):
        done = subprocess.run(["losetup", "-f", "--show", self.image], capture_output=True,
                              text=True, check=False)
        self.loop = done.stdout.strip()
        if done.returncode != 0:
            raise Skip(f"no loop device: {done.stderr}")
        done = subprocess.run(["mount.exfat-fuse", self.loop, self.path], capture_output=True,
                              text=True, check=False)
        if not os.path.ismount(self.path):
            self.end()
            raise Skip(f"cannot mount: {done.stderr}")

    def end(self):
        super().end()
        subprocess.run(["losetup", "-d", self.loop], capture_output=True, check=False)


class Ext2(Mount):
    """Inodes of 128 bytes: whole seconds."""

    kind = "ext2"

    def make(self):
        return "mkfs.ext2", "-q", "-F", "-I", "128", self.image


class Ext4(Mount):
    """No reflinks."""

    kind = "ext4"

    def make(self):
        return "mkfs.ext4", "-q", "-F", self.image


class SmallBlocks(Mount):
    """A directory needs a new block every few dozen names."""

    kind = "ext4"

    def make(self):
        return ("mkfs.ext4", "-q", "-F", "-b", "1024", "-N", "1024", "-m", "0",
                "-O", "^has_journal", self.image)


def mixed(world, kind):
    disk = kind(world, "beta", megabytes=96)
    a, b = world.company("alpha", "beta")
    a.folder_add("f")
    b.folder_add("f", path=disk.path / "root")
    a.sync("f")
    return a, b, a.paths["f"], b.paths["f"]


def contents(root):
    """What is there but for the modes."""
    return {path: (entry[0], *entry[2:]) for path, entry in tree(root).items()}


def in_step(a, b, seen=contents):
    def done():
        return seen(a.paths["f"]) == seen(b.paths["f"])

    wait_for(done, lambda: sorted(seen(a.paths["f"]).items() ^ seen(b.paths["f"]).items())[:6])
    a.sync("f")
    b.sync("f")
    check(done(), "they stay so")


def edit_both(a, b, on_a, on_b):
    """Every kind of edit on either side. Returns how many changes each has made."""
    put(on_a / "from-a", "1")
    put(on_b / "from-b", "1")
    put(on_a / "d/e/deep", "1" * 5000)
    put(on_a / "swap", "a file")
    put(on_a / "large", os.urandom(1_300_000))
    in_step(a, b)
    for n in range(3):  # same size, within the same second
        put(on_b / "from-a", f"b{n}")
        put(on_a / "from-b", f"a{n}")
        a.sync("f")
        b.sync("f")
    (on_a / "swap").unlink()
    put(on_a / "swap/inside", "a directory")
    os.rename(on_b / "d/e/deep", on_b / "d/moved")
    in_step(a, b)
    (on_a / "swap/inside").unlink()
    (on_a / "swap").rmdir()
    put(on_a / "swap", "again a file")
    (on_b / "large").unlink()
    in_step(a, b)


def idle_mints_nothing(a, b):
    """Neither by itself, nor when it looks at everything again."""
    before = a.minted(), b.minted()
    stays(lambda: (a.minted(), b.minted()) == before, "nothing is published at rest", 1.5)
    for agent in (a, b):
        agent.restart()
    wait_for(lambda: a.connected("beta") and b.connected("alpha"), "connected")
    in_step(a, b)
    time.sleep(0.5 * SLOW)
    check((a.minted(), b.minted()) == (0, 0), "a walk of everything finds nothing new",
          a.minted(), b.minted())


def ends(a, b, on_a, on_b):
    check(not conflicts(on_a) and not conflicts(on_b), "no conflict", conflicts(on_a))
    wait_for(lambda: not leftovers(on_a) + leftovers(on_b),
             lambda: f"staging is empty: {leftovers(on_a) + leftovers(on_b)}")


def test_exfat(world):
    """Modes, links and times that it cannot hold stay where they can be held."""
    a, b, on_a, on_b = mixed(world, Exfat)
    edit_both(a, b, on_a, on_b)
    put(on_a / "tool", "#!/bin/sh\n", 0o755)
    put(on_a / "secret.d/x", "1", 0o600)
    (on_a / "secret.d").chmod(0o700)
    in_step(a, b)
    counts = b.minted()
    os.chmod(on_a / "tool", 0o750)
    a.sync("f")
    put(on_b / "tool", "#!/bin/sh\necho\n")
    put(on_b / "secret.d/y", "new there")
    in_step(a, b)
    check(oct((on_a / "tool").stat().st_mode & 0o777) == "0o750", "its mode outlives an edit there",
          oct((on_a / "tool").stat().st_mode))
    check(oct((on_a / "secret.d/x").stat().st_mode & 0o777) == "0o600", "so do others")
    check(oct((on_a / "secret.d").stat().st_mode & 0o777) == "0o700", "a directory's, too")
    check(oct((on_a / "secret.d/y").stat().st_mode & 0o777) == "0o644", "a new one is ordinary")
    check(b.minted() == counts + 2, "two changes there, and no chmod", b.minted() - counts)
    idle_mints_nothing(a, b)
    ends(a, b, on_a, on_b)
    os.symlink("from-a", on_a / "link")
    wait_for(lambda: [e["code"] for e in b.status()["errors"]] == ["blocked:type"],
             lambda: f"a link cannot be there: {b.status()['errors']}")
    put(on_a / "after", "goes on")
    wait_for(lambda: (on_b / "after").exists(), "others go on")
    (on_a / "link").unlink()
    in_step(a, b)


def test_exfat_late_save(world):
    """Without an exchange, what is displaced is kept, and a save in between is not lost."""
    a, b, on_a, on_b = mixed(world, Exfat)
    for n in range(12):
        put(on_a / f"f{n}", "first")
    a.sync("f")
    for n in range(12):
        put(on_a / f"f{n}", f"from a {n}")
        put(on_b / f"f{n}", f"from b {n}")
        a.sync("f")
        b.sync("f")
        a.sync("f")
        there = [(on_a / f"f{n}").read_bytes(), *conflicts(on_a).values()]
        kept = [p.read_bytes() for r in (on_a, on_b) for p in (r / ".cfgsync/kept").iterdir()]
        check(f"from b {n}".encode() in there + kept, "beta's is somewhere", there, kept)
        check(f"from a {n}".encode() in there + kept, "alpha's is somewhere", there, kept)
    in_step(a, b)


def whole_seconds(world, kind):
    a, b, on_a, on_b = mixed(world, kind)
    edit_both(a, b, on_a, on_b)
    for n in range(4):
        # The size and the second of before: only the content tells.
        for name in ("from-a", "from-b"):
            with open(on_b / name, "r+", encoding="ascii") as file:
                file.write(f"{n}{n}")
        b.sync("f")
        in_step(a, b)
    os.chmod(on_b / "from-a", 0o600)
    in_step(a, b, tree)
    check(oct((on_a / "from-a").stat().st_mode & 0o777) == "0o600", "modes go over")
    idle_mints_nothing(a, b)
    in_step(a, b, tree)
    ends(a, b, on_a, on_b)


def test_ext2(world):
    whole_seconds(world, Ext2)


def test_ext4(world):
    whole_seconds(world, Ext4)


def test_no_block_for_kept(world):
    """Files are deleted while kept cannot grow: each is listed there when there is room again."""
    disk = SmallBlocks(world, "beta", megabytes=4)
    a, b = world.company("alpha", "beta")
    a.folder_add("f")
    b.folder_add("f", path=disk.path / "root")
    for one in (a, b):
        one.cli("folder", "set", "f", "brake=off", "base_space=off")
    a.sync("f")
    on_a, on_b = a.paths["f"], b.paths["f"]
    names = [f"file{n:03}" for n in range(120)]
    for name in names:
        put(on_a / name, name * 50)
    a.sync("f")
    ballast = disk.path / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (65536, 512):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    for n, name in enumerate(names):
        (on_a / name).unlink()
        if n % 10 == 9:
            time.sleep(1)
    wait_for(lambda: "rename to kept" in b.log(), "kept is full")
    ballast.unlink()
    a.sync("f")
    in_step(a, b)
    listed = b.cli("kept", on_b).out
    check(not [name for name in names if f"/{name}" not in listed], "all are kept", listed)
    b.cli("restore", on_b / names[-1])
    wait_for(lambda: (on_b / names[-1]).exists(), "and can be had again")


if __name__ == "__main__":
    main()
