/*
 * Larger products, with B in panels and blocked for the caches as in Goto & van de Geijn 2008.
 *
 * A panel of B is two vectors wide. For a block of depth and of rows, one panel after the other stays in the first-level
 * cache while the rows of A pass; those that do not run along k are packed first, as high as the register tile. C carries
 * the sums from one block of depth to the next, so each element is one sum in the order of k. Panels lie one block of
 * depth after another. Either they are filled before (`emitPanels`), once for all calls, or each call fills some
 * columns' at a time for itself. Tiles and packers are functions of their own (see direct.ts).
 */

import type { FunctionBuilder, I32Operand, Local, ModuleBuilder } from '../../wasm/assembler';
import { LANES } from './lanes';
import { emitPackA, emitPackB, GROUP } from './pack';
import { forRowTiles, tileHeights } from './rows';
import { BLOCK_K, BLOCK_M, BLOCK_N, type GemmSpec, packedABytes, packsA, panelWidth } from './spec';
import { emitTile } from './tile';

/** The functions that the driver calls, by tile height where there are several. */
interface Parts {
  /** Empty where rows of A are read where they lie. */
  readonly packA: ReadonlyMap<number, number>;
  /** Packs several panels of full height, where that is quicker. */
  readonly packGroupA: number | undefined;
  /** Fills panels; absent where they are given. */
  readonly panels: number | undefined;
  readonly tile: ReadonlyMap<number, number>;
  /** For the last columns; empty where the width divides n. */
  readonly tailTile: ReadonlyMap<number, number>;
}

/** Defines the functions of the plan and returns the index of the one over rows. */
export function emitPacked(module: ModuleBuilder, spec: GemmSpec, exportName?: string): number {
  const heights = tileHeights(spec.micro.rows).filter((height) => height <= spec.m);
  const width = panelWidth(spec);
  const tail = spec.n % width;
  const each = (define: (rows: number) => number) => new Map(heights.map((rows) => [rows, define(rows)]));
  const parts: Parts = {
    packA: packsA(spec) ? each((rows) => packAFunction(module, spec, { panels: 1, rows })) : new Map(),
    packGroupA: groupsA(spec) ? packAFunction(module, spec, { panels: GROUP, rows: spec.micro.rows }) : undefined,
    panels: spec.panels ? undefined : panelsFunction(module, spec),
    tile: spec.n < width ? new Map() : each((rows) => tileFunction(module, spec, rows, width)),
    tailTile: tail === 0 ? new Map() : each((rows) => tileFunction(module, spec, rows, tail)),
  };
  const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  return module.function({ params, export: exportName }, (f) => emitDriver(f, spec, parts));
}

/**
 * Defines a function (bBase, dest, first, end) that fills panels `first` to `end` of all columns at `panelBytes(spec)` bytes
 * from `dest`, for a product that is given its panels.
 */
export function emitPanels(module: ModuleBuilder, spec: GemmSpec, exportName?: string): number {
  const fill = panelsFunction(module, spec);
  const width = panelWidth(spec);
  const panels = Math.ceil(spec.n / width);
  return module.function({ params: ['i32', 'i32', 'i32', 'i32'], export: exportName }, (f) => {
    const [source, dest, first, end] = f.params as [Local, Local, Local, Local];
    const columns = f.local('i32');
    f.get(end)
      .i32(panels)
      .op('i32.eq')
      .if(
        () => f.i32(spec.n).get(first).i32(width).op('i32.mul').op('i32.sub').set(columns),
        () => f.get(end).get(first).op('i32.sub').i32(width).op('i32.mul').set(columns),
      );
    f.get(source)
      .get(first)
      .i32(width * spec.b.n * LANES[spec.dtype].bytes)
      .op('i32.mul')
      .op('i32.add');
    f.get(dest).get(first).get(columns).i32(panels).call(fill);
  });
}

const groupsA = (spec: GemmSpec): boolean => packsA(spec) && spec.a.m === 1 && spec.m >= GROUP * spec.micro.rows;

