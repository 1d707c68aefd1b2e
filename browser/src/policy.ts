// A policy (C2SP tlog-policy): which logs and witnesses to believe, and how many of them must agree.

import { sha256, textOf } from './bytes.ts';
import { Malformed } from './errors.ts';
import { shown } from './show.ts';
import { NOTE_ED25519, parseVerifierKey, sameKey, type VerifierKey } from './vkey.ts';

export const MAX_POLICY = 1_048_576;

export interface Witness {
  name: string;
  key: VerifierKey;
}

export interface Group {
  name: string;
  threshold: number;
  members: string[];
}

export interface Policy {
  logs: VerifierKey[];
  witnesses: Witness[];
  groups: Map<string, Group>;
  /** The name of a witness or a group; null is `quorum none`. */
  quorum: string | null;
  /** SHA-256 of the file: what proofs name. */
  digest: Uint8Array;
}

/** A line of the policy that is not understood. Where the policy stands in another text, that one says where. */
export class PolicyLine extends Malformed {
  constructor(
    readonly line: number,
    readonly why: string,
  ) {
    super(`policy line ${line}: ${why}`);
  }
}

/** The whole of the policy, and none of its lines. */
export class PolicyWhole extends Malformed {
  constructor(readonly why: string) {
    super(`the policy: ${why}`);
  }
}

/**
 * Octets as text. What is not UTF-8 is written ` (0xE9)`: no word has a space, so two names are the same text only if
 * all of their octets are the same.
 */
export function opaqueText(bytes: Uint8Array): string {
  const whole = textOf(bytes);
  if (whole !== null) return whole;
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = utf8Length(bytes, at);
    if (length > 0) text += textOf(bytes.subarray(at, at + length));
    else text += ` (0x${bytes[at]!.toString(16).toUpperCase().padStart(2, '0')})`;
    at += Math.max(length, 1);
  }
  return text;
}

/** How many bytes the character at this place has; 0 where none is. */
function utf8Length(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length += 1) {
    if (textOf(bytes.subarray(at, at + length)) !== null) return length;
  }
  return 0;
}

export interface Line {
  number: number;
  bytes: Uint8Array;
}

/** Lines, without their newlines; what follows the last newline is a line unless it is empty. */
export function linesOf(bytes: Uint8Array): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    lines.push({ number: lines.length + 1, bytes: bytes.subarray(start, end) });
    start = end + 1;
  }
  return lines;
}

/** Words between spaces and tabs. Split as octets: an octet that is not UTF-8 is shown with a space, and holds none. */
function wordsOf(bytes: Uint8Array): string[] {
  const words: string[] = [];
  let start = 0;
  for (let at = 0; at <= bytes.length; at += 1) {
    if (at < bytes.length && bytes[at] !== 0x20 && bytes[at] !== 0x09) continue;
    if (at > start) words.push(opaqueText(bytes.subarray(start, at)));
    start = at + 1;
  }
  return words;
}

export function parsePolicy(bytes: Uint8Array): Policy {
  const builder = new Builder();
  for (const line of linesOf(bytes)) {
    try {
      builder.line(line.bytes);
    } catch (error) {
      throw error instanceof Malformed ? new PolicyLine(line.number, error.message) : error;
    }
  }
  return builder.policy(sha256(bytes));
}

const UTF8 = new TextEncoder();

class Builder {
  private readonly logs: VerifierKey[] = [];
  private readonly witnesses: Witness[] = [];
  private readonly groups = new Map<string, Group>();
  private readonly names = new Set<string>(['none']);
  private readonly taken = new Set<string>();
  private quorum: string | null | undefined;

  line(bytes: Uint8Array): void {
    if (bytes.some((octet) => (octet < 0x20 && octet !== 0x09) || octet === 0x7f)) {
      throw new Malformed('it holds a control character');
    }
    const words = wordsOf(bytes);
    const [word, ...rest] = words;
    if (word === undefined || word.startsWith('#')) return;
    if (word === 'log' && (rest.length === 1 || rest.length === 2)) return this.log(rest[0]!);
    if (word === 'witness' && (rest.length === 2 || rest.length === 3)) return this.witness(rest[0]!, rest[1]!);
    if (word === 'group' && rest.length >= 2) return this.group(rest[0]!, rest[1]!, rest.slice(2));
    if (word === 'quorum' && rest.length === 1) return this.setQuorum(rest[0]!);
    // Not the word itself: a file of secrets, given by mistake, is not printed.
    throw new Malformed(
      `expected log, witness, group or quorum, each with its words, found another word of ${UTF8.encode(word).length} bytes`,
    );
  }

