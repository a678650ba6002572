/** Clipping of gradients: by their norm together, which keeps the direction, or each element by itself. */
import { type Tensor, ValueError, type Variable, withGrad } from '@dl/tensor';

export interface ClipOptions {
  /** All gradients together are scaled down to this Euclidean norm if theirs is larger. */
  readonly clipNorm?: number;
  /** Each element is limited to ±clipValue. */
  readonly clipValue?: number;
}

function checkPositive(name: string, value: number): void {
  if (!(value > 0)) throw new ValueError(`${name}: ${value} is not above 0. Give the largest magnitude to keep.`);
}

const sumOf = (parts: readonly Tensor[]): Tensor => parts.reduce((sum, x) => sum.add(x));

/** sqrt(Σ g²) over all elements of all gradients. */
const totalNorm = (gradients: Iterable<Tensor>): Tensor => sumOf([...gradients].map((g) => g.square().sum())).sqrt();

/** min(1, limit / (norm + 1e-6)), as in PyTorch. */
const scaleFor = (norm: Tensor, limit: number): Tensor => norm.add(1e-6).reciprocal().mul(limit).minimum(1);

/** The gradients after clipping: by value first, if both are asked for. */
export function clipped<V extends Tensor>(
  gradients: ReadonlyMap<V, Tensor>,
  { clipNorm, clipValue }: ClipOptions,
): ReadonlyMap<V, Tensor> {
  let result = gradients;
  const each = (change: (g: Tensor) => Tensor): void => {
    result = new Map([...result].map(([v, g]) => [v, change(g)]));
  };
  if (clipValue !== undefined) {
    checkPositive('clipValue', clipValue);
    each((g) => g.clamp(-clipValue, clipValue));
  }
  if (clipNorm !== undefined) {
    checkPositive('clipNorm', clipNorm);
    const scale = scaleFor(totalNorm(result.values()), clipNorm);
    each((g) => g.mul(scale.cast(g.dtype)));
  }
  return result;
}

function change(parameters: Iterable<Variable>, options: ClipOptions): Tensor | null {
  return withGrad(false, () => {
    const found = [...parameters].filter((p) => p.grad !== null);
    if (found.length === 0) return null;
    const gradients = new Map(found.map((p) => [p, p.grad!]));
    const norm = totalNorm(gradients.values());
    for (const [p, g] of clipped(gradients, options)) p.grad = g;
    return norm;
  });
}

/**
 * Scales the gradients that `backward` left down to a norm: g · min(1, maxNorm / (norm + 1e-6)).
 *
 * @returns the norm before, or null if no parameter has a gradient
 */
export const clipGradNorm = (parameters: Iterable<Variable>, maxNorm: number): Tensor | null =>
  change(parameters, { clipNorm: maxNorm });

/** Limits each element of the gradients that `backward` left to ±clipValue. */
export function clipGradValue(parameters: Iterable<Variable>, clipValue: number): void {
  change(parameters, { clipValue });
}