/** A function (source, dest, kCount), with addresses of the first elements, for panels of so many rows side by side. */
function packAFunction(module: ModuleBuilder, spec: GemmSpec, shape: { panels: number; rows: number }): number {
  return module.function({ params: ['i32', 'i32', 'i32'] }, (f) => {
    const [source, dest, kCount] = f.params as [Local, Local, Local];
    emitPackA(f, LANES[spec.dtype], spec.a, shape, { source, dest, kCount });
  });
}

/** A function (source, dest, kCount) that fills panels side by side, the last of `columns` columns. */
function packBFunction(module: ModuleBuilder, spec: GemmSpec, shape: { panels: number; columns: number }): number {
  return module.function({ params: ['i32', 'i32', 'i32'] }, (f) => {
    const [source, dest, kCount] = f.params as [Local, Local, Local];
    emitPackB(f, LANES[spec.dtype], spec.b, shape, { source, dest, kCount });
  });
}

/**
 * A function (source, dest, first, columns, panels): fills the panels of `columns` columns, from the one numbered `first`
 * of `panels` in all, for every block of depth.
 */
function panelsFunction(module: ModuleBuilder, spec: GemmSpec): number {
  const { bytes } = LANES[spec.dtype];
  const width = panelWidth(spec);
  const tail = spec.n % width;
  const groups = [spec.b.n === 1 && spec.n >= GROUP * width ? GROUP : 0, spec.n >= width ? 1 : 0].filter((g) => g > 0);
  const whole = groups.map((panels) => ({ panels, call: packBFunction(module, spec, { panels, columns: width }) }));
  const last = tail > 0 ? packBFunction(module, spec, { panels: 1, columns: tail }) : undefined;
  return module.function({ params: ['i32', 'i32', 'i32', 'i32', 'i32'] }, (f) => {
    const [source, dest, first, columns, panels] = f.params as [Local, Local, Local, Local, Local];
    const [kStart, kCount, left, from, to] = f.locals('i32', 5) as [Local, Local, Local, Local, Local];
    const pack = (call: number) => f.get(from).get(to).get(kCount).call(call);
    f.for(kStart, { to: spec.k, step: BLOCK_K }, () => {
      setBlock(f, kCount, kStart, [BLOCK_K, spec.k]);
      // Panels of earlier blocks of depth, then earlier panels of this one.
      f.get(panels).get(kStart).op('i32.mul').get(first).get(kCount).op('i32.mul').op('i32.add');
      f.i32(width * bytes)
        .op('i32.mul')
        .get(dest)
        .op('i32.add')
        .set(to);
      f.get(kStart)
        .i32(spec.b.k * bytes)
        .op('i32.mul')
        .get(source)
        .op('i32.add')
        .set(from);
      f.get(columns).set(left);
      for (const group of whole) {
        f.block((done) => {
          f.loop((again) => {
            f.get(left)
              .i32(group.panels * width)
              .op('i32.lt_s')
              .brIf(done);
            pack(group.call);
            f.increment(from, group.panels * width * spec.b.n * bytes).increment(left, -group.panels * width);
            skip(f, to, kCount, group.panels * width * bytes);
            f.br(again);
          });
        });
      }
      if (last !== undefined) f.get(left).if(() => pack(last));
    });
  });
}

type Five = [Local, Local, Local, Local, Local];

/** A function (a, bPanel, c, kCount, continues). */
function tileFunction(module: ModuleBuilder, spec: GemmSpec, rows: number, columns: number): number {
  const lanes = LANES[spec.dtype];
  return module.function({ params: ['i32', 'i32', 'i32', 'i32', 'i32'] }, (f) => {
    const [a, b, c, k, continues] = f.params as Five;
    const [aRow, aStep] = packsA(spec) ? [1, rows] : [spec.a.m, 1];
    const tile = {
      lanes,
      fused: spec.micro.fused,
      unroll: spec.micro.unroll,
      rows,
      columns,
      padded: true,
      aRow: aRow * lanes.bytes,
      aStep: aStep * lanes.bytes,
      bStep: panelWidth(spec) * lanes.bytes,
      ahead: spec.ahead,
      cRow: spec.cRow * lanes.bytes,
      k,
      start: spec.accumulate === true ? 'c' : continues,
    } as const;
    emitTile(f, tile, { a, b, c });
  });
}

