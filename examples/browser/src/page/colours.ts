/** The style sheet's colours as numbers, for what is painted on canvases; they change with light and dark. */
export type Rgb = readonly [number, number, number];

const known = new Map<string, Rgb>();
const dark = matchMedia('(prefers-color-scheme: dark)');

/** Calls back after light and dark have changed. */
export function onThemeChange(callback: () => void): void {
  dark.addEventListener('change', () => {
    known.clear();
    callback();
  });
}

/** The colour of a custom property, such as `--ink`, which the style sheet writes as `#rrggbb`. */
export function colour(name: string): Rgb {
  const before = known.get(name);
  if (before) return before;
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const value = [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)) as unknown as Rgb;
  known.set(name, value);
  return value;
}

export const mix = (from: Rgb, to: Rgb, share: number): Rgb =>
  from.map((value, i) => value + (to[i]! - value) * share) as unknown as Rgb;
