# SPDX-License-Identifier: MIT
"""Trees on disk: what is in them, how two differ, random ones, and random edits."""

import fnmatch
import hashlib
import os
import random
import stat

from harness import Failure, wait_for

IGNORED = [".*.sw?", "4913", "*~", ".#*", "#*#", ".~lock.*#", ".DS_Store", "*.local", ".git", ".hg",
           ".svn", ".bzr", "CVS", "_darcs", ".jj", ".pijul", ".cfgsync"]


def ignored(name):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in IGNORED)


def utf8(name):
    try:
        name.encode("utf-8")
        return True
    except UnicodeEncodeError:
        return False


def digest(path):
    state = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 18):
            state.update(piece)
    return state.hexdigest()


def tree(root, everything=False):
    """Relative path -> what is there; without what is never synced, unless everything."""
    found = {}
    for folder, folders, files in os.walk(root):
        if not everything:
            folders[:] = [n for n in folders if not ignored(n) and utf8(n)]
            files = [n for n in files if not ignored(n) and utf8(n)]
        for name in folders + files:
            path = os.path.join(folder, name)
            try:
                info = os.lstat(path)
                mode = info.st_mode & 0o777
                if stat.S_ISLNK(info.st_mode):
                    entry = ("link", os.readlink(path))
                elif stat.S_ISDIR(info.st_mode):
                    entry = ("dir", oct(mode))
                elif stat.S_ISREG(info.st_mode):
                    entry = ("file", oct(mode), info.st_size, digest(path))
                elif everything:
                    entry = ("other", oct(info.st_mode))
                else:
                    continue
            except FileNotFoundError:
                continue  # it is being changed under us
            found[os.path.relpath(path, root)] = entry
        # os.walk calls a link to a folder a folder, but does not go into it.
    return found


def differences(one, other):
    """The differences of two trees (or of what tree() said of them), one line each."""
    left = one if isinstance(one, dict) else tree(one)
    right = other if isinstance(other, dict) else tree(other)
    lines = []
    for path in sorted(left.keys() | right.keys()):
        if left.get(path) != right.get(path):
            lines.append(f"{path!r}: {left.get(path)} | {right.get(path)}")
    return lines


def same(one, other, what="the trees differ"):
    lines = differences(one, other)
    if lines:
        more = f"\n    ... {len(lines)} in all" if len(lines) > 12 else ""
        raise Failure(what + "".join(f"\n    {line}" for line in lines[:12]) + more)


def wait_same(one, other, seconds=20, what="the trees differ"):
    def text():
        return what + "".join(f"\n    {line}" for line in differences(one, other)[:12])

    wait_for(lambda: not differences(one, other), text, seconds, every=0.1)


def conflicts(root):
    """Name -> bytes of the conflict items of a folder (a link: its target). One may go by then."""
    found = {}
    folder = os.path.join(root, ".cfgsync", "conflicts")
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        try:
            if os.path.islink(path):
                found[name] = os.readlink(path).encode()
            else:
                with open(path, "rb") as file:
                    found[name] = file.read()
        except FileNotFoundError:
            continue
    return found


def leftovers(root):
    """What lies in a folder's staging."""
    staging = os.path.join(root, ".cfgsync", "staging")
    return [os.path.join(f, n) for f, _, names in os.walk(staging) for n in names]


def put(path, data, mode=None):
    """Saves as careful programs do: a new file, put in place by rename (below an ignored name)."""
    data = data.encode() if isinstance(data, str) else data
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # The kernel never shows the temporary name to a reader that matters: it is ignored.
    folder, name = os.path.split(os.fspath(path))
    temporary = os.path.join(folder, f".#{name}"[:200])
    with open(temporary, "wb") as file:
        file.write(data)
    if mode is not None:
        os.chmod(temporary, mode)
    os.rename(temporary, path)


WORDS = ["alpha", "b c", "d.conf", "Ünï", "日本", "e'f", "g\"h", "i\\j", "k:l", "-m", "n\no", "p.",
         "q$r", "s*", "[t]", "u?", "v&w", "x y ", "🙂", "A", "a"]


def fill(root, seed, files=200, size_max=20000):
    """A random tree: nested folders, odd names, modes, links, empty folders and files."""
    rng = random.Random(seed)
    folders = [os.fspath(root)]
    for number in range(files):
        if rng.random() < 0.15 and len(folders) < 60:
            path = os.path.join(rng.choice(folders), f"{rng.choice(WORDS)}{number}")
            os.mkdir(path)
            os.chmod(path, rng.choice([0o755, 0o700, 0o750]))
            folders.append(path)
        path = os.path.join(rng.choice(folders), f"{rng.choice(WORDS)}-{number}")
        kind = rng.random()
        if kind < 0.08:
            os.symlink(rng.choice(["/etc/passwd", "nowhere", "../up", ".", "a b", "x" * 200]), path)
        else:
            size = 0 if kind < 0.12 else rng.randrange(1, size_max)
            put(path, rng.randbytes(size), rng.choice([0o644, 0o600, 0o755, 0o640]))


def _remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        for name in os.listdir(path):
            _remove(os.path.join(path, name))
        os.rmdir(path)
    else:
        os.unlink(path)


def edit(root, rng, count=20):
    """Random edits by a user of the folder: saves, renames, deletes, modes, links, type changes."""
    for number in range(count):
        entries = sorted(tree(root).items())
        files = [p for p, e in entries if e[0] == "file"]
        folders = [""] + [p for p, e in entries if e[0] == "dir"]
        fresh = os.path.join(root, rng.choice(folders), f"new{rng.randrange(10**6)}-{number}")
        kind = rng.randrange(9)
        path = os.path.join(root, rng.choice(files)) if files else fresh
        if kind == 0 or not files:
            put(fresh, rng.randbytes(rng.randrange(3000)))
        elif kind == 1:
            put(path, rng.randbytes(rng.randrange(3000)), os.stat(path).st_mode & 0o777)
        elif kind == 2:
            with open(path, "ab") as file:
                file.write(rng.randbytes(50))
        elif kind == 3:
            os.rename(path, fresh)
        elif kind == 4:
            os.unlink(path)
        elif kind == 5:
            os.chmod(path, rng.choice([0o600, 0o644, 0o755]))
        elif kind == 6:
            os.symlink(rng.choice(["/nowhere", "x", "../y"]), fresh)
        elif kind == 7:
            os.unlink(path)
            os.mkdir(path)
            put(os.path.join(path, "inside"), rng.randbytes(100))
        else:
            os.mkdir(fresh)
