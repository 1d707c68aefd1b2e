// The kinds of questions that the differential test asks, and the question of each number.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { same } from '../../src/bytes.ts';
import { changeBytes, changeCbor, changeLines, spliceCbor } from './mutate.ts';
import { Random } from './random.ts';
import type { Question } from './rust.ts';
import { forgedApprovals } from './approved.ts';
import { forgedLife } from './life.ts';
import { forged, world } from './seeds.ts';

/** `forged` stands twice: it reaches what lies behind the signatures. */
const MIX = ['bytes', 'cbor', 'policy', 'forged', 'forged', 'mixed', 'twice', 'spliced', 'signature', 'events', 'life', 'approved'] as const;
export type Kind = (typeof MIX)[number];
export const KINDS: Kind[] = [...new Set(MIX)];

export interface Numbered {
  kind: Kind;
  asked: Question;
}

/** Gives the question of a number: the same one for the same world, whoever asks and whatever was asked before. */
export function questions(seed: number, only: Kind | undefined): (number: number) => Numbered {
  const seeds = new Seeds();
  return (number) => {
    // Modulo 2^32 exactly, however large the seed is: each number has a state of its own.
    const random = new Random(Math.imul(seed * 1_000_003 + number, 2_654_435_761));
    for (let warm = 0; warm < 4; warm += 1) random.next();
    const kind = only ?? random.pick(MIX);
    return { kind, asked: seeds.question(kind, random) };
  };
}

/** Files of the world that questions begin with. */
class Seeds {
  private readonly plain: Question[];
  private readonly signed: Question[];
  private readonly withEvents: Question[];
  private readonly proofs: Uint8Array[] = [];
  private readonly signatures: Uint8Array[];

  constructor() {
    const { folder, cases } = world();
    const file = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));
    const parts = ({ document, proof, policy }: Question): Question => ({ document, proof, policy });
    // Further arguments are compared as they are, in cases.test.ts.
    this.plain = cases.filter((one) => one.args.length === 0).map(parts);
    this.signed = cases.filter((one) => one.args[0] === '--signature').map((one) => ({ ...parts(one), signature: file(one.args[1]!) }));
    this.withEvents = cases
      .filter((one) => one.args[0] === '--key-events' && one.args.length === 2)
      .map((one) => ({ ...parts(one), keyEvents: file(one.args[1]!) }));
    this.signatures = ['app.txt.sig', 'tool.bin.minisig', 'empty.sig'].map(file);
    for (const { proof } of cases) {
      if (!this.proofs.some((one) => same(one, proof))) this.proofs.push(proof);
    }
  }

  question(kind: Kind, random: Random): Question {
    const seed = random.pick(this.plain);
    const other = random.pick(this.plain);
    switch (kind) {
      case 'bytes':
        return { ...seed, proof: changeBytes(seed.proof, random, other.proof) };
      case 'cbor':
        return { ...seed, proof: changeCbor(seed.proof, random) };
      case 'policy':
        return { ...seed, policy: changeLines(random.chance(3) ? changeLines(seed.policy, random) : seed.policy, random) };
      case 'mixed':
        return { document: random.chance(9) ? other.document : seed.document, proof: seed.proof, policy: other.policy };
      case 'spliced':
        return { ...seed, proof: spliceCbor(seed.proof, this.anotherThan(seed.proof, random), random) };
      case 'signature': {
        const signed = random.pick(this.signed);
        return { ...signed, signature: this.changedSignature(random.pick(this.signatures), random) };
      }
      case 'events': {
        const one = random.pick(this.withEvents);
        return { ...one, keyEvents: changeCbor(one.keyEvents!, random) };
      }
      case 'twice':
        return this.twice(random);
      case 'forged':
        return forged(random);
      case 'approved':
        return forgedApprovals(random);
      case 'life':
        return forgedLife(random);
    }
  }

  /** Two things at once, in one file or in two: which of the two is told is a question of order. */
  private twice(random: Random): Question {
    if (random.chance(3)) return forged(random, 2);
    const question = { ...random.pick(random.pick([this.plain, this.signed, this.withEvents])) };
    const given = ['document', 'proof', 'proof', 'policy', 'signature', 'keyEvents'] as const;
    for (let n = 0; n < 2; n += 1) {
      const part = random.pick(given.filter((name) => question[name] !== undefined));
      question[part] = this.changed(part, question[part]!, random);
    }
    return question;
  }

  private changed(part: keyof Question, bytes: Uint8Array, random: Random): Uint8Array {
    const other = random.pick(this.plain);
    switch (part) {
      case 'document':
        return random.chance(2) ? other.document : changeBytes(bytes, random, other.document);
      case 'policy':
        return random.chance(4) ? other.policy : changeLines(bytes, random);
      case 'signature':
        return this.changedSignature(bytes, random);
      case 'keyEvents':
        return changeCbor(bytes, random);
      case 'proof':
        return random.chance(4) ? changeBytes(bytes, random, other.proof) : changeCbor(bytes, random);
    }
  }

  private changedSignature(bytes: Uint8Array, random: Random): Uint8Array {
    return random.chance(3) ? changeBytes(bytes, random, random.pick(this.plain).proof) : changeLines(bytes, random);
  }

  private anotherThan(proof: Uint8Array, random: Random): Uint8Array {
    return random.pick(this.proofs.filter((one) => !same(one, proof)));
  }
}
