#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Machines that join by a token, with nobody there."""

import base64
import json
import re
import socket
import stat
import threading

from harness import check, main, stays, wait_for
from trees import put, same


def peers(agent):
    return {p["name"]: p for p in json.loads(agent.cli("peer", "list", "--json").out)["peers"]}


def invites(agent):
    return json.loads(agent.cli("invite", "list", "--json").out)["invites"]


def invite(agent, *args):
    out = agent.cli("invite", *args).out
    check(re.fullmatch(r"cfgsync-join1-[A-Za-z0-9_-]+\n", out), "one word alone on a line", out)
    return out.strip()


def invited(world, name, token, start=True):
    """A machine as cloud-init would set it up."""
    agent = world.agent(name, init=False)
    put(world.dir / f"{name}.token", token + "\n")
    agent.cli("init", "--name", name, "--listen", agent.address,
              "--join-file", world.dir / f"{name}.token")
    agent.device_id = agent.cli("id").out.strip()
    return agent.start() if start else agent


def problem(agent):
    return {e["code"]: e for e in agent.status()["errors"]}


def left(agent):
    return (agent.home / "join").exists()


def test_join(world):
    """The whole of it: init, run, and the folders of the invitation are shared."""
    a = world.agent("alpha").start()
    a.folder_add("f", share=None)
    a.folder_add("private", share=None)
    put(a.paths["f"] / "x", "x")
    token = invite(a, "--folders", "f")
    b = invited(world, "beta", token)
    wait_for(lambda: b.connected("alpha") if peers(b) else False, "connected", 20)
    check(peers(a)["beta"]["folders"] == ["f"], "what is shared", peers(a))
    check(peers(a)["beta"]["addresses"] == [b.address], "where it is", peers(a))
    check(a.address in peers(b)["alpha"]["addresses"], "where the inviter is", peers(b))
    b.folder_add("f", share="alpha")
    b.sync("f")
    same(a.paths["f"], b.paths["f"])
    wait_for(lambda: not left(b), "the token is gone")
    check(not problem(b), "no problem", problem(b))
    check(invites(a)[0]["used"] == 1, "it is used", invites(a))


def refused(world, a, name, token, why):
    b = invited(world, name, token)
    wait_for(lambda: "join-refused" in problem(b), lambda: f"refused: {problem(b)}")
    check(why in problem(b)["join-refused"]["message"], "why", problem(b))
    check(not peers(b) and name not in peers(a), "no peer on either side", peers(a), peers(b))
    wait_for(lambda: not left(b), "the token is gone")
    check("Failure" not in b.log() and "refused" in b.log(), "it is in the log")


def test_uses(world):
    a = world.agent("alpha").start()
    token = invite(a, "--uses", 2)
    for name in ("beta", "gamma"):
        agent = invited(world, name, token)
        wait_for(lambda one=agent: peers(one), f"{name} has joined")
    refused(world, a, "delta", token, "used up")
    check(set(peers(a)) == {"beta", "gamma"}, "two came", peers(a))


def not_admitted(world, a, name, token):
    """The key is not known any more: said, but another machine could do the same."""
    b = invited(world, name, token)
    wait_for(lambda: "used up, expired or revoked" in
             problem(b).get("join-waiting", {"message": ""})["message"],
             lambda: f"not admitted: {problem(b)}")
    check(not peers(b) and name not in peers(a) and left(b), "no peer on either side", peers(a))


def test_expired_and_revoked(world):
    a = world.agent("alpha").start()
    brief, long = invite(a, "--expires", "1s"), invite(a)
    wait_for(lambda: len(invites(a)) == 1, "the brief one goes by itself", 20)
    not_admitted(world, a, "beta", brief)
    a.cli("invite", "revoke", invites(a)[0]["id"])
    check(not invites(a), "none is left", invites(a))
    not_admitted(world, a, "gamma", long)


def test_a_newer_token(world):
    """What was put in the place of a token meanwhile is not thrown away with it."""
    a = world.agent("alpha").start()
    old, new = invite(a), invite(a)
    a.stop()
    b = invited(world, "beta", old)
    put(b.home / "join", new + "\n")
    a.start()
    wait_for(lambda: peers(b), "joined", 60)
    stays(lambda: left(b), "the newer one is kept", 0.5)


