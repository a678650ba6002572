/**
 * The arctangent of a ratio of lengths. There is no primitive for it: three halvings of the angle bring it below π/16, where a
 * short series is exact, and all of it can be differentiated again.
 */
import type { Tensor } from '@dl/tensor';

/** Terms of atan(t) = t − t³/3 + t⁵/5 − …; at t = tan(π/16) the next one is 1e-16. */
const terms = 9;

/**
 * atan(a / b) for a, b ≥ 0, in [0, π/2]; 0 where both are 0.
 * tan(φ/2) = sin φ / (1 + cos φ), and atan(t) = 2·atan(t / (1 + √(1 + t²))).
 */
export function angleOf(a: Tensor, b: Tensor): Tensor {
  const squares = a.square().add(b.square());
  const hypotenuse = squares.eq(0).where(1, squares).sqrt();
  const halve = (t: Tensor): Tensor => t.div(t.square().add(1).sqrt().add(1));
  const t = halve(halve(a.div(hypotenuse.add(b)))); // tan(φ/8) ≤ 0.199
  const square = t.square();
  let series = square.mul(0).add(1 / (2 * terms + 1));
  for (let k = terms - 1; k >= 0; k--)
    series = series
      .mul(square)
      .neg()
      .add(1 / (2 * k + 1));
  return series.mul(t).mul(8);
}
