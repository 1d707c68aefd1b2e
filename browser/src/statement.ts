// Signed statements: one entry of a log, and where it stands in the signer's journal.

import { hex } from './bytes.ts';
import {
  EDDSA,
  LABEL,
  algorithmOf,
  claimsOf,
  kidOf,
  decodeSign1,
  entryBytes,
  verifySign1,
  type Header,
  type Sign1,
} from './cose.ts';
import { thumbprint } from './ed25519.ts';
import { Malformed, Refused } from './errors.ts';
import { maybeHash, type Fields } from './fields.ts';
import { KEY_EVENT_TYPE, decodeKeyEvent, type KeyEvent } from './key-event.ts';
import { leafHash } from './merkle.ts';
import { RESEAL_TYPE, RULES_TYPE, checkReseal, checkRules } from './own.ts';
import { quoted } from './show.ts';
import { isKeyName } from './vkey.ts';

const WHAT = 'signed statement';
export const MAX_STATEMENT = 65_535;
const SHA256 = -16n;
const DISCLOSURE_TYPE = 'application/vnd.coldlog.disclosure+cbor';

export interface KnownHead {
  origin: string;
  size: bigint;
  root: Uint8Array;
  /** SHA-256 of the cosigned note, byte for byte. */
  note: Uint8Array;
}

export interface Position {
  sequence: bigint;
  previous: Uint8Array | null;
  head: KnownHead | null;
}

export type Content = { type: 'commitment'; commitment: Uint8Array } | { type: 'event'; event: KeyEvent } | { type: 'own' };

export interface Statement {
  sign1: Sign1;
  kid: Uint8Array;
  issuer: string;
  subject: string;
  position: Position;
  content: Content;
  leaf: Uint8Array;
}

const COMMITMENT_LABELS = [LABEL.alg, LABEL.kid, LABEL.claims, LABEL.payloadHash, LABEL.preimageType, LABEL.position];
const EVENT_LABELS = [LABEL.alg, LABEL.contentType, LABEL.kid, LABEL.claims, LABEL.position];

/** The statement alone, as it is in a log. */
export function decodeStatement(bytes: Uint8Array): Statement {
  const sign1 = decodeSign1(bytes, { what: WHAT, limit: MAX_STATEMENT });
  sign1.unprotected.only('the unprotected header', 'empty in a log entry (RFC 9943, section 6)', []);
  return statementOf(sign1);
}

/** The statement in a COSE_Sign1 whose unprotected header is another format's. */
export function statementOf(sign1: Sign1): Statement {
  const header = sign1.protected.as(WHAT);
  const algorithm = algorithmOf(header);
  const kid = kidOf(header);
  const { issuer, subject } = claimsOf(header);
  checkEnvelope(header, sign1.payload);
  const isEvent = header.has(LABEL.contentType);
  header.only('the protected header', 'only the labels of a Coldlog statement', isEvent ? EVENT_LABELS : COMMITMENT_LABELS);
  checkName('iss', issuer);
  checkName('sub', subject);
  if (algorithm !== EDDSA) throw Malformed.field(WHAT, 'alg', 'EdDSA (-8)', 'another algorithm');
  const content = isEvent ? eventContent(header, sign1.payload) : commitmentContent(header, sign1.payload);
  const position = positionOf(header);
  return { sign1, kid, issuer, subject, position, content, leaf: leafHash(entryBytes(sign1)) };
}

/** A hash envelope, where there is one: the payload is the hash itself. */
export function checkEnvelope(header: Header, payload: Uint8Array | null): void {
  const hash = header.get(LABEL.payloadHash);
  if (hash === undefined) return;
  if (hash.type !== 'int' || hash.value !== SHA256) throw header.fields.error('label 258', 'SHA-256 (-16)', hash);
  if (header.has(LABEL.contentType)) throw Malformed.field(WHAT, 'label 3', 'absent beside a hash envelope', 'present');
  if (payload?.length !== 32) {
    throw Malformed.field(WHAT, 'the payload', 'a SHA-256 digest', `${payload === null ? 'None' : `Some(${payload.length})`} bytes`);
  }
}

function checkName(claim: string, name: string): void {
  if (isKeyName(name)) return;
  throw Malformed.field(WHAT, claim, 'a name without spaces, plus or control characters', quoted(name));
}

function commitmentContent(header: Header, payload: Uint8Array | null): Content {
  const type = header.get(LABEL.preimageType);
  if (type?.type !== 'text' || type.value !== DISCLOSURE_TYPE) throw header.fields.error('label 259', DISCLOSURE_TYPE, type);
  if (!header.has(LABEL.payloadHash)) throw Malformed.field(WHAT, 'label 258', 'SHA-256 (-16)', 'no hash envelope');
  return { type: 'commitment', commitment: payload! };
}

function eventContent(header: Header, payload: Uint8Array | null): Content {
  const type = header.get(LABEL.contentType)!;
  const name = type.type === 'text' ? type.value : null;
  const bytes = payload ?? new Uint8Array();
  if (name === KEY_EVENT_TYPE) return { type: 'event', event: decodeKeyEvent(bytes) };
  if (name === RULES_TYPE) checkRules(bytes);
  else if (name === RESEAL_TYPE) checkReseal(bytes);
  else throw header.fields.error('label 3', `${KEY_EVENT_TYPE}, ${RULES_TYPE} or ${RESEAL_TYPE}`, type);
  return { type: 'own' };
}

function positionOf(header: Header): Position {
  const { fields } = header;
  const item = header.get(LABEL.position);
  if (item === undefined) throw fields.error('the journal position (label -70001)', 'present', item);
  const [first, second, third] = fields.array(item, 'the journal position', 3, 3);
  const sequence = fields.uint(first, 'the sequence number');
  const previous = second?.type === 'null' ? null : fields.hash(second, "the previous statement's hash");
  if ((sequence === 0n) !== (previous === null)) {
    throw Malformed.field(WHAT, "the previous statement's hash", 'null for sequence number 0 and only there', maybeHash(previous));
  }
  const head = third?.type === 'null' ? null : knownHead(fields, third);
  return { sequence, previous, head };
}

function knownHead(fields: Fields, item: Parameters<Fields['array']>[0]): KnownHead {
  const [origin, size, root, note] = fields.array(item, 'the known head', 4, 4);
  return {
    origin: fields.text(origin, "the head's origin", 255),
    size: fields.uint(size, "the head's size"),
    root: fields.hash(root, "the head's root"),
    note: fields.hash(note, "the digest of the head's note"),
  };
}

/** The statement is signed by this key, which its kid names. */
export function checkSignedBy(statement: Statement, key: Uint8Array): void {
  const expected = thumbprint(key);
  if (hex(statement.kid) !== hex(expected)) {
    throw new Refused(`the statement names the key ${hex(statement.kid)} (kid), expected ${hex(expected)}`);
  }
  if (!verifySign1(statement.sign1, statement.sign1.payload ?? new Uint8Array(), key)) {
    throw new Refused(`the statement's signature does not verify under the key ${hex(expected)}: it was altered, or forged`);
  }
}
