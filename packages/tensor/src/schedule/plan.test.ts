import { referenceBackend } from '@dl/testing';
import { describe, expect, it } from 'vitest';
import { profile, schedule, setBackend, setMemoryPlan, tensor } from '../index';
import type { Schedule } from '../kernel';
import type { Program, ProgramNode } from './program';

const capabilities = referenceBackend().capabilities;
const axes = { lhsBatch: [], rhsBatch: [], lhsContract: [1], rhsContract: [0] };

/** x · x · … · x, ten times: nine intermediates, of 256 bytes each where x is 8 × 8. */
function chain(size = 8): Program {
  const node = (op: 'data' | 'dot', sources: number[]): ProgramNode =>
    ({ op, sources, attrs: op === 'dot' ? axes : {}, shape: [size, size], dtype: 'f32', args: [] }) as ProgramNode;
  const nodes = [node('data', []), ...Array.from({ length: 10 }, (_, i) => node('dot', [i, 0]))];
  return { nodes, outputs: [{ node: 10, into: null }], scalars: 0 };
}

const offsets = ({ slots }: Schedule): number[] =>
  slots.filter((slot) => slot.kind === 'arena').map((slot) => slot.offset);

describe('memory plan', () => {
  it('lets values whose lifetimes do not meet share bytes', () => {
    expect(schedule(chain(), capabilities).arenaBytes).toBe(2 * 256);
  });

  it('off gives each intermediate bytes of its own', () => {
    const made = schedule(chain(), capabilities, { plan: false });
    expect(made.arenaBytes).toBe(9 * 256);
    expect(new Set(offsets(made)).size).toBe(offsets(made).length);
  });

  it('begins large values at different places of a page', () => {
    const places = offsets(schedule(chain(64), capabilities, { plan: false })).map((offset) => offset % 4096);
    expect(new Set(places).size).toBe(9);
  });

  it('is switched for eager runs by setMemoryPlan, also where the program ran before', async () => {
    setBackend(referenceBackend());
    const x = tensor([
      [1, 1],
      [0, 1],
    ]);
    const power = () => x.matmul(x).matmul(x).matmul(x).matmul(x);
    try {
      for (const on of [true, false, true]) {
        setMemoryPlan(on);
        const { arenaBytes } = await profile(() => power().data());
        expect(arenaBytes).toBe(on ? 2 * 64 : 3 * 64);
      }
    } finally {
      setMemoryPlan(true);
    }
  });
});
