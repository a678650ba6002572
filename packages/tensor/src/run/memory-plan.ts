/**
 * The switch of the memory plan: whether intermediate values share bytes of the arena. It is on; off is for finding out
 * whether a wrong result is the plan's fault, and for the tests that prove that it is not.
 */
interface Environment {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

let isOn = (globalThis as Environment).process?.env?.['DL_MEMORY_PLAN'] !== 'off';

/**
 * Says whether intermediate values whose lifetimes do not meet share memory. Without the plan each has a place of its own:
 * results are the same, and memory is the sum of all intermediates. Holds for eager runs and for what `compile` records
 * from now on; signatures that were recorded keep the schedule they have. In Node, the environment variable
 * `DL_MEMORY_PLAN=off` turns it off from the start.
 *
 * @param on - default at the start: true
 */
export function setMemoryPlan(on: boolean): void {
  isOn = on;
}

/** Whether intermediate values share memory; see `setMemoryPlan`. */
export const memoryPlan = (): boolean => isOn;
