/** The page: shows what the worker says, and tells it what was clicked and drawn. It computes nothing itself. */
import type { FromWorker, History, Phase, Point, Progress, Remembered, ToWorker } from '../messages';
import { Answer } from './bars';
import { Chart } from './chart';
import { onThemeChange } from './colours';
import { MapsView, paintInk } from './maps';
import { Pad } from './pad';
import { Settings } from './settings';

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

const worker = new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module' });
const tell = (message: ToWorker): void => worker.postMessage(message);

const settings = new Settings();
const answer = new Answer();
const maps = new MapsView();
const lossChart = new Chart('loss-chart', 'loss', (value) => value.toFixed(3));
const accuracyChart = new Chart('accuracy-chart', 'accuracy', percent);
const pad = new Pad(element<HTMLCanvasElement>('pad'), drawn);

let phase: Phase = 'starting';
let history: History = { train: [], test: [] };
let progress: Progress = { step: 0, steps: 0, epoch: 0, epochs: 0 };
/** The picture on the pad; null if it is empty. */
let picture: Float32Array | null = null;

function drawn(now: Float32Array | null): void {
  if (now === null && picture === null) return;
  picture = now;
  showPicture();
  tell({ type: 'look', pixels: now });
}

function showPicture(): void {
  paintInk(element<HTMLCanvasElement>('small'), picture ?? new Float32Array(784));
  element('inside-of').textContent = `What the layers make of ${picture ? 'the digit on the pad' : 'a sample digit'}.`;
  if (!picture) answer.clear();
}

const phaseText: Readonly<Record<Phase, string>> = {
  starting: 'Starting …',
  untrained: 'Not trained yet',
  preparing: 'Preparing …',
  training: 'Training',
  paused: 'Paused',
  trained: 'Trained',
};

function enter(next: Phase, text: string): void {
  phase = next;
  document.body.dataset['phase'] = next;
  element('phase').textContent = text ? `${text} …` : phaseText[next];
  settings.enter(next);
  element<HTMLButtonElement>('sample').disabled = next === 'starting';
  element<HTMLButtonElement>('download').disabled = progress.step === 0;
}

function showFigures(): void {
  const train = history.train.at(-1);
  const test = history.test.at(-1);
  element('step').textContent = progress.step.toLocaleString('en');
  element('loss').textContent = train ? train.loss.toFixed(3) : '–';
  element('accuracy').textContent = test ? percent(test.accuracy) : '–';
  element<HTMLProgressElement>('progress').value = progress.steps > 0 ? progress.step / progress.steps : 0;
  const steps = Math.max(progress.steps, progress.step);
  lossChart.show(history, steps);
  accuracyChart.show(history, steps);
}

const add = (part: keyof History, point: Point): void => {
  history = { ...history, [part]: [...history[part], point] };
};

function showRemembered(remembered: Remembered | null): void {
  const text = element('remembered');
  element<HTMLButtonElement>('forget').disabled = remembered === null;
  if (!remembered) {
    text.textContent = 'This browser remembers no network yet.';
    return;
  }
  const when = new Date(remembered.savedAt).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' });
  const how = remembered.accuracy === null ? '' : `, ${percent(remembered.accuracy)} of the test digits right`;
  text.textContent = `Remembered in this browser: ${remembered.step.toLocaleString('en')} steps${how}. ${when}.`;
}

function download(bytes: Uint8Array<ArrayBuffer>): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = 'lenet.safetensors';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function showError(text: string | null): void {
  element('error').hidden = text === null;
  element('error').textContent = text;
}

const receive: { readonly [T in FromWorker['type']]: (message: Extract<FromWorker, { type: T }>) => void } = {
  backends: ({ choices }) => settings.offer(choices),
  phase: (message) => enter(message.phase, message.text),
  running: ({ backend }) => settings.describe(backend),
  history(message) {
    ({ history, progress } = message);
    showFigures();
  },
  step({ point, progress: now, digitsPerSecond }) {
    add('train', point);
    progress = now;
    if (digitsPerSecond !== null) element('speed').textContent = Math.round(digitsPerSecond).toLocaleString('en');
    showFigures();
  },
  test({ point }) {
    add('test', point);
    showFigures();
  },
  seen(message) {
    if (picture) answer.show(message.probabilities, progress.step > 0);
    maps.show(message.maps);
  },
  sample({ pixels }) {
    picture = pixels;
    pad.show(pixels);
    showPicture();
  },
  remembered: ({ remembered }) => showRemembered(remembered),
  exported: ({ bytes }) => download(bytes),
  failed: ({ text }) => showError(text),
};

worker.onmessage = ({ data }: MessageEvent<FromWorker>) => receive[data.type](data as never);
worker.onerror = (event) =>
  showError(`The worker stopped: ${event.message || 'it could not be loaded'}. Reload the page.`);

settings.form.addEventListener('submit', async (event) => {
  event.preventDefault();
  showError(null);
  if (phase === 'training') return tell({ type: 'pause' });
  try {
    tell({ type: 'train', ...(await settings.chosen()) });
  } catch (error) {
    showError((error as Error).message);
  }
});
const clicks = { reset: 'reset', sample: 'sample', download: 'export', forget: 'forget' } as const;
for (const [id, type] of Object.entries(clicks)) element(id).addEventListener('click', () => tell({ type }));
element('clear').addEventListener('click', () => pad.clear());

onThemeChange(() => {
  maps.repaint();
  pad.repaint();
  showPicture();
});
showPicture();
enter('starting', '');
