/**
 * What a recording becomes, and one call of it: storages are bound, outputs allocated and kernels run; nothing is recorded.
 */
import type { Backend, Storage } from '../backend';
import { BackendError } from '../errors';
import type { Node } from '../graph/node';
import { leaf } from '../ops/record';
import { cellOf } from '../run/cell';
import { type Prepared, prepare } from '../run/executables';
import { type Holding, runOn } from '../run/memory';
import { ownKey, type RandomNode, resolve } from '../run/program';
import { allocateAll, type Result, resultValue } from '../run/realize';
import type { Value } from '../run/value';
import type { Program } from '../schedule/program';
import { Tensor } from '../tensor';
import type { Recording, Source } from './record';

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
  const { backend, scalars, prepared, sources, outputs } = compiled;
  const bindings = new Array<Storage>(prepared.schedule.bound);
  let bound = 0;
  for (const source of sources) bindings[bound++] = storageOf(compiled, source, tensors);
  const fresh = allocateAll(backend, outputs);
  for (const holding of fresh) bindings[bound++] = holding.storage;
  drawNumbers(compiled);
  runOn(backend, prepared, { bindings, scalars, fresh });
  for (const cell of compiled.assigned) cell.advance(backend);
  return compiled.result(outputs.map((result, i) => storedTensor(result, fresh[i]!)));
}

function storageOf(compiled: Compiled, source: Source, tensors: readonly Tensor[]): Storage {
  const { backend } = compiled;
  if (source.kind === 'captured') return source.value.on(backend);
  if (source.kind === 'cell') return source.cell.present(backend)!.on(backend);
  return argumentStorage(compiled, tensors[source.index]!, backend);
}

function storedTensor(result: Result, holding: Holding): Tensor {
  const node = leaf(result.shape, result.dtype, false);
  node.stored = resultValue(result, holding);
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
