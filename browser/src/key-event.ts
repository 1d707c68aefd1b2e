// Key events: the life of a signer's key, each the payload of a statement, in the clear.

import { decodeCbor, type Item } from './cbor.ts';
import { Malformed } from './errors.ts';
import { Fields, TextMap } from './fields.ts';

export const KEY_EVENT_TYPE = 'application/vnd.coldlog.key-event+cbor';
const WHAT = 'key event';
const MAX_EVENT = 65_535;
const MAX_ACCEPTED = 1_024;
const MAX_TEXT = 4_096;

/** The bound of a revocation: a signature stays good only where it is shown to be older. */
export type Since =
  | { by: 'publication' }
  | { by: 'record'; sequence: bigint }
  | { by: 'time'; seconds: bigint }
  | { by: 'head'; origin: string; size: bigint; root: Uint8Array };

export type KeyEvent = { commitment: Uint8Array } & (
  | { event: 'genesis'; key: Uint8Array }
  | { event: 'rotation'; key: Uint8Array; accepted: Uint8Array }
  | { event: 'change' }
  | { event: 'revocation'; key: Uint8Array; since: Since }
  | { event: 'retirement'; key: Uint8Array }
);

export function decodeKeyEvent(bytes: Uint8Array): KeyEvent {
  const fields = new Fields(WHAT);
  const map = new TextMap(fields, decodeCbor(bytes, { what: WHAT, limit: MAX_EVENT }), 'the event');
  map.version('v');
  const event = map.text('event', 32);
  const decoded = decodeFields(fields, map, event);
  const commitment = fields.hash(map.take('commitment'), 'commitment');
  map.done();
  return { ...decoded, commitment };
}

type WithoutCommitment<T> = T extends unknown ? Omit<T, 'commitment'> : never;

function decodeFields(fields: Fields, map: TextMap, event: string): WithoutCommitment<KeyEvent> {
  const key = (): Uint8Array => fields.fixed(map.take('key'), 'key', 32);
  switch (event) {
    case 'genesis': {
      const genesis = { event: 'genesis' as const, key: key() };
      checkRecipients(fields, map.take('recipients'));
      checkRecovers(fields, map.maybe('recovers'));
      return genesis;
    }
    case 'rotation':
      return { event, key: key(), accepted: fields.bytes(map.take('accepted'), 'accepted', MAX_ACCEPTED) };
    case 'change':
      checkRecipients(fields, map.take('recipients'));
      return { event };
    case 'revocation':
      return { event, key: key(), since: decodeSince(fields, map.take('since')) };
    case 'retirement':
      return { event, key: key() };
    default:
      throw Malformed.field(WHAT, 'event', 'genesis, rotation, change, revocation or retirement', event);
  }
}

function checkRecipients(fields: Fields, item: Item): void {
  for (const recipient of fields.array(item, 'recipients', 1, 64)) fields.text(recipient, 'recipients', MAX_TEXT);
}

function checkRecovers(fields: Fields, item: Item | undefined): void {
  if (item === undefined) return;
  const [genesis, count, head] = fields.array(item, 'recovers', 3, 3);
  fields.hash(genesis, 'recovers: the genesis');
  fields.uint(count, 'recovers: count');
  fields.hash(head, 'recovers: head');
}

function decodeSince(fields: Fields, item: Item): Since {
  const [first, second, third, fourth] = fields.array(item, 'since', 1, 4);
  const length = item.type === 'array' ? item.items.length : 0;
  const by = fields.text(first, 'since', 16);
  if (by === 'publication' && length === 1) return { by };
  if (by === 'record' && length === 2) return { by, sequence: fields.uint(second, 'since: record') };
  if (by === 'time' && length === 2) return { by, seconds: fields.uint(second, 'since: time') };
  if (by === 'head' && length === 4) {
    return {
      by,
      origin: fields.text(second, 'since: origin', 255),
      size: fields.uint(third, 'since: size'),
      root: fields.hash(fourth, 'since: root'),
    };
  }
  const forms = 'publication, record with a number, head with origin, size and root, or time with seconds';
  throw Malformed.field(WHAT, 'since', forms, by);
}
