export * from '../../src/mldsa.ts';
import { verifyMldsa as verify } from '../../src/mldsa.ts';
import { remembered } from './remember.ts';

export const verifyMldsa = remembered(verify);
