// Document signatures: SSHSIG (OpenSSH PROTOCOL.sshsig) and prehashed minisign. A file is laid out exactly as
// `ssh-keygen` or `minisign` write it, so that one signature has one file.

import { blake2b } from '@noble/hashes/blake2.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { base64, concat, fromBase64, hex, same, textOf, utf8 } from './bytes.ts';
import { thumbprint, verifyEd25519 } from './ed25519.ts';
import { Malformed, Refused } from './errors.ts';

const WHAT = 'signature file';
/** Formats of document signatures, as records call them. */
export type Scheme = 'sshsig' | 'minisign';

export const MAX_SIGNATURE_FILE = 8_192;

const BEGIN = '-----BEGIN SSH SIGNATURE-----\n';
const END = '-----END SSH SIGNATURE-----\n';
const LINE = 70;

export type SignatureFile =
  | { scheme: 'sshsig'; key: Uint8Array; signature: Uint8Array }
  | { scheme: 'minisign'; keyId: Uint8Array; signature: Uint8Array; comment: string; global: Uint8Array };

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** A string of SSH: its length, and its bytes. */
function sshString(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? utf8(value) : value;
  return concat(u32(bytes.length), bytes);
}

function sshsigBlob(key: Uint8Array, signature: Uint8Array): Uint8Array {
  return concat(
    utf8('SSHSIG'),
    u32(1),
    sshString(concat(sshString('ssh-ed25519'), sshString(key))),
    sshString('file'),
    sshString(''),
    sshString('sha512'),
    sshString(concat(sshString('ssh-ed25519'), sshString(signature))),
  );
}

/** Offsets of key and signature, which alone differ between signatures. */
const KEY_AT = 6 + 4 + 4 + 4 + 11 + 4;
const SIGNATURE_LENGTH = 64;

function armoured(blob: Uint8Array): string {
  const lines = base64(blob).match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return `${BEGIN}${lines.join('\n')}\n${END}`;
}

function anotherFormat(): Malformed {
  return Malformed.field(WHAT, 'its content', 'SSHSIG (Ed25519, namespace file, sha512) or prehashed minisign', 'another format');
}

function otherLayout(): Malformed {
  return new Malformed(
    `${WHAT} is not deterministic CBOR (RFC 8949, section 4.2.1): it is not laid out as ssh-keygen or minisign write it; ` +
      'no Coldlog tool writes this',
  );
}

export function decodeSignatureFile(bytes: Uint8Array): SignatureFile {
  if (bytes.length > MAX_SIGNATURE_FILE) {
    throw new Malformed(`${WHAT} is ${bytes.length} bytes long, and at most ${MAX_SIGNATURE_FILE} are allowed: this is not such a file`);
  }
  const text = textOf(bytes);
  const decoded = text === null ? null : (decodeSshsig(text) ?? decodeMinisign(text));
  if (decoded === null) throw anotherFormat();
  return decoded;
}

function decodeSshsig(text: string): SignatureFile | null {
  if (!text.startsWith(BEGIN) || !text.endsWith(END)) return null;
  const body = text.slice(BEGIN.length, -END.length).replaceAll('\n', '');
  const blob = fromBase64(body);
  if (blob === null || blob.length < KEY_AT + 32) return null;
  const key = blob.subarray(KEY_AT, KEY_AT + 32);
  const signature = blob.subarray(-SIGNATURE_LENGTH);
  if (armoured(sshsigBlob(key, signature)) !== text) throw otherLayout();
  return { scheme: 'sshsig', key, signature };
}

const UNTRUSTED = 'untrusted comment: ';
const TRUSTED = 'trusted comment: ';

function decodeMinisign(text: string): SignatureFile | null {
  const lines = text.split('\n');
  const [untrusted, first, trusted, second, end] = lines;
  if (lines.length !== 5 || end !== '' || !untrusted?.startsWith(UNTRUSTED) || !trusted?.startsWith(TRUSTED)) return null;
  const blob = fromBase64(first!);
  const global = fromBase64(second!);
  if (blob === null || global === null || blob[0] !== 0x45 || blob[1] !== 0x44) return null;
  if (blob.length < 74 || global.length !== 64) return null;
  if (blob.length > 74) throw otherLayout();
  const comment = trusted.slice(TRUSTED.length);
  return { scheme: 'minisign', keyId: blob.subarray(2, 10), signature: blob.subarray(10), comment, global };
}

function byAnotherKey(found: string, expected: string): Refused {
  return new Refused(`the document signature is by the key ${found}, expected ${expected}`);
}

/** The signature file is of the recorded format, by the recorded key, and verifies over the document. */
export function checkDocumentSignature(
  file: SignatureFile,
  scheme: Scheme,
  key: Uint8Array,
  document: Uint8Array,
): void {
  if (file.scheme !== scheme) throw new Refused(`the signature file is ${file.scheme}, expected ${scheme}`);
  if (file.scheme === 'sshsig') {
    if (!same(file.key, key)) throw byAnotherKey(hex(file.key), hex(key));
  } else {
    const expected = thumbprint(key).subarray(0, 8);
    if (!same(file.keyId, expected)) throw byAnotherKey(hex(file.keyId), hex(expected));
  }
  if (!verifies(file, key, document)) {
    throw new Refused('the document signature does not verify over this document: the document or the signature was altered');
  }
}

function verifies(file: SignatureFile, key: Uint8Array, document: Uint8Array): boolean {
  if (file.scheme === 'sshsig') {
    const signed = concat(utf8('SSHSIG'), sshString('file'), sshString(''), sshString('sha512'), sshString(sha512(document)));
    return verifyEd25519(key, signed, file.signature);
  }
  const covered = concat(file.signature, utf8(file.comment));
  return (
    verifyEd25519(key, blake2b(document, { dkLen: 64 }), file.signature) && verifyEd25519(key, covered, file.global)
  );
}
