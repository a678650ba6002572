/** Progress: a bar on a terminal, plain lines elsewhere. */
import type { Callback } from '../callback';
import type { StepReport } from '../report';
import { barLine, epochLine, stepLine } from './text';

/** Where text goes: `process.stdout`, for one. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressOptions {
  /** Default: standard output, or the console where there is none. */
  readonly stream?: TextStream;
  /** Without a terminal: seconds between lines within an epoch. Default 10. */
  readonly everySeconds?: number;
}

const toConsole: TextStream = { write: (text) => console.log(text.replace(/\n$/, '')) };

const standard = (): TextStream => (globalThis as { process?: { stdout?: TextStream } }).process?.stdout ?? toConsole;

const CLEAR_LINE = '\r\u001b[K';
const BAR_CELLS = 24;

/** Says how training goes: a bar that moves on a terminal, lines elsewhere; a line an epoch in both. */
export function progress({ stream = standard(), everySeconds = 10 }: ProgressOptions = {}): Callback {
  const isTerminal = stream.isTTY === true;
  let saidAt = 0;

  const show = (report: StepReport): void => {
    if (isTerminal) stream.write(CLEAR_LINE + barLine(report, BAR_CELLS).slice(0, (stream.columns ?? 100) - 1));
    else if (performance.now() - saidAt >= everySeconds * 1000) {
      saidAt = performance.now();
      stream.write(`${stepLine(report)}\n`);
    }
  };
  const line = (text: string): void => void stream.write(`${isTerminal ? CLEAR_LINE : ''}${text}\n`);

  return {
    onStart({ resumedAt }) {
      saidAt = performance.now();
      if (resumedAt > 0) line(`going on after step ${resumedAt}`);
    },
    onStep: show,
    onEpoch: (report) => line(epochLine(report)),
    onEnd({ status, reason, step }) {
      if (status === 'interrupted') line(`interrupted after step ${step}`);
      if (status === 'stopped') line(`stopped after step ${step}: ${reason}`);
    },
  };
}
