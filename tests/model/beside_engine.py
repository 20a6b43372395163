#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real engine and the model do the same on the same schedules.

    beside_engine.py DRIVER [--seed N] [--runs N] [--steps N]

Two devices; one is a real engine over a real index (engine_driver.c), the other is the model's and
is the engine's peer. Users save and delete on both, what the peer minted is pushed or is not, with
the contents to be had or not, they connect, lose each other, and the engine is restarted. Beside
the engine goes a device of the model to which the same happens; after each step the engine has come
to rest, and both must have the same heads (dots, vectors, values, births), the same K, and the same
disk. Directories are left out: the model has none."""

import argparse
import random
import sys

from driver import Driver, Words, in_order, same
from replica import Violation, bare
from resolving import Resolver
from world import World

ANCHOR = "z"  # is never deleted: an act that leaves nothing would be held
PATHS = ["p", "q", "r"]
RESTS = 6  # turns in which a device comes to rest


class Twin(Resolver):
    """The device of the model beside the engine. It is for the engine to say when exactly a user
    saved, and which of several resolutions came first, since contents come when they come."""

    def __init__(self, world, name, established=True):
        super().__init__(world, name, established)
        self.walls, self.turns = {}, {}

    def in_turn(self, paths):
        return sorted(paths, key=lambda p: (self.turns.get(self.world.real(p), 0), p))

    def mint(self, item, kind, content, vv, parent, birth=None, *more, **named):
        dot = (self.inc, self.counter + 1)
        birth = birth or (self.walls.get(dot, self.world.now), *dot)
        return super().mint(item, kind, content, vv, parent, birth, *more, **named)


class Play:
    def __init__(self, driver, seed):
        self.driver, self.rng = driver, random.Random(seed)
        self.world = World(seed, {}, 0, 2, Twin)
        opened = driver.ask("open")
        incs = [opened["inc"] % 2 ** 64, opened["peer"] % 2 ** 64]
        # Births of the same moment are in the order of incarnations.
        self.twin, self.peer = self.world.replicas[::-1] if incs[0] > incs[1] \
            else self.world.replicas
        numbers = {self.twin.inc: opened["inc"], self.peer.inc: opened["peer"]}
        self.words = Words(numbers.get, " ".join)
        self.names, self.contents = {}, set()
        self.world.real = self.real
        self.connected, self.mute = False, False
        self.save(self.twin, ANCHOR, (0o644, self.world.token()))
        self.meet()

    # ---- names, and what the peer has

    def real(self, p):
        if not p.startswith("!"):
            return p
        if p not in self.names:
            origin = self.origin(p)
            x = next(h for r in (self.twin, self.peer) for h in r.heads.get(p, []))
            self.names[p] = self.driver.ask("name", path=self.real(origin),
                                            w=self.words.version(x))["name"]
        return self.names[p]

    def origin(self, p):
        flat = p[1:].rsplit("!", 1)[0]
        return flat if flat.startswith("!") else flat.replace("|", "/")

    def said(self, versions):
        return [{"path": self.real(p), "w": self.words.version(h),
                 "origin": self.real(self.origin(p)) if p.startswith("!") else None}
                for p, h in versions]

    def peer_state(self):
        return {"k": self.words.pairs(self.peer.K.items()),
                "all": self.said((p, h) for p, hs in self.peer.heads.items() for h in hs),
                "texts": sorted(self.contents)}

    # ---- both

    def ask(self, what, **question):
        """To the engine first: it says when its users saved."""
        self.state = self.driver.ask(what, **question, **self.peer_state())
        self.world.now = self.state["now"]
        own = self.words.number(self.twin.inc)
        for item in self.state["items"]:
            for head in item["heads"]:
                if head["b"][1] == own and [own, head["b"][2]] in head["d"]:
                    self.twin.walls[self.twin.inc, head["b"][2]] = head["b"][0]
                for inc, n in head["d"]:
                    if inc == own:
                        self.twin.turns[item["path"]] = n

    def rest(self, what):
        """The model's device does what the engine does by itself. A push that leaves a gap makes
        a round; of what was never said nothing is asked."""
        self.twin.scan()
        answers = self.connected and not self.mute
        if answers and what in ("meet", "push") and not self.peer.K.le(self.twin.K):
            self.world.start_round(self.peer, self.twin).run()
        for _ in range(RESTS):
            if answers:
                self.world.fetch(self.twin, self.peer)
            self.twin.resolve_all()
            self.twin.apply()

    def compare(self, what):
        state, twin = self.state, self.twin
        same("%s: whether they are connected" % what, self.connected, state["connected"])
        heads = {self.real(p): in_order(self.words.version(h) for h in hs)
                 for p, hs in twin.heads.items()}
        core = {item["path"]: in_order(item["heads"]) for item in state["items"] if item["heads"]}
        for v in [v for vs in list(heads.values()) + list(core.values()) for v in vs]:
            v.pop("u", None)  # a resolution is named after another of its members
        for path in sorted(set(heads) | set(core)):
            same("%s: heads of %s" % (what, path), in_order(heads.get(path, [])),
                 in_order(core.get(path, [])), state)
        same("%s: K" % what, self.words.pairs(twin.K.items()), sorted(state["k"]), state)
        disk = sorted([self.real(p), self.words.digest(c), c[0]] for p, c in twin.disk.items())
        same("%s: disk" % what, disk, sorted(state["disk"]), state)

    # ---- what happens

    def save(self, r, p, content):
        r.disk[p] = content
        text = self.words.text(bare(content))
        self.contents.add(text)
        if r is self.twin:
            self.ask("save", path=self.real(p), text=text, mode=content[0])

    def delete(self, r, p):
        if p not in r.disk:
            return
        del r.disk[p]
        if r is self.twin:
            self.ask("save", path=self.real(p))

    def user(self, r):
        p = self.rng.choice(PATHS + sorted(p for p in r.disk if p.startswith("!"))[:2])
        cur, x = r.disk.get(p), self.rng.random()
        if x < .6:
            self.save(r, p, (cur[0] if cur else 0o644, self.world.token()))
        elif x < .75 and cur:
            self.save(r, p, (self.rng.choice([0o600, 0o644, 0o755]), *bare(cur)))
        else:
            self.delete(r, p)

    def meet(self):
        self.ask("meet")
        self.connected, self.mute = True, False

    def peer_mints(self):
        """And pushes it, or not: then the next one leaves a gap."""
        S = self.peer
        self.world.now = self.state["now"] + self.rng.randrange(-200000, 1000)
        if self.rng.random() < .8:
            self.user(S)
        S.scan()
        if self.rng.random() < .4:
            self.world.start_round(self.twin, S).run()
            self.world.fetch(S, self.twin)
            S.resolve_all()
            S.apply()
        self.world.pushes = []
        self.world.push(S, self.twin)
        S.pushed = S.counter
        if self.world.pushes and self.connected and self.rng.random() < .7:
            _, _, _, after, upto, versions = self.world.pushes[0]
            self.mute = self.mute or self.rng.random() < .4
            self.ask("push", after=after, upto=upto, versions=self.said(versions), mute=self.mute)
            self.world.deliver_push(0)
            return True
        return False

    def step(self):
        x = self.rng.random()
        if x < .3:
            what = "save"
            self.user(self.twin)
        elif x < .75:
            what = "push"
            if not self.peer_mints():
                return None
        elif x < .85:
            what = "cut"
            self.ask("cut")
            self.connected = False
            self.world.cut(self.twin)
        elif x < .97:
            what = "meet"
            self.meet()
        else:
            what = "restart"
            self.ask("restart")
            self.connected = False
            self.twin.crash()
        return what


def run(driver, seed, steps):
    play = Play(driver, seed)
    play.rest("meet")
    for number in range(steps):
        what = play.step()
        if what is None:  # nothing was said to the engine
            continue
        play.rest(what)
        play.compare("step %d, %s" % (number, what))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--steps", type=int, default=25)
    args = parser.parse_args()
    driver = Driver(args.driver)
    for seed in range(args.seed, args.seed + args.runs):
        try:
            run(driver, seed, args.steps)
        except Violation as violation:
            print("seed %d, %d steps: %s" % (seed, args.steps, violation))
            return 1
    return 0 if driver.report("save", "push", "cut", "meet", "restart", "name") else 1


if __name__ == "__main__":
    sys.exit(main())
