/**
 * The producers that a kernel may begin with: contraction, scatter, scan and sort. Each runs for a part [begin, end) of the
 * leading axis of its output.
 */
import {
  type Access,
  type Contraction,
  type DType,
  isFloat,
  type Producer,
  type Scan,
  type Scatter,
  type Sort,
} from '@dl/tensor';
import { exceeds, rounded } from '../scalar/arithmetic';
import type { Frame } from './body';
import { boundsFunction, forEachPoint, indexFunction } from './expressions';

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Whether a place on the leading axis belongs to the part of the range that runs now. */
type InPart = (leading: number) => boolean;
type Runner = (frame: Frame, inPart: InPart) => void;

/** Reads an operand at the current point, `otherwise` outside its bounds. */
function operand(access: Access, otherwise = 0): (frame: Frame) => number {
  const index = indexFunction(access.index);
  const holds = boundsFunction(access.bounds);
  return (frame) => (holds(frame) ? frame.bindings[access.binding]!.readAsSource(index(frame)) : otherwise);
}

/** Adds a product to a running total: exact integers modulo 2^32, or f64. */
const accumulate = (dtype: DType, total: number, a: number, b: number): number =>
  isFloat(dtype) ? total + a * b : (total + Math.imul(a, b)) | 0;

function contraction({ dtype, batch, m, n, k, lhs, rhs, out }: Contraction): Runner {
  const left = operand(lhs);
  const right = operand(rhs);
  const space = [...batch, ...m, ...n];
  return (frame, inPart) =>
    forEachPoint(frame.vars, 0, space, (flat) => {
      if (!inPart(frame.vars[0] ?? 0)) return;
      let total = 0;
      forEachPoint(frame.vars, space.length, k, () => {
        total = accumulate(dtype, total, left(frame), right(frame));
      });
      frame.bindings[out]!.produce(flat, rounded(dtype, total), frame.chunk);
    });
}

/** The sums of a scatter are kept aside, so that each element of the output is written once. */
function scatter({ dtype, mode, outer, count, inner, limit, base, index, updates, out }: Scatter): Runner {
  const start = base && { index: indexFunction(base.index), holds: boundsFunction(base.bounds), binding: base.binding };
  const place = operand(index);
  const update = operand(updates);
  const sizes = [...outer, limit, ...inner];
  const innerSize = product(inner);
  return (frame, inPart) => {
    const totals = new Float64Array(product(sizes));
    forEachPoint(frame.vars, 0, sizes, (flat) => {
      if (!start?.holds(frame)) return;
      const from = start.index(frame);
      const own = start.binding === out && from === flat;
      totals[flat] = frame.bindings[start.binding]!.readAsSource(from, own || !inPart(frame.vars[0]!));
    });
    forEachPoint(frame.vars, 0, [...outer, count, ...inner], (flat) => {
      const at = place(frame);
      if (!(at >= 0 && at < limit)) return frame.fault(`index ${at} is outside 0 to ${limit - 1}`);
      const rest = flat % innerSize;
      const to = (Math.floor(flat / innerSize / count) * limit + at) * innerSize + rest;
      const value = update(frame);
      totals[to] = mode === 'set' ? value : isFloat(dtype) ? totals[to]! + value : (totals[to]! + value) | 0;
    });
    forEachPoint(frame.vars, 0, sizes, (flat) => {
      if (inPart(frame.vars[0]!)) frame.bindings[out]!.produce(flat, rounded(dtype, totals[flat]!), frame.chunk);
    });
  };
}

function scan({ dtype, rows, length, reverse, a, b, outIndex, out }: Scan): Runner {
  const factor = operand(a);
  const term = operand(b);
  const to = indexFunction(outIndex);
  return (frame, inPart) =>
    forEachPoint(frame.vars, 0, rows, () => {
      if (!inPart(frame.vars[0] ?? 0)) return;
      let h = 0;
      for (let step = 0; step < length; step++) {
        frame.vars[rows.length] = reverse ? length - 1 - step : step;
        h = rounded(dtype, accumulate(dtype, term(frame), factor(frame), h));
        frame.bindings[out]!.produce(to(frame), h, frame.chunk);
      }
    });
}

/** The stable order of values, NaN largest; descending keeps the earlier first on ties too. */
export function sortedOrder(values: ArrayLike<number>, descending: boolean): number[] {
  const before = (i: number, j: number): boolean =>
    descending ? exceeds(values[i]!, values[j]!) : exceeds(values[j]!, values[i]!);
  return Array.from({ length: values.length }, (_, i) => i).sort((i, j) =>
    before(i, j) ? -1 : before(j, i) ? 1 : i - j,
  );
}

function sort({ rows, length, count, descending, input, outIndex, out }: Sort): Runner {
  const value = operand(input);
  const to = indexFunction(outIndex);
  return (frame, inPart) =>
    forEachPoint(frame.vars, 0, rows, () => {
      if (!inPart(frame.vars[0] ?? 0)) return;
      const values = Array.from({ length }, (_, i) => {
        frame.vars[rows.length] = i;
        return value(frame);
      });
      const order = sortedOrder(values, descending);
      for (let place = 0; place < count; place++) {
        frame.vars[rows.length] = place;
        frame.bindings[out]!.produce(to(frame), order[place]!, frame.chunk);
      }
    });
}

/** Sizes of the output's axes that a range may split, leading axis first. */
export function splittableAxes(producer: Producer): readonly number[] {
  switch (producer.kind) {
    case 'contraction':
      return [...producer.batch, ...producer.m, ...producer.n];
    case 'scatter':
      return [...producer.outer, producer.limit, ...producer.inner];
    case 'scan':
    case 'sort':
      return producer.rows;
    default:
      return producer satisfies never;
  }
}

/** The accesses of a producer with the sizes of the axes that each may mention. */
export function producerAccesses(producer: Producer): { readonly access: Access; readonly space: readonly number[] }[] {
  switch (producer.kind) {
    case 'contraction': {
      const space = [...producer.batch, ...producer.m, ...producer.n, ...producer.k];
      return [producer.lhs, producer.rhs].map((access) => ({ access, space }));
    }
    case 'scatter': {
      const space = [...producer.outer, producer.count, ...producer.inner];
      const own = [...producer.outer, producer.limit, ...producer.inner];
      const base = producer.base ? [{ access: producer.base, space: own }] : [];
      return [...base, { access: producer.index, space }, { access: producer.updates, space }];
    }
    case 'scan': {
      const space = [...producer.rows, producer.length];
      return [producer.a, producer.b].map((access) => ({ access, space }));
    }
    case 'sort':
      return [{ access: producer.input, space: [...producer.rows, producer.length] }];
    default:
      return producer satisfies never;
  }
}

/** A producer as a function that runs one part of the range. */
export function compileProducer(producer: Producer): Runner {
  switch (producer.kind) {
    case 'contraction':
      return contraction(producer);
    case 'scatter':
      return scatter(producer);
    case 'scan':
      return scan(producer);
    case 'sort':
      return sort(producer);
    default:
      return producer satisfies never;
  }
}
