// Remembers the answers of pure functions, for the differential test alone: build.mjs puts this before src/ed25519.ts and
// src/mldsa.ts in that one script, and nowhere else. Most of what a mutated file holds is unchanged, and its signatures are
// those of the file before. An answer is found by the digests of all arguments, so what was changed in any of them is
// computed. The functions themselves are tested by vectors (vectors.test.ts), without this, and so is the page.

import { hash } from 'node:crypto';

/** Of a hundred bytes each. */
const MOST = 200_000;

export function remembered<Given extends Uint8Array[]>(compute: (...given: Given) => boolean): (...given: Given) => boolean {
  const answers = new Map<string, boolean>();
  return (...given) => {
    // Of fixed length each, so that no two questions are one text.
    const question = given.map((part) => hash('sha256', part, 'base64')).join('');
    const known = answers.get(question);
    if (known !== undefined) return known;
    const answer = compute(...given);
    if (answers.size >= MOST) answers.clear();
    answers.set(question, answer);
    return answer;
  };
}
