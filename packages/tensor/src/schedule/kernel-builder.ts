/**
 * Collects one kernel while its parts are lowered: bindings, parameters and instructions, each once. It decides how a value
 * is read at given indices: from storage through any chain of views, as a number, as a position, or, for a node that was
 * computed in this kernel, as the instruction that holds it.
 */
import type { DType } from '../dtype';
import type { Bound, Expr } from '../index/expression';
import { constant, decideBound, linear, parameter, sameBounds, sameExpr } from '../index/simplify';
import type { Access, Binding, Instruction, Param, Ref, Slot } from '../kernel';
import { stridesOf } from '../shape';
import { type Graph, type GraphNode, isMovement } from './graph';
import { type StartParams, throughView } from './views';

/** Where a node's value is stored: element at `coords` is `offset + Σ coords[i] · strides[i]` of the slot. */
export interface Place {
  readonly slot: number;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** What lowering a kernel needs to know of the whole schedule. */
export interface Layout {
  readonly graph: Graph;
  /** For each node its place, or null where it has no storage. */
  readonly places: readonly (Place | null)[];
  readonly slots: readonly Slot[];
  /** For each slot the one that is used in its stead: itself, or the leaf that an update overwrites in place. */
  readonly standIn: Int32Array;
}

interface Guard {
  readonly bounds: readonly Bound[];
  readonly fill: number;
}

/** A node at the end of a chain of views, at the indices where the chain arrives. */
interface Arrival {
  readonly node: number;
  readonly coords: readonly Expr[];
  /** Outermost first. */
  readonly guards: readonly Guard[];
}

interface Loaded {
  readonly index: Expr;
  readonly bounds: readonly Bound[];
  readonly fill: number;
  readonly ref: Ref;
}

export class KernelBuilder implements StartParams {
  readonly bindings: Binding[] = [];
  readonly params: Param[] = [];
  readonly body: Instruction[] = [];
  /** What the user called, of each index that is checked. */
  readonly checked = new Set<string>();
  private readonly bindingOf = new Map<number, number>();
  private readonly loads = new Map<number, Loaded[]>();
  /** Instructions of the nodes that this kernel computes, with the indices at which it does. */
  private readonly computed = new Map<number, { readonly ref: Ref; readonly coords: readonly Expr[] }>();

  constructor(readonly layout: Layout) {}

  binding(slot: number, mode: 'read' | 'write'): number {
    slot = this.layout.standIn[slot]!;
    const known = this.bindingOf.get(slot);
    if (known === undefined) {
      this.bindingOf.set(slot, this.bindings.length);
      return this.bindings.push({ slot, mode, dtype: this.layout.slots[slot]!.dtype }) - 1;
    }
    const binding = this.bindings[known]!;
    if (binding.mode !== mode) this.bindings[known] = { ...binding, mode: 'readwrite' };
    return known;
  }

  param(wanted: Param): number {
    const known = this.params.findIndex((p) => sameParam(p, wanted));
    return known >= 0 ? known : this.params.push(wanted) - 1;
  }

  scalar(index: number, min: number, max: number): Expr {
    return parameter(this.param({ kind: 'scalar', index }), min, max);
  }

  element(node: number, min: number, max: number): Expr {
    const { access } = this.read(node, []);
    if (access.index.kind !== 'const' || access.bounds.length > 0)
      throw new Error('internal: a run-time start is not at a fixed place.');
    return parameter(
      this.param({ kind: 'element', binding: access.binding, offset: access.index.value, min, max }),
      min,
      max,
    );
  }

  push(instruction: Instruction): Ref {
    return this.body.push(instruction) - 1;
  }

  /** Says that `ref` is the value of `node` at `coords`. */
  define(node: number, coords: readonly Expr[], ref: Ref): void {
    this.computed.set(node, { ref, coords });
  }

  /** Follows views until a node that is none. */
  arrive(node: number, coords: readonly Expr[]): Arrival {
    const { nodes } = this.layout.graph;
    const guards: Guard[] = [];
    while (isMovement(nodes[node]!)) {
      const view = nodes[node]!;
      const source = view.sources[0]!;
      const step = throughView(view, nodes[source]!.shape, coords, this);
      if (step.bounds.length > 0) guards.push({ bounds: step.bounds, fill: step.fill });
      coords = step.coords;
      node = source;
    }
    return { node, coords, guards };
  }

