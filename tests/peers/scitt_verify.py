#!/usr/bin/env python3
"""Check SCITT files with scitt-cose. Says what scitt-cose says, no more.

Exit 0: verified, what was found as one JSON line on stdout.
Exit 1: refused, one line of reason on stderr. Exit 2: usage or crash.
"""
import argparse
import base64
import hashlib
import json
import sys
import traceback
from pathlib import Path

import cbor2
import scitt_cose

# What scitt_cose.parse_signed_statement passes: labels that may stand in crit.
STATEMENT_LABELS = frozenset({1, 2, 3, 4, 15})
SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")


class Refused(Exception):
    pass


def pem(raw: bytes) -> str:
    """A raw Ed25519 public key as PEM, which scitt-cose wants."""
    body = base64.b64encode(SPKI_ED25519 + raw).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


def key(text: str) -> str:
    if len(text) != 64:
        raise ValueError("not 64 hex digits")
    return pem(bytes.fromhex(text))


def hexed(value):
    """CBOR value to something JSON can say: bytes as hex, map keys as text."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if hasattr(value, "items"):
        return {str(hexed(k)): hexed(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [hexed(v) for v in value]
    return value if isinstance(value, (int, float, str, type(None))) else str(value)


def leaf_entry(message: bytes) -> bytes:
    """The log entry of a statement: the same message, unprotected header empty."""
    outer = scitt_cose.cose_sign1.strict_decode(message)
    if outer.tag != 18 or not isinstance(outer.value, (list, tuple)) or len(outer.value) != 4:
        raise Refused("statement: not a COSE_Sign1 message")
    protected, unprotected, payload, signature = outer.value
    if unprotected == {}:
        return message
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))


def statement(message: bytes, public_key: str, preimage: bytes | None = None) -> dict:
    signed = scitt_cose.verify_sign1(
        message, public_key_pem=public_key, understood_labels=STATEMENT_LABELS
    )
    if preimage is not None:
        if signed.protected.get(258) != -16:
            raise Refused("statement: protected header has no payload-hash-alg (258) = SHA-256 (-16)")
        if hashlib.sha256(preimage).digest() != signed.payload:
            raise Refused("statement: payload is not the SHA-256 of the preimage")
    return {
        "protected": hexed(signed.protected),
        "unprotected": sorted(str(label) for label in signed.unprotected),
        "payload": signed.payload.hex(),
        "leaf_hash": scitt_cose.leaf_hash(leaf_entry(message).hex()),
    }


def receipt(message: bytes, entry: bytes, log_keys: list[str]) -> dict:
    reasons = []
    for log_key in log_keys:
        found = scitt_cose.verify_receipt(
            message, leaf_entry_hex=entry.hex(), log_public_key_pem=log_key
        )
        if found.ok:
            return {
                "root": found.root,
                "tree_size": found.tree_size,
                "leaf_index": found.leaf_index,
                "iss": found.issuer,
                "sub": found.subject,
                "other": hexed(found.protected_header_ext),
            }
        reasons.append("; ".join(found.errors))
    raise Refused("receipt: " + " | ".join(reasons))


def transparent(message: bytes, public_key: str, log_keys: list[str], preimage: bytes | None) -> dict:
    found = {"statement": statement(message, public_key, preimage)}
    receipts = scitt_cose.extract_receipts(message)
    if not receipts:
        raise Refused("transparent statement: no receipts (394)")
    entry = leaf_entry(message)
    found["receipts"] = [receipt(r, entry, log_keys) for r in receipts]
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("statement", "receipt", "transparent"):
        sub = kinds.add_parser(kind)
        sub.add_argument("file", type=Path)
        if kind != "receipt":
            sub.add_argument("--key", type=key, required=True, help="issuer, 64 hex digits")
            sub.add_argument("--preimage", type=Path)
        else:
            sub.add_argument("--statement", type=Path, required=True)
        if kind != "statement":
            # Repeated: a receipt is good when one of the keys verifies it.
            sub.add_argument("--log-key", type=key, required=True, action="append", help="64 hex digits")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    message = args.file.read_bytes()
    preimage = getattr(args, "preimage", None) and args.preimage.read_bytes()
    held_against = args.statement.read_bytes() if args.kind == "receipt" else b""
    try:
        if args.kind == "statement":
            found = statement(message, args.key, preimage)
        elif args.kind == "receipt":
            found = receipt(message, leaf_entry(held_against), args.log_key)
        else:
            found = transparent(message, args.key, args.log_key, preimage)
    except (Refused, scitt_cose.CoseError) as reason:
        print(" ".join(str(reason).split()), file=sys.stderr)
        return 1
    print(json.dumps(found, sort_keys=True))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # Python's own exit code for this is 1, which means refused here
        traceback.print_exc()
        sys.exit(2)
