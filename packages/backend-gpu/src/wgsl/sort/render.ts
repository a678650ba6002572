/*
 * The stable order of elements, in one of three ways by the length of the rows. In short ones each thread counts the elements before its
 * own. Those that fit in workgroup memory are sorted there by a bitonic network, a workgroup a row, unless barriers are dear: then
 * they are short ones. Long ones go by their digits through memory.
 */
import type { Kernel, Sort } from '@dl/tensor';
import { type Launch, type RenderedKernel, Shader } from '../shader';
import { longestBitonic, renderBitonic } from './bitonic';
import { declareKeys, emitKey } from './keys';
import { renderRadix } from './radix';

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

const groupSize = 64;
/** The longest row in which elements are counted. */
const shortRow = 128;

export function renderSort(kernel: Kernel, sort: Sort, barriersAreDear: boolean): RenderedKernel {
  const rows = product(sort.rows);
  if (rows * sort.length * sort.count === 0) return { launches: [], scratch: [] };
  if (sort.length <= (barriersAreDear ? longestBitonic : shortRow))
    return { launches: [renderCount(kernel, sort, rows)], scratch: [] };
  if (sort.length <= longestBitonic) return { launches: [renderBitonic(kernel, sort, rows)], scratch: [] };
  return renderRadix(kernel, sort, rows);
}

function renderCount(kernel: Kernel, sort: Sort, rows: number): Launch {
  const shader = new Shader(kernel);
  declareKeys(shader, sort);
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
