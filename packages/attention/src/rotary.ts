/** Rotary positions: queries and keys are turned by angles that grow with their position, so that scores see distances. */
import { concat, iota, ShapeError, showShape, stack, type Tensor, ValueError } from '@dl/tensor';

export interface RotaryOptions {
  /** i32 or float `[T]`, or a shape that broadcasts with `[..., T]`. Default 0, 1, … */
  readonly positions?: Tensor;
  /** How many features are turned, from the first; the others pass. Default all. */
  readonly rotaryDim?: number;
  /** Pairs are neighbours (2j, 2j + 1) rather than (j, j + R/2). Default false. */
  readonly interleaved?: boolean;
  /** Default 10,000. */
  readonly base?: number;
}

/** Cosines and sines of pos · base^(−2j/R), `[..., T, R/2]`. */
function turns(x: Tensor, pairs: number, { positions, base = 10000 }: RotaryOptions): [cos: Tensor, sin: Tensor] {
  const length = x.shape.at(-2)!;
  const places = positions ?? iota([length], 0);
  if (places.shape.at(-1) !== length)
    throw new ShapeError(
      `rotary: positions ${showShape(places.shape)} do not fit x ${showShape(x.shape)}. Give one for each of ${length} elements.`,
    );
  const frequency = iota([pairs], 0, 'f32')
    .mul(-Math.log(base) / pairs)
    .exp();
  const angle = places.cast('f32').unsqueeze(-1).mul(frequency);
  return [angle.cos().cast(x.dtype), angle.sin().cast(x.dtype)];
}

/**
 * Turns pairs of features by their position: (a, b) becomes (a cos θ − b sin θ, a sin θ + b cos θ), θ = pos · base^(−2j/R).
 *
 * @param x - queries or keys, `[..., T, D]`, float
 * @returns same shape and dtype
 * @throws ValueError if `rotaryDim` is odd or more than D
 * @see Su et al. 2021, "RoFormer", eq. 34
 */
export function rotary(x: Tensor, options: RotaryOptions = {}): Tensor {
  const width = x.shape.at(-1) ?? 0;
  const { rotaryDim = width, interleaved = false } = options;
  if (x.rank < 2 || !Number.isInteger(rotaryDim) || rotaryDim < 2 || rotaryDim > width || rotaryDim % 2 !== 0)
    throw new ValueError(
      `rotary: ${rotaryDim} of the features of ${showShape(x.shape)} cannot be turned in pairs. Give an even number up to ${width}.`,
    );
  const pairs = rotaryDim / 2;
  const [cos, sin] = turns(x, pairs, options);
  const front = x.narrow(-1, 0, rotaryDim);
  const split = interleaved ? front.reshape([...x.shape.slice(0, -1), pairs, 2]) : null;
  const a = split ? split.at('...', 0) : front.narrow(-1, 0, pairs);
  const b = split ? split.at('...', 1) : front.narrow(-1, pairs, pairs);
  const turned = [a.mul(cos).sub(b.mul(sin)), a.mul(sin).add(b.mul(cos))];
  const joined = interleaved ? stack(turned, -1).reshape(front.shape) : concat(turned, -1);
  return rotaryDim === width ? joined : concat([joined, x.narrow(-1, rotaryDim, width - rotaryDim)], -1);
}