  /** A stored node's element through views, for producers: outside the bounds it counts as `fill`. */
  read(node: number, coords: readonly Expr[]): { readonly access: Access; readonly fill: number } {
    const at = this.arrive(node, coords);
    const place = this.layout.places[at.node];
    if (!place)
      throw new Error(`internal: ${this.layout.graph.nodes[at.node]!.op} is read from storage but not stored.`);
    const bounds = at.guards.flatMap((g) => g.bounds);
    return {
      access: { binding: this.binding(place.slot, 'read'), index: placeIndex(place, at.coords), bounds },
      fill: at.guards[0]?.fill ?? 0,
    };
  }

  /** The value of a node at `coords`, under bounds outside which it does not matter. */
  value(node: number, coords: readonly Expr[], ambient: readonly Bound[] = []): Ref {
    const own = this.computed.get(node);
    if (own !== undefined && own.coords === coords) return own.ref;
    const at = this.arrive(node, coords);
    const { guards } = at;
    const { dtype } = this.layout.graph.nodes[node]!;
    const never = guards.findIndex((g) => g.bounds.some((b) => decideBound(b) === false));
    const bounds = guards.length === 0 ? ambient : [...ambient, ...guards.flatMap((g) => g.bounds)];
    const inner = guards.at(-1)?.fill ?? 0;
    let ref: Ref;
    let done = guards.length;
    if (never >= 0) {
      ref = this.constant(dtype, guards[never]!.fill);
      done = never;
    } else if (this.computed.has(at.node)) {
      ref = this.result(at.node, at.coords);
    } else if (this.layout.places[at.node] != null) {
      ref = this.load(at.node, at.coords, bounds, inner);
      if (done > 0) done--;
      // Guards that show the same number as the load does are held by it.
      while (done > 0 && guards[done - 1]!.fill === inner) done--;
    } else {
      ref = this.compute(at.node, at.coords, bounds);
    }
    for (let i = done - 1; i >= 0; i--) {
      const { bounds: own, fill } = guards[i]!;
      ref = this.push({ op: 'guard', dtype, args: [ref], bounds: own, fill });
    }
    return ref;
  }

  constant(dtype: DType, value: number): Ref {
    const known = this.body.findIndex((i) => i.op === 'constant' && i.dtype === dtype && Object.is(i.value, value));
    return known >= 0 ? known : this.push({ op: 'constant', dtype, value });
  }

  /** A number of the attributes: an argument of the run or a part of the structure. */
  number(dtype: DType, value: number, arg: number): Ref {
    if (arg < 0) return this.constant(dtype, value);
    const param = this.param({ kind: 'scalar', index: arg });
    const known = this.body.findIndex((i) => i.op === 'scalar' && i.dtype === dtype && i.param === param);
    return known >= 0 ? known : this.push({ op: 'scalar', dtype, param });
  }

  /** The value of a node that is not stored, from its sources' values at `coords`. */
  compute(index: number, coords: readonly Expr[], bounds: readonly Bound[] = []): Ref {
    const node = this.layout.graph.nodes[index]!;
    const { dtype } = node;
    switch (node.op) {
      case 'constant':
        return this.number(dtype, node.attrs.value, node.args[0]!);
      case 'iota':
        return this.push({ op: 'index', dtype, expr: coords[node.attrs.axis] ?? constant(0) });
      case 'random':
        return this.random(node, coords);
      case 'copy':
        return this.value(node.sources[0]!, coords, bounds);
      case 'check':
        this.checked.add(node.attrs.operation);
        return this.push({
          op: 'check',
          dtype: 'i32',
          limit: node.attrs.limit,
          args: [this.value(node.sources[0]!, coords, bounds)],
        });
      case 'gather':
        return this.gather(node, coords, bounds);
      default:
        return this.elementwise(node, coords, bounds);
    }
  }

  private elementwise(node: GraphNode, coords: readonly Expr[], bounds: readonly Bound[]): Ref {
    const { nodes } = this.layout.graph;
    if (!('operands' in node.attrs)) {
      const args = node.sources.map((s) => this.value(s, coords, bounds));
      return this.push({ op: node.op, dtype: node.dtype, args } as unknown as Instruction);
    }
    const operand = node.op === 'where' ? node.dtype : nodes[node.sources[0]!]!.dtype;
    let source = 0;
    let number = 0;
    const args = node.attrs.operands.map((value) =>
      value === null
        ? this.value(node.sources[source++]!, coords, bounds)
        : this.number(operand, value, node.args[number++]!),
    );
    return this.push({ op: node.op, dtype: node.dtype, args } as unknown as Instruction);
  }

  private random(node: GraphNode<'random'>, coords: readonly Expr[]): Ref {
    const { key, counter } = node.attrs;
    const [key0, key1, first] = [...key, counter].map((value, i) => {
      const arg = node.args[i]!;
      return this.param(arg < 0 ? { kind: 'constant', value } : { kind: 'scalar', index: arg });
    });
    const index = linear(coords, stridesOf(node.shape));
    return this.push({ op: 'random', dtype: 'u32', key0: key0!, key1: key1!, counter: first!, index });
  }

