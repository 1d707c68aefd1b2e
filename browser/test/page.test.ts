// The page in a real browser: Debian's Chromium, headless, from the disk. Files in, words out; by keyboard, for a screen
// reader, in the dark, on a narrow screen, and with nothing on the network.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { programs } from './lib/rust.ts';
import { world } from './lib/seeds.ts';

const CHROMIUM = process.env['COLDLOG_CHROMIUM'] ?? '/usr/bin/chromium';
const PAGE = pathToFileURL(resolve('dist/verify.html')).href;
const PICTURES = process.env['COLDLOG_PICTURES'] ?? resolve('dist/pictures');
const missing = existsSync(CHROMIUM) ? false : `no Chromium at ${CHROMIUM} (Debian: apt-get install chromium)`;

describe('the page', { skip: missing }, () => {
  const { folder, cases } = world();
  const files = (name: string): { document: string; proof: string; policy: string; args: string[] } => {
    const found = cases.find((one) => one.name === name);
    assert.ok(found, name);
    const at = (file: string): string => join(folder, file);
    return { document: at(found.files.document), proof: at(found.files.proof), policy: at(found.files.policy), args: found.args };
  };
  let browser: Browser;

  before(async () => {
    mkdirSync(PICTURES, { recursive: true });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  });
  after(async () => browser?.close());

  /** A page on which nothing is wrong: no error, no violation, no request but for itself. */
  async function open(options: { dark?: boolean; width?: number; url?: string } = {}): Promise<{ page: Page; wrong: string[] }> {
    const context = await browser.newContext({
      colorScheme: options.dark === true ? 'dark' : 'light',
      viewport: { width: options.width ?? 1000, height: 900 },
    });
    const page = await context.newPage();
    const wrong: string[] = [];
    page.on('console', (message) => wrong.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
    page.on('request', (request) => {
      if (request.url() !== (options.url ?? PAGE)) wrong.push(`request: ${request.url()}`);
    });
    await page.goto(options.url ?? PAGE);
    return { page, wrong };
  }

  async function give(page: Page, name: string): Promise<void> {
    const { document, proof, policy } = files(name);
    await page.getByLabel('Document', { exact: true }).setInputFiles(document);
    await page.getByLabel('Proof (its name ends in .proof)').setInputFiles(proof);
    await page.getByLabel('Policy (whom to believe)').setInputFiles(policy);
  }

  async function checked(page: Page, name: string): Promise<string> {
    await give(page, name);
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.locator('#answer').waitFor();
    return (await page.locator('#lines').textContent()) ?? '';
  }

  /** What the command prints, where it is there; its result, then what it says beside. */
  function command(name: string): string[] {
    const { document, proof, policy } = files(name);
    const run = spawnSync(join(programs(), 'verifier'), ['check', document, '--proof', proof, '--policy', policy], { encoding: 'utf8' });
    const short = (text: string): string => text.replaceAll(`${folder}/`, '').replace(/clock says .*$/m, 'clock says');
    return [...short(run.stderr).trimEnd().split('\n'), ...short(run.stdout).trimEnd().split('\n')].filter((line) => line !== '');
  }

  const WORDS = ['sshsig-one', 'minisign-one', 'earlier-head', 'two-logs', 'approved', 'app-root.past', 'app-root.future', 'many-history', 'wrong-document', 'practice-real', 'app-draft.now', 'log-key-after-three'];
  for (const name of WORDS) {
    test(`says the command's words about ${name}`, async () => {
      const { page, wrong } = await open();
      const lines = (await checked(page, name)).replace(/clock says .*$/m, 'clock says');
      assert.deepEqual(lines.split('\n'), command(name));
      assert.deepEqual(wrong, []);
      await page.context().close();
    });
  }

  test('shows digest, bounds and quorum of what is proven', async () => {
    const { page, wrong } = await open();
    await checked(page, 'earlier-head');
    const answer = await page.locator('#answer').innerText();
    assert.match(answer, /^Proven: this signature is logged/);
    assert.match(answer, /e3b0 c442 98fc 1c14 9afb f4c8 996f b924 27ae 41e4 649b 934c a495 991b 7852 b855/);
    assert.match(answer, /not before\s+\d{4}-\d\d-\d\dT/);
    assert.match(answer, /quorum two-of-three \(2 of 3\)/);
    assert.match(answer, /a\\nname\\u\{9\}\\u\{202e\}x/);
    assert.deepEqual(wrong, []);
    await page.context().close();
  });

  test('is worked by keyboard alone', async () => {
    const { page } = await open();
    await give(page, 'sshsig-one');
    await page.locator('body').press('Tab');
    const order: string[] = [];
    for (let n = 0; n < 12; n += 1) {
      const id = await page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName || '');
      order.push(id);
      if (id === 'check') break;
      await page.keyboard.press('Tab');
    }
    assert.deepEqual(order, ['document', 'proof', 'policy', 'SUMMARY', 'check']);
    await page.keyboard.press('Enter');
    await page.locator('#answer').waitFor();
    await page.waitForFunction(() => document.activeElement?.id === 'verdict');
    assert.equal(await page.locator('#verdict').innerText(), 'Proven: this signature is logged');
    // What had the focus is visible: an outline is drawn around it.
    await page.keyboard.press('Shift+Tab');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
    assert.equal(outline, 'solid');
    await page.context().close();
  });

  test('opens what else can be demanded, and heeds it', async () => {
    const { page } = await open();
    await give(page, 'sshsig-one');
    await page.getByText('More that can be demanded').press('Enter');
    await page.getByLabel('Signature file').setInputFiles(join(folder, 'tool.bin.minisig'));
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.locator('#answer').waitFor();
    assert.equal(await page.locator('#reason').innerText(), 'the signature file is minisign, expected sshsig');
    await page.getByRole('button', { name: 'Clear' }).click();
    assert.equal(await page.locator('#answer').isVisible(), false);
    await give(page, 'sshsig-one');
    await page.getByLabel('How many logs must have it').fill('2');
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.locator('#answer').waitFor();
    assert.match(await page.locator('#reason').innerText(), /proven to be in 1 logs of the policy, 2 are demanded/);
    await page.context().close();
  });

  test('names every control, and announces the verdict', async () => {
    const { page } = await open();
    await page.getByText('More that can be demanded').click();
    const tree = await page.locator('body').ariaSnapshot();
    for (const part of [
      '- heading "Is this document’s signature logged?" [level=1]',
      '- button "Document"',
      '- button "Proof (its name ends in .proof)"',
      '- button "Policy (whom to believe)"',
      '- button "Signature file (.sig or .minisig, checked as well)"',
      '- button "Key events of the log"',
      '- textbox "The key that must have signed (64 hex digits, or an OpenSSH public key)"',
      '- spinbutton "How many logs must have it"',
      '- checkbox "Refuse a head that was not cosigned within the policy’s time"',
      '- checkbox "Check what was made to practise (a rehearsal), and nothing else"',
      '- button "Check"',
      '- button "Clear"',
      '- status',
    ]) {
      assert.ok(tree.includes(part), `${part}\n\nnot in\n${tree}`);
    }
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLInputElement>('input')].filter((one) => (one.labels?.length ?? 0) === 0).map((one) => one.id),
    );
    assert.deepEqual(unnamed, []);
    await checked(page, 'wrong-document');
    const said = await page.getByRole('status').textContent();
    assert.match(said ?? '', /^Refused: not proven\. tampering: the document has the SHA-256/);
    assert.equal(await page.locator('#live').getAttribute('aria-live'), 'polite');
    await page.context().close();
  });

  test('takes dropped files, and checks when it has all', async () => {
    const { page, wrong } = await open();
    const { document, proof, policy } = files('sshsig-one');
    await drop(page, [proof, policy, document]);
    await page.locator('#answer').waitFor();
    assert.equal(await page.locator('#verdict').innerText(), 'Proven: this signature is logged');
    assert.deepEqual(wrong, []);
    await page.context().close();
  });

  /** Five documents with what belongs to them, as `verifier check` finds it: proven, without a proof, altered, damaged. */
  function several(): { folder: string; documents: string[]; all: string[] } {
    const made = mkdtempSync(join(tmpdir(), 'several-'));
    const copy = (from: string, to: string): void => copyFileSync(join(folder, from), join(made, to));
    for (const name of ['app.txt', 'tool.bin']) {
      copy(name, name);
      copy(`${name}.proof`, `${name}.proof`);
    }
    copy('many.1', 'lonely.txt');
    copy('many.2', 'altered.txt');
    copy('many.3.proof', 'altered.txt.proof');
    copy('many.4', 'damaged.txt');
    writeFileSync(join(made, 'damaged.txt.proof'), readFileSync(join(folder, 'many.4.proof')).subarray(0, 99));
    const documents = ['altered.txt', 'app.txt', 'damaged.txt', 'lonely.txt', 'tool.bin'];
    return { folder: made, documents, all: readdirSync(made).sort() };
  }

  async function drop(page: Page, paths: string[]): Promise<void> {
    await page.evaluate(() => {
      window.document.getElementById('holder')?.remove();
      const holder = Object.assign(window.document.createElement('input'), { type: 'file', multiple: true, id: 'holder' });
      window.document.body.append(holder);
    });
    await page.locator('#holder').setInputFiles(paths);
    await page.evaluate(() => {
      const transfer = new DataTransfer();
      const holder = window.document.getElementById('holder') as HTMLInputElement;
      for (const file of holder.files!) transfer.items.add(file);
      holder.remove();
      window.document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    });
  }

  const ended = (page: Page): Promise<unknown> => page.waitForFunction(() => document.getElementById('answer')?.dataset['code'] !== '' && document.activeElement?.id === 'verdict');

  test('takes several documents, and says the command\'s words of each', async () => {
    const { page, wrong } = await open();
    const made = several();
    const policy = join(folder, 'policy.one');
    await drop(page, [policy, ...made.all.map((name) => join(made.folder, name))]);
    await ended(page);
    const run = spawnSync(resolve(programs(), 'verifier'), ['check', '--keep-going', ...made.documents, '--policy', policy], { cwd: made.folder, encoding: 'utf8' });
    const theirs = [...run.stderr.trimEnd().split('\n'), ...run.stdout.trimEnd().split('\n')];
    assert.deepEqual((await page.locator('#lines').textContent())?.split('\n'), theirs);
    assert.equal(run.status, 2);
    assert.equal(await page.locator('#answer').getAttribute('data-code'), '2');
    const items = page.getByRole('list', { name: 'Each document' }).getByRole('listitem');
    assert.deepEqual(await items.evaluateAll((all) => all.map((one) => one.querySelector('summary')!.textContent)), theirs.filter((line) => /^(proven|REFUSED|TROUBLE) /.test(line)));
    assert.deepEqual(await items.evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset['code'])), ['1', '0', '2', '1', '0']);
    // Behind each line: what the command says of that document alone.
    for (const [at, name] of made.documents.entries()) {
      const alone = spawnSync(resolve(programs(), 'verifier'), ['check', name, '--policy', policy], { cwd: made.folder, encoding: 'utf8' });
      const said = [alone.stderr, alone.stdout].map((text) => text.trimEnd()).filter((text) => text !== '').join('\n');
      assert.equal(await items.nth(at).locator('pre').textContent(), said);
    }
    assert.deepEqual(wrong, []);
    await page.context().close();
  });

  test('proves several documents chosen by buttons, worked by keyboard and told to a screen reader', async () => {
    const { page, wrong } = await open();
    const named = (name: string): string => join(folder, name);
    const documents = ['many.1', 'many.2', 'many.3'];
    await page.getByLabel('Document', { exact: true }).setInputFiles(documents.map(named));
    await page.getByLabel('Proof (its name ends in .proof)').setInputFiles([...documents].reverse().map((name) => named(`${name}.proof`)));
    await page.getByLabel('Policy (whom to believe)').setInputFiles(named('policy.one'));
    assert.match((await page.locator('#document-chosen').textContent()) ?? '', /^3 files, \d+ bytes$/);
    await page.getByRole('button', { name: 'Check', exact: true }).press('Enter');
    await ended(page);
    assert.equal(await page.locator('#verdict').innerText(), 'Proven: all these signatures are logged');
    assert.equal(await page.getByRole('status').textContent(), 'Proven: all these signatures are logged. all 3 documents are proven');
    const tree = await page.locator('#answer').ariaSnapshot();
    for (const part of ['heading "Proven: all these signatures are logged" [level=2]', 'heading "Each document" [level=3]', 'list "Each document":', 'listitem:', 'group: "proven many.1: one.example/log #']) {
      assert.ok(tree.includes(part), `${part}\n\nnot in\n${tree}`);
    }
    // From the verdict on, the next stop is the first line; Enter opens it, and the second line comes after it.
    const at = (): Promise<string> => page.evaluate(() => document.activeElement?.textContent ?? '');
    await page.keyboard.press('Tab');
    assert.match(await at(), /^proven   many\.1: one\.example\/log #\d+, not after \d{4}-/);
    assert.equal(await page.locator('#documents pre').first().isVisible(), false);
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('#documents pre').first().isVisible(), true);
    assert.match((await page.locator('#documents pre').first().textContent()) ?? '', /^proven: many\.1\n {2}document /);
    await page.keyboard.press('Tab');
    assert.match(await at(), /^proven   many\.2: /);
    assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle), 'solid');
    assert.deepEqual(wrong, []);
    await page.context().close();
  });

  test('checks a signature file with the document that it is named after, and names what it did not look at', async () => {
    const { page } = await open();
    const made = several();
    copyFileSync(join(folder, 'app.txt.sig'), join(made.folder, 'app.txt.sig'));
    copyFileSync(join(folder, 'app.txt.sig'), join(made.folder, 'tool.bin.minisig'));
    copyFileSync(join(folder, 'many.5.proof'), join(made.folder, 'stray.proof'));
    const names = ['app.txt', 'app.txt.proof', 'app.txt.sig', 'tool.bin', 'tool.bin.proof', 'tool.bin.minisig', 'stray.proof'];
    await drop(page, [join(folder, 'policy.one'), ...names.map((name) => join(made.folder, name))]);
    await ended(page);
    const lines = await page.locator('#documents summary').allTextContents();
    assert.match(lines[0]!, /^proven   app\.txt: /);
    assert.equal(lines[1], 'REFUSED  tool.bin: the signature file is sshsig, expected minisign');
    assert.equal(await page.locator('#warnings').innerText(), 'Of no document that was given, and not looked at: stray.proof');
    assert.match((await page.getByRole('status').textContent()) ?? '', /1 files are of no document$/);
    await page.context().close();
  });

  test('reads the policy once, and ends where it is none', async () => {
    const { page } = await open();
    await page.getByLabel('Document', { exact: true }).setInputFiles(['many.1', 'many.2'].map((name) => join(folder, name)));
    await page.getByLabel('Policy (whom to believe)').setInputFiles(join(folder, 'app.txt'));
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await ended(page);
    assert.match(await page.locator('#reason').innerText(), /^app\.txt: policy line 1: /);
    assert.equal(await page.locator('#documents').isVisible(), false);
    await page.context().close();
  });

  test('asks for what is missing', async () => {
    const { page } = await open();
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.locator('#answer').waitFor();
    assert.match(await page.locator('#answer').innerText(), /No document is chosen/);
    await page.getByLabel('Document', { exact: true }).setInputFiles(files('sshsig-one').document);
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.locator('#answer').waitFor();
    assert.match(await page.locator('#reason').innerText(), /No policy is chosen/);
    await page.getByLabel('Policy (whom to believe)').setInputFiles(files('sshsig-one').policy);
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.waitForFunction(() => document.getElementById('answer')?.dataset['code'] === '1');
    assert.equal(
      await page.locator('#reason').innerText(),
      'app.txt has no proof at app.txt.proof: a signature that is not proven to be logged is not accepted',
    );
    await page.context().close();
  });

  test('runs no script but its own, and reaches no network', async () => {
    const { page } = await open();
    const found = await page.evaluate(async () => {
      const violations: string[] = [];
      document.addEventListener('securitypolicyviolation', (event) => violations.push(event.effectiveDirective));
      const script = document.createElement('script');
      script.textContent = 'window.intruder = true';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<p style="color: red" onclick="1">x</p><img src="https://example.com/x.png">');
      const fetched = await fetch('https://example.com/').then(() => 'reached', () => 'refused');
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { violations: violations.sort(), intruder: 'intruder' in window, fetched };
    });
    assert.equal(found.intruder, false);
    assert.equal(found.fetched, 'refused');
    assert.deepEqual([...new Set(found.violations)], ['connect-src', 'img-src', 'script-src-attr', 'script-src-elem', 'style-src-attr']);
    await page.context().close();
  });

  test('has a policy built in where one was given to the build', async () => {
    const { document, proof, policy } = files('sshsig-one');
    const output = resolve('dist/pinned.html');
    const built = spawnSync(process.execPath, ['build.mjs', '--policy', policy, '--output', output], { encoding: 'utf8' });
    assert.equal(built.status, 0, built.stderr);
    const { page, wrong } = await open({ url: pathToFileURL(output).href });
    assert.equal(await page.locator('#policy').count(), 0);
    await page.getByLabel('Document', { exact: true }).setInputFiles(document);
    await page.getByLabel('Proof (its name ends in .proof)').setInputFiles(proof);
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.locator('#answer').waitFor();
    assert.equal(await page.locator('#verdict').innerText(), 'Proven: this signature is logged');
    assert.deepEqual(wrong, []);
    await page.context().close();
  });

  const SCREENS = [
    { name: 'light', dark: false, width: 1000 },
    { name: 'dark', dark: true, width: 1000 },
    { name: 'narrow', dark: false, width: 320 },
    { name: 'narrow-dark', dark: true, width: 320 },
  ];
  for (const screen of SCREENS) {
    test(`fits the screen, and can be read: ${screen.name}`, async () => {
      for (const name of ['two-logs', 'wrong-document', 'app-draft.now']) {
        const { page } = await open(screen);
        if (name === 'two-logs') await page.screenshot({ path: join(PICTURES, `${screen.name}-empty.png`), fullPage: true });
        await checked(page, name);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(overflow, 0, `${name} is ${overflow} pixels too wide`);
        assert.deepEqual(await lowContrast(page), []);
        await page.screenshot({ path: join(PICTURES, `${screen.name}-${name}.png`), fullPage: true });
        await page.context().close();
      }
    });
  }

  for (const screen of SCREENS) {
    test(`shows several verdicts so that they fit and can be read: ${screen.name}`, async () => {
      const { page } = await open(screen);
      const made = several();
      await drop(page, [join(folder, 'policy.one'), ...made.all.map((name) => join(made.folder, name))]);
      await ended(page);
      await page.locator('#documents summary').nth(1).click();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(overflow, 0, `${overflow} pixels too wide`);
      assert.deepEqual(await lowContrast(page), []);
      await page.screenshot({ path: join(PICTURES, `${screen.name}-several.png`), fullPage: true });
      await page.context().close();
    });
  }

  test('prints the verdict without the form', async () => {
    const { page } = await open({ dark: true });
    await checked(page, 'two-logs');
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    assert.equal(await page.locator('form').isVisible(), false);
    assert.equal(await page.locator('#answer').isVisible(), true);
    await page.screenshot({ path: join(PICTURES, 'print.png'), fullPage: true });
    writeFileSync(join(PICTURES, 'print.pdf'), await page.pdf({ format: 'A4' }));
    await page.context().close();
  });
});

/** Texts whose contrast with what is behind them is below 4.5 to 1 (WCAG 2.2, 1.4.3). */
function lowContrast(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const numbers = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (colour: string): number => {
      const [r, g, b] = numbers(colour).map((value) => {
        const part = value / 255;
        return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    const behind = (element: Element | null): string => {
      for (let at = element; at !== null; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if ((numbers(colour)[3] ?? 1) > 0) return colour;
      }
      return 'rgb(255, 255, 255)';
    };
    const low: string[] = [];
    for (const element of document.querySelectorAll<HTMLElement>('body *')) {
      const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent!.trim() !== '');
      if (!hasText || element.offsetParent === null || ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(element.tagName)) continue;
      const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((x, y) => y - x);
      const ratio = (a! + 0.05) / (b! + 0.05);
      if (ratio < 4.5) low.push(`${element.tagName} "${element.textContent!.slice(0, 20)}" ${ratio.toFixed(2)}`);
    }
    return low;
  });
}
