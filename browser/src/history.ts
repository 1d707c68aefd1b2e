// What may be given as a policy: a policy, a trust root, or a history of them. Which one judges a head.

import { textOf, utf8 } from './bytes.ts';
import { plainNumber, type Checkpoint } from './checkpoint.ts';
import { Malformed } from './errors.ts';
import { MAX_POLICY, PolicyLine, PolicyWhole, linesOf, parsePolicy, type Line, type Policy } from './policy.ts';
import { checkAllOneKind } from './rehearsal.ts';
import { isKeyName } from './vkey.ts';
import { checkOwnSignatures, checkRenewal, isRoot, parseRoot, type TrustRoot } from './root.ts';

const HEADER = utf8('coldlog-policies/1\n');

export interface Until {
  origin: string;
  size: bigint;
}

export interface Term {
  policy: Policy;
  root: TrustRoot | null;
  /** For heads up to these sizes; empty for the policy in force. */
  untils: Until[];
}

/** One or more policies; the last is in force. */
export interface History {
  terms: Term[];
}

/** Of all that went before `now`, the term by which a head is judged, and up to which size it is. */
export interface Judge {
  term: Term;
  until: bigint | null;
}

export function judgeOf(history: History, head: Checkpoint): Judge {
  for (const term of history.terms) {
    const until = term.untils.find((candidate) => candidate.origin === head.origin);
    if (until !== undefined && head.size <= until.size) return { term, until: until.size };
  }
  return { term: history.terms.at(-1)!, until: null };
}

export function inForce(history: History): Term {
  return history.terms.at(-1)!;
}

export function parseHistory(bytes: Uint8Array): History {
  if (bytes.length > MAX_POLICY) {
    throw new Malformed(`the policy is too large: ${bytes.length} bytes, at most ${MAX_POLICY}`);
  }
  try {
    const isHistory = HEADER.every((octet, at) => bytes[at] === octet);
    const terms = isHistory ? parseTerms(bytes) : [parseTerm(bytes, 0, [])];
    const history = { terms };
    checkAllOneKind(history);
    return history;
  } catch (error) {
    // What is wrong with a line says so by itself; what is wrong with the whole is said of the policy.
    if (error instanceof PolicyLine || error instanceof PolicyWhole || !(error instanceof Malformed)) throw error;
    throw new PolicyWhole(error.message);
  }
}

/** `before`: how many lines stand before the policy, for the line numbers in errors. */
function parseTerm(bytes: Uint8Array, before: number, untils: Until[]): Term {
  try {
    if (!isRoot(bytes)) return { policy: parsePolicy(bytes), root: null, untils };
    const root = parseRoot(bytes);
    checkOwnSignatures(root);
    return { policy: root.policy, root, untils };
  } catch (error) {
    if (before > 0 && error instanceof PolicyLine) throw new PolicyLine(before + error.line, error.why);
    if (before > 0 && error instanceof PolicyWhole) throw new PolicyLine(before, error.why);
    if (before > 0 && error instanceof Malformed) throw new PolicyLine(before, error.message);
    throw error;
  }
}

const MARKER = /^(until|now)( |$)/;

function parseTerms(bytes: Uint8Array): Term[] {
  const terms: Term[] = [];
  const newest = new Map<string, bigint>();
  let untils: Until[] = [];
  let body: Line[] = [];
  let isLast = false;
  const finish = (end: number): void => {
    const start = body[0]!.bytes.byteOffset - bytes.byteOffset;
    terms.push(parseTerm(bytes.subarray(start, end), body[0]!.number - 1, untils));
    untils = [];
    body = [];
  };
  const lines = linesOf(bytes).slice(1);
  for (const line of lines) {
    const start = line.bytes.byteOffset - bytes.byteOffset;
    const text = textOf(line.bytes);
    if (text === null || !MARKER.test(text)) {
      if (untils.length === 0 && !isLast) throw new PolicyLine(line.number, 'expected `until <origin> <size>` or `now` before a policy');
      body.push(line);
      continue;
    }
    const until = text === 'now' ? null : untilOf(line.number, text);
    if (isLast) throw new PolicyLine(line.number, 'nothing comes after the policy that is in force `now`');
    if (body.length > 0) finish(start);
    if (until === null) {
      if (untils.length > 0) throw new PolicyLine(line.number, 'expected a policy before `now`');
      isLast = true;
    } else {
      if (untils.some((other) => other.origin === until.origin)) {
        throw new PolicyLine(line.number, 'a second `until` of one log before one policy: keep the one that is meant');
      }
      if ((newest.get(until.origin) ?? 0n) > until.size) {
        throw new PolicyLine(line.number, 'no `until` of a log is smaller than those before it');
      }
      newest.set(until.origin, until.size);
      untils.push(until);
    }
  }
  if (!isLast) throw new PolicyWhole('the history has no policy that is in force `now`');
  if (body.length > 0) finish(bytes.length);
  else terms.push(parseTerm(new Uint8Array(), lines.at(-1)!.number, []));
  checkNames(terms);
  checkRenewals(terms);
  return terms;
}

function untilOf(number: number, text: string): Until {
  const [word, origin, size, ...more] = text.split(' ');
  if (word !== 'until' || origin === undefined || size === undefined || more.length > 0) {
    throw new PolicyLine(number, 'expected `until <origin> <size>` or `now`');
  }
  const value = plainNumber(size);
  if (value === null || !isKeyName(origin)) throw new PolicyLine(number, 'expected `until <origin> <size>`, each number as plain digits');
  return { origin, size: value };
}

function checkNames(terms: Term[]): void {
  const origins = new Set(terms.flatMap((term) => term.policy.logs.map((key) => key.name)));
  if (terms.some((term) => term.untils.some((until) => !origins.has(until.origin)))) {
    throw new PolicyWhole('an `until` names a log that no policy names');
  }
}

function checkRenewals(terms: Term[]): void {
  terms.slice(1).forEach((next, at) => {
    const root = terms[at]!.root;
    if (root === null) return;
    if (next.root === null) {
      throw new PolicyWhole(
        'the policy in force is a trust root, and a policy without one does not take its place: `verifier policy renew` drafts its renewal',
      );
    }
    checkRenewal(root, next.root);
  });
}
