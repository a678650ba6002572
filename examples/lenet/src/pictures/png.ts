/** Pixels as PNG files, alone and inside a chart. */
import { encode } from 'fast-png';

/** Grey or coloured pixels, each drawn as a square of `scale` pixels, as a PNG file. */
export function png(pixels: Uint8Array, width: number, channels: 1 | 3, scale = 1): Uint8Array {
  const height = pixels.length / width / channels;
  const data = new Uint8Array(pixels.length * scale * scale);
  for (let y = 0; y < height * scale; y++) {
    for (let x = 0; x < width * scale; x++) {
      const from = (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
      data.set(pixels.subarray(from, from + channels), (y * width * scale + x) * channels);
    }
  }
  return encode({ width: width * scale, height: height * scale, data, channels, depth: 8 });
}

/** A PNG inside a chart. */
export const image = (x: number, y: number, side: number, file: Uint8Array): string =>
  `<image x="${x}" y="${y}" width="${side}" height="${side}" href="data:image/png;base64,${Buffer.from(file).toString('base64')}"/>`;
