// Which proof and which signature files are of which of several documents.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pairsOf, twice } from '../src/ui/pairs.ts';

const files = (...names: string[]): { name: string }[] => names.map((name) => ({ name }));

test('each document has the files that are named after it', () => {
  const { pairs, unused } = pairsOf(files('a', 'b.txt', 'c'), files('b.txt.proof', 'a.proof', 'd.proof'), files('a.sig', 'a.minisig', 'b.sig'));
  assert.deepEqual(
    pairs.map(({ document, proof, beside }) => [document.name, proof?.name, beside.sshsig?.name, beside.minisign?.name]),
    [
      ['a', 'a.proof', 'a.sig', 'a.minisig'],
      ['b.txt', 'b.txt.proof', undefined, undefined],
      ['c', undefined, undefined, undefined],
    ],
  );
  assert.deepEqual(unused, files('d.proof', 'b.sig'));
});

test('an ending may be in capitals, a name may not', () => {
  const { pairs } = pairsOf(files('A.TXT', 'b'), files('A.TXT.PROOF', 'B.proof'), []);
  assert.deepEqual(pairs.map(({ proof }) => proof?.name), ['A.TXT.PROOF', undefined]);
});

test('a document whose name begins another takes nothing of it', () => {
  const { pairs } = pairsOf(files('a', 'a.proof.txt'), files('a.proof.txt.proof'), []);
  assert.deepEqual(pairs.map(({ proof }) => proof?.name), [undefined, 'a.proof.txt.proof']);
});

test('a name that stands twice is found', () => {
  assert.equal(twice(files('a', 'b', 'a')), 'a');
  assert.equal(twice(files('a', 'b', 'A')), null);
});
