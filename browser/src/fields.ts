// From CBOR items to the values of a format; each refusal says which field of what.

import { hex, utf8 } from './bytes.ts';
import type { Item } from './cbor.ts';
import { Malformed } from './errors.ts';
import { quoted } from './show.ts';

const LONGEST_SHOWN = 60;

/** What was found, in the words of a refusal. */
export function found(item: Item | undefined): string {
  if (item === undefined) return 'nothing';
  switch (item.type) {
    case 'int':
      return `${item.value}`;
    case 'bytes':
      return `${item.value.length} bytes`;
    case 'text': {
      const length = utf8(item.value).length;
      return length > LONGEST_SHOWN ? `a text of ${length} bytes` : quoted(item.value);
    }
    case 'array':
      return `an array of ${item.items.length}`;
    case 'map':
      return `a map of ${item.entries.length}`;
    case 'tag':
      return `tag ${item.number}`;
    case 'bool':
      return `${item.value}`;
    case 'null':
      return 'null';
  }
}

/** Fields of one format: `what` is its name in errors. */
export class Fields {
  constructor(readonly what: string) {}

  error(field: string, expected: string, item: Item | undefined): Malformed {
    return Malformed.field(this.what, field, expected, found(item));
  }

  uint(item: Item | undefined, field: string): bigint {
    if (item?.type === 'int' && item.value >= 0n) return item.value;
    throw this.error(field, 'an unsigned integer', item);
  }

  bytes(item: Item | undefined, field: string, limit: number): Uint8Array {
    if (item?.type === 'bytes' && item.value.length <= limit) return item.value;
    throw this.error(field, `a byte string of at most ${limit} bytes`, item);
  }

  /** Exactly so many bytes. */
  fixed(item: Item | undefined, field: string, length: number): Uint8Array {
    if (item?.type === 'bytes' && item.value.length === length) return item.value;
    throw this.error(field, `a byte string of ${length} bytes`, item);
  }

  hash(item: Item | undefined, field: string): Uint8Array {
    return this.fixed(item, field, 32);
  }

  text(item: Item | undefined, field: string, limit: number): string {
    if (item?.type === 'text' && utf8(item.value).length <= limit) return item.value;
    throw this.error(field, `a text of at most ${limit} bytes`, item);
  }

  array(item: Item | undefined, field: string, least: number, most: number): Item[] {
    if (item?.type === 'array' && item.items.length >= least && item.items.length <= most) return item.items;
    throw this.error(field, `an array of ${least} to ${most} items`, item);
  }

  bool(item: Item | undefined, field: string): boolean {
    if (item?.type === 'bool') return item.value;
    throw this.error(field, 'true or false', item);
  }

  hashes(item: Item | undefined, field: string, most: number): Uint8Array[] {
    return this.array(item, field, 0, most).map((one) => this.hash(one, field));
  }

  map(item: Item | undefined, field: string): [Item, Item][] {
    if (item?.type === 'map') return item.entries;
    throw this.error(field, 'a map', item);
  }
}

/** A map with text keys, of which each is taken once; what is left over is refused. */
export class TextMap {
  private readonly left: [Item, Item][];

  constructor(
    readonly fields: Fields,
    item: Item | undefined,
    field: string,
  ) {
    this.left = [...fields.map(item, field)];
  }

  /** The value of a key that must be there. */
  take(key: string): Item {
    const item = this.maybe(key);
    if (item === undefined) throw this.fields.error(key, 'present', undefined);
    return item;
  }

  maybe(key: string): Item | undefined {
    const at = this.left.findIndex(([name]) => name.type === 'text' && name.value === key);
    return at < 0 ? undefined : this.left.splice(at, 1)[0]![1];
  }

  uint(key: string): bigint {
    return this.fields.uint(this.take(key), key);
  }

  text(key: string, limit: number): string {
    return this.fields.text(this.take(key), key, limit);
  }

  /** Refuses keys that nobody took: a reader must not sign off on what it does not understand. */
  done(): void {
    const [other] = this.left;
    if (other !== undefined) throw this.fields.error('its map', 'only known keys', other[0]);
  }

  /** The version of a format's map; only the first is known. */
  version(key: string): void {
    const version = this.uint(key);
    if (version === 1n) return;
    throw new Malformed(
      `unsupported: ${this.fields.what} has version ${version}, and this program reads version 1; use a newer Coldlog`,
    );
  }
}

/** `Some(hex)` or `None`: how the programs show a hash that may be missing. */
export function maybeHash(hash: Uint8Array | null): string {
  return hash === null ? 'None' : `Some(${hex(hash)})`;
}
