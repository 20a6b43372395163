#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our agents beside rsync (daemon), unison and syncthing: the same workloads in one run, taking
turns, each in directories that nothing was deleted in. Prints a table of medians with ratios and
writes it, all samples and a plot of each row. docs/BENCH.md says how to read it."""

import argparse
import json
import math
import os
import pathlib
import re
import shutil
import statistics
import sys
import tempfile
import time

import measure
import plot
import programs
import harness
import workloads

LATENCY = "save to visible"
SAMPLES = "samples.json"
FLOOR = "no program"


# Of others than ours only those for which it says something.
ONLY_LIVE = {"bulk"}
WITHOUT_FSYNC = {"many", "text"}
OF_MANY = {"many", "tree"}  # only if there are --many
SIZES = {  # quick, ordinary, full
    "files": (1000, 10000, 10000), "big": (64, 1024, 1024), "samples": (8, 20, 10),
    "idle": (5, 20, 10), "many": (5000, 0, 100000), "million": (0, 0, 1000000),
    "agents": ("2,5", "2,3,10", "2,3,10,50")}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: a few minutes")
    parser.add_argument("--full", action="store_true", help="all there is; takes an hour or more")
    parser.add_argument("--budget", type=float, metavar="MIN",
                        help="begin nothing that would not end in so many minutes: each workload "
                             "once, then again those for which there is time")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each (5)")
    parser.add_argument("--files", type=int, metavar="N", help="small files (10000; quick 1000)")
    parser.add_argument("--many", type=int, metavar="N",
                        help="files of the rows many and tree (0: not; full 100000)")
    parser.add_argument("--million", type=int, metavar="N",
                        help="files of one agent alone (0: not; full 1000000)")
    parser.add_argument("--big", type=int, metavar="MIB", help="the large file (1024; quick 64)")
    parser.add_argument("--samples", type=int, metavar="N", help="saves a run (20; quick 8)")
    parser.add_argument("--idle", type=int, metavar="S", help="seconds of nothing (20; quick 5)")
    parser.add_argument("--agents", default=None, metavar="N,N",
                        help="meshes (2,3,10; quick 2,5; full 2,3,10,50)")
    parser.add_argument("--only", default="floor,small,files,mesh,big,many,bulk,text,tree,million",
                        help="in this order: floor, small, files, mesh, big, many, bulk, text, "
                             "tree, million")
    parser.add_argument("--programs", metavar="NAME,NAME", help="default: all that are installed")
    parser.add_argument("--dir", type=pathlib.Path, help="on which file system (default: /tmp)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"))
    parser.add_argument("--more", action="store_true",
                        help="add to the samples that --out has: runs of another time, each row "
                             "as often as it takes to come to --runs")
    options = parser.parse_args()
    for name, sizes in SIZES.items():
        if getattr(options, name) is None:
            setattr(options, name, sizes[2 if options.full else 0 if options.quick else 1])
    return options


def chosen(options):
    names = options.programs.split(",") if options.programs else None
    wanted = [program for program in programs.ALL if not names or program.name in names]
    for program in wanted:
        if program.missing():
            print(f"without {program.name}: {program.missing()}", flush=True)
    return [program for program in wanted if not program.missing()]


class Results:
    """row -> program -> samples; and in which turns they were taken."""

    def __init__(self):
        self.rows = {}
        self.turns = {}  # of how many there are samples
        self.tasks = {}  # how often each was run

    def take(self, task, samples):
        seen = set()
        for row, value in samples:
            self.rows.setdefault(row, {}).setdefault(task.name, []).append(value)
            counts = self.turns.setdefault(row, {})
            if row not in seen:
                counts[task.name] = counts.get(task.name, 0) + 1
            seen.add(row)
        self.tasks[task.label] = self.tasks.get(task.label, 0) + 1

    def load(self, path):
        saved = json.loads(path.read_text())
        self.rows, self.turns, self.tasks = saved["rows"], saved["turns"], saved["tasks"]

    def save(self, path):
        path.write_text(json.dumps(vars(self), indent=1) + "\n")

    def names(self):
        known = [program.name for program in programs.ALL] + [FLOOR]
        return [name for name in known if any(name in row for row in self.rows.values())]

    def runs(self, row):
        counts = sorted(self.turns[row].values())
        return f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"


def one_turn(program, workload, options, folder):
    running = program(folder)
    try:
        yield from workload(running, options)
    finally:
        running.close()
    # What is large goes; small files stay until the end, since a file system avoids the places
    # of files that were just deleted, and whoever comes next would be measured by that.
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size > 1 << 20:
            path.unlink()


class Task:
    """Something that is run again in each turn, in a folder of its own."""

    def __init__(self, kind, name, runs, guess, begin):
        self.label, self.name, self.runs, self.begin = f"{kind}, {name}", name, runs, begin
        self.seconds = guess  # what it takes: at first a guess, then what it took

    def run(self, folder, results):
        begin = time.monotonic()
        try:
            results.take(self, self.begin(folder))
        except (measure.NotThere, harness.Failure, RuntimeError) as problem:
            print(f"{self.label}: {str(problem)[:500]}", flush=True)
        self.seconds = time.monotonic() - begin


def compared(kind, program):
    if kind in ONLY_LIVE and not program.live:
        return False
    return not (kind in WITHOUT_FSYNC and program is programs.RsyncFsync)


def tasks(options, there):
    ours = programs.Agents in there
    for kind in options.only.split(","):
        runs = options.runs
        guess = {"many": options.many / 1500, "tree": options.many / 400,
                 "million": options.million / 6000, "big": options.big / 20}.get(kind, 0)
        if kind == "floor":
            yield Task(kind, FLOOR, runs, guess, lambda folder: workloads.floor(options, folder))
        elif kind == "mesh":
            for count in map(int, options.agents.split(",") if ours else []):
                yield Task(f"{count} agents", programs.Agents.name, runs, guess,
                           lambda folder, n=count: workloads.mesh(n, options, folder))
        elif kind == "million":
            if ours and options.million:
                yield Task(kind, programs.Agents.name, runs, guess,
                           lambda folder: workloads.million(options, folder))
        elif kind not in OF_MANY or options.many:
            for program in (p for p in there if compared(kind, p)):
                yield Task(kind, program.name, runs, guess,
                           lambda folder, p=program, w=getattr(workloads, kind):
                           one_turn(p, w, options, folder))


def run(options, there, place, results):
    end = time.monotonic() + options.budget * 60 if options.budget else math.inf
    every = list(tasks(options, there))
    for turn in range(options.runs):
        for number, task in enumerate(every):
            done = results.tasks.get(task.label, 0)
            if done >= task.runs or time.monotonic() + task.seconds > end:
                continue
            print(f"run {done + 1}: {task.label}", flush=True)
            task.run(place / f"{turn}t{number}", results)
            write(options, results)


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
    lines = ["| | runs | " + " | ".join(names) + " |", "|---|" + "---:|" * (len(names) + 1)]
    for title, value in (("sees changes by itself", lambda k: "yes" if k.live else "run by hand"),
                         ("survives a power cut", lambda k: k.durable),
                         ("encrypted", lambda k: k.encrypted)):
        cells = [value(kinds[name]) if name in kinds else "" for name in names]
        lines.append(f"| {title} | | " + " | ".join(cells) + " |")
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
        lines.append(f"| {row} | {results.runs(row)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(options, results):
    options.out.mkdir(parents=True, exist_ok=True)
    results.save(options.out / SAMPLES)
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
    if options.more:
        results.load(options.out / SAMPLES)
    try:
        run(options, there, place, results)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    write(options, results)
    print(table(results))
    print(f"\nsamples and plots: {options.out}")


if __name__ == "__main__":
    main()
