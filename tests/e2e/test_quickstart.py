#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/quickstart.sh: `demo` ends by itself with `ok: ...` and leaves nothing behind; without it
the agent runs until it is ended, by Ctrl-C or by somebody else."""

import json
import os
import re
import signal
import subprocess

from harness import ROOT, SLOW, check, free_port, main, program, wait_for
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


def prepared(world, agent=None):
    home, temporary = world.dir / "home", world.dir / "tmp"
    for folder in (home, temporary):
        folder.mkdir(exist_ok=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
    env.update(HOME=str(home), TMPDIR=str(temporary), CFGSYNC_AGENT=agent or program())
    return home, temporary, env


def quickstart(world, *args, agent=None):
    home, temporary, env = prepared(world, agent)
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


def is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def runs_until(world, end):
    """Until end(its process group, the agent's pid)."""
    home, _, env = prepared(world)
    subprocess.run([program(), "init", "--name", "here"], env=env, check=True, capture_output=True)
    config = home / ".config/cfgsync/config"
    config.write_text(config.read_text().replace("*:7575", f"127.0.0.1:{free_port()}"))
    said = world.dir / "said"
    with open(said, "wb") as out:
        process = subprocess.Popen(["bash", ROOT / "scripts/quickstart.sh"], env=env, stdout=out,
                                   stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: "Ctrl-C ends the agent." in said.read_text(), said.read_text)
    check((home / "Sync").is_dir(), "the first folder")
    status = subprocess.run([program(), "status", "--json"], env=env, capture_output=True)
    end(process.pid, json.loads(status.stdout)["pid"])
    code = process.wait(timeout=20 * SLOW)
    wait_for(lambda: is_gone(process.pid), "no process is left")
    check(code == 0 and "unbound" not in said.read_text(), f"exit {code}", said.read_text())


def test_ends_with_its_agent(world):
    runs_until(world, lambda _, agent: os.kill(agent, signal.SIGTERM))


def test_ends_by_ctrl_c(world):
    runs_until(world, lambda group, _: os.killpg(group, signal.SIGINT))


def test_usage(world):
    done, _, _ = quickstart(world, "dance")
    check(done.returncode == 2 and "usage" in done.stderr, "exit 2", done.stderr)


if __name__ == "__main__":
    main()
