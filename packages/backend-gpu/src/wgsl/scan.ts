/*
 * A scan h_t = a_t · h_{t−1} + b_t. Short ones are a thread a row. Of a long one each thread of a workgroup takes a piece: first what the
 * piece makes of any h before it, h ↦ A · h + B; then, with the h that the pieces before it make, its elements.
 */
import type { Kernel, Scan } from '@dl/tensor';
import { guardedLoad } from './scatter';
import { type Launch, literal, Shader, valueType } from './shader';

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

const groupSize = 64;
/** From this length on threads share a row. */
const longScan = 512;

export function renderScan(kernel: Kernel, scan: Scan): Launch | null {
  const rows = product(scan.rows);
  if (rows * scan.length === 0) return null;
  return scan.length < longScan ? renderShort(kernel, scan, rows) : renderLong(kernel, scan, rows);
}

/** The emitter of a · h + b at one step. */
function stepOf(shader: Shader, { a, b, dtype, length, reverse }: Scan, vars: readonly string[]) {
  return (step: string) => {
    const t = reverse ? shader.let('t', `${length - 1} - ${step}`) : step;
    const at = [...vars, t];
    return { at, factor: guardedLoad(shader, a, at, dtype), term: guardedLoad(shader, b, at, dtype) };
  };
}

function renderShort(kernel: Kernel, scan: Scan, rows: number): Launch {
  const shader = new Shader(kernel);
  const row = shader.let('row', `group * ${groupSize} + lane`);
  shader.line(`if (${row} >= ${rows}) { return; }`);
  const vars = shader.unflatten(row, scan.rows, 'v');
  const read = stepOf(shader, scan, vars);
  shader.line(`var h = ${literal(scan.dtype, 0, shader)};`, `for (var s = 0; s < ${scan.length}; s++) {`);
  const { at, factor, term } = read('s');
  shader.line(`h = ${factor} * h + ${term};`, shader.store(scan.out, shader.expr(scan.outIndex, at), 'h'), '}');
  return shader.finish(groupSize, Math.ceil(rows / groupSize));
}

function renderLong(kernel: Kernel, scan: Scan, rows: number): Launch {
  const shader = new Shader(kernel);
  const type = valueType[scan.dtype];
  const [zero, one] = [literal(scan.dtype, 0, shader), literal(scan.dtype, 1, shader)];
  shader.global(`var<workgroup> factors: array<${type}, ${groupSize}>;`);
  shader.global(`var<workgroup> terms: array<${type}, ${groupSize}>;`);
  shader.line(`if (group >= ${rows}) { return; }`);
  const vars = shader.unflatten('group', scan.rows, 'v');
  const read = stepOf(shader, scan, vars);
  const piece = Math.ceil(scan.length / groupSize);
  shader.line(`let begin = lane * ${piece};`, `let end = min(begin + ${piece}, ${scan.length});`);
  shader.line(`var f = ${one};`, `var h = ${zero};`, 'for (var s = begin; s < end; s++) {');
  const first = read('s');
  shader.line(`f = ${first.factor} * f;`, `h = ${first.factor} * h + ${first.term};`, '}');
  shader.line('factors[lane] = f;', 'terms[lane] = h;', 'workgroupBarrier();');
  shader.line(`h = ${zero};`, 'for (var p = 0; p < lane; p++) { h = factors[p] * h + terms[p]; }');
  shader.line('for (var s = begin; s < end; s++) {');
  const second = read('s');
  const { at, factor, term } = second;
  shader.line(`h = ${factor} * h + ${term};`, shader.store(scan.out, shader.expr(scan.outIndex, at), 'h'), '}');
  return shader.finish(groupSize, rows);
}
