// The verdicts on several documents: a list, one line each as the command prints it, and behind it all that is said of that
// document.

import type { Verdict } from '../command.ts';
import { documentLine, totalLine } from '../words.ts';
import { beginAnswer, child, element, endAnswer, showUnused } from './answer.ts';

const TITLES = ['Proven: all these signatures are logged', 'Refused: not all are proven', 'No answer for all: something is wrong with the files'] as const;

interface Judged {
  name: string;
  verdict: Verdict;
}

/** A list that grows while documents are checked. */
export class Verdicts {
  private readonly judged: Judged[] = [];

  /** `talk` is what is said of the policy, `unused` the names of files that belong to no document. */
  constructor(
    private readonly total: number,
    private readonly talk: string[],
    private readonly unused: string[],
  ) {
    beginAnswer(null, this.progress());
    for (const id of ['facts-title', 'steps-title', 'command']) element(id).hidden = true;
    element('documents-title').hidden = false;
    for (const line of talk) child(element('warnings'), 'li', line.replace(/^verifier: /, ''));
    showUnused(unused);
  }

  private progress(): string {
    return `Checking: ${this.judged.length} of ${this.total}`;
  }

  add(name: string, verdict: Verdict): void {
    this.judged.push({ name, verdict });
    element('verdict').textContent = this.progress();
    const item = child(element('documents'), 'li', '');
    item.dataset['code'] = `${verdict.code}`;
    const details = child(item, 'details', '');
    child(details, 'summary', documentLine(name, verdict));
    child(details, 'pre', [...verdict.talk, ...verdict.result].join('\n'));
  }

  end(): void {
    const codes = this.judged.map(({ verdict }) => verdict.code);
    const code = codes.includes(2) ? 2 : codes.includes(1) ? 1 : 0;
    const isRehearsal = code === 0 && this.judged.every(({ verdict }) => verdict.proven?.isRehearsal === true);
    const title = isRehearsal ? `REHEARSAL, nothing real: ${TITLES[0]}` : TITLES[code];
    const total = totalLine(codes, isRehearsal);
    element('answer').dataset['code'] = `${code}`;
    element('verdict').textContent = title;
    element('reason').textContent = total;
    element('lines').textContent = this.lines(code, total).join('\n');
    element('command').hidden = false;
    const unused = this.unused.length === 0 ? [] : [`${this.unused.length} files are of no document`];
    endAnswer([title, total, ...unused].join('. '));
  }

  /** What the command says beside, then its result. */
  private lines(code: 0 | 1 | 2, total: string): string[] {
    const beside = this.judged.flatMap(({ verdict }) => (verdict.code === 0 ? verdict.talk : []));
    const each = this.judged.map(({ name, verdict }) => documentLine(name, verdict));
    return [...this.talk, ...beside, ...(code === 0 ? [] : [`verifier: ${total}`]), ...each, ...(code === 0 ? [total] : [])];
  }
}
