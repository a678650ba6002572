// How Chromium is started: headless, with WebGPU and WebGL on software, with no word to the outside.
import { chromium } from 'playwright-core';
import { findChromium } from './find-chromium.mjs';

const flags = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** WebGPU and WebGL on the processor. */
const softwareGpu = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
];

/**
 * Why there is no browser to test in, or undefined if there is one. Where `CI` is set its absence is an error: checks that
 * are left out there would never be missed.
 */
export function whyNoChromium() {
  if (findChromium()) return undefined;
  const reason = 'there is no Chromium: install it (Debian: apt-get install chromium), or name it in CHROMIUM';
  if (process.env.CI) throw new Error(reason);
  return reason;
}

/** Starts the browser; answers Playwright's `Browser`. */
export const launchChromium = ({ webgpu = true } = {}) =>
  chromium.launch({ executablePath: findChromium(), headless: true, args: [...flags, ...(webgpu ? softwareGpu : [])] });
