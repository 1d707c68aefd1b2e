// Every case of the world, as it is: the script says what the command says, on both channels, with the same code.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { programs } from './lib/rust.ts';
import { world } from './lib/seeds.ts';

const verifier = resolve(programs(), 'verifier');
const skip = existsSync(verifier) || process.env['CI'] === 'true' ? false : `no programs at ${programs()} (COLDLOG_PROGRAMS)`;

describe('the script and the command agree', { skip }, () => {
  if (skip !== false) return;
  const { folder, cases } = world();
  const run = (program: string, args: string[]): { code: number | null; out: string; err: string } => {
    const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' });
    const steady = (text: string): string => text.replace(/clock says \S+/g, 'clock says').replace(/expires in \d+ days/g, 'expires in days');
    return { code: status, out: steady(stdout), err: steady(stderr) };
  };
  for (const { name, files, args } of cases) {
    for (const more of [[], ['--json']]) {
      test([name, ...more].join(' '), () => {
        const asked = [files.document, '--proof', files.proof, '--policy', files.policy, ...args, ...more];
        const ours = run(process.execPath, [resolve('dist/src/cli.js'), ...asked]);
        const theirs = run(verifier, ['check', ...asked]);
        assert.deepEqual(ours, theirs);
      });
    }
  }
});
