// Whether the policy in force is meant for now. A clock warns; it decides nothing.

import type { Term } from './history.ts';
import { shown, time } from './show.ts';

const DAY = 86_400n;
const WARN_FROM = 90n * DAY;

export type Standing = 'in force' | 'expires soon' | 'expired' | 'not yet';

export function standingOf(term: Term, now: bigint): Standing | null {
  if (term.root === null) return null;
  if (now < term.root.notBefore) return 'not yet';
  if (now >= term.root.expires) return 'expired';
  return now + WARN_FROM >= term.root.expires ? 'expires soon' : 'in force';
}

export function standingWarning(term: Term, now: bigint): string | null {
  const standing = standingOf(term, now);
  if (standing === null || standing === 'in force') return null;
  const { notBefore, expires, keys } = term.root!;
  const holders = keys.map((key) => shown(key.name)).join(', ');
  switch (standing) {
    case 'not yet':
      return `the policy is meant for ${time(notBefore)} and later, this machine's clock says ${time(now)}`;
    case 'expired':
      return (
        `the policy expired at ${time(expires)}: what was cosigned before stays proven, for later heads take its renewal, ` +
        `from those who hold its policy keys (${holders})`
      );
    case 'expires soon':
      return (
        `the policy expires in ${(expires - now) / DAY} days, at ${time(expires)}: ask those who hold its policy keys ` +
        `for its renewal (${holders}); what is cosigned until then stays proven`
      );
  }
}
