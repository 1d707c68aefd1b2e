// CBOR (RFC 8949), read strictly: deterministic encoding only (section 4.2.1), no floats, at most 16 deep, nothing
// after the item. One pass; every bound is checked before the content is looked at.

import { compare, textOf } from './bytes.ts';
import { Malformed } from './errors.ts';
import { sniff } from './kind.ts';

export type Item =
  | { type: 'int'; value: bigint }
  | { type: 'bytes'; value: Uint8Array }
  | { type: 'text'; value: string }
  | { type: 'array'; items: Item[] }
  | { type: 'map'; entries: [Item, Item][] }
  | { type: 'tag'; number: bigint; content: Item }
  | { type: 'bool'; value: boolean }
  | { type: 'null' };

/** The outermost item is the first level; the innermost, be it a number, is at most the sixteenth. */
const MAX_DEPTH = 16;
const MAX_ITEMS = 65_536;

/** The bytes are no CBOR of any of our formats; before an item's meaning is looked at. */
export class NotCbor extends Malformed {}

export interface CborOptions {
  /** What the bytes are, for the error. */
  what: string;
  /** The most bytes that the format allows. */
  limit: number;
  /** Receipts come from other implementations, too, which may sort maps otherwise. */
  anyOrder?: boolean;
}

export function decodeCbor(bytes: Uint8Array, options: CborOptions): Item {
  try {
    return new Reader(bytes, options).whole();
  } catch (error) {
    if (!(error instanceof NotCbor)) throw error;
    const other = sniff(bytes);
    throw other === null || other === options.what ? error : new NotCbor(`expected ${options.what}, but this is ${other}; pass the right file`);
  }
}

interface Head {
  start: number;
  major: number;
  info: number;
  argument: bigint;
}

const SIMPLE = 7;
const LARGEST = (1n << 64n) - 1n;

