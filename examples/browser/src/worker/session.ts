/**
 * What the worker does, in order: a network on a backend, trained until it is told to pause, remembered, looked through. A pause
 * ends the loop and keeps its position; a resumption begins a loop there. So a reload, a change of backend and a pause are one
 * thing: a state that is put into a new trainer.
 */
import { type DataLoader, generateDigits } from '@dl/data';
import { type Backend, setBackend, setSeed } from '@dl/tensor';
import type { BackendName, Digits, FromWorker, Phase, Point, Progress } from '../messages';
import { backendChoices, startBackend } from './backends';
import { type DigitSets, loadDigits, nameOfDigits } from './digits';
import * as memory from './memory';
import { decodeSaved, encodeSaved, type Saved, summaryOf } from './saved';
import { type DigitBatch, Trainer, trainLoader } from './trainer';
import { turn } from './turn';

type Post = (message: FromWorker, transfer?: readonly Transferable[]) => void;

/** Least times between reports of training, looks through the network, tests, and writes to the browser's memory. */
const everyMs = { report: 60, look: 300, save: 5000 } as const;
const testsPerEpoch = 4;

/** Where training is, and up to where it goes. */
type Position = Pick<Saved, 'digits' | 'loader' | 'epoch' | 'epochs' | 'endStep'>;

const nowhere: Position = { digits: { kind: 'generated', count: 0 }, loader: null, epoch: 0, epochs: 0, endStep: 0 };

export class Session {
  readonly #post: Post;
  #phase: Phase = 'starting';
  #backend: { readonly name: BackendName; readonly backend: Backend } | null = null;
  #trainer: Trainer | null = null;
  #position = nowhere;
  #history: { train: Point[]; test: Point[] } = { train: [], test: [] };
  #sets: { readonly name: string; readonly sets: DigitSets } | null = null;
  /** The latest state that was written, for when the backend is lost. */
  #kept: Uint8Array | null = null;
  #stopping = false;
  #run: Promise<void> = Promise.resolve();
  #pixels = ownDigit(7);
  #isLooking = false;
  #looksAgain = false;

  constructor(post: Post) {
    this.#post = post;
  }

  async start(): Promise<void> {
    this.#post({ type: 'backends', choices: await backendChoices() });
    this.#kept = (await memory.recall()) ?? null;
    await this.#open('cpu');
    this.#post({ type: 'remembered', remembered: this.#kept && summaryOf(decodeSaved(this.#kept)) });
    this.#rest();
    await this.look(null);
  }

  /** Begins, or goes on. */
  async train({ backend, digits, epochs }: { backend: BackendName; digits: Digits; epochs: number }): Promise<void> {
    if (this.#phase === 'training' || this.#phase === 'preparing') return;
    this.#stopping = false;
    this.#run = this.#trainOn(backend, digits, epochs).catch((error: unknown) => this.#fail(error));
    await this.#run;
  }

  pause(): void {
    this.#stopping = true;
  }

  /** New weights. What the browser remembers stays until it is overwritten or forgotten. */
  async reset(): Promise<void> {
    this.#stopping = true;
    await this.#run;
    const name = this.#backend?.name ?? 'cpu';
    this.#kept = null;
    await this.#open(name);
    this.#rest();
    await this.look(null);
  }

  async forget(): Promise<void> {
    await memory.forget();
    this.#post({ type: 'remembered', remembered: null });
  }

  async export(): Promise<void> {
    const bytes = (await this.#encode()) as Uint8Array<ArrayBuffer>;
    this.#post({ type: 'exported', bytes }, [bytes.buffer]);
  }

  /** A digit that the network has not been trained on, shown and looked at. */
  async sample(): Promise<void> {
    const label = Math.floor(Math.random() * 10);
    const pixels = ownDigit(label, 1000 + Math.floor(Math.random() * 1e6));
    this.#post({ type: 'sample', pixels, label });
    await this.look(pixels);
  }

  /** Shows what the network makes of a picture; of several asked for at once, of the last. */
  async look(pixels: Float32Array | null): Promise<void> {
    this.#pixels = pixels ?? ownDigit(7);
    this.#looksAgain = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      while (this.#looksAgain && this.#trainer) {
        this.#looksAgain = false;
        this.#post({ type: 'seen', ...(await this.#trainer.look(this.#pixels)) });
      }
    } finally {
      this.#isLooking = false;
    }
  }

  /** A trainer on a backend, in the state that was kept, or new. */
  async #open(name: BackendName): Promise<void> {
    if (this.#backend?.name !== name) {
      const old = this.#backend?.backend;
      this.#trainer = null;
      this.#backend = null;
      while (this.#isLooking) await turn();
      const backend = await startBackend(name);
      setBackend(backend);
      this.#backend = { name, backend };
      void backend.lost.then((error) => this.#lose(backend, error));
      await old?.dispose();
    }
    setSeed(Math.floor(Math.random() * 2 ** 31));
    this.#trainer = new Trainer();
    this.#position = nowhere;
    this.#history = { train: [], test: [] };
    if (this.#kept) this.#load(decodeSaved(this.#kept));
    this.#post({ type: 'running', backend: this.#backend!.backend.describe() });
    this.#post({ type: 'history', history: this.#history, progress: this.#progress() });
  }

  #load(saved: Saved): void {
    this.#trainer!.loadStateDict(saved);
    this.#position = saved;
    this.#history = { train: [...saved.history.train], test: [...saved.history.test] };
  }

  async #trainOn(backend: BackendName, digits: Digits, epochs: number): Promise<void> {
    this.#enter('preparing', `Starting ${backend}`);
    if (this.#backend?.name !== backend || !this.#trainer) {
      if (this.#trainer && this.#trainer.step > 0) this.#kept = await this.#encode();
      await this.#open(backend);
    }
    const sets = await this.#digits(digits);
    const loader = this.#aim(digits, sets, epochs);
    this.#enter('training', '');
    await this.#loop(loader, sets);
    await this.#save(loader);
    this.#rest();
  }

  async #digits(digits: Digits): Promise<DigitSets> {
    const name = nameOfDigits(digits);
    if (this.#sets?.name === name) return this.#sets.sets;
    this.#enter(
      'preparing',
      digits.kind === 'generated' ? `Making ${digits.count.toLocaleString('en')} digits` : 'Reading the files',
    );
    await turn();
    this.#sets = { name, sets: await loadDigits(digits) };
    return this.#sets.sets;
  }

