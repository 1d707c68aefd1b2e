// Was the key in force, and was it revoked? The file of key events, each proven under one cosigned head.

import { hex, same, sha256 } from './bytes.ts';
import { decodeCbor, type Item } from './cbor.ts';
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { LABEL, claimsOf, decodeSign1, isEdDsa, verifySign1 } from './cose.ts';
import { UNSOUND, isSoundKey, thumbprint } from './ed25519.ts';
import { encodeArray, encodeBytes, encodeInt, encodeText } from './encode.ts';
import { Malformed, Refused } from './errors.ts';
import { Fields, found } from './fields.ts';
import { verifyHead } from './head.ts';
import type { History } from './history.ts';
import type { KeyEvent, Since } from './key-event.ts';
import { KINDS } from './kind.ts';
import { rootOf } from './merkle.ts';
import { shown } from './show.ts';
import { MAX_STATEMENT, checkSignedBy, decodeStatement, type Statement } from './statement.ts';

const WHAT = 'coldlog-key-events';
export const MAX_KEY_EVENTS = 67_108_864;
const MAX_EVENTS = 4_096;
const MAX_NOTE = 262_144;
const MAX_CHANGES = 1_024;
const REVOCATION_MARK = '.revocation.';
const ROTATION_TYPE = 'application/vnd.coldlog.rotation+cbor';

interface LoggedEvent {
  statement: Statement;
  event: KeyEvent;
  index: bigint;
  path: Uint8Array[];
}

export interface KeyEvents {
  /** Judged when a record is. */
  head: Checkpoint;
  events: LoggedEvent[];
}

/** The one entry of a proof in a log, as far as a bound asks for it. */
export interface Place {
  origin: string;
  index: bigint;
  /** By when a quorum had seen it. */
  seen: bigint | null;
}

export interface ProvenKey {
  words: string;
  /** How many keys the journal has had, as of which head. */
  keys: number;
  log: string;
  size: bigint;
  revoked: string | null;
}

export function parseKeyEvents(bytes: Uint8Array): KeyEvents {
  const fields = new Fields(WHAT);
  const item = decodeCbor(bytes, { what: WHAT, limit: MAX_KEY_EVENTS });
  const first = item.type === 'array' ? item.items[0] : undefined;
  if (first?.type !== 'text') throw new Malformed(`expected ${WHAT}, but this is ${found(item)}; pass the right file`);
  if (first.value !== WHAT) {
    const other = KINDS.includes(first.value) ? first.value : `something else (${found(first)})`;
    throw new Malformed(`expected ${WHAT}, but this is ${other}; pass the right file`);
  }
  const version = fields.uint((item as { items: Item[] }).items[1], 'version');
  if (version !== 1n) {
    throw new Malformed(`unsupported: ${WHAT} has version ${version}, and this program reads version 1; use a newer Coldlog`);
  }
  const parts = fields.array(item, 'the file', 4, 4);
  const note = fields.bytes(parts[2], 'the head', MAX_NOTE);
  const head = headOf(note);
  const events: LoggedEvent[] = [];
  for (const one of fields.array(parts[3], 'the events', 0, MAX_EVENTS)) {
    events.push(decodeEvent(fields, one, events.at(-1)?.index ?? -1n));
  }
  return { head, events };
}

function headOf(note: Uint8Array): Checkpoint {
  try {
    return parseCheckpoint(note);
  } catch (error) {
    throw error instanceof Malformed ? Malformed.field(WHAT, 'the head', 'a signed checkpoint', error.message) : error;
  }
}

function decodeEvent(fields: Fields, item: Item, last: bigint): LoggedEvent {
  const [first, second, third] = fields.array(item, 'an event', 3, 3);
  const statement = decodeStatement(fields.bytes(first, 'a statement', MAX_STATEMENT));
  if (statement.content.type !== 'event') throw Malformed.field(WHAT, 'an event', 'a key event', 'another statement');
  const index = fields.uint(second, 'an index');
  if (index <= last) throw Malformed.field(WHAT, 'an index', 'indexes that rise', `${index}`);
  const path = fields.hashes(third, 'a path', 63);
  return { statement, event: statement.content.event, index, path };
}

