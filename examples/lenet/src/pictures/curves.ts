/** Loss and accuracy over the epochs: two charts, each with a line for training and one for test. */
import { blue, lineCharts, orange, type Series } from '@dl/example-kit';
import type { EpochReport } from '@dl/train';

export function curves(history: readonly EpochReport[]): string {
  const both = (figure: string): Series[] => [
    { name: 'training', colour: blue, values: history.map(({ train }) => Number(train[figure])) },
    { name: 'test', colour: orange, values: history.map(({ validation }) => Number(validation?.[figure])) },
  ];
  const along = 'epoch';
  return lineCharts([
    { title: 'Cross entropy', series: both('loss'), along, format: (v) => v.toFixed(3) },
    { title: 'Accuracy', series: both('accuracy'), along, format: (v) => `${(v * 100).toFixed(2)} %`, ticks: '.1%' },
  ]);
}
