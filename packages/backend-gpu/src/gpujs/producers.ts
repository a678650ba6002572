/**
 * What a kernel begins with, in a form that this backend can run. A contraction is a product summed over its inner axes, and a
 * scatter-add a sum, for each element of the result, over the updates that name it: both are kernels without a producer.
 * Scans and sorts, whose elements depend on each other, and scatters too long for that, run on the host.
 */
import {
  type Access,
  type Contraction,
  decodeHalf,
  type Instruction,
  isFloat,
  type Kernel,
  type Producer,
  type Scan,
  type Scatter,
  type Sort,
} from '@dl/tensor';
import { type ExprNames, flatIndex, renderBounds, renderExpr, renumberAccess, variableOf } from './expression';
import type { Numbers } from './host-stage';
import { encodeInto } from './values';

/** A producer that runs on the host. */
export interface HostProducer {
  readonly kind: 'host';
  readonly reason: string;
  run(bindings: readonly Numbers[], params: ArrayLike<number>, fault: (index: number, limit: number) => void): void;
}

/** What runs for a kernel: at most a producer, then its body. */
export type Part = HostProducer | { readonly kind: 'kernel'; readonly kernel: Kernel };

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** A gathered scatter looks at each update for each element; beyond so many looks the host is faster than any GPU. */
const maxScatterLooks = 2 ** 26;

function contractionKernel(kernel: Kernel, { dtype, batch, m, n, k, lhs, rhs, out }: Contraction): Kernel {
  const rows = [...batch, ...m, ...n];
  const body: Instruction[] = [
    { op: 'load', dtype, access: lhs, fill: 0 },
    { op: 'load', dtype, access: rhs, fill: 0 },
    { op: 'mul', dtype, args: [0, 1] },
    { op: 'sum', dtype, args: [2] },
    { op: 'store', dtype, access: { binding: out, index: flatIndex(rows), bounds: [] }, args: [3] },
  ];
  return { ...kernel, producer: null, rows, reduced: k, body };
}

/** out[o, l, i] = base[o, l, i] + Σ_c (index[o, c, i] = l ? updates[o, c, i] : 0) */
function scatterKernel(kernel: Kernel, scatter: Scatter): Kernel {
  const { dtype, outer, count, inner, limit, base, index, updates, out } = scatter;
  const rows = [...outer, limit, ...inner];
  const toSpace = (variable: number): number => (variable === outer.length ? rows.length : variable);
  const body: Instruction[] = [
    { op: 'load', dtype: 'i32', access: renumberAccess(index, toSpace), fill: 0 },
    { op: 'check', dtype: 'i32', limit, args: [0] },
    { op: 'index', dtype: 'i32', expr: variableOf(rows, outer.length) },
    { op: 'eq', dtype: 'bool', args: [1, 2] },
    { op: 'load', dtype, access: renumberAccess(updates, toSpace), fill: 0 },
    { op: 'constant', dtype, value: 0 },
    { op: 'where', dtype, args: [3, 4, 5] },
    { op: 'sum', dtype, args: [6] },
    base ? { op: 'load', dtype, access: base, fill: 0 } : { op: 'constant', dtype, value: 0 },
    { op: 'add', dtype, args: [7, 8] },
    { op: 'store', dtype, access: { binding: out, index: flatIndex(rows), bounds: [] }, args: [9] },
  ];
  return { ...kernel, producer: null, rows, reduced: [count], body };
}

const names: ExprNames = {
  variable: (index) => `v[${index}]`,
  param: (index) => `params[${index}]`,
  quotient: (dividend, divisor) => `Math.floor(${dividend} / ${divisor})`,
};

type Place = (v: ArrayLike<number>, params: ArrayLike<number>) => number;
type Reader = (bindings: readonly Numbers[], v: ArrayLike<number>, params: ArrayLike<number>) => number;

const placeOf = (expr: Access['index']): Place =>
  new Function('v', 'params', `return ${renderExpr(expr, names)};`) as Place;

/** Reads an operand at a point, 0 outside its bounds. */
function readerOf(kernel: Kernel, access: Access): Reader {
  const half = kernel.bindings[access.binding]!.dtype === 'f16';
  const holds = renderBounds(access.bounds, names) || 'true';
  const element = `bindings[${access.binding}][${renderExpr(access.index, names)}]`;
  const source = `return ${holds} ? ${half ? `decodeHalf(${element})` : element} : 0;`;
  const make = new Function('decodeHalf', `return (bindings, v, params) => { ${source} };`);
  return make(decodeHalf) as Reader;
}

/** Calls `visit` at each point of a space, the last axis fastest, with the point in `v`. */
function eachPoint(sizes: readonly number[], v: number[], visit: (flat: number) => void): void {
  const count = product(sizes);
  for (let flat = 0; flat < count; flat++) {
    let rest = flat;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      v[axis] = rest % sizes[axis]!;
      rest = Math.floor(rest / sizes[axis]!);
    }
    visit(flat);
  }
}

