// Checkpoints (C2SP tlog-checkpoint): origin, size, root; a signed note. What a log says its tree is.

import { fromBase64 } from './bytes.ts';
import { Malformed } from './errors.ts';
import { parseNote, type Note } from './note.ts';
import { isKeyName } from './vkey.ts';

export interface Checkpoint {
  origin: string;
  size: bigint;
  root: Uint8Array;
  note: Note;
}

const MAX_SIZE = (1n << 64n) - 1n;

function wrong(why: string): Malformed {
  return new Malformed(`not a checkpoint (C2SP tlog-checkpoint): ${why}`);
}

/** Digits without sign or leading zeros, below 2^64, or null. */
export function plainNumber(text: string): bigint | null {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text)) return null;
  const value = BigInt(text);
  return value <= MAX_SIZE ? value : null;
}

export function parseCheckpoint(bytes: Uint8Array): Checkpoint {
  const note = parseNote(bytes);
  const lines = note.text.slice(0, -1).split('\n');
  const [origin, size, root, ...extensions] = lines;
  if (origin === undefined || !isKeyName(origin)) throw wrong('the origin is no key name');
  const number = size === undefined ? null : plainNumber(size);
  if (number === null) throw wrong('the size is not a decimal number');
  const hash = root === undefined ? null : fromBase64(root);
  if (hash === null || hash.length !== 32) throw wrong('the root is not base64 of 32 bytes');
  if (extensions.includes('')) throw wrong('an extension line is empty');
  return { origin, size: number, root: hash, note };
}
