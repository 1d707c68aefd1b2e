// A world whose keys the test has: whatever is changed is signed again, so that each refusal behind the signatures is
// reached, and each acceptance is of something that no program of ours wrote.

import { createPrivateKey, createPublicKey, sign as signWith, type KeyObject } from 'node:crypto';
import { sha512 } from '@noble/hashes/sha2.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { base64, concat, sha256, u64, utf8 } from '../../src/bytes.ts';
import type { Item } from '../../src/cbor.ts';
import { signedBytes } from '../../src/cose.ts';
import { thumbprint } from '../../src/ed25519.ts';
import { leafHash } from '../../src/merkle.ts';
import { subtreeMessage } from '../../src/note.ts';
import { array, bytes, encode, int, map, nothing, text } from './items.ts';
import type { Random } from './random.ts';

export interface Ed {
  private: KeyObject;
  public: Uint8Array;
}

/** PKCS #8 of an Ed25519 key (RFC 8410), up to its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Node.js signs here, not the package that verifies: the same bytes (RFC 8032), by other hands and fifty times faster. */
const KEYS = 1_024;
const known = new Map<number, Ed>();

/** One of so many keys: rarely the same one twice in a world, and then it is a case as well. */
export function edKey(random: Random): Ed {
  const number = random.below(KEYS);
  const key = known.get(number) ?? edKeyOf(sha256(utf8(`Ed25519 key ${number}`)));
  known.set(number, key);
  return key;
}

function edKeyOf(secret: Uint8Array): Ed {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, secret]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return { private: key, public: new Uint8Array(spki.subarray(-32)) };
}

export const sign = (key: Ed, message: Uint8Array): Uint8Array => new Uint8Array(signWith(null, message, key.private));

export interface NoteKey {
  name: string;
  type: number;
  public: Uint8Array;
  /** What the signature line holds after the key id. */
  sign(text: string, tree: { origin: string; size: bigint; root: Uint8Array }, time: bigint): Uint8Array;
}

export function logKey(name: string, key: Ed): NoteKey {
  return { name, type: 1, public: key.public, sign: (text) => sign(key, utf8(text)) };
}

export function cosigner(name: string, key: Ed): NoteKey {
  return {
    name,
    type: 4,
    public: key.public,
    sign: (text, _tree, time) => concat(u64(time), sign(key, utf8(`cosignature/v1\ntime ${time}\n${text}`))),
  };
}

const QUANTUM_KEYS = 16;
const quantum = new Map<number, ReturnType<typeof ml_dsa44.keygen>>();

/** Hedged signatures would make other files of the same seed. */
const DETERMINISTIC = { extraEntropy: false } as const;

export function quantumKey(name: string, random: Random): NoteKey {
  const number = random.below(QUANTUM_KEYS);
  const { publicKey, secretKey } = quantum.get(number) ?? ml_dsa44.keygen(sha256(utf8(`ML-DSA key ${number}`)));
  quantum.set(number, { publicKey, secretKey });
  return {
    name,
    type: 6,
    public: publicKey,
    sign: (_text, tree, time) => concat(u64(time), ml_dsa44.sign(subtreeMessage(name, time, tree), secretKey, DETERMINISTIC)),
  };
}

function keyId(key: NoteKey): Uint8Array {
  return sha256(concat(utf8(key.name), Uint8Array.of(10, key.type), key.public)).subarray(0, 4);
}

export function vkey(key: NoteKey): string {
  const id = Buffer.from(keyId(key)).toString('hex');
  return `${key.name}+${id}+${base64(concat(Uint8Array.of(key.type), key.public))}`;
}

export interface Signer {
  key: NoteKey;
  time: bigint;
}

export function note(text: string, tree: { origin: string; size: bigint; root: Uint8Array }, signers: Signer[]): Uint8Array {
  const lines = signers.map(
    ({ key, time }) => `\u2014 ${key.name} ${base64(concat(keyId(key), key.sign(text, tree, time)))}\n`,
  );
  return utf8(`${text}\n${lines.join('')}`);
}

export function checkpoint(origin: string, size: bigint, root: Uint8Array, signers: Signer[], extension = ''): Uint8Array {
  return note(`${origin}\n${size}\n${base64(root)}\n${extension}`, { origin, size, root }, signers);
}

export function sign1(protectedItem: Item, unprotected: Item, payload: Uint8Array | null, key: Ed, covered?: Uint8Array): Item {
  const header = encode(protectedItem);
  const signature = sign(key, signedBytes(header, covered ?? payload ?? new Uint8Array()));
  return {
    type: 'tag',
    number: 18n,
    content: array(bytes(header), unprotected, payload === null ? nothing : bytes(payload), bytes(signature)),
  };
}

function sshString(value: Uint8Array | string): Uint8Array {
  const data = typeof value === 'string' ? utf8(value) : value;
  return concat(u64(BigInt(data.length)).subarray(4), data);
}

