/*
 * Convolutions of 3×3 filters with stride 1 by Winograd's minimal algorithm (winograd-transforms.ts): which contractions it
 * computes, and its loops. Filters are transformed once, before the range. For some rows of tiles at a time, so that they
 * stay in the cache, the image is transformed into panels of a matrix product, each of the 16 places multiplied, and the
 * products transformed into outputs.
 *
 * Errors are about those of a plain sum. An infinite element of the image gives NaN where a plain sum gives infinity.
 */
import type { Local, ModuleBuilder } from '../../wasm/assembler';
import { BLOCK_K, emitGemm, type GemmSpec, type MicroKernel } from '../gemm/gemm';
import { LANES, storePartial } from '../gemm/lanes';
import { factorOf, type Limit, linear } from '../linear';
import type { Frame } from '../target';
import { axesOf, type Factor, type Form, isEven, strideOf } from './form';
import { type Stage, stageOf } from './stage';
import { emitFilters, emitImage, emitOutputs, GROUP, PLACES, TILE } from './winograd-transforms';

/** How a convolution is cut into tiles. Sizes in elements unless they say otherwise. */
export interface Winograd {
  readonly channels: number;
  readonly filters: number;
  /** Of the output. */
  readonly height: number;
  readonly width: number;
  /** Of the copy of the image. */
  readonly imageRow: number;
  readonly imageChannel: number;
  /** Of the filters; rows and columns may be turned. */
  readonly filter: number;
  readonly strides: { readonly channel: number; readonly row: number; readonly column: number };
  /** Tiles of a row, whole groups, and rows of tiles: in all, and of a block. */
  readonly tileColumns: number;
  readonly tileRows: number;
  readonly blockRows: number;
  readonly micro: MicroKernel;
}

/** A convolution that is computed so: the copy of its image, and the scratch memory that it needs. */
export interface WinogradPlan {
  readonly winograd: Winograd;
  readonly stage: Stage;
  readonly scratchBytes: number;
}

/** Channels and filters from which the transforms cost less than they save. */
const leastChannels = 16;
/** Outputs in all for which transformed filters are used, so that transforming them pays. */
const leastOutputs = 96;
/** Multiplications saved, counting those of tiles that are partly outside. */
const leastSaving = 1.5;
/** Of transformed tiles and products, so that both stay in the second-level cache. */
const blockBytes = 768 << 10;

/** The sum of an output's place and a filter's along an axis, which the image's place must be a function of. */
const pairOf = (form: Form, out: number, tap: number): Limit => ({
  term: linear(
    0,
    [out, tap].map((index) => ({ atom: { kind: 'var', index, size: form.axes[index]!.size }, factor: 1 })),
  ),
  min: 0,
  end: form.axes[out]!.size + 2,
});

