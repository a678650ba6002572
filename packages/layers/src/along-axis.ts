/** Linear maps of single axes: what resampling and pooling into given sizes are made of, one axis after the other. */
import { type DType, moveAxis, type Tensor, tensor } from '@dl/tensor';

/** The weight of each input element (column) in each output element (row) of one axis. */
export type AxisMap = readonly Float64Array[];

/** An axis map as a tensor `[to, from]`. */
export function mapTensor(map: AxisMap, from: number, dtype: DType): Tensor {
  const flat = new Float64Array(map.length * from);
  for (const [row, weights] of map.entries()) flat.set(weights, row * from);
  return tensor(flat, [map.length, from], { dtype });
}

/** Σ_i map[o, i] · x[…, i, …], in the place of the axis. */
export function mapAxis(x: Tensor, axis: number, map: Tensor): Tensor {
  const mapped = x.dot(map, { lhsBatch: [], rhsBatch: [], lhsContract: [axis], rhsContract: [1] });
  return axis === x.rank - 1 ? mapped : moveAxis(mapped, -1, axis);
}
