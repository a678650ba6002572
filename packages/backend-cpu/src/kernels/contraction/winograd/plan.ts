/*
 * Which contractions are computed by tiles (transforms.ts): convolutions of 3×3 filters with stride 1, with enough channels, filters
 * and outputs for the transforms to cost less than they save. The choice follows from shapes alone.
 */
import type { MicroKernel } from '../../gemm/gemm';
import { factorOf, type Limit, linear } from '../../linear';
import { axesOf, type Factor, type Form, isEven, outStrides, reordered, resized, strideOf } from '../form';
import { type Stage, stageOf } from '../stage';
import { blockOf, type Layout, scratchOf } from './layout';
import { type Tile, tile2, tile4 } from './transforms';

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

/** The axes of such a convolution. Images are the last of the batch axes, or columns before y and x; −1 where there is one. */
export interface Axes {
  readonly outer: readonly number[];
  readonly image: number;
  readonly filter: number;
  readonly y: number;
  readonly x: number;
  readonly channel: number;
  readonly row: number;
  readonly column: number;
}

/** The axes of a form by what they are, or null where there are more or fewer. */
export function axesOfConvolution(form: Form): Axes | null {
  const batch = axesOf(form, 'batch');
  const [m, n, k] = [axesOf(form, 'm'), axesOf(form, 'n'), axesOf(form, 'k')];
  if (m.length !== 1 || n.length < 2 || n.length > 3 || k.length !== 3) return null;
  const [y, x] = n.slice(-2) as [number, number];
  const image = n.length === 3 ? n[0]! : (batch.at(-1) ?? -1);
  const [channel, row, column] = k as [number, number, number];
  return { outer: batch.filter((axis) => axis !== image), image, filter: m[0]!, y, x, channel, row, column };
}

interface Copy {
  readonly stage: Stage;
  readonly imageRow: number;
  readonly imageChannel: number;
}

/** The copy of an image, with zeros around it to whole tiles; null where it has other limits than its edges. */
function copyOf(form: Form, axes: Axes, [height, width]: readonly [number, number], { size }: Tile): Copy | null {
  const { outer, image, filter, y, x, channel, row, column } = axes;
  const batch = image < 0 ? outer : [...outer, image];
  const first = batch.length + 1;
  const ordered = reordered(form, [...batch, filter, y, x, channel, row, column], batch.length);
  const padded = resized(
    ordered,
    new Map([
      [first, Math.ceil(height / size) * size],
      [first + 1, Math.ceil(width / size) * size],
    ]),
  );
  const bounded = limited(padded, [
    { place: first, tap: first + 3, reach: height + 2 },
    { place: first + 1, tap: first + 4, reach: width + 2 },
  ]);
  const stage = bounded && stageOf(padded, bounded, 0);
  if (!stage) return null;
  const [imageRow, x1, imageChannel, down, across] = [0, 1, 2, 3, 4].map((i) => strideOf(stage.factor, first + i));
  const even = x1 === 1 && across === 1 && imageRow === down && imageRow! >= width + 2 && imageChannel! >= imageRow!;
  return even ? { stage, imageRow: imageRow!, imageChannel: imageChannel! } : null;
}

/**
 * Multiplications of a channel and a filter, and the time to read the transformed filter from memory, which is that of eight of
 * them for each place: where there are few tiles, small ones read less.
 */
function costOf(tile: Tile, images: number, [height, width]: readonly [number, number]): number {
  return tile.places * (images * Math.ceil(height / tile.size) * Math.ceil(width / tile.size) + 8);
}

/** The way to compute a form as tiles, or null where it is no such convolution or not worth it. */
export function winogradOf(form: Form, micro: MicroKernel): WinogradPlan | null {
  const axes = axesOfConvolution(form);
  if (form.dtype !== 'f32' || axes === null) return null;
  const size = (axis: number) => (axis < 0 ? 1 : form.axes[axis]!.size);
  const { outer, image } = axes;
  if ([...outer, image].some((axis) => axis >= 0 && strideOf(form.lhs, axis) !== 0)) return null;
  if (size(axes.row) !== 3 || size(axes.column) !== 3 || !isEven(form.lhs)) return null;
  const [filters, channels] = [size(axes.filter), size(axes.channel)];
  const [height, width, images] = [size(axes.y), size(axes.x), size(axes.image)];
  const outputs = outer.reduce((product, axis) => product * size(axis), images * height * width);
  if (Math.min(filters, channels) < leastChannels || outputs < leastOutputs) return null;
  const costs = [tile4, tile2].map((tile) => ({
    tile,
    cost: costOf(tile, outputs / (height * width), [height, width]),
  }));
  const { tile } = costs[0]!.cost <= costs[1]!.cost ? costs[0]! : costs[1]!;
  const [tileRows, tileColumns] = [Math.ceil(height / tile.size), Math.ceil(width / tile.size)];
  if ((height * width * 9) / (tileRows * tileColumns * tile.places) < leastSaving) return null;
  const copy = copyOf(form, axes, [height, width], tile);
  if (copy === null) return null;
  const { stage, imageRow, imageChannel } = copy;
  const along = (axis: number) => strideOf(form.lhs, axis);
  const layout: Layout = {
    ...{ tile, channels, filters, height, width, tileRows, tileColumns, micro },
    ...{ imageRow, imageChannel, imageBytes: stage.bytes },
    filterStrides: {
      filter: along(axes.filter),
      channel: along(axes.channel),
      row: along(axes.row),
      column: along(axes.column),
    },
    outputFilter: outStrides(form)[axes.filter]!,
    ...blockOf(channels * tile.places * 4, { tileRows, tileColumns, images }),
  };
  return { layout, stage, scratchBytes: scratchOf(layout).bytes };
}
