/**
 * Einstein's summation. Operands are contracted from left to right, each pair by one `dot`: a label that both have and that
 * is needed later is a batch axis, one that nobody needs later is contracted, the others are free.
 */
import { ShapeError, ValueError } from '../errors';
import { showShape } from '../shape';
import type { Tensor } from '../tensor';

interface Labelled {
  readonly x: Tensor;
  /** One label an axis. */
  readonly labels: readonly string[];
}

interface Equation {
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

/** Letters, and one label for each axis that an ellipsis stands for, counted from the end. */
function labelsOf(term: string, rank: number): string[] {
  const [before, after] = term.includes('...') ? (term.split('...') as [string, string]) : [term, null];
  if (after === null) return [...before];
  const hidden = rank - before.length - after.length;
  return [...before, ...Array.from({ length: Math.max(hidden, 0) }, (_, i) => `…${hidden - i}`), ...after];
}

function parse(equation: string, operands: readonly Tensor[]): Equation {
  const [left, right] = equation.replaceAll(' ', '').split('->') as [string, string | undefined];
  const terms = left.split(',');
  if (terms.length !== operands.length) {
    throw new ValueError(`einsum: '${equation}' names ${terms.length} operands, but ${operands.length} were given.`);
  }
  const inputs = terms.map((t, i) => checkRank(equation, labelsOf(t, operands[i]!.rank), operands[i]!));
  const all = inputs.flat();
  const hidden = [...new Set(all.filter((l) => l.startsWith('…')))].sort(
    (a, b) => Number(b.slice(1)) - Number(a.slice(1)),
  );
  if (right !== undefined)
    return { inputs, output: checkOutput(equation, right.includes('...') ? spread(right, hidden) : [...right], all) };
  const once = [...new Set(all)].filter((l) => !l.startsWith('…') && all.indexOf(l) === all.lastIndexOf(l)).sort();
  return { inputs, output: [...hidden, ...once] };
}

const spread = (term: string, hidden: readonly string[]): string[] => {
  const [before, after] = term.split('...') as [string, string];
  return [...before, ...hidden, ...after];
};

function checkRank(equation: string, labels: string[], x: Tensor): string[] {
  if (labels.length !== x.rank) {
    throw new ShapeError(
      `einsum: '${equation}' names ${labels.length} axes of an operand of shape ${showShape(x.shape)}. Name each axis once, or write '...'.`,
    );
  }
  return labels;
}

function checkOutput(equation: string, output: readonly string[], all: readonly string[]): readonly string[] {
  const unknown = output.find((l) => !all.includes(l));
  if (unknown !== undefined || new Set(output).size !== output.length) {
    throw new ValueError(
      `einsum: the result of '${equation}' names ${unknown === undefined ? 'an axis twice' : `${unknown}, which no operand has`}.`,
    );
  }
  return output;
}

/** Takes the diagonal where an operand names one axis twice, and sums what nobody needs. */
function reduced({ x, labels }: Labelled, needed: (label: string) => boolean, diagonal: Diagonal): Labelled {
  let [t, names] = [x, [...labels]];
  for (let i = 0; i < names.length; i++) {
    const again = names.indexOf(names[i]!, i + 1);
    if (again < 0) continue;
    t = diagonal(t, 0, i, again); // the diagonal becomes the last axis
    names = [...names.filter((_, k) => k !== i && k !== again), names[i]!];
    i = -1;
  }
  const drop = names.flatMap((l, i) => (needed(l) ? [] : [i]));
  return drop.length === 0 ? { x: t, labels: names } : { x: t.sum(drop), labels: names.filter(needed) };
}

type Diagonal = (x: Tensor, k: number, axis1: number, axis2: number) => Tensor;

function contract(a: Labelled, b: Labelled, needed: (label: string) => boolean): Labelled {
  checkSizes(a, b);
  const common = a.labels.filter((l) => b.labels.includes(l));
  const [batch, inner] = [common.filter(needed), common.filter((l) => !needed(l))];
  const places = (labels: readonly string[], of: Labelled): number[] => labels.map((l) => of.labels.indexOf(l));
  const axes = {
    lhsBatch: places(batch, a),
    rhsBatch: places(batch, b),
    lhsContract: places(inner, a),
    rhsContract: places(inner, b),
  };
  const free = (of: Labelled): string[] => of.labels.filter((l) => !common.includes(l));
  return { x: a.x.dot(b.x, axes), labels: [...batch, ...free(a), ...free(b)] };
}

function checkSizes(a: Labelled, b: Labelled): void {
  for (const [i, l] of a.labels.entries()) {
    const j = b.labels.indexOf(l);
    if (j >= 0 && a.x.shape[i] !== b.x.shape[j]) {
      throw new ShapeError(
        `einsum: axis ${l} has ${a.x.shape[i]} elements in ${showShape(a.x.shape)}, but ${b.x.shape[j]} in ${showShape(b.x.shape)}.`,
      );
    }
  }
}

export function einsumOf(equation: string, operands: readonly Tensor[], diagonal: Diagonal): Tensor {
  const { inputs, output } = parse(equation, operands);
  const rest = inputs.map((labels, i): Labelled => ({ x: operands[i]!, labels }));
  const neededAfter =
    (i: number) =>
    (label: string): boolean =>
      output.includes(label) || rest.slice(i + 1).some((r) => r.labels.includes(label));
  let result = reduced(rest[0]!, neededAfter(0), diagonal);
  for (let i = 1; i < rest.length; i++) {
    const next = reduced(rest[i]!, (l) => neededAfter(i)(l) || result.labels.includes(l), diagonal);
    result = contract(result, next, neededAfter(i));
  }
  return result.x.permute(output.map((l) => result.labels.indexOf(l)));
}
