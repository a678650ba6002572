/**
 * Bad input, for every method of `Tensor` and every function that makes or takes tensors: the message names the operation, shows
 * the values that disagree, and says what to do. A name that is missing from both tables fails.
 */
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import * as creation from './creation';
import { DlError } from './errors';
import * as functions from './functions';
import { concat, ones, setBackend, stack, Tensor, tensor, zeros } from './index';

beforeAll(() => setBackend(referenceBackend()));

const x = ones([2, 3]);
const other = ones([2, 4]);
const ints = ones([2, 3], 'i32');
const unsigned = ones([2, 3], 'u32');
const index = zeros([2, 3], 'i32');
const { fold, slidingWindows, unfold } = functions;

/** Operands that do not broadcast. */
const shapes = '[2, 3] and [2, 4] do not broadcast (3 ≠ 4 at axis -1)';
const axis = 'axis 2 is out of range for rank 2. Use -2 to 1.';
const window = { size: [9], stride: [1], dilation: [1], padding: [[0, 0]] as const };
const larger = '[9] is larger than the padded data [3]. Pad more, or use a smaller window.';
const noLargest = 'has no elements along axes [0]';
const empty = zeros([0, 3]);
const plain = { stride: [1], padding: [[0, 0]] as const, lhsDilation: [1], rhsDilation: [1], groups: 1 };

type Case = readonly [call: () => unknown, ...parts: readonly string[]];

