# SPDX-License-Identifier: MIT
"""What is left out: rules that are synced, rules of one machine, and what becomes of files when
rules come and go."""

import json
import os
import shutil
import time

import harness
from harness import check, stays, wait_for

OWN = ".cfgsync/ignore"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(text, str):
        text = text.encode()
    path.write_bytes(text)


def errors(agent, code):
    return {e["path"]: e for e in agent.status()["errors"] if e["code"] == code}


def ignored(agent):
    return sorted(errors(agent, "blocked:ignored"))


def conflicts(root):
    return sorted(p.read_text() for p in (root / ".cfgsync/conflicts").iterdir())


def test_what_a_rule_leaves_out_is_not_published(world):
    a, b, fa, fb = world.pair()
    write(fa / ".cfgsyncignore", "\n".join([
        "# made by a test", "*.log", "!keep.log", "/top", "build/", "doc/**/tmp", "!*.local",
        "!.hg/", "x\\ y\\ ", "[a-c]?.d", ""]))
    for name in ["a.log", "keep.log", "top", "sub/top", "build/keep.log", "doc/a/b/tmp", "doc/tmp",
                 "my.local", "s/.hg/x", "s/.git/x", "x y ", "az.d", "dz.d", "note~"]:
        write(fa / name, name)
    a.sync()
    here = {str(p.relative_to(fb)) for p in fb.rglob("*")
            if p.is_file() and not str(p.relative_to(fb)).startswith(".cfgsync/")}
    check(here == {".cfgsyncignore", "keep.log", "sub/top", "my.local", "s/.hg/x", "dz.d"},
          "what arrives is what no rule leaves out", sorted(here))
    check(a.status()["state"] == "synced" and b.status()["state"] == "synced", "nothing is owed")
    # The other side's own files of such names stay its own.
    write(fb / "b.log", "b")
    b.sync()
    check(not (fa / "b.log").exists(), "the rules hold on both sides")


def test_no_race_between_a_rule_and_its_files(world):
    a, b, fa, fb = world.pair()
    for i in range(40):
        write(fa / ".cfgsyncignore", "".join(f"secret{n}\n" for n in range(i + 1)))
        write(fa / f"secret{i}", "not for others")
        write(fa / f"d{i}" / f"secret{i}", "not for others")
        time.sleep(0.02 * (i % 4))
    a.sync()
    b.sync()
    found = [str(p) for p in fb.rglob("secret*")]
    check(not found, "a file made right after its rule is not published", found)
    check((fb / "d39").is_dir(), "what no rule names is")


def test_a_rule_added_for_a_synced_file(world):
    """cases.md 66"""
    a, b, fa, fb = world.pair()
    write(fa / "x.log", "one")
    write(fa / "y", "one")
    write(fa / "stays", "so that not all is deleted")
    a.sync()
    write(fb / OWN, "*.log\n")  # of b alone
    wait_for(lambda: "rules read" in b.log() and "rules=1" in b.log(), "b reads its own rules")
    write(fa / "x.log", "two")
    write(fa / "y", "two")
    a.sync()
    check((fb / "x.log").read_text() == "one", "b keeps what it has")
    check((fb / "y").read_text() == "two", "b takes the rest")
    check(ignored(b) == ["x.log"], "status names it", b.status()["errors"])
    check(a.status()["state"] == b.status()["state"] == "synced", "that is no trouble for either")
    write(fb / "x.log", "b's own")
    (fa / "y").unlink()
    b.sync()
    check((fa / "x.log").read_text() == "two", "what b leaves out it does not publish")
    (fb / "x.log").unlink()
    b.sync()
    check((fa / "x.log").exists(), "nor does it publish that it is gone")
    write(fb / "x.log", "b's own")
    (fa / "x.log").unlink()
    a.sync()
    check((fb / "x.log").read_text() == "b's own", "what is deleted elsewhere stays here")
    b.restart()
    a.sync()
    stays(lambda: (fb / "x.log").read_text() == "b's own", "after a restart, too")


def test_what_was_published_is_still_served(world):
    a, b, fa, fb = world.pair()
    a.stop()
    write(fb / "x.log", os.urandom(300000))
    b.try_sync(timeout=1)
    write(fb / OWN, "*.log\n")
    wait_for(lambda: ignored(b) == ["x.log"], "b leaves it out")
    a.start()
    wait_for(lambda: (fa / "x.log").exists(), "nobody else has it")
    check((fa / "x.log").read_bytes() == (fb / "x.log").read_bytes(), "whole")


