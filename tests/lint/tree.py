# SPDX-License-Identifier: MIT
"""What the lint checks share: the project's files, and C source without comments and strings."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = {".git", "build", "__pycache__", ".cache", ".vscode", ".idea"}

_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S
)


def files(root, *suffixes):
    """The files below root with one of the suffixes (or names), in order, as (relative, path)."""
    found = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if SKIPPED.intersection(relative.parts) or not path.is_file() or path.is_symlink():
            continue
        if path.suffix in suffixes or path.name in suffixes:
            found.append((relative.as_posix(), path))
    return found


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


def without(text, strings):
    """The text with comments (and, if asked, what stands inside quotes) blanked, lines kept."""

    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token if not strings else token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)

    return _TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
