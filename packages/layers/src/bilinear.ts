/** The layer that multiplies two inputs: each output is a quadratic form of the pair. */
import { ShapeError, sameShape, showShape, type Tensor } from '@dl/tensor';
import { fanInUniform } from './init';
import type { WeightOptions } from './linear';
import { Module } from './module';
import { Parameter } from './parameter';

/**
 * y_o = x1ᵀ · W_o · x2 + b_o
 *
 * @param x1 - `[..., in1]`
 * @param x2 - `[..., in2]`, with the same leading axes
 * @param weight - `[out, in1, in2]`
 * @param bias - `[out]`, or null
 * @returns `[..., out]`
 * @throws ShapeError if the sizes do not fit
 */
export function bilinear(x1: Tensor, x2: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const [out, in1, in2] = weight.dims(3);
  const lead = x1.shape.slice(0, -1);
  if (x1.shape.at(-1) !== in1 || x2.shape.at(-1) !== in2 || !sameShape(lead, x2.shape.slice(0, -1))) {
    throw new ShapeError(
      `bilinear: the weight ${showShape(weight.shape)} takes [..., ${in1}] and [..., ${in2}], but x1 is ${showShape(x1.shape)} and x2 ${showShape(x2.shape)}. Give both the same leading axes.`,
    );
  }
  const rows = lead.reduce((n, size) => n * size, 1);
  const left = x1.reshape([rows, in1]).dot(weight, { lhsBatch: [], rhsBatch: [], lhsContract: [1], rhsContract: [1] }); // [rows, out, in2]
  const y = left
    .mul(x2.reshape([rows, 1, in2]))
    .sum(2)
    .reshape([...lead, out]);
  return bias === null ? y : y.add(bias);
}

/**
 * {@link bilinear} as a layer. Parameters `weight [outFeatures, in1Features, in2Features]` and `bias [outFeatures]`.
 */
export class Bilinear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly in1Features: number,
    readonly in2Features: number,
    readonly outFeatures: number,
    options: WeightOptions = {},
  ) {
    super();
    const init = fanInUniform(in1Features);
    const { bias = true, dtype = 'f32', weightInit = init, biasInit = init } = options;
    const weight = weightInit([outFeatures, in1Features, in2Features], { dtype });
    this.weight = new Parameter(weight, { name: 'Bilinear.weight' });
    this.bias = bias ? new Parameter(biasInit([outFeatures], { dtype }), { name: 'Bilinear.bias' }) : null;
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return bilinear(x1, x2, this.weight, this.bias);
  }
}