export function sshsig(key: Ed, document: Uint8Array): Uint8Array {
  const signed = concat(utf8('SSHSIG'), sshString('file'), sshString(''), sshString('sha512'), sshString(sha512(document)));
  const blob = concat(
    utf8('SSHSIG\0\0\0\x01'),
    sshString(concat(sshString('ssh-ed25519'), sshString(key.public))),
    sshString('file'),
    sshString(''),
    sshString('sha512'),
    sshString(concat(sshString('ssh-ed25519'), sshString(sign(key, signed)))),
  );
  const lines = base64(blob).match(/.{1,70}/g)!;
  return utf8(`-----BEGIN SSH SIGNATURE-----\n${lines.join('\n')}\n-----END SSH SIGNATURE-----\n`);
}

export function minisig(key: Ed, document: Uint8Array, comment: string, untrusted = 'signature'): Uint8Array {
  const signature = sign(key, blake2b(document, { dkLen: 64 }));
  const global = sign(key, concat(signature, utf8(comment)));
  const id = thumbprint(key.public).subarray(0, 8);
  return utf8(
    `untrusted comment: ${untrusted}\n${base64(concat(utf8('ED'), id, signature))}\ntrusted comment: ${comment}\n${base64(global)}\n`,
  );
}

/** Facts of a proof, before anything is signed. */
export interface Plan {
  document: Uint8Array;
  signer: Ed;
  record: Item;
  claims: Item;
  position: Item;
  /** Entries of the tree beside ours: their leaf hashes, and where ours is. */
  before: Uint8Array[];
  after: Uint8Array[];
  origin: string;
  log: Ed;
  signers: Signer[];
  policy: string;
  earlier: Uint8Array | null;
  /** Changes to what is about to be signed. */
  change: {
    disclosure?: (item: Item) => void;
    statementHeader?: (item: Item) => void;
    receiptHeader?: (item: Item) => void;
    inclusion?: (item: Item) => void;
    unprotected?: (item: Item) => void;
    receiptUnprotected?: (item: Item) => void;
    checkpoint?: (text: string) => string;
  };
}

export function root(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(concat(Uint8Array.of(1), root(leaves.slice(0, split)), root(leaves.slice(split))));
}

export function path(leaves: Uint8Array[], index: number): Uint8Array[] {
  if (leaves.length === 1) return [];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split ? [...path(left, index), root(right)] : [...path(right, index - split), root(left)];
}

/** The proof, and the tree's leaves, this statement's among them. */
export function forge(plan: Plan): { proof: Uint8Array; leaves: Uint8Array[] } {
  const { change } = plan;
  const disclosure = array(bytes(sha256(plan.document)), plan.record);
  change.disclosure?.(disclosure);
  const disclosed = encode(disclosure);
  const header = map({
    1: int(-8),
    4: bytes(thumbprint(plan.signer.public)),
    15: plan.claims,
    258: int(-16),
    259: text('application/vnd.coldlog.disclosure+cbor'),
    '-70001': plan.position,
  });
  change.statementHeader?.(header);
  const statement = sign1(header, map({}), sha256(disclosed), plan.signer);
  const leaves = [...plan.before, leafHash(encode(statement)), ...plan.after];
  const index = plan.before.length;
  const treeRoot = root(leaves);
  const inclusion = array(int(leaves.length), int(index), array(...path(leaves, index).map(bytes)));
  change.inclusion?.(inclusion);
  const subject = plan.claims.type === 'map' ? plan.claims.entries[1]![1] : text('journal');
  const receiptHeader = map({ 1: int(-8), 4: bytes(thumbprint(plan.log.public)), 15: map({ 1: text(plan.origin), 2: subject }), 395: int(1) });
  change.receiptHeader?.(receiptHeader);
  const tree = { origin: plan.origin, size: BigInt(leaves.length), root: treeRoot };
  const body = `${plan.origin}\n${leaves.length}\n${base64(treeRoot)}\n`;
  const head = note(change.checkpoint?.(body) ?? body, tree, plan.signers);
  const receiptUnprotected = map({ 396: map({ '-1': array(bytes(encode(inclusion))) }), '-70005': bytes(head) });
  change.receiptUnprotected?.(receiptUnprotected);
  const receipt = sign1(receiptHeader, receiptUnprotected, null, plan.log, treeRoot);
  const unprotected = map({
    394: array(bytes(encode(receipt))),
    '-70002': bytes(disclosed),
    '-70003': bytes(sha256(utf8(plan.policy))),
    ...(plan.earlier === null ? {} : { '-70004': bytes(plan.earlier) }),
  });
  change.unprotected?.(unprotected);
  if (statement.type === 'tag' && statement.content.type === 'array') statement.content.items[1] = unprotected;
  return { proof: encode(statement), leaves };
}
