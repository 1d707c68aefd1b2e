// The page: files in, a verdict out. It touches the browser; what is decided is in ../command.ts.

import { fromBase64 } from '../bytes.ts';
import { notRead, runBefore, runCheck, runOneOf, type Demands, type NamedFile, type Run } from '../command.ts';
import { shown } from '../show.ts';
import { clearAnswer, element, showAnswer, showTrouble, tell } from './answer.ts';
import { Verdicts } from './many.ts';
import { pairsOf, twice, type Pair, type Pairs } from './pairs.ts';
import { slotOf, type Slot } from './slots.ts';

/** A policy that was built into this page, as base64, or null. */
declare const PINNED_POLICY: string | null;

const SLOTS: Slot[] = ['document', 'proof', 'policy', 'signature', 'events'];

/** Policy and key events are one file each; of the others there may be several. */
const chosen = new Map<Slot, File[]>();
const pinned: NamedFile | null =
  PINNED_POLICY === null ? null : { name: 'the policy in this page', bytes: fromBase64(PINNED_POLICY)! };

const all = (slot: Slot): File[] => chosen.get(slot) ?? [];

function describe(slot: Slot): void {
  const files = all(slot);
  const size = files.reduce((sum, file) => sum + file.size, 0);
  // The file's name is shown by the control itself.
  element(`${slot}-chosen`).textContent = files.length === 0 ? '' : files.length === 1 ? `${size} bytes` : `${files.length} files, ${size} bytes`;
}

/** What is being checked; whoever chooses other files meanwhile no longer asks for it. */
let asking = 0;

function choose(slot: Slot, files: File[]): void {
  asking += 1;
  chosen.set(slot, files);
  describe(slot);
  clearAnswer();
}

function input(id: string): HTMLInputElement {
  return element<HTMLInputElement>(id);
}

async function read(file: File | undefined): Promise<NamedFile | undefined> {
  return file && { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
}

/** What is asked of all documents, or what is missing. */
async function demands(): Promise<Demands | string> {
  if (all('document').length === 0) return 'No document is chosen: choose the file whose signature is to be checked.';
  const policy = pinned ?? (await read(all('policy').at(-1)));
  if (policy === undefined) return 'No policy is chosen: it says which logs and witnesses are believed.';
  for (const [slot, what] of [['document', 'documents'], ['proof', 'proofs'], ['signature', 'signature files']] as const) {
    const name = twice(all(slot));
    if (name !== null) return `Two ${what} are called ${shown(name)}: nobody can say which belongs to which. Check them one after the other.`;
  }
  const signer = input('signer').value.trim();
  return {
    policy,
    keyEvents: await read(all('events').at(-1)),
    signer: signer === '' ? undefined : { text: signer, given: signer },
    requireLogs: Math.max(1, Math.trunc(Number(input('logs').value)) || 1),
    strictValidity: input('strict').checked,
    rehearsal: input('rehearsal').checked,
    now: BigInt(Math.floor(Date.now() / 1000)),
  };
}

/** One proof for one document may be called as it likes; likewise one signature file. */
function only(slot: Slot): File | undefined {
  const files = all(slot);
  return all('document').length === 1 && files.length === 1 ? files[0] : undefined;
}

async function runOf(asked: Demands, { document: file, proof, beside }: Pair<File>): Promise<Run> {
  const name = `${file.name}.proof`;
  const signature = await read(only('signature'));
  return {
    ...asked,
    document: { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) },
    proof: (await read(only('proof') ?? proof)) ?? { name, bytes: null },
    signature,
    beside: signature === undefined ? { sshsig: await read(beside.sshsig), minisign: await read(beside.minisign) } : {},
  };
}

const unreadable = (error: unknown): string => `${error instanceof Error ? error.message : String(error)}. Choose the files again.`;

