// Histories of policies: what is refused, and which policy judges a head.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../src/bytes.ts';
import { Failure } from '../src/errors.ts';
import { judgeOf, parseHistory } from '../src/history.ts';
import { edKey, logKey, vkey } from './lib/forge.ts';
import { Random } from './lib/random.ts';

const random = new Random(7);
const log = `log ${vkey(logKey('l.example', edKey(random)))}\n`;
const other = `log ${vkey(logKey('m.example', edKey(random)))}\n`;
const none = 'quorum none\n';

function words(text: string): string {
  try {
    parseHistory(utf8(text));
    return 'read';
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return error.message;
  }
}

test('a history is read by its lines, and each fault is told with its line', () => {
  const before = 'coldlog-policies/1\n';
  assert.equal(words(`${before}until l.example 4\n${log}${none}now\n${log}${none}`), 'read');
  assert.equal(words(`${before}until l.example 4\nnow\n${log}${none}`), 'policy line 3: expected a policy before `now`');
  assert.equal(words(`${before}until l.example 4\n${log}${none}`), 'the policy: the history has no policy that is in force `now`');
  assert.equal(words(`${before}until l.example 4\n${log}${none}now\n`), 'policy line 5: no quorum line; write `quorum <group>` or `quorum none`');
  assert.equal(words(`${before}now\n${log}${none}now\n${log}${none}`), 'policy line 5: nothing comes after the policy that is in force `now`');
  assert.equal(
    words(`${before}until l.example 4\n${log}${none}until l.example 3\n${log}${none}now\n${log}${none}`),
    'policy line 5: no `until` of a log is smaller than those before it',
  );
  assert.match(words(`${before}until l.example 3\nuntil l.example 4\n${log}${none}now\n${log}${none}`), /^policy line 3: /);
  assert.equal(words(`${before}until x.example 4\n${log}${none}now\n${log}${none}`), 'the policy: an `until` names a log that no policy names');
  assert.equal(words(`${before}until l.example 04\n${log}${none}now\n${log}${none}`), 'policy line 2: expected `until <origin> <size>`, each number as plain digits');
});

test('a head is judged by the first policy that reaches its size, and by the last one where none does', () => {
  const history = parseHistory(utf8(`coldlog-policies/1\nuntil l.example 4\n${log}${none}until l.example 9\nuntil m.example 2\n${log}${other}${none}now\n${log}${other}${none}`));
  const judged = (origin: string, size: bigint): number =>
    history.terms.indexOf(judgeOf(history, { origin, size, root: new Uint8Array(32), note: { text: '', signatures: [] } }).term);
  assert.deepEqual([0n, 4n, 5n, 9n, 10n].map((size) => judged('l.example', size)), [0, 0, 1, 1, 2]);
  assert.deepEqual([0n, 2n, 3n].map((size) => judged('m.example', size)), [1, 1, 2]);
});
