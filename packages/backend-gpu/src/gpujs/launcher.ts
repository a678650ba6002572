/**
 * The kernels of gpu.js that exist: one for each source, number of cells and sizes of arrays, so that equal stages of any schedule
 * share one. The oldest are destroyed when there are too many.
 */
import { type CellFunction, cellFunctions } from './cell-functions';
import type { GpuJsInstance, GpuJsKernel, GpuJsLibrary } from './library';
import { type ConcreteMode, modes } from './mode';

const maxKernels = 1024;

/** Loops longer than this are not run to their end by gpu.js, which says nothing. */
const loopMaxIterations = 2 ** 24;

export class Launcher {
  private readonly gpu: GpuJsInstance;
  private readonly functions: readonly CellFunction[];
  private readonly kernels = new Map<string, GpuJsKernel>();

  constructor(
    private readonly library: GpuJsLibrary,
    readonly mode: ConcreteMode,
  ) {
    const { name, onDevice } = modes[mode];
    this.gpu = new library.GPU({ mode: name });
    this.functions = cellFunctions(onDevice);
  }

  /** The rendering context of the kernels, once one has run. */
  get context(): unknown {
    return [...this.kernels.values()].at(-1)?.context;
  }

  /** Runs a source for each of `cells` threads. */
  launch(
    source: string,
    cells: number,
    args: readonly (Float32Array | number)[],
  ): Float32Array | Promise<Float32Array> {
    const sizes = args.map((arg) => (typeof arg === 'number' ? '' : arg.length));
    const kernel = this.kernel(`${cells}:${sizes.join()}:${source}`, source, cells);
    return kernel(...args.map((arg) => (typeof arg === 'number' ? arg : this.library.input(arg, [arg.length]))));
  }

  async dispose(): Promise<void> {
    this.kernels.clear();
    await this.gpu.destroy();
  }

  private kernel(key: string, source: string, cells: number): GpuJsKernel {
    const known = this.kernels.get(key);
    this.kernels.delete(key);
    const kernel = known ?? this.create(source, cells);
    this.kernels.set(key, kernel);
    if (this.kernels.size > maxKernels) this.destroyOldest();
    return kernel;
  }

  private create(source: string, cells: number): GpuJsKernel {
    const functions = this.functionsIn(source).map(({ parameters, source }) => ({
      source,
      settings: { argumentTypes: Object.fromEntries(parameters.map((name) => [name, 'Number'])), returnType: 'Number' },
    }));
    const settings = { output: [cells], precision: 'single', tactic: 'precision', loopMaxIterations, functions };
    return this.gpu.createKernel(source, settings);
  }

  /** The functions that a source calls, and those that they call: gpu.js takes its time over each that it is given. */
  private functionsIn(source: string): readonly CellFunction[] {
    const calls = (text: string): CellFunction[] => this.functions.filter((f) => text.includes(`${f.name}(`));
    const found = new Set(calls(source));
    for (const f of found) for (const called of calls(f.source)) found.add(called);
    return [...found];
  }

  private destroyOldest(): void {
    const [[key, kernel]] = this.kernels as unknown as [[string, GpuJsKernel]];
    this.kernels.delete(key);
    kernel.destroy();
  }
}
