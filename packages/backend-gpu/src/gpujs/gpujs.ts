import { BackendError } from '@dl/tensor';
import { GpuJs, type GpuJsBackend } from './backend';
import { Launcher } from './launcher';
import { loadLibrary } from './library';
import { type ConcreteMode, chooseMode, deviceOf, type GpuJsMode } from './mode';

export interface GpuJsOptions {
  /** How gpu.js runs. `gpu`, the default, is WebGL where there is one, else WebAssembly. */
  readonly mode?: GpuJsMode;
  /** gpu.js itself; by default what its script has defined as `GPU`, else the module of its name. */
  readonly library?: unknown;
  /** Hears once of each operation that runs on the host, and if there is no GPU. Default `console.warn`. */
  readonly warn?: (message: string) => void;
}

/** Runs one kernel, so that a mode that is announced but does not work is found out here. */
async function probe(launcher: Launcher, mode: ConcreteMode): Promise<void> {
  const source = 'function (a, b) {\nreturn a[this.thread.x] * b;\n}';
  const expected = [3, -1.5];
  try {
    const result = await launcher.launch(source, 2, [Float32Array.of(2, -1), 1.5]);
    if (expected.every((x, i) => result[i] === x)) return;
    throw new BackendError(`2 · 1.5 and −1 · 1.5 gave ${Array.from(result).join(' and ')}`);
  } catch (cause) {
    await launcher.dispose();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BackendError(`gpujs: mode "${mode}" does not compute here: ${reason}. Choose another mode.`, { cause });
  }
}

/**
 * Starts the gpu.js backend: for browsers that have WebGL but no WebGPU. gpu.js is an optional peer, installed by
 * `npm install gpu.js`; without native modules it has the modes `webasm` and `cpu` in Node.
 *
 * @throws BackendError if gpu.js is not installed, or the mode is not there or does not compute
 * @example
 * setBackend(await gpujs({ mode: 'webgl2' }));
 */
export async function gpujs({
  mode: wanted = 'gpu',
  library: given,
  warn = (message) => console.warn(message),
}: GpuJsOptions = {}): Promise<GpuJsBackend> {
  const library = await loadLibrary(given);
  const mode = await chooseMode(library, wanted);
  const launcher = new Launcher(library, mode);
  await probe(launcher, mode);
  const device = await deviceOf(mode, launcher.context);
  if (device.isProcessor && mode !== 'cpu' && mode !== wanted) {
    warn(`gpujs: there is no GPU here: mode ${mode} runs on ${device.words}. @dl/backend-cpu is faster there.`);
  } else if (device.isProcessor && mode !== 'cpu' && mode !== 'webasm') {
    warn(`gpujs: mode ${mode} runs on ${device.words}. @dl/backend-cpu is faster there.`);
  }
  return new GpuJs(launcher, device, warn);
}
