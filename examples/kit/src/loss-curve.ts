/** The loss over the epochs: of an epoch's training, and of the validation after it. */
import type { EpochReport } from '@dl/train';
import { lineCharts } from './line-charts';
import { blue, orange } from './svg';

/** @param history - at least one epoch, each validated */
export const lossCurve = (history: readonly EpochReport[], title: string): string =>
  lineCharts([
    {
      title,
      along: 'epoch',
      format: (loss) => loss.toFixed(3),
      series: [
        { name: 'training', colour: blue, values: history.map(({ train }) => train.loss) },
        { name: 'validation', colour: orange, values: history.map(({ validation }) => validation!.loss) },
      ],
    },
  ]);
