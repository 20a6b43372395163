#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Completion in the shells themselves: verbs, options, and names from the running agent."""

import os
import pathlib
import shutil
import subprocess

from harness import Skip, check, main, program, wait_for
from terminal import Terminal
from trees import put


def words(agent, *line, cwd=None):
    result = agent.try_cli("completion", "words", "--", *line, cwd=cwd)
    check(result.code == 0, "it never fails", result)
    lines = result.out.splitlines()
    return lines[0], {l.split("\t")[0]: l.split("\t")[1] for l in lines[1:]}


def in_path(world, agent):
    """An environment in which the program is found by its name."""
    bin_dir = world.dir / "bin"
    bin_dir.mkdir(exist_ok=True)
    if not (bin_dir / "cfgsync-agent").exists():
        (bin_dir / "cfgsync-agent").symlink_to(program())
    home = world.dir / "nobody"
    home.mkdir(exist_ok=True)
    return dict(agent.env, PATH=f"{bin_dir}:{os.environ['PATH']}", LC_ALL="C.UTF-8")


def conflict(world):
    """beta, with a conflict of notes.txt in a folder with a space in its path."""
    a, b = world.company("alpha", "beta")
    for agent in (a, b):
        agent.folder_add("f", path=world.dir / f"{agent.name} f")
    put(a.paths["f"] / "notes.txt", "one")
    a.sync("f")
    b.stop()
    put(a.paths["f"] / "notes.txt", "from alpha")
    put(b.paths["f"] / "notes.txt", "from beta")
    a.cli("sync", "f")
    b.start()
    b.sync("f")
    wait_for(lambda: b.folder("f")["conflicts"] == 1, "a conflict")
    return b


def test_words(world):
    """What may come, wherever the line stands."""
    b = conflict(world)
    root = b.paths["f"]
    kind, verbs = words(b, "")
    check(kind == ":words" and "status" in verbs and "peer" in verbs, "all verbs", verbs)
    check("add, list" in verbs["peer"] and "folder add" not in verbs, "groups once", verbs)
    check(set(words(b, "peer", "re")[1]) == {"remove", "rename"}, "second words")
    check(set(words(b, "peer", "remove", "")[1]) == {"alpha"}, "peers")
    check(words(b, "sync", "")[1] == {"f": str(root)}, "folders, and where they are")
    check(set(words(b, "sync", "--p")[1]) == {"--peer"}, "options")
    check(set(words(b, "sync", "--peer", "")[1]) == {"alpha"}, "an option's value")
    check(set(words(b, "sync", "--peer=a")[1]) == {"--peer=alpha"}, "the same behind =")
    check(set(words(b, "folder", "share", "f", "--with", "x,a")[1]) == {"x,alpha"}, "in a list")
    check("all" in words(b, "folder", "share", "f", "--with", "")[1], "a first word of a list")
    check("brake=normal" in words(b, "folder", "set", "f", "br")[1], "settings")
    check(words(b, "why", "")[0] == ":files", "files are the shell's")
    check(words(b, "folder", "add", "x", "")[0] == ":dirs", "directories, too")
    notes = str(root / "notes.txt")
    check(words(b, "conflicts", "take", "/")[0] == ":paths", "paths")
    check(set(words(b, "conflicts", "take", "/")[1]) == {notes}, "absolute")
    check(set(words(b, "conflicts", "show", "no", cwd=root)[1]) == {"notes.txt"}, "relative")
    check(words(b, "--home", "/nowhere", "sync", "")[1] == {}, "another agent, that is not there")
    check(words(b, "nonsense", "")[1] == {} and words(b, "stop", "x", "")[1] == {}, "nothing")
    check(words(b, "sync", "--", "--p")[1] == {}, "no options behind --")


def test_no_agent(world):
    a = world.agent("alpha")
    check("sync" in words(a, "sy")[1], "verbs are known without an agent")
    check(words(a, "peer", "remove", "")[1] == {}, "names are not")
    check(a.try_cli("completion", "tcsh").code == 2, "only three shells")
    check(a.try_cli("completion").code == 2, "one must be named")