class Reader {
  private at = 0;
  private items = 0;
  /** What is too deep or not UTF-8, and what is wrong with the keys of a map: told after what breaks the structure. */
  private content: string | null = null;
  private keys: { begin: number; why: string } | null = null;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly options: CborOptions,
  ) {}

  whole(): Item {
    const { what, limit } = this.options;
    if (this.bytes.length > limit) throw this.tooLarge(BigInt(this.bytes.length));
    const item = this.item(0);
    if (this.content !== null) throw this.broken(this.content);
    const left = this.bytes.length - this.at;
    if (left > 0) {
      throw new NotCbor(`${what} ends at byte ${this.at}, but ${left} more bytes follow; remove them or copy the file again`);
    }
    if (this.keys !== null) throw this.irregular(this.keys.why);
    return item;
  }

  private item(depth: number): Item {
    if (depth === MAX_DEPTH) return this.tooDeep();
    const head = this.head();
    const { argument } = head;
    switch (head.major) {
      case 0:
        return { type: 'int', value: argument };
      case 1:
        return { type: 'int', value: -1n - argument };
      case 2:
        return { type: 'bytes', value: this.take(argument) };
      case 3:
        return { type: 'text', value: this.text(argument) };
      case 4:
        return { type: 'array', items: this.array(argument, depth) };
      case 5:
        return { type: 'map', entries: this.map(argument, depth) };
      case SIMPLE:
        return head.info === 22 ? { type: 'null' } : { type: 'bool', value: head.info === 21 };
      default:
        return { type: 'tag', number: argument, content: this.item(depth + 1) };
    }
  }

  /** What is too deep is refused, but its structure is looked at first; without recursion, for it may be very deep. */
  private tooDeep(): Item {
    this.content ??= `it is nested deeper than ${MAX_DEPTH}`;
    for (let pending = 1n; pending > 0n; pending -= 1n) {
      const { major, argument } = this.head();
      if (major === 2 || major === 3) this.take(argument);
      if (major === 4) pending += argument;
      if (major === 5) pending += 2n * argument;
      if (major === 6) pending += 1n;
    }
    return { type: 'null' };
  }

  /** The first byte of an item and its argument, with all that can be wrong with them. */
  private head(): Head {
    this.items += 1;
    if (this.items > MAX_ITEMS) {
      throw new NotCbor(`${this.options.what} holds more than ${MAX_ITEMS} items: this is not such a file`);
    }
    const start = this.at;
    const first = this.byte();
    const major = first >> 5;
    const info = first & 31;
    const argument = this.argument(major, info, start);
    if (major === 4) this.bound(argument, argument);
    if (major === 5) this.bound(argument, 2n * argument);
    // Bignums: a number has one form, and none of ours needs more than 64 bits.
    if (major === 6 && (argument === 2n || argument === 3n)) {
      throw this.irregular(`it holds a number of more than 64 bits, at byte ${start}`);
    }
    return { start, major, info, argument };
  }

  /** False, true and null have no argument; what else is simple is refused once its bytes are there. */
  private argument(major: number, info: number, start: number): bigint {
    if (info < 24 && (major !== SIMPLE || (info >= 20 && info <= 22))) return BigInt(info);
    if (info === 31) throw this.irregular('it has an indefinite length');
    if (info > 27) throw this.broken('it has a reserved length');
    const width = info < 24 ? 0 : 1 << (info - 24);
    let value = 0n;
    for (let read = 0; read < width; read += 1) value = (value << 8n) | BigInt(this.byte());
    if (major === SIMPLE) throw this.irregular(`it holds a float or another value that none of our formats has, at byte ${start}`);
    const shortest = width === 1 ? value >= 24n : value >= 1n << BigInt(4 * width);
    if (!shortest) throw this.irregular(`it holds a number that is not in its shortest form, at byte ${start}`);
    return value;
  }

  private byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw this.cut();
    this.at += 1;
    return byte;
  }

  private take(length: bigint): Uint8Array {
    this.bound(length, length);
    const end = this.at + Number(length);
    if (end > this.bytes.length) throw this.cut();
    const taken = this.bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  /** What is announced takes at least so many bytes; each item of it takes one. */
  private bound(announced: bigint, least: bigint): void {
    const at = BigInt(this.at);
    if (at + least > BigInt(this.options.limit)) throw this.tooLarge(at + announced);
  }

  private text(length: bigint): string {
    const bytes = this.take(length);
    const text = textOf(bytes);
    if (text === null) this.content ??= `a text that is not UTF-8 at byte ${this.at}`;
    return text ?? '';
  }

  private array(length: bigint, depth: number): Item[] {
    const items: Item[] = [];
    for (let n = 0n; n < length; n += 1n) items.push(this.item(depth + 1));
    return items;
  }

  private map(length: bigint, depth: number): [Item, Item][] {
    const entries: [Item, Item][] = [];
    const keys: Uint8Array[] = [];
    const begin = this.at;
    for (let n = 0n; n < length; n += 1n) {
      const start = this.at;
      const key = this.item(depth + 1);
      keys.push(this.bytes.subarray(start, this.at));
      entries.push([key, this.item(depth + 1)]);
    }
    this.checkKeys(keys, begin);
    return entries;
  }

  /** Of several maps the one that begins first is told, also where another is within it. */
  private checkKeys(keys: Uint8Array[], begin: number): void {
    const ordered = this.options.anyOrder === true ? [...keys].sort(compare) : keys;
    const orders = ordered.slice(1).map((key, at) => compare(ordered[at]!, key));
    const isUnsorted = orders.some((order) => order > 0);
    if (!isUnsorted && !orders.includes(0)) return;
    if (this.keys !== null && this.keys.begin < begin) return;
    this.keys = { begin, why: isUnsorted ? 'map keys are not sorted' : 'a map key stands twice' };
  }

  private cut(): Malformed {
    return this.broken('it ends in the middle of an item');
  }

  private broken(why: string): Malformed {
    return new NotCbor(`${this.options.what} is not well-formed CBOR: ${why}; it was damaged or cut short, copy it again`);
  }

  private irregular(why: string): Malformed {
    return new NotCbor(
      `${this.options.what} is not deterministic CBOR (RFC 8949, section 4.2.1): ${why}; no Coldlog tool writes this`,
    );
  }

  private tooLarge(found: bigint): Malformed {
    const { what, limit } = this.options;
    const shown = found > LARGEST ? LARGEST : found;
    return new NotCbor(`${what} is ${shown} bytes long, and at most ${limit} are allowed: this is not such a file`);
  }
}
