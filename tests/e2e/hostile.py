# SPDX-License-Identifier: MIT
"""A second implementation of a peer, written from docs/PROTOCOL.md alone, that tells lies.

It holds a real key and can be trusted like any device. What it sends is whatever a test makes up:
nothing here keeps a rule unless a test wants it kept.
"""

import hashlib
import os
import socket
import struct
import sys
import time

try:
    import msgpack
    import nacl.bindings
    import nacl.signing
    import zmq
    import zmq.utils.z85 as z85
except ImportError:
    # Debian's own Python has them (scripts/deps.sh --test).
    if os.path.realpath(sys.executable) == os.path.realpath("/usr/bin/python3"):
        raise
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

CONTROL, BULK = 0, 1
FILE, DIRECTORY, SYMLINK, DELETED = 1, 2, 3, 4
LEAF_LIST = 4294967295
COUNTER_MAX = 2**63 - 1
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Closed(Exception):
    """The agent said BYE; the text is why."""


# ---- section 2: identities and hashes

def luhn(group):
    total = 0
    for place, letter in enumerate(reversed(group)):
        number = ALPHABET.index(letter)
        if place % 2 == 0:
            number *= 2
            number = number // 32 + number % 32
        total += number
    return ALPHABET[-total % 32]


def device_text(device):
    bits = "".join(f"{byte:08b}" for byte in device) + "0000"
    letters = "".join(ALPHABET[int(bits[at:at + 5], 2)] for at in range(0, 260, 5))
    groups = [letters[at:at + 7] for at in range(0, 52, 7)]
    return "-".join(group + luhn(group) for group in groups)


def device_bytes(text):
    letters = "".join(group[:-1] for group in text.strip().upper().split("-"))
    bits = "".join(f"{ALPHABET.index(letter):05b}" for letter in letters)
    return bytes(int(bits[at:at + 8], 2) for at in range(0, 256, 8))


def curve_public(device):
    return z85.encode(nacl.bindings.crypto_sign_ed25519_pk_to_curve25519(device))


def sha256(data):
    return hashlib.sha256(data).digest()


def content_id(data):
    if len(data) <= 1 << 20:
        return sha256(data)
    return leaves_id([sha256(data[at:at + (1 << 20)]) for at in range(0, len(data), 1 << 20)])


def leaves_id(leaves):
    return sha256(b"cfgsync-leaves1\0" + b"".join(leaves))


def inc_of(device, folder, nonce):
    return struct.unpack(">Q", sha256(device + folder + nonce)[:8])[0]


class Key:
    def __init__(self, seed):
        self.signing = nacl.signing.SigningKey(sha256(seed))
        self.device = bytes(self.signing.verify_key)

    def curve(self):
        secret = nacl.bindings.crypto_sign_ed25519_sk_to_curve25519(
            bytes(self.signing) + self.device)
        return curve_public(self.device), z85.encode(secret)

    def mark(self, folder, inc, counter, first=1, epoch=1):
        text = b"cfgsync-mark2" + folder + struct.pack(">QQQQ", inc, counter, first, epoch)
        return [inc, counter, first, epoch, self.signing.sign(text).signature]


# ---- what is in messages

def vector(counters):
    return [number for inc in sorted(counters) for number in (inc, counters[inc])]


def zeros(size):
    """A zstd frame of `size` zero bytes: one run of 128 KiB takes four bytes."""
    frame = b"\x28\xb5\x2f\xfd" + b"\x00" + b"\x38"  # no size stated, window of 128 KiB
    while size > 0:
        run = min(size, 128 << 10)
        size -= run
        frame += struct.pack("<I", (size == 0) | 1 << 1 | run << 3)[:3] + b"\0"
    return frame


