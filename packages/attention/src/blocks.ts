/**
 * Scaled dot-product attention block by block, so that memory grows with the length of the sequences and not with its square:
 * the scores of one block of queries exist at a time, and are computed again for the gradient. A block has whole rows, so
 * that its softmax needs no running maximum, and nothing but queries, keys and values is kept for the way back. Keys
 * behind the last query of a causal block are not looked at.
 *
 * Order is said by `after`: each block reads keys and values after what the one before it has added. Otherwise the
 * scheduler, which sees all blocks, would join their products to a few long ones, or compute all gradients of queries
 * before those of keys, and hold the weights of all blocks.
 */
import { customGradient } from '@dl/autograd';
import { after, broadcastShapes, concat, Node, rand, type Shape, Tensor, ValueError, withGrad } from '@dl/tensor';
import type { MaskedOptions } from './scaled-dot-product';
import { attentionWeights, checkFeatures, checkMask } from './weights';

interface BlockedOptions extends MaskedOptions {
  /** Queries that are computed at a time. */
  readonly blockSize: number;
}

/** Some of the queries, and the keys that they see: 0 … keys − 1. */
interface Block {
  readonly start: number;
  readonly length: number;
  readonly keys: number;
  /** 1 / (1 − p) where a weight stays, 0 where dropout takes it; null without dropout. */
  readonly kept: Tensor | null;
}

/** The inputs of one block. */
interface Inputs {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly masks: readonly Tensor[];
}

/** @see Dao, Fu, Ermon, Rudra & Ré 2022, algorithms 1 and 4, for the same in a faster memory's blocks */
export function attendInBlocks(q: Tensor, k: Tensor, v: Tensor, options: BlockedOptions): Tensor {
  checkFeatures(q, k);
  const batch = [k, v].reduce<Shape>(
    (shape, x) => broadcastShapes('attention', shape, x.shape.slice(0, -2)),
    q.shape.slice(0, -2),
  );
  const scores = [...batch, q.shape.at(-2)!, k.shape.at(-2)!];
  for (const mask of options.masks) checkMask('attention', mask, scores);
  const wide = [q, k, v].map((x) => x.expand([...batch, ...x.shape.slice(-2)])) as [Tensor, Tensor, Tensor];
  const blocks = blocksOf(scores, options);
  const run = customGradient((q: Tensor, k: Tensor, v: Tensor, ...masks: Tensor[]) => ({
    value: withGrad(false, () => forward({ q, k, v, masks }, blocks, options)),
    gradient: (g) => backward({ q, k, v, masks }, g, blocks, options),
  }));
  return run(...wide, ...options.masks);
}

function blocksOf(scores: Shape, { blockSize, causal, dropout: p = 0, generator }: BlockedOptions): Block[] {
  if (!(p >= 0 && p <= 1)) throw new ValueError(`attention: a share of dropout is from 0 to 1, not ${p}.`);
  const [queries, keys] = scores.slice(-2) as [number, number];
  const blocks: Block[] = [];
  for (let start = 0; start < queries; start += blockSize) {
    const length = Math.min(blockSize, queries - start);
    const seen = causal ? Math.min(start + length, keys) : keys;
    const shape = [...scores.slice(0, -2), length, seen];
    const uniform = p > 0 ? rand(shape, generator === undefined ? {} : { generator }) : null;
    const kept =
      uniform &&
      (p === 1
        ? uniform.mul(0)
        : uniform
            .lt(1 - p)
            .cast('f32')
            .mul(1 / (1 - p)));
    blocks.push({ start, length, keys: seen, kept });
  }
  return blocks;
}

/** The inputs of a block, keys and values to be read once `others` are computed. */
function inputsOf({ q, k, v, masks }: Inputs, { start, length, keys }: Block, others: readonly Tensor[]): Inputs {
  return {
    q: q.narrow(-2, start, length),
    k: after(k.narrow(-2, 0, keys), others),
    v: after(v.narrow(-2, 0, keys), others),
    masks: masks.map((mask) => maskOf(mask, { start, length, keys })),
  };
}

/** The part of a mask that a block sees; axes of size 1 stay. */
function maskOf(mask: Tensor, { start, length, keys }: Omit<Block, 'kept'>): Tensor {
  const rows = mask.rank < 2 || mask.shape.at(-2) === 1 ? mask : mask.narrow(-2, start, length);
  return rows.rank === 0 || rows.shape.at(-1) === 1 ? rows : rows.narrow(-1, 0, keys);
}

