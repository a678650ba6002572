/** Pictures: names of lines that end at one place do not lie on each other, and nothing is drawn from what is no number. */
import { expect, test } from 'vitest';
import { heatMaps, lineCharts } from '../src';

const placesOf = (svg: string, names: readonly string[]): number[] =>
  names.map((name) => Number(svg.match(new RegExp(`y="([\\d.]+)"[^>]*>${name}<`))![1]));

test('lines that end at one place have their names one below the other', () => {
  const names = ['one', 'two', 'three', 'four', 'five'];
  const chart = {
    title: 'Shares',
    along: 'step',
    format: () => '',
    logFrom: 1e-6,
    series: names.map((name, i) => ({ name, colour: '#000', values: [10 ** -(3 * i), 1] })),
  };
  const svg = lineCharts([chart]);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  const places = placesOf(svg, names);
  for (const [i, y] of places.entries()) if (i > 0) expect(y - places[i - 1]!).toBeGreaterThanOrEqual(29.9);
  expect(Math.max(...places)).toBeLessThan(260);
});

test('one epoch, and losses that are all alike, can be drawn', () => {
  for (const values of [[2], [2, 2, 2]]) {
    const series = [{ name: 'training', colour: '#000', values }];
    expect(lineCharts([{ title: '', along: 'epoch', format: String, series }])).not.toMatch(/NaN|Infinity|undefined/);
  }
});

test('an attention map has a cell for each pair, room for long tokens, and says < and & as they are', () => {
  const svg = heatMaps([{ titles: ['a & b', 'x'], columns: ['<eos>', 'Straßenbahn'], rows: ['x'], weights: [[0, 1]] }]);
  expect(svg.match(/<rect [^>]*fill="rgb/g)).toHaveLength(2);
  expect(svg).toContain('rgb(255,255,255)');
  expect(svg).toContain('rgb(8,81,156)');
  expect(svg).toContain('a &#38; b');
  expect(svg).toContain('&#60;eos&#62;');
});
