#!/usr/bin/env python3
"""Make fresh SCITT files with scitt-cose: scitt_make.py OUTDIR

New random issuer and log keys, 5 statements with a hash envelope, their
receipts in the 5-leaf tree, a transparent statement for each, index.json.
Exit 0: made, and scitt-cose itself verifies them. Exit 2: usage or crash.
"""
import argparse
import hashlib
import json
import os
import sys
import traceback
from pathlib import Path

import cbor2
import scitt_cose
from cryptography.hazmat.primitives import serialization as s  # scitt-cose's own dependency
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALG_SHA256 = -16
COUNT = 5
ISSUER = "signer.example/release"
SUBJECT = "release-signing"
LOG = "log.example/signing"


class Key:
    def __init__(self):
        private = Ed25519PrivateKey.generate()
        public = private.public_key()
        self.private = private.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
        self.public = public.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
        self.raw = public.public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
        self.kid = hashlib.sha256(self.raw).digest()  # as in the vectors


def signed_statement(preimage: bytes, issuer: Key) -> bytes:
    # build_signed_statement always writes label 3, forbidden beside a hash envelope.
    protected = {
        4: issuer.kid,
        15: {1: ISSUER, 2: SUBJECT},
        258: ALG_SHA256,
        259: "application/vnd.example.operation+cbor",
    }
    return scitt_cose.sign_sign1(
        hashlib.sha256(preimage).digest(),
        alg="EdDSA",
        private_key_pem=issuer.private,
        protected=protected,
    )


def check(statement: bytes, receipt: bytes, transparent: bytes, issuer: Key, log: Key):
    scitt_cose.verify_sign1(transparent, public_key_pem=issuer.public)
    found = scitt_cose.verify_receipt(
        receipt, leaf_entry_hex=statement.hex(), log_public_key_pem=log.public
    )
    if not found.ok:
        raise RuntimeError(found.errors)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outdir", type=Path)
    out = parser.parse_args().outdir
    out.mkdir(parents=True, exist_ok=True)
    issuer, log = Key(), Key()

    preimages = [cbor2.dumps([os.urandom(32), {"n": n}]) for n in range(COUNT)]
    statements = [signed_statement(p, issuer) for p in preimages]
    entries = [entry.hex() for entry in statements]
    cases = {"statement": [], "receipt": [], "transparent": []}

    def case(kind: str, name: str, data: bytes, **more):
        (out / f"{name}.cbor").write_bytes(data)
        cases[kind].append({"name": name, "kind": kind, "valid": True, "why": "", **more})

    for n, (preimage, statement) in enumerate(zip(preimages, statements)):
        receipt = scitt_cose.build_receipt(
            leaf_entry_hex=entries[n],
            leaf_index=n,
            tree_entries_hex=entries,
            alg="EdDSA",
            log_private_key_pem=log.private,
            iss=LOG,
            sub=SUBJECT,
            kid=log.kid,
        )
        transparent = scitt_cose.attach_receipts(statement, [receipt])
        check(statement, receipt, transparent, issuer, log)
        name = f"statement-{n}"
        (out / f"preimage-{n}.cbor").write_bytes(preimage)
        case("statement", name, statement,
             preimage=f"preimage-{n}.cbor", leaf_hash=scitt_cose.leaf_hash(entries[n]))
        case("receipt", f"receipt-{n}-of-{COUNT}", receipt,
             statement=name, tree_size=COUNT, leaf_index=n)
        case("transparent", f"transparent-{n}", transparent, statement=name)

    root = {n: scitt_cose.merkle_root(entries[:n]) for n in range(1, COUNT + 1)}
    index = {
        "made_with": f"scitt-cose {scitt_cose.__version__}",
        "issuer_public_key": issuer.raw.hex(),
        "log_public_key": log.raw.hex(),
        "cases": cases["statement"] + cases["receipt"] + cases["transparent"],
        f"root_{COUNT}": root[COUNT],
        "root_1": root[1],
        "consistency": [
            {"size1": n, "size2": COUNT, "root1": root[n], "root2": root[COUNT],
             "path": scitt_cose.consistency_proof(entries, n, COUNT)}
            for n in range(1, COUNT)
        ],
    }
    (out / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:
        traceback.print_exc()
        sys.exit(2)
