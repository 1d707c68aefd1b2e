// Records and disclosures: what the signer did. The disclosure's SHA-256 is the commitment in the statement.

import { decodeBareApproval, type Approval } from './approval.ts';
import { decodeCbor, type Item } from './cbor.ts';
import { Malformed } from './errors.ts';
import { hex } from './bytes.ts';
import { isSoundKey, UNSOUND } from './ed25519.ts';
import { Fields, TextMap } from './fields.ts';
import { quoted } from './show.ts';

const WHAT = 'operation record';
export const MAX_DISCLOSURE = 61_440;
const MAX_TEXT = 4_096;
const MAX_SIGNATURE = 8_192;
const MAX_APPROVAL = 16_384;

export interface RecordDocument {
  name: string;
  version: string;
  size: bigint;
  sha256: Uint8Array;
}

export interface RecordSignature {
  scheme: 'sshsig' | 'minisign';
  key: Uint8Array;
  bytes: Uint8Array;
  verified: boolean;
}

export interface SignRecord {
  time: bigint;
  operator: string;
  purpose: string;
  approvals: Approval[];
  /** The document's number in the request that was approved, and its path to the approved root. */
  approved: { index: bigint; path: Uint8Array[] } | null;
  document: RecordDocument;
  signature: RecordSignature;
}

/** A record; null where it is not of a document's signature but of a key event. */
export function decodeDisclosure(bytes: Uint8Array): SignRecord | null {
  const fields = new Fields('disclosure');
  const item = decodeCbor(bytes, { what: 'disclosure', limit: MAX_DISCLOSURE });
  const [salt, record] = fields.array(item, 'the disclosure', 2, 2);
  fields.fixed(salt, 'salt', 32);
  return decodeRecord(record!);
}

function decodeRecord(item: Item): SignRecord | null {
  const fields = new Fields(WHAT);
  const map = new TextMap(fields, item, 'the record');
  map.version('v');
  const time = map.uint('time');
  const operator = map.text('operator', MAX_TEXT);
  const purpose = map.text('purpose', MAX_TEXT);
  map.text('device', MAX_TEXT);
  checkClock(fields, map.maybe('clock'));
  const approvals = fields
    .array(map.take('approvals'), 'approvals', 0, 32)
    .map((one) => decodeBareApproval(fields.bytes(one, 'an approval', MAX_APPROVAL)));
  const approved = approvals.length === 0 ? null : decodeApproved(fields, map.take('approved'));
  checkFactors(fields, map.maybe('factors'));
  const operation = map.text('operation', 32);
  if (operation !== 'sign') {
    checkEventRecord(fields, map, operation);
    return null;
  }
  const document = decodeDocument(fields, map.take('document'));
  const signature = decodeSignature(fields, map.take('signature'));
  map.done();
  return { time, operator, purpose, approvals, approved, document, signature };
}

function checkClock(fields: Fields, item: Item | undefined): void {
  if (item === undefined) return;
  const map = new TextMap(fields, item, 'clock');
  let odd = 0;
  for (const key of ['behind_last', 'impossible', 'ahead']) {
    const value = map.maybe(key);
    if (value === undefined) continue;
    if (fields.uint(value, key) === 0n) throw Malformed.field(WHAT, key, 'absent, or more than 0', '0');
    odd += 1;
  }
  map.done();
  if (odd === 0) throw Malformed.field(WHAT, 'clock', 'absent, or what is odd', '{}');
}

function checkFactors(fields: Fields, item: Item | undefined): void {
  if (item === undefined) return;
  for (const factor of fields.array(item, 'factors', 1, 8)) {
    const parts = fields.array(factor, 'a factor', 1, 3);
    const name = fields.text(parts[0], 'a factor', 32);
    if (name !== 'totp') {
      if (parts.length !== 1) throw Malformed.field(WHAT, 'a factor', 'a name only', `${parts.length}`);
      continue;
    }
    if (parts.length !== 3) throw Malformed.field(WHAT, 'totp', 'two steps', `${parts.length}`);
    fields.uint(parts[1], 'used');
    fields.uint(parts[2], 'clock');
  }
}

