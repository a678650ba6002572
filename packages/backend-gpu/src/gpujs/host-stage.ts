/**
 * A stage on the host: rendered as one JavaScript function of nested loops, for what gpu.js cannot compute. It is exact in every
 * dtype, and rounds as the other backends do; sums are made in f64 and rounded once.
 */
import { type DType, type Instruction, isFloat } from '@dl/tensor';
import { type ExprNames, renderBounds, renderExpr } from './expression';
import { castSource, hostFunctions, operationSource, rounded } from './host-arithmetic';
import { elementLevels, inputsOf, isReduction, type Stage } from './stages';

/** The numbers of a binding or of the result of a stage, as they are stored: f16 as bits in bindings, as numbers in results. */
export type Numbers = Float32Array | Int32Array | Uint32Array | Uint8Array | Uint16Array | Float64Array;

/** Fills `out` cell by cell. `fault` hears of indices out of range, if the stage checks any. */
export type HostStage = (
  inputs: readonly Numbers[],
  params: ArrayLike<number>,
  out: Numbers,
  fault: (index: number, limit: number) => void,
) => void;

const names: ExprNames = {
  variable: (index) => `v${index}`,
  param: (index) => `params[${index}]`,
  quotient: (dividend, divisor) => `Math.floor(${dividend} / ${divisor})`,
};

/** A number as source, also those that have no literal. */
const numberSource = (value: number): string => (Object.is(value, -0) ? '-0' : value < 0 ? `(${value})` : `${value}`);

class HostRenderer {
  private readonly lines: string[] = [];

  constructor(
    private readonly stage: Stage,
    private readonly dtypes: readonly DType[],
    private readonly reports: boolean,
  ) {}

  render(): string {
    const { stage } = this;
    const perElement = elementLevels(stage.body, stage.rows.length);
    const root = stage.body.length - 1;
    const reduces = isReduction(stage.body[root]!);
    const emit = (element: boolean): void =>
      stage.body.forEach((_, ref) => {
        if (perElement[ref] === element && !(reduces && ref === root)) this.instruction(ref);
      });
    for (const i of inputsOf(stage)) this.lines.push(`const b${i} = inputs[${i}];`);
    const closeRows = this.loops(stage.rows, 0);
    emit(false);
    if (reduces) this.reduction(root, emit);
    else if (stage.level === 'element') {
      const close = this.loops(stage.reduced, stage.rows.length);
      emit(true);
      this.result(root);
      this.lines.push(close);
    } else this.result(root);
    this.lines.push(closeRows);
    return this.lines.join('\n');
  }

  private result(root: number): void {
    if (!this.reports) this.lines.push(`out[cell++] = r${root};`);
  }

  /** Opens a loop for each axis; returns what closes them. */
  private loops(sizes: readonly number[], from: number): string {
    sizes.forEach((size, axis) => {
      const v = `v${from + axis}`;
      this.lines.push(`for (let ${v} = 0; ${v} < ${size}; ${v}++) {`);
    });
    return '}'.repeat(sizes.length);
  }

  private reduction(root: number, emit: (element: boolean) => void): void {
    const { op, dtype, args } = this.stage.body[root]! as Instruction & { op: 'sum'; args: readonly [number] };
    const { start, step, end } = reductionSource(op, dtype, `r${args[0]}`);
    this.lines.push(start);
    const close = this.loops(this.stage.reduced, this.stage.rows.length);
    emit(true);
    this.lines.push(step, close, `out[cell++] = ${end};`);
  }

  private element(binding: number, index: string): string {
    const source = `b${binding}[${index}]`;
    return binding < this.stage.bindings && this.dtypes[binding] === 'f16' ? `decodeHalf(${source})` : source;
  }

  private instruction(ref: number): void {
    this.lines.push(`const r${ref} = ${this.value(this.stage.body[ref]!, ref === this.stage.body.length - 1)};`);
  }

