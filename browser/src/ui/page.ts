// The page: files in, a verdict out. It touches the browser; what is decided is in ../command.ts.

import { fromBase64 } from '../bytes.ts';
import { runCheck, type NamedFile, type Run } from '../command.ts';
import { clearAnswer, showAnswer, showTrouble, tell } from './answer.ts';
import { slotOf, type Slot } from './slots.ts';

/** A policy that was built into this page, as base64, or null. */
declare const PINNED_POLICY: string | null;

const SLOTS: Slot[] = ['document', 'proof', 'policy', 'signature', 'events'];

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const chosen = new Map<Slot, File>();
const pinned: NamedFile | null =
  PINNED_POLICY === null ? null : { name: 'the policy in this page', bytes: fromBase64(PINNED_POLICY)! };

function describe(slot: Slot): void {
  const file = chosen.get(slot);
  // The file's name is shown by the control itself.
  element(`${slot}-chosen`).textContent = file === undefined ? '' : `${file.size} bytes`;
}

function choose(slot: Slot, file: File | undefined): void {
  if (file === undefined) chosen.delete(slot);
  else chosen.set(slot, file);
  describe(slot);
  clearAnswer();
}

function input(id: string): HTMLInputElement {
  return element<HTMLInputElement>(id);
}

async function read(slot: Slot): Promise<NamedFile | undefined> {
  const file = chosen.get(slot);
  return file && { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
}

async function ask(): Promise<Run | string> {
  const documentFile = await read('document');
  if (documentFile === undefined) return 'No document is chosen: choose the file whose signature is to be checked.';
  const policy = pinned ?? (await read('policy'));
  if (policy === undefined) return 'No policy is chosen: it says which logs and witnesses are believed.';
  const signer = input('signer').value.trim();
  return {
    document: documentFile,
    proof: (await read('proof')) ?? { name: `${documentFile.name}.proof`, bytes: null },
    policy,
    signature: await read('signature'),
    keyEvents: await read('events'),
    signer: signer === '' ? undefined : { text: signer, given: signer },
    requireLogs: Math.max(1, Math.trunc(Number(input('logs').value)) || 1),
    strictValidity: input('strict').checked,
    rehearsal: input('rehearsal').checked,
    now: BigInt(Math.floor(Date.now() / 1000)),
  };
}

async function answer(): Promise<void> {
  tell('Checking…');
  // The browser paints before the signatures are verified, which takes a moment.
  await new Promise((resolve) => setTimeout(resolve, 20));
  try {
    const asked = await ask();
    if (typeof asked === 'string') showTrouble(asked);
    else showAnswer(runCheck(asked), asked);
  } catch (error) {
    showTrouble(`The files could not be read: ${error instanceof Error ? error.message : String(error)}. Choose them again.`);
  }
}

/** Beyond this, a file is a document: nothing else is as large. */
const LARGEST_LOOKED_AT = 1_048_576;

async function take(files: File[]): Promise<void> {
  const taken: string[] = [];
  for (const file of files) {
    const bytes = file.size > LARGEST_LOOKED_AT ? new Uint8Array() : new Uint8Array(await file.arrayBuffer());
    const found = slotOf(file.name, bytes);
    const slot = found === 'policy' && pinned !== null ? 'document' : found;
    choose(slot, file);
    // The control shows what was dropped, as if it had been chosen there.
    const transfer = new DataTransfer();
    transfer.items.add(file);
    input(slot).files = transfer.files;
    taken.push(`${file.name} as ${slot === 'events' ? 'key events' : slot}`);
  }
  tell(taken.length === 0 ? 'Nothing was taken.' : `Taken: ${taken.join(', ')}.`);
  const isReady = chosen.has('document') && chosen.has('proof') && (pinned !== null || chosen.has('policy'));
  if (isReady) await answer();
}

function listenToDrops(): void {
  const isDragged = (on: boolean): void => void document.body.classList.toggle('dragged', on);
  for (const type of ['dragenter', 'dragover'] as const) {
    document.addEventListener(type, (event) => {
      event.preventDefault();
      isDragged(true);
    });
  }
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) isDragged(false);
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    isDragged(false);
    void take([...(event.dataTransfer?.files ?? [])]).catch((error: unknown) => showTrouble(`The files could not be read: ${String(error)}. Choose them again.`));
  });
}

function start(): void {
  for (const slot of SLOTS) {
    input(slot).addEventListener('change', () => choose(slot, input(slot).files?.[0]));
  }
  if (pinned !== null) {
    input('policy').remove();
    element('policy-row').querySelector('label')!.remove();
    element('policy-chosen').textContent = `Policy: built into this page, ${pinned.bytes.length} bytes.`;
  }
  const form = element<HTMLFormElement>('form');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void answer();
  });
  form.addEventListener('reset', () => {
    chosen.clear();
    SLOTS.filter((slot) => slot !== 'policy' || pinned === null).forEach(describe);
    clearAnswer();
    tell('Cleared.');
  });
  listenToDrops();
}

start();