/** One after the other, so that only one document is in memory. */
async function checkEach(asked: Demands, { pairs, unused }: Pairs<File>, isAsked: () => boolean): Promise<void> {
  const before = runBefore(asked);
  if ('code' in before) return showAnswer(before, asked, []);
  const verdicts = new Verdicts(pairs.length, before.talk, unused.map((file) => shown(file.name)));
  for (const pair of pairs) {
    const { name } = pair.document;
    const run = await runOf(asked, pair).catch((error: unknown) => notRead(`cannot read ${shown(name)}: ${unreadable(error)}`));
    if (!isAsked()) return;
    verdicts.add(name, 'code' in run ? run : runOneOf(before.believed, run));
    await painted();
    if (!isAsked()) return;
  }
  verdicts.end();
}

async function checkOnly(asked: Demands, pair: Pair<File>, unused: File[], isAsked: () => boolean): Promise<void> {
  const run = await runOf(asked, pair);
  const others = unused.filter((file) => file !== only('proof') && file !== only('signature'));
  if (isAsked()) showAnswer(runCheck(run), asked, others.map((file) => shown(file.name)));
}

/** The browser paints before signatures are verified, which takes a moment. */
function painted(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

async function answer(): Promise<void> {
  asking += 1;
  const mine = asking;
  const isAsked = (): boolean => mine === asking;
  tell('Checking…');
  await painted();
  try {
    const asked = await demands();
    if (!isAsked()) return;
    if (typeof asked === 'string') return showTrouble(asked);
    const found = pairsOf(all('document'), all('proof'), all('signature'));
    const [first, second] = found.pairs;
    if (first === undefined) return;
    if (second === undefined) await checkOnly(asked, first, found.unused, isAsked);
    else await checkEach(asked, found, isAsked);
  } catch (error) {
    if (isAsked()) showTrouble(`The files could not be read: ${unreadable(error)}`);
  }
}

/** Beyond this, a file is a document: nothing else is as large. */
const LARGEST_LOOKED_AT = 1_048_576;
/** Of these, one file is taken. */
const SINGLE: Slot[] = ['policy', 'events'];
const NAMES: Record<Slot, [string, string]> = {
  document: ['document', 'documents'],
  proof: ['proof', 'proofs'],
  policy: ['policy', 'policies'],
  signature: ['signature', 'signatures'],
  events: ['key events', 'key events'],
};

async function sorted(files: File[]): Promise<Map<Slot, File[]>> {
  const found = new Map<Slot, File[]>();
  for (const file of files) {
    const bytes = file.size > LARGEST_LOOKED_AT ? new Uint8Array() : new Uint8Array(await file.arrayBuffer());
    const looks = slotOf(file.name, bytes);
    const slot = looks === 'policy' && pinned !== null ? 'document' : looks;
    found.set(slot, [...(SINGLE.includes(slot) ? [] : (found.get(slot) ?? [])), file]);
  }
  return found;
}

async function take(files: File[]): Promise<void> {
  const taken: string[] = [];
  for (const [slot, found] of await sorted(files)) {
    choose(slot, found);
    // The control shows what was dropped, as if it had been chosen there.
    const transfer = new DataTransfer();
    found.forEach((file) => transfer.items.add(file));
    input(slot).files = transfer.files;
    const [one, several] = NAMES[slot];
    taken.push(found.length === 1 ? `${shown(found[0]!.name)} as ${one}` : `${found.length} ${several}`);
  }
  tell(taken.length === 0 ? 'Nothing was taken.' : `Taken: ${taken.join(', ')}.`);
  const isThere = (slot: Slot): boolean => all(slot).length > 0;
  if (isThere('document') && isThere('proof') && (pinned !== null || isThere('policy'))) await answer();
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
    const files = [...(event.dataTransfer?.files ?? [])];
    void take(files).catch((error: unknown) => showTrouble(`The files could not be read: ${unreadable(error)}`));
  });
}

function start(): void {
  for (const slot of SLOTS) {
    input(slot).addEventListener('change', () => choose(slot, [...(input(slot).files ?? [])]));
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
    asking += 1;
    chosen.clear();
    SLOTS.filter((slot) => slot !== 'policy' || pinned === null).forEach(describe);
    clearAnswer();
    tell('Cleared.');
  });
  listenToDrops();
}

start();