class Peer:
    """One device with a session, or none."""

    def __init__(self, world, name="hostile", seed=None):
        self.key = Key(seed or name.encode())
        self.name = name
        self.device_id = device_text(self.key.device)
        self.address = None
        self.context = zmq.Context()
        self.context.set(zmq.BLOCKY, 0)
        self.lanes = []
        self.session = 0
        self.heard = []
        self.nonce = os.urandom(16)
        self.counter = 0
        self.features = 0
        self.folder = self.inc = None
        self.features = 0
        world.closers.append(self.close)

    # ---- sections 4 to 6
    def socket(self, agent):
        lane = self.context.socket(zmq.DEALER)
        lane.curve_publickey, lane.curve_secretkey = self.key.curve()
        lane.curve_serverkey = curve_public(device_bytes(agent.device_id))
        lane.linger = 0
        lane.reconnect_ivl = -1
        lane.sndhwm = lane.rcvhwm = 0
        lane.connect(agent.address)
        return lane

    def hello(self, lane, **changes):
        body = {"protocol": 1, "program": "hostile", "name": self.name, "boot": self.boot,
                "session": self.number, "lane": lane, "wall": int(time.time() * 1000)}
        if self.features:
            body["features"] = self.features
        return ["HELLO", 0, {**body, **changes}]

    def connect(self, agent, hello=True):
        self.disconnect()
        self.agent = agent
        self.number = self.boot = int.from_bytes(os.urandom(7), "big") + 1
        self.lanes = [self.socket(agent), self.socket(agent)]
        self.heard = []
        if not hello:
            return self
        for lane in (CONTROL, BULK):
            self.raw(lane, msgpack.packb(self.hello(lane)))
            self.session = self.wait("HELLO", lane=lane)["session"]
        return self

    def disconnect(self):
        for lane in self.lanes:
            lane.close()
        self.lanes = []

    def close(self):
        self.disconnect()
        self.context.destroy(linger=0)

    def raw(self, lane, *frames):
        # A lane that was closed with a BYE which waits to be read would be sent into for ever.
        self.lanes[lane].sndtimeo = 10000
        try:
            self.lanes[lane].send_multipart(frames)
        except zmq.Again:
            self.take(1.0)
            raise Closed("it takes nothing any more") from None

    def send(self, kind, lane=CONTROL, **body):
        self.raw(lane, msgpack.packb([kind, self.session, body]))

    def take(self, seconds=0.0):
        """Reads what is there. Raises Closed at BYE."""
        poller = zmq.Poller()
        for lane in self.lanes:
            poller.register(lane, zmq.POLLIN)
        for lane, _ in poller.poll(int(seconds * 1000)):
            kind, number, body = msgpack.unpackb(lane.recv(), raw=False, strict_map_key=False)
            self.heard.append((self.lanes.index(lane), kind, body))
            if kind == "BYE":
                raise Closed(body.get("text", ""))
            if kind == "PING":
                self.send("PONG", token=body["token"], wall=0)

    def find(self, kind, lane=None, since=0):
        for heard_lane, heard, body in reversed(self.heard[since:]):
            if heard == kind and lane in (None, heard_lane):
                return body
        return None

    def wait(self, kind, seconds=10.0, lane=None, since=0):
        end = time.monotonic() + seconds
        while (found := self.find(kind, lane, since)) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"no {kind} within {seconds} s; heard "
                                   f"{[heard for _, heard, _ in self.heard]}")
            self.take(0.1)
        return found

    def wait_bye(self, seconds=10.0):
        """Why the agent ended the session."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.take(0.1)
        except Closed as bye:
            return str(bye)
        raise TimeoutError("no BYE")

    # ---- section 7, as an honest device would
    def join(self, agent, folder="f"):
        """A session in which the folder is joined; self.theirs is the agent's OFFER."""
        self.connect(agent)
        self.theirs = self.wait("OFFER")
        self.folder = self.theirs["folder"]
        self.inc = inc_of(self.key.device, self.folder, self.nonce)
        self.offer(name=folder)
        return self

    def offer(self, **changes):
        known = {self.inc: self.counter} if self.counter else {}
        body = {"folder": self.folder, "name": "f", "inc": self.inc, "nonce": self.nonce,
                "state": 2, "used": True, "k": vector(known),
                "marks": [self.mark()] if known else []}
        self.send("OFFER", **{**body, **changes})

    def mark(self, counter=None):
        return self.key.mark(self.folder, self.inc, counter or self.counter)

    def owners(self, count, key=None):
        """[inc, device, nonce, name] of made-up lives of a device."""
        device = (key or self.key).device
        nonces = [struct.pack(">QQ", 7, number) for number in range(count)]
        return [[inc_of(device, self.folder, nonce), device, nonce, "x"] for nonce in nonces]

    def version(self, path, kind=FILE, data=b"", **changes):
        """A version with this device's next dot."""
        self.counter += 1
        dot = [self.inc, self.counter]
        out = {"p": path, "d": dot, "v": dot, "k": kind}
        if kind in (FILE, DIRECTORY):
            out["m"] = 0o755 if kind == DIRECTORY else 0o644
        if kind == FILE:
            out.update(s=len(data), c=content_id(data))
        if kind == SYMLINK:
            out.update(c=sha256(data), t=data)
        out["b"] = [int(time.time() * 1000), *dot]
        return {**out, **changes}

    def ride(self, data):
        return [content_id(data), len(data), False, data]

    def push(self, *versions, after=None, rides=(), **changes):
        after = self.counter - len(versions) if after is None else after
        body = {"folder": self.folder, "inc": self.inc, "after": max(after, 0),
                "upto": self.mark(max(self.counter, 1)), "versions": list(versions),
                "rides": list(rides)}
        self.send("PUSH", **{**body, **changes})

    def settle(self):
        """Returns when the agent has taken all that was sent on the control lane."""
        token = int.from_bytes(os.urandom(6), "big")
        self.send("PING", token=token, wall=0)
        end = time.monotonic() + 60
        while not any(kind == "PONG" and body["token"] == token for _, kind, body in self.heard):
            if time.monotonic() > end:
                raise TimeoutError("no PONG")
            self.take(0.1)


