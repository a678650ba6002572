/**
 * What a recording becomes, and one call of it: storages are bound, outputs allocated and kernels run; nothing is recorded.
 */
import type { Backend, Storage, Timing } from '../backend';
import { byteWidth } from '../dtype';
import { BackendError } from '../errors';
import type { Node } from '../graph/node';
import { leaf } from '../ops/record';
import { cellOf } from '../run/cell';
import { type Prepared, prepare } from '../run/executables';
import { runOn } from '../run/memory';
import { currentObserver } from '../run/observe';
import { ownKey, type RandomNode, resolve } from '../run/program';
import { allocateAll } from '../run/realize';
import { Value } from '../run/value';
import type { Program } from '../schedule/program';
import { sizeOf } from '../shape';
import { Tensor } from '../tensor';
import type { Recording, Result } from './record';

/** A recording with the schedule of its program. It holds nothing of the graph but leaves. */
export interface Compiled extends Omit<Recording, 'written'> {
  readonly key: Float64Array;
  readonly program: Program;
  readonly leaves: readonly Node[];
  readonly scalars: Float64Array;
  readonly randoms: readonly RandomNode[];
  readonly prepared: Prepared;
  readonly backend: Backend;
  checked: boolean;
}

/** Prepares a recording for its calls. */
export function compiledFrom({ written, ...recorded }: Recording, backend: Backend): Compiled {
  const { leaves, scalars, randoms } = written;
  const program = written.program();
  const key = ownKey(written);
  return {
    ...recorded,
    key,
    program,
    leaves,
    scalars,
    randoms,
    prepared: prepare(backend, program),
    backend,
    checked: false,
  };
}

/** One call: binds storages and numbers, and runs. */
export function replay(compiled: Compiled, tensors: readonly Tensor[]): unknown {
  const { backend, scalars, prepared } = compiled;
  const leaves = compiled.sources.map((s) => {
    if (s.kind === 'captured') return s.value.on(backend);
    if (s.kind === 'cell') return s.cell.present(backend)!.on(backend);
    return argumentStorage(compiled, tensors[s.index]!, backend);
  });
  const fresh = allocateAll(backend, compiled.outputs);
  drawNumbers(compiled);
  const observer = currentObserver();
  observer?.ran(prepared.schedule);
  const timings = observer ? (steps: readonly Timing[]) => observer.timed(steps) : undefined;
  const { executable } = prepared;
  runOn(backend, { executable, bindings: [...leaves, ...fresh], scalars, fresh, timings });
  for (const cell of compiled.assigned) cell.advance(backend);
  return compiled.result(compiled.outputs.map((node, i) => storedTensor(node, backend, fresh[i]!)));
}

function storedTensor(like: Result, backend: Backend, storage: Storage): Tensor {
  const node = leaf(like.shape, like.dtype, false);
  node.stored = new Value(like.dtype, sizeOf(like.shape) * byteWidth(like.dtype)).hold(backend, storage);
  return new Tensor(node);
}

/** An argument's storage; a version of a variable that the step overwrites is refused. */
function argumentStorage(compiled: Compiled, t: Tensor, backend: Backend): Storage {
  const node = resolve(t.node);
  const cell = compiled.assigned.length > 0 ? cellOf(node) : undefined;
  if (cell !== undefined && compiled.assigned.includes(cell)) {
    throw new BackendError(
      `compile: an argument is a view of ${cell.name}, which the compiled function overwrites. Pass ${cell.name}.snapshot().`,
    );
  }
  return (node.stored as Value).on(backend);
}

/** Random numbers of this call: each generator's present key and counter, moved on by what a call draws. */
function drawNumbers({ scalars, randoms, draws }: Compiled): void {
  for (const { node, scalar } of randoms) {
    const { generator, counter } = node.attrs;
    scalars[scalar] = generator.key[0];
    scalars[scalar + 1] = generator.key[1];
    scalars[scalar + 2] = generator.counter + counter - (draws.get(generator)?.first ?? counter);
  }
  for (const [generator, { count }] of draws) generator.draw(count);
}
