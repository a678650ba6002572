/** What a row of the tables of golden operations is given: the inputs as tensors, and typed ways to read the attributes. */
import type { Tensor } from '@dl/tensor';
import type { Attribute } from '../read';

/** The result of a row: one tensor stands for the output `out`. */
export type Outputs = Tensor | Readonly<Record<string, Tensor>>;

/** How an operation is called by the public API, or why it is not. */
export type GoldenOp = ((call: GoldenCall) => Outputs) | { readonly unserved: string };

export type GoldenOps = Readonly<Record<string, GoldenOp>>;

/** Says that an operation is not offered, and why. */
export const unserved = (reason: string): GoldenOp => ({ unserved: reason });

/** Thrown by a row for a case that the API does not offer, though it offers the operation. */
export class Unserved extends Error {}

/** One case on its way to the API. */
export class GoldenCall {
  constructor(
    private readonly tensors: Readonly<Record<string, Tensor>>,
    private readonly attrs: Readonly<Record<string, Attribute>>,
  ) {}

  /** An input; its views are already taken. */
  input(name: string): Tensor {
    const tensor = this.tensors[name];
    if (!tensor) throw new Error(`the case has no input ${name}`);
    return tensor;
  }

  get x(): Tensor {
    return this.input('x');
  }

  get a(): Tensor {
    return this.input('a');
  }

  get b(): Tensor {
    return this.input('b');
  }

  optional(name: string): Tensor | undefined {
    return this.tensors[name];
  }

  /** Inputs `x0`, `x1`, … as often as there are. */
  numbered(prefix: string): Tensor[] {
    const found: Tensor[] = [];
    for (let i = 0; this.tensors[`${prefix}${i}`]; i++) found.push(this.tensors[`${prefix}${i}`]!);
    return found;
  }

  has(name: string): boolean {
    return this.attrs[name] !== undefined && this.attrs[name] !== null;
  }

  number(name: string): number {
    return Number(this.attrs[name]);
  }

  text(name: string): string {
    return String(this.attrs[name]);
  }

  flag(name: string): boolean {
    return this.attrs[name] === true;
  }

  numbers(name: string): number[] {
    const list = this.attrs[name];
    return Array.isArray(list) ? list.map(Number) : [Number(list)];
  }

  /** An attribute as it was written. */
  raw(name: string): Attribute {
    return this.attrs[name] ?? null;
  }

  /** Axes, where null means all of them. */
  axes(name = 'dim'): number[] | undefined {
    return this.has(name) ? this.numbers(name) : undefined;
  }

  get keepDims(): { readonly keepDims: boolean } {
    return { keepDims: this.flag('keepdim') };
  }
}

/** Names results `out0`, `out1`, … */
export const numberedOutputs = (parts: readonly Tensor[]): Record<string, Tensor> =>
  Object.fromEntries(parts.map((part, i) => [`out${i}`, part]));