/** The image with a limit on each of two sums, or null where another sum is limited. */
function limited(form: Form, pairs: readonly (readonly [number, number])[]): Factor | null {
  const { rhs } = form;
  const own = (limit: Limit, [place, tap]: readonly [number, number]): boolean =>
    limit.term.mask === ((1 << place) | (1 << tap)) &&
    factorOf(limit.term, place) === 1 &&
    factorOf(limit.term, tap) === 1;
  if (rhs.limits.some((limit) => !pairs.some((pair) => own(limit, pair)))) return null;
  const missing = pairs.filter((pair) => !rhs.limits.some((limit) => own(limit, pair)));
  return { ...rhs, limits: [...rhs.limits, ...missing.map(([out, tap]) => pairOf(form, out, tap))] };
}

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

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
  const images = batch.reduce((product, axis) => product * (strideOf(form.rhs, axis) === 0 ? 1 : size(axis)), 1);
  if (Math.min(filters, channels) < leastChannels || images * height * width < leastOutputs) return null;
  const tileRows = Math.ceil(height / TILE);
  const tileColumns = roundUp(Math.ceil(width / TILE), GROUP);
  if ((height * width * 9) / (tileRows * tileColumns * PLACES) < leastSaving) return null;
  const image = limited(form, [
    [y, row],
    [x, column],
  ]);
  const stage = image && stageOf(form, image, 0);
  if (!stage) return null;
  const at = (axis: number) => strideOf(stage.factor, axis);
  if (at(x) !== 1 || at(column) !== 1 || at(y) !== at(row) || at(y) < width + 2 || at(channel) < at(y)) return null;
  const winograd: Winograd = {
    ...{ channels, filters, height, width, tileColumns, tileRows, micro },
    imageRow: at(y),
    imageChannel: at(channel),
    filter: strideOf(form.lhs, filter),
    strides: {
      channel: strideOf(form.lhs, channel),
      row: strideOf(form.lhs, row),
      column: strideOf(form.lhs, column),
    },
    blockRows: blockRowsOf(channels + filters, tileRows, tileColumns),
  };
  // Tiles at the edges read beyond the copy; no output that exists depends on what they find.
  const last =
    (channels - 1) * at(channel) +
    (TILE * tileRows + 1) * at(y) +
    TILE * tileColumns +
    2 * GROUP +
    (height + 2) * at(y);
  const padded = { ...stage, bytes: roundUp(Math.max(stage.bytes, last * 4), 64) };
  const scratchBytes = padded.bytes + imageBytes(winograd) + productBytes(winograd);
  return { winograd, stage: padded, scratchBytes };
}

/** Rows of tiles of a block: what the cache holds, in blocks of nearly equal size. */
function blockRowsOf(matrices: number, tileRows: number, tileColumns: number): number {
  const fit = Math.max(1, Math.floor(blockBytes / (PLACES * 4 * matrices * tileColumns)));
  const least = Math.ceil(32 / tileColumns);
  const blocks = Math.ceil(tileRows / Math.min(tileRows, Math.max(fit, least)));
  return Math.ceil(tileRows / blocks);
}

const tilesOf = ({ blockRows, tileColumns }: Winograd): number => blockRows * tileColumns;
/** Bytes of one of 16 matrices. Those of a tile must not lie at equal places modulo 4096, where they share lines of the cache. */
const plane = (elements: number): number => roundUp(elements * 4, 4096) + 192;
const filterPlane = ({ filters, channels }: Winograd): number => plane(filters * channels);
const imagePlane = (w: Winograd): number => plane(roundUp(tilesOf(w), 8) * w.channels);
const productPlane = (w: Winograd): number => plane(tilesOf(w) * w.filters);
const imageBytes = (w: Winograd): number => PLACES * imagePlane(w);
const productBytes = (w: Winograd): number => PLACES * productPlane(w);

/** Bytes of all transformed filters. */
export const filterBytes = (w: Winograd): number => PLACES * filterPlane(w);

/** The product of one place: filters × channels times channels × tiles, the latter in panels. */
const specOf = (w: Winograd): GemmSpec => ({
  dtype: 'f32',
  m: w.filters,
  n: tilesOf(w),
  k: w.channels,
  a: { m: w.channels, k: 1 },
  b: { k: tilesOf(w), n: 1 },
  panels: true,
  cRow: tilesOf(w),
  micro: w.micro,
});

/** Writes the transformation of filters `frame.begin` to `frame.end`; `push` pushes the address of the first filter. */
export function emitFilterTransform(frame: Frame, w: Winograd, push: () => void): void {
  const { f } = frame;
  const [filter, channel, last] = f.locals('i32', 3) as [Local, Local, Local];
  const [from, to] = f.locals('i32', 2) as [Local, Local];
  const bytes = { channel: w.strides.channel * 4, row: w.strides.row * 4, column: w.strides.column * 4 };
  f.for(filter, { from: frame.begin, to: frame.end }, () => {
    f.for(channel, { to: w.channels, step: GROUP }, () => {
      // The last group overlaps the one before it.
      f.i32(w.channels - GROUP)
        .get(channel)
        .i32(w.channels - GROUP)
        .get(channel)
        .op('i32.lt_s')
        .select()
        .set(last);
      push();
      f.get(filter)
        .i32(w.filter * 4)
        .op('i32.mul')
        .op('i32.add');
      f.get(last).i32(bytes.channel).op('i32.mul').op('i32.add').set(from);
      frame.pushShared();
      f.get(filter).i32(w.channels).op('i32.mul').get(last).op('i32.add').i32(4).op('i32.mul').op('i32.add').set(to);
      const target = { address: to, step: filterPlane(w) };
      emitFilters(f, frame.target.constants, { address: from, strides: bytes }, target);
    });
  });
}

