// The differential test: the same mutated files to both implementations. They must give the same answer; where it is
// yes, in the same words, and where it is not, for the same reason.
//
// node dist/test/differential.js [--count N] [--seed N] [--keep FOLDER] [--kind bytes|cbor|policy|forged|mixed|signature|events]

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runCheck } from '../src/command.ts';
import { changeBytes, changeCbor, changeLines } from './lib/mutate.ts';
import { Random } from './lib/random.ts';
import { peer, type Answer, type Question } from './lib/rust.ts';
import { forged, world } from './lib/seeds.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'string' },
    kind: { type: 'string' },
    words: { type: 'boolean', default: false },
  },
});

function ours({ document, proof, policy, signature, keyEvents }: Question): Answer {
  const named = (name: string, bytes: Uint8Array): { name: string; bytes: Uint8Array } => ({ name, bytes });
  const verdict = runCheck({
    document: named('document', document),
    proof: named('proof', proof),
    policy: named('policy', policy),
    signature: signature && named('signature', signature),
    keyEvents: keyEvents && named('events', keyEvents),
    now: BigInt(Math.floor(Date.now() / 1000)),
  });
  return { code: verdict.code, lines: verdict.code === 0 ? verdict.result : [verdict.reason ?? ''] };
}

const KINDS = ['bytes', 'cbor', 'policy', 'forged', 'mixed'] as const;
/** These take a process for each question, so they are asked less often. */
const SLOW_KINDS = ['signature', 'events'] as const;

/** Questions without further arguments; others are compared as they are, in cases.test.ts. */
const { folder, cases } = world();
const seeds = cases.filter((one) => one.args.length === 0);
const withEvents = cases.filter((one) => one.args[0] === '--key-events' && one.args.length === 2);

const file = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));

function question(kind: string, random: Random): Question {
  const seed = random.pick(seeds);
  const other = random.pick(seeds);
  switch (kind) {
    case 'bytes':
      return { ...seed, proof: changeBytes(seed.proof, random, other.proof) };
    case 'cbor':
      return { ...seed, proof: changeCbor(seed.proof, random) };
    case 'policy':
      return { ...seed, policy: changeLines(random.chance(3) ? changeLines(seed.policy, random) : seed.policy, random) };
    case 'mixed':
      return { document: random.chance(9) ? other.document : seed.document, proof: seed.proof, policy: other.policy };
    case 'signature': {
      const signed = random.pick(cases.filter((one) => one.args[0] === '--signature'));
      const signature = file(random.pick(['app.txt.sig', 'tool.bin.minisig', 'empty.sig']));
      const changed = random.chance(3) ? changeBytes(signature, random, other.proof) : changeLines(signature, random);
      return { document: signed.document, proof: signed.proof, policy: signed.policy, signature: changed };
    }
    case 'events': {
      const one = random.pick(withEvents);
      const keyEvents = changeCbor(file(one.args[1]!), random);
      return { document: one.document, proof: one.proof, policy: one.policy, keyEvents };
    }
    default:
      return forged(random);
  }
}

interface Tally {
  compared: number;
  yes: number;
  no: number;
  trouble: number;
  otherAnswer: number;
  otherWords: number;
}

async function main(): Promise<void> {
  const tally: Tally = { compared: 0, yes: 0, no: 0, trouble: 0, otherAnswer: 0, otherWords: 0 };
  const rust = peer();
  const first = Number(values.seed);
  const pending: Promise<void>[] = [];
  for (let n = 0; n < Number(values.count); n += 1) {
    const random = new Random((first * 1_000_003 + n) * 2_654_435_761);
    for (let warm = 0; warm < 4; warm += 1) random.next();
    const kind = values.kind ?? (random.chance(25) ? random.pick(SLOW_KINDS) : random.pick(KINDS));
    const asked = question(kind, random);
    pending.push(rust.ask(asked).then((theirs) => compare(tally, `${first}-${n}-${kind}`, asked, ours(asked), theirs)));
    if (n > 0 && n % 5000 === 0) console.error(`${tally.compared} compared: ${tally.otherAnswer} other answers, ${tally.otherWords} other words`);
    if (pending.length >= 64) await Promise.all(pending.splice(0));
  }
  await Promise.all(pending);
  rust.close();
  console.log(JSON.stringify(tally));
  // Which of several faults is told first is no promise yet; `--words` holds both to it.
  const failures = tally.otherAnswer + (values.words ? tally.otherWords : 0);
  if (failures > 0) process.exitCode = 1;
}

function compare(tally: Tally, name: string, asked: Question, mine: Answer, theirs: Answer): void {
  tally.compared += 1;
  tally[mine.code === 0 ? 'yes' : mine.code === 1 ? 'no' : 'trouble'] += 1;
  const sameAnswer = mine.code === theirs.code;
  if (sameAnswer && wordsOf(mine) === wordsOf(theirs)) return;
  tally[sameAnswer ? 'otherWords' : 'otherAnswer'] += 1;
  console.log(`${name}: ${sameAnswer ? 'other words' : 'ANOTHER ANSWER'}\n  rust ${theirs.code} ${difference(theirs, mine)}\n  ours ${mine.code} ${difference(mine, theirs)}`);
  if (values.keep === undefined) return;
  const kept = join(values.keep, name);
  mkdirSync(kept, { recursive: true });
  for (const [part, bytes] of Object.entries(asked)) {
    if (bytes instanceof Uint8Array) writeFileSync(join(kept, part), bytes);
  }
}

/**
 * Of a signature file that is none, one of two things is said, and which one depends on how far a reader got with what it
 * refuses: they count as the same.
 */
function wordsOf({ lines }: Answer): string {
  return lines.join('\n').replace(/signature file(: its content should be SSHSIG|.*it is not laid out as ssh-keygen).*/, 'no signature file');
}

function difference(one: Answer, other: Answer): string {
  return one.lines.filter((line, at) => line !== other.lines[at]).join(' / ').slice(0, 400);
}

await main();
