/*
 * Which way a contraction is computed: as a strided matrix product (gemm/), as a convolution by Winograd's algorithm, by
 * tiles with vectors along n or along k that read the operands where they lie, after copies of operands that are not even,
 * or by plain loops. The choice follows
 * from the kernel alone, so that no split of its range changes a sum.
 */
import { byteWidth, type Contraction, type Kernel } from '@dl/tensor';
import {
  type GemmSpec,
  planOf as gemmPlanOf,
  scratchBytes as gemmScratch,
  type MicroKernel,
  panelBytes,
} from '../gemm/gemm';
import { type GemmType, LANES } from '../gemm/lanes';
import type { Limit } from '../linear';
import { axesOf, type Form, formOf, isEven, merged, sizeOfRole, strideOf, without } from './form';
import { needsStage, type Stage, stageOf } from './stage';
import type { Layout } from './winograd/layout';
import { winogradOf } from './winograd/plan';

/** How many rows and columns of the result a call of a tile computes. */
export interface TileShape {
  readonly rows: number;
  readonly columns: number;
}

export type Method =
  | { readonly kind: 'gemm'; readonly spec: GemmSpec }
  | { readonly kind: 'winograd'; readonly layout: Layout }
  | { readonly kind: 'spread' | 'dot'; readonly tile: TileShape };

/** A way to compute a contraction. */
export interface Product {
  readonly form: Form;
  readonly stages: readonly Stage[];
  readonly method: Method;
  readonly scratchBytes: number;
  /** Where the scratch memory of the method begins. */
  readonly ownOffset: number;
}

/** Most bytes of panels that are filled once for all calls; beyond, each call fills some columns' at a time. */
const maxPanelBytes = 1 << 26;

/** Whether the right operand is the same for all products of a contraction, and can be packed once. */
function packsOnce(form: Form, spec: GemmSpec): boolean {
  if (gemmPlanOf(spec) !== 'packed' || form.rhs.binding < 0 || panelBytes(spec) > maxPanelBytes) return false;
  const fixed = without(form.rhs.index, [lastAxis(form, 'n'), lastAxis(form, 'k')]);
  return fixed.terms.every((t) => t.atom.kind === 'param');
}

const gemmTypes: Partial<Record<string, GemmType>> = { f32: 'f32', f64: 'f64', i32: 'i32', u32: 'i32' };
export const gemmTypeOf = (form: Form): GemmType => gemmTypes[form.dtype]!;

/** The innermost axis of a role, or −1. */
export const lastAxis = (form: Form, role: 'm' | 'n' | 'k'): number => axesOf(form, role).at(-1) ?? -1;

const sizeAt = (form: Form, axis: number): number => (axis < 0 ? 1 : form.axes[axis]!.size);

/** A matrix product for the innermost axes, where k is one axis and strides are not negative. */
function gemmOf(form: Form, micro: MicroKernel): Method | null {
  if (axesOf(form, 'k').length > 1) return null;
  const [m, n, k] = [lastAxis(form, 'm'), lastAxis(form, 'n'), lastAxis(form, 'k')];
  const stride = (side: 'lhs' | 'rhs', axis: number) => (axis < 0 ? 1 : strideOf(form[side], axis));
  const a = { m: stride('lhs', m), k: stride('lhs', k) };
  const b = { k: stride('rhs', k), n: stride('rhs', n) };
  if ([a.m, a.k, b.k, b.n].some((s) => s < 0)) return null;
  const spec: GemmSpec = {
    dtype: gemmTypeOf(form),
    m: sizeAt(form, m),
    n: sizeAt(form, n),
    k: sizeAt(form, k),
    a,
    b,
    cRow: sizeOfRole(form, 'n'),
    micro,
  };
  return { kind: 'gemm', spec: { ...spec, panels: packsOnce(form, spec) } };
}

/** Share of the lanes that are used along an axis. */
const fill = (size: number, lanes: number): number => size / (Math.ceil(size / lanes) * lanes);

/** Tiles with vectors along n or along k, whichever wastes fewer lanes. */
function tilesOf(form: Form, micro: MicroKernel): Method | null {
  const { count } = LANES[gemmTypeOf(form)];
  const [m, n, k] = [lastAxis(form, 'm'), lastAxis(form, 'n'), lastAxis(form, 'k')];
  const along = (side: 'lhs' | 'rhs', axis: number) => (axis < 0 ? 0 : strideOf(form[side], axis));
  const columns = sizeAt(form, n);
  const depth = sizeAt(form, k);
  const step = along('rhs', n);
  const spread = step >= 1 && columns >= 2 ? fill(columns, count) * (step === 1 ? 1 : step === 2 ? 0.7 : 0.4) : 0;
  const dot = along('lhs', k) === 1 && along('rhs', k) === 1 && depth >= 2 ? fill(depth, count) * 0.9 : 0;
  if (spread === 0 && dot === 0) return null;
  const rows = sizeAt(form, m);
  if (spread >= dot) return { kind: 'spread', tile: spreadShape(rows, columns, micro, count) };
  return { kind: 'dot', tile: dotShape(rows, columns, micro) };
}

/** Cycles of a step of k: two multiply-adds or two loads each, and eight of the former to hide their latency. */
const stepCycles = (rows: number, across: number): number =>
  Math.max((rows * across) / 2, (rows + across) / 2, 4) + 0.3 + 0.04 * (rows + across);

/**
 * Whether sums and operands of a step fit the 15 registers that V8 gives. Engines that move all loads of a block before
 * the arithmetic (gemm/micro-kernel.ts) hold every operand at once, others one side and an element of the other.
 */
