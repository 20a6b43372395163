#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the golden vectors: one annotated message per kind, and one of a version alone.

It shares no code with proto/: values are packed by Python's msgpack. Run it without arguments to
rewrite the *.txt beside it; with --check it only compares (exit 1 if a file differs). A line is hex
digits, then "; " and words.
"""

import hashlib
import pathlib
import struct
import sys

import msgpack

HERE = pathlib.Path(__file__).resolve().parent


def filled(first, size):
    """Bytes first, first + 1, ... so that a shifted field shows."""
    return bytes((first + i) & 0xFF for i in range(size))


FOLDER = filled(0x10, 16)
DEVICE = filled(0xA0, 32)
NONCE = filled(0x30, 16)
CONTENT = hashlib.sha256(b"hello\n").digest()
TARGET = b"../etc/hosts"
INC_A = int.from_bytes(hashlib.sha256(DEVICE + FOLDER + NONCE).digest()[:8], "big")
INC_B = 0x1122334455667788
SMALL, LARGE = sorted([INC_A, INC_B])
EPOCH = 0x0102030405060708
MARK_A = [INC_A, 7, 5, EPOCH, filled(0x40, 64)]
MARK_B = [INC_B, 300, 298, EPOCH, filled(0x80, 64)]
K = [SMALL, 7 if SMALL == INC_A else 300, LARGE, 300 if LARGE == INC_B else 7]

FILE = {
    "p": "etc/caf\u00e9.conf",
    "d": [INC_A, 7],
    "v": K,
    "k": 1,
    "m": 0o644,
    "s": 6,
    "c": CONTENT,
    "w": 1700000000123456789,
    "b": [1700000000123, INC_A, 7],
    "o": filled(0xC0, 32),
    "om": 0o600,
    "f": 1,
    "u": [INC_B, 299, INC_B, 300] if INC_B == LARGE else [INC_B, 299],
    "r": "etc/cafe",
    "zz": [None, 1.5, {"later": True}],
}
DIRECTORY = {"p": "etc", "d": [INC_B, 5], "v": [INC_B, 5], "k": 2, "m": 0o755,
             "b": [-1, INC_B, 5]}
SYMLINK = {"p": "hosts", "d": [INC_B, 6], "v": [INC_B, 6], "k": 3,
           "c": hashlib.sha256(TARGET).digest(), "t": TARGET, "w": -1, "b": [0, INC_B, 6], "f": 2}
TOMB = {"p": "gone", "d": [INC_B, 4, INC_B, 9], "v": [INC_B, 9], "k": 4,
        "b": [1700000000000, INC_B, 9]}

MESSAGES = {
    "hello": ("HELLO", 0, {
        "protocol": 1, "program": "cfgsync-agent 0.1.0", "name": "laptop",
        "boot": 0x0102030405060708, "session": 4711, "lane": 1, "wall": 1700000000000}),
    "offer": ("OFFER", 4711, {
        "folder": FOLDER, "name": "dotfiles", "inc": INC_A, "nonce": NONCE, "state": 2,
        "used": True, "k": K, "marks": [MARK_A, MARK_B], "a": [INC_A, 6],
        "floor": [INC_B, 2], "items": 1200, "bytes": 5000000000, "heard": True}),
    "owners": ("OWNERS", 4711, {"folder": FOLDER, "owners": [[INC_A, DEVICE, NONCE, "laptop"]]}),
    "pull": ("PULL", 4711, {"folder": FOLDER, "round": 3, "k": K, "token": filled(0, 20)}),
    "ack": ("ACK", 4711, {"folder": FOLDER, "round": 3, "page": 2}),
    "done": ("DONE", 4711, {
        "folder": FOLDER, "round": 3, "pages": 2, "k": K, "marks": [MARK_B],
        "floor": [INC_B, 2]}),
    "versions": ("VERSIONS", 4711, {
        "folder": FOLDER, "round": 3, "page": 1, "token": filled(0, 20), "marks": [MARK_B],
        "versions": [FILE, DIRECTORY, SYMLINK, TOMB]}),
    "push": ("PUSH", 4711, {
        "folder": FOLDER, "inc": INC_A, "after": 6, "upto": MARK_A, "versions": [FILE],
        "rides": [[CONTENT, 6, False, b"hello\n"]],
        "patches": [[[CONTENT, 6], [filled(0xC0, 32), 100000], b"patch"]]}),
    "news": ("NEWS", 4711, {"folder": FOLDER, "k": [INC_B, 300], "marks": [MARK_B]}),
    "applied": ("APPLIED", 4711, {
        "folder": FOLDER, "a": K, "blocked": [["README", [INC_B, 300], "case-clash"]],
        "total": 1, "changes": 2, "bytes": 70000}),
    "want_leaves": ("WANT", 4711, {
        "folder": FOLDER, "path": "disk.img", "ids": [[filled(0xC0, 32), 3 << 20]],
        "leaves": [0xFFFFFFFF, 0, 2]}),
    "want_contents": ("WANT", 4711, {
        "folder": FOLDER, "ids": [[CONTENT, 6], [filled(0xC0, 32), 100000]]}),
    "not_held": ("NOT_HELD", 4711, {"folder": FOLDER, "ids": [CONTENT, filled(0xC0, 32)]}),
    "data": ("DATA", 4711, {
        "folder": FOLDER, "content": filled(0xC0, 32), "leaf": 2, "offset": 131072, "size": 5,
        "bytes": b"chunk"}),
    "pack": ("PACK", 4711, {
        "folder": FOLDER, "contents": [[CONTENT, 6], [hashlib.sha256(b"").digest(), 0],
                                       [hashlib.sha256(b"bye\n").digest(), 4]],
        "bytes": b"hello\nbye\n"}),
    "signature": ("SIGNATURE", 4711, {
        "folder": FOLDER, "round": 5, "ids": [[filled(0xC0, 32), 3 << 20]], "runs": [0, 1, 2, 1],
        "size": 52, "offset": 12, "bytes": filled(0x70, 40)}),
    "delta": ("DELTA", 4711, {
        "folder": FOLDER, "round": 5, "page": 2, "end": 1, "size": 5, "bytes": b"delta"}),
    "ranges": ("RANGES", 4711, {
        "folder": FOLDER, "audit": 77, "step": 1, "k": K, "floor": [INC_B, 2], "marks": [MARK_B],
        "ranges": [[1, "", "etc", 3, filled(0xE0, 32)], [2, "etc", "etc/x"], [3, "etc/x", ""]],
        "versions": [DIRECTORY]}),
    "rollback": ("ROLLBACK", 4711, {
        "folder": FOLDER, "old": INC_A, "end": [MARK_A], "new": INC_B}),
    "ping": ("PING", 4711, {"token": 99, "wall": 1700000000000}),
    "pong": ("PONG", 4711, {"token": 99, "wall": -1}),
    "probe": ("PROBE", 4711, {"token": 99, "want": 131072, "pad": b"xyz"}),
    "hold": ("HOLD", 4711, {
        "folder": FOLDER, "brake": "mass-delete", "changes": 200,
        "spans": [[INC_A, 7, 206], [INC_B, 300, 300]]}),
    "approvals": ("APPROVALS", 4711, {
        "folder": FOLDER, "approvals": [[DEVICE, INC_A, 7, 206, filled(0x40, 64)]]}),
    "peers": ("PEERS", 4711, {
        "peers": [[filled(0x10, 32), "phone", []],
                  [DEVICE, "laptop", ["tcp://10.0.0.2:7575", "tcp://laptop.example:7575"]]]}),
    "bye": ("BYE", 4711, {"code": 3, "text": "replaced by a newer connection"}),
}


def annotate(value, lines, depth=0, label=""):
    """Appends (bytes, words) of `value`, containers opened line by line."""
    packer = msgpack.Packer(use_bin_type=True)
    words = "  " * depth + label
    if isinstance(value, dict):
        lines.append((packer.pack_map_header(len(value)), words + f"map of {len(value)}"))
        for key, inner in value.items():
            lines.append((packer.pack(key), "  " * (depth + 1) + f'key "{key}"'))
            annotate(inner, lines, depth + 2)
    elif isinstance(value, (list, tuple)):
        lines.append((packer.pack_array_header(len(value)), words + f"array of {len(value)}"))
        for inner in value:
            annotate(inner, lines, depth + 1)
    elif isinstance(value, bytes):
        lines.append((packer.pack(value), words + f"{len(value)} bytes"))
    elif isinstance(value, str):
        text = value.encode("unicode_escape").decode()
        lines.append((packer.pack(value), words + f'text "{text}"'))
    else:
        lines.append((packer.pack(value), words + str(value)))


def hex_lines(data, words):
    """At most 24 bytes a line, the words behind the first."""
    parts = [data[i:i + 24].hex() for i in range(0, len(data), 24)]
    first = f"{parts[0]:<48} ; {words}" if words else parts[0]
    return [first.rstrip()] + parts[1:]


def vector(value, title):
    lines = []
    annotate(value, lines)
    packed = b"".join(data for data, _ in lines)
    assert packed == msgpack.packb(value, use_bin_type=True)
    text = [f"; {title}"]
    for data, words in lines:
        text += hex_lines(data, words)
    return "\n".join(text) + "\n"


def conflict_name(path, content, inc, counter):
    """The conflict item's path of docs/PROTOCOL.md."""
    import base64
    fields = [b"cfgsync-cc1", FOLDER, path.encode(), content, struct.pack(">Q", inc),
              struct.pack(">Q", counter)]
    h = hashlib.blake2b(digest_size=32)
    for field in fields:
        h.update(struct.pack(">Q", len(field)) + field)
    tag = base64.b32encode(h.digest()).decode().lower()[:12]
    base = path.rsplit("/", 1)[-1].encode()[:200 - 13].decode(errors="ignore")
    return f".cfgsync/conflicts/{tag}-{base}"


