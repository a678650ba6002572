/** Runs rows of the suite on the backend in use and compares each result with the evaluator. */
import { type Backend, compile, type DType, decodeHalf, memoryPlan, setMemoryPlan, Tensor, tensor } from '@dl/tensor';
import { evaluateNode } from '../evaluate/program';
import type { Value } from '../evaluate/value';
import { compareValues, type Tolerance } from '../tolerance';
import { type Call, type Row, sample } from './row';

const replays = 3;

export const toTensor = ({ data, shape, dtype }: Value): Tensor => tensor(data, shape, { dtype });

export async function readValue(x: Tensor): Promise<Value> {
  const data = await x.data();
  const numbers = x.dtype === 'f16' ? Float64Array.from(data, decodeHalf) : Float64Array.from(data);
  return { shape: x.shape, dtype: x.dtype, data: numbers };
}

const listed = (results: Tensor | readonly Tensor[]): readonly Tensor[] =>
  results instanceof Tensor ? [results] : results;

/** What the recorded primitives give for these inputs. */
function evaluate(call: Call, inputs: readonly Value[]): Value[] {
  const tensors = inputs.map(toTensor);
  const leaves = new Map(tensors.map((x, i) => [x.node, inputs[i]!]));
  return listed(call.apply(...tensors)).map((result) => evaluateNode(result.node, leaves));
}

const sampled = (call: Call, dtype: DType, seed: number): Value[] =>
  call.inputs.map((input) => sample(input, dtype, seed));

async function difference(
  results: readonly Tensor[],
  wanted: readonly Value[],
  tolerance: Tolerance,
): Promise<string | undefined> {
  for (const [i, want] of wanted.entries()) {
    const found = compareValues(await readValue(results[i]!), want, tolerance);
    if (found) return results.length > 1 ? `result ${i}: ${found}` : found;
  }
  return undefined;
}

async function checkEager(call: Call, dtype: DType, tolerance: Tolerance): Promise<string | undefined> {
  const inputs = sampled(call, dtype, 0);
  const wanted = evaluate(call, inputs);
  return difference(listed(call.apply(...inputs.map(toTensor))), wanted, tolerance);
}

/** One compiled function called three times on different data; all results are read only after the last call. */
async function checkCompiled(call: Call, dtype: DType, tolerance: Tolerance): Promise<string | undefined> {
  const run = compile((inputs: Tensor[]) => [...listed(call.apply(...inputs))], { name: 'conformance' });
  const seeds = Array.from({ length: replays }, (_, seed) => seed);
  const inputs = seeds.map((seed) => sampled(call, dtype, seed));
  const results = inputs.map((values) => run(values.map(toTensor)));
  for (const [i, result] of results.entries()) {
    const found = await difference(result, evaluate(call, inputs[i]!), tolerance);
    if (found) return `call ${i}: ${found}`;
  }
  return undefined;
}

const describeCall = (call: Call): string => {
  const shapes = call.inputs.map(({ shape }) => `[${shape}]`).join(' ');
  return call.label ? `${call.label}, ${shapes}` : shapes;
};

/**
 * A tolerance for f32 is far too loose for f64. In f16 each operation computes in f32 and rounds once: what differs in the last
 * bits of f32 may fall on either side of a tie, to one of two neighbours, 2⁻¹⁰ apart; what is exact in f32 stays exact.
 */
const toleranceFor = (row: Row, dtype: DType): Tolerance =>
  (dtype === 'f64' || dtype === 'f16') && row.tolerance?.rtol !== 0 ? {} : (row.tolerance ?? {});

/** One in so many of a list, the first always. */
export const thinned = <T>(list: readonly T[], every: number): readonly T[] => list.filter((_, i) => i % every === 0);

const ways = { eager: checkEager, compiled: checkCompiled } as const;

/** Runs one call eagerly and compiled, with the memory plan and without. */
async function checkCall(row: Row, call: Call, dtype: DType): Promise<string[]> {
  const failures: string[] = [];
  const tolerance = toleranceFor(row, dtype);
  for (const plan of [true, false]) {
    setMemoryPlan(plan);
    for (const [way, check] of Object.entries(ways)) {
      const where = `${row.name} ${dtype} ${way}${plan ? '' : ' without memory plan'} ${describeCall(call)}`;
      try {
        const found = await check(call, dtype, tolerance);
        if (found) failures.push(`${where}: ${found}`);
      } catch (error) {
        failures.push(`${where}: ${(error as Error).message}`);
      }
    }
  }
  return failures;
}

/**
 * Runs every call of a row in every dtype that the backend has: eager and compiled, with the memory plan and without.
 *
 * @param every - runs only one in so many of the calls, counted over all dtypes
 * @returns a line for each failure
 */
export async function checkRow(row: Row, backend: Backend, every = 1): Promise<string[]> {
  const failures: string[] = [];
  const planned = memoryPlan();
  const dtypes = row.dtypes.filter((d) => backend.capabilities.dtypes.includes(d));
  const calls = dtypes.flatMap((dtype) => row.calls.map((call) => ({ call, dtype })));
  try {
    for (const { call, dtype } of thinned(calls, every)) failures.push(...(await checkCall(row, call, dtype)));
  } finally {
    setMemoryPlan(planned);
  }
  return failures;
}
