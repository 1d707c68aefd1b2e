// Ways to change a file: as bytes, as CBOR, as lines of text.

import { concat, same, textOf, utf8 } from '../../src/bytes.ts';
import type { Item } from '../../src/cbor.ts';
import { array, bytes, decode, encode, inside, int, nothing, text, type Style } from './items.ts';
import type { Random } from './random.ts';

type Change = (data: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

const span = (data: Uint8Array, random: Random): [number, number] => {
  const start = random.below(data.length + 1);
  const length = random.chance(4) ? random.below(data.length - start + 1) : Math.min(random.below(40), data.length - start);
  return [start, start + length];
};

const BYTE_CHANGES: Change[] = [
  function flip(data, random) {
    const changed = data.slice();
    for (let n = random.chance(4) ? 3 : 1; n > 0 && data.length > 0; n -= 1) changed[random.below(data.length)]! ^= 1 << random.below(8);
    return changed;
  },
  function truncate(data, random) {
    return data.slice(0, random.below(data.length + 1));
  },
  function insert(data, random) {
    const at = random.below(data.length + 1);
    return concat(data.subarray(0, at), random.bytes(1 + random.below(4)), data.subarray(at));
  },
  function remove(data, random) {
    const [start, end] = span(data, random);
    return concat(data.subarray(0, start), data.subarray(end));
  },
  function swap(data, random) {
    const [start, end] = span(data, random);
    const middle = start + random.below(end - start + 1);
    return concat(data.subarray(0, start), data.subarray(middle, end), data.subarray(start, middle), data.subarray(end));
  },
  function duplicate(data, random) {
    const [start, end] = span(data, random);
    return concat(data.subarray(0, end), data.subarray(start, end), data.subarray(end));
  },
  function splice(data, random, other) {
    const [start, end] = span(data, random);
    const [from, to] = span(other, random);
    return concat(data.subarray(0, start), other.subarray(from, to), data.subarray(end));
  },
  function overwrite(data, random) {
    const changed = data.slice();
    const [start, end] = span(data, random);
    changed.fill(random.pick([0, 0xff, 0x20, 0x0a, random.below(256)]), start, end);
    return changed;
  },
];

export function changeBytes(data: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  return random.pick(BYTE_CHANGES)(data, random, other);
}

const TEXTS = ['', 'x', 'journal', 'one.example/log', 'rehearsal.invalid/x', 'a b', 'a+b', 'a\nb', '\u202e', '\u{1f600}', 'e\u0301', 'sshsig', 'minisign', 'genesis', '\u0000', 'q"\\\''];
const NUMBERS = [0n, 1n, -1n, 2n, 4n, 15n, 16n, 18n, 23n, 24n, 255n, 256n, 258n, 394n, 395n, 396n, -8n, -19n, -70001n, -70005n, 65_535n, 1n << 32n, (1n << 63n) - 1n, (1n << 64n) - 1n, -(1n << 63n), -(1n << 64n)];

function randomItem(random: Random, depth = 0): Item {
  switch (random.below(depth > 2 ? 6 : 9)) {
    case 0:
      return int(random.pick(NUMBERS));
    case 1:
      return bytes(random.bytes(random.pick([0, 1, 31, 32, 33, 64])));
    case 2:
      return text(random.pick(TEXTS));
    case 3:
      return { type: 'bool', value: random.chance(2) };
    case 4:
      return nothing;
    case 5:
      return text('a'.repeat(random.pick([32, 33, 60, 61, 255, 256, 4096, 4097])));
    case 6:
      return array(...Array.from({ length: random.below(4) }, () => randomItem(random, depth + 1)));
    case 7:
      return { type: 'map', entries: Array.from({ length: random.below(3) }, () => [randomItem(random, depth + 1), randomItem(random, depth + 1)]) };
    default:
      return { type: 'tag', number: random.pick([0n, 2n, 16n, 18n, 24n, 61n]), content: randomItem(random, depth + 1) };
  }
}

/** A place in the tree, by what way it is reached, and how to put something else there. */
interface Place {
  item: Item;
  way: string[];
  put(item: Item): void;
}

/** All places, also those within byte strings that hold CBOR. */
function places(root: Item, put: (item: Item) => void, way: string[] = []): Place[] {
  const all: Place[] = [{ item: root, way, put }];
  const add = (item: Item, step: string, into: (item: Item) => void): void => void all.push(...places(item, into, [...way, step]));
  if (root.type === 'array') root.items.forEach((item, at) => add(item, `${at}`, (one) => (root.items[at] = one)));
  if (root.type === 'tag') add(root.content, 'tag', (one) => (root.content = one));
  if (root.type === 'map') {
    root.entries.forEach((entry) => {
      const [key] = entry;
      const name = key.type === 'int' || key.type === 'text' ? `${key.value}` : key.type;
      all.push({ item: key, way: [...way, `key ${name}`], put: (one) => (entry[0] = one) });
      add(entry[1], name, (one) => (entry[1] = one));
    });
  }
  const inner = isContainer(root) ? inside(root) : null;
  if (root.type === 'bytes' && inner !== null && (inner.type === 'map' || inner.type === 'array' || inner.type === 'tag')) {
    const target = root;
    const within = [...way, 'bytes'];
    for (const place of places(inner, (one) => (target.value = encode(one)), within).slice(1)) {
      all.push({
        ...place,
        put: (one) => {
          place.put(one);
          target.value = encode(inner);
        },
      });
    }
    all.push({ item: inner, way: within, put: (one) => (target.value = encode(one)) });
  }
  return all;
}

/** Whether a byte string begins as an array, a map or a tag does. */
function isContainer(item: Item): boolean {
  const major = item.type === 'bytes' ? (item.value[0] ?? 0) >> 5 : 0;
  return major >= 4 && major <= 6;
}

function near(value: bigint, random: Random): bigint {
  return value + random.pick([1n, -1n, 2n, 256n, -value, -2n * value, 1n << 33n]);
}

/** One change of one item; a change of what is within a container changes the container. */
function changeItem(place: Place, random: Random, all: Place[]): void {
  const { item } = place;
  const how = random.below(10);
  if (how === 0) return place.put(randomItem(random));
  if (how === 1) return place.put(structuredClone(random.pick(all).item));
  switch (item.type) {
    case 'int':
      return place.put(int(near(item.value, random)));
    case 'bytes':
      return place.put(bytes(isText(item.value) && random.chance(2) ? changeLines(item.value, random) : changeBytes(item.value, random, item.value)));
    case 'text':
      return place.put(text(random.pick([`${item.value}x`, item.value.slice(1), item.value.toUpperCase(), ...TEXTS])));
    case 'array': {
      const items = [...item.items];
      changeList(items, random, () => randomItem(random));
      return place.put({ type: 'array', items });
    }
    case 'map': {
      const entries = [...item.entries];
      changeList(entries, random, () => [int(random.pick(NUMBERS)), randomItem(random)] as [Item, Item]);
      return place.put({ type: 'map', entries });
    }
    case 'tag':
      return place.put({ type: 'tag', number: random.pick([0n, 17n, 18n, 98n]), content: item.content });
    default:
      return place.put(randomItem(random));
  }
}

function changeList<T>(list: T[], random: Random, make: () => T): void {
  const at = random.below(list.length + 1);
  const how = random.below(4);
  if (how === 0 || list.length === 0) list.splice(at, 0, make());
  else if (how === 1) list.splice(at % list.length, 1);
  else if (how === 2) list.splice(at, 0, structuredClone(random.pick(list)));
  else list.push(...list.splice(at % list.length, 1));
}

function isText(data: Uint8Array): boolean {
  return data.length > 20 && textOf(data)?.includes('\n') === true;
}

/** Changes an item in place, so that what is signed over it can be made anew. */
export function changeWithin(root: Item, random: Random): void {
  const all = places(root, () => undefined).slice(1);
  if (all.length > 0) changeItem(random.pick(all), random, all);
}

export function changeCbor(data: Uint8Array, random: Random): Uint8Array {
  let root: Item;
  try {
    root = decode(data);
  } catch {
    return data;
  }
  for (let n = random.chance(5) ? 2 : 1; n > 0; n -= 1) {
    const all = places(root, (item) => (root = item));
    changeItem(random.pick(all), random, all);
  }
  const style: Style = random.chance(12) ? { unsorted: true } : random.chance(12) ? { long: () => random.chance(20) } : {};
  return encode(root, style);
}

/** How deep a part of a proof may be to count as one that is exchanged whole: a receipt, a header, the disclosure. */
const PART = 5;

/**
 * Items of one file in the place of items of another: mostly of what stands at the same place there, so that each part is
 * valid by itself, and the whole is not.
 */
export function spliceCbor(data: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let root = decode(data);
  const theirs = places(decode(other), () => undefined);
  const take = (): void => {
    const all = places(root, (item) => (root = item)).slice(1);
    const parts = random.chance(2) ? all.filter(({ way }) => way.length <= PART) : all;
    const place = random.pick(parts);
    const way = place.way.join('/');
    const sameWay = theirs.filter((one) => one.way.join('/') === way);
    const isAnywhere = random.chance(6) || sameWay.length === 0;
    const from = isAnywhere ? theirs.filter(({ item }) => item.type === place.item.type) : sameWay;
    if (from.length > 0) place.put(structuredClone(random.pick(from).item));
  };
  for (let n = random.pick([1, 1, 2, 3]); n > 0; n -= 1) take();
  // Much is the same in both: what was exchanged may have changed nothing.
  for (let n = 0; n < 20 && same(encode(root), data); n += 1) take();
  return encode(root);
}

const WORDS = ['log', 'witness', 'group', 'quorum', 'none', 'any', 'all', '0', '1', '2', '01', '+1', '18446744073709551616', 'until', 'now', '#', '', 'é', '\u00a0', 'a\u2028b', '\u202e', 'key', 'policy', 'version', '—', 'coldlog-policies/1', 'coldlog-root/v1', '\t', '\r'];

export function changeLines(data: Uint8Array, random: Random): Uint8Array {
  const whole = textOf(data);
  if (whole === null) return changeBytes(data, random, data);
  const lines = whole.split('\n');
  const at = random.below(lines.length);
  const words = lines[at]!.split(' ');
  const word = random.below(words.length);
  switch (random.below(9)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(random.below(lines.length + 1), 0, lines[at]!);
      break;
    case 2:
      lines.splice(random.below(lines.length), 0, ...lines.splice(at, 1));
      break;
    case 3:
      words.splice(word, 1);
      lines[at] = words.join(' ');
      break;
    case 4:
      words[word] = random.pick(WORDS);
      lines[at] = words.join(' ');
      break;
    case 5:
      words.splice(word, 0, random.pick(WORDS));
      lines[at] = words.join(random.pick([' ', ' ', '  ', '\t']));
      break;
    case 6:
      words[word] = random.pick(random.pick(lines).split(' '));
      lines[at] = words.join(' ');
      break;
    case 7:
      return changeBytes(data, random, data);
    default:
      lines.splice(at, 0, random.pick(WORDS));
  }
  return utf8(lines.join('\n'));
}
