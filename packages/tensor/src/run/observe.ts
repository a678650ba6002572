/** What a profile in progress wants to hear about runs. */
import type { Timing } from '../backend';
import type { Node } from '../graph/node';
import type { Schedule } from '../kernel';

export interface Observer {
  /** A schedule is about to run. */
  ran(schedule: Schedule): void;
  readonly timed: (steps: readonly Timing[]) => void;
  /** Storages were allocated for results. */
  allocated(count: number, bytes: number): void;
  /** A value is computed that an earlier run computed and did not keep. */
  again(node: Node): void;
}

let observer: Observer | null = null;

export const currentObserver = (): Observer | null => observer;

export function setObserver(next: Observer | null): void {
  observer = next;
}
