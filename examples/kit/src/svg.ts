/** Pieces that the charts share: text and colours of one style, on white, so that they can be read on any page. */

export const ink = '#1f2933';
export const faint = '#616e7c';
export const rule = '#e4e7eb';
export const blue = '#1f6feb';
export const orange = '#d9480f';

export interface TextOptions {
  readonly size?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly fill?: string;
  readonly weight?: number;
}

/** Text as it stands in a document. */
export const escaped = (content: string): string => content.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** @param content - markup: see {@link escaped} */
export const text = (
  x: number,
  y: number,
  content: string | number,
  { size = 12, anchor = 'start', fill = ink, weight = 400 }: TextOptions = {},
): string =>
  `<text x="${x}" y="${y}" font-size="${size}" text-anchor="${anchor}" fill="${fill}" font-weight="${weight}">${content}</text>`;

/** A whole document on white. */
export const document = (width: number, height: number, parts: readonly string[]): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
  `font-family="system-ui, 'Helvetica Neue', Arial, sans-serif">\n<rect width="100%" height="100%" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`;