def test_room_for_new_ones(world):
    a = world.agent("alpha").start()
    token = invite(a)
    for _ in range(31):
        invite(a)
    b = invited(world, "beta", token)
    wait_for(lambda: peers(b) and not left(b), "joined")
    invite(a)
    check(len(invites(a)) == 32 and not any(i["used"] for i in invites(a)), "the used one went")
    check("32 open invitations" in a.try_cli("invite").text, "there is an end of them")


def test_inviter_is_off(world):
    """The invited machine waits, and says so; the invitation survives a restart of the inviter."""
    a = world.agent("alpha").start()
    token = invite(a)
    a.stop()
    b = invited(world, "beta", token)
    wait_for(lambda: "join-waiting" in problem(b), lambda: f"it waits: {problem(b)}")
    check(left(b) and not peers(b), "nothing is decided")
    b.restart()
    a.start()
    wait_for(lambda: peers(b) and peers(a), "joined", 30)


def test_inviter_cannot_write(world):
    """A disk that is full for a moment uses up no invitation: it is not answered."""
    a = world.agent("alpha").start()
    a.folder_add("f", share=None)
    token = invite(a, "--folders", "f")
    (a.home / "registry.json.new").mkdir()  # as if there were no room
    b = invited(world, "beta", token)
    wait_for(lambda: "invited device not stored" in a.log(), "it came")
    stays(lambda: left(b) and not peers(a), "nothing is decided", 1)
    (a.home / "registry.json.new").rmdir()
    wait_for(lambda: peers(b) and not left(b), "joined", 30)
    check(peers(a)["beta"]["folders"] == ["f"], "what is shared", peers(a))


def test_another_is_there(world):
    """Whoever has taken the inviter's address gets neither a peer nor the secret."""
    a = world.agent("alpha").start()
    token = invite(a)
    a.stop()
    other = world.agent("other", init=False)
    other.address = a.address
    other.init()
    other.start()
    b = invited(world, "beta", token)
    stays(lambda: not peers(b) and not peers(other), "they do not become peers", 2)
    other.stop()
    check("join-waiting" in problem(b) and left(b), "it waits", problem(b))


def test_told_again(world):
    """The answer was lost: who has come may ask again, and takes no other use."""
    a = world.agent("alpha").start()
    token = invite(a)
    b = invited(world, "beta", token)
    wait_for(lambda: peers(b) and not left(b), "joined")
    b.stop()
    (b.home / "registry.json").unlink()
    put(b.home / "join", token)
    b.start()
    wait_for(lambda: peers(b), "told again")
    check(invites(a)[0]["used"] == 1, "one use", invites(a))
    refused(world, a, "gamma", token, "used up")


def test_removed_stays_removed(world):
    """Who was removed does not come back by the invitation that it has used."""
    a = world.agent("alpha").start()
    a.folder_add("f", share=None)
    token = invite(a, "--uses", 3, "--expires", "30d", "--folders", "f")
    other = invite(a)
    b = invited(world, "beta", token)
    wait_for(lambda: peers(b) and not left(b), "joined")
    a.cli("peer", "remove", "beta")
    check(len(invites(a)) == 1, "the invitation is revoked, and only that", invites(a))
    b.stop()
    (b.home / "registry.json").unlink()
    put(b.home / "join", token)
    b.start()
    wait_for(lambda: "revoked" in problem(b).get("join-waiting", {"message": ""})["message"],
             lambda: f"not answered: {problem(b)}")
    check(not peers(a), "it is no peer", peers(a))
    c = invited(world, "gamma", other)
    wait_for(lambda: peers(c), "others join by theirs")


def test_another_folder_of_that_name(world):
    """An invitation shares the folder that it was made for and no other."""
    a = world.agent("alpha")
    base = (a.home / "config").read_text()
    put(world.dir / "alpha-undeclared/x", "x")
    put(a.home / "config", base + f'folder undeclared {{ path = "{world.dir}/alpha-undeclared"\n'
        'with = {all} }\n')
    a.start()
    for name in ("gone", "declared"):
        a.folder_add(name, share=None)
    token = invite(a, "--folders", "gone,declared,undeclared")
    a.cli("folder", "remove", "gone")
    a.folder_add("gone", path=world.dir / "private", share=None)
    a.stop()
    put(a.home / "config", base + f'folder declared {{ path = "{a.paths["declared"]}"\n'
        'with = {} }\n')
    a.start()
    a.folder_add("undeclared", path=world.dir / "private-too", share=None)
    b = invited(world, "beta", token)
    wait_for(lambda: peers(b) and not left(b), "joined")
    check(peers(a)["beta"]["folders"] == [], "nothing is shared with it", peers(a))


