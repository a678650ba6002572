/*
 * Scatter without atomics, so that the order of additions is that of the updates: a thread owns a part of the indexed axis for one
 * place of the others, goes through all updates in order, and takes those that are for its part. With few places the axis is
 * cut into more parts, so that there are enough threads.
 */
import type { Kernel, Scatter } from '@dl/tensor';
import { combine, convert } from './instructions';
import { type Launch, literal, Shader } from './shader';

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

const groupSize = 64;
const enoughThreads = 4096;

export function renderScatter(kernel: Kernel, scatter: Scatter): Launch | null {
  const { dtype, mode, outer, count, inner, limit, base, index, updates, out } = scatter;
  const [outers, inners] = [product(outer), product(inner)];
  if (outers * inners * limit === 0) return null;
  const parts = Math.min(limit, Math.max(1, Math.ceil(enoughThreads / (outers * inners))));
  const length = Math.ceil(limit / parts);
  const threads = parts * outers * inners;
  const shader = new Shader(kernel);
  const flat = shader.let('at', `group * ${groupSize} + lane`);
  shader.line(`if (${flat} >= ${threads}) { return; }`);
  const [part, o, i] = shader.unflatten(flat, [parts, outers, inners], 'g') as [string, string, string];
  const before = shader.unflatten(o, outer, 'o');
  const after = shader.unflatten(i, inner, 'i');
  const begin = shader.let('begin', `${part} * ${length}`);
  const end = shader.let('end', `min(${begin} + ${length}, ${limit})`);
  const place = (at: string): string => `(${o} * ${limit} + ${at}) * ${inners} + ${i}`;

  shader.line(`for (var l = ${begin}; l < ${end}; l++) {`);
  const start = base ? guardedLoad(shader, base, [...before, 'l', ...after], dtype) : literal(dtype, 0, shader);
  shader.line(shader.store(out, place('l'), start), '}');

  shader.line(`for (var j = 0; j < ${count}; j++) {`);
  const vars = [...before, 'j', ...after];
  const indexDtype = kernel.bindings[index.binding]!.dtype;
  const raw = guardedLoad(shader, index, vars, indexDtype);
  const at = shader.let('to', convert(raw, indexDtype, 'i32', shader));
  shader.line(`if (${at} < 0 || ${at} >= ${limit}) {`, `if (${part} == 0) { ${shader.report(at, limit)} }`);
  shader.line(`} else if (${at} >= ${begin} && ${at} < ${end}) {`);
  const update = guardedLoad(shader, updates, vars, dtype);
  const value = mode === 'set' ? update : combine('add', shader.load(out, place(at)), update, dtype, shader);
  shader.line(shader.store(out, place(at), value), '}', '}');
  return shader.finish(groupSize, Math.ceil(threads / groupSize));
}

/** An operand, 0 where a bound does not hold. */
export function guardedLoad(
  shader: Shader,
  { binding, index, bounds }: Scatter['updates'],
  vars: readonly string[],
  dtype: Scatter['dtype'],
): string {
  // All of it is padding: the bounds would say so, but a compiler refuses the mere text of such an index.
  if (index.kind === 'const' && index.value < 0) return shader.let('x', literal(dtype, 0, shader));
  const condition = shader.bounds(bounds, vars);
  const value = shader.load(binding, shader.expr(index, vars));
  return shader.let('x', condition ? `select(${literal(dtype, 0, shader)}, ${value}, ${condition})` : value);
}
