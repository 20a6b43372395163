#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a person gets wrong: one clear line with what to do, exit 1 or 2, nothing changed."""

import os
import socket
import sqlite3
import time

from harness import SLOW, check, connect, main, wait_for
from trees import differences, put, tree

VOLATILE = ("index.db-wal", "index.db-shm", "lock")


def snapshot(*roots):
    """All that is there, without what SQLite and the lock leave lying about."""
    return {f"{number}/{path}": entry for number, root in enumerate(roots)
            for path, entry in tree(root, everything=True).items() if path not in VOLATILE}


def refused(agent, *args, codes=(1, 2), words=(), env=None, unchanged=(), cwd=None):
    """The verb fails with few lines that have the words in them, and changes nothing."""
    before = snapshot(*unchanged)
    result = agent.try_cli(*args, env=env, timeout=20, cwd=cwd)
    check(result.code in codes, f"exit {' or '.join(map(str, codes))}", result)
    told = [line for line in result.err.splitlines() if line.strip()]
    check(1 <= len(told) <= 5, "a line or two on standard error", result)
    for word in words:
        check(word.lower() in result.err.lower(), f"it says {word!r}", result)
    lines = differences(before, snapshot(*unchanged))
    check(not lines, "nothing changed", *lines)
    return result


def test_second_agent(world):
    a = world.agent("alpha").start()
    refused(a, "run", codes=(1,), words=[str(a.process.pid)], unchanged=[a.home])
    check(a.try_cli("status").code == 0, "the first one goes on")


def test_busy_port(world):
    a = world.agent("alpha")
    with socket.create_server(("127.0.0.1", a.port)):
        refused(a, "run", codes=(1,), words=[str(a.port)])
    a.start()


def test_no_home(world):
    """run before init, and a home that cannot be made."""
    a = world.agent("alpha", init=False)
    refused(a, "run", words=["init"], unchanged=[world.dir])
    refused(a, "id", words=["init"], unchanged=[world.dir])
    (world.dir / "file").write_text("x")
    env = dict(a.env, CFGSYNC_HOME=str(world.dir / "file/below"))
    refused(a, "init", words=["file"], env=env, unchanged=[world.dir])


def test_runtime_folder(world):
    """XDG: a runtime folder that is named but missing: either said in one line, or done without."""
    home = world.dir / "home"
    home.mkdir()
    a = world.agent("alpha", init=False)
    a.env = {k: v for k, v in a.env.items() if k != "CFGSYNC_HOME"}
    a.env.update(HOME=str(home), XDG_RUNTIME_DIR=str(world.dir / "missing"))
    a.cli("init", "--name", "alpha", "--no-listen")
    check((home / ".config/cfgsync/config").exists(), "the config is where XDG says")
    check((home / ".local/state/cfgsync/identity").exists(), "the state is where XDG says")
    a.start(wait=False)
    wait_for(lambda: a.process.poll() is not None or a.try_cli("status").code == 0,
             lambda: f"it ends or runs:\n{a.log()}", 10)
    if a.process.poll() is not None:
        check(a.process.poll() in (1, 2), "exit 1 or 2", a.process.poll())
        check("missing" in a.log(), "it names the folder", a.log())
        a.process = None
    else:
        check(not (world.dir / "missing").exists(), "the folder is not made")
        a.stop()
    runtime = world.dir / "run"
    runtime.mkdir(mode=0o700)
    a.env["XDG_RUNTIME_DIR"] = str(runtime)
    a.start()
    check((runtime / "cfgsync/agent.sock").exists(), "the socket is in the runtime folder")


def test_identity_open_to_others(world):
    a = world.agent("alpha")
    os.chmod(a.home / "identity", 0o644)
    refused(a, "run", codes=(1,), words=["identity", "600"], unchanged=[a.home])
    refused(a, "id", codes=(1,), words=["identity"], unchanged=[a.home])
    os.chmod(a.home / "identity", 0o600)
    a.start()


def test_identity_damaged(world):
    a = world.agent("alpha")
    (a.home / "identity").write_bytes(b"\0" * 7)
    refused(a, "run", codes=(1,), words=["identity"], unchanged=[a.home])


