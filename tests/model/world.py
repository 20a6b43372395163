# SPDX-License-Identifier: MIT
"""The model's world: devices, messages between them, users, and what must be true in the end."""

import random

from replica import FILE, TOMB, VV, Violation, bare
from resolving import Resolver


class Round:
    """R pulls from S. Pages are read at S and delivered at R, in order, at different times;
    anything may happen in between."""

    def __init__(self, world, S, R, page):
        self.world, self.S, self.R, self.page = world, S, R, page
        self.k_r = VV(R.K)  # in PULL
        self.s0, self.cursor, self.phase = S.seqno, ("", 0), "scan"
        self.seen, self.wire, self.finished = set(), [], False

    def read_page(self):
        """At S, one transaction."""
        S = self.S
        if self.phase == "scan":
            table = sorted((d, p) for p, hs in S.heads.items() for h in hs for d in h.dots
                           if not self.k_r.covers(d) and d > self.cursor)
            items = []
            for d, p in table:
                if p not in self.seen and p not in items:
                    if len(items) == self.page:
                        break
                    items.append(p)
                self.cursor = d
            else:
                self.phase = "catchup"
            self.seen |= set(items)
            self.wire.append(("page", self.versions(items), None))
        elif self.phase == "catchup":
            late = sorted((n, p) for p, n in S.seq.items()
                          if n > self.s0 and any(S.owed(h, self.k_r) for h in S.heads.get(p, [])))
            page = [p for n, p in late[:self.page]]
            self.wire.append(("page", self.versions(page), None))
            if len(late) > self.page:
                self.s0 = late[self.page - 1][0]
                return
            self.phase = "done"  # all that is left: with K in one transaction
            self.wire.append(("done", VV(S.K), VV(S.floor)))

    def versions(self, items):
        S = self.S
        out = [(p, h) for p in items for h in S.heads.get(p, []) if S.owed(h, self.k_r)]
        return with_bundles(S, out, lambda h: S.owed(h, self.k_r))

    def deliver(self):
        """At R, one transaction."""
        kind, body, floor = self.wire.pop(0)
        if kind == "page":
            take_versions(self.R, body)
            return
        self.finished = True
        if not floor.le(self.R.K):
            self.R.full_reconciliation(self.S, body)
        self.R.K = self.R.K.join(body)
        self.R.floor = self.R.floor.join(floor)
        self.R.dirty_index = True

    def run(self):
        while not self.finished:
            if not self.wire:
                self.read_page()
            while self.wire and not self.finished:
                self.deliver()


def with_bundles(S, out, wanted):
    """A bundle is never split over messages."""
    have = {(p, id(h)) for p, h in out}
    while True:
        ids = set().union(*(h.bundle for p, h in out)) if out else set()
        more = [(p, h) for p, hs in sorted(S.heads.items()) for h in hs
                if h.bundle & ids and (p, id(h)) not in have and wanted(h)] if ids else []
        if not more:
            return out
        out = out + more
        have |= {(p, id(h)) for p, h in more}


def take_versions(R, versions):
    for p, h in versions:
        R.ingest(p, h)


