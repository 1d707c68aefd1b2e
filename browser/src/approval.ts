// Approvals: who agreed, each by a key of their own, before something was signed (formats/approval.md).

import { hex, same } from './bytes.ts';
import { LABEL, claimsOf, decodeSign1, isEdDsa, verifySign1, type Header, type Sign1 } from './cose.ts';
import { decodeCbor } from './cbor.ts';
import { UNSOUND, isSoundKey, thumbprint } from './ed25519.ts';
import { encodeArray, encodeBytes, encodeInt, encodeText } from './encode.ts';
import { Malformed, Refused } from './errors.ts';
import { Fields, found } from './fields.ts';
import { leafHash, rootOf } from './merkle.ts';
import type { SignRecord } from './record.ts';
import { quoted } from './show.ts';
import type { Statement } from './statement.ts';

const WHAT = 'approval';
/** As a file, with its request. */
const MAX_APPROVAL = 4_210_688;
const MAX_PAYLOAD = 12_288;
const REQUEST = -70010n;
const LABELS = [LABEL.alg, LABEL.kid, LABEL.claims, LABEL.typ];
const TYPE = 'application/vnd.coldlog.approval+cbor';

export interface Approval {
  sign1: Sign1;
  issuer: string;
  subject: string;
  genesis: Uint8Array;
  id: Uint8Array;
  operator: string;
  purpose: string;
  made: bigint;
  expires: bigint;
  count: bigint;
  root: Uint8Array;
  key: Uint8Array;
  time: bigint;
  /** Whether the approver's program read each document. */
  seen: boolean;
}

/** Of a record, and so without its request. */
export function decodeBareApproval(bytes: Uint8Array): Approval {
  const sign1 = decodeSign1(bytes, { what: WHAT, limit: MAX_APPROVAL });
  const header = sign1.protected;
  const type = header.get(LABEL.typ);
  const others = header.entries.some(([label]) => !LABELS.some((known) => known === label));
  if (type?.type !== 'text' || type.value !== TYPE || others) {
    throw Malformed.field(WHAT, 'its headers', TYPE, type === undefined ? 'other labels' : found(type));
  }
  const another = sign1.unprotected.entries.find(([label]) => label !== REQUEST);
  if (another !== undefined) throw Malformed.field(WHAT, 'its unprotected header', 'the request only', `label ${another[0]}`);
  const claims = claimsOf(header);
  const payload = decodePayload(sign1.payload ?? new Uint8Array(), header);
  // A request is no part of a record; what is wrong with it is not looked at.
  if (sign1.unprotected.has(REQUEST)) throw Malformed.field('operation record', 'an approval', 'without its request', 'with it');
  return { sign1, ...claims, ...payload };
}

function decodePayload(bytes: Uint8Array, header: Header): Omit<Approval, 'sign1' | 'issuer' | 'subject'> {
  const fields = new Fields(WHAT);
  const item = decodeCbor(bytes, { what: WHAT, limit: MAX_PAYLOAD });
  const parts = fields.array(item, 'the payload', 11, 11);
  const terms = {
    genesis: fields.hash(parts[0], 'genesis'),
    id: fields.hash(parts[1], 'id'),
    operator: fields.text(parts[2], 'operator', 4096),
    purpose: fields.text(parts[3], 'purpose', 4096),
    made: fields.uint(parts[4], 'made'),
    expires: fields.uint(parts[5], 'expires'),
    count: fields.uint(parts[6], 'count'),
    root: fields.hash(parts[7], 'root'),
  };
  const key = fields.hash(parts[8], 'key');
  if (!isSoundKey(key)) throw Malformed.field(WHAT, 'key', 'a sound key', UNSOUND);
  const kid = header.get(LABEL.kid);
  if (kid?.type !== 'bytes' || !same(kid.value, thumbprint(key))) {
    throw Malformed.field(WHAT, 'kid', 'the thumbprint of its key', 'another');
  }
  return { ...terms, key, time: fields.uint(parts[9], 'time'), seen: fields.bool(parts[10], 'seen') };
}

function nameOf(approval: Approval): string {
  return `ed25519:${hex(approval.key)}`;
}

/**
 * The approvals in a record are of this record. Whether they are enough, the genesis says, which is not at hand.
 */
export function checkApprovals(record: SignRecord, statement: Statement): void {
  const seen: Approval[] = [];
  for (const approval of record.approvals) {
    const problem = problemOf(approval, record, statement, seen);
    if (problem !== null) throw new Refused(`the record's approvals: ${problem}`);
    seen.push(approval);
  }
}

function problemOf(approval: Approval, record: SignRecord, statement: Statement, before: Approval[]): string | null {
  const name = nameOf(approval);
  const { sign1, key } = approval;
  if (!isEdDsa(sign1.protected) || sign1.payload === null || !verifySign1(sign1, sign1.payload, key)) {
    return `the approval of ${name} is not signed by that key: it was altered`;
  }
  const twice = before.find((other) => hex(other.key) === hex(approval.key));
  if (twice !== undefined) return `${name} approved twice: that counts once, leave one of the two out`;
  const other = before.find((one) => termsOf(one) !== termsOf(approval));
  if (other !== undefined) return `the approvals of ${nameOf(other)} and ${name} are of two requests: all must be of one`;
  return differs(approval, record, statement) ?? timeProblem(approval, record);
}

/** All that the approvals of one request have in common. */
function termsOf(approval: Approval): string {
  const { issuer, subject, genesis, id, operator, purpose, made, expires, count, root } = approval;
  return JSON.stringify([issuer, subject, hex(genesis), hex(id), operator, purpose, `${made}`, `${expires}`, `${count}`, hex(root)]);
}

function differs(approval: Approval, record: SignRecord, statement: Statement): string | null {
  const name = nameOf(approval);
  const another = (what: string, approved: string, found: string): string =>
    `the approval of ${name} is for another ${what}: ${approved}, not ${found}`;
  if (approval.issuer !== statement.issuer || approval.subject !== statement.subject) {
    // The genesis is not at hand: the approved one stands for both.
    const journal = (of: { issuer: string; subject: string }): string => `${of.issuer} / ${of.subject} (genesis ${hex(approval.genesis)})`;
    return another('journal', journal(approval), journal(statement));
  }
  if (approval.operator !== record.operator) return another('operator', approval.operator, record.operator);
  if (approval.purpose !== record.purpose) return another('purpose', approval.purpose, record.purpose);
  const { document } = record;
  const leaf = leafHash(
    encodeArray([encodeText(document.name), encodeText(document.version), encodeInt(document.size), encodeBytes(document.sha256)]),
  );
  if (!leadsTo(approval, record, leaf)) {
    return (
      `the approval of ${name} is not for ${quoted(document.name)} ${quoted(document.version)} with ${document.size} bytes ` +
      `and the SHA-256 ${hex(document.sha256)}: other bytes, another name or another version were approved`
    );
  }
  return null;
}

function leadsTo(approval: Approval, record: SignRecord, leaf: Uint8Array): boolean {
  if (record.approved === null) return false;
  try {
    return hex(rootOf(leaf, record.approved.index, approval.count, record.approved.path)) === hex(approval.root);
  } catch {
    return false;
  }
}

function timeProblem(approval: Approval, record: SignRecord): string | null {
  if (record.time <= approval.expires) return null;
  return `the approval of ${nameOf(approval)} held until ${approval.expires}, it is ${record.time} (POSIX seconds, the signer's clock): make a new request`;
}
