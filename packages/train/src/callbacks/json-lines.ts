/** A log that programs read: one JSON object a line. */
import type { Callback } from '../callback';
import { nodeFiles } from '../node-files';

/** An event of the log. */
type Line = { readonly event: 'step' | 'epoch' | 'end'; readonly step: number };

/**
 * Writes each report as a line of JSON: `{"event":"step",…}`, `{"event":"epoch",…}`, `{"event":"end",…}`. A new run starts
 * the file anew; a resumed one drops the lines that came after its checkpoint and goes on.
 *
 * @param file - its folder is made if it is missing
 */
export function jsonLines(file: string): Callback {
  const append = async (line: Line & object): Promise<void> => {
    const { appendFile } = await nodeFiles('jsonLines');
    await appendFile(file, `${JSON.stringify(line)}\n`);
  };
  return {
    async onStart({ resumedAt }) {
      const fs = await nodeFiles('jsonLines');
      const { dirname } = await import('node:path');
      await fs.mkdir(dirname(file), { recursive: true });
      const before = resumedAt > 0 ? await fs.readFile(file, 'utf8').catch(() => '') : '';
      const kept = before.split('\n').filter((line) => stepOf(line) <= resumedAt);
      await fs.writeFile(file, kept.map((line) => `${line}\n`).join(''));
    },
    onStep: (report) => append({ event: 'step', ...report }),
    onEpoch: (report) => append({ event: 'epoch', ...report }),
    onEnd: ({ status, reason, step }) => append({ event: 'end', step, status, reason } as Line),
  };
}

/** The step of a line; ∞ for an end, and for a line that a killed process left half written. */
function stepOf(line: string): number {
  try {
    const { event, step } = JSON.parse(line) as Line;
    return event === 'end' ? Number.POSITIVE_INFINITY : step;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
