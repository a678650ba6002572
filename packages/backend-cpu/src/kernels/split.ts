/*
 * Long reductions down columns in two rounds. Lanes lie along a row axis, so every step of the reduced axis is a line of
 * another page: read column block by column block, memory is used at half its speed. In the first round, strips of the
 * reduced axis give partial results, row after row in the order of memory; in the second, these come together. How long a
 * strip is follows from the shape, and with it the order of a sum.
 */
import { byteWidth, type DType, type Instruction } from '@dl/tensor';
import { factorOf, type Linear, linear } from './linear';
import { changeOp, type Nest, type NestOp } from './nest';

/** Reduced elements, and bytes read, from which two rounds pay. */
const minCount = 256;
const minBytes = 1 << 20;
/** Steps of a strip. */
const strip = { least: 8, most: 32 } as const;
/** Bytes between steps from which neighbours lie far apart. */
const farApart = 1024;

/** The two nests, the second to run after the first on the same part of the range. */
export interface Rounds {
  readonly first: Nest;
  readonly second: Nest;
  /** Of partial results, at the beginning of the scratch memory. */
  readonly scratchBytes: number;
}

const reductions: ReadonlySet<string> = new Set(['sum', 'prod', 'max_reduce', 'min_reduce']);

function stripOf(size: number): number {
  for (let length = strip.most; length >= strip.least; length--) if (size % length === 0) return length;
  return 0;
}

const one = (index: number, size: number, factor = 1): Linear =>
  linear(0, [{ atom: { kind: 'var', index, size }, factor }]);

/** Whether the reduced axis `at` is walked with steps far apart by a load whose lanes are neighbours. */
function walksFar(nest: Nest, lane: number, at: number): boolean {
  return nest.ops.some(({ place, op, dtype }) => {
    if (op !== 'load' || !place || factorOf(place.index, lane) !== 1) return false;
    return Math.abs(factorOf(place.index, at)) * byteWidth(dtype) >= farApart;
  });
}

/** Two rounds for a nest with lanes along a row axis, or null where one is as good. */
export function roundsOf(nest: Nest, lane: number, element: readonly boolean[]): Rounds | null {
  const rows = nest.axes.filter((a) => !a.reduced).map((a) => a.size);
  const at = rows.length;
  const count = nest.axes.reduce((n, a) => (a.reduced ? n * a.size : n), 1);
  const width = rows.reduce((a, b) => a * b, 1);
  const reduces = nest.ops.flatMap((op, ref) => (reductions.has(op.op) || op.op === 'argmax' ? [ref] : []));
  const length = at < nest.axes.length ? stripOf(nest.axes[at]!.size) : 0;
  if (length === 0 || count < minCount || width * count * 4 < minBytes) return null;
  // One round of plain reductions, whose elements are used for nothing else.
  const plain = reduces.every((ref) => nest.ops[ref]!.op !== 'argmax' && element[nest.ops[ref]!.args[0]!]);
  const stored = nest.ops.some((op, ref) => op.op === 'store' && element[ref]);
  if (!plain || stored || dependsOnReduction(nest, element) || !walksFar(nest, lane, at)) return null;
  return split(nest, { rows, at, length, reduces, element });
}

/** Whether an element uses a result of a reduction. */
function dependsOnReduction(nest: Nest, element: readonly boolean[]): boolean {
  const after = nest.ops.map(() => false);
  nest.ops.forEach((op, ref) => {
    after[ref] = reductions.has(op.op) || op.args.some((arg) => after[arg]);
  });
  return nest.ops.some((_, ref) => element[ref] && after[ref]);
}

interface Split {
  readonly rows: readonly number[];
  /** The first reduced axis. */
  readonly at: number;
  readonly length: number;
  readonly reduces: readonly number[];
  readonly element: readonly boolean[];
}

