#!/usr/bin/env python3
"""Check deterministic CBOR (RFC 8949, 4.2.1) with cbor2: cbor_roundtrip.py FILE...

Each file is a CBOR sequence of one or more items; decoding and encoding again
must give the same bytes. Prints `NAME items=N sha256=...` for each file.
Byte strings that hold CBOR (a protected header) are opaque here.
Exit 0: all equal. Exit 1: refused, one line on stderr for each such file.
Exit 2: usage or crash.
"""
import hashlib
import io
import sys
import traceback
from pathlib import Path

import cbor2


class Refused(Exception):
    pass


def encode(value) -> bytes:
    """As cbor2's canonical=True, which sorts maps by length first; RFC 8949
    sorts the encoded keys bytewise."""
    if hasattr(value, "items"):
        pairs = sorted((encode(k), encode(v)) for k, v in value.items())
        return head(5, len(pairs)) + b"".join(k + v for k, v in pairs)
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join(encode(v) for v in value)
    if isinstance(value, cbor2.CBORTag):
        return head(6, value.tag) + encode(value.value)
    return cbor2.dumps(value, canonical=True)


def head(major: int, number: int) -> bytes:
    """The head of an item: that of the unsigned integer, under another major type."""
    first, *rest = cbor2.dumps(number)
    return bytes([major << 5 | first, *rest])


def items(data: bytes) -> int:
    decoder = cbor2.CBORDecoder(io.BytesIO(data))
    at = count = 0
    while at < len(data):
        try:
            again = encode(decoder.decode())
        except cbor2.CBORDecodeError as error:
            raise Refused(f"item {count} at byte {at}: {error}") from error
        if data[at : at + len(again)] != again:
            raise Refused(f"item {count} at byte {at}: not deterministic, encoding it again gives other bytes")
        at += len(again)
        count += 1
    if count == 0:
        raise Refused("empty file")
    return count


def main(names: list[str]) -> int:
    if not names or names[0] in ("-h", "--help"):
        print(__doc__, file=sys.stderr)
        return 2
    code = 0
    for name in names:
        data = Path(name).read_bytes()
        try:
            count = items(data)
        except Refused as reason:
            print(f"{name}: {' '.join(str(reason).split())}", file=sys.stderr)
            code = 1
            continue
        print(f"{name} items={count} sha256={hashlib.sha256(data).hexdigest()}")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Exception:
        traceback.print_exc()
        sys.exit(2)
