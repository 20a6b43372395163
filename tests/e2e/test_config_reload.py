#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The config file is read again on SIGHUP and when it changes; connections stay as they are."""

import json
import os
import pathlib
import shutil
import signal

import harness
from harness import Skip, check, stays, wait_for


def rewrite(agent, text):
    """As an editor does it."""
    path = agent.home / "config"
    fresh = agent.home / "config.new"
    fresh.write_text(text)
    os.replace(fresh, path)


def reloaded(agent):
    return agent.log().count("config reloaded")


def errors(agent, code):
    return [e for e in agent.status()["errors"] if e["code"] == code]


def sessions(agent):
    return agent.log().count("session down")


def start(world, *names):
    agents = [world.agent(name) for name in names]
    for agent in agents:
        agent.start()
    return agents


def peer_line(other, extra=""):
    return (f'peer {other.name} {{ id = "{other.device_id}" address = {{"{other.address}"}} '
            f'{extra} }}\n')


def test_what_is_new(world):
    """Peers and folders come and change without a connection being dropped."""
    a, b, c = start(world, "a", "b", "c")
    for other in (b, c):
        other.peer_add(a)
    root = world.dir / "a-etc"
    root.mkdir()
    a.paths["etc"] = root
    base = (a.home / "config").read_text()
    rewrite(a, base + peer_line(b))
    wait_for(lambda: reloaded(a) == 1, "read again by itself")
    wait_for(lambda: b.connected("a"), "the new peer is connected")
    down = sessions(a), sessions(b)
    folder = f'folder etc {{ path = "{root}" with = {{"b"}} %s }}\n'
    rewrite(a, base + peer_line(b) + folder % "")
    b.folder_add("etc")
    (root / "x").write_text("x")
    wait_for(lambda: (b.paths["etc"] / "x").exists(), "the new folder is synced")

    rewrite(a, base + peer_line(b) + peer_line(c) +
            folder.replace('"b"', '"b", "c"') % 'mode = "send-only" keep_days = "3"')
    wait_for(lambda: a.folder("etc")["mode"] == "send-only", "the setting is in force")
    c.folder_add("etc")
    wait_for(lambda: (c.paths["etc"] / "x").exists(), "and who it is shared with")
    check(a.folder("etc")["settings"]["keep_days"] == "3", "all of them")

    count = reloaded(a)
    a.process.send_signal(signal.SIGHUP)
    wait_for(lambda: reloaded(a) == count + 1, "SIGHUP")
    rewrite(a, (a.home / "config").read_text())
    (a.home / "config").touch()
    stays(lambda: reloaded(a) == count + 1, "the same again is nothing new")
    check((sessions(a), sessions(b)) == down, "no connection was dropped", a.log()[-2000:])

    rewrite(a, base + peer_line(b) + folder % "")
    wait_for(lambda: not c.connected("a"), "who is not declared any more is not trusted")
    check([p["name"] for p in a.status()["peers"]] == ["b"], "nor known")
    check((sessions(b),) == down[1:], "the other one stays connected")
    check(a.folder("etc")["mode"] == "two-way", "a setting that is gone is the default again")


def test_what_is_wrong(world):
    """A mistake is named with line and nearest key, changes nothing, and goes with its end."""
    a, b = start(world, "a", "b")
    b.peer_add(a)
    base = (a.home / "config").read_text() + peer_line(b)
    rewrite(a, base)
    wait_for(lambda: b.connected("a"), "connected")
    lines = base.count("\n")
    rewrite(a, base + 'dicsovery = off\n')
    found = wait_for(lambda: errors(a, "config"), "shown")[0]
    check(f"config:{lines + 1}:" in found["message"] and
          "did you mean discovery?" in found["message"],
          "with file, line and what was meant", found)
    check(b.connected("a"), "what was before stays in force")
    rewrite(a, base + 'folder f { path = "/" with = {"nobody"} }\n')
    wait_for(lambda: "nobody" in str(errors(a, "config")), "this, too")
    os.unlink(a.home / "config")
    wait_for(lambda: "not there" in str(errors(a, "config")), "gone")
    check(b.connected("a"), "what was before stays in force")
    rewrite(a, base)
    wait_for(lambda: not errors(a, "config"), "corrected")
    check(b.connected("a"), "connected all the time")
    check(sessions(a) == 0, "no connection was dropped")


