// COSE Receipts (RFC 9942, vds 1): the log's signature over a root, with the path that leads to it.

import { hex } from './bytes.ts';
import { decodeCbor, type Item } from './cbor.ts';
import { LABEL, claimsOf, decodeSign1, isEdDsa, numberOf, signedBytes, type Claims, type Sign1 } from './cose.ts';
import { thumbprint, verifyEd25519 } from './ed25519.ts';
import { Malformed, Refused } from './errors.ts';
import { Fields, found } from './fields.ts';
import { rootOf } from './merkle.ts';

const WHAT = 'receipt';
export const MAX_RECEIPT = 270_336;
const MAX_PROOF = 8_192;
const MAX_NOTE = 262_144;

export interface Inclusion {
  size: bigint;
  index: bigint;
  path: Uint8Array[];
}

export interface Receipt {
  sign1: Sign1;
  /** One or more inclusion proofs; null for a consistency receipt. */
  inclusions: Inclusion[] | null;
  checkpoint: Uint8Array | null;
}

const OPTIONS = { what: WHAT, anyOrder: true };

export function decodeReceipt(bytes: Uint8Array): Receipt {
  const sign1 = decodeSign1(bytes, { ...OPTIONS, limit: MAX_RECEIPT });
  const header = sign1.protected;
  const { fields } = header;
  if (sign1.payload !== null) {
    throw Malformed.field(WHAT, 'the payload', 'detached: the root is rebuilt from the proof (RFC 9942)', 'attached');
  }
  const vds = header.get(LABEL.vds);
  if (vds?.type !== 'int' || vds.value !== 1n) {
    throw fields.error('vds (label 395)', '1, RFC9162_SHA256, in the protected header', vds);
  }
  if (numberOf(header) === null) throw Malformed.field(WHAT, 'alg', 'in the protected header', 'nothing');
  sign1.unprotected.only('the unprotected header', '396 and -70005 only', [LABEL.proofs, LABEL.checkpoint]);
  const inclusions = decodeProofs(fields, sign1.unprotected.get(LABEL.proofs));
  const note = sign1.unprotected.get(LABEL.checkpoint);
  const checkpoint = note === undefined ? null : fields.bytes(note, 'the checkpoint', MAX_NOTE);
  return { sign1, inclusions, checkpoint };
}

function decodeProofs(fields: Fields, item: Item | undefined): Inclusion[] | null {
  if (item === undefined) throw fields.error('vdp (396)', 'present', item);
  const entries = fields.map(item, 'vdp (396)');
  const proofsOf = (kind: string): Item | undefined => entries.find(([key]) => found(key) === kind)?.[1];
  const inclusion = proofsOf('-1');
  const consistency = proofsOf('-2');
  const other = entries.find(([key]) => !['-1', '-2'].includes(found(key)));
  if (other !== undefined) throw fields.error('its map', 'only known keys', other[0]);
  const one = inclusion ?? consistency;
  if (one === undefined || (inclusion !== undefined && consistency !== undefined)) {
    throw Malformed.field(WHAT, 'vdp (396)', 'inclusion (-1) or consistency (-2) proofs', 'none or both');
  }
  const proofs = fields.array(one, 'the proofs', 1, 8).map((proof) => {
    const bytes = fields.bytes(proof, 'a proof', MAX_PROOF);
    const decoded = decodeCbor(bytes, { ...OPTIONS, limit: MAX_PROOF });
    const [first, second, path] = fields.array(decoded, 'a proof', 3, 3);
    if (inclusion === undefined) {
      fields.uint(first, 'the older tree size');
      fields.uint(second, 'the newer tree size');
      fields.hashes(path, 'the path', 64);
      return { size: 0n, index: 0n, path: [] };
    }
    const size = fields.uint(first, 'the tree size');
    const index = fields.uint(second, 'the leaf index');
    return { size, index, path: fields.hashes(path, 'the path', 63) };
  });
  return inclusion === undefined ? null : proofs;
}

/** A receipt's claims are read late: a receipt of a log that the policy does not know proves nothing, whatever it says. */
export function receiptClaims(receipt: Receipt): Claims {
  try {
    return claimsOf(receipt.sign1.protected);
  } catch (error) {
    throw error instanceof Malformed ? new Refused(error.message) : error;
  }
}

/** The one inclusion proof that a receipt in a proof has. */
export function inclusionOf(receipt: Receipt): Inclusion {
  if (receipt.inclusions === null) throw new Refused('the receipt holds a consistency proof, expected one inclusion proof');
  const [one, another] = receipt.inclusions;
  if (one === undefined || another !== undefined) {
    throw new Refused('the receipt holds several proofs, expected one inclusion proof');
  }
  return one;
}

/** Rebuilds the root, and verifies the log's signature over it by that key. */
export function verifyInclusion(receipt: Receipt, leaf: Uint8Array, key: Uint8Array): Uint8Array {
  const { size, index, path } = inclusionOf(receipt);
  const root = rootOf(leaf, index, size, path);
  const { protected: header, protectedBytes, signature } = receipt.sign1;
  if (!isEdDsa(header) || !verifyEd25519(key, signedBytes(protectedBytes, root), signature)) {
    throw new Refused(
      `the log's signature does not cover the root ${hex(root)} that the receipt's path leads to: ` +
        'the receipt belongs to another entry, or it was altered, or another log signed it',
    );
  }
  return root;
}

export function namesKey(receipt: Receipt, key: Uint8Array): boolean {
  const kid = receipt.sign1.protected.get(LABEL.kid);
  return kid?.type === 'bytes' && hex(kid.value) === hex(thumbprint(key));
}
