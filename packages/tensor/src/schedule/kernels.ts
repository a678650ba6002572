/**
 * From clusters to kernels: the order of loops, where a producer leaves its result for the instructions that follow, and
 * whether an update can write its leaf in place. Rows run in the order in which the largest store lies in memory.
 */
import type { Expr } from '../index/expression';
import { constant, linear, sameExpr, variable } from '../index/simplify';
import type { Access, Instruction, Kernel, Slot, Step } from '../kernel';
import { sizeOf } from '../shape';
import type { Cluster, Clustering } from './cluster-state';
import type { Coords } from './dims';
import { classOf, isReduce } from './graph';
import type { Layout, Place } from './kernel-builder';
import { type KernelPlan, lowerKernel } from './lower';
import type { Ordering } from './order';
import { isWhole, ownPlace, type Placing, placeThrough } from './places';
import type { Storing } from './store';

/** The steps of a schedule, with slots that have no offsets yet. */
export function lowerClusters(
  state: Clustering,
  storing: Storing,
  placing: Placing,
  ordering: Ordering,
): { steps: Step[]; slots: Slot[] } {
  const slots = [...placing.slots];
  const standIn = Int32Array.from({ length: slots.length + state.clusters.length }, (_, i) => i);
  const layout: Layout = { graph: state.graph, places: placing.places, slots, standIn };
  const members = membersOf(state, storing);
  const steps: Step[] = [];
  const last: Step[] = [];
  const updatesOf = new Map<number, { from: number; to: number; late: boolean; isRead: boolean }[]>();
  for (const { node, leaf } of placing.updates) {
    const isRead = storing.reads[state.clusterOf(node)]!.includes(leaf);
    const update = {
      isRead,
      from: placing.places[node]!.slot,
      to: placing.places[leaf]!.slot,
      late: ordering.late.has(node),
    };
    // A whole of several pieces has no kernel of its own.
    if (state.graph.nodes[node]!.op === 'concat') {
      last.push({ kind: 'copy', from: update.from, to: update.to });
      continue;
    }
    const c = state.clusterOf(node);
    updatesOf.set(c, [...(updatesOf.get(c) ?? []), update]);
  }
  for (const c of ordering.sequence) {
    const plan = planKernel(state, storing, layout, slots, c, members[c]!);
    const updates = updatesOf.get(c) ?? [];
    for (const u of updates) if (!u.late) standIn[u.from] = u.to;
    let kernel = lowerKernel(plan, layout);
    const faulty = updates.filter((u) => !u.late && u.isRead && !canOverwrite(kernel, u.to));
    if (faulty.length > 0) {
      for (const u of faulty) standIn[u.from] = u.from;
      kernel = lowerKernel(plan, layout);
    }
    // What is where it belongs already needs no kernel.
    if (kernel.producer !== null || kernel.body.length > 0) steps.push({ kind: 'kernel', kernel });
    for (const { from, to } of faulty) steps.push({ kind: 'copy', from, to });
    for (const { from, to, late } of updates) if (late) last.push({ kind: 'copy', from, to });
  }
  return withUsedSlots([...steps, ...last], slots);
}

/** Drops arena slots that no step touches: those of updates that write their leaf in place. */
function withUsedSlots(steps: readonly Step[], slots: readonly Slot[]): { steps: Step[]; slots: Slot[] } {
  const used = Uint8Array.from(slots, (s) => (s.kind === 'bound' ? 1 : 0));
  for (const step of steps) {
    if (step.kind === 'copy') used[step.from] = used[step.to] = 1;
    else for (const b of step.kernel.bindings) used[b.slot] = 1;
  }
  const numbers = new Int32Array(slots.length);
  const kept = slots.filter((_, i) => {
    numbers[i] = i === 0 ? 0 : numbers[i - 1]! + used[i - 1]!;
    return used[i] === 1;
  });
  const renumbered = steps.map((step): Step => {
    if (step.kind === 'copy') return { ...step, from: numbers[step.from]!, to: numbers[step.to]! };
    const bindings = step.kernel.bindings.map((b) => ({ ...b, slot: numbers[b.slot]! }));
    return { kind: 'kernel', kernel: { ...step.kernel, bindings } };
  });
  return { steps: renumbered, slots: kept };
}

/** The nodes that each cluster computes after its producer, in topological order. */
function membersOf(state: Clustering, { live }: Storing): number[][] {
  const members: number[][] = state.clusters.map(() => []);
  state.graph.nodes.forEach((node, i) => {
    const kind = classOf[node.op];
    if (live[i] === 1 && (kind === 'elementwise' || kind === 'reduce')) members[state.clusterOf(i)]!.push(i);
  });
  return members;
}