def leaves_id(data):
    """Content id of docs/PROTOCOL.md."""
    size = 1 << 20
    if len(data) <= size:
        return hashlib.sha256(data).digest()
    leaves = [hashlib.sha256(data[i:i + size]).digest() for i in range(0, len(data), size)]
    return hashlib.sha256(b"cfgsync-leaves1\0" + b"".join(leaves)).digest()


# Ed25519 (RFC 8032) and its map to Curve25519, slow and plain.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
BASE_Y = 4 * pow(5, P - 2, P) % P


def x_of(y, odd):
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if x % 2 != odd else x


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2
    return ((x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P,
            (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P)


def multiply(scalar):
    total, point = (0, 1), (x_of(BASE_Y, 0), BASE_Y)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def point_bytes(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def seed_scalar(seed):
    number = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    return number & ((1 << 254) - 8) | 1 << 254


def sign(seed, text):
    def number(data):
        return int.from_bytes(hashlib.sha512(data).digest(), "little") % ORDER
    scalar = seed_scalar(seed)
    public = point_bytes(multiply(scalar))
    r = number(hashlib.sha512(seed).digest()[32:] + text)
    commit = point_bytes(multiply(r))
    s = (r + number(commit + public + text) * scalar) % ORDER
    return commit + s.to_bytes(32, "little")


def device_text(device):
    """The device id for people."""
    import base64
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    text = base64.b32encode(device).decode().rstrip("=")
    groups = []
    for at in range(0, len(text), 7):
        group = text[at:at + 7]
        total = 0
        for i, character in enumerate(reversed(group)):
            number = alphabet.index(character) * (2 if i % 2 == 0 else 1)
            total += number // 32 + number % 32
        groups.append(group + alphabet[-total % 32])
    return "-".join(groups)


SEED = filled(0, 32)


def signed():
    """What follows from a seed."""
    device = point_bytes(multiply(seed_scalar(SEED)))
    y = int.from_bytes(device, "little") & ((1 << 255) - 1)
    curve = (1 + y) * pow(1 - y, P - 2, P) % P
    inc = hashlib.sha256(device + FOLDER + NONCE).digest()[:8]
    text = b"cfgsync-mark2" + FOLDER + inc + struct.pack(">QQQ", 7, 5, EPOCH)
    return [
        ("seed", SEED.hex()),
        ("seed_device", device.hex()),
        ("seed_device_text", device_text(device)),
        ("seed_curve_key", curve.to_bytes(32, "little").hex()),
        ("seed_inc", inc.hex()),
        ("seed_mark_text", text.hex()),
        ("seed_mark", sign(SEED, text).hex()),
        ("seed_approval", sign(SEED, b"cfgsync-approval1" + FOLDER + inc +
                               struct.pack(">QQ", 7, 206)).hex()),
    ]


def derived():
    """Values that are computed, not encoded: 'name = value' lines."""
    rows = [
        ("device", DEVICE.hex()),
        ("folder", FOLDER.hex()),
        ("nonce", NONCE.hex()),
        ("inc", f"{INC_A:016x}"),
        ("content_hello", CONTENT.hex()),
        ("content_1MiB_of_zeros", leaves_id(bytes(1 << 20)).hex()),
        ("content_1MiB_and_1_byte_of_zeros", leaves_id(bytes((1 << 20) + 1)).hex()),
        ("conflict_name", conflict_name("etc/caf\u00e9.conf", CONTENT, INC_A, 7)),
    ]
    return "".join(f"{name} = {value}\n" for name, value in rows + signed())


def files():
    out = {f"{name}.txt": vector(list(message), f"{message[0]}, session {message[1]}")
           for name, message in MESSAGES.items()}
    out["version.txt"] = vector(FILE, "a version alone: a file with every key")
    out["derived.txt"] = derived()
    return out


def main():
    check = "--check" in sys.argv[1:]
    wrong = 0
    for name, text in files().items():
        path = HERE / name
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{name} differs from what make_vectors.py makes")
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
