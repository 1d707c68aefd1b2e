// Merkle trees (RFC 6962, section 2.1): where a path of hashes leads.

import { concat, sha256 } from './bytes.ts';
import { Refused } from './errors.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(concat(LEAF, entry));
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concat(NODE, left, right));
}

/** How many hashes lead from the leaf `index` to the root of a tree of `size`. */
function pathLength(index: bigint, size: bigint): number {
  let length = 0;
  let last = size - 1n;
  for (let at = index; last > 0n; at >>= 1n, last >>= 1n) {
    // At the right edge a node without a sibling rises as it is.
    if ((at & 1n) === 1n || at < last) length += 1;
  }
  return length;
}

/** The root to which the path leads (RFC 9162, section 2.1.3.2). */
export function rootOf(leaf: Uint8Array, index: bigint, size: bigint, path: Uint8Array[]): Uint8Array {
  if (index >= size) throw new Refused(`leaf index ${index} is not in a tree of ${size} entries`);
  const expected = pathLength(index, size);
  if (path.length !== expected) {
    throw new Refused(`the path has ${path.length} hashes, and the sizes demand ${expected}`);
  }
  let hash = leaf;
  let next = 0;
  let last = size - 1n;
  for (let at = index; last > 0n; at >>= 1n, last >>= 1n) {
    if ((at & 1n) === 1n) hash = nodeHash(path[next++]!, hash);
    else if (at < last) hash = nodeHash(hash, path[next++]!);
  }
  return hash;
}
