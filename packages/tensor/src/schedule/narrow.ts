/**
 * Computes no more of a product than is read. Where all uses of a value are slices that are clearly smaller together (the
 * logits of the last position, of a layer's queries only those of the token that classifies), the slices are taken of what
 * the value is made of: a slice of a product's rows is a product of the sliced rows, and so on down through elementwise
 * work, reductions and views, until a value is also needed whole. What ends in no product stays as it was recorded, since
 * kernels only compute the elements that they are asked for anyway.
 */
import type { OpAttributes, Start } from '../graph/node';
import { type Shape, sizeOf } from '../shape';
import { classOf, pointwise } from './graph';
import { isProgramOp, type Program, type ProgramNode } from './program';

/** A part of an axis: what a slice says of it. A start that is read at run time is a node. */
interface Cut {
  readonly start: number | { readonly node: number };
  /** The place of a number among the run's scalars, as in `ProgramNode.args`. */
  readonly arg: number;
  readonly size: number;
  readonly step: number;
}

/** A part of a value: for each axis a cut, or null for all of it. */
type Region = readonly (Cut | null)[];

/** Of a value's size, how much its parts may have together to be computed instead; and how many they may be. */
const worthwhile = { share: 0.75, parts: 4 };

const isWhole = (region: Region): boolean => region.every((cut) => cut === null);

const shapeOf = (shape: Shape, region: Region): Shape => shape.map((n, axis) => region[axis]?.size ?? n);

const keyOf = (region: Region): string =>
  region
    .map((cut) => {
      if (cut === null) return '';
      const { start, arg, size, step } = cut;
      return `${typeof start === 'number' ? start : `@${start.node}`} ${arg} ${size} ${step}`;
    })
    .join();

/** The program with products narrowed to what is read of them. */
export function narrow(program: Program): Program {
  if (!program.nodes.some((node) => node.op === 'slice') || !program.nodes.some((node) => node.op === 'dot'))
    return program;
  const parts = findParts(program);
  return parts.some((own) => own !== null) ? new Emitter(program, parts).emit() : program;
}

/** The parts of a value that are computed in its place, by their keys; null for a value that is computed whole. */
type Parts = ReadonlyMap<string, Region> | null;

/** Which values are computed in parts: what is read of each, users before sources; then what that saves, sources first. */
function findParts({ nodes, outputs }: Program): Parts[] {
  const whole = new Uint8Array(nodes.length);
  const wanted: (Map<string, Region> | null)[] = new Array(nodes.length).fill(null);
  const want = (index: number, region: Region): void => {
    if (isWhole(region)) whole[index] = 1;
    else (wanted[index] ??= new Map()).set(keyOf(region), region);
  };
  for (const { node } of outputs) whole[node] = 1;
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const below = whole[i] === 1 ? null : partsBelow(nodes, node, wanted[i]!);
    if (below === null) {
      wanted[i] = null;
      const cut = isProgramOp(node, 'slice') ? cutsOf(nodes, node) : null;
      node.sources.forEach((s, at) => {
        if (at === 0 && cut !== null) want(s, cut);
        else whole[s] = 1;
      });
    } else for (const regions of below) regions.forEach((region, at) => want(node.sources[at]!, region));
  }
  nodes.forEach((node, i) => {
    if (node.op !== 'dot' && !node.sources.some((s) => wanted[s] !== null)) wanted[i] = null;
  });
  return wanted;
}

/** For each part of a node, the parts of its sources that make it; null where it is better computed whole. */
function partsBelow(nodes: readonly ProgramNode[], node: ProgramNode, parts: Parts): Region[][] | null {
  if (parts === null || parts.size > worthwhile.parts || sizeOf(node.shape) === 0) return null;
  let size = 0;
  const below: Region[][] = [];
  for (const region of parts.values()) {
    size += sizeOf(shapeOf(node.shape, region));
    const regions = regionsBelow(nodes, node, region);
    if (regions === null) return null;
    below.push(regions);
  }
  return size <= worthwhile.share * sizeOf(node.shape) ? below : null;
}

/** The parts of the sources that a part of a node is made of, or null where it is not made of parts. */
function regionsBelow(nodes: readonly ProgramNode[], node: ProgramNode, region: Region): Region[] | null {
  if (pointwise.has(node.op)) return node.sources.map(() => region);
  const source = nodes[node.sources[0]!]?.shape ?? [];
  if (classOf[node.op] === 'reduce') return [belowReduction(source, (node as ProgramNode<'sum'>).attrs.axes, region)];
  if (isProgramOp(node, 'dot')) return belowDot(node.attrs, source, nodes[node.sources[1]!]!.shape, region);
  if (isProgramOp(node, 'expand')) return [region.map((cut, axis) => (source[axis] === 1 ? null : cut))];
  if (isProgramOp(node, 'permute')) return [source.map((_, axis) => region[node.attrs.axes.indexOf(axis)]!)];
  const one = isProgramOp(node, 'reshape')
    ? belowReshape(source, node.shape, region)
    : isProgramOp(node, 'slice')
      ? belowSlice(nodes, node, region)
      : null;
  return one && [one];
}

function belowReduction(source: Shape, axes: readonly number[], region: Region): Region {
  let kept = 0;
  return source.map((_, axis) => (axes.includes(axis) ? null : region[kept++]!));
}

/** The axes of a product are those of the batch, then the rows of the left operand, then the columns of the right. */
function belowDot(attrs: OpAttributes['dot'], lhs: Shape, rhs: Shape, region: Region): Region[] {
  const { lhsBatch, rhsBatch, lhsContract, rhsContract } = attrs;
  let free = lhsBatch.length;
  const side = (shape: Shape, batch: readonly number[], contract: readonly number[]): Region =>
    shape.map((_, axis) => {
      if (contract.includes(axis)) return null;
      return region[batch.includes(axis) ? batch.indexOf(axis) : free++]!;
    });
  return [side(lhs, lhsBatch, lhsContract), side(rhs, rhsBatch, rhsContract)];
}

