#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pairing and invitations against a second implementation, and against one that lies."""

import json
import os
import socket

import pair_peer
from hostile import Key, Peer, device_text
from pair_peer import (ACCEPT, BYE, DECLINED, PROOF, STORED, WRONG_CODE, Guest, card, decode,
                       encode, generator, isk, join_message, multiply, token_read)
from harness import check, main, wait_for
from test_invite import invite, invites, peers
from test_pair import Pairing, offer, strangers


def test_vectors(world):
    """The second implementation itself: draft-irtf-cfrg-cpace-21, appendix B.3."""
    del world
    unhex = bytes.fromhex
    session = unhex("7e4b4791d6a8ef019b936c79fb7f2c57")
    channel = unhex("0b415f696e69746961746f720b425f726573706f6e646572")
    base = generator(b"Password", channel, session)
    check(encode(base).hex() == "222b6b195fe84b1652badb6f6a3ae3d24341e7306967f0b8115b40d5698c7e56",
          "generator", encode(base).hex())
    a, b = (int.from_bytes(unhex(text), "little") for text in (
        "da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08",
        "d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d"))
    share_a, share_b = encode(multiply(a, base)), encode(multiply(b, base))
    secret = encode(multiply(a, decode(share_b)))
    check(secret == encode(multiply(b, decode(share_a))), "one secret")
    check(isk(session, secret, share_a, b"ADa", share_b, b"ADb").hex() ==
          "b69effbf61b51d56401c0f65601abe428de8206feaaf0e32198896dcae7b35cd"
          "2b38950a39dfd5d4a79164614c2984f7daa460b588c1e80c3fa2068af7900447", "key")


def test_second_joins(world):
    a = world.agent("alpha").start()
    shown, at, code = offer(a, "--yes")
    talk = pair_peer.join(at, code)
    talk.say(PROOF, talk.share + talk.proof(card(talk.key, port=4711,
                                                 addresses=["tcp://10.9.8.7:1", "nonsense"])))
    talk.check(talk.expect(PROOF))
    check(device_text(talk.other["device"]) == a.device_id, "it is alpha", talk.other)
    check(talk.other["name"] == "alpha" and talk.other["addresses"] == [a.address], "its card",
          talk.other)
    talk.word(ACCEPT)
    talk.expect_word(ACCEPT)
    talk.word(STORED)
    talk.expect_word(STORED)
    shown.ends(0)
    check("second (Snake 3)" in shown.text, "it is shown", shown.text)
    check(peers(a)["second"]["id"] == device_text(talk.key.device), "its id", peers(a))
    check(peers(a)["second"]["addresses"] == ["tcp://127.0.0.1:4711", "tcp://10.9.8.7:1"],
          "where it is", peers(a))


def test_second_offers(world):
    a = world.agent("alpha").start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        joined = Pairing(a, "--at", f"127.0.0.1:{listener.getsockname()[1]}", "--yes",
                         typed="42-amber-river\n")
        talk = pair_peer.offer(listener, "42-amber-river")
        talk.say(PROOF, talk.proof())
        talk.expect_word(ACCEPT)
        talk.word(ACCEPT)
        talk.expect_word(STORED)
        talk.word(STORED)
        joined.ends(0)
    check(peers(a)["second"]["id"] == device_text(talk.key.device), "its id", peers(a))


def test_lies_of_who_has_the_code(world):
    """Another device's card, no card, words out of turn, half of it: no peer is left."""
    a = world.agent("alpha").start()
    mine, other = Key(b"mine"), Key(b"other")

    def begin():
        shown, at, code = offer(a, "--yes")
        return shown, pair_peer.join(at, code, mine)

    for text, signature in ((card(other), None), (card(mine), bytes(64)), (b"", None),
                            (b"\x80", None), (card(mine, name=""), None), (card(mine)[:-1], None),
                            (card(mine) + b"\0", None), (card(mine, name="n" * 65), None),
                            (card(mine, addresses=["x"] * 9), None),
                            (card(mine, port=70000), None)):
        shown, talk = begin()
        talk.say(PROOF, talk.share + talk.proof(text, signature))
        check(talk.hear() == (BYE, bytes([WRONG_CODE])), "refused", text)
        check(talk.hear() is None, "and closed")
        shown.ends(1)
        strangers(a)

    for lie in ("stored first", "accept twice", "unsealed", "replayed", "garbage", "not stored",
                "declined"):
        shown, talk = begin()
        talk.say(PROOF, talk.share + talk.proof(card(mine)))
        talk.check(talk.expect(PROOF))
        if lie == "stored first":
            talk.word(STORED)
        elif lie == "unsealed":
            talk.say(ACCEPT, bytes([ACCEPT]))
        elif lie == "garbage":
            talk.say(99, os.urandom(100))
        elif lie == "declined":
            talk.say(BYE, bytes([DECLINED]))
        else:
            talk.word(ACCEPT)
            talk.expect_word(ACCEPT)
            if lie == "replayed":
                talk.sealed -= 1
                talk.word(STORED)
            elif lie == "accept twice":
                talk.word(ACCEPT)
            elif lie == "not stored":
                talk.say(BYE, bytes([pair_peer.NOT_STORED]))
        shown.ends(1)
        talk.close()
        wait_for(lambda: not peers(a), lambda: f"{lie}: no peer is left")


