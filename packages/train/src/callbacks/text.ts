/** Reports in words. */
import type { EpochReport, Figures, StepReport } from '../report';

/** Four significant digits, and no more zeros than needed. */
export const short = (value: number): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);

const named = (figures: Figures): string =>
  Object.entries(figures)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .map(([name, value]) => `${name} ${short(value)}`)
    .join('  ');

/** Minutes and seconds, or seconds alone. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

export function epochLine({ epoch, epochs, train, validation, seconds, stepMsMedian }: EpochReport): string {
  const parts = [`epoch ${epoch}/${epochs}`, named(train)];
  if (validation) parts.push(`validation ${named(validation)}`);
  return [...parts, duration(seconds), `${short(stepMsMedian)} ms a step`].join('  ');
}

export function stepLine({ epoch, epochs, batch, batches, train }: StepReport): string {
  return `epoch ${epoch}/${epochs}  step ${batch}${batches === null ? '' : `/${batches}`}  ${named(train)}`;
}

/** A bar of `width` cells, with the time that is left by the pace so far. */
export function barLine(report: StepReport, width: number): string {
  const { batch, batches, seconds } = report;
  if (batches === null || batches === 0) return stepLine(report);
  const filled = Math.round((batch / batches) * width);
  const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
  return `${stepLine(report)}  ${bar}  ${duration((seconds / batch) * (batches - batch))} left`;
}