def with_etc(world):
    """One agent whose config file declares one folder; its root, and the file without it."""
    (a,) = start(world, "a")
    root = world.dir / "a-etc"
    root.mkdir()
    base = (a.home / "config").read_text()
    rewrite(a, base + f'folder etc {{ path = "{root}" }}\n')
    wait_for(lambda: a.status()["folders"], "declared")
    return a, root, base


def test_what_waits(world):
    """What cannot change while it runs is said; a folder that is gone from the file goes on."""
    a, root, base = with_etc(world)
    (root / "x").write_text("x")
    wait_for(lambda: a.folder("etc")["items"] == 1, "followed")
    rewrite(a, base.replace('name = "a"', 'name = "other"'))
    later = wait_for(lambda: errors(a, "config-restart"), "said")[0]["message"]
    check("name" in later and "the end of folder etc" in later, "what waits", later)
    (root / "y").write_text("y")
    wait_for(lambda: a.folder("etc")["items"] == 2, "the folder goes on")
    rewrite(a, base + f'folder etc {{ path = "{root}" }}\n')
    wait_for(lambda: not errors(a, "config-restart"), "taken back")
    rewrite(a, base)
    wait_for(lambda: errors(a, "config-restart"), "said")
    a.restart()
    check(a.status()["folders"] == [] and not errors(a, "config-restart"), "now it is gone")


def test_a_root_has_one_folder(world):
    """A section is renamed: the folder goes on until the next start, and has its root alone."""
    a, root, base = with_etc(world)
    rewrite(a, base + f'folder docs {{ path = "{root}" }}\n')
    found = wait_for(lambda: errors(a, "config"), "refused")[0]["message"]
    check("docs" in found and "etc" in found, "it says which they are", found)
    check([f["name"] for f in a.status()["folders"]] == ["etc"], "two have one root", a.status())
    (root / "x").write_text("x")
    wait_for(lambda: a.folder("etc")["items"] == 1, "the first goes on")
    a.restart()
    wait_for(lambda: [f["name"] for f in a.status()["folders"]] == ["docs"], "renamed")


def test_a_name_comes_again(world):
    """A folder that is not declared any more has left an index: the next one of that name, which
    others have, knows nothing of it."""
    a, b = start(world, "a", "b")
    a.peer_add(b)
    b.peer_add(a)
    first = world.dir / "a-first"
    first.mkdir()
    (first / "private").write_text("private")
    base = (a.home / "config").read_text()
    rewrite(a, base + f'folder notes {{ path = "{first}" }}\n')
    wait_for(lambda: a.status()["folders"] and a.folder("notes")["items"] == 1, "declared")
    rewrite(a, base)
    a.restart()
    check(a.status()["folders"] == [], "gone")
    b.folder_add("notes", share="a")
    second = world.dir / "a-second"
    second.mkdir()
    (second / "shared").write_text("shared")
    a.folder_add("notes", path=second, share="b")
    wait_for(lambda: (b.paths["notes"] / "shared").exists(), "synced")
    a.sync("--wait")
    b.sync("--wait")
    for agent in a, b:
        check(agent.folder("notes")["items"] == 1, "the new one alone", agent.folder("notes"))
        check("private" not in agent.cli("log", agent.paths["notes"]).out, "nothing of the other")
    check((first / "private").read_text() == "private", "whose files are where they were")


