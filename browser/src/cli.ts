// `verifier check` as a script: the same arguments, the same words, the same exit code. For the differential test, and
// for whoever has Node and no browser.

import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runCheck, type NamedFile, type Run, type Verdict } from './command.ts';
import { Failure, Malformed } from './errors.ts';
import { jsonReport } from './json.ts';
import { shown } from './show.ts';

function read(name: string): NamedFile {
  try {
    return { name, bytes: new Uint8Array(readFileSync(name)) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'No such file or directory (os error 2)' : `${code}`;
    throw new Malformed(`cannot read ${shown(name)}: ${why}`);
  }
}

function options() {
  return parseArgs({
    allowPositionals: true,
    options: {
      proof: { type: 'string' },
      policy: { type: 'string' },
      signature: { type: 'string' },
      signer: { type: 'string' },
      'key-events': { type: 'string' },
      'require-logs': { type: 'string', default: '1' },
      'strict-validity': { type: 'boolean', default: false },
      rehearsal: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
}

function runOf(): Run & { json: boolean } {
  const { values, positionals } = options();
  const [document, another] = positionals;
  if (document === undefined || another !== undefined || values.policy === undefined) {
    throw new Malformed('usage: DOCUMENT [--proof PROOF] --policy POLICY [OPTIONS], as of `verifier check`, for one document');
  }
  const proof = values.proof ?? `${document}.proof`;
  const events = values['key-events'];
  const signer = values.signer;
  return {
    policy: read(values.policy),
    document: read(document),
    proof: existsSync(proof) ? read(proof) : { name: proof, bytes: null },
    signature: values.signature === undefined ? undefined : read(values.signature),
    signer: signer === undefined ? undefined : { given: signer, text: signerText(signer) },
    keyEvents: events === undefined ? undefined : read(events),
    requireLogs: Number(values['require-logs']),
    strictValidity: values['strict-validity'],
    rehearsal: values.rehearsal,
    json: values.json,
    now: BigInt(Math.floor(Date.now() / 1000)),
  };
}

function signerText(given: string): string {
  return existsSync(given) ? readFileSync(given, 'utf8') : given;
}

/** With `--json`, the reason is in the report. */
function summary(code: 0 | 1 | 2): string {
  return `verifier: of 1 documents 0 are proven, ${code === 1 ? 1 : 0} are not, ${code === 2 ? 1 : 0} could not be checked`;
}

function main(): number {
  try {
    const run = runOf();
    const verdict: Verdict = runCheck(run);
    // Where policy or arguments are wrong, there is nothing to report on.
    const isReport = run.json && verdict.reached !== null;
    const lines = isReport ? [jsonReport(run, verdict)] : verdict.result;
    for (const line of lines) process.stdout.write(`${line}\n`);
    const talk = isReport && verdict.code !== 0 ? [...verdict.talk.slice(0, -1), summary(verdict.code)] : verdict.talk;
    for (const line of talk) process.stderr.write(`${line}\n`);
    return verdict.code;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    process.stderr.write(`verifier: ${error.message}\n`);
    return error.code;
  }
}

process.exitCode = main();