BASH = """source <(cfgsync-agent completion bash)
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _cfgsync_agent
    printf '%s\\n' "${COMPREPLY[@]}"
}
compopt() { :; }
"""


def test_bash(world):
    """The function, then the key at a prompt."""
    b = conflict(world)
    env = in_path(world, b)

    def ask(line):
        return subprocess.run(["bash", "-uc", BASH + "ask cfgsync-agent " + line], env=env,
                              capture_output=True, text=True, timeout=60, check=True)

    for line, expected in (("fol", "folder"), ("folder sh", "share"), ("peer remove ''", "alpha"),
                           ("sync --peer = a", "alpha"), ("sync --peer = ''", "alpha"),
                           ("sync --peer =", "alpha"),
                           ("folder share f --with b,al", "b,alpha")):
        done = ask(line)
        check(done.stdout == expected + "\n" and not done.stderr, f"bash: {line}", done)

    shell = Terminal(world, ["bash", "--norc", "--noprofile", "-i"], dict(env, PS1="> "))
    shell.expect("> ")
    shell.send("source <(cfgsync-agent completion bash)\n")
    shell.send("cfgsync-agent sta\t--pro\t\n")
    shell.expect("cfgsync-agent status --prompt ")
    shell.send("cfgsync-agent --home=/no\t sync\t\x15")
    shell.clear()
    shell.send("cfgsync-agent conflicts show /\t\n")
    shell.expect("from beta")
    shell.clear()
    shell.send(f"cd '{b.paths['f']}'; echo the''re\n")
    shell.expect("there")
    shell.send("cfgsync-agent why no\t\n")
    shell.expect("f/notes.txt")


def test_zsh(world):
    if not shutil.which("zsh"):
        raise Skip("no zsh")
    b = conflict(world)
    env = dict(in_path(world, b), PS1="> ", ZDOTDIR=str(world.dir / "nobody"))
    shell = Terminal(world, ["zsh", "-f", "-i"], env)
    shell.send("PS1='> '; autoload -U compinit; compinit -u -D; "
               "source <(cfgsync-agent completion zsh); echo rea''dy\n")
    shell.expect("ready")
    shell.clear()
    shell.send("cfgsync-agent peer remo\talph\t")
    shell.expect("remove +alpha ")
    shell.send("\x15")
    shell.clear()
    shell.send("cfgsync-agent sync --peer=al\t")
    shell.expect("--peer=alpha")
    shell.send("\x15")
    shell.clear()
    shell.send("cfgsync-agent status --\t")
    shell.expect("--prompt +-- one icon")
    shell.send("\x15")
    shell.clear()
    shell.send("cfgsync-agent conflicts show /\t\n")
    shell.expect("from beta")


def test_fish(world):
    if not shutil.which("fish"):
        raise Skip("no fish")
    b = conflict(world)
    env = in_path(world, b)

    def ask(line):
        script = "cfgsync-agent completion fish | source; complete -C " + repr(line)
        done = subprocess.run(["fish", "-N", "-c", script], env=env, capture_output=True,
                              text=True, timeout=60, check=True, cwd=b.paths["f"])
        check(not done.stderr, f"fish: {line}", done)
        return [l.split("\t") for l in done.stdout.splitlines()]

    check(["status", "folders, peers, what is under way and what needs you"] in
          ask("cfgsync-agent sta"), "verbs", ask("cfgsync-agent sta"))
    check(ask("cfgsync-agent peer remove ") == [["alpha", "connected"]], "peers",
          ask("cfgsync-agent peer remove "))
    check(["--peer", "with this peer only"] in ask("cfgsync-agent sync --p"), "options")
    check([l[0] for l in ask("cfgsync-agent sync --peer=")] == ["--peer=alpha"], "values",
          ask("cfgsync-agent sync --peer="))
    check("notes.txt" in [l[0] for l in ask("cfgsync-agent why n")], "files",
          ask("cfgsync-agent why n"))
    got = [l[0] for l in ask("cfgsync-agent conflicts show ")]
    check(got == ["notes.txt"], "conflicts", got)


if __name__ == "__main__":
    main()
