/** What a checkpoint holds of an optimiser: the settings of each group as plain data, and its tensors by name. */
import { ShapeError, sameShape, showShape, type Tensor, ValueError, type Variable } from '@dl/tensor';
import type { ParameterGroup, Setting, Settings } from './group';

export interface OptimizerState {
  /** One record of settings a group. */
  readonly groups: readonly Readonly<Record<string, Setting>>[];
  /** Tensors by group, parameter and name: `0.step`, `0.3.exp_avg`. */
  readonly tensors: Readonly<Record<string, Tensor>>;
}

type Groups = readonly Pick<ParameterGroup<{ lr: number }>, 'scalars' | 'state'>[];

function named(groups: Groups): Map<string, Variable> {
  const tensors = new Map<string, Variable>();
  for (const [k, group] of groups.entries()) {
    for (const [name, variable] of Object.entries(group.scalars)) tensors.set(`${k}.${name}`, variable);
    for (const [i, state] of group.state.entries()) {
      for (const [name, variable] of Object.entries(state)) tensors.set(`${k}.${i}.${name}`, variable);
    }
  }
  return tensors;
}

export function saveState<O extends Settings<O>>(groups: readonly ParameterGroup<O>[]): OptimizerState {
  return {
    groups: groups.map((g) => ({ ...g.options }) as Record<string, Setting>),
    tensors: Object.fromEntries([...named(groups)].map(([key, variable]) => [key, variable.snapshot()])),
  };
}

export function loadState<O extends Settings<O>>(
  groups: readonly ParameterGroup<O>[],
  { groups: settings, tensors }: OptimizerState,
): void {
  if (settings.length !== groups.length) {
    throw new ValueError(
      `loadStateDict: the state has ${settings.length} groups, but the optimiser has ${groups.length}. Create the same groups first.`,
    );
  }
  const own = named(groups);
  const missing = [...own.keys()].filter((key) => !Object.hasOwn(tensors, key));
  const unexpected = Object.keys(tensors).filter((key) => !own.has(key));
  if (missing.length > 0 || unexpected.length > 0) {
    throw new ValueError(
      `loadStateDict: missing ${list(missing)}; unexpected ${list(unexpected)}. The state is of another optimiser or of other parameters.`,
    );
  }
  for (const [key, variable] of own) {
    const { shape } = tensors[key]!;
    if (!sameShape(shape, variable.shape))
      throw new ShapeError(
        `loadStateDict: ${key} is ${showShape(shape)}, but the parameter's is ${showShape(variable.shape)}.`,
      );
  }
  groups.forEach((group, k) => group.set(settings[k] as Partial<O>));
  for (const [key, variable] of own) variable.assign(tensors[key]!);
}

const list = (keys: readonly string[]): string =>
  keys.length === 0 ? 'none' : `${keys.slice(0, 4).join(', ')}${keys.length > 4 ? ` and ${keys.length - 4} more` : ''}`;
