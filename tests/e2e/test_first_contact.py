#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two folders of one name that both have files: seen before, joined, and taken back."""

import json
import os
import random
import re
import subprocess
import time

from hostile import Peer, inc_of
from harness import check, connect, main, program, stays, wait_for
from trees import conflicts, differences, edit, fill, put, same, tree, wait_same


def etc(root, *changes):
    """A small /etc, the same for everybody but for what `changes` says."""
    for number in range(30):
        put(root / f"conf.d/{number:02}.conf", f"option {number}\n" * 20)
    put(root / "hosts", "127.0.0.1 localhost\n")
    put(root / "ssh/sshd_config", "Port 22\n")
    put(root / "run.sh", "#!/bin/sh\n")
    os.chmod(root / "run.sh", 0o755)
    os.symlink("hosts", root / "link")
    for path, text in changes:
        put(root / path, text)


def two(world):
    """alpha and beta with an /etc each, alike in most; both wait."""
    a, b = world.agent("alpha").start(), world.agent("beta").start()
    on_a, on_b = world.dir / "alpha-etc", world.dir / "beta-etc"
    etc(on_a, ("hosts", "10.0.0.1 alpha\n"), ("alpha/only", "a\n"), ("alpha/too", "aa\n"))
    etc(on_b, ("hosts", "10.0.0.2 beta\n"), ("conf.d/07.conf", "of beta\n"), ("beta", "bbb\n"))
    os.chmod(on_b / "run.sh", 0o700)
    put(on_b / "ssh/id_rsa", "secret\n")
    a.folder_add("etc")
    b.folder_add("etc", ok=(5,))
    connect(b, a)
    for agent in (a, b):
        wait_for(lambda agent=agent: agent.folder("etc")["code"] == "join-pending",
                 lambda agent=agent: f"{agent.name} is join-pending: {agent.folder('etc')}")
    return a, b, on_a, on_b


def comparison(agent):
    folder = json.loads(agent.cli("plan", "etc", "--json").out)["folders"][0]
    return folder, folder["peers"][0]["comparison"]


def test_seen_before(world):
    a, b, on_a, on_b = two(world)
    before_a, before_b = tree(on_a), tree(on_b)
    folder, seen = comparison(b)
    check(seen["state"] == "done" and seen["why"] is None, "compared", seen)
    check(seen["only_here"]["first"] == ["beta"] and seen["only_here"]["bytes_here"] == 4,
          "only on beta", seen)
    check(seen["only_there"]["first"] == ["alpha", "alpha/only", "alpha/too"] and
          seen["only_there"]["bytes_there"] == 5, "only on alpha", seen)
    check(seen["different"]["first"] == ["conf.d/07.conf", "hosts"], "different", seen)
    check(seen["only_permissions"]["first"] == ["run.sh"], "permissions", seen)
    check(seen["equal"]["items"] == 33 and seen["equal"]["first"] == [], "equal", seen)
    check(folder["secrets"] == {"items": 1, "first": ["ssh/id_rsa"]}, "held", folder)
    text = b.cli("plan", "etc").out
    for line in ("equal: 33 items", "only there: 3 items, 5 B\n", "      alpha/only\n",
                 "different: 2 items", "      hosts\n", "only here: 1 item, 4 B",
                 "look like secrets: 1\n", "folder accept etc --from alpha"):
        check(line in text, f"{line!r} is shown", text)
    _, other = comparison(a)
    check(other["only_there"]["items"] == 1 and other["only_here"]["items"] == 3 and
          other["equal"]["items"] == 33, "the same from the other side", other)
    stays(lambda: not differences(before_a, on_a) and not differences(before_b, on_b),
          "nothing is written", 0.5)
    for agent in (a, b):
        check(agent.folder("etc")["code"] == "join-pending", "it waits still", agent.name)


