/*
 * From a kernel to functions of a module: one for the producer, one for the body. Both take a part of the range, and
 * are called in turn for each part, while what the producer wrote is in the cache.
 */
import type { Contraction, Kernel, Producer } from '@dl/tensor';
import type { FunctionBuilder, ModuleBuilder } from '../wasm/assembler';
import { type Product, productOf } from './contraction/method';
import { contractionPlan } from './contraction/plain';
import { emitProduct, preparationOf, productCall, productCallCost, productGrain } from './contraction/product';
import { isBinary, isUnary, rendersElementwise } from './elementwise';
import { emitNest, grainOf } from './loop';
import { ledByLongAxis, nestOf, rangeOfNest } from './nest';
import { type Plan, plansOf } from './plan';
import { emitScan, scanGrain } from './scan';
import { emitScatter, scatterBase } from './scatter';
import { emitSort, sortScratch } from './sort';
import { blockBytes, Frame, kernelSignature, type Target } from './target';

/** What is done once for a run of a kernel, before its range: an operand is brought into the order that is best to read. */
export interface Preparation {
  /** What is read, and nothing else. */
  readonly binding: number;
  /** Equal keys leave equal bytes of equal contents; null where numbers of the run matter too. */
  readonly key: string | null;
  /** Left in memory that all calls share. */
  readonly sharedBytes: number;
  readonly range: number;
  readonly grain: number;
  readonly work: number;
  emit(frame: Frame, module: ModuleBuilder): void;
}

/** A function of a kernel, before it is written. */
interface Part {
  /** Of a body without a producer, whose range need not be the first axis of the kernel's rows. */
  readonly range?: number;
  /** Every part of the range must begin at a multiple of this. */
  readonly grain: number;
  readonly scratchBytes: number;
  /** Rough count of element operations for the whole range. */
  readonly work: number;
  /** Those that every call repeats, whatever its part of the range. */
  readonly callCost?: number;
  /** Steps of the range that a call should take at least, where one thread makes them all. Default 1. */
  readonly call?: number;
  readonly preparation?: Preparation | null;
  emit(frame: Frame, module: ModuleBuilder): void;
}

/** Functions to be called for all parts of a range, a name or a function each. */
export interface Calls<F> {
  /** In the order in which they are called for each part. */
  readonly functions: readonly F[];
  readonly range: number;
  /** Every part of the range must begin at a multiple of this. */
  readonly grain: number;
  /** Steps of the range that one call takes at most. */
  readonly chunk: number;
  /** Rough count of element operations for the whole range; one takes about half a nanosecond. */
  readonly work: number;
  /** Those that every call repeats. */
  readonly callCost: number;
}

/** Calls that must have ended before those of the kernel begin. They leave in shared memory what those read. */
export interface PreparingCalls<F> extends Calls<F>, Pick<Preparation, 'binding' | 'key' | 'sharedBytes'> {}

/** What a runtime must know to call a rendered kernel. */
export interface RenderedKernel<F = string> extends Calls<F> {
  readonly prepare: PreparingCalls<F> | null;
  /** That each concurrent call needs. */
  readonly scratchBytes: number;
  readonly blockBytes: number;
}

const sizeOf = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Columns that two rounds (split.ts) need side by side to read memory in order. */
const columnsAtOnce = 256;

/** Rounds of the loops that each operation is in, four operations of a vector counting as one. */
function workOf({ ops, loops }: Plan): number {
  const rounds = [1];
  for (const { size } of loops) rounds.push(rounds.at(-1)! * size);
  return ops.reduce((sum, { depth }) => sum + rounds[depth]!, 0) / 4;
}

function bodyPart(kernel: Kernel): Part {
  const nest = kernel.producer ? nestOf(kernel) : ledByLongAxis(nestOf(kernel));
  const range = kernel.producer ? kernel.range : rangeOfNest(nest);
  const plans = plansOf(nest);
  const work = plans.reduce((sum, plan) => sum + workOf(plan), 0);
  return {
    range,
    grain: plans.map(grainOf).reduce(commonMultiple, plans.length > 1 ? Math.min(range, columnsAtOnce) : 1),
    scratchBytes: Math.max(...plans.map((plan) => plan.scratchBytes)),
    work,
    emit: (frame) => {
      for (const plan of plans) emitNest(frame, plan);
    },
  };
}

function productPart(kernel: Kernel, { batch, m, n, k }: Contraction, product: Product): Part {
  const callCost = productCallCost(product);
  return {
    grain: productGrain(product, kernel.range),
    scratchBytes: product.scratchBytes,
    work: sizeOf([...batch, ...m, ...n, ...k]) / (product.method.kind === 'winograd' ? 48 : 16) + callCost,
    callCost,
    call: productCall(product, kernel.range),
    preparation: preparationOf(product),
    emit: (frame, module) => emitProduct(frame, module, product),
  };
}

