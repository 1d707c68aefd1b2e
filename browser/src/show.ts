// How values are shown to people: texts out of files without what steers a terminal or turns the reading direction.

// Controls, the Arabic letter mark, and all that is invisible, joins or turns text: two texts must not look alike
// because of them.
const STEERING = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069]/gu;

function escaped(character: string): string {
  if (character === '\n') return '\\n';
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/** A text out of a file, as part of a sentence. */
export function shown(text: string): string {
  return text.replace(STEERING, escaped);
}

/** In JSON the same characters are escaped as JSON does. */
export function jsonSafe(json: string): string {
  return json.replace(STEERING, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

// What has no form of its own on a screen: controls, formats, private use, unassigned, separators but the space, and
// marks that would change the character before.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}|\p{Grapheme_Extend}/gu;
const NAMED = new Map([
  ['\0', '\\0'],
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\r', '\\r'],
]);

/** A text in double quotes, escaped so that it can be read back: the programs' form of "found". */
export function quoted(text: string): string {
  const inner = text
    .replace(/["\\]/g, '\\$&')
    .replace(UNPRINTABLE, (character) => NAMED.get(character) ?? escaped(character));
  return `"${inner}"`;
}

const LAST_SECOND = 253_402_300_799n;

/** POSIX seconds as `2026-01-31T12:00:00Z`; what is later than the year 9999 is shown as its last second. */
export function time(seconds: bigint): string {
  const shownSeconds = seconds > LAST_SECOND ? LAST_SECOND : seconds;
  return new Date(Number(shownSeconds) * 1000).toISOString().replace('.000Z', 'Z');
}

/** `one`, `one and two`, `one, two and three`. */
export function listed(names: string[]): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
