/*
 * Writes a planned nest: loops from the outside in, each operation at the depth the plan gave it, the phases of
 * reductions one after another inside the rows.
 */
import type { BinaryOp, Instruction, UnaryOp } from '@dl/tensor';
import type { Local } from '../wasm/assembler';
import { emitLoad, emitStore } from './access';
import { bytesAhead } from './ahead';
import { emitBinary, emitBitcast, emitCast, emitUnary, emitWhere, isBinary, isUnary } from './elementwise';
import { emitCheck, emitGather } from './gather';
import { jointTest } from './limits';
import { linear, rangeOf } from './linear';
import { isReduction, type NestOp } from './nest';
import { loadPair, type Pairs, pairsOf, storePair } from './pairs';
import { emitGuard, emitIndex } from './place-values';
import type { Loop, Phase, Plan, PlannedOp } from './plan';
import { emitRandom } from './random';
import { type Accumulator, accumulate, endStrip, finishReduction, startReduction } from './reduce';
import type { OpTracks, Site } from './site';
import { type Frame, widths } from './target';
import { type Track, type TrackBase, Tracker, TrackTable } from './tracks';
import { type Value, Vectors } from './values';

/** Operations of one depth whose values live until its end. */
interface Scope {
  readonly ops: readonly PlannedOp[];
}

const isStore = (o: PlannedOp): boolean => o.op.op === 'store';

/** Emits one nest into a function. */
class NestEmitter implements Site {
  readonly vectors: Vectors;
  readonly tracker: Tracker;
  readonly laneVariable: number;
  block: readonly number[] = [];
  inside = false;
  readonly #values: (Value | undefined)[] = [];
  readonly #tracks = new Map<number, OpTracks>();
  readonly #keptTracks = new Map<number, Track>();
  readonly #rowTracks: readonly Track[];
  /** For each load that is made for the next row, how far that is; 0 in the last row. */
  readonly #distances = new Map<PlannedOp, Local>();
  readonly #position: Track | null;
  readonly #lanesReduced: boolean;
  readonly #strip: { readonly depth: number; readonly length: number } | null;

  constructor(
    readonly frame: Frame,
    readonly plan: Plan,
  ) {
    this.vectors = new Vectors(frame.f, frame.target);
    this.tracker = new Tracker(frame, plan.loops);
    const lane = plan.loops[plan.laneLoop];
    this.laneVariable = lane ? lane.variable : -1;
    this.#lanesReduced = lane?.reduced ?? false;
    this.#strip = stripOf(plan);
    const table = new TrackTable(this.laneVariable);
    // Of accesses at constant distances, the first in memory has the track.
    const placed = [...plan.ops].sort((a, b) => (a.op.place?.index.constant ?? 0) - (b.op.place?.index.constant ?? 0));
    for (const { ref, op } of placed) this.#tracks.set(ref, tracksOf(table, op));
    for (const kept of plan.kept.values()) {
      const bytes = Math.max(4, widths[plan.ops[kept.ref]!.op.dtype]);
      this.#keptTracks.set(kept.ref, table.kept(kept, plan.loops, bytes * (this.#lanesReduced ? 1 : 4 * plan.unroll)));
    }
    this.#position = plan.ops.some((o) => o.op.op === 'argmax') ? this.#positionTrack(table) : null;
    this.#rowTracks = [...table.all];
  }

