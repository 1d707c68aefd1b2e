// The verdict in words: the same lines as the command prints.

import { hex } from './bytes.ts';
import type { Proven } from './check.ts';
import type { Verdict } from './command.ts';
import { validityOf, type CosignedHead } from './head.ts';
import { quoted, shown, time } from './show.ts';

export function maybeTime(seconds: bigint | null): string {
  return seconds === null ? 'not known' : time(seconds);
}

/** What is proven, one fact a line; `file` is how the document is called. */
export function provenLines(file: string, proven: Proven): string[] {
  const { record, logs } = proven;
  const { document, signature } = record;
  const line = (label: string, text: string): string => `  ${label.padEnd(10)} ${text}`;
  return [
    `${proven.isRehearsal ? 'REHEARSAL ' : ''}proven: ${shown(file)}`,
    line('document', `${shown(document.name)} ${shown(document.version)} (${document.size} bytes, SHA-256 ${hex(document.sha256)})`),
    line('signed by', `${shown(proven.issuer)} (ed25519:${hex(signature.key)})`),
    ...(proven.key === null ? [] : [line('its key', proven.key.words)]),
    line(
      'record',
      `number ${proven.sequence} of the journal ${shown(proven.subject)}, operator ${shown(record.operator)}, ` +
        `purpose ${quoted(record.purpose)}`,
    ),
    ...record.approvals.map((approval) =>
      line(
        'approved',
        `by ed25519:${hex(approval.key)}${approval.seen ? '' : ', by its digest only'}; whether that is enough, the genesis says`,
      ),
    ),
    ...logs.flatMap(({ index, head }) => [
      line('logged in', `${shown(head.checkpoint.origin)} at index ${index}, head of size ${head.checkpoint.size}`),
      ...headLines(head, line),
    ]),
    line('not before', maybeTime(proven.notBefore)),
    line('not after', maybeTime(proven.notAfter)),
    line('claimed', `${time(record.time)} by the signer's own clock`),
    proven.madeUnderThisPolicy ? '  made under this policy' : '  made under another policy; verified under this one',
  ];
}

const REFUSALS = { 1: 'REFUSED', 2: 'TROUBLE' } as const;

/** The verdict on one of several documents, in one line. */
export function documentLine(file: string, { code, proven, reason }: Pick<Verdict, 'code' | 'proven' | 'reason'>): string {
  if (code === 0) return proven === null ? '' : provenLine(file, proven);
  return `${REFUSALS[code]}  ${shown(file)}: ${reason}`;
}

function provenLine(file: string, { logs, notAfter, isRehearsal }: Proven): string {
  const places = logs.map(({ index, head }) => `${head.checkpoint.origin} #${index}`).join(', ');
  return `${isRehearsal ? 'REHEARSAL ' : ''}proven   ${shown(file)}: ${shown(places)}, not after ${maybeTime(notAfter)}`;
}

/** What is said in the end of several documents. */
export function totalLine(codes: (0 | 1 | 2)[], isRehearsal: boolean): string {
  const count = (code: 0 | 1 | 2): number => codes.filter((one) => one === code).length;
  if (count(0) === codes.length) return `${isRehearsal ? 'REHEARSAL ' : ''}all ${codes.length} documents are proven`;
  return `of ${codes.length} documents ${count(0)} are proven, ${count(1)} are not, ${count(2)} could not be checked`;
}

function headLines(head: CosignedHead, line: (label: string, text: string) => string): string[] {
  const { policy } = head.judge.term;
  const { until } = head.judge;
  const validity = validityOf(head);
  const which = until === null ? 'the policy in force' : `the policy for heads up to size ${until}`;
  return [
    ...head.vouchers.map((voucher) => line('vouched', `${shown(voucher.witness.name)} at ${time(voucher.time)}`)),
    line('witnessed', `by ${head.by} of ${head.of}, ${quorumWords(head)}, under ${which} (${hex(policy.digest)})`),
    ...(validity === null ? [] : [line('validity', validityWords(validity))]),
  ];
}

function quorumWords(head: CosignedHead): string {
  const { quorum, groups } = head.judge.term.policy;
  if (quorum === null) return 'quorum none';
  const group = groups.get(quorum);
  return `quorum ${shown(quorum)} (${group?.threshold ?? 1} of ${group?.members.length ?? 1})`;
}

function validityWords(validity: NonNullable<ReturnType<typeof validityOf>>): string {
  if (validity.standing !== 'within') return `NOT shown within the policy's time: ${validity.why}`;
  return `cosigned within the policy's time, ${time(validity.notBefore)} to ${time(validity.expires)}`;
}
