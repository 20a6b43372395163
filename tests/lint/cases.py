#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/CASES.md: every hard case has its row, and every test that a row names exists."""

import pathlib
import re
import sys

import tree

ROWS = 96
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \|$")
NAME = re.compile(r"`([^`]+)`")
NOT_SHOWN = "not shown: "


def functions(root, name):
    """The tests that are run: a Python script runs all it has, a C program what it names again."""
    room = name.split("/")[0]
    path = root / ("tests" if room == "e2e" else "tests/unit") / name
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    if room == "e2e":
        return set(re.findall(r"^def (test_\w+)\(", text, re.M))
    found = re.findall(r"^static void (test_\w+)\(", text, re.M)
    return {test for test in found if len(re.findall(rf"\b{test}\b", text)) > 1}


def fault(root, reference):
    """None, or what is wrong with one name."""
    name, _, word = reference.partition(":")
    if name == "sim":
        header = (root / "tests/sim/sim.h").read_text(encoding="utf-8")
        return None if re.search(rf"\b{re.escape(word)}\b", header) else "not in tests/sim/sim.h"
    known = functions(root, name)
    if known is None:
        return "no such file"
    return None if word in known else "no such test"


def problems(root):
    seen = set()
    lines = (root / "docs/CASES.md").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        row = ROW.match(line)
        if not row or not row.group(1).isdigit():
            continue
        seen.add(int(row.group(1)))
        names = NAME.findall(row.group(3))
        if not names and not row.group(3).startswith(NOT_SHOWN):
            yield number, "names no test"
        for name in names:
            what = fault(root, name)
            if what:
                yield number, f"{name}: {what}"
    for missing in sorted(set(range(1, ROWS + 1)) - seen):
        yield len(lines), f"row {missing} is missing"


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else tree.ROOT
    found = list(problems(root))
    for line, what in found:
        print(f"docs/CASES.md:{line}: {what}")
    print(f"cases: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
