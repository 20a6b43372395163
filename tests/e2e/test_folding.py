#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A machine whose file system finds names whatever their case and Unicode normal form (a Mac's does
by default), with one that does not."""

import os
import pathlib
import subprocess
import unicodedata

from harness import Skip, check, main, wait_for
from trees import conflicts, put

HERE = pathlib.Path(__file__).resolve().parent


def folding(world):
    """A mounted folder that folds names."""
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        raise Skip("mounting needs root and /dev/fuse")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3", "libutf8proc"],
                           capture_output=True, text=True, check=False)
    if flags.returncode != 0:
        raise Skip("libfuse3-dev is not installed")
    program, source, point = (world.dir / n for n in ("foldfs", "source", "volume"))
    subprocess.run(["cc", "-O1", "-o", program, HERE / "foldfs.c", *flags.stdout.split()],
                   check=True)
    source.mkdir()
    point.mkdir()
    process = subprocess.Popen([program, source, point, "-f"], stderr=subprocess.DEVNULL)

    def end():
        subprocess.run(["umount", "-l", point], check=False, capture_output=True)
        process.kill()  # the agents may still hold the root
        process.wait()

    world.closers.append(end)
    wait_for(lambda: os.path.ismount(point) or process.poll() is not None, "mounted")
    if process.poll() is not None:
        raise Skip("fuse does not mount here")
    (point / "probe").write_text("")
    check((point / "PROBE").exists(), "it folds")
    return point


def mixed(world):
    """linux and mac in step."""
    point = folding(world)
    linux, mac = world.company("linux", "mac")
    linux.folder_add("f")
    mac.folder_add("f", path=point / "root")
    linux.sync("f")
    return linux, mac, linux.paths["f"], mac.paths["f"]


def names(root):
    return sorted(n for n in os.listdir(root) if n != ".cfgsync")


def blocked(agent):
    return sorted(e["path"] for e in agent.status()["errors"] if e["code"] == "blocked:case")


def test_clash(world):
    """First on disk stays, the other is blocked there; the other machine holds both."""
    linux, mac, on_linux, on_mac = mixed(world)
    put(on_linux / "A", "upper")
    linux.sync("f")
    put(on_linux / "a", "lower")
    wait_for(lambda: blocked(mac) == ["a"], lambda: f"a is blocked: {mac.status()['errors']}")
    result = linux.try_sync("f", timeout=5)
    check(result.code == 1 and "a" in result.text, "sync --wait names it", result)
    check(names(on_linux) == ["A", "a"] and names(on_mac) == ["A"], "both there, one here",
          names(on_linux), names(on_mac))
    check((on_linux / "A").read_text() == "upper" and (on_linux / "a").read_text() == "lower",
          "nothing is mixed up")
    check((on_mac / "A").read_text() == "upper", "the first one stays")
    why = mac.cli("why", on_mac / "a").out
    check("A" in why, "why names what has the name", why)
    put(on_mac / "A", "upper, edited on the mac")
    wait_for(lambda: (on_linux / "A").read_text() == "upper, edited on the mac", "edits go on")
    check((on_linux / "a").read_text() == "lower", "of that file alone")
    os.unlink(on_linux / "A")
    wait_for(lambda: names(on_mac) == ["a"] and (on_mac / "a").read_text() == "lower",
             lambda: f"the other one follows when the name is free: {names(on_mac)}", 40)
    check(not conflicts(on_linux) and not conflicts(on_mac), "no conflict")


def test_folders_clash(world):
    linux, mac, on_linux, on_mac = mixed(world)
    put(on_linux / "Dir/one", "1")
    linux.sync("f")
    put(on_linux / "dir/two", "2")
    wait_for(lambda: "dir" in blocked(mac) or "dir/two" in blocked(mac), "blocked")
    check(names(on_mac) == ["Dir"] and names(on_mac / "Dir") == ["one"],
          "nothing goes into the other folder", names(on_mac), names(on_mac / "Dir"))
    check(names(on_linux) == ["Dir", "dir"], "both there", names(on_linux))


def test_case_only_rename(world):
    linux, mac, on_linux, on_mac = mixed(world)
    put(on_linux / "readme", "text")
    put(on_linux / "src/main.c", "int main;")
    linux.sync("f")
    os.rename(on_linux / "readme", on_linux / "README")
    wait_for(lambda: names(on_mac) == ["README", "src"], lambda: f"there: {names(on_mac)}", 40)
    check((on_mac / "README").read_text() == "text", "with its content")
    os.rename(on_mac / "README", on_mac / "ReadMe")
    wait_for(lambda: names(on_linux) == ["ReadMe", "src"], lambda: f"back: {names(on_linux)}", 40)
    os.rename(on_mac / "src", on_mac / "Src")
    wait_for(lambda: names(on_linux) == ["ReadMe", "Src"], lambda: f"folder: {names(on_linux)}", 40)
    check((on_linux / "Src/main.c").read_text() == "int main;", "with what is in it")
    wait_for(lambda: linux.try_cli("status").code == 0 and linux.status()["state"] == "synced",
             lambda: str(linux.status()["errors"]), 40)


def test_normal_forms(world):
    """The wire's form is NFC, the Mac keeps what it was given."""
    linux, mac, on_linux, on_mac = mixed(world)
    composed, decomposed = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    put(on_linux / composed, "from linux")
    linux.sync("f")
    check(len(names(on_mac)) == 1, "one file", names(on_mac))
    put(on_mac / decomposed, "edited under the other form")
    wait_for(lambda: (on_linux / composed).read_text() == "edited under the other form", "the edit")
    check(len(names(on_linux)) == 1 and len(names(on_mac)) == 1, "still one file on both",
          names(on_linux), names(on_mac))
    put(on_mac / unicodedata.normalize("NFD", "na\u00efve"), "made on the mac")
    wait_for(lambda: unicodedata.normalize("NFC", "na\u00efve") in names(on_linux), "in NFC here")


def test_edit_under_another_case(world):
    linux, mac, on_linux, on_mac = mixed(world)
    put(on_linux / "Notes", "start")
    linux.sync("f")
    with open(on_mac / "notes", "a", encoding="utf-8") as file:
        file.write(" and more")
    wait_for(lambda: (on_linux / "Notes").read_text() == "start and more", "the edit", 40)
    check(names(on_linux) == ["Notes"] and names(on_mac) == ["Notes"], "one file",
          names(on_linux), names(on_mac))


if __name__ == "__main__":
    main()
