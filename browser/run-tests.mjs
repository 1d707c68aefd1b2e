// Runs every test that build.mjs made. What it lacks (the programs, a browser) is told by each test by itself.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const tests = readdirSync('dist/test').filter((name) => name.endsWith('.test.js'));
const run = spawnSync(process.execPath, ['--test', ...tests.map((name) => `dist/test/${name}`)], { stdio: 'inherit' });
process.exit(run.status ?? 1);
