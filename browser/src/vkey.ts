// Verifier keys (C2SP signed-note): `name+<8 hex digits of the id>+base64(type || public key)`.

import { concat, fromBase64, hex, same, sha256, utf8 } from './bytes.ts';
import { UNSOUND, isSoundKey } from './ed25519.ts';
import { Malformed } from './errors.ts';
import { MLDSA_KEY_LENGTH } from './mldsa.ts';
import { quoted } from './show.ts';

/** Signature types of C2SP signed-note that we know. */
export const NOTE_ED25519 = 0x01;
export const COSIGN_ED25519 = 0x04;
export const COSIGN_MLDSA = 0x06;

export interface VerifierKey {
  name: string;
  id: Uint8Array;
  type: number;
  key: Uint8Array;
}

const SPACE = /[\p{White_Space}\p{Cc}]/u;

/** A key name: not empty, at most 255 bytes, no space, no control character, no plus. */
export function isKeyName(name: string): boolean {
  return name !== '' && utf8(name).length <= 255 && !SPACE.test(name) && !name.includes('+');
}

function keyId(name: Uint8Array, typed: Uint8Array): Uint8Array {
  return sha256(concat(name, Uint8Array.of(0x0a), typed)).subarray(0, 4);
}

function wrong(why: string): Malformed {
  return new Malformed(`not a verifier key (name+hex id+base64): ${why}`);
}

function checkKey(type: number, key: Uint8Array): void {
  if (type === COSIGN_MLDSA) {
    if (key.length !== MLDSA_KEY_LENGTH) throw wrong(`an ML-DSA-44 key has ${MLDSA_KEY_LENGTH} bytes, found ${key.length}`);
    return;
  }
  if (type !== NOTE_ED25519 && type !== COSIGN_ED25519) {
    throw wrong(`signature type 0x${type.toString(16).padStart(2, '0')} is not known to us`);
  }
  if (key.length !== 32) throw wrong(`an Ed25519 public key has 32 bytes, found ${key.length}`);
  if (!isSoundKey(key)) {
    throw wrong(UNSOUND);
  }
}

/** `nameBytes` are the octets of the name where the text is not all UTF-8 and stands for them. */
export function parseVerifierKey(text: string): VerifierKey {
  const first = text.indexOf('+');
  if (first < 0) throw wrong('no plus');
  const second = text.indexOf('+', first + 1);
  if (second < 0) throw wrong('only one plus');
  const name = text.slice(0, first);
  const id = text.slice(first + 1, second);
  if (!isKeyName(name)) throw wrong(`${quoted(name)} is no key name`);
  const typed = fromBase64(text.slice(second + 1));
  if (typed === null) throw wrong('bad base64');
  if (typed.length === 0) throw wrong('no key');
  checkKey(typed[0]!, typed.subarray(1));
  const found = keyId(utf8(name), typed);
  if (hex(found) !== id) throw wrong(`the key id is ${hex(found)}, the text says ${quoted(id)}`);
  return { name, id: found, type: typed[0]!, key: typed.subarray(1) };
}

export function sameKey(a: VerifierKey, b: VerifierKey): boolean {
  // The type does not count: one machine's key under two types is one key.
  return same(a.key, b.key);
}
