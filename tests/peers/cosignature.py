#!/usr/bin/env python3
"""Cosignatures by the text of C2SP tlog-cosignature and signed-note; the signatures are cryptography's.

cosignature.py verify NOTE VKEY...          each verified line: name, key id, time
cosignature.py cosign NOTE NAME TIME SEED   two verifier keys, then two signature lines

Exit 0: verified, or made. Exit 1: refused, one line of reason on stderr. Exit 2: usage or crash.
"""
import base64
import hashlib
import struct
import sys
import traceback
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

ED25519, ML_DSA_44 = 0x04, 0x06
SIZES = {ED25519: (32, 64), ML_DSA_44: (1312, 2420)}


class Refused(Exception):
    pass


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def parse_vkey(vkey: str) -> tuple[str, bytes, int, bytes]:
    name, identifier, rest = vkey.split("+", 2)
    blob = from_base64(rest)
    kind, public = blob[0], blob[1:]
    if kind not in SIZES or len(public) != SIZES[kind][0]:
        raise ValueError(f"{name}: no cosigner's key")
    if key_id(name, kind, public).hex() != identifier:
        raise ValueError(f"{name}: the key id is another")
    return name, bytes.fromhex(identifier), kind, public


def parse_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text with its last newline, and of each line the name and what is in base64."""
    at = note.rfind("\n\n")
    if at < 0 or not note.endswith("\n"):
        raise Refused("no signed note")
    lines = []
    for line in note[at + 2 : -1].split("\n"):
        dash, name, blob = line.split(" ")
        if dash != "\N{EM DASH}":
            raise Refused("no signature line")
        lines.append((name, from_base64(blob)))
    return note[: at + 1], lines


def opaque(text: str) -> bytes:
    """opaque<1..2^8-1> of RFC 8446, section 3.4."""
    value = text.encode()
    if not 1 <= len(value) <= 255:
        raise Refused("a name has 1 to 255 bytes")
    return struct.pack(">B", len(value)) + value


def message(kind: int, name: str, time: int, text: str) -> bytes:
    if kind == ED25519:
        return b"cosignature/v1\n" + f"time {time}\n".encode() + text.encode()
    origin, size, root = text.split("\n")[:3]
    hashed = from_base64(root)
    if not size.isascii() or not size.isdigit() or str(int(size)) != size or len(hashed) != 32:
        raise Refused("no checkpoint")
    return (
        b"subtree/v1\n\x00"
        + opaque(name)
        + struct.pack(">Q", time)
        + opaque(origin)
        + struct.pack(">QQ", 0, int(size))
        + hashed
    )


def verify(note: str, vkeys: list[str]) -> str:
    keys = {(name, identifier): (kind, public) for name, identifier, kind, public in map(parse_vkey, vkeys)}
    text, lines = parse_note(note)
    told = ""
    for name, blob in lines:
        if (name, blob[:4]) not in keys:
            continue
        kind, public = keys[name, blob[:4]]
        if len(blob) != 4 + 8 + SIZES[kind][1]:
            raise Refused(f"{name}: the signature's length")
        (time,) = struct.unpack(">Q", blob[4:12])
        if time >= 1 << 63:
            raise Refused(f"{name}: the time is beyond 2^63 - 1")
        scheme = Ed25519PublicKey if kind == ED25519 else MLDSA44PublicKey
        try:
            scheme.from_public_bytes(public).verify(blob[12:], message(kind, name, time, text))
        except InvalidSignature:
            raise Refused(f"{name}: the signature does not verify") from None
        told += f"{name} {blob[:4].hex()} {time}\n"
    if not told:
        raise Refused("no line by a key that is known")
    return told


def cosign(note: str, name: str, time: int, seed: bytes) -> str:
    text, _ = parse_note(note)
    vkeys, lines = "", ""
    for kind, key in (
        (ED25519, Ed25519PrivateKey.from_private_bytes(seed)),
        (ML_DSA_44, MLDSA44PrivateKey.from_seed_bytes(seed)),
    ):
        public = key.public_key().public_bytes_raw()
        identifier = key_id(name, kind, public)
        blob = identifier + struct.pack(">Q", time) + key.sign(message(kind, name, time, text))
        vkeys += f"{name}+{identifier.hex()}+{base64.b64encode(bytes([kind]) + public).decode()}\n"
        lines += f"\N{EM DASH} {name} {base64.b64encode(blob).decode()}\n"
    return vkeys + lines


def main() -> int:
    verb, path, *rest = sys.argv[1:]
    note = Path(path).read_bytes().decode()
    try:
        if verb == "verify":
            told = verify(note, rest)
        elif verb == "cosign":
            name, time, seed = rest
            told = cosign(note, name, int(time), bytes.fromhex(seed))
        else:
            raise ValueError(verb)
    except Refused as reason:
        print(reason, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(told.encode())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # Python's own exit code for this is 1, which means refused here
        traceback.print_exc()
        sys.exit(2)
