// What a signed head is worth under a policy: signed by its log, cosigned by a quorum, at which times.

import { hex } from './bytes.ts';
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { Malformed, Refused } from './errors.ts';
import { judgeOf, type History, type Judge } from './history.ts';
import { doesNotVerify, isBy, signerOf, verifyNoteSignature } from './note.ts';
import { parties, quorumTimes, type Policy, type Witness } from './policy.ts';
import { quoted, shown, time } from './show.ts';
import type { VerifierKey } from './vkey.ts';

export interface Voucher {
  witness: Witness;
  time: bigint;
}

export interface CosignedHead {
  checkpoint: Checkpoint;
  judge: Judge;
  vouchers: Voucher[];
  /** Null where the policy asks no witness: nobody says when. */
  times: { earliest: bigint; latest: bigint } | null;
  /** Parties whose keys cosigned, of all that the policy names. */
  by: number;
  of: number;
}

/** A checkpoint within a proof: what is wrong with it makes the answer "no". */
export function headIn(bytes: Uint8Array): Checkpoint {
  try {
    return parseCheckpoint(bytes);
  } catch (error) {
    throw error instanceof Malformed ? new Refused(error.message) : error;
  }
}

export function logKeys(policy: Policy, origin: string): VerifierKey[] {
  return policy.logs.filter((key) => key.name === origin);
}

export function knowsLog(history: History, head: Checkpoint): boolean {
  return logKeys(judgeOf(history, head).term.policy, head.origin).length > 0;
}

export function unknownLog(policy: Policy, origin: string): Refused {
  const names = policy.logs.map((key) => shown(key.name)).join(', ');
  return new Refused(`the policy names no log ${quoted(origin)}; it names ${names === '' ? 'none' : names}`);
}

export function verifyHead(history: History, checkpoint: Checkpoint): CosignedHead {
  const judge = judgeOf(history, checkpoint);
  const { policy } = judge.term;
  const keys = logKeys(policy, checkpoint.origin);
  if (keys.length === 0) throw unknownLog(policy, checkpoint.origin);
  if (verifyLines(checkpoint, keys).size === 0) {
    const found = checkpoint.note.signatures.map(signerOf).join(', ');
    throw new Refused(`no signature by a key that the policy names; found ${found}`);
  }
  const cosigned = verifyLines(checkpoint, policy.witnesses.map((witness) => witness.key));
  const vouchers = policy.witnesses.flatMap((witness) => {
    const at = cosigned.get(witness.key);
    return at === undefined ? [] : [{ witness, time: at }];
  });
  const times = quorumTimes(policy, new Map(vouchers.map((voucher) => [voucher.witness.name, voucher.time])));
  if (times === null) throw notMet(policy, checkpoint, vouchers);
  return {
    checkpoint,
    judge,
    vouchers,
    times: times === 'none' ? null : times,
    by: parties(vouchers.map((voucher) => voucher.witness)),
    of: parties(policy.witnesses),
  };
}

/** The time of the first line by each key. Every line by one of them must verify, or the whole note is bad. */
function verifyLines(checkpoint: Checkpoint, keys: VerifierKey[]): Map<VerifierKey, bigint> {
  const times = new Map<VerifierKey, bigint>();
  for (const signature of checkpoint.note.signatures) {
    for (const key of keys.filter((candidate) => isBy(signature, candidate))) {
      const at = verifyNoteSignature(checkpoint.note, checkpoint, signature, key);
      if (at === null) throw doesNotVerify(signature);
      if (!times.has(key)) times.set(key, at);
    }
  }
  return times;
}

function notMet(policy: Policy, checkpoint: Checkpoint, vouchers: Voucher[]): Refused {
  const who = vouchers.map((voucher) => shown(voucher.witness.name)).join(', ');
  return new Refused(
    `the quorum ${quoted(policy.quorum ?? '')} is not met: ${who === '' ? 'nobody' : who} cosigned the head of size ` +
      `${checkpoint.size}; ask more witnesses to cosign it`,
  );
}

/** Whether the head was cosigned within the time for which its policy is meant. */
export type Validity =
  | { standing: 'within'; notBefore: bigint; expires: bigint }
  | { standing: 'early' | 'late' | 'unknown'; why: string };

/** Null where the policy has no trust root around it, and so no time. */
export function validityOf(head: CosignedHead): Validity | null {
  const { root } = head.judge.term;
  if (root === null) return null;
  const { notBefore, expires } = root;
  if (head.times === null) return { standing: 'unknown', why: 'its policy demands no witness, so nobody says when' };
  const at = head.times.earliest;
  if (at < notBefore) {
    return {
      standing: 'early',
      why: `a quorum had cosigned at ${time(at)} already, the policy is for ${time(notBefore)} and later`,
    };
  }
  if (at >= expires) {
    return { standing: 'late', why: `no quorum had cosigned before ${time(at)}, the policy expired at ${time(expires)}` };
  }
  return { standing: 'within', notBefore, expires };
}

export function rootHex(head: CosignedHead): string {
  return hex(head.checkpoint.root);
}
