#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An agent that may not have more descriptors or memory: it waits, or ends with one message, and
nothing is lost. And a file that is too large to be read soon."""

import os
import resource
import signal
import subprocess
import time

from harness import SLOW, check, die_with_parent, main, wait_for
from trees import conflicts, leftovers, put, same


def limited(descriptors):
    def limit():
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    return limit


def fill(root, prefix, files=400):
    for number in range(files):
        put(root / f"{prefix}{number % 40}/e/f/{number}", os.urandom(3000))
    put(root / f"{prefix}large", os.urandom(20_000_000))


def ends_well(a, b, on_a, on_b):
    wait_for(lambda: a.status()["state"] == "synced" and b.status()["state"] == "synced",
             lambda: f"in step: {a.status()['errors'][:3]} {b.status()['errors'][:3]}", 180,
             every=0.3)
    # What it could not look at for want of descriptors an agent has not told anyone yet.
    for agent in (a, b):
        wait_for(lambda: agent.try_sync("f").code == 0, f"{agent.name} has all", 60)
    same(on_a, on_b)
    check(not conflicts(on_a), "no conflict")
    wait_for(lambda: not leftovers(on_a) + leftovers(on_b),
             lambda: f"staging is empty: {leftovers(on_a) + leftovers(on_b)}", 40)


def test_few_descriptors(world):
    """It says so, and does all the same."""
    a, b, on_a, on_b = world.pair()
    for agent in (a, b):
        agent.stop()
        agent.start(preexec=limited(64))
        check("few descriptors" in agent.log(), "the log says so")
    wait_for(lambda: a.connected("beta") and b.connected("alpha"), "connected")
    fill(on_a, "a")
    fill(on_b, "b")
    ends_well(a, b, on_a, on_b)


def test_no_descriptors(world):
    """None are left while it works: it goes on by itself when there are."""
    a, b, on_a, on_b = world.pair()
    for agent in (a, b):
        pid = agent.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        for spare in (0, 2):
            used = len(os.listdir(f"/proc/{pid}/fd"))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + spare, before[1]))
            fill(on_a, f"{agent.name}{spare}", 60)
            time.sleep(1.5 * SLOW)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        ends_well(a, b, on_a, on_b)
        check(b.minted() == 0, "beta has edited nothing")


def ended(agent, seconds):
    try:
        agent.process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        return False


def exhaust(agent, root):
    """Takes the room away in the middle of its work. How it ended."""
    with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as file:
        now = next(int(line.split()[1]) << 10 for line in file if line.startswith("VmData:"))
    # Not of addresses: malloc has reserved many that it does not use yet.
    limit = now + (256 << 10)
    resource.prlimit(agent.process.pid, resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
    for number in range(12):  # it may have some in hand
        fill(root, f"{agent.name}-{number}-", 800)
        # Over what is still on its way: what has come of that is to leave staging, too.
        put(root / f"{agent.name}-{number}-large", os.urandom(48 << 20))
        if ended(agent, 2 * SLOW):
            break
    code = wait_for(lambda: agent.process.poll(), "it ends", 60)
    agent.process = None
    return code


def test_no_memory(world):
    a, b, on_a, on_b = world.pair()
    for agent in (a, b):
        agent.restart()  # what it has freed since it started would be room
        wait_for(lambda: a.connected("beta") and b.connected("alpha"), "connected")
        code = exhaust(agent, on_a)
        last = agent.log().splitlines()[-1]
        check(code == -signal.SIGABRT and "out of memory" in last.lower(), "one message", code,
              last)
        agent.start()
        wait_for(lambda: a.connected("beta") and b.connected("alpha"), "connected")
        ends_well(a, b, on_a, on_b)


def reads(agent, path):
    fds = f"/proc/{agent.process.pid}/fd"
    for fd in os.listdir(fds):
        try:
            if os.readlink(f"{fds}/{fd}") == str(path):
                return True
        except FileNotFoundError:  # closed meanwhile
            pass
    return False


def reads_on(agent, path):
    for _ in range(6):
        if not reads(agent, path):
            return False
        time.sleep(0.1)
    return True


def test_stop_while_reading(world):
    """What is too large to be read soon does not hold up a stop, nor the next start."""
    a, b, on_a, on_b = world.pair()
    huge = on_a / "huge"
    for _ in range(2):
        with open(huge, "wb") as file:
            file.truncate(1 << 40)
        # Its first look may find it empty yet, and comes again.
        wait_for(lambda: reads_on(a, huge), "it is being read", 30)
        a.stop()
        a.start()
    huge.unlink()
    put(on_a / "small", b"small")
    wait_for(lambda: (on_b / "small").exists(), "the next start goes on")
    a.sync("f")
    check(not (on_b / "huge").exists(), "nothing of it was published")


def test_huge_files(world):
    """However many there are: what is saved beside them goes out and comes in."""
    _, _, on_a, on_b = world.pair()
    for number in range(6):
        with open(on_a / f"huge{number}", "wb") as file:
            file.truncate(1 << 40)
    time.sleep(1)  # the looks at them are under way
    for number in range(5):
        put(on_a / f"from-a{number}", b"small")
        put(on_b / f"from-b{number}", b"small")
    wait_for(lambda: all((on_b / f"from-a{n}").exists() and (on_a / f"from-b{n}").exists()
                         for n in range(5)), "small files pass", 30)


if __name__ == "__main__":
    main()
