/** The page, clicked and drawn on in Chromium: as a built site that is cross-origin isolated, and as Vite serves it to one that is not. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { cpu } from '@dl/backend-cpu';
import { generateDigits } from '@dl/data';
import { LeNet } from '@dl/example-lenet/model';
import { setBackend } from '@dl/tensor';
import { loadCheckpoint } from '@dl/train';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { build, createServer, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium, whyNoChromium } from '../../../scripts/browser/chromium.mjs';
import { loadDigits } from '../src/worker/digits';
import { decodeSaved } from '../src/worker/saved';
import { Trainer } from '../src/worker/trainer';
import { draw, figure, inPhase, strokes } from './drawing';

const root = fileURLToPath(new URL('..', import.meta.url));
const reason = whyNoChromium();
if (reason) console.warn(`The page is not tested: ${reason}.`);

describe.skipIf(reason !== undefined)('the page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dl-browser-'));
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let close: () => Promise<void>;
  const problems: string[] = [];

  beforeAll(async () => {
    const outDir = join(folder, 'site');
    const [launched] = await Promise.all([
      launchChromium(),
      build({ root, logLevel: 'error', build: { outDir, minify: 'esbuild' } }),
    ]);
    const server = await preview({ root, logLevel: 'error', build: { outDir }, preview: { port: 4310 } });
    close = () => server.close();
    browser = launched;
    context = await browser.newContext({ viewport: { width: 1200, height: 1100 } });
    page = await context.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    await page.goto(server.resolvedUrls!.local[0]!);
    await inPhase(page, 'untrained');
  });

  afterAll(async () => {
    await browser?.close();
    await close?.();
    rmSync(folder, { recursive: true, force: true });
  });

  test('is cross-origin isolated, and offers threads', async () => {
    expect(await page.evaluate(() => globalThis.crossOriginIsolated)).toBe(true);
    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    const label = cores === 1 ? 'CPU, 1 thread' : `CPU, ${cores} threads`;
    expect(await page.getByLabel('Backend').locator('option').first().textContent()).toBe(label);
  });

  test('says that an untrained network only guesses', async () => {
    await page.getByRole('button', { name: 'Show me one' }).click();
    await expect.poll(() => page.locator('#prediction').textContent()).toMatch(/^\duntrained: a guess$/);
    await page.getByRole('button', { name: 'Clear' }).click();
  });

  test('trains, and stays alive meanwhile', async () => {
    await page.evaluate(() => {
      const seen = { losses: [] as number[], longestFrame: 0 };
      Object.assign(globalThis, { seen });
      const loss = document.getElementById('loss')!;
      new MutationObserver(() => seen.losses.push(Number(loss.textContent))).observe(loss, { childList: true });
      let last = performance.now();
      const frame = (now: number): void => {
        seen.longestFrame = Math.max(seen.longestFrame, now - last);
        last = now;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
    await page.getByLabel('Digits').selectOption('2000');
    await page.getByLabel('Epochs').fill('4');
    await page.getByRole('button', { name: 'Train' }).click();
    await inPhase(page, 'training');
    await expect.poll(() => figure(page, 'step')).toBeGreaterThan(10);

    await page.getByRole('button', { name: 'Pause' }).click();
    await inPhase(page, 'paused');
    const paused = await figure(page, 'step');
    await page.waitForTimeout(300);
    expect(await figure(page, 'step')).toBe(paused);

    await page.getByRole('button', { name: 'Resume' }).click();
    await inPhase(page, 'trained');
    expect(await figure(page, 'step')).toBe(4 * 32); // 2,000 digits are 32 batches of 64
    expect(await figure(page, 'accuracy')).toBeGreaterThan(85);
    const { losses, longestFrame } = await page.evaluate(
      () => (globalThis as unknown as { seen: { losses: number[]; longestFrame: number } }).seen,
    );
    expect(losses.length).toBeGreaterThan(5);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 3);
    expect(longestFrame).toBeLessThan(2000); // 17 ms on a machine with nothing else to do; the training takes longer than this
  });

  test('recognises what is drawn', async () => {
    for (const digit of [0, 4, 7] as const) {
      await draw(page, strokes[digit]);
      await expect.poll(() => page.locator('#prediction strong').textContent()).toBe(String(digit));
      const bars = await page.locator('#bars li .hidden').allTextContents();
      const sum = bars.reduce((total, text) => total + Number.parseFloat(text.split(': ')[1]!), 0);
      expect(bars).toHaveLength(10);
      expect(Math.abs(sum - 100)).toBeLessThan(3); // each is rounded
      await page.getByRole('button', { name: 'Clear' }).click();
      await expect.poll(() => page.locator('#prediction').textContent()).toContain('draw a digit');
    }
  });

  test('recognises what is drawn with the keyboard', async () => {
    await page.locator('#pad').focus();
    for (let i = 0; i < 8; i++) await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Space');
    for (let i = 0; i < 16; i++) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Space');
    await expect.poll(() => page.locator('#prediction strong').textContent()).toBe('1');
    await page.keyboard.press('Delete');
    await expect.poll(() => page.locator('#prediction').textContent()).toContain('draw a digit');
  });

  test('downloads weights that are as good in Node', async () => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download weights' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('lenet.safetensors');
    const file = join(folder, 'lenet.safetensors');
    await download.saveAs(file);
    setBackend(await cpu());
    const trainer = new Trainer();
    trainer.loadStateDict(decodeSaved(readFileSync(file)));
    await loadCheckpoint(file, { model: new LeNet() }); // as README says
    const { test: digits } = await loadDigits({ kind: 'generated', count: 2000 });
    const { accuracy } = await trainer.test(digits);
    expect(accuracy * 100).toBeCloseTo(await figure(page, 'accuracy'), 0);
  });

  test('remembers the weights, and trains on from there', async () => {
    const step = await figure(page, 'step');
    const accuracy = await figure(page, 'accuracy');
    await page.reload();
    await inPhase(page, 'trained');
    expect(await figure(page, 'step')).toBe(step);
    expect(await figure(page, 'accuracy')).toBe(accuracy);
    await draw(page, strokes[7]);
    await expect.poll(() => page.locator('#prediction strong').textContent()).toBe('7');
    await page.getByLabel('Digits').selectOption('2000');
    await page.getByLabel('Epochs').fill('1');
    await page.getByRole('button', { name: 'Train more' }).click();
    await expect.poll(() => figure(page, 'step')).toBe(step + 32);
    await inPhase(page, 'trained');
  });

  test('goes on on WebGPU where the CPU was, and back', async () => {
    const step = await figure(page, 'step');
    await page.getByLabel('Backend').selectOption('webgpu');
    await page.getByLabel('Epochs').fill('1');
    await page.getByRole('button', { name: 'Train more' }).click();
    await expect.poll(() => figure(page, 'step'), { timeout: 90_000 }).toBeGreaterThanOrEqual(step + 2);
    expect(await page.locator('#backend-note').textContent()).toContain('WebGPU on');
    expect(await figure(page, 'loss')).toBeLessThan(1); // that of new weights is 2.3
    await page.getByRole('button', { name: 'Pause' }).click();
    await inPhase(page, 'paused');
    await page.getByRole('button', { name: 'Clear' }).click();
    await expect.poll(() => page.locator('#prediction').textContent()).toContain('draw a digit');
    await draw(page, strokes[0]);
    await expect.poll(() => page.locator('#prediction strong').textContent()).toMatch(/^\d$/); // in the middle of training, any

    await page.getByLabel('Backend').selectOption('cpu');
    await page.getByRole('button', { name: 'Resume' }).click();
    await inPhase(page, 'trained');
    expect(await figure(page, 'step')).toBe(step + 32);
    expect(await figure(page, 'accuracy')).toBeGreaterThan(85);
  });

  test('goes on on gpu.js where the CPU was, and back', async () => {
    const step = await figure(page, 'step');
    await page.getByLabel('Backend').selectOption('gpujs');
    await page.getByRole('button', { name: 'Train more' }).click();
    await expect.poll(() => figure(page, 'step'), { timeout: 90_000 }).toBeGreaterThanOrEqual(step + 2);
    expect(await page.locator('#backend-note').textContent()).toContain('gpu.js, mode webgl2');
    expect(await figure(page, 'loss')).toBeLessThan(1); // that of new weights is 2.3
    await page.getByRole('button', { name: 'Pause' }).click();
    await inPhase(page, 'paused');

    await page.getByLabel('Backend').selectOption('cpu');
    await page.getByRole('button', { name: 'Resume' }).click();
    await inPhase(page, 'trained');
    expect(await figure(page, 'step')).toBe(step + 32);
    expect(await figure(page, 'accuracy')).toBeGreaterThan(85);
  }, 180_000);

  test('says what is wrong with chosen files, and trains on right ones', async () => {
    const digits = generateDigits({ count: 320, seed: 3 }).columns;
    const header = (magic: number, ...sizes: number[]) => {
      const bytes = Buffer.alloc(4 + 4 * sizes.length);
      for (const [i, value] of [magic, ...sizes].entries()) bytes.writeUInt32BE(value, 4 * i);
      return bytes;
    };
    const images = Buffer.concat([header(0x803, 320, 28, 28), Buffer.from(digits[0].data as Uint8Array)]);
    const labels = Buffer.concat([header(0x801, 320), Buffer.from(Uint8Array.from(digits[1].data))]);
    const write = (name: string, bytes: Uint8Array) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const files = [
      write('train-images-idx3-ubyte.gz', gzipSync(images)),
      write('train-labels-idx1-ubyte', labels),
      write('t10k-images-idx3-ubyte', images),
      write('t10k-labels-idx1-ubyte.gz', gzipSync(labels)),
    ];
    const alert = page.getByRole('alert');
    await page.getByLabel('Digits').selectOption('files');
    await page.locator('#files').setInputFiles(files.slice(0, 3));
    await page.getByRole('button', { name: 'Train more' }).click();
    await expect.poll(() => alert.textContent()).toContain('Missing: t10k-labels-idx1-ubyte');

    await page.locator('#files').setInputFiles([write('train-images-bad', images.subarray(0, 900)), ...files.slice(1)]);
    await page.getByRole('button', { name: 'Train more' }).click();
    await expect.poll(() => alert.textContent()).toMatch(/bytes/);
    await inPhase(page, 'trained', 'paused');

    const before = await figure(page, 'step');
    await page.locator('#files').setInputFiles(files);
    await page.locator('#run').click();
    await expect.poll(() => figure(page, 'step')).toBe(before + 5);
    expect(await alert.isVisible()).toBe(false);
    await inPhase(page, 'trained');
  });

  test('forgets', async () => {
    await page.getByRole('button', { name: 'Forget' }).click();
    await expect.poll(() => page.locator('#remembered').textContent()).toContain('remembers no network');
    await page.reload();
    await inPhase(page, 'untrained');
    expect(await figure(page, 'step')).toBe(0);
  });

  test('fits a phone, in light and dark', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    }
    const [ground, ink] = await page.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.documentElement);
      return [backgroundColor, color];
    });
    expect([ground, ink]).toEqual(['rgb(15, 18, 19)', 'rgb(233, 237, 238)']);
  });

  test('had no error on the way', () => {
    expect(problems).toEqual([]);
  });

  test('trains on one thread where it is not cross-origin isolated, served by Vite, in a browser without WebGPU', async () => {
    const server = await createServer({ root, mode: 'not-isolated', logLevel: 'error', server: { port: 4320 } });
    await server.listen();
    const plain = await launchChromium({ webgpu: false });
    const tab = await plain.newPage();
    try {
      await tab.goto(server.resolvedUrls!.local[0]!);
      await inPhase(tab, 'untrained');
      expect(await tab.evaluate(() => globalThis.crossOriginIsolated)).toBe(false);
      expect(await tab.getByLabel('Backend').locator('option').first().textContent()).toBe('CPU, 1 thread');
      expect(await tab.locator('#backend option[value=webgpu]').isDisabled()).toBe(true);
      expect(await tab.locator('#backend-note').textContent()).toContain('WebGPU: this browser');
      await tab.getByLabel('Digits').selectOption('2000');
      await tab.getByLabel('Epochs').fill('1');
      await tab.getByRole('button', { name: 'Train' }).click();
      await inPhase(tab, 'trained');
      expect(await figure(tab, 'step')).toBe(32);
    } finally {
      await plain.close();
      await server.close();
    }
  });
});
