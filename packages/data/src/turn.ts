/**
 * Turns of the event loop. A loop that awaits only resolved promises never lets timers, signals (Ctrl-C), finalisers
 * or a page's repaint run; whoever loops for long takes a turn now and then.
 */

type Timers = { setImmediate?: (task: () => void) => unknown };
/** The part of a browser's MessagePort that is used here. */
type Port = { onmessage: (() => void) | null; close(): void };

/**
 * Runs a task in a later turn of the event loop, after what waits now; without the 4 ms that browsers add to nested
 * timers.
 */
export function inLaterTurn(task: () => void): void {
  const { setImmediate } = globalThis as Timers;
  if (setImmediate) {
    setImmediate(task);
    return;
  }
  const { port1, port2 } = new MessageChannel();
  const port = port1 as unknown as Port;
  port.onmessage = () => {
    port.close();
    task();
  };
  port2.postMessage(undefined);
}

/** Resolves in a later turn of the event loop. */
export const turn = (): Promise<void> => new Promise(inLaterTurn);
