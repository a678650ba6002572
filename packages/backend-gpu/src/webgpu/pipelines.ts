/*
 * Compiled shaders, found again by their text: kernels that differ in parameters, names or storages alone share one. Compilation
 * runs beside the program; who needs a pipeline waits for it.
 */

import { BackendError } from '@dl/tensor';
import type { BoundResource, Launch } from '../wgsl/shader';

export interface Pipeline {
  readonly layout: GPUBindGroupLayout;
  /** Null until it is compiled. */
  ready: GPUComputePipeline | null;
  readonly compiled: Promise<unknown>;
}

/** How many pipelines are kept; what was used longest ago goes first. */
const limit = 4096;

export class Pipelines {
  readonly #bySource = new Map<string, Pipeline>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  created = 0;

  constructor(private readonly device: GPUDevice) {}

  find(launch: Launch, name: string): Pipeline {
    const known = this.#bySource.get(launch.source);
    if (known) {
      this.#bySource.delete(launch.source);
      this.#bySource.set(launch.source, known);
      return known;
    }
    const made = this.#compile(launch, name);
    this.#bySource.set(launch.source, made);
    if (this.#bySource.size > limit) this.#bySource.delete(this.#bySource.keys().next().value!);
    return made;
  }

  #compile(launch: Launch, name: string): Pipeline {
    this.created++;
    const layout = this.#layout(launch.resources, launch.usesParams);
    const module = this.device.createShaderModule({ code: launch.source, label: name });
    const descriptor: GPUComputePipelineDescriptor = {
      layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main' },
      label: name,
    };
    const compiled = this.device.createComputePipelineAsync(descriptor).then(
      (pipeline) => {
        made.ready = pipeline;
      },
      async (cause: unknown) => {
        const { messages } = await module.getCompilationInfo();
        const first = messages.find((m) => m.type === 'error');
        const reason = first ? `line ${first.lineNum}: ${first.message}` : String(cause);
        throw new BackendError(`${name}: the device refused its shader: ${reason}`, { cause });
      },
    );
    compiled.catch(() => {}); // who waits for it sees it
    const made: Pipeline = { layout, ready: null, compiled };
    return made;
  }

  #layout(resources: readonly BoundResource[], usesParams: boolean): GPUBindGroupLayout {
    const key = `${usesParams ? 'p' : ''}${resources.map((r) => (r.access === 'read' ? 'r' : 'w')).join('')}`;
    const known = this.#layouts.get(key);
    if (known) return known;
    const entries: GPUBindGroupLayoutEntry[] = resources.map(({ access }, i) => ({
      binding: i + 1,
      visibility: 4,
      buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
    }));
    if (usesParams) entries.unshift({ binding: 0, visibility: 4, buffer: { type: 'uniform' } });
    const layout = this.device.createBindGroupLayout({ entries });
    this.#layouts.set(key, layout);
    return layout;
  }
}
