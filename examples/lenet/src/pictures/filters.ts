/** The filters of the first layer, side by side: blue takes ink away, orange asks for it, white does not care. */
import { scaleLinear } from 'd3-scale';
import { png } from './png';

const SCALE = 20;
/** White pixels between filters. */
const GAP = 1;

/**
 * @param weights - `[count, 1, side, side]`, row-major
 * @returns a PNG file
 */
export function filterPicture(weights: Float32Array, count: number, side: number): Uint8Array {
  const largest = Math.max(...weights.map(Math.abs));
  const colour = scaleLinear<string>(
    [-largest, 0, largest],
    ['rgb(31, 111, 235)', 'rgb(255, 255, 255)', 'rgb(217, 72, 15)'],
  );
  const width = count * side + (count + 1) * GAP;
  const height = side + 2 * GAP;
  const pixels = new Uint8Array(width * height * 3).fill(255);
  weights.forEach((weight, at) => {
    const filter = Math.floor(at / (side * side));
    const [row, column] = [Math.floor(at / side) % side, at % side];
    const place = (row + GAP) * width + GAP + filter * (side + GAP) + column;
    pixels.set(colour(weight).match(/\d+/g)!.map(Number), place * 3);
  });
  return png(pixels, width, 3, SCALE);
}
