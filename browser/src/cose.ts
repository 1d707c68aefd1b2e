// COSE_Sign1 (RFC 9052, sections 3, 4.2 and 4.4), always tagged.

import { concat } from './bytes.ts';
import { decodeCbor, type CborOptions, type Item } from './cbor.ts';
import { verifyEd25519 } from './ed25519.ts';
import { encodeArray, encodeBytes, encodeText } from './encode.ts';
import { Malformed } from './errors.ts';
import { Fields, found } from './fields.ts';

export const LABEL = {
  alg: 1n,
  crit: 2n,
  contentType: 3n,
  kid: 4n,
  claims: 15n,
  typ: 16n,
  payloadHash: 258n,
  preimageType: 259n,
  receipts: 394n,
  vds: 395n,
  proofs: 396n,
  position: -70001n,
  disclosure: -70002n,
  policy: -70003n,
  knownHead: -70004n,
  checkpoint: -70005n,
} as const;

export const EDDSA = -8n;
export const ED25519 = -19n;

const MAX_PROTECTED = 65_536;
const MAX_SIGNATURE = 8_192;
const MAX_NAME = 255;
const MAX_KID = 255;

/** Labels and values of a header, in the order of the file. */
export class Header {
  constructor(
    readonly fields: Fields,
    readonly entries: [bigint, Item][],
  ) {}

  static decode(fields: Fields, item: Item, field: string): Header {
    const entries = fields.map(item, field).map(([label, value]): [bigint, Item] => {
      if (label.type !== 'int' || BigInt.asIntN(64, label.value) !== label.value) throw fields.error(field, 'integer labels', label);
      return [label.value, value];
    });
    return new Header(fields, entries);
  }

  /** The same header, read as another format's. */
  as(what: string): Header {
    return new Header(new Fields(what), this.entries);
  }

  get(label: bigint): Item | undefined {
    return this.entries.find(([candidate]) => candidate === label)?.[1];
  }

  has(label: bigint): boolean {
    return this.get(label) !== undefined;
  }

  /** Refuses a label that is none of these. */
  only(field: string, expected: string, labels: readonly bigint[]): void {
    const other = this.entries.find(([label]) => !labels.includes(label));
    if (other !== undefined) throw Malformed.field(this.fields.what, field, expected, `label ${other[0]}`);
  }
}

export interface Sign1 {
  /** As received: what the signature covers. */
  protectedBytes: Uint8Array;
  protected: Header;
  unprotected: Header;
  payload: Uint8Array | null;
  signature: Uint8Array;
}

export function decodeSign1(bytes: Uint8Array, options: CborOptions): Sign1 {
  const fields = new Fields(options.what);
  const item = decodeCbor(bytes, options);
  if (item.type !== 'tag' || item.number !== 18n) throw fields.error('the outermost item', 'tag 18 (COSE_Sign1)', item);
  const [first, second, third, fourth] = fields.array(item.content, 'COSE_Sign1', 4, 4) as [Item, Item, Item, Item];
  const protectedBytes = fields.bytes(first, 'the protected header', MAX_PROTECTED);
  const protectedHeader = decodeProtected(protectedBytes, options, fields);
  const unprotected = Header.decode(fields, second, 'the unprotected header');
  for (const [label] of unprotected.entries) {
    if (protectedHeader.has(label)) throw Malformed.field(options.what, `label ${label}`, 'in one header', 'in both headers');
  }
  for (const header of [protectedHeader, unprotected]) {
    const crit = header.get(LABEL.crit);
    if (crit !== undefined) throw fields.error('crit (label 2)', 'absent: no critical header is known to us', crit);
  }
  if (third.type !== 'bytes' && third.type !== 'null') throw fields.error('the payload', 'a byte string or null', third);
  return {
    protectedBytes,
    protected: protectedHeader,
    unprotected,
    payload: third.type === 'bytes' ? third.value : null,
    signature: fields.bytes(fourth, 'the signature', MAX_SIGNATURE),
  };
}

