#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two agents over one folder: every kind of change, in both directions, ends in equal trees."""

import os
import random
import time
import unicodedata

from harness import check, connect, main, wait_for
from proxy import Proxy
from trees import conflicts, differences, edit, fill, leftovers, put, same, tree, wait_same


def step(world_pair, change, what):
    """One change on each side in turn, seen on the other."""
    a, b, on_a, on_b = world_pair
    for agent, here, there in ((a, on_a, on_b), (b, on_b, on_a)):
        change(here, agent.name)
        agent.sync("f")
        same(here, there, f"{what}, made on {agent.name}")
        check(not differences(here, there), what)


def test_saves(world):
    """New files, edits in place and by rename: seen without being asked for."""
    a, b, on_a, on_b = world.pair()
    for here, there in ((on_a, on_b), (on_b, on_a)):
        put(here / "new", "one")
        wait_same(here, there)
        put(here / "new", "two, replaced by rename")
        wait_same(here, there)
        with open(here / "new", "a", encoding="utf-8") as file:
            file.write("\nthree, in place\n")
        wait_same(here, there)
        put(here / "big", os.urandom(3 << 20))
        wait_same(here, there)
    wait_for(lambda: a.status()["state"] == "synced" and b.status()["state"] == "synced",
             "both are synced")
    check(not conflicts(on_a), "no conflict", conflicts(on_a))


def test_renames_and_deletes(world):
    pair = world.pair()
    fill(pair[2], 11, files=60)
    pair[0].sync("f")
    same(pair[2], pair[3])

    def rename(root, name):
        os.makedirs(root / f"old-{name}/deep/er", exist_ok=True)
        for number in range(5):
            put(root / f"old-{name}/deep/f{number}", f"{name}{number}")
    step(pair, rename, "new folders")
    step(pair, lambda root, name: os.rename(root / f"old-{name}", root / f"new-{name}"),
         "a folder renamed")
    step(pair, lambda root, name: os.rename(root / f"new-{name}/deep/f0", root / f"moved-{name}"),
         "a file moved up")
    step(pair, lambda root, name: os.unlink(root / f"moved-{name}"), "a file deleted")

    def remove(root, name):
        for number in range(1, 5):
            os.unlink(root / f"new-{name}/deep/f{number}")
        os.rmdir(root / f"new-{name}/deep/er")
        os.rmdir(root / f"new-{name}/deep")
        os.rmdir(root / f"new-{name}")
    step(pair, remove, "a folder deleted")


def test_type_changes(world):
    """File, folder and link in every order."""
    pair = world.pair()

    def start(root, name):
        put(root / f"p-{name}", "a file")
        put(root / f"q-{name}/inside/x", "in a folder")
    step(pair, start, "the start")

    def file_to_folder(root, name):
        os.unlink(root / f"p-{name}")
        put(root / f"p-{name}/now", "a folder")
    step(pair, file_to_folder, "file to folder")

    def folder_to_file(root, name):
        os.unlink(root / f"q-{name}/inside/x")
        os.rmdir(root / f"q-{name}/inside")
        os.rmdir(root / f"q-{name}")
        put(root / f"q-{name}", "now a file")
    step(pair, folder_to_file, "folder to file")

    def file_to_link(root, name):
        os.unlink(root / f"q-{name}")
        os.symlink("/etc/hostname", root / f"q-{name}")
    step(pair, file_to_link, "file to link")

    def link_to_folder(root, name):
        os.unlink(root / f"q-{name}")
        put(root / f"q-{name}/y", "a folder again")
    step(pair, link_to_folder, "link to folder")

    def folder_to_link(root, name):
        os.unlink(root / f"p-{name}/now")
        os.rmdir(root / f"p-{name}")
        os.symlink(f"q-{name}", root / f"p-{name}")
    step(pair, folder_to_link, "folder to link")

    def link_to_file(root, name):
        put(root / f"p-{name}", "a file at last")
    step(pair, link_to_file, "link to file")
    check(not conflicts(pair[2]), "no conflict", conflicts(pair[2]))


