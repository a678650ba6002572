/** Attention maps: a row for each token written, a column for each token read, darker where more attention goes. */

const [CELL, LEFT, TOP, GAP] = [18, 90, 84, 40];
const [ink, faint] = ['#1f2933', '#7b8794'];

/** One sentence's attention. */
export interface AttentionMap {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly string[];
  /** `rows × columns` weights from 0 to 1. */
  readonly weights: readonly (readonly number[])[];
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`).replace(/ /g, '\u2423');

/** From white to blue. */
function shade(weight: number): string {
  const w = Math.min(1, Math.max(0, weight));
  const channel = (full: number): number => Math.round(255 - (255 - full) * w);
  return `rgb(${channel(8)},${channel(81)},${channel(156)})`;
}

function drawMap({ title, columns, rows, weights }: AttentionMap, top: number): string {
  const heads = columns.map((token, j) => {
    const x = LEFT + (j + 0.5) * CELL + 4;
    const y = top + TOP - 6;
    return `<text x="${x}" y="${y}" font-size="11" fill="${ink}" transform="rotate(-60 ${x} ${y})">${escaped(token)}</text>`;
  });
  const lines = rows.map((token, i) => {
    const y = top + TOP + i * CELL;
    const cells = columns.map((_, j) => {
      const fill = shade(weights[i]![j]!);
      return `<rect x="${LEFT + j * CELL}" y="${y}" width="${CELL - 1}" height="${CELL - 1}" fill="${fill}"/>`;
    });
    const label = `<text x="${LEFT - 6}" y="${y + 13}" font-size="11" text-anchor="end" fill="${ink}">${escaped(token)}</text>`;
    return label + cells.join('');
  });
  const heading = `<text x="12" y="${top + 18}" font-size="13" fill="${faint}">${escaped(title).replaceAll('\u2423', ' ')}</text>`;
  return [heading, ...heads, ...lines].join('\n');
}

/** Maps one below the other, as SVG. */
export function heatMaps(maps: readonly AttentionMap[]): string {
  const heights = maps.map(({ rows }) => TOP + rows.length * CELL + GAP);
  const tops = heights.map((_, i) => heights.slice(0, i).reduce((a, b) => a + b, 0));
  const width = LEFT + Math.max(...maps.map(({ columns }) => columns.length)) * CELL + 80;
  const height = heights.reduce((a, b) => a + b, 0);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="system-ui, Arial, sans-serif">\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n${maps.map((map, i) => drawMap(map, tops[i]!)).join('\n')}\n</svg>\n`
  );
}
