/** What a trained model makes of each test picture. */

import { noGrad } from '@dl/autograd';
import { DataLoader, type Dataset } from '@dl/data';
import { compile, type Tensor } from '@dl/tensor';
import { ConfusionMatrix } from '@dl/train';
import type { DigitBatch } from './digits';
import type { LeNet } from './model';

/** A picture that was taken for another digit. */
export interface Mistake {
  /** Its place in the test set. */
  readonly index: number;
  readonly actual: number;
  readonly predicted: number;
  /** The probability that the model gave the wrong digit. */
  readonly confidence: number;
  /** 784 values, as the model saw them. */
  readonly pixels: Float32Array;
}

export interface Predictions {
  /** Rows are true digits, columns predicted ones. */
  readonly confusion: readonly (readonly number[])[];
  /** The most confident mistakes first. */
  readonly mistakes: readonly Mistake[];
}

export async function predict(model: LeNet, digits: Dataset<DigitBatch>): Promise<Predictions> {
  model.eval();
  const confusion = new ConfusionMatrix(10);
  const look = compile((images: Tensor, labels: Tensor) => {
    const logits = model.forward(images);
    confusion.update(logits, labels);
    const probabilities = logits.softmax(1);
    return { predicted: probabilities.argmax(1), confidence: probabilities.max(1) };
  });
  const mistakes: Mistake[] = [];
  let first = 0;
  for await (const [images, labels] of new DataLoader(digits, { batchSize: 500 })) {
    const { predicted, confidence } = noGrad(() => look(images, labels));
    const [answers, sure, actual, pixels] = await Promise.all([
      predicted.data(),
      confidence.data(),
      labels.data(),
      images.data('f32'),
    ]);
    for (let i = 0; i < answers.length; i++) {
      if (answers[i] === actual[i]) continue;
      const picture = pixels.slice(i * 784, (i + 1) * 784);
      mistakes.push({
        index: first + i,
        actual: actual[i]!,
        predicted: answers[i]!,
        confidence: sure[i]!,
        pixels: picture,
      });
    }
    first += answers.length;
  }
  mistakes.sort((a, b) => b.confidence - a.confidence || a.index - b.index);
  return { confusion: await confusion.compute(), mistakes };
}
