// What the wrong file is, for the error: somebody passed a batch where a proof was asked for.

import { textOf } from './bytes.ts';

export const KINDS = [
  'coldlog-approval-request',
  'coldlog-backup',
  'coldlog-batch',
  'coldlog-evidence',
  'coldlog-heads',
  'coldlog-key',
  'coldlog-key-events',
  'coldlog-manifest',
  'coldlog-receipts',
  'coldlog-statements',
  'coldlog-witness-request',
  'coldlog-witness-response',
];

/** How much is looked at to tell a text. */
const LOOKED_AT = 4_096;

/** Our own kind that the file begins with: an array, and its first item. */
function namedKind(bytes: Uint8Array): string | null {
  const [head, text] = bytes;
  if (head === undefined || text === undefined || head < 0x81 || head > 0x97) return null;
  const length = text >= 0x60 && text < 0x78 ? text - 0x60 : text === 0x78 ? bytes[2] : undefined;
  if (length === undefined) return null;
  const start = text === 0x78 ? 3 : 2;
  const kind = textOf(bytes.subarray(start, start + length));
  return kind !== null && KINDS.includes(kind) ? kind : null;
}

const BEGINNINGS: [string, string][] = [
  ['age-encryption.org/v1', 'an age file'],
  ['-----BEGIN SSH SIGNATURE-----', 'an SSH signature'],
  ['untrusted comment:', 'a minisign file'],
  ['coldlog-root/v1', 'a trust root'],
  ['coldlog-policies/1', 'a history of policies'],
  ['c2sp.org/tlog-proof@v1', 'a C2SP tlog-proof'],
];

/** Which of our texts it is. A character that is cut at the end of what is looked at is no reason not to call it text. */
function textKind(bytes: Uint8Array): string | null {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, LOOKED_AT), { stream: true });
  } catch {
    return null;
  }
  const known = BEGINNINGS.find(([beginning]) => text.startsWith(beginning));
  if (known !== undefined) return known[1];
  if (text.includes('\n\n\u2014 ')) return 'a signed note (a checkpoint?)';
  return /^(log|quorum) /m.test(text) ? 'a policy' : 'a text file';
}

/** Where the bytes are no CBOR: what else they may be; null where nobody can tell. */
export function sniff(bytes: Uint8Array): string | null {
  if (bytes.length === 0) return 'an empty file';
  return namedKind(bytes) ?? textKind(bytes);
}