function checkEventRecord(fields: Fields, map: TextMap, operation: string): void {
  if (!['genesis', 'rotation', 'change', 'revocation', 'retirement'].includes(operation)) {
    throw Malformed.field(WHAT, 'operation', 'genesis, sign, rotation, change, revocation or retirement', operation);
  }
  if (operation === 'genesis' || operation === 'change') {
    for (const one of fields.array(map.take('operators'), 'operators', 1, 256)) fields.text(one, 'operators', MAX_TEXT);
    checkApprovalPolicy(fields, map.maybe('approval_policy'));
  }
  if (operation === 'genesis') {
    const factor = map.maybe('second_factor');
    if (factor !== undefined) {
      const name = fields.text(factor, 'second_factor', 32);
      if (name !== 'totp' && name !== 'second-passphrase') {
        throw Malformed.field(WHAT, 'second_factor', 'totp or second-passphrase', name);
      }
    }
  }
  map.done();
}

function checkApprovalPolicy(fields: Fields, item: Item | undefined): void {
  if (item === undefined) return;
  const map = new TextMap(fields, item, 'approval_policy');
  const threshold = map.uint('threshold');
  const approvers = fields.array(map.take('approvers'), 'approvers', 1, 32).map((one) => {
    const approver = new TextMap(fields, one, 'an approver');
    const name = approver.text('name', 255);
    const key = fields.fixed(approver.take('key'), 'key', 32);
    approver.done();
    if (!isSoundKey(key)) throw Malformed.field(WHAT, "an approver's key", 'a sound key', UNSOUND);
    return { name, key: hex(key) };
  });
  map.done();
  const problem = unmet(threshold, approvers);
  if (problem !== null) throw Malformed.field(WHAT, 'approval_policy', 'one that can be met', problem);
}

function unmet(threshold: bigint, approvers: { name: string; key: string }[]): string | null {
  const { length } = approvers;
  if (threshold < 1n || threshold > BigInt(length)) {
    return `${threshold} approvals of ${length} approvers cannot be demanded: from 1 to ${length}`;
  }
  for (const [at, { name, key }] of approvers.entries()) {
    if (name === '') return `an approver's name has 1 to 255 bytes, found ""`;
    const before = approvers.slice(0, at);
    if (before.some((one) => one.name === name)) return `two approvers are called ${quoted(name)}: nobody could tell who approved`;
    const twin = before.find((one) => one.key === key);
    if (twin !== undefined) return `${quoted(twin.name)} and ${quoted(name)} have one key: they would count twice`;
  }
  return null;
}

function decodeApproved(fields: Fields, item: Item): { index: bigint; path: Uint8Array[] } {
  const [index, path] = fields.array(item, 'approved', 2, 2);
  return { index: fields.uint(index, 'approved'), path: fields.hashes(path, 'approved', 63) };
}

function decodeDocument(fields: Fields, item: Item): RecordDocument {
  const map = new TextMap(fields, item, 'document');
  const name = map.text('name', MAX_TEXT);
  const version = map.text('version', MAX_TEXT);
  map.text('media_type', MAX_TEXT);
  const size = map.uint('size');
  const sha256 = fields.hash(map.take('sha256'), 'sha256');
  map.done();
  return { name, version, size, sha256 };
}

function decodeSignature(fields: Fields, item: Item): RecordSignature {
  const map = new TextMap(fields, item, 'signature');
  const scheme = map.text('scheme', 32);
  if (scheme !== 'sshsig' && scheme !== 'minisign') throw Malformed.field(WHAT, 'scheme', 'sshsig or minisign', scheme);
  const key = fields.fixed(map.take('key'), 'key', 32);
  const bytes = fields.bytes(map.take('bytes'), 'bytes', MAX_SIGNATURE);
  const verified = fields.bool(map.take('verified'), 'verified');
  map.done();
  return { scheme, key, bytes, verified };
}
