#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/coverage.py BUILD ROOM...: lines and branches reached, file by file, over every object of
a build with --coverage. A source that is compiled several times counts as reached where any of its
objects was; what CHECK guards cannot happen and does not count."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def reports(data):
    """What gcov says of one object, source by source."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities",
                           str(data)], capture_output=True, text=True,
                          check=False, cwd=data.parent)
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            yield from json.loads(line)["files"]


def source_of(name, rooms):
    path = (ROOT / name).resolve()
    if not path.is_relative_to(ROOT) or path.suffix != ".c":
        return None
    path = path.relative_to(ROOT)
    return path if any(path.is_relative_to(room) for room in rooms) else None


def collect(build, rooms):
    """{source: {line: [times, [times of each branch]]}}"""
    found = {}
    for data in build.rglob("*.gcda"):
        for report in reports(data):
            source = source_of(report["file"], rooms)
            if source is None:
                continue
            lines = found.setdefault(source, {})
            for line in report["lines"]:
                known = lines.setdefault(line["line_number"], [0, []])
                known[0] += line["count"]
                counts = [b["count"] for b in line["branches"] if not b["throw"]]
                if len(known[1]) < len(counts):
                    known[1] += [0] * (len(counts) - len(known[1]))
                known[1] = [k + (counts[i] if i < len(counts) else 0)
                            for i, k in enumerate(known[1])]
    return found


def sums(source, lines):
    text = (ROOT / source).read_text(encoding="utf-8").splitlines()
    counted = [v for n, v in lines.items() if "CHECK(" not in text[n - 1]]
    branches = [times for _, all_of_it in counted for times in all_of_it]
    return (len(counted), sum(times > 0 for times, _ in counted),
            len(branches), sum(times > 0 for times in branches))


def share(part, whole):
    return f"{part:6} of {whole:6} {100 * part / max(whole, 1):5.1f} %"


def main():
    rooms = [pathlib.Path(room) for room in sys.argv[2:]]
    found = collect(pathlib.Path(sys.argv[1]).resolve(), rooms)
    totals = {room: [0, 0, 0, 0] for room in rooms}
    for source in sorted(found):
        lines, seen, branches, taken = sums(source, found[source])
        print(f"{str(source):34} lines {share(seen, lines)}   branches {share(taken, branches)}")
        for room in rooms:
            if source.is_relative_to(room):
                for i, value in enumerate((lines, seen, branches, taken)):
                    totals[room][i] += value
    print()
    for room, (lines, seen, branches, taken) in totals.items():
        print(f"{str(room):34} lines {share(seen, lines)}   branches {share(taken, branches)}")


if __name__ == "__main__":
    main()
