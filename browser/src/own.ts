// What a log says of itself (formats/rules.md). It commits to no record, so no document is proven by it; it is read
// as far as telling a malformed file from a statement of the wrong kind.

import { textOf } from './bytes.ts';
import { decodeCbor } from './cbor.ts';
import { Malformed } from './errors.ts';
import { Fields, TextMap } from './fields.ts';
import { quoted } from './show.ts';

export const RULES_TYPE = 'application/vnd.coldlog.rules';
export const RESEAL_TYPE = 'application/vnd.coldlog.reseal+cbor';
const MAX_RULES = 64_000;
const MAX_TEXT = 4_096;

const FORMS =
  'expected `signer NAME JOURNAL FINGERPRINT`, `largest-statement BYTES`, `largest-sealed BYTES`, `require known-head`, ' +
  '`require recipient AGE1...` or a comment, with one space between';

function wrong(line: number, why: string): Malformed {
  return new Malformed(
    `admission rules is not well-formed CBOR: line ${line} of the rules: ${why}; it was damaged or cut short, copy it again`,
  );
}

export function checkRules(bytes: Uint8Array): void {
  if (bytes.length > MAX_RULES) throw wrong(1, `the file has ${bytes.length} bytes, at most ${MAX_RULES}`);
  const text = textOf(bytes);
  if (text === null) throw wrong(1, 'the file is not UTF-8');
  const lines = text.split('\n');
  if (lines.at(-1) !== '') throw wrong(lines.length, 'no newline at its end');
  const said = new Set<string>();
  lines.slice(0, -1).forEach((line, at) => {
    if (/\p{Cc}/u.test(line)) throw wrong(at + 1, 'a control character');
    if (at === 0) {
      if (line !== 'coldlog-rules/1') throw wrong(1, `expected \`coldlog-rules/1\`, found ${quoted(line)}`);
      return;
    }
    if (line === '' || line.startsWith('#')) return;
    const key = keyOfRule(line, at + 1);
    if (said.has(key)) throw wrong(at + 1, 'said twice');
    said.add(key);
  });
}

/** What a line is about: said twice, it is refused. */
function keyOfRule(line: string, number: number): string {
  const words = line.split(' ');
  const [word, first, second, third] = words;
  if (word === 'signer' && words.length === 4 && first && second && /^[0-9a-f]{64}$/.test(third!)) return `${word} ${first} ${second}`;
  if ((word === 'largest-statement' || word === 'largest-sealed') && words.length === 2) {
    const value = /^[1-9][0-9]{0,4}$/.test(first!) ? Number(first) : 0;
    if (value < 1 || value > 65_535) throw wrong(number, `expected a number of bytes from 1 to 65535, found ${quoted(first!)}`);
    return word;
  }
  if (line === 'require known-head') return line;
  if (word === 'require' && first === 'recipient' && words.length === 3 && second!.startsWith('age1')) return line;
  throw wrong(number, `${FORMS}, found ${quoted(line)}`);
}

export function checkReseal(bytes: Uint8Array): void {
  const fields = new Fields('reseal');
  const map = new TextMap(fields, decodeCbor(bytes, { what: 'reseal', limit: 65_535 }), 'the map');
  map.version('v');
  const from = map.uint('from');
  const to = map.uint('to');
  map.text('by', MAX_TEXT);
  map.text('purpose', MAX_TEXT);
  for (const recipient of fields.array(map.take('recipients'), 'recipients', 1, 64)) {
    fields.text(recipient, 'recipients', MAX_TEXT);
  }
  map.done();
  if (from >= to) throw Malformed.field('reseal', 'from, to', 'a range that is not empty', `${from} to ${to}`);
}
