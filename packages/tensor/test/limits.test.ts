import { checkProgram, referenceBackend } from '@dl/testing';
import { expect, it } from 'vitest';
import { schedule } from '../src/schedule';
import { ProgramBuilder } from './program-builder';

it('the halves of a cluster with too many bindings do not need each other', async () => {
  const b = new ProgramBuilder();
  const [x, y, z] = [b.data([2, 3]), b.data([2, 3]), b.data([2, 3])];
  const s = b.expand(b.reduce('sum', z, [0], true), [2, 3]);
  const zs = b.binary('add', z, s);
  const ys = b.binary('add', y, s);
  const less = b.unary('neg', s);
  const both = b.binary('add', zs, ys);
  // Cheap to compute again, until what it is made of is: then it is computed in the half where it stands.
  const again = b.unary('neg', less);
  const far = b.binary('add', both, again);
  const near = b.binary('add', ys, less);
  b.output(b.binary('add', again, near));
  b.output(b.expand(b.reduce('sum', far, [1], true), [2, 3]));
  b.output(b.binary('add', near, both));
  const twice = b.unary('neg', z);
  b.output(b.binary('add', twice, twice));
  b.output(b.unary('exp', y));
  b.output(b.unary('exp', x));

  const backend = referenceBackend({ capabilities: { maxBindings: 4 } });
  const leaves = [x, y, z].map((_, k) => Array.from({ length: 6 }, (_, i) => ((i * 7 + k) % 13) / 8));
  await checkProgram(backend, schedule, { program: b.program, leaves, scalars: [] });
  for (const step of schedule(b.program, backend.capabilities).steps)
    if (step.kind === 'kernel') expect(step.kernel.bindings.length).toBeLessThanOrEqual(4);
});
