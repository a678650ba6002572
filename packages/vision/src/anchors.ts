/** Anchors: the boxes that a detector's predictions are offsets from, tiled over the cells of a feature map. */
import { type Tensor, tensor, ValueError } from '@dl/tensor';

type Centre = readonly [x: number, y: number];
type Size = readonly [width: number, height: number];

/** Corners of each size about each cell's centre; cells in row-major order. [height · width · sizes, 4]. */
function tile(
  height: number,
  width: number,
  centre: (row: number, column: number) => Centre,
  sizes: readonly Size[],
): Tensor {
  const corners = new Float32Array(height * width * sizes.length * 4);
  let at = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [x, y] = centre(row, column);
      for (const [w, h] of sizes) {
        corners.set([x - w / 2, y - h / 2, x + w / 2, y + h / 2], at);
        at += 4;
      }
    }
  }
  return tensor(corners, [corners.length / 4, 4]);
}

function check(operation: string, height: number, width: number, lists: Record<string, readonly number[]>): void {
  if (![height, width].every((n) => Number.isInteger(n) && n >= 0))
    throw new ValueError(`${operation}: a map of ${height} × ${width} cells. Give whole numbers, at least 0.`);
  for (const [name, list] of Object.entries(lists)) {
    if (list.length === 0 || list.some((n) => !(n > 0 && Number.isFinite(n))))
      throw new ValueError(`${operation}: ${name} are [${list.join(', ')}]. Give at least one, all above 0.`);
  }
}

export interface AnchorsGridOptions {
  /** Pixels from cell to cell, `[down, across]`. */
  readonly stride: readonly [number, number];
  /** Square roots of the areas, in pixels. */
  readonly sizes: readonly number[];
  /** Heights over widths. Default [1]. */
  readonly ratios?: readonly number[];
  /** Where in its cell a centre is, as a share of the stride. Default 0. */
  readonly offset?: number;
}

/**
 * Anchors in pixels: for each cell, row by row, for each ratio r, for each size s, a box of width s/√r and height s·√r about
 * ((column + offset) · stride[1], (row + offset) · stride[0]).
 *
 * @param height - rows of the feature map
 * @param width - columns of the feature map
 * @param options - `stride` and `sizes`; `ratios`, default [1]; `offset`, default 0
 * @returns f32 `[height · width · ratios · sizes, 4]`, corners
 * @throws ValueError if a number is not positive
 * @see Ren, He, Girshick & Sun 2015, section 3.1.1
 */
export function anchorsGrid(
  height: number,
  width: number,
  { stride, sizes, ratios = [1], offset = 0 }: AnchorsGridOptions,
): Tensor {
  check('anchorsGrid', height, width, { strides: stride, sizes, ratios });
  const shapes = ratios.flatMap((r) => sizes.map((s): Size => [s / Math.sqrt(r), s * Math.sqrt(r)]));
  return tile(height, width, (row, column) => [(column + offset) * stride[1], (row + offset) * stride[0]], shapes);
}

export interface AnchorsMultiboxOptions {
  /** Shares of the image's height. */
  readonly sizes: readonly number[];
  /** Widths over heights; the first goes with every size, the others with the first size. Default [1]. */
  readonly ratios?: readonly number[];
}

/**
 * Anchors in unit coordinates: for each cell, row by row, (sᵢ, r₀) for each size, then (s₀, rⱼ) for each further ratio, each a
 * box of width s·√r · height/width and height s/√r about ((column + 0.5)/width, (row + 0.5)/height).
 *
 * @param height - rows of the feature map
 * @param width - columns of the feature map
 * @param options - `sizes`; `ratios`, default [1]
 * @returns f32 `[height · width · (sizes + ratios − 1), 4]`, corners; those at the border reach outside of [0, 1]
 * @throws ValueError if a number is not positive
 * @see Zhang, Lipton, Li & Smola, Dive into Deep Learning, section 14.4
 */
export function anchorsMultibox(
  height: number,
  width: number,
  { sizes, ratios = [1] }: AnchorsMultiboxOptions,
): Tensor {
  check('anchorsMultibox', height, width, { sizes, ratios });
  const shape = (s: number, r: number): Size => [(s * Math.sqrt(r) * height) / width, s / Math.sqrt(r)];
  const shapes = [...sizes.map((s) => shape(s, ratios[0]!)), ...ratios.slice(1).map((r) => shape(sizes[0]!, r))];
  return tile(height, width, (row, column) => [(column + 0.5) / width, (row + 0.5) / height], shapes);
}
