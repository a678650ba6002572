/** The worst mistakes: the pictures that the model was surest of, and wrong. */

import { document, faint, orange, text } from '@dl/example-kit';
import type { Mistake } from '../predict';
import { image, png } from './png';

const [COLUMNS, SIDE, GAP, CAPTION] = [8, 84, 14, 44];
const [LEFT, TOP] = [24, 72];

export function mistakesChart(mistakes: readonly Mistake[], count = 32): string {
  const shown = mistakes.slice(0, count);
  const rows = Math.max(Math.ceil(shown.length / COLUMNS), 1);
  const pictures = shown.flatMap(({ actual, predicted, confidence, pixels }, i) => {
    const x = LEFT + (i % COLUMNS) * (SIDE + GAP);
    const y = TOP + Math.floor(i / COLUMNS) * (SIDE + CAPTION);
    const caption = `<tspan font-weight="600">${actual}</tspan> taken for <tspan font-weight="600" fill="${orange}">${predicted}</tspan>`;
    return [
      image(x, y, SIDE, png(grey(pixels), 28, 1, 3)),
      text(x + SIDE / 2, y + SIDE + 15, caption, { size: 11, anchor: 'middle' }),
      text(x + SIDE / 2, y + SIDE + 29, `${(confidence * 100).toFixed(1)} % sure`, {
        size: 10,
        anchor: 'middle',
        fill: faint,
      }),
    ];
  });
  const title =
    mistakes.length === 0 ? 'No mistakes' : `The ${shown.length} most confident of ${mistakes.length} mistakes`;
  return document(2 * LEFT + COLUMNS * (SIDE + GAP) - GAP, TOP + rows * (SIDE + CAPTION), [
    text(LEFT, 36, title, { size: 15, weight: 600 }),
    ...pictures,
  ]);
}

/** From what the model saw to bytes: the smallest value is black, the largest white. */
function grey(pixels: Float32Array): Uint8Array {
  const [low, high] = [Math.min(...pixels), Math.max(...pixels)];
  return Uint8Array.from(pixels, (value) => Math.round(((value - low) / (high - low || 1)) * 255));
}
