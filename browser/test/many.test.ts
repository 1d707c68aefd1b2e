// The program that the differential test asks says what the command says, of every case of the world that it can be asked.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { manyProgram, oneByOne, programs, streamed, type Peer, type Question } from './lib/rust.ts';
import { world } from './lib/seeds.ts';

const skip = existsSync(manyProgram()) || process.env['CI'] === 'true' ? false : `no ${manyProgram()} (COLDLOG_PROGRAMS)`;

describe('verify-many answers as the command does', { skip }, () => {
  if (skip !== false) return;
  const { folder, cases } = world();
  const file = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));
  let many: Peer;
  before(() => (many = streamed(manyProgram())));
  after(() => [many, single].forEach((peer) => peer.close()));
  const single = oneByOne(join(programs(), 'verifier'));

  for (const { name, document, proof, policy, args } of cases) {
    const [option, value] = args;
    if (args.length > 2 || (args.length > 0 && option !== '--signature' && option !== '--key-events')) continue;
    const question: Question = { document, proof, policy };
    if (option === '--signature') question.signature = file(value!);
    if (option === '--key-events') question.keyEvents = file(value!);
    test(name, async () => assert.deepEqual(await many.ask(question), await single.ask(question)));
  }

  test('a file that is absent is not the one of the question before', async () => {
    const [first] = cases;
    const plain: Question = { document: first!.document, proof: first!.proof, policy: first!.policy };
    const asked = [plain, { ...plain, signature: file('tool.bin.minisig') }, plain, { ...plain, keyEvents: file('events.ends') }, plain];
    const answers = await Promise.all(asked.map((question) => many.ask(question)));
    assert.deepEqual(answers.map(({ code }) => code), [0, 1, 0, 0, 0]);
    assert.deepEqual(answers[2], answers[0]);
    assert.deepEqual(answers[4], answers[0]);
  });
});