def test_a_copied_root(world):
    """A copy of a root is no folder of its own while the first is here."""
    a, b = start(world, "a", "b")
    a.peer_add(b)
    b.peer_add(a)
    a.folder_add("docs", share="b")
    b.folder_add("docs", share="a")
    (a.paths["docs"] / "x").write_text("x")
    wait_for(lambda: (b.paths["docs"] / "x").exists(), "synced")
    copy = world.dir / "a-copy"
    shutil.copytree(a.paths["docs"], copy)
    said = a.cli("folder", "add", "copy", copy, "--with", "b", ok=(1,)).text
    check("another folder here" in said and ".cfgsync" in said, "says why, and what to do", said)
    (b.paths["docs"] / "y").write_text("y")
    wait_for(lambda: (a.paths["docs"] / "y").exists(), "the first goes on")
    shutil.rmtree(copy / ".cfgsync")
    a.folder_add("copy", path=copy, share=None)
    check(a.folder("copy")["items"] == 1, "it has one of its own", a.folder("copy"))


def test_a_peer_has_another_name(world):
    """A section of a peer is renamed: folders added by command go on with the same device."""
    a, b = start(world, "a", "b")
    b.peer_add(a)
    base = (a.home / "config").read_text()
    rewrite(a, base + peer_line(b))
    wait_for(lambda: b.connected("a"), "connected")
    a.folder_add("f", share="b")
    b.folder_add("f", share="a")
    (a.paths["f"] / "x").write_text("x")
    wait_for(lambda: (b.paths["f"] / "x").exists(), "synced")
    rewrite(a, base + peer_line(b).replace("peer b", "peer robert"))
    wait_for(lambda: [p["name"] for p in a.status()["peers"]] == ["robert"], "renamed")
    (a.paths["f"] / "y").write_text("y")
    wait_for(lambda: (b.paths["f"] / "y").exists(), "it goes on")
    a.restart()
    (a.paths["f"] / "z").write_text("z")
    wait_for(lambda: (b.paths["f"] / "z").exists(), "after a start, too")


def test_a_folder_that_ends(world):
    """Declared no more: whoever had it has it until the next start, and nobody comes to it, be it
    by the name of one who is gone or because all had it. Trust can be taken back at once."""
    a, b, c = start(world, "a", "b", "c")
    for other in (b, c):
        other.peer_add(a)
    roots = {name: world.dir / f"a-{name}" for name in ("some", "everyone")}
    for root in roots.values():
        root.mkdir()
    base = (a.home / "config").read_text()
    rewrite(a, base + peer_line(b) +
            f'folder some {{ path = "{roots["some"]}" with = {{"b"}} }}\n'
            f'folder everyone {{ path = "{roots["everyone"]}" with = {{all}} }}\n')
    for name in roots:
        b.folder_add(name, share="a")
    (roots["some"] / "x").write_text("x")
    wait_for(lambda: (b.paths["some"] / "x").exists(), "synced")
    rewrite(a, base + peer_line(b))
    wait_for(lambda: errors(a, "config-restart"), "it ends")
    (roots["some"] / "y").write_text("y")
    (roots["everyone"] / "y").write_text("y")
    wait_for(lambda: all((b.paths[name] / "y").exists() for name in roots), "it goes on")
    refused = a.cli("folder", "remove", "some", ok=(1,)).text
    check("ends at the next start" in refused, "what becomes of it", refused)
    rewrite(a, base)
    wait_for(lambda: a.status()["peers"] == [], "b is gone")
    a.cli("peer", "add", "b", c.device_id, "--at", c.address)
    os.kill(a.process.pid, signal.SIGHUP)
    wait_for(lambda: reloaded(a) >= 4 and a.connected("b"), "read again")
    check([f["with"] for f in json.loads(a.cli("folder", "list", "--json").out)["folders"]] ==
          [[], []], "nobody has it", a.cli("folder", "list").out)
    offered = json.loads(c.cli("folder", "list", "--json").out)["offers"]
    check(offered == [], "another b is offered nothing", offered)
    a.cli("peer", "remove", "b")
    check(a.status()["peers"] == [], "trust is taken back")


