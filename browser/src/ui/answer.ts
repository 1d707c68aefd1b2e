// The verdict on the page: in words for everybody, and in those of the command.

import { hex } from '../bytes.ts';
import { CHECKS, type Proven } from '../check.ts';
import type { Verdict } from '../command.ts';
import { shown } from '../show.ts';

const TITLES = ['Proven: this signature is logged', 'Refused: not proven', 'No answer: something is wrong with the files'] as const;
const RESULTS = ['yes', 'no', 'trouble'] as const;

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Says it to those who do not see the page. */
export function tell(text: string): void {
  element('live').textContent = text;
}

function child(parent: HTMLElement, tag: string, text: string, className = ''): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className !== '') made.className = className;
  parent.append(made);
  return made;
}

export function clearAnswer(): void {
  element('answer').hidden = true;
  for (const id of ['reason', 'warnings', 'digest', 'facts', 'lines', 'steps']) element(id).replaceChildren();
}

function begin(code: 0 | 1 | 2): void {
  clearAnswer();
  element('answer').hidden = false;
  element('answer').dataset['code'] = `${code}`;
  element('verdict').textContent = TITLES[code];
}

/** Who pressed the button is led to the verdict, by eye and by keyboard. */
function end(spoken: string): void {
  tell(spoken);
  element('verdict').focus();
}

export function showTrouble(text: string): void {
  begin(2);
  element('reason').textContent = text;
  element('command').hidden = true;
  end(`${TITLES[2]}. ${text}`);
}

export function showAnswer(verdict: Verdict): void {
  begin(verdict.code);
  const reason = verdict.reason ?? '';
  element('reason').textContent = reason;
  for (const line of verdict.talk.filter((one) => !one.endsWith(reason) || reason === '')) {
    child(element('warnings'), 'li', line.replace(/^verifier: /, ''));
  }
  if (verdict.proven !== null) showFacts(verdict.proven, verdict.result);
  const lines = [...verdict.talk.filter((line) => verdict.code === 0 || line !== ''), ...verdict.result];
  element('lines').textContent = lines.join('\n');
  element('command').hidden = false;
  showSteps(verdict);
  const bounds = verdict.result.filter((line) => /^ {2}not (before|after)/.test(line)).map((line) => line.trim().replace(/ {2,}/, ' '));
  end([TITLES[verdict.code], reason, ...bounds].filter((part) => part !== '').join('. '));
}

/** `18f6 09b6 …`: to be compared by eye, or read aloud. */
export function grouped(digits: string): string {
  return digits.match(/.{1,4}/g)?.join(' ') ?? '';
}

function showFacts(proven: Proven, lines: string[]): void {
  const digest = element('digest');
  child(digest, 'dt', 'SHA-256 of the document');
  child(child(digest, 'dd', ''), 'span', grouped(hex(proven.record.document.sha256)), 'digest');
  child(digest, 'dt', 'Key of the signer');
  child(child(digest, 'dd', ''), 'span', grouped(hex(proven.record.signature.key)), 'digest');
  const facts = element('facts');
  for (const line of lines.slice(1)) {
    const label = line.slice(2, 12).trim();
    const isSentence = line.startsWith('  made under');
    child(facts, 'dt', isSentence ? 'policy' : label);
    child(facts, 'dd', isSentence ? line.trim() : line.slice(13));
  }
}

function showSteps(verdict: Verdict): void {
  const reached = CHECKS.indexOf(verdict.reached);
  CHECKS.forEach((check, at) => {
    const result = verdict.code === 0 || at < reached ? 'yes' : at === reached ? RESULTS[verdict.code] : 'not reached';
    const item = child(element('steps'), 'li', `${shown(check)}: `);
    item.dataset['result'] = result;
    child(item, 'span', result, 'result');
  });
}
