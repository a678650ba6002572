/*
 * An operand of a contraction: its element at a place that is partly fixed (batch, and m or n) and partly runs (k). What depends on
 * the fixed part alone is computed once, before the loop over k; what depends on k alone once for all rows of a tile.
 */
import type { Access, Bound, Expr } from '@dl/tensor';
import { intLiteral, type Shader } from '../shader';

function mentionsRange(e: Expr, from: number, to: number): boolean {
  switch (e.kind) {
    case 'var':
      return e.size > 1 && e.index >= from && e.index < to;
    case 'add':
      return e.terms.some((t) => mentionsRange(t, from, to));
    case 'const':
    case 'param':
      return false;
    default:
      return mentionsRange(e.term, from, to);
  }
}

/** A sum in three parts: over what is fixed, over what runs, and over both. */
interface Split {
  readonly fixed: readonly Expr[];
  readonly running: readonly Expr[];
  readonly mixed: readonly Expr[];
}

function split(e: Expr, firstRunning: number): Split {
  const fixed: Expr[] = [];
  const running: Expr[] = [];
  const mixed: Expr[] = [];
  for (const term of e.kind === 'add' ? e.terms : [e]) {
    if (!mentionsRange(term, firstRunning, Number.POSITIVE_INFINITY)) fixed.push(term);
    else if (mentionsRange(term, 0, firstRunning)) mixed.push(term);
    else running.push(term);
  }
  return { fixed, running, mixed };
}

/** A sum at one fixed place. */
export interface Place {
  readonly index: string;
  /** One for each bound that the running part may break. */
  readonly terms: readonly string[];
  /** Whether the bounds hold that depend on the fixed part alone; null if there are none. */
  readonly holds: string | null;
  readonly vars: readonly string[];
}

/** What depends on k alone, at one k. */
export interface Step {
  readonly index: string;
  readonly terms: readonly string[];
  readonly holds: string | null;
  readonly k: readonly string[];
}

export class Operand {
  readonly #index: Split;
  readonly #fixedBounds: readonly Bound[];
  readonly #runningBounds: readonly Bound[];
  readonly #mixedBounds: readonly (Bound & { readonly parts: Split })[];

  constructor(
    private readonly shader: Shader,
    private readonly access: Access,
    /** Number of the first k variable. */
    private readonly firstK: number,
    private readonly zero: string,
  ) {
    this.#index = split(access.index, firstK);
    const runs = (b: Bound): boolean => mentionsRange(b.term, firstK, Number.POSITIVE_INFINITY);
    const isFixed = (b: Bound): boolean => mentionsRange(b.term, 0, firstK);
    this.#fixedBounds = access.bounds.filter((b) => !runs(b));
    this.#runningBounds = access.bounds.filter((b) => runs(b) && !isFixed(b));
    this.#mixedBounds = access.bounds
      .filter((b) => runs(b) && isFixed(b))
      .map((b) => ({ ...b, parts: split(b.term, firstK) }));
  }

  /** Whether an element costs little more than its load. */
  get isPlain(): boolean {
    return this.access.bounds.length === 0 && this.#index.mixed.length === 0;
  }

  #sum(terms: readonly Expr[], vars: readonly string[]): string {
    return terms.length === 0 ? '0' : terms.map((t) => this.shader.expr(t, vars)).join(' + ');
  }

  /** Emits what depends on the fixed part; `vars` names the variables before k. */
  place(vars: readonly string[]): Place {
    const { shader } = this;
    const condition = shader.bounds(this.#fixedBounds, vars);
    return {
      index: shader.let('at', this.#sum(this.#index.fixed, vars)),
      terms: this.#mixedBounds.map((b) => shader.let('bt', this.#sum(b.parts.fixed, vars))),
      holds: condition && shader.let('in', condition),
      vars,
    };
  }

  /** Emits what depends on k alone. */
  step(k: readonly string[]): Step {
    const { shader } = this;
    const vars = [...new Array<string>(this.firstK).fill('0'), ...k];
    const condition = shader.bounds(this.#runningBounds, vars);
    return {
      index: this.#index.running.length === 0 ? '0' : shader.let('ak', this.#sum(this.#index.running, vars)),
      terms: this.#mixedBounds.map((b) =>
        b.parts.running.length === 0 ? '0' : shader.let('bk', this.#sum(b.parts.running, vars)),
      ),
      holds: condition && shader.let('in', condition),
      k,
    };
  }

  /** The four elements from a place and step on, for an operand without bounds whose binding the shader has widened. */
  quad(place: Place, step: Step): string {
    const parts = [place.index, step.index].filter((p) => p !== '0');
    return this.shader.loadQuad(this.access.binding, parts.join(' + ') || '0');
  }

  /** The element, 0 where a bound does not hold; `also` is one more condition. */
  element(place: Place, step: Step, also: string | null = null): string {
    const { shader } = this;
    const vars = [...place.vars, ...step.k];
    const plus = (...parts: string[]): string => parts.filter((p) => p !== '0').join(' + ') || '0';
    const sum = (parts: Split, fixed: string, running: string): string =>
      plus(fixed, running, parts.mixed.length === 0 ? '0' : this.#sum(parts.mixed, vars));
    const tests = this.#mixedBounds.map(({ parts, min, end }, i) => {
      const term = shader.let('t', sum(parts, place.terms[i]!, step.terms[i]!));
      return `${term} >= ${intLiteral(min)} && ${term} < ${intLiteral(end)}`;
    });
    const conditions = [also, place.holds, step.holds, ...tests].filter((c) => c !== null);
    const value = shader.load(this.access.binding, sum(this.#index, place.index, step.index));
    return conditions.length === 0 ? value : `select(${this.zero}, ${value}, ${conditions.join(' && ')})`;
  }
}
