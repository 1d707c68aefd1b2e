// Ed25519 (RFC 8032) by one strict rule: canonical encodings only, no key or nonce of small order, the cofactorless
// equation (section 5.1.7). The package's own `verify` multiplies by the cofactor, so the equation is written out here.

import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concat, same, sha256 } from './bytes.ts';
import { encodeBytes, encodeInt, encodeMap } from './encode.ts';

const { Point } = ed25519;
const ORDER = Point.Fn.ORDER;

type CurvePoint = ReturnType<typeof Point.fromBytes>;

function soundPoint(bytes: Uint8Array): CurvePoint | null {
  if (bytes.length !== 32) return null;
  try {
    const point = Point.fromBytes(bytes, false);
    return point.isSmallOrder() || !same(point.toBytes(), bytes) ? null : point;
  } catch {
    return null;
  }
}

/** What is said of bytes that are no sound key. */
export const UNSOUND = 'these 32 bytes are no sound Ed25519 public key (RFC 8032: no point, not canonical, or of small order)';

/** Whether these 32 bytes are a public key that can be trusted to mean one key. */
export function isSoundKey(key: Uint8Array): boolean {
  return soundPoint(key) !== null;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at -= 1) value = (value << 8n) | BigInt(bytes[at]!);
  return value;
}

export function verifyEd25519(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  const nonce = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  if (s >= ORDER) return false;
  const keyPoint = soundPoint(key);
  if (keyPoint === null) return false;
  const k = littleEndian(sha512(concat(nonce, key, message))) % ORDER;
  // R = sB - kA, compared as bytes. Zero is no factor that the package takes.
  const left = s === 0n ? Point.ZERO : Point.BASE.multiplyUnsafe(s);
  const right = k === 0n ? Point.ZERO : keyPoint.multiplyUnsafe(k);
  const expected = left.subtract(right);
  // Whose bytes are the nonce is the nonce's point, and in its canonical form: it need not be decoded.
  return same(expected.toBytes(), nonce) && !expected.isSmallOrder();
}

/** COSE key thumbprint (RFC 9679) of an Ed25519 key: SHA-256 of `{1: 1, -1: 6, -2: key}`, deterministic. */
export function thumbprint(key: Uint8Array): Uint8Array {
  return sha256(
    encodeMap([
      [encodeInt(1n), encodeInt(1n)],
      [encodeInt(-1n), encodeInt(6n)],
      [encodeInt(-2n), encodeBytes(key)],
    ]),
  );
}