interface KeyTerm {
  key: Uint8Array;
  /** The first record that it may sign. */
  from: bigint;
}

interface Revocation {
  key: Uint8Array;
  since: Since;
  index: bigint;
}

/** What the events say of one journal. */
interface Journal {
  keys: KeyTerm[];
  /** The record with which it ended. */
  end: { sequence: bigint; event: string } | null;
  /** The entry outside of it that revoked the key in force. What comes behind it is passed over. */
  revokedAt: bigint | null;
  revocations: Revocation[];
  /** Events after the genesis, but for revocations and retirements. */
  changes: number;
}

export interface KeyQuestion {
  keyEvents: KeyEvents;
  history: History;
  statement: Statement;
  /** By which the statement and the document are signed. */
  key: Uint8Array;
  places: Place[];
  /** The signer that is demanded, who may have handed over to this key. */
  demanded: Uint8Array | null;
}

const named = (key: Uint8Array): string => `ed25519:${hex(key)}`;

export function provenKey(question: KeyQuestion): ProvenKey {
  const { keyEvents, history, statement, key } = question;
  const journal = replay(keyEvents, statement, history);
  checkHandedOver(journal, question);
  const place = placeOf(question);
  checkNotRevokedOutside(journal, statement, place);
  checkInForce(journal, statement, key);
  checkNotEnded(journal, statement);
  const checkpoint = keyEvents.head;
  const revoked = journal.revocations.filter((revocation) => same(revocation.key, key));
  for (const revocation of revoked) checkOlder(revocation, question, place);
  const { length: keys } = journal.keys;
  const which = keys === 1 ? "the journal's only key" : `one of the journal's ${keys} keys`;
  // All of them spare it; the last one that was logged is told.
  const last = revoked.at(-1);
  const bound = last === undefined ? null : sinceWords(last.since);
  const words =
    `${which}, in force then, as of ${shown(checkpoint.origin)} at size ${checkpoint.size}` +
    (bound === null ? '' : `; revoked ${bound}, and this signature is older`);
  return { words, keys, log: checkpoint.origin, size: checkpoint.size, revoked: bound };
}

/** Where the events' own log has the record: what its numbers say holds there only. */
function placeOf({ keyEvents, places }: KeyQuestion): Place {
  const { origin, size } = keyEvents.head;
  const place = places.find((one) => one.origin === origin);
  if (place === undefined) {
    throw new Refused(
      `the key events are of ${shown(origin)}, and the proof has no receipt of that log: what its numbers say holds there only; ` +
        'ask the signer for a proof with that receipt, or make the key events of a log that the proof is from',
    );
  }
  if (place.index >= size) {
    throw new Refused(
      `the key events are as of ${shown(origin)} at size ${size}, the record is entry ${place.index}: they do not reach it; ` +
        'make them anew with `verifier key-events`',
    );
  }
  return place;
}

function checkNotEnded({ end }: Journal, statement: Statement): void {
  const { sequence } = statement.position;
  if (end === null || sequence <= end.sequence) return;
  throw new Refused(
    `record ${sequence} comes after the end of the journal, record ${end.sequence}: it was signed with a key that had ended`,
  );
}

function checkNotRevokedOutside({ revokedAt }: Journal, statement: Statement, place: Place): void {
  if (revokedAt === null || place.index <= revokedAt) return;
  throw new Refused(
    `record ${statement.position.sequence} was logged as entry ${place.index}, after the key in force had been revoked by ` +
      `entry ${revokedAt}: it is not to be trusted`,
  );
}

function checkInForce(journal: Journal, statement: Statement, key: Uint8Array): void {
  const { sequence } = statement.position;
  const inForce = journal.keys.filter((term) => term.from <= sequence).at(-1)!.key;
  if (same(inForce, key)) return;
  throw new Refused(
    `record ${sequence} is by the key ${named(key)}, in force was ${named(inForce)}: the key had been given up, or was not yet in force`,
  );
}