/** Axes that both shapes have are cut alike; null if another is cut. */
function belowReshape(source: Shape, shape: Shape, region: Region): Region | null {
  const below: (Cut | null)[] = source.map(() => null);
  let [from, to] = [0, 0];
  let [before, above] = [1, 1];
  for (; to < shape.length; above *= shape[to++]!) {
    const cut = region[to]!;
    if (cut === null) continue;
    while (from < source.length && (before < above || source[from] === 1)) before *= source[from++]!;
    if (before !== above || source[from] !== shape[to]) return null;
    below[from] = cut;
  }
  return below;
}

/** A part of a slice is a part of its source unless it cuts an axis that the slice has cut. */
function belowSlice(nodes: readonly ProgramNode[], node: ProgramNode<'slice'>, region: Region): Region | null {
  const own = cutsOf(nodes, node);
  if (own === null || own.some((cut, axis) => cut !== null && region[axis] !== null)) return null;
  return own.map((cut, axis) => cut ?? region[axis]!);
}

/** What a slice takes of its source; null where a start is the result of computation, which may need the source. */
function cutsOf(nodes: readonly ProgramNode[], { attrs, args, sources }: ProgramNode<'slice'>): Region | null {
  const { starts, sizes, steps } = attrs;
  const from = nodes[sources[0]!]!.shape;
  if (!sources.slice(1).every((s) => isStored(nodes, s))) return null;
  let number = 0;
  return starts.map((start, axis) => {
    const [size, step] = [sizes[axis]!, steps[axis]!];
    const arg = typeof start === 'number' ? args[number++]! : -1;
    if (size === from[axis] && step === 1) return null;
    return { start: typeof start === 'number' ? start : { node: sources[start.source]! }, arg, size, step };
  });
}

function isStored(nodes: readonly ProgramNode[], index: number): boolean {
  const { op, sources } = nodes[index]!;
  return op === 'data' || (op === 'reshape' && isStored(nodes, sources[0]!));
}

/** Writes the program anew, with parts in place of the values that have some. */
class Emitter {
  private readonly nodes: ProgramNode[] = [];
  /** The new number of a node that is computed whole, or −1. */
  private readonly numbers: Int32Array;
  /** Those of a node's parts. */
  private readonly partNumbers: (Map<string, number> | null)[];

  constructor(
    private readonly program: Program,
    private readonly parts: readonly Parts[],
  ) {
    this.numbers = new Int32Array(program.nodes.length).fill(-1);
    this.partNumbers = parts.map((own) => own && new Map());
  }

  emit(): Program {
    const { nodes, outputs, scalars } = this.program;
    // First what is stored and starts of slices, which parts of nodes before them may need.
    nodes.forEach((node, i) => node.op === 'data' && this.emitWhole(i));
    nodes.forEach((_, i) => {
      const own = this.parts[i]!;
      if (own === null) this.emitWhole(i);
      else for (const [key, region] of own) this.partNumbers[i]!.set(key, this.emitPart(i, region));
    });
    return {
      nodes: this.nodes,
      outputs: outputs.map(({ node, into }) => ({
        node: this.numbers[node]!,
        into: into === null ? null : this.numbers[into]!,
      })),
      scalars,
    };
  }

  private emitWhole(index: number): number {
    if (this.numbers[index]! >= 0) return this.numbers[index]!;
    const node = this.program.nodes[index]!;
    const [first] = node.sources;
    if (isProgramOp(node, 'slice') && this.parts[first!] !== null)
      this.numbers[index] = this.partOf(first!, cutsOf(this.program.nodes, node)!);
    else this.numbers[index] = this.nodes.push({ ...node, sources: node.sources.map((s) => this.emitWhole(s)) }) - 1;
    return this.numbers[index]!;
  }

  /** The number of a part, which is cut from the whole where it is not computed by itself. */
  private partOf(index: number, region: Region): number {
    const own = this.partNumbers[index];
    if (own) return own.get(keyOf(region))!;
    return isWhole(region) ? this.emitWhole(index) : this.emitSlice(index, region);
  }

  private emitPart(index: number, region: Region): number {
    const node = this.program.nodes[index]!;
    const regions = regionsBelow(this.program.nodes, node, region)!;
    if (node.op === 'slice') return this.partOf(node.sources[0]!, regions[0]!);
    const sources = regions.map((below, at) => this.partOf(node.sources[at]!, below));
    const shape = shapeOf(node.shape, region);
    const attrs = node.op === 'reshape' || node.op === 'expand' ? { shape } : node.attrs;
    return this.nodes.push({ ...node, sources, attrs, shape }) - 1;
  }

  private emitSlice(index: number, region: Region): number {
    const { shape, dtype } = this.program.nodes[index]!;
    const sizes = shapeOf(shape, region);
    const sources = [this.emitWhole(index)];
    const args: number[] = [];
    const starts = region.map((cut): Start => {
      if (cut === null || typeof cut.start === 'number') {
        args.push(cut?.arg ?? -1);
        return (cut?.start as number | undefined) ?? 0;
      }
      return { source: sources.push(this.emitWhole(cut.start.node)) - 1 };
    });
    const attrs = { starts, sizes, steps: region.map((cut) => cut?.step ?? 1) };
    return this.nodes.push({ op: 'slice', sources, attrs, shape: sizes, dtype, args }) - 1;
  }
}
