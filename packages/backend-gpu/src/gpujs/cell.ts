/**
 * A stage as the source of a gpu.js kernel: what one thread computes for its cell. Everything is a float, whole numbers
 * included, since gpu.js mixes its types as it guesses them.
 */
import { type BinaryOp, type DType, type Instruction, isFloat, type UnaryOp } from '@dl/tensor';
import { type ExprNames, renderBounds, renderExpr } from './expression';
import { elementLevels, inputsOf, isReduction, type Stage } from './stages';

/** What a cell takes when it runs, in the order of its arguments. */
export type Argument =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'param'; readonly index: number }
  | { readonly kind: 'number'; readonly value: number };

export interface Cell {
  readonly source: string;
  readonly arguments: readonly Argument[];
}

/** Partial sums of at most so many elements keep f32 accurate over long axes. */
const stripLength = 64;

const call =
  (name: string) =>
  (...args: readonly string[]): string =>
    `${name}(${args.join(', ')})`;

const unary = {
  neg: (x) => `(-${x})`,
  abs: call('Math.abs'),
  sign: call('signOf'),
  floor: call('floorOf'),
  ceil: call('ceilOf'),
  round: call('roundToEven'),
  sqrt: call('Math.sqrt'),
  reciprocal: (x) => `(1 / ${x})`,
  exp: call('expOf'),
  log: call('logOf'),
  log1p: call('log1pOf'),
  expm1: call('expm1Of'),
  sin: call('sinOf'),
  cos: call('cosOf'),
  tanh: call('tanhOf'),
  erf: call('erf'),
  not: (x) => `(1 - ${x})`,
} satisfies Partial<Record<UnaryOp, (x: string) => string>>;

const binary: Partial<Record<BinaryOp, (x: string, y: string) => string>> = {
  add: (x, y) => `(${x} + ${y})`,
  mul: (x, y) => `(${x} * ${y})`,
  div: (x, y) => `(${x} / ${y})`,
  pow: call('power'),
  max: call('maximum'),
  min: call('minimum'),
  eq: call('isEqual'),
  lt: call('isLess'),
  // Of booleans, which are 0 and 1.
  and: (x, y) => `(${x} * ${y})`,
  or: call('maximum'),
  xor: (x, y) => `Math.abs(${x} - ${y})`,
};

const isUnary = (op: string): op is UnaryOp => Object.hasOwn(unary, op);

/** Numbers that any language's parser takes as written. */
const isPlain = (value: number): boolean => value === 0 || (Math.abs(value) >= 1e-5 && Math.abs(value) < 1e7);

class CellRenderer {
  private readonly lines: string[] = [];
  private readonly names = new Map<string, Argument>();
  /** Row axes that are decoded are called v, axes of loops k. */
  private readonly expressions: ExprNames;

  constructor(
    private readonly stage: Stage,
    private readonly rounds: boolean,
  ) {
    const loops = isReduction(stage.body.at(-1)!);
    this.expressions = {
      variable: (index) => `${loops && index >= stage.rows.length ? 'k' : 'v'}${index}`,
      param: (index) => this.param(index),
      quotient: (dividend, divisor) => `quotient(${dividend}, ${divisor})`,
    };
  }

  render(): Cell {
    const { stage } = this;
    for (const index of inputsOf(stage)) this.names.set(`b${index}`, { kind: 'input', index });
    const perElement = elementLevels(stage.body, stage.rows.length);
    const root = stage.body.length - 1;
    const reduces = isReduction(stage.body[root]!);
    this.decode(stage.level === 'element' ? [...stage.rows, ...stage.reduced] : stage.rows);
    if (reduces) {
      stage.body.forEach((_, ref) => ref !== root && !perElement[ref] && this.instruction(ref));
      this.reduction(root, () => stage.body.forEach((_, ref) => perElement[ref] && this.instruction(ref)));
    } else {
      for (let ref = 0; ref <= root; ref++) this.instruction(ref);
      this.lines.push(`return r${root};`);
    }
    const source = `function (${[...this.names.keys()].join(', ')}) {\n${this.lines.join('\n')}\n}`;
    return { source, arguments: [...this.names.values()] };
  }

