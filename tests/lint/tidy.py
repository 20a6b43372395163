#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rules of style that a machine can check; each finding is one line, FILE:LINE: what."""

import pathlib
import re
import sys

import tree

COLUMNS_MAX = 100
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

# What is allowed to break a rule, and why: (file, rule) -> reason. Rules: file-lines,
# function-lines:NAME, call:NAME. Keep it short.
ALLOWED = {
    ("agent/fs/beyond_linux.c", "call:chmod"): "of /proc/self/fd/N: there is no fchmod for O_PATH",
    ("agent/fs/beyond_linux.c", "call:readlink"): "of /proc/self/fd/N: where a descriptor is",
    ("agent/fs/health.c", "call:mkdir"): "the root itself, by the path its owner chose",
}

CODE = (".c", ".h", ".py", ".sh", ".cmake", "CMakeLists.txt")
SPDX = "SPDX-License-Identifier: MIT"
SPDX_SUFFIXES = (".c", ".h", ".py", ".sh")

# Call: what to use instead. Everywhere in C.
BANNED = {
    "strcpy": "a slice or a buf",
    "strncpy": "a slice or a buf",
    "stpcpy": "a slice or a buf",
    "strcat": "buf_append",
    "strncat": "buf_append",
    "sprintf": "buf_printf or snprintf",
    "vsprintf": "buf_printf or vsnprintf",
    "gets": "getline",
    "system": "nothing: no shell is ever started",
    "popen": "nothing: no shell is ever started",
    "alloca": "an arena",
    "rand": "a generator handed in",
    "tmpnam": "a descriptor of the directory",
    "mktemp": "a descriptor of the directory",
    "atoi": "strtoll with its end checked",
    "atol": "strtoll with its end checked",
}

# Below agent/fs no path string reaches the kernel: every call is relative to a descriptor, but for
# the root itself, by the path its owner chose.
BANNED_FS = {
    name: name + "at or the root's own call"
    for name in (
        "open creat rename unlink remove rmdir mkdir stat lstat chmod chown utime utimes truncate "
        "symlink link readlink opendir access mknod mkfifo fopen scandir realpath chdir"
    ).split()
}
OUTPUT = re.compile(r"\b(?:printf|puts|putchar|vprintf|perror)\s*\(|\bf(?:printf|puts)\s*\(\s*std")
OUTPUT_SPEAKS = ("agent/cli/", "agent/daemon/", "agent/base/check.c", "tests/", "bench/")
LEFTOVER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")


def banned(path, code):
    rules = dict(BANNED)
    if path.startswith("agent/fs/"):
        rules.update(BANNED_FS)
    if path.startswith(("tests/", "bench/")):
        rules = {name: rules[name] for name in ("gets", "strcpy", "sprintf", "strcat")}
    names = "|".join(sorted(rules, key=len, reverse=True))
    for match in re.finditer(r"(?<![\w.>])(" + names + r")\s*\(", code):
        name = match.group(1)
        of_root = name in BANNED_FS and re.match(r"\(\w+->(?:root->)?path\b", code[match.end(1):])
        if (path, "call:" + name) not in ALLOWED and not of_root:
            yield tree.line_of(code, match.start()), f"{name}(): use {rules[name]}"
    if not path.startswith(OUTPUT_SPEAKS):
        for match in OUTPUT.finditer(code):
            yield tree.line_of(code, match.start()), "prints; use the log"


def functions(code):
    """(name, first line, lines) of each function of a C source without comments and strings."""
    code = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code,
                  flags=re.M)
    depth = 0
    head = 0
    name = None
    for match in re.finditer(r"[{};]", code):
        token, at = match.group(0), match.start()
        if token == "{":
            if depth == 0:
                before = code[head:at]
                found = re.search(r"(\w+)\s*\([^;=]*\)[\s\w()]*$", before)
                name = found.group(1) if found else None
                start = tree.line_of(code, head + len(before) - len(before.lstrip()))
            depth += 1
        elif token == "}":
            depth = max(0, depth - 1)
            if depth == 0:
                if name:
                    yield name, start, tree.line_of(code, at) - start + 1
                name = None
                head = at + 1
        elif depth == 0:
            head = at + 1


def c_problems(path, text):
    code = tree.without(text, strings=True)
    yield from banned(path, code)
    for match in re.finditer(r"#\s*if.*\b(?:UNIT_)?TEST(?:ING)?\b", code):
        yield tree.line_of(code, match.start()), "a build for tests only; test what ships"
    for match in re.finditer(r"\bgoto\b", code):
        yield tree.line_of(code, match.start()), "goto; use AUTO()"
    if path.endswith(".h") and re.search(r"#\s*pragma\s+once", code):
        yield 1, "#pragma once; use a guard"
    if path.endswith(".c"):
        for name, line, lines in functions(code):
            if lines > FUNCTION_LINES_MAX and (path, "function-lines:" + name) not in ALLOWED:
                yield line, f"{name}() has {lines} lines; {FUNCTION_LINES_MAX} is the most"


def line_problems(path, lines, is_code):
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "trailing space"
        if is_code and len(line) > COLUMNS_MAX:
            yield number, f"{len(line)} columns; {COLUMNS_MAX} is the most"
        if LEFTOVER.search(line):
            yield number, "a leftover: " + LEFTOVER.search(line).group(0)
        if is_code and "\t" in line:
            yield number, "a tab"


def document_problems(lines):
    fenced = False
    titles = []
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and line.startswith("# "):
            titles.append(number)
    if len(titles) != 1:
        yield titles[1] if titles else 1, f"{len(titles)} titles (#); a document has one"


def file_problems(path, text):
    """(line, what) of one file."""
    suffix = pathlib.PurePosixPath(path).suffix
    lines = text.split("\n")
    is_code = suffix in CODE or path.endswith("CMakeLists.txt")
    if suffix in SPDX_SUFFIXES or text.startswith("#!"):
        first = lines[1] if text.startswith("#!") and len(lines) > 1 else lines[0]
        if SPDX not in first:
            yield 1, "the first line is not the licence: " + SPDX
    if text and not text.endswith("\n"):
        yield len(lines), "no newline at the end"
    yield from line_problems(path, lines, is_code)
    if suffix in (".c", ".h"):
        yield from c_problems(path, text)
    if suffix in (".c", ".h", ".py", ".sh") and len(lines) - 1 > FILE_LINES_MAX:
        if (path, "file-lines") not in ALLOWED:
            yield FILE_LINES_MAX, f"{len(lines) - 1} lines; {FILE_LINES_MAX} is the most"
    if suffix == ".md":
        yield from document_problems(lines)


def problems(root):
    wanted = CODE + (".md", ".sql", ".yml", ".json", "run", ".clang-format", ".clang-tidy")
    for path, full in tree.files(root, *wanted):
        if path.startswith("tests/vectors/") and not path.endswith((".c", ".h", ".py")):
            continue
        for line, what in file_problems(path, tree.read(full)):
            yield f"{path}:{line}: {what}"


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else tree.ROOT
    found = list(problems(root))
    for problem in found:
        print(problem)
    print(f"tidy: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
