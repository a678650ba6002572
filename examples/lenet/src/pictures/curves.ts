/** Loss and accuracy over the epochs: two panels, each with a line for training and one for test. */
import type { EpochReport } from '@dl/train';
import { scaleLinear } from 'd3-scale';
import { curveMonotoneX, line } from 'd3-shape';
import { blue, document, faint, ink, orange, rule, text } from './svg';

interface Series {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly number[];
}

interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
}

const SIZE = { width: 440, height: 300, top: 56, left: 62, right: 84, bottom: 40 };

/** Two panels side by side, as SVG. */
export function curves(history: readonly EpochReport[]): string {
  const figure = (part: 'train' | 'validation', name: string): number[] =>
    history.map((report) => Number(report[part]?.[name]));
  const both = (name: string): Series[] => [
    { name: 'training', colour: blue, values: figure('train', name) },
    { name: 'test', colour: orange, values: figure('validation', name) },
  ];
  const panels: Panel[] = [
    { title: 'Cross entropy', series: both('loss'), format: (v) => v.toFixed(3) },
    { title: 'Accuracy', series: both('accuracy'), format: (v) => `${(v * 100).toFixed(2)} %` },
  ];
  return document(
    2 * SIZE.width,
    SIZE.height,
    panels.map((panel, i) => draw(panel, i * SIZE.width)),
  );
}

function draw({ title, series, format }: Panel, offset: number): string {
  const { width, height, top, left, right, bottom } = SIZE;
  const count = series[0]!.values.length;
  const all = series.flatMap(({ values }) => values);
  const x = scaleLinear([1, Math.max(count, 2)], [left, width - right]);
  const y = scaleLinear([Math.min(...all), Math.max(...all)], [height - bottom, top]).nice(5);
  const ticks = y.ticks(5).map((value) => {
    const at = y(value);
    return `<line x1="${left}" x2="${width - right}" y1="${at}" y2="${at}" stroke="${rule}"/>${text(left - 8, at + 4, y.tickFormat(5, title === 'Accuracy' ? '.1%' : undefined)(value), { size: 11, anchor: 'end', fill: faint })}`;
  });
  const epochs = x
    .ticks(Math.min(count, 10))
    .filter(Number.isInteger)
    .map((epoch) => text(x(epoch), height - bottom + 18, epoch, { size: 11, anchor: 'middle', fill: faint }));
  const path = line<number>(
    (_, i) => x(i + 1),
    (value) => y(value),
  ).curve(curveMonotoneX);
  const labels = spread(
    series.map(({ values }) => y(values.at(-1)!)),
    30,
  );
  const lines = series.map(({ name, colour, values }, i) => {
    const dots = values
      .map((value, k) => `<circle cx="${x(k + 1)}" cy="${y(value)}" r="2.5" fill="${colour}"/>`)
      .join('');
    const end = x(count) + 10;
    const label =
      text(end, labels[i]!, name, { fill: colour, weight: 600 }) +
      text(end, labels[i]! + 14, format(values.at(-1)!), { size: 11, fill: colour });
    return `<path d="${path([...values])}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}${label}`;
  });
  const heading = text(left, 28, title, { size: 15, weight: 600, fill: ink });
  const axis = text((left + width - right) / 2, height - 6, 'epoch', { size: 11, anchor: 'middle', fill: faint });
  return `<g transform="translate(${offset} 0)">${[heading, ...ticks, ...epochs, axis, ...lines].join('\n')}</g>`;
}

/** Moves two labels apart that would overlap. */
function spread([a, b]: readonly number[], least: number): number[] {
  const gap = b! - a!;
  if (Math.abs(gap) >= least) return [a!, b!];
  const shift = ((least - Math.abs(gap)) / 2) * (gap >= 0 ? 1 : -1);
  return [a! - shift, b! + shift];
}