def test_a_rule_removed(world):
    """cases.md 67"""
    a, b, fa, fb = world.pair()
    for name in ["same", "behind", "both", "gone", "new"]:
        if name != "new":
            write(fa / f"{name}.log", "one")
    a.sync()
    write(fb / OWN, "*.log\n")
    wait_for(lambda: "rules=1" in b.log(), "b reads its own rules")
    write(fa / "same.log", "equal")
    write(fb / "same.log", "equal")
    write(fa / "behind.log", "two")
    write(fa / "both.log", "a's")
    time.sleep(0.05)
    write(fb / "both.log", "b's, later")
    (fb / "gone.log").unlink()
    write(fa / "new.log", "a's")
    time.sleep(0.05)
    write(fb / "new.log", "b's, later")
    write(fb / "only.log", "b's")
    a.sync()
    check(ignored(b) == ["behind.log", "both.log", "gone.log", "new.log", "same.log"], "left out",
          ignored(b))
    check(not (fa / "only.log").exists(), "and publishes none")
    (fb / OWN).unlink()
    b.sync()
    wait_for(lambda: not ignored(b) and (fa / "only.log").exists(), "b takes part again")
    b.sync()
    a.sync()
    for root in (fa, fb):
        read = {name: (root / f"{name}.log").read_text()
                for name in ["same", "behind", "both", "gone", "new", "only"]}
        check(read == {"same": "equal", "behind": "two", "both": "b's, later", "gone": "one",
                       "new": "b's, later", "only": "b's"}, "both show the same", root, read)
        check(conflicts(root) == ["a's", "a's"], "what lost is kept", conflicts(root))


def test_rules_come_before_the_files_they_name(world):
    a, b, fa, fb = world.pair()
    b.stop()
    for i in range(30):
        write(fa / f"!{i}.iso", "x" * 1000)  # sorts before the file of rules
        write(fa / f"{i}.iso", "x" * 200000)
        write(fa / f"{i}.txt", "x")
    a.try_sync("--peer", "beta", timeout=1)
    write(fa / ".cfgsyncignore", "*.iso\n")
    a.try_sync("--peer", "beta", timeout=1)
    b.start()
    a.sync()
    check((fb / "29.txt").exists(), "the rest arrives")
    found = [p.name for p in fb.glob("*.iso")]
    check(not found, "what the rules name never touches the disk", found)
    check(len(ignored(b)) == 60, "it is known, and why it is not here", len(ignored(b)))
    check(b.status()["state"] == "synced", "and that is all right", b.status()["state"])
    write(fa / ".cfgsyncignore", "")
    wait_for(lambda: len(list(fb.glob("*.iso"))) == 60, "without the rule they arrive", 30)


def test_a_deleted_directory_keeps_what_is_left_out(world):
    """cases.md 9 and 10"""
    a, b, fa, fb = world.pair()
    write(fa / ".cfgsyncignore", "*.log\n")
    for d in ("d", "e"):
        write(fa / d / "sub" / "x", "x")
        write(fa / d / "y", "y")
    a.sync()
    write(fb / "d" / "sub" / "b.log", "b's")
    write(fb / "e" / "b.log", "b's")
    b.sync()
    shutil.rmtree(fa / "d")
    os.rename(fa / "e", fa / "e2")
    a.try_sync()
    wait_for(lambda: (fb / "e2" / "sub" / "x").exists() and not (fb / "d" / "y").exists(),
             "the change arrives")
    left = sorted(str(p.relative_to(fb)) for d in ("d", "e") for p in (fb / d).rglob("*"))
    check(left == ["d/sub", "d/sub/b.log", "e/b.log"], "what is left out stays", left)
    check((fb / "d" / "sub" / "b.log").read_text() == "b's", "untouched")
    wait_for(lambda: {"d/sub", "e"} <= set(errors(b, "blocked:not-empty")),  # after the disk
             lambda: f"status says why the directories stay: {b.status()['errors']}")
    check(not (fa / "d").exists(), "they do not come back")
    write(fa / "d", "a file now")
    a.try_sync()
    wait_for(lambda: {"d", "d/sub"} & set(errors(b, "blocked:not-empty")),
             lambda: f"nor is the directory replaced: {b.status()['errors']}")
    check((fb / "d" / "sub" / "b.log").read_text() == "b's", "untouched")
    shutil.rmtree(fb / "d" / "sub")
    # The directory is wanted again: it is simply there.
    write(fa / "e" / "z", "z")
    a.try_sync()
    wait_for(lambda: (fb / "e" / "z").exists(), "it is used again")
    check("e" not in errors(b, "blocked:not-empty"), "and is no trouble any more")


