#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""forge_mdns.py OWN-ADDRESS COUNT TYPE TAG-IN-HEX [without-address | address-only]: announces COUNT
services that do not exist, as any stranger on a network can, each with a TXT record t0=TAG at an
address that does not answer; or all but their addresses; or those alone."""

import socket
import struct
import sys
import time


def name(text):
    labels = text.encode().split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(owner, kind, data, flush=True):
    return name(owner) + struct.pack("!HHIH", kind, 0x8001 if flush else 1, 4500, len(data)) + data


def announcement(number, kind, tag, part):
    service = f"{kind}.local"
    instance = f"forged-{tag.hex()}-{number}.{service}"
    host = f"forged-{tag.hex()}-{number}.local"
    txt = b"t0=" + tag
    records = [
        record(service, 12, name(instance), flush=False),
        record(instance, 33, struct.pack("!HHH", 0, 0, 7575) + name(host)),
        record(instance, 16, bytes([len(txt)]) + txt),
        record(host, 1, socket.inet_aton(f"10.98.{number // 200}.{1 + number % 200}")),
    ]
    records = {"all": records, "without-address": records[:3], "address-only": records[3:]}[part]
    return struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def main():
    own, count, kind, tag = sys.argv[1], int(sys.argv[2]), sys.argv[3], bytes.fromhex(sys.argv[4])
    part = sys.argv[5] if len(sys.argv) > 5 else "all"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        out.bind(("", 5353))
        for number in range(count):
            out.sendto(announcement(number, kind, tag, part), ("224.0.0.251", 5353))
            time.sleep(0.001)


if __name__ == "__main__":
    main()
