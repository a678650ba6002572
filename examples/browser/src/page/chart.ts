/** A line chart: training faintly, the test digits in the accent colour, each named at the end of its line. */
import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import type { History, Point } from '../messages';

type Figure = 'loss' | 'accuracy';

const margin = { top: 8, right: 52, bottom: 24, left: 46 };
const mostPoints = 240;

/** At most so many points, each the mean of its neighbours. */
function thinned(points: readonly Point[], figure: Figure): [step: number, value: number][] {
  const each = Math.max(1, Math.ceil(points.length / mostPoints));
  const groups = Array.from({ length: Math.ceil(points.length / each) }, (_, i) =>
    points.slice(i * each, (i + 1) * each),
  );
  return groups.map((group) => [group.at(-1)!.step, group.reduce((sum, p) => sum + p[figure], 0) / group.length]);
}

const labelHeight = 14;

/** Where the second label goes: where it belongs, or beside the first where they would overlap, inside the chart. */
function apart(fixed: number, other: number, bottom: number): number {
  if (Math.abs(fixed - other) >= labelHeight) return other;
  const above = fixed - labelHeight;
  const below = fixed + labelHeight;
  if (above < margin.top) return below;
  return below > bottom || other < fixed ? above : below;
}

export class Chart {
  readonly #host: HTMLElement;
  readonly #figure: Figure;
  readonly #format: (value: number) => string;
  #history: History = { train: [], test: [] };
  #steps = 0;
  #isDue = false;

  constructor(id: string, figure: Figure, format: (value: number) => string) {
    this.#host = document.getElementById(id)!;
    this.#figure = figure;
    this.#format = format;
    new ResizeObserver(() => this.#soon()).observe(this.#host);
  }

  /** @param steps - where the axis ends */
  show(history: History, steps: number): void {
    this.#history = history;
    this.#steps = steps;
    this.#soon();
  }

  #soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#host;
    const train = thinned(this.#history.train, this.#figure);
    const test = thinned(this.#history.test, this.#figure);
    const values = [...train, ...test].map(([, value]) => value);
    const top = this.#figure === 'accuracy' ? 1 : Math.max(0.1, ...(values.length > 0 ? values : [2.5]));
    const x = scaleLinear([0, Math.max(this.#steps, 1)], [margin.left, width - margin.right]);
    const y = scaleLinear([0, top], [height - margin.bottom, margin.top]);
    const grid = y.ticks(4).map((tick) => {
      const at = y(tick).toFixed(1);
      return `<line x1="${margin.left}" x2="${width - margin.right}" y1="${at}" y2="${at}"/><text x="${margin.left - 8}" y="${at}" dy="0.32em" text-anchor="end">${this.#tick(tick)}</text>`;
    });
    const steps = this.#steps > 0 ? x.ticks(3) : [];
    const axis = steps.map(
      (step) => `<text x="${x(step)}" y="${height - 6}" text-anchor="middle">${step.toLocaleString('en')}</text>`,
    );
    const path = line<[number, number]>(
      ([step]) => x(step),
      ([, value]) => y(value),
    );
    const dots = test.map(([step, value]) => `<circle class="test" cx="${x(step)}" cy="${y(value)}" r="2.5"/>`);
    const body = [
      `<g class="grid">${grid.join('')}${axis.join('')}</g>`,
      `<path class="train" d="${path(train) ?? ''}"/><path class="test" d="${path(test) ?? ''}"/>`,
      ...(test.length <= 40 ? dots : []),
      this.#labels(train.at(-1), test.at(-1), x, y),
    ];
    this.#host.innerHTML = `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${this.#summary()}">${body.join('')}</svg>`;
  }

  #tick(value: number): string {
    return this.#figure === 'accuracy' ? `${Math.round(value * 100)} %` : String(value);
  }

  #labels(
    train: [number, number] | undefined,
    test: [number, number] | undefined,
    x: (v: number) => number,
    y: (v: number) => number,
  ): string {
    const at = test ? y(test[1]) : 0;
    const label = (name: string, [step]: [number, number], height: number): string =>
      `<text class="${name}" x="${x(step) + 8}" y="${height}" dy="0.32em">${name === 'train' ? 'training' : 'test'}</text>`;
    return [
      test ? label('test', train && train[0] > test[0] ? train : test, at) : '',
      train ? label('train', train, test ? apart(at, y(train[1]), y(0)) : y(train[1])) : '',
    ].join('');
  }

  /** The chart in words. */
  #summary(): string {
    const last = (points: readonly Point[]): string => {
      const point = points.at(-1);
      return point ? `${this.#format(point[this.#figure])} at step ${point.step}` : 'none yet';
    };
    return `${this.#figure}, training: ${last(this.#history.train)}; test: ${last(this.#history.test)}`;
  }
}
