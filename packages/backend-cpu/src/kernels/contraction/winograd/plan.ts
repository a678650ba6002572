/*
 * Which contractions are computed by tiles (transforms.ts): convolutions of 3×3 filters with stride 1, with enough channels, filters
 * and outputs for the transforms to cost less than they save. The choice follows from shapes alone.
 */
import type { MicroKernel } from '../../gemm/gemm';
import { factorOf, type Limit, linear } from '../../linear';
import { axesOf, type Factor, type Form, isEven, resized, strideOf } from '../form';
import { type Stage, stageOf } from '../stage';
import { blockOf, type Layout, scratchOf } from './layout';
import { PLACES, TILE } from './transforms';

/** A convolution that is computed so, and the copies of its images. */
export interface WinogradPlan {
  readonly layout: Layout;
  readonly stage: Stage;
  readonly scratchBytes: number;
}

/** Channels and filters from which the transforms cost less than they save. */
const leastChannels = 16;
/** Outputs in all for which transformed filters are used, so that transforming them pays. */
const leastOutputs = 48;
/** Multiplications saved, counting those of tiles that are partly outside. */
const leastSaving = 1.5;

/** An axis of outputs and one of a filter, and how many elements of the image their sums reach. */
interface Pair {
  readonly place: number;
  readonly tap: number;
  readonly reach: number;
}

/** The image with a limit on each of two sums, beyond which no output reads; null where another sum is limited. */
function limited({ axes, rhs }: Form, pairs: readonly Pair[]): Factor | null {
  const own = ({ term }: Limit, { place, tap }: Pair): boolean =>
    term.mask === ((1 << place) | (1 << tap)) && factorOf(term, place) === 1 && factorOf(term, tap) === 1;
  if (rhs.limits.some((limit) => !pairs.some((pair) => own(limit, pair)))) return null;
  const reaches = pairs.map(({ place, tap, reach }): Limit => {
    const terms = [place, tap].map((index) => ({
      atom: { kind: 'var' as const, index, size: axes[index]!.size },
      factor: 1,
    }));
    return { term: linear(0, terms), min: 0, end: reach };
  });
  return { ...rhs, limits: [...rhs.limits, ...reaches] };
}

/** The way to compute a form as tiles, or null where it is no such convolution or not worth it. */
export function winogradOf(form: Form, micro: MicroKernel): WinogradPlan | null {
  const batch = axesOf(form, 'batch');
  const [m, n, k] = [axesOf(form, 'm'), axesOf(form, 'n'), axesOf(form, 'k')];
  if (form.dtype !== 'f32' || m.length !== 1 || n.length !== 2 || k.length !== 3) return null;
  const [[filter], [y, x], [channel, row, column]] = [m, n, k] as [
    [number],
    [number, number],
    [number, number, number],
  ];
  const size = (axis: number) => form.axes[axis]!.size;
  if (batch.some((axis) => strideOf(form.lhs, axis) !== 0)) return null;
  if (size(row) !== 3 || size(column) !== 3 || !isEven(form.lhs)) return null;
  const [filters, channels, height, width] = [filter, channel, y, x].map(size) as [number, number, number, number];
  const imagesInAll = batch.reduce((product, axis) => product * (strideOf(form.rhs, axis) === 0 ? 1 : size(axis)), 1);
  if (Math.min(filters, channels) < leastChannels || imagesInAll * height * width < leastOutputs) return null;
  const [tileRows, tileColumns] = [Math.ceil(height / TILE), Math.ceil(width / TILE)];
  if ((height * width * 9) / (tileRows * tileColumns * PLACES) < leastSaving) return null;
  const padded = resized(
    form,
    new Map([
      [y, tileRows * TILE],
      [x, tileColumns * TILE],
    ]),
  );
  const image = limited(padded, [
    { place: y, tap: row, reach: height + 2 },
    { place: x, tap: column, reach: width + 2 },
  ]);
  const stage = image && stageOf(padded, image, 0);
  if (!stage) return null;
  const at = (axis: number) => strideOf(stage.factor, axis);
  if (at(x) !== 1 || at(column) !== 1 || at(y) !== at(row) || at(y) < width + 2 || at(channel) < at(y)) return null;
  const images = batch.length === 0 ? 1 : size(batch.at(-1)!);
  const layout: Layout = {
    ...{ channels, filters, height, width, tileRows, tileColumns, micro },
    imageRow: at(y),
    imageChannel: at(channel),
    imageBytes: stage.bytes,
    filterStrides: {
      filter: strideOf(form.lhs, filter),
      channel: strideOf(form.lhs, channel),
      row: strideOf(form.lhs, row),
      column: strideOf(form.lhs, column),
    },
    ...blockOf(channels, { tileRows, tileColumns, images }),
  };
  return { layout, stage, scratchBytes: scratchOf(layout).bytes };
}