def test_newer_index(world):
    a = world.agent("alpha").start()
    a.folder_add("f")
    a.stop()
    with sqlite3.connect(a.home / "index.db") as base:
        version = base.execute("PRAGMA user_version").fetchone()[0]
        base.execute(f"PRAGMA user_version={version + 1}")
    base.close()
    refused(a, "run", codes=(1,), words=["newer"], unchanged=[a.home])


def test_damaged_index(world):
    a = world.agent("alpha").start()
    a.stop()
    (a.home / "index.db").write_bytes(b"this is no database" * 1000)
    refused(a, "run", codes=(1,), words=["index"], unchanged=[a.home])


CONFIGS = [
    # (text, the line at fault, words)
    ("name = \"x\"\ncolour = \"red\"\n", 2, ["colour"]),
    ("name = \"x\"\npeer hub {\n  id = \"NOTANID\"\n}\n", 3, ["id"]),
    ("peer hub {\n  address = {\"tcp://h:7575\"}\n  colour = 1\n}\n", 3, ["colour"]),
    ("folder a { path = \"/tmp/a\" }\nfolder a { path = \"/tmp/b\" }\n", 2, ["a"]),
    ("name = \"x\"\n\nlisten = {\"udp://x\"}\n", 3, ["listen"]),
    ("name = \"x\"\nfolder a {\n", None, []),
    ("folder a {\n  path = \"relative\"\n}\n", 2, ["path"]),
]


def test_config(world):
    """FILE:LINE and the key."""
    a = world.agent("alpha")
    config = a.home / "config"
    good = config.read_text()
    for text, line, words in CONFIGS:
        config.write_text(text)
        where = [f"{config}:{line}"] if line else [str(config)]
        refused(a, "run", words=where + words, unchanged=[a.home])
    config.write_text(good)
    a.start()


def test_folder_in_folder(world):
    a = world.agent("alpha").start()
    (world.dir / "outer/inner/deep").mkdir(parents=True)
    a.folder_add("middle", path=world.dir / "outer/inner")
    watched = [world.dir / "outer", a.home]
    for path in ("outer", "outer/inner/deep", "outer/inner"):
        before = snapshot(world.dir / "outer")
        refused(a, "folder", "add", "second", world.dir / path, words=["middle"])
        check(not differences(before, snapshot(world.dir / "outer")), "nothing changed in the tree")
    os.symlink(world.dir / "outer/inner", world.dir / "side-door")
    refused(a, "folder", "add", "third", world.dir / "side-door", words=["middle"])
    refused(a, "folder", "add", "state", a.home)
    check(len(a.status()["folders"]) == 1, "one folder", a.status()["folders"], watched)


def test_folder_paths(world):
    a = world.agent("alpha").start()
    (world.dir / "file").write_text("x")
    for path in (world.dir / "nothing/here", world.dir / "file"):
        refused(a, "folder", "add", "f", path, words=[path.name])
    refused(a, "folder", "add", "bad/name", world.dir)
    refused(a, "folder", "add", "all", world.dir)
    refused(a, "folder", "add", "f", codes=(2,))
    check(a.status()["folders"] == [], "no folder", a.status()["folders"])


def test_socket_path(world):
    long = world.dir / ("long" * 30)
    a = world.agent("alpha", init=False)
    env = dict(a.env, CFGSYNC_HOME=str(long))
    refused(a, "init", "--name", "x", env=env, words=["socket"], unchanged=[world.dir])
    refused(a, "run", env=env, words=["socket"], unchanged=[world.dir])