/** The weights of a block before dropout. */
function weightsOf({ q, k, masks }: Inputs, { start }: Block, { causal = false, scale }: BlockedOptions): Tensor {
  return attentionWeights(q, k, { causal, start, ...(scale === undefined ? {} : { scale }) }, masks);
}

function forward(all: Inputs, blocks: readonly Block[], options: BlockedOptions): Tensor {
  const outputs: Tensor[] = [];
  for (const block of blocks) {
    const inputs = inputsOf(all, block, outputs.slice(-1));
    const weights = weightsOf(inputs, block, options);
    outputs.push((block.kept === null ? weights : weights.mul(block.kept.cast(weights.dtype))).matmul(inputs.v));
  }
  return concat(outputs, -2);
}

/** Slopes of queries, keys, values and masks. */
function backward(all: Inputs, g: Tensor, blocks: readonly Block[], options: BlockedOptions): (Tensor | null)[] {
  const scale = options.scale ?? 1 / Math.sqrt(all.q.shape.at(-1)!);
  const dq: Tensor[] = [];
  let [dk, dv]: [Tensor | null, Tensor | null] = [null, null];
  const dMasks: (Tensor | null)[] = all.masks.map(() => null);
  for (const block of blocks) {
    const { start, length } = block;
    const inputs = inputsOf(all, block, [...dq.slice(-1), ...[dk, dv].filter((x) => x !== null)]);
    const gOut = g.narrow(-2, start, length); // [..., length, F]
    const weights = weightsOf(inputs, block, options); // [..., length, keys]
    const kept = block.kept === null ? null : again(block.kept).cast(weights.dtype);
    const dropped = kept === null ? weights : weights.mul(kept);
    const products = gOut.matmul(inputs.v.transpose());
    const dWeights = kept === null ? products : products.mul(kept);
    const dScores = weights.mul(dWeights.sub(weights.mul(dWeights).sum(-1, { keepDims: true })));
    const scaled = dScores.mul(scale);
    dq.push(scaled.matmul(inputs.k));
    dk = plus(dk, scaled.transpose().matmul(inputs.q));
    dv = plus(dv, dropped.transpose().matmul(gOut));
    for (const [i, mask] of all.masks.entries()) {
      if (mask.requiresGrad) dMasks[i] = plus(dMasks[i]!, ofMask(dScores, mask, block), mask.shape);
    }
  }
  return [concat(dq, -2), whole(dk!, all.k), whole(dv!, all.v), ...dMasks];
}

/** The sum over the blocks so far and one more, which may see more keys. The barrier keeps it from being joined with the next. */
function plus(sum: Tensor | null, next: Tensor, shape: Shape = next.shape): Tensor {
  if (sum === null) return next;
  return next.add(after(padTo(sum, shape), []));
}

/** With zeros behind, up to a shape. */
const padTo = (x: Tensor, shape: Shape): Tensor =>
  x.pad(
    x.shape.map(() => 0),
    x.shape.map((n, i) => shape[i]! - n),
  );

/** Keys that no query has seen have no slope. */
const whole = (slope: Tensor, { shape }: Tensor): Tensor => padTo(slope, shape);

/** The slope of a mask that a block's scores give: summed where the mask is stretched, in its place. */
function ofMask(dScores: Tensor, mask: Tensor, { start, length, keys }: Block): Tensor {
  const added = dScores.rank - mask.rank;
  const part = mask.shape.map((n, i) => (n === 1 ? 1 : dScores.shape[i + added]!));
  const stretched = dScores.shape.flatMap((n, i) => (i < added || (part[i - added] === 1 && n !== 1) ? [i] : []));
  const slope = (stretched.length === 0 ? dScores : dScores.sum(stretched)).reshape(part);
  const [rows, columns] = [mask.rank - 2, mask.rank - 1];
  const low = mask.shape.map((n, i) => (i === rows && n > 1 ? start : 0));
  const high = mask.shape.map((n, i) => {
    if (n === 1) return 0;
    return i === rows ? n - start - length : i === columns ? n - keys : 0;
  });
  return slope.pad(low, high);
}

/** The same random numbers as nodes of their own: shared with the way forward, they would be stored from there on. */
const again = (x: Tensor): Tensor => new Tensor(copied(x.node));
const copied = ({ op, sources, attrs, shape, dtype }: Node): Node =>
  new Node(op, sources.map(copied), attrs, shape, dtype, false);