function planKernel(
  state: Clustering,
  storing: Storing,
  layout: Layout,
  slots: Slot[],
  c: number,
  members: readonly number[],
): KernelPlan {
  const { dims } = state;
  const made = state.clusters[c]!;
  const producer = made.producer >= 0 && storing.live[made.producer] === 1 ? made.producer : -1;
  if (producer >= 0 && layout.places[producer] === null) placeResult(state, storing, layout, slots, c, members);
  const used = usedDims(state, made, members);
  const reduced = orderReduced(
    state,
    layout,
    made,
    members,
    used.filter((d) => dims.resolve(made.reduced).includes(d)),
  );
  const free = used.filter((d) => !reduced.includes(d));
  const lead = producer >= 0 ? dims.resolve(made.lead) : [];
  const rows =
    producer >= 0
      ? [...lead.filter((d) => free.includes(d)), ...free.filter((d) => !lead.includes(d))]
      : sortByStore(state, layout, members, free);
  let leading = 0;
  while (leading < rows.length && rows[leading] === lead[leading]) leading++;
  const index = new Map<number, number>([...rows, ...reduced].map((d, i) => [d, i]));
  const exprOf = (list: readonly number[]): Expr => {
    const all = dims.resolve(list);
    if (all.length === 1) return variable(index.get(all[0]!)!, dims.size(all[0]!));
    if (all.length === 0) return constant(0);
    let step = 1;
    const factors = all.map(() => 1);
    for (let i = all.length - 1; i >= 0; i--) {
      factors[i] = step;
      step *= dims.size(all[i]!);
    }
    return linear(
      all.map((d) => variable(index.get(d)!, dims.size(d))),
      factors,
    );
  };
  /** Members of one level mostly share their coordinates. */
  const known = new Map<Coords, readonly Expr[]>();
  return {
    producer,
    members,
    rows: rows.map((d) => dims.size(d)),
    reduced: reduced.map((d) => dims.size(d)),
    leading,
    coordsOf: (m) => {
      const coords = state.sourceCoords[m] ?? state.coords[m]!;
      let exprs = known.get(coords);
      if (exprs === undefined) known.set(coords, (exprs = coords.map(exprOf)));
      return exprs;
    },
    placeOf: (m) => (storing.stored[m] === 1 ? layout.places[m]! : null),
  };
}

/** The dimensions that the present members iterate over. */
function usedDims(state: Clustering, made: Cluster, members: readonly number[]): number[] {
  const used = new Set<number>();
  const seen = new Set<Coords>();
  for (const m of members) {
    const coords = state.sourceCoords[m] ?? state.coords[m]!;
    if (seen.has(coords)) continue;
    seen.add(coords);
    for (const list of coords) for (const d of state.dims.resolve(list)) used.add(d);
  }
  return state.dims.resolve(made.dims).filter((d) => used.has(d));
}

/** What each dimension moves in a place. */
function stridesOfDims(state: Clustering, coords: Coords, place: Place): Map<number, number> {
  const strides = new Map<number, number>();
  coords.forEach((list, axis) => {
    let step = place.strides[axis]!;
    const all = state.dims.resolve(list);
    for (let i = all.length - 1; i >= 0; i--) {
      strides.set(all[i]!, step);
      step *= state.dims.size(all[i]!);
    }
  });
  return strides;
}

function byStride(list: readonly number[], strides: ReadonlyMap<number, number>): number[] {
  return [...list].sort((a, b) => (strides.get(b) ?? -1) - (strides.get(a) ?? -1));
}

/** Rows in the order in which the largest stored member lies in memory. */
function sortByStore(state: Clustering, layout: Layout, members: readonly number[], rows: readonly number[]): number[] {
  let best = -1;
  let bestCount = -1;
  for (const m of members) {
    const place = layout.places[m];
    if (place == null) continue;
    const count = state.coords[m]!.reduce((n, list) => n + state.dims.resolve(list).length, 0);
    if (count > bestCount) [best, bestCount] = [m, count];
  }
  if (best < 0) return [...rows];
  return byStride(rows, stridesOfDims(state, state.coords[best]!, layout.places[best]!));
}

/** Reduced dimensions: as an argmax counts them, else as the elements stored or read lie in memory. */
function orderReduced(
  state: Clustering,
  layout: Layout,
  made: Cluster,
  members: readonly number[],
  reduced: readonly number[],
): number[] {
  if (made.positions !== null) return [...state.dims.resolve(made.positions)].filter((d) => reduced.includes(d));
  if (reduced.length < 2) return [...reduced];
  const covers = (strides: ReadonlyMap<number, number>): boolean => reduced.every((d) => strides.has(d));
  for (const m of members) {
    const place = layout.places[m];
    if (place == null) continue;
    const strides = stridesOfDims(state, state.coords[m]!, place);
    if (covers(strides)) return byStride(reduced, strides);
  }
  for (const { base, coords } of made.inputs) {
    const place = layout.places[base];
    if (coords === null || place == null) continue;
    const strides = stridesOfDims(state, coords, place);
    if (covers(strides)) return byStride(reduced, strides);
  }
  return [...reduced];
}

