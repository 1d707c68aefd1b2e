// Signed notes (C2SP signed-note): text, an empty line, signature lines.

import { concat, fromBase64, hex, same, textOf, u64, utf8 } from './bytes.ts';
import { verifyEd25519 } from './ed25519.ts';
import { Malformed, Refused } from './errors.ts';
import { MLDSA_SIGNATURE_LENGTH, verifyMldsa } from './mldsa.ts';
import { shown } from './show.ts';
import { COSIGN_ED25519, COSIGN_MLDSA, NOTE_ED25519, isKeyName, type VerifierKey } from './vkey.ts';

const MAX_BYTES = 262_144;
const MAX_SIGNATURES = 128;
const MAX_TIME = (1n << 63n) - 1n;
const LINE_START = '\u2014 ';

export interface NoteSignature {
  name: string;
  id: Uint8Array;
  signature: Uint8Array;
}

export interface Note {
  /** With its last newline: what signatures cover. */
  text: string;
  signatures: NoteSignature[];
}

function wrong(why: string): Malformed {
  return new Malformed(`not a signed note: ${why}`);
}

export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > MAX_BYTES) throw new Malformed(`the note is too large: ${bytes.length} bytes, at most ${MAX_BYTES}`);
  const whole = textOf(bytes);
  if (whole === null) throw wrong('it is not UTF-8');
  if (/(?!\n)[\x00-\x1f\x7f]/.test(whole)) throw wrong('it holds a control character');
  const gap = whole.lastIndexOf('\n\n');
  if (gap < 0) throw wrong('no empty line before signatures');
  const rest = whole.slice(gap + 2);
  if (!rest.endsWith('\n')) throw wrong('no newline at its end');
  const lines = rest.slice(0, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) {
    throw new Malformed(`the note is too large: ${lines.length} signatures, at most ${MAX_SIGNATURES}`);
  }
  return { text: whole.slice(0, gap + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): NoteSignature {
  if (!line.startsWith(LINE_START)) throw wrong('no em dash in a signature line');
  const rest = line.slice(LINE_START.length);
  const space = rest.indexOf(' ');
  if (space < 0) throw wrong('no space in a signature line');
  const name = rest.slice(0, space);
  if (!isKeyName(name)) throw wrong('no valid key name in a signature line');
  const blob = fromBase64(rest.slice(space + 1));
  if (blob === null) throw wrong('bad base64 in a signature line');
  if (blob.length < 4) throw wrong('no key id in a signature line');
  if (blob.length === 4) throw wrong('an empty signature in a signature line');
  return { name, id: blob.subarray(0, 4), signature: blob.subarray(4) };
}

/** `name (key id 0123abcd)`. */
export function signerOf(signature: NoteSignature): string {
  return `${shown(signature.name)} (key id ${hex(signature.id)})`;
}

export function isBy(signature: NoteSignature, key: VerifierKey): boolean {
  return signature.name === key.name && same(signature.id, key.id);
}

/** What a checkpoint's cosignature by ML-DSA-44 covers besides the time. */
export interface SignedTree {
  origin: string;
  size: bigint;
  root: Uint8Array;
}

/** The time that the signature states, 0 where its type has none; null where it does not verify. */
export function verifyNoteSignature(
  note: Note,
  tree: SignedTree | null,
  signature: NoteSignature,
  key: VerifierKey,
): bigint | null {
  const blob = signature.signature;
  if (key.type === NOTE_ED25519) return verifyEd25519(key.key, utf8(note.text), blob) ? 0n : null;
  const length = key.type === COSIGN_ED25519 ? 64 : MLDSA_SIGNATURE_LENGTH;
  if (blob.length !== 8 + length) return null;
  const time = new DataView(blob.buffer, blob.byteOffset, 8).getBigUint64(0);
  // C2SP tlog-cosignature: no time at all, or one that no signed integer of 64 bits holds.
  if (time === 0n || time > MAX_TIME) return null;
  const signed = blob.subarray(8);
  if (key.type === COSIGN_ED25519) {
    const message = utf8(`cosignature/v1\ntime ${time}\n${note.text}`);
    return verifyEd25519(key.key, message, signed) ? time : null;
  }
  if (key.type !== COSIGN_MLDSA || tree === null) return null;
  return verifyMldsa(key.key, subtreeMessage(key.name, time, tree), signed) ? time : null;
}

/** `subtree/v1` of C2SP tlog-cosignature, for the whole tree. */
export function subtreeMessage(cosigner: string, time: bigint, tree: SignedTree): Uint8Array {
  const name = utf8(cosigner);
  const origin = utf8(tree.origin);
  return concat(
    utf8('subtree/v1\n\0'),
    Uint8Array.of(name.length),
    name,
    u64(time),
    Uint8Array.of(origin.length),
    origin,
    u64(0n),
    u64(tree.size),
    tree.root,
  );
}

export function doesNotVerify(signature: NoteSignature): Refused {
  return new Refused(
    `the signature by ${signerOf(signature)} does not verify: the note was altered or the signer is not who it says`,
  );
}
