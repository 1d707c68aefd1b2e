// One run of the check, as the command `verifier check` does it: what it prints, and its exit code.

import { check, parseSigner, type Proven, type Step } from './check.ts';
import { Failure, Malformed } from './errors.ts';
import { validityOf } from './head.ts';
import { inForce, parseHistory, type History } from './history.ts';
import { MAX_KEY_EVENTS, parseKeyEvents, type KeyEvents } from './key-events.ts';
import { MAX_POLICY } from './policy.ts';
import { MAX_PROOF_FILE } from './proof.ts';
import { rehearsalName } from './rehearsal.ts';
import { shown } from './show.ts';
import { MAX_SIGNATURE_FILE, type Scheme } from './signature-file.ts';
import { standingWarning } from './standing.ts';
import { provenLines } from './words.ts';

/** A file, as the user calls it. */
export interface NamedFile {
  name: string;
  bytes: Uint8Array;
}

/** What is asked of every document. */
export interface Demands {
  policy: NamedFile;
  signer?: { text: string; given: string } | undefined;
  keyEvents?: NamedFile | undefined;
  requireLogs?: number | undefined;
  strictValidity?: boolean | undefined;
  rehearsal?: boolean | undefined;
  /** POSIX seconds by this machine's clock; it warns, and decides nothing. */
  now: bigint;
}

/** One document, and what is at hand of it. */
export interface Run extends Demands {
  document: NamedFile;
  /** Null where there is none; its name is where it was looked for. */
  proof: NamedFile | { name: string; bytes: null };
  /** One that must be of this document. */
  signature?: NamedFile | undefined;
  /** What lies beside the document, as `--recursive` finds it: the one of the record's format is checked as well. */
  beside?: { [scheme in Scheme]?: NamedFile | undefined } | undefined;
}

export interface Verdict {
  /** 0 yes, 1 no, 2 no answer: the command's exit codes. */
  code: 0 | 1 | 2;
  /** What the command prints as its result. */
  result: string[];
  /** What it says beside. */
  talk: string[];
  /** The reason where the code is not 0, without the program's name. */
  reason: string | null;
  proven: Proven | null;
  /** The last question that was asked; null where policy or arguments already were wrong. */
  reached: Step | null;
}

/** Names the file in what is wrong with it. */
function reading<T>(file: NamedFile, limit: number, read: (bytes: Uint8Array) => T): T {
  if (file.bytes.length > limit) {
    throw new Malformed(`${shown(file.name)} is larger than ${limit} bytes: it is not the file that was asked for`);
  }
  try {
    return read(file.bytes);
  } catch (error) {
    throw error instanceof Malformed ? new Malformed(`${shown(file.name)}: ${error.message}`) : error;
  }
}

export function readPolicy(file: NamedFile): History {
  return reading(file, MAX_POLICY, parseHistory);
}

/** What is read once, however many documents there are. */
export interface Believed {
  history: History;
  signer: Uint8Array | undefined;
  keyEvents: KeyEvents | undefined;
}

/** Reads it; what is to be said beside is added to `talk`, also where it then fails. */
export function readBelieved({ policy, signer, keyEvents, now }: Demands, talk: string[]): Believed {
  const history = readPolicy(policy);
  const practised = rehearsalName(history);
  if (practised !== null) talk.push(`REHEARSAL: ${shown(practised)}: nothing real takes what is made here`);
  const warning = standingWarning(inForce(history), now);
  if (warning !== null) talk.push(`verifier: ${shown(policy.name)}: warning: ${warning}`);
  return {
    history,
    signer: signer && parseSigner(signer.text, signer.given),
    keyEvents: keyEvents && reading(keyEvents, MAX_KEY_EVENTS, parseKeyEvents),
  };
}

export function runCheck(run: Run): Verdict {
  return verdictOf((talk, at) => {
    const proven = checkOne(run, readBelieved(run, talk), at);
    return provenVerdict(run, proven, talk);
  });
}

/** One of several documents, under what was read before. */
export function runOneOf(believed: Believed, run: Run): Verdict {
  return verdictOf((talk, at) => provenVerdict(run, checkOne(run, believed, at), talk));
}

/** What was read, and what is said beside; or the verdict that ends it for all documents. */
export function runBefore(demands: Demands): { believed: Believed; talk: string[] } | Verdict {
  const talk: string[] = [];
  try {
    return { believed: readBelieved(demands, talk), talk };
  } catch (error) {
    return failed(error, talk, null);
  }
}

function verdictOf(judge: (talk: string[], at: (step: Step) => void) => Verdict): Verdict {
  const talk: string[] = [];
  let reached: Step | null = null;
  try {
    return { ...judge(talk, (step) => (reached = step)), reached };
  } catch (error) {
    return failed(error, talk, reached);
  }
}

function provenVerdict(run: Run, proven: Proven, talk: string[]): Verdict {
  talk.push(...validityWarnings(run.document.name, proven));
  return { code: 0, result: provenLines(run.document.name, proven), talk, reason: null, proven, reached: null };
}

function failed(error: unknown, talk: string[], reached: Step | null): Verdict {
  if (!(error instanceof Failure)) throw error;
  const reason = shown(error.message);
  return { code: error.code, result: [], talk: [...talk, `verifier: ${reason}`], reason, proven: null, reached };
}

function checkOne(run: Run, believed: Believed, at: (step: Step) => void): Proven {
  const { document, proof, signature, beside } = run;
  return check(
    {
      ...believed,
      document: document.bytes,
      proof: () => {
        if (proof.bytes === null) throw noProof(document.name, proof.name);
        return reading(proof, MAX_PROOF_FILE, (bytes) => bytes);
      },
      proofName: shown(proof.name),
      signature: (scheme) => {
        const file = signature ?? beside?.[scheme];
        return file && { name: shown(file.name), bytes: reading(file, MAX_SIGNATURE_FILE, (bytes) => bytes) };
      },
      requireLogs: run.requireLogs,
      strictValidity: run.strictValidity,
      rehearsal: run.rehearsal,
    },
    at,
  );
}

/** A document, or what belongs to it, that could not be read. */
export function notRead(reason: string): Verdict {
  return failed(new Malformed(reason), [], null);
}

function noProof(document: string, proof: string): Failure {
  return new Failure(
    1,
    `${shown(document)} has no proof at ${shown(proof)}: a signature that is not proven to be logged is not accepted`,
  );
}

function validityWarnings(document: string, proven: Proven): string[] {
  return proven.logs.flatMap(({ head }) => {
    const validity = validityOf(head);
    if (validity === null || validity.standing === 'within') return [];
    return [`verifier: ${shown(document)}: warning: the head of ${shown(head.checkpoint.origin)}: ${validity.why}`];
  });
}
