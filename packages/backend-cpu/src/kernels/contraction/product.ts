/*
 * Writes a contraction by the way that method.ts chose: loops over batch axes and outer axes, copies of operands where
 * they are due, and calls of tiles or of a matrix product for the innermost axes.
 */
import type { Local, ModuleBuilder } from '../../wasm/assembler';
import { emitGemm, emitPanels, type GemmSpec, planOf as gemmPlanOf, panelBytes, panelWidth } from '../gemm/gemm';
import { LANES } from '../gemm/lanes';
import { factorOf, type Limit } from '../linear';
import type { Preparation } from '../render';
import type { Frame } from '../target';
import { loopAxis, pushFactor, pushOut, rangeOfAxis } from './addresses';
import { emitDotTile } from './dot-tile';
import { axesOf, type Factor, type Form, outStrides, sizeOfRole, strideOf, without } from './form';
import { bytesOf, gemmTypeOf, lastAxis, type Method, type Product } from './method';
import { emitSpreadTile } from './spread-tile';
import { emitCopy } from './stage';
import type { WalkAxis } from './walk';
import { PANEL } from './winograd/layout';
import { callCost, emitConvolution, filterPreparation } from './winograd/product';

/** Rows of a call of a matrix product whose panels are packed before. */
const panelRows = 96;
/** Elements that lie side by side, of which a thread takes fewer only at the cost of reading memory in pieces. */
const sweptRows = 256;

/** Rows of a call of a matrix product that one thread computes; at least two calls, so that an epilogue finds them in the cache. */
function callRows(spec: GemmSpec): number {
  if (gemmPlanOf(spec) !== 'packed' || !spec.panels) return 12;
  return spec.m >= 2 * panelRows ? panelRows : halfOf(spec);
}

const halfOf = ({ m }: GemmSpec): number => Math.max(4, Math.ceil(m / 8) * 4);

/**
 * Rows that a thread takes at least: an eighth or less, so that calls even out. Sizes are powers of two more often than
 * multiples of the tile's height, and what does not fill a tile costs less than a thread that waits.
 */
function sharedRows(spec: GemmSpec): number {
  if (spec.m < 32) return halfOf(spec);
  if (gemmPlanOf(spec) === 'sweep') return sweptRows; // of one column
  return Math.min(48, Math.max(16, Math.floor(spec.m / 128) * 16));
}

/** What a part of the range must begin at a multiple of: whole tiles, and enough work to pay for packing. */
export function productGrain({ form, method }: Product, range: number): number {
  if (form.rangeScale === 0) return 1;
  const { role } = form.axes[0]!;
  if (role === 'batch') return 1;
  if (method.kind === 'winograd' && role === 'm') return form.rangeScale > 1 ? range : Math.min(range, PANEL);
  if (role === 'n') return range; // not split
  if (lastAxis(form, 'm') !== 0) return 1;
  if (method.kind === 'winograd') return range;
  return stepsOf(method.kind === 'gemm' ? sharedRows(method.spec) : method.tile.rows, form, range);
}

/** How much of the range a call should be at least, where one thread makes them all. */
export function productCall({ form, method }: Product, range: number): number {
  if (form.rangeScale === 0 || method.kind !== 'gemm' || lastAxis(form, 'm') !== 0) return 1;
  return stepsOf(callRows(method.spec), form, range);
}

/** Steps of the range that are a multiple of so many rows. */
const stepsOf = (rows: number, { rangeScale }: Form, range: number): number =>
  Math.min(range, rows / greatestDivisor(rows, rangeScale));

/**
 * What every call repeats: copies that do not depend on the range, the packing of a right operand that is not prepared, and
 * the transformation of an image.
 */
export function productCallCost({ form, method, stages }: Product): number {
  if (method.kind === 'winograd') return callCost(form, method.layout);
  if (form.axes[0]?.role === 'batch') return 0;
  const copied = stages.filter((s) => s.depth === 0).reduce((sum, s) => sum + s.bytes / bytesOf(form), 0);
  if (method.kind === 'gemm' && gemmPlanOf(method.spec) === 'packed' && !method.spec.panels) {
    return copied + (sizeOfRole(form, 'n') * sizeOfRole(form, 'k')) / 2;
  }
  return copied;
}

function greatestDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return x;
}

/** Packing of a right operand that all calls read. */
export function preparationOf({ form, method }: Product): Preparation | null {
  if (method.kind === 'winograd') return filterPreparation(form, method.layout);
  if (method.kind !== 'gemm' || !method.spec.panels) return null;
  const { spec } = method;
  const { dtype, n, k, b } = spec;
  const fixed = without(form.rhs.index, [lastAxis(form, 'n'), lastAxis(form, 'k')]);
  return {
    binding: form.rhs.binding,
    key: fixed.terms.length > 0 ? null : JSON.stringify(['panels', dtype, n, k, b, fixed.constant]),
    sharedBytes: panelBytes(spec),
    range: Math.ceil(n / panelWidth(spec)),
    grain: 4,
    work: (n * k) / 2,
    emit: (frame, module) => {
      const fill = emitPanels(module, spec);
      pushFactor(frame, form, form.rhs, [lastAxis(form, 'n'), lastAxis(form, 'k')]);
      frame.pushShared();
      frame.f.get(frame.begin).get(frame.end).call(fill);
    },
  };
}

