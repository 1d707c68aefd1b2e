// Was the key in force, and was it revoked? Key events, each proven under one cosigned head.
import type { Logged } from './check.ts';
import type { Statement } from './statement.ts';

export interface KeyEvents {
  bytes: Uint8Array;
}

export interface ProvenKey {
  words: string;
}

export function provenKey(_events: KeyEvents | null, _statement: Statement, _key: Uint8Array, _logs: Logged[]): ProvenKey | null {
  return null;
}

export const MAX_KEY_EVENTS = 67_108_864;
export function parseKeyEvents(bytes: Uint8Array, _history: unknown): KeyEvents {
  return { bytes };
}
