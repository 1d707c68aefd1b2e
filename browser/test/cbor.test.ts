// CBOR: what is refused, by which words, and in which order. The command gives the same for each.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../src/bytes.ts';
import { NotCbor, decodeCbor } from '../src/cbor.ts';

function words(hex: string, options: { limit?: number; anyOrder?: boolean } = {}): string {
  try {
    const item = decodeCbor(fromHex(hex.replaceAll(' ', ''))!, { what: 'proof', limit: 4_194_304, ...options });
    return item.type;
  } catch (error) {
    assert.ok(error instanceof NotCbor, String(error));
    return error.message;
  }
}

const arrays = (count: number): string => '81'.repeat(count);
const broken = (why: string): string => `proof is not well-formed CBOR: ${why}; it was damaged or cut short, copy it again`;
const irregular = (why: string): string =>
  `proof is not deterministic CBOR (RFC 8949, section 4.2.1): ${why}; no Coldlog tool writes this`;

test('each fault is told by its own words', () => {
  assert.equal(words(''), 'expected proof, but this is an empty file; pass the right file');
  assert.equal(words('d28440a040'), broken('it ends in the middle of an item'));
  assert.equal(words('d2 9f40a04040ff'), irregular('it has an indefinite length'));
  assert.equal(words('d284 40 a0 1c 40'), broken('it has a reserved length'));
  assert.equal(words('d284 40 a0 f97e00 40'), irregular('it holds a float or another value that none of our formats has, at byte 4'));
  assert.equal(words('d284 40 a0 f97e'), broken('it ends in the middle of an item'));
  assert.equal(words('d284 40 a0 f7 40'), irregular('it holds a float or another value that none of our formats has, at byte 4'));
  assert.equal(words('d284 40 a0 1801 40'), irregular('it holds a number that is not in its shortest form, at byte 4'));
  assert.equal(words('d284 40 a0 c24101 40'), irregular('it holds a number of more than 64 bits, at byte 4'));
  assert.equal(words('d284 40 a0 61ff 40'), broken('a text that is not UTF-8 at byte 6'));
  assert.equal(words('d284 40 a2 0100 0000 40 40'), irregular('map keys are not sorted'));
  assert.equal(words('d284 40 a2 0100 0100 40 40'), irregular('a map key stands twice'));
  assert.equal(words('d28440a0404000'), 'proof ends at byte 6, but 1 more bytes follow; remove them or copy the file again');
  assert.equal(words('d28440a05b7fffffffffffffff40'), 'proof is 9223372036854775820 bytes long, and at most 4194304 are allowed: this is not such a file');
});

test('of several maps with a fault the one that begins first is told, unsorted before twice', () => {
  assert.equal(words('a2 01 a2 0000 0000 00 00'), irregular('map keys are not sorted'));
  assert.equal(words('82 a2 0000 0000 a2 0100 0000'), irregular('a map key stands twice'));
  assert.equal(words('a3 0100 0100 0000'), irregular('map keys are not sorted'));
});

test('a receipt may have another order, but no key twice', () => {
  assert.equal(words('a2 0100 0000', { anyOrder: true }), 'map');
  assert.equal(words('a2 0100 0100', { anyOrder: true }), irregular('a map key stands twice'));
});

test('sixteen levels are read, and what is deeper is refused when its structure is known', () => {
  assert.equal(words(`${arrays(15)}80`), 'array');
  assert.equal(words(`${arrays(15)}f6`), 'array');
  assert.equal(words(`${arrays(16)}80`), broken('it is nested deeper than 16'));
  assert.equal(words(`${arrays(16)}00`), broken('it is nested deeper than 16'));
  assert.equal(words(`ff${arrays(1)}`), irregular('it has an indefinite length'));
  assert.equal(words(`82${arrays(15)}81f6`), broken('it ends in the middle of an item'));
});

test('very deep nesting and very many items end in a refusal, and in nothing else', () => {
  assert.equal(words(`${arrays(60_000)}00`), broken('it is nested deeper than 16'));
  assert.equal(words(`9a00010000${'00'.repeat(65_536)}`), 'proof holds more than 65536 items: this is not such a file');
  assert.equal(words(`99ffff${'f6'.repeat(65_535)}`), 'array');
});

test('another file is named', () => {
  const hex = (text: string): string => Buffer.from(text).toString('hex');
  const named = (kind: string): string => `expected proof, but this is ${kind}; pass the right file`;
  assert.equal(words(hex('hello')), named('a text file'));
  assert.equal(words(hex('age-encryption.org/v1\n')), named('an age file'));
  assert.equal(words(hex('log a\nquorum none\n')), named('a policy'));
  assert.equal(words(hex('a\n\n\u2014 b c\n')), named('a signed note (a checkpoint?)'));
  assert.equal(words(`86${hex('mcoldlog-batch')}01`), named('coldlog-batch'));
});