  /** The loop variables of the cell: its number in mixed radix. */
  private decode(sizes: readonly number[]): void {
    const axes = sizes.map((size, axis) => ({ size, axis })).filter(({ size }) => size !== 1);
    if (axes.length === 0) return;
    this.lines.push('const q0 = real(this.thread.x);');
    let rest = 0;
    for (const { size, axis } of axes.slice(1).reverse()) {
      this.lines.push(`const q${rest + 1} = quotient(q${rest}, ${size});`);
      this.lines.push(`const v${axis} = q${rest} - q${rest + 1} * ${size};`);
      rest++;
    }
    this.lines.push(`const v${axes[0]!.axis} = real(q${rest});`);
  }

  private param(index: number): string {
    this.names.set(`p${index}`, { kind: 'param', index });
    return `p${index}`;
  }

  private number(value: number): string {
    const single = Math.fround(value);
    if (isPlain(single)) return single < 0 ? `(${single})` : `${single + 0}`;
    const known = [...this.names].find(([, a]) => a.kind === 'number' && Object.is(a.value, single));
    const name = known?.[0] ?? `n${this.names.size}`;
    this.names.set(name, { kind: 'number', value: single });
    return name;
  }

  /** The processor's modes compute in f64: their results are rounded as a device's are. */
  private rounded(dtype: DType, source: string): string {
    return this.rounds && dtype === 'f32' ? `Math.fround(${source})` : source;
  }

  private instruction(ref: number): void {
    const instruction = this.stage.body[ref]!;
    switch (instruction.op) {
      case 'load':
        this.guarded(ref, instruction.access.bounds, this.element(instruction), instruction.fill);
        break;
      case 'gather':
        this.gather(ref, instruction);
        break;
      case 'guard':
        this.guarded(ref, instruction.bounds, `r${instruction.args[0]}`, instruction.fill);
        break;
      default:
        this.lines.push(`const r${ref} = ${this.value(instruction)};`);
    }
  }

  private value(instruction: Instruction): string {
    const { dtype } = instruction;
    const args = ('args' in instruction ? instruction.args : []).map((ref) => `r${ref}`);
    switch (instruction.op) {
      case 'constant':
        return `real(${this.number(instruction.value)})`;
      case 'scalar':
        return `real(${this.param(instruction.param)})`;
      case 'index':
        return `real(${renderExpr(instruction.expr, this.expressions)})`;
      case 'check':
        return `real(${args[0]})`;
      case 'cast':
        return dtype === 'bool' ? `isTrue(${args[0]})` : `real(${args[0]})`;
      case 'where':
        return `choose(${args.join(', ')})`;
      case 'mod': {
        const [x, y] = args;
        return isFloat(dtype) ? this.rounded(dtype, `floorMod(${x}, ${y})`) : `(${x} - quotient(${x}, ${y}) * ${y})`;
      }
      default:
        return this.rounded(dtype, this.operation(instruction.op, args));
    }
  }

  private operation(op: string, args: readonly string[]): string {
    if (isUnary(op)) return (unary as Record<UnaryOp, (x: string) => string>)[op](args[0]!);
    const render = binary[op as BinaryOp];
    if (!render) throw new Error(`gpujs: ${op} has no source; reasons.ts should have refused it.`);
    return render(args[0]!, args[1]!);
  }

  private element({ access }: Instruction & { op: 'load' | 'gather' }, offset = ''): string {
    return `b${access.binding}[${renderExpr(access.index, this.expressions)}${offset}]`;
  }

  private guarded(ref: number, bounds: Parameters<typeof renderBounds>[0], value: string, fill: number): void {
    this.choice(ref, renderBounds(bounds, this.expressions), value, fill);
  }

  private choice(ref: number, condition: string, value: string, otherwise: number): void {
    if (!condition) this.lines.push(`const r${ref} = ${value};`);
    else {
      this.lines.push(`let r${ref} = real(${this.number(otherwise)});`);
      this.lines.push(`if (${condition}) { r${ref} = ${value}; }`);
    }
  }

