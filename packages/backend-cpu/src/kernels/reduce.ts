/*
 * Reductions: accumulators for every group of lanes, and how they come together at the end. The order of a sum is fixed
 * by the shape: lane j of group g sums every (4 · groups)-th element, then groups join pairwise, then lanes. A long sum in
 * f32 is made in strips, which a compensated sum takes in (Kahan 1965): many equal elements would otherwise all round the
 * same way. The largest or least of floats is found by `pmax` and `pmin`, an instruction where `max` and `min` are eight,
 * which pass NaN by; that there was one is kept beside.
 */
import type { BinaryOp, DType, ReduceOp } from '@dl/tensor';
import type { Local } from '../wasm/assembler';
import { bits32, type Vec } from '../wasm/vector';
import { emitBinary, emitUnary, emitWhere } from './elementwise';
import { emitTrackLanes } from './place-values';
import type { PlannedOp } from './plan';
import type { Site } from './site';
import type { Track } from './tracks';
import { partsOf, splatOf, type Value, type Vectors } from './values';

/** The operation that joins two partial results, and what changes nothing. */
function joining(op: ReduceOp, dtype: DType): { readonly op: BinaryOp; readonly identity: number } {
  if (op === 'sum') return { op: 'add', identity: 0 };
  if (op === 'prod') return { op: 'mul', identity: 1 };
  const lowest: Record<DType, number> = {
    f32: -Infinity,
    f64: -Infinity,
    f16: -Infinity,
    i32: -(2 ** 31),
    u32: 0,
    u8: 0,
    bool: 0,
  };
  const highest: Record<DType, number> = {
    f32: Infinity,
    f64: Infinity,
    f16: Infinity,
    i32: 2 ** 31 - 1,
    u32: -1,
    u8: 255,
    bool: 1,
  };
  return op === 'min_reduce' ? { op: 'min', identity: highest[dtype] } : { op: 'max', identity: lowest[dtype] };
}

const noPlace = 2 ** 31 - 1;

/** The running result of one reduction. */
export interface Accumulator {
  readonly planned: PlannedOp;
  readonly value: Value;
  /** Of an argmax: where the value was found. */
  readonly place: Value | null;
  /** Of a sum in strips: of those that are complete, with what rounding lost. */
  readonly total: { readonly sum: Value; readonly lost: Value } | null;
  /** Of a largest or least float: masks of lanes that met NaN. */
  readonly nan: Vec | null;
}

function fresh(site: Site, dtype: DType, groups: number, fill: number): Value {
  const uniform = groups === 0;
  const { lane, value } = splatOf(dtype, fill);
  const regs = site.vectors
    .width(uniform ? 1 : groups * partsOf(dtype))
    .fill(() => site.frame.target.constants.splat(site.frame.f, lane, value));
  return { dtype, uniform, regs };
}

export interface ReductionStart {
  /** Dtype of what is reduced. */
  readonly operand: DType;
  /** Groups of lanes that accumulate apart; 0 for one value in every lane. */
  readonly groups: number;
  /** Whether `endStrip` will be called. */
  readonly inStrips: boolean;
}

const isFloat = (dtype: DType): boolean => dtype === 'f32' || dtype === 'f64';

export function startReduction(
  site: Site,
  planned: PlannedOp,
  { operand, groups, inStrips }: ReductionStart,
): Accumulator {
  const { identity } = joining(planned.op.op as ReduceOp, operand);
  const place = planned.op.op === 'argmax' ? fresh(site, 'i32', groups, noPlace) : null;
  const compensated = inStrips && planned.op.op === 'sum' && operand === 'f32';
  const total = compensated ? { sum: fresh(site, operand, groups, 0), lost: fresh(site, operand, groups, 0) } : null;
  const extreme = isFloat(operand) && (planned.op.op === 'max_reduce' || planned.op.op === 'min_reduce');
  const nan = extreme ? fresh(site, 'i32', groups * partsOf(operand), 0).regs : null;
  return { planned, value: fresh(site, operand, groups, identity), place, total, nan };
}

/** Takes elements into the largest or least so far, and notes NaN. */
function extend(site: Site, { planned, nan }: Accumulator, value: Value, x: Value): void {
  const { f } = site.frame;
  const lane = x.dtype === 'f64' ? 'f64x2' : 'f32x4';
  const nearer = planned.op.op === 'max_reduce' ? 'pmax' : 'pmin';
  value.regs.forEach((local, at) => {
    const operand = x.regs[x.uniform ? 0 : at]!;
    f.get(local).get(operand).op(`${lane}.${nearer}`).set(local);
  });
  value.regs.forEach((_, at) => {
    const [mask, operand] = [nan![at]!, x.regs[x.uniform ? 0 : at]!];
    f.get(mask).get(operand).get(operand).op(`${lane}.ne`).op('v128.or').set(mask);
  });
}

