/* Runs one kernel on this backend and on the reference interpreter, and compares what they write. */
import {
  type Access,
  type Backend,
  type Binding,
  type Bound,
  byteWidth,
  type DType,
  type Expr,
  hostArray,
  type Instruction,
  type Kernel,
  type Param,
  type Producer,
  type Schedule,
  type TypedArray,
  zerosArray,
} from '@dl/tensor';
import { compareValues, decodeValue, referenceBackend, type Tolerance } from '@dl/testing';
import { createCpu } from '../src/backend';

export const variable = (index: number, size: number): Expr => ({ kind: 'var', index, size });
export const constant = (value: number): Expr => ({ kind: 'const', value });
export const plus = (...terms: Expr[]): Expr => ({ kind: 'add', terms });
export const times = (term: Expr, factor: number): Expr => ({ kind: 'mul', term, factor });
export const div = (term: Expr, divisor: number): Expr => ({ kind: 'div', term, divisor });
export const mod = (term: Expr, divisor: number): Expr => ({ kind: 'mod', term, divisor });

/** Σ strides · variables + offset. */
export const strided = (sizes: readonly number[], strides: readonly number[], offset = 0): Expr =>
  plus(
    ...sizes.flatMap((size, i) => (strides[i] === 0 ? [] : [times(variable(i, size), strides[i]!)])),
    constant(offset),
  );

export const rowMajorStrides = (sizes: readonly number[]): number[] =>
  sizes.map((_, i) => sizes.slice(i + 1).reduce((a, b) => a * b, 1));

export const rowMajor = (sizes: readonly number[]): Expr => strided(sizes, rowMajorStrides(sizes));

export const access = (binding: number, index: Expr, bounds: readonly Bound[] = []): Access => ({
  binding,
  index,
  bounds,
});

/** Contents of a binding: numbers, or a size to be left unwritten. */
export interface Content {
  readonly dtype: DType;
  readonly mode: Binding['mode'];
  readonly data: ArrayLike<number>;
}

export interface KernelCase {
  readonly name?: string;
  readonly contents: readonly Content[];
  readonly rows?: readonly number[];
  readonly reduced?: readonly number[];
  readonly body?: readonly Instruction[];
  readonly producer?: Producer;
  readonly params?: readonly Param[];
  readonly scalars?: readonly number[];
  readonly range?: number;
}

export function scheduleOf(c: KernelCase): Schedule {
  const rows = c.rows ?? [];
  const kernel: Kernel = {
    name: c.name ?? 'test',
    bindings: c.contents.map(({ mode, dtype }, slot) => ({ slot, mode, dtype })),
    params: c.params ?? [],
    producer: c.producer ?? null,
    rows,
    reduced: c.reduced ?? [],
    body: c.body ?? [],
    range: c.range ?? Math.max(1, rows[0] ?? 1),
  };
  return {
    steps: [{ kind: 'kernel', kernel }],
    slots: c.contents.map(({ dtype, data }, index) => ({ kind: 'bound', index, offset: 0, dtype, size: data.length })),
    bound: c.contents.length,
    arenaBytes: 0,
    scalars: c.scalars?.length ?? 0,
  };
}

function bytesOf({ dtype, data }: Content): TypedArray {
  const array = zerosArray(dtype, data.length);
  for (let i = 0; i < data.length; i++) array[i] = data[i]!;
  return array;
}

/** What a backend leaves in the bindings that are written. */
async function run(backend: Backend, c: KernelCase): Promise<(TypedArray | null)[]> {
  const executable = backend.prepare(scheduleOf(c));
  const storages = c.contents.map((content) => {
    const storage = backend.allocate(content.data.length * byteWidth(content.dtype));
    if (content.mode !== 'write') backend.write(storage, 0, bytesOf(content));
    else backend.write(storage, 0, bytesOf({ ...content, data: new Float64Array(content.data.length) }));
    return storage;
  });
  backend.run(executable, storages, Float64Array.from(c.scalars ?? []));
  const results: (TypedArray | null)[] = [];
  for (const [i, { mode, dtype, data }] of c.contents.entries()) {
    if (mode === 'read') results.push(null);
    else results.push(hostArray(dtype, await backend.read(storages[i]!, 0, storages[i]!.byteLength), 0, data.length));
  }
  for (const storage of storages) backend.free(storage);
  executable.dispose();
  return results;
}

export interface Backends {
  readonly reference: Backend;
  /** As users have it, and with every kernel split as far as it can be. */
  readonly ours: readonly Backend[];
}

export const startBackends = async (): Promise<Backends> => ({
  reference: referenceBackend(),
  ours: [
    await createCpu(),
    await createCpu({ callWork: 1 }),
    await createCpu({ callWork: 1, micro: { rows: 6, unroll: 4, fused: true } }),
  ],
});

/** Compares a kernel on all backends; throws with the first element that differs. */
export async function compareKernel(
  { reference, ours }: Backends,
  c: KernelCase,
  tolerance: Tolerance = {},
): Promise<void> {
  const wanted = await run(reference, c);
  for (const [which, backend] of ours.entries()) {
    const got = await run(backend, c);
    c.contents.forEach(({ dtype, data }, i) => {
      if (wanted[i] === null) return;
      const value = (array: TypedArray) => decodeValue([data.length], dtype, array.buffer as ArrayBuffer);
      const difference = compareValues(value(got[i]!), value(wanted[i]!), tolerance);
      if (difference) throw new Error(`${c.name ?? 'test'}, backend ${which}, binding ${i}: ${difference}`);
    });
  }
}
