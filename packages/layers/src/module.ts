/**
 * Modules: objects that hold parameters, buffers and other modules, and compute `forward`. This file decides what is
 * registered (own fields, arrays and plain objects, by being there), in what order and under what key, and how a call
 * of `forward` is noticed; copying states is for `state-dict.ts`, counting for `summary.ts`.
 *
 * `forward` is what one writes and calls. The base class puts a method of the same name in front of the subclass's
 * own on each instance: it tells a recording `compile` that it depends on the module, and calls the hooks.
 */
import { currentTrace, dependsOn, forbidInTrace, type Shape, type Tensor, ValueError, Variable } from '@dl/tensor';
import { joinKeys, stateKey } from './keys';
import { Parameter } from './parameter';
import { type LoadReport, type LoadStateOptions, loadState, type StateDict } from './state-dict';
import { type Summary, summarise } from './summary';
import { type See, StateNumbers } from './versions';

/**
 * What {@link Module.onForward} calls after each `forward`.
 *
 * @returns undefined, or what takes the place of the output
 */
export type ForwardHook = (module: Module, inputs: readonly unknown[], output: unknown) => unknown;

/** A function of tensors with parameters of its own: what `Sequential` is made of. */
export type Layer = Module & { forward(x: Tensor): Tensor };

/**
 * The base of layers and models.
 *
 * Every own field that is a module or a variable, also within arrays and plain objects, is registered, in the order of
 * the fields; a `#private` field is not. A `Variable` that is not a `Parameter` is a buffer.
 *
 * @example
 * class Residual extends Module {
 *   readonly first = new Linear(8, 8);
 *   readonly second = new Linear(8, 8);
 *   forward(x: Tensor): Tensor {
 *     return x.add(this.second.forward(relu(this.first.forward(x))));
 *   }
 * }
 */
export abstract class Module {
  #training = true;
  readonly #hooks = new Set<ForwardHook>();
  readonly #states = new StateNumbers();

  constructor() {
    const { forward } = this;
    const value = (...inputs: never[]): unknown => this.#call(forward, inputs);
    Object.defineProperty(this, 'forward', { value, writable: true, configurable: true });
  }

  /** Computes the output. Write it as a method, not as a field that holds a function. */
  abstract forward(...inputs: never[]): unknown;

  #call(forward: (...inputs: never[]) => unknown, inputs: never[]): unknown {
    dependsOn(this);
    const before = currentTrace() === null ? 0 : this.version;
    let output = forward.apply(this, inputs);
    if (currentTrace() !== null && this.version !== before) {
      throw new ValueError(
        `${this.constructor.name}.forward: it changes a field of the module, which a compiled function does only while ` +
          'it is recorded. Keep what changes in a Variable, or change it outside of the compiled function.',
      );
    }
    for (const hook of [...this.#hooks]) {
      const replaced = hook(this, inputs, output);
      if (replaced !== undefined) output = replaced;
    }
    return output;
  }

  /** The number of the module's present state: mode, hooks, children, own fields, and which variables require gradients. */
  get version(): number {
    return this.#states.of(this.#describe);
  }

