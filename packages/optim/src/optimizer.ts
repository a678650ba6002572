/**
 * What all optimisers have in common: which variables are updated and which are left alone, when the update runs, and
 * what a checkpoint holds. A subclass says which numbers a step reads, what state a parameter has, and the update itself.
 */
import { consume, gradientsOf } from '@dl/autograd';
import {
  currentTrace,
  dependsOn,
  forbidInTrace,
  type Node,
  realize,
  Tensor,
  ValueError,
  type Variable,
  type Versioned,
  withGrad,
} from '@dl/tensor';
import { type ClipOptions, clipped } from './clip';
import type { GradScaler } from './grad-scaler';
import {
  type GroupSpec,
  groupSpecs,
  type Layout,
  type Member,
  ParameterGroup,
  type Parameters,
  type Settings,
} from './group';
import { loadState, type OptimizerState, saveState } from './state';

export interface StepOptions extends ClipOptions {
  /** Scales the loss of `minimize`; divides the gradients, leaves a step out where one is not finite, and finds the next scale. */
  readonly scaler?: GradScaler;
}

export interface MinimizeOptions extends StepOptions {
  /** Keeps the loss's graph, for another optimiser that shares it. Default false. */
  readonly retainGraph?: boolean;
}

export abstract class Optimizer<O extends Settings<O>> implements Versioned {
  readonly #groups: ParameterGroup<O>[] = [];
  readonly #defaults: O;
  readonly #layout: Layout<O>;
  #version = 0;
  #trainable = '';

  /**
   * @param parameters - variables, or groups of them with settings of their own
   * @param defaults - the settings of a group that does not give its own
   */
  protected constructor(parameters: Parameters<O>, defaults: O, layout: Layout<O>) {
    this.#defaults = defaults;
    this.#layout = layout;
    for (const spec of groupSpecs(parameters)) this.addGroup(spec);
  }

  /** Updates the members of a group, by `assign`. Gradients are not recorded. */
  protected abstract update(group: ParameterGroup<O>, members: readonly Member[]): void;

  get groups(): readonly ParameterGroup<O>[] {
    return this.#groups;
  }

  /** Adds variables with settings of their own; a compiled step is recorded anew. */
  addGroup({ params, ...options }: GroupSpec<O>): ParameterGroup<O> {
    forbidInTrace('addGroup', 'Call it before the compiled function');
    const group = new ParameterGroup(
      params,
      { ...this.#defaults, ...(options as unknown as Partial<O>) },
      this.#layout,
      () => this.#version++,
    );
    const known = new Set(this.#groups.flatMap((g) => g.params));
    const twice = group.params.find((p) => known.has(p));
    if (twice) throw new ValueError(`addGroup: ${twice.name} is in two groups. Put it into one.`);
    this.#groups.push(group);
    this.#version++;
    return group;
  }

  /** The learning rate of the first group. Setting it sets that of all groups. */
  get lr(): number {
    return this.#groups[0]!.lr;
  }
  set lr(lr: number) {
    for (const group of this.#groups) group.lr = lr;
  }

  /** Moves when a compiled step has to be recorded anew: groups, flags, what is frozen. */
  get version(): number {
    const trainable = this.#groups.map((g) => g.params.map((p) => (p.requiresGrad ? 1 : 0)).join('')).join();
    if (trainable !== this.#trainable) {
      this.#trainable = trainable;
      this.#version++;
    }
    return this.#version;
  }

  /**
   * One step down a loss: differentiates with respect to this optimiser's variables and assigns the updates. Variables that
   * are frozen or that the loss does not reach stay as they are: no decay, no momentum. Eager, the loss is stored by the
   * same run, and its graph is consumed; inside a compiled function both are recorded.
   *
   * @param loss - a scalar
   * @throws ValueError if the loss reaches none of the variables
   */
  minimize(loss: Tensor, { retainGraph = false, ...options }: MinimizeOptions = {}): void {
    dependsOn(this);
    const scaled = options.scaler?.scale(loss) ?? loss;
    const passed = withGrad(false, () => this.#descend(scaled, options));
    if (currentTrace()) return;
    realize([loss.node], { keep: false });
    if (!retainGraph) consume(passed);
  }

  #descend(loss: Tensor, options: StepOptions): readonly Node[] {
    const trainable = this.#groups.flatMap((g) => g.params.filter((p) => p.requiresGrad));
    const { gradients, passed } = gradientsOf('minimize', loss, trainable);
    if (gradients.size === 0) {
      throw new ValueError(
        `minimize: the loss depends on none of the optimiser's ${trainable.length} trainable variables. Compute it from them, outside of noGrad.`,
      );
    }
    this.#stepBy(gradients as ReadonlyMap<Variable, Tensor>, options);
    return passed;
  }

  /**
   * One step by the gradients that `backward` left in `grad`; variables without one stay as they are.
   *
   * @param options - clipping, and the scaler by which the loss was scaled; `grad` itself stays as it is
   */
  step(options: StepOptions = {}): void {
    dependsOn(this);
    withGrad(false, () => {
      const found = this.#groups.flatMap((g) => g.params.filter((p) => p.requiresGrad && p.grad !== null));
      this.#stepBy(new Map(found.map((p) => [p, p.grad!])), options);
    });
    if (!currentTrace()) realize([], { keep: false });
  }

  #stepBy(given: ReadonlyMap<Variable, Tensor>, { scaler, ...clip }: StepOptions): void {
    if (scaler === undefined || given.size === 0) {
      this.#apply(clipped(given, clip));
      return;
    }
    const { gradients, areFinite } = scaler.unscaled(given);
    this.#where(areFinite, () => this.#apply(clipped(gradients, clip)));
    scaler.update(areFinite);
  }

  /** Makes what an update assigns to this optimiser's variables and its own state conditional. */
  #where(condition: Tensor, update: () => void): void {
    const owned = this.#groups.flatMap((g) => [
      ...g.params,
      ...[g.scalars, ...g.state].flatMap((s) => Object.values(s)),
    ]);
    const before = owned.map((v) => v.node);
    update();
    for (const [i, v] of owned.entries())
      if (v.node !== before[i]) v.assign(condition.where(new Tensor(v.node), new Tensor(before[i]!)));
  }

  #apply(gradients: ReadonlyMap<Variable, Tensor>): void {
    for (const group of this.#groups) {
      const members = group.params.flatMap((variable, index): Member[] => {
        const gradient = gradients.get(variable);
        return gradient === undefined ? [] : [{ variable, gradient, state: group.state[index]!, index }];
      });
      if (members.length > 0) this.update(group, members);
    }
  }

  /** Forgets the gradients that `backward` added up. */
  zeroGrad(): void {
    for (const group of this.#groups) for (const p of group.params) p.grad = null;
  }

  /** Settings, and copies of all state: what an exact resumption needs beside the variables themselves. */
  stateDict(): OptimizerState {
    return saveState(this.#groups);
  }

  /**
   * Takes settings and state over.
   *
   * @throws ValueError for groups or keys that are missing or not expected; nothing has changed then
   * @throws ShapeError for a tensor of another shape; nothing has changed then
   */
  loadStateDict(state: OptimizerState): void {
    forbidInTrace('loadStateDict', 'Call it before the compiled function');
    loadState(this.#groups, state);
  }
}
