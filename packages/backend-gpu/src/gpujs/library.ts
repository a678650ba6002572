/** gpu.js itself: what of it is used, and how it is had. It is an optional peer, so it is imported when a backend starts. */
import { BackendError } from '@dl/tensor';

/** A compiled kernel of gpu.js: a promise of its cells in modes that have no synchronous reads. */
export interface GpuJsKernel {
  (...args: readonly unknown[]): Float32Array | Promise<Float32Array>;
  readonly context?: unknown;
  destroy(removeCanvasReferences?: boolean): void;
}

export interface GpuJsInstance {
  createKernel(source: string, settings: object): GpuJsKernel;
  destroy(): Promise<void>;
}

/** The class `GPU` of gpu.js. */
export interface GpuJsClass {
  new (settings: { readonly mode: string }): GpuJsInstance;
  readonly isWebGLSupported: boolean;
  readonly isWebGL2Supported: boolean;
  readonly isHeadlessGLSupported: boolean;
  readonly isWebGPUSupported: boolean;
  readonly isWebAssemblySupported: boolean;
  isWebGPUAvailable(): Promise<boolean>;
}

/** What `import('gpu.js')` gives, in whichever way it was packed. */
export interface GpuJsLibrary {
  readonly GPU: GpuJsClass;
  input(value: Float32Array, size: readonly number[]): unknown;
}

const isLibrary = (value: unknown): value is GpuJsLibrary =>
  value !== null &&
  (typeof value === 'object' || typeof value === 'function') &&
  'GPU' in value &&
  'input' in value &&
  typeof value.GPU === 'function' &&
  typeof value.input === 'function';

/** The library in a module namespace, its default export, or the global that its script defines. */
export function libraryIn(module: unknown): GpuJsLibrary | undefined {
  const candidates = [module, (module as { default?: unknown } | null | undefined)?.default];
  return candidates.find(isLibrary);
}

const install =
  'Install it beside this package with "npm install gpu.js" (with --ignore-scripts where there is no compiler), or pass the ' +
  'loaded library: gpujs({ library }).';

/** What the script of gpu.js defines; in a browser with WebGPU and without that script, another class has this name. */
const globalLibrary = (): GpuJsLibrary | undefined => libraryIn((globalThis as { GPU?: unknown }).GPU);

/** @throws BackendError if gpu.js is not installed */
export async function loadLibrary(given: unknown): Promise<GpuJsLibrary> {
  if (given !== undefined) {
    const library = libraryIn(given);
    if (!library) throw new BackendError('gpujs: the library given has no GPU and input, so it is not gpu.js 2.');
    return library;
  }
  // The global first: a page that has loaded gpu.js by its script has no module of that name.
  const loaded = globalLibrary();
  if (loaded) return loaded;
  let module: unknown;
  let cause: unknown;
  try {
    module = await import('gpu.js' as string);
  } catch (error) {
    cause = error;
  }
  // The script may have come while the import failed, and defines the global also where it is imported as a module without exports.
  const library = libraryIn(module) ?? globalLibrary();
  if (library) return library;
  const what = cause ? 'gpu.js could not be loaded' : 'what was loaded as gpu.js has no GPU and input';
  throw new BackendError(`gpujs: ${what}. ${install}`, { cause });
}
