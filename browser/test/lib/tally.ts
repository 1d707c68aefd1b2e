// How many questions of each kind there were, what the answers were, and how far the files came: a run in which nearly all
// is refused at the first byte is worth little.

import type { Step } from '../../src/check.ts';
import type { Verdict } from '../../src/command.ts';

const RESULTS = ['yes', 'no', 'trouble'] as const;

interface Counts {
  compared: number;
  yes: number;
  no: number;
  trouble: number;
  /** All files were read: what was refused, if anything, is what they say. */
  decoded: number;
}

const none = (): Counts => ({ compared: 0, yes: 0, no: 0, trouble: 0, decoded: 0 });

/** A refusal before a proof was looked at says nothing of it. */
const FIRST: Step = 'real, or of a rehearsal, as asked for';
const UNREAD = 'policy or key events';

export class Tally {
  otherAnswer = 0;
  otherWords = 0;
  readonly kinds: Record<string, Counts> = {};
  /** Where those that were not proven ended. */
  readonly ends: Record<string, number> = {};
  /** How often each reason was given, its values left out. */
  readonly reasons: Record<string, number> = {};

  count(kind: string, { code, reached, reason }: Verdict): void {
    const counts = (this.kinds[kind] ??= none());
    counts.compared += 1;
    counts[RESULTS[code]] += 1;
    if (code !== 2 && reached !== FIRST) counts.decoded += 1;
    if (code === 0) return;
    add(this.ends, reached ?? UNREAD, 1);
    add(this.reasons, withoutValues(reason ?? ''), 1);
  }

  /** Takes in what another one counted. */
  join(other: Pick<Tally, 'otherAnswer' | 'otherWords' | 'kinds' | 'ends' | 'reasons'>): void {
    this.otherAnswer += other.otherAnswer;
    this.otherWords += other.otherWords;
    for (const [kind, counts] of Object.entries(other.kinds)) addCounts((this.kinds[kind] ??= none()), counts);
    for (const [step, count] of Object.entries(other.ends)) add(this.ends, step, count);
    for (const [reason, count] of Object.entries(other.reasons)) add(this.reasons, reason, count);
  }

  /** The reasons, the most frequent first. */
  reasonLines(): string[] {
    return counted(this.reasons);
  }

  lines(): string[] {
    const total = none();
    Object.values(this.kinds).forEach((counts) => addCounts(total, counts));
    const rows = Object.entries(this.kinds).sort(([a], [b]) => (a < b ? -1 : 1));
    return [
      row('kind', 'files', 'yes', 'no', 'trouble', 'all decoded'),
      ...rows.map(([kind, counts]) => rowOf(kind, counts)),
      rowOf('together', total),
      `refused or in trouble, for ${Object.keys(this.reasons).length} reasons, at:`,
      ...counted(this.ends),
      JSON.stringify({ ...total, otherAnswer: this.otherAnswer, otherWords: this.otherWords }),
    ];
  }
}

function add(counts: Record<string, number>, name: string, count: number): void {
  counts[name] = (counts[name] ?? 0) + count;
}

function addCounts(into: Counts, counts: Counts): void {
  for (const name of Object.keys(into) as (keyof Counts)[]) into[name] += counts[name];
}

function counted(counts: Record<string, number>): string[] {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return sorted.map(([name, count]) => `  ${`${count}`.padStart(8)}  ${name}`);
}

const row = (...cells: string[]): string => cells.map((cell, at) => (at === 0 ? cell.padEnd(10) : cell.padStart(11))).join('');

function rowOf(kind: string, { compared, yes, no, trouble, decoded }: Counts): string {
  return row(kind, ...[compared, yes, no, trouble].map(String), `${((100 * decoded) / Math.max(compared, 1)).toFixed(1)} %`);
}

/** Names, digests and numbers make no other reason; nor does the place of a fault among many. */
function withoutValues(reason: string): string {
  return reason.replace(/"[^"]*"|`[^`]*`/g, 'TEXT').replace(/\b[0-9a-f]{8,}\b/g, 'HEX').replace(/-?\d+/g, 'N').slice(0, 80);
}
