#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our agents beside rsync (daemon), unison and syncthing: the same workloads in one run, taking
turns, each in directories that nothing was deleted in. Prints a table of medians with ratios and
writes it, all samples and a plot of each row. docs/BENCH.md says how to read it."""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import sys
import tempfile

import measure
import plot
import programs
import workloads

LATENCY = "save to visible"
FLOOR = "no program"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: a few minutes")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each (5)")
    parser.add_argument("--files", type=int, metavar="N", help="small files (10000; quick 1000)")
    parser.add_argument("--big", type=int, metavar="MIB", help="the large file (1024; quick 64)")
    parser.add_argument("--samples", type=int, metavar="N", help="saves a run (20; quick 8)")
    parser.add_argument("--idle", type=int, metavar="S", help="seconds of nothing (20; quick 5)")
    parser.add_argument("--agents", default=None, metavar="N,N", help="meshes (2,3,10; quick 2,5)")
    parser.add_argument("--only", default="files,big,mesh,floor",
                        help="files, big, mesh, floor")
    parser.add_argument("--programs", metavar="NAME,NAME", help="default: all that are installed")
    parser.add_argument("--dir", type=pathlib.Path, help="on which file system (default: /tmp)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"))
    options = parser.parse_args()
    sizes = dict(files=1000, big=64, samples=8, idle=5, agents="2,5") if options.quick else \
        dict(files=10000, big=1024, samples=20, idle=20, agents="2,3,10")
    for name, value in sizes.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def chosen(options):
    names = options.programs.split(",") if options.programs else None
    wanted = [program for program in programs.ALL if not names or program.name in names]
    for program in wanted:
        if program.missing():
            print(f"without {program.name}: {program.missing()}", flush=True)
    return [program for program in wanted if not program.missing()]


class Results:
    """row -> program -> samples."""

    def __init__(self):
        self.rows = {}

    def take(self, name, samples):
        for row, value in samples:
            self.rows.setdefault(row, {}).setdefault(name, []).append(value)

    def names(self):
        known = [program.name for program in programs.ALL] + [FLOOR]
        return [name for name in known if any(name in row for row in self.rows.values())]


def one_turn(program, workload, options, folder, results):
    running = program(folder)
    try:
        results.take(program.name, workload(running, options))
    except (measure.NotThere, RuntimeError) as problem:
        print(f"{program.name}, {workload.__name__}: {problem}", flush=True)
    finally:
        running.close()
    # What is large goes; small files stay until the end, since a file system avoids the places
    # of files that were just deleted, and whoever comes next would be measured by that.
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size > 1 << 20:
            path.unlink()


def run(options, there, place, results):
    kinds = options.only.split(",")
    meshes = options.agents.split(",") if "mesh" in kinds and programs.Agents in there else []
    for turn in range(options.runs):
        for workload in (workloads.files, workloads.big):
            for program in there if workload.__name__ in kinds else []:
                print(f"run {turn + 1}: {workload.__name__}, {program.name}", flush=True)
                folder = place / f"{turn}{workload.__name__[0]}{programs.ALL.index(program)}"
                one_turn(program, workload, options, folder, results)
        for count in map(int, meshes):
            print(f"run {turn + 1}: {count} agents", flush=True)
            results.take(programs.Agents.name,
                         workloads.mesh(count, options, place / f"{turn}m{count}"))
        if "floor" in kinds:
            results.take(FLOOR, workloads.floor(options, place / f"{turn}floor"))


# ---- what is shown

def unit(row):
    return re.search(r"\[(.*)\]", row).group(1)


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def p99(samples):
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * 0.99))]


def table(results):
    """Markdown. Behind each median: how many times ours it is."""
    names = results.names()
    kinds = {program.name: program for program in programs.ALL}
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for title, value in (("sees changes by itself", lambda k: "yes" if k.live else "run by hand"),
                         ("survives a power cut", lambda k: k.durable),
                         ("encrypted", lambda k: k.encrypted)):
        cells = [value(kinds[name]) if name in kinds else "" for name in names]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    for row, samples in results.rows.items():
        ours = statistics.median(samples.get(programs.Agents.name, [0]))
        cells = []
        for name in names:
            if name not in samples:
                cells.append("-")
                continue
            median = statistics.median(samples[name])
            text = number(median)
            if LATENCY in row and len(samples[name]) >= 20:
                text += f" (p99 {number(p99(samples[name]))})"
            if name != programs.Agents.name and ours > 0:
                text += f" ×{number(median / ours)}"
            cells.append(text)
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(options, results):
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "samples.json").write_text(json.dumps(results.rows, indent=1))
    (options.out / "table.md").write_text(table(results) + "\n")
    for row, samples in results.rows.items():
        values = [(name, statistics.median(samples[name])) for name in samples]
        name = re.sub(r"[^a-z0-9]+", "-", row.lower()).strip("-")
        (options.out / f"{name}.svg").write_text(
            plot.bars(row.rpartition(" [")[0], values, lambda v, u=unit(row): f"{number(v)} {u}"))


def main():
    options = arguments()
    there = chosen(options)
    if not there:
        sys.exit("nothing to measure")
    place = pathlib.Path(tempfile.mkdtemp(prefix="b-", dir=options.dir))
    os.environ["TMPDIR"] = str(place)
    results = Results()
    try:
        run(options, there, place, results)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    write(options, results)
    print(table(results))
    print(f"\nsamples and plots: {options.out}")


if __name__ == "__main__":
    main()
