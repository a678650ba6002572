/*
 * A schedule ready to run: for each dispatch its pipeline, where its buffers come from, and the bind groups of the last runs. A run
 * writes the numbers that changed, makes bind groups for buffers not seen lately, and encodes everything into one submit.
 */
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
import { type RenderContext, renderCopy, renderKernel, type Traits } from '../wgsl/render';
import { type Launch, type RenderedKernel, type Resource, workgroupLimit } from '../wgsl/shader';
import { type Arena, type ArenaPlan, planArena, scratchKey, slotKey } from './arena';
import { blockAlignment, blockBytes, fillBlock, type ScalarPlace, writeNumber } from './params';
import type { Pipeline, Pipelines } from './pipelines';
import type { Piece } from './pool';
import { usage } from './usage';

type Source =
  | { readonly kind: 'bound'; readonly index: number }
  | { readonly kind: 'arena'; readonly rank: number }
  | { readonly kind: 'fault' };

interface Dispatch {
  readonly name: string;
  readonly step: number;
  readonly pipeline: Pipeline;
  readonly sources: readonly Source[];
  readonly written: readonly boolean[];
  /** Where its parameters begin, or null if it has none. */
  readonly block: { readonly offset: number; readonly size: number } | null;
  readonly x: number;
  readonly y: number;
  readonly groups: Map<string, GPUBindGroup>;
}

/** What all executables of a device share. */
export interface Shared {
  readonly device: GPUDevice;
  readonly pipelines: Pipelines;
  readonly arena: Arena;
  readonly fault: Piece;
  readonly traits: Traits;
  /** A number by which faults find the name again. */
  nameFault(name: string): number;
  readonly counters: { bindGroups: number };
}

/** A dispatch with its bind group, ready to be encoded. */
export interface BoundDispatch {
  readonly name: string;
  readonly step: number;
  readonly pipeline: Pipeline;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
}

/** Bind groups that a dispatch keeps: results rotate among a few buffers. */
const keptGroups = 8;

export const bytesOf = (slot: Slot): number => slot.size * byteWidth(slot.dtype);

export class GpuExecutable implements OwnExecutable {
  readonly dispatches: readonly Dispatch[];
  readonly stepNames: readonly string[];
  readonly boundBytes: readonly number[];
  readonly canFault: boolean;
  /** Null once all pipelines are there. */
  ready: Promise<unknown> | null;
  disposed = false;
  readonly #plan: ArenaPlan;
  readonly #block: GPUBuffer | null;
  readonly #words: Uint32Array;
  readonly #floats: Float32Array;
  readonly #scalars: ScalarPlace[] = [];

  constructor(
    readonly schedule: Schedule,
    private readonly shared: Shared,
    private readonly destroyLater: (buffer: GPUBuffer) => void,
  ) {
    const rendered = schedule.steps.map((step): RenderedKernel => {
      if (step.kind === 'kernel') return renderKernel(step.kernel, this.#context(step.kernel));
      const words = Math.ceil(bytesOf(schedule.slots[step.from]!) / 4);
      return words === 0 ? { launches: [], scratch: [] } : renderCopy(words);
    });
    this.#plan = planArena(
      schedule,
      rendered.map((r) => r.scratch),
    );
    this.stepNames = schedule.steps.map((step) => (step.kind === 'kernel' ? step.kernel.name : 'copy'));
    const ownBlocks = rendered.flatMap((r) => r.launches).filter((l) => l.numbers !== null).length;
    const blocks = schedule.steps.reduce((sum, s) => sum + (s.kind === 'kernel' ? blockBytes(s.kernel) : 0), 0);
    const bytes = blocks + ownBlocks * blockAlignment;
    this.#words = new Uint32Array(bytes / 4);
    this.#floats = new Float32Array(this.#words.buffer);
    this.dispatches = this.#dispatches(rendered);
    this.canFault = rendered.some((r) => r.launches.some((l) => l.resources.some((x) => x.resource.kind === 'fault')));
    this.boundBytes = boundBytesOf(schedule);
    this.#block = this.dispatches.some((d) => d.block) ? this.#makeBlock(bytes) : null;
    const waits = this.dispatches.filter((d) => d.pipeline.ready === null).map((d) => d.pipeline.compiled);
    this.ready = waits.length === 0 ? null : Promise.all(waits);
    this.ready?.then(
      () => {
        this.ready = null;
      },
      () => {},
    );
  }

  #makeBlock(bytes: number): GPUBuffer {
    const block = this.shared.device.createBuffer({ size: bytes, usage: usage.uniform | usage.copyTarget });
    this.shared.device.queue.writeBuffer(block, 0, this.#words);
    return block;
  }

