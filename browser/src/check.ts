// Is this document's signature logged? A pure function from bytes to what is proven, or the first reason why not.

import { fromBase64, fromHex, hex, same, sha256 } from './bytes.ts';
import { checkApprovals } from './approval.ts';
import type { Checkpoint } from './checkpoint.ts';
import { UNSOUND, isSoundKey } from './ed25519.ts';
import { Malformed, Refused } from './errors.ts';
import { headIn, knowsLog, logKeys, unknownLog, validityOf, verifyHead, type CosignedHead } from './head.ts';
import { inForce, type History } from './history.ts';
import { decodeProof, type Proof } from './proof.ts';
import { inclusionOf, namesKey, receiptClaims, verifyInclusion, type Receipt } from './receipt.ts';
import { decodeDisclosure, type SignRecord } from './record.ts';
import { firstName, isRehearsal, mixed, rehearsalName } from './rehearsal.ts';
import { quoted, shown } from './show.ts';
import { checkDocumentSignature, decodeSignatureFile, type Scheme, type SignatureFile } from './signature-file.ts';
import { checkSignedBy, type Statement } from './statement.ts';
import { NOTE_ED25519 } from './vkey.ts';
import { keysOf, provenKey, type KeyEvents, type ProvenKey } from './key-events.ts';

interface NamedBytes {
  name: string;
  bytes: Uint8Array;
}

export interface Question {
  document: Uint8Array;
  /** Asked for when it is its turn: a proof that is missing is told after what comes before. */
  proof: () => Uint8Array;
  proofName: string;
  history: History;
  /** A signature file at hand, to be checked as well; asked for when it is its turn, too, and the record's format is known. */
  signature?: (scheme: Scheme) => NamedBytes | undefined;
  /** The key that must have signed. */
  signer?: Uint8Array | undefined;
  keyEvents?: KeyEvents | undefined;
  requireLogs?: number | undefined;
  strictValidity?: boolean | undefined;
  rehearsal?: boolean | undefined;
}

export interface Logged {
  index: bigint;
  head: CosignedHead;
}

export interface Proven {
  record: SignRecord;
  issuer: string;
  subject: string;
  sequence: bigint;
  logs: Logged[];
  notBefore: bigint | null;
  notAfter: bigint | null;
  madeUnderThisPolicy: boolean;
  key: ProvenKey | null;
  isRehearsal: boolean;
}

/** The questions in their order; what fails first is the answer. */
const STEPS = [
  'real, or of a rehearsal, as asked for',
  'proof is at hand',
  "record matches the statement's commitment",
  'document matches the record',
  'signer is the expected one',
  'document signature',
  'statement signature',
  'head signed by the log and cosigned by the quorum',
  'receipt proves inclusion in the head',
  'earlier head bounds the time',
  'key in force then, not revoked',
] as const;

export type Step = (typeof STEPS)[number];

/** Those that are asked: for the signer and the key only where the user did. */
export function stepsOf(asked: { signer?: unknown; keyEvents?: unknown }): Step[] {
  return STEPS.filter((step) => {
    if (step === 'signer is the expected one') return asked.signer !== undefined;
    return step !== 'key in force then, not revoked' || asked.keyEvents !== undefined;
  });
}

const RECORD: Step = "record matches the statement's commitment";
const HEAD: Step = 'head signed by the log and cosigned by the quorum';

/** Where the check stands, for a report that names what was not reached. */
export type Progress = (step: Step) => void;

export function check(question: Question, at: Progress = () => undefined): Proven {
  at('real, or of a rehearsal, as asked for');
  checkRehearsal(question);
  at('proof is at hand');
  const bytes = question.proof();
  const proof = naming(question.proofName, () => decodeProof(bytes));
  at(RECORD);
  const record = recordOf(proof);
  const atHand = signatureAtHand(question, record.signature.scheme);
  if (!isSoundKey(record.signature.key)) throw new Refused(UNSOUND);
  at('document matches the record');
  checkDocument(record, question.document);
  if (question.signer !== undefined) at('signer is the expected one');
  checkSigner(proof.statement, record, question);
  at('document signature');
  checkSignatures(record, atHand, question.document);
  at('statement signature');
  checkSignedBy(proof.statement, record.signature.key);
  at(RECORD);
  checkApprovals(record, proof.statement);
  const logs = checkReceipts(proof, question, at);
  at('earlier head bounds the time');
  const notBefore = checkEarlierHead(proof, question.history);
  if (question.keyEvents !== undefined) at('key in force then, not revoked');
  const key = checkKey(question, proof.statement, record.signature.key, logs);
  at(HEAD);
  checkDemands(question, logs);
  return {
    record,
    issuer: proof.statement.issuer,
    subject: proof.statement.subject,
    sequence: proof.statement.position.sequence,
    logs,
    notBefore,
    notAfter: least(logs.map((logged) => logged.head.times?.earliest ?? null)),
    madeUnderThisPolicy: isMadeUnder(proof, question.history, logs),
    key,
    isRehearsal: isRehearsal(proof.statement.issuer),
  };
}

