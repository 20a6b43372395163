#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Start, sync, stop under valgrind: nothing is read that was not written, nothing is left behind.

Not for a program that was built with sanitizers, nor for macOS, which has no valgrind. Any other
test runs this way, too: CFGSYNC_SLOW=10 CFGSYNC_WRAP="..." as below.
"""

import os

os.environ.setdefault(  # before the harness reads them
    "CFGSYNC_WRAP",
    "valgrind -q --leak-check=full --errors-for-leak-kinds=definite,possible --error-exitcode=99")
os.environ.setdefault("CFGSYNC_SLOW", "10")

from harness import check, main, wait_for  # noqa: E402
from trees import conflicts, fill, put, same  # noqa: E402


def test_start_sync_stop(world):
    a, b, on_a, on_b = world.pair()
    fill(on_a, 5, files=40)
    put(on_a / "big", os.urandom(3 << 20))
    a.sync("f")
    same(on_a, on_b)
    os.rename(on_b / "big", on_b / "moved")
    put(on_b / "new/file", "from b")
    b.sync("f")
    same(on_a, on_b)
    b.stop()
    put(on_a / "new/file", "from a")
    put(on_b / "new/file", "from b, later")
    b.start()
    b.sync("f")
    a.sync("f")
    wait_for(lambda: len(conflicts(on_a)) == len(conflicts(on_b)) == 1, "one conflict item")
    same(on_a, on_b)
    check("agent ends" in b.log(), "b has been stopped once", b.log()[-1000:])
    a.stop()  # by a request; b by a signal, at the end of the test


if __name__ == "__main__":
    main()
