/*
 * The stable order of elements. Each is a pair of a whole number that orders as the value does, and its place, so that no two are equal.
 * In short rows each thread counts the elements before its own. Long ones are sorted by a bitonic network in memory, whose
 * comparisons are one dispatch a distance.
 */
import type { DType, Kernel, Sort } from '@dl/tensor';
import { guardedLoad } from './scatter';
import { type Launch, Shader } from './shader';

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

const groupSize = 64;
/** The longest row in which elements are counted. */
const longRow = 2048;

export interface RenderedSort {
  readonly launches: readonly Launch[];
  readonly scratch: readonly number[];
}

export function renderSort(kernel: Kernel, sort: Sort): RenderedSort {
  const rows = product(sort.rows);
  if (rows * sort.length * sort.count === 0) return { launches: [], scratch: [] };
  if (sort.length <= longRow) return { launches: [renderCount(kernel, sort, rows)], scratch: [] };
  return renderNetwork(kernel, sort, rows);
}

/** A word that orders as the value does: NaN is largest, and −0 is 0. */
function keyOf(value: string, dtype: DType, descending: boolean, shader: Shader): string {
  const key = shader.let('key', dtype === 'f32' ? `key_f32(${value})` : integerKey(value, dtype));
  return descending ? `~${key}` : key;
}

function integerKey(value: string, dtype: DType): string {
  if (dtype === 'i32') return `bitcast<u32>(${value}) ^ 0x80000000u`;
  return dtype === 'bool' ? `select(0u, 1u, ${value})` : value;
}

const floatKey = `fn key_f32(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return 0xffffffffu; }
  if (size == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits > 0x7fffffffu);
}`;

function emitKey(shader: Shader, sort: Sort, vars: readonly string[], at: string): string {
  const value = guardedLoad(shader, sort.input, [...vars, at], sort.dtype);
  return shader.let('key', keyOf(value, sort.dtype, sort.descending, shader));
}

function renderCount(kernel: Kernel, sort: Sort, rows: number): Launch {
  const shader = new Shader(kernel);
  shader.global(floatKey);
  const threads = rows * sort.length;
  const flat = shader.let('at', `group * ${groupSize} + lane`);
  shader.line(`if (${flat} >= ${threads}) { return; }`);
  const [row, own] = shader.unflatten(flat, [rows, sort.length], 'g') as [string, string];
  const vars = shader.unflatten(row, sort.rows, 'v');
  const key = emitKey(shader, sort, vars, own);
  shader.line('var rank = 0;', `for (var j = 0; j < ${sort.length}; j++) {`);
  const other = emitKey(shader, sort, vars, 'j');
  shader.line(`if (${other} < ${key} || (${other} == ${key} && j < ${own})) { rank++; }`, '}');
  const store = shader.store(sort.out, shader.expr(sort.outIndex, [...vars, 'rank']), own);
  shader.line(sort.count === sort.length ? store : `if (rank < ${sort.count}) { ${store} }`);
  return shader.finish(groupSize, Math.ceil(threads / groupSize));
}

/** Keys and places of each row in scratch memory, as many as the next power of two; those beyond the row come last. */
function renderNetwork(kernel: Kernel, sort: Sort, rows: number): RenderedSort {
  const size = 2 ** Math.ceil(Math.log2(sort.length));
  const launches = [renderKeys(kernel, sort, rows, size)];
  for (let block = 2; block <= size; block *= 2) {
    for (let distance = block / 2; distance >= 1; distance /= 2) {
      launches.push(renderCompare(kernel, (rows * size) / 2, [block, distance, size, 0]));
    }
  }
  launches.push(renderOrder(kernel, sort, rows, size));
  return { launches, scratch: [rows * size * 4, rows * size * 4] };
}

function renderKeys(kernel: Kernel, sort: Sort, rows: number, size: number): Launch {
  const shader = new Shader(kernel);
  shader.global(floatKey);
  const flat = shader.let('at', `group * ${groupSize} + lane`);
  shader.line(`if (${flat} >= ${rows * size}) { return; }`);
  const [row, own] = shader.unflatten(flat, [rows, size], 'g') as [string, string];
  const inside = shader.let('inside', `min(${own}, ${sort.length - 1})`);
  const key = emitKey(shader, sort, shader.unflatten(row, sort.rows, 'v'), inside);
  shader.line(`${shader.scratch(0, 'u32', true)}[${flat}] = select(0xffffffffu, ${key}, ${own} < ${sort.length});`);
  shader.line(`${shader.scratch(1, 'u32', true)}[${flat}] = u32(${own});`);
  return shader.finish(groupSize, Math.ceil((rows * size) / groupSize));
}

/** One round: each thread brings two elements of a block into its direction. The block and their distance are parameters. */
function renderCompare(kernel: Kernel, pairs: number, numbers: readonly number[]): Launch {
  const shader = new Shader(kernel);
  const [keys, places] = [shader.scratch(0, 'u32', true), shader.scratch(1, 'u32', true)];
  shader.line(
    `let t = u32(group * ${groupSize} + lane);`,
    `if (t >= ${pairs}u) { return; }`,
    'let block = params[0].x;',
    'let d = params[0].y;',
    'let i = (t / d) * 2u * d + t % d;',
    'let j = i + d;',
    'let rises = ((i % params[0].z) & block) == 0u;',
    `let a = ${keys}[i]; let b = ${keys}[j]; let p = ${places}[i]; let q = ${places}[j];`,
    'let after = a > b || (a == b && p > q);',
    'if (after == rises) {',
    `${keys}[i] = b; ${keys}[j] = a; ${places}[i] = q; ${places}[j] = p;`,
    '}',
  );
  return shader.finish(groupSize, Math.ceil(pairs / groupSize), numbers);
}

function renderOrder(kernel: Kernel, sort: Sort, rows: number, size: number): Launch {
  const shader = new Shader(kernel);
  const flat = shader.let('at', `group * ${groupSize} + lane`);
  shader.line(`if (${flat} >= ${rows * sort.count}) { return; }`);
  const [row, own] = shader.unflatten(flat, [rows, sort.count], 'g') as [string, string];
  const place = shader.let('p', `i32(${shader.scratch(1, 'u32', false)}[${row} * ${size} + ${own}])`);
  const vars = shader.unflatten(row, sort.rows, 'v');
  shader.line(shader.store(sort.out, shader.expr(sort.outIndex, [...vars, own]), place));
  return shader.finish(groupSize, Math.ceil((rows * sort.count) / groupSize));
}
