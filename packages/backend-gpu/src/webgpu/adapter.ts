/// <reference types="@webgpu/types" />
/*
 * Finds the GPU: `navigator.gpu` in browsers and Deno, the optional package `webgpu` in Node. All limits that the adapter offers are
 * requested, for the default ones are those of the weakest device.
 */
import { BackendError } from '@dl/tensor';
import { exchangingThreads } from './subgroups';

export interface GpuDevice {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  readonly isFallback: boolean;
  /** How many neighbouring threads of a workgroup can exchange values directly; 1 if none. */
  readonly lanes: number;
}

/** Node's `webgpu` package, as far as it is used. */
interface NodeGpu {
  create(options: readonly string[]): GPU;
}

interface Host {
  readonly navigator?: { readonly gpu?: GPU };
  readonly process?: { readonly versions?: { readonly node?: string } };
  readonly Deno?: unknown;
}

const host = globalThis as unknown as Host;

/** Kept, for devices die with the object that made them. */
let nodeGpu: GPU | null = null;

const isNode = (): boolean => host.process?.versions?.node !== undefined && host.Deno === undefined;

async function nodeEntry(): Promise<GPU> {
  if (nodeGpu) return nodeGpu;
  // A variable, so that bundlers for browsers do not look for it.
  const name = 'webgpu';
  let module: NodeGpu;
  try {
    module = (await import(/* @vite-ignore */ name)) as NodeGpu;
  } catch (cause) {
    throw new BackendError(
      'webgpu: Node has no WebGPU of its own. Install the package that adds it: npm install webgpu. Or use cpu() from @dl/backend-cpu.',
      { cause },
    );
  }
  nodeGpu = module.create([]);
  return nodeGpu;
}

const missing = (): string =>
  isNode()
    ? "webgpu: no GPU adapter. On Linux a Vulkan driver is needed (mesa-vulkan-drivers, or the vendor's; `vulkaninfo --summary` lists what is there), and a software one will do: set VK_DRIVER_FILES to its *_icd.json. Or use cpu() from @dl/backend-cpu."
    : host.Deno !== undefined
      ? 'webgpu: no GPU adapter. Deno 1.39 to 2.1 needs the flag --unstable-webgpu, and every version a Vulkan, Metal or Direct3D 12 driver. Or use cpu() from @dl/backend-cpu.'
      : 'webgpu: this page has no GPU adapter. WebGPU needs https or localhost, and a browser that has it switched on (chrome://gpu or about:support say why not). Or use cpu() from @dl/backend-cpu.';

/**
 * A new device with all limits and the features that are used.
 *
 * @throws BackendError that says how to get a GPU on this runtime
 */
export async function requestDevice(powerPreference?: 'low-power' | 'high-performance'): Promise<GpuDevice> {
  const gpu = host.navigator?.gpu ?? (isNode() ? await nodeEntry() : null);
  const adapter = gpu ? await gpu.requestAdapter(powerPreference ? { powerPreference } : {}) : null;
  if (!adapter) throw new BackendError(missing());
  const requiredLimits: Record<string, number> = {};
  for (const name of wantedLimits) {
    const value = adapter.limits[name];
    if (value !== undefined) requiredLimits[name] = value;
  }
  const requiredFeatures = wantedFeatures.filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
  const { info } = adapter;
  const isFallback =
    info.isFallbackAdapter ?? (adapter as unknown as { isFallbackAdapter?: boolean }).isFallbackAdapter ?? false;
  return {
    device,
    info,
    lanes: await exchangingThreads(device, info.subgroupMinSize),
    isFallback: isFallback || /swiftshader|llvmpipe|lavapipe/i.test(`${info.architecture} ${info.description}`),
  };
}

const wantedLimits = [
  'maxStorageBuffersPerShaderStage',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupsPerDimension',
] as const satisfies readonly (keyof GPUSupportedLimits)[];

const wantedFeatures = ['timestamp-query', 'subgroups'] as const satisfies readonly GPUFeatureName[];