/** Sets `local` to min(size, total − start). */
function setBlock(f: FunctionBuilder, local: Local, start: Local, [size, total]: readonly [number, I32Operand]): void {
  f.i32(size).push(total).get(start).op('i32.sub');
  f.i32(size).push(total).get(start).op('i32.sub').op('i32.lt_s').select().set(local);
}

/** Adds `count · bytes` to an address. */
function skip(f: FunctionBuilder, address: Local, count: Local, bytes: number): void {
  f.get(address).get(count).i32(bytes).op('i32.mul').op('i32.add').set(address);
}

/** The loops over blocks: columns, depth, rows. So a block of C stays in the cache from one block of depth to the next. */
function emitDriver(f: FunctionBuilder, spec: GemmSpec, parts: Parts): void {
  const { bytes } = LANES[spec.dtype];
  const width = panelWidth(spec);
  const [b, rowBegin, rowEnd] = [f.param(1), f.param(3), f.param(4)];
  const [nStart, kStart, rowStart] = f.locals('i32', 3) as [Local, Local, Local];
  const [nCount, kCount, panels, panelB] = f.locals('i32', 4) as [Local, Local, Local, Local];
  const [rowCount, blockEnd] = f.locals('i32', 2) as [Local, Local];
  const columns = (body: () => void) =>
    f.for(nStart, { to: spec.n, step: BLOCK_N }, () => {
      setBlock(f, nCount, nStart, [BLOCK_N, spec.n]);
      if (parts.panels !== undefined) {
        f.get(nCount)
          .i32(width - 1)
          .op('i32.add')
          .i32(Math.log2(width))
          .op('i32.shr_u')
          .set(panels);
        f.get(b)
          .get(nStart)
          .i32(spec.b.n * bytes)
          .op('i32.mul')
          .op('i32.add');
        pushPackedB(f, spec).i32(0).get(nCount).get(panels).call(parts.panels);
      }
      body();
    });
  if (parts.panels === undefined) f.i32(Math.ceil(spec.n / width)).set(panels);
  columns(() =>
    f.for(kStart, { to: spec.k, step: BLOCK_K }, () => {
      setBlock(f, kCount, kStart, [BLOCK_K, spec.k]);
      f.for(rowStart, { from: rowBegin, to: rowEnd, step: BLOCK_M }, () => {
        setBlock(f, rowCount, rowStart, [BLOCK_M, rowEnd]);
        f.get(rowStart).get(rowCount).op('i32.add').set(blockEnd);
        const block = { nStart, nCount, kStart, kCount, rowStart, blockEnd, panelB };
        if (packsA(spec)) emitPackBlockA(f, spec, parts, block);
        if (parts.panels === undefined) f.get(b);
        else pushPackedB(f, spec);
        // Panels of earlier blocks of depth; those of earlier columns are only there where all panels are given.
        f.get(panels).get(kStart).op('i32.mul').i32(width).op('i32.mul');
        if (parts.panels === undefined) f.get(nStart).get(kCount).op('i32.mul').op('i32.add');
        f.i32(bytes).op('i32.mul').op('i32.add').set(panelB);
        emitBlock(f, spec, parts, block);
      });
    }),
  );
}

interface Block {
  readonly nStart: Local;
  readonly nCount: Local;
  readonly kStart: Local;
  readonly kCount: Local;
  readonly rowStart: Local;
  readonly blockEnd: Local;
  /** Of the first panel; moved on. */
  readonly panelB: Local;
}

/** Pushes the address of packed B in the call's own memory. */
function pushPackedB(f: FunctionBuilder, spec: GemmSpec): FunctionBuilder {
  return f.get(f.param(5)).i32(packedABytes(spec)).op('i32.add');
}