/** Writes the producer of a kernel. */
export function emitProduct(frame: Frame, module: ModuleBuilder, product: Product): void {
  const { form, stages, method } = product;
  if (method.kind === 'winograd') {
    emitConvolution(frame, module, { form, layout: method.layout, stage: stages[0]! });
    return;
  }
  const batch = axesOf(form, 'batch');
  const copies = (depth: number) => {
    for (const stage of stages) {
      if (stage.depth === depth) emitCopy(frame, stage, batch);
    }
  };
  const inner = innerOf(frame, module, product, method);
  const level = (at: number): void => {
    copies(at);
    if (at === batch.length) inner();
    else loopAxis(frame, form, batch[at]!, () => level(at + 1));
  };
  level(0);
}

/** Defines what the inner axes need and returns what writes the code inside the batch loops. */
function innerOf(
  frame: Frame,
  module: ModuleBuilder,
  product: Product,
  method: Exclude<Method, { kind: 'winograd' }>,
): () => void {
  const { form } = product;
  const [m, n] = [axesOf(form, 'm'), axesOf(form, 'n')];
  const outer = [...m.slice(0, -1), ...n.slice(0, -1)];
  const last = method.kind === 'gemm' ? gemmCall(frame, module, product) : tileCalls(frame, module, form, method);
  return () => {
    const level = (at: number): void => {
      if (at === outer.length) last();
      else loopAxis(frame, form, outer[at]!, () => level(at + 1));
    };
    level(0);
  };
}

function gemmCall(frame: Frame, module: ModuleBuilder, { form, method, ownOffset }: Product): () => void {
  if (method.kind !== 'gemm') throw new Error('internal: not a matrix product');
  const { f } = frame;
  const gemm = emitGemm(module, method.spec);
  const [m, n] = [lastAxis(form, 'm'), lastAxis(form, 'n')];
  return () => {
    const zero = [m, n, ...axesOf(form, 'k')];
    pushFactor(frame, form, form.lhs, zero);
    if (method.spec.panels) frame.pushShared();
    else pushFactor(frame, form, form.rhs, zero);
    pushOut(frame, form, zero);
    const { from, to, release } = rangeOfAxis(frame, form, m);
    f.push(from).push(to);
    f.get(frame.scratch).i32(ownOffset).op('i32.add').call(gemm);
    release();
  };
}

/** The k axes as a tile walks them. */
function walkAxes(form: Form): (WalkAxis & { size: number })[] {
  const bytes = bytesOf(form);
  return axesOf(form, 'k').map((axis) => ({
    size: form.axes[axis]!.size,
    a: strideOf(form.lhs, axis) * bytes,
    b: strideOf(form.rhs, axis) * bytes,
  }));
}

/** An axis of k with steps that only add zeros, such as kernel rows in the padding. */
interface Skip {
  readonly axis: number;
  readonly limit: Limit;
}

/** Share of zero steps from which counting them costs less than taking them. */
const worthSkipping = 0.1;

/** Which share of the steps of an axis is outside a limit. */
function shareOfZeros(form: Form, { axis, limit }: Skip): number {
  let bases = [limit.term.constant];
  form.axes.forEach(({ size }, i) => {
    const factor = factorOf(limit.term, i);
    if (i === axis || factor === 0 || bases.length * size > 4096) return;
    bases = bases.flatMap((base) => Array.from({ length: size }, (_, v) => base + factor * v));
  });
  const { size } = form.axes[axis]!;
  const clamp = (x: number) => Math.min(size, Math.max(0, x));
  const inside = bases.reduce((sum, base) => sum + Math.max(0, clamp(limit.end - base) - clamp(limit.min - base)), 0);
  return 1 - inside / (bases.length * size);
}

/** The axis to skip steps of: one that a limit moves with, together with what is known outside the tile. */
function skipOf(form: Form, unrolls: boolean): Skip | null {
  const [m, n, last] = [lastAxis(form, 'm'), lastAxis(form, 'n'), lastAxis(form, 'k')];
  for (const limit of form.zeros) {
    const axes = form.axes.map((_, i) => i).filter((i) => (limit.term.mask & (1 << i)) !== 0);
    const [axis, ...others] = axes.filter((i) => form.axes[i]!.role === 'k');
    if (axis === undefined || others.length > 0 || axes.includes(m) || axes.includes(n)) continue;
    if (factorOf(limit.term, axis) !== 1 || (unrolls && axis === last)) continue;
    if (shareOfZeros(form, { axis, limit }) >= worthSkipping) return { axis, limit };
  }
  return null;
}

