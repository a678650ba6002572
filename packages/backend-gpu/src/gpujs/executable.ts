/**
 * A schedule prepared to run: every stage rendered, for gpu.js or for the host. A run is a generator that yields what gpu.js
 * answers, a result or a promise of one, so that one description serves modes with and without promises.
 */
import {
  BackendError,
  boundBytesOf,
  byteWidth,
  hostArray,
  type Kernel,
  type OwnExecutable,
  type Param,
  type Schedule,
  type Slot,
  type Step,
  type Timing,
} from '@dl/tensor';
import { type Cell, renderCell } from './cell';
import { type HostStage, type Numbers, renderHostStage } from './host-stage';
import type { ModeTraits } from './mode';
import { type HostProducer, partsOf } from './producers';
import { cellsOf, inputsOf, planKernel, type Stage } from './stages';
import { type Placer, renderPlacer, resultArray, singles } from './values';

/** What a run needs of the backend. */
export interface Runner {
  readonly traits: ModeTraits;
  launch(source: string, cells: number, args: readonly (Float32Array | number)[]): Float32Array | Promise<Float32Array>;
  /** Keeps a fault of data for the next read. */
  fault(message: string): void;
  /** Is told what runs on the host instead of by gpu.js. */
  runsOnHost(operation: string, kernel: string, reason: string): void;
}

type Answer = Float32Array | Promise<Float32Array>;
export type Run<T = void> = Generator<Answer, T, Float32Array>;

type Fault = (index: number, limit: number) => void;

interface PreparedStage {
  readonly stage: Stage;
  readonly cells: number;
  readonly cell: Cell | null;
  /** What runs on the host; set later if gpu.js turns out not to take the cell. */
  host: HostStage | null;
}

interface PreparedPart {
  run(bindings: readonly Numbers[], params: Float64Array, fault: Fault): Run;
}

interface PreparedStep {
  readonly name: string;
  run(slots: readonly Numbers[], scalars: Float64Array): Run;
}

/** Most cells of one kernel, whose numbers f32 can tell apart. */
const maxCells = 2 ** 24;

/** Why a stage that could be a gpu.js kernel is not one here. */
function limitReason(stage: Stage, traits: ModeTraits): string | null {
  if (cellsOf(stage) > maxCells) return `it has ${cellsOf(stage)} cells, and f32 counts up to 2^24`;
  if (stage.reduced.includes(0)) return 'it reduces no elements';
  const inputs = inputsOf(stage).length;
  if (inputs > traits.maxInputs) return `it reads ${inputs} arrays, and this mode at most ${traits.maxInputs}`;
  return null;
}

class KernelPart implements PreparedPart {
  private readonly checks: readonly HostStage[];
  private readonly stages: readonly PreparedStage[];
  private readonly placements: readonly { readonly stage: number; readonly binding: number; readonly place: Placer }[];

  constructor(
    private readonly kernel: Kernel,
    private readonly runner: Runner,
  ) {
    const plan = planKernel(kernel);
    const dtypes = kernel.bindings.map((b) => b.dtype);
    this.checks = plan.checks.map((check) => renderHostStage(check, dtypes, true));
    this.stages = plan.stages.map((stage) => {
      const cells = cellsOf(stage);
      const reason = stage.hosted ?? limitReason(stage, runner.traits);
      if (reason !== null && cells > 0) runner.runsOnHost(stage.name, kernel.name, reason);
      return reason === null
        ? { stage, cells, cell: renderCell(stage, runner.traits.double), host: null }
        : { stage, cells, cell: null, host: renderHostStage(stage, dtypes) };
    });
    this.placements = plan.placements.map((placement) => ({
      stage: placement.stage,
      binding: placement.access.binding,
      place: renderPlacer(placement, plan.stages[placement.stage]!, dtypes[placement.access.binding]!),
    }));
  }

  *run(bindings: readonly Numbers[], params: Float64Array, fault: Fault): Run {
    const results: Numbers[] = [];
    for (const prepared of this.stages) results.push(yield* this.result(prepared, [...bindings, ...results], params));
    const inputs = [...bindings, ...results];
    for (const check of this.checks) check(inputs, params, new Float32Array(0), fault);
    for (const { stage, binding, place } of this.placements) place(bindings[binding]!, results[stage]!, params);
  }

  private *result(prepared: PreparedStage, inputs: Numbers[], params: Float64Array): Run<Numbers> {
    const { cell, cells } = prepared;
    if (cells > 0 && cell && !prepared.host) {
      try {
        return yield this.runner.launch(cell.source, cells, this.arguments(cell, inputs, params));
      } catch (error) {
        this.refused(prepared, error);
      }
    }
    const out = resultArray(prepared.stage.body.at(-1)!.dtype, cells);
    if (cells > 0) prepared.host!(inputs, params, out, () => {});
    return out;
  }

  private arguments({ arguments: wanted }: Cell, inputs: Numbers[], params: Float64Array): (Float32Array | number)[] {
    return wanted.map((argument) => {
      switch (argument.kind) {
        case 'number':
          return argument.value;
        case 'param':
          return Math.fround(params[argument.index]!);
        case 'input':
          return singles(inputs[argument.index]!, this.kernel.bindings[argument.index]?.dtype ?? null);
        default:
          return argument satisfies never;
      }
    });
  }

