# SPDX-License-Identifier: MIT
"""What is read while a program runs: its processes in /proc, and files as they come."""

import os
import pathlib
import random
import re
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
POLL_S = 0.0002
LIMIT_S = 300.0


class NotThere(Exception):
    """What was waited for did not come."""


def wait_until(predicate, what, seconds=LIMIT_S, every=POLL_S):
    end = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > end:
            raise NotThere(what)
        time.sleep(every)


# ---- processes

def with_children(pids):
    """And theirs: some programs watch over a child that does the work."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            parents.setdefault(int(stat[1]), []).append(int(entry.name))
        except (OSError, ValueError):
            continue  # not a process, or gone
    found = list(pids)
    for pid in found:  # grows meanwhile
        found += parents.get(pid, [])
    return found


def cpu_seconds(pids):
    """User and system time, reaped children included."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))
    return total / TICK


def wait_rest(pids, seconds=90):
    """Until they have taken no CPU for six seconds, in which what bulk has taken is given back; or
    for so long, and what they go on doing is measured."""
    end = time.monotonic() + seconds
    since, last = time.monotonic(), cpu_seconds(pids)
    while time.monotonic() - since < 6 and time.monotonic() < end:
        time.sleep(1)
        now = cpu_seconds(pids)
        if now - last > 0.02:
            since = time.monotonic()
        last = now


def memory_mib(pids, field):
    """The largest of the processes: VmRSS, or VmHWM, its peak."""
    sizes = [0]
    for pid in pids:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        sizes.append(int(re.search(rf"^{field}:\s+(\d+)", status, re.M).group(1)))
    return max(sizes) / 1024


def wakeups(pids):
    """How often any of the threads has gone to sleep."""
    total = 0
    for pid in pids:
        for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
            status = (thread / "status").read_text()
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M).group(1))
    return total


# ---- files

def random_bytes(size, seed):
    return random.Random(seed).randbytes(size)


def make_tree(root, count, size):
    """`count` files of `size` bytes in directories of 100; the names, relative."""
    names = []
    for number in range(count):
        name = f"d{number // 100:04}/f{number % 100:02}"
        if number % 100 == 0:
            os.makedirs(root / f"d{number // 100:04}")
        (root / name).write_bytes(random_bytes(size, number))
        names.append(name)
    return names


def make_big(path, mib):
    with open(path, "wb") as file:
        for number in range(mib):
            file.write(random_bytes(1 << 20, number))


def make_tiny(root, count):
    """As many small files, in directories of 1,000."""
    for number in range(0, count, 1000):
        folder = root / f"d{number // 100000}" / f"e{number // 1000 % 100}"
        folder.mkdir(parents=True)
        base = os.open(folder, os.O_RDONLY)
        for file in range(number, min(number + 1000, count)):
            made = os.open(f"f{file % 1000}", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=base)
            os.write(made, b"%d\n" % file)
            os.close(made)
        os.close(base)


def make_text(path, mib):
    """Lines of a log: about a tenth of it is news."""
    chance = random.Random(1)
    words = [f"word{number}" for number in range(500)]
    with open(path, "wb") as file:
        for number in range(mib):
            lines = []
            size = 0
            while size < 1 << 20:
                said = " ".join(chance.choices(words, k=12))
                line = f"{number:06} {chance.random():.6f} {said}\n"
                lines += [line] * 4
                size += 4 * len(line)
            file.write("".join(lines).encode()[:1 << 20])


def find_seconds(root):
    """What a bare look at all of a tree costs."""
    begin = time.perf_counter()
    subprocess.run(["find", root, "-printf", "%s %T@ %C@ %i %m %p\\n"], stdout=subprocess.DEVNULL,
                   check=True)
    return time.perf_counter() - begin


def size_is(path, size):
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False


def wait_tree(root, names, size):
    """Until all of them have their size; looks at each about once."""
    left = list(names)

    def all_there():
        while left and size_is(root / left[-1], size):
            left.pop()
        return not left
    wait_until(all_there, f"{len(names)} files", every=0.002)


def has_bytes(path, data):
    try:
        return os.stat(path).st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def wait_bytes(path, data):
    wait_until(lambda: has_bytes(path, data), str(path))


def same_file(left, right):
    with open(left, "rb") as one, open(right, "rb") as other:
        while True:
            a, b = one.read(1 << 20), other.read(1 << 20)
            if a != b:
                return False
            if not a:
                return True


def check_same(left, right, names):
    for name in names:
        if not same_file(left / name, right / name):
            raise NotThere(f"{name} has come, but with other bytes")