  #dispatches(rendered: readonly RenderedKernel[]): Dispatch[] {
    let offset = 0;
    return rendered.flatMap(({ launches }, s) => {
      const step = this.schedule.steps[s]!;
      const name = this.stepNames[s]!;
      if (step.kind === 'copy') {
        const slots = [step.from, step.to];
        return launches.map((launch) => this.#dispatch(launch, s, null, (r) => this.#slot(slots[placeOf(r)]!)));
      }
      const { kernel } = step;
      const block = { offset, size: (kernel.params.length + 1) * 16 };
      const faults = launches.some((l) => l.resources.some((x) => x.resource.kind === 'fault'));
      const id = faults ? this.shared.nameFault(name) : 0;
      this.#scalars.push(...fillBlock(kernel, this.#words, this.#floats, offset / 4, id));
      offset += blockBytes(kernel);
      return launches.map((launch) => {
        const own = launch.numbers ? { offset, size: 16 } : block;
        if (launch.numbers) {
          this.#words.set(launch.numbers, offset / 4);
          offset += blockAlignment;
        }
        return this.#dispatch(launch, s, launch.usesParams ? own : null, (resource) =>
          resource.kind === 'binding'
            ? this.#slot(kernel.bindings[resource.index]!.slot)
            : { kind: 'arena', rank: this.#plan.rankOf.get(scratchKey(s, placeOf(resource)))! },
        );
      });
    });
  }

  /** What rendering needs to know beside the kernel: whether other steps use what its producer writes. */
  #context({ producer, bindings }: Kernel): RenderContext {
    const { slots, steps } = this.schedule;
    const slot = producer ? bindings[producer.out]!.slot : -1;
    const uses = (step: Step): boolean =>
      step.kind === 'copy' ? step.from === slot || step.to === slot : step.kernel.bindings.some((b) => b.slot === slot);
    const keep = slot >= 0 && (slots[slot]!.kind === 'bound' || steps.filter(uses).length > 1);
    return { ...this.shared.traits, keep };
  }

  #dispatch(
    launch: Launch,
    step: number,
    block: Dispatch['block'],
    sourceOf: (resource: Resource) => Source,
  ): Dispatch {
    const name = this.stepNames[step]!;
    const y = Math.ceil(launch.workgroups / workgroupLimit);
    return {
      name,
      step,
      pipeline: this.shared.pipelines.find(launch, name),
      sources: launch.resources.map(({ resource }) =>
        resource.kind === 'fault' ? { kind: 'fault' } : sourceOf(resource),
      ),
      written: launch.resources.map(({ access }) => access === 'read_write'),
      block,
      x: Math.ceil(launch.workgroups / y),
      y,
      groups: new Map(),
    };
  }

  #slot(slot: number): Source {
    const { kind, index } = this.schedule.slots[slot]!;
    return kind === 'bound' ? { kind, index } : { kind, rank: this.#plan.rankOf.get(slotKey(slot))! };
  }

  /** The numbers of a run, or null if none changes. */
  numbers(scalars: Float64Array): Uint32Array | null {
    if (this.#scalars.length === 0) return null;
    for (const { scalar, word } of this.#scalars) writeNumber(this.#words, this.#floats, word, scalars[scalar]!);
    return this.#words.slice();
  }

  writeNumbers(words: Uint32Array): void {
    if (this.#block) this.shared.device.queue.writeBuffer(this.#block, 0, words as Uint32Array<ArrayBuffer>);
  }

  /** Makes room for intermediate values. */
  reserve(): void {
    this.shared.arena.reserve(this.#plan.sizes);
  }

  /** The buffers of every dispatch, for these storages. */
  pieces(bindings: readonly Piece[]): Piece[][] {
    return this.dispatches.map(({ sources, written, name }) => {
      const pieces = sources.map((source) => this.#piece(source, bindings));
      pieces.forEach((piece, i) => {
        if (written[i] && pieces.indexOf(piece) !== pieces.lastIndexOf(piece)) {
          throw new BackendError(`${name}: a storage is bound twice, and written. Clone one of the two.`);
        }
      });
      return pieces;
    });
  }

  #piece(source: Source, bindings: readonly Piece[]): Piece {
    switch (source.kind) {
      case 'bound':
        return bindings[source.index]!;
      case 'arena':
        return this.shared.arena.piece(source.rank);
      case 'fault':
        return this.shared.fault;
    }
  }

  /** The bind groups of a run. */
  bind(pieces: readonly (readonly Piece[])[]): BoundDispatch[] {
    return this.dispatches.map((dispatch, i) => ({
      name: dispatch.name,
      step: dispatch.step,
      pipeline: dispatch.pipeline,
      group: this.#group(dispatch, pieces[i]!),
      x: dispatch.x,
      y: dispatch.y,
    }));
  }

  #group(dispatch: Dispatch, pieces: readonly Piece[]): GPUBindGroup {
    const key = pieces.map((p) => p.id).join(' ');
    const known = dispatch.groups.get(key);
    if (known) return known;
    const entries: GPUBindGroupEntry[] = pieces.map(({ buffer }, i) => ({ binding: i + 1, resource: { buffer } }));
    if (dispatch.block) entries.unshift({ binding: 0, resource: { buffer: this.#block!, ...dispatch.block } });
    const group = this.shared.device.createBindGroup({ layout: dispatch.pipeline.layout, entries });
    this.shared.counters.bindGroups++;
    dispatch.groups.set(key, group);
    if (dispatch.groups.size > keptGroups) dispatch.groups.delete(dispatch.groups.keys().next().value!);
    return group;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const { groups } of this.dispatches) groups.clear();
    if (this.#block) this.destroyLater(this.#block);
  }
}

const placeOf = (resource: Resource): number => (resource.kind === 'fault' ? -1 : resource.index);
