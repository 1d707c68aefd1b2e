// Approvals: who agreed, each by a key of their own, before something was signed (formats/approval.md).

import { hex } from './bytes.ts';
import { LABEL, claimsOf, algorithmOf, decodeSign1, kidOf, EDDSA, verifySign1, type Sign1 } from './cose.ts';
import { decodeCbor } from './cbor.ts';
import { thumbprint } from './ed25519.ts';
import { encodeArray, encodeBytes, encodeInt, encodeText } from './encode.ts';
import { Malformed, Refused } from './errors.ts';
import { Fields } from './fields.ts';
import { leafHash, rootOf } from './merkle.ts';
import type { SignRecord } from './record.ts';
import { quoted } from './show.ts';
import type { Statement } from './statement.ts';

const WHAT = 'approval';
const MAX_APPROVAL = 16_384;
const TYPE = 'application/vnd.coldlog.approval+cbor';

export interface Approval {
  sign1: Sign1;
  kid: Uint8Array;
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

export function decodeBareApproval(bytes: Uint8Array): Approval {
  const sign1 = decodeSign1(bytes, { what: WHAT, limit: MAX_APPROVAL });
  const header = sign1.protected;
  const { fields } = header;
  sign1.unprotected.only('the unprotected header', 'empty in a record', []);
  const type = header.get(LABEL.typ);
  if (type?.type !== 'text' || type.value !== TYPE) throw fields.error('typ (label 16)', TYPE, type);
  if (algorithmOf(header) !== EDDSA) throw Malformed.field(WHAT, 'alg', 'EdDSA (-8)', 'another algorithm');
  const kid = kidOf(header);
  const claims = claimsOf(header);
  header.only('the protected header', 'only the labels of an approval', [LABEL.alg, LABEL.kid, LABEL.claims, LABEL.typ]);
  if (sign1.payload === null) throw Malformed.field(WHAT, 'the payload', 'a byte string', 'nothing');
  return { sign1, kid, ...claims, ...decodePayload(sign1.payload) };
}

function decodePayload(bytes: Uint8Array): Omit<Approval, 'sign1' | 'kid' | 'issuer' | 'subject'> {
  const fields = new Fields(WHAT);
  const item = decodeCbor(bytes, { what: WHAT, limit: MAX_APPROVAL });
  const parts = fields.array(item, 'the approval', 11, 11);
  return {
    genesis: fields.hash(parts[0], 'genesis'),
    id: fields.hash(parts[1], 'id'),
    operator: fields.text(parts[2], 'operator', 4096),
    purpose: fields.text(parts[3], 'purpose', 4096),
    made: fields.uint(parts[4], 'made'),
    expires: fields.uint(parts[5], 'expires'),
    count: fields.uint(parts[6], 'count'),
    root: fields.hash(parts[7], 'root'),
    key: fields.fixed(parts[8], 'key', 32),
    time: fields.uint(parts[9], 'time'),
    seen: fields.bool(parts[10], 'seen'),
  };
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
  if (hex(approval.kid) !== hex(thumbprint(approval.key)) || !verifySign1(approval.sign1, approval.sign1.payload!, approval.key)) {
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
  const { genesis, id, operator, purpose, made, expires, count, root } = approval;
  return JSON.stringify([hex(genesis), hex(id), operator, purpose, `${made}`, `${expires}`, `${count}`, hex(root)]);
}

function differs(approval: Approval, record: SignRecord, statement: Statement): string | null {
  const name = nameOf(approval);
  const another = (what: string, approved: string, found: string): string =>
    `the approval of ${name} is for another ${what}: ${approved}, not ${found}`;
  if (approval.issuer !== statement.issuer || approval.subject !== statement.subject) {
    return another('journal', `${approval.issuer} / ${approval.subject}`, `${statement.issuer} / ${statement.subject}`);
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