/** Pushes the address of A at a row and the block's depth. */
function pushA(f: FunctionBuilder, { a, dtype }: GemmSpec, row: Local, kStart: Local): void {
  const { bytes } = LANES[dtype];
  f.get(f.param(0))
    .get(row)
    .i32(a.m * bytes)
    .op('i32.mul')
    .op('i32.add');
  f.get(kStart)
    .i32(a.k * bytes)
    .op('i32.mul')
    .op('i32.add');
}

function emitPackBlockA(f: FunctionBuilder, spec: GemmSpec, parts: Parts, block: Block): void {
  const [row, dest] = [f.borrow('i32'), f.borrow('i32')];
  f.get(block.rowStart).set(row);
  f.get(f.param(5)).set(dest);
  if (parts.packGroupA !== undefined) {
    const rows = GROUP * spec.micro.rows;
    const remaining = () => f.get(block.blockEnd).get(row).op('i32.sub');
    f.block((done) => {
      f.loop((again) => {
        remaining().i32(rows).op('i32.lt_s').brIf(done);
        // Of 26 and 27 rows, forRowTiles takes the last 8 and 9 otherwise.
        if (spec.micro.rows === 6)
          remaining()
            .i32(rows + 2)
            .op('i32.sub')
            .i32(2)
            .op('i32.lt_u')
            .brIf(done);
        pushA(f, spec, row, block.kStart);
        f.get(dest).get(block.kCount).call(parts.packGroupA!);
        skip(f, dest, block.kCount, rows * LANES[spec.dtype].bytes);
        f.increment(row, rows).br(again);
      });
    });
  }
  forRowTiles(f, { row, end: block.blockEnd, full: spec.micro.rows }, (height) => {
    const pack = parts.packA.get(height);
    if (pack === undefined) return; // no call has so many rows
    pushA(f, spec, row, block.kStart);
    f.get(dest).get(block.kCount).call(pack);
    skip(f, dest, block.kCount, height * LANES[spec.dtype].bytes);
  });
  f.release(row, dest);
}

/** All tiles of one block: panels of B outside, rows of A inside. */
function emitBlock(f: FunctionBuilder, spec: GemmSpec, parts: Parts, block: Block): void {
  const width = panelWidth(spec);
  const [j, fullEnd] = [f.borrow('i32'), f.borrow('i32')];
  f.get(block.nCount).i32(-width).op('i32.and').set(fullEnd);
  f.for(j, { to: fullEnd, step: width }, () => {
    emitColumn(f, spec, parts.tile, { ...block, j });
    skip(f, block.panelB, block.kCount, width * LANES[spec.dtype].bytes);
  });
  if (spec.n % width > 0) {
    f.get(j)
      .get(block.nCount)
      .op('i32.lt_s')
      .if(() => emitColumn(f, spec, parts.tailTile, { ...block, j }));
  }
  f.release(j, fullEnd);
}

/** The tiles of all rows of a block against one panel of B. */
function emitColumn(
  f: FunctionBuilder,
  spec: GemmSpec,
  tiles: ReadonlyMap<number, number>,
  block: Block & { readonly j: Local },
): void {
  const { bytes } = LANES[spec.dtype];
  const packed = packsA(spec);
  const [row, panelA] = [f.borrow('i32'), f.borrow('i32')];
  f.get(block.rowStart).set(row);
  if (packed) f.get(f.param(5)).set(panelA);
  forRowTiles(f, { row, end: block.blockEnd, full: spec.micro.rows }, (height) => {
    const tile = tiles.get(height);
    if (tile === undefined) return; // no call has so many rows or columns
    if (packed) f.get(panelA);
    else pushA(f, spec, row, block.kStart);
    f.get(block.panelB);
    f.get(row).i32(spec.cRow).op('i32.mul').get(block.nStart).op('i32.add').get(block.j).op('i32.add');
    f.i32(bytes).op('i32.mul').get(f.param(2)).op('i32.add');
    f.get(block.kCount).get(block.kStart).call(tile);
    if (packed) skip(f, panelA, block.kCount, height * bytes);
  });
  f.release(row, panelA);
}