  /** The row-major place within the reduced axes. */
  #positionTrack(table: TrackTable): Track {
    const reduced = this.plan.nest.axes.map((axis, index) => ({ ...axis, index })).filter((a) => a.reduced);
    let step = 1;
    const terms = reduced.reverse().map(({ index, size }) => {
      const term = { atom: { kind: 'var' as const, index, size }, factor: step };
      step *= size;
      return term;
    });
    return table.of({ kind: 'none' }, linear(0, terms));
  }

  run(): void {
    const { loops, rowDepth } = this.plan;
    if (loops.slice(0, rowDepth).some((l) => l.size === 0)) return;
    this.tracker.start(this.#rowTracks);
    this.#rows(0);
  }

  #rows(depth: number): void {
    const own = this.plan.ops.filter((o) => !o.element && o.phase === 0 && o.depth === depth);
    const { rowDepth, phases } = this.plan;
    const body = () => {
      const scope = this.#ops(own);
      if (depth < rowDepth) this.#loop(depth, this.#rowTracks, () => this.#rows(depth + 1));
      else this.#phases();
      this.#release(scope);
    };
    if (depth === rowDepth && phases.length === 0) this.#mostlyInside(own, body);
    else body();
  }

  /** Writes `body` twice where operations have many limits: with none of them tested, and with each. */
  #mostlyInside(ops: readonly PlannedOp[], body: () => void): void {
    const limits = ops.flatMap((o) => (o.op.place ? this.#tracks.get(o.ref)!.limits : []));
    const test = jointTest(this, limits);
    if (test === null) {
      body();
      return;
    }
    test();
    this.frame.f.if(() => {
      this.inside = true;
      body();
      this.inside = false;
    }, body);
  }

  #phases(): void {
    const scopes: Scope[] = [];
    const rounds = Math.max(0, ...this.plan.ops.filter((o) => !o.element).map((o) => o.phase), this.plan.phases.length);
    for (let p = 0; p < rounds; p++) {
      const phase = this.plan.phases[p];
      if (phase) this.#phase(phase);
      scopes.push(this.#ops(this.plan.ops.filter((o) => !o.element && o.phase === p + 1 && !isReduction(o.op))));
    }
    for (const scope of scopes) this.#release(scope);
    for (const phase of this.plan.phases) for (const { ref } of phase.reductions) this.#drop(ref);
  }

  #phase(phase: Phase): void {
    const { plan } = this;
    if (phase.ops.length === 0 && phase.reductions.length === 0) return;
    const accumulators = phase.reductions.map((planned) => {
      const operand = plan.ops[planned.op.args[0]!]!.op.dtype;
      const groups = this.#lanesReduced ? plan.unroll : planned.lanes ? this.block.length : 0;
      return startReduction(this, planned, { operand, groups, inStrips: this.#strip !== null });
    });
    const empty = plan.loops.slice(plan.rowDepth).some((l) => l.size === 0);
    this.#lookAhead(phase);
    if (!empty) this.#elements(plan.rowDepth, phase, accumulators, this.#phaseTracks(phase));
    for (const acc of accumulators) this.#values[acc.planned.ref] = finishReduction(this, acc, this.#lanesReduced);
    this.frame.f.release(...this.#distances.values());
    this.#distances.clear();
  }

  /** Sets how far the next row is. */
  #lookAhead({ ahead }: Phase): void {
    const { f, counters, end } = this.frame;
    const row = this.plan.loops[this.plan.rowDepth - 1]!;
    for (const o of ahead) {
      const distance = f.borrow('i32');
      f.get(counters[row.variable]!).i32(1).op('i32.add');
      if (row.ranged) f.get(end).i32(this.plan.nest.rangeScale).op('i32.mul');
      else f.i32(row.size);
      f.op('i32.lt_s').i32(bytesAhead(o, row)).op('i32.mul').set(distance);
      this.#distances.set(o, distance);
    }
  }

  #loadAhead(): void {
    for (const [o, distance] of this.#distances) {
      const { place, offset } = this.#tracks.get(o.ref)!;
      this.frame.f.get(this.tracker.at(place!)).get(distance).op('i32.add').mem('v128.load', offset, 2).drop();
    }
  }

  /** The tracks that a phase moves in its loops. */
  #phaseTracks(phase: Phase): Track[] {
    const tracks = new Set(phase.ahead.map((o) => this.#tracks.get(o.ref)!.place!));
    for (const o of phase.ops) {
      if (phase.loads.has(o.ref) || phase.saves.has(o.ref)) tracks.add(this.#keptTracks.get(o.ref)!);
      if (phase.loads.has(o.ref)) continue;
      const own = this.#tracks.get(o.ref)!;
      if (own.place) tracks.add(own.place);
      if (own.expr) tracks.add(own.expr);
      for (const limit of own.limits) tracks.add(limit.track);
    }
    if (this.#position && phase.reductions.some((o) => o.op.op === 'argmax')) tracks.add(this.#position);
    return [...tracks];
  }

  #elements(depth: number, phase: Phase, accumulators: readonly Accumulator[], tracks: readonly Track[]): void {
    const own = phase.ops.filter((o) => o.depth === depth);
    if (depth === this.plan.loops.length) {
      this.#mostlyInside(own, () => {
        const scope = this.#ops(own, phase);
        for (const acc of accumulators) {
          const x = this.#values[acc.planned.op.args[0]!]!;
          accumulate(this, acc, x, this.#lanesReduced, this.#position);
        }
        if (this.block.every((width) => width === 4)) this.#loadAhead();
        this.#release(scope);
      });
      return;
    }
    const scope = this.#ops(own, phase);
    const end = () => {
      for (const acc of accumulators) endStrip(this, acc);
    };
    const strip = this.#strip?.depth === depth ? { length: this.#strip.length, end } : null;
    this.#loop(depth, tracks, () => this.#elements(depth + 1, phase, accumulators, tracks), strip);
    this.#release(scope);
  }

  /** Writes operations in order, stores last, so that what is updated in place was read before. */
  #ops(list: readonly PlannedOp[], phase?: Phase): Scope {
    const ops = [...list.filter((o) => !isStore(o)), ...list.filter(isStore)];
    const loads = this.#pairs(ops, 'load', phase);
    const stores = this.#pairs(ops, 'store', phase);
    const paired = new Set([...loads, ...stores].flat());
    for (const o of ops) {
      if (o.op.op === 'nothing' || isReduction(o.op)) continue;
      if (paired.has(o)) {
        // A pair is loaded where the first of them is needed.
        const pair = [...loads].find((both) => both.includes(o));
        if (pair && !this.#values[o.ref]) this.#loadPair(...pair);
        continue;
      }
      if (phase?.loads.has(o.ref)) {
        this.#values[o.ref] = this.#loadKept(o);
        continue;
      }
      const value = this.#op(o);
      if (value) this.#values[o.ref] = value;
      if (value && phase?.saves.has(o.ref)) this.#saveKept(o, value);
    }
    for (const [even, odd] of stores) {
      const [a, b] = [even, odd].map((o) => this.#values[o.op.args[0]!]!) as [Value, Value];
      storePair(this, this.#tracks.get(even.ref)!, a, b);
    }
    return { ops };
  }

  #loadPair(even: PlannedOp, odd: PlannedOp): void {
    [this.#values[even.ref], this.#values[odd.ref]] = loadPair(this, even, this.#tracks.get(even.ref)!);
  }

  #pairs(ops: readonly PlannedOp[], kind: 'load' | 'store', phase?: Phase): Pairs {
    const free = ops.filter((o) => !phase?.loads.has(o.ref) && !phase?.saves.has(o.ref));
    return pairsOf(free, kind, (ref) => this.#tracks.get(ref)!);
  }

  #release(scope: Scope): void {
    for (const { ref } of scope.ops) this.#drop(ref);
  }

  #drop(ref: number): void {
    const value = this.#values[ref];
    if (value) this.vectors.release(value);
    this.#values[ref] = undefined;
  }

  /** What is the same in all lanes was left in the first one: its neighbours may hold the next element's. */
  #loadKept(o: PlannedOp): Value {
    const { f } = this.frame;
    const track = this.#keptTracks.get(o.ref)!;
    const wide = o.op.dtype === 'f64';
    if (!o.lanes) {
      const [splat, align] = wide ? (['v128.load64_splat', 3] as const) : (['v128.load32_splat', 2] as const);
      const regs = this.vectors.width(1).fill(() => f.get(this.tracker.at(track)).mem(splat, 0, align));
      return { dtype: o.op.dtype, uniform: true, regs };
    }
    const count = this.block.length * (wide ? 2 : 1);
    const regs = this.vectors.width(count).fill((at) => f.get(this.tracker.at(track)).mem('v128.load', at * 16, 2));
    return { dtype: o.op.dtype, uniform: false, regs };
  }

  #saveKept(o: PlannedOp, value: Value): void {
    const { f } = this.frame;
    const track = this.#keptTracks.get(o.ref)!;
    const count = o.lanes ? this.block.length * (o.op.dtype === 'f64' ? 2 : 1) : 1;
    this.vectors
      .spread(value, count)
      .slice(0, count)
      .forEach((local, at) =>
        f
          .get(this.tracker.at(track))
          .get(local)
          .mem('v128.store', at * 16, 2),
      );
  }

  #op(o: PlannedOp): Value | null {
    const { vectors } = this;
    const tracks = this.#tracks.get(o.ref)!;
    const arg = (i: number): Value => this.#values[o.op.args[i]!]!;
    const { op, dtype, source } = o.op;
    switch (op) {
      case 'load':
        return emitLoad(this, o, tracks);
      case 'store':
        emitStore(this, o, tracks, arg(0));
        return null;
      case 'gather':
        return emitGather(this, o, tracks, arg(0));
      case 'check':
        return emitCheck(this, o, arg(0));
      case 'guard':
        return emitGuard(this, o, tracks, arg(0));
      case 'index':
        return emitIndex(this, o, tracks);
      case 'random':
        return emitRandom(this, o, tracks);
      case 'constant':
        return vectors.constant(dtype, (source as Instruction & { op: 'constant' }).value);
      case 'scalar':
        return this.#scalar(source as Instruction & { op: 'scalar' });
      case 'where':
        return emitWhere(vectors, arg(0), arg(1), arg(2));
      case 'cast':
        return emitCast(vectors, arg(0), dtype);
      case 'bitcast':
        return emitBitcast(vectors, arg(0), dtype);
    }
    if (isUnary(op)) return emitUnary(vectors, op as UnaryOp, arg(0));
    if (isBinary(op)) return emitBinary(vectors, op as BinaryOp, arg(0), arg(1));
    return null;
  }

  /** A parameter in every lane. */
  #scalar({ dtype, param }: Instruction & { op: 'scalar' }): Value {
    const { f } = this.frame;
    const regs = this.vectors.width(1).fill(() => {
      const whole = dtype !== 'f32' && dtype !== 'f64' && dtype !== 'bool';
      if (!whole) this.frame.pushNumber(param);
      if (dtype === 'f32') f.op('f32.demote_f64').op('f32x4.splat');
      else if (dtype === 'f64') f.op('f64x2.splat');
      else if (dtype === 'bool') {
        f.f64(0).op('f64.ne').op('i32x4.splat').op('i32x4.neg');
      } else {
        this.frame.pushWhole(param);
        if (dtype === 'u8') f.i32(255).op('i32.and');
        f.op('i32x4.splat');
      }
    });
    return { dtype, uniform: true, regs };
  }

  #loop(d: number, tracks: readonly Track[], body: () => void, strip: Strip | null = null): void {
    const loop = this.plan.loops[d]!;
    const { f } = this.frame;
    const inner = (counter: Local) => {
      this.frame.counters[loop.variable] = counter;
      this.tracker.inside(d, tracks, body);
    };
    const counter = f.borrow('i32');
    const bounds = loop.ranged ? this.#bounds() : null;
    this.tracker.loop(d, tracks, bounds?.from ?? 0, (move) => {
      if (loop.lane) this.#lanes(loop, counter, { bounds, inner, move, strip });
      else {
        const range = { from: bounds?.from ?? 0, to: bounds?.to ?? loop.size };
        this.#strips(counter, range, strip, () => {
          inner(counter);
          move(1);
        });
      }
    });
    if (bounds) f.release(bounds.from, bounds.to);
    f.release(counter);
  }

  /** A counted loop, in strips if asked for. */
  #strips(
    counter: Local,
    range: { from: Local | number; to: Local | number; step?: number },
    strip: Strip | null,
    body: () => void,
  ): void {
    const { f } = this.frame;
    const { to, step = 1 } = range;
    const length = (strip?.length ?? 0) * step;
    if (strip === null || typeof to !== 'number' || to <= length) {
      f.for(counter, range, body);
      return;
    }
    f.scratch('i32', (end) => {
      f.i32(0).set(counter).i32(length).set(end);
      f.loop((again) => {
        f.for(counter, { from: counter, to: end, step }, body);
        strip.end();
        f.get(end).i32(length).op('i32.add').set(end);
        f.get(end).i32(to).get(end).i32(to).op('i32.lt_s').select().set(end);
        f.get(counter).i32(to).op('i32.lt_s').brIf(again);
      });
    });
  }

  /** The part of axis 0 that this call runs. */
  #bounds(): { from: Local; to: Local } {
    const { f } = this.frame;
    const scale = this.plan.nest.rangeScale;
    const [from, to] = [f.borrow('i32'), f.borrow('i32')];
    f.get(this.frame.begin).i32(scale).op('i32.mul').set(from);
    f.get(this.frame.end).i32(scale).op('i32.mul').set(to);
    return { from, to };
  }

  /** Whole blocks of lanes, then what is left. */
  #lanes(
    { size }: Loop,
    counter: Local,
    {
      bounds,
      inner,
      move,
      strip,
    }: {
      bounds: { from: Local; to: Local } | null;
      inner: (c: Local) => void;
      move: (by: number) => void;
      strip: Strip | null;
    },
  ): void {
    const { f } = this.frame;
    const full = 4 * this.plan.unroll;
    const rest = size % full;
    const whole = size - rest;
    const blockLoop = () => {
      this.block = new Array<number>(this.plan.unroll).fill(4);
      inner(counter);
      move(full);
    };
    const remainder = () => {
      this.block = Array.from({ length: Math.ceil(rest / 4) }, (_, g) => Math.min(4, rest - 4 * g));
      inner(counter);
    };
    if (bounds) {
      f.scratch('i32', (last) => {
        f.get(bounds.to)
          .i32(full - 1)
          .op('i32.sub')
          .set(last);
        f.for(counter, { from: bounds.from, to: last, step: full }, blockLoop);
      });
      if (rest > 0) f.get(counter).get(bounds.to).op('i32.lt_s').if(remainder);
    } else {
      if (whole > 0) this.#strips(counter, { from: 0, to: whole, step: full }, strip, blockLoop);
      else f.i32(0).set(counter);
      if (rest > 0) remainder();
    }
    this.block = [];
  }
}