  /** Where training goes on, and up to where: an interrupted run to its end, a finished one for more epochs. */
  #aim(digits: Digits, { train }: DigitSets, epochs: number): DataLoader<DigitBatch> {
    const before = this.#position;
    const isSame = nameOfDigits(before.digits) === nameOfDigits(digits);
    const loader = trainLoader(train, isSame ? before.loader : null);
    const { epoch } = before;
    const until = isSame && epoch < before.epochs ? before.epochs : epoch + epochs;
    const { batch } = loader.stateDict();
    this.#position = {
      digits: digits.kind === 'files' ? { ...digits, files: null } : digits,
      loader: null,
      epoch,
      epochs: until,
      endStep: this.#trainer!.step + (until - epoch) * loader.length - batch,
    };
    return loader;
  }

  async #loop(loader: DataLoader<DigitBatch>, { test }: DigitSets): Promise<void> {
    const trainer = this.#trainer!;
    const testEvery = Math.ceil(loader.length / testsPerEpoch);
    const last = { report: performance.now(), look: 0, save: performance.now() };
    let reported = trainer.step;
    while (this.#position.epoch < this.#position.epochs) {
      for await (const batch of loader) {
        trainer.train(batch);
        await turn();
        if (this.#stopping) return;
        const now = performance.now();
        if (now - last.report >= everyMs.report) {
          const steps = trainer.step - reported;
          reported = trainer.step;
          await this.#report((steps * loader.batchSize * 1000) / (now - last.report));
          last.report = now;
        }
        if (now - last.look >= everyMs.look) {
          last.look = now;
          await this.look(this.#pixels);
        }
        if (loader.stateDict().batch % testEvery === 0) {
          await this.#test(test);
          last.report = performance.now();
        }
        if (now - last.save >= everyMs.save) {
          last.save = now;
          await this.#save(loader);
        }
      }
      this.#position = { ...this.#position, epoch: this.#position.epoch + 1 };
    }
    if (trainer.step > reported) await this.#report(null);
    await this.#test(test);
  }

  async #report(digitsPerSecond: number | null): Promise<void> {
    const point = await this.#trainer!.trained();
    this.#history.train.push(point);
    this.#post({ type: 'step', point, progress: this.#progress(), digitsPerSecond });
  }

  async #test(digits: DigitSets['test']): Promise<void> {
    const point = await this.#trainer!.test(digits);
    if (this.#history.test.at(-1)?.step === point.step) return;
    this.#history.test.push(point);
    this.#post({ type: 'test', point });
  }

  #progress(): Progress {
    const { epoch, epochs, endStep } = this.#position;
    return { step: this.#trainer?.step ?? 0, steps: endStep, epoch, epochs };
  }

  async #save(loader: DataLoader<DigitBatch>): Promise<void> {
    this.#position = { ...this.#position, loader: loader.stateDict() };
    this.#kept = await this.#encode();
    await memory.remember(this.#kept);
    this.#post({ type: 'remembered', remembered: summaryOf(decodeSaved(this.#kept)) });
  }

  #encode(): Promise<Uint8Array> {
    const history = { train: [...this.#history.train], test: [...this.#history.test] };
    return encodeSaved({ ...this.#trainer!.stateDict(), ...this.#position, history, savedAt: Date.now() });
  }

  #enter(phase: Phase, text: string): void {
    this.#phase = phase;
    this.#post({ type: 'phase', phase, text });
  }

  /** The phase when nothing runs. */
  #rest(): void {
    const { epoch, epochs } = this.#position;
    const step = this.#trainer?.step ?? 0;
    this.#enter(step === 0 ? 'untrained' : epoch < epochs ? 'paused' : 'trained', '');
  }

  #fail(error: unknown): void {
    this.#post({ type: 'failed', text: error instanceof Error ? error.message : String(error) });
    this.#rest();
  }

  /** The device is gone, and with it the weights: the next training begins from what was kept. */
  #lose(backend: Backend, error: Error): void {
    if (this.#backend?.backend !== backend) return;
    this.#backend = null;
    this.#trainer = null;
    this.#post({ type: 'failed', text: `${error.message} Training goes on from the last saved state.` });
  }
}

/** A picture of a digit, generated: 784 values from 0 to 1. */
function ownDigit(label: number, seed = 1): Float32Array {
  const { data } = generateDigits({ count: label + 1, seed, normalize: false }).columns[0];
  return Float32Array.from((data as Uint8Array).subarray(label * 784, (label + 1) * 784), (byte) => byte / 255);
}