const methods: Readonly<Record<string, Case>> = {
  dims: [() => x.dims(3), 'dims: 3 axes were expected, but the shape is [2, 3]'],
  data: [() => x.data('i32'), "data: i32 was asked for, but the tensor is f32. Use cast('i32') first."],
  dataSync: [() => x.dataSync('i32'), "dataSync: i32 was asked for, but the tensor is f32. Use cast('i32') first."],
  array: [() => x.array(3), '3 axes were expected, but the shape is [2, 3]'],
  item: [() => x.item(), 'item: the shape is [2, 3]', 'Reduce it first'],
  bitcast: [() => x.bitcast('f64'), 'bitcast: f32 to f64', 'Use cast'],
  not: [() => x.not(), 'not: takes bool or integers, but got f32', 'Compare first'],
  add: [() => x.add(other), 'add: ', shapes],
  sub: [() => x.sub(other), 'sub: ', shapes],
  mul: [() => ints.mul(unsigned), 'mul: i32 and u32 do not combine', 'Use cast'],
  div: [() => x.div(other), 'div: ', shapes],
  floorDivide: [() => ints.floorDivide(0.5), '0.5 is not a whole number, but the tensor is i32', "cast('f32')"],
  mod: [() => ints.mod(0.5), 'mod: 0.5 is not a whole number, but the tensor is i32', "cast('f32')"],
  pow: [() => x.pow(other), 'pow: ', shapes],
  maximum: [() => x.maximum(other), 'maximum: ', shapes],
  minimum: [() => x.minimum(other), 'minimum: ', shapes],
  clamp: [() => ints.clamp(0.5, 2), '0.5 is not a whole number, but the tensor is i32', "cast('f32')"],
  eq: [() => x.eq(other), 'eq: ', shapes],
  ne: [() => x.ne(other), 'ne: ', shapes],
  lt: [() => x.lt(other), 'lt: ', shapes],
  gt: [() => x.gt(other), 'gt: ', '[2, 4] and [2, 3] do not broadcast'],
  le: [() => x.le(other), 'le: ', shapes],
  ge: [() => x.ge(other), 'ge: ', '[2, 4] and [2, 3] do not broadcast'],
  and: [() => x.and(x), 'and: takes bool or integers, but got f32', 'Compare first'],
  or: [() => x.or(x), 'or: takes bool or integers, but got f32', 'Compare first'],
  xor: [() => x.xor(x), 'xor: takes bool or integers, but got f32', 'Compare first'],
  shl: [() => x.shl(1), 'shl: takes bool or integers, but got f32', "cast('i32')"],
  shr: [() => x.shr(1), 'shr: takes bool or integers, but got f32', "cast('i32')"],
  where: [() => x.where(1, 2), 'where: the condition is f32, but must be bool', 'x.ne(0)'],
  reshape: [() => x.reshape([4]), 'reshape: [2, 3] has 6 elements, but [4] has 4. Use −1'],
  flatten: [() => x.flatten(2), `flatten: ${axis}`],
  permute: [() => x.permute([0, 0]), 'permute: [0, 0] is not an order of the 2 axes of [2, 3]. Name each axis once.'],
  transpose: [() => x.transpose(0, 2), `transpose: ${axis}`],
  squeeze: [() => x.squeeze(2), `squeeze: ${axis}`],
  unsqueeze: [() => x.unsqueeze(3), 'unsqueeze: axis 3 is out of range for rank 3. Use -3 to 2.'],
  expand: [() => x.expand([4, 3]), 'expand: [2, 3] does not stretch to [4, 3]', 'Only axes of size 1 stretch'],
  slice: [() => x.slice([0, 2], [2, 2]), 'slice: elements 2 to 3 along axis 1, but [2, 3] has 3 there'],
  pad: [() => x.pad([0], [0]), 'pad: 1 and 1 amounts for the 2 axes of [2, 3]. Give one of each an axis.'],
  place: [() => x.place([1, 0], [2, 3]), 'place: [2, 3] at [1, 0] does not lie within [2, 3]'],
  narrow: [() => x.narrow(1, 2, 2), 'elements 2 to 3 along axis 1, but [2, 3] has 3 there'],
  flip: [() => x.flip(2), `flip: ${axis}`],
  split: [() => x.split(1, [1, 1]), 'split: sizes [1, 1] add up to 2, but axis 1 of [2, 3] has 3'],
  chunk: [() => x.chunk(1, 0), 'chunk: 0 parts. Ask for at least 1.'],
  tile: [() => x.tile([2]), 'tile: 1 counts for the 2 axes of [2, 3]. Give at least one an axis.'],
  repeat: [() => x.repeat(2, 2), `repeat: ${axis}`],
  at: [() => x.at(2), 'at: index 2 is out of range for axis 0 of [2, 3]. Use -2 to 1.'],
  with: [() => x.with([0], ones([4])), 'with: ', '[4]'],
  sum: [() => x.sum(2), `sum: ${axis}`],
  prod: [() => x.prod(2), `prod: ${axis}`],
  max: [() => empty.max(0), `max: [0, 3] ${noLargest}`, 'Check the size first'],
  min: [() => empty.min(0), `min: [0, 3] ${noLargest}`, 'Check the size first'],
  mean: [() => x.mean(2), `mean: ${axis}`],
  argmax: [() => empty.argmax(0), 'argmax: axis 0 of [0, 3] is empty'],
  argmin: [() => x.argmin(2), `argmin: ${axis}`],
  all: [() => x.all(2), `all: ${axis}`],
  any: [() => x.any(2), `any: ${axis}`],
  variance: [() => x.variance(2), `variance: ${axis}`],
  std: [() => x.std(2), `std: ${axis}`],
  centred: [() => x.centred(2), `centred: ${axis}`],
  norm: [() => x.norm(2), `norm: ${axis}`],
  logSumExp: [() => x.logSumExp(2), `logSumExp: ${axis}`],
  softmax: [() => x.softmax(2), `softmax: ${axis}`],
  logSoftmax: [() => x.logSoftmax(2), `logSoftmax: ${axis}`],
  matmul: [() => x.matmul(other), 'matmul: inner sizes differ: a is [2, 3], b is [2, 4] (3 ≠ 2)'],
  dot: [
    () => x.dot(other, { lhsBatch: [], rhsBatch: [], lhsContract: [1], rhsContract: [1] }),
    'dot: axis 1 of [2, 3] and axis 1 of [2, 4] differ (3 ≠ 4)',
  ],
  convolution: [
    () => ones([1, 2, 5]).convolution(ones([1, 3, 2]), plain),
    'convolution: data [1, 2, 5] has 2 channels a group, but weight [1, 3, 2] takes 3',
  ],
  windowSum: [() => x.windowSum(window), `window_sum: a window of ${larger}`],
  windowMax: [() => x.windowMax(window), `window_max: a window of ${larger}`],
  windowArgmax: [() => x.windowArgmax(window), `window_argmax: a window of ${larger}`],
  gather: [() => x.gather(0, x), "gather: an index is an integer, but got f32. Use cast('i32')."],
  take: [() => x.take(2, index), `take: ${axis}`],
  scatter: [() => x.scatter(1, index, other), 'scatter: index [2, 3] and updates [2, 4] differ'],
  scatterAdd: [() => x.scatterAdd(1, index, other), 'scatter: index [2, 3] and updates [2, 4] differ'],
  linearScan: [() => x.linearScan(other, 1), 'scan: factors f32 [2, 3] and terms f32 [2, 4] differ'],
  cumsum: [() => x.cumsum(2), `cumsum: ${axis}`],
  cumprod: [() => x.cumprod(2), `cumprod: ${axis}`],
  argsort: [() => x.argsort(2), `argsort: ${axis}`],
  sort: [() => x.sort(2), `sort: ${axis}`],
  argtopk: [() => x.argtopk(1, 4), 'topk: k is 4, but axis 1 of [2, 3] has 3 elements'],
  topk: [() => x.topk(4), 'topk: k is 4, but axis 1 of [2, 3] has 3 elements'],
};

