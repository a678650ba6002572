/** Ctrl-C as a signal that `fit` understands. */
import type { StopSignal } from '@dl/data';

/** A signal, and how to stop listening. */
export interface InterruptSignal extends StopSignal {
  /** Gives Ctrl-C its usual meaning back. */
  dispose(): void;
}

interface Signals {
  once(name: string, listener: () => void): void;
  removeListener(name: string, listener: () => void): void;
}

/**
 * A signal that is set by the first Ctrl-C (SIGINT) or SIGTERM; the second has its usual effect. Where there are no such
 * signals, it is never set.
 */
export function interruptSignal(): InterruptSignal {
  const process = (globalThis as { process?: Partial<Signals> }).process;
  let aborted = false;
  const listener = (): void => {
    aborted = true;
    dispose();
  };
  const names = ['SIGINT', 'SIGTERM'];
  const dispose = (): void => {
    for (const name of names) process?.removeListener?.(name, listener);
  };
  for (const name of names) process?.once?.(name, listener);
  return {
    get aborted() {
      return aborted;
    },
    reason: 'interrupted',
    dispose,
  };
}
