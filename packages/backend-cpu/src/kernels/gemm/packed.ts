/*
 * Large products, blocked for the caches as in Goto & van de Geijn 2008.
 *
 * For each block of columns and of depth, B is packed into panels two vectors wide; for each block of rows, A into
 * panels as high as the register tile; then a panel of B stays in the first-level cache while all panels of A pass. C
 * carries the sums from one block of depth to the next, so each element is one sum in the order of k. Every call packs
 * for itself into its own scratch. Tiles and packers are functions of their own (see direct.ts).
 */

import type { FunctionBuilder, I32Operand, Local, ModuleBuilder } from '../../wasm/assembler';
import { LANES } from './lanes';
import { stridedPackA, stridedPackB } from './pack';
import { forRowTiles, tileHeights } from './rows';
import { BLOCK_K, BLOCK_M, BLOCK_N, type GemmSpec, packedABytes } from './spec';
import { emitTile } from './tile';

/** The functions that the driver calls, by tile height where there are several. */
interface Parts {
  readonly packA: ReadonlyMap<number, number>;
  readonly packB: number;
  readonly tile: ReadonlyMap<number, number>;
  /** For the last columns; empty where the width divides n. */
  readonly tailTile: ReadonlyMap<number, number>;
}

/** Defines the functions of the plan and returns the index of the one over rows. */
export function emitPacked(module: ModuleBuilder, spec: GemmSpec, exportName?: string): number {
  const heights = tileHeights(spec.micro.rows).filter((height) => height <= spec.m);
  const width = LANES[spec.dtype].count * 2;
  const tail = spec.n % width;
  const each = (define: (rows: number) => number) => new Map(heights.map((rows) => [rows, define(rows)]));
  const parts: Parts = {
    packA: each((rows) => emitPackA(module, spec, rows)),
    packB: emitPackB(module, spec, width),
    tile: spec.n < width ? new Map() : each((rows) => emitTileFunction(module, spec, rows, width)),
    tailTile: tail === 0 ? new Map() : each((rows) => emitTileFunction(module, spec, rows, tail)),
  };
  const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  return module.function({ params, export: exportName }, (f) => emitDriver(f, spec, parts));
}

/** A function (aBase, dest, kStart, kCount, rowStart). */
function emitPackA(module: ModuleBuilder, spec: GemmSpec, rowCount: number): number {
  const pack = typeof spec.a === 'function' ? spec.a : stridedPackA(LANES[spec.dtype], spec.a);
  return module.function({ params: ['i32', 'i32', 'i32', 'i32', 'i32'] }, (f) => {
    const [base, dest, kStart, kCount, rowStart] = f.params as Five;
    pack(f, { base, dest, kStart, kCount, rowStart, rowCount });
  });
}

/** A function (bBase, dest, kStart, kCount, nStart, nCount). */
function emitPackB(module: ModuleBuilder, spec: GemmSpec, width: number): number {
  const pack = typeof spec.b === 'function' ? spec.b : stridedPackB(LANES[spec.dtype], spec.b, spec.n);
  return module.function({ params: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] }, (f) => {
    const [base, dest, kStart, kCount, nStart, nCount] = f.params as [...Five, Local];
    pack(f, { base, dest, kStart, kCount, nStart, nCount, width });
  });
}

type Five = [Local, Local, Local, Local, Local];