class World:
    def __init__(self, seed, cfg, steps, count, kind=Resolver):
        self.cfg, self.rng, self.steps = cfg, random.Random(seed), steps
        self.now = 1000
        self.history, self.collected = {}, {}
        self.rounds, self.pushes, self.applied_msgs, self.said = [], [], {}, {}
        self.names = "ABCDEFG"[:count]
        self.late = self.names[1] if cfg.get("join") or cfg.get("first") else None
        self.absent = None
        self.tokens, self.written, self.gone = 0, set(), set()
        self.replicas = [kind(self, n, established=n != self.late) for n in self.names]
        self.paths = ["p", "q", "p/x"]
        self.aged = VV()

    # ---- topology

    def linked(self, a, b):
        topo, i, j = self.cfg.get("topo", 0), self.names.index(a), self.names.index(b)
        return i != j and (topo == 0 or (topo == 1 and abs(i - j) == 1)
                           or (topo == 2 and 0 in (i, j)))

    def peers(self, r):
        """The peers r has in its list now."""
        out = set((self.late, self.absent))
        return [o for o in self.replicas
                if self.linked(r.name, o.name) and o.name not in out and r.name not in out]

    def cut(self, r):
        """Every connection of r is lost."""
        self.rounds = [x for x in self.rounds if r not in (x.S, x.R)]
        self.said = {k: v for k, v in self.said.items() if r.name not in k}

    # ---- messages

    def handshake(self, a, b):
        for x, y in ((a, b), (b, a)):  # what x knows of y's K since this connection was made
            self.said.setdefault((x.name, y.name), VV(y.K))

    def start_round(self, S, R):
        self.handshake(S, R)
        self.said[S.name, R.name] = VV(R.K)
        return Round(self, S, R, self.rng.randrange(1, 4))

    def push(self, S, R):
        """What was minted here since the last push."""
        self.handshake(S, R)
        after = max(S.pushed, S.lost_own, self.said[S.name, R.name].get(S.inc, 0))
        out = [(p, h) for p, hs in sorted(S.heads.items()) for h in hs
               if any(r == S.inc and n > after for r, n in h.dots)]
        if S.counter > after:
            out = with_bundles(S, out, lambda h: True)
            self.pushes.append((S, R, S.inc, after, S.counter, out))

    def push_all(self, S):
        for R in self.peers(S):
            if self.rng.random() < .6:
                self.push(S, R)
        S.pushed = S.counter

    def deliver_push(self, i):
        S, R, inc, after, upto, versions = self.pushes.pop(i)
        if R.name in (self.late, self.absent):
            return
        take_versions(R, versions)
        if R.K.get(inc, 0) >= after:
            R.K[inc] = max(R.K.get(inc, 0), upto)
            R.dirty_index = True

    def send_applied(self, r):
        for D in self.peers(r):
            self.applied_msgs.setdefault((r.name, D.name), []).append(r.applied())

    def deliver_applied(self, all_=False):
        for (a, b), queue in sorted(self.applied_msgs.items()):
            while queue and (all_ or self.rng.random() < .5):
                self.replicas[self.names.index(b)].peer_applied[a] = queue.pop(0)

    def fetch(self, R, S):
        """R takes the contents it lacks and S has."""
        for hs in R.heads.values():
            R.store |= {bare(h.content) for h in hs if h.kind == FILE} & S.store

    def network_step(self):
        rng, x = self.rng, self.rng.random()
        if x < .3 and self.pushes:
            i = rng.randrange(len(self.pushes))
            if rng.random() < .25:
                self.pushes.pop(i)
            else:
                self.deliver_push(i)
        elif x < .45 and len(self.rounds) < 4:
            R = rng.choice(self.replicas)
            if self.peers(R):
                self.rounds.append(self.start_round(rng.choice(self.peers(R)), R))
        elif self.rounds:
            rd = rng.choice(self.rounds)
            if rng.random() < .08:
                self.rounds.remove(rd)
            elif rd.wire and (rd.phase == "done" or rng.random() < .6):
                rd.deliver()
                if rd.finished:
                    self.rounds.remove(rd)
            elif rd.phase != "done":
                rd.read_page()

    # ---- users

    def user(self, r):
        rng, disk = self.rng, r.disk
        p = rng.choice(self.paths + sorted(disk)[:4])
        cur, op = disk.get(p), rng.random()
        seen = set(bare(cur) or ())
        if op < .58:
            if r.unobstructed(p):
                some = rng.random() < .35
                kept = {t for t in sorted(seen) if not some or rng.random() < .5}
                self.gone |= seen - kept
                mode = cur[0] if cur is not None else 0o644
                disk[p] = (mode, *sorted(kept | {self.token()}))
        elif op < .65 and cur is not None:
            disk[p] = (rng.choice([0o644, 0o600, 0o755]), *bare(cur))
        elif op < .85 and cur is not None:
            self.gone |= seen
            del disk[p]
        elif cur is not None:
            n = rng.choice(self.paths)
            if n not in disk and n != p and r.unobstructed(n, (p,)):
                disk[n] = cur
                del disk[p]

    def token(self):
        self.tokens += 1
        self.written.add("t%d" % self.tokens)
        return "t%d" % self.tokens

    def arrive_with_files(self, J):
        """The late device already has files: equal ones, old ones, its own."""
        others = [o for o in self.replicas if o is not J]
        for p in self.paths:
            x, o = self.rng.random(), self.rng.choice(others)
            if x < .25 or not J.unobstructed(p):
                continue
            J.disk[p] = o.disk[p] if x < .5 and p in o.disk else (0o644, self.token())
        J.clock = 10 ** 6 if self.rng.random() < .5 else J.clock  # "newer" than everything

    # ---- the run

    def month(self, act, sync):
        """30 days: no message survives them. Tombstones minted before them are old enough."""
        for q in self.replicas:
            self.aged = self.aged.join({q.inc: q.counter})
        self.rounds, self.pushes = [], []
        for _ in range(2 if sync else 0):
            for q in act:
                q.scan()
            for q in act:
                for o in self.peers(q):
                    self.start_round(o, q).run()
                    self.fetch(q, o)
            for q in act:
                q.resolve_all()
                q.apply()
        for q in act:
            if self.rng.random() < .8:
                self.send_applied(q)
        self.deliver_applied(all_=self.rng.random() < .6)
        for q in act:
            if self.rng.random() < .5:
                q.collect([D.name for D in self.peers(q)])

    def who_is_there(self, st):
        if self.late and st >= self.steps * .55:
            J = self.replicas[self.names.index(self.late)]
            self.late = None
            if self.cfg.get("first"):
                self.arrive_with_files(J)
        if self.cfg.get("away"):
            out = self.steps * .25 < st and (st < self.steps * .8 or self.tokens % 2 == 0)
            if out and not self.absent:
                self.cut(self.replicas[-1])
            self.absent = self.names[-1] if out else None

    def step(self, st):
        rng = self.rng
        self.now += rng.randrange(1, 20)
        self.who_is_there(st)
        r = rng.choice(self.replicas)
        if r.name == self.late:
            return
        act = [q for q in self.replicas if q.name not in (self.late, self.absent)]
        if self.cfg.get("gc") and rng.random() < .12:
            self.month(act, rng.random() < .7)
            return
        self.act(r, rng.random())
        for _ in range(rng.randrange(0, 4)):
            self.network_step()
        for q in act:
            if q.intents and rng.random() < .3:
                q.resolve_step()

    def act(self, r, x):
        rng, peers = self.rng, self.peers(r)
        if x < .28:
            self.user(r)
        elif x < .42:
            r.scan()
            self.push_all(r)
        elif x < .56 and peers:
            o = rng.choice(peers)
            self.start_round(o, r).run()
            if rng.random() < .6:
                self.fetch(r, o)
        elif x < .68:
            r.apply()
        elif x < .74:
            r.resolve_all()
            self.push_all(r)
        elif x < .80:
            r.resolve_step()
        elif x < .86 and peers:
            self.fetch(r, rng.choice(peers))
        elif x < .88:
            r.crash()
        elif x < .93 and r.blocked:
            r.blocked.discard(sorted(r.blocked)[0])
        elif x < .93 and r.heads and rng.random() < .7:
            some = min(len(r.heads), rng.randrange(1, 4))
            r.blocked |= set(rng.sample(sorted(r.heads), some))
        elif x < .96:
            self.send_applied(r)
            self.deliver_applied()

    def quiesce(self):
        self.late = self.absent = None
        self.rounds, self.pushes = [], []
        for r in self.replicas:
            r.blocked = set()
            r.recover()
        for _ in range(16):
            for r in self.replicas:
                r.scan()
            for r in self.replicas:
                for o in self.peers(r):
                    self.start_round(o, r).run()
            for r in self.replicas:
                for o in self.peers(r):
                    self.fetch(r, o)
            for r in self.replicas:
                r.resolve_all()
            for r in self.replicas:
                r.apply()
            self.check()

    # ---- what must be true

    def check(self):
        """K never claims a dot that is not represented."""
        for r in self.replicas:
            for p, dots in self.history.items() if r.dirty_index else ():
                hs, collected = r.heads.get(p, ()), self.collected.get(p, VV())
                for d in dots:
                    if r.K.covers(d) and not collected.covers(d) \
                            and not any(h.vv.covers(d) for h in hs):
                        raise Violation("K of %s claims %s%d of %s" % (r.name, d[0], d[1], p))
            r.dirty_index = False

    def oracle(self):
        first = self.replicas[0]
        for r in self.replicas:
            if r.disk != first.disk:
                raise Violation("DIVERGE %s %s" % (sorted(first.disk.items()),
                                                   sorted(r.disk.items())))
            if any(len(hs) > 1 for hs in r.heads.values()):
                raise Violation("UNRESOLVED at %s" % r.name)
            live = {p: (h.dots, h.vv, h.value()) for p, (h,) in r.heads.items() if h.kind != TOMB}
            if r is first:
                expected = live
            elif {p: v[2] for p, v in live.items()} != {p: v[2] for p, v in expected.items()}:
                raise Violation("METADATA of %s" % r.name)
        lost = self.written - self.gone - {t for c in first.disk.values() for t in bare(c)}
        if lost:
            raise Violation("LOST %s" % sorted(lost))

    def run(self):
        for st in range(self.steps):
            self.step(st)
            self.check()
        self.quiesce()
        self.oracle()
