#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""agent/core and the model do the same on the same schedules.

    differential.py DRIVER [--seed N] [--runs N] [--steps N]

Random schedules are run in the model; whatever its devices do that agent/core decides (what
becomes of heads, of local, what a resolution comes to, what a conflict item is called) the driver,
which is agent/core behind a pipe, is asked too, and both must say the same. Not compared: what the
model does not have (see replica.py), and resolutions of an item with others alive below it, which
the model makes in two steps."""

import argparse
import sys

from driver import Driver, Words, in_order, same
from replica import FILE, VV, Violation, above, bare
from resolving import Resolver
from world import World

# Mesh, a device that joins with files, chain and star that forget, one that is away, one that is
# late: (flags, devices).
SCENARIOS = [({}, 3), ({"first": 1}, 3), ({}, 4), ({"gc": 1, "topo": 1}, 4),
             ({"gc": 1, "topo": 2, "join": 1}, 4), ({"gc": 1, "away": 1}, 4), ({"topo": 1}, 3)]
PROBES = 8  # of each item, after a run

# Incarnations in the order of their names.
WORDS = Words(lambda inc: int.from_bytes(inc.encode().ljust(7, b"\0"), "big"), repr)


class Beside(Resolver):
    """A device of the model that asks agent/core the same."""

    def ingest(self, item, w, own=False):
        self.world.versions.setdefault(item, []).append(w)
        heads, local = self.shown(item)
        lost = self.lost_own
        self.lost_own = 0
        super().ingest(item, w, own)
        core = self.world.driver.ask("ingest", own=WORDS.number(self.inc), heads=heads,
                                     local=local, w=WORDS.version(w))
        context = (heads, local, WORDS.version(w))
        heads_now, local_now = self.shown(item)
        same("heads", in_order(heads_now), in_order(core["heads"]), *context)
        same("whether heads changed", heads_now != heads, core["changed"], *context)
        same("local", local_now, core["local"], *context)
        if not own:
            same("own dots lost", self.lost_own, core["lost"], *context)
        self.lost_own = max(lost, self.lost_own)

    def shown(self, item):
        local = self.local.get(item)
        return ([WORDS.version(h) for h in self.heads.get(item, [])],
                WORDS.version(local) if local is not None else None)

    # ---- names: the model's are short, agent/core's are paths

    def cname(self, p, x):
        mine = super().cname(p, x)
        theirs = self.world.driver.ask("name", path=self.real(p), w=WORDS.version(x))["name"]
        names = self.world.real_names
        if names.setdefault(mine, theirs) != theirs or \
                len(set(names.values())) != len(names):
            raise Violation("conflict names: %s is %s and %s" % (mine, theirs, names[mine]))
        return mine

    def real(self, p):
        return self.world.real_names[p] if p.startswith("!") else p

    def origin(self, p):
        if not p.startswith("!"):
            return None
        # A conflict item of a conflict item: its own name is in the list, too.
        flat = p[1:].rsplit("!", 1)[0]
        return self.real(flat) if flat.startswith("!") else flat.replace("|", "/")

    def view(self):
        return {self.real(p): {"heads": [WORDS.version(h) for h in hs], "origin": self.origin(p)}
                for p, hs in self.heads.items()}

    # ---- resolutions

    def members(self, intent):
        return [{"path": self.real(m.path), "w": WORDS.version(m, dots=False)}
                for m in intent.members]

    def compare(self, what, p, intent):
        view = self.view()
        core = self.world.driver.ask(what, path=self.real(p), items=view)
        same("whether %s is resolved" % p, True, core["now"], view)
        same("bundle of %s" % p, len(intent.members) > 1 or what == "clash", core["bundle"], view)
        # Conflict items are made in any order, the item itself comes last. In a clash who leaves
        # first is a matter of directories.
        last = 0 if what == "clash" else 1
        mine, theirs = (in_order(all_[:len(all_) - last]) + all_[len(all_) - last:]
                        for all_ in (self.members(intent), core["members"]))
        same("%s of %s" % (what, p), mine, theirs, view)

    def live_below(self, p):
        return any(above(q, p) and any(h.kind == FILE for h in hs)
                   for q, hs in self.heads.items())

    def plan_resolution(self, p):
        intent = super().plan_resolution(p)
        if intent is not None and not self.live_below(p):
            self.compare("resolve", p, intent)
        return intent

    def plan_clash(self, p):
        intent = super().plan_clash(p)
        if intent is not None:
            self.compare("clash", p, intent)
        return intent


class OutOfOrder(Beside):
    """Takes what there ever was of an item in any order, also what messages cannot do: so that
    vectors that do not cover each other meet."""

    def check_heads(self, item):
        pass

    def take(self, item, versions):
        rng = self.rng
        for v in [rng.choice(versions) for _ in range(rng.randrange(2, 7))]:
            if rng.random() < .3:  # made anew by who had forgotten it
                v = v.but(vv=VV({r: n for r, n in v.vv.items() if any(r == d[0] for d in v.dots)}))
            if rng.random() < .3:
                v = v.but(first=v.kind == FILE)
            if rng.random() < .3 and v.kind == FILE:
                like = rng.choice([x for x in versions if x.kind == FILE])
                v = v.but(content=(rng.choice([0o600, 0o644]), *bare(like.content)),
                          birth=like.birth)
            if rng.random() < .5:
                v = v.but(parent=rng.choice(versions).content)
            if rng.random() < .3:
                self.local[item] = rng.choice(versions)
            self.ingest(item, v)
        if len(self.heads.get(item, [])) > 1:
            self.resolve(item)

    def resolve(self, item):
        """Beside the conflict items that some device has, of contents that are here perhaps."""
        contents = [h.content for h in self.heads[item] if h.kind == FILE]
        for p, hs in self.rng.choice(self.world.replicas).heads.items():
            if p.startswith("!") and p != item:
                self.heads[p] = hs
                if len(hs) == 1 and hs[0].kind == FILE and contents and self.rng.random() < .5:
                    self.heads[p] = [hs[0].but(content=self.rng.choice(contents))]
        self.store = {bare(h.content) for hs in self.heads.values() for h in hs}
        self.plan_resolution(item)


def run(driver, seed, steps):
    cfg, devices = SCENARIOS[seed % len(SCENARIOS)]
    world = World(seed, cfg, steps, devices, Beside)
    world.driver, world.real_names, world.versions = driver, {}, {}
    world.run()
    for item, versions in sorted(world.versions.items()):
        for _ in range(PROBES):
            OutOfOrder(world, "A").take(item, versions[:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=60)
    args = parser.parse_args()
    driver = Driver(args.driver)
    failed = 0
    for seed in range(args.seed, args.seed + args.runs):
        try:
            run(driver, seed, args.steps)
        except Violation as violation:
            failed += 1
            print("seed %d, %d steps: %s" % (seed, args.steps, violation))
            break
    whole = driver.report("ingest", "name", "resolve", "clash")
    return 0 if whole and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
