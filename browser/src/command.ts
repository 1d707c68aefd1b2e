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
import { MAX_SIGNATURE_FILE } from './signature-file.ts';
import { standingWarning } from './standing.ts';
import { provenLines } from './words.ts';

/** A file, as the user calls it. */
export interface NamedFile {
  name: string;
  bytes: Uint8Array;
}

export interface Run {
  document: NamedFile;
  /** Null where there is none; its name is where it was looked for. */
  proof: NamedFile | { name: string; bytes: null };
  policy: NamedFile;
  signature?: NamedFile | undefined;
  signer?: { text: string; given: string } | undefined;
  keyEvents?: NamedFile | undefined;
  requireLogs?: number | undefined;
  strictValidity?: boolean | undefined;
  rehearsal?: boolean | undefined;
  /** POSIX seconds by this machine's clock; it warns, and decides nothing. */
  now: bigint;
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

/** Policy and key events are read once for many documents. */
export interface Believed {
  history: History;
  keyEvents: KeyEvents | undefined;
  talk: string[];
}

export function readBelieved(policy: NamedFile, keyEvents: NamedFile | undefined, now: bigint): Believed {
  const history = readPolicy(policy);
  const practised = rehearsalName(history);
  const warning = standingWarning(inForce(history), now);
  const talk = [
    ...(practised === null ? [] : [`REHEARSAL: ${shown(practised)}: nothing real takes what is made here`]),
    ...(warning === null ? [] : [`verifier: ${shown(policy.name)}: warning: ${warning}`]),
  ];
  const events = keyEvents && reading(keyEvents, MAX_KEY_EVENTS, (bytes) => parseKeyEvents(bytes, history));
  return { history, keyEvents: events, talk };
}

export function runCheck(run: Run): Verdict {
  const talk: string[] = [];
  let reached: Step | null = null;
  try {
    const signer = run.signer && parseSigner(run.signer.text, run.signer.given);
    const believed = readBelieved(run.policy, run.keyEvents, run.now);
    talk.push(...believed.talk);
    const proven = checkOne(run, believed, signer, (step) => (reached = step));
    talk.push(...validityWarnings(run.document.name, proven));
    const result = provenLines(run.document.name, proven);
    return { code: 0, result, talk, reason: null, proven, reached };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const reason = shown(error.message);
    talk.push(`verifier: ${reason}`);
    return { code: error.code, result: [], talk, reason, proven: null, reached };
  }
}

function checkOne(run: Run, believed: Believed, signer: Uint8Array | undefined, at: (step: Step) => void): Proven {
  const { document, proof, signature } = run;
  return check(
    {
      document: document.bytes,
      proof: () => {
        if (proof.bytes === null) throw noProof(document.name, proof.name);
        return reading(proof, MAX_PROOF_FILE, (bytes) => bytes);
      },
      proofName: shown(proof.name),
      signature: signature && reading(signature, MAX_SIGNATURE_FILE, (bytes) => bytes),
      signatureName: signature && shown(signature.name),
      history: believed.history,
      keyEvents: believed.keyEvents,
      signer,
      requireLogs: run.requireLogs,
      strictValidity: run.strictValidity,
      rehearsal: run.rehearsal,
    },
    at,
  );
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
