// Checks that the built packages load and train in a browser, served as files with an import map and no bundler, on pages that
// are cross-origin isolated and that are not: `node scripts/browser/check.mjs`, after a build. One line a check.
import { availableParallelism } from 'node:os';
import { publishedPackages } from '../workspace.mjs';
import { launchChromium, whyNoChromium } from './chromium.mjs';
import { serve } from './server.mjs';

const packages = publishedPackages();
const names = packages.map(({ name }) => name);
const importMap = Object.fromEntries(
  packages.map(({ name, dir }) => [name, `/packages/${dir.split('/').at(-1)}/dist/index.js`]),
);
const page = `<!doctype html><meta charset="utf-8"><title>@dl</title>
<script type="importmap">${JSON.stringify({ imports: importMap })}</script>`;

/** gpu.js is no ES module; a page without a bundler has it as a script. */
const gpuJs = '/packages/backend-gpu/node_modules/gpu.js/dist/gpu-browser.min.js';

const cores = availableParallelism();
const allThreads = cores === 1 ? /, 1 thread$/ : new RegExp(`, ${cores} threads$`);

/** The rows of `train.mjs`: where each is tried, how it describes itself there, and what it says on the console. */
const rows = [
  { backend: 'cpu, 1 thread', on: 'isolated', describes: /, 1 thread$/ },
  { backend: 'cpu, all threads', on: 'isolated', describes: allThreads },
  { backend: 'cpu, 1 thread', on: 'not isolated', describes: /, 1 thread$/ },
  {
    backend: 'cpu, all threads',
    on: 'not isolated',
    describes: /, 1 thread$/,
    ...(cores > 1 ? { says: /runs on one thread of \d+: this page is not cross-origin isolated/ } : {}),
  },
  { backend: 'webgpu', on: 'isolated', describes: /^WebGPU on / },
  { backend: 'gpu.js', on: 'isolated', describes: /webgl2/, script: gpuJs },
];

let failed = 0;
function report(name, problem, detail = '') {
  if (problem) failed++;
  console.log(`${problem ? 'FAILED' : 'ok    '} ${name}${detail && `: ${detail}`}${problem ? `: ${problem}` : ''}`);
}

const inPage = (tab, name, argument) =>
  tab.evaluate(async ([which, given]) => (await import('/scripts/browser/train.mjs'))[which](given), [name, argument]);

/** All packages export in the page what they export here. */
async function checkExports(tab, label) {
  const [here, there] = await Promise.all([exportsHere(), inPage(tab, 'exportsOf', names)]);
  const different = names.filter((name) => String(here[name]) !== String(there[name]));
  const count = Object.values(there).reduce((sum, list) => sum + list.length, 0);
  report(`${label}: all packages load`, different.length && `${different} differ`, `${count} exports`);
}

async function exportsHere() {
  const modules = await Promise.all(packages.map(({ dir }) => import(`${dir}/dist/index.js`)));
  return Object.fromEntries(modules.map((module, i) => [names[i], Object.keys(module).sort()]));
}

/** Keeps, in a page, the addresses of Blobs that are open: each holds its Blob until it is revoked. */
function watchAddresses() {
  globalThis.openAddresses = new Set();
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (blob) => {
    const address = createObjectURL.call(URL, blob);
    globalThis.openAddresses.add(address);
    return address;
  };
  URL.revokeObjectURL = (address) => {
    globalThis.openAddresses.delete(address);
    revokeObjectURL.call(URL, address);
  };
}

/** How many stay open; a worker that has just been started is given its time. */
async function addressesLeft(tab) {
  await tab.waitForFunction(() => globalThis.openAddresses.size === 0, null, { timeout: 5000 }).catch(() => {});
  return tab.evaluate(() => globalThis.openAddresses.size);
}

/** Training on one backend lowers the loss. */
async function checkTraining(browser, url, { backend, on, describes, says, script }) {
  const name = `${on}: trains on ${backend}`;
  const tab = await browser.newPage();
  const lines = [];
  tab.on('console', (message) => lines.push(message.text()));
  try {
    await tab.addInitScript(watchAddresses);
    await tab.goto(url);
    if (script) await tab.addScriptTag({ url: script });
    const { losses, describe } = await inPage(tab, 'train', backend);
    const open = await addressesLeft(tab);
    const problems = [
      open === 0 ? '' : `${open} addresses of Blobs are left open`,
      losses.at(-1) < 0.7 * losses[0] ? '' : 'the loss does not fall',
      describes.test(describe) ? '' : `its description should be like ${describes}`,
      !says || lines.some((line) => says.test(line)) ? '' : `the console should say ${says}`,
    ];
    report(name, problems.filter(Boolean).join('; '), `${losses.map((l) => l.toFixed(4)).join(' → ')} (${describe})`);
  } catch (error) {
    report(name, error.message);
  }
  for (const line of lines) console.log(`         console: ${line}`);
  await tab.close();
}

async function checkPages(browser, isolated) {
  const label = isolated ? 'isolated' : 'not isolated';
  const { url, close } = await serve({ pages: { '/': page }, isolated });
  const tab = await browser.newPage();
  await tab.goto(url);
  const found = await tab.evaluate(() => globalThis.crossOriginIsolated);
  report(`${label}: the page is`, found !== isolated && `crossOriginIsolated is ${found}`);
  await checkExports(tab, label);
  const messages = await inPage(tab, 'usePaths');
  const untyped = messages.filter((message) => !/^ValueError: .* this runtime has no files/.test(message));
  report(`${label}: the use of a path is an error in words`, untyped.length && untyped.join('; '));
  for (const row of rows) if (row.on === label) await checkTraining(browser, url, row);
  await close();
}

const reason = whyNoChromium();
if (reason) console.log(`The browser checks are left out: ${reason}.`);
else {
  const browser = await launchChromium();
  await checkPages(browser, true);
  await checkPages(browser, false);
  await browser.close();
  process.exitCode = failed ? 1 : 0;
}
