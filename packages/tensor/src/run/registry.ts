/**
 * The backend in use. It lives on `globalThis`, so that a second copy of the library in one process is noticed instead of
 * having a state of its own.
 */
import type { Backend } from '../backend';
import { BackendError } from '../errors';

const version = '0.1.0';

interface Registry {
  readonly version: string;
  backend: Backend | null;
}

const key = Symbol.for('@dl/tensor');
const holder = globalThis as unknown as Record<symbol, Registry | undefined>;

if (holder[key] !== undefined) {
  throw new BackendError(
    `@dl/tensor ${version}: a second copy of the package is loaded beside ${holder[key].version}. Let all packages depend on one version (npm dedupe).`,
  );
}
const registry: Registry = { version, backend: null };
holder[key] = registry;

/** Chooses where tensors are computed from now on. */
export function setBackend(backend: Backend): void {
  registry.backend = backend;
}

/**
 * The backend in use.
 *
 * @throws BackendError if none was chosen
 */
export function getBackend(): Backend {
  if (registry.backend === null) {
    throw new BackendError(
      "No backend was chosen. Call setBackend(await cpu()) with cpu from '@dl/backend-cpu' before the first value is computed.",
    );
  }
  return registry.backend;
}