/** A loop in strips of some rounds, with what follows each. */
interface Strip {
  readonly length: number;
  readonly end: () => void;
}

/** Additions to one accumulator after which a strip ends. */
const stripAdditions = 128;

/** The loop that runs in strips, if an accumulator takes many elements, and the rounds of a strip. */
function stripOf({ loops, rowDepth, unroll }: Plan): { depth: number; length: number } | null {
  let inside = 1;
  for (let depth = loops.length - 1; depth >= rowDepth; depth--) {
    const { size, lane } = loops[depth]!;
    const rounds = lane ? Math.floor(size / (4 * unroll)) : size;
    if (inside * rounds >= 2 * stripAdditions)
      return { depth, length: Math.max(1, Math.floor(stripAdditions / inside)) };
    inside *= Math.max(1, rounds);
  }
  return null;
}

/** Bytes before any binding that belong to the memory (memory.ts keeps 128 KiB free of storages). */
const safeDistance = 65536;

const baseOf = (binding: number): TrackBase =>
  binding < 0 ? { kind: 'scratch', offset: 0 } : { kind: 'binding', binding };

function tracksOf(table: TrackTable, op: NestOp): OpTracks {
  const limits = (op.place?.limits ?? op.limits ?? []).map(({ term, min, end }) => ({
    track: table.of({ kind: 'none' }, term),
    min,
    end,
  }));
  const base = op.place && baseOf(op.place.binding);
  const width = widths[op.dtype];
  // An address that limits keep from memory may lie before its binding, but must not be below 0.
  const far = op.place ? rangeOf(op.place.index)[0] * width < -safeDistance : true;
  const shared =
    base && op.place && op.op !== 'gather' && !far ? table.address(base, op.place.index, width) : undefined;
  const place = shared?.track ?? (op.place && base && table.of(base, op.place.index, width));
  const expr = op.expr && table.of({ kind: 'none' }, op.expr);
  return { ...(place && { place }), offset: shared?.offset ?? 0, ...(expr && { expr }), limits };
}

/** In how many steps of the range a part must begin, so that its blocks of lanes are whole. */
export function grainOf(plan: Plan): number {
  const lane = plan.loops[plan.laneLoop];
  if (!lane?.ranged) return 1;
  const full = 4 * plan.unroll;
  let scale = plan.nest.rangeScale;
  let step = full;
  while (scale % 2 === 0 && step > 1) {
    scale /= 2;
    step /= 2;
  }
  return step;
}

/** Writes a nest into a function. */
export const emitNest = (frame: Frame, plan: Plan): void => new NestEmitter(frame, plan).run();