const { add, div, mul, pow, sub } = functions;
const all: Readonly<Record<string, Case>> = {
  tensor: [() => tensor([1, 2, 3], [2, 2]), 'tensor: 3 elements do not fill [2, 2], which has 4'],
  full: [() => creation.full([-1], 2), 'full: a shape has whole sizes of at least 0, but got [-1]'],
  zeros: [() => zeros([1.5]), 'a shape has whole sizes of at least 0, but got [1.5]'],
  ones: [() => ones([1.5]), 'a shape has whole sizes of at least 0, but got [1.5]'],
  iota: [() => creation.iota([-1], 0), 'iota: a shape has whole sizes of at least 0, but got [-1]'],
  arange: [() => creation.arange(0, 3, { step: 0 }), 'arange: step 0. A step is a number other than 0.'],
  linspace: [() => creation.linspace(0, 1, -1), 'linspace: -1 numbers. Ask for 0 or more.'],
  eye: [() => creation.eye(-1), 'a shape has whole sizes of at least 0, but got [-1, -1]'],
  oneHot: [() => creation.oneHot(index, -1), '-1'],
  rand: [() => creation.rand([2], { dtype: 'i32' }), 'rand: i32 has no fractions. Use f32 or f64, or randint.'],
  randn: [() => creation.randn([-2]), 'a shape has whole sizes of at least 0, but got [-2]'],
  randint: [() => creation.randint(3, 3, [2]), 'randint: no whole number is at least 3 and below 3'],
  bernoulli: [() => creation.bernoulli(0.5, [-2]), 'a shape has whole sizes of at least 0, but got [-2]'],
  gumbel: [() => creation.gumbel([2], { dtype: 'i32' }), 'gumbel: i32 has no fractions.'],
  multinomial: [() => creation.multinomial(x, 4), 'multinomial: 4 of [2, 3] cannot be drawn.'],
  randperm: [() => creation.randperm(-2), 'a shape has whole sizes of at least 0, but got [-2]'],
  concat: [
    () => concat([x, other]),
    'concat: [2, 3] and [2, 4] differ beside axis 0. Only the joined axis may differ.',
  ],
  stack: [() => stack([x, other]), 'stack: [1, 2, 3] and [1, 2, 4] differ'],
  add: [() => add(x, other), 'add: ', shapes],
  sub: [() => sub(x, other), 'sub: ', shapes],
  mul: [() => mul(x, other), 'mul: ', shapes],
  div: [() => div(x, other), 'div: ', shapes],
  pow: [() => pow(x, other), 'pow: ', shapes],
  maximum: [() => functions.maximum(x, other), 'maximum: ', shapes],
  minimum: [() => functions.minimum(x, other), 'minimum: ', shapes],
  where: [() => functions.where(x, 1, 2), 'where: the condition is f32, but must be bool'],
  matmul: [() => functions.matmul(x, other), 'matmul: inner sizes differ', '(3 ≠ 2)'],
  einsum: [() => functions.einsum('ij,jk->ik', x, other), 'einsum: axis j has 3 elements in [2, 3], but 2 in [2, 4]'],
  outer: [() => functions.outer(ints, unsigned), 'i32 and u32 do not combine', 'Use cast'],
  addmm: [() => functions.addmm(x, x, other), 'matmul: inner sizes differ', '(3 ≠ 2)'],
  trace: [() => functions.trace(ones([2])), 'diagonal: axis 1 is out of range for rank 1'],
  padWith: [
    () => functions.padWith(x, [[3, 0]], { mode: 'reflect' }),
    'pad: reflect by 3 and 0 along axis 1 of [2, 3]',
  ],
  logAddExp: [() => functions.logAddExp(x, other), shapes],
  lerp: [() => functions.lerp(x, other, 0.5), '[2, 3]', '[2, 4]'],
  fmod: [() => functions.fmod(x, other), shapes],
  norm: [() => functions.norm(x, 3, 2), axis],
  countNonzero: [() => functions.countNonzero(x, 2), axis],
  tril: [() => functions.tril(ones([2])), 'tril: [2] has no rows and columns. Give at least two axes.'],
  triu: [() => functions.triu(ones([2])), '[2] has no rows and columns. Give at least two axes.'],
  diagonal: [() => functions.diagonal(x, 0, 0, 0), 'diagonal: axes 0 and 0 are the same. Name two.'],
  roll: [() => functions.roll(x, [1, 1], 0), 'roll: 2 shifts for 1 axes. Give one an axis.'],
  maskedFill: [() => functions.maskedFill(x, x, 0), 'the condition is f32, but must be bool'],
  moveAxis: [() => functions.moveAxis(x, 2, 0), axis],
  indexAdd: [() => functions.indexAdd(x, 2, index, x), axis],
  atan2: [() => functions.atan2(x, other), '[2, 3]', '[2, 4]'],
  unfold: [() => unfold(ones([1, 1, 2, 2]), { kernelSize: [3, 3] }), 'windows of 3', '[1, 1, 2, 2]'],
  fold: [
    () => fold(ones([1, 4, 5]), [3, 3], { kernelSize: [2, 2] }),
    'fold: [1, 4, 5] does not hold 2 × 2 windows of 2 × 2',
  ],
  slidingWindows: [() => slidingWindows(x, 1, 5), 'slidingWindows: windows of 5', 'axis 1 of [2, 3]'],
};

