/** The affine map of the last axis. */
import { type DType, ShapeError, showShape, type Tensor } from '@dl/tensor';
import { fanInUniform, type Initializer } from './init';
import { Module } from './module';
import { Parameter } from './parameter';

export interface WeightOptions {
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
  /** Default: uniform in ±1 / √fanIn, as in PyTorch. */
  readonly weightInit?: Initializer;
  /** Default: the same. */
  readonly biasInit?: Initializer;
  /** f32 (the default) or f64. */
  readonly dtype?: DType;
}

/**
 * y = x · weightᵀ + bias
 *
 * @param x - `[..., in]`
 * @param weight - `[out, in]`
 * @param bias - `[out]`, or null
 * @returns `[..., out]`
 * @throws ShapeError if the last axis of `x` is not `in`
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const [, inFeatures] = weight.dims(2);
  if (x.rank === 0 || x.shape.at(-1) !== inFeatures) {
    throw new ShapeError(
      `linear: the weight ${showShape(weight.shape)} takes ${inFeatures} features, but x is ${showShape(x.shape)} ` +
        `(${x.shape.at(-1) ?? 'no axis'} ≠ ${inFeatures}). Did you forget Flatten?`,
    );
  }
  const y = x.dot(weight, { lhsBatch: [], rhsBatch: [], lhsContract: [x.rank - 1], rhsContract: [1] });
  return bias === null ? y : y.add(bias);
}

/**
 * A linear layer: y = x · weightᵀ + bias.
 *
 * Input `[..., inFeatures]`, output `[..., outFeatures]`. Parameters `weight [outFeatures, inFeatures]` and
 * `bias [outFeatures]`.
 */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: WeightOptions = {},
  ) {
    super();
    const {
      bias = true,
      dtype = 'f32',
      weightInit = fanInUniform(inFeatures),
      biasInit = fanInUniform(inFeatures),
    } = options;
    this.weight = new Parameter(weightInit([outFeatures, inFeatures], { dtype }), { name: 'Linear.weight' });
    this.bias = bias ? new Parameter(biasInit([outFeatures], { dtype }), { name: 'Linear.bias' }) : null;
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }
}
