/*
 * The image's part of a convolution by tiles: the elements under every tile become as many places, V = Bᵀ d B, four channels at a time, one
 * in each lane. Place by place, V is a matrix of tiles by channels, the left operand of a product.
 */
import type { FunctionBuilder, Local, ModuleBuilder } from '../../../wasm/assembler';
import { type Layout, planeBytes } from './layout';
import { type Arithmetic, emitTransform, type Four, loadPairs, transposed } from './vectors';

/** Channels whose tiles are written in turn, so that whole lines of the cache are. */
const channelsInTurn = 16;

/** The neighbours in a row of a tile, each a vector of four channels. To be released. */
function loadRow(f: FunctionBuilder, address: Local, { imageChannel, tile }: Layout, offset: number): Local[] {
  const offsets = [0, 1, 2, 3].map((channel) => offset + channel * imageChannel * 4) as [
    number,
    number,
    number,
    number,
  ];
  const rows = offsets.map((at) => {
    const row = f.borrow('v128');
    f.get(address).mem('v128.load', at, 2).set(row);
    return row;
  }) as unknown as Four;
  const columns = transposed(f, rows);
  f.release(...rows);
  if (tile.reach === 4) return [...columns];
  return [...columns, ...loadPairs(f, address, offsets.map((at) => at + 16) as [number, number, number, number])];
}

/** A function (image, to, temporary) for one tile of four channels. */
function tileFunction(module: ModuleBuilder, layout: Layout, arithmetic: Arithmetic): number {
  return module.function({ params: ['i32', 'i32', 'i32'] }, (f) => {
    const [image, to, temporary] = f.params as [Local, Local, Local];
    const { reach, image: transform } = layout.tile;
    const indices = Array.from({ length: reach }, (_, i) => i);
    for (const row of indices) {
      const elements = loadRow(f, image, layout, row * layout.imageRow * 4);
      emitTransform(f, arithmetic, transform, elements, (results) => {
        for (const [column, result] of results.entries()) {
          f.get(temporary)
            .get(result)
            .mem('v128.store', (row * reach + column) * 16);
        }
      });
      f.release(...elements);
    }
    for (const column of indices) {
      const elements = indices.map((row) => {
        const element = f.borrow('v128');
        f.get(temporary)
          .mem('v128.load', (row * reach + column) * 16)
          .set(element);
        return element;
      });
      emitTransform(f, arithmetic, transform, elements, (results) => {
        for (const [row, result] of results.entries()) {
          f.get(to)
            .get(result)
            .mem('v128.store', (row * reach + column) * planeBytes(layout), 2);
        }
      });
      f.release(...elements);
    }
  });
}

/** A function (image, to, temporary, rows) that transforms some rows of tiles of all channels. */
export function imageFunction(module: ModuleBuilder, layout: Layout, arithmetic: Arithmetic): number {
  const { channels, imageRow, imageChannel, tileColumns, tile } = layout;
  const transformTile = tileFunction(module, layout, arithmetic);
  return module.function({ params: ['i32', 'i32', 'i32', 'i32'] }, (f) => {
    const [image, target, temporary, rows] = f.params as [Local, Local, Local, Local];
    const [first, end, row, column, channel] = f.locals('i32', 5) as [Local, Local, Local, Local, Local];
    const [from, to, own] = f.locals('i32', 3) as [Local, Local, Local];
    f.for(first, { to: channels, step: channelsInTurn }, () => {
      f.get(first).i32(channelsInTurn).op('i32.add').set(end);
      f.i32(channels).get(end).i32(channels).get(end).op('i32.lt_s').select().set(end);
      f.get(target).set(to);
      f.for(row, { to: rows }, () => {
        f.get(image).get(row);
        f.i32(tile.size * imageRow * 4)
          .op('i32.mul')
          .op('i32.add')
          .set(from);
        f.for(column, { to: tileColumns }, () => {
          f.for(channel, { from: first, to: end, step: 4 }, () => {
            // The last four channels overlap those before them.
            f.i32(channels - 4).get(channel);
            f.i32(channels - 4)
              .get(channel)
              .op('i32.lt_s')
              .select()
              .set(own);
            f.get(from).get(own);
            f.i32(imageChannel * 4)
              .op('i32.mul')
              .op('i32.add');
            f.get(to).get(own).i32(4).op('i32.mul').op('i32.add').get(temporary).call(transformTile);
          });
          f.increment(from, tile.size * 4).increment(to, channels * 4);
        });
      });
    });
  });
}
