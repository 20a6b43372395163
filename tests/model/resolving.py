# SPDX-License-Identifier: MIT
"""The model's resolution: what concurrent versions come to, and how the disk gets there."""

from replica import FILE, TOMB, VV, Intent, Member, Replica, above, bare, joined, short_hash


def age(version):
    """Versions of one birth differ in their modes at most."""
    return (version.birth, version.content[0])


class Resolver(Replica):
    def cname(self, p, x):
        return "!%s!%s" % (p.replace("/", "|"), short_hash((bare(x.content), x.birth)))

    def plan_resolution(self, p):
        """The intent for one item with several heads, or None when it is not to be now."""
        hs = self.heads[p]
        live, tombs = [h for h in hs if h.kind == FILE], [h for h in hs if h.kind == TOMB]
        V = joined(hs)
        if not all(bare(h.content) in self.store for h in live):
            return None
        E = self.rivals(live, tombs)
        before = self.disk.get(p)
        if not E:
            t = max(tombs, key=lambda h: h.birth)
            return Intent([Member(p, before, TOMB, None, V, t.birth, t.parent, t.auto, False)])
        if not self.unobstructed(p):
            return None
        E.sort(key=lambda h: (not h.first, age(h)), reverse=True)
        W = E[0]
        losers = [x for x in E[1:] if bare(x.content) != bare(W.content)]
        copies = self.plan_copies(p, losers)
        if copies is None:
            return None
        content = (self.merged_mode(hs, W), *bare(W.content))
        return Intent(copies + [Member(p, before, FILE, content, V, W.birth, W.parent, True,
                                       W.first)])

    def merged_mode(self, hs, W):
        """Three-way: the winner's author left the mode as it was, another of the same content, or
        of what the winner was made from, did not."""
        mode = W.content[0]
        if W.parent is None or mode != W.parent[0]:
            return mode
        related = (bare(W.content), bare(W.parent))
        others = [h for h in hs if h.kind == FILE and bare(h.content) in related
                  and h.content[0] != mode]
        return max(others, key=age).content[0] if others else mode

    def had_seen(self, t, x):
        """The author of t had the content of x before him, or it went to a conflict item."""
        return x.birth[2] > 0 and t.vv.covers(x.birth[1:])

    def rivals(self, live, tombs):
        """Live siblings but those that some author had seen and deleted or edited further."""
        E = sorted(live, key=age)

        def edited(x):  # exactly this
            return x.auto and any(t is not x and not t.auto and self.had_seen(t, x)
                                  for t in tombs + E)

        def passed(y):  # exactly this content, not knowing what he made of it
            return not y.auto and any(x is not y and bare(x.parent) == bare(y.content)
                                      and not self.had_seen(y, x) for x in E)

        for rule in (edited, passed):
            for x in list(E):  # oldest first; what has been removed removes nothing
                if rule(x):
                    E.remove(x)
        return E

    def plan_copies(self, p, losers):
        copies = []
        if p.startswith("!!"):  # not copied beyond depth 2: the loser goes to kept
            self.world.gone |= {t for x in losers for t in bare(x.content)}
            return copies
        for x in sorted(losers, key=age):
            c = self.cname(p, x)
            if any(m.path == c for m in copies) or c in self.heads:
                continue  # exists, was edited, was thrown away: never touched
            prefix = c.rsplit("!", 1)[0]
            same = any(h.kind == FILE and bare(h.content) == bare(x.content)
                       for q, hs in self.heads.items() if q.rsplit("!", 1)[0] == prefix
                       for h in hs)
            if x.first and same:  # a first scan brings nothing new: a conflict item of p holds it
                continue
            if c in self.disk or c in self.in_flight() or not self.clean(c):
                return None  # taken by something not scanned yet: wait
            copies.append(Member(c, None, FILE, x.content, VV(), x.birth, None, True, False))
        return copies

    def plan_clash(self, p):
        """File p and something below p are both live. The directory keeps the name, unless only a
        first scan put it there."""
        files = [h for h in self.heads[p] if h.kind == FILE]
        below = sorted(q for q, hs in self.heads.items()
                       if above(q, p) and any(h.kind == FILE for h in hs))
        leaving = [p]
        if any(not h.first for h in files) and all(h.first for q in below for h in self.heads[q]
                                                   if h.kind == FILE):
            leaving = below
        members = []
        for q in leaving:
            live = [h for h in self.heads[q] if h.kind == FILE]
            if not self.may_touch(q) or not all(bare(h.content) in self.store for h in live):
                return None
            copies = self.plan_copies(q, live)
            if copies is None:
                return None
            members += copies
        for q in leaving:
            top = max((h for h in self.heads[q] if h.kind == FILE), key=age)
            members.append(Member(q, self.disk.get(q), TOMB, None, joined(self.heads[q]),
                                  top.birth, top.content, False, False))
        return Intent(members)

    def may_touch(self, p):
        return (self.clean(p) and self.own_chain(p) and p not in self.blocked
                and p not in self.in_flight())

    # ---- carrying it out

    def resolve_begin(self):
        """Contents staged, intent journalled, for every item that can be resolved here now."""
        for p in self.in_turn(self.heads):
            if len(self.heads[p]) > 1 and self.may_touch(p):
                self.journal(self.plan_resolution(p))
        live = sorted(p for p, hs in self.heads.items() if any(h.kind == FILE for h in hs))
        for p in live:
            if any(above(q, p) for q in live) and self.may_touch(p):
                self.journal(self.plan_clash(p))

    def in_turn(self, paths):
        """Any order will do."""
        return sorted(paths)

    def journal(self, intent):
        if intent is not None:
            self.intents.append(intent)

    def resolve_disk(self, intent, members=99):
        """Up to so many members; on a mismatch everything is undone. True when all are done."""
        gone = {x.path for x in intent.members if x.kind == TOMB}
        for m in intent.members:
            if m.done or members == 0:
                continue
            members -= 1
            blocked = m.kind == FILE and not self.unobstructed(m.path, gone)
            if self.disk.get(m.path) != m.before or blocked:
                self.undo(intent)
                return False
            self.place(m.path, m.content)
            m.done = True
        return all(m.done for m in intent.members)

    def place(self, p, content):
        if content is None:
            self.disk.pop(p, None)
        else:
            self.disk[p] = content

    def undo(self, intent):
        for m in reversed(intent.members):
            if m.done and self.disk.get(m.path) == m.content:  # else the user wrote there
                self.place(m.path, m.before)
        self.intents.remove(intent)

    def resolve_final(self, intent):
        """One transaction: dots, versions, local of every member, K, the intent."""
        self.intents.remove(intent)
        several = len(intent.members) > 1
        bundle = frozenset([(self.inc, self.counter + 1)]) if several else frozenset()
        for m in intent.members:
            self.set_local(m.path, self.mint(m.path, m.kind, m.content, m.vv, m.parent, m.birth,
                                             m.auto, m.first, bundle))

    def resolve_step(self):
        """One sub-step of one resolution."""
        if not self.intents or self.rng.random() < .25:
            self.resolve_begin()
            return
        intent = self.rng.choice(self.intents)
        if all(m.done for m in intent.members):
            self.resolve_final(intent)
        else:
            self.resolve_disk(intent, self.rng.randrange(1, 4))

    def resolve_all(self):
        self.resolve_begin()
        for intent in list(self.intents):
            if self.resolve_disk(intent):
                self.resolve_final(intent)

    def recover(self):
        """After a crash the intent and the disk decide."""
        for intent in list(self.intents):
            if all(m.done for m in intent.members):
                self.resolve_final(intent)
            else:
                self.undo(intent)

    def crash(self):
        """Memory is gone; index, disk and store stay."""
        self.world.cut(self)
        self.pushed, self.lost_own = self.counter, self.counter
        self.recover()
