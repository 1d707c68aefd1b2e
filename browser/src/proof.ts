// Proofs: a transparent statement (RFC 9943, section 7) with the disclosure, and the earlier head that bounds the time.

import { LABEL, decodeSign1 } from './cose.ts';
import { Malformed } from './errors.ts';
import { MAX_RECEIPT, decodeReceipt, type Receipt } from './receipt.ts';
import { MAX_DISCLOSURE } from './record.ts';
import { statementOf, type Statement } from './statement.ts';

const WHAT = 'proof';
export const MAX_PROOF_FILE = 4_194_304;
const MAX_NOTE = 262_144;

export interface Proof {
  statement: Statement;
  receipts: Receipt[];
  disclosure: Uint8Array;
  /** SHA-256 of the policy under which the proof was made: a hint. */
  policy: Uint8Array;
  earlierHead: Uint8Array | null;
}

export function decodeProof(bytes: Uint8Array): Proof {
  const sign1 = decodeSign1(bytes, { what: WHAT, limit: MAX_PROOF_FILE });
  const header = sign1.unprotected;
  const { fields } = header;
  header.only('the unprotected header', 'only the labels of a proof', [
    LABEL.receipts,
    LABEL.disclosure,
    LABEL.policy,
    LABEL.knownHead,
  ]);
  const present = (label: bigint, field: string) => {
    const item = header.get(label);
    if (item === undefined) throw Malformed.field(WHAT, field, 'present', 'nothing');
    return item;
  };
  const receipts = fields
    .array(present(LABEL.receipts, 'receipts (label 394)'), 'receipts (label 394)', 1, 16)
    .map((receipt) => decodeReceipt(fields.bytes(receipt, 'a receipt', MAX_RECEIPT)));
  const disclosure = fields.bytes(present(LABEL.disclosure, 'the disclosure'), 'the disclosure', MAX_DISCLOSURE);
  const policy = fields.hash(present(LABEL.policy, 'policy'), "the policy's digest");
  const head = header.get(LABEL.knownHead);
  const earlierHead = head === undefined ? null : fields.bytes(head, 'the earlier head', MAX_NOTE);
  return { statement: statementOf(sign1), receipts, disclosure, policy, earlierHead };
}
