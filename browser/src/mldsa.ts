// ML-DSA-44 (FIPS 204) with an empty context.

import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';

export const MLDSA_KEY_LENGTH = 1312;
export const MLDSA_SIGNATURE_LENGTH = 2420;

export function verifyMldsa(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== MLDSA_KEY_LENGTH || signature.length !== MLDSA_SIGNATURE_LENGTH) return false;
  try {
    return ml_dsa44.verify(signature, message, key);
  } catch {
    return false;
  }
}
