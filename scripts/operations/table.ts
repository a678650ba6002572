/** Tables of Markdown, and the small ways of saying things that all pages of the matrix share. */

/** A cell: its text, or why it is empty. */
export type Cell = string | { readonly why: string };

const show = (cell: Cell): string => (typeof cell === 'string' ? cell : `— ${cell.why}`).replaceAll('|', '\\|');

/** A table; `columns` are its headings. */
export const table = (columns: readonly string[], rows: readonly (readonly Cell[])[]): string =>
  [columns, columns.map(() => '---'), ...rows.map((row) => row.map(show))]
    .map((r) => `| ${r.join(' | ')} |`)
    .join('\n');

export const code = (text: string): string => `\`${text}\``;

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** The first few of a list, and how many more there are. */
export const some = (list: readonly string[], shown = 3): string =>
  list.length <= shown ? list.join(', ') : `${list.slice(0, shown).join(', ')} + ${list.length - shown}`;

const order = ['f32', 'f64', 'f16', 'i32', 'u32', 'u8', 'bool'];

/** Dtypes in the order of the manual. */
export const dtypeList = (dtypes: Iterable<string>): string => {
  const found = new Set(dtypes);
  return order.filter((dtype) => found.has(dtype)).join(' ');
};
