"""Run a command while the machine's own answers to pings are replaced by ours: honest, doubled, late, forged, refused.

`icmp_responder.py STORY COMMAND...` wants a network namespace of its own, in which it may do anything.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

LATE = 0.5
UNREACHABLE, HOST_UNREACHABLE, PROHIBITED = 3, 1, 13


def checksummed(message: bytes) -> bytes:
    padded = message + b"\0" * (len(message) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return message[:2] + struct.pack("!H", ~total & 0xFFFF) + message[4:]


def reply(identifier: int, sequence: int, payload: bytes) -> bytes:
    return checksummed(struct.pack("!BBHHH", 0, 0, 0, identifier, sequence) + payload)


def refusal(code: int, datagram: bytes) -> bytes:
    return checksummed(struct.pack("!BBHI", UNREACHABLE, code, 0, 0) + datagram)


def answers(story: str, datagram: bytes) -> Iterator[bytes]:
    identifier, sequence = struct.unpack_from("!HH", datagram, 24)
    honest = reply(identifier, sequence, datagram[28:])
    if story in ("honest", "doubled"):
        yield honest
    if story == "doubled":
        yield honest
    if story == "forged":
        yield reply(identifier, sequence, bytes(len(datagram) - 28))
        yield reply(identifier, sequence, b"")
        yield reply(identifier ^ 1, sequence, datagram[28:])
        yield reply(identifier, sequence ^ 1, datagram[28:])
    if story == "late":
        time.sleep(LATE)
        yield honest
    if story == "refused":
        yield refusal(HOST_UNREACHABLE, datagram)
    if story == "filtered":
        yield refusal(PROHIBITED, datagram[:28])
    if story == "refused then honest":
        yield refusal(HOST_UNREACHABLE, datagram)
        yield honest


def respond(sock: socket.socket, story: str) -> None:
    while True:
        datagram, sender = sock.recvfrom(65535)
        if datagram[20] == 8:
            for answer in answers(story, datagram):
                sock.sendto(answer, sender)


def main() -> int:
    story, command = sys.argv[1], sys.argv[2:]
    settings = Path("/proc/sys/net/ipv4")
    if story != "kernel":
        (settings / "icmp_echo_ignore_all").write_text("1")
    if story != "forbidden":  # a new namespace permits datagram pings to nobody
        (settings / "ping_group_range").write_text("0 0")
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    threading.Thread(target=respond, args=(sock, story), daemon=True).start()
    return subprocess.run(command, check=False).returncode


sys.exit(main())
