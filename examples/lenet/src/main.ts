/** `pnpm example lenet`: trains LeNet-5, says how good it is, and draws what it learned. */
import { runExample } from '@dl/example-kit';
import { loadDigits } from './digits';
import { kept, options } from './options';
import { picturesOf } from './pictures/draw';
import { predict } from './predict';
import { figuresOf, trainLeNet } from './train';

await runExample({
  name: 'lenet',
  about: 'Trains LeNet-5 on handwritten digits.',
  options,
  kept,
  async run(settings, session) {
    const { train, test } = await loadDigits(settings.data, settings.seed);
    console.log(`${train.length} digits to train on, ${test.length} to test, ${settings.data ?? 'generated'}`);
    const trained = await trainLeNet({ train, test }, settings, session);
    if (trained.result.status === 'interrupted') return null;
    const figures = figuresOf(trained, settings);
    const predictions = await predict(trained.model, test);
    return {
      figures,
      said: `test accuracy ${(figures.testAccuracy * 100).toFixed(2)} %`,
      files: await picturesOf(trained.model, trained.result.history, predictions),
    };
  },
});
