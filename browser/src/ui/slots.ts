// Which of the dropped files is what: a proof by its name, others by how they begin. What a file claims to be, the check
// finds out; who wants it otherwise takes the buttons.

import { textOf } from '../bytes.ts';

export type Slot = 'document' | 'proof' | 'policy' | 'signature' | 'events';

const KEY_EVENTS = 'coldlog-key-events';
/** An array of four, and a text of eighteen bytes. */
const KEY_EVENTS_START = 2;

function isPolicy(text: string): boolean {
  if (text.startsWith('coldlog-policies/1\n') || text.startsWith('coldlog-root/v1\n')) return true;
  return /^[ \t]*quorum[ \t]/m.test(text) && /^[ \t]*(log|witness)[ \t].*\+[0-9a-f]{8}\+/m.test(text);
}

export function slotOf(name: string, bytes: Uint8Array): Slot {
  if (name.toLowerCase().endsWith('.proof')) return 'proof';
  const start = bytes.subarray(KEY_EVENTS_START, KEY_EVENTS_START + KEY_EVENTS.length);
  if (textOf(start) === KEY_EVENTS) return 'events';
  const text = textOf(bytes);
  if (text === null) return 'document';
  if (text.startsWith('-----BEGIN SSH SIGNATURE-----\n') || text.startsWith('untrusted comment: ')) return 'signature';
  return isPolicy(text) ? 'policy' : 'document';
}
