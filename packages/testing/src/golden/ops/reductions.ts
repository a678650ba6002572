/** Reductions and running totals of the reference vectors, by the methods of `Tensor`. */
import { countNonzero, norm, type Tensor } from '@dl/tensor';
import type { GoldenCall, GoldenOps } from './call';

/** The extreme value along one axis with its first place, whose gradient goes to that place alone. */
function extreme(call: GoldenCall, place: (x: Tensor, axis: number) => Tensor): Record<string, Tensor> {
  const axis = call.number('dim');
  const indices = place(call.x, axis);
  const values = call.x.gather(axis, indices);
  if (call.flag('keepdim')) return { values, indices };
  return { values: values.squeeze(axis), indices: indices.squeeze(axis) };
}

const placeOf = (call: GoldenCall, place: 'argmax' | 'argmin'): Tensor =>
  call.x[place](call.has('dim') ? call.number('dim') : undefined, call.keepDims);

export const reductionOps: GoldenOps = {
  sum: (call) => call.x.sum(call.axes(), call.keepDims),
  mean: (call) => call.x.mean(call.axes(), call.keepDims),
  amax: (call) => call.x.max(call.axes(), call.keepDims),
  amin: (call) => call.x.min(call.axes(), call.keepDims),
  prod: (call) => call.x.prod(call.axes(), call.keepDims),
  logsumexp: (call) => call.x.logSumExp(call.axes(), call.keepDims),
  var: (call) => call.x.variance(call.axes(), { correction: call.number('correction'), ...call.keepDims }),
  std: (call) => call.x.std(call.axes(), { correction: call.number('correction'), ...call.keepDims }),
  max: (call) => extreme(call, (x, axis) => x.argmax(axis, { keepDims: true })),
  min: (call) => extreme(call, (x, axis) => x.argmin(axis, { keepDims: true })),
  argmax: (call) => placeOf(call, 'argmax'),
  argmin: (call) => placeOf(call, 'argmin'),
  norm: (call) => norm(call.x, call.number('p'), call.axes(), call.keepDims),
  cumsum: (call) => call.x.cumsum(call.number('dim')),
  cumprod: (call) => call.x.cumprod(call.number('dim')),
  any: (call) => call.x.any(call.axes(), call.keepDims),
  all: (call) => call.x.all(call.axes(), call.keepDims),
  count_nonzero: (call) => countNonzero(call.x, call.axes()),
};
