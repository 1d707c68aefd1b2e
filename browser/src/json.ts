// The report as one JSON object, as with `verifier check --json`.

import { hex } from './bytes.ts';
import { stepsOf, type Logged, type Proven } from './check.ts';
import type { Run, Verdict } from './command.ts';
import { validityOf } from './head.ts';
import { inForce, parseHistory } from './history.ts';
import type { ProvenKey } from './key-events.ts';
import { jsonSafe, time } from './show.ts';
import { standingOf } from './standing.ts';

/** JSON has no bigint; sizes and numbers are written as numbers, however large. */
function stringify(value: unknown): string {
  const marked = JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? `\u0000${one}\u0000` : one));
  return jsonSafe(marked.replace(/"\\u0000(-?[0-9]+)\\u0000"/g, '$1'));
}

const RESULTS = ['yes', 'no', 'trouble'] as const;

export function jsonReport(run: Run, verdict: Verdict): string {
  const result = RESULTS[verdict.code];
  const steps = stepsOf(run);
  const reached = verdict.reached === null ? -1 : steps.indexOf(verdict.reached);
  const checks = steps.map((check, at) => ({
    check,
    result: verdict.code === 0 || at < reached ? 'yes' : at === reached ? result : 'not reached',
  }));
  const document = {
    file: run.document.name,
    result,
    ...(verdict.reason === null ? {} : { reason: verdict.reason }),
    checks,
    ...(verdict.proven === null ? {} : facts(verdict.proven)),
  };
  const policy = policyFacts(run);
  return stringify({ version: 1, result, documents: [document], ...(policy === null ? {} : { policy }) });
}

function facts(proven: Proven): object {
  const { record } = proven;
  const { name, version, size, sha256 } = record.document;
  return {
    rehearsal: proven.isRehearsal,
    document: { name, version, size, sha256: hex(sha256) },
    signer: proven.issuer,
    key: hex(record.signature.key),
    journal: proven.subject,
    sequence: proven.sequence,
    operator: record.operator,
    purpose: record.purpose,
    logs: proven.logs.map(logFacts),
    approved_by: record.approvals.map((approval) => ({ key: hex(approval.key), seen: approval.seen })),
    not_before: proven.notBefore === null ? null : time(proven.notBefore),
    not_after: proven.notAfter === null ? null : time(proven.notAfter),
    claimed_time: time(record.time),
    made_under_this_policy: proven.madeUnderThisPolicy,
    key_in_force: proven.key === null ? null : keyFacts(proven.key),
  };
}

function keyFacts({ keys, log, size, revoked }: ProvenKey): object {
  return { keys, log, size, revoked };
}

function logFacts({ index, head }: Logged): object {
  const { checkpoint, judge } = head;
  const { policy, root } = judge.term;
  const group = policy.quorum === null ? undefined : policy.groups.get(policy.quorum);
  const validity = validityOf(head);
  return {
    origin: checkpoint.origin,
    index,
    size: checkpoint.size,
    root: hex(checkpoint.root),
    witnessed: {
      by: head.by,
      of: head.of,
      quorum:
        policy.quorum === null
          ? null
          : { name: policy.quorum, needed: group?.threshold ?? 1, members: group?.members.length ?? 1 },
      policy: hex(policy.digest),
      until: judge.until,
      validity:
        root === null || validity === null
          ? null
          : { not_before: time(root.notBefore), expires: time(root.expires), cosigned: validity.standing },
    },
    witnesses: head.vouchers.map((voucher) => ({ name: voucher.witness.name, time: time(voucher.time) })),
  };
}

function policyFacts(run: Run): object | null {
  const term = inForce(parseHistory(run.policy.bytes));
  if (term.root === null) return null;
  const { notBefore, expires } = term.root;
  return { not_before: time(notBefore), expires: time(expires), standing: standingOf(term, run.now) };
}
