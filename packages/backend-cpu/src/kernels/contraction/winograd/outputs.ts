/*
 * The last part of a convolution by tiles: the places of a product become outputs, Y = Aᵀ M A, four filters at a time, one in
 * each lane.
 *
 * Every output of a tile is a sum of elements under the whole tile, in which what lies outside its own 3×3 only cancels: an infinite
 * or NaN element, and one so large that its transform overflows, would spoil them all. So a tile whose product is not finite
 * is computed once more, as plain sums.
 */
import type { FunctionBuilder, Local, ModuleBuilder } from '../../../wasm/assembler';
import { LANES, storePartial } from '../../gemm/lanes';
import { type Layout, PANEL, productBytes } from './layout';
import { plainFunction } from './plain-tile';
import { type Arithmetic, emitTransform, type Four, transposed } from './vectors';

const lanes = [0, 1, 2, 3] as const;

/** Loads vectors that lie at equal distances. To be released. */
function loadAll(f: FunctionBuilder, address: Local, count: number, [first, step]: readonly [number, number]): Local[] {
  return Array.from({ length: count }, (_, i) => {
    const element = f.borrow('v128');
    f.get(address)
      .mem('v128.load', first + i * step, 2)
      .set(element);
    return element;
  });
}

/**
 * A function (product, output, temporary, rows, filters) → whether the product is finite, for one tile of up to four filters of
 * which there are so many rows, and `columns` columns.
 */
function tileFunction(module: ModuleBuilder, w: Layout, arithmetic: Arithmetic, columns: number): number {
  return module.function({ params: ['i32', 'i32', 'i32', 'i32', 'i32'], results: ['i32'] }, (f) => {
    const [product, output, temporary, rows, filters] = f.params as [Local, Local, Local, Local, Local];
    const { size, reach } = w.tile;
    const all = f.borrow('v128');
    f.v128(new Uint8Array(16)).set(all);
    for (let column = 0; column < reach; column++) {
      const places = loadAll(f, product, reach, [column * PANEL * 4, reach * PANEL * 4]);
      emitTransform(f, arithmetic, w.tile.output, places, (results) => {
        for (const [row, result] of results.entries()) {
          f.get(temporary)
            .get(result)
            .mem('v128.store', (row * reach + column) * 16);
          // The first row and the last have a part of every place.
          if (row === 0 || row === size - 1) f.get(all).get(result).op('f32x4.add').set(all);
        }
      });
      f.release(...places);
    }
    for (let row = 0; row < size; row++) {
      const store = () => emitRow(f, w, arithmetic, { output, temporary, filters, row, columns });
      if (row === 0) store();
      else f.get(rows).i32(row).op('i32.gt_s').if(store);
    }
    f.get(all).op('f32x4.abs');
    arithmetic.constants.splat(f, 'f32x4', Number.POSITIVE_INFINITY);
    f.op('f32x4.lt').op('i32x4.all_true');
  });
}

interface Row {
  readonly output: Local;
  readonly temporary: Local;
  readonly filters: Local;
  readonly row: number;
  readonly columns: number;
}

/** Transforms a row of a tile and stores it, for each filter at its place. */
function emitRow(f: FunctionBuilder, w: Layout, arithmetic: Arithmetic, at: Row): void {
  const { output, temporary, filters, row, columns } = at;
  const { reach } = w.tile;
  const places = loadAll(f, temporary, reach, [row * reach * 16, 16]);
  emitTransform(f, arithmetic, w.tile.output, places, (results) => {
    // Of two columns, each twice.
    const byFilter = transposed(f, lanes.map((lane) => results[lane % results.length]!) as unknown as Four);
    for (const lane of lanes) {
      const offset = (lane * w.outputFilter + row * w.width) * 4;
      const store = () => storePartial(f, LANES.f32, columns, { address: output, offset, value: byFilter[lane] });
      if (lane === 0 || w.filters % 4 === 0) store();
      else f.get(filters).i32(lane).op('i32.gt_s').if(store);
    }
    f.release(...byFilter);
  });
  f.release(...places);
}

/**
 * A function (products, output, image, filters, temporary, rows, height, count) that transforms some rows of tiles of one image
 * and up to eight filters into the output, of which `height` rows are left; `image` and `filters` are what was transformed.
 */
export function outputFunction(module: ModuleBuilder, w: Layout, arithmetic: Arithmetic): number {
  const { size } = w.tile;
  const rest = w.width % size;
  const define = (columns: number) => ({
    tile: tileFunction(module, w, arithmetic, columns),
    plain: plainFunction(module, w, arithmetic, columns),
  });
  const whole = w.width >= size ? define(size) : null;
  const part = rest > 0 ? define(rest) : null;
  const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  return module.function({ params }, (f) => {
    const [products, output, image, filters, temporary, rows, height, count] = f.params as [
      ...[Local, Local, Local, Local],
      ...[Local, Local, Local, Local],
    ];
    const [row, column, from, to, under, left] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
    const half = ({ tile, plain }: { tile: number; plain: number }, first: number) => {
      const distance = first * w.outputFilter * 4;
      const pushTo = () => f.get(to).i32(distance).op('i32.add');
      const pushLeft = () => f.get(count).i32(first).op('i32.sub');
      f.get(from)
        .i32(first * 4)
        .op('i32.add');
      pushTo().get(temporary).get(left);
      pushLeft().call(tile);
      f.op('i32.eqz').if(() => {
        f.get(under).get(filters);
        f.i32(first * w.filterStrides.filter * 4).op('i32.add');
        pushTo().get(left);
        pushLeft().call(plain);
      });
    };
    const tile = (functions: { tile: number; plain: number }) => {
      half(functions, 0);
      const other = () => half(functions, PANEL / 2);
      if (w.filters % PANEL === 0) other();
      else
        f.get(count)
          .i32(PANEL / 2)
          .op('i32.gt_s')
          .if(other);
      f.increment(from, productBytes(w))
        .increment(to, size * 4)
        .increment(under, size * 4);
    };
    f.get(products).set(from);
    f.for(row, { to: rows }, () => {
      const pushLines = (address: Local, line: number) =>
        f
          .get(address)
          .get(row)
          .i32(size * line * 4)
          .op('i32.mul')
          .op('i32.add');
      pushLines(output, w.width).set(to);
      pushLines(image, w.imageRow).set(under);
      f.get(height).get(row).i32(size).op('i32.mul').op('i32.sub').set(left);
      if (whole) f.for(column, { to: Math.floor(w.width / size) }, () => tile(whole));
      if (part) tile(part);
    });
  });
}
