/** Movement, indexing and sorting of the reference vectors, by the methods of `Tensor`. */
import { concat, diagonal, fold, indexAdd, maskedFill, moveAxis, oneHot, type PadMode, padWith, type Range, roll, type Sliding, slidingWindows, stack, type Tensor, tril, triu, unfold } from '@dl/tensor';
import type { Attribute } from '../read';
import { type GoldenCall, type GoldenOps, numberedOutputs, Unserved } from './call';

/** `pad.pad` lists pairs from the last axis forwards; our pairs go the other way. */
function pad(call: GoldenCall): Tensor {
  const amounts = call.numbers('pad');
  const pairs: [number, number][] = [];
  for (let i = amounts.length - 2; i >= 0; i -= 2) pairs.push([amounts[i]!, amounts[i + 1]!]);
  return padWith(call.x, pairs, { mode: call.text('mode') as PadMode, value: call.number('value') });
}

function slice(call: GoldenCall): Tensor {
  const text = (end: Attribute): string => (end === null ? '' : String(end));
  const ranges = call.raw('slices') as readonly (readonly Attribute[])[];
  return call.x.at(...ranges.map(([start, stop, step]) => `${text(start!)}:${text(stop!)}:${text(step!)}` as Range));
}

const sliding = (call: GoldenCall): Sliding => ({
  kernelSize: call.numbers('kernel_size'),
  stride: call.numbers('stride'),
  dilation: call.numbers('dilation'),
  padding: call.numbers('padding'),
});

function embedding(call: GoldenCall): Tensor {
  if (call.has('padding_idx')) throw new Unserved('a padding index belongs to a layer');
  return call.input('weight').take(0, call.input('index'));
}

/** x where it may be indexed on, with the axes beside `axis` cut to the sizes of the index, as PyTorch allows. */
function cut(x: Tensor, index: Tensor, axis: number): Tensor {
  const sizes = index.shape.map((n, i) => (i === axis ? x.shape[i]! : n));
  return x.slice(
    sizes.map(() => 0),
    sizes,
  );
}

const axisOf = (call: GoldenCall): number => (call.number('dim') + call.x.rank) % call.x.rank;

/** A scatter of PyTorch: the index may be smaller than the data beside the axis. */
function scatter(call: GoldenCall, method: 'scatter' | 'scatterAdd'): Tensor {
  const [axis, index] = [axisOf(call), call.input('index')];
  const src = cut(call.input('src'), index, -1).slice(
    index.shape.map(() => 0),
    index.shape,
  );
  const inside = cut(call.x, index, axis);
  if (inside.size === call.x.size) return call.x[method](axis, index, src);
  return call.x.with(
    inside.shape.map((n): Range => `0:${n}`),
    inside[method](axis, index, src),
  );
}

function takeAlong(call: GoldenCall): Tensor {
  const [axis, index] = [axisOf(call), call.input('index')];
  const wanted = call.x.shape.map((n, i) => (i === axis ? index.shape[i]! : Math.max(n, index.shape[i]!)));
  const data = call.x.expand(wanted.with(axis, call.x.shape[axis]!));
  return data.gather(axis, index.expand(wanted));
}

function topK(call: GoldenCall): Record<string, Tensor> {
  const [k, axis] = [call.number('k'), call.number('dim')];
  if (call.raw('largest') !== false) return call.x.topk(k, axis);
  const { values, indices } = call.x.neg().topk(k, axis);
  return { values: values.neg(), indices };
}

export const shapeOps: GoldenOps = {
  reshape: (call) => call.x.reshape(call.numbers('shape')),
  permute: (call) => call.x.permute(call.numbers('dims')),
  transpose: (call) => call.x.transpose(call.number('dim0'), call.number('dim1')),
  movedim: (call) => moveAxis(call.x, call.number('source'), call.number('destination')),
  expand: (call) => call.x.expand(call.numbers('shape')),
  squeeze: (call) => call.x.squeeze(call.axes()),
  unsqueeze: (call) => call.x.unsqueeze(call.number('dim')),
  flatten: (call) => call.x.flatten(call.number('start_dim'), call.number('end_dim')),
  flip: (call) => call.x.flip(call.numbers('dims')),
  pad,
  slice,
  cat: (call) => concat(call.numbered('x'), call.number('dim')),
  stack: (call) => stack(call.numbered('x'), call.number('dim')),
  split: (call) => {
    const size = call.raw('split_size_or_sections');
    return numberedOutputs(call.x.split(call.number('dim'), typeof size === 'number' ? size : (size as number[])));
  },
  chunk: (call) => numberedOutputs(call.x.chunk(call.number('dim'), call.number('chunks'))),
  gather: (call) => cut(call.x, call.input('index'), axisOf(call)).gather(axisOf(call), call.input('index')),
  scatter_add: (call) => scatter(call, 'scatterAdd'),
  scatter: (call) => scatter(call, 'scatter'),
  index_select: (call) => call.x.take(call.number('dim'), call.input('index')),
  index_add: (call) => indexAdd(call.x, call.number('dim'), call.input('index'), call.input('src')),
  take_along_dim: takeAlong,
  embedding,
  one_hot: (call) => oneHot(call.x, call.number('num_classes'), 'i32'),
  tril: (call) => tril(call.x, call.number('diagonal')),
  triu: (call) => triu(call.x, call.number('diagonal')),
  diagonal: (call) => diagonal(call.x, call.number('offset'), call.number('dim1'), call.number('dim2')),
  roll: (call) => roll(call.x, call.numbers('shifts'), call.axes('dims')),
  repeat: (call) => call.x.tile(call.numbers('repeats')),
  repeat_interleave: (call) =>
    (call.has('dim') ? call.x : call.x.flatten()).repeat(call.has('dim') ? call.number('dim') : 0, call.number('repeats')),
  unfold: (call) => unfold(call.x, sliding(call)),
  fold: (call) => fold(call.x, call.numbers('output_size'), sliding(call)),
  tensor_unfold: (call) => slidingWindows(call.x, call.number('dimension'), call.number('size'), call.number('step')),
  masked_fill: (call) => maskedFill(call.x, call.input('mask'), call.number('value')),
  sort: (call) => call.x.sort(call.number('dim'), { descending: call.flag('descending') }),
  topk: topK,
};