function checkRehearsal(question: Question): void {
  const practised = rehearsalName(question.history);
  if (practised !== null && question.rehearsal !== true) {
    throw new Refused(
      `REHEARSAL: ${shown(practised)} is of a rehearsal: whatever this proves, nothing real was signed; ` +
        'say --rehearsal if that is what you practise',
    );
  }
  const real = firstName(question.history);
  if (question.rehearsal === true && practised === null && real !== null) {
    throw new Refused(`${shown(real)} is real, and --rehearsal takes what a rehearsal made, and nothing else`);
  }
}

/** What is wrong with a file of the user's is told with its name. */
function naming<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Malformed ? new Malformed(`${name}: ${error.message}`) : error;
  }
}

/** What is wrong within the parts of a proof that are bound by digests makes the answer "no". */
function refusing<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Malformed ? new Refused(error.message) : error;
  }
}

function recordOf(proof: Proof): SignRecord {
  const { content } = proof.statement;
  if (content.type === 'own') throw new Refused('the statement is what a log says of itself, and commits to no record');
  const commitment = content.type === 'event' ? content.event.commitment : content.commitment;
  const found = sha256(proof.disclosure);
  if (!same(found, commitment)) {
    throw new Refused(
      `the disclosure hashes to ${hex(found)}, the logged statement commits to ${hex(commitment)}: the record was altered`,
    );
  }
  const record = refusing(() => decodeDisclosure(proof.disclosure));
  if (record === null || content.type === 'event') throw new Refused('the record is not of a document signature but of a key event');
  return record;
}

function checkDocument(record: SignRecord, document: Uint8Array): void {
  const found = sha256(document);
  const { sha256: recorded, size, name } = record.document;
  if (!same(found, recorded) || size !== BigInt(document.length)) {
    throw new Refused(
      `tampering: the document has the SHA-256 ${hex(found)} (${document.length} bytes), ` +
        `the record says ${hex(recorded)} (${size} bytes) for ${quoted(name)}`,
    );
  }
}

/** A file that cannot be read leaves the question without an answer, whatever the document is. */
function signatureAtHand({ signature }: Question, scheme: Scheme): SignatureFile | null {
  const file = signature?.(scheme);
  return file === undefined ? null : naming(file.name, () => decodeSignatureFile(file.bytes));
}

function checkSignatures(record: SignRecord, atHand: SignatureFile | null, document: Uint8Array): void {
  const { scheme, key, bytes, verified } = record.signature;
  if (!verified) {
    throw new Refused("the record says that the signer's own check of this signature failed: it was never released by the signer");
  }
  const recorded = refusing(() => decodeSignatureFile(bytes));
  checkDocumentSignature(recorded, scheme, key, document);
  if (atHand !== null) checkDocumentSignature(atHand, scheme, key, document);
}

/** With key events, the demanded signer may be another key of the journal: which came first is asked with the key. */
function checkSigner(statement: Statement, record: SignRecord, question: Question): void {
  const { signer, keyEvents, history } = question;
  const { key } = record.signature;
  if (signer === undefined || same(signer, key)) return;
  const handedOver = keyEvents === undefined ? [] : keysOf(keyEvents, statement, history);
  if (handedOver.some((one) => same(one, signer))) return;
  throw new Refused(`signed by ed25519:${hex(key)}, expected the signer ed25519:${hex(signer)}`);
}

function checkKey(question: Question, statement: Statement, key: Uint8Array, logs: Logged[]): ProvenKey | null {
  const { keyEvents, history } = question;
  if (keyEvents === undefined) return null;
  const places = logs.map(({ index, head }) => ({
    origin: head.checkpoint.origin,
    index,
    seen: head.times?.earliest ?? null,
  }));
  return provenKey({ keyEvents, history, statement, key, places, demanded: question.signer ?? null });
}

/** Receipts of logs that the policy does not know prove nothing, and are passed over. */
function checkReceipts(proof: Proof, question: Question, at: Progress): Logged[] {
  const { history } = question;
  const logs: Logged[] = [];
  let unknown: string | null = null;
  at(HEAD);
  for (const receipt of proof.receipts) {
    const checkpoint = checkpointOf(receipt);
    if (!knowsLog(history, checkpoint)) {
      unknown ??= checkpoint.origin;
      continue;
    }
    const head = verifyHead(history, checkpoint);
    if (logs.some((logged) => logged.head.checkpoint.origin === checkpoint.origin)) {
      throw new Refused(`two receipts are by one log, ${quoted(checkpoint.origin)}: one is enough`);
    }
    at('receipt proves inclusion in the head');
    checkSameKind(proof.statement.issuer, checkpoint.origin);
    logs.push({ index: checkReceipt(receipt, head, proof), head });
    at(HEAD);
  }
  if (logs.length === 0 && unknown !== null) throw unknownLog(inForce(history).policy, unknown);
  return logs;
}