def joined(a, b, on_a, on_b, secret=True):
    """beta accepts alpha's; returns when both have all."""
    b.cli("folder", "accept", "etc", "--from", "alpha")
    wait_for(lambda: len(conflicts(on_a)) == len(conflicts(on_b)) == 2,
             lambda: f"two conflict items: {conflicts(on_a)} {conflicts(on_b)}")
    b.try_sync("etc")
    if secret:
        os.unlink(on_b / "ssh/id_rsa")
    same(on_a, on_b)


def apart(*agents):
    for agent in agents:
        wait_for(lambda agent=agent: agent.folder("etc")["code"] == "join-pending",
                 lambda agent=agent: f"{agent.name} is join-pending: {agent.folder('etc')}")


def test_taken_back(world):
    """undo on the machine that joined: its tree as it was, nothing happens to the other one."""
    a, b, on_a, on_b = two(world)
    os.unlink(on_b / "ssh/id_rsa")
    before_b, id_b = tree(on_b), b.folder("etc")["id"]
    put(on_b / "ssh/id_rsa", "secret\n")
    joined(a, b, on_a, on_b)
    joined_a = tree(on_a)
    check((on_b / "hosts").read_text() == "10.0.0.1 alpha\n", "alpha's name on both")
    result = b.cli("undo")
    check("stands apart" in result.out, "it says so", result)
    same(before_b, on_b, "beta is not as it was")
    check(not conflicts(on_b), "no conflict items", conflicts(on_b))
    apart(a, b)
    check(b.folder("etc")["id"] == id_b, "the id of before")
    same(joined_a, on_a, "alpha has changed")
    stays(lambda: not differences(before_b, on_b) and not differences(joined_a, on_a),
          "they stay apart", 2.5)
    put(on_b / "beta", "edited\n")
    b.try_sync("etc")
    same(joined_a, on_a, "alpha hears of it")
    _, seen = comparison(b)
    check(seen["different"]["first"] == ["beta", "conf.d/07.conf", "hosts"] and
          seen["only_here"]["items"] == 0, "what joining again would meet", seen)
    again = b.try_cli("undo")
    check(again.code == 1 and "no change of another device" in again.err, "nothing to undo", again)


def test_offered(world):
    """What a peer shares and is not here is listed with its size, and joined by that line."""
    a, b = world.agent("alpha").start(), world.agent("beta").start()
    a.folder_add("etc")
    a.folder_add("private", share=None)
    b.folder_add("notes", share=None)
    connect(b, a)
    a.folder_add("notes")

    def offers():
        return {offer["name"]: offer
                for offer in json.loads(b.cli("folder", "list", "--json").out)["offers"]}
    wait_for(lambda: sorted(offers()) == ["etc", "notes"], lambda: f"both are offered: {offers()}")
    etc(a.paths["etc"])
    wait_for(lambda: offers()["etc"]["items"] == a.folder("etc")["items"] > 0 and
             offers()["etc"]["bytes"] == a.folder("etc")["bytes"],
             lambda: f"how much it is by now: {offers()}", 40)
    check(not offers()["etc"]["here"] and offers()["notes"]["here"], "what is here", offers())
    text = b.cli("folder", "list").out
    check(re.search(r"  etc +36 items, \S+ kB +alpha +cfgsync-agent folder add etc PATH --with "
                    r"alpha\n", text), "how to join it", text)
    check("cfgsync-agent folder share notes --with alpha\n" in text, "how to share it", text)
    b.folder_add("etc", share="alpha")
    b.sync("etc")
    same(a.paths["etc"], b.paths["etc"])
    b.cli("folder", "share", "notes", "--with", "alpha")
    check(offers() == {}, "nothing more is offered", offers())
    b.cli("folder", "remove", "etc")
    check(list(offers()) == ["etc"], "what was removed is offered again", offers())
    a.cli("folder", "remove", "etc")
    wait_for(lambda: offers() == {}, lambda: f"it is gone there: {offers()}")


