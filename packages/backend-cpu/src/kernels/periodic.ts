/*
 * Sine and cosine of any argument. The vector code loses the phase of large ones, so a block that has one asks the host
 * for every lane.
 */
import * as f32 from '../wasm/math-f32';
import * as f64 from '../wasm/math-f64';
import { splat } from '../wasm/vector';
import type { Value, Vectors } from './values';

/** Largest magnitude for which the vector code keeps its accuracy. */
const accurateTo = { f32: 1e8, f64: 1.6e6 } as const;

/** sin x or cos x. */
export function emitPeriodic(vectors: Vectors, op: 'sin' | 'cos', x: Value): Value {
  const { f, target } = vectors;
  const wide = x.dtype === 'f64';
  const lane = wide ? 'f64x2' : 'f32x4';
  const v = vectors.width(x.regs.length);
  const regs = (wide ? f64 : f32)[op](v, x.regs);
  const large = v.scope(() =>
    v.op(`${lane}.gt`, v.op(`${lane}.abs`, x.regs), splat(lane, accurateTo[wide ? 'f64' : 'f32'])),
  );
  large.forEach((local, at) => {
    f.get(local);
    if (at > 0) f.op('v128.or');
  });
  f.release(...large);
  f.op('v128.any_true').if(() => {
    regs.forEach((reg, at) => {
      f.get(reg);
      for (let i = 0; i < (wide ? 2 : 4); i++) {
        f.get(x.regs[at]!).lane(`${lane}.extract_lane`, i);
        if (!wide) f.op('f64.promote_f32');
        f.call(target[op]);
        if (!wide) f.op('f32.demote_f64');
        f.lane(`${lane}.replace_lane`, i);
      }
      f.set(reg);
    });
  });
  return { ...x, regs };
}
