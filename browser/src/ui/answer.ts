// The verdict on the page: in words for everybody, and in those of the command.

import { hex } from '../bytes.ts';
import { stepsOf, type Proven } from '../check.ts';
import type { Demands, Verdict } from '../command.ts';
import { shown } from '../show.ts';
import { maybeTime } from '../words.ts';

const TITLES = ['Proven: this signature is logged', 'Refused: not proven', 'No answer: something is wrong with the files'] as const;
type Asked = Pick<Demands, 'signer' | 'keyEvents'>;

const RESULTS = ['yes', 'no', 'trouble'] as const;

export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Says it to those who do not see the page. */
export function tell(text: string): void {
  element('live').textContent = text;
}

export function child(parent: HTMLElement, tag: string, text: string, className = ''): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className !== '') made.className = className;
  parent.append(made);
  return made;
}

export function clearAnswer(): void {
  element('answer').hidden = true;
  for (const id of ['reason', 'warnings', 'summary', 'facts', 'lines', 'steps', 'documents']) element(id).replaceChildren();
}

/** Without a code, where there is no answer yet. */
export function beginAnswer(code: 0 | 1 | 2 | null, title: string): void {
  clearAnswer();
  element('answer').hidden = false;
  element('answer').dataset['code'] = code === null ? '' : `${code}`;
  element('verdict').textContent = title;
  element('documents-title').hidden = true;
}

/** Who pressed the button is led to the verdict, by eye and by keyboard. */
export function endAnswer(spoken: string): void {
  tell(spoken);
  element('verdict').focus();
}

export function showTrouble(text: string): void {
  beginAnswer(2, TITLES[2]);
  element('reason').textContent = text;
  for (const id of ['command', 'facts-title', 'steps-title']) element(id).hidden = true;
  endAnswer(`${TITLES[2]}. ${text}`);
}

/** What was given and not looked at is said: nobody shall think that it was checked. */
export function showUnused(unused: string[]): void {
  if (unused.length > 0) child(element('warnings'), 'li', `Of no document that was given, and not looked at: ${unused.join(', ')}`);
}

/** `unused` are the names of files that belong to no document. */
export function showAnswer(verdict: Verdict, asked: Asked, unused: string[]): void {
  const title = verdict.proven?.isRehearsal === true ? `REHEARSAL, nothing real: ${TITLES[0]}` : TITLES[verdict.code];
  beginAnswer(verdict.code, title);
  const reason = verdict.reason ?? '';
  element('reason').textContent = reason;
  for (const line of verdict.talk.filter((one) => !one.endsWith(reason) || reason === '')) {
    child(element('warnings'), 'li', line.replace(/^verifier: /, ''));
  }
  showUnused(unused);
  if (verdict.proven !== null) showFacts(verdict.proven, verdict.result, asked.signer !== undefined);
  element('facts-title').hidden = verdict.proven === null;
  element('steps-title').hidden = verdict.reached === null;
  element('lines').textContent = [...verdict.talk, ...verdict.result].join('\n');
  element('command').hidden = false;
  showSteps(verdict, asked);
  const bounds = verdict.result.filter((line) => /^ {2}not (before|after)/.test(line)).map((line) => line.trim().replace(/ {2,}/, ' '));
  endAnswer([title, reason, ...bounds].filter((part) => part !== '').join('. '));
}

/** `18f6 09b6 …`: to be compared by eye, or read aloud. */
export function grouped(digits: string): string {
  return digits.match(/.{1,4}/g)?.join(' ') ?? '';
}

function showFacts(proven: Proven, lines: string[], isSignerDemanded: boolean): void {
  const summary = element('summary');
  const add = (label: string, text: string, className = ''): void => {
    child(summary, 'dt', label);
    child(child(summary, 'dd', ''), 'span', text, className);
  };
  // Without a demanded key, a proof says that some signer of this log signed.
  add('Signed by', shown(proven.issuer) + (isSignerDemanded ? ', by the demanded key' : '; no key was demanded, the name is the log’s word'));
  add('Not before', maybeTime(proven.notBefore));
  add('Not after', maybeTime(proven.notAfter));
  add('SHA-256 of the document', grouped(hex(proven.record.document.sha256)), 'digest');
  add('Key of the signer', grouped(hex(proven.record.signature.key)), 'digest');
  const facts = element('facts');
  for (const line of lines.slice(1)) {
    const label = line.slice(2, 12).trim();
    const isSentence = line.startsWith('  made under');
    child(facts, 'dt', isSentence ? 'policy' : label);
    child(facts, 'dd', isSentence ? line.trim() : line.slice(13));
  }
}

function showSteps(verdict: Verdict, asked: Asked): void {
  if (verdict.reached === null) return;
  const steps = stepsOf(asked);
  const reached = steps.indexOf(verdict.reached);
  steps.forEach((check, at) => {
    const result = verdict.code === 0 || at < reached ? 'yes' : at === reached ? RESULTS[verdict.code] : 'not reached';
    const item = child(element('steps'), 'li', `${shown(check)}: `);
    item.dataset['result'] = result;
    child(item, 'span', result, 'result');
  });
}
