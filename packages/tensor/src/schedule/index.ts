/**
 * From a program to a schedule, pass by pass. Pure and deterministic: the same program and capabilities give the same
 * schedule, and nothing in it refers to the recorded graph, so that it can be cached by the program's structure.
 */
import type { Capabilities } from '../backend';
import type { Schedule } from '../kernel';
import { cluster } from './cluster';
import { joinReaders, sink } from './cluster-join';
import { lowerClusters } from './kernels';
import { chooseWithinLimits } from './limits';
import { materialise } from './materialise';
import { narrow } from './narrow';
import { orderKernels } from './order';
import { place } from './places';
import { planArena } from './plan';
import type { Program } from './program';
import { rewrite } from './rewrite';
import { withoutUnused } from './share';
import { shareCode } from './share-code';

export interface ScheduleOptions {
  /** Whether intermediate values share bytes of the arena; `setMemoryPlan` says it for all runs. Default true. */
  readonly plan?: boolean;
}

/** The steps that compute a program's outputs within a backend's limits. */
export function schedule(
  program: Program,
  capabilities: Capabilities,
  { plan = true }: ScheduleOptions = {},
): Schedule {
  const rewritten = withoutUnused(rewrite(narrow(program)));
  const graph = withoutUnused(materialise(rewritten));
  const clustering = cluster(graph, capabilities);
  joinReaders(clustering);
  sink(clustering);
  const storing = chooseWithinLimits(clustering, capabilities);
  const placing = place(clustering, storing);
  const ordering = orderKernels(clustering, storing, placing.updates);
  const { steps, slots } = lowerClusters(clustering, storing, placing, ordering);
  const arena = planArena(slots, steps, plan);
  return {
    steps: shareCode(steps),
    slots: arena.slots,
    bound: placing.bound,
    arenaBytes: arena.arenaBytes,
    scalars: program.scalars,
  };
}
