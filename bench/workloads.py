# SPDX-License-Identifier: MIT
"""The workloads. Each takes a fresh program and yields (row, value): latencies one by one, of all
else one value a run. A row is named by what happens; its unit is its last word."""

import concurrent.futures
import hashlib
import os
import random
import shutil
import time

import harness
import measure
import programs

SAVE_BYTES = 4096
SIDES = "AB"
SAVE_BUDGET_S = 8.0
BACK_TIMES = 3


def timed(program, change, seen):
    """From just before the change until it is seen on B."""
    begin = time.perf_counter()
    change()
    if not program.live:
        program.push()
    seen()
    return time.perf_counter() - begin


# ---- saves

def save_rename(path, data):
    temporary = path.with_name(f".{path.name}.swp")
    temporary.write_bytes(data)
    return data, lambda: os.rename(temporary, path)


def save_in_place(path, data):
    return data, lambda: path.write_bytes(data)


def save_append(path, data):
    def append():
        with open(path, "ab") as file:
            file.write(data[:100])
    return path.read_bytes() + data[:100], append


SAVES = {"rename": save_rename, "in place": save_in_place, "append": save_append}


def saves(program, names, samples):
    """Each sample another file and another size, so that nothing waits for a file that is written
    again and again, and none is overlooked by who compares size and second."""
    chance = random.Random(1)
    order = chance.sample(names, min(len(names), samples * len(SAVES)))
    for kind, save in SAVES.items():
        end = time.monotonic() + SAVE_BUDGET_S
        for number in range(samples):
            if not order or (number >= 5 and time.monotonic() > end):
                break
            name = order.pop()
            data = chance.randbytes(SAVE_BYTES + 1 + number)
            whole, change = save(program.a / name, data)
            seconds = timed(program, change,
                            lambda n=name, w=whole: measure.wait_bytes(program.b / n, w))
            yield f"save to visible, {kind} [ms]", seconds * 1000
            time.sleep(chance.uniform(0.1, 0.3))


# ---- many small files, and what follows once they are there

def first_sync(program, count):
    """Returns the names; B is empty before."""
    program.prepare()
    names = measure.make_tree(program.a, count, SAVE_BYTES)
    cpu = programs.cpu_total(program)
    text = f"{count:,} files of 4 KiB"
    seconds = timed(program, program.start,
                    lambda: measure.wait_tree(program.b, names, SAVE_BYTES))
    yield f"{text}, B empty [s]", seconds
    programs.settle(program)
    yield f"{text}, CPU of both [s]", programs.cpu_total(program) - cpu
    if program.live:  # of a run by hand nothing is left to be asked
        yield f"{text}, peak memory of one [MiB]", measure.memory_mib(program.pids(), "VmHWM")
    measure.check_same(program.a, program.b, names)
    return names


