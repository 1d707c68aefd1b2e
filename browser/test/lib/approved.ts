// Approvals under keys of our own, changed before they are signed, in a proof whose record carries them.

import type { Item } from '../../src/cbor.ts';
import { thumbprint } from '../../src/ed25519.ts';
import { leafHash } from '../../src/merkle.ts';
import { concat, utf8 } from '../../src/bytes.ts';
import { edKey, forge, path, root, sign1, type Ed, type Plan } from './forge.ts';
import { array, bytes, copy, encode, get, int, map, set, text } from './items.ts';
import { changeWithin } from './mutate.ts';
import type { Random } from './random.ts';
import type { Question } from './rust.ts';
import { changePlan, planOf } from './seeds.ts';

const TYPE = 'application/vnd.coldlog.approval+cbor';

/**
 * All of one request: of two requests the page says that a record is "refused, or found wanting by the auditor", and the
 * programs differ in which of them it is.
 */
export function forgedApprovals(random: Random): Question {
  const plan = planOf(random, edKey(random));
  const document = get(plan.record, 'document');
  const requested = array(...['name', 'version', 'size', 'sha256'].map((name) => get(document, name)));
  const leaves = Array.from({ length: 1 + random.below(4) }, () => random.bytes(32));
  const index = random.below(leaves.length);
  leaves[index] = leafHash(encode(requested));
  const terms = termsOf(plan, leaves, random);
  const approvers = Array.from({ length: 1 + random.below(3) }, () => edKey(random));
  if (random.chance(12)) approvers.push(approvers[0]!);
  set(plan.record, 'approvals', array(...approvers.map((by) => bytes(approval(plan, terms, by, random)))));
  const place = random.chance(12) ? random.below(5) : index;
  set(plan.record, 'approved', array(int(place), array(...path(leaves, index).map(bytes))));
  if (random.chance(6)) changeWithin(plan.record, random);
  if (random.chance(12)) changePlan(plan, random);
  const given = random.chance(30) ? concat(plan.document, utf8('x')) : plan.document;
  return { document: given, proof: forge(plan).proof, policy: utf8(plan.policy) };
}

/** What all approvals of the request say. */
function termsOf({ record }: Plan, leaves: Uint8Array[], random: Random): Item[] {
  const other = (item: Item): Item => (random.chance(15) ? text('another') : item);
  const expires = random.pick([0n, 1_795_000_000n, (1n << 64n) - 1n, (1n << 64n) - 1n, (1n << 64n) - 1n]);
  return [
    bytes(random.bytes(32)),
    bytes(random.bytes(32)),
    other(get(record, 'operator')),
    other(get(record, 'purpose')),
    int(1_795_000_000),
    int(expires),
    int(leaves.length),
    bytes(root(leaves)),
  ];
}

function approval(plan: Plan, terms: Item[], by: Ed, random: Random): Uint8Array {
  const isChanged = random.chance(5);
  const header = map({ 1: int(random.chance(10) ? -19 : -8), 4: bytes(thumbprint(by.public)), 15: copy(plan.claims), 16: text(TYPE) });
  if (isChanged && random.chance(2)) changeWithin(header, random);
  const own = array(bytes(by.public), int(1_795_000_000), { type: 'bool', value: random.chance(2) });
  // Of one request still: what is changed is the approver's own part.
  if (isChanged && random.chance(2)) changeWithin(own, random);
  const unprotected = isChanged && random.chance(4) ? map({ [random.pick([4, 77])]: bytes(random.bytes(3)) }) : map({});
  const payload = { type: 'array' as const, items: [...terms.map(copy), ...(own.type === 'array' ? own.items : [])] };
  const signer = random.chance(20) ? edKey(random) : by;
  return encode(sign1(header, unprotected, encode(payload), signer));
}