def test_device_ids(world):
    """A mistyped id is refused with the group that is wrong."""
    a, b = world.agent("alpha").start(), world.agent("beta")
    groups = b.device_id.split("-")
    check(len(groups) >= 4, "an id has groups", b.device_id)
    for number in (0, len(groups) // 2, len(groups) - 1):
        wrong = list(groups)
        letter = "A" if wrong[number][1] != "A" else "B"
        wrong[number] = wrong[number][0] + letter + wrong[number][2:]
        result = refused(a, "peer", "add", "beta", "-".join(wrong), codes=(2,))
        check(f"group {number + 1}" in result.err, "it says which group", result)
    refused(a, "peer", "add", "beta", "ABC", codes=(2,))
    refused(a, "peer", "add", "self", a.device_id, codes=(1, 2))
    refused(a, "peer", "add", "beta", b.device_id, "--at", "http://x", codes=(2,))
    refused(a, "peer", "remove", "nobody", codes=(1,), words=["nobody"])
    check(a.status()["peers"] == [], "no peer", a.status()["peers"])


def test_usage(world):
    a = world.agent("alpha")
    check(a.try_cli().code == 2, "no verb is 2")
    for args in (("dance",), ("status", "--colour"), ("peer",), ("peer", "dance"),
                 ("folder", "add"), ("init", "--listen"), ("init", "extra"), ("--nothing",),
                 ("restore",), ("pair", "--offer", "--at", "hub:7576")):
        refused(a, *args, codes=(2,), unchanged=[a.home])
    check(a.try_cli("help").code == 0 and a.try_cli("version").code == 0, "help and version")
    for verb in ("init", "run", "id", "peer", "folder", "status", "sync", "stop", "why",
                 "conflicts", "kept", "restore", "undo", "plan", "approve", "revert"):
        check(verb in a.try_cli("help").out, f"help names {verb}")


def test_declared_peer(world):
    """One that stands in the config file is not removed by the CLI: file and line are named."""
    a, b = world.agent("alpha"), world.agent("beta")
    config = a.home / "config"
    lines = config.read_text().rstrip("\n").split("\n")
    number = len(lines) + 1
    config.write_text("\n".join(lines) + f'\npeer beta {{\n  id = "{b.device_id}"\n}}\n')
    a.start()
    check([p["name"] for p in a.status()["peers"]] == ["beta"], "it is a peer", a.status())
    refused(a, "peer", "remove", "beta", codes=(1,), words=[f"{config}:{number}"])


def test_staging_gone(world):
    """Who tidies up empty directories takes one of ours: what comes next comes all the same."""
    a, b, on_a, on_b = world.pair()
    put(on_a / "one", b"1")
    a.sync("f")
    (on_b / ".cfgsync" / "staging").rmdir()
    put(on_a / "two", b"2")
    put(on_a / "empty", b"")
    wait_for(lambda: (on_b / "two").exists() and (on_b / "empty").exists(), "they come", 40)


def test_missing_root(world):
    """A root that has gone away never means deletions; it goes on by itself when it is back."""
    a, b, on_a, on_b = world.pair()
    for number in range(10):
        put(on_a / f"x{number}", "x")
    a.sync("f")
    os.rename(on_a, world.dir / "away")
    wait_for(lambda: a.folder("f")["code"] == "root-missing",
             lambda: f"root-missing: {a.folder('f')}", 15)
    check(a.folder("f")["state"] == "error", "the state is error", a.folder("f"))
    time.sleep(1 * SLOW)
    check(len(tree(on_b)) == 10, "nothing is deleted there")
    a.restart()
    check(len(tree(on_b)) == 10, "nor after a restart")
    put(on_b / "meanwhile", "y")
    os.rename(world.dir / "away", on_a)
    wait_for(lambda: (on_a / "meanwhile").exists(), lambda: f"it goes on: {a.folder('f')}", 25)
    # An empty folder in its place, without the marker, is the same.
    a.stop()
    os.rename(on_a, world.dir / "away")
    on_a.mkdir()
    a.start()
    wait_for(lambda: a.folder("f")["code"] == "root-missing",
             lambda: f"root-missing: {a.folder('f')}", 15)
    check(len(tree(on_b)) == 11 and not tree(on_a), "nothing is deleted, nothing is written")


def test_no_listener(world):
    """An address at which nobody answers: said in status, not fatal."""
    a, b = world.agent("alpha").start(), world.agent("beta").start()
    connect(b, a)
    b.cli("peer", "add", "ghost", world.agent("ghost").device_id, "--at", "tcp://127.0.0.1:1")
    wait_for(lambda: b.connected("alpha"), "the others connect")
    check(not b.connected("ghost"), "the ghost is not connected")
    wait_for(lambda: b.peer("ghost")["reason"], lambda: f"a reason: {b.peer('ghost')}", 10)


if __name__ == "__main__":
    main()
