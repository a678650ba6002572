/** LeNet, its optimiser and the compiled functions that train, test and look through it. Knows nothing of the page. */
import { noGrad } from '@dl/autograd';
import { DataLoader, type DataLoaderState, type Dataset, MNIST_NORMALIZATION } from '@dl/data';
import { LeNet } from '@dl/example-lenet/model';
import { crossEntropy } from '@dl/layers';
import { Adam } from '@dl/optim';
import { compile, type Tensor, tensor } from '@dl/tensor';
import { Accuracy, Mean } from '@dl/train';
import type { Maps, Point } from '../messages';

export type DigitBatch = [images: Tensor, labels: Tensor];

const batchSize = 64;
const learningRate = 2e-3;

/** Loss and accuracy over the batches since they were last read. */
class Figures {
  readonly #loss = new Mean();
  readonly #accuracy = new Accuracy();

  /** Takes a batch into account; answers its loss. */
  take(logits: Tensor, labels: Tensor): Tensor {
    const loss = crossEntropy(logits, labels);
    this.#loss.update(loss, labels.shape[0]);
    this.#accuracy.update(logits, labels);
    return loss;
  }

  async read(step: number): Promise<Point> {
    const [loss, accuracy] = await Promise.all([this.#loss.compute(), this.#accuracy.compute()]);
    this.#loss.reset();
    this.#accuracy.reset();
    return { step, loss, accuracy };
  }
}

export interface TrainerState {
  readonly model: ReturnType<LeNet['stateDict']>;
  readonly optimizer: ReturnType<Adam['stateDict']>;
  readonly step: number;
}

export class Trainer {
  step = 0;
  readonly #model = new LeNet();
  readonly #optimizer = new Adam(this.#model.parameters(), { lr: learningRate });
  readonly #trained = new Figures();
  readonly #tested = new Figures();

  readonly #train = compile(
    (images: Tensor, labels: Tensor): void => {
      this.#optimizer.minimize(this.#trained.take(this.#model.forward(images), labels));
    },
    { name: 'train' },
  );

  readonly #test = compile(
    (images: Tensor, labels: Tensor): void => void this.#tested.take(this.#model.forward(images), labels),
    { name: 'test' },
  );

  /** A picture through the network, with what it is on the way. */
  readonly #look = compile(
    (pixels: Tensor) => {
      const { mean = 0, std = 1 } = MNIST_NORMALIZATION;
      const layers = this.#model.features.children();
      const seen: Tensor[] = [pixels.sub(mean).div(std)];
      for (const layer of layers) seen.push((layer as unknown as { forward(x: Tensor): Tensor }).forward(seen.at(-1)!));
      const probabilities = this.#model.classifier.forward(seen.at(-1)!).softmax(1);
      return { probabilities, first: seen[2]!, second: seen[5]! }; // after the ReLU of either convolution
    },
    { name: 'look' },
  );

  /** One step of training on a batch. Nothing is read. */
  train([images, labels]: DigitBatch): void {
    this.#train(images, labels);
    this.step++;
  }

  /** Figures of the batches since this was last called. */
  trained(): Promise<Point> {
    return this.#trained.read(this.step);
  }

  /** Figures of all digits of a dataset. */
  async test(digits: Dataset<DigitBatch>): Promise<Point> {
    const step = this.step;
    for await (const [images, labels] of new DataLoader(digits, { batchSize: 250 }))
      noGrad(() => this.#test(images, labels));
    return this.#tested.read(step);
  }

  /** @param pixels - 784 values from 0 (paper) to 1 (ink) */
  async look(pixels: Float32Array): Promise<{ probabilities: Float32Array; maps: Maps }> {
    const { probabilities, first, second } = noGrad(() => this.#look(tensor(pixels, [1, 1, 28, 28])));
    const filters = this.#model.stateDict()['features.0.weight']!;
    const [p, f, a, b] = await Promise.all([probabilities, filters, first, second].map((x) => x.data('f32')));
    return { probabilities: p!, maps: { filters: f!, first: a!, second: b! } };
  }

  stateDict(): TrainerState {
    return { model: this.#model.stateDict(), optimizer: this.#optimizer.stateDict(), step: this.step };
  }

  loadStateDict({ model, optimizer, step }: TrainerState): void {
    this.#model.loadStateDict(model);
    this.#optimizer.loadStateDict(optimizer);
    this.step = step;
  }
}

/** Training batches in an order that the seed and the epoch decide. */
export function trainLoader(digits: Dataset<DigitBatch>, state: DataLoaderState | null): DataLoader<DigitBatch> {
  const loader = new DataLoader(digits, { batchSize, shuffle: true, seed: 0, prefetch: 2 });
  if (state) loader.loadStateDict(state);
  return loader;
}
