// Rehearsals: parties whose host is `rehearsal.invalid` practise, and nothing real takes what they make.

import { Malformed } from './errors.ts';
import type { History } from './history.ts';
import { shown } from './show.ts';

export function isRehearsal(name: string): boolean {
  return name.split(/[/:]/, 1)[0]!.toLowerCase() === 'rehearsal.invalid';
}

function names(history: History): string[] {
  return history.terms.flatMap(({ policy }) => [
    ...policy.logs.map((key) => key.name),
    ...policy.witnesses.map((witness) => witness.key.name),
  ]);
}

export function mixed(practised: string, real: string): string {
  return (
    `${shown(practised)} is of a rehearsal, ${shown(real)} is real: nothing real takes what a rehearsal made, ` +
    'and a rehearsal takes nothing real; use the files of one of them'
  );
}

export function checkAllOneKind(history: History): void {
  const practised = names(history).find(isRehearsal);
  const real = names(history).find((name) => !isRehearsal(name));
  if (practised !== undefined && real !== undefined) throw new Malformed(mixed(practised, real));
}

/** The name by which a policy is known to be of a rehearsal, or real; null for a policy without keys. */
export function rehearsalName(history: History): string | null {
  return names(history).find(isRehearsal) ?? null;
}

export function firstName(history: History): string | null {
  return names(history)[0] ?? null;
}
