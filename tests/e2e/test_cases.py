#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hard cases of real file systems and of two people, one after the other, that no other script
has."""

import os
import shutil
import socket
import struct
import subprocess
import time

from harness import Skip, check, main, stays, wait_for
from test_conflict import apart
from trees import conflicts, put, same, wait_same


def names(root):
    return sorted(n for n in os.listdir(root) if n != ".cfgsync")


# ---- two people

def test_mkdir_mkdir(world):
    _, _, on_a, _ = apart(world, {}, lambda root: os.makedirs(root / "d/e"),
                          lambda root: os.makedirs(root / "d/e"))
    check(names(on_a) == ["d"] and not conflicts(on_a), "joined", conflicts(on_a))


def test_renamed_to_two_names(world):
    _, _, on_a, _ = apart(world, {"old": "text"},
                          lambda root: os.rename(root / "old", root / "one"),
                          lambda root: os.rename(root / "old", root / "two"))
    check(names(on_a) == ["one", "two"], "both names are there", names(on_a))
    check((on_a / "one").read_text() == (on_a / "two").read_text() == "text", "with the content")
    check(not conflicts(on_a), "and nothing else", conflicts(on_a))


def test_renamed_and_edited(world):
    _, _, on_a, _ = apart(world, {"old": "text"},
                          lambda root: os.rename(root / "old", root / "new"),
                          lambda root: put(root / "old", "edited"))
    check((on_a / "new").read_text() == "text" and (on_a / "old").read_text() == "edited",
          "the edit is where it was made", names(on_a))


def test_two_renames_onto_one_name(world):
    _, _, on_a, _ = apart(world, {"x": "from x", "y": "from y"},
                          lambda root: os.rename(root / "x", root / "z"),
                          lambda root: os.rename(root / "y", root / "z"))
    check(names(on_a) == ["z"], "the sources are gone", names(on_a))
    both = {(on_a / "z").read_bytes(), *conflicts(on_a).values()}
    check(both == {b"from x", b"from y"}, "one has the name, the other is set aside", both)


def test_folders_moved_into_each_other(world):
    _, _, on_a, _ = apart(world, {"A/a": "1", "B/b": "2"},
                          lambda root: os.rename(root / "A", root / "B/A"),
                          lambda root: os.rename(root / "B", root / "A/B"))
    found = sorted((on_a / p).read_text() for p in ("B/A/a", "A/B/b") if (on_a / p).exists())
    check(found == ["1", "2"], "every file is somewhere", names(on_a))


def test_chmod_chmod(world):
    _, _, on_a, _ = apart(world, {"tool": "#!"},
                          lambda root: os.chmod(root / "tool", 0o700),
                          lambda root: os.chmod(root / "tool", 0o755))
    check((on_a / "tool").stat().st_mode & 0o777 in (0o700, 0o755), "one of them")
    check(not conflicts(on_a), "no copy", conflicts(on_a))


def test_one_edit_of_two_equal_saves(world):
    """Both saved the same, then one edits: the edit wins alone."""
    a, b, on_a, on_b = apart(world, {"file": "start"},
                             lambda root: put(root / "file", "the same"),
                             lambda root: put(root / "file", "the same"))
    put(on_a / "file", "edited")
    wait_for(lambda: (on_b / "file").read_text() == "edited", "the edit arrives")
    check(not conflicts(on_a) and not conflicts(on_b), "no conflict item")


# ---- what a file is

def test_touch_is_no_change(world):
    a, b, on_a, on_b = world.pair()
    put(on_a / "file", "text")
    a.sync("f")
    before = (on_b / "file").stat().st_mtime_ns
    os.utime(on_a / "file", (1, 1))
    a.sync("f")
    stays(lambda: (on_b / "file").stat().st_mtime_ns == before, "the time alone is not synced", 1.0)
    put(on_a / "file", "other")
    os.utime(on_a / "file", (10**9, 10**9))
    wait_for(lambda: (on_b / "file").read_text() == "other", "an edit with an old time is an edit")


def test_same_size_same_time(world):
    a, _, on_a, on_b = world.pair()
    put(on_a / "file", "aaaa")
    a.sync("f")
    st = (on_a / "file").stat()
    with open(on_a / "file", "r+", encoding="utf-8") as file:
        file.write("bbbb")
    os.utime(on_a / "file", ns=(st.st_atime_ns, st.st_mtime_ns))
    wait_for(lambda: (on_b / "file").read_text() == "bbbb", "seen all the same")


def test_hard_links(world):
    a, _, on_a, on_b = world.pair()
    put(on_a / "one", "text")
    os.link(on_a / "one", on_a / "two")
    a.sync("f")
    same(on_a, on_b)
    check((on_b / "one").stat().st_ino != (on_b / "two").stat().st_ino, "two files there")
    with open(on_a / "one", "a", encoding="utf-8") as file:
        file.write(" and more")
    a.sync("f")
    wait_for(lambda: (on_b / "one").read_text() == (on_b / "two").read_text() == "text and more",
             "writing one is an edit of both", 40)


def test_sparse(world):
    a, _, on_a, on_b = world.pair()
    with open(on_a / "sparse", "wb") as file:
        file.truncate(20 << 20)
        file.seek(10 << 20)
        file.write(b"in the middle")
    a.sync("f")
    wait_same(on_a, on_b)


def test_attributes_survive_a_replace(world):
    a, _, on_a, on_b = world.pair()
    put(on_a / "file", "one")
    a.sync("f")
    try:
        os.setxattr(on_b / "file", "user.colour", b"blue")
        os.setxattr(on_b / "file", "user.long", b"x" * 3000)
    except OSError as problem:
        raise Skip(f"no user attributes here: {problem}") from None
    put(on_a / "file", "two")
    wait_for(lambda: (on_b / "file").read_text() == "two", "replaced")
    check(os.getxattr(on_b / "file", "user.colour") == b"blue", "the attribute stays")
    check(os.getxattr(on_b / "file", "user.long") == b"x" * 3000, "all of them")


def test_acl_survives_a_replace(world):
    """Who else may have the file may have it afterwards, and nobody else."""
    a, _, on_a, on_b = world.pair()
    put(on_a / "file", "one")
    a.sync("f")
    entries = (0x01, 6, -1), (0x02, 6, 12345), (0x04, 4, -1), (0x10, 6, -1), (0x20, 0, -1)
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(on_b / "file", "system.posix_acl_access", acl)
    except OSError as problem:
        raise Skip(f"no ACL here: {problem}") from None
    wait_for(lambda: (on_a / "file").stat().st_mode & 0o777 == 0o660, "its mode is one")
    put(on_a / "file", "two", 0o660)
    wait_for(lambda: (on_b / "file").read_text() == "two", "replaced")
    check(os.getxattr(on_b / "file", "system.posix_acl_access") == acl, "the same")


def test_set_id_bits_and_owner(world):
    a, _, on_a, on_b = world.pair()
    put(on_a / "tool", "#!", 0o755)
    os.chmod(on_a / "tool", 0o4755)
    a.sync("f")
    wait_for(lambda: (on_b / "tool").exists(), "there")
    check((on_b / "tool").stat().st_mode & 0o7777 == 0o755, "no set-id bit",
          oct((on_b / "tool").stat().st_mode))
    if os.geteuid() == 0:
        os.chown(on_b / "tool", 12345, 12345)
        put(on_a / "other", "x")
        a.sync("f")
        check((on_a / "tool").stat().st_uid == 0, "an owner is not synced")


def test_special_files(world):
    a, b, on_a, on_b = world.pair()
    os.mkfifo(on_a / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        cwd = os.getcwd()
        os.chdir(on_a)
        listener.bind("socket")
        os.chdir(cwd)
        put(on_a / "file", "x")
        a.sync("f")
        wait_for(lambda: names(on_b) == ["file"], lambda: f"files alone go over: {names(on_b)}")
    put(on_b / "fifo", "a file of this name")
    wait_for(lambda: any("fifo" in (e["path"] or "") for e in a.status()["errors"]),
             lambda: f"alpha says what is in the way: {a.status()['errors']}")
    check(not os.path.isfile(on_a / "fifo"), "and leaves it")


# ---- where it cannot be

def test_name_too_long(world):
    a, b, on_a, on_b = world.pair()
    long = "n" * 255
    put(on_a / "short", "x")
    (on_a / long).write_text("as long as it goes")
    a.sync("f")
    wait_same(on_a, on_b)
    deep = on_a
    for _ in range(70):
        deep = deep / "deeper"
    os.makedirs(deep)
    (deep / "file").write_text("below")
    put(on_a / "after", "x")
    wait_for(lambda: (on_b / "after").exists(), "the rest goes on")
    wait_for(lambda: a.status()["errors"], "what is too deep is named")


def test_read_only_folder(world):
    a, b, on_a, on_b = world.pair()
    put(on_a / "ro/file", "one")
    a.sync("f")
    os.chmod(on_a / "ro", 0o555)
    wait_for(lambda: (on_b / "ro").stat().st_mode & 0o777 == 0o555, "the mode arrives")
    os.chmod(on_a / "ro", 0o755)
    put(on_a / "ro/file", "two")
    os.chmod(on_a / "ro", 0o555)
    wait_for(lambda: (on_b / "ro/file").read_text() == "two", "a file in it is replaced")
    wait_for(lambda: (on_b / "ro").stat().st_mode & 0o777 == 0o555, "and it stays read-only")


def test_mount_inside(world):
    """Another file system inside the root is neither read nor emptied."""
    if os.geteuid() != 0:
        raise Skip("mounting needs root")
    a, _, on_a, on_b = world.pair()
    put(on_a / "m/below", "hidden by the mount")
    put(on_a / "file", "x")
    a.sync("f")
    done = subprocess.run(["mount", "-t", "tmpfs", "none", on_a / "m"], capture_output=True,
                          check=False)
    if done.returncode != 0:
        raise Skip("cannot mount here")
    world.closers.append(lambda: subprocess.run(["umount", "-l", on_a / "m"], check=False,
                                                capture_output=True))
    put(on_a / "m/other", "on another disk")
    put(on_a / "file", "y")
    a.try_sync("f", timeout=10)
    wait_for(lambda: (on_b / "file").read_text() == "y", "the rest goes on")
    a.restart()
    wait_for(lambda: a.connected("beta"), "connected")
    stays(lambda: (on_b / "m/below").exists(), "what the mount hides is not deleted", 2.0)
    check(not (on_b / "m/other").exists(), "what is on it stays there", names(on_b / "m"))


# ---- writes that come late

def test_write_through_an_old_descriptor(world):
    """A program still writes into the file that a peer's change has replaced: nothing is lost."""
    a, _, on_a, on_b = world.pair()
    put(on_a / "log", "start\n")
    a.sync("f")
    with open(on_b / "log", "a", encoding="utf-8") as late:
        put(on_a / "log", "replaced by alpha\n")
        wait_for(lambda: (on_b / "log").read_text() == "replaced by alpha\n", "replaced")
        time.sleep(0.3)
        late.write("written late\n")
    wait_for(lambda: b"start\nwritten late\n" in conflicts(on_b).values(),
             lambda: f"the late words are a conflict item: {conflicts(on_b)}", 30)
    wait_for(lambda: b"start\nwritten late\n" in conflicts(on_a).values(), "on both")
    check((on_b / "log").read_text() == "replaced by alpha\n", "the name is the winner's")


