/** Which pictures a run leaves behind, and under which names. */
import type { EpochReport } from '@dl/train';
import type { LeNet } from '../model';
import type { Predictions } from '../predict';
import { confusionChart } from './confusion';
import { curves } from './curves';
import { filterPicture } from './filters';
import { mistakesChart } from './mistakes';

export async function picturesOf(
  model: LeNet,
  history: readonly EpochReport[],
  predictions: Predictions,
): Promise<Readonly<Record<string, string | Uint8Array>>> {
  const weight = model.parameters()[0]!; // [6, 1, 5, 5]
  const [count, , side] = weight.dims(4);
  return {
    'curves.svg': curves(history),
    'filters.png': filterPicture(await weight.data('f32'), count, side),
    'confusion.svg': confusionChart(predictions.confusion),
    'mistakes.svg': mistakesChart(predictions.mistakes),
  };
}
