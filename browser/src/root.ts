// Trust roots: a policy, who may renew it, and the time for which it is meant. A signed note around the policy.

import { hex, sha256, textOf, utf8 } from './bytes.ts';
import { plainNumber } from './checkpoint.ts';
import { Malformed } from './errors.ts';
import { doesNotVerify, isBy, parseNote, verifyNoteSignature, type Note } from './note.ts';
import { PolicyLine, parsePolicy, type Policy } from './policy.ts';
import { quoted, shown, time } from './show.ts';
import { NOTE_ED25519, parseVerifierKey, sameKey, type VerifierKey } from './vkey.ts';

export const ROOT_HEADER = 'coldlog-root/v1';
const MAX_ROOT = 262_144;
const MAX_KEYS = 64;
const PREVIOUS = '`previous none` for version 1, `previous <64 hex digits>` for others';

export interface TrustRoot {
  version: bigint;
  /** Digest of the version before; null for the first. */
  previous: string | null;
  notBefore: bigint;
  expires: bigint;
  threshold: number;
  keys: VerifierKey[];
  policy: Policy;
  /** SHA-256 of the text, whoever has signed. */
  digest: string;
  note: Note;
}

const LONGEST_SHOWN = 60;

/** A line of the trust root that is not understood; `found` is a whole line, of which the beginning is shown. */
function wrongLine(line: number, expected: string, found: string): Malformed {
  const beginning = [...found].slice(0, LONGEST_SHOWN).join('');
  return new Malformed(`trust root line ${line}: expected ${expected}, found ${quoted(beginning)}`);
}

export function isRoot(bytes: Uint8Array): boolean {
  const header = utf8(ROOT_HEADER);
  return header.every((byte, at) => bytes[at] === byte) && (bytes.length === header.length || bytes[header.length] === 0x0a);
}

/** The lines before the policy, one after another. */
class Lines {
  private at = 0;

  constructor(private readonly lines: string[]) {}

  get count(): number {
    return this.at;
  }

  peek(): string {
    return this.lines[this.at] ?? '';
  }

  /** The rest of a line that begins with this word. */
  take<T>(word: string, expected: string, read: (value: string) => T | null): T {
    const line = this.peek();
    this.at += 1;
    const value = line.startsWith(`${word} `) ? read(line.slice(word.length + 1)) : null;
    if (value === null) throw wrongLine(this.at, expected, line);
    return value;
  }

  exactly(text: string): void {
    const line = this.peek();
    this.at += 1;
    if (line !== text) throw wrongLine(this.at, `\`${text}\``, line);
  }

  rest(): string {
    return this.lines.slice(this.at).join('\n');
  }
}

function digestWord(version: bigint): (value: string) => string | null {
  return (value) => {
    if (version === 1n) return value === 'none' ? value : null;
    return /^[0-9a-f]{64}$/.test(value) ? value : null;
  };
}

/** The text, or the signed note. A draft that nobody has signed is its text alone. */
function noteOf(bytes: Uint8Array): Note {
  if (bytes.length > MAX_ROOT) {
    throw new Malformed(`the trust root is too large: ${bytes.length} bytes, at most ${MAX_ROOT}`);
  }
  const text = textOf(bytes);
  if (text === null || /(?!\n)\p{Cc}/u.test(text)) {
    throw new Malformed('a policy in a trust root is UTF-8 text without tabs: write spaces in their place, and only names in UTF-8');
  }
  const lastLine = text.replace(/\n+$/, '').split('\n').at(-1)!;
  return lastLine.startsWith('\u2014 ') ? parseNote(bytes) : { text, signatures: [] };
}

export function parseRoot(bytes: Uint8Array): TrustRoot {
  const note = noteOf(bytes);
  const lines = new Lines(note.text.split('\n'));
  lines.exactly(ROOT_HEADER);
  const version = lines.take('version', '`version <number from 1>`', (value) => {
    const number = plainNumber(value);
    return number === 0n ? null : number;
  });
  const previous = lines.take(
    'previous',
    PREVIOUS,
    digestWord(version),
  );
  const notBefore = lines.take('not-before', '`not-before <POSIX seconds>`', plainNumber);
  const expires = lines.take('expires', '`expires <POSIX seconds>`', plainNumber);
  const threshold = lines.take('threshold', '`threshold <number>`', plainNumber);
  const keys = keysOf(lines);
  const policy = policyOf(lines);
  const root = { version, previous: previous === 'none' ? null : previous, notBefore, expires, keys, policy, note };
  const digest = hex(sha256(utf8(note.text)));
  return checked({ ...root, threshold: Number(threshold), digest });
}

function keysOf(lines: Lines): VerifierKey[] {
  const keys: VerifierKey[] = [];
  while (lines.peek() !== 'policy') {
    keys.push(lines.take('key', '`key <verifier key>` or `policy`', parseVerifierKey));
  }
  lines.exactly('policy');
  return keys;
}

