/*
 * One tile of a convolution as plain sums, in the order of channels, rows and columns, for tiles whose transforms are not finite.
 */
import type { Local, ModuleBuilder } from '../../../wasm/assembler';
import { LANES, multiplyAdd, storePartial } from '../../gemm/lanes';
import type { Layout } from './layout';
import type { Arithmetic } from './vectors';

const taps = [0, 1, 2].flatMap((row) => [0, 1, 2].map((column) => ({ row, column })));

/**
 * A function (image, filters, output, rows, count) for one tile of up to four filters, of which there are so many rows, and `columns`
 * columns.
 */
export function plainFunction(
  module: ModuleBuilder,
  w: Layout,
  { fused }: Pick<Arithmetic, 'fused'>,
  columns: number,
): number {
  const { filter, channel: channelStep, row: rowStep, column: columnStep } = w.filterStrides;
  const low = Math.min(0, rowStep * 2) + Math.min(0, columnStep * 2);
  return module.function({ params: ['i32', 'i32', 'i32', 'i32', 'i32'] }, (f) => {
    const [image, filters, output, rows, count] = f.params as [Local, Local, Local, Local, Local];
    const [number, channel, from, weights] = f.locals('i32', 4) as [Local, Local, Local, Local];
    const sums = f.locals('v128', w.tile.size);
    const weight = f.local('v128');
    f.i32(4).get(count).i32(4).get(count).op('i32.lt_s').select().set(count);
    f.for(number, { to: count }, () => {
      f.get(filters);
      f.get(number)
        .i32(filter * 4)
        .op('i32.mul')
        .op('i32.add')
        .i32(low * 4)
        .op('i32.add')
        .set(weights);
      f.get(image).set(from);
      for (const sum of sums) f.v128(new Uint8Array(16)).set(sum);
      f.for(channel, { to: w.channels }, () => {
        for (const { row, column } of taps) {
          f.get(weights)
            .mem('v128.load32_splat', (row * rowStep + column * columnStep - low) * 4, 2)
            .set(weight);
          for (const [i, sum] of sums.entries()) {
            f.get(weight)
              .get(from)
              .mem('v128.load', ((row + i) * w.imageRow + column) * 4, 2);
            multiplyAdd(f, LANES.f32, fused, sum);
          }
        }
        f.increment(from, w.imageChannel * 4).increment(weights, channelStep * 4);
      });
      for (const [row, value] of sums.entries()) {
        f.get(rows)
          .i32(row)
          .op('i32.gt_s')
          .if(() => storePartial(f, LANES.f32, columns, { address: output, offset: row * w.width * 4, value }));
      }
      f.increment(output, w.outputFilter * 4);
    });
  });
}
