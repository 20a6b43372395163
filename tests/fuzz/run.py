#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a fuzz target, or keeps what it has found.

    tests/fuzz/run.py TARGET [RUNS]     RUNS (1,000,000) executions; libFuzzer options may follow
    tests/fuzz/run.py --fast TARGET [RUNS]
                                        without sanitizers (preset fuzz-fast), for long runs
    tests/fuzz/run.py --keep TARGET     the fewest inputs that reach all lines reached so far
                                        become tests/fuzz/corpus/TARGET.txt
    tests/fuzz/run.py --list

TARGET is <room>_<subject>, as in tests/fuzz/<room>/fuzz_<subject>.c. Builds with preset fuzz. What
is found on the way is collected in build/fuzz/corpus/TARGET (build/fuzz-fast with --fast); an input
that ends the target is written to build/fuzz/found. CFGSYNC_FUZZ_BUILD=FOLDER is another build
folder of the preset.

A corpus is a text: an input a line, in hex. Inputs that once ended a target stand under a remark
that says so, and stay."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAST = sys.argv[1:2] == ["--fast"]
PRESET = "fuzz-fast" if FAST else "fuzz"
BUILD = pathlib.Path(os.environ.get("CFGSYNC_FUZZ_BUILD", ROOT / "build" / PRESET))
INPUT_BYTES_MAX = 4096
KEEP_MAX, KEEP_BYTES_MAX = 100, 32 << 10
# Memory that an input took is not given back to the system only to be taken again by the next: a
# fifth of the time of those that have an engine.
MALLOC = ("glibc.malloc.trim_threshold=1073741824:glibc.malloc.mmap_threshold=33554432:"
          "glibc.malloc.top_pad=67108864")


def targets():
    found = ROOT.glob("tests/fuzz/*/fuzz_*.c")
    return sorted(f"{path.parent.name}_{path.stem.removeprefix('fuzz_')}" for path in found)


def corpus(target):
    return ROOT / "tests" / "fuzz" / "corpus" / f"{target}.txt"


def inputs(target):
    """(those that stay, with their remarks, as text; all inputs as bytes)"""
    text = corpus(target).read_text() if corpus(target).exists() else ""
    lasting, remarked, found = [], False, []
    for line in text.splitlines():
        if line.startswith("#"):
            remarked = True
            lasting.append(line)
            continue
        found.append(bytes.fromhex(line))
        if remarked:
            lasting.append(line)
        remarked = False
    return lasting, found


def build(target):
    if not (BUILD / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", PRESET, "-B", BUILD], cwd=ROOT, check=True)
    subprocess.run(["cmake", "--build", BUILD, "--target", f"fuzz_{target}"], check=True)
    own = BUILD / "corpus" / target
    own.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs(target)[1]):
        (own / f"kept-{number}").write_bytes(data)
    return BUILD / "tests" / f"fuzz_{target}", own


def run(target, runs, options):
    program, own = build(target)
    found = BUILD / "found"
    found.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ, GLIBC_TUNABLES=MALLOC) if FAST else None
    # With entropic, choosing what to change next costs more than trying it.
    return subprocess.run(
        [program, f"-runs={runs}", f"-max_len={INPUT_BYTES_MAX}", "-timeout=20", "-entropic=0",
         "-rss_limit_mb=3000", "-print_final_stats=1", f"-artifact_prefix={found}/{target}-",
         *options, own], env=env, check=False).returncode


def coverage(control):
    """(bytes, the edges they reach) from libFuzzer's merge control file."""
    lines = control.read_text(errors="replace").split("\n")
    count = int(lines[0])
    files = lines[2:2 + count]
    edges = {}
    for line in lines[2 + count:]:
        words = line.split()
        if words and words[0] == "FT":  # an edge and how often, in eight steps
            edges.setdefault(int(words[1]), set()).update(int(word) // 8 for word in words[2:])
    return [(pathlib.Path(files[number]).read_bytes(), reached)
            for number, reached in edges.items()]


def fewest(all_inputs):
    """The fewest, near enough; short ones first."""
    chosen, size = [], 0
    missing = set().union(*(reached for _, reached in all_inputs))
    while missing and len(chosen) < KEEP_MAX:
        data, reached = max(all_inputs, key=lambda i: (len(i[1] & missing), -len(i[0])))
        missing -= reached
        if size + len(data) <= KEEP_BYTES_MAX:
            chosen.append(data)
            size += len(data)
    return chosen


def keep(target):
    program, own = build(target)
    with tempfile.TemporaryDirectory() as folder:
        control, merged = pathlib.Path(folder, "control"), pathlib.Path(folder, "merged")
        merged.mkdir()
        subprocess.run([program, "-merge=1", f"-merge_control_file={control}", merged, own],
                       check=True)
        chosen = fewest(coverage(control))
    lasting = inputs(target)[0]
    more = sorted(data.hex() for data in chosen if data.hex() not in lasting)
    corpus(target).parent.mkdir(exist_ok=True)
    corpus(target).write_text("".join(line + "\n" for line in lasting + more))
    print(f"{target}: {len(chosen)} inputs")
    return 0


def main():
    arguments = sys.argv[2:] if FAST else sys.argv[1:]
    if arguments == ["--list"]:
        print("\n".join(targets()))
        return 0
    if len(arguments) == 2 and arguments[0] == "--keep" and arguments[1] in targets():
        return keep(arguments[1])
    if not arguments or arguments[0] not in targets() or not shutil.which("clang-14"):
        print(__doc__, file=sys.stderr)
        return 2
    runs = arguments[1] if len(arguments) > 1 else "1000000"
    return run(arguments[0], runs, arguments[2:])


if __name__ == "__main__":
    sys.exit(main())