  private refused(prepared: PreparedStage, error: unknown): void {
    const { stage } = prepared;
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    this.runner.runsOnHost(stage.name, this.kernel.name, `gpu.js refuses its kernel (${reason})`);
    prepared.host = renderHostStage(
      stage,
      this.kernel.bindings.map((b) => b.dtype),
    );
  }
}

class HostPart implements PreparedPart {
  constructor(
    private readonly producer: HostProducer,
    kernel: Kernel,
    runner: Runner,
  ) {
    runner.runsOnHost(kernel.producer!.kind, kernel.name, producer.reason);
  }

  // biome-ignore lint/correctness/useYield: it never waits, as a part may.
  *run(bindings: readonly Numbers[], params: Float64Array, fault: Fault): Run {
    this.producer.run(bindings, params, fault);
  }
}

function paramValue(param: Param, bindings: readonly Numbers[], scalars: Float64Array): number {
  switch (param.kind) {
    case 'constant':
      return param.value;
    case 'scalar':
      return scalars[param.index]!;
    case 'element':
      return Math.min(param.max, Math.max(param.min, bindings[param.binding]![param.offset]!));
    default:
      return param satisfies never;
  }
}

class KernelStep implements PreparedStep {
  private readonly parts: readonly PreparedPart[];

  constructor(
    private readonly kernel: Kernel,
    private readonly runner: Runner,
  ) {
    this.parts = partsOf(kernel).map((part) =>
      part.kind === 'host' ? new HostPart(part, kernel, runner) : new KernelPart(part.kernel, runner),
    );
  }

  get name(): string {
    return this.kernel.name;
  }

  *run(slots: readonly Numbers[], scalars: Float64Array): Run {
    const bindings = this.kernel.bindings.map(({ slot }) => slots[slot]!);
    const params = Float64Array.from(this.kernel.params, (param) => paramValue(param, bindings, scalars));
    const fault: Fault = (index, limit) =>
      this.runner.fault(`${this.name}: index ${index} is outside 0 to ${limit - 1}.`);
    for (const part of this.parts) yield* part.run(bindings, params, fault);
  }
}

class CopyStep implements PreparedStep {
  readonly name = 'copy';

  constructor(
    private readonly from: number,
    private readonly to: number,
  ) {}

  // biome-ignore lint/correctness/useYield: it never waits, as a step may.
  *run(slots: readonly Numbers[]): Run {
    const [source, target] = [slots[this.from]!, slots[this.to]!];
    const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes);
  }
}

const prepareStep = (step: Step, runner: Runner): PreparedStep =>
  step.kind === 'copy' ? new CopyStep(step.from, step.to) : new KernelStep(step.kernel, runner);

/** What `prepare` gives. */
export class GpuJsExecutable implements OwnExecutable {
  readonly steps: readonly PreparedStep[];
  readonly boundBytes: readonly number[];
  disposed = false;

  constructor(
    readonly schedule: Schedule,
    private arena: ArrayBuffer,
    runner: Runner,
    private readonly onDispose: () => void,
  ) {
    this.steps = schedule.steps.map((step) => prepareStep(step, runner));
    this.boundBytes = boundBytesOf(schedule);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.onDispose();
    this.arena = new ArrayBuffer(0);
  }

  /** Runs all steps, in order. */
  *run(storages: readonly ArrayBuffer[], scalars: Float64Array): Run<Timing[]> {
    const slots = this.schedule.slots.map((slot) => this.elements(slot, storages));
    const timings: Timing[] = [];
    for (const step of this.steps) {
      const start = performance.now();
      yield* step.run(slots, scalars);
      timings.push({ name: step.name, ms: performance.now() - start });
    }
    return timings;
  }

  private elements({ kind, index, offset, dtype, size }: Slot, storages: readonly ArrayBuffer[]): Numbers {
    const [buffer, start] = kind === 'arena' ? [this.arena, offset] : [storages[index], 0];
    if (!buffer || start + size * byteWidth(dtype) > buffer.byteLength) {
      // A slot that no step uses may have no place.
      return hostArray(dtype, new ArrayBuffer(0), 0, 0);
    }
    return hostArray(dtype, buffer, start, size);
  }
}

/** Runs to the end in a mode that has no promises. */
export function drive<T>(run: Run<T>): T {
  let step = run.next();
  while (!step.done) {
    if (step.value instanceof Promise) throw new BackendError('gpujs: a synchronous mode answered with a promise.');
    step = run.next(step.value);
  }
  return step.value;
}

/** Runs to the end, waiting for each result. */
export async function driveAsync<T>(run: Run<T>): Promise<T> {
  let step = run.next();
  while (!step.done) {
    let value: Float32Array;
    try {
      value = await step.value;
    } catch (error) {
      step = run.throw(error);
      continue;
    }
    step = run.next(value);
  }
  return step.value;
}