/** Makes NaN of what met one. */
function restoreNaN({ f }: Vectors, { value, nan }: Accumulator): void {
  nan!.forEach((mask, at) => f.get(value.regs[at]!).get(mask).op('v128.or').set(value.regs[at]!));
  f.release(...nan!);
}

/** Adds the strip that is complete to the total, and starts the next. */
export function endStrip(site: Site, { value, total }: Accumulator): void {
  if (total === null) return;
  const { f } = site.frame;
  const v = site.vectors.width(value.regs.length);
  const { sum, lost } = total;
  v.scope(() => {
    const corrected = v.op('f32x4.sub', value.regs, lost.regs);
    const next = v.op('f32x4.add', sum.regs, corrected);
    const error = v.op('f32x4.sub', v.op('f32x4.sub', next, sum.regs), corrected);
    // An infinite sum must not become NaN by what it "lost".
    const finite = v.op('f32x4.eq', error, error);
    const kept = v.op('v128.and', error, finite);
    update(site.vectors, lost, { ...lost, regs: kept });
    update(site.vectors, sum, { ...sum, regs: next });
    return [];
  });
  for (const local of value.regs) {
    site.frame.target.constants.splat(f, 'f32x4', 0);
    f.set(local);
  }
}

/** The registers of the groups of the current block, out of those of all groups. */
function head(value: Value, groups: number): Value {
  return value.uniform ? value : { ...value, regs: value.regs.slice(0, groups * partsOf(value.dtype)) };
}

function update(vectors: Vectors, to: Value, from: Value): void {
  const { f } = vectors;
  to.regs.forEach((local, at) => f.get(from.regs[from.uniform ? 0 : at]!).set(local));
}

/** Lanes of the last group that the block does not use become the identity. */
function masked(site: Site, value: Value, identity: number): Value {
  const { f, target } = site.frame;
  const parts = partsOf(value.dtype);
  const lanes = 4 / parts;
  const count = site.block.length * parts;
  const source = site.vectors.spread(value, count);
  const { lane, value: bits } = splatOf(value.dtype, identity);
  const regs = site.vectors.width(count).fill((at) => {
    const used = site.block[Math.floor(at / parts)]! - (at % parts) * lanes;
    f.get(source[at]!);
    if (used >= lanes) return;
    target.constants.splat(f, lane, bits);
    target.constants.vector(
      f,
      Uint8Array.from({ length: 16 }, (_, i) => (i < (used * 16) / lanes ? 255 : 0)),
    );
    f.op('v128.bitselect');
  });
  return { dtype: value.dtype, uniform: false, regs };
}

const exceeds = (vectors: Vectors, a: Value, b: Value): Value => {
  const larger = emitBinary(vectors, 'lt', b, a);
  if (a.dtype !== 'f32' && a.dtype !== 'f64') return larger;
  const numberA = emitBinary(vectors, 'eq', a, a);
  const nanA = emitUnary(vectors, 'not', numberA);
  const numberB = emitBinary(vectors, 'eq', b, b);
  const first = emitBinary(vectors, 'and', nanA, numberB);
  const result = emitBinary(vectors, 'or', larger, first);
  for (const value of [larger, numberA, nanA, numberB, first]) vectors.release(value);
  return result;
};

/** Takes one element of each lane into an accumulator. */
export function accumulate(
  site: Site,
  acc: Accumulator,
  x: Value,
  lanesReduced: boolean,
  position: Track | null,
): void {
  const { vectors } = site;
  const { op, identity } = joining(acc.planned.op.op as ReduceOp, x.dtype);
  const partial = lanesReduced && site.block.some((w) => w < 4);
  const groups = site.block.length;
  const operand = partial ? masked(site, x, identity) : x;
  const value = head(acc.value, groups);
  if (acc.place && position) {
    const here = emitTrackLanes(site, position, acc.place.uniform);
    take(vectors, { value, place: head(acc.place, groups) }, { value: operand, place: here });
    vectors.release(here);
  } else if (acc.nan !== null) extend(site, acc, value, operand);
  else {
    const next = emitBinary(vectors, op, value, operand);
    update(vectors, value, next);
    vectors.release(next);
  }
  if (partial) vectors.release(operand);
}

interface Found {
  readonly value: Value;
  readonly place: Value;
}

/** Replaces what was found by the candidate where that is larger. */
function take(vectors: Vectors, found: Found, candidate: Found): void {
  const better = exceeds(vectors, candidate.value, found.value);
  replace(vectors, found, candidate, better);
  vectors.release(better);
}