/** The demanded signer may have handed over to this key; a key that was given up before is not taken in its name. */
function checkHandedOver(journal: Journal, { demanded, key }: KeyQuestion): void {
  if (demanded === null) return;
  const at = (one: Uint8Array): number => journal.keys.findIndex((term) => same(term.key, one));
  if (at(key) >= at(demanded)) return;
  throw new Refused(
    `the signature is by ${named(key)}, which was given up before ${named(demanded)}, the signer that is demanded, took over`,
  );
}

function checkOlder({ since, index }: Revocation, question: KeyQuestion, place: Place): void {
  const { statement, key, places, keyEvents } = question;
  const { sequence } = statement.position;
  if (isOlder(since, index, sequence, place, places)) return;
  throw new Refused(
    `the key ${named(key)} was revoked ${sinceWords(since)}, by entry ${index} of ${shown(keyEvents.head.origin)}; ` +
      `nothing shows that record ${sequence} is older: it is not to be trusted`,
  );
}

/** All keys that the statement's journal has had; none where the events do not hold, which is told when it is their turn. */
export function keysOf(keyEvents: KeyEvents, statement: Statement, history: History): Uint8Array[] {
  try {
    return replay(keyEvents, statement, history).keys.map((term) => term.key);
  } catch (error) {
    if (error instanceof Refused) return [];
    throw error;
  }
}

function isOlder(since: Since, index: bigint, sequence: bigint, own: Place, places: Place[]): boolean {
  switch (since.by) {
    case 'record':
      return sequence < since.sequence;
    case 'head':
      return places.some((place) => place.origin === since.origin && place.index < since.size);
    case 'time':
      return places.some((place) => place.seen !== null && place.seen <= since.seconds);
    case 'publication':
      return own.index < index;
  }
}

function sinceWords(since: Since): string {
  switch (since.by) {
    case 'record':
      return `from record ${since.sequence} on`;
    case 'head':
      return `for all that is not among the first ${since.size} entries of ${shown(since.origin)}`;
    case 'time':
      return `for all that no witness had seen ${since.seconds} seconds after 1970`;
    case 'publication':
      return 'from the moment at which the revocation was logged';
  }
}

function replay(keyEvents: KeyEvents, statement: Statement, history: History): Journal {
  const { issuer, subject } = statement;
  const journal: Journal = { keys: [], end: null, revokedAt: null, revocations: [], changes: 0 };
  const { checkpoint } = verifyHead(history, keyEvents.head);
  // By rising index, as the log took them: an entry outside of the journal can end it.
  for (const one of keyEvents.events) {
    const isOfIt = one.statement.issuer === issuer && one.statement.subject === subject;
    const isOutside = one.statement.issuer === issuer && revokedJournal(one) === subject;
    if (!isOfIt && !isOutside) continue;
    checkUnderHead(one, checkpoint);
    if (!isOutside && journal.revokedAt !== null) continue;
    const isFirst = journal.keys.length === 0;
    holding(one, () => (isOutside && !isFirst ? admitOutside(journal, one, subject) : admit(journal, one)));
  }
  if (journal.keys.length > 0) return journal;
  throw new Refused(
    `the key events hold no genesis of ${shown(issuer)} / ${shown(subject)}: they are of other signers; ` +
      'make the file anew with `verifier key-events`',
  );
}

/** The journal that a revocation outside of it is of, by its form; null where it is none. */
function revokedJournal({ statement, event }: LoggedEvent): string | null {
  const mark = statement.subject.lastIndexOf(REVOCATION_MARK);
  const isRevocation = event.event === 'revocation' && statement.position.sequence === 0n;
  return isRevocation && mark >= 0 ? statement.subject.slice(0, mark) : null;
}

function checkUnderHead(one: LoggedEvent, head: Checkpoint): void {
  const { size, root } = head;
  const wrong = (why: string): Refused => new Refused(`the event at index ${one.index} is not under the head: ${why}`);
  let led: Uint8Array;
  try {
    led = rootOf(one.statement.leaf, one.index, size, one.path);
  } catch (error) {
    throw error instanceof Refused ? wrong(error.message) : error;
  }
  if (!same(led, root)) throw wrong(`the path leads to the root ${hex(led)}, expected ${hex(root)}`);
}

