// The little CBOR that a reader must write: what a signature covers (RFC 9052, section 4.4), and a key's thumbprint.

import { concat, u64, utf8 } from './bytes.ts';

function head(major: number, argument: bigint): Uint8Array {
  if (argument < 24n) return Uint8Array.of((major << 5) | Number(argument));
  const width = argument < 1n << 8n ? 1 : argument < 1n << 16n ? 2 : argument < 1n << 32n ? 4 : 8;
  return concat(Uint8Array.of((major << 5) | (24 + Math.log2(width))), u64(argument).subarray(8 - width));
}

export function encodeInt(value: bigint): Uint8Array {
  return value >= 0n ? head(0, value) : head(1, -1n - value);
}

export function encodeBytes(bytes: Uint8Array): Uint8Array {
  return concat(head(2, BigInt(bytes.length)), bytes);
}

export function encodeText(text: string): Uint8Array {
  const bytes = utf8(text);
  return concat(head(3, BigInt(bytes.length)), bytes);
}

export function encodeArray(items: Uint8Array[]): Uint8Array {
  return concat(head(4, BigInt(items.length)), ...items);
}

/** Entries in the order of the encoded keys, which the caller gives them in. */
export function encodeMap(entries: [Uint8Array, Uint8Array][]): Uint8Array {
  return concat(head(5, BigInt(entries.length)), ...entries.flat());
}