function hostScatter(kernel: Kernel, scatter: Scatter): HostProducer['run'] {
  const { dtype, mode, outer, count, inner, limit, base, index, updates, out } = scatter;
  const sizes = [...outer, limit, ...inner];
  const innerSize = product(inner);
  const [readBase, readIndex, readUpdate] = [base, index, updates].map((a) => a && readerOf(kernel, a));
  const { dtype: stored } = kernel.bindings[out]!;
  return (bindings, params, fault) => {
    const v: number[] = [];
    const totals = new Float64Array(product(sizes));
    if (readBase) eachPoint(sizes, v, (flat) => (totals[flat] = readBase(bindings, v, params)));
    eachPoint([...outer, count, ...inner], v, (flat) => {
      const at = readIndex!(bindings, v, params);
      if (!(at >= 0 && at < limit)) return fault(at, limit);
      const to = (Math.floor(flat / innerSize / count) * limit + at) * innerSize + (flat % innerSize);
      const value = readUpdate!(bindings, v, params);
      totals[to] = mode === 'set' ? value : isFloat(dtype) ? totals[to]! + value : (totals[to]! + value) | 0;
    });
    encodeInto(bindings[out]!, stored, totals);
  };
}

function hostScan(kernel: Kernel, { dtype, rows, length, reverse, a, b, outIndex, out }: Scan): HostProducer['run'] {
  const [factor, term] = [readerOf(kernel, a), readerOf(kernel, b)];
  const to = placeOf(outIndex);
  const next = isFloat(dtype)
    ? (f: number, h: number, t: number) => Math.fround(f * h + t)
    : (f: number, h: number, t: number) => (Math.imul(f, h) + t) | 0;
  return (bindings, params) => {
    const v: number[] = [];
    const target = bindings[out]!;
    eachPoint(rows, v, () => {
      let h = 0;
      for (let step = 0; step < length; step++) {
        v[rows.length] = reverse ? length - 1 - step : step;
        h = next(factor(bindings, v, params), h, term(bindings, v, params));
        target[to(v, params)] = h;
      }
    });
  };
}

/** Whether `x` is larger than `y`, where NaN is larger than any number. */
const exceeds = (x: number, y: number): boolean => x > y || (Number.isNaN(x) && !Number.isNaN(y));

function hostSort(kernel: Kernel, sort: Sort): HostProducer['run'] {
  const { rows, length, count, descending, input, outIndex, out } = sort;
  const value = readerOf(kernel, input);
  const to = placeOf(outIndex);
  return (bindings, params) => {
    const v: number[] = [];
    const values = new Float64Array(length);
    eachPoint(rows, v, () => {
      for (let i = 0; i < length; i++) {
        v[rows.length] = i;
        values[i] = value(bindings, v, params);
      }
      const before = (i: number, j: number): boolean =>
        descending ? exceeds(values[i]!, values[j]!) : exceeds(values[j]!, values[i]!);
      const order = Int32Array.from(values.keys()).sort((i, j) => (before(i, j) ? -1 : before(j, i) ? 1 : i - j));
      for (let place = 0; place < count; place++) {
        v[rows.length] = place;
        bindings[out]![to(v, params)] = order[place]!;
      }
    });
  };
}

function producerPart(kernel: Kernel, producer: Producer): Part {
  switch (producer.kind) {
    case 'contraction':
      return { kind: 'kernel', kernel: contractionKernel(kernel, producer) };
    case 'scatter': {
      const { mode, dtype, outer, limit, inner, count } = producer;
      const looks = product([...outer, limit, ...inner]) * count;
      if (mode === 'add' && dtype === 'f32' && count > 0 && looks <= maxScatterLooks) {
        return { kind: 'kernel', kernel: scatterKernel(kernel, producer) };
      }
      const reason =
        mode === 'set'
          ? 'a gpu.js thread cannot choose where it writes'
          : `a gpu.js thread cannot choose where it writes, and ${looks} comparisons are too many`;
      return { kind: 'host', reason, run: hostScatter(kernel, producer) };
    }
    case 'scan':
      return { kind: 'host', reason: 'gpu.js threads cannot read each other', run: hostScan(kernel, producer) };
    case 'sort':
      return { kind: 'host', reason: 'gpu.js threads cannot read each other', run: hostSort(kernel, producer) };
    default:
      return producer satisfies never;
  }
}

/** The parts of a kernel, in the order in which they run. */
export function partsOf(kernel: Kernel): Part[] {
  const body: Part[] = kernel.body.length > 0 ? [{ kind: 'kernel', kernel: { ...kernel, producer: null } }] : [];
  return kernel.producer ? [producerPart(kernel, kernel.producer), ...body] : body;
}
