/**
 * Variables: tensors whose value changes by `assign` and by nothing else. Using one means its value now; an assignment
 * takes effect in program order, and runs with the next run or at each call of a compiled function.
 */
import { fromHost } from './creation';
import { isFloat, type TypedArray } from './dtype';
import { DTypeError, ShapeError } from './errors';
import type { Node } from './graph/node';
import { cast } from './ops/elementwise';
import { broadcastTo } from './ops/movement';
import { record } from './ops/record';
import { Cell } from './run/cell';
import { forbidInTrace } from './run/trace';
import { Value } from './run/value';
import { showShape } from './shape';
import { Tensor, type TensorLike } from './tensor';

export interface VariableOptions {
  readonly requiresGrad?: boolean;
  /** For messages. Default `variable`. */
  readonly name?: string;
  /** @internal State that nobody else reads is updated in place, at the cost of its previous version. */
  readonly isPrivate?: boolean;
}

/**
 * A tensor whose value changes by `assign`: a weight, a running mean, an optimiser's state. Using it means its value now.
 *
 * @example
 * const w = new Variable(zeros([3]), { requiresGrad: true, name: 'w' });
 * w.assign(w.sub(gradient.mul(0.1)));
 */
export class Variable extends Tensor {
  readonly #cell: Cell;

  /** @param initial - its value is copied, at the next run */
  constructor(initial: Tensor, { requiresGrad = false, name = 'variable', isPrivate = false }: VariableOptions = {}) {
    const node = initial.node;
    super(node);
    if (requiresGrad && !isFloat(node.dtype))
      throw new DTypeError(`Variable: ${node.dtype} cannot require gradients; only floats can. Use f32 or f64.`);
    const host = (node.stored as Value | null)?.host;
    this.#cell = new Cell(
      node.shape,
      node.dtype,
      requiresGrad,
      name,
      isPrivate,
      host ? Value.ofHost(node.dtype, host) : node,
    );
    this.#cell.handle = this;
  }

  override get node(): Node {
    return this.#cell.leaf;
  }

  get name(): string {
    return this.#cell.name;
  }

  /** @internal */
  get cell(): Cell {
    return this.#cell;
  }

  /**
   * Makes `value` the variable's value, for what is recorded from now on. It is cast and broadcast; no gradient flows through.
   *
   * @throws ShapeError if the value does not broadcast to the variable's shape
   */
  assign(value: TensorLike): void {
    this.#cell.assign(this.#fit(value));
  }

  #fit(value: TensorLike): Node {
    if (typeof value !== 'object') return fullNode(Number(value), this);
    const { node } = value;
    const stretches =
      node.shape.length <= this.rank &&
      node.shape.every((n, i) => n === 1 || n === this.shape[i + this.rank - node.shape.length]);
    if (!stretches)
      throw new ShapeError(
        `assign: ${this.name} is ${showShape(this.shape)}, but the value is ${showShape(node.shape)}. A variable keeps its shape.`,
      );
    if (isFloat(node.dtype) && !isFloat(this.dtype))
      throw new DTypeError(
        `assign: ${this.name} is ${this.dtype}, but the value is ${node.dtype}. Cast it with cast('${this.dtype}').`,
      );
    return broadcastTo(cast(node, this.dtype), this.shape);
  }

  /** A tensor of the present value, in storage of its own. */
  snapshot(): Tensor {
    return this.clone();
  }

  /** Whether gradients are taken with respect to it. */
  setRequiresGrad(requiresGrad: boolean): void {
    forbidInTrace('setRequiresGrad', 'Call it before the compiled function');
    this.#cell.setRequiresGrad(requiresGrad);
  }

  /** Replaces the value at once by host data, also after the loss of a device. */
  load(data: TypedArray): void {
    forbidInTrace('load', 'Call it before the compiled function');
    if (data.length !== this.size)
      throw new ShapeError(
        `load: ${this.name} is ${showShape(this.shape)} with ${this.size} elements, but ${data.length} were given.`,
      );
    this.#cell.reset(fromHost(data.slice() as TypedArray, this.shape, this.dtype).node.stored as Value);
  }

  override dispose(): void {
    this.#cell.dispose();
  }
}

const fullNode = (value: number, like: Tensor): Node => record('constant', [], { value }, like.shape, like.dtype);
