/*
 * Batcher's bitonic network (1968) in workgroup memory. Blocks of 2, 4, 8, … elements are brought into order, every second one falling,
 * so that two neighbours rise and then fall; comparisons at half the block's size, a quarter, … 1 make one rising block of them.
 */
import type { Kernel, Sort } from '@dl/tensor';
import { type Launch, Shader } from '../shader';
import { declareKeys, emitKey } from './keys';

/** Keys and places of so many elements fill the workgroup memory that every device has. */
export const longestBitonic = 2048;
const mostThreads = 256;

/** Rows are made as long as the next power of two; what is beyond the row comes last. */
export function renderBitonic(kernel: Kernel, sort: Sort, rows: number): Launch {
  const size = 2 ** Math.ceil(Math.log2(sort.length));
  const threads = Math.min(mostThreads, size / 2);
  const shader = new Shader(kernel);
  declareKeys(shader, sort);
  shader.global(`var<workgroup> keys: array<u32, ${size}>;`);
  shader.global(`var<workgroup> places: array<u32, ${size}>;`);
  shader.line(`if (group >= ${rows}) { return; }`);
  const vars = shader.unflatten('group', sort.rows, 'v');
  shader.line(`for (var i = lane; i < ${size}; i += ${threads}) {`);
  const key = emitKey(shader, sort, vars, shader.let('inside', `min(i, ${sort.length - 1})`));
  shader.line(`keys[i] = select(0xffffffffu, ${key}, i < ${sort.length});`, 'places[i] = u32(i);', '}');
  shader.line(
    `for (var block = 2u; block <= ${size}u; block *= 2u) {`,
    'for (var d = block / 2u; d >= 1u; d /= 2u) {',
    'workgroupBarrier();',
    `for (var t = u32(lane); t < ${size / 2}u; t += ${threads}u) {`,
    'let i = (t / d) * 2u * d + t % d;',
    'let j = i + d;',
    'let a = keys[i]; let b = keys[j]; let p = places[i]; let q = places[j];',
    'let rises = (i & block) == 0u;',
    'let after = a > b || (a == b && p > q);',
    'if (after == rises) { keys[i] = b; keys[j] = a; places[i] = q; places[j] = p; }',
    '}',
    '}',
    '}',
    'workgroupBarrier();',
    `for (var i = lane; i < ${sort.count}; i += ${threads}) {`,
  );
  shader.line(shader.store(sort.out, shader.expr(sort.outIndex, [...vars, 'i']), 'i32(places[i])'), '}');
  return shader.finish(threads, rows);
}