def test_deleted_under_a_writer(world):
    a, _, on_a, on_b = world.pair()
    put(on_a / "log", "start\n")
    a.sync("f")
    with open(on_b / "log", "a", encoding="utf-8") as late:
        os.unlink(on_a / "log")
        wait_for(lambda: not (on_b / "log").exists(), "deleted")
        time.sleep(0.3)
        late.write("written late\n")
    wait_for(lambda: b"start\nwritten late\n" in conflicts(on_b).values(),
             lambda: f"the late words are a conflict item: {conflicts(on_b)}", 30)


# ---- when the kernel says nothing

def test_no_watches_left(world):
    """Folders that cannot be watched are walked from time to time, and by sync."""
    limit = "/proc/sys/fs/inotify/max_user_watches"
    try:
        with open(limit, encoding="ascii") as file:
            before = file.read()
        with open(limit, "w", encoding="ascii") as file:
            file.write("40\n")
    except OSError:
        raise Skip("the limit of watches cannot be set") from None

    def restore():
        with open(limit, "w", encoding="ascii") as file:
            file.write(before)

    world.closers.append(restore)
    a, _, on_a, on_b = world.pair()
    for number in range(60):
        put(on_a / f"d{number}/file", "x")
    a.sync("f")
    same(on_a, on_b)
    for number in range(60):
        put(on_a / f"d{number}/file", "edited")
    a.sync("f")
    same(on_a, on_b)
    shutil.rmtree(on_a / "d59")
    a.sync("f")
    same(on_a, on_b)


if __name__ == "__main__":
    main()
