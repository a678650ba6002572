/*
 * A prepared schedule as the programs by which threads run it: one for the whole, and, for `profile`, one a step.
 */
import { byteWidth, type Slot } from '@dl/tensor';
import type { CpuExecutable, PreparedStep } from '../executable';
import type { LinearMemory } from '../memory';
import { copyPlace, copyUnit } from './layout';
import type { Pool } from './pool';
import { type Phase, ProgramRecords, phasesOf, type Region, type Sharing, type Work } from './program';
import type { CompiledModule } from './published';

/** What preparations leave is memory of its own. */
const preparedSpace = -2;

/** Which bindings of a run are one storage: the number of the first of them, for each. */
export type Aliases = readonly number[];

function regionOf({ kind, index, offset, dtype, size }: Slot, aliases: Aliases, writes: boolean): Region {
  if (kind === 'bound') return { space: aliases[index]!, from: 0, to: Number.POSITIVE_INFINITY, writes };
  return { space: -1, from: offset, to: offset + size * byteWidth(dtype), writes };
}

/** Work of the steps worth sharing. */
export function shareableWork(steps: readonly PreparedStep[], least: number): number {
  let sum = 0;
  for (const step of steps) {
    const parts = step.kind === 'copy' ? [copyCutsOf(step)] : [step.kernel, ...(step.prepare ? [step.prepare] : [])];
    for (const { work } of parts) if (work >= least) sum += work;
  }
  return sum;
}

type Cuts = Pick<Work, 'range' | 'grain' | 'work' | 'callCost'> & { readonly chunk: number };

function copyCutsOf({ byteLength }: { readonly byteLength: number }): Cuts {
  const range = Math.ceil(byteLength / copyUnit);
  return { range, grain: 1, chunk: range, work: byteLength / 16, callCost: 0 };
}

export class SharedSchedule {
  readonly #modules = new Set<CompiledModule>();
  readonly #programs: ProgramRecords[] = [];
  /** Of each step. */
  readonly #works: Work[][];
  readonly #sharing: Sharing;
  readonly #whole: ProgramRecords;
  #apart: ProgramRecords[] | null = null;
  /** Rough time of a run. */
  readonly expectedMs: number;

  constructor(
    private readonly memory: LinearMemory,
    private readonly pool: Pool,
    executable: CpuExecutable,
    sharing: Omit<Sharing, 'threads'>,
    aliases: Aliases,
    skipped: ReadonlySet<number>,
  ) {
    this.#sharing = { ...sharing, threads: pool.threads };
    this.#works = executable.steps.map((_, i) => this.#worksOf(executable, i, aliases, skipped.has(i)));
    const phases = phasesOf(this.#works.flat(), this.#sharing);
    this.expectedMs = phases.reduce((sum, p) => sum + p.work, 0) / 1e6;
    this.#whole = this.#recordsOf(phases);
  }

  run(): void {
    this.pool.run(this.#whole.first, this.expectedMs);
  }

  /** Runs one step. */
  runStep(index: number): void {
    this.#apart ??= this.#works.map((work) => this.#recordsOf(phasesOf(work, this.#sharing)));
    this.pool.run(this.#apart[index]!.first, this.expectedMs);
  }

  #recordsOf(phases: readonly Phase[]): ProgramRecords {
    const records = new ProgramRecords(this.memory, phases, this.#sharing);
    this.#programs.push(records);
    return records;
  }

  /** What a step comes to: its preparation, where there is one that was not kept, and itself. */
  #worksOf(executable: CpuExecutable, index: number, aliases: Aliases, kept: boolean): Work[] {
    const { slots, steps } = executable.schedule;
    const [prepared, planned] = [executable.steps[index]!, steps[index]!];
    const region = (slot: number, writes: boolean) => regionOf(slots[slot]!, aliases, writes);
    if (prepared.kind === 'copy' || planned.kind === 'copy') {
      const { from, to } = planned as { from: number; to: number };
      return [
        workOf(
          prepared,
          copyCutsOf(prepared as { byteLength: number }),
          [copyPlace],
          [region(from, false), region(to, true)],
        ),
      ];
    }
    const { kernel, prepare, preparedAt } = prepared;
    const { bindings, params } = planned.kernel;
    const own = bindings.map(({ slot, mode }) => region(slot, mode !== 'read'));
    if (!kernel.prepare || kept)
      return [workOf(prepared, kernel, this.#placesOf(kernel.module, kernel.functions), own)];
    const left = (writes: boolean): Region => {
      const { sharedBytes } = kernel.prepare!;
      return { space: preparedSpace, from: preparedAt, to: preparedAt + sharedBytes, writes };
    };
    const product = workOf(prepared, kernel, this.#placesOf(kernel.module, kernel.functions), [...own, left(false)]);
    if (!prepare) return [product];
    const read = [kernel.prepare.binding, ...params.flatMap((p) => (p.kind === 'element' ? [p.binding] : []))];
    const reads = read.map((binding) => region(bindings[binding]!.slot, false));
    return [
      workOf(prepared, prepare, this.#placesOf(kernel.module, prepare.functions), [...reads, left(true)]),
      product,
    ];
  }

  #placesOf(module: CompiledModule, functions: readonly unknown[]): number[] {
    if (!this.#modules.has(module)) this.pool.modules.use(module);
    this.#modules.add(module);
    return functions.map((f) => this.pool.modules.placeOf(module, f));
  }

  dispose(): void {
    for (const records of this.#programs) records.dispose();
    for (const module of this.#modules) this.pool.modules.release(module);
    this.pool.sweep();
  }
}

const workOf = (
  { block }: PreparedStep,
  { range, grain, chunk, work, callCost }: Cuts,
  places: readonly number[],
  regions: readonly Region[],
): Work => ({ places, block, range, grain, longest: chunk, work, callCost, regions });
