/** Whether a function recorded the same a second time, and if not, what was different. */
import { ValueError } from '../errors';
import { hasKey } from '../run/program';
import type { Program } from '../schedule/program';
import type { Recording, Source } from './record';
import type { Compiled } from './replay';

/** @throws ValueError naming what the second recording saw that the first did not */
export function checkSame(name: string, first: Compiled, second: Recording): void {
  for (const [generator, { first: counter }] of second.draws) generator.rewind(counter);
  const differs = difference(first, second);
  if (differs)
    throw new ValueError(
      `${name}: the compiled function does not record the same twice: ${differs}. Pass what changes as a tensor argument, or keep it in a Variable.`,
    );
}

function difference(first: Compiled, second: Recording): string | null {
  const { key, program, leaves, scalars, randoms } = first;
  const { written } = second;
  if (!hasKey(written, key)) return `${program.nodes.length} operations at first, ${written.count} later, or others`;
  const random = new Set(randoms.flatMap((r) => [r.scalar, r.scalar + 1, r.scalar + 2]));
  for (let i = 0; i < scalars.length; i++) {
    if (!random.has(i) && !Object.is(scalars[i], written.scalars[i]))
      return `the number ${scalars[i]} of ${operationOf(program, i)} is now ${written.scalars[i]}`;
  }
  for (const [i, s] of first.sources.entries())
    if (!sameSource(s, second.sources[i]!))
      return `a captured tensor of ${leaves[i]!.dtype} [${leaves[i]!.shape}] is another one`;
  return null;
}

const operationOf = ({ nodes }: Program, scalar: number): string =>
  nodes.find((n) => n.args.includes(scalar))?.op ?? 'an operation';

function sameSource(a: Source, b: Source): boolean {
  if (a.kind === 'argument') return b.kind === 'argument' && a.index === b.index;
  if (a.kind === 'cell') return b.kind === 'cell' && a.cell === b.cell;
  if (b.kind !== 'captured') return false;
  return (
    a.value === b.value ||
    (a.host !== null && b.host !== null && sameData(a.host as ArrayLike<number>, b.host as ArrayLike<number>))
  );
}

function sameData(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
