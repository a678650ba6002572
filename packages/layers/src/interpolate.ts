/**
 * Resampling to another size. This file decides where each output element lies along the input, and with what weights
 * its neighbours count; the weights of an axis make a matrix, and resampling is one matrix product an axis. Nearest
 * neighbours are a movement where the factor is whole, and a gather elsewhere.
 */
import { ShapeError, showShape, type Tensor, tensor, ValueError } from '@dl/tensor';
import { type AxisMap, mapAxis, mapTensor } from './along-axis';
import { Module } from './module';

/** How neighbours are weighed; the linear kinds differ in how many axes they are for (1, 2 and 3). */
export type InterpolationMode = 'nearest' | 'linear' | 'bilinear' | 'trilinear' | 'bicubic';

export interface InterpolateOptions {
  /** Sizes of the result: one number for all spatial axes, or one an axis. Either this or `scaleFactor`. */
  readonly size?: number | readonly number[];
  /** Factors of the sizes, rounded down; positions are divided by the factor itself. */
  readonly scaleFactor?: number | readonly number[];
  /** Default 'nearest'. */
  readonly mode?: InterpolationMode;
  /** Whether the first and last elements stay where they are, rather than the outer edges. Not for 'nearest'. Default false. */
  readonly alignCorners?: boolean;
}

/** Spatial axes that a mode is for. */
const ranks: Readonly<Record<InterpolationMode, readonly number[]>> = {
  nearest: [1, 2, 3],
  linear: [1],
  bilinear: [2],
  trilinear: [3],
  bicubic: [2],
};

/** One axis: its sizes, and input elements an output element. */
interface Resampling {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/**
 * Resamples the axes after the channels.
 * Output element o lies at (o + ½) · step − ½, with step = from / to, or at o · (from − 1) / (to − 1) with `alignCorners`.
 * Linear kinds weigh the two neighbours, the first element at the least; 'bicubic' four, by Keys' kernel with a = −0.75
 * and repeated edges; 'nearest' takes ⌊o · step⌋.
 *
 * @param x - `[N, C, L]`, `[N, C, H, W]` or `[N, C, D, H, W]`, float
 * @returns `[N, C, size…]`
 * @throws ShapeError if the mode is not for this rank, or an axis is empty
 * @throws ValueError unless exactly one of `size` and `scaleFactor` is given
 * @see Keys 1981, eq. 4
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  const { mode = 'nearest', alignCorners = false } = options;
  checkMode(x, mode, alignCorners);
  return resamplings(x, options).reduceRight((y, axis, i) => {
    if (axis.from === axis.to && axis.step === 1) return y;
    if (mode === 'nearest') return nearest(y, i + 2, axis);
    const map = mode === 'bicubic' ? cubicMap(axis, alignCorners) : linearMap(axis, alignCorners);
    return mapAxis(y, i + 2, mapTensor(map, axis.from, y.dtype));
  }, x);
}

function checkMode(x: Tensor, mode: InterpolationMode, alignCorners: boolean): void {
  if (!(mode in ranks))
    throw new ValueError(
      `interpolate: mode '${String(mode)}' is not known. Use one of ${Object.keys(ranks)
        .map((name) => `'${name}'`)
        .join(', ')}.`,
    );
  if (!ranks[mode].includes(x.rank - 2)) {
    const wanted = ranks[mode].map((rank) => rank + 2).join(', ');
    throw new ShapeError(
      `interpolate: mode '${mode}' is for data of ${wanted} axes, [N, C, spatial…], but x is ${showShape(x.shape)}. Choose the mode of its rank, or reshape it.`,
    );
  }
  if (alignCorners && mode === 'nearest')
    throw new ValueError("interpolate: alignCorners has no meaning for mode 'nearest'. Leave it out.");
}

function resamplings(x: Tensor, { size, scaleFactor }: InterpolateOptions): Resampling[] {
  const given = size ?? scaleFactor;
  if (given === undefined || (size !== undefined && scaleFactor !== undefined))
    throw new ValueError('interpolate: give either size or scaleFactor.');
  const sizes = x.shape.slice(2);
  const list = typeof given === 'number' ? sizes.map(() => given) : given;
  if (list.length !== sizes.length) {
    throw new ValueError(
      `interpolate: ${size === undefined ? 'scaleFactor' : 'size'} is [${list.join(', ')}], but x ${showShape(x.shape)} has ${sizes.length} spatial axes. Give one number, or one an axis.`,
    );
  }
  return sizes.map((from, i) => {
    const to = size === undefined ? Math.floor(from * list[i]!) : list[i]!;
    if (!(Number.isInteger(to) && to > 0 && from > 0))
      throw new ShapeError(
        `interpolate: an axis of ${from} cannot become one of ${to}. Both sizes are whole numbers of at least 1.`,
      );
    return { from, to, step: size === undefined ? 1 / list[i]! : from / to };
  });
}

function nearest(x: Tensor, axis: number, { from, to, step }: Resampling): Tensor {
  if (to % from === 0 && step === from / to) return x.repeat(axis, to / from);
  const source = (o: number): number => Math.min(Math.floor(step === from / to ? (o * from) / to : o * step), from - 1);
  return x.take(axis, tensor(Int32Array.from({ length: to }, (_, o) => source(o))));
}

/** Where output element o lies, in input elements. */
function positionOf(o: number, { from, to, step }: Resampling, alignCorners: boolean): number {
  if (alignCorners) return to === 1 ? 0 : (o * (from - 1)) / (to - 1);
  return (step === from / to ? ((2 * o + 1) * from) / (2 * to) : (o + 0.5) * step) - 0.5;
}

/** Rows of weights, given the taps of each position: pairs of an input element, which may lie outside, and a weight. */
function mapOf(
  axis: Resampling,
  alignCorners: boolean,
  taps: (position: number) => readonly (readonly [number, number])[],
): AxisMap {
  return Array.from({ length: axis.to }, (_, o) => {
    const row = new Float64Array(axis.from);
    for (const [i, weight] of taps(positionOf(o, axis, alignCorners)))
      row[Math.min(Math.max(i, 0), axis.from - 1)]! += weight;
    return row;
  });
}

const linearMap = (axis: Resampling, alignCorners: boolean): AxisMap =>
  mapOf(axis, alignCorners, (position) => {
    const place = Math.max(position, 0);
    const left = Math.floor(place);
    return [
      [left, 1 - (place - left)],
      [left + 1, place - left],
    ];
  });

const cubicMap = (axis: Resampling, alignCorners: boolean): AxisMap =>
  mapOf(axis, alignCorners, (position) => {
    const left = Math.floor(position);
    return [-1, 0, 1, 2].map((i) => [left + i, keys(Math.abs(position - left - i))] as const);
  });

const KEYS_A = -0.75;

/** Keys' kernel at a distance from 0 to 2. */
const keys = (d: number): number =>
  d <= 1 ? ((KEYS_A + 2) * d - (KEYS_A + 3)) * d * d + 1 : (((d - 5) * d + 8) * d - 4) * KEYS_A;

/**
 * {@link interpolate} as a layer.
 *
 * @example
 * const up = new Upsample({ scaleFactor: 2, mode: 'bilinear' });
 */
export class Upsample extends Module {
  readonly #options: InterpolateOptions;

  constructor(options: InterpolateOptions) {
    super();
    this.#options = options;
  }

  forward(x: Tensor): Tensor {
    return interpolate(x, this.#options);
  }
}
