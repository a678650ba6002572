/** `profile`: which kernels ran, how long they took, and what was computed twice. */
import type { Timing } from './backend';
import type { Node } from './graph/node';
import type { Schedule } from './kernel';
import { type Observer, setObserver } from './run/observe';
import { getBackend } from './run/registry';

export interface Profile<T> {
  readonly result: T;
  /** Steps that ran, in order: kernels and copies. */
  readonly kernels: readonly Timing[];
  /** How many schedules ran. */
  readonly runs: number;
  /** Storages allocated for results, and their bytes. */
  readonly allocations: number;
  readonly allocatedBytes: number;
  /** The most bytes that the intermediate values of one run took. */
  readonly arenaBytes: number;
  /** Operations computed again because no earlier run kept them. */
  readonly computedTwice: readonly string[];
  /** Kernels by total time, as text. */
  table(): string;
}

class Recorder implements Observer {
  readonly kernels: Timing[] = [];
  runs = 0;
  allocations = 0;
  bytes = 0;
  arenaBytes = 0;
  readonly twice: string[] = [];

  ran({ arenaBytes }: Schedule): void {
    this.runs++;
    this.arenaBytes = Math.max(this.arenaBytes, arenaBytes);
  }
  readonly timed = (steps: readonly Timing[]): void => {
    this.kernels.push(...steps);
  };
  allocated(count: number, bytes: number): void {
    this.allocations += count;
    this.bytes += bytes;
  }
  again(node: Node): void {
    this.twice.push(node.op);
  }
}

/** Runs `fn` and waits for what it queued. */
export async function profile<T>(fn: () => T | Promise<T>): Promise<Profile<T>> {
  const recorder = new Recorder();
  setObserver(recorder);
  let result: T;
  try {
    result = await fn();
    await getBackend().synchronize();
  } finally {
    setObserver(null);
  }
  return {
    result,
    kernels: recorder.kernels,
    runs: recorder.runs,
    allocations: recorder.allocations,
    allocatedBytes: recorder.bytes,
    arenaBytes: recorder.arenaBytes,
    computedTwice: recorder.twice,
    table: () => table(recorder.kernels),
  };
}

function table(kernels: readonly Timing[]): string {
  const totals = new Map<string, { ms: number; count: number }>();
  for (const { name, ms } of kernels) {
    const t = totals.get(name) ?? { ms: 0, count: 0 };
    totals.set(name, { ms: t.ms + ms, count: t.count + 1 });
  }
  const rows = [...totals].sort((a, b) => b[1].ms - a[1].ms);
  return rows
    .map(([name, { ms, count }]) => `${ms.toFixed(3).padStart(10)} ms ${String(count).padStart(5)} × ${name}`)
    .join('\n');
}
