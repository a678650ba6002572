/** The loss over training, as SVG: the mean of each epoch so far for training, a dot an epoch for validation. */
import type { EpochReport } from '@dl/train';

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [560, 320, 56, 110, 48, 44];
const colours = { training: '#1f6feb', validation: '#d9480f', text: '#1f2933', faint: '#7b8794', rule: '#e4e7eb' };

const text = (x: number, y: number, content: string, fill: string, anchor = 'start', size = 12): string =>
  `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}" text-anchor="${anchor}">${content}</text>`;

/** Five round numbers or so from low to high. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((s) => s >= rough)!;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

/** @param history - at least one epoch */
export function lossCurve(history: readonly EpochReport[], title: string): string {
  const series = {
    training: history.map(({ train }) => train.loss),
    validation: history.map(({ validation }) => validation!.loss),
  };
  const all = Object.values(series).flat();
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const margin = Math.max((most - least) * 0.08, 0.01);
  const [low, high] = [least - margin, most + margin];
  const x = (epoch: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * (epoch - 1)) / Math.max(history.length - 1, 1);
  const y = (loss: number): number => TOP + ((HEIGHT - TOP - BOTTOM) * (high - loss)) / (high - low);
  const grid = ticks(low, high).map(
    (loss) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(loss)}" y2="${y(loss)}" stroke="${colours.rule}"/>` +
      text(LEFT - 8, y(loss) + 4, loss.toFixed(2), colours.faint, 'end', 11),
  );
  const epochs = history.map(({ epoch }, i) =>
    text(x(i + 1), HEIGHT - BOTTOM + 18, String(epoch), colours.faint, 'middle', 11),
  );
  const lines = Object.entries(series).map(([name, losses]) => {
    const colour = colours[name as keyof typeof series];
    const points = losses.map((loss, i) => `${x(i + 1).toFixed(1)},${y(loss).toFixed(1)}`);
    const dots = points.map((p) => `<circle cx="${p.split(',')[0]}" cy="${p.split(',')[1]}" r="3" fill="${colour}"/>`);
    const isUpper = losses.at(-1)! >= Math.max(series.training.at(-1)!, series.validation.at(-1)!);
    const at = y(losses.at(-1)!) + (isUpper ? -4 : 14);
    const label = text(WIDTH - RIGHT + 10, at, `${name} ${losses.at(-1)!.toFixed(3)}`, colour);
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}${label}`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="system-ui, Arial, sans-serif">\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n${text(LEFT, 26, title, colours.text, 'start', 15)}\n` +
    `${[...grid, ...epochs, ...lines].join('\n')}\n${text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, 'epoch', colours.faint, 'middle', 11)}\n</svg>\n`
  );
}
