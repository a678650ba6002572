/**
 * L-BFGS: steps by an estimate of the curvature from the last few gradients. The loss is computed on the device, the
 * estimate on the host in f64, for it is a handful of vectors and every step waits for a number anyway.
 */
import { consume, gradientsOf } from '@dl/autograd';
import {
  currentTrace,
  forbidInTrace,
  realize,
  type Tensor,
  tensor,
  ValueError,
  type Variable,
  withGrad,
} from '@dl/tensor';
import { checkParameter } from './group';
import { strongWolfe } from './strong-wolfe';

export interface LBFGSOptions {
  /** Step length; the first one is also at most 1 / |g|₁. Default 1. */
  readonly lr: number;
  /** Iterations in one `step`. Default 20. */
  readonly maxIter: number;
  /** Evaluations of the loss in one `step`. Default ⌊1.25 · maxIter⌋. */
  readonly maxEval: number;
  /** Stops where no element of the gradient is larger. Default 1e-7. */
  readonly toleranceGrad: number;
  /** Stops where parameters or loss change less. Default 1e-9. */
  readonly toleranceChange: number;
  /** How many past steps the estimate is made of. Default 100. */
  readonly historySize: number;
  /** Default null: no line search. */
  readonly lineSearchFn: 'strong_wolfe' | null;
}

/** A past step: how the parameters moved, how the gradient changed, and 1 / (y · s). */
interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
  readonly rho: number;
}

export interface LBFGSState {
  readonly options: LBFGSOptions;
  readonly iterations: number;
  readonly pairs: readonly Pair[];
  /** The estimate's diagonal. */
  readonly scale: number;
  readonly direction: Float64Array | null;
  readonly t: number;
  readonly gradient: Float64Array | null;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const largest = (a: Float64Array): number => a.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
/** a + c · b */
const plus = (a: Float64Array, c: number, b: Float64Array): Float64Array => a.map((x, i) => x + c * b[i]!);
const start = { iterations: 0, pairs: [], scale: 1, direction: null, t: 0, gradient: null };

/**
 * L-BFGS, for few parameters and a loss without noise.
 *
 * @example
 * const optimizer = new LBFGS(model.parameters(), { lineSearchFn: 'strong_wolfe' });
 * for (let i = 0; i < 20; i++) await optimizer.step(() => mse(model.forward(x), y));
 * @see Liu & Nocedal 1989, "On the limited memory BFGS method for large scale optimization"
 */
export class LBFGS {
  readonly params: readonly Variable[];
  #options: LBFGSOptions;
  #state: Omit<LBFGSState, 'options'> = start;

  constructor(parameters: Iterable<Variable>, options: Partial<LBFGSOptions> = {}) {
    this.params = [...new Set(parameters)];
    for (const p of this.params) checkParameter(p);
    if (this.params.length === 0) throw new ValueError('LBFGS: no parameters were given. Pass model.parameters().');
    const { maxIter = 20 } = options;
    const defaults = {
      lr: 1,
      maxIter,
      maxEval: Math.floor(maxIter * 1.25),
      toleranceGrad: 1e-7,
      toleranceChange: 1e-9,
      historySize: 100,
    };
    this.#options = { ...defaults, lineSearchFn: null, ...options };
  }

  get lr(): number {
    return this.#options.lr;
  }
  set lr(lr: number) {
    this.#options = { ...this.#options, lr };
  }

