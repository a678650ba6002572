/** The error function in f64, which JavaScript lacks. */

/**
 * erf(x) = 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!. All terms have one sign, so nothing cancels; beyond |x| = 6 the
 * result is ±1 to the last bit of a double.
 *
 * @see Abramowitz & Stegun, eq. 7.1.6
 */
export function erf(x: number): number {
  if (Number.isNaN(x) || x === 0) return x;
  if (Math.abs(x) >= 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  const value = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  return Math.abs(value) > 1 ? Math.sign(x) : value;
}
