/**
 * The arguments of one call of a compiled function: which tensors it is for, and a signature of everything else, which says
 * which recording serves the call.
 */
import { ValueError } from '../errors';
import { gradEnabled } from '../graph/mode';
import type { Node } from '../graph/node';
import { sameShape } from '../shape';
import { Tensor } from '../tensor';
import { mapTree } from '../tree';
import { Variable } from '../variable';

/** How many arguments are compared one with another. */
const mostInPattern = 8;

/** The arguments of one call: tensors in order, and everything else as a signature. */
export class Call {
  readonly tensors: Tensor[] = [];
  readonly signature: string;

  constructor(readonly args: readonly unknown[]) {
    const seen = new Map<Tensor, number>();
    const parts: string[] = [gradEnabled() ? 'g' : 'n'];
    mapTree(args, (x, path) => {
      parts.push(path, this.#describe(x, seen));
      return x;
    });
    this.signature = parts.join('|');
  }

  #describe(x: unknown, seen: Map<Tensor, number>): string {
    if (x instanceof Variable) return `v${identity(x)}`;
    if (!(x instanceof Tensor))
      return typeof x === 'function' || typeof x === 'symbol' ? reject(x) : `${typeof x}:${String(x)}`;
    const again = seen.get(x);
    if (again !== undefined) return `=${again}`;
    seen.set(x, this.tensors.length);
    this.tensors.push(x);
    return `${x.dtype}${x.shape.join(',')}${x.requiresGrad ? 'r' : ''}`;
  }

  /** The arguments with each tensor replaced. */
  replaced(by: ReadonlyMap<Tensor, Tensor>): unknown[] {
    return mapTree(this.args, (x) => (x instanceof Tensor && !(x instanceof Variable) ? by.get(x)! : x)) as unknown[];
  }
}

/** A list of different tensors as the arguments: it tells a call like the one before without writing a signature. */
export class Pattern {
  private constructor(
    private readonly tensors: readonly Pick<Node, 'shape' | 'dtype' | 'requiresGrad'>[],
    private readonly grad: boolean,
  ) {}

  static of(args: readonly unknown[]): Pattern | null {
    const plain = args.every((x) => x instanceof Tensor && !(x instanceof Variable));
    if (!plain || args.length > mostInPattern || new Set(args).size < args.length) return null;
    const tensors = args.map((x) => {
      const { shape, dtype, requiresGrad } = x as Tensor;
      return { shape, dtype, requiresGrad };
    });
    return new Pattern(tensors, gradEnabled());
  }

  fits(args: readonly unknown[]): boolean {
    if (args.length !== this.tensors.length || gradEnabled() !== this.grad) return false;
    for (let i = 0; i < args.length; i++) {
      const x = args[i];
      if (!(x instanceof Tensor) || x instanceof Variable || args.indexOf(x) < i) return false;
      const { shape, dtype, requiresGrad } = this.tensors[i]!;
      if (x.dtype !== dtype || x.requiresGrad !== requiresGrad || !sameShape(x.shape, shape)) return false;
    }
    return true;
  }
}

function reject(x: unknown): never {
  throw new ValueError(`compile: a ${typeof x} is passed as an argument. Close over it instead.`);
}

let identities = 0;
const identityOf = new WeakMap<object, number>();
function identity(x: object): number {
  let id = identityOf.get(x);
  if (id === undefined) identityOf.set(x, (id = ++identities));
  return id;
}
