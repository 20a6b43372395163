# SPDX-License-Identifier: MIT
"""System calls of an agent made to fail: while it runs with strace, from its start by a library."""

import os
import pathlib
import re
import shutil
import signal
import subprocess

from harness import Skip, check, wait_for

# What goes to the disk when a change comes in: contents, steps, the index.
WRITING = ["openat", "openat2", "pwrite64", "ftruncate", "fdatasync", "fsync", "sync_file_range",
           "syncfs", "fchmod", "chmod", "utimensat", "renameat", "renameat2", "mkdirat",
           "symlinkat", "unlinkat", "fcntl", "flistxattr", "fstatfs"]
READING = ["openat", "openat2", "pread64", "newfstatat", "getdents64", "readlinkat", "fstat"]
ERRORS = ["EIO", "ENOSPC", "EDQUOT", "EACCES", "EMFILE", "EINTR"]


def tracers(pid):
    """The tracer of each thread of a process; 0: none."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
                found.append(int(re.search(r"TracerPid:\s*(\d+)", file.read()).group(1)))
        except (FileNotFoundError, ProcessLookupError):
            pass  # a thread that ended meanwhile
    return found


class Fault:
    """While it lasts, `calls` of the agent end with `error` (or return `retval`) and do nothing.

    when: "3" the third of each thread, "2+" from the second on; paths: only calls about these,
    told by the descriptors and names in them;
    """

    def __init__(self, world, agent, calls, error=None, retval=None, when="1+", paths=()):
        if not shutil.which("strace"):
            raise Skip("strace is not installed")
        self.log = world.dir / f"strace-{agent.name}.log"
        self.log.unlink(missing_ok=True)
        self.what = f"{calls} {error or retval} {when}"
        how = f"error={error}" if error else f"retval={retval}"
        command = ["strace", "-f", "-qq", "-y", "-o", self.log, "-p", agent.process.pid,
                   "-e", f"trace={calls}", "-e", f"inject={calls}:{how}:when={when}"]
        for path in paths:
            command += ["-P", path]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.pid = agent.process.pid
        wait_for(self.attached, lambda: f"strace attaches: {self.text()}")

    def attached(self):
        if self.process.poll() is not None:
            raise Skip(f"strace cannot: {self.process.stderr.read().decode()}")
        return all(t == self.process.pid for t in tracers(self.pid))

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def hits(self):
        return self.text().count("(INJECTED)")

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=30)
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def hit(fault, seconds=20):
    wait_for(lambda: fault.hits() > 0, lambda: f"{fault.what} happens", seconds)
    check(fault.process.poll() is None, "strace is still there")


def preload(world, agent, **settings):
    """The next start of the agent is with badcalls.c, which says what there is to set."""
    library = world.dir / "badcalls.so"
    if not library.exists():
        source = pathlib.Path(__file__).resolve().parent / "badcalls.c"
        done = subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"],
                              check=False, capture_output=True)
        if done.returncode != 0:
            raise Skip(f"the library does not build: {done.stderr.decode()[-300:]}")
    agent.env["LD_PRELOAD"] = str(library)
    agent.env.update({name: str(value) for name, value in settings.items()})
