/**
 * The training loop: epochs of compiled steps, validation, reports, checkpoints, and the ways it can end. What a step is
 * is for `steps.ts`, what a checkpoint holds for `run-state.ts`.
 */

import { noGrad } from '@dl/autograd';
import type { Module } from '@dl/layers';
import { type Tree, ValueError } from '@dl/tensor';
import type { RunControl } from './callback';
import { loadCheckpoint, type Parts, saveCheckpoint } from './checkpoint/file';
import type { MetricValue } from './metrics/metric';
import { firstBroken, NonFiniteError, probe } from './non-finite';
import { type FitOptions, type Settings, settingsOf } from './options';
import type { Figures, FitResult, FitStatus } from './report';
import { Progress, partsOf, Trail } from './run-state';
import { Steps } from './steps';

/**
 * Trains a model: forward, backward and update as one compiled step, for each batch of each epoch.
 *
 * @returns a report for each epoch, and why training ended
 * @throws NonFiniteError at a loss that is NaN or infinite, before its update is made; it names the step and, by doing it
 * once more, the first layer whose output is not finite. The checkpoint stays the last good one.
 * @example
 * const { history } = await fit(model, {
 *   train: new DataLoader(train, { batchSize: 64, shuffle: true }),
 *   validation: new DataLoader(test, { batchSize: 500 }),
 *   epochs: 3,
 *   optimizer: new Adam(model.parameters(), { lr: 1e-3 }),
 *   loss: crossEntropy,
 *   metrics: { accuracy: new Accuracy() },
 *   callbacks: [progress()],
 *   checkpoint: 'run/last.ckpt',
 * });
 */
export async function fit<B extends Tree>(model: Module, options: FitOptions<B>): Promise<FitResult> {
  return new Run(model, settingsOf(model, options)).run();
}

class Run<B extends Tree> {
  readonly #progress = new Progress();
  readonly #steps: Steps<B>;
  readonly #trail: Trail<B>;
  readonly #parts: Parts;
  /** Steps of this process, as the compiled step counts them. */
  #done = 0;
  #stepMs: number[] = [];
  #epochBegan = 0;
  #stopReason: string | null = null;
  #control!: RunControl;
  #lastBatch: B | null = null;

  constructor(
    readonly model: Module,
    readonly settings: Settings<B>,
  ) {
    const { forward, loss, optimizer, clip, metrics, compiled } = settings;
    this.#steps = new Steps({ forward, loss, optimizer, minimizeOptions: clip, metrics, compiled });
    this.#trail = new Trail(settings);
    this.#parts = partsOf(model, settings, this.#steps, this.#progress);
  }