function producerPart(kernel: Kernel, producer: Producer, target: Target): Part {
  const { range, bindings } = kernel;
  switch (producer.kind) {
    case 'contraction': {
      const product = productOf(producer, kernel, target.micro);
      if (product) return productPart(kernel, producer, product);
      const plan = contractionPlan(producer, range);
      const work = sizeOf([...producer.batch, ...producer.m, ...producer.n, ...producer.k]) / 4;
      return { grain: grainOf(plan), scratchBytes: plan.scratchBytes, work, emit: (frame) => emitNest(frame, plan) };
    }
    case 'scatter': {
      const { outer, inner, limit, count } = producer;
      const work = sizeOf(outer) * sizeOf(inner) * (limit / 4 + count * 4);
      const indexDtype = bindings[producer.index.binding]!.dtype;
      const grain = grainOf(scatterBase(producer, range));
      return { grain, scratchBytes: 0, work, emit: (frame) => emitScatter(frame, producer, { range, indexDtype }) };
    }
    case 'scan': {
      const work = sizeOf(producer.rows) * producer.length * 2;
      return {
        grain: scanGrain(producer, range),
        scratchBytes: 0,
        work,
        emit: (frame) => emitScan(frame, producer, range),
      };
    }
    case 'sort': {
      const { rows, length } = producer;
      const work = sizeOf(rows) * length * Math.log2(length + 1) * 4;
      return { grain: 1, scratchBytes: sortScratch(producer), work, emit: (frame) => emitSort(frame, producer, range) };
    }
  }
}

const partsOf = (kernel: Kernel, target: Target): Part[] => [
  ...(kernel.producer ? [producerPart(kernel, kernel.producer, target)] : []),
  ...(kernel.body.length > 0 ? [bodyPart(kernel)] : []),
];

/** Work of one call: long enough to hide the call, short enough for the engine to change to optimised code. */
export const usualCallWork = 1 << 17;

const commonMultiple = (a: number, b: number): number => {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
};

/** How much of a call's work may be what every call repeats, where one thread runs them all. */
const repeatedShare = 0.03;

/** How a range may be cut, so that every part suits all of the parts of a kernel. */
function cutsOf(range: number, parts: readonly Pick<Part, 'grain' | 'work' | 'callCost' | 'call'>[], callWork: number) {
  const grain = parts.map((p) => p.grain).reduce(commonMultiple, 1);
  const work = parts.reduce((sum, p) => sum + p.work, 0);
  const callCost = parts.reduce((sum, p) => sum + (p.callCost ?? 0), 0);
  const wanted = Math.max(callWork, callCost / repeatedShare) / Math.max(1, work / range);
  const steps = Math.max(wanted, ...parts.map((p) => p.call ?? 1));
  return { range, grain, work, callCost, chunk: Math.max(grain, Math.floor(steps / grain) * grain) };
}

/** Writes the functions of a kernel into a module. `name` begins the names of its exports. */
export function renderKernel(module: ModuleBuilder, target: Target, kernel: Kernel, name: string): RenderedKernel {
  const parts = partsOf(kernel, target);
  const define = (own: string, part: Pick<Part, 'emit'>): string => {
    module.function({ ...kernelSignature, export: own }, (f: FunctionBuilder) =>
      part.emit(new Frame(f, target, kernel), module),
    );
    return own;
  };
  const before = parts.find((part) => part.preparation)?.preparation;
  return {
    prepare: before
      ? {
          functions: [define(`${name}_before`, before)],
          ...cutsOf(before.range, [before], target.callWork),
          binding: before.binding,
          key: before.key,
          sharedBytes: before.sharedBytes,
        }
      : null,
    functions: parts.map((part, i) => define(`${name}_${i}`, part)),
    ...cutsOf(parts[0]?.range ?? kernel.range, parts, target.callWork),
    scratchBytes: Math.max(0, ...parts.map((p) => p.scratchBytes)),
    blockBytes: blockBytes(kernel),
  };
}

const isHalf = (producer: Producer): boolean => 'dtype' in producer && producer.dtype === 'f16';

/** Whether a kernel can be rendered; a string says why not. */
export function rendersKernel(kernel: Kernel): true | string {
  if (kernel.producer && isHalf(kernel.producer)) return `there is no ${kernel.producer.kind} of f16; compute in f32`;
  if (kernel.rows.length + kernel.reduced.length > 30) return 'it has more than 30 axes';
  for (const instruction of kernel.body) {
    const { op } = instruction;
    if (!isUnary(op) && !isBinary(op)) continue;
    const operand = kernel.body[(instruction as { args: readonly number[] }).args[0]!]!.dtype;
    if (!rendersElementwise(op, operand)) return `there is no ${op} of ${operand}`;
  }
  return true;
}
