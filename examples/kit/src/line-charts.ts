/** Line charts side by side: a line for each series, named where it ends. */
import { scaleLinear, scaleLog } from 'd3-scale';
import { curveMonotoneX, line } from 'd3-shape';
import { document, faint, rule, text } from './svg';

export interface Series {
  readonly name: string;
  readonly colour: string;
  /** One at each place of the axis below; what is below the least of a logarithmic scale is not drawn. */
  readonly values: readonly number[];
}

export interface LineChart {
  readonly title: string;
  readonly series: readonly Series[];
  /** What the axis below counts, from 1 on. */
  readonly along: string;
  /** A series' last value, as it is written under its name. */
  readonly format: (value: number) => string;
  /** How the axis at the left is written, as d3 has it. */
  readonly ticks?: string;
  /** In pixels. Default 440. */
  readonly width?: number;
  /** The least value of a logarithmic scale. Default: the scale is linear. */
  readonly logFrom?: number;
}

const SIZE = { height: 300, top: 56, left: 62, right: 104, bottom: 46 };
/** More values than this are drawn without a dot each. */
const DOTS = 30;
/** Between the names of two lines. */
const APART = 30;

/** @param charts - as a row, from left to right */
export const lineCharts = (charts: readonly LineChart[]): string =>
  document(
    charts.reduce((sum, chart) => sum + widthOf(chart), 0),
    SIZE.height,
    charts.map((chart, i) => {
      const left = charts.slice(0, i).reduce((sum, before) => sum + widthOf(before), 0);
      return `<g transform="translate(${left} 0)">${draw(chart)}</g>`;
    }),
  );

const widthOf = ({ width = 440 }: LineChart): number => width;

function scaleOf({ series, logFrom }: LineChart) {
  const range = [SIZE.height - SIZE.bottom, SIZE.top];
  const all = series.flatMap(({ values }) => values);
  if (logFrom !== undefined) return scaleLog([logFrom, Math.max(...all)], range);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const margin = low === high ? Math.max(Math.abs(low) * 0.1, 0.1) : 0;
  return scaleLinear([low - margin, high + margin], range).nice(5);
}

function draw(chart: LineChart): string {
  const { height, top, left, right, bottom } = SIZE;
  const width = widthOf(chart);
  const { title, series, along, format, ticks, logFrom = Number.NEGATIVE_INFINITY } = chart;
  const count = series[0]!.values.length;
  const x = scaleLinear([1, Math.max(count, 2)], [left, width - right]);
  const y = scaleOf(chart);
  const write = y.tickFormat(5, ticks);
  const grid = y.ticks(5).map((value) => {
    const at = y(value);
    const label = text(left - 8, at + 4, write(value), { size: 11, anchor: 'end', fill: faint });
    return `<line x1="${left}" x2="${width - right}" y1="${at}" y2="${at}" stroke="${rule}"/>${label}`;
  });
  const places = x.ticks(Math.min(count, 10)).filter((at) => Number.isInteger(at) && at >= 1 && at <= count);
  const below = places.map((at) => text(x(at), height - bottom + 18, at, { size: 11, anchor: 'middle', fill: faint }));
  const path = line<number>(
    (_, i) => x(i + 1),
    (value) => y(value),
  )
    .defined((value) => value >= logFrom)
    .curve(curveMonotoneX);
  const ends = spread(
    series.map(({ values }) => y(Math.max(values.at(-1)!, logFrom))),
    [top + 4, height - bottom - 14],
  );
  const lines = series.map(({ name, colour, values }, i) => {
    const dots = values.map((value, k) => `<circle cx="${x(k + 1)}" cy="${y(value)}" r="2.5" fill="${colour}"/>`);
    const label =
      text(x(count) + 10, ends[i]!, name, { fill: colour, weight: 600 }) +
      text(x(count) + 10, ends[i]! + 14, format(values.at(-1)!), { size: 11, fill: colour });
    const drawn = `<path d="${path([...values])}" fill="none" stroke="${colour}" stroke-width="2"/>`;
    return `${drawn}${count > DOTS ? '' : dots.join('')}${label}`;
  });
  const heading = text(left, 28, title, { size: 15, weight: 600 });
  const axis = text((left + width - right) / 2, height - 10, along, { size: 11, anchor: 'middle', fill: faint });
  return [heading, ...grid, ...below, axis, ...lines].join('\n');
}

/** Moves labels apart that would overlap, within a range; their order stays, and labels of one place are in the order of the list. */
function spread(wanted: readonly number[], [least, most]: readonly [number, number]): number[] {
  const order = [...wanted.keys()].sort((a, b) => wanted[a]! - wanted[b]! || a - b);
  const places: number[] = [];
  for (const i of order) places.push(Math.max(wanted[i]!, least, (places.at(-1) ?? Number.NEGATIVE_INFINITY) + APART));
  let limit = most;
  for (let k = places.length - 1; k >= 0; k--) {
    places[k] = Math.min(places[k]!, limit);
    limit = places[k]! - APART;
  }
  const found = new Array<number>(wanted.length);
  for (const [k, i] of order.entries()) found[i] = places[k]!;
  return found;
}
