# SPDX-License-Identifier: MIT
"""`why PATH`: one answer with the chain of reasons."""

import json
import os
import shutil
import time

import harness
from harness import check, wait_for


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def why(agent, path, code=0):
    """Asked twice, for scripts and for people, until nothing has happened between the two."""
    def ask():
        result = agent.try_cli("why", path, "--json")
        plain = agent.try_cli("why", path)
        check(result.code == plain.code == code, "why answers", result, plain)
        answer = json.loads(result.out)
        answer["plain"] = plain.text
        same = all(r["text"] in plain.out for r in answer.get("reasons", []))
        return answer if same else None
    return wait_for(ask, "both say the same")


def in_sync(agent, path):
    """A session that takes the place of another one begins with knowing nothing of the peer."""
    def ask():
        answer = why(agent, path)
        return answer if answer["state"] == "synced" else None
    return wait_for(ask, "in sync")


def codes(answer):
    return [r["code"] for r in answer["reasons"]]


def test_in_sync_and_left_out(world):
    a, b, fa, fb = world.pair()
    write(fa / ".cfgsyncignore", "# rules\n*.log\n")
    write(fa / ".cfgsync/ignore", "own/\n")
    write(fa / "sub" / "x", "x")
    write(fa / "gone", "x")
    write(fa / "a.log", "x")
    write(fa / "key.pem", "x")
    write(fa / "own" / "y", "x")
    a.try_sync()
    answer = in_sync(b, fb / "sub" / "x")
    check(answer["folder"] == "f" and answer["path"] == "sub/x", "of the path", answer)
    check(answer["saved_by"] == "alpha" and abs(answer["saved_ms"] / 1000 - time.time()) < 60,
          "saved by whom and when", answer)
    check("in sync with alpha" in answer["plain"] and "saved by alpha" in answer["plain"], "said",
          answer)
    check(answer["peers"] == [{"name": "alpha", "connected": True, "has": "on-disk",
                               "last_seen": answer["peers"][0]["last_seen"], "reason": None,
                               "share": "joined"}], "with whom", answer)
    in_sync(a, fa / "sub" / "x")
    in_sync(a, fa / "sub")
    check(why(a, fa)["state"] in ("synced", "held"), "the root")
    for name, rule in [("a.log", ".cfgsyncignore:2: *.log"), ("own/y", ".cfgsync/ignore:1: own/"),
                       ("own", ".cfgsync/ignore:1: own/"), ("x~", "default: *~"),
                       ("sub/.git", None), (".cfgsync/kept/x", "default: .cfgsync")]:
        answer = why(a, fa / name)
        check(answer["rule"] == rule, "the rule", name, answer)
        check(rule is None or (answer["state"] == "ignored" and rule in answer["plain"]), "said",
              answer)
    answer = why(a, fa / "key.pem")
    check(answer["state"] == "secret" and answer["rule"] == "default: *.pem", "held", answer)
    check(codes(why(a, fa / "never")) == ["unknown"], "nothing there")
    check(why(a, "/tmp", code=1)["error"]["code"] == "unknown-folder", "not in a folder")
    (fa / "gone").unlink()
    a.try_sync()
    answer = why(b, fb / "gone")
    check(answer["deleted"] and "deleted by alpha" in answer["plain"], "a deletion", answer)
    # Relative to the working directory, through a link to the root, and a link itself.
    here = a.try_cli("why", "../sub/./x", "--json", cwd=fa / "sub")
    check(json.loads(here.out)["path"] == "sub/x", "relative", here)
    (world.dir / "link").symlink_to(fa)
    check(why(a, world.dir / "link" / "sub" / "x")["path"] == "sub/x", "through a link")
    (fa / "l").symlink_to("/etc/passwd")
    a.try_sync()
    check(why(a, fa / "l")["state"] == "synced", "a link is asked about itself")


def test_what_it_waits_for(world):
    a, b, c = world.company("alpha", "beta", "gamma")
    for agent in (a, b, c):
        agent.folder_add("f")
    fa, fb, fc = (agent.paths["f"] for agent in (a, b, c))
    a.sync()
    # alpha tells beta of a large file and dies before beta has it.
    c.stop()
    write(fa / "x", "x")
    a.try_sync("--peer", "beta")
    answer = why(a, fa / "x")
    check(answer["state"] == "pending-out" and "gamma has not got it: not connected" in
          answer["plain"] and "last seen" in answer["plain"], "an absent peer", answer)
    check("in sync with beta" in answer["plain"], "and who has it", answer)
    # A rule of beta's own.
    write(fb / ".cfgsync/ignore", "*.iso\n")
    wait_for(lambda: "rules=1" in b.log(), "beta reads its rules")
    write(fa / "z.iso", "z")
    a.try_sync("--peer", "beta")
    answer = why(b, fb / "z.iso")
    check(codes(answer) == ["ignored", "known"], "left out here, known elsewhere", answer)
    wait_for(lambda: "beta cannot take it: ignored" in why(a, fa / "z.iso")["plain"], "and there")
    # A directory that cannot go.
    write(fa / "d" / "x", "x")
    a.try_sync("--peer", "beta")
    write(fb / "d" / "mine.iso", "x")
    shutil.rmtree(fa / "d")
    a.try_sync("--peer", "beta")
    answer = why(b, fb / "d")
    check(answer["state"] == "blocked:not-empty", "blocked here", answer)
    wait_for(lambda: "beta cannot take it: not-empty" in why(a, fa / "d")["plain"], "and there")


def test_conflict_and_no_source(world):
    a, b, fa, fb = world.pair()
    write(fa / "c", "one")
    a.sync()
    b.stop()
    write(fa / "c", "a's")
    a.try_sync(timeout=1)
    a.stop()
    b.start()
    write(fb / "c", "b's")
    b.try_sync(timeout=1)
    answer = why(b, fb / "c")
    check(answer["state"] == "pending-out", "alpha is away", answer)
    a.start()
    wait_for(lambda: "conflict" in codes(why(a, fa / "c")), "a conflict")
    answer = why(a, fa / "c")
    check("in conflict with .cfgsync/conflicts/" in answer["plain"], "with what", answer)
    # What is known before its content has come.
    a.stop()
    b.stop()
    a.start()
    big = fa / "big"
    big.write_bytes(os.urandom(1 << 20) * 64)
    a.try_sync(timeout=1)
    b.start()

    def caught():
        state = why(b, fb / "big")["state"]
        return state if state not in ("unknown", "looking") else None
    state = wait_for(caught, "beta hears of it")
    a.kill9()
    if state == "waiting-content":
        answer = why(b, fb / "big")
        check(answer["state"] in ("waiting-content", "no-source", "synced"), "whose content",
              answer)
        wait_for(lambda: "alpha (last seen" in why(b, fb / "big")["plain"] or
                 (fb / "big").exists(), "it names alpha")
    a.start()
    wait_for(lambda: why(b, fb / "big")["state"] == "synced", "it comes")


if __name__ == "__main__":
    harness.main()
