/*
 * Decides how a schedule is shared: which steps go together in a phase, into how many chunks each is cut, and which are
 * so small that the caller runs them alone. Steps of a phase touch nothing that another of them writes. Neither number nor
 * order of chunks changes a result: every part of a kernel's range can be run on its own.
 */
import type { LinearMemory, Piece } from '../memory';
import { functionsOfStep, phase, step } from './layout';

/** Bytes of memory that a step touches: a bound storage as a whole, or a part of the arena. */
export interface Region {
  /** Number of the binding, −1 for the arena, −2 for what preparations leave. */
  readonly space: number;
  readonly from: number;
  readonly to: number;
  readonly writes: boolean;
}

/** A step, as far as sharing is concerned. */
export interface Work {
  /** Places of its functions in the table, which are called one after another for each chunk. */
  readonly places: readonly number[];
  readonly block: number;
  readonly range: number;
  /** Chunks begin at multiples of this, and are at most this long. */
  readonly grain: number;
  readonly longest: number;
  /** Rough count of element operations; one takes about half a nanosecond. */
  readonly work: number;
  /** Those that every chunk repeats. */
  readonly callCost: number;
  readonly regions: readonly Region[];
}

/** When sharing pays, in element operations. */
export interface Sharing {
  readonly threads: number;
  /** Of a step from which it is shared with threads that are awake. */
  readonly leastStep: number;
  /** Of a chunk. */
  readonly leastChunk: number;
  /** Of a phase and all after it, from which sleeping threads are woken for it. */
  readonly leastWake: number;
}

/** Fork and join take 1 µs with threads that are awake, 20 to 80 µs with those that sleep. */
export const usualSharing = { leastStep: 4096, leastChunk: 2048, leastWake: 200_000 } as const;

/** Chunks of a step for each thread: more of them even out, fewer have less overhead. */
const chunksPerThread = 4;

interface Placed {
  readonly work: Work;
  readonly chunk: number;
  readonly chunks: number;
}

export interface Phase {
  readonly steps: readonly Placed[];
  /** Run by the caller alone. */
  readonly alone: boolean;
  readonly work: number;
}

const overlap = (a: Region, b: Region): boolean => a.space === b.space && a.from < b.to && b.from < a.to;

/** Whether one of the steps writes what the other touches. */
export const depends = (a: Work, b: Work): boolean =>
  a.regions.some((x) => b.regions.some((y) => (x.writes || y.writes) && overlap(x, y)));

/** Share of a step's work that chunks may repeat in all: so that they even out, and so that no thread is idle. */
const repeatedShare = { even: 0.05, busy: 0.7 };

/** How long the chunks of a step are. */
function chunkOf({ range, grain, longest, work, callCost }: Work, { threads, leastChunk }: Sharing): number {
  const grains = Math.ceil(range / grain);
  const repeated = work / Math.max(1, callCost);
  const busy = Math.min(threads, repeated * repeatedShare.busy);
  const most = Math.max(busy, Math.min(threads * chunksPerThread, repeated * repeatedShare.even));
  const wanted = Math.floor(Math.min(work / leastChunk, most));
  const each = Math.ceil(grains / Math.max(1, Math.min(wanted, grains)));
  return Math.min(each * grain, Math.max(longest, grain));
}

function place(work: Work, sharing: Sharing): Placed {
  const chunk = chunkOf(work, sharing);
  return { work, chunk, chunks: Math.max(1, Math.ceil(work.range / chunk)) };
}

const placeAlone = (work: Work): Placed => ({ work, chunk: Math.max(work.longest, work.grain), chunks: 1 });

function finish(steps: readonly Placed[]): Phase {
  const work = steps.reduce((sum, s) => sum + s.work.work, 0);
  const chunks = steps.reduce((sum, s) => sum + s.chunks, 0);
  if (chunks < 2) return { steps: steps.map((s) => placeAlone(s.work)), alone: true, work };
  // What cannot be cut is begun first, so that nobody waits for it in the end.
  const cost = (s: Placed): number => s.work.work / s.chunks;
  return { steps: [...steps].sort((a, b) => cost(b) - cost(a)), alone: false, work };
}

/** The phases of a schedule. */
export function phasesOf(works: readonly Work[], sharing: Sharing): Phase[] {
  const phases: Phase[] = [];
  let open: Work[] = [];
  const close = (): void => {
    if (open.length > 0) push(finish(open.map((w) => place(w, sharing))));
    open = [];
  };
  const push = (next: Phase): void => {
    const last = phases.at(-1);
    if (!last?.alone || !next.alone) phases.push(next);
    else
      phases[phases.length - 1] = { steps: [...last.steps, ...next.steps], alone: true, work: last.work + next.work };
  };
  for (const work of works) {
    const heavy = work.work >= sharing.leastStep;
    if (open.some((other) => depends(other, work))) close();
    if (heavy || open.length > 0) open.push(work);
    else push({ steps: [placeAlone(work)], alone: true, work: work.work });
  }
  close();
  return phases;
}

/** Work of the phases that are shared. */
export const sharedWork = (phases: readonly Phase[]): number =>
  phases.reduce((sum, p) => sum + (p.alone ? 0 : p.work), 0);

/** Phases as records in memory, chained from `first`. */
export class ProgramRecords {
  readonly #piece: Piece;

  constructor(
    private readonly memory: LinearMemory,
    phases: readonly Phase[],
    sharing: Sharing,
  ) {
    const steps = phases.reduce((sum, p) => sum + p.steps.length, 0);
    this.#piece = memory.allocate(phases.length * phase.bytes + steps * step.bytes);
    const { words } = memory;
    let next = this.first + phases.length * phase.bytes;
    let ahead = sharedWork(phases);
    phases.forEach((own, i) => {
      const at = this.first + i * phase.bytes;
      const chunks = own.alone ? 0 : own.steps.reduce((sum, s) => sum + s.chunks, 0);
      words[(at + phase.chunks) >>> 2] = chunks;
      words[(at + phase.next) >>> 2] = i + 1 < phases.length ? at + phase.bytes : 0;
      words[(at + phase.wakes) >>> 2] = !own.alone && ahead >= sharing.leastWake ? 1 : 0;
      if (!own.alone) ahead -= own.work;
      words[(at + phase.firstStep) >>> 2] = next;
      let before = 0;
      for (const placed of own.steps) {
        writeStep(words, next, placed, before);
        before += placed.chunks;
        next += step.bytes;
      }
      words[(at + phase.endStep) >>> 2] = next;
    });
  }

  /** Address of the first phase. */
  get first(): number {
    return this.#piece.address;
  }

  dispose(): void {
    this.memory.free(this.#piece);
  }
}

function writeStep(words: Int32Array, at: number, { work, chunk }: Placed, before: number): void {
  words[(at + step.firstChunk) >>> 2] = before;
  for (let i = 0; i < functionsOfStep; i++) words[((at + step.functions) >>> 2) + i] = work.places[i] ?? -1;
  words[(at + step.block) >>> 2] = work.block;
  words[(at + step.range) >>> 2] = work.range;
  words[(at + step.chunk) >>> 2] = chunk;
}
