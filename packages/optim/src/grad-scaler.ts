/**
 * Loss scaling, for losses whose gradients pass through f16: what is below 6e-8 there becomes 0, so the loss is multiplied
 * before it is differentiated, and the gradients are divided after. A scale that is too large shows as infinities; this file
 * decides how it then falls, and when it rises again. That such a step is not made is `optimizer.ts`'s part.
 */
import { ShapeError, sameShape, showShape, type Tensor, tensor, ValueError, Variable } from '@dl/tensor';

export interface GradScalerOptions {
  /** Default 65536. */
  readonly initScale?: number;
  /** What the scale is multiplied by after `growthInterval` steps that were all finite. Default 2. */
  readonly growthFactor?: number;
  /** What it is multiplied by after a step that was not. Default 0.5. */
  readonly backoffFactor?: number;
  /** Default 2000. */
  readonly growthInterval?: number;
}

export interface GradScalerState {
  readonly scale: Tensor;
  readonly growth_tracker: Tensor;
}

const defaults = { initScale: 65536, growthFactor: 2, backoffFactor: 0.5, growthInterval: 2000 } as const;

function checkOptions({ initScale, growthFactor, backoffFactor, growthInterval }: Required<GradScalerOptions>): void {
  const rules: readonly (readonly [boolean, string])[] = [
    [initScale > 0 && Number.isFinite(initScale), `initScale is above 0, not ${initScale}`],
    [growthFactor > 1, `growthFactor is above 1, not ${growthFactor}`],
    [backoffFactor > 0 && backoffFactor < 1, `backoffFactor is between 0 and 1, not ${backoffFactor}`],
    [Number.isInteger(growthInterval) && growthInterval > 0, `growthInterval counts steps, not ${growthInterval}`],
  ];
  const broken = rules.find(([holds]) => !holds);
  if (broken) throw new ValueError(`GradScaler: ${broken[1]}.`);
}

/**
 * The scale of a loss, found while training: halved at a gradient that is not finite, whose step is left out, and doubled
 * after 2000 steps without one. All of it is data, so a compiled step needs no look at it. One scaler serves one optimiser.
 *
 * @see Micikevicius et al. 2018, section 3.2
 * @example
 * const scaler = new GradScaler();
 * const step = compile((x: Tensor, y: Tensor) => {
 *   const loss = crossEntropy(model.forward(x.cast('f16')), y);
 *   optimizer.minimize(loss, { scaler, clipNorm: 1 }); // the norm is that of the gradients without the scale
 *   return loss;
 * });
 */
export class GradScaler {
  readonly #options: Required<GradScalerOptions>;
  readonly #scale: Variable;
  /** Finite steps since the scale last changed. */
  readonly #tracker = new Variable(tensor(0, null, { dtype: 'i32' }), { name: 'GradScaler.growth_tracker' });

  constructor(options: GradScalerOptions = {}) {
    this.#options = { ...defaults, ...options };
    checkOptions(this.#options);
    this.#scale = new Variable(tensor(this.#options.initScale), { name: 'GradScaler.scale' });
  }

  /** The scale as it is now, a scalar. */
  get value(): Tensor {
    return this.#scale;
  }

  /** A loss times the scale, in f32: to be differentiated instead of it. */
  scale(loss: Tensor): Tensor {
    return (loss.dtype === 'f16' ? loss.cast('f32') : loss).mul(this.#scale);
  }

  /** @internal The gradients of a scaled loss divided by the scale, and whether all of them are finite. */
  unscaled<V extends Tensor>(gradients: ReadonlyMap<V, Tensor>): { gradients: Map<V, Tensor>; areFinite: Tensor } {
    const inverse = this.#scale.reciprocal();
    const divided = new Map([...gradients].map(([v, g]) => [v, g.mul(inverse.cast(g.dtype))]));
    const areFinite = [...gradients.values()].map((g) => g.isFinite().all()).reduce((all, one) => all.and(one));
    return { gradients: divided, areFinite };
  }

  /** @internal The scale for the next step. */
  update(areFinite: Tensor): void {
    const { growthFactor, backoffFactor, growthInterval } = this.#options;
    const [scale, count] = [this.#scale, this.#tracker.add(1)];
    const grown = scale.mul(growthFactor);
    const grows = areFinite.and(count.ge(growthInterval));
    const kept = grows.and(grown.isFinite()).where(grown, scale);
    this.#tracker.assign(areFinite.and(grows.not()).where(count, 0));
    this.#scale.assign(areFinite.where(kept, scale.mul(backoffFactor)));
  }

  stateDict(): GradScalerState {
    return { scale: this.#scale.snapshot(), growth_tracker: this.#tracker.snapshot() };
  }

  /** @throws ShapeError if the state holds no scalars */
  loadStateDict({ scale, growth_tracker: tracker }: GradScalerState): void {
    for (const [name, value] of Object.entries({ scale, growth_tracker: tracker })) {
      if (!sameShape(value.shape, []))
        throw new ShapeError(`GradScaler.loadStateDict: ${name} is ${showShape(value.shape)}, but a scalar is needed.`);
    }
    this.#scale.assign(scale);
    this.#tracker.assign(tracker);
  }
}