/** What a convolution of one image is called with. */
export interface WinogradCall {
  /** Pushes the address of the copy of the image, of the output, and of memory of its own. */
  pushImage(): void;
  pushOutput(): void;
  pushScratch(): void;
  readonly from: Local | number;
  readonly to: Local | number;
}

/** Defines the functions that a convolution needs and returns what writes the code for the filters of a range. */
export function winogradCall(frame: Frame, module: ModuleBuilder, w: Winograd): (call: WinogradCall) => void {
  const { f } = frame;
  const gemm = emitGemm(module, specOf(w));
  const toPanels = imageFunction(module, w);
  const toOutput = outputFunction(module, w);
  return (call) => {
    const [tileRow, rows, place] = f.borrowAll('i32', 3) as [Local, Local, Local];
    const [a, b, c] = f.borrowAll('i32', 3) as [Local, Local, Local];
    const pushProducts = () => {
      call.pushScratch();
      f.i32(imageBytes(w)).op('i32.add');
    };
    f.for(tileRow, { to: w.tileRows, step: w.blockRows }, () => {
      f.i32(w.blockRows).i32(w.tileRows).get(tileRow).op('i32.sub');
      f.i32(w.blockRows).i32(w.tileRows).get(tileRow).op('i32.sub').op('i32.lt_s').select().set(rows);
      call.pushImage();
      f.get(tileRow)
        .i32(TILE * w.imageRow * 4)
        .op('i32.mul')
        .op('i32.add');
      call.pushScratch();
      f.get(rows).call(toPanels);
      frame.pushShared();
      f.set(a);
      call.pushScratch();
      f.set(b);
      pushProducts();
      f.set(c);
      f.for(place, { to: PLACES }, () => {
        f.get(a).get(b).get(c).push(call.from).push(call.to).i32(0).call(gemm);
        f.increment(a, filterPlane(w)).increment(b, imagePlane(w)).increment(c, productPlane(w));
      });
      pushProducts();
      call.pushOutput();
      f.get(tileRow)
        .i32(TILE * w.width * 4)
        .op('i32.mul')
        .op('i32.add');
      f.push(call.from).push(call.to).get(rows);
      f.i32(w.height).get(tileRow).i32(TILE).op('i32.mul').op('i32.sub').call(toOutput);
    });
    f.release(tileRow, rows, place, a, b, c);
  };
}

/** A function (image, panels, rows) that transforms some rows of tiles of all channels. */
function imageFunction(module: ModuleBuilder, w: Winograd): number {
  const tiles = module.function({ params: ['i32', 'i32'] }, (f) => {
    const [address, to] = f.params as [Local, Local];
    emitImage(f, { address, rowBytes: w.imageRow * 4 }, { address: to, step: imagePlane(w) });
  });
  const panels = Math.ceil(tilesOf(w) / 8);
  return module.function({ params: ['i32', 'i32', 'i32'] }, (f) => {
    const [image, to, rows] = f.params as [Local, Local, Local];
    const [channel, row, column, tile, from, base] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
    for (let first = 0; first < w.channels; first += BLOCK_K) {
      const depth = Math.min(BLOCK_K, w.channels - first);
      f.for(channel, { to: depth }, () => {
        f.get(to)
          .i32(first * panels * 32)
          .op('i32.add')
          .get(channel)
          .i32(32)
          .op('i32.mul')
          .op('i32.add')
          .set(base);
        f.i32(0).set(tile);
        f.for(row, { to: rows }, () => {
          f.get(image).get(channel).i32(first).op('i32.add');
          f.i32(w.imageChannel * 4)
            .op('i32.mul')
            .op('i32.add');
          f.get(row)
            .i32(TILE * w.imageRow * 4)
            .op('i32.mul')
            .op('i32.add')
            .set(from);
          f.for(column, { to: w.tileColumns, step: GROUP }, () => {
            f.get(from).get(base);
            // The panel of eight tiles, and the half of it.
            f.get(tile)
              .i32(3)
              .op('i32.shr_u')
              .i32(depth * 32)
              .op('i32.mul')
              .op('i32.add');
            f.get(tile).i32(4).op('i32.and').i32(4).op('i32.mul').op('i32.add').call(tiles);
            f.increment(tile, GROUP).increment(from, TILE * GROUP * 4);
          });
        });
      });
    }
  });
}

