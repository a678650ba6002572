/*
 * What every renderer writes against: the signature of a kernel's function, where it finds its bindings and parameters,
 * and how a fault of data is reported.
 *
 * A function takes (begin, end, block, scratch). The block holds the address of each binding (4 bytes each, padded to 8
 * bytes), each parameter as f64, and the address of what a preparation left, so that a run writes numbers into memory and
 * allocates nothing.
 */
import type { Binding, DType, Kernel, Param } from '@dl/tensor';
import type { FunctionBuilder, Local } from '../wasm/assembler';
import type { Constants } from '../wasm/constants';
import type { WasmFeatures } from '../wasm/features';
import type { MicroKernel } from './gemm/gemm';
import type { Atom, Linear } from './linear';
import { rangeOf } from './linear';

export const kernelSignature = { params: ['i32', 'i32', 'i32', 'i32'], results: [] } as const;

/** Where a kernel leaves the address of its block, the index and its limit when an index was out of range. */
export const statusAddress = 64;

/** What is shared by the functions of a module. */
export interface Target {
  readonly features: WasmFeatures;
  readonly constants: Constants;
  /** The register tile of matrix products. */
  readonly micro: MicroKernel;
  /** Rough count of element operations that one call takes. */
  readonly callWork: number;
  /** Imported: the remainder with the sign of the divisor, on f64. */
  readonly mod: number;
  /** Imported: of f64, for arguments that vector code cannot reduce. */
  readonly sin: number;
  readonly cos: number;
}

/** Byte offset of the parameters in a block. */
export const paramsOffset = (bindings: number): number => Math.ceil(bindings / 2) * 8;
/** Byte offset, in a block, of the address of the memory that all calls of a run of the kernel share. */
export const sharedOffset = (kernel: Pick<Kernel, 'bindings' | 'params'>): number =>
  paramsOffset(kernel.bindings.length) + kernel.params.length * 8;
export const blockBytes = (kernel: Pick<Kernel, 'bindings' | 'params'>): number => sharedOffset(kernel) + 8;

type ParamHolder = { readonly whole: Local; readonly number: Local };

/** The variables of one function: its parameters, loop counters, and the kernel's numbers. */
export class Frame {
  readonly begin: Local;
  readonly end: Local;
  readonly block: Local;
  #scratch: Local;
  /** The counter of each loop variable that is running. */
  readonly counters: (Local | undefined)[] = [];
  readonly #params: ParamHolder[];
  readonly #bindings: readonly Binding[];
  readonly #shared: number;

  constructor(
    readonly f: FunctionBuilder,
    readonly target: Target,
    kernel: Pick<Kernel, 'bindings' | 'params'>,
  ) {
    this.begin = f.param(0);
    this.end = f.param(1);
    this.block = f.param(2);
    this.#scratch = f.param(3);
    this.#bindings = kernel.bindings;
    this.#shared = sharedOffset(kernel);
    this.#params = kernel.params.map((param, i) => this.#loadParam(param, i));
  }

  /** Holds the address of memory that no concurrent call uses. */
  get scratch(): Local {
    return this.#scratch;
  }

  /** Writes what `body` does for other memory. */
  withScratch(scratch: Local, body: () => void): void {
    const before = this.#scratch;
    this.#scratch = scratch;
    body();
    this.#scratch = before;
  }

  #loadParam(param: Param, index: number): ParamHolder {
    const { f } = this;
    const number = f.local('f64');
    const whole = f.local('i32');
    if (param.kind !== 'element') {
      f.get(this.block)
        .mem('f64.load', paramsOffset(this.#bindings.length) + index * 8)
        .tee(number);
      f.op('i64.trunc_sat_f64_s').op('i32.wrap_i64').set(whole);
      return { whole, number };
    }
    this.pushBinding(param.binding);
    const byte = ['u8', 'bool'].includes(this.#bindings[param.binding]!.dtype);
    f.mem(byte ? 'i32.load8_u' : 'i32.load', param.offset * (byte ? 1 : 4)).set(whole);
    for (const [bound, test] of [
      [param.min, 'i32.lt_s'],
      [param.max, 'i32.gt_s'],
    ] as const) {
      f.i32(bound).get(whole).get(whole).i32(bound).op(test).select().set(whole);
    }
    f.get(whole).op('f64.convert_i32_s').set(number);
    return { whole, number };
  }

  /** Pushes the address of a binding. */
  pushBinding(binding: number): void {
    this.f.get(this.block).mem('i32.load', binding * 4);
  }

  /** Pushes the address of the memory that all calls of a run share. */
  pushShared(): void {
    this.f.get(this.block).mem('i32.load', this.#shared);
  }

  /** Pushes a parameter as f64. */
  pushNumber(param: number): void {
    this.f.get(this.#params[param]!.number);
  }

  /** Pushes a parameter as i32. */
  pushWhole(param: number): void {
    this.f.get(this.#params[param]!.whole);
  }

  /** Pushes a sum; the counter of variable `lane` counts `offset` more. */
  pushSum(sum: Linear, lane = -1, offset = 0): void {
    const { f } = this;
    let pushed = false;
    for (const { atom, factor } of sum.terms) {
      this.pushAtom(atom, lane, offset);
      if (factor !== 1) f.i32(factor).op('i32.mul');
      if (pushed) f.op('i32.add');
      pushed = true;
    }
    if (!pushed) f.i32(sum.constant);
    else if (sum.constant !== 0) f.i32(sum.constant).op('i32.add');
  }

  /** Pushes an atom; division and remainder floor. */
  pushAtom(atom: Atom, lane = -1, offset = 0): void {
    const { f } = this;
    if (atom.kind === 'param') {
      this.pushWhole(atom.index);
      return;
    }
    if (atom.kind === 'var') {
      f.get(this.counters[atom.index]!);
      if (atom.index === lane && offset !== 0) f.i32(offset).op('i32.add');
      return;
    }
    const [min] = rangeOf(atom.of);
    const { divisor } = atom;
    const shift = min < 0 ? Math.ceil(-min / divisor) : 0; // makes the dividend ≥ 0
    this.pushSum(atom.of, lane, offset);
    if (shift > 0) f.i32(shift * divisor).op('i32.add');
    if (atom.kind === 'mod') {
      f.i32(divisor).op('i32.rem_u');
      return;
    }
    f.i32(divisor).op('i32.div_u');
    if (shift > 0) f.i32(shift).op('i32.sub');
  }

  /** Reports an index that is not below a limit, unless another was reported before, by whichever thread. */
  fault(index: Local, limit: number): void {
    const { f } = this;
    const store = (value: () => void, offset: number) => {
      f.i32(0);
      value();
      f.mem('i32.store', statusAddress + offset);
    };
    if (this.target.features.threads) {
      f.i32(0).i32(0).get(this.block).mem('i32.atomic.rmw.cmpxchg', statusAddress);
    } else f.i32(0).mem('i32.load', statusAddress);
    f.op('i32.eqz').if(() => {
      store(() => f.get(this.block), 0);
      store(() => f.get(index), 4);
      store(() => f.i32(limit), 8);
    });
  }
}

/** Bytes an element takes in memory. */
export const widths: Readonly<Record<DType, number>> = { f32: 4, f64: 8, f16: 2, i32: 4, u32: 4, u8: 1, bool: 1 };