  async run(): Promise<FitResult> {
    const { resume, epochs, callbacks } = this.settings;
    this.#resetFigures();
    if (resume !== undefined) await this.#resume(resume);
    this.#control = {
      model: this.model,
      resumedAt: this.#progress.step,
      epochs,
      stop: (reason) => {
        this.#stopReason ??= reason;
      },
    };
    for (const callback of callbacks) await callback.onStart?.(this.#control);
    const status = await this.#epochs();
    const result: FitResult = {
      status,
      reason: this.#stopReason,
      step: this.#progress.step,
      history: this.#progress.history,
    };
    for (const callback of callbacks) await callback.onEnd?.(result, this.#control);
    return result;
  }

  async #resume(file: string): Promise<void> {
    await loadCheckpoint(file, this.#parts);
    const { batch, trained } = this.#progress;
    if (batch > 0 && trained === null && !('loader' in this.#parts)) {
      throw new ValueError(
        `fit: ${file} was written after batch ${batch} of an epoch, but the training batches cannot be put back there. Give a DataLoader, or anything with stateDict and loadStateDict.`,
      );
    }
  }

  async #epochs(): Promise<FitStatus> {
    while (this.#progress.epoch < this.settings.epochs) {
      if (this.#stopReason !== null) return 'stopped';
      if (this.#progress.trained === null && !(await this.#train())) return this.#interrupted();
      if (!(await this.#finishEpoch())) return this.#interrupted();
    }
    return this.#stopReason === null ? 'finished' : 'stopped';
  }

  get #isAborted(): boolean {
    return this.settings.signal?.aborted === true;
  }

  async #interrupted(): Promise<FitStatus> {
    await this.#save();
    this.#stopReason = 'interrupted';
    return 'interrupted';
  }

  /** What is left of an epoch's batches. False if the signal ended it. */
  async #train(): Promise<boolean> {
    const { train, reportEvery, scheduleEvery, schedule } = this.settings;
    this.model.train();
    this.#epochBegan = performance.now();
    this.#stepMs = [];
    if (this.#isAborted) return false;
    let before = this.#trail.now();
    for await (const batch of train) {
      this.#trail.push(before);
      this.#lastBatch = batch;
      const began = performance.now();
      await this.#steps.train(batch);
      this.#stepMs.push(performance.now() - began);
      this.#done++;
      this.#progress.step++;
      this.#progress.batch++;
      if (scheduleEvery === 'step') schedule?.step();
      before = this.#trail.now();
      if (this.#done % this.settings.checkEvery === 0) await this.#check();
      if (this.#progress.batch % reportEvery === 0) await this.#report();
      await this.#saveIfDue();
      if (this.#isAborted) {
        await this.#check();
        return false;
      }
    }
    await this.#check();
    if (this.#progress.batch % reportEvery !== 0) await this.#report();
    return true;
  }

  /** Validation, reports and checkpoint of an epoch whose batches are done. False if the signal ended it. */
  async #finishEpoch(): Promise<boolean> {
    const { epochs, schedule, scheduleEvery, callbacks, keep, optimizer, random } = this.settings;
    const progress = this.#progress;
    progress.trained ??= { train: await this.#figures(), seconds: this.#seconds, stepMsMedian: median(this.#stepMs) };
    this.#resetFigures();
    const drawn = random.stateDict();
    const validation = await this.#validate();
    if (validation === 'aborted') {
      random.loadStateDict(drawn);
      this.#resetFigures();
      return false;
    }
    const report = {
      epoch: progress.epoch + 1,
      epochs,
      step: progress.step,
      ...progress.trained,
      validation,
      lr: optimizer.lr ?? Number.NaN,
    };
    progress.history.push(report);
    progress.epoch++;
    progress.batch = 0;
    progress.trained = null;
    if (scheduleEvery === 'epoch') schedule?.step();
    for (const callback of callbacks) await callback.onEpoch?.(report, this.#control);
    const isLast = progress.epoch === epochs || this.#stopReason !== null;
    if (keep && (isLast || progress.epoch % keep.everyEpochs === 0)) await this.#save();
    return true;
  }

  async #validate(): Promise<Figures | null | 'aborted'> {
    const { validation } = this.settings;
    if (validation === undefined) return null;
    this.model.eval();
    try {
      for await (const batch of validation) {
        if (this.#isAborted) return 'aborted';
        noGrad(() => this.#steps.evaluate(batch));
      }
      return await this.#figures();
    } finally {
      this.#resetFigures();
      this.model.train();
    }
  }

  get #seconds(): number {
    return (performance.now() - this.#epochBegan) / 1000;
  }

  async #figures(): Promise<Figures> {
    const values: Record<string, MetricValue> = {};
    for (const [name, metric] of Object.entries(this.settings.metrics)) values[name] = await metric.compute();
    return { loss: await this.#steps.meanLoss.compute(), ...values };
  }

  #resetFigures(): void {
    this.#steps.meanLoss.reset();
    for (const metric of Object.values(this.settings.metrics)) metric.reset();
  }

  async #report(): Promise<void> {
    const { callbacks, epochs, train, optimizer } = this.settings;
    if (!callbacks.some((callback) => callback.onStep)) return;
    await this.#check();
    const { epoch, batch, step } = this.#progress;
    const figures = await this.#figures();
    const counts = { epoch: epoch + 1, epochs, batch, batches: train.length ?? null, step };
    const report = { ...counts, train: figures, lr: optimizer.lr ?? Number.NaN, seconds: this.#seconds };
    for (const callback of callbacks) await callback.onStep?.(report, this.#control);
  }

  async #saveIfDue(): Promise<void> {
    const { keep } = this.settings;
    if (!keep || keep.everySteps === 0 || this.#progress.step % keep.everySteps !== 0) return;
    await this.#check();
    await this.#save();
  }

  /** Writes the checkpoint, unless it would hold values that are not finite. */
  async #save(): Promise<void> {
    const { keep } = this.settings;
    if (!keep) return;
    const broken = await firstBroken(this.model);
    const { step, epoch } = this.#progress;
    if (broken !== null) {
      throw new NonFiniteError(
        `fit: ${broken} is not finite after step ${step}; the checkpoint ${keep.file} stays as it was. ${remedy}`,
        { step, epoch: epoch + 1, layer: null },
      );
    }
    await saveCheckpoint(keep.file, this.#parts);
  }

  /** @throws NonFiniteError if a step since the last check had a loss that is not finite */
  async #check(): Promise<void> {
    const failure = await this.#steps.failure();
    if (failure === null) {
      this.#trail.clear();
      return;
    }
    const step = this.#progress.step - (this.#done - 1 - failure.index);
    const batchNumber = this.#progress.batch - (this.#done - 1 - failure.index);
    const epoch = this.#progress.epoch + 1;
    this.#trail.restore(failure.index);
    const batch = await this.#batchAgain();
    const { layer, what } = await probe(this.model, batch, (b: B) => void this.#steps.forwardLoss(b));
    this.#trail.restore(failure.index);
    const { keep } = this.settings;
    const kept = keep && this.#progress.history.length > 0 ? ` The checkpoint ${keep.file} is the last good one.` : '';
    throw new NonFiniteError(
      `fit: the loss is ${failure.loss} at step ${step} (epoch ${epoch}, batch ${batchNumber}); its update was not made. ${what}${kept} ${remedy}`,
      { step, epoch, layer },
    );
  }

  /** The batch of the step that failed: the next one of a source that was put back, else the one that is at hand. */
  async #batchAgain(): Promise<B> {
    if (this.settings.checkEvery === 1 || !('loader' in this.#parts)) return this.#lastBatch!;
    for await (const batch of this.settings.train) return batch;
    return this.#lastBatch!;
  }
}

const remedy = 'Lower the learning rate, clip gradients with clip: { clipNorm: 1 }, or look at that batch.';

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
