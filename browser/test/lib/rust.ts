// The first implementation: asked by `verify-many` where it is there (README.md has the protocol), else by starting
// `verifier check` once for each question.

import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Question {
  document: Uint8Array;
  proof: Uint8Array;
  policy: Uint8Array;
  /** Given as well, or not. */
  signature?: Uint8Array | undefined;
  keyEvents?: Uint8Array | undefined;
}

export interface Answer {
  code: number;
  /** Of "yes", the result; else the reason alone. */
  lines: string[];
}

export function programs(): string {
  return process.env['COLDLOG_PROGRAMS'] ?? '../target/debug';
}

export interface Peer {
  ask(question: Question): Promise<Answer>;
  close(): void;
}

export function manyProgram(): string {
  return process.env['COLDLOG_VERIFY_MANY'] ?? join(programs(), 'verify-many');
}

export function peer(): Peer {
  const many = manyProgram();
  return existsSync(many) ? streamed(many) : oneByOne(join(programs(), 'verifier'));
}

/** The length of a frame that is not there: more than any frame may have. */
const ABSENT = 0xffff_ffff;

function frame(bytes: Uint8Array | undefined): Uint8Array[] {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes?.length ?? ABSENT);
  return bytes === undefined ? [head] : [head, bytes];
}

export function streamed(program: string): Peer {
  const child: ChildProcessWithoutNullStreams = spawn(program);
  child.stderr.pipe(process.stderr);
  const waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = [];
  const gone = (why: string): void => waiting.splice(0).forEach((one) => one.reject(new Error(`${program} ${why}`)));
  createInterface(child.stdout).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line) as Answer));
  child.on('error', (error) => gone(`cannot be started: ${error.message}`));
  // What it wrote before it ended is read to the end first.
  child.on('close', (code) => gone(`ended with ${code}`));
  // That it is gone is told above.
  child.stdin.on('error', () => undefined);
  return {
    ask: ({ document, proof, policy, signature, keyEvents }) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(Buffer.concat([document, proof, policy, signature, keyEvents].flatMap(frame)));
      }),
    close: () => void child.stdin.end(),
  };
}

/** A program that is just being built anew is there again after a while. */
function started(program: string, args: string[], cwd: string): { status: number; stdout: Buffer; stderr: Buffer } {
  for (let attempt = 0; attempt < 120; attempt += 1) {
    const run = spawnSync(program, args, { cwd });
    if (run.status !== null) return { status: run.status, stdout: run.stdout, stderr: run.stderr };
    if (run.error === undefined) throw new Error(`${program} was ended by ${run.signal}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  }
  throw new Error(`${program} cannot be started`);
}

export function oneByOne(program: string): Peer {
  const folder = mkdtempSync(join(process.env['COLDLOG_SCRATCH'] ?? tmpdir(), 'differential-'));
  return {
    ask: ({ document, proof, policy, signature, keyEvents }) => {
      const more: string[] = [];
      const give = (name: string, option: string, bytes: Uint8Array | undefined): void => {
        if (bytes === undefined) return;
        writeFileSync(join(folder, name), bytes);
        more.push(option, name);
      };
      give('signature', '--signature', signature);
      give('events', '--key-events', keyEvents);
      writeFileSync(join(folder, 'document'), document);
      writeFileSync(join(folder, 'proof'), proof);
      writeFileSync(join(folder, 'policy'), policy);
      const run = started(program, ['check', 'document', '--proof', 'proof', '--policy', 'policy', ...more], folder);
      const out = run.stdout.toString().split('\n').slice(0, -1);
      const last = run.stderr.toString().split('\n').at(-2) ?? '';
      return Promise.resolve({ code: run.status, lines: run.status === 0 ? out : [last.replace(/^verifier: /, '')] });
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}