class RawLane:
    """One connection by hand (ZMTP 3.0, CurveZMQ): ZeroMQ itself sends no message before its last
    frame is there, so it cannot send one that has none."""

    def __init__(self, key, agent):
        host, port = agent.address.removeprefix("tcp://").rsplit(":", 1)
        self.wire = socket.create_connection((host, int(port)), 10)
        self.box = nacl.bindings.crypto_box
        self.nonce = 0
        server = z85.decode(curve_public(device_bytes(agent.device_id)))
        public, secret = (z85.decode(part) for part in key.curve())
        self.handshake(server, public, secret)

    def short_nonce(self):
        self.nonce += 1
        return struct.pack(">Q", self.nonce)

    def command(self, body):
        head = struct.pack(">BB", 4, len(body)) if len(body) < 256 else \
            struct.pack(">BQ", 6, len(body))
        self.wire.sendall(head + body)

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.wire.recv(size - len(data))
            if not part:
                raise Closed("the connection was closed")
            data += part
        return data

    def read_command(self):
        flags, size = self.read(2)
        if flags & 2:
            size = struct.unpack(">Q", bytes([size]) + self.read(7))[0]
        return self.read(size)

    def handshake(self, server, public, secret):
        mechanism = b"CURVE".ljust(20, b"\0")
        self.wire.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism + bytes(32))
        self.read(64)
        here, here_secret = nacl.bindings.crypto_box_keypair()
        nonce = self.short_nonce()
        self.command(b"\x05HELLO\x01\x00" + bytes(72) + here + nonce + self.box(
            bytes(64), b"CurveZMQHELLO---" + nonce, server, here_secret))
        welcome = self.read_command()
        opened = nacl.bindings.crypto_box_open(
            welcome[24:], b"WELCOME-" + welcome[8:24], server, here_secret)
        there, cookie = opened[:32], opened[32:]
        vouch_nonce = os.urandom(16)
        vouch = self.box(here + server, b"VOUCH---" + vouch_nonce, there, secret)
        metadata = b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
        nonce = self.short_nonce()
        self.command(b"\x08INITIATE" + cookie + nonce + self.box(
            public + vouch_nonce + vouch + metadata, b"CurveZMQINITIATE" + nonce, there,
            here_secret))
        self.read_command()  # READY
        self.shared = nacl.bindings.crypto_box_beforenm(there, here_secret)

    def send(self, payload, more=False):
        nonce = self.short_nonce()
        body = b"\x07MESSAGE" + nonce + nacl.bindings.crypto_box_afternm(
            bytes([more]) + payload, b"CurveZMQMESSAGEC" + nonce, self.shared)
        self.wire.sendall(struct.pack(">BQ", 2, len(body)) + body)

    def close(self):
        self.wire.close()