function fits(rows: number, across: number, held: number, micro: MicroKernel): boolean {
  const operands = micro.unroll > 1 ? held + 1 : rows + across;
  return rows * across + operands <= 15;
}

/** The tile for which all tiles of a plane of results take the fewest cycles a step of k. */
function bestShape(rows: number, across: number, fit: (rows: number, across: number) => boolean): [number, number] {
  let best: [number, number] = [1, 1];
  let least = Infinity;
  for (let height = 1; height <= Math.min(rows, 8); height++) {
    for (let width = 1; width <= Math.min(across, 8) && fit(height, width); width++) {
      let cycles = 0;
      for (const [h, down] of runs(rows, height)) {
        for (const [w, beside] of runs(across, width)) cycles += down * beside * stepCycles(h, w);
      }
      if (cycles >= least) continue;
      least = cycles;
      best = [height, width];
    }
  }
  return best;
}

/** Whole steps of a size, and the rest: how large, how many. */
const runs = (size: number, step: number): (readonly [length: number, count: number])[] => [
  [step, Math.floor(size / step)],
  [size % step, size % step > 0 ? 1 : 0],
];

function spreadShape(rows: number, columns: number, micro: MicroKernel, lanes: number): TileShape {
  const across = Math.ceil(columns / lanes);
  const [height, vectors] = bestShape(rows, across, (h, v) => fits(h, v, v, micro));
  return { rows: height, columns: vectors * lanes };
}

function dotShape(rows: number, columns: number, micro: MicroKernel): TileShape {
  const [height, width] = bestShape(rows, columns, (h, w) => fits(h, w, Math.min(h, w), micro));
  return { rows: height, columns: width };
}

/** Copies of the operands that need one; null if a copy is too large. */
function staged(form: Form, dense: boolean): { form: Form; stages: Stage[]; bytes: number } | null {
  const stages: Stage[] = [];
  let bytes = 0;
  const factors = { lhs: form.lhs, rhs: form.rhs };
  let zeros: readonly Limit[] = [];
  for (const side of ['lhs', 'rhs'] as const) {
    if (!dense && !needsStage(form[side])) continue;
    const stage = stageOf(form, form[side], bytes, dense);
    if (stage === null) return null;
    stages.push(stage);
    bytes += stage.bytes;
    factors[side] = stage.factor;
    if (side === 'rhs') zeros = stage.zeros;
  }
  // Copies refer to the batch axes by number.
  const batch = stages.every((s) => s.depth === 0);
  return { form: merged({ ...form, ...factors, zeros }, batch), stages, bytes };
}

/** Rows of the result from which a column that is gathered for them costs little. */
const leastGatheredRows = 96;
/** Columns of a line of the result below which vectors along it are badly filled. */
const shortLine = 16;

/**
 * A convolution with short lines, such as 7×7: a copy with one element for each pair of pixel and kernel element, from the
 * padded copy, makes it a matrix product whose columns are all pixels.
 */
function gathered(form: Form, micro: MicroKernel): Product | null {
  const [n, k] = [axesOf(form, 'n'), axesOf(form, 'k')];
  if (n.length < 2 || k.length < 2 || !isEven(form.lhs) || sizeOfRole(form, 'm') < leastGatheredRows) return null;
  if (sizeAt(form, n.at(-1)!) >= shortLine || form.rhs.binding < 0) return null;
  const padded = needsStage(form.rhs) ? stageOf(form, form.rhs, 0) : null;
  if (needsStage(form.rhs) && !(padded && isEven(padded.factor))) return null;
  const image = padded?.factor ?? form.rhs;
  const copy = stageOf(form, image, padded?.bytes ?? 0, true, 'k before n');
  if (copy === null) return null;
  const stages = padded ? [padded, { ...copy, depth: Math.max(copy.depth, padded.depth) }] : [copy];
  const whole = merged({ ...form, rhs: copy.factor }, false);
  const method = gemmOf(whole, micro);
  if (method?.kind !== 'gemm') return null;
  const ownOffset = Math.ceil((copy.bytes + (padded?.bytes ?? 0)) / 64) * 64;
  return { form: whole, stages, method, ownOffset, scratchBytes: ownOffset + gemmScratch(method.spec) };
}

/** The way to compute a contraction, or null for plain loops. */
export function productOf(contraction: Contraction, kernel: Pick<Kernel, 'range'>, micro: MicroKernel): Product | null {
  if (gemmTypes[contraction.dtype] === undefined) return null;
  const { batch, m, n, k } = contraction;
  if ([...batch, ...m, ...n, ...k].some((size) => size === 0)) return null;
  const form = formOf(contraction, kernel);
  if (form === null || axesOf(form, 'batch').length > 4) return null;
  const tiles = winogradOf(form, micro);
  if (tiles) {
    const { layout, stage, scratchBytes } = tiles;
    return { form, stages: [stage], method: { kind: 'winograd', layout }, ownOffset: 0, scratchBytes };
  }
  const columns = gathered(form, micro);
  if (columns) return columns;
  for (const dense of [false, true]) {
    const result = staged(form, dense);
    if (result === null) return null;
    if (!isEven(result.form.lhs) || !isEven(result.form.rhs)) continue;
    const method = gemmOf(result.form, micro) ?? tilesOf(result.form, micro);
    if (method === null) continue;
    const ownOffset = Math.ceil(result.bytes / 64) * 64;
    const own = method.kind === 'gemm' && gemmPlanOf(method.spec) === 'packed' ? gemmScratch(method.spec) : 0;
    return { ...result, method, ownOffset, scratchBytes: ownOffset + own };
  }
  return null;
}

export const bytesOf = (form: Form): number => byteWidth(form.dtype);
