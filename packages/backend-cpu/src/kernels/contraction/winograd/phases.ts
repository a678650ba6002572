/*
 * The loops of a convolution by tiles. Block by block, images are transformed into V, and then, panel by panel of filters, each of the
 * places is multiplied and the products become outputs while they are in the cache.
 */
import type { Local, ModuleBuilder } from '../../../wasm/assembler';
import { emitGemm, type GemmSpec } from '../../gemm/gemm';
import type { Frame } from '../../target';
import { imageFunction } from './image';
import {
  AHEAD,
  filterBytes,
  type Layout,
  PANEL,
  panelBytes,
  placeBytes,
  planeBytes,
  productBytes,
  scratchOf,
  tilesOf,
} from './layout';
import { outputFunction } from './outputs';

interface Range {
  readonly from: Local | number;
  readonly to: Local | number;
}

/** What a convolution is called with. */
export interface ConvolutionCall {
  readonly images: Range;
  /** Multiples of a panel, unless it is all. */
  readonly filters: Range;
  /** Writes the copy of the image whose number a local holds to where another says. */
  copyImage(image: Local, to: Local): void;
  /** Pushes the address of its outputs. */
  pushOutput(image: Local): void;
  /** Pushes the address of the filters as they are given. */
  pushFilters(): void;
  /** Pushes the address of memory of its own. */
  pushScratch(): void;
}

/** Bytes of filters that do not stay in the second-level cache. */
const readAheadFrom = 1 << 20;

/** The product of one place and one panel: tiles × channels times channels × 8 filters. */
const specOf = (w: Layout): GemmSpec => ({
  dtype: 'f32',
  m: tilesOf(w),
  n: PANEL,
  k: w.channels,
  a: { m: w.channels, k: 1 },
  b: { k: PANEL, n: 1 },
  panels: true,
  ...(filterBytes(w) > readAheadFrom && { ahead: AHEAD }),
  cRow: w.tile.places * PANEL,
  micro: w.micro,
});

/** Defines the functions that a convolution needs and returns what writes the code for some images and filters. */
export function convolutionCall(frame: Frame, module: ModuleBuilder, w: Layout): (call: ConvolutionCall) => void {
  const { f, target } = frame;
  const arithmetic = { constants: target.constants, fused: w.micro.fused };
  const multiply = emitGemm(module, specOf(w));
  const transformImage = imageFunction(module, w, arithmetic);
  const transformOutput = outputFunction(module, w, arithmetic);
  const scratch = scratchOf(w);

  /** Sets a local to the smaller of a number and what is left. */
  const setLess = (local: Local, most: number, [end, at]: readonly [Local | number, Local]) => {
    f.i32(most).push(end).get(at).op('i32.sub');
    f.i32(most).push(end).get(at).op('i32.sub').op('i32.lt_s').select().set(local);
  };

  return (call) => {
    const [image, images, number, row, rows] = f.borrowAll('i32', 5) as [Local, Local, Local, Local, Local];
    const [filter, tiles, at] = f.borrowAll('i32', 3) as [Local, Local, Local];
    /** Pushes an address in the scratch memory, for the image `number` of the block. */
    const pushOwn = (offset: number, perImage = 0) => {
      call.pushScratch();
      f.i32(offset).op('i32.add');
      if (perImage > 0 && w.blockImages > 1) f.get(number).i32(perImage).op('i32.mul').op('i32.add');
    };
    const setImage = () => f.get(image).get(number).op('i32.add').set(at);
    const tilesOfImage = w.tileRows * w.tileColumns;
    const pushImage = () => {
      pushOwn(0, w.imageBytes);
      f.get(row)
        .i32(w.tile.size * w.imageRow * 4)
        .op('i32.mul')
        .op('i32.add');
    };

    const copyImages = () =>
      f.for(number, { to: images }, () => {
        f.scratch('i32', (to) => {
          pushOwn(0, w.imageBytes);
          f.set(to);
          setImage();
          call.copyImage(at, to);
        });
      });
    const transformImages = () =>
      f.for(number, { to: images }, () => {
        pushImage();
        pushOwn(scratch.transformed, tilesOfImage * w.channels * 4);
        pushOwn(scratch.temporary);
        f.get(rows).call(transformImage);
      });
    const multiplyPlaces = () => {
      const [place, a, b, c] = f.borrowAll('i32', 4) as [Local, Local, Local, Local];
      pushOwn(scratch.transformed);
      f.set(a);
      frame.pushShared();
      f.get(filter)
        .i32(panelBytes(w) / PANEL)
        .op('i32.mul')
        .op('i32.add')
        .set(b);
      pushOwn(scratch.products);
      f.set(c);
      f.for(place, { to: w.tile.places }, () => {
        f.get(a).get(b).get(c).i32(0).get(tiles).i32(0).call(multiply);
        f.increment(a, planeBytes(w))
          .increment(b, placeBytes(w))
          .increment(c, PANEL * 4);
      });
      f.release(place, a, b, c);
    };
    const transformOutputs = () =>
      f.for(number, { to: images }, () => {
        pushOwn(scratch.products, tilesOfImage * productBytes(w));
        setImage();
        call.pushOutput(at);
        f.get(filter)
          .i32(w.outputFilter * 4)
          .op('i32.mul')
          .op('i32.add');
        f.get(row)
          .i32(w.tile.size * w.width * 4)
          .op('i32.mul')
          .op('i32.add');
        pushImage();
        call.pushFilters();
        f.get(filter)
          .i32(w.filterStrides.filter * 4)
          .op('i32.mul')
          .op('i32.add');
        pushOwn(scratch.temporary);
        f.get(rows).i32(w.height).get(row).i32(w.tile.size).op('i32.mul').op('i32.sub');
        f.i32(w.filters).get(filter).op('i32.sub').call(transformOutput);
      });

    f.for(image, { ...call.images, step: w.blockImages }, () => {
      setLess(images, w.blockImages, [call.images.to, image]);
      copyImages();
      f.for(row, { to: w.tileRows, step: w.blockRows }, () => {
        setLess(rows, w.blockRows, [w.tileRows, row]);
        transformImages();
        f.get(images).get(rows).op('i32.mul').i32(w.tileColumns).op('i32.mul').set(tiles);
        f.for(filter, { ...call.filters, step: PANEL }, () => {
          multiplyPlaces();
          transformOutputs();
        });
      });
    });
    f.release(image, images, number, row, rows, filter, tiles, at);
  };
}
