// Where mutated files come from: real proofs that the programs made, and forged ones whose keys the test has.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { concat, sha256, utf8 } from '../../src/bytes.ts';
import { array, bytes, int, map, nothing, text } from './items.ts';
import { changeCbor, changeLines, changeWithin } from './mutate.ts';
import { programs, type Question } from './rust.ts';
import { checkpoint, cosigner, edKey, forge, logKey, minisig, quantumKey, sshsig, vkey, type Ed, type Plan, type Signer } from './forge.ts';
import type { Random } from './random.ts';

export interface RealCase extends Question {
  name: string;
  args: string[];
  files: { document: string; proof: string; policy: string };
}

/** Makes the world once (test/world.sh), or takes the one that COLDLOG_WORLD names. */
export function world(): { folder: string; cases: RealCase[] } {
  const folder = process.env['COLDLOG_WORLD'] ?? mkdtempSync(join(tmpdir(), 'world-'));
  if (!existsSync(join(folder, 'cases'))) {
    const script = resolve('test/world.sh');
    const path = `${resolve(programs())}:${process.env['PATH'] ?? ''}`;
    const run = spawnSync('sh', [script], { cwd: folder, env: { ...process.env, PATH: path }, encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`world.sh: ${run.stderr}`);
  }
  const cases = readFileSync(join(folder, 'cases'), 'utf8').trimEnd().split('\n').map((line) => {
    const [name, document, proof, policy, args] = line.split('\t') as [string, string, string, string, string];
    const read = (file: string): Uint8Array => new Uint8Array(readFileSync(join(folder, file)));
    return {
      name,
      document: read(document),
      proof: read(proof),
      policy: read(policy),
      args: args === '' ? [] : args.split(' '),
      files: { document, proof, policy },
    };
  });
  return { folder, cases };
}

const NAMES = ['signer.example/x', 'signer.example/x', 'signer.example/x', 'rehearsal.invalid/x', 'é.example'];
const TEXTS = ['', 'Ada', 'a "b" \\c', 'line\nbreak\ttab', '\u202eabc\u2066', 'e\u0301\u200b', '\u{1f600}\u0000', 'x'.repeat(61), '\u00a0\u2028\u3000', '\ufeff\u00ad\u{e0001}'];

/** A proof under keys of our own, changed before it is signed, in so many places or fewer. */
export function forged(random: Random, changes = 1): Question {
  const plan = planOf(random, edKey(random));
  for (let n = 0; n < changes; n += 1) changePlan(plan, random);
  const { proof } = forge(plan);
  const changed = random.chance(10) ? changeCbor(proof, random) : proof;
  const document = random.chance(40) ? concat(plan.document, utf8('x')) : plan.document;
  return { document, proof: changed, policy: utf8(plan.policy) };
}

/** What a proof under keys of our own says. */
export function planOf(random: Random, signer: Ed): Plan {
  const log = edKey(random);
  const document = random.bytes(random.below(40));
  const origin = random.chance(15) ? 'rehearsal.invalid/l' : 'log.example/l';
  const witnesses = ['w1', 'w2', 'w3'].slice(0, random.below(4)).map((name) => cosigner(`${name}.example/w`, edKey(random)));
  const quantum = random.chance(12) ? [quantumKey('q.example/w', random)] : [];
  const times = (): bigint => random.pick([1n, (1n << 63n) - 1n, 1n << 63n, 1_795_000_000n + BigInt(random.below(9)), 253_402_300_800n, (1n << 64n) - 1n, 0n]);
  const cosigners: Signer[] = [...witnesses, ...quantum].map((key) => ({ key, time: random.chance(8) ? times() : 1_795_000_000n + BigInt(random.below(50)) }));
  const signers = shuffled([{ key: logKey(origin, log), time: 0n }, ...cosigners.filter(() => !random.chance(6))], random);
  const newer = edKey(random);
  const policy = policyOf(origin, random.chance(3) ? [log, newer] : random.chance(2) ? [newer, log] : [log], cosigners, random);
  const earlierRoot = random.bytes(32);
  const known = random.chance(2);
  const earlier = known ? checkpoint(origin, 1n, earlierRoot, signers.filter(() => !random.chance(9))) : null;
  const sequence = random.chance(2) ? 0 : random.below(300);
  return {
    document,
    signer,
    record: recordOf(document, signer, random),
    claims: map({ 1: text(random.pick(NAMES)), 2: text(random.chance(9) ? random.pick(TEXTS) : 'journal') }),
    position: array(
      int(sequence),
      sequence === 0 ? nothing : bytes(random.bytes(32)),
      earlier === null ? nothing : array(text(origin), int(1), bytes(earlierRoot), bytes(sha256(earlier))),
    ),
    before: Array.from({ length: random.below(4) }, () => random.bytes(32)),
    after: Array.from({ length: random.below(4) }, () => random.bytes(32)),
    origin,
    log,
    signers,
    policy,
    earlier,
    change: {},
  };
}

function shuffled<T>(list: T[], random: Random): T[] {
  if (!random.chance(3)) return list;
  return list.map((one) => ({ one, at: random.next() })).sort((a, b) => a.at - b.at).map(({ one }) => one);
}

export function changePlan(plan: Plan, random: Random): void {
  const within = (item: Parameters<typeof changeWithin>[0]): void => changeWithin(item, random);
  switch (random.below(10)) {
    case 0:
      plan.change.disclosure = within;
      break;
    case 1:
      plan.change.statementHeader = within;
      break;
    case 2:
      plan.change.receiptHeader = within;
      break;
    case 3:
      plan.change.inclusion = within;
      break;
    case 4:
      plan.change.unprotected = within;
      break;
    case 5:
      plan.change.receiptUnprotected = within;
      break;
    case 6:
      plan.change.checkpoint = (body) => {
        const changed = changeLines(utf8(body), random);
        return new TextDecoder().decode(changed);
      };
      break;
    case 7:
      changeWithin(plan.position, random);
      break;
    default:
  }
}

function recordOf(document: Uint8Array, signer: Ed, random: Random): ReturnType<typeof map> {
  const some = (usual: string): ReturnType<typeof text> => text(random.chance(4) ? random.pick(TEXTS) : usual);
  const isMinisign = random.chance(3);
  const comment = random.pick(['timestamp:1\tfile:x\thashed', '', 'é\u202e', 'timestamp:1\tfile:x']);
  return map({
    v: int(1),
    time: int(random.pick([0n, 1_795_000_000n, 253_402_300_799n, 253_402_300_800n, (1n << 64n) - 1n])),
    operator: some('Ada'),
    purpose: some('release'),
    device: text('machine'),
    ...(random.chance(4) ? { clock: map({ ahead: int(random.below(3)) }) } : {}),
    approvals: array(),
    ...(random.chance(3) ? { factors: array(array(text(random.pick(['passphrase', 'totp', 'other'])))) } : {}),
    operation: text('sign'),
    document: map({
      name: some('app.txt'),
      version: some('1.0'),
      media_type: text('text/plain'),
      size: int(document.length),
      sha256: bytes(sha256(document)),
    }),
    signature: map({
      scheme: text(isMinisign ? 'minisign' : 'sshsig'),
      key: bytes(signer.public),
      bytes: bytes(isMinisign ? minisig(signer, document, comment, random.pick(['signature', '', 'x\ty'])) : sshsig(signer, document)),
      verified: { type: 'bool', value: true },
    }),
  });
}

function policyOf(origin: string, logs: Ed[], cosigners: Signer[], random: Random): string {
  const names = cosigners.map((_, at) => `n${at}`);
  const lines = [
    ...logs.map((log) => `log ${vkey(logKey(origin, log))}`),
    ...cosigners.map(({ key }, at) => `witness n${at} ${vkey(key)}`),
  ];
  if (names.length === 0) return `${[...lines, 'quorum none'].join('\n')}\n`;
  if (names.length > 2 && random.chance(3)) {
    lines.push(`group in ${random.pick(['any', 'all', '1', '2'])} ${names.slice(0, 2).join(' ')}`);
    lines.push(`group out ${random.pick(['any', 'all', '1'])} in ${names.slice(2).join(' ')}`, 'quorum out');
  } else if (random.chance(5)) {
    lines.push(`quorum ${random.pick([...names, 'none'])}`);
  } else {
    lines.push(`group q ${1 + random.below(names.length)} ${names.join(' ')}`, 'quorum q');
  }
  return `${lines.join('\n')}\n`;
}
