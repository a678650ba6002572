/**
 * Prepared schedules, found again by the structure of their program. The cache is bounded: what was used longest ago goes
 * first. A hit compares the whole key, never only its hash.
 */
import type { Backend, Executable } from '../backend';
import { BackendError, DTypeError } from '../errors';
import type { Schedule } from '../kernel';
import { schedule } from '../schedule';
import { memoryPlan } from './memory-plan';
import { sameKey, type Written } from './program';

export interface Prepared {
  readonly key: readonly number[];
  readonly hash: number;
  readonly schedule: Schedule;
  readonly executable: Executable;
}

/** How many schedules a backend keeps. */
const limit = 512;

class Cache {
  readonly byHash = new Map<number, Prepared[]>();
  readonly order = new Set<Prepared>();

  find(written: Written): Prepared | undefined {
    const found = this.byHash.get(written.hash)?.find((p) => sameKey(p.key, written.key));
    if (found) {
      this.order.delete(found);
      this.order.add(found);
    }
    return found;
  }

  keep(prepared: Prepared): void {
    const list = this.byHash.get(prepared.hash);
    if (list) list.push(prepared);
    else this.byHash.set(prepared.hash, [prepared]);
    this.order.add(prepared);
    if (this.order.size > limit) this.drop(this.order.values().next().value!);
  }

  drop(prepared: Prepared): void {
    this.order.delete(prepared);
    const rest = this.byHash.get(prepared.hash)!.filter((p) => p !== prepared);
    if (rest.length > 0) this.byHash.set(prepared.hash, rest);
    else this.byHash.delete(prepared.hash);
    prepared.executable.dispose();
  }
}

/** One cache a backend, for schedules with the memory plan and without. */
const planned = new WeakMap<Backend, Cache>();
const unplanned = new WeakMap<Backend, Cache>();

/** The executable of a program, from the cache or newly scheduled. */
export function prepared(backend: Backend, written: Written): Prepared {
  const caches = memoryPlan() ? planned : unplanned;
  let cache = caches.get(backend);
  if (cache === undefined) {
    cache = new Cache();
    caches.set(backend, cache);
  }
  const found = cache.find(written);
  if (found) return found;
  const fresh = prepare(backend, written);
  cache.keep(fresh);
  return fresh;
}

/** Schedules and renders a program, outside the cache. */
export function prepare(backend: Backend, written: Written): Prepared {
  checkDTypes(backend, written);
  const made = schedule(written.program, backend.capabilities, { plan: memoryPlan() });
  for (const step of made.steps) {
    if (step.kind !== 'kernel') continue;
    const answer = backend.supports(step.kernel);
    if (answer !== true)
      throw new BackendError(`${step.kernel.name}: the backend ${backend.name} cannot run it: ${answer}`);
  }
  return { key: written.key, hash: written.hash, schedule: made, executable: backend.prepare(made) };
}

function checkDTypes(backend: Backend, written: Written): void {
  for (const node of written.program.nodes) {
    if (!backend.capabilities.dtypes.includes(node.dtype)) {
      throw new DTypeError(
        `${node.op}: the backend ${backend.name} has no ${node.dtype}; it has ${backend.capabilities.dtypes.join(', ')}. Cast to one of them.`,
      );
    }
  }
}