function split(nest: Nest, { rows, at, length, reduces, element }: Split): Rounds {
  const strips = nest.axes[at]!.size / length;
  const width = rows.reduce((a, b) => a * b, 1);
  let bytes = 0;
  const partial = reduces.map((ref) => {
    const offset = bytes;
    bytes += Math.ceil((strips * width * byteWidth(nest.ops[ref]!.dtype)) / 64) * 64;
    return { ref, offset };
  });
  /** The place of a partial result: strip by strip, row-major. */
  const placeOf = (dtype: DType, offset: number): Linear => {
    const terms = [{ atom: { kind: 'var' as const, index: at, size: strips }, factor: width }];
    let step = 1;
    for (let axis = at - 1; axis >= 0; axis--) {
      terms.push({ atom: { kind: 'var', index: axis, size: rows[axis]! }, factor: step });
      step *= rows[axis]!;
    }
    return linear(offset / byteWidth(dtype), terms);
  };
  // In the first nest, axis `at` is the strip and axis `at + 1` the step within it.
  const inStrips = (v: number): Linear | null => {
    if (v < at || v >= nest.axes.length) return null;
    if (v > at) return one(v + 1, nest.axes[v]!.size);
    return linear(0, [
      { atom: { kind: 'var', index: at, size: strips }, factor: length },
      { atom: { kind: 'var', index: at + 1, size: length }, factor: 1 },
    ]);
  };
  const blank = { kind: 'const', value: 0 } as const;
  const first: NestOp[] = nest.ops.map(
    (op, ref) => (op.op === 'store' && !element[ref] ? { ...op, op: 'nothing' } : changeOp(op, inStrips)) as NestOp,
  );
  const second = [...nest.ops];
  for (const { ref, offset } of partial) {
    const { dtype } = nest.ops[ref]!;
    const place = { binding: -1, index: placeOf(dtype, offset), limits: [] };
    const access = { binding: 0, index: blank, bounds: [] };
    const store: Instruction = { op: 'store', dtype, access, args: [ref] };
    first.push({ op: 'store', dtype, args: [ref], place, source: store });
    const load: Instruction = { op: 'load', dtype, access, fill: 0 };
    // The load takes the place of what was reduced, which is used for nothing else.
    const from = second.push({ op: 'load', dtype, args: [], place, source: load }) - 1;
    second[ref] = { ...second[ref]!, args: [from] };
  }
  const rowAxes = nest.axes.slice(0, at);
  return {
    first: {
      axes: [...rowAxes, { size: strips, reduced: false }, { size: length, reduced: true }, ...nest.axes.slice(at + 1)],
      ops: withoutUnused(first),
      rangeScale: nest.rangeScale,
    },
    second: {
      axes: [...rowAxes, { size: strips, reduced: true }],
      ops: withoutUnused(inOrder(second)),
      rangeScale: nest.rangeScale,
    },
    scratchBytes: bytes,
  };
}

/** The operations with every argument before its use. */
function inOrder(ops: readonly NestOp[]): NestOp[] {
  const place: number[] = [];
  const sorted: NestOp[] = [];
  const visit = (ref: number): number => {
    if (place[ref] !== undefined) return place[ref];
    const op = ops[ref]!;
    const args = op.args.map(visit);
    return (place[ref] = sorted.push({ ...op, args }) - 1);
  };
  ops.forEach((_, ref) => visit(ref));
  return sorted;
}

/** Only what stores need. */
function withoutUnused(ops: readonly NestOp[]): NestOp[] {
  const used = ops.map((op) => op.op === 'store');
  for (let ref = ops.length - 1; ref >= 0; ref--) if (used[ref]) for (const arg of ops[ref]!.args) used[arg] = true;
  const place: number[] = [];
  const kept: NestOp[] = [];
  ops.forEach((op, ref) => {
    if (used[ref]) place[ref] = kept.push({ ...op, args: op.args.map((arg) => place[arg]!) }) - 1;
  });
  return kept;
}
