/**
 * Which of gpu.js's ways to run is taken, and whether it is a GPU. Without a wish, or with `gpu`, that is WebGL; where there is
 * none, WebAssembly, which is then said aloud.
 */
import { BackendError } from '@dl/tensor';
import type { GpuJsClass, GpuJsLibrary } from './library';

/** A way in which gpu.js runs kernels; `gpu` is the best one there is. */
export type GpuJsMode = 'gpu' | 'webgl2' | 'webgl' | 'headless-gl' | 'webgpu' | 'webasm' | 'cpu';

/** A mode that gpu.js can be asked for. */
export type ConcreteMode = Exclude<GpuJsMode, 'gpu'>;

export interface ModeTraits {
  /** The name that gpu.js has for it. */
  readonly name: string;
  /** Whether kernels go through a graphics driver. */
  readonly onDevice: boolean;
  /** Whether results come as promises. */
  readonly async: boolean;
  /** Most arrays that one kernel may read. */
  readonly maxInputs: number;
  /** Whether values are f64 between operations, unless rounded. */
  readonly double: boolean;
}

export const modes: Readonly<Record<ConcreteMode, ModeTraits>> = {
  webgl2: { name: 'webgl2', onDevice: true, async: false, maxInputs: 16, double: false },
  webgl: { name: 'webgl', onDevice: true, async: false, maxInputs: 16, double: false },
  'headless-gl': { name: 'headlessgl', onDevice: true, async: false, maxInputs: 16, double: false },
  webgpu: { name: 'webgpu', onDevice: true, async: true, maxInputs: 7, double: false },
  webasm: { name: 'webasm', onDevice: false, async: false, maxInputs: 64, double: false },
  cpu: { name: 'cpu', onDevice: false, async: false, maxInputs: 64, double: true },
};

const remedies: Readonly<Record<ConcreteMode, string>> = {
  webgl2: 'It needs a browser with WebGL 2; in Node use headless-gl, webasm or cpu.',
  webgl: 'It needs a browser with WebGL; in Node use headless-gl, webasm or cpu.',
  'headless-gl': 'It needs Node and the native module "gl", which "npm install gl" builds or downloads.',
  webgpu:
    'It needs navigator.gpu with an adapter; in Node, define it first by the package "webgpu": ' +
    'globalThis.navigator ??= {}; navigator.gpu = create([]). Or use webgpu() of this package.',
  webasm: 'It needs WebAssembly; use cpu.',
  cpu: '',
};

const isSupported = (GPU: GpuJsClass): Readonly<Record<ConcreteMode, () => boolean | Promise<boolean>>> => ({
  webgl2: () => GPU.isWebGL2Supported,
  webgl: () => GPU.isWebGLSupported,
  'headless-gl': () => GPU.isHeadlessGLSupported,
  webgpu: () => GPU.isWebGPUAvailable(),
  webasm: () => GPU.isWebAssemblySupported,
  cpu: () => true,
});

const preferred: readonly ConcreteMode[] = ['webgl2', 'webgl', 'headless-gl', 'webasm', 'cpu'];

/** @throws BackendError if the mode asked for is not there */
export async function chooseMode({ GPU }: GpuJsLibrary, wanted: GpuJsMode): Promise<ConcreteMode> {
  const supported = isSupported(GPU);
  if (wanted === 'gpu') {
    for (const mode of preferred) if (await supported[mode]()) return mode;
    return 'cpu';
  }
  if (!Object.hasOwn(modes, wanted)) {
    throw new BackendError(`gpujs: there is no mode "${wanted}". Modes are gpu, ${Object.keys(modes).join(', ')}.`);
  }
  if (!(await supported[wanted]())) {
    throw new BackendError(`gpujs: mode "${wanted}" is not available here. ${remedies[wanted]}`);
  }
  return wanted;
}

const imitations = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** What is used of a WebGL context. */
interface GLContext {
  readonly RENDERER: number;
  getParameter(name: number): unknown;
  getExtension(name: string): { readonly UNMASKED_RENDERER_WEBGL: number } | null;
}

function rendererOf(context: unknown): string {
  const gl = context as GLContext | null | undefined;
  if (typeof gl?.getParameter !== 'function') return '';
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

interface AdapterInfo {
  readonly vendor?: string;
  readonly architecture?: string;
  readonly description?: string;
  readonly isFallbackAdapter?: boolean;
}

async function adapterName(): Promise<string> {
  const gpu = (globalThis as { navigator?: { gpu?: { requestAdapter(): Promise<unknown> } } }).navigator?.gpu;
  const adapter = (await gpu?.requestAdapter()) as { info?: AdapterInfo } | null | undefined;
  const { vendor, architecture, description, isFallbackAdapter } = adapter?.info ?? {};
  return [vendor, architecture, description, isFallbackAdapter && 'software'].filter(Boolean).join(' ');
}

/** What a mode runs on, in words, and whether that is a processor. */
export interface Device {
  readonly words: string;
  readonly isProcessor: boolean;
}

/** @param context - the rendering context of a kernel that has run */
export async function deviceOf(mode: ConcreteMode, context: unknown): Promise<Device> {
  if (!modes[mode].onDevice) return { words: 'the processor', isProcessor: true };
  const name = mode === 'webgpu' ? await adapterName() : rendererOf(context);
  const isProcessor = imitations.test(name);
  const words = isProcessor
    ? `the processor, which ${name} lets pass for a GPU`
    : name || 'a GPU that does not say its name';
  return { words, isProcessor };
}
