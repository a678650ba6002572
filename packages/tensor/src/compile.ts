/**
 * `compile`: a function of tensors, recorded once for each signature and replayed as a fixed list of kernels. A replay
 * binds inputs and runs; it records, schedules and allocates nothing but its outputs. Variables assigned inside are
 * updated in place; random numbers draw on from their generators; everything else that the function saw (numbers,
 * captured tensors) is part of the program, so the second call records again and says what was not the same.
 */
import { Call, Pattern } from './compile/call';
import { record } from './compile/record';
import { type Compiled, compiledFrom, replay } from './compile/replay';
import { checkSame } from './compile/same';
import { realize } from './run/realize';
import { getBackend } from './run/registry';
import { currentTrace, type Versioned } from './run/trace';
import type { Tensor } from './tensor';
import type { Tree } from './tree';

export interface CompileOptions {
  /** For messages. Default: the function's own name. */
  readonly name?: string;
}

/** How many signatures a function may have before its cause is reported. */
const manySignatures = 8;

type NotAsync<R> = R extends Promise<unknown> ? never : R;

/**
 * Compiles a function of trees of tensors. Numbers, strings and booleans among the arguments are part of the signature.
 *
 * @param fn - synchronous; may read and assign variables, and take gradients
 * @throws ValueError if the function reads a value, is async, leaves a gradient set, or records something else when it
 * is called a second time
 * @example
 * const step = compile((x: Tensor, y: Tensor) => {
 *   const loss = crossEntropy(model.forward(x), y);
 *   optimizer.minimize(loss);
 *   return loss;
 * });
 */
export function compile<A extends readonly Tree[], R>(
  fn: (...args: A) => NotAsync<R>,
  { name = fn.name || 'anonymous' }: CompileOptions = {},
): (...args: A) => R {
  const compiled = new Map<string, Compiled>();
  let last: { readonly pattern: Pattern; readonly compiled: Compiled } | null = null;
  return (...args: A): R => {
    if (currentTrace()) return fn(...args);
    const backend = getBackend();
    if (last?.pattern.fits(args) && last.compiled.backend === backend && sameVersions(last.compiled.versions)) {
      realize(args.map((t) => (t as Tensor).node));
      return replay(last.compiled, args as unknown as readonly Tensor[]) as R;
    }
    const call = new Call(args);
    realize(call.tensors.map((t) => t.node));
    const known = compiled.get(call.signature);
    const usable = known !== undefined && known.backend === backend && sameVersions(known.versions);
    if (usable && known.checked) {
      const pattern = Pattern.of(args);
      if (pattern !== null) last = { pattern, compiled: known };
      return replay(known, call.tensors) as R;
    }
    const recorded = record(name, fn as unknown as (...a: unknown[]) => unknown, call);
    if (usable) {
      checkSame(name, known, recorded);
      known.checked = true;
      return replay(known, call.tensors) as R;
    }
    for (const [generator, { first }] of recorded.draws) generator.rewind(first);
    const fresh = compiledFrom(recorded, backend);
    known?.prepared.executable.dispose();
    last = null;
    compiled.set(call.signature, fresh);
    reportMany(name, compiled);
    return replay(fresh, call.tensors) as R;
  };
}

const sameVersions = (versions: ReadonlyMap<Versioned, number>): boolean => {
  for (const [owner, version] of versions) if (owner.version !== version) return false;
  return true;
};

function reportMany(name: string, compiled: ReadonlyMap<string, Compiled>): void {
  if (compiled.size !== manySignatures + 1) return;
  const [previous, last] = [...compiled.keys()].slice(-2);
  console.warn(
    `compile: ${name} was recorded for a ninth signature. The last two differ in: ${previous} / ${last}. Make shapes equal, or pass changing numbers as tensors.`,
  );
}
