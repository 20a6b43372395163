#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Includes go down only: each room may include what ROOMS says, and nothing else.

Also: every third-party header belongs to one room (agent/base/json.h is the one door to jansson),
a room's *_priv.h stays in the room, and the USES of CMakeLists.txt are this same table.
"""

import pathlib
import re
import sys

import tree

# Room: folder, floor, the rooms it may include.
ROOMS = {
    "base": ("agent/base", 0, ""),
    "proto": ("proto", 1, "base"),
    "crypto": ("crypto", 1, "proto base"),
    "core": ("agent/core", 2, "proto crypto base"),
    "delta": ("agent/delta", 2, "base"),
    "sync": ("agent/sync", 3, "core delta crypto proto base"),
    "store": ("agent/store", 3, "core crypto proto base"),
    "fs": ("agent/fs", 3, "core delta crypto proto base"),
    "net": ("agent/net", 3, "crypto proto base"),
    "api": ("agent/api", 3, "base"),
    "discovery": ("discovery", 3, "base"),
    "cli": ("agent/cli", 4, "api store crypto proto base"),
    "daemon": ("agent/daemon", 4, "sync store fs net api discovery core delta crypto proto base"),
}

# Nothing includes its neighbours, but for these: words that keys are made for, and the one main()
# that is both the daemon and its command line.
SIDEWAYS = {("crypto", "proto")}
MAIN = ("agent/daemon/main.c", "cli")

# Third-party header (a prefix of what stands in the brackets): the one place that includes it.
OWNERS = {
    "jansson": "agent/base/json.h",
    "sodium": "crypto/",
    "openssl/": "crypto/",
    "utf8proc": "proto/",
    "msgpack": "proto/",
    "sqlite3": "agent/store/",
    "zmq": "agent/net/",
    "zstd": "agent/delta/",
    "librsync": "agent/delta/",
    "CoreServices/": "agent/fs/",
    "copyfile.h": "agent/fs/",
    "microhttpd": "agent/api/",
    "curl/": "agent/api/",
    "confuse": "agent/daemon/",
    "avahi-": "discovery/",
    "dns_sd": "discovery/",
}

# What belongs to the language and the system, and so to nobody.
SYSTEM = re.compile(
    r"^(assert|ctype|dirent|endian|errno|fcntl|float|fnmatch|ftw|fts|getopt|grp|ifaddrs|inttypes|"
    r"langinfo|libgen|limits|locale|malloc|math|netdb|poll|pthread|pwd|regex|sched|semaphore|"
    r"setjmp|signal|spawn|stdalign|"
    r"stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|"
    r"termios|threads|time|unistd|wchar)\.h$|"
    r"^(sys|arpa|net|netinet|linux|mach|asm|uuid|CoreFoundation)/"
)

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:<([^>\n]+)>|"([^"\n]+)")', re.M)
FREE = ("tests/", "bench/", "scripts/")  # include any room; third-party headers are their own
PRIVATE = re.compile(r"_priv\.h$")


def room_of(path):
    parent = pathlib.PurePosixPath(path).parent.as_posix()
    for name, (folder, _, _) in ROOMS.items():
        if parent == folder or parent.startswith(folder + "/"):
            return name
    return None


def table_problems():
    """The table itself: known rooms, and arrows that go down."""
    for name, (_, floor, uses) in ROOMS.items():
        for used in uses.split():
            if ROOMS[used][1] >= floor and (name, used) not in SIDEWAYS:
                yield f"tests/lint/layers.py: the arrow {name} -> {used} does not go down"


def ours(path, line, header, room):
    """Problems of one include of a header of ours."""
    target = room_of(header)
    where = f"{path}:{line}"
    if target is None:
        yield f'{where}: "{header}" is in no room; write the path from the top'
        return
    if PRIVATE.search(header) and target != room:
        yield f'{where}: "{header}" is private to {target}'
    if room is None or target == room or target in ROOMS[room][2].split():
        return
    if (path, target) == MAIN:
        return
    yield f'{where}: {room} may not include {target} ("{header}")'


def foreign(path, line, header, free):
    """Problems of one include in angle brackets."""
    if SYSTEM.search(header) or free:
        return
    owner = next((o for prefix, o in OWNERS.items() if header.startswith(prefix)), None)
    if owner is None:
        yield f"{path}:{line}: <{header}> has no owner in tests/lint/layers.py"
    elif not path.startswith(owner):
        yield f"{path}:{line}: <{header}> belongs to {owner}"


def file_problems(path, text):
    free = path.startswith(FREE)
    room = None if free else room_of(path)
    if room is None and not free:
        yield f"{path}: is in no room"
        return
    # A test of a room may look behind its door.
    of_room = path.startswith(("tests/unit/", "tests/fuzz/"))
    inside = path.split("/")[2] if of_room else room
    code = tree.without(text, strings=False)
    for match in INCLUDE.finditer(code):
        line = tree.line_of(code, match.start())
        if match.group(1):
            yield from foreign(path, line, match.group(1), free)
        elif free:
            header = match.group(2)
            target = room_of(header)
            if PRIVATE.search(header) and target is not None and target != inside:
                yield f'{path}:{line}: "{header}" is private to {target}'
        else:
            yield from ours(path, line, match.group(2), room)


def cmake_problems(text):
    """CMake's USES may not promise what the table forbids."""
    for match in re.finditer(r"cfgsync_room\((\w+) DIR ([\w/]+)([^)]*)\)", text):
        name, folder, rest = match.groups()
        if name not in ROOMS or ROOMS[name][0] != folder:
            yield f"CMakeLists.txt: room {name} in {folder} is not in tests/lint/layers.py"
            continue
        uses = re.search(r"USES((?: \w+)*?)(?: LIBS|$)", rest.strip())
        allowed = ROOMS[name][2].split()
        for used in uses.group(1).split() if uses else []:
            if used not in allowed:
                yield f"CMakeLists.txt: room {name} uses {used}, which it may not include"


def problems(root):
    yield from table_problems()
    for path, full in tree.files(root, ".c", ".h"):
        yield from file_problems(path, tree.read(full))
    cmake = root / "CMakeLists.txt"
    if cmake.exists():
        yield from cmake_problems(tree.read(cmake))


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else tree.ROOT
    found = list(problems(root))
    for problem in found:
        print(problem)
    print(f"layers: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
