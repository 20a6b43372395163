#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How programs save: each is one change with the right content, and no empty or half file is ever
seen on the other side."""

import os
import pty
import select
import shutil
import subprocess
import threading
import time

from harness import SLOW, Skip, check, main, stays, wait_for
from trees import put, wait_same

BEFORE = "first line\nsecond line\n"
AFTER = "first line\nchanged line\n"


class Reader(threading.Thread):
    """All that a file on the other side was ever seen to hold."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.seen, self.ended = path, [], threading.Event()

    def run(self):
        while not self.ended.is_set():
            try:
                data = self.path.read_bytes()
            except FileNotFoundError:
                data = None
            if not self.seen or self.seen[-1] != data:
                self.seen.append(data)
            time.sleep(0.001)

    def end(self):
        self.ended.set()
        self.join()
        return self.seen


def one_change(world, edit, before=BEFORE, after=AFTER, changes=1, name="note.txt"):
    """`edit` saves the file on alpha; beta sees one change, alpha found `changes`."""
    a, _, on_a, on_b = world.pair()
    put(on_a / name, before)
    a.sync("f")
    stays(lambda: True, "", 0.5)
    count = a.minted()
    reader = Reader(on_b / name)
    reader.start()
    edit(on_a / name)
    check((on_a / name).read_text() == after, "the program did its work", (on_a / name).read_text())
    a.sync("f")
    time.sleep(1.5 * SLOW)
    seen = reader.end()
    check(seen == [before.encode(), after.encode()], "one change, whole", seen)
    check(a.minted() - count == changes, f"{changes} published", a.minted() - count)
    wait_same(on_a, on_b)


def needs(program):
    if not shutil.which(program):
        raise Skip(f"{program} is not installed")


def run(*command, cwd=None):
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=False, cwd=cwd,
                          env=dict(os.environ, TERM="xterm", HOME="/nonexistent"))
    return done


def vim(world, *settings):
    name = next((n for n in ("vim", "vim.tiny") if shutil.which(n)), None)
    if not name:
        raise Skip("vim is not installed")
    one_change(world, lambda path: run(
        name, "-N", "-u", "NONE", "-i", "NONE", "-es", *settings, "-c",
        "%s/second/changed/", "-c", "wq", path.name, cwd=path.parent))


def test_vim(world):
    vim(world, "-c", "set nobackup writebackup backupcopy=no")


def test_vim_in_place(world):
    vim(world, "-c", "set nobackup writebackup backupcopy=yes")


def test_vim_with_backup(world):
    vim(world, "-c", "set backup backupcopy=auto backupdir=. swapfile")


def test_emacs(world):
    needs("emacs")
    one_change(world, lambda path: run(
        "emacs", "-Q", "--batch", path, "--eval",
        '(progn (setq make-backup-files t) (goto-char (point-min)) '
        '(search-forward "second") (replace-match "changed") (save-buffer))'))


def test_nano(world):
    needs("nano")

    def edit(path):
        child, terminal = pty.fork()
        if child == 0:
            os.environ.update(TERM="xterm", HOME="/nonexistent")
            os.execvp("nano", ["nano", "--ignorercfiles", str(path)])

        def type_keys(keys):
            time.sleep(0.3)
            while select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 65536)
            os.write(terminal, keys)

        type_keys(b"\x1b[B")          # down
        type_keys(b"\x1b[3~" * 6)     # delete "second"
        type_keys(b"changed")
        type_keys(b"\x0f")            # write out
        type_keys(b"\r")
        type_keys(b"\x18")            # exit
        end = time.monotonic() + 10
        while time.monotonic() < end and os.waitpid(child, os.WNOHANG)[0] == 0:
            if select.select([terminal], [], [], 0.05)[0]:
                try:
                    os.read(terminal, 65536)
                except OSError:
                    continue
        os.close(terminal)

    one_change(world, edit)


def test_sed(world):
    one_change(world, lambda path: run("sed", "-i", "s/second/changed/", path))


def test_move_over(world):
    def edit(path):
        fresh = world.dir / "fresh"
        fresh.write_text(AFTER)
        os.rename(fresh, path)

    one_change(world, edit)


def test_truncate_and_write(world):
    """A program that empties the file and takes its time to write it again."""
    def edit(path):
        with open(path, "w", encoding="utf-8") as file:
            time.sleep(0.4)
            file.write(AFTER)

    one_change(world, edit)


def test_truncate_close_and_write(world):
    """Emptied, closed, opened again and written."""
    def edit(path):
        with open(path, "w", encoding="utf-8"):
            pass
        time.sleep(0.6)
        path.write_text(AFTER)

    one_change(world, edit)


def test_small_pieces(world):
    """Ten seconds of small writes: published when it is closed."""
    pieces = [f"line {n}\n" for n in range(50)]

    def edit(path):
        with open(path, "w", encoding="utf-8") as file:
            for piece in pieces:
                file.write(piece)
                file.flush()
                time.sleep(0.2)

    one_change(world, edit, after="".join(pieces))


def test_git_checkout(world):
    """Two branches of many files: each file changes once, in one go."""
    needs("git")
    a, _, on_a, on_b = world.pair()

    def git(*args):
        done = run("git", "-c", "user.name=x", "-c", "user.email=x@x", "-c",
                   "init.defaultBranch=main", *args, cwd=on_a)
        check(done.returncode == 0, "git", done.stderr)

    git("init", "-q")
    for number in range(40):
        put(on_a / f"src/f{number}", f"main {number}\n")
    git("add", ".")
    git("commit", "-qm", "main")
    git("checkout", "-qb", "other")
    for number in range(40):
        put(on_a / f"src/f{number}", f"other {number}\n")
    git("commit", "-qam", "other")
    a.sync("f")
    wait_for(lambda: (on_b / "src/f39").read_text() == "other 39\n", "there")
    time.sleep(12)  # the rate of publications of a path is counted anew
    count = a.minted()
    git("checkout", "-q", "main")
    a.sync("f")
    for number in range(40):
        check((on_b / f"src/f{number}").read_text() == f"main {number}\n", "the other branch")
    check(a.minted() - count == 40, "one change for each file", a.minted() - count)
    check(not (on_b / ".git").exists(), "the repository itself stays here")


if __name__ == "__main__":
    main()
