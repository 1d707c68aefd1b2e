// The life of a journal's keys under keys of our own: events that are signed after they were changed, in a log whose head
// leads to them, and a proof of one record of that journal.

import { hex, sha256, utf8 } from '../../src/bytes.ts';
import { thumbprint } from '../../src/ed25519.ts';
import { KEY_EVENT_TYPE } from '../../src/key-event.ts';
import { leafHash } from '../../src/merkle.ts';
import { checkpoint, edKey, forge, path, root, sign1, type Ed } from './forge.ts';
import { array, bytes, encode, int, map, nothing, text } from './items.ts';
import type { Item } from '../../src/cbor.ts';
import { changeCbor, changeWithin } from './mutate.ts';
import type { Random } from './random.ts';
import type { Question } from './rust.ts';
import { changePlan, planOf } from './seeds.ts';

const ISSUER = 'signer.example/x';
const SUBJECT = 'journal';
const ROTATION_TYPE = 'application/vnd.coldlog.rotation+cbor';
const STEPS = ['rotation', 'rotation', 'change', 'revocation', 'revocation', 'retirement', 'outside', 'outside', 'record', 'genesis'] as const;

/** What is signed next, and by whom. */
class Life {
  readonly statements: Uint8Array[] = [];
  /** Each key with the first number that it signs. */
  readonly keys: { key: Ed; from: number }[] = [];
  next = 0;

  constructor(
    private readonly random: Random,
    /** The event that is changed before it is signed. */
    private readonly changed: number,
  ) {}

  grow(): void {
    const { random } = this;
    const first = edKey(random);
    this.keys.push({ key: first, from: 0 });
    this.log('genesis', { key: bytes(first.public), recipients: array(text('age1x')) }, first);
    for (let n = random.below(5); n > 0; n -= 1) this.step(random.pick(STEPS));
  }

  /** The key in force at a number. */
  at(sequence: number): Ed {
    return this.keys.filter(({ from }) => from <= sequence).at(-1)!.key;
  }

  private step(step: (typeof STEPS)[number]): void {
    const { random } = this;
    const had = random.chance(12) ? edKey(random) : random.pick(this.keys).key;
    const inForce = this.keys.at(-1)!.key;
    const by = random.chance(12) ? had : inForce;
    switch (step) {
      case 'rotation':
        return this.rotate(inForce, by);
      case 'change':
        return this.log(step, { recipients: array(text('age1y')) }, by);
      case 'revocation':
        return this.log(step, { key: bytes(had.public), since: this.since() }, by);
      case 'retirement':
        return this.log(step, { key: bytes(random.chance(4) ? had.public : inForce.public) }, by);
      case 'outside':
        return this.revokeOutside(had);
      case 'genesis':
        return this.log(step, { key: bytes(had.public), recipients: array(text('age1x')) }, by, random.chance(3) ? 0 : this.next);
      case 'record':
        this.next += 1;
    }
  }

  private rotate(old: Ed, by: Ed): void {
    const key = this.random.chance(12) ? this.random.pick(this.keys).key : edKey(this.random);
    const previous = this.random.bytes(32);
    const header = map({ 1: int(-8), 4: bytes(thumbprint(key.public)), 15: claims(SUBJECT), 16: text(ROTATION_TYPE) });
    if (this.random.chance(10)) changeWithin(header, this.random);
    const covered = encode(array(bytes(old.public), bytes(key.public), int(this.next), bytes(previous)));
    const accepted = encode(sign1(header, map({}), null, this.random.chance(15) ? old : key, covered));
    this.log('rotation', { key: bytes(key.public), accepted: bytes(accepted) }, by, this.next, previous);
    this.keys.push({ key, from: this.next });
  }

  private revokeOutside(had: Ed): void {
    const since = this.since();
    const bound = since.type === 'array' && since.items.length > 1 ? `.${digits(encode(since))}` : '';
    const subject = `${SUBJECT}.revocation.${hex(thumbprint(had.public)).slice(0, 16)}${bound}`;
    const event = { key: bytes(had.public), since };
    this.log('revocation', event, had, 0, undefined, this.random.chance(15) ? `${SUBJECT}.revocation.0` : subject);
  }

  private since(): Item {
    const { random } = this;
    switch (random.below(4)) {
      case 0:
        return array(text('publication'));
      case 1:
        return array(text('record'), int(random.below(this.next + 2)));
      case 2:
        return array(text('time'), int(1_795_000_000 + random.below(60)));
      default:
        return array(text('head'), text(random.chance(5) ? 'other.example/l' : 'log.example/l'), int(random.below(8)), bytes(random.bytes(32)));
    }
  }

  private log(event: string, fields: Record<string, Item>, by: Ed, sequence = this.next, previous = this.random.bytes(32), subject = SUBJECT): void {
    const isChanged = this.statements.length === this.changed;
    const payload = map({ v: int(1), event: text(event), ...fields, commitment: bytes(this.random.bytes(32)) });
    if (isChanged && this.random.chance(2)) changeWithin(payload, this.random);
    const header = map({
      1: int(-8),
      3: text(KEY_EVENT_TYPE),
      4: bytes(thumbprint(by.public)),
      15: claims(subject),
      '-70001': array(int(sequence), sequence === 0 ? nothing : bytes(previous), nothing),
    });
    if (isChanged && this.random.chance(2)) changeWithin(header, this.random);
    this.statements.push(encode(sign1(header, map({}), encode(payload), by)));
    if (subject === SUBJECT && sequence === this.next) this.next += 1;
  }
}

const claims = (subject: string): Item => map({ 1: text(ISSUER), 2: text(subject) });
const digits = (data: Uint8Array): string => hex(sha256(data)).slice(0, 16);

/** A record somewhere in such a journal, and the file of its key events. */
export function forgedLife(random: Random): Question {
  const life = new Life(random, random.below(6));
  life.grow();
  const sequence = 1 + random.below(life.next + 1);
  const plan = planOf(random, random.chance(8) ? random.pick(life.keys).key : life.at(sequence));
  plan.claims = map({ 1: text(ISSUER), 2: text(SUBJECT) });
  plan.position = array(int(sequence), bytes(random.bytes(32)), nothing);
  plan.earlier = null;
  const place = random.chance(3) ? random.below(life.statements.length + 1) : Math.min(sequence, life.statements.length);
  const leaves = life.statements.map(leafHash);
  plan.before = leaves.slice(0, place);
  plan.after = leaves.slice(place);
  if (random.chance(12)) changePlan(plan, random);
  const { proof, leaves: tree } = forge(plan);
  // As of a head that came later, or of the proof's own.
  const later = random.chance(2) ? [...tree, random.bytes(32)] : tree;
  const isShort = random.chance(15);
  const all = isShort ? later.slice(0, Math.max(1, random.below(later.length))) : later;
  const keyEvents = eventsFile(life, all, plan, place, random);
  return { document: plan.document, proof, policy: utf8(plan.policy), keyEvents: random.chance(12) ? changeCbor(keyEvents, random) : keyEvents };
}

function eventsFile(life: Life, tree: Uint8Array[], { origin, signers }: { origin: string; signers: Parameters<typeof checkpoint>[3] }, place: number, random: Random): Uint8Array {
  const head = checkpoint(origin, BigInt(tree.length), root(tree), signers.filter(() => !random.chance(25)));
  const events = life.statements.flatMap((statement, at) => {
    const index = at < place ? at : at + 1;
    return index < tree.length ? [array(bytes(statement), int(index), array(...path(tree, index).map(bytes)))] : [];
  });
  return encode(array(text('coldlog-key-events'), int(1), bytes(head), array(...events)));
}
