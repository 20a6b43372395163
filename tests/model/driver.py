# SPDX-License-Identifier: MIT
"""The drivers, agent/core or an engine behind a pipe, and what is said to them and compared."""

import json
import subprocess

from replica import FILE, TOMB, Violation

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
    """How versions are said: `number` of an incarnation, `digest` and `size` of a content."""

    def __init__(self, number, digest, size):
        self.number, self.digest, self.size = number, digest, size

    def pairs(self, dots):
        return sorted([self.number(r), n] for r, n in dots)

    def version(self, v, dots=True):
        """Also a Member, which has no dots."""
        return {"d": self.pairs(v.dots) if dots else [], "v": self.pairs(v.vv.items()),
                "k": KINDS[v.kind], "c": self.digest(v.content) if v.kind == FILE else None,
                "s": self.size(v.content) if v.kind == FILE else 0,
                "b": [v.birth[0], self.number(v.birth[1]), v.birth[2]],
                "o": self.digest(v.parent) if v.parent is not None else None,
                "f": AUTO * v.auto + FIRST * v.first,
                "u": self.pairs(v.bundle) if dots else []}
