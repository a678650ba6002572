/** The form: which backend, which digits, how long; and the buttons, which say what they would do now. */
import type { BackendChoice, BackendName, Digits, Phase } from '../messages';
import { readDigitFiles } from './files';

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

const runText: Readonly<Record<Phase, string>> = {
  starting: 'Train',
  untrained: 'Train',
  preparing: 'Train',
  training: 'Pause',
  paused: 'Resume',
  trained: 'Train more',
};

export interface Chosen {
  readonly backend: BackendName;
  readonly digits: Digits;
  readonly epochs: number;
}

export class Settings {
  readonly form = element<HTMLFormElement>('settings');
  readonly #backend = element<HTMLSelectElement>('backend');
  readonly #digits = element<HTMLSelectElement>('digits');
  readonly #epochs = element<HTMLInputElement>('epochs');
  readonly #files = element<HTMLInputElement>('files');
  readonly #run = element<HTMLButtonElement>('run');
  readonly #reset = element<HTMLButtonElement>('reset');

  constructor() {
    this.#digits.addEventListener('change', () => {
      element('files-row').hidden = this.#digits.value !== 'files';
    });
  }

  offer(choices: readonly BackendChoice[]): void {
    this.#backend.replaceChildren(
      ...choices.map(({ name, label, unavailable }) => {
        const option = new Option(unavailable === null ? label : `${label} (not available)`, name);
        option.disabled = unavailable !== null;
        return option;
      }),
    );
    const reasons = choices.flatMap(({ label, unavailable }) =>
      unavailable === null ? [] : [`${label}: ${unavailable}`],
    );
    element('backend-note').dataset['reasons'] = reasons.join('\n');
    this.describe('');
  }

  /** Says what runs, and what cannot, and why. */
  describe(running: string): void {
    const note = element('backend-note');
    const lines = [running, ...(note.dataset['reasons'] ?? '').split('\n')].filter((text) => text !== '');
    note.replaceChildren(
      ...lines.map((text) => {
        const span = document.createElement('span');
        span.textContent = text;
        return span;
      }),
    );
  }

  enter(phase: Phase): void {
    const isBusy = phase === 'training' || phase === 'preparing' || phase === 'starting';
    this.#run.textContent = runText[phase];
    this.#run.disabled = phase === 'starting' || phase === 'preparing';
    this.#reset.disabled = phase === 'starting' || phase === 'preparing' || phase === 'untrained';
    for (const input of [this.#backend, this.#digits, this.#epochs, this.#files]) input.disabled = isBusy;
  }

  /** @throws Error in words, if something is missing */
  async chosen(): Promise<Chosen> {
    const { value } = this.#digits;
    const backend = this.#backend.value as BackendName;
    const epochs = this.#epochs.valueAsNumber;
    if (value !== 'files') return { backend, epochs, digits: { kind: 'generated', count: Number(value) } };
    const files = [...(this.#files.files ?? [])];
    const name = files.map((file) => `${file.name} ${file.size}`).join(', ');
    return { backend, epochs, digits: { kind: 'files', name, files: await readDigitFiles(files) } };
  }
}
