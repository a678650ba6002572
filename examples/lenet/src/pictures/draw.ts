/** Which pictures a run leaves behind, and under which names. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EpochReport } from '@dl/train';
import type { LeNet } from '../model';
import type { Predictions } from '../predict';
import { confusionChart } from './confusion';
import { curves } from './curves';
import { filterPicture } from './filters';
import { mistakesChart } from './mistakes';

/** Writes the pictures to a folder, and returns their paths. */
export async function drawPictures(
  out: string,
  model: LeNet,
  history: readonly EpochReport[],
  predictions: Predictions,
): Promise<string[]> {
  const weight = model.parameters()[0]!; // [6, 1, 5, 5]
  const [count, , side] = weight.dims(4);
  const files: Readonly<Record<string, string | Uint8Array>> = {
    'curves.svg': curves(history),
    'filters.png': filterPicture(await weight.data('f32'), count, side),
    'confusion.svg': confusionChart(predictions.confusion),
    'mistakes.svg': mistakesChart(predictions.mistakes),
  };
  await mkdir(out, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(out, name), content);
  return Object.keys(files).map((name) => join(out, name));
}
