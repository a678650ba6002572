/** Runs a program on a backend by way of the scheduler, and compares it with the evaluator. */
import { type Backend, type Capabilities, type Program, type Schedule, type Storage, sizeOf } from '@dl/tensor';
import { evaluateProgram } from '../evaluate/program';
import { decodeValue, encodeValue, toValue, type Value } from '../evaluate/value';
import { compareWithin, type Tolerance } from '../tolerance';
import type { ProgramCase } from './builder';
import { showCase } from './show';

/** A scheduler: `schedule` of `@dl/tensor`, or another to compare with it. */
export type Scheduler = (program: Program, capabilities: Capabilities) => Schedule;

interface Bound {
  readonly storages: readonly Storage[];
  /** For each output, its place among the storages. */
  readonly outputs: readonly number[];
}

/** The storages that a run binds: one for each leaf, then one for each output of its own. */
function bind(backend: Backend, { program, leaves }: ProgramCase): Bound {
  const data = program.nodes.flatMap((node, index) => (node.op === 'data' ? [index] : []));
  const storages = data.map((index, i) => {
    const { shape, dtype } = program.nodes[index]!;
    const bytes = encodeValue(toValue(shape, dtype, leaves[i]!));
    const storage = backend.allocate(bytes.byteLength);
    backend.write(storage, 0, bytes);
    return storage;
  });
  const outputs = program.outputs.map(({ node, into }) => {
    if (into !== null) return data.indexOf(into);
    const { shape, dtype } = program.nodes[node]!;
    return (
      storages.push(backend.allocate(encodeValue({ shape, dtype, data: new Float64Array(sizeOf(shape)) }).byteLength)) -
      1
    );
  });
  return { storages, outputs };
}

/** What `times` runs of one schedule, each on storages of its own, give for the outputs of a program and for its leaves. */
async function replay(backend: Backend, scheduler: Scheduler, program: ProgramCase, times: number): Promise<Value[][]> {
  const executable = backend.prepare(scheduler(program.program, backend.capabilities));
  const results: Value[][] = [];
  for (let i = 0; i < times; i++) {
    const { storages, outputs } = bind(backend, program);
    backend.run(executable, storages, Float64Array.from(program.scalars));
    const values: Value[] = [];
    for (const [place, { node }] of program.program.outputs.entries()) {
      const { shape, dtype } = program.program.nodes[node]!;
      const storage = storages[outputs[place]!]!;
      values.push(decodeValue(shape, dtype, await backend.read(storage, 0, storage.byteLength)));
    }
    results.push(values);
    for (const storage of storages) backend.free(storage);
  }
  executable.dispose();
  return results;
}

/** As many as it takes for one to move what is ill-conditioned. */
const noiseSeeds = [1, 2, 3, 4];

/**
 * Runs a program three times from one schedule and compares each output with the evaluator's. Elements that noise of 1e-6 moves
 * are compared as loosely as that.
 *
 * @throws Error that shows the program, the output and the first element that differs
 */
export async function checkProgram(
  backend: Backend,
  scheduler: Scheduler,
  program: ProgramCase,
  tolerance: Tolerance = {},
): Promise<void> {
  const evaluate = (noise: number, seed = 0): Value[] =>
    evaluateProgram(program.program, program.leaves, program.scalars, { noise, seed });
  const wanted = evaluate(0);
  const shaken = noiseSeeds.map((seed) => evaluate(1e-6, seed));
  let results: Value[][];
  try {
    results = await replay(backend, scheduler, program, 3);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${showCase(program)}`, { cause: error });
  }
  results.forEach((values, run) => {
    values.forEach((value, output) => {
      const limits = { shaken: shaken.map((values) => values[output]!) };
      const difference = compareWithin(value, wanted[output]!, tolerance, limits);
      if (difference) throw new Error(`run ${run}, output ${output}: ${difference}\n${showCase(program)}`);
    });
  });
}
