/** Filters and feature maps as small pictures. */
import type { Maps } from '../messages';
import { colour, mix, type Rgb } from './colours';

/** Paints values row by row, one pixel each. */
function paint(canvas: HTMLCanvasElement, values: Float32Array, side: number, shade: (value: number) => Rgb): void {
  const image = new ImageData(side, side);
  values.forEach((value, i) => {
    image.data.set([...shade(value), 255], i * 4);
  });
  canvas.width = side;
  canvas.height = side;
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}

/** From 0 (paper) to 1 (ink). */
export const paintInk = (canvas: HTMLCanvasElement, values: Float32Array): void =>
  paint(canvas, values, Math.sqrt(values.length), (value) => mix(colour('--surface'), colour('--ink'), value));

const largest = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);

/** A row of pictures; their canvases are made once. */
class Row {
  readonly #canvases: HTMLCanvasElement[];

  constructor(id: string, count: number, name: string) {
    this.#canvases = Array.from({ length: count }, (_, i) => {
      const canvas = document.createElement('canvas');
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', `${name} ${i + 1}`);
      return canvas;
    });
    document.getElementById(id)!.replaceChildren(...this.#canvases);
  }

  /** All pictures share a scale, so that a map that finds little looks so. */
  paint(values: Float32Array, shade: (share: number) => Rgb): void {
    const size = values.length / this.#canvases.length;
    const scale = largest(values);
    this.#canvases.forEach((canvas, i) => {
      paint(canvas, values.subarray(i * size, (i + 1) * size), Math.sqrt(size), (value) => shade(value / scale));
    });
  }
}

/** Positive weights towards the accent, negative ones towards ink. */
const signed = (share: number): Rgb =>
  mix(colour('--sunken'), colour(share > 0 ? '--accent' : '--ink'), Math.abs(share));
const positive = (share: number): Rgb => mix(colour('--sunken'), colour('--accent'), Math.sqrt(Math.max(share, 0)));

export class MapsView {
  readonly #filters = new Row('filters', 6, 'Filter');
  readonly #first = new Row('first', 6, 'Feature map');
  readonly #second = new Row('second', 16, 'Feature map');
  #shown: Maps | null = null;

  show(maps: Maps): void {
    this.#shown = maps;
    this.#filters.paint(maps.filters, signed);
    this.#first.paint(maps.first, positive);
    this.#second.paint(maps.second, positive);
  }

  repaint(): void {
    if (this.#shown) this.show(this.#shown);
  }
}
