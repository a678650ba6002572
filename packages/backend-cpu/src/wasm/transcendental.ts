/*
 * The elementary functions that WebAssembly has no instruction for, by lane type and name.
 *
 * Each entry emits code for `width` vectors together (vector.ts) and returns new locals. Renderers that work on the
 * stack, one vector at a time, use `emitTranscendental`.
 */

import * as f32 from './math-f32';
import * as f64 from './math-f64';
import type { FloatLane, Vec, VectorEmitter } from './vector';

/** Functions of one vector. */
export type UnaryTranscendental = 'exp' | 'expm1' | 'log' | 'log1p' | 'sin' | 'cos' | 'tanh' | 'erf';

/** The emitters of one lane type. */
export type TranscendentalTable = Readonly<
  Record<UnaryTranscendental, (v: VectorEmitter, x: Vec) => Vec> & {
    /** x^y by C99 annex F: 1^NaN and (±1)^(±∞) are 1, unlike JavaScript. */
    pow: (v: VectorEmitter, x: Vec, y: Vec) => Vec;
  }
>;

/** f32x4 to about 2 ulp, f64x2 to a few. */
export const TRANSCENDENTAL = { f32x4: f32, f64x2: f64 } as const satisfies Record<FloatLane, TranscendentalTable>;

/**
 * Replaces the vector on top of the stack by its function value; `pow` takes x below y.
 *
 * @throws RangeError if the emitter carries several vectors, which the stack does not hold
 */
export function emitTranscendental(v: VectorEmitter, lane: FloatLane, name: keyof TranscendentalTable): void {
  if (v.width !== 1) throw new RangeError(`the stack holds one vector, the emitter carries ${v.width}`);
  const result = v.scope(() => {
    const pop = (): Vec => {
      const vec = v.allocate();
      for (const local of vec) v.f.set(local);
      return vec;
    };
    if (name !== 'pow') return TRANSCENDENTAL[lane][name](v, pop());
    const y = pop();
    return TRANSCENDENTAL[lane].pow(v, pop(), y);
  });
  for (const local of result) v.f.get(local);
}
