/*
 * What the phases of a convolution by tiles write in vectors: a transform of vectors, and the turning of four by four.
 */
import type { FunctionBuilder, Local } from '../../../wasm/assembler';
import type { Constants } from '../../../wasm/constants';
import { LANES, multiplyAdd } from '../../gemm/lanes';
import type { Sum, Transform } from './transforms';

/** What vectors of a transform are computed with. */
export interface Arithmetic {
  readonly constants: Constants;
  /** Whether a product and a sum are one instruction. */
  readonly fused: boolean;
}

function emitSum(f: FunctionBuilder, { constants, fused }: Arithmetic, sum: Sum, values: readonly Local[]): Local {
  const result = f.borrow('v128');
  for (const [at, [value, factor]] of sum.entries()) {
    if (Math.abs(factor) === 1 && at > 0) {
      f.get(result)
        .get(values[value]!)
        .op(factor === 1 ? 'f32x4.add' : 'f32x4.sub')
        .set(result);
      continue;
    }
    f.get(values[value]!);
    if (factor !== 1) constants.splat(f, 'f32x4', factor);
    if (at > 0) multiplyAdd(f, LANES.f32, fused, result);
    else (factor === 1 ? f : f.op('f32x4.mul')).set(result);
  }
  return result;
}

/** Transforms vectors, lane by lane. The results are there while `use` runs. */
export function emitTransform(
  f: FunctionBuilder,
  arithmetic: Arithmetic,
  { sums, results }: Transform,
  inputs: readonly Local[],
  use: (results: readonly Local[]) => void,
): void {
  const values = [...inputs];
  for (const sum of sums) values.push(emitSum(f, arithmetic, sum, values));
  use(results.map((value) => values[value]!));
  f.release(...values.slice(inputs.length));
}

export type Four = readonly [Local, Local, Local, Local];

const shuffled = (
  f: FunctionBuilder,
  [a, b]: readonly [Local, Local],
  words: readonly [number, number, number, number],
) => {
  const result = f.borrow('v128');
  f.get(a)
    .get(b)
    .shuffle32(...words)
    .set(result);
  return result;
};

/** Four vectors of which the first has the first lanes of those given, and so on. To be released. */
export function transposed(f: FunctionBuilder, [a, b, c, d]: Four): Four {
  const low = [shuffled(f, [a, b], [0, 4, 1, 5]), shuffled(f, [c, d], [0, 4, 1, 5])] as const;
  const high = [shuffled(f, [a, b], [2, 6, 3, 7]), shuffled(f, [c, d], [2, 6, 3, 7])] as const;
  const result = [
    shuffled(f, low, [0, 1, 4, 5]),
    shuffled(f, low, [2, 3, 6, 7]),
    shuffled(f, high, [0, 1, 4, 5]),
    shuffled(f, high, [2, 3, 6, 7]),
  ] as const;
  f.release(...low, ...high);
  return result;
}

/** The first two lanes of four vectors at an address, as two vectors of one lane of each. To be released. */
export function loadPairs(f: FunctionBuilder, address: Local, offsets: readonly [number, number, number, number]) {
  const [first, second] = [f.borrow('v128'), f.borrow('v128')];
  for (const [local, low, high] of [
    [first, offsets[0], offsets[1]],
    [second, offsets[2], offsets[3]],
  ] as const) {
    f.get(address).get(address).mem('v128.load64_zero', low, 2);
    f.memLane('v128.load64_lane', 1, high).set(local);
  }
  const result = [shuffled(f, [first, second], [0, 2, 4, 6]), shuffled(f, [first, second], [1, 3, 5, 7])] as const;
  f.release(first, second);
  return result;
}
