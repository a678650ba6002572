/*
 * How a convolution by tiles lies in memory, and in what blocks it is computed. Sizes are in elements unless they say otherwise.
 *
 * In a call's own memory: the copies of the images of a block, with zeros around them to whole tiles; the transformed images, V, place by
 * place a matrix of tiles by channels; the products of one panel of filters, M, tile by tile all places of eight filters; and one
 * tile between its two transforms. A block is some rows of tiles of an image, or several small images.
 */
import type { MicroKernel } from '../../gemm/gemm';
import type { Tile } from './transforms';

export interface Layout {
  readonly tile: Tile;
  readonly channels: number;
  readonly filters: number;
  /** Of the output. */
  readonly height: number;
  readonly width: number;
  /** Of the copy of an image: from one row to the next, one channel to the next, and bytes of it all. */
  readonly imageRow: number;
  readonly imageChannel: number;
  readonly imageBytes: number;
  /** Of the filters; rows and columns may be turned. */
  readonly filterStrides: {
    readonly filter: number;
    readonly channel: number;
    readonly row: number;
    readonly column: number;
  };
  /** Of an image, in tiles. */
  readonly tileRows: number;
  readonly tileColumns: number;
  /** Of a block: rows of tiles, all of them where it has several images. */
  readonly blockRows: number;
  readonly blockImages: number;
  /** Of the output, from one filter to the next. */
  readonly outputFilter: number;
  readonly micro: MicroKernel;
}

/** Filters of a panel: two vectors. */
export const PANEL = 8;

/** Of transformed images, so that they stay in the second-level cache. */
const blockBytes = 512 << 10;
/** Tiles for which reading a panel of filters from beyond the second-level cache is hidden. */
const leastTiles = 24;

/** Rows of tiles and images of a block: what the cache holds, in blocks of nearly equal size. */
export function blockOf(
  bytesOfTile: number,
  {
    tileRows,
    tileColumns,
    images,
  }: { readonly tileRows: number; readonly tileColumns: number; readonly images: number },
): Pick<Layout, 'blockRows' | 'blockImages'> {
  const tiles = Math.max(leastTiles, Math.floor(blockBytes / bytesOfTile));
  const evenly = (count: number, most: number) =>
    Math.ceil(count / Math.ceil(count / Math.max(1, Math.min(count, most))));
  const blockImages = evenly(images, Math.floor(tiles / (tileRows * tileColumns)));
  const blockRows = blockImages > 1 ? tileRows : evenly(tileRows, Math.floor(tiles / tileColumns));
  return { blockRows, blockImages };
}

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

/** Tiles of a block. */
export const tilesOf = (w: Layout): number => w.blockImages * w.blockRows * w.tileColumns;

/** Bytes from one place of V to the next. They must not lie at equal places modulo 4096, where they share lines of the cache. */
export const planeBytes = (w: Layout): number => roundUp(tilesOf(w) * w.channels * 4, 4096) + 192;

/** Bytes of a tile of M. */
export const productBytes = ({ tile }: Layout): number => tile.places * PANEL * 4;

/** Bytes from one place of a panel of filters to the next, and of a panel. */
export const placeBytes = (w: Layout): number => w.channels * PANEL * 4 + 64;
export const panelBytes = (w: Layout): number => w.tile.places * placeBytes(w);

/** How far ahead of their use filters are read, which come from beyond the second-level cache where there are many. */
export const AHEAD = 2048;

/** Bytes of all transformed filters, and of what is read ahead of the end. */
export const filterBytes = (w: Layout): number => Math.ceil(w.filters / PANEL) * panelBytes(w) + 2 * AHEAD;

/** Where the parts of a call's memory begin. */
export function scratchOf(w: Layout) {
  const transformed = w.blockImages * w.imageBytes;
  const products = transformed + w.tile.places * planeBytes(w);
  const temporary = products + tilesOf(w) * productBytes(w);
  return { transformed, products, temporary, bytes: temporary + w.tile.places * 16 };
}