def test_own_rules_are_not_synced(world):
    a, b, fa, fb = world.pair(options=())
    write(fa / OWN, "private/\n!server.key\n")
    write(fa / "private" / "x", "x")
    write(fa / "server.key", "meant to be shared")
    write(fa / "other.key", "not meant to be")
    wait_for(lambda: "rules=2" in a.log(), "a reads its own rules")
    result = a.try_sync()
    check(result.code == 5 and "other.key" in result.text, "the other secret is held", result)
    check((fb / "server.key").exists() and not (fb / "other.key").exists(), "as the rules say")
    check(not (fb / OWN).exists() and not (fb / "private").exists(), "they are a's own")
    write(fb / "private" / "y", "y")
    b.sync()
    check(not (fa / "private" / "y").exists(), "a leaves out what comes, too")
    check(ignored(a) == ["private", "private/y"], "status names it", ignored(a))
    # A rule that is synced takes no secret out of hold.
    write(fb / ".cfgsyncignore", "!*.key\n")
    b.sync()
    stays(lambda: not (fb / "other.key").exists(), "a peer's rule publishes no secret")


def test_rules_that_cannot_be_used(world):
    a, b, fa, fb = world.pair()
    write(fa / ".cfgsyncignore", "*.log\n")
    a.sync()
    for text, says, line in [(b"ok\n\xff\xfe\n", "line 2 of .cfgsyncignore is not UTF-8", 2),
                             (b"x" * 150000, ".cfgsyncignore is larger than 128 KiB", 0),
                             (b"a\n" * 3000,
                              "line 2049 of .cfgsyncignore is one rule more than 2,048", 2049)]:
        write(fa / ".cfgsyncignore", text)
        a.sync()
        for agent in (a, b):
            found = wait_for(lambda: errors(agent, "rules"), f"{agent.name} says it")
            check(found[".cfgsyncignore"]["message"] == says, "what is wrong", found)
            check(agent.folder("f")["state"] == "error" and agent.folder("f")["code"] == "rules",
                  "the folder is not well")
            check(f"line={line} " in agent.log(), "the log has the line")
        write(fa / "x.log", "x")
        write(fb / "y.log", "y")
        write(fa / "fine", text)
        a.sync()
        b.sync()
        check((fb / "fine").read_bytes() == text, "the rest goes on")
        check(not (fb / "x.log").exists() and not (fa / "y.log").exists(), "so do the last rules")
    a.restart()
    check(errors(a, "rules"), "still wrong after a restart")
    write(fa / "z.log", "z")
    a.sync()
    check(not (fb / "z.log").exists(), "the last rules were kept")
    write(fa / ".cfgsyncignore", "*.tmp\n")
    a.sync()
    wait_for(lambda: (fb / "z.log").exists() and not errors(a, "rules") and not errors(b, "rules"),
             "a good file ends it")


def test_a_new_folder_does_not_begin_without_its_rules(world):
    (a,) = world.company("alpha")
    root = world.dir / "alpha-f"
    root.mkdir()
    write(root / ".cfgsyncignore", b"private\n\xff\n")
    write(root / "private", "x")
    result = a.try_cli("folder", "add", "f", root, "--with", "all")
    check(result.code == 1 and "line 2 of .cfgsyncignore is not UTF-8" in result.text,
          "refused", result)
    check("line=2 " in a.log() and "is not UTF-8" in a.log(), "the log has the line")
    write(root / ".cfgsyncignore", "private\n")
    result = a.try_cli("folder", "add", "f", root, "--with", "all")
    check(result.code == 0 and ".cfgsyncignore:1: private" in result.text,
          "what is left out is said, and why", result)


def test_rules_are_emptied_and_written_again(world):
    """As editors do."""
    a, b, fa, fb = world.pair()
    write(fa / ".cfgsyncignore", "*.log\n")
    write(fa / OWN, "*.tmp\n")
    write(fa / "x.log", "x")
    write(fa / "x.tmp", "x")
    a.sync()
    for name in (".cfgsyncignore", OWN):
        for how in ("truncate", "move"):
            text = (fa / name).read_text()
            if how == "truncate":
                write(fa / name, "")
            else:
                os.rename(fa / name, fa / (name + "~"))
            time.sleep(0.6)
            write(fa / name, text + "# more\n")
            a.sync()
            found = [p.name for p in fb.glob("x.*")]
            check(not found, "the rules held all the time", name, how, found)


# ---- rules by command