  /** A place out of range reads nothing; the host reports it. */
  private gather(ref: number, instruction: Instruction & { op: 'gather' }): void {
    const { access, stride, limit, args, fill } = instruction;
    const at = `r${args[0]}`;
    const holds = renderBounds(access.bounds, this.expressions);
    const inRange = `${at} >= 0 && ${at} < ${limit}`;
    const element = this.element(instruction, ` + ${at} * ${stride}`);
    this.choice(ref, holds ? `${holds} && ${inRange}` : inRange, element, 0);
    if (fill !== 0 && holds) this.lines.push(`if (!(${holds})) { r${ref} = ${this.number(fill)}; }`);
  }

  private reduction(root: number, emitElement: () => void): void {
    const { op, dtype, args } = this.stage.body[root]! as Instruction & { args: readonly [number] };
    const x = `r${args[0]}`;
    if (op === 'sum') this.sum(x, emitElement);
    else if (op === 'argmax') this.argmax(x, emitElement);
    else this.fold(op as 'prod', dtype, x, emitElement);
  }

  private argmax(x: string, emitElement: () => void): void {
    this.lines.push(`let best = real(${this.number(-Infinity)});`, 'let at = 0.0;', 'let place = 0.0;');
    this.loops(emitElement, [
      `if (${x} > best || (!(${x} == ${x}) && best == best)) { best = ${x}; at = place; }`,
      'place = place + 1;',
    ]);
    this.lines.push('return at;');
  }

  private fold(op: 'prod' | 'max_reduce' | 'min_reduce', dtype: DType, x: string, emitElement: () => void): void {
    const start = { prod: 1, max_reduce: -Infinity, min_reduce: Infinity }[op];
    const step = { prod: `total * ${x}`, max_reduce: `maximum(total, ${x})`, min_reduce: `minimum(total, ${x})` }[op];
    this.lines.push(`let total = real(${this.number(start)});`);
    this.loops(emitElement, [`total = ${step};`]);
    this.lines.push(`return ${this.rounded(dtype, 'total')};`);
  }

  private loop(axis: number, size: number): string {
    return `for (let k${axis} = 0; k${axis} < ${size}; k${axis}++) {`;
  }

  private loops(emitElement: () => void, step: readonly string[]): void {
    const { rows, reduced } = this.stage;
    reduced.forEach((size, axis) => this.lines.push(this.loop(rows.length + axis, size)));
    emitElement();
    this.lines.push(...step, '}'.repeat(reduced.length));
  }

  /** The last axis is summed in strips. */
  private sum(x: string, emitElement: () => void): void {
    const { rows, reduced } = this.stage;
    const outer = reduced.slice(0, -1);
    this.lines.push('let total = 0.0;');
    outer.forEach((size, axis) => this.lines.push(this.loop(rows.length + axis, size)));
    if (reduced.length === 0) this.lines.push(`total = ${x};`);
    else this.strips(rows.length + outer.length, reduced.at(-1)!, x, emitElement);
    this.lines.push('}'.repeat(outer.length), 'return total;');
  }

  private strips(axis: number, size: number, x: string, emitElement: () => void): void {
    const long = size > 2 * stripLength;
    if (long) this.lines.push(`for (let strip = 0; strip < ${Math.ceil(size / stripLength)}; strip++) {`);
    this.lines.push('let part = 0.0;');
    if (long) {
      this.lines.push(`for (let i = 0; i < ${stripLength}; i++) {`);
      this.lines.push(`const k${axis} = real(strip * ${stripLength} + i);`);
      if (size % stripLength !== 0) this.lines.push(`if (k${axis} < ${size}) {`);
    } else this.lines.push(this.loop(axis, size));
    emitElement();
    this.lines.push(`part = part + ${x};`, long && size % stripLength !== 0 ? '}}' : '}', 'total = total + part;');
    if (long) this.lines.push('}');
  }
}

/**
 * Renders a stage that gpu.js can run.
 *
 * @param rounds - whether results are rounded to f32 explicitly
 */
export const renderCell = (stage: Stage, rounds: boolean): Cell => new CellRenderer(stage, rounds).render();
