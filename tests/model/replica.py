# SPDX-License-Identifier: MIT
"""The replication algorithm as an executable model: one device's index, disk and contents.

Modelled: paths, contents as sets of tokens, modes, metadata, disk, content store, `first`, blocked
items, resolutions with a crash between any two sub-steps, forgetting of deletions with its floor
rule. Not modelled: directories as items, symlinks, ignore rules, brakes, disk errors, case folding,
restored indexes and the witness; tests/unit and tests/sim see to them. docs/PROTOCOL.md has the
rules in words.

What a file is, and what its author saw before (`content`, `parent`), is (mode, token...)."""

import hashlib

FILE, TOMB = "f", "t"


class Violation(Exception):
    pass


class VV(dict):
    """Version vector: incarnation -> counter. Never changed once it is in a version."""

    def covers(self, dot):
        return self.get(dot[0], 0) >= dot[1]

    def le(self, other):
        return all(other.get(r, 0) >= n for r, n in self.items())

    def join(self, other):
        out = VV(self)
        for r, n in other.items():
            if n > out.get(r, 0):
                out[r] = n
        return out

    def plus(self, dot):
        return self.join({dot[0]: dot[1]})


class Version:
    """Immutable. dots: what it *is*; vv: what it descends from, its dots included."""

    __slots__ = ("dots", "vv", "kind", "content", "birth", "parent", "auto", "first", "bundle")

    def __init__(self, dots, vv, kind, content, birth, parent=None, auto=False, first=False,
                 bundle=frozenset()):
        self.dots, self.vv = frozenset(dots), vv
        self.kind, self.content, self.birth = kind, content, birth
        self.parent, self.auto, self.first, self.bundle = parent, auto, first, bundle

    def value(self):
        return (self.kind, self.content)

    def supersedes(self, dot):
        return self.vv.covers(dot) and dot not in self.dots

    def but(self, **changes):
        return Version(**{name: changes.get(name, getattr(self, name)) for name in self.__slots__})

    def same(self, other):
        return (self.dots == other.dots and self.vv == other.vv
                and self.value() == other.value())

    def show(self):
        dots = " ".join("%s%d" % d for d in sorted(self.dots))
        return "%s%s{%s}%s%s" % (self.kind, "+".join(bare(self.content) or ()), dots,
                                 dict(sorted(self.vv.items())), " first" if self.first else "")


def bare(content):
    """A content without its mode: what is stored and fetched, and what conflict items are of."""
    return content[1:] if content is not None else None


def short_hash(x):
    return hashlib.sha256(repr(x).encode()).hexdigest()[:6]


def above(a, b):
    """a is strictly below b in the tree of paths"""
    return a.startswith(b + "/")


def joined(versions):
    out = VV()
    for v in versions:
        out = out.join(v.vv)
    return out


class Intent:
    """A journalled resolution: members are done in order, the last one is the item itself."""

    def __init__(self, members):
        self.members = members

    def paths(self):
        return [m.path for m in self.members]


class Member:
    """One path of an intent. `before`: what the disk must hold now. `done`: the exchange happened;
    this is read from the disk itself after a crash."""

    def __init__(self, path, before, kind, content, vv, birth, parent, auto, first):
        self.path, self.before, self.kind, self.content, self.vv = path, before, kind, content, vv
        self.birth, self.parent, self.auto, self.first = birth, parent, auto, first
        self.done = False