def test_modes(world):
    pair = world.pair()
    step(pair, lambda root, name: put(root / f"d-{name}/tool", "#!/bin/sh\n", 0o644), "the start")
    for mode in (0o755, 0o600, 0o440, 0o644):
        step(pair, lambda root, name, m=mode: os.chmod(root / f"d-{name}/tool", m),
             f"file mode {mode:o}")
    step(pair, lambda root, name: os.chmod(root / f"d-{name}", 0o700), "folder mode")


def test_links_and_empty_folders(world):
    pair = world.pair()

    def links(root, name):
        os.mkdir(root / name)
        for number, target in enumerate(("/etc/passwd", "no/where", "..", ".", "../../../../etc",
                                         f"{root}", "with a space", "x" * 1000)):
            os.symlink(target, root / name / f"l{number}")
        os.makedirs(root / name / "empty/deep/er")
    step(pair, links, "links and empty folders")

    def turn(root, name):
        os.unlink(root / name / "l0")
        os.symlink("/etc/shadow", root / name / "l0")
        os.rmdir(root / name / "empty/deep/er")
    step(pair, turn, "a link turned, an empty folder gone")


def test_odd_names(world):
    pair = world.pair()
    names = ["-rf", " lead", "trail ", "dot.", "new\nline", "tab\tand\x01bell\x07", "back\\slash",
             "co:lon", "a*?[b]", "qu\"o'te", "%s%n", "ü", "日本語", "🙂", "A", "a", "NUL", "con.txt",
             "x" * 255, "é" * 127, "$(reboot)", "~", "#", "..x", "...", "{}", "&;|", "CFGSYNC"]

    def odd(root, name):
        for one in names:
            put(root / name / one / "f", one)
        deep = root / name
        for _ in range(40):
            deep = deep / "d"
        put(deep / "bottom", "deep")
    step(pair, odd, "odd names")
    # A name that is not UTF-8 is named in errors and never sent.
    bad = os.fsencode(pair[2]) + b"/caf\xe9"
    with open(bad, "wb") as file:
        file.write(b"latin")
    put(pair[2] / "after", "x")
    wait_same(pair[2], pair[3])
    wait_for(lambda: any("caf" in (e["path"] or "") for e in pair[0].status()["errors"]),
             lambda: f"the name that is not UTF-8 is in errors: {pair[0].status()['errors']}", 8)
    check(not any("caf" in name for name in tree(pair[3], True)), "it is not sent")


def test_a_name_in_another_normal_form(world):
    """It came decomposed and is composed now: steps find it, and none is done for nothing."""
    a, b, on_a, on_b = world.pair()
    forms = [(unicodedata.normalize("NFC", n), unicodedata.normalize("NFD", n))
             for n in ("caf\u00e9", "na\u00efve")]
    for _, decomposed in forms:
        put(on_a / decomposed, "one")
    a.sync("f")
    time.sleep(1)
    minted = a.minted()
    for composed, decomposed in forms:
        os.rename(on_a / decomposed, on_a / composed)
    a.sync("f")
    (on_b / forms[0][0]).unlink()
    put(on_b / forms[1][0], "edited")
    b.sync("f")
    wait_for(lambda: not (on_a / forms[0][0]).exists(), lambda: f"deleted: {os.listdir(on_a)}")
    wait_for(lambda: (on_a / forms[1][0]).read_text() == "edited", "the edit")
    check(a.minted() == minted, "no version of it is from here")
    a.restart()
    a.sync("f")
    check(not (on_b / forms[0][0]).exists(), "it does not come back")


def test_ignored(world):
    """What is left out by default stays here."""
    a, _, on_a, on_b = world.pair()
    names = [".x.swp", "4913", "x~", ".#x", "#x#", ".~lock.x#", ".DS_Store", "x.local",
             ".git/config", ".hg/x", "sub/.git/HEAD", "sub/.cfgsync/x"]
    for name in names:
        os.makedirs((on_a / name).parent, exist_ok=True)
        (on_a / name).write_text("mine")
    put(on_a / "sub/real", "yours")
    a.sync("f")
    same(on_a, on_b)
    there = tree(on_b, everything=True)
    for name in names:
        check(name not in there, f"{name} stays at home")
    check("sub/real" in there, "the real file is there")