  readonly #describe = (see: See): void => {
    see(this.#training);
    for (const hook of this.#hooks) see(hook);
    for (const name in this) {
      const value: unknown = this[name];
      if (typeof value === 'object') seeRegistered(value, see);
      else if (typeof value !== 'function') {
        see(name);
        see(value);
      }
    }
  };

  // Mode.

  /** Whether layers such as `Dropout` behave as in training. True at first. */
  get training(): boolean {
    dependsOn(this);
    return this.#training;
  }

  /** Puts this module and all within it into training mode. */
  train(on = true): this {
    forbidInTrace(`${this.constructor.name}.${on ? 'train' : 'eval'}`, 'Call it before the compiled function');
    for (const module of this.modules()) module.#training = on;
    return this;
  }

  /** Puts this module and all within it into evaluation mode. */
  eval(): this {
    return this.train(false);
  }

  /** Runs a synchronous `body` with this module and all within it in one mode, and puts each back into its own. */
  inMode<T>(training: boolean, body: () => T): T {
    const modes = this.modules().map((module) => [module, module.#training] as const);
    this.train(training);
    try {
      return body();
    } finally {
      for (const [module, before] of modes) module.#training = before;
    }
  }

  /** No parameter of this module requires gradients any more: optimisers leave them as they are. */
  freeze(): this {
    for (const parameter of this.parameters()) parameter.setRequiresGrad(false);
    return this;
  }

  /** All parameters of this module require gradients. */
  unfreeze(): this {
    for (const parameter of this.parameters()) parameter.setRequiresGrad(true);
    return this;
  }

  /**
   * Calls `hook` after each `forward` of this module.
   *
   * @returns a function that removes the hook
   */
  onForward(hook: ForwardHook): () => void {
    forbidInTrace('onForward', 'Call it before the compiled function');
    this.#hooks.add(hook);
    return () => void this.#hooks.delete(hook);
  }

  // What is registered.

  /** Modules and variables registered here, not those within modules, under their keys. */
  registered(): [key: string, value: Module | Variable][] {
    const found: [string, Module | Variable][] = [];
    for (const [name, value] of Object.entries(this)) {
      if (name === 'forward')
        throw new ValueError(`${this.constructor.name}: forward is a field. Write it as a method: forward(x) { … }.`);
      walk(stateKey(name), value, found);
    }
    return found;
  }

  /** Every variable under its key; one that is registered twice comes twice. */
  namedVariables(): [key: string, variable: Variable][] {
    const found: [string, Variable][] = [];
    const within: Module[] = [];
    const visit = (module: Module, prefix: string): void => {
      if (within.includes(module))
        throw new ValueError(
          `${prefix}: the ${module.constructor.name} is within itself. Keep a reference to a parent in a #private field.`,
        );
      within.push(module);
      for (const [key, value] of module.registered()) {
        const path = joinKeys(prefix, key);
        if (value instanceof Variable) found.push([path, value]);
        else visit(value, path);
      }
      within.pop();
    };
    visit(this, '');
    return found;
  }

  /** Parameters under their keys, each once, under its first key. */
  namedParameters(): [key: string, parameter: Parameter][] {
    return unique(this.namedVariables()).filter((entry): entry is [string, Parameter] => entry[1] instanceof Parameter);
  }

  /** All parameters, each once, in order. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** Buffers under their keys: variables that are part of the state but not learned. */
  namedBuffers(): [key: string, buffer: Variable][] {
    return unique(this.namedVariables()).filter(([, variable]) => !(variable instanceof Parameter));
  }

  buffers(): Variable[] {
    return this.namedBuffers().map(([, buffer]) => buffer);
  }

  /** Modules registered here under their keys, each once. */
  namedChildren(): [key: string, child: Module][] {
    return unique(this.registered()).filter((entry): entry is [string, Module] => entry[1] instanceof Module);
  }

  children(): Module[] {
    return this.namedChildren().map(([, child]) => child);
  }

  /** This module (under the key '') and all within it, each once, parents first. */
  namedModules(): [key: string, module: Module][] {
    const found = new Map<Module, string>();
    const visit = (module: Module, path: string): void => {
      if (found.has(module)) return;
      found.set(module, path);
      for (const [key, child] of module.namedChildren()) visit(child, joinKeys(path, key));
    };
    visit(this, '');
    return [...found].map(([module, path]) => [path, module]);
  }

  modules(): Module[] {
    return this.namedModules().map(([, module]) => module);
  }

  // State.

  /** Copies of all parameters and buffers under their keys. Later training does not change them. */
  stateDict(): StateDict {
    return Object.fromEntries(this.namedVariables().map(([key, variable]) => [key, variable.snapshot()]));
  }

  /**
   * Takes over parameters and buffers. Nothing is changed unless all of the state can be taken over as asked.
   *
   * @param state - tensors under keys, cast to the dtypes here
   * @returns with `strict: false`, the keys that did not fit
   * @throws StateDictError with missing, unexpected and misshapen keys, unless `strict: false`
   */
  loadStateDict(state: StateDict, options: LoadStateOptions = {}): LoadReport {
    forbidInTrace('loadStateDict', 'Call it before the compiled function');
    return loadState(this.constructor.name, this.namedVariables(), state, options);
  }

  /**
   * Layers, output shapes, parameters and multiply-adds for given inputs; as a string, a table. Nothing is computed.
   *
   * @param inputs - a shape (f32), or a tensor, for each argument of `forward`
   */
  summary(...inputs: readonly (Shape | Tensor)[]): Summary {
    return summarise(this, inputs);
  }
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
};

/** Adds what a field registers. */
function walk(key: string, value: unknown, found: [string, Module | Variable][]): void {
  if (value instanceof Module || value instanceof Variable) found.push([key, value]);
  else if (value !== null && typeof value === 'object' && isPlain(value)) {
    for (const [name, part] of Object.entries(value)) walk(joinKeys(key, stateKey(name)), part, found);
  }
}

/** The same for {@link Module.version}, without names. */
function seeRegistered(value: unknown, see: See): void {
  if (value instanceof Module) see(value);
  else if (value instanceof Variable) {
    see(value);
    see(value.requiresGrad);
  } else if (value !== null && typeof value === 'object' && isPlain(value)) {
    for (const part of Object.values(value)) seeRegistered(part, see);
  }
}

function unique<T>(entries: readonly [string, T][]): [string, T][] {
  const seen = new Set<T>();
  return entries.filter(([, value]) => !seen.has(value) && seen.add(value));
}
