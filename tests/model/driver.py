# SPDX-License-Identifier: MIT
"""The drivers, agent/core or an engine behind a pipe, and what is said to them and compared."""

import hashlib
import json
import subprocess

from replica import FILE, TOMB, Violation, bare

KINDS = {FILE: 1, TOMB: 4}
AUTO, FIRST = 1, 2


class Driver:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.asked = {}

    def ask(self, what, **question):
        self.asked[what] = self.asked.get(what, 0) + 1
        line = json.dumps(dict(question, do=what), separators=(",", ":"))
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise Violation("the driver ended with %d on %s" % (self.process.wait(), line))
        return json.loads(answer)

    def report(self, *wanted):
        """False: something was never asked."""
        print("compared: " + ", ".join("%d %s" % (n, what) for what, n in self.asked.items()))
        missing = [what for what in wanted if what not in self.asked]
        if missing:
            print("never compared: " + ", ".join(missing))
        return not missing


def same(what, model, other, *context):
    if model != other:
        raise Violation("%s differs\n  model  %s\n  agent  %s\n  %s" % (
            what, json.dumps(model, sort_keys=True), json.dumps(other, sort_keys=True),
            "\n  ".join(json.dumps(c) for c in context)))


def in_order(versions):
    return sorted(versions, key=lambda v: json.dumps(v, sort_keys=True))


class Words:
    """How versions are said: `number` of an incarnation, `text` of a content."""

    def __init__(self, number, text):
        self.number, self.text = number, text

    def pairs(self, dots):
        return sorted([self.number(r), n] for r, n in dots)

    def digest(self, content):
        return hashlib.sha256(self.text(bare(content)).encode()).hexdigest()

    def version(self, v, dots=True):
        """Also a Member, which has no dots."""
        file, parent = v.kind == FILE, v.parent
        return {"d": self.pairs(v.dots) if dots else [], "v": self.pairs(v.vv.items()),
                "k": KINDS[v.kind], "c": self.digest(v.content) if file else None,
                "s": len(self.text(bare(v.content))) if file else 0,
                "m": v.content[0] if file else 0,
                "b": [v.birth[0], self.number(v.birth[1]), v.birth[2]],
                "o": self.digest(parent) if parent is not None else None,
                "om": parent[0] if parent is not None else 0,
                "f": AUTO * v.auto + FIRST * v.first,
                "u": self.pairs(v.bundle) if dots else []}