function holding(one: LoggedEvent, admitted: () => void): void {
  try {
    admitted();
  } catch (error) {
    throw error instanceof Refused ? new Refused(`the event at index ${one.index} does not hold: ${error.message}`) : error;
  }
}

function admit(journal: Journal, { statement, event, index }: LoggedEvent): void {
  const { sequence } = statement.position;
  const inForce = journal.keys.at(-1)?.key;
  if (inForce === undefined) return admitGenesis(journal, statement, event);
  checkSignedBy(statement, inForce);
  if (journal.end !== null) {
    throw new Refused(
      `the journal ended with its ${journal.end.event}, record ${journal.end.sequence}: record ${sequence} cannot follow; ` +
        "begin a new journal (`signer init`), and let the log's operator allow it",
    );
  }
  checkChanges(journal, event, sequence);
  switch (event.event) {
    case 'genesis':
      return admitLateGenesis(sequence);
    case 'rotation':
      admitRotation(journal, statement, event, inForce);
      break;
    case 'retirement':
      if (!same(ofJournal(journal, event.key, NOT_IN_FORCE), inForce)) throw new Refused(names(event.key, NOT_IN_FORCE));
      journal.end = { sequence, event: 'retirement' };
      break;
    case 'revocation':
      admitRevocation(journal, event, sequence);
      journal.revocations.push({ key: event.key, since: event.since, index });
      if (same(event.key, inForce)) journal.end = { sequence, event: 'revocation' };
      break;
    default:
  }
  journal.changes += 1;
}

/** What ends a journal may come after as many as it may have. */
function checkChanges(journal: Journal, event: KeyEvent, sequence: bigint): void {
  const isEnd = event.event === 'revocation' || event.event === 'retirement';
  if (isEnd || journal.changes < MAX_CHANGES) return;
  throw new Refused(
    `record ${sequence} is one key event more than the ${MAX_CHANGES} that a journal may have: begin a new journal (\`signer init\`)`,
  );
}

/** The genesis itself may stand twice, at two places of the log. */
function admitLateGenesis(sequence: bigint): void {
  if (sequence === 0n) return;
  throw new Refused(`a genesis stands at sequence number ${sequence}, expected only at 0: a new journal starts in a folder of its own`);
}

const NOT_IN_FORCE = 'does not have in force now';
const NEVER_HAD = 'never had: it can revoke its own keys only';
const names = (key: Uint8Array, which: string): string => `it names the key ${named(key)}, which this journal ${which}`;

function ofJournal(journal: Journal, key: Uint8Array, which: string): Uint8Array {
  if (!isSoundKey(key)) throw new Refused(UNSOUND);
  if (!journal.keys.some((term) => same(term.key, key))) throw new Refused(names(key, which));
  return key;
}

function admitRevocation(journal: Journal, { key, since }: Extract<KeyEvent, { event: 'revocation' }>, sequence: bigint): void {
  if (since.by === 'record' && since.sequence > sequence) {
    throw new Refused(
      `it takes back records from number ${since.sequence} on, its own number is ${sequence}: what is not written yet needs no revocation`,
    );
  }
  ofJournal(journal, key, NEVER_HAD);
}

function admitGenesis(journal: Journal, statement: Statement, event: KeyEvent): void {
  const { sequence } = statement.position;
  const none = (found: string): Refused => new Refused(`expected a genesis (sequence number 0, a key event), found ${found}`);
  if (sequence !== 0n) throw none(`sequence number ${sequence}`);
  if (event.event !== 'genesis') throw none(`a ${event.event}`);
  checkSound(event.key);
  checkSignedBy(statement, event.key);
  journal.keys.push({ key: event.key, from: 0n });
}

function checkSound(key: Uint8Array): void {
  if (!isSoundKey(key)) throw new Refused(`the genesis names no sound key: ${UNSOUND}`);
}