def test_rules_by_command(world):
    """Added, listed, removed; the file stays the user's."""
    a, b, fa, fb = world.pair()
    write(fa / ".cfgsyncignore", "# mine\n\n*.tmp\n!keep.tmp")  # without an end of line
    os.chmod(fa / ".cfgsyncignore", 0o600)
    for name in ("x.log", "logs/y.log", "other", "build/out"):
        write(fa / name, name)
    a.sync()
    said = a.cli("ignore", "f", "*.log", "/build/").out
    check("2 rules added" in said and "4 synced items" in said and "x.log" in said, "what it does",
          said)
    check((fa / ".cfgsyncignore").read_text() ==
          "# mine\n\n*.tmp\n!keep.tmp\n*.log\n/build/\n", "appended, nothing else",
          (fa / ".cfgsyncignore").read_text())
    check((fa / ".cfgsyncignore").stat().st_mode & 0o777 == 0o600, "its mode is kept")
    wait_for(lambda: (fb / ".cfgsyncignore").exists() and
             (fb / ".cfgsyncignore").read_text().endswith("/build/\n"), "the rules are synced")
    wait_for(lambda: "*.log" in a.try_cli("why", fa / "x.log").out, "in force")
    write(fa / "new.log", "x")
    write(fa / "new", "x")
    a.try_sync()
    check((fb / "new").exists() and not (fb / "new.log").exists(), "nothing new comes")
    check((fb / "x.log").read_text() == "x.log" and (fa / "x.log").exists(), "what is there stays")
    check("has it already" in a.cli("ignore", "*.log").out, "twice is once")
    listed = a.cli("ignore", "list").out
    check(".cfgsyncignore:5: *.log" in listed and "# mine" not in listed, "listed", listed)
    a.cli("ignore", "remove", "f", "*.log")
    check((fa / ".cfgsyncignore").read_text() == "# mine\n\n*.tmp\n!keep.tmp\n/build/\n",
          "only that line", (fa / ".cfgsyncignore").read_text())
    wait_for(lambda: (fb / "new.log").exists(), "it comes when the rule is gone")


def test_a_rule_that_is_taken_back(world):
    """A line that has no effect because of a later one is not what was asked for."""
    a, b, fa, fb = world.pair()
    write(fa / ".cfgsyncignore", "*.tmp\n!a.*\n# the end\n")
    check("1 rule added" in a.cli("ignore", "*.tmp").out, "it has an effect now")
    check("has it already" in a.cli("ignore", "*.tmp").out, "twice is once")
    check("1 rule added" in a.cli("ignore", "!a.*").out, "and the other way round")
    text = "*.tmp\n!a.*\n# the end\n*.tmp\n!a.*\n"
    check((fa / ".cfgsyncignore").read_text() == text, "appended",
          (fa / ".cfgsyncignore").read_text())


def test_rules_of_one_machine_by_command(world):
    a, b, fa, fb = world.pair()
    b.cli("ignore", "--local", "cache/")
    check((fb / ".cfgsync" / "ignore").read_text() == "cache/\n", "in its own file")
    write(fa / "cache/x", "x")
    write(fa / "other", "x")
    a.try_sync()
    wait_for(lambda: (fb / "other").exists(), "the rest comes")
    check(not (fb / "cache").exists() and not (fb / ".cfgsyncignore").exists(), "that does not")
    listed = json.loads(b.cli("ignore", "list", "--json").out)["rules"]
    check(listed == [{"folder": "f", "file": ".cfgsync/ignore", "line": 1, "rule": "cache/",
                      "local": True}], "listed", listed)
    result = b.try_cli("ignore", "remove", "cache/")
    check(result.code == 1 and ".cfgsyncignore" in result.err, "not in that file", result)
    b.cli("ignore", "remove", "cache/", "--local")
    wait_for(lambda: (fb / "cache/x").exists(), "and comes back")


def test_rules_that_are_none(world):
    a, _, fa, _ = world.pair()
    (world.dir / "g").mkdir()
    a.cli("folder", "add", "g", world.dir / "g")
    for words, code, named in ((["x"], 2, "say which"), (["f", "# x"], 2, "comment"),
                               (["f", "a\nb"], 2, "line break"), (["f", " "], 2, "empty"),
                               (["f"], 2, "say which"), ([], 2, "usage")):
        result = a.try_cli("ignore", *words)
        check(result.code == code and named in result.err, f"{words} is refused", result)
    check(not (fa / ".cfgsyncignore").exists(), "nothing was written")
    check(a.try_cli("ignore", "sub", cwd=world.dir / "g").code == 0, "where one is counts")
    check((world.dir / "g" / ".cfgsyncignore").read_text() == "sub\n", "that folder")
    write(fa / ".cfgsyncignore", "x" * 3000 + "\n")
    result = a.try_cli("ignore", "f", "y")
    check(result.code == 1 and "line 1" in result.err, "a file that cannot be used", result)
    check((fa / ".cfgsyncignore").read_text() == "x" * 3000 + "\n", "is left alone")


if __name__ == "__main__":
    harness.main()
