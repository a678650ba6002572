/** Clipping of gradients: by their norm together, which keeps the direction, or each element by itself. */
import { currentTrace, type Tensor, ValueError, type Variable, withGrad } from '@dl/tensor';

export interface ClipOptions {
  /** All gradients together are scaled down to this norm if theirs is larger. */
  readonly clipNorm?: number;
  /** Which norm that is: 2, the Euclidean one (the default), 1, any p above 0, or Infinity for the largest magnitude. */
  readonly normType?: number;
  /** Each element is limited to ±clipValue. */
  readonly clipValue?: number;
}

const meanings = {
  clipNorm: 'the largest norm to keep',
  clipValue: 'the largest magnitude to keep',
  normType: 'the p of a norm, or Infinity',
} as const;

function checkPositive(name: keyof typeof meanings, value: number): void {
  if (!(value > 0)) throw new ValueError(`${name}: ${value} is not above 0. Give ${meanings[name]}.`);
}

const sumOf = (parts: readonly Tensor[]): Tensor => parts.reduce((sum, x) => sum.add(x));

/** (Σ |g|^p)^(1/p) over all elements of all gradients; their largest magnitude for p = ∞. */
function totalNorm(gradients: Iterable<Tensor>, p: number): Tensor {
  const all = [...gradients];
  if (p === Number.POSITIVE_INFINITY) return all.map((g) => g.abs().max()).reduce((most, x) => most.maximum(x));
  if (p === 1) return sumOf(all.map((g) => g.abs().sum()));
  if (p === 2) return sumOf(all.map((g) => g.square().sum())).sqrt();
  return sumOf(all.map((g) => g.abs().pow(p).sum())).pow(1 / p);
}

/** min(1, limit / (norm + 1e-6)), as in PyTorch. */
const scaleFor = (norm: Tensor, limit: number): Tensor => norm.add(1e-6).reciprocal().mul(limit).minimum(1);

/** The gradients after clipping: by value first, if both are asked for. */
export function clipped<V extends Tensor>(
  gradients: ReadonlyMap<V, Tensor>,
  { clipNorm, clipValue, normType = 2 }: ClipOptions,
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
    checkPositive('normType', normType);
    const scale = scaleFor(totalNorm(result.values(), normType), clipNorm);
    each((g) => g.mul(scale.cast(g.dtype)));
  }
  return result;
}

/** The variables whose gradient `backward` left, with it. */
const gradientsOf = (parameters: Iterable<Variable>): Map<Variable, Tensor> =>
  new Map([...parameters].flatMap((p) => (p.grad === null ? [] : [[p, p.grad] as const])));

function clipInPlace(gradients: ReadonlyMap<Variable, Tensor>, options: ClipOptions): void {
  for (const [p, g] of clipped(gradients, options)) p.grad = g;
}

export interface ClipGradNormOptions extends Pick<ClipOptions, 'normType'> {
  /** Throws where the norm is NaN or infinite, and leaves the gradients as they were; for that the norm is read. Default false. */
  readonly errorIfNonfinite?: boolean;
}

/**
 * Scales the gradients that `backward` left down to a norm: g · min(1, maxNorm / (norm + 1e-6)).
 *
 * @returns the norm before, or null if no parameter has a gradient
 * @throws ValueError if the norm is not finite and `errorIfNonfinite` says so; in a compiled function, which reads nothing,
 * `commitWhen(norm.isFinite())` refuses the step instead
 */
export function clipGradNorm(
  parameters: Iterable<Variable>,
  maxNorm: number,
  { normType = 2, errorIfNonfinite = false }: ClipGradNormOptions = {},
): Tensor | null {
  const gradients = gradientsOf(parameters);
  if (gradients.size === 0) return null;
  return withGrad(false, () => {
    const norm = totalNorm(gradients.values(), normType);
    if (errorIfNonfinite) checkFinite(norm, normType);
    clipInPlace(gradients, { clipNorm: maxNorm, normType });
    return norm;
  });
}

function checkFinite(norm: Tensor, normType: number): void {
  if (currentTrace()) {
    throw new ValueError(
      'clipGradNorm: errorIfNonfinite reads the norm, which a compiled function cannot. Call commitWhen(norm.isFinite()) after the step.',
    );
  }
  const value = norm.dataSync()[0]!;
  if (!Number.isFinite(value)) {
    throw new ValueError(
      `clipGradNorm: the gradients' norm of type ${normType} is ${value}. Leave errorIfNonfinite out to scale them all the same, or skip this step.`,
    );
  }
}

/** Limits each element of the gradients that `backward` left to ±clipValue. */
export const clipGradValue = (parameters: Iterable<Variable>, clipValue: number): void =>
  withGrad(false, () => clipInPlace(gradientsOf(parameters), { clipValue }));
