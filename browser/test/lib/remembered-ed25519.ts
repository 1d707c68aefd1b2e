export * from '../../src/ed25519.ts';
import { verifyEd25519 as verify } from '../../src/ed25519.ts';
import { remembered } from './remember.ts';

export const verifyEd25519 = remembered(verify);
