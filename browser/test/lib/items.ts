// CBOR items as bytes again, for tests that change what a file says; also in ways that a reader must refuse.

import { compare, concat, utf8 } from '../../src/bytes.ts';
import { decodeCbor, type Item } from '../../src/cbor.ts';

export interface Style {
  /** Map keys as they stand, not sorted. */
  unsorted?: boolean;
  /** Heads one size longer than needed, where this answers yes. */
  long?: () => boolean;
}

function head(major: number, value: bigint, style: Style): Uint8Array {
  const widths = [0, 1, 2, 4, 8];
  let at = value < 24n ? 0 : value < 256n ? 1 : value < 65_536n ? 2 : value < 1n << 32n ? 3 : 4;
  if (at < 4 && style.long?.() === true) at += 1;
  const width = widths[at]!;
  if (width === 0) return Uint8Array.of((major << 5) | Number(value));
  const bytes = new Uint8Array(1 + width);
  bytes[0] = (major << 5) | (23 + at);
  for (let n = 0; n < width; n += 1) bytes[width - n] = Number((value >> BigInt(8 * n)) & 255n);
  return bytes;
}

export function encode(item: Item, style: Style = {}): Uint8Array {
  switch (item.type) {
    case 'int':
      return item.value >= 0n ? head(0, item.value, style) : head(1, -1n - item.value, style);
    case 'bytes':
      return concat(head(2, BigInt(item.value.length), style), item.value);
    case 'text': {
      const bytes = utf8(item.value);
      return concat(head(3, BigInt(bytes.length), style), bytes);
    }
    case 'array':
      return concat(head(4, BigInt(item.items.length), style), ...item.items.map((one) => encode(one, style)));
    case 'map': {
      const entries = item.entries.map(([key, value]): [Uint8Array, Uint8Array] => [encode(key, style), encode(value, style)]);
      if (style.unsorted !== true) entries.sort(([a], [b]) => compare(a, b));
      return concat(head(5, BigInt(entries.length), style), ...entries.flat());
    }
    case 'tag':
      return concat(head(6, item.number, style), encode(item.content, style));
    case 'bool':
      return Uint8Array.of(item.value ? 0xf5 : 0xf4);
    case 'null':
      return Uint8Array.of(0xf6);
  }
}

export const int = (value: number | bigint): Item => ({ type: 'int', value: BigInt(value) });
export const bytes = (value: Uint8Array): Item => ({ type: 'bytes', value });
export const text = (value: string): Item => ({ type: 'text', value });
export const array = (...items: Item[]): Item => ({ type: 'array', items });
export const nothing: Item = { type: 'null' };

/** Keys are numbers where they look like one. */
export function map(entries: Record<string, Item>): Item {
  return {
    type: 'map',
    entries: Object.entries(entries).map(([key, value]) => [/^-?[0-9]+$/.test(key) ? int(BigInt(key)) : text(key), value]),
  };
}

export function decode(data: Uint8Array): Item {
  return decodeCbor(data, { what: 'item', limit: 1 << 26, anyOrder: true });
}

/** A byte string that holds CBOR, or null. */
export function inside(item: Item): Item | null {
  if (item.type !== 'bytes' || item.value.length === 0) return null;
  try {
    return decode(item.value);
  } catch {
    return null;
  }
}

export function copy(item: Item): Item {
  return structuredClone(item);
}

/** The value of a label in a map. */
export function get(item: Item, key: number | string): Item {
  if (item.type !== 'map') throw new Error('no map');
  const entry = item.entries.find(([name]) => (name.type === 'int' ? name.value === BigInt(key) : name.type === 'text' && name.value === key));
  if (entry === undefined) throw new Error(`no ${key}`);
  return entry[1];
}

export function set(item: Item, key: number | string, value: Item): void {
  if (item.type !== 'map') throw new Error('no map');
  const entry = item.entries.find(([name]) => (name.type === 'int' ? name.value === BigInt(key) : name.type === 'text' && name.value === key));
  if (entry !== undefined) entry[1] = value;
  else item.entries.push([typeof key === 'number' ? int(key) : text(key), value]);
}
