/**
 * Parameter groups: which variables share settings, and where those settings live. A group's numbers are one small
 * variable on the device, so that a new learning rate is data and not a new program; what changes the program (a setting
 * that becomes zero, a flag) moves the optimiser's version. Steps are counted a parameter, for a parameter that a loss
 * does not reach makes none, and the counts of a group are one vector, so that whatever depends on them is computed once.
 */
import { forbidInTrace, full, isFloat, type Tensor, tensor, ValueError, Variable } from '@dl/tensor';

/** A setting of a group: a number, a pair of numbers such as `betas`, or a flag. */
export type Setting = number | boolean | readonly [number, number];

/** The settings of a group, the learning rate among them. */
export type Settings<O> = { readonly lr: number } & { readonly [K in keyof O]: Setting };

/** Variables with settings of their own; what is not given is the optimiser's. */
export type GroupSpec<O> = { readonly params: Iterable<Variable> } & Partial<O>;

/** What an optimiser takes: variables, or groups of them. */
export type Parameters<O> = Iterable<Variable> | Iterable<GroupSpec<O>>;

/** One parameter with its gradient, in an update. */
export interface Member {
  readonly variable: Variable;
  readonly gradient: Tensor;
  /** Its state, by name. */
  readonly state: Readonly<Record<string, Variable>>;
  /** Its place in the group. */
  readonly index: number;
}

/** How an optimiser sees its settings. */
export interface Layout<O> {
  /** The numbers that a step reads, computed on the host in f64. */
  numbers(options: O): Readonly<Record<string, number>>;
  /** Names of the state that each parameter has. */
  state(options: O): readonly string[];
  /** @throws ValueError for a setting outside its range */
  check(options: O): void;
  /** The value that a parameter's state starts with. Default 0. */
  initial?(name: string, options: O): number;
  /** Numbers that each parameter has beside its count of steps, by name, with the value they start with. */
  readonly scalars?: Readonly<Record<string, number>>;
}

export class ParameterGroup<O extends Settings<O>> {
  readonly params: readonly Variable[];
  readonly state: readonly Readonly<Record<string, Variable>>[];
  /** Numbers of each parameter, `step` among them: how many it has made. Each is [params]. */
  readonly scalars: Readonly<Record<string, Variable>>;
  readonly #numbers: Variable;
  readonly #layout: Layout<O>;
  readonly #onRestructure: () => void;
  #options: O;

  /** @internal Groups are made by an optimiser. */
  constructor(params: Iterable<Variable>, options: O, layout: Layout<O>, onRestructure: () => void) {
    layout.check(options);
    this.params = [...new Set(params)];
    for (const p of this.params) checkParameter(p);
    this.#options = options;
    this.#layout = layout;
    this.#onRestructure = onRestructure;
    const dtype = this.params.some((p) => p.dtype === 'f64') ? 'f64' : 'f32';
    const own = (name: string, initial: Tensor): Variable => new Variable(initial, { isPrivate: true, name });
    this.#numbers = own('settings', tensor(this.#values(), null, { dtype }));
    const scalars = Object.entries({ step: 0, ...layout.scalars });
    const count = this.params.length;
    this.scalars = Object.fromEntries(scalars.map(([name, start]) => [name, own(name, full([count], start, dtype))]));
    const names = layout.state(options);
    this.state = this.params.map((p) => {
      const start = (name: string): Tensor =>
        full(p.shape, layout.initial?.(name, options) ?? 0, p.dtype === 'f64' ? 'f64' : 'f32');
      return Object.fromEntries(names.map((name) => [name, own(`${p.name}.${name}`, start(name))]));
    });
  }

  /** The settings as they are now. */
  get options(): O {
    return this.#options;
  }

  get lr(): number {
    return this.#options.lr;
  }
  set lr(lr: number) {
    this.set({ lr } as Partial<O>);
  }

  /**
   * Changes settings, from the next step on. A compiled step is recorded anew only if a setting becomes zero, stops being
   * zero, or is a flag.
   *
   * @throws ValueError inside a compiled function, and for a setting outside its range
   */
  set(options: Partial<O>): void {
    forbidInTrace(
      'Settings of an optimiser',
      'Change them before the compiled function, which reads them at each call',
    );
    const next = { ...this.#options, ...options };
    this.#layout.check(next);
    const [had, needs] = [this.#layout.state(this.#options), this.#layout.state(next)];
    if (had.join() !== needs.join()) {
      throw new ValueError(
        `set: ${Object.keys(options).join(', ')} would change the state from [${had}] to [${needs}]. Create a new optimiser.`,
      );
    }
    const before = structure(this.#options);
    this.#options = next;
    this.#numbers.load(
      this.#numbers.dtype === 'f64' ? Float64Array.from(this.#values()) : Float32Array.from(this.#values()),
    );
    if (structure(next) !== before) this.#onRestructure();
  }

  #values(): number[] {
    return Object.values(this.#layout.numbers(this.#options));
  }

  /** The numbers of `Layout.numbers` on the device: 0-d tensors, each made when it is first asked for. */
  numbers(): (name: string) => Tensor {
    const names = Object.keys(this.#layout.numbers(this.#options));
    const made = new Map<string, Tensor>();
    return (name) => {
      const known = made.get(name);
      if (known !== undefined) return known;
      const number = this.#numbers.at(names.indexOf(name));
      made.set(name, number);
      return number;
    };
  }

  /** Changes one of the scalars for the given members, and returns it: [params]. */
  advance(name: string, members: readonly Member[], change: (before: Tensor) => Tensor): Tensor {
    const scalar = this.scalars[name]!;
    const { length } = this.params;
    let next = change(scalar);
    if (members.length < length) {
      const moves = new Uint8Array(length);
      for (const { index } of members) moves[index] = 1;
      next = tensor(moves, null, { dtype: 'bool' }).where(next, scalar);
    }
    scalar.assign(next);
    return next;
  }

  /** Counts a step of the given members, and returns the counts: [params]. */
  countSteps(members: readonly Member[]): Tensor {
    return this.advance('step', members, (steps) => steps.add(1));
  }
}

export function checkParameter(p: unknown): void {
  if (!(p instanceof Variable))
    throw new ValueError(
      'An optimiser takes variables, as model.parameters() gives them, or groups { params, lr, … } of them.',
    );
  if (!isFloat(p.dtype))
    throw new ValueError(`An optimiser takes float variables, but ${p.name} is ${p.dtype}. Leave it out.`);
}

/** What of the settings is part of the program: flags, and which numbers are zero. A learning rate of zero is no exception. */
const structure = ({ lr: _, ...options }: { readonly lr: number }): string =>
  Object.values(options)
    .flat()
    .map((x) => (typeof x === 'number' ? x !== 0 : x))
    .join();

/** Splits what a user gave into groups. */
export function groupSpecs<O>(parameters: Parameters<O>): GroupSpec<O>[] {
  const list = [...parameters] as (Variable | GroupSpec<O>)[];
  if (list.length === 0) throw new ValueError('An optimiser was given no parameters. Pass model.parameters().');
  const isGroup = (x: Variable | GroupSpec<O>): x is GroupSpec<O> =>
    !(x instanceof Variable) && typeof x === 'object' && 'params' in x;
  if (list.every(isGroup)) return list;
  if (list.some(isGroup))
    throw new ValueError(
      'An optimiser takes variables or groups of them, not both at once. Put each variable into a group.',
    );
  return [{ params: list as Variable[] } as unknown as GroupSpec<O>];
}
