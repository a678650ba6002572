/** Arrays of numbers between storage, where f16 is bits, and cells, where everything is f32. */
import { type DType, decodeHalf, encodeHalf } from '@dl/tensor';
import { type ExprNames, flatIndex, renderBounds, renderExpr } from './expression';
import type { Numbers } from './host-stage';
import { cellsOf, type Placement, type Stage } from './stages';

/** An array for the result of a stage on the host. */
export function resultArray(dtype: DType, length: number): Numbers {
  switch (dtype) {
    case 'i32':
      return new Int32Array(length);
    case 'u32':
      return new Uint32Array(length);
    case 'u8':
    case 'bool':
      return new Uint8Array(length);
    case 'f32':
    case 'f16':
      return new Float32Array(length);
    case 'f64':
      return new Float64Array(length);
    default:
      return dtype satisfies never;
  }
}

/** The elements as gpu.js takes them: f32, and never none at all. */
export function singles(elements: Numbers, dtype: DType | null): Float32Array {
  if (elements.length === 0) return new Float32Array(1);
  if (elements instanceof Float32Array) return elements;
  return dtype === 'f16' ? Float32Array.from(elements, decodeHalf) : Float32Array.from(elements);
}

/** Writes numbers to a binding of a dtype, from its start. */
export function encodeInto(target: Numbers, dtype: DType, values: ArrayLike<number>): void {
  if (dtype !== 'f16') target.set(values);
  else for (let i = 0; i < values.length; i++) target[i] = encodeHalf(values[i]!);
}

const names: ExprNames = {
  variable: (index) => `v${index}`,
  param: (index) => `params[${index}]`,
  quotient: (dividend, divisor) => `Math.floor(${dividend} / ${divisor})`,
};

/** Puts the result of a stage where a store wants it. */
export type Placer = (target: Numbers, values: ArrayLike<number>, params: ArrayLike<number>) => void;

/** @param dtype - of the binding */
export function renderPlacer({ access, level }: Placement, stage: Stage, dtype: DType): Placer {
  const sizes = level === 'element' ? [...stage.rows, ...stage.reduced] : stage.rows;
  const index = renderExpr(access.index, names);
  if (access.bounds.length === 0 && index === renderExpr(flatIndex(sizes), names)) {
    return cellsOf(stage) === 0 ? () => {} : (target, values) => encodeInto(target, dtype, values);
  }
  const loops = sizes.map((size, axis) => `for (let v${axis} = 0; v${axis} < ${size}; v${axis}++) {`);
  const value = dtype === 'f16' ? 'encodeHalf(values[cell])' : 'values[cell]';
  const write = `if (${renderBounds(access.bounds, names) || 'true'}) target[${index}] = ${value}; cell++;`;
  const body = `let cell = 0; ${loops.join(' ')} ${write} ${'}'.repeat(loops.length)}`;
  const make = new Function('encodeHalf', `return (target, values, params) => { ${body} };`);
  return make(encodeHalf) as Placer;
}
