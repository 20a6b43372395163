# SPDX-License-Identifier: MIT
"""A program at a terminal: what it prints is read as it comes, keys are typed as they are."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from harness import SLOW, Failure

ESCAPES = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[=>()][0-9A-Za-z]?|[\r\x08]")


class Terminal:
    def __init__(self, world, command, env, cwd=None, rows=50, columns=200):
        self.raw = b""
        self.code = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                for number in (signal.SIGINT, signal.SIGQUIT):  # a background job ignores them
                    signal.signal(number, signal.SIG_DFL)
                os.chdir(cwd or world.dir)
                os.execvpe(command[0], list(map(str, command)), dict(env, TERM="xterm"))
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        world.closers.append(self.close)

    def read(self, seconds=0.05):
        """Takes what there is. False: the program has closed its end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self.fd, 65536)
        except OSError:
            piece = b""
        self.raw += piece
        return bool(piece)

    def text(self):
        """Everything so far, without colours and movements."""
        return ESCAPES.sub("", self.raw.decode("utf-8", "replace"))

    def expect(self, what, seconds=20.0):
        """Waits until the pattern is in what came since the last expectation; returns the match."""
        end = time.monotonic() + seconds * SLOW
        while True:
            found = re.search(what, self.text())
            if found:
                return found
            if not self.read() or time.monotonic() > end:
                found = re.search(what, self.text())
                if found:
                    return found
                raise Failure(f"the terminal does not show {what!r}:\n{self.text()[-3000:]}")

    def send(self, keys):
        os.write(self.fd, keys.encode())

    def clear(self):
        """Forgets what came so far."""
        self.raw = b""

    def end(self, seconds=20.0):
        """Waits for the program's end; its exit code."""
        end = time.monotonic() + seconds * SLOW
        while self.read() and time.monotonic() < end:
            pass
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise Failure(f"it does not end:\n{self.text()[-3000:]}")
            else:
                time.sleep(0.02)
        return self.code

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.code = -9
        os.close(self.fd)