def test_rename_costs_no_network(world):
    """A renamed and a copied file travel as metadata."""
    a, b = world.agent("alpha"), world.agent("beta", listen=False)
    proxy = Proxy(world, a.port)
    a.start()
    b.start()
    a.peer_add(b, dial=False)
    b.peer_add(a, at=proxy.address)
    for agent in (a, b):
        agent.folder_add("f")
    on_a, on_b = a.paths["f"], b.paths["f"]
    put(on_a / "big", os.urandom(6 << 20))
    put(on_a / "small", os.urandom(3000))
    a.sync("f")
    same(on_a, on_b)
    before = proxy.count()
    check(before > 6 << 20, "the proxy sees the content pass", before)
    os.mkdir(on_a / "d")
    os.rename(on_a / "big", on_a / "d/renamed")
    a.sync("f")
    put(on_b / "copied", (on_b / "d/renamed").read_bytes())
    b.sync("f")
    same(on_a, on_b)
    spent = proxy.count() - before
    check(spent < 300_000, f"a rename and a copy of 6 MiB took {spent} bytes")


def test_random_edits(world):
    """Hundreds of random edits on either side in turn; equal after each sync --wait."""
    a, b, on_a, on_b = world.pair()
    fill(on_a, 5, files=120)
    a.sync("f")
    same(on_a, on_b)
    rng = random.Random(7)
    for number in range(10):
        agent, here = ((a, on_a), (b, on_b))[number % 2]
        edit(here, rng, 15)
        agent.sync("f")
        same(on_a, on_b, f"after round {number} on {agent.name}")
    wait_for(lambda: not leftovers(on_a) and not leftovers(on_b), "staging is empty")
    check(not conflicts(on_a), "no conflict", list(conflicts(on_a)))


def test_edits_on_both_at_once(world):
    """Both sides edit different parts at the same time, without waiting."""
    a, b, on_a, on_b = world.pair()
    for name in ("left", "right"):
        os.mkdir(on_a / name)
        fill(on_a / name, name, files=60)
    a.sync("f")
    same(on_a, on_b)
    rng = random.Random(9)
    for _ in range(6):
        edit(on_a / "left", rng, 8)
        edit(on_b / "right", rng, 8)
    a.sync("f")
    b.sync("f")
    same(on_a, on_b)
    check(not conflicts(on_a), "no conflict", list(conflicts(on_a)))


def test_restart(world):
    """Edits made while an agent is off are found at its start; a second start mints nothing."""
    a, b = world.company("alpha", "beta")
    for agent in (a, b):
        agent.folder_add("f")
    on_a, on_b = a.paths["f"], b.paths["f"]
    fill(on_a, 3, files=80)
    a.sync("f")
    a.stop()
    rng = random.Random(4)
    edit(on_a, rng, 12)
    a.start()
    a.sync("f")
    same(on_a, on_b)
    b.restart()
    a.restart()
    a.sync("f")
    b.sync("f")
    same(on_a, on_b)
    check(a.owed("beta") == 0 and b.owed("alpha") == 0, "nothing is owed after a mere restart")


def test_only_one_dials(world):
    """A laptop that does not listen, and names of peers that differ from their own."""
    server, laptop = world.agent("server").start(), world.agent("laptop", listen=False).start()
    connect(laptop, server)
    server.folder_add("f", share="laptop")
    laptop.folder_add("f", share="server")
    put(laptop.paths["f"] / "x", "from the laptop")
    laptop.sync("f")
    put(server.paths["f"] / "y", "from the server")
    server.sync("f")
    same(server.paths["f"], laptop.paths["f"])


if __name__ == "__main__":
    main()