def test_an_impostor_destroys_nothing(world):
    """Whoever answers at the address, without any key, does not end the invitation."""
    a = world.agent("alpha").start()
    token = invite(a)
    a.stop()
    asked = []

    def refuse(sock):
        sock.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15) + b"\x01" + bytes(31))
        sock.recv(64, socket.MSG_WAITALL)
        sock.recv(202, socket.MSG_WAITALL)  # HELLO
        sock.sendall(b"\x04\x0a\x05ERROR\x03400")
        asked.append(sock)

    impostor = socket.create_server(("127.0.0.1", a.port))
    threading.Thread(target=lambda: [refuse(impostor.accept()[0]) for _ in range(2)],
                     daemon=True).start()
    b = invited(world, "beta", token)
    wait_for(lambda: len(asked) == 2, lambda: f"it dials again: {problem(b)}", 30)
    wait_for(lambda: "another machine" in problem(b)["join-waiting"]["message"], "what it may be")
    check(left(b), "the token is kept")
    impostor.close()
    for sock in asked:
        sock.close()
    a.start()
    wait_for(lambda: peers(b) and not left(b), "joined", 60)


def test_nothing_is_kept(world):
    """Who reads the inviter's files can invite nobody."""
    a = world.agent("alpha").start()
    token = invite(a)
    raw = token.removeprefix("cfgsync-join1-")
    raw = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))
    seed = raw[raw.index(b"\xa4seed\xc4\x20") + 7:][:32]
    for path in (*a.home.rglob("*"), a.log_path):
        if path.is_file():
            data = path.read_bytes()
            check(seed not in data and seed.hex().encode() not in data and
                  token.encode() not in data, "the secret is not there", path)
    for path in ("invites.json",):
        check(stat.S_IMODE((a.home / path).stat().st_mode) == 0o600, "0600", path)
    b = invited(world, "beta", token, start=False)
    check(stat.S_IMODE((b.home / "join").stat().st_mode) == 0o600, "0600", "join")


def test_usage(world):
    a = world.agent("alpha")
    check(a.try_cli("invite").code == 6, "no agent")
    a.start()
    for args, code, text in ((("--uses", 0), 2, "uses"), (("--uses", "x"), 2, "uses"),
                             (("--uses", 1000), 2, "uses"), (("--expires", "soon"), 2, "expires"),
                             (("--expires", "0s"), 2, "expires"),
                             (("--folders", "nope"), 1, "no folder is called nope"),
                             (("--at", "nonsense"), 2, "host:port")):
        result = a.try_cli("invite", *args)
        check(result.code == code and text in result.text, "refused", result)
    check(a.try_cli("invite", "revoke", "ABCDEFG").code == 1, "no such invitation")
    check(a.cli("invite", "list").out == "no invitations\n", "none")
    for _ in range(32):
        invite(a)
    result = a.try_cli("invite")
    check(result.code == 1 and "32 open invitations" in result.text, "not without end", result)
    a.cli("invite", "revoke", "all")
    token = invite(a, "--at", "hub.example:7575")
    b = world.agent("beta", init=False)
    for number, text in enumerate(("", "nonsense", token[:-3], token + "x", token + " " + token,
                                   token.replace("join1", "join2"), "x" * 100000)):
        put(world.dir / f"bad{number}", text)
        result = b.try_cli("init", "--join-file", world.dir / f"bad{number}")
        check(result.code == 2 and "token" in result.text, "refused", text[:50], result)
    check(b.try_cli("init", "--join-file", world.dir / "nowhere").code == 2, "no such file")
    check(not b.home.exists(), "nothing was made")
    c = world.agent("gamma", listen=False).start()
    result = c.try_cli("invite")
    check(result.code == 1 and "listens nowhere" in result.text, "who cannot be reached", result)


def test_damaged(world):
    """A damaged list of invitations stops the start and says so; a damaged token does not."""
    a = world.agent("alpha")
    put(a.home / "invites.json", "{")
    result = a.try_cli("run")
    check(result.code == 1 and "invites.json" in result.text and "remove it" in result.text,
          "it says so", result)
    (a.home / "invites.json").unlink()
    put(a.home / "join", "nonsense")
    a.start()
    check("the invitation is damaged" in a.log(), "it says so", a.log())


if __name__ == "__main__":
    main()
