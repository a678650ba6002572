/**
 * Windows of a text for language models: ids and, as targets, the ids one place on. Contiguous streams keep the order of
 * the text in each row of a batch, so that a recurrent state can be carried from batch to batch; random windows begin
 * anywhere and suit models without state.
 */
import { type Tensor, type TypedArray, ValueError } from '@dl/tensor';
import type { Dataset, Field } from '../dataset';
import { RandomStream } from '../random';

/** Inputs and targets, both i32 `[B, steps]`. */
export type TextBatch = readonly [inputs: Tensor, targets: Tensor];

const fieldsOf = (steps: number): Field[] => [
  { name: 'input', dtype: 'i32', shape: [steps] },
  { name: 'target', dtype: 'i32', shape: [steps] },
];

function copyWindow(
  ids: Int32Array,
  start: number,
  steps: number,
  into: readonly TypedArray[],
  position: number,
): void {
  into[0]!.set(ids.subarray(start, start + steps) as never, position * steps);
  into[1]!.set(ids.subarray(start + 1, start + steps + 1) as never, position * steps);
}

const assemble = (tensors: readonly Tensor[]): TextBatch => [tensors[0]!, tensors[1]!];

function checkSizes(operation: string, sizes: Readonly<Record<string, number>>, ids: Int32Array, needed: number): void {
  for (const [name, n] of Object.entries(sizes)) {
    if (!Number.isInteger(n) || n < 1)
      throw new ValueError(`${operation}: ${name} is ${n}, but must be a whole number above 0.`);
  }
  if (ids.length < needed)
    throw new ValueError(
      `${operation}: the text has ${ids.length} tokens, but at least ${needed} are needed. Take fewer steps or rows, or more text.`,
    );
}

export interface StreamOptions {
  /** Rows of a batch: the text is cut into as many streams. */
  readonly batchSize: number;
  /** Tokens of a row in one batch. */
  readonly steps: number;
}

/**
 * The text as `batchSize` streams that go on from batch to batch. Take it with a `DataLoader` of the same `batchSize`,
 * not shuffled: row n of a batch continues row n of the batch before. What does not fill all rows is left out.
 *
 * @param ids - the encoded text
 * @throws ValueError if the text does not fill one batch
 *
 * @example
 * const loader = new DataLoader(textStreams(ids, { batchSize: 32, steps: 64 }), { batchSize: 32 });
 */
export function textStreams(ids: Int32Array, { batchSize, steps }: StreamOptions): Dataset<TextBatch> {
  checkSizes('textStreams', { batchSize, steps }, ids, batchSize * steps + 1);
  const batches = Math.floor((ids.length - 1) / (batchSize * steps));
  const stream = batches * steps;
  return {
    length: batches * batchSize,
    fields: fieldsOf(steps),
    assemble,
    copy(index, into, position): void {
      const [batch, row] = [Math.floor(index / batchSize), index % batchSize];
      copyWindow(ids, row * stream + batch * steps, steps, into, position);
    },
  };
}

export interface WindowOptions {
  readonly steps: number;
  /** Windows in an epoch. Default: as many as the text has without overlap. */
  readonly windows?: number;
  /** Where windows begin is a function of this, the epoch and the window's index. Default 0. */
  readonly seed?: number;
}

/**
 * Windows that begin anywhere, other ones each epoch.
 *
 * @param ids - the encoded text
 * @throws ValueError if the text is shorter than a window
 */
export function textWindows(ids: Int32Array, { steps, windows, seed = 0 }: WindowOptions): Dataset<TextBatch> {
  const length = windows ?? Math.max(1, Math.floor((ids.length - 1) / Math.max(1, steps)));
  checkSizes('textWindows', { steps, windows: length }, ids, steps + 1);
  const random = new RandomStream(seed);
  return {
    length,
    fields: fieldsOf(steps),
    assemble,
    copy(index, into, position, epoch): void {
      const start = random.reset(seed, epoch, index).integer(ids.length - steps);
      copyWindow(ids, start, steps, into, position);
    },
  };
}