function replace(vectors: Vectors, found: Found, candidate: Found, where: Value): void {
  const value = emitWhere(vectors, where, candidate.value, found.value);
  const place = emitWhere(vectors, where, candidate.place, found.place);
  update(vectors, found.value, value);
  update(vectors, found.place, place);
  vectors.release(value);
  vectors.release(place);
}

/** Of two partial results the larger, or the earlier of equal ones. */
function joinFound(vectors: Vectors, found: Found, other: Found): void {
  const better = exceeds(vectors, other.value, found.value);
  const worse = exceeds(vectors, found.value, other.value);
  const earlier = emitBinary(vectors, 'lt', other.place, found.place);
  const notWorse = emitUnary(vectors, 'not', worse);
  const tie = emitBinary(vectors, 'and', earlier, notWorse);
  const where = emitBinary(vectors, 'or', better, tie);
  replace(vectors, found, other, where);
  for (const value of [better, worse, earlier, notWorse, tie, where]) vectors.release(value);
}

/** One group of a value of several. */
function groupOf(value: Value, group: number): Value {
  const parts = partsOf(value.dtype);
  return { ...value, regs: value.regs.slice(group * parts, (group + 1) * parts) };
}

/** Lanes in another order: the two halves exchanged, or neighbours. */
function exchanged(vectors: Vectors, value: Value, what: 'halves' | 'neighbours'): Value {
  const { f } = vectors;
  const regs = vectors.width(value.regs.length).fill((at) => {
    if (value.dtype === 'f64') {
      const reg = value.regs[what === 'halves' ? 1 - at : at]!;
      f.get(reg);
      if (what === 'neighbours') f.get(reg).shuffle32(2, 3, 0, 1);
      return;
    }
    f.get(value.regs[at]!).get(value.regs[at]!);
    if (what === 'halves') f.shuffle32(2, 3, 0, 1);
    else f.shuffle32(1, 0, 3, 2);
  });
  return { ...value, regs };
}

function join(site: Site, acc: Accumulator, a: Found | Value, b: Found | Value): void {
  const { vectors } = site;
  if ('place' in a && 'place' in b) {
    joinFound(vectors, a, b);
    return;
  }
  const { op } = joining(acc.planned.op.op as ReduceOp, acc.value.dtype);
  const next = emitBinary(vectors, op, a as Value, b as Value);
  update(vectors, a as Value, next);
  vectors.release(next);
}

/** Brings the groups and lanes of an accumulator together and releases what is no longer needed. */
export function finishReduction(site: Site, acc: Accumulator, lanesReduced: boolean): Value {
  const { vectors } = site;
  if (acc.total !== null) {
    endStrip(site, acc);
    update(vectors, acc.value, acc.total.sum);
    vectors.release(acc.total.sum);
    vectors.release(acc.total.lost);
  }
  if (acc.nan !== null) restoreNaN(vectors, acc);
  const part = (group: number): Found | Value =>
    acc.place ? { value: groupOf(acc.value, group), place: groupOf(acc.place, group) } : groupOf(acc.value, group);
  if (lanesReduced && !acc.value.uniform) {
    const groups = acc.value.regs.length / partsOf(acc.value.dtype);
    for (let step = 1; step < groups; step *= 2) {
      for (let g = 0; g + step < groups; g += 2 * step) join(site, acc, part(g), part(g + step));
    }
    for (const what of ['halves', 'neighbours'] as const) {
      const own = part(0);
      const other: Found | Value =
        'place' in own
          ? { value: exchanged(vectors, own.value, what), place: exchanged(vectors, own.place, what) }
          : exchanged(vectors, own, what);
      join(site, acc, own, other);
      vectors.f.release(...('place' in other ? [...other.value.regs, ...other.place.regs] : other.regs));
    }
  }
  return result(site, acc, lanesReduced && !acc.value.uniform);
}

function result(site: Site, acc: Accumulator, joined: boolean): Value {
  const { f } = site.frame;
  const kept = acc.place ?? acc.value;
  const keep: readonly Local[] = joined ? [kept.regs[0]!] : kept.regs;
  f.release(...[...acc.value.regs, ...(acc.place?.regs ?? [])].filter((local) => !keep.includes(local)));
  const uniform = joined || kept.uniform;
  const v = site.vectors.width(keep.length);
  if (acc.place) {
    // Nothing was larger than the least: the first element is the answer.
    const regs = v.scope(() => v.op('v128.and', keep, v.op('i32x4.ne', keep, bits32(noPlace))));
    f.release(...keep);
    return { dtype: 'i32', uniform, regs };
  }
  return { dtype: acc.value.dtype, uniform, regs: keep };
}
