/** A schedule prepared to run: its arena, its steps, and the checks of slots that need no run. */
import {
  BackendError,
  boundBytesOf,
  byteWidth,
  type Kernel,
  type OwnExecutable,
  type Schedule,
  type Slot,
  type Step,
} from '@dl/tensor';
import { compileKernel, type KernelRunner } from './kernel';
import { Elements, ReferenceMemory, wholeStorage } from './memory';

/** One step, ready to run on the elements of all slots. */
interface PreparedStep {
  readonly name: string;
  run(slots: readonly Elements[], scalars: Float64Array, fault: (message: string) => void): void;
}

/** What `prepare` of the reference backend gives. */
export class ReferenceExecutable implements OwnExecutable {
  readonly boundBytes: readonly number[];
  readonly steps: readonly PreparedStep[];
  readonly arena: ReferenceMemory;
  readonly slotKeys: readonly number[];
  private readonly used: ReadonlySet<number>;
  disposed = false;

  constructor(
    readonly schedule: Schedule,
    strict: boolean,
    private readonly onDispose: () => void,
  ) {
    this.boundBytes = boundBytesOf(schedule);
    this.steps = schedule.steps.map((step) => prepareStep(schedule, step, strict));
    this.arena = new ReferenceMemory(schedule.arenaBytes, strict);
    this.slotKeys = slotKeys(schedule.slots);
    this.used = usedSlots(schedule);
    if (strict) checkSlots(schedule);
  }

  dispose(): void {
    if (!this.disposed) this.onDispose();
    this.disposed = true;
  }

  /** The elements of each slot for one run; slots that no step uses have none. */
  slots(bindings: readonly ReferenceMemory[]): Elements[] {
    return this.schedule.slots.map((slot, i) => {
      if (!this.used.has(i)) return new Elements(this.arena, 0, slot.dtype, 0, this.slotKeys[i]!);
      if (slot.kind === 'arena') return new Elements(this.arena, slot.offset, slot.dtype, slot.size, this.slotKeys[i]!);
      return new Elements(bindings[slot.index]!, 0, slot.dtype, slot.size, wholeStorage);
    });
  }
}

/** Numbers for the slots of an arena: two that are the same piece of it (a bit cast, say) share one. */
function slotKeys(slots: readonly Slot[]): number[] {
  const keys = new Map<string, number>();
  return slots.map((slot, i) => {
    const place = `${slot.offset}:${slot.size * byteWidth(slot.dtype)}`;
    const key = keys.get(place) ?? i + 1;
    keys.set(place, key);
    return key;
  });
}

/** The slots that some step uses. */
const usedSlots = ({ steps }: Schedule): Set<number> =>
  new Set(
    steps.flatMap((step) => (step.kind === 'copy' ? [step.from, step.to] : step.kernel.bindings.map((b) => b.slot))),
  );

function checkSlots(schedule: Schedule): void {
  const { slots, bound, arenaBytes } = schedule;
  const used = usedSlots(schedule);
  slots.forEach((slot, i) => {
    if (!used.has(i)) return;
    if (slot.kind === 'bound') {
      if (slot.index < 0 || slot.index >= bound)
        throw new BackendError(`slot ${i} is storage ${slot.index} of ${bound}.`);
      return;
    }
    const end = slot.offset + slot.size * byteWidth(slot.dtype);
    if (slot.offset % 64 !== 0)
      throw new BackendError(`slot ${i} starts at ${slot.offset}, which is not a multiple of 64.`);
    if (end > arenaBytes) throw new BackendError(`slot ${i} ends at ${end}, past the arena of ${arenaBytes} bytes.`);
  });
}

const byteLengthOf = (slot: Slot): number => slot.size * byteWidth(slot.dtype);

function copyStep(schedule: Schedule, from: number, to: number): PreparedStep {
  const [source, target] = [schedule.slots[from]!, schedule.slots[to]!];
  if (byteLengthOf(source) !== byteLengthOf(target)) {
    throw new BackendError(
      `copy: slot ${from} has ${byteLengthOf(source)} bytes, slot ${to} has ${byteLengthOf(target)}.`,
    );
  }
  const run = (slots: readonly Elements[]): void => {
    for (let i = 0; i < source.size; i++) slots[from]!.read(i);
    const bytes = new Uint8Array(slots[from]!.memory.buffer, slots[from]!.byteOffset, byteLengthOf(source)).slice();
    const { memory, byteOffset, slotKey } = slots[to]!;
    new Uint8Array(memory.buffer).set(bytes, byteOffset);
    memory.owner?.fill(slotKey, byteOffset, byteOffset + bytes.length);
  };
  return { name: 'copy', run };
}

function kernelStep(schedule: Schedule, kernel: Kernel, strict: boolean): PreparedStep {
  const runner: KernelRunner = named(kernel.name, () => {
    for (const binding of kernel.bindings) {
      const slot = schedule.slots[binding.slot];
      if (!slot) throw new BackendError(`slot ${binding.slot} does not exist.`);
      if (slot.dtype !== binding.dtype)
        throw new BackendError(`slot ${binding.slot} is ${slot.dtype}, its binding ${binding.dtype}.`);
    }
    return compileKernel(kernel, strict);
  });
  const run: PreparedStep['run'] = (slots, scalars, fault) => {
    const elements = kernel.bindings.map((binding) => slots[binding.slot]!);
    named(kernel.name, () => runner(elements, scalars, fault));
  };
  return { name: kernel.name, run };
}

function prepareStep(schedule: Schedule, step: Step, strict: boolean): PreparedStep {
  switch (step.kind) {
    case 'kernel':
      return kernelStep(schedule, step.kernel, strict);
    case 'copy':
      return copyStep(schedule, step.from, step.to);
    default:
      return step satisfies never;
  }
}

/** Runs `body`, and puts the kernel's name before the message of what it throws. */
function named<T>(name: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw new BackendError(`${name}: ${(error as Error).message}`, { cause: error });
  }
}