/** An empty protected header is no bytes at all (RFC 9052, section 3). */
function decodeProtected(bytes: Uint8Array, options: CborOptions, fields: Fields): Header {
  if (bytes.length === 0) return new Header(fields, []);
  const item = decodeCbor(bytes, { ...options, limit: MAX_PROTECTED });
  if (item.type === 'map' && item.entries.length === 0) {
    throw Malformed.field(options.what, 'the empty protected header', 'a zero-length byte string (RFC 9052, section 3)', 'an encoded empty map');
  }
  return Header.decode(fields, item, 'the protected header');
}

/** The bytes that a signature covers (RFC 9052, section 4.4). */
export function signedBytes(protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array {
  return encodeArray([encodeText('Signature1'), encodeBytes(protectedBytes), encodeBytes(new Uint8Array()), encodeBytes(payload)]);
}

export function verifySign1(sign1: Sign1, payload: Uint8Array, key: Uint8Array): boolean {
  return verifyEd25519(key, signedBytes(sign1.protectedBytes, payload), sign1.signature);
}

/** The algorithm's number; a text names none of ours, nor does a number that no signed integer of 64 bits holds. */
export function numberOf(header: Header): bigint | null {
  const item = header.get(LABEL.alg);
  return item?.type === 'int' && BigInt.asIntN(64, item.value) === item.value ? item.value : null;
}

/** Whether the algorithm is Ed25519's, by either number. */
export function isEdDsa(header: Header): boolean {
  const number = numberOf(header);
  return number === EDDSA || number === ED25519;
}

/** alg and kid of a signed statement (RFC 9943, section 6). */
export function algorithmOf(header: Header): bigint {
  const number = numberOf(header);
  if (header.get(LABEL.alg) === undefined) {
    throw Malformed.field(header.fields.what, 'alg (label 1)', 'in the protected header (RFC 9943, section 6)', 'nothing');
  }
  if (number === null || (number !== EDDSA && number !== ED25519)) {
    throw header.fields.error('alg (label 1)', 'EdDSA (-8) or Ed25519 (-19)', header.get(LABEL.alg));
  }
  return number;
}

export function kidOf(header: Header): Uint8Array {
  const item = header.get(LABEL.kid);
  if (item === undefined) throw header.fields.error('kid (label 4)', 'in the protected header (RFC 9943, section 6)', item);
  return header.fields.bytes(item, 'kid (label 4)', MAX_KID);
}

export interface Claims {
  issuer: string;
  subject: string;
}

/** CWT claims (RFC 9597): who says it, and of what. Further claims are others' business. */
export function claimsOf(header: Header): Claims {
  const { fields } = header;
  const item = header.get(LABEL.claims);
  if (item === undefined) {
    throw fields.error('the CWT claims (label 15)', 'present, with issuer and subject (RFC 9943, section 6)', item);
  }
  const entries = fields.map(item, 'the CWT claims');
  return { issuer: claim(fields, entries, 1n, 'issuer'), subject: claim(fields, entries, 2n, 'subject') };
}

function claim(fields: Fields, entries: [Item, Item][], label: bigint, name: string): string {
  const item = entries.find(([key]) => found(key) === `${label}`)?.[1];
  if (item === undefined) throw fields.error(`the CWT ${name} (claim ${label})`, 'present (RFC 9943, section 6)', item);
  return fields.text(item, `the CWT ${name}`, MAX_NAME);
}

/** The entry of a log: the statement with an empty unprotected header. */
export function entryBytes(sign1: Sign1): Uint8Array {
  const payload = sign1.payload === null ? Uint8Array.of(0xf6) : encodeBytes(sign1.payload);
  const parts = [encodeBytes(sign1.protectedBytes), Uint8Array.of(0xa0), payload, encodeBytes(sign1.signature)];
  return concat(Uint8Array.of(0xd2), encodeArray(parts));
}
