/**
 * What is done about a loss that is NaN or infinite. The update of that step, and of those queued behind it, was not made
 * (`steps.ts`); this file finds out where the first such value came from, by doing the step's forward pass once more.
 */
import type { Module } from '@dl/layers';
import { commitWhen, compile, full, isFloat, mapTree, Tensor, type Tree, ValueError } from '@dl/tensor';

/** Where the first value that is not finite was found. */
export interface Finding {
  /** The module's key and class, such as `features.3 (Conv2d)`; null if no module's output is to blame. */
  readonly layer: string | null;
  /** In words. */
  readonly what: string;
}

export interface NonFinite {
  /** The step, from 1 on, whose loss or parameters were not finite. */
  readonly step: number;
  readonly epoch: number;
  readonly layer: string | null;
}

/** Training stopped because a loss or a parameter was not finite. */
export class NonFiniteError extends ValueError implements NonFinite {
  readonly step: number;
  readonly epoch: number;
  readonly layer: string | null;

  constructor(message: string, { step, epoch, layer }: NonFinite) {
    super(message);
    this.step = step;
    this.epoch = epoch;
    this.layer = layer;
  }
}

function tensorsOf(tree: unknown): Tensor[] {
  const found: Tensor[] = [];
  mapTree(tree, (x) => (x instanceof Tensor && isFloat(x.dtype) ? found.push(x) : 0));
  return found;
}

const allFinite = (tensors: readonly Tensor[]): Tensor =>
  tensors.map((t) => t.isFinite().all()).reduce((a, b) => a.and(b), full([], true));

const read = async (condition: Tensor): Promise<boolean> => (await condition.data())[0] === 1;

/**
 * Runs the forward pass of a batch once more, and looks at what each module gives. Nothing that it assigns stays.
 *
 * @param compute - the forward pass, up to the loss
 */
export async function probe<B extends Tree>(model: Module, batch: B, compute: (batch: B) => void): Promise<Finding> {
  if (!(await read(allFinite(tensorsOf(batch)))))
    return { layer: null, what: 'The batch itself holds values that are not finite.' };
  const modules = model.namedModules();
  const order: number[] = [];
  const flags: Tensor[] = [];
  const hooks = modules.map(([, module], i) =>
    module.onForward((_, __, output) => {
      order.push(i);
      flags.push(allFinite(tensorsOf(output)));
    }),
  );
  try {
    const look = compile((b: B) => {
      compute(b);
      commitWhen(full([], false));
      return flags;
    });
    for (const [i, flag] of look(batch).entries()) if (!(await read(flag))) return blame(modules[order[i]!]!);
  } finally {
    for (const remove of hooks) remove();
  }
  return {
    layer: null,
    what: "Every layer's output is finite; the loss function makes the value (a target outside the classes does).",
  };
}

async function blame([key, module]: readonly [string, Module]): Promise<Finding> {
  const layer = `${key || 'the model'} (${module.constructor.name})`;
  const broken = await firstBroken(module);
  const parameters = broken === null ? 'its parameters are finite' : `its parameter ${broken} is not finite either`;
  return { layer, what: `The first layer whose output is not finite is ${layer}; ${parameters}.` };
}

/** The key of the first parameter or buffer that is not finite. */
export async function firstBroken(module: Module): Promise<string | null> {
  for (const [key, variable] of module.namedVariables()) {
    if (isFloat(variable.dtype) && !(await variable.data()).every(Number.isFinite)) return key;
  }
  return null;
}
