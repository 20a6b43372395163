#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""folder set: brakes and kept versions, in force at once, kept over restarts."""

import json

from harness import check, main, stays, wait_for
from trees import put


def settings(agent, name="f"):
    listed = json.loads(agent.cli("folder", "list", "--json").out)["folders"]
    return next(f for f in listed if f["name"] == name)["settings"]


def files(a, root, count=40):
    for number in range(count):
        put(root / f"d/{number}", f"{number}")
    put(root / "stays", "x")
    a.sync("f")


def remove(root, first, last):
    for number in range(first, last):
        (root / f"d/{number}").unlink()


def test_brake(world):
    """More is let through, or less, without a restart."""
    a, b, on_a, on_b = world.pair()
    files(a, on_a)
    check(settings(a)["brake"] == "normal" and settings(a)["brake_deletes"] == "20", "as it is",
          settings(a))
    for agent in (a, b):
        agent.cli("folder", "set", "f", "brake_deletes=5", "brake_deletes_percent=10")
    check(settings(a)["brake_deletes"] == "5", "set", settings(a))
    check(a.folder("f")["settings"] == settings(a), "status says so, too", a.folder("f"))
    remove(on_a, 0, 8)
    wait_for(lambda: a.folder("f")["code"] == "mass-delete", "eight are too much now")
    stays(lambda: (on_b / "d/0").exists(), "held", 1.0)
    a.cli("revert", "f")
    wait_for(lambda: (on_a / "d/7").exists(), "back")
    a.restart()
    check(settings(a)["brake_deletes"] == "5", "kept over a restart", settings(a))
    for agent in (a, b):
        agent.cli("folder", "set", "f", "brake=off")
    remove(on_a, 0, 39)
    wait_for(lambda: not (on_b / "d/0").exists() and not (on_b / "d/38").exists(),
             "nothing is held any more")
    out = a.cli("folder", "set", "f", "brake=default", "brake_deletes=").out
    check("brake=normal\n" in out and "brake_deletes=20\n" in out, "taken back", out)
    check("brake_deletes_percent=10\n" in out, "the other one stays", out)


def test_strict(world):
    """What was approved by its author is held all the same."""
    a, b, on_a, on_b = world.pair()
    files(a, on_a)
    b.cli("folder", "set", "f", "brake=strict")
    remove(on_a, 0, 30)
    wait_for(lambda: a.folder("f")["code"] == "mass-delete", "held at alpha")
    a.cli("approve", "f")
    # The first few may have come before the others.
    wait_for(lambda: b.folder("f")["held"] >= 10, lambda: f"held at beta: {b.folder('f')}")
    there = len(list((on_b / "d").iterdir()))
    stays(lambda: there == len(list((on_b / "d").iterdir())) >= 20, "they stay there", 1.0)
    b.cli("folder", "set", "f", "brake=normal")
    stays(lambda: there == len(list((on_b / "d").iterdir())), "what is held is not let go", 1.0)
    b.cli("approve", "f")
    wait_for(lambda: len(list((on_b / "d").iterdir())) == 10, "until somebody says so")


def test_kept(world):
    """A budget that is made smaller is kept to."""
    a, b, on_a, on_b = world.pair()
    for number in range(10):
        put(on_a / f"big{number}", bytes([number]) * 300_000)
    a.sync("f")
    for number in range(10):
        put(on_a / f"big{number}", "small")
    a.sync("f")

    def kept():
        return len(json.loads(b.cli("kept", "--json").out)["kept"])
    wait_for(lambda: kept() == 10, "all are kept")
    b.cli("folder", "set", "f", "keep_space=1M")
    wait_for(lambda: 0 < kept() <= 3, lambda: f"what fits: {kept()}")


def test_mistakes(world):
    a, _, _, _ = world.pair()
    before = settings(a)
    for word, named in (("brak=off", "did you mean brake?"),
                        ("keep_dys=3", "did you mean keep_days?"),
                        ("brake=loose", "off, normal or strict"), ("brake", "KEY=VALUE"),
                        ("brake_deletes=none", "1 to 1000000"), ("keep_space=5", "2G"),
                        ("nothing=1", "no setting is called nothing")):
        result = a.try_cli("folder", "set", "f", "keep_days=7", word)
        check(result.code == 2 and named in result.err, f"{word} is named", result)
    check(settings(a) == before, "nothing has changed", settings(a))
    check(a.try_cli("folder", "set", "none", "brake=off").code == 1, "no such folder")


def test_in_the_config_file(world):
    a = world.agent("alpha")
    root = world.dir / "root"
    root.mkdir()
    config = a.home / "config"
    config.write_text(config.read_text() +
                      f'folder f {{\n  path = "{root}"\n  brake = strict\n  keep_days = 7\n}}\n')
    a.start()
    check(settings(a)["brake"] == "strict" and settings(a)["keep_days"] == "7", "as declared",
          settings(a))
    result = a.try_cli("folder", "set", "f", "brake=off")
    check(result.code == 1 and "config:" in result.err, "it names the line", result)
    check("brake=strict" in a.cli("folder", "set", "f").out, "shown")
    a.stop()
    for line, named in (("brake = loose", "brake: must be off, normal or strict"),
                        ("keep_dys = 7", "did you mean keep_days?")):
        config.write_text(f'folder f {{\n  path = "{root}"\n  {line}\n}}\n')
        result = a.try_cli("config", "check")
        check(result.code == 1 and f"{config}:3: " in result.err and named in result.err,
              "file, line and key", result)


if __name__ == "__main__":
    main()
