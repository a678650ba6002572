/** Attention maps: a row for each token written, a column for each token read, darker where more attention goes. */
import { document, escaped, faint, ink, text } from './svg';

const [CELL, GAP, CHARACTER, LINE] = [20, 36, 6.6, 18];

/** One sentence's attention. */
export interface AttentionMap {
  /** What was read, and what was written. */
  readonly titles: readonly [string, string];
  readonly columns: readonly string[];
  readonly rows: readonly string[];
  /** `rows × columns` weights from 0 to 1. */
  readonly weights: readonly (readonly number[])[];
}

/** A token's text, with its spaces visible. */
const shown = (token: string): string => escaped(token).replace(/ /g, '\u2423');

/** From white to blue. */
function shade(weight: number): string {
  const w = Math.min(1, Math.max(0, weight));
  const channel = (full: number): number => Math.round(255 - (255 - full) * w);
  return `rgb(${channel(8)},${channel(81)},${channel(156)})`;
}

const widest = (tokens: readonly string[]): number => CHARACTER * Math.max(...tokens.map((token) => token.length));

/** How much room the names of rows and columns take. */
const marginsOf = ({ columns, rows }: AttentionMap) => ({
  left: Math.max(48, widest(rows) + 20),
  top: 32 + LINE + widest(columns) * Math.sin(Math.PI / 3) + 10,
  beyond: widest(columns) * Math.cos(Math.PI / 3),
});

function sizeOf(map: AttentionMap): { width: number; height: number } {
  const { left, top, beyond } = marginsOf(map);
  const title = 24 + Math.max(...map.titles.map((title) => title.length)) * 6.8;
  const width = Math.max(left + map.columns.length * CELL + beyond + 16, title);
  return { width: Math.ceil(width), height: Math.ceil(top + map.rows.length * CELL + GAP) };
}

function draw(map: AttentionMap, above: number): string {
  const { titles, columns, rows, weights } = map;
  const { left, top } = marginsOf(map);
  const heads = columns.map((token, j) => {
    const [x, y] = [left + (j + 0.5) * CELL + 4, top - 8];
    return `<g transform="translate(${x} ${y}) rotate(-60)">${text(0, 0, shown(token), { size: 11 })}</g>`;
  });
  const lines = rows.map((token, i) => {
    const y = top + i * CELL;
    const cells = columns.map((_, j) => {
      const place = `x="${left + j * CELL}" y="${y}" width="${CELL - 1}" height="${CELL - 1}"`;
      return `<rect ${place} fill="${shade(weights[i]![j]!)}"/>`;
    });
    return text(left - 8, y + 14, shown(token), { size: 11, anchor: 'end' }) + cells.join('');
  });
  const [width, height] = [columns.length * CELL + 1, rows.length * CELL + 1];
  const frame = `<rect x="${left - 1}" y="${top - 1}" width="${width}" height="${height}" fill="#e4e7eb"/>`;
  const heading = titles.map((title, i) =>
    text(12, 22 + i * LINE, escaped(title), { size: 13, fill: i === 0 ? faint : ink }),
  );
  return `<g transform="translate(0 ${above})">${[...heading, ...heads, frame, ...lines].join('\n')}</g>`;
}

/** Maps one below the other, as SVG. */
export function heatMaps(maps: readonly AttentionMap[]): string {
  const sizes = maps.map(sizeOf);
  const heights = sizes.map(({ height }) => height);
  const tops = heights.map((_, i) => heights.slice(0, i).reduce((a, b) => a + b, 0));
  const height = heights.reduce((a, b) => a + b, 0);
  return document(
    Math.max(...sizes.map(({ width }) => width)),
    height,
    maps.map((map, i) => draw(map, tops[i]!)),
  );
}