const anyTensor = 'takes every shape and dtype';
const noInput = 'reads or keeps; there is nothing to disagree';
const cannotFail: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    'cast neg abs sign floor ceil round trunc sqrt rsqrt square reciprocal exp log log2 log10 log1p expm1 sin cos tan tanh erf sigmoid relu isNaN isFinite mulFloat'
      .split(' ')
      .map((name) => [name, anyTensor]),
  ),
  ...Object.fromEntries('realize to dispose clone toString'.split(' ').map((name) => [name, noInput])),
  ...Object.fromEntries(
    'sinh cosh isInf acos asin atan zerosLike onesLike'.split(' ').map((name) => [name, anyTensor]),
  ),
  fromHost: 'internal',
};

async function messageOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    expect(error).toBeInstanceOf(DlError);
    return (error as Error).message;
  }
  return 'nothing was thrown';
}

const publicMethods = Object.entries(Object.getOwnPropertyDescriptors(Tensor.prototype))
  .filter(([name, { value }]) => typeof value === 'function' && name !== 'constructor')
  .map(([name]) => name);
const publicFunctions = [...Object.keys(creation), ...Object.keys(functions), 'concat', 'stack'];

describe.each([
  ['method', publicMethods, methods],
  ['function', publicFunctions, all],
] as const)('bad input of a %s', (_, names, cases) => {
  it('is tested for every name', () => {
    expect(names.filter((name) => cases[name] === undefined && cannotFail[name] === undefined)).toEqual([]);
    expect(Object.keys(cases).filter((name) => !names.includes(name))).toEqual([]);
  });

  it.each(Object.entries(cases))('%s', async (__, [call, ...parts]) => {
    const message = await messageOf(call);
    for (const part of parts) expect(message).toContain(part);
  });
});
