// Vectors that others made: Ed25519's odd points, Merkle proofs, SCITT statements and receipts. COLDLOG_VECTORS names
// their folder; without it these tests say that they were skipped, and with CI=true they fail.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromBase64, fromHex, same } from '../src/bytes.ts';
import { claimsOf, decodeSign1, entryBytes, verifySign1, LABEL, type Sign1 } from '../src/cose.ts';
import { verifyEd25519 } from '../src/ed25519.ts';
import { Failure, Refused } from '../src/errors.ts';
import { leafHash, rootOf } from '../src/merkle.ts';
import { decodeReceipt, verifyInclusion } from '../src/receipt.ts';
import { checkEnvelope } from '../src/statement.ts';

const folder = process.env['COLDLOG_VECTORS'] ?? '../../shared/vectors';
const skip = existsSync(folder) || process.env['CI'] === 'true' ? false : `no vectors at ${folder}`;

const json = <T>(path: string): T => JSON.parse(readFileSync(join(folder, path), 'utf8')) as T;
const read = (path: string): Uint8Array => new Uint8Array(readFileSync(join(folder, path)));

function accepts(work: () => boolean): boolean {
  try {
    return work();
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return false;
  }
}

test('Ed25519: of all odd points, only what is canonical and not of small order', { skip }, () => {
  const vectors = json<{ number: number; key: string; sig: string; msg: string; flags: string[] | null }[]>('ed25519/ed25519vectors.json');
  const wrong = ['low_order_A', 'low_order_R', 'non_canonical_A', 'non_canonical_R', 'low_order_residue'];
  let accepted = 0;
  for (const { number, key, sig, msg, flags } of vectors) {
    const expected = !(flags ?? []).some((flag) => wrong.includes(flag));
    const found = verifyEd25519(fromHex(key)!, new TextEncoder().encode(msg), fromHex(sig)!);
    assert.equal(found, expected, `number ${number}: ${flags?.join()}`);
    accepted += found ? 1 : 0;
  }
  assert.ok(vectors.length > 900 && accepted > 0, `${accepted} of ${vectors.length}`);
});

test('Merkle: inclusion proofs lead where they should, and nowhere else', { skip }, () => {
  type Case = { name: string; leafIdx: number; treeSize: number; root: string | null; leafHash: string | null; proof: string[] | null; wantErr: boolean };
  const cases = json<Case[]>('merkle/inclusion.json');
  assert.ok(cases.length > 50);
  for (const { name, leafIdx, treeSize, root, leafHash: leaf, proof, wantErr } of cases) {
    const bytes = (text: string | null): Uint8Array => fromBase64(text ?? '')!;
    // Hashes of another length never come here from a file: the decoders refuse them.
    const found = accepts(() => bytes(leaf).length === 32 && same(rootOf(bytes(leaf), BigInt(leafIdx), BigInt(treeSize), (proof ?? []).map(bytes)), bytes(root)));
    assert.equal(found, !wantErr, name);
  }
});

interface ScittCase {
  name: string;
  kind: 'statement' | 'receipt' | 'transparent';
  valid: boolean;
  why: string;
  statement?: string;
}

/** General SCITT reading of a statement: less than ours, which also has a position. */
function isStatement(sign1: Sign1, key: Uint8Array): boolean {
  checkEnvelope(sign1.protected, sign1.payload);
  claimsOf(sign1.protected);
  return verifySign1(sign1, sign1.payload!, key);
}

test('SCITT: statements, receipts and transparent statements, good and bad', { skip }, () => {
  const index = json<{ issuer_public_key: string; log_public_key: string; cases: ScittCase[] }>('scitt/index.json');
  const issuer = fromHex(index.issuer_public_key)!;
  const log = fromHex(index.log_public_key)!;
  const receiptLeads = (bytes: Uint8Array, entry: Uint8Array): boolean => verifyInclusion(decodeReceipt(bytes), leafHash(entry), log).length === 32;
  assert.ok(index.cases.length > 40);
  for (const { name, kind, valid, why, statement } of index.cases) {
    const bytes = read(`scitt/${name}.cbor`);
    const found = accepts(() => {
      if (kind === 'receipt') return receiptLeads(bytes, read(`scitt/${statement}.cbor`));
      const sign1 = decodeSign1(bytes, { what: 'statement', limit: 65_535, anyOrder: true });
      if (kind === 'statement') return isStatement(sign1, issuer);
      const receipts = sign1.unprotected.get(LABEL.receipts);
      if (receipts?.type !== 'array') throw new Refused('no receipts');
      return receipts.items.every((item) => item.type === 'bytes' && receiptLeads(item.value, entryBytes(sign1)));
    });
    assert.equal(found, valid, `${name}: ${why}`);
  }
});