def test_behind_a_declaration(world):
    """A folder was added by command and is declared, too: the declaration goes on until the next
    start, then what the command has said counts, for the devices that it has named."""
    a, b, c = start(world, "a", "b", "c")
    for other in (b, c):
        other.peer_add(a)
    a.peer_add(b)
    a.folder_add("f", share="b")
    base = (a.home / "config").read_text()
    rewrite(a, base + peer_line(c) +
            f'folder f {{ path = "{a.paths["f"]}" with = {{"c"}} }}\n')

    def shared():
        folders = json.loads(a.cli("folder", "list", "--json").out)["folders"]
        return [f["with"] for f in folders]

    wait_for(lambda: shared() == [["c"]], "declared")
    rewrite(a, base + peer_line(c))
    wait_for(lambda: errors(a, "config-restart"), "it ends")
    check(shared() == [["c"]], "as it was until then", shared())
    check("ends at the next start" in a.cli("folder", "remove", "f", ok=(1,)).text, "it says so")
    a.cli("peer", "remove", "b")
    a.cli("peer", "add", "b", world.agent("d").device_id)
    a.restart()
    wait_for(lambda: shared() == [[]], lambda: f"another b has nothing: {shared()}")


def test_a_problem_ends_by_a_command(world):
    """What was wrong with the file is put in order by a command: it is read again by itself."""
    a, b = start(world, "a", "b")
    b.peer_add(a)
    a.cli("peer", "add", "old", b.device_id, "--at", b.address)
    rewrite(a, (a.home / "config").read_text() + peer_line(b))
    wait_for(lambda: errors(a, "config"), "it is a peer already")
    a.cli("peer", "remove", "old")
    wait_for(lambda: not errors(a, "config") and b.connected("a"), "in force")


def test_config_is_a_link(world):
    """What the file leads to is edited where it is, and another file comes in its place."""
    a, b, c = start(world, "a", "b", "c")
    for other in (b, c):
        other.peer_add(a)
    base = (a.home / "config").read_text()
    dotfiles = world.dir / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "mine").write_text(base)
    (dotfiles / "others").write_text(base)
    os.symlink(dotfiles / "mine", a.home / "link")
    os.replace(a.home / "link", a.home / "config")
    a.restart()
    (dotfiles / "mine").write_text(base + peer_line(b))
    wait_for(lambda: b.connected("a"), "read again")
    os.symlink(dotfiles / "others", a.home / "link")
    os.replace(a.home / "link", a.home / "config")
    wait_for(lambda: a.status()["peers"] == [], "the other file")
    (dotfiles / "others").write_text(base + peer_line(c))
    wait_for(lambda: c.connected("a"), "read again there")


def test_roots_have_moved(world):
    """One root has come to lie in another while the agent was stopped: both stay closed, which is
    said, and all other folders go on."""
    a, b = world.company("alpha", "beta")
    for name in ("outer", "inner", "apart"):
        a.folder_add(name)
        b.folder_add(name)
    a.stop()
    shutil.move(a.paths["inner"], world.dir / "moved")
    (a.paths["outer"] / "sub").mkdir()
    os.symlink(a.paths["outer"] / "sub", a.paths["inner"])
    (a.paths["apart"] / "x").write_text("x")
    a.start()
    wait_for(lambda: (b.paths["apart"] / "x").exists(), "the other folder goes on")
    found = {e["folder"]: e["message"] for e in errors(a, "not-open")}
    check(sorted(found) == ["inner", "outer"] and "contains" in found["outer"], "said", found)
    a.cli("folder", "remove", "inner")
    a.restart()
    a.sync("--wait", "outer")
    check((b.paths["outer"] / "sub").is_dir(), "one alone is fine")