def test_undone_after_an_empty_side_joined(world):
    """The other's files leave this machine, and no other."""
    a, b = world.agent("alpha").start(), world.agent("beta").start()
    a.folder_add("etc")
    etc(a.paths["etc"])
    a.try_cli("sync", "etc")
    before_a = tree(a.paths["etc"])
    b.folder_add("etc")
    connect(b, a)
    b.sync("etc")
    same(a.paths["etc"], b.paths["etc"])
    put(b.paths["etc"] / "hosts", "edited since\n")
    put(b.paths["etc"] / "conf.d/mine", "made since\n")
    b.sync("etc")
    before_a |= {path: tree(a.paths["etc"])[path] for path in ("hosts", "conf.d/mine")}
    result = b.try_cli("undo", "etc")
    check(result.code == 1 and "left alone" in result.err, "an edit is left alone", result)
    check(set(tree(b.paths["etc"])) == {"hosts", "conf.d", "conf.d/mine"}, "what is left",
          tree(b.paths["etc"]))
    apart(a, b)
    stays(lambda: not differences(before_a, a.paths["etc"]), "nothing happens there", 2)


def test_killed_while_taken_back(world):
    """It goes on at the next start, and nobody else hears of it."""
    a, b, on_a, on_b = two(world)
    os.unlink(on_b / "ssh/id_rsa")
    for number in range(400):
        put(on_a / f"many/{number}", f"{number}\n")
    a.try_cli("sync", "etc")
    before_b = tree(on_b)
    joined(a, b, on_a, on_b, secret=False)
    joined_a = tree(on_a)
    undo = subprocess.Popen([program(), "undo"], env=b.env, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    wait_for(lambda: len(os.listdir(on_b / "many")) < 390, "it has begun")
    b.kill9()
    undo.wait()
    check(differences(before_b, on_b), "killed before the end")
    b.start()
    wait_for(lambda: not differences(before_b, on_b), lambda: f"{differences(before_b, on_b)}", 60)
    apart(a, b)
    check(not conflicts(on_b), "no conflict items", conflicts(on_b))
    same(joined_a, on_a, "alpha has changed")


def test_taken_back_whatever_differs(world):
    """Two trees that have parted by random edits, kinds of things and all."""
    seed = int(os.environ.get("CFGSYNC_SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    a, b = world.agent("alpha").start(), world.agent("beta").start()
    roots = [world.dir / "alpha-etc", world.dir / "beta-etc"]
    for number, root in enumerate(roots):
        root.mkdir()
        fill(root, seed, files=120)
        edit(root, random.Random(seed + number), 40)
    on_a, on_b = roots
    for agent in (a, b):
        agent.folder_add("etc")
    before_b = tree(on_b)
    connect(b, a)
    apart(a, b)
    _, seen = comparison(b)
    check(seen["state"] == "done" and
          seen["only_here"]["items"] == len(tree(on_b).keys() - tree(on_a).keys()) and
          seen["only_there"]["items"] == len(tree(on_a).keys() - tree(on_b).keys()) and
          seen["different"]["items"] + seen["only_permissions"]["items"] ==
          sum(tree(on_a)[p] != tree(on_b)[p] for p in tree(on_a).keys() & tree(on_b).keys()),
          "the same as looking at both", seed, seen)
    b.cli("folder", "accept", "etc", "--from", "alpha")
    b.sync("etc")
    wait_same(on_a, on_b)
    joined_a = tree(on_a)
    b.cli("undo")
    same(before_b, on_b, f"beta is not as it was, seed {seed}")
    check(not conflicts(on_b), "no conflict items", seed, conflicts(on_b))
    apart(a, b)
    same(joined_a, on_a, f"alpha has changed, seed {seed}")


def test_undone_midway(world):
    """While contents are still on their way, in both directions."""
    a, b, on_a, on_b = two(world)
    os.unlink(on_b / "ssh/id_rsa")
    for number in range(200):
        put(on_a / f"many/{number}", f"{number}\n")
    for number in range(4):
        put(on_a / f"large/{number}", os.urandom(1 << 24))
        put(on_b / f"own/{number}", os.urandom(1 << 24))
    for agent in (a, b):
        agent.try_cli("sync", "etc")
    before_a, before_b = tree(on_a), tree(on_b)
    b.cli("folder", "accept", "etc", "--from", "alpha")
    wait_for(lambda: (on_b / "many/7").exists(), "it has begun")
    b.cli("undo")
    same(before_b, on_b, "beta is not as it was")
    apart(a, b)
    there = {path: what for path, what in tree(on_a).items() if path in before_a}
    for path in ("hosts", "conf.d/07.conf", "run.sh"):
        check(there[path] == before_a[path], f"alpha's {path} is as it was", there[path])
    check(not differences(before_a, there), "nothing of alpha's is gone or changed",
          differences(before_a, there))
    stays(lambda: not differences(before_b, on_b), "nothing more comes", 2)


def test_undo_is_of_what_came_last(world):
    """After a later change undo is the undo of that, and the folder stays joined."""
    a, b, on_a, on_b = two(world)
    os.unlink(on_b / "ssh/id_rsa")
    joined(a, b, on_a, on_b, secret=False)
    a.sync("etc")
    time.sleep(2.5)
    put(on_a / "hosts", "later\n")
    a.sync("etc")
    check((on_b / "hosts").read_text() == "later\n", "it has come")
    b.cli("undo")
    wait_for(lambda: (on_a / "hosts").read_text() == "10.0.0.1 alpha\n", "taken back on both")
    same(on_a, on_b)
    check(a.folder("etc")["id"] == b.folder("etc")["id"], "one folder")


def test_second_implementation(world):
    """One that was written from docs/PROTOCOL.md lists, and is listed; and lies, and is let go."""
    agent = world.agent("alpha").start()
    peer = Peer(world)
    agent.cli("peer", "add", "second", peer.device_id)
    agent.folder_add("etc")
    for name in ("both", "here", "varies"):
        put(agent.paths["etc"] / name, f"{name}\n")
    agent.try_cli("sync", "etc")
    peer.features = 8
    peer.connect(agent)
    check(peer.find("HELLO")["features"] & 8, "it says what it understands")
    theirs = peer.wait("OFFER")["folder"]
    peer.send("RANGES", folder=theirs, audit=7, step=5, ranges=[[3, "", "i"]])
    answer = peer.wait("RANGES")
    check(answer["audit"] == 7 and answer["step"] == 5 and answer["ranges"] == [[2, "", "i"]] and
          [v["p"] for v in answer["versions"]] == ["both", "here"], "it is listed", answer)

    peer.folder = os.urandom(16)
    peer.inc = inc_of(peer.key.device, peer.folder, peer.nonce)
    peer.offer(name="etc", items=3)
    wait_for(lambda: agent.folder("etc")["code"] == "join-pending", "it waits")
    versions = [peer.version("both", data=b"both\n"), peer.version("there", data=b"there\n"),
                peer.version("varies", data=b"of the second\n")]

    def plan(*answers):
        asks = subprocess.Popen([program(), "plan", "etc", "--json"], env=agent.env,
                                stdout=subprocess.PIPE, text=True)
        for end, page in answers:
            since = len(peer.heard)
            question = peer.wait("RANGES", since=max(since - 1, 0))
            check(question["folder"] == peer.folder, "of the peer's folder", question)
            peer.send("RANGES", folder=peer.folder, audit=question["audit"], step=5,
                      ranges=[[2, question["ranges"][0][1], end]], versions=page)
        return asks.communicate(timeout=60)[0]
    peer.heard.clear()
    out = json.loads(plan(("", versions)))
    seen = out["folders"][0]["peers"][0]["comparison"]
    check(seen["state"] == "done" and seen["listed"] == 3 and seen["equal"]["items"] == 1 and
          seen["different"]["first"] == ["varies"] and seen["only_there"]["first"] == ["there"] and
          seen["only_here"]["first"] == ["here"], "compared", seen)
    peer.heard.clear()
    out = json.loads(plan(("", versions[::-1])))
    check("a list out of order" in agent.log(), "it is let go", agent.log())
    check(out["folders"][0]["peers"] == [], "and answered", out)
    check(sorted(os.listdir(agent.paths["etc"])) == [".cfgsync", "both", "here", "varies"],
          "nothing came of it")


if __name__ == "__main__":
    main()