  /**
   * At most `maxIter` iterations.
   *
   * @param closure - records the loss anew at each call
   * @returns the loss before
   * @throws ValueError inside a compiled function: every iteration reads values
   */
  async step(closure: () => Tensor): Promise<number> {
    forbidInTrace('LBFGS.step', 'It reads the loss; call it outside');
    const { maxIter, maxEval, toleranceGrad, toleranceChange, lr, lineSearchFn } = this.#options;
    let { loss, gradient } = await this.#evaluate(closure);
    const first = loss;
    let position = await this.#position();
    let evaluations = 1;
    for (let i = 1; i <= maxIter && largest(gradient) > toleranceGrad; i++) {
      const direction = this.#next(gradient);
      const { iterations } = this.#state;
      let t = iterations === 1 ? Math.min(1, 1 / gradient.reduce((sum, g) => sum + Math.abs(g), 0)) * lr : lr;
      const slope = dot(gradient, direction);
      this.#state = { ...this.#state, direction, t, gradient };
      if (slope > -toleranceChange) break;
      const [before, from] = [loss, position];
      const at = async (moved: number) => {
        this.#move(plus(from, moved, direction));
        const now = await this.#evaluate(closure);
        return { t: moved, f: now.loss, gradient: now.gradient, slope: dot(now.gradient, direction) };
      };
      if (lineSearchFn === 'strong_wolfe') {
        const found = await strongWolfe(at, { t: 0, f: loss, gradient, slope }, t, largest(direction));
        [t, loss, gradient] = [found.t, found.f, found.gradient];
        evaluations += found.evaluations;
        this.#state = { ...this.#state, t };
      } else if (i < maxIter) {
        const now = await at(t);
        [loss, gradient] = [now.f, now.gradient];
        evaluations++;
      }
      position = plus(from, t, direction);
      this.#move(position);
      const moved = largest(direction) * Math.abs(t);
      if (evaluations >= maxEval || moved <= toleranceChange || Math.abs(loss - before) < toleranceChange) break;
    }
    return first;
  }

  /** The direction from a gradient, once the last step has been learnt from. */
  #next(gradient: Float64Array): Float64Array {
    const { iterations, direction, t, gradient: last } = this.#state;
    let { pairs, scale } = this.#state;
    if (direction !== null && last !== null) {
      const [s, y] = [direction.map((d) => d * t), plus(gradient, -1, last)];
      const curvature = dot(y, s);
      if (curvature > 1e-10) {
        pairs = [...pairs, { s, y, rho: 1 / curvature }].slice(-this.#options.historySize);
        scale = curvature / dot(y, y);
      }
    }
    this.#state = { ...this.#state, iterations: iterations + 1, pairs, scale };
    return twoLoops(gradient, pairs, scale);
  }

  async #evaluate(closure: () => Tensor): Promise<{ loss: number; gradient: Float64Array }> {
    if (currentTrace()) forbidInTrace('LBFGS.step', 'Call it outside');
    const loss = closure();
    const { gradients, passed } = withGrad(false, () => gradientsOf('LBFGS', loss, this.params));
    realize([loss.node, ...[...gradients.values()].map((g) => g.node)], { keep: false });
    consume(passed);
    const parts = await Promise.all(this.params.map((p) => gradients.get(p)?.data() ?? new Float64Array(p.size)));
    return { loss: await loss.item(), gradient: joined(parts) };
  }

  async #position(): Promise<Float64Array> {
    return joined(await Promise.all(this.params.map((p) => p.data())));
  }

  #move(position: Float64Array): void {
    let at = 0;
    for (const p of this.params) {
      p.assign(tensor(position.slice(at, at + p.size), p.shape, { dtype: p.dtype }));
      at += p.size;
    }
  }

  /** Settings and what was learnt of the curvature. */
  stateDict(): LBFGSState {
    return structuredClone({ options: this.#options, ...this.#state });
  }

  /** @throws ValueError if the state is of another number of parameters */
  loadStateDict(state: LBFGSState): void {
    const size = this.params.reduce((n, p) => n + p.size, 0);
    if (state.gradient !== null && state.gradient.length !== size) {
      throw new ValueError(
        `loadStateDict: the state is of ${state.gradient.length} parameters, but there are ${size}.`,
      );
    }
    const { options, ...rest } = structuredClone(state);
    this.#options = options;
    this.#state = rest;
  }
}

/** −H · g by the recursion over the pairs, the latest first and back. */
function twoLoops(gradient: Float64Array, pairs: readonly Pair[], scale: number): Float64Array {
  let direction: Float64Array = gradient.map((g) => -g);
  const shares = new Float64Array(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { s, y, rho } = pairs[i]!;
    shares[i] = rho * dot(s, direction);
    direction = plus(direction, -shares[i]!, y);
  }
  direction = direction.map((d) => d * scale);
  for (const [i, { s, y, rho }] of pairs.entries())
    direction = plus(direction, shares[i]! - rho * dot(y, direction), s);
  return direction;
}

function joined(parts: readonly ArrayLike<number>[]): Float64Array {
  const all = new Float64Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