def small(program, options):
    """A tenth of `files`, and nothing else: short enough to be run often."""
    yield from first_sync(program, options.files // 10)


def tree(program, options):
    """Very many, and nothing else."""
    yield from first_sync(program, options.many)


def files(program, options):
    names = yield from first_sync(program, options.files)
    yield from saves(program, names, options.samples)
    names = yield from rename(program, names)
    if program.live:
        yield from idle(program, options, options.files)
    yield from reconnect(program, names)
    yield from restart(program, options.files)


def rename(program, names):
    programs.settle(program)
    top = program.a / "renamed"
    os.mkdir(top)
    moved = [f"renamed/{name}" for name in names]

    def change():
        for name in sorted({name.split("/")[0] for name in names}):
            os.rename(program.a / name, top / name)
    sizes = {name: os.stat(program.a / name).st_size for name in names}

    def seen():
        for name, old in zip(moved, names):
            measure.wait_until(lambda n=name, o=old: measure.size_is(program.b / n, sizes[o]), name)
    yield f"directories of {len(names):,} files renamed [s]", timed(program, change, seen)
    return moved


def idle(program, options, count):
    programs.settle(program)
    measure.wait_rest(program.pids())
    pids = program.pids()
    cpu, woken = measure.cpu_seconds(pids), measure.wakeups(pids)
    time.sleep(options.idle)
    per = options.idle * len(SIDES)
    text = f"idle with {count:,} files"
    yield f"{text}: CPU of one [ms/s]", (measure.cpu_seconds(pids) - cpu) * 1000 / per
    yield f"{text}: wakeups of one [1/s]", (measure.wakeups(pids) - woken) / per
    yield f"{text}: memory of one [MiB]", measure.memory_mib(pids, "VmRSS")


def reconnect(program, names):
    """B was off when one file changed on A; from B's start."""
    programs.settle(program)
    program.stop("b")
    data = os.urandom(SAVE_BYTES + 77)
    (program.a / names[0]).write_bytes(data)
    time.sleep(2.5 if program.live else 0)
    seconds = timed(program, lambda: program.start("b"),
                    lambda: measure.wait_bytes(program.b / names[0], data))
    yield f"B back, 1 of {len(names):,} changed [ms]", seconds * 1000


def restart(program, count):
    """Both start over what is the same, until all is known to be."""
    programs.settle(program)
    program.stop()

    seconds = timed(program, program.start, program.ready)
    yield f"start over {count:,} unchanged files [ms]", seconds * 1000


# ---- very many files, on both sides already

def many(program, options):
    """Both sides have them when they first meet; then what a start and one change cost."""
    program.prepare()
    names = measure.make_tree(program.a, options.many, SAVE_BYTES)
    shutil.copytree(program.a, program.b, dirs_exist_ok=True,
                    ignore=lambda *_: [".cfgsync"])  # with the times that they have on A
    text = f"{options.many:,} files on both sides"
    seconds = timed(program, program.start, lambda: known(program, options.many))
    yield f"{text}, first start [s]", seconds
    if program.live:
        yield f"{text}, peak memory of one [MiB]", measure.memory_mib(program.pids(), "VmHWM")
    for _ in range(BACK_TIMES):
        yield from restart(program, options.many)
    for number in range(BACK_TIMES):
        yield from reconnect(program, names[number:] + names[:number])
    if program.live:
        yield from idle(program, options, options.many)


def known(program, count):
    """They have looked at all, and nothing is left to be done."""
    if program.live:
        measure.wait_until(lambda: program.knows(count), f"{count} files are known", every=0.05)
    program.ready()


def million(options, folder):
    """One agent of ours alone with very many small files, beside `find` that prints what a start
    must look at, too."""
    world = harness.World(folder)
    count = options.million
    try:
        agent = world.agent("alpha")
        root = folder / "root"
        root.mkdir()
        measure.make_tiny(root, count)
        agent.start()
        begin = time.perf_counter()
        agent.cli("folder", "add", "f", root, "--with", "all", timeout=1800)
        wait_scanned(agent, count)
        yield f"{count:,} files, first scan [s]", time.perf_counter() - begin
        for _ in range(BACK_TIMES):
            yield f"find -printf over {count:,} files [ms]", measure.find_seconds(root) * 1000
            agent.stop()
            begin = time.perf_counter()
            agent.start(wait=False)
            wait_scanned(agent, count)
            yield f"start of one agent over {count:,} files [ms]", \
                (time.perf_counter() - begin) * 1000
        pid = agent.process.pid
        measure.wait_rest([pid])
        cpu = measure.cpu_seconds([pid])
        time.sleep(options.idle)
        text = f"idle with {count:,} files"
        yield f"{text}: CPU of one [ms/s]", \
            (measure.cpu_seconds([pid]) - cpu) * 1000 / options.idle
        yield f"{text}: memory of one [MiB]", measure.memory_mib([pid], "VmRSS")
    finally:
        world.close(False)


def wait_scanned(agent, count):
    def scanned():
        try:
            folder = agent.folder("f")
        except (harness.Failure, ValueError, KeyError, StopIteration):
            return False  # it does not answer yet
        return folder["scanned"] >= count and not folder["scanning"]
    measure.wait_until(scanned, f"a scan of {count}", seconds=1800, every=0.02)


# ---- one large file

def big(program, options):
    program.prepare()
    size = options.big << 20
    name, text = "big", f"{options.big:,} MiB"
    measure.make_big(program.a / name, options.big)
    cpu = programs.cpu_total(program)
    seconds = timed(program, program.start,
                    lambda: measure.wait_tree(program.b, [name], size))
    yield f"{text} of random bytes [s]", seconds
    programs.settle(program)
    yield f"{text}, CPU of both [s]", programs.cpu_total(program) - cpu
    if program.live:  # of a run by hand nothing is left to be asked
        yield f"{text}, peak memory of one [MiB]", measure.memory_mib(program.pids(), "VmHWM")
    measure.check_same(program.a, program.b, [name])
    yield f"{text}, 4 KiB overwritten [s]", edited(program, name, poke)
    yield f"{text}, 1 MiB appended [s]", edited(program, name, append)
    yield f"{text}, 1 byte inserted in front [s]", edited(program, name, insert)


def text(program, options):
    """What compresses well."""
    program.prepare()
    measure.make_text(program.a / "text", options.big)
    cpu = programs.cpu_total(program)
    seconds = timed(program, program.start,
                    lambda: measure.wait_tree(program.b, ["text"], options.big << 20))
    yield f"{options.big:,} MiB of text [s]", seconds
    programs.settle(program)
    yield f"{options.big:,} MiB of text, CPU of both [s]", programs.cpu_total(program) - cpu
    measure.check_same(program.a, program.b, ["text"])


def bulk(program, options):
    """Saves while a large file crosses. Those that begin after its end do not count."""
    program.prepare()
    names = measure.make_tree(program.a, 100, SAVE_BYTES)
    program.start()
    measure.wait_tree(program.b, names, SAVE_BYTES)
    programs.settle(program)
    outside = program.dir / "state" / "big"
    measure.make_big(outside, options.big)
    os.rename(outside, program.a / "big")
    size = options.big << 20
    for number, name in enumerate(names):
        data = os.urandom(SAVE_BYTES + 1 + number)
        whole, change = save_rename(program.a / name, data)
        if measure.size_is(program.b / "big", size):
            break
        seconds = timed(program, change,
                        lambda n=name, w=whole: measure.wait_bytes(program.b / n, w))
        yield f"save to visible, while {options.big:,} MiB cross [ms]", seconds * 1000
        time.sleep(0.1)
    measure.wait_tree(program.b, ["big"], size)
    measure.check_same(program.a, program.b, ["big"])


def edited(program, name, edit):
    """The edit itself is not timed but for the rename that ends it. What comes is found by its
    inode and time, and compared afterwards."""
    source, target = program.a / name, program.b / name
    programs.settle(program)
    temporary = program.a / ".big.swp"
    edit(source, temporary)
    size = os.stat(temporary).st_size
    before = os.stat(target)

    def there():
        try:
            now = os.stat(target)
        except OSError:
            return False
        return now.st_size == size and now.st_mtime_ns != before.st_mtime_ns
    seconds = timed(program, lambda: os.rename(temporary, source),
                    lambda: measure.wait_until(there, name))
    programs.settle(program)
    measure.check_same(program.a, program.b, [name])
    return seconds


def copied(source, target, front=b""):
    with open(source, "rb") as old, open(target, "wb") as new:
        new.write(front)
        while piece := old.read(1 << 20):
            new.write(piece)


def poke(source, target):
    copied(source, target)
    with open(target, "r+b") as file:
        file.seek(os.stat(source).st_size // 2 + 1)
        file.write(os.urandom(4096))


def append(source, target):
    copied(source, target)
    with open(target, "ab") as file:
        file.write(os.urandom(1 << 20))


def insert(source, target):
    copied(source, target, b"x")


# ---- what the disk and the processor need for it alone

def flushed_save(folder, number):
    data = os.urandom(SAVE_BYTES)
    temporary = folder / "t"
    begin = time.perf_counter()
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, folder / f"f{number}")
    return time.perf_counter() - begin


def logged(log, number):
    """What a commit of an index is to the disk: a piece of a log that is there already."""
    begin = time.perf_counter()
    os.pwrite(log, os.urandom(2 * SAVE_BYTES), number * 2 * SAVE_BYTES)
    os.fdatasync(log)
    return time.perf_counter() - begin


def flushes(options, folder):
    """A save and a commit, each flushed: one after the other, and at the same time."""
    log = os.open(folder / "log", os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(log, bytes(4 * options.samples * SAVE_BYTES), 0)
    os.fsync(log)
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        other.submit(int).result()
        for number in range(options.samples):
            commit = logged(log, 2 * number) * 1000
            yield "floor: 8 KiB of a log overwritten, flushed [ms]", commit
            yield "floor: those two one after the other [ms]", \
                commit + flushed_save(folder, f"a{number}") * 1000
            begin = time.perf_counter()
            save = other.submit(flushed_save, folder, f"b{number}")
            logged(log, 2 * number + 1)
            save.result()
            yield "floor: those two at the same time [ms]", (time.perf_counter() - begin) * 1000
    os.close(log)


def floor(options, folder):
    """No program of these: a flushed save, a copied tree with one flush, a file read and hashed."""
    folder.mkdir()
    for number in range(options.samples):
        yield "floor: 4 KiB written, flushed, renamed [ms]", flushed_save(folder, number) * 1000
    yield from flushes(options, folder)
    measure.make_tree(folder / "tree", options.files, SAVE_BYTES)
    begin = time.perf_counter()
    shutil.copytree(folder / "tree", folder / "copy")
    os.sync()
    yield f"floor: {options.files:,} files of 4 KiB copied, one flush [s]", \
        time.perf_counter() - begin
    measure.make_big(folder / "big", options.big)
    begin = time.perf_counter()
    with open(folder / "big", "rb") as file:
        hashlib.file_digest(file, "sha256")
    yield f"floor: {options.big:,} MiB read and hashed [s]", time.perf_counter() - begin
    os.unlink(folder / "big")
    yield f"find -printf over {options.files:,} files [ms]", \
        measure.find_seconds(folder / "tree") * 1000


# ---- many agents

def company(world, count):
    """Each knows all others by its config file: with 50, commands would be 2,450."""
    agents = [world.agent(f"n{number}") for number in range(count)]
    for one in agents:
        peers = (f'peer {other.name} {{ id = "{other.device_id}" '
                 f'address = {{"{other.address}"}} }}\n' for other in agents if other is not one)
        with open(one.home / "config", "a", encoding="ascii") as config:
            config.writelines(peers)
    for one in agents:
        one.start(wait=False)
    for one in agents:
        harness.wait_for(one.answers, "an answer", seconds=60)
    return agents


def mesh(count, options, folder):
    """Ours alone: all know all; from a new file on the first until the last has it."""
    world = harness.World(folder)
    try:
        agents = company(world, count)
        for agent in agents:
            agent.folder_add("f")
        (agents[0].paths["f"] / "x").write_bytes(b"")
        for agent in agents:
            agent.sync("f", timeout=120)
        roots = [agent.paths["f"] for agent in agents]
        for number in range(options.samples):
            data = os.urandom(SAVE_BYTES)
            name = f"f{number}"
            temporary = roots[0] / ".f.swp"
            temporary.write_bytes(data)
            begin = time.perf_counter()
            os.rename(temporary, roots[0] / name)
            for root in roots[1:]:
                measure.wait_bytes(root / name, data)
            yield f"{count} agents: new file to visible on all [ms]", \
                (time.perf_counter() - begin) * 1000
            time.sleep(0.2)
        pids = [agent.process.pid for agent in agents]
        yield f"{count} agents: memory of one [MiB]", measure.memory_mib(pids, "VmRSS")
    finally:
        world.close(False)