def test_a_path_that_cannot_be(world):
    """The path of a declared folder is changed to what no start would take."""
    a, root, base = with_etc(world)
    other = world.dir / "a-other"
    other.mkdir()
    declared = base + f'folder etc {{ path = "{root}" }}\nfolder other {{ path = "{other}" }}\n'
    rewrite(a, declared)
    wait_for(lambda: len(a.status()["folders"]) == 2, "declared")
    rewrite(a, declared.replace(f'"{other}"', f'"{root}/sub"'))
    found = wait_for(lambda: errors(a, "config"), "refused")[0]["message"]
    check("other" in found, "says which", found)
    rewrite(a, declared)
    wait_for(lambda: not errors(a, "config"), "taken back")
    fresh = world.dir / "a-fresh"
    fresh.mkdir()
    rewrite(a, declared.replace(f'"{other}"', f'"{fresh}"'))
    wait_for(lambda: errors(a, "config-restart"), "it comes at the next start")
    refused = a.cli("folder", "add", "more", fresh, ok=(1,)).text
    check("other" in refused, "nothing else can have that root", refused)


def test_show(world):
    """What config show prints is a config file that says the same."""
    a, b = start(world, "a", "b")
    a.peer_add(b)
    a.folder_add("f", share="b")
    a.cli("folder", "set", "f", "keep_days=7")
    rewrite(a, (a.home / "config").read_text() + 'quiet = "01:00-01:01" upload_rate = "3M"\n' +
            f'folder g {{ path = "{world.dir}" brake = "off" }}\n')
    text = a.cli("config", "show").out
    check("# added by command\nfolder f {" in text and "config:" in text, "where from", text)
    before = json.loads(a.cli("config", "show", "--json").out)
    folders = before["folder"]
    check(folders["f"]["keep_days"] == "7" and folders["g"]["brake"] == "off" and
          before["upload_rate"] == "3072K" and before["peer"]["b"]["id"] == b.device_id,
          "all of it", before)
    rewrite(a, text)
    after = json.loads(a.cli("config", "show", "--json").out)
    for one in (before, after):
        for section in (*one["peer"].values(), *one["folder"].values()):
            section.pop("declared_at")
    check(before == after, "the same again", before, after)


def test_priority(world):
    """Scans and hashing give way to other programs, if that is wanted."""
    if not pathlib.Path("/proc/self/task").is_dir():
        raise Skip("needs Linux")
    a = world.agent("a")

    def nices():
        tasks = pathlib.Path(f"/proc/{a.process.pid}/task").iterdir()
        stats = [(task / "stat").read_text().rpartition(")")[2].split() for task in tasks]
        return sorted(int(stat[16]) for stat in stats)
    a.start()
    usual = nices()
    check(len(set(usual)) == 1, "by default all are alike", usual)
    rewrite(a, (a.home / "config").read_text() + 'bulk_priority = "low"\n')
    wait_for(lambda: "bulk_priority" in str(errors(a, "config-restart")), "with the next start")
    a.restart()
    low = wait_for(lambda: [nice for nice in nices() if nice > usual[0]], "there are some")
    check(len(low) >= 2, "the workers", low)
    a.folder_add("f", share=None)


def test_log(world):
    """Lines for people, or JSON lines."""
    (a,) = start(world, "a")
    base = (a.home / "config").read_text()
    check(a.log().startswith("[20") and "] [info] [daemon] agent started" in a.log(), "for people")
    size = len(a.log())
    rewrite(a, base + 'log_format = "json"\nlog_level = "debug"\n')
    wait_for(lambda: '"message":"config reloaded' in a.log(), "JSON")
    root = world.dir / 'q"uote'
    root.mkdir()
    a.folder_add("f", path=root, share=None)
    lines = a.log()[size:].splitlines()
    lines = [json.loads(line) for line in lines if line.startswith("{")]
    keys = {"time", "level", "area", "message"}
    check(all(set(line) == keys for line in lines), "all of it", lines)
    check(any("folder added" in line["message"] for line in lines), "whatever it says", lines)
    rewrite(a, base + 'log_level = "error"\n')

    def silent():
        size = len(a.log())
        a.cli("pause", "f")
        return len(a.log()) == size
    wait_for(silent, "the level is in force")


if __name__ == "__main__":
    harness.main()
