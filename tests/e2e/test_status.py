#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""status at a glance, again and again, and in the prompts of shells."""

import json
import os
import shutil
import subprocess

from harness import SLOW, Skip, check, main, program, wait_for
from terminal import Terminal
from trees import put


def test_glance(world):
    """What needs somebody stands there with the command that goes on."""
    a, b, on_a, on_b = world.pair()
    put(on_a / "x", "one")
    a.sync("f")
    out = a.cli("status").out
    check("synced" in out and "127.0.0.1" in out and "lan" in out and " ms" in out, "well", out)
    check("conflicts" not in out and "\x1b" not in out, "nothing to do, no colours", out)
    b.stop()
    put(on_a / "x", "from alpha")
    put(on_b / "x", "from beta")
    wait_for(lambda: a.owed("beta") == 1, "one change is owed")
    out = a.cli("status").out
    check("away" in out and "last seen" in out and "↑1 (10 B)" in out, "away, and owed", out)
    wait_for(lambda: "\n    beta: " in a.cli("status").out, "what to do about it")
    b.start()
    b.sync("f")
    out = b.cli("status", ok=(3,)).out
    check("conflicts\n  f: 1 edit set aside\n    cfgsync-agent conflicts\n" in out,
          "what next", out)
    shown = Terminal(world, [program(), "status"], b.env)
    check(shown.end() == 3 and b"\x1b[31mconflict" in shown.raw, "red at a terminal", shown.raw)
    plain = Terminal(world, [program(), "status"], dict(b.env, NO_COLOR="1"))
    check(plain.end() == 3 and b"\x1b[" not in plain.raw, "not with NO_COLOR", plain.raw)


def test_held(world):
    a, _, on_a, _ = world.pair()
    for number in range(40):
        put(on_a / f"d/{number}", f"{number}")
    a.sync("f")
    for number in range(40):
        (on_a / f"d/{number}").unlink()
    wait_for(lambda: a.folder("f")["code"] == "mass-delete", "held")
    out = a.cli("status", ok=(5,)).out
    check("mass-delete" in out and "cfgsync-agent plan" in out, "what to do", out)


def test_watch(world):
    """Each picture replaces the one before; in a pipe they follow each other."""
    a, _, on_a, on_b = world.pair()
    shown = Terminal(world, [program(), "status", "--watch"], a.env)
    shown.expect("synced")
    put(on_a / "x", "one")
    shown.expect("1 item")
    check(shown.raw.count(b"\x1b[H\x1b[2J") >= 2, "a new picture", shown.raw)
    shown.send("\x03")
    check(shown.end() == -2, "Ctrl-C ends it", shown.code)

    pipe = subprocess.Popen([program(), "status", "--watch", "--json"], env=a.env, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    world.closers.append(pipe.kill)
    check(json.loads(pipe.stdout.readline())["folders"][0]["items"] == 1, "first what is")
    put(on_a / "y", "two")
    while json.loads(pipe.stdout.readline())["folders"][0]["items"] != 2:
        pass
    wait_for(lambda: (on_b / "y").exists(), "it goes on meanwhile")
    a.stop()
    pipe.stdout.read()
    check(pipe.wait(timeout=20 * SLOW) == 6, "the agent has ended", pipe.returncode)


def test_progress(world):
    """Who waits at a terminal sees what for; the line goes when it is over."""
    a, b, on_a, _ = world.pair()
    b.stop()
    put(on_a / "x", "0123456789")
    wait_for(lambda: a.owed("beta") == 1, "one change is owed")
    shown = Terminal(world, [program(), "sync", "f", "--wait", "--timeout", "60"], a.env)
    shown.expect("↑1 \\(10 B\\)")
    b.start()
    check(shown.end() == 0, "done", shown.text())
    last = shown.raw.decode().rsplit("\r", 2)
    check("\x1b[K" in "".join(last) and "in sync" in shown.text(), "cleared", shown.raw)
    check("↑" not in a.sync("f").err, "not in a pipe")


BASH = """eval "$(cfgsync-agent prompt bash)"
show() { eval "$PROMPT_COMMAND"; echo "<${cfgsync_icon}> ${PS1@P}|"; }
cost() {
    local start=${EPOCHREALTIME/./} i
    for ((i = 0; i < 100; i++)); do _cfgsync_prompt; done
    echo $(((${EPOCHREALTIME/./} - start) / 100))
}
"""
ZSH = """source <(cfgsync-agent prompt zsh)
show() { _cfgsync_prompt; print -r -- "<$cfgsync_icon> ${(e)PROMPT}|" }
zmodload zsh/datetime
cost() {
    local start=$EPOCHREALTIME i
    for ((i = 0; i < 100; i++)); do _cfgsync_prompt; done
    print $(( int((EPOCHREALTIME - start) * 10000) ))
}
zmodload zsh/mathfunc
"""
FISH = """cfgsync-agent prompt fish | source
function show
    set -l icon (cfgsync_icon)
    echo "<"(string trim -- "$icon")"> "(fish_prompt)"|"
end
function cost
    set -l start (date +%s%N)
    for i in (seq 100); cfgsync_icon >/dev/null; end
    math --scale 0 "("(date +%s%N)" - $start) / 100000"
end
"""
SHELLS = {
    "bash": (["bash", "--norc", "-c"], "PS1='> '\n" + BASH),
    "zsh": (["zsh", "-f", "-c"], "PROMPT='> '\n" + ZSH),
    "fish": (["fish", "-N", "-c"], "function fish_prompt; echo -n '> '; end\n" + FISH),
}


def prompts(world, name):
    if not shutil.which(name):
        raise Skip(f"no {name}")
    a, _, on_a, _ = world.pair()
    bin_dir = world.dir / "bin"
    bin_dir.mkdir()
    (bin_dir / "cfgsync-agent").symlink_to(program())
    env = dict(a.env, PATH=f"{bin_dir}:{os.environ['PATH']}", LC_ALL="C.UTF-8")
    (world.dir / "nobody").mkdir(exist_ok=True)

    def shell(script, **more):
        command, begin = SHELLS[name]
        done = subprocess.run(command + [begin + script], env=dict(env, **more), text=True,
                              capture_output=True, timeout=60 * SLOW, check=False)
        check(not done.stderr, "it says nothing else", done)
        return done.stdout

    put(on_a / "x", "one")
    a.sync("f")
    wait_for(lambda: shell("show") == "<✓> ✓ > |\n", lambda: f"the icon: {shell('show')!r}")
    check(shell("show", CFGSYNC_HOME=str(world.dir / "none")) == "<> > |\n", "no agent, no icon")
    least = min(int(shell("cost")) for _ in range(5))
    print(f"      {name}: {least} us a prompt")
    check(least < 1000 * SLOW, "under a millisecond", least)
    a.kill9()
    check((a.home / "status").read_text() == "✓", "the file is stale")
    check(shell("show") == "<> > |\n", "what is stale is off", shell("show"))
    check(a.cli("status", "--prompt").out == "", "the verb agrees")


def test_prompt_bash(world):
    prompts(world, "bash")


def test_prompt_zsh(world):
    prompts(world, "zsh")


def test_prompt_fish(world):
    prompts(world, "fish")


def test_prompt_verb(world):
    a = world.agent("alpha", init=False)
    check("[env_var.cfgsync_icon]" in a.cli("prompt", "starship").out, "starship")
    check(a.try_cli("prompt", "tcsh").code == 2, "no other")


if __name__ == "__main__":
    main()