  policy(digest: Uint8Array): Policy {
    if (this.quorum === undefined) throw new PolicyWhole('no quorum line; write `quorum <group>` or `quorum none`');
    const { logs, witnesses, groups, quorum } = this;
    return { logs, witnesses, groups, quorum, digest };
  }

  private log(text: string): void {
    const key = parseVerifierKey(text);
    if (this.logs.some((other) => sameKey(other, key))) {
      throw new Malformed(`the log key of ${shown(key.name)} stands twice`);
    }
    this.logs.push(key);
  }

  private witness(name: string, text: string): void {
    const key = parseVerifierKey(text);
    if (key.type === NOTE_ED25519) throw new Malformed(`the key of ${shown(name)} does not cosign: it has no time`);
    if (this.witnesses.some((other) => sameKey(other.key, key))) {
      throw new Malformed(`the key of ${shown(name)} stands twice`);
    }
    this.define(name);
    this.witnesses.push({ name, key });
  }

  private group(name: string, threshold: string, members: string[]): void {
    for (const member of members) {
      this.known(member);
      if (this.taken.has(member)) throw new Malformed(`${shown(member)} is a member of a group already`);
      this.taken.add(member);
    }
    const needed = threshold === 'any' ? 1 : threshold === 'all' ? members.length : decimal(threshold);
    if (needed === null || needed < 1 || needed > members.length) {
      throw new Malformed(`the threshold must be any, all or 1 to ${members.length}`);
    }
    this.define(name);
    this.groups.set(name, { name, threshold: needed, members });
  }

  private setQuorum(name: string): void {
    if (this.quorum !== undefined) throw new Malformed('a second quorum; exactly one is allowed');
    if (name !== 'none') this.known(name);
    this.quorum = name === 'none' ? null : name;
  }

  private define(name: string): void {
    if (this.names.has(name)) throw new Malformed(`the name ${shown(name)} is reserved or taken`);
    this.names.add(name);
  }

  private known(name: string): void {
    if (name === 'none' || !this.names.has(name)) throw new Malformed(`${shown(name)} is not defined above`);
  }
}

function decimal(text: string): number | null {
  return /^[0-9]+$/.test(text) ? Number(text) : null;
}

/** Times by witness name, and which instants a quorum of them gives. */
export interface QuorumTimes {
  /** The earliest time by which a quorum had cosigned. */
  earliest: bigint;
  /** The latest time that a quorum reached. */
  latest: bigint;
}

/** `none`: nobody is asked, and nobody says when. `null`: not met. */
export function quorumTimes(policy: Policy, times: Map<string, bigint>): QuorumTimes | 'none' | null {
  if (policy.quorum === null) return 'none';
  const earliest = reached(policy, policy.quorum, times, (a, b) => (a < b ? -1 : 1));
  const latest = reached(policy, policy.quorum, times, (a, b) => (a > b ? -1 : 1));
  return earliest === null || latest === null ? null : { earliest, latest };
}

/** When the member is met, in the order in which its own members are: the time of the one that completes it. */
function reached(
  policy: Policy,
  name: string,
  times: Map<string, bigint>,
  order: (a: bigint, b: bigint) => number,
): bigint | null {
  // Without recursion: groups may be nested as deep as a policy is long. Members stand above their group.
  const met = new Map<string, bigint>(times);
  for (const group of policy.groups.values()) {
    const sorted = group.members.flatMap((member) => met.get(member) ?? []).sort(order);
    const time = sorted[group.threshold - 1];
    if (time !== undefined) met.set(group.name, time);
  }
  return met.get(name) ?? null;
}

/** A party is all witness lines whose keys have one name. */
export function parties(witnesses: Witness[]): number {
  return new Set(witnesses.map((witness) => witness.key.name)).size;
}
