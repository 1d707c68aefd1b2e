export * from '../../src/ed25519.ts';
import { isSoundKey as isSound, verifyEd25519 as verify } from '../../src/ed25519.ts';
import { remembered } from './remember.ts';

export const isSoundKey = remembered(isSound);
export const verifyEd25519 = remembered(verify);
