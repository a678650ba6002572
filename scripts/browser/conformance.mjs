// Runs the conformance suite in Chromium on the backends named: `node scripts/browser/conformance.mjs webgpu cpu`. It runs the
// sources, in a worker, one in `--every=N` calls and vectors, and prints how many cases passed and, for each one that is not served, its reason.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { publishedPackages, root } from '../workspace.mjs';
import { launchChromium, whyNoChromium } from './chromium.mjs';
import { serve } from './server.mjs';

/** How each backend is made, and what it does not serve: the names of cases, with reasons. */
const rows = {
  cpu: {
    make: `import { cpu } from '@dl/backend-cpu'; export const make = () => cpu({ threads: 1 });`,
    known: {},
  },
  threads: {
    make: `import { cpu } from '@dl/backend-cpu'; export const make = () => cpu({ threads: 2 });`,
    known: {},
  },
  webgpu: {
    make: `import { webgpu } from '@dl/backend-gpu'; export const make = () => webgpu();`,
    known: { 'cast to f64': 'WebGPU has no f64' },
    options: { programs: 8, every: 17 },
  },
  'gpujs-webgl2': gpujs('webgl2'),
  'gpujs-webgl': gpujs('webgl'),
  'gpujs-webgpu': gpujs('webgpu'),
};

/** gpu.js in one of its modes. Compiling thousands of shaders takes hours, so it runs a part. */
function gpujs(mode) {
  return {
    make: `import { gpujs } from '@dl/backend-gpu'; export const make = () => gpujs({ mode: '${mode}', warn: console.log });`,
    known: { 'cast to f64': 'gpu.js has no f64' },
    options: { programs: 20, every: 12 },
  };
}

/** Where the bundle is served, so that paths relative to it find the reference vectors. */
const at = '/packages/testing/src/golden/bundle.js';

const program = ({ make, known, options }) => `
  import { conformance } from '@dl/testing/conformance';
  import { runTests } from 'vitest';
  ${make}
  conformance(make, ${JSON.stringify({ ...options, known })});
  runTests((result) => postMessage(result)).then(() => postMessage('end'), (error) => postMessage({ name: 'the suite', error: error.message }));
`;

/** A worker may read a file while it waits. */
const fileShim = `export function readFileSync(url) {
  const request = new XMLHttpRequest();
  request.open('GET', url, false);
  request.send();
  if (request.status !== 200) throw new Error(url + ' answered ' + request.status);
  return request.responseText;
}`;

const inPlace = {
  name: 'in-place',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:fs$/ }, () => ({ path: 'node:fs', namespace: 'shim' }));
    onLoad({ filter: /.*/, namespace: 'shim' }, () => ({ contents: fileShim }));
  },
};

async function bundle(row) {
  const { outputFiles } = await build({
    stdin: { contents: program(row), resolveDir: root },
    alias: {
      vitest: join(root, 'scripts/browser/vitest-in-page.mjs'),
      '@dl/testing/conformance': join(root, 'packages/testing/src/conformance/conformance.ts'),
      ...Object.fromEntries(publishedPackages().map(({ name, dir }) => [name, join(dir, 'src/index.ts')])),
    },
    conditions: ['@dl/source'],
    plugins: [inPlace],
    external: ['node:*', 'webgpu'],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'warning',
  });
  return outputFiles[0].text;
}

/** Runs the suite in a worker of the page; answers a list of `{ name, error, isExpectedToFail }`. */
const inWorker = (path) =>
  new Promise((resolve, reject) => {
    const results = [];
    const worker = new Worker(path, { type: 'module' });
    worker.onerror = (event) => reject(new Error(event.message || 'the worker could not be loaded'));
    worker.onmessage = ({ data }) => {
      if (data === 'end') resolve(results);
      else results.push(data);
      if (data.error && !data.isExpectedToFail) console.log(`${data.name}: ${data.error.slice(0, 600)}`);
    };
  });

async function check(browser, name, asked) {
  const start = performance.now();
  const { options = { programs: 40, every: 1 } } = rows[name];
  const every = asked ?? options.every;
  const pages = {
    '/': '<!doctype html><title>conformance</title>',
    [at]: await bundle({ ...rows[name], options: { ...options, every } }),
  };
  const { url, close } = await serve({ pages, isolated: true });
  const tab = await browser.newPage();
  tab.on('console', (message) => console.log(`  ${message.text()}`));
  await tab.goto(url);
  const results = await tab.evaluate(inWorker, at);
  await close();
  const isGood = ({ error, isExpectedToFail }) => (error === null) !== isExpectedToFail;
  const failed = results.filter((result) => !isGood(result));
  const unserved = results.filter((result) => result.isExpectedToFail && isGood(result));
  for (const result of failed) console.log(`FAILED ${result.name}${result.error ? '' : ': is served now; say so'}`);
  for (const result of unserved) console.log(`not served: ${result.name}`);
  const passed = results.length - failed.length - unserved.length;
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(
    `conformance on ${name} in Chromium${every > 1 ? `, one call in ${every}` : ''}: ${passed} passed, ${failed.length} failed, ${unserved.length} not served (${seconds} s)`,
  );
  return passed > 0 && failed.length === 0;
}

const { positionals: names, values } = parseArgs({ allowPositionals: true, options: { every: { type: 'string' } } });
const asked = values.every && Number(values.every);
const unknown = names.filter((name) => !(name in rows));
if (unknown.length > 0 || names.length === 0) {
  console.error(`Usage: conformance.mjs [--every=N] BACKEND …, of ${Object.keys(rows).join(', ')}`);
  process.exit(2);
}
const reason = whyNoChromium();
if (reason) console.log(`Conformance in the browser is left out: ${reason}.`);
else {
  const browser = await launchChromium();
  for (const name of names) if (!(await check(browser, name, asked))) process.exitCode = 1;
  await browser.close();
}
