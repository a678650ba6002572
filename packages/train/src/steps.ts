/**
 * One step of training and one of evaluation, compiled. The training step refuses its own update where the loss is not
 * finite, and all later ones from there on, so that the host may look only now and then: what it finds is the state
 * before the step that failed.
 */
import { commitWhen, compile, realize, type Tensor, type Tree, tensor, Variable } from '@dl/tensor';
import { Mean } from './metrics/mean';
import type { Metric } from './metrics/metric';

/** What of an optimiser a step needs. */
export interface Minimizer {
  minimize(loss: Tensor, options?: MinimizerOptions): void;
}

/** How gradients are clipped, as `Optimizer.minimize` takes it. */
export interface MinimizerOptions {
  readonly clipNorm?: number;
  readonly normType?: number;
  readonly clipValue?: number;
}

/** What a batch became: the model's output, and what it should have been. */
export interface Prediction {
  readonly output: Tensor;
  readonly target: Tensor;
}

export interface StepOptions<B> {
  readonly forward: (batch: B) => Prediction;
  readonly loss: (output: Tensor, target: Tensor) => Tensor;
  readonly optimizer: Minimizer;
  readonly minimizeOptions: MinimizerOptions;
  readonly metrics: Readonly<Record<string, Metric>>;
  /** False runs operations as they are called, and reads the loss at each step. */
  readonly compiled: boolean;
}

/** The first step whose loss was not finite. */
export interface Failure {
  /** Counted from the first step of these. */
  readonly index: number;
  readonly loss: number;
}

const NONE = -1;

/** Runs what a call assigns at once, while its batch is still there. */
const eagerly =
  <B>(body: (batch: B) => void) =>
  (batch: B): void => {
    body(batch);
    realize([]);
  };

export class Steps<B extends Tree> {
  /** Over the batches since it was reset. */
  readonly meanLoss = new Mean();
  readonly #options: StepOptions<B>;
  /** Steps so far; the one that failed first, or −1; and its loss. */
  readonly #count = new Variable(tensor(0, null, { dtype: 'i32' }), { name: 'fit.count' });
  readonly #failedAt = new Variable(tensor(NONE, null, { dtype: 'i32' }), { name: 'fit.failedAt' });
  readonly #failedLoss = new Variable(tensor(0), { name: 'fit.failedLoss' });
  readonly #train: (batch: B) => void;
  /** Adds a batch to loss and metrics. */
  readonly evaluate: (batch: B) => void;

  constructor(options: StepOptions<B>) {
    this.#options = options;
    const evaluate = (batch: B): void => void this.#measure(batch);
    this.evaluate = options.compiled ? compile(evaluate, { name: 'evaluate' }) : eagerly(evaluate);
    this.#train = compile((batch: B): void => this.#guarded(batch), { name: 'train' });
  }

  /** The loss of a batch; it and the metrics take the batch into account. */
  #measure(batch: B): Tensor {
    const { forward, loss } = this.#options;
    const { output, target } = forward(batch);
    const value = loss(output, target);
    this.#take(value, { output, target });
    return value;
  }

  #take(loss: Tensor, { output, target }: Prediction): void {
    this.meanLoss.update(loss, output.shape[0] ?? 1);
    for (const metric of Object.values(this.#options.metrics)) metric.update(output, target);
  }

  /** The forward pass up to the loss, with nothing taken into account. */
  forwardLoss(batch: B): Tensor {
    const { output, target } = this.#options.forward(batch);
    return this.#options.loss(output, target);
  }

  #guarded(batch: B): void {
    const { optimizer, minimizeOptions } = this.#options;
    const loss = this.#measure(batch);
    optimizer.minimize(loss, minimizeOptions);
    const isWell = this.#failedAt.eq(NONE);
    commitWhen(isWell.and(loss.isFinite()));
    const isFirst = isWell.and(loss.isFinite().not());
    this.#failedLoss.assign(isFirst.where(loss.cast('f32'), this.#failedLoss));
    this.#failedAt.assign(isFirst.where(this.#count, this.#failedAt));
    this.#count.assign(this.#count.add(1));
  }

  /** One step. Eager, it is over, and checked, when the promise resolves. */
  train(batch: B): Promise<void> | undefined {
    if (!this.#options.compiled) return this.#trainEagerly(batch);
    this.#train(batch);
    return undefined;
  }

  async #trainEagerly(batch: B): Promise<void> {
    const { optimizer, minimizeOptions, forward, loss: lossOf } = this.#options;
    const prediction = forward(batch);
    const loss = lossOf(prediction.output, prediction.target);
    const value = await loss.item();
    if (Number.isFinite(value)) {
      this.#take(loss, prediction);
      optimizer.minimize(loss, minimizeOptions);
    } else {
      this.#failedLoss.assign(value);
      this.#failedAt.assign(this.#count);
    }
    this.#count.assign(this.#count.add(1));
  }

  /** The first step that failed, if any has. Waits for what is queued. */
  async failure(): Promise<Failure | null> {
    const index = await this.#failedAt.item();
    return index === NONE ? null : { index, loss: await this.#failedLoss.item() };
  }
}
