# SPDX-License-Identifier: MIT
"""A second implementation of pairing and of invitations, written from docs/PROTOCOL.md, sections 17
and 18, RFC 9496 and the CPace draft. It says what a test wants, true or not."""

import base64
import hashlib
import hmac
import os
import socket
import struct

from hostile import Key, msgpack, nacl, sha256

BEGIN, SHARE, PROOF, ACCEPT, STORED, BYE = 1, 2, 3, 4, 5, 6
BUSY, WRONG_CODE, EXPIRED, DECLINED, VERSION, NOT_STORED, MALFORMED = 1, 2, 3, 4, 5, 6, 7

# ---- ristretto255 (RFC 9496)

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def magnitude(number):
    return P - number % P if number % P & 1 else number % P


def ratio_root(u, v):
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    if check in (-u % P, -u * ROOT % P):
        r = r * ROOT % P
    return check in (u % P, -u % P), magnitude(r)


TWIST = P - ratio_root(-D - 1, 1)[1]  # sqrt(a*d - 1), the odd one
TURN = ratio_root(1, -1 - D)[1]       # 1 / sqrt(a - d)


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e, h = (x1 + y1) * (x2 + y2) - x1 * x2 - y1 * y2, y1 * y2 + x1 * x2
    f, g = z1 * z2 - t1 * D * t2, z1 * z2 + t1 * D * t2
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    out = (0, 1, 1, 0)
    for bit in bin(scalar)[2:]:
        out = add(out, out)
        if bit == "1":
            out = add(out, point)
    return out


def encode(point):
    x, y, z, t = point
    u1, u2 = (z + y) * (z - y) % P, x * y % P
    root = ratio_root(1, u1 * u2 * u2)[1]
    first, second = root * u1 % P, root * u2 % P
    inverse = first * second * t % P
    if t * inverse % P & 1:
        x, y, second = y * ROOT % P, x * ROOT % P, first * TURN % P
    if x * inverse % P & 1:
        y = -y
    return magnitude(second * (z - y)).to_bytes(32, "little")


def decode(data):
    s = int.from_bytes(data, "little")
    if s >= P or s & 1:
        return None
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    is_square, root = ratio_root(1, v * u2 * u2)
    dx = root * u2 % P
    x, y = magnitude(2 * s * dx), u1 * root * dx * v % P
    return (x, y, 1, x * y % P) if is_square and not x * y % P & 1 and y else None


def map_one(data):
    t = int.from_bytes(data, "little") % 2**255 % P
    r = ROOT * t * t % P
    u, v = (r + 1) * (1 - D * D) % P, (-1 - r * D) * (r + D) % P
    is_square, s = ratio_root(u, v)
    c = -1
    if not is_square:
        s, c = -magnitude(s * t) % P, r
    n = (c * (r - 1) * (D - 1) * (D - 1) - v) % P
    w0, w1, w2, w3 = 2 * s * v, n * TWIST, 1 - s * s, 1 + s * s
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def map_hash(data):
    return add(map_one(data[:32]), map_one(data[32:]))


# ---- CPace

def lv(*values):
    out = b""
    for value in values:
        size = len(value)
        while size > 127:
            out += bytes([size & 127 | 128])
            size >>= 7
        out += bytes([size]) + value
    return out


def sha512(data):
    return hashlib.sha512(data).digest()


def generator(code, channel, session):
    used = len(lv(code)) + len(lv(b"CPaceRistretto255")) + 1
    return map_hash(sha512(lv(b"CPaceRistretto255", code, bytes(max(0, 128 - used)), channel,
                              session)))


def isk(session, secret, share_a, data_a, share_b, data_b):
    return sha512(lv(b"CPaceRistretto255_ISK", session, secret) + lv(share_a, data_a) +
                  lv(share_b, data_b))


# ---- cards and frames

def card(key, **changes):
    return msgpack.packb({"device": key.device, "name": "second", "platform": "Snake 3",
                          "program": "second 1", **changes})


