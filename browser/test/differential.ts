// The differential test: the same mutated files to both implementations. They must give the same answer; where it is
// yes, in the same words, and where it is not, for the same reason.
//
// node dist/test/differential.js [--count N] [--seed N] [--words] [--keep FOLDER] [--kind KIND] [--number N] [--workers N]
// [--reasons]

import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { runCheck, type Verdict } from '../src/command.ts';
import { KINDS, questions, type Kind } from './lib/kinds.ts';
import { peer, type Answer, type Peer, type Question } from './lib/rust.ts';
import { world } from './lib/seeds.ts';
import { Tally } from './lib/tally.ts';

interface Options {
  seed: number;
  kind: Kind | undefined;
  words: boolean;
  keep: string | undefined;
}

/** Questions of a worker: from this number, and before that one. */
interface Share extends Options {
  from: number;
  to: number;
}

interface Message {
  compared: number;
  /** What was counted, with the last message. */
  counted?: Tally;
}

function ours({ document, proof, policy, signature, keyEvents }: Question): Verdict {
  const named = (name: string, bytes: Uint8Array): { name: string; bytes: Uint8Array } => ({ name, bytes });
  return runCheck({
    document: named('document', document),
    proof: named('proof', proof),
    policy: named('policy', policy),
    signature: signature && named('signature', signature),
    keyEvents: keyEvents && named('events', keyEvents),
    now: BigInt(Math.floor(Date.now() / 1000)),
  });
}

function answerOf({ code, result, reason }: Verdict): Answer {
  return { code, lines: code === 0 ? result : [reason ?? ''] };
}

/** So many questions are with the other side at once: it never waits for us, and holds little. */
const AHEAD = 64;
/** After so many questions, answers are read. */
const TURN = 8;
const TOLD_EVERY = 1_000;

/** Compares a share, in a thread of its own and with a process of its own. */
async function work(share: Share, tell: (message: Message) => void): Promise<void> {
  // Refusals are errors, and nobody looks at where these came from.
  Error.stackTraceLimit = 0;
  const rust = peer();
  try {
    tell({ compared: 0, counted: await compareAll(share, rust, (compared) => tell({ compared })) });
  } finally {
    rust.close();
  }
}

async function compareAll(share: Share, rust: Peer, tell: (compared: number) => void): Promise<Tally> {
  const tally = new Tally();
  const question = questions(share.seed, share.kind);
  const pending: Promise<void>[] = [];
  for (let number = share.from; number < share.to; number += 1) {
    const { kind, asked } = question(number);
    const theirs = rust.ask(asked);
    // While the other process looks for its answer.
    const verdict = ours(asked);
    tally.count(kind, verdict);
    const name = `${share.seed}-${number}-${kind}`;
    pending.push(theirs.then((answer) => compare({ tally, name, asked, mine: answerOf(verdict), theirs: answer, keep: share.keep })));
    if (number % TURN === 0) await new Promise(setImmediate);
    if (pending.length >= AHEAD) await pending.shift();
    if (number % TOLD_EVERY === TOLD_EVERY - 1) tell(TOLD_EVERY);
  }
  await Promise.all(pending);
  return tally;
}

interface Compared {
  tally: Tally;
  name: string;
  asked: Question;
  mine: Answer;
  theirs: Answer;
  keep: string | undefined;
}

function compare({ tally, name, asked, mine, theirs, keep }: Compared): void {
  const sameAnswer = mine.code === theirs.code;
  if (sameAnswer && wordsOf(mine) === wordsOf(theirs)) return;
  tally[sameAnswer ? 'otherWords' : 'otherAnswer'] += 1;
  console.log(`${name}: ${sameAnswer ? 'other words' : 'ANOTHER ANSWER'}\n  rust ${theirs.code} ${difference(theirs, mine)}\n  ours ${mine.code} ${difference(mine, theirs)}`);
  if (keep === undefined) return;
  const kept = join(keep, name);
  mkdirSync(kept, { recursive: true });
  for (const [part, bytes] of Object.entries(asked)) {
    if (bytes instanceof Uint8Array) writeFileSync(join(kept, part === 'keyEvents' ? 'events' : part), bytes);
  }
}

/**
 * Of a signature file that is none, one of two things is said, and which one depends on how far a reader got with what it
 * refuses: they count as the same.
 */
function wordsOf({ lines }: Answer): string {
  const text = lines.join('\n');
  return text.replace(/signature file(: its content should be SSHSIG|.*it is not laid out as ssh-keygen).*/, 'no signature file');
}

function difference(one: Answer, other: Answer): string {
  return one.lines.filter((line, at) => line !== other.lines[at]).join(' / ').slice(0, 400);
}

/** Runs a share in a worker; ends with what it counted. */
function worker(share: Share, tell: (compared: number) => void): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(fileURLToPath(import.meta.url), { workerData: share });
    thread.on('message', ({ compared, counted }: Message) => (counted === undefined ? tell(compared) : resolve(counted)));
    thread.on('error', reject);
    thread.on('exit', (code) => reject(new Error(`a worker ended with ${code}`)));
  });
}

function number(name: string, text: string, least: number): number {
  if (/^[0-9]{1,12}$/.test(text) && Number(text) >= least) return Number(text);
  throw new Error(`--${name} takes a number from ${least}, found ${text}`);
}

function kindOf(text: string | undefined): Kind | undefined {
  const kind = KINDS.find((one) => one === text);
  if (text === undefined || kind !== undefined) return kind;
  throw new Error(`--kind takes one of ${KINDS.join(', ')}, found ${text}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      keep: { type: 'string' },
      kind: { type: 'string' },
      number: { type: 'string' },
      words: { type: 'boolean', default: false },
      reasons: { type: 'boolean', default: false },
      workers: { type: 'string', default: `${availableParallelism()}` },
    },
  });
  const { keep, words } = values;
  const options: Options = { seed: number('seed', values.seed, 0), kind: kindOf(values.kind), words, keep };
  const from = values.number === undefined ? 0 : number('number', values.number, 0);
  const count = values.number === undefined ? number('count', values.count, 1) : 1;
  const workers = Math.min(number('workers', values.workers, 1), count);
  // One world for all of them: they find it by this.
  process.env['COLDLOG_WORLD'] = world().folder;
  console.error(`the world: COLDLOG_WORLD=${process.env['COLDLOG_WORLD']}, seed ${options.seed}, ${workers} workers`);
  const began = Date.now();
  const tally = new Tally();
  let compared = 0;
  const told = (more: number): void => {
    compared += more;
    if (compared % 10_000 === 0) console.error(`${compared} compared in ${Math.round((Date.now() - began) / 1000)} s`);
  };
  const bound = (at: number): number => from + Math.floor((count * at) / workers);
  const shares = Array.from({ length: workers }, (_, at) => ({ ...options, from: bound(at), to: bound(at + 1) }));
  for (const counted of await Promise.all(shares.map((share) => worker(share, told)))) tally.join(counted);
  if (values.reasons) tally.reasonLines().forEach((line) => console.log(line));
  tally.lines().forEach((line) => console.log(line));
  // Which of several faults is told first is no promise yet; `--words` holds both to it.
  const failures = tally.otherAnswer + (words ? tally.otherWords : 0);
  if (failures > 0) process.exitCode = 1;
}

await (isMainThread ? main() : work(workerData as Share, (message) => parentPort?.postMessage(message)));