function admitRotation(
  journal: Journal,
  statement: Statement,
  event: Extract<KeyEvent, { event: 'rotation' }>,
  inForce: Uint8Array,
): void {
  const { sequence, previous } = statement.position;
  checkSound(event.key);
  if (journal.keys.some((term) => same(term.key, event.key))) {
    throw new Refused(`the journal has had the key ${named(event.key)} already: a key that was given up never comes back; make a new one`);
  }
  const place = previous === null ? NULL : encodeBytes(previous);
  const payload = encodeArray([encodeBytes(inForce), encodeBytes(event.key), encodeInt(sequence), place]);
  if (!consents(event.accepted, payload, event.key, statement)) {
    throw new Refused(
      `the new key ${named(event.key)} did not consent to take over at record ${sequence}: the event was altered, or made without that key; ` +
        'rotate again with `signer rotate-key`',
    );
  }
  journal.keys.push({ key: event.key, from: sequence + 1n });
}

const NULL = Uint8Array.of(0xf6);
const CONSENT = 'consent to a rotation';
const CONSENT_LABELS = [LABEL.alg, LABEL.kid, LABEL.claims, LABEL.typ];

/** The new key's consent: a COSE_Sign1 of its own type, with a detached payload, for this place of this journal. */
function consents(accepted: Uint8Array, payload: Uint8Array, key: Uint8Array, statement: Statement): boolean {
  try {
    const sign1 = decodeSign1(accepted, { what: CONSENT, limit: 1_024 });
    const header = sign1.protected;
    const type = header.get(LABEL.typ);
    const isMeant = type?.type === 'text' && type.value === ROTATION_TYPE;
    const others = header.entries.some(([label]) => !CONSENT_LABELS.some((known) => known === label));
    if (!isMeant || others || sign1.unprotected.entries.length > 0 || sign1.payload !== null) {
      throw Malformed.field(CONSENT, 'its headers', ROTATION_TYPE, type === undefined ? 'other labels' : found(type));
    }
    const kid = header.get(LABEL.kid);
    const isNamed = kid?.type === 'bytes' && same(kid.value, thumbprint(key));
    const claims = claimsOf(header);
    const isOfIt = claims.issuer === statement.issuer && claims.subject === statement.subject;
    return isNamed && isOfIt && isEdDsa(header) && verifySign1(sign1, payload, key);
  } catch (error) {
    throw error instanceof Malformed ? new Refused(error.message) : error;
  }
}

/** A revocation that stands outside of the journal, signed by the key that it revokes. */
function admitOutside(journal: Journal, { statement, event, index }: LoggedEvent, subject: string): void {
  // Its form was looked at before.
  if (event.event !== 'revocation') return;
  checkSound(event.key);
  if (!journal.keys.some((term) => same(term.key, event.key))) {
    throw new Refused(`the statement names the key ${hex(statement.kid)} (kid), expected ${hex(thumbprint(journal.keys.at(-1)!.key))}`);
  }
  const { issuer } = statement;
  const expected = subject + REVOCATION_MARK + digitsOf(event);
  if (statement.subject !== expected) {
    throw new Refused(
      `the statement is of ${shown(issuer)} / ${shown(statement.subject)}, the batch is of ${shown(issuer)} / ${shown(expected)}: ` +
        'batches were glued together; export each journal by itself',
    );
  }
  checkSignedBy(statement, event.key);
  journal.revocations.push({ key: event.key, since: event.since, index });
  if (same(journal.keys.at(-1)!.key, event.key)) journal.revokedAt ??= index;
}

/** Where a journal of such a revocation is called: by its key, and by its bound unless that is its publication. */
function digitsOf(event: Extract<KeyEvent, { event: 'revocation' }>): string {
  const first = hex(thumbprint(event.key)).slice(0, 16);
  const encoded = encodedSince(event.since);
  return encoded === null ? first : `${first}.${hex(sha256(encoded)).slice(0, 16)}`;
}

function encodedSince(since: Since): Uint8Array | null {
  switch (since.by) {
    case 'publication':
      return null;
    case 'record':
      return encodeArray([encodeText(since.by), encodeInt(since.sequence)]);
    case 'time':
      return encodeArray([encodeText(since.by), encodeInt(since.seconds)]);
    case 'head':
      return encodeArray([encodeText(since.by), encodeText(since.origin), encodeInt(since.size), encodeBytes(since.root)]);
  }
}