/** Sets the counter of the axis to its first step that matters, and counts those that do. */
function startSkip(frame: Frame, { axis, limit }: Skip, form: Form): { start: Local; count: Local } {
  const { f } = frame;
  const [base, start, count] = [f.borrow('i32'), f.borrow('i32'), f.borrow('i32')];
  const { size } = form.axes[axis]!;
  const clamp = (bound: number, to: Local) => {
    f.i32(bound).get(base).op('i32.sub').set(to);
    f.get(to).i32(0).get(to).i32(0).op('i32.gt_s').select().set(to);
    f.get(to).i32(size).get(to).i32(size).op('i32.lt_s').select().set(to);
  };
  frame.pushSum(without(limit.term, [axis]));
  f.set(base);
  clamp(limit.min, start);
  clamp(limit.end, count);
  f.get(count).get(start).op('i32.sub').set(count);
  f.get(count).i32(0).get(count).i32(0).op('i32.gt_s').select().set(count);
  f.release(base);
  frame.counters[axis] = start;
  return { start, count };
}

/** Unrolled steps of k beyond which code grows without gain. */
const maxUnroll = 8;

function tileCalls(
  frame: Frame,
  module: ModuleBuilder,
  form: Form,
  method: Method & { kind: 'spread' | 'dot' },
): () => void {
  const { f, target } = frame;
  const bytes = bytesOf(form);
  const lanes = LANES[gemmTypeOf(form)];
  const [m, n] = [lastAxis(form, 'm'), lastAxis(form, 'n')];
  const k = walkAxes(form);
  const strides = outStrides(form);
  const tiles = new Map<string, number>();
  const fused = target.features.relaxedSimd;
  const unrolls = target.micro.unroll > 1;
  const stride = (factor: Factor, axis: number) => (axis < 0 ? 0 : strideOf(factor, axis));
  const tileOf = (rows: number, columns: number): number => {
    const key = `${rows}x${columns}`;
    const known = tiles.get(key);
    if (known !== undefined) return known;
    const cRow = (m < 0 ? 0 : strides[m]!) * bytes;
    const aRow = stride(form.lhs, m) * bytes;
    const bColumn = stride(form.rhs, n);
    const made =
      method.kind === 'dot'
        ? emitDotTile(module, { lanes, fused, rows, columns, aRow, bColumn: bColumn * bytes, cRow, k }, unrolls)
        : emitSpreadTile(module, {
            lanes,
            fused,
            rows,
            columns,
            aRow,
            bColumn,
            cRow,
            k,
            padded: form.rhs.binding < 0,
            counted: skip ? kAxes.indexOf(skip.axis) : -1,
            unroll: unrolls && (k.at(-1)?.size ?? 99) <= maxUnroll,
          });
    tiles.set(key, made);
    return made;
  };
  const kAxes = axesOf(form, 'k');
  const skip = method.kind === 'spread' ? skipOf(form, unrolls) : null;
  const zero = kAxes.filter((axis) => axis !== skip?.axis);
  return () => {
    const steps = skip && startSkip(frame, skip, form);
    forTiles(frame, form, n, method.tile.columns, (columns) => {
      forTiles(frame, form, m, method.tile.rows, (rows) => {
        pushFactor(frame, form, form.lhs, zero);
        pushFactor(frame, form, form.rhs, zero);
        pushOut(frame, form, zero);
        if (method.kind === 'spread') f.push(steps?.count ?? 0);
        f.call(tileOf(rows, columns));
      });
    });
    if (steps) f.release(steps.start, steps.count);
  };
}

/** Steps along an axis by whole tiles, then what is left; `body` is told how many elements. */
function forTiles(frame: Frame, form: Form, axis: number, tile: number, body: (count: number) => void): void {
  const { f } = frame;
  if (axis < 0) {
    body(1);
    return;
  }
  const { size } = form.axes[axis]!;
  const rest = size % tile;
  const { from, to, release } = rangeOfAxis(frame, form, axis);
  f.scratch('i32', (counter) => {
    frame.counters[axis] = counter;
    if (typeof to === 'number') {
      if (size >= tile) f.for(counter, { to: size - rest, step: tile }, () => body(tile));
      else f.i32(0).set(counter);
      if (rest > 0) body(rest);
      return;
    }
    f.scratch('i32', (whole) => {
      f.get(to)
        .i32(tile - 1)
        .op('i32.sub')
        .set(whole);
      f.for(counter, { from, to: whole, step: tile }, () => body(tile));
    });
    if (rest > 0)
      f.get(counter)
        .get(to)
        .op('i32.lt_s')
        .if(() => body(rest));
  });
  release();
}