/** What is asked beyond a proof, where there is one. */
function checkDemands(question: Question, logs: Logged[]): void {
  const demanded = question.requireLogs ?? 1;
  if (logs.length < demanded) {
    throw new Refused(
      `the signature is proven to be in ${logs.length} logs of the policy, ${demanded} are demanded: ` +
        'ask the signer for a proof with the receipts of more logs',
    );
  }
  logs.forEach(({ head }) => checkValidity(head, question));
}

function checkpointOf(receipt: Receipt): Checkpoint {
  if (receipt.checkpoint !== null) return headIn(receipt.checkpoint);
  throw new Refused('the receipt carries no checkpoint: the tree that it is from is not known');
}

function checkValidity(head: CosignedHead, question: Question): void {
  const validity = validityOf(head);
  if (question.strictValidity !== true || validity === null || validity.standing === 'within') return;
  throw new Refused(
    `the head of ${shown(head.checkpoint.origin)} is not shown to be cosigned by a quorum within the time for which ` +
      `the policy is meant: ${validity.why}`,
  );
}

/** The receipt is of this head's tree, for this journal, and leads from this entry to its root. */
function checkReceipt(receipt: Receipt, head: CosignedHead, proof: Proof): bigint {
  const { checkpoint, judge } = head;
  const { statement } = proof;
  const keys = logKeys(judge.term.policy, checkpoint.origin).filter((key) => key.type === NOTE_ED25519);
  const [first] = keys;
  if (first === undefined) {
    throw new Refused(`the policy has no Ed25519 key of the log ${quoted(checkpoint.origin)}, which signs its receipts`);
  }
  const claims = receiptClaims(receipt);
  if (claims.issuer !== checkpoint.origin || claims.subject !== statement.subject) {
    throw new Refused(
      `the receipt is by ${quoted(claims.issuer)} for ${quoted(claims.subject)}, ` +
        `expected ${quoted(checkpoint.origin)} for ${quoted(statement.subject)}`,
    );
  }
  const named = keys.find((key) => namesKey(receipt, key.key)) ?? first;
  const root = verifyInclusion(receipt, statement.leaf, named.key);
  const { size, index } = inclusionOf(receipt);
  if (size !== checkpoint.size || !same(root, checkpoint.root)) {
    throw new Refused(
      `the receipt leads to size ${size}, root ${hex(root)}, ` +
        `the cosigned head says size ${checkpoint.size}, root ${hex(checkpoint.root)}`,
    );
  }
  return index;
}

/** The policy that the proof names is the one in force, or one by which a head of it was judged. */
function isMadeUnder(proof: Proof, history: History, logs: Logged[]): boolean {
  const terms = [inForce(history), ...logs.map(({ head }) => head.judge.term)];
  return terms.some((term) => same(term.policy.digest, proof.policy));
}

/** Nothing real takes what a rehearsal made. */
function checkSameKind(signer: string, log: string): void {
  if (isRehearsal(signer) === isRehearsal(log)) return;
  throw new Refused(isRehearsal(signer) ? mixed(signer, log) : mixed(log, signer));
}

/** The time from which on the signer knew the earlier head; null where nothing bounds it. */
function checkEarlierHead(proof: Proof, history: History): bigint | null {
  const { head } = proof.statement.position;
  const bytes = proof.earlierHead;
  const other = new Refused('the earlier head in the proof is not the one that the statement names');
  if (head === null && bytes === null) return null;
  if (head === null || bytes === null || !same(sha256(bytes), head.note)) throw other;
  const checkpoint = maybeHead(bytes);
  if (checkpoint === null) throw other;
  const isNamed = checkpoint.origin === head.origin && checkpoint.size === head.size && same(checkpoint.root, head.root);
  if (!isNamed) throw other;
  if (!knowsLog(history, checkpoint)) return null;
  try {
    return verifyHead(history, checkpoint).times?.latest ?? null;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new Refused(`the earlier head, which bounds the time from below: ${error.message}`);
  }
}

function maybeHead(bytes: Uint8Array): Checkpoint | null {
  try {
    return headIn(bytes);
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}

function least(times: (bigint | null)[]): bigint | null {
  return times.reduce((a, b) => (a === null ? b : b === null || a < b ? a : b), null);
}

/** A public key as `--signer` takes it: 64 hex digits, or an OpenSSH public key. */
export function parseSigner(text: string, given: string): Uint8Array {
  const key = signerKey(text.trim());
  if (key === null || !isSoundKey(key)) throw new Malformed(`${shown(given)} is no sound Ed25519 public key`);
  return key;
}

function signerKey(text: string): Uint8Array | null {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return fromHex(text);
  const match = /^ssh-ed25519 ([A-Za-z0-9+/=]+)( .*)?$/.exec(text);
  const blob = match === null ? null : fromBase64(match[1]!);
  // A string of eleven letters, and one of 32 bytes.
  const isKey = blob?.length === 51 && hex(blob.subarray(0, 19)) === '0000000b7373682d6564323535313900000020';
  return isKey ? blob.subarray(19) : null;
}
