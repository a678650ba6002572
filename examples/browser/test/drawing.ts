/** What a visitor does with the mouse, and what they then read. */
import type { Page } from 'playwright-core';

type Spot = readonly [x: number, y: number];

/** Digits as strokes; each axis goes from 0 to 1. */
const arc = (x: number, y: number, width: number, height: number): Spot[] =>
  Array.from({ length: 17 }, (_, i) => {
    const angle = (i / 16) * 2 * Math.PI;
    return [x + width * Math.sin(angle), y - height * Math.cos(angle)];
  });

export const strokes = {
  0: [arc(0.5, 0.5, 0.2, 0.32)],
  4: [
    [
      [0.38, 0.2],
      [0.28, 0.55],
      [0.72, 0.55],
    ],
    [
      [0.6, 0.3],
      [0.6, 0.85],
    ],
  ],
  7: [
    [
      [0.25, 0.25],
      [0.75, 0.25],
      [0.45, 0.8],
    ],
  ],
} as const satisfies Record<number, readonly (readonly Spot[])[]>;

/** Draws on the pad, with the button of the mouse down along each stroke. */
export async function draw(page: Page, digit: readonly (readonly Spot[])[]): Promise<void> {
  const box = (await page.locator('#pad').boundingBox())!;
  for (const [[x, y], ...rest] of digit.map((stroke) => [...stroke]) as [Spot, ...Spot[]][]) {
    await page.mouse.move(box.x + x * box.width, box.y + y * box.height);
    await page.mouse.down();
    for (const [nextX, nextY] of rest)
      await page.mouse.move(box.x + nextX * box.width, box.y + nextY * box.height, { steps: 4 });
    await page.mouse.up();
  }
}

/** The number that stands under a label. */
export const figure = async (page: Page, id: string): Promise<number> =>
  Number.parseFloat((await page.locator(`#${id}`).textContent())!.replace(',', ''));

export const inPhase = (page: Page, ...phases: readonly string[]): Promise<unknown> =>
  page.waitForSelector(phases.map((phase) => `body[data-phase=${phase}]`).join(', '), { timeout: 90_000 });