/** A function (aPanel, bPanel, c, kCount, continues). */
function emitTileFunction(module: ModuleBuilder, spec: GemmSpec, rows: number, columns: number): number {
  const lanes = LANES[spec.dtype];
  return module.function({ params: ['i32', 'i32', 'i32', 'i32', 'i32'] }, (f) => {
    const [a, b, c, k, continues] = f.params as Five;
    const tile = {
      lanes,
      fused: spec.micro.fused,
      unroll: spec.micro.unroll,
      rows,
      columns,
      padded: true,
      aRow: lanes.bytes,
      aStep: rows * lanes.bytes,
      bStep: lanes.count * 2 * lanes.bytes,
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

/** The loops over blocks: columns, depth, rows. */
function emitDriver(f: FunctionBuilder, spec: GemmSpec, parts: Parts): void {
  const [rowBegin, rowEnd] = [f.param(3), f.param(4)];
  const [nStart, kStart, rowStart] = f.locals('i32', 3) as [Local, Local, Local];
  const [nCount, kCount, rowCount] = f.locals('i32', 3) as [Local, Local, Local];
  const blockEnd = f.local('i32');
  f.for(nStart, { to: spec.n, step: BLOCK_N }, () => {
    setBlock(f, nCount, nStart, [BLOCK_N, spec.n]);
    f.for(kStart, { to: spec.k, step: BLOCK_K }, () => {
      setBlock(f, kCount, kStart, [BLOCK_K, spec.k]);
      emitPackBlockB(f, spec, parts, { nStart, nCount, kStart, kCount });
      f.for(rowStart, { from: rowBegin, to: rowEnd, step: BLOCK_M }, () => {
        setBlock(f, rowCount, rowStart, [BLOCK_M, rowEnd]);
        f.get(rowStart).get(rowCount).op('i32.add').set(blockEnd);
        const block = { nStart, nCount, kStart, kCount, rowStart, blockEnd };
        emitPackBlockA(f, spec, parts, block);
        emitBlock(f, spec, parts, block);
      });
    });
  });
}

interface Block {
  readonly nStart: Local;
  readonly nCount: Local;
  readonly kStart: Local;
  readonly kCount: Local;
}

interface RowBlock extends Block {
  readonly rowStart: Local;
  readonly blockEnd: Local;
}

/** Adds `count · kCount` elements to an address. */
function skipPanel(
  f: FunctionBuilder,
  spec: GemmSpec,
  address: Local,
  { count, kCount }: { count: number; kCount: Local },
): void {
  f.get(address)
    .get(kCount)
    .i32(count * LANES[spec.dtype].bytes)
    .op('i32.mul')
    .op('i32.add')
    .set(address);
}

/** Pushes the address of packed B. */
function pushPackedB(f: FunctionBuilder, spec: GemmSpec): FunctionBuilder {
  return f.get(f.param(5)).i32(packedABytes(spec)).op('i32.add');
}

function emitPackBlockB(f: FunctionBuilder, spec: GemmSpec, parts: Parts, block: Block): void {
  const width = LANES[spec.dtype].count * 2;
  const [j, left, dest] = [f.borrow('i32'), f.borrow('i32'), f.borrow('i32')];
  pushPackedB(f, spec).set(dest);
  f.for(j, { to: block.nCount, step: width }, () => {
    setBlock(f, left, j, [width, block.nCount]);
    f.get(f.param(1)).get(dest).get(block.kStart).get(block.kCount);
    f.get(block.nStart).get(j).op('i32.add').get(left).call(parts.packB);
    skipPanel(f, spec, dest, { count: width, kCount: block.kCount });
  });
  f.release(j, left, dest);
}

function emitPackBlockA(f: FunctionBuilder, spec: GemmSpec, parts: Parts, block: RowBlock): void {
  const [row, dest] = [f.borrow('i32'), f.borrow('i32')];
  f.get(block.rowStart).set(row);
  f.get(f.param(5)).set(dest);
  forRowTiles(f, { row, end: block.blockEnd, full: spec.micro.rows }, (height) => {
    const pack = parts.packA.get(height);
    if (pack === undefined) return; // no call has so many rows
    f.get(f.param(0)).get(dest).get(block.kStart).get(block.kCount).get(row).call(pack);
    skipPanel(f, spec, dest, { count: height, kCount: block.kCount });
  });
  f.release(row, dest);
}

/** All tiles of one block: panels of B outside, of A inside. */
function emitBlock(f: FunctionBuilder, spec: GemmSpec, parts: Parts, block: RowBlock): void {
  const width = LANES[spec.dtype].count * 2;
  const [j, panelB] = [f.borrow('i32'), f.borrow('i32')];
  const fullEnd = f.borrow('i32');
  pushPackedB(f, spec).set(panelB);
  f.get(block.nCount).i32(-width).op('i32.and').set(fullEnd);
  f.for(j, { to: fullEnd, step: width }, () => {
    emitColumn(f, spec, parts.tile, { ...block, j, panelB });
    skipPanel(f, spec, panelB, { count: width, kCount: block.kCount });
  });
  if (spec.n % width > 0) {
    f.get(j)
      .get(block.nCount)
      .op('i32.lt_s')
      .if(() => emitColumn(f, spec, parts.tailTile, { ...block, j, panelB }));
  }
  f.release(j, panelB, fullEnd);
}

/** The tiles of all rows of a block against one panel of B. */
function emitColumn(
  f: FunctionBuilder,
  spec: GemmSpec,
  tiles: ReadonlyMap<number, number>,
  block: RowBlock & { readonly j: Local; readonly panelB: Local },
): void {
  const { bytes } = LANES[spec.dtype];
  const [row, panelA] = [f.borrow('i32'), f.borrow('i32')];
  f.get(block.rowStart).set(row);
  f.get(f.param(5)).set(panelA);
  forRowTiles(f, { row, end: block.blockEnd, full: spec.micro.rows }, (height) => {
    const tile = tiles.get(height);
    if (tile === undefined) return; // no call has so many rows or columns
    f.get(panelA).get(block.panelB);
    f.get(row).i32(spec.cRow).op('i32.mul').get(block.nStart).op('i32.add').get(block.j).op('i32.add');
    f.i32(bytes).op('i32.mul').get(f.param(2)).op('i32.add');
    f.get(block.kCount).get(block.kStart).call(tile);
    skipPanel(f, spec, panelA, { count: height, kCount: block.kCount });
  });
  f.release(row, panelA);
}