def test_cut_at_the_end(world):
    """The last word is lost: what is stored stays, shown as not confirmed until they meet."""
    a = world.agent("alpha").start()
    for meets in (False, True):
        mine = Key(b"mine%d" % meets)
        shown, at, code = offer(a, "--yes")
        talk = pair_peer.join(at, code, mine)
        talk.say(PROOF, talk.share + talk.proof(card(mine)))
        talk.check(talk.expect(PROOF))
        talk.word(ACCEPT)
        talk.expect_word(ACCEPT)
        talk.expect_word(STORED)
        talk.close()  # its own STORED does not come
        shown.ends(4)
        check("second is trusted here, but the connection was lost" in shown.text, "it says so",
              shown.text)
        check("the pairing was cut off" in peers(a)["second"]["reason"], "and goes on to", peers(a))
        a.restart()
        check("the pairing was cut off" in peers(a)["second"]["reason"], "it lasts", peers(a))
        if meets:
            peer = Peer(world, "second", b"mine1").connect(a)
            wait_for(lambda: a.connected("second"), "they meet")
            peer.disconnect()
            wait_for(lambda: not a.connected("second"), "and part")
            check("cut off" not in str(peers(a)["second"]["reason"]), "it is confirmed", peers(a))
        a.cli("peer", "remove", "second")


def test_false_offerer(world):
    """Who sits at the address without the code gets one guess, and no device id."""
    a = world.agent("alpha").start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = f"127.0.0.1:{listener.getsockname()[1]}"
        joined = Pairing(a, "--at", at, "--yes", typed="42-amber-river\n")
        try:
            pair_peer.offer(listener, "42-amber-rabbit")
            guessed = True
        except AssertionError:
            guessed = False
        check(not guessed, "the guess was wrong")
        joined.process.kill()
        for answer, reason in ((b"\2" + bytes(48), "another version"),
                               (b"\1" + bytes(48), "does not match"),
                               (b"\1" + bytes(16) + b"\xff" * 32, "does not match"),
                               (b"\1", "does not speak")):
            joined = Pairing(a, "--at", at, "--yes", typed="42-amber-river\n")
            connection = listener.accept()[0]
            talk = pair_peer.Talk(connection, True, "", None)
            talk.expect(pair_peer.BEGIN)
            talk.say(pair_peer.SHARE, answer)
            check(reason in joined.ends(1), reason, joined.text)
            connection.close()
    strangers(a)


# ---- invitations

def visit(world, a, guest, message, seconds=20):
    """Says that with the key of the token, and tells what came back."""
    peer = Peer(world, "guest")
    peer.key = guest
    lane = peer.socket(a)
    lane.send(message)
    answer = lane.recv() if lane.poll(seconds * 1000) else None
    peer.close()
    return answer


def test_guests(world):
    a = world.agent("alpha").start()
    token = token_read(invite(a))
    check(device_text(token["device"]) == a.device_id and token["addresses"] == [a.address],
          "what it names", token)
    guest, one, two = Guest(token["seed"]), Key(b"one"), Key(b"two")
    good = join_message(guest, token["device"], one)
    for bad in (b"", b"x", os.urandom(200), good[:-1], bytes(64) + good[64:], b"\0" * 5000,
                join_message(guest, token["device"], one, card(two)),
                join_message(guest, one.device, one),
                join_message(Guest(bytes(32)), token["device"], one), b"\x93\xa5HELLO\0\x80"):
        check(visit(world, a, guest, bad, 0.5) is None, "no answer", bad[:20])
        check(not peers(a) and invites(a)[0]["used"] == 0, "no peer, no use", peers(a))
    answer = visit(world, a, guest, good)
    check(answer[:1] == b"\0", "welcome", answer)
    check(pair_peer.msgpack.unpackb(answer[1:], raw=False)["device"] == token["device"], "its card")
    check(list(peers(a)) == ["second"], "a peer", peers(a))
    check(visit(world, a, guest, good)[:1] == b"\0", "told again")
    check(visit(world, a, guest, join_message(guest, token["device"], two)) == b"\1", "used up")
    check(list(peers(a)) == ["second"], "one peer", peers(a))
    a.cli("invite", "revoke", "all")
    check(visit(world, a, guest, good, 0.5) is None, "not admitted any more")
    a.cli("status")


if __name__ == "__main__":
    main()
