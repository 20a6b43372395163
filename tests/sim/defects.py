#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each planted defect must be found within the runs that docs/TESTING.md states.

    defects.py SIM_PLANTED                 all of them, each until it is found or not
    defects.py SIM_PLANTED --within N      those that N runs are stated for, at most
    defects.py SIM_PLANTED NAME...         these

Ends with `N passed, N failed`. The table and the marks in the sources must name the same.
"""

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `(\w+)` \|.*\| (?:`([\w-]+)` )?\| (\d+) \|[^|]*\|$", re.M)
ANY = re.compile(r"^\| `(\w+)` \|", re.M)
MARK = re.compile(r"\bPLANTED\((\w+)\)")


def stated():
    """Name of a defect -> its focus, and runs within which it is found; and all names."""
    text = (TOP / "docs/TESTING.md").read_text().split("| defect |")[1].split("\n\n")[0]
    rows = {name: (["--focus", focus] if focus else [], int(runs))
            for name, focus, runs in ROW.findall(text)}
    return rows, set(ANY.findall(text))


def marked():
    names = set()
    for source in (TOP / "agent").rglob("*.c"):
        names |= set(MARK.findall(source.read_text()))
    return names


def try_one(sim, name, focus, runs):
    """True: found."""
    command = [sim, *focus, "--defect", name, "--runs", str(runs), "--until-failed"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = done.stdout.splitlines()
    why = next((line for line in lines if line.startswith("FAILED seed ")), None)
    print(f"{name}: {why or 'not found'}, {lines[-1] if lines else 'no output'}", flush=True)
    if done.returncode != 1 or why is None:
        return False
    # Without the defect the same run is good, or it was not the defect that was found.
    seed = re.match(r"FAILED seed (\d+)", why).group(1)
    sound = subprocess.run([sim, *focus, "--seed", seed], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    if sound.returncode != 0:
        print(f"{name}: seed {seed} fails without it, too", flush=True)
    return sound.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sim")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--within", type=int, default=sys.maxsize)
    options = parser.parse_args()
    table, known = stated()
    failed = len(marked() ^ known | known ^ set(table))
    for name in sorted(marked() ^ known):
        print(f"{name}: in the {'sources' if name in marked() else 'table'} alone")
    for name in sorted(known - set(table)):
        print(f"{name}: its row states no number of runs")
    chosen = [n for n, (_, runs) in table.items()
              if n in options.names or (not options.names and runs <= options.within)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        found = list(pool.map(lambda n: try_one(options.sim, n, *table[n]), chosen))
    failed += found.count(False)
    print(f"{found.count(True)} passed, {failed} failed")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
