/**
 * Prepared schedules, found again by the structure of their program. The cache is bounded: what was used longest ago goes
 * first. A hit compares the whole key, never only its hash.
 */
import type { Backend, Executable } from '../backend';
import { BackendError, DTypeError } from '../errors';
import type { Schedule } from '../kernel';
import { schedule } from '../schedule';
import type { Program } from '../schedule/program';
import { memoryPlan } from './memory-plan';
import { hasKey, ownKey, type Written } from './program';

export interface Prepared {
  readonly schedule: Schedule;
  readonly executable: Executable;
}

interface Entry extends Prepared {
  readonly key: Float64Array;
  readonly hash: number;
  /** When it was used last, in uses of its cache. */
  used: number;
}

/** How many schedules a backend keeps. */
const limit = 512;

class Cache {
  readonly byHash = new Map<number, Entry[]>();
  private size = 0;
  private uses = 0;

  find(written: Written): Prepared | undefined {
    const list = this.byHash.get(written.hash);
    if (list === undefined) return undefined;
    for (const entry of list) {
      if (!hasKey(written, entry.key)) continue;
      entry.used = ++this.uses;
      return entry;
    }
    return undefined;
  }

  keep(key: Float64Array, hash: number, prepared: Prepared): void {
    const entry: Entry = { ...prepared, key, hash, used: ++this.uses };
    const list = this.byHash.get(hash);
    if (list) list.push(entry);
    else this.byHash.set(hash, [entry]);
    if (++this.size > limit) this.dropOldest();
  }

  private dropOldest(): void {
    const entries = [...this.byHash.values()].flat();
    const oldest = entries.reduce((a, b) => (a.used < b.used ? a : b));
    const rest = this.byHash.get(oldest.hash)!.filter((e) => e !== oldest);
    if (rest.length > 0) this.byHash.set(oldest.hash, rest);
    else this.byHash.delete(oldest.hash);
    this.size--;
    oldest.executable.dispose();
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
  const fresh = prepare(backend, written.program());
  cache.keep(ownKey(written), written.hash, fresh);
  return fresh;
}

/** Schedules and renders a program, outside the cache. */
export function prepare(backend: Backend, program: Program): Prepared {
  checkDTypes(backend, program);
  const made = schedule(program, backend.capabilities, { plan: memoryPlan() });
  for (const step of made.steps) {
    if (step.kind !== 'kernel') continue;
    const answer = backend.supports(step.kernel);
    if (answer !== true)
      throw new BackendError(`${step.kernel.name}: the backend ${backend.name} cannot run it: ${answer}`);
  }
  return { schedule: made, executable: backend.prepare(made) };
}

function checkDTypes(backend: Backend, { nodes }: Program): void {
  for (const node of nodes) {
    if (!backend.capabilities.dtypes.includes(node.dtype)) {
      throw new DTypeError(
        `${node.op}: the backend ${backend.name} has no ${node.dtype}; it has ${backend.capabilities.dtypes.join(', ')}. Cast to one of them.`,
      );
    }
  }
}