  private value(instruction: Instruction, isRoot: boolean): string {
    const { dtype } = instruction;
    const args = ('args' in instruction ? instruction.args : []).map((ref) => `r${ref}`);
    const operand = 'args' in instruction ? this.stage.body[instruction.args[0]]!.dtype : dtype;
    switch (instruction.op) {
      case 'load':
        return this.guarded(
          instruction.access.bounds,
          this.element(instruction.access.binding, this.index(instruction)),
          instruction,
        );
      case 'gather':
        return this.guarded(instruction.access.bounds, this.gathered(instruction, args[0]!, isRoot), instruction);
      case 'check':
        return this.reports && isRoot ? this.inRange(args[0]!, instruction.limit, args[0]!) : args[0]!;
      case 'guard':
        return this.guarded(instruction.bounds, args[0]!, instruction);
      case 'constant':
        return rounded(dtype, numberSource(instruction.value));
      case 'scalar':
        return rounded(dtype, `params[${instruction.param}]`);
      case 'index':
        return rounded(dtype, renderExpr(instruction.expr, names));
      case 'random': {
        const { key0, key1, counter, index } = instruction;
        return `randomBits(params[${key0}], params[${key1}], params[${counter}] + ${renderExpr(index, names)})`;
      }
      case 'where':
        return `(${args[0]} !== 0 ? ${args[1]} : ${args[2]})`;
      case 'cast':
        return castSource(args[0]!, operand, dtype);
      case 'bitcast':
        return `bitcast(${args[0]}, '${operand}', '${dtype}')`;
      case 'store':
      case 'sum':
      case 'prod':
      case 'max_reduce':
      case 'min_reduce':
      case 'argmax':
        throw new Error(`gpujs: ${instruction.op} inside a stage.`);
      default:
        return operationSource(instruction.op, args, operand, dtype);
    }
  }

  private index(instruction: Instruction & { op: 'load' | 'gather' }): string {
    return renderExpr(instruction.access.index, names);
  }

  private gathered(instruction: Instruction & { op: 'gather' }, at: string, isRoot: boolean): string {
    const { access, stride, limit } = instruction;
    if (this.reports && isRoot) return this.inRange(at, limit, '0');
    const element = this.element(access.binding, `${this.index(instruction)} + ${at} * ${stride}`);
    return `(${at} >= 0 && ${at} < ${limit} ? ${element} : 0)`;
  }

  private inRange(at: string, limit: number, value: string): string {
    return `(${at} >= 0 && ${at} < ${limit} ? ${value} : (fault(${at}, ${limit}), 0))`;
  }

  private guarded(
    bounds: Parameters<typeof renderBounds>[0],
    value: string,
    { fill, dtype }: { readonly fill: number; readonly dtype: DType },
  ): string {
    const holds = renderBounds(bounds, names);
    return holds ? `(${holds} ? ${value} : ${rounded(dtype, numberSource(fill))})` : value;
  }
}

const extremes: Partial<Record<DType, readonly [number, number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  u8: [0, 255],
  bool: [0, 1],
};

function reductionSource(op: string, dtype: DType, x: string): { start: string; step: string; end: string } {
  const [lowest, highest] = extremes[dtype] ?? [-Infinity, Infinity];
  const float = isFloat(dtype);
  const end = rounded(dtype, 'total');
  switch (op) {
    case 'sum':
      return { start: 'let total = 0;', step: `total = ${float ? `total + ${x}` : `(total + ${x}) | 0`};`, end };
    case 'prod':
      return { start: 'let total = 1;', step: `total = ${float ? `total * ${x}` : `Math.imul(total, ${x})`};`, end };
    case 'max_reduce':
      return { start: `let total = ${lowest};`, step: `total = Math.max(total, ${x});`, end };
    case 'min_reduce':
      return { start: `let total = ${highest};`, step: `total = Math.min(total, ${x});`, end };
    default: {
      const exceeds = `${x} > best || (${x} !== ${x} && best === best)`;
      const step = `if (at < 0 || ${exceeds}) { best = ${x}; at = i; } i++;`;
      return { start: 'let best = 0, at = -1, i = 0;', step, end: 'Math.max(at, 0)' };
    }
  }
}

/**
 * Renders a stage for the host.
 *
 * @param dtypes - of the kernel's bindings
 * @param reports - whether its last instruction is a check that reports what is out of range, and has no result
 */
export function renderHostStage(stage: Stage, dtypes: readonly DType[], reports = false): HostStage {
  const source = new HostRenderer(stage, dtypes, reports).render();
  const helpers = Object.keys(hostFunctions).join(', ');
  const make = new Function(
    'helpers',
    `const { ${helpers} } = helpers;\nreturn (inputs, params, out, fault) => {\nlet cell = 0;\n${source}\n};`,
  );
  return make(hostFunctions) as HostStage;
}