class Replica:
    def __init__(self, world, name, established=True):
        self.world, self.rng, self.name = world, world.rng, name
        self.clock = self.rng.randrange(-50, 50)
        # index
        self.inc = name.lower() + ":"
        self.counter = 0
        self.K, self.floor = VV(), VV()
        self.heads, self.seq, self.seqno = {}, {}, 0
        self.local = {}
        self.obsolete = set()  # items whose local version the floor rule found obsolete
        self.peer_applied = {}  # peer -> (A, exceptions, list was cut)
        self.intents = []
        self.last_own = {}  # item -> last own counter, for INV-OwnChain
        self.flag_first, self.scanned_once = not established, False
        # disk, contents
        self.disk, self.store, self.kept = {}, set(), {}
        # memory only
        self.pushed = 0  # own counter up to which versions were pushed
        self.lost_own = 0  # highest own counter a foreign version superseded
        self.blocked = set()
        self.dirty_index = True

    # ---- superseding

    def ingest(self, item, w, own=False):
        """Put a version received or minted here among the heads of its item."""
        old = self.heads.get(item, [])
        new = self.ingest_by_dots(old, w)
        if len(new) == len(old) and all(a.same(b) for a, b in zip(old, new)):
            return
        kept_dots = {d for h in new for d in h.dots}
        for h in old:
            gone = [d for d in h.dots if d not in kept_dots]
            if not own:
                self.lost_own = max([self.lost_own] + [n for r, n in gone if r == self.inc])
            held = h.kind == FILE and w.kind == FILE and bare(h.content) in self.store
            if len(gone) == len(h.dots) and held and bare(w.content) not in self.store:
                self.kept.setdefault(item, set()).add(bare(h.content))
        self.set_heads(item, new)
        self.check_heads(item)

    def check_heads(self, item):
        heads = self.heads.get(item, [])
        if len(heads) > len({r for h in heads for r, n in h.dots}):
            raise Violation("HEADS more heads than incarnations at %s" % item)

    def ingest_by_dots(self, old, w):
        live = {d for d in w.dots if not any(h.supersedes(d) for h in old)}
        new, removed = [], []
        for h in old:
            dots = frozenset(d for d in h.dots if not w.supersedes(d))
            if dots:
                new.append(h if dots == h.dots else h.but(dots=dots))
            else:
                removed.append(h)
        if live:
            new.append(w.but(dots=frozenset(live), vv=w.vv.join(joined(removed))))
        return self.join_equal(new)

    def join_equal(self, versions):
        """Heads of equal value become one; no dot is drawn."""
        by_value = {}
        for v in versions:
            o = by_value.get(v.value())
            if o is None:
                by_value[v.value()] = v
                continue
            by_value[v.value()] = Version(
                o.dots | v.dots, o.vv.join(v.vv), v.kind, v.content, min(o.birth, v.birth),
                o.parent if o.birth <= v.birth else v.parent, o.auto and v.auto,
                o.first and v.first, o.bundle | v.bundle)
        return list(by_value.values())

    def set_heads(self, item, new):
        if new:
            self.heads[item] = new
        else:
            self.heads.pop(item, None)
        self.seqno += 1
        self.seq[item] = self.seqno
        self.dirty_index = True
        local = self.local.get(item)
        for h in new:  # the disk already shows the joined version: no disk step
            if local is not None and not local.same(h) and h.value() == local.value() \
                    and local.vv.le(h.vv):
                self.set_local(item, h)

    def set_local(self, item, version):
        self.obsolete.discard(item)
        if version is None:
            self.local.pop(item, None)
        else:
            self.local[item] = version

    def mint(self, item, kind, content, vv, parent, birth=None, auto=False, first=False,
             bundle=frozenset()):
        """Make a new version; part of the transaction that publishes it. The head it became."""
        if not self.own_chain(item):
            raise Violation("OWNCHAIN " + item)
        self.counter += 1
        dot = (self.inc, self.counter)
        self.K[dot[0]] = max(self.K.get(dot[0], 0), dot[1])
        self.last_own[item] = dot[1]
        birth = birth or (self.world.now + self.clock, dot[0], dot[1])
        if kind == FILE and not auto:
            self.store.add(bare(content))  # INV-Content: durable at its author first
        self.world.history.setdefault(item, []).append(dot)
        self.ingest(item, Version([dot], vv.plus(dot), kind, content, birth, parent, auto, first,
                                  bundle), own=True)
        for h in self.heads.get(item, []):
            if dot in h.dots:
                return h
        raise Violation("MINT superseded at birth: " + item)

    def own_chain(self, item):
        own, local = self.last_own.get(item, 0), self.local.get(item)
        return own == 0 or (local is not None and local.vv.get(self.inc, 0) >= own)

    # ---- local changes

    def in_flight(self):
        return {p for i in self.intents for p in i.paths()}

    def scan(self):
        busy = self.in_flight()
        first = self.flag_first and not self.scanned_once
        self.scanned_once = True
        for p in sorted(self.local):  # deletions before creations
            local = self.local[p]
            if p not in self.disk and p not in busy and local.kind == FILE:
                self.set_local(p, self.mint(p, TOMB, None, local.vv, local.content))
        for p in sorted(self.disk):
            local, content = self.local.get(p), self.disk[p]
            if p not in busy and (local is None or local.content != content):
                new = self.mint(p, FILE, content, local.vv if local else VV(),
                                local.content if local else None, first=first)
                self.set_local(p, new)

    # ---- applied, owed

    def owed(self, h, peer_k):
        return any(not peer_k.covers(d) for d in h.dots)

    def needs(self):
        """Items whose heads are not exactly the one version that is on disk."""
        return [p for p, hs in sorted(self.heads.items())
                if len(hs) != 1 or p not in self.local or self.local[p].dots != hs[0].dots]

    def applied(self):
        A, needs = VV(self.K), self.needs()
        for p in needs:
            if p not in self.blocked:
                for h in self.heads[p]:
                    for r, n in h.dots:
                        A[r] = min(A.get(r, 0), n - 1)
        listed = [p for p in needs if p in self.blocked]
        limit = 1  # 64 on the wire
        return A, frozenset(listed[:limit]), len(listed) > limit

    # ---- forgetting

    def collect(self, peers):
        for p, hs in sorted(self.heads.items()):
            t = hs[0]
            if len(hs) != 1 or t.kind != TOMB or p in self.disk or p in self.in_flight() \
                    or p in self.blocked:
                continue
            if p not in self.local or self.local[p].dots != t.dots:
                continue  # not applied here
            if not all(self.world.aged.covers(d) for d in t.dots) or not t.vv.le(self.K):
                continue
            if not all(self.acknowledged(D, p, t) for D in peers):
                continue
            self.floor = self.floor.join(t.vv)
            self.world.collected[p] = self.world.collected.get(p, VV()).join(t.vv)
            self.lost_own = max([self.lost_own] + [n for r, n in t.dots if r == self.inc])
            self.forget(p)

    def acknowledged(self, D, p, t):
        if D not in self.peer_applied:
            return False
        A, exceptions, cut = self.peer_applied[D]
        return not cut and all(A.covers(d) for d in t.dots) and p not in exceptions

    def forget(self, p):
        self.set_heads(p, [])
        self.set_local(p, None)
        self.last_own.pop(p, None)

    def full_reconciliation(self, S, Ks):
        """S forgot deletions that I may not know: a dot that S knew and has no trace of goes."""
        for p, mine in sorted(self.heads.items()):
            theirs = S.heads.get(p, [])
            rest, dropped = [], []
            for h in mine:
                dots = frozenset(d for d in h.dots
                                 if not (Ks.covers(d) and not any(t.vv.covers(d) for t in theirs)))
                if dots != h.dots:
                    lost = [n for r, n in h.dots - dots if r == self.inc]
                    self.lost_own = max([self.lost_own] + lost)
                if dots:
                    rest.append(h if dots == h.dots else h.but(dots=dots))
                else:
                    dropped.append(h)
            if len(rest) == len(mine) and all(a is b for a, b in zip(rest, mine)):
                continue
            local = self.local.get(p)
            self.set_heads(p, rest)
            if local is not None and any(local.vv.le(h.vv) for h in dropped) \
                    and not any(local.vv.le(h.vv) for h in rest):
                self.last_own.pop(p, None)
                if local.kind == TOMB and not rest:
                    self.set_local(p, None)
                else:
                    self.obsolete.add(p)  # apply() may replace it by anything, or remove it

    # ---- apply

    def clean(self, p):
        local = self.local.get(p)
        return (local.content if local is not None else None) == self.disk.get(p)

    def unobstructed(self, p, ignore=()):
        return not any((above(q, p) or above(p, q)) and q not in ignore for q in self.disk)

    def apply(self):
        busy = self.in_flight()
        for p in sorted(self.obsolete):  # no version left at all: remove
            if p not in self.heads and p not in busy and p not in self.blocked and self.clean(p):
                self.disk.pop(p, None)
                self.set_local(p, None)
        for pass_ in (TOMB, FILE):
            for p in sorted(self.heads, reverse=pass_ == TOMB):
                hs, local = self.heads[p], self.local.get(p)
                if len(hs) != 1 or hs[0].kind != pass_ or p in busy or p in self.blocked:
                    continue
                w = hs[0]
                if not self.clean(p):
                    continue  # INV-Disk
                if local is not None and (local.same(w)
                                          or not (local.vv.le(w.vv) or p in self.obsolete)):
                    continue
                if w.kind == TOMB:
                    self.disk.pop(p, None)
                elif bare(w.content) in self.store and self.unobstructed(p):
                    self.disk[p] = w.content
                else:
                    continue
                self.set_local(p, w)
        self.drop_contents()

    def drop_contents(self):
        keep = {bare(c) for c in self.disk.values()}
        keep |= {bare(h.content) for hs in self.heads.values() for h in hs}
        keep |= {bare(c) for i in self.intents for m in i.members for c in (m.content, m.before)}
        for p in list(self.kept):
            live = [h.content for h in self.heads.get(p, []) if h.kind == FILE]
            if live and all(bare(c) in self.store for c in live):
                del self.kept[p]
            else:
                keep |= self.kept[p]
        self.store &= keep
