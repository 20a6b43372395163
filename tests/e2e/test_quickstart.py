#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/quickstart.sh demo: ends by itself with `ok: ...`, and leaves nothing behind."""

import os
import re
import subprocess

from harness import ROOT, SLOW, check, main, program
from trees import tree


def processes_with(text):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if text.encode() in file.read() and int(pid) != os.getpid():
                    found.append(pid)
        except OSError:
            pass
    return found


def quickstart(world, *args, agent=None):
    home, temporary = world.dir / "home", world.dir / "tmp"
    for folder in (home, temporary):
        folder.mkdir(exist_ok=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
    env.update(HOME=str(home), TMPDIR=str(temporary), CFGSYNC_AGENT=agent or program())
    return subprocess.run(["bash", ROOT / "scripts/quickstart.sh", *args], env=env, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=90 * SLOW), \
        home, temporary


def test_demo(world):
    done, home, temporary = quickstart(world, "demo")
    check(done.returncode == 0, "exit 0", done.stdout, done.stderr)
    last = done.stdout.rstrip().splitlines()[-1]
    print(f"    {last}")
    check(re.match(r"ok: .*hello\.txt.* \d+ ms.* \d+ ms$", last), "the last line", done.stdout)
    check(not processes_with(str(temporary)), "no process is left")
    check(not os.listdir(temporary), "the temporary folder is empty", os.listdir(temporary))
    check(not tree(home, everything=True), "nothing in the home folder", tree(home, True))


def test_demo_fails_loudly(world):
    """With a program that does not work it says so, and leaves nothing either."""
    broken = world.dir / "broken"
    broken.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    broken.chmod(0o755)
    done, _, temporary = quickstart(world, "demo", agent=str(broken))
    check(done.returncode != 0, "it fails", done.stdout, done.stderr)
    check("ok:" not in done.stdout, "no ok", done.stdout)
    check(not os.listdir(temporary), "the temporary folder is empty")


def test_usage(world):
    done, _, _ = quickstart(world, "dance")
    check(done.returncode == 2 and "usage" in done.stderr, "exit 2", done.stderr)


if __name__ == "__main__":
    main()