class Talk:
    """One connection of a pairing."""

    def __init__(self, connection, offers, code, key):
        self.connection, self.offers, self.code, self.key = connection, offers, code, key
        self.connection.settimeout(30)
        self.sealed = self.opened = 0
        self.other = None

    def say(self, kind, payload=b""):
        self.connection.sendall(struct.pack(">HB", len(payload) + 1, kind) + payload)

    def receive(self, size):
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            if not piece:
                return None
            data += piece
        return data

    def hear(self):
        """(kind, payload), or None at the end."""
        head = self.receive(3)
        if head is None:
            return None
        size, kind = struct.unpack(">HB", head)
        return kind, self.receive(size - 1)

    def expect(self, kind):
        heard = self.hear()
        assert heard and heard[0] == kind, f"expected {kind}, heard {heard}"
        return heard[1]

    # ---- the exchange
    def begin(self, nonces):
        self.session = nonces
        self.scalar = int.from_bytes(os.urandom(31), "little") + 1
        self.share = encode(multiply(self.scalar, generator(self.code.encode(), b"cfgsync-pair1",
                                                            nonces)))

    def finish(self, share):
        secret = encode(multiply(self.scalar, decode(share)))
        a, b = (self.share, share) if self.offers else (share, self.share)
        self.sides = [lv(a, b"offer"), lv(b, b"join")]
        self.isk = isk(self.session, secret, a, b"offer", b, b"join")
        self.transcript = sha512(lv(self.session) + self.sides[0] + self.sides[1])[:32]

    def tag(self, of_offerer):
        key = sha512(b"CPaceMac" + self.session + self.isk)
        return hmac.digest(key, self.sides[0 if of_offerer else 1], "sha512")

    def seal_key(self, of_offerer):
        who = b"offerer" if of_offerer else b"joiner"
        return sha512(b"cfgsync-pair1 key of the " + who + self.session + self.isk)[:32]

    def seal(self, text):
        nonce = struct.pack(">Q", self.sealed) + bytes(16)
        self.sealed += 1
        return nacl.bindings.crypto_secretbox(text, nonce, self.seal_key(self.offers))

    def open(self, sealed):
        nonce = struct.pack(">Q", self.opened) + bytes(16)
        self.opened += 1
        return nacl.bindings.crypto_secretbox_open(sealed, nonce, self.seal_key(not self.offers))

    def purpose(self, of_offerer):
        return b"cfgsync-pair1 card of the " + (b"offerer" if of_offerer else b"joiner")

    def proof(self, own_card=None, signature=None):
        own_card = card(self.key) if own_card is None else own_card
        text = self.purpose(self.offers) + self.transcript + own_card
        signature = signature or self.key.signing.sign(text).signature
        return self.tag(self.offers) + self.seal(signature + own_card)

    def check(self, proof):
        assert proof[:64] == self.tag(not self.offers), "the tag"
        text = self.open(proof[64:])
        self.other = msgpack.unpackb(text[64:], raw=False)
        nacl.signing.VerifyKey(self.other["device"]).verify(
            self.purpose(not self.offers) + self.transcript + text[64:], text[:64])

    def word(self, kind):
        self.say(kind, self.seal(bytes([kind])))

    def expect_word(self, kind):
        assert self.open(self.expect(kind)) == bytes([kind]), "the word"

    def close(self):
        self.connection.close()


def join(at, code, key=None):
    """Dials and comes as far as the share."""
    host, port = at.rsplit(":", 1)
    talk = Talk(socket.create_connection((host.strip("[]"), int(port))), False, code,
                key or Key(os.urandom(8)))
    nonce = os.urandom(16)
    talk.say(BEGIN, b"\1" + nonce)
    answer = talk.expect(SHARE)
    assert answer[0] == 1 and len(answer) == 49
    talk.begin(nonce + answer[1:17])
    talk.finish(answer[17:])
    return talk


def offer(listener, code, key=None):
    """Waits for one, and comes as far as its proof."""
    talk = Talk(listener.accept()[0], True, code, key or Key(os.urandom(8)))
    begin = talk.expect(BEGIN)
    assert begin[0] == 1
    nonce = os.urandom(16)
    talk.begin(begin[1:17] + nonce)
    talk.say(SHARE, b"\1" + nonce + talk.share)
    proof = talk.expect(PROOF)
    talk.finish(proof[:32])
    talk.check(proof[32:])
    return talk


# ---- invitations

def token_read(token):
    text = token.removeprefix("cfgsync-join1-")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert sha256(data[:-4])[:4] == data[-4:], "the check"
    return msgpack.unpackb(data[:-4], raw=False)


class Guest(Key):
    """The key that a token carries."""

    def __init__(self, seed):  # pylint: disable=super-init-not-called
        self.signing = nacl.signing.SigningKey(seed)
        self.device = bytes(self.signing.verify_key)


def join_message(guest, inviter, key, own_card=None):
    own_card = card(key) if own_card is None else own_card
    text = b"cfgsync-join1" + guest.device + inviter + own_card
    return key.signing.sign(text).signature + own_card
