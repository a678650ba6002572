/**
 * The conformance suite: registers with vitest what every backend has to pass. Operations in every dtype, eager, compiled and
 * replayed three times, with the memory plan and without, against the evaluator; the reference vectors by the Tensor API; random programs; and the promises of the contract.
 */
import { grad } from '@dl/autograd';
import { type Backend, schedule, setBackend } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layerTables } from '../golden/layer-tables';
import { readGolden } from '../golden/read';
import { type Gradient, runGolden } from '../golden/run';
import { goldenTables } from '../golden/tables';
import type { ProgramCase } from '../random/builder';
import type { Scheduler } from '../random/run';
import { searchPrograms, showsNoNaN } from '../random/search';
import { checkRow, thinned } from './check';
import { promises } from './contract';
import { families } from './families';

export interface ConformanceOptions {
  /** How many random programs to run. Default 150. */
  readonly programs?: number;
  /** Which ones. Default 1. */
  readonly seed?: number;
  /** Names of rows and promises that this backend is known to break, with the reason. */
  readonly known?: Readonly<Record<string, string>>;
  /** Runs one in so many calls of each row and one in so many reference vectors, for slow devices. Default 1: all. */
  readonly every?: number;
}

const gradient: Gradient = (loss, wrt) => grad(loss, wrt, { unused: 'zero' });

const shown = 6;

/** Fails with the first few of many messages. */
function expectNone(failures: readonly string[]): void {
  const more = failures.length > shown ? [`… and ${failures.length - shown} more`] : [];
  expect([...failures.slice(0, shown), ...more]).toEqual([]);
}

/**
 * Registers the suite for one backend. Call it at the top of a test file.
 *
 * @param makeBackend - called once, before the first test; the backend is disposed after the last
 * @example
 * conformance(() => cpu({ threads: 1 }));
 */
export function conformance(
  makeBackend: () => Promise<Backend>,
  { programs = 150, seed = 1, known = {}, every = 1 }: ConformanceOptions = {},
): void {
  let backend: Backend;
  beforeAll(async () => {
    backend = await makeBackend();
    setBackend(backend);
  });
  afterAll(async () => {
    const storage = backend.allocate(4);
    await backend.dispose();
    // Finalisers of tensors come when they come.
    expect(() => backend.free(storage)).not.toThrow();
  });

  const declare = (name: string, body: () => Promise<void>): void => {
    const reason = known[name];
    if (reason === undefined) test(name, body);
    else test.fails(`${name} (${reason})`, body);
  };

  describe.each(Object.entries(families))('%s', (_, rows) => {
    for (const row of rows) declare(row.name, async () => expectNone(await checkRow(row, backend, every)));
  });

  describe('reference vectors', () => {
    for (const { category, ops } of [...goldenTables, ...layerTables]) {
      declare(category, async () => {
        const { failed } = await runGolden(thinned(readGolden(category), every), ops, { gradient });
        expectNone(failed.map(({ name, mode, message }) => `${name} ${mode}: ${message}`));
      });
    }
  });

  describe('contract', () => {
    for (const { name, check } of promises) declare(name, () => check(backend));
  });

  describe('random programs', () => {
    for (const plan of [true, false]) {
      const name = `give what their primitives give${plan ? '' : ', without memory plan'}`;
      const scheduler: Scheduler = (program, capabilities) => schedule(program, capabilities, { plan });
      declare(name, async () => {
        const { dtypes } = backend.capabilities;
        const filter = (p: ProgramCase): boolean =>
          showsNoNaN(p) && p.program.nodes.every((n) => dtypes.includes(n.dtype));
        const { failures } = await searchPrograms(backend, { runs: programs, seed, scheduler, filter });
        expectNone(failures);
      });
    }
  });
}