  private gather(node: GraphNode<'gather'>, coords: readonly Expr[], bounds: readonly Bound[]): Ref {
    const { nodes } = this.layout.graph;
    const { axis, operation = 'gather' } = node.attrs;
    this.checked.add(operation);
    const source = nodes[node.sources[0]!]!;
    const at = this.value(node.sources[1]!, coords, bounds);
    const stride = this.strideAlong(node.sources[0]!, axis);
    const { access } = this.read(node.sources[0]!, coords.with(axis, constant(0)));
    if (stride === null || access.bounds.length > 0)
      throw new Error('internal: the source of a gather is not stored evenly.');
    const guarded = { ...access, bounds };
    return this.push({
      op: 'gather',
      dtype: node.dtype,
      access: guarded,
      stride,
      limit: source.shape[axis]!,
      args: [at],
      fill: 0,
    });
  }

  private strideAlong(node: number, axis: number): number | null {
    return strideAlong(this, node, axis);
  }

  private result(node: number, coords: readonly Expr[]): Ref {
    const known = this.computed.get(node)!;
    if (!coords.every((c, i) => sameExpr(c, known.coords[i]!))) {
      throw new Error(
        `internal: ${this.layout.graph.nodes[node]!.op} is used at other indices than those at which its kernel computes it.`,
      );
    }
    return known.ref;
  }

  private load(node: number, coords: readonly Expr[], bounds: readonly Bound[], fill: number): Ref {
    const place = this.layout.places[node]!;
    const index = placeIndex(place, coords);
    let list = this.loads.get(node);
    if (list === undefined) this.loads.set(node, (list = []));
    const known = list.find((l) => Object.is(l.fill, fill) && sameExpr(l.index, index) && sameBounds(l.bounds, bounds));
    if (known !== undefined) return known.ref;
    const { dtype } = this.layout.graph.nodes[node]!;
    const ref = this.push({
      op: 'load',
      dtype,
      access: { binding: this.binding(place.slot, 'read'), index, bounds },
      fill,
    });
    list.push({ index, bounds, fill, ref });
    return ref;
  }

  /** Writes the value of `ref` to a node's place, unless it is there already. */
  store(ref: Ref, dtype: DType, place: Place, coords: readonly Expr[]): void {
    const index = placeIndex(place, coords);
    const slot = this.layout.standIn[place.slot]!;
    const value = this.body[ref]!;
    if (
      value.op === 'load' &&
      this.bindings[value.access.binding]!.slot === slot &&
      value.access.bounds.length === 0 &&
      sameExpr(value.access.index, index)
    )
      return;
    const binding = this.binding(slot, 'write');
    const known = this.body.some(
      (i) => i.op === 'store' && i.access.binding === binding && sameExpr(i.access.index, index),
    );
    if (!known) this.push({ op: 'store', dtype, access: { binding, index, bounds: [] }, args: [ref] });
  }
}

/** The flat element of `coords` in a place. */
export const placeIndex = (place: Place, coords: readonly Expr[]): Expr => linear(coords, place.strides, place.offset);

/** What an index, in elements, of a stored node's view changes by one step along an axis; null if unevenly. */
function strideAlong(builder: KernelBuilder, node: number, axis: number): number | null {
  const { shape } = builder.layout.graph.nodes[node]!;
  // A variable that no kernel has, alone at an otherwise fixed place, so that its factor is the stride.
  const coords: Expr[] = shape.map((n, i) => (i === axis ? { kind: 'var', index: -1, size: n } : constant(0)));
  if (shape[axis] === 1) return 0;
  const { access } = builder.read(node, coords);
  const { index } = access;
  const terms = index.kind === 'add' ? index.terms : [index];
  let stride = 0;
  for (const t of terms) {
    if (t.kind === 'var') stride = 1;
    else if (t.kind === 'mul' && t.term.kind === 'var') stride = t.factor;
    else if (t.kind !== 'const' && t.kind !== 'param' && !(t.kind === 'mul' && t.term.kind === 'param')) return null;
  }
  return access.bounds.length > 0 ? null : stride;
}

function sameParam(a: Param, b: Param): boolean {
  if (a.kind === 'constant') return b.kind === 'constant' && Object.is(a.value, b.value);
  if (a.kind === 'scalar') return b.kind === 'scalar' && a.index === b.index;
  return b.kind === 'element' && a.binding === b.binding && a.offset === b.offset && a.min === b.min && a.max === b.max;
}
