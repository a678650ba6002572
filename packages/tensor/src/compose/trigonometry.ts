/**
 * Inverse trigonometric functions, from sine and cosine. With a first guess g of atan t, the addition theorem gives
 * atan t = g + atan((t·cos g − sin g) / (cos g + t·sin g)), and the last atan is of a number so small that it equals its
 * argument. The guess carries no gradient, for the result does not depend on it.
 */
import { withGrad } from '../graph/mode';
import type { Tensor } from '../tensor';

/** Abramowitz & Stegun 4.4.49: |error| ≤ 1e-5 on [−1, 1]. */
const coefficients = [0.0208351, -0.085133, 0.180141, -0.3302995, 0.999866];

const guess = (t: Tensor): Tensor => {
  const square = t.square();
  return coefficients
    .slice(1)
    .reduce((p, c) => p.mul(square).add(c), square.mul(0).add(coefficients[0]!))
    .mul(t);
};

/** atan on [−1, 1]. */
function near(t: Tensor): Tensor {
  const g = withGrad(false, () => guess(t));
  const [sin, cos] = withGrad(false, () => [g.sin(), g.cos()] as const);
  return g.add(
    t
      .mul(cos)
      .sub(sin)
      .div(cos.add(t.mul(sin))),
  );
}

/** The angle in (−π/2, π/2) whose tangent is x. */
export function atan(x: Tensor): Tensor {
  const far = x.abs().gt(1);
  const t = far.where(far.where(x, 1).reciprocal(), x);
  const a = near(t);
  return far.where(
    x
      .sign()
      .mul(Math.PI / 2)
      .sub(a),
    a,
  );
}

/** The angle in [−π, π] of the point (x, y). */
export function atan2(y: Tensor, x: Tensor): Tensor {
  const steep = y.abs().gt(x.abs());
  const origin = x.eq(0).and(y.eq(0));
  const run = origin.where(1, steep.where(y, x));
  const a = near(steep.where(x, y).div(run));
  const quarter = y.lt(0).where(-Math.PI / 2, y.mul(0).add(Math.PI / 2));
  const left = x.lt(0).where(quarter.mul(2), 0);
  return steep.where(quarter.sub(a), a.add(left));
}

/** The angle in [−π/2, π/2] whose sine is x; NaN beyond ±1. */
export const asin = (x: Tensor): Tensor => atan(x.div(legOf(x)));

/** The angle in [0, π] whose cosine is x; NaN beyond ±1. */
export const acos = (x: Tensor): Tensor => atan2(legOf(x), x);

/** √(1 − x²), without cancellation near ±1. */
const legOf = (x: Tensor): Tensor => x.neg().add(1).mul(x.add(1)).sqrt();