/** Its lines are counted from the beginning of the root. */
function policyOf(lines: Lines): Policy {
  const text = lines.rest();
  if (!text.endsWith('\n')) throw wrongLine(lines.count + 1, 'the lines of a policy, each with its newline', lines.peek());
  try {
    return parsePolicy(utf8(text));
  } catch (error) {
    throw error instanceof PolicyLine ? new PolicyLine(lines.count + error.line, error.why) : error;
  }
}

function checked(root: TrustRoot): TrustRoot {
  if (root.expires <= root.notBefore) {
    throw new Malformed(`the trust root expires at ${time(root.expires)}, which is not after its beginning at ${time(root.notBefore)}`);
  }
  if (root.keys.length > MAX_KEYS) throw new Malformed(`the trust root has ${root.keys.length} policy keys, at most ${MAX_KEYS}`);
  if (root.threshold < 1 || root.threshold > root.keys.length) {
    throw new Malformed(`the threshold of the trust root is ${root.threshold}, of ${root.keys.length} policy keys; expected 1 to ${root.keys.length}`);
  }
  root.keys.forEach((key, at) => {
    const others = root.keys.slice(0, at);
    if (key.type !== NOTE_ED25519) {
      throw new Malformed(`the key ${shown(key.name)} cannot be a policy key: it is not an Ed25519 key of type 0x01; \`verifier policy key\` makes one`);
    }
    if (others.some((other) => other.name === key.name || sameKey(other, key))) {
      throw new Malformed(`the policy key ${shown(key.name)} stands twice in the trust root: one hand would count as two`);
    }
    const { logs, witnesses } = root.policy;
    if ([...logs, ...witnesses.map((witness) => witness.key)].some((other) => sameKey(other, key))) {
      throw new Malformed(`the key ${shown(key.name)} cannot be a policy key: it is the key of a log or a witness of the policy, which does not decide whom to believe`);
    }
  });
  return root;
}

/** Which of these keys have signed; a line by one of them that does not verify spoils the whole. */
export function signersOf(root: TrustRoot, keys: VerifierKey[]): VerifierKey[] {
  return keys.filter((key) => {
    const lines = root.note.signatures.filter((signature) => isBy(signature, key));
    for (const signature of lines) {
      if (verifyNoteSignature(root.note, null, signature, key) === null) throw new Malformed(doesNotVerify(signature).message);
    }
    return lines.length > 0;
  });
}

function named(keys: VerifierKey[]): string {
  return keys.length === 0 ? '' : ` (${keys.map((key) => shown(key.name)).join(', ')})`;
}

/** A root that is believed is signed by as many of its own keys as it demands. */
export function checkOwnSignatures(root: TrustRoot): void {
  const signers = signersOf(root, root.keys);
  if (signers.length >= root.threshold) return;
  throw new Malformed(
    `the trust root, version ${root.version}, is signed by ${signers.length} of its own policy keys${named(signers)}, ` +
      `${root.threshold} are needed: \`verifier policy sign\` adds a signature`,
  );
}

/** Whether `next` takes the place of `root`: as in The Update Framework, the old rules decide. */
export function checkRenewal(root: TrustRoot, next: TrustRoot): void {
  if (next.version === root.version && next.digest === root.digest) {
    throw new Malformed(`the trust root, version ${root.version}, is in force already: there is nothing to take`);
  }
  const signers = signersOf(next, root.keys);
  if (next.version < root.version) {
    throw new Malformed(`rollback: version ${next.version} of the trust root is older than version ${root.version}, which is in force: what was replaced is never taken again`);
  }
  if (next.version > root.version + 1n) {
    throw new Malformed(`version ${next.version} of the trust root comes after version ${root.version}, which is in force, by way of others: take version ${root.version + 1n} first`);
  }
  if (next.version === root.version && signers.length >= root.threshold) {
    throw new Malformed(
      `fork: two trust roots of version ${root.version} are signed by ${signers.map((key) => shown(key.name)).join(', ')}: ` +
        `${root.digest}, which is in force, and ${next.digest}; whoever holds the policy keys shows two histories, ask them by another channel`,
    );
  }
  if (next.version > root.version && next.previous !== root.digest) {
    throw new Malformed(
      `fork: version ${next.version} of the trust root follows ${next.previous}, in force is ${root.digest}: ` +
        'it renews another policy than yours; ask those who hold the policy keys by another channel',
    );
  }
  if (signers.length < root.threshold) {
    throw new Malformed(
      `version ${next.version} of the trust root is signed by ${signers.length} of the policy keys in force${named(signers)}, ` +
        `${root.threshold} are needed: it is forged, or more holders of the old keys must sign it`,
    );
  }
}
