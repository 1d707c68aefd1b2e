// Builds dist/verify.html, the script dist/cli.js, and the tests. `--policy FILE` makes a page with that policy in it.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { policy: { type: 'string' }, output: { type: 'string', short: 'o' } } });
const dist = join(here, 'dist');
mkdirSync(join(dist, 'test'), { recursive: true });

const common = { bundle: true, target: 'es2022', charset: 'utf8', legalComments: 'none', logLevel: 'warning' };

async function page() {
  const policy = values.policy === undefined ? null : readFileSync(values.policy).toString('base64');
  const bundled = await build({
    ...common,
    entryPoints: [join(here, 'src/ui/page.ts')],
    format: 'iife',
    minify: true,
    write: false,
    define: { PINNED_POLICY: JSON.stringify(policy) },
  });
  // A script in a page ends where the parser says so, not where JavaScript does.
  const script = bundled.outputFiles[0].text.replaceAll('</script', '<\\/script').trim();
  const style = readFileSync(join(here, 'src/ui/page.css'), 'utf8').trim();
  const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policyHeader = `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; base-uri 'none'; form-action 'none'`;
  const html = readFileSync(join(here, 'src/ui/page.html'), 'utf8')
    .replace('{{csp}}', () => policyHeader)
    .replace('{{style}}', () => style)
    .replace('{{script}}', () => script);
  const output = values.output ?? join(dist, 'verify.html');
  writeFileSync(output, html);
  console.log(`${output}: ${html.length} bytes, SHA-256 ${createHash('sha256').update(html).digest('hex')}`);
}

/**
 * In the differential test most files have most signatures unchanged. Verification is a pure function, so there its
 * answers are remembered; nowhere else.
 */
const remembering = {
  name: 'remembering',
  setup(builder) {
    builder.onResolve({ filter: /\/(mldsa|ed25519)\.ts$/ }, ({ path, importer }) => {
      if (!importer.startsWith(join(here, 'src'))) return undefined;
      return { path: join(here, 'test/lib', `remembered-${path.split('/').at(-1)}`) };
    });
  },
};

async function scripts() {
  const tests = readdirSync(join(here, 'test')).filter((name) => name.endsWith('.test.ts'));
  const node = {
    ...common,
    entryNames: '[dir]/[name]',
    outbase: here,
    outdir: dist,
    platform: 'node',
    format: 'esm',
    external: ['playwright-core'],
  };
  await build({
    ...node,
    entryPoints: [join(here, 'src/cli.ts'), ...tests.map((name) => join(here, 'test', name))],
  });
  await build({ ...node, entryPoints: [join(here, 'test/differential.ts')], plugins: [remembering] });
}

if (values.policy === undefined) await scripts();
await page();