/**
 * Where a producer leaves a result that is not stored for itself: in the storage of a member that is written over it element
 * by element, or else in a slot of its own.
 */
function placeResult(
  state: Clustering,
  storing: Storing,
  layout: Layout,
  slots: Slot[],
  c: number,
  members: readonly number[],
): void {
  const { producer } = state.clusters[c]!;
  const node = state.graph.nodes[producer]!;
  const places = layout.places as (Place | null)[];
  const read = new Set(storing.reads[c]!.map((base) => places[base]?.slot));
  const phases = phasesOf(state, members);
  // What is read at other elements must not be overwritten.
  for (const m of state.clusters[c]!.mixes ? [] : members) {
    const place = places[m];
    if (place == null || storing.stored[m] === 0 || state.graph.nodes[m]!.dtype !== node.dtype) continue;
    if (phases.of.get(m)! < phases.last || isReduce(state.graph.nodes[m]!)) continue;
    const target = state.graph.outputs.find((o) => o.node === m && o.into !== null);
    if (read.has(place.slot) || target !== undefined) continue;
    const found = placeThrough(state, state.coords[producer]!, m, place);
    if (found === null || !isWhole(state, node, found)) continue;
    places[producer] = found;
    return;
  }
  const slot = slots.push({ kind: 'arena', index: -1, offset: 0, dtype: node.dtype, size: sizeOf(node.shape) }) - 1;
  places[producer] = ownPlace(state, node, slot);
}

/** After how many reductions in a row each member is known, and in which of the loops over elements the last one runs. */
function phasesOf(state: Clustering, members: readonly number[]): { of: ReadonlyMap<number, number>; last: number } {
  const of = new Map<number, number>();
  let last = 0;
  for (const m of members) {
    const node = state.graph.nodes[m]!;
    let phase = 0;
    for (const s of node.sources) phase = Math.max(phase, of.get(state.base(s)) ?? 0);
    if (state.coords[m]!.some((list) => list.length > 0)) last = Math.max(last, phase);
    of.set(m, isReduce(node) ? phase + 1 : phase);
  }
  return { of, last };
}

/** Whether a kernel that overwrites a slot reads its old value only where and before it writes. */
function canOverwrite(kernel: Kernel, slot: number): boolean {
  const binding = kernel.bindings.findIndex((b) => b.slot === slot);
  if (binding < 0 || kernel.bindings[binding]!.mode !== 'readwrite') return true;
  const { producer, body, params } = kernel;
  const touches = (a: Access | null): boolean => a?.binding === binding;
  if (params.some((p) => p.kind === 'element' && p.binding === binding)) return false;
  if (producer !== null && (producer.out === binding || operandsOf(producer).some(touches))) return false;
  const store = body.findLastIndex((i) => i.op === 'store' && touches(i.access));
  const { index } = (body[store] as Extract<Instruction, { op: 'store' }>).access;
  const phases = phasesOfBody(body);
  return body.every((i, at) => {
    if (!('access' in i) || !touches(i.access) || at === store) return true;
    if (i.op !== 'load' || i.access.bounds.length > 0 || !sameExpr(i.access.index, index)) return false;
    return kernel.reduced.length === 0 || phases.of[store] === phases.last;
  });
}

function operandsOf(producer: NonNullable<Kernel['producer']>): (Access | null)[] {
  switch (producer.kind) {
    case 'contraction':
      return [producer.lhs, producer.rhs];
    case 'scatter':
      return [producer.base, producer.index, producer.updates];
    case 'scan':
      return [producer.a, producer.b];
    case 'sort':
      return [producer.input];
  }
}

/** As `phasesOf`, of instructions. */
function phasesOfBody(body: readonly Instruction[]): { of: readonly number[]; last: number } {
  const of: number[] = [];
  let last = 0;
  for (const i of body) {
    let phase = 0;
    if ('args' in i) for (const a of i.args) phase = Math.max(phase, of[a]!);
    last = Math.max(last, phase);
    const reduces =
      i.op === 'sum' || i.op === 'prod' || i.op === 'max_reduce' || i.op === 'min_reduce' || i.op === 'argmax';
    of.push(reduces ? phase + 1 : phase);
  }
  return { of, last };
}
