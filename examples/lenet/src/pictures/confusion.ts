/** The confusion matrix: rows are true digits, columns predicted ones; mistakes are coloured by how many there are. */

import { document, faint, ink, text } from '@dl/example-kit';
import { scaleLinear } from 'd3-scale';

const CELL = 44;
const [LEFT, TOP] = [70, 96];

export function confusionChart(counts: readonly (readonly number[])[]): string {
  const mistakes = counts.flatMap((row, i) => row.filter((_, j) => i !== j));
  const colour = scaleLinear([0, Math.max(...mistakes, 1)], ['#fff1e8', '#d9480f']);
  const total = counts.flat().reduce((a, b) => a + b, 0);
  const wrong = mistakes.reduce((a, b) => a + b, 0);
  const cells = counts.flatMap((row, i) =>
    row.map((count, j) => cell(count, i, j, i === j ? '#e7f0fe' : count === 0 ? '#fafbfc' : colour(count))),
  );
  const digits = counts.flatMap((_, k) => [
    text(LEFT + (k + 0.5) * CELL, TOP - 10, k, { anchor: 'middle', weight: 600 }),
    text(LEFT - 12, TOP + (k + 0.5) * CELL + 4, k, { anchor: 'end', weight: 600 }),
  ]);
  const side = counts.length * CELL;
  const shares = counts.map((row, i) => {
    const share = row[i]! / row.reduce((a, b) => a + b, 0);
    return text(LEFT + side + 10, TOP + (i + 0.5) * CELL + 4, `${(share * 100).toFixed(1)} %`, {
      size: 11,
      fill: faint,
    });
  });
  return document(LEFT + side + 66, TOP + side + 24, [
    text(LEFT, 30, `${wrong} of ${total.toLocaleString('en-US')} digits taken for another`, { size: 15, weight: 600 }),
    text(LEFT, 50, 'true digit by row, predicted digit by column', { fill: faint }),
    ...digits,
    ...cells,
    ...shares,
  ]);
}

function cell(count: number, row: number, column: number, fill: string): string {
  const [x, y] = [LEFT + column * CELL, TOP + row * CELL];
  const label =
    count === 0
      ? ''
      : text(x + CELL / 2, y + CELL / 2 + 4, count, { anchor: 'middle', fill: ink, size: row === column ? 12 : 13 });
  return `<rect x="${x + 1}" y="${y + 1}" width="${CELL - 2}" height="${CELL - 2}" rx="3" fill="${fill}"/>${label}`;
}
