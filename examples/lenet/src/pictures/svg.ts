/** Pieces that the charts share: text and colours of one style, and pictures inside a chart. */
import { encode } from 'fast-png';

export const ink = '#1f2933';
export const faint = '#7b8794';
export const rule = '#e4e7eb';
export const blue = '#1f6feb';
export const orange = '#d9480f';

export interface TextOptions {
  readonly size?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly fill?: string;
  readonly weight?: number;
}

export const text = (
  x: number,
  y: number,
  content: string | number,
  { size = 12, anchor = 'start', fill = ink, weight = 400 }: TextOptions = {},
): string =>
  `<text x="${x}" y="${y}" font-size="${size}" text-anchor="${anchor}" fill="${fill}" font-weight="${weight}">${content}</text>`;

/** A whole document on white. */
export const document = (width: number, height: number, parts: readonly string[]): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
  `font-family="system-ui, 'Helvetica Neue', Arial, sans-serif">\n<rect width="100%" height="100%" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`;

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