/**
 * A function (products, output, from, to, rows, left) that transforms some rows of tiles of some filters into the output,
 * of which `left` rows are left.
 */
function outputFunction(module: ModuleBuilder, w: Winograd): number {
  const group = TILE * GROUP;
  const rest = w.width % group;
  const define = (columns: number, both: boolean) => (columns > 0 ? outputTiles(module, w, columns, both) : -1);
  const [whole, wholeTop] = [define(w.width >= group ? group : 0, true), define(w.width >= group ? group : 0, false)];
  const [part, partTop] = [define(rest, true), define(rest, false)];
  return module.function({ params: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] }, (f) => {
    const [products, output, begin, end, rows, left] = f.params as [Local, Local, Local, Local, Local, Local];
    const [filter, row, column, from, to] = f.locals('i32', 5) as [Local, Local, Local, Local, Local];
    const line = (wide: number, narrow: number) => {
      const call = (tiles: number) => f.get(from).get(to).call(tiles);
      const next = () => f.increment(from, GROUP * 4).increment(to, group * 4);
      f.for(column, { to: Math.floor(w.width / group) }, () => {
        call(wide);
        next();
      });
      if (rest > 0) call(narrow);
    };
    f.for(filter, { from: begin, to: end }, () => {
      f.for(row, { to: rows }, () => {
        f.get(products);
        f.get(filter).i32(w.blockRows).op('i32.mul').get(row).op('i32.add');
        f.i32(w.tileColumns * 4)
          .op('i32.mul')
          .op('i32.add')
          .set(from);
        f.get(output).get(filter).i32(w.height).op('i32.mul').get(row).i32(TILE).op('i32.mul').op('i32.add');
        f.i32(w.width * 4)
          .op('i32.mul')
          .op('i32.add')
          .set(to);
        if (w.height % TILE === 0) line(whole, part);
        else {
          f.get(row)
            .i32(TILE)
            .op('i32.mul')
            .i32(1)
            .op('i32.add')
            .get(left)
            .op('i32.lt_s')
            .if(
              () => line(whole, part),
              () => line(wholeTop, partTop),
            );
        }
      });
    });
  });
}

/** A function (products, output) for four tiles, of whose outputs there are so many columns, and one row or two. */
function outputTiles(module: ModuleBuilder, w: Winograd, columns: number, both: boolean): number {
  return module.function({ params: ['i32', 'i32'] }, (f) => {
    const [address, to] = f.params as [Local, Local];
    const rows = emitOutputs(f, { address, step: productPlane(w) });
    for (const [row, [even, odd]] of rows.slice(0, both ? 2 : 1).entries()) {
      for (let first = 0; first < columns; first += 4) {
        f.scratch('v128', (value) => {
          f.get(even).get(odd);
          if (first === 0) f.shuffle32(0, 4, 1, 5).set(value);
          else f.shuffle32(2, 6, 3, 7).set(value);
          const offset = (row * w.width + first) * 4;
          storePartial(f, LANES.f32, Math.min(4, columns - first), { address: to, offset, value });
        });
      }
    }
  });
}
