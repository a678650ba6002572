/**
 * From a program to a schedule, pass by pass. Pure and deterministic: the same program and capabilities give the same
 * schedule, and nothing in it refers to the recorded graph, so that it can be cached by the program's structure.
 */
import type { Capabilities } from '../backend';
import { variable } from '../index/simplify';
import type { Schedule, Slot, Step } from '../kernel';
import { sizeOf, stridesOf } from '../shape';
import { mergesImages } from './contraction';
import { classOf, type Graph, isReduce } from './graph';
import type { Layout, Place } from './kernel-builder';
import { lowerKernel } from './lower';
import { materialise } from './materialise';
import { planArena } from './plan';
import { formOf } from './producers';
import type { Program } from './program';
import { rewrite } from './rewrite';
import { withoutUnused } from './share';

/** The steps that compute a program's outputs within a backend's limits. */
export function schedule(program: Program, _capabilities: Capabilities): Schedule {
  const graph = withoutUnused(materialise(withoutUnused(rewrite(program))));
  const { layout, copies, bound } = assign(graph);
  const steps: Step[] = [];
  graph.nodes.forEach((node, i) => {
    const place = layout.places[i];
    const kind = classOf[node.op];
    if (place == null || sizeOf(node.shape) === 0 || kind === 'data' || kind === 'concat') return;
    const isProducer = kind === 'producer';
    const space = isReduce(node) ? graph.nodes[node.sources[0]!]!.shape : node.shape;
    const reducedAxes: readonly number[] = isReduce(node) ? node.attrs.axes : [];
    const order = [...space.keys()].filter((a) => !reducedAxes.includes(a)).concat(reducedAxes);
    const coords = space.map((n, a) => variable(order.indexOf(a), n));
    const kernel = lowerKernel(
      {
        producer: isProducer ? i : -1,
        merged: node.op === 'convolution' && mergesImages(node),
        members: isProducer ? [] : [i],
        rows: isProducer ? [] : order.slice(0, order.length - reducedAxes.length).map((a) => space[a]!),
        reduced: isProducer ? [] : reducedAxes.map((a) => space[a]!),
        coordsOf: () => coords,
        placesOf: () => [place],
      },
      layout,
    );
    steps.push({ kind: 'kernel', kernel });
  });
  for (const [from, to] of copies) steps.push({ kind: 'copy', from, to });
  const { slots, arenaBytes } = planArena(layout.slots, steps);
  return { steps, slots, bound, arenaBytes, scalars: program.scalars };
}

function assign(graph: Graph): { layout: Layout; copies: [number, number][]; bound: number } {
  const slots: Slot[] = [];
  const places: (Place | null)[] = graph.nodes.map(() => null);
  const bind = (node: number): number => {
    const { shape, dtype } = graph.nodes[node]!;
    return slots.push({ kind: 'bound', index: slots.length, offset: 0, dtype, size: sizeOf(shape) }) - 1;
  };
  const dense = (node: number, slot: number): Place => ({ slot, offset: 0, strides: stridesOf(graph.nodes[node]!.shape) });
  graph.nodes.forEach((node, i) => {
    if (node.op === 'data') places[i] = dense(i, bind(i));
  });
  for (const { node, into } of graph.outputs) if (into === null) places[node] = dense(node, bind(node));
  const bound = slots.length;
  const pieces = new Set(graph.nodes.flatMap((node) => (node.op === 'concat' ? node.sources : [])));
  graph.nodes.forEach((node, i) => {
    const kind = classOf[node.op];
    if (pieces.has(i) || sizeOf(node.shape) === 0) return;
    if (places[i] !== null || kind === 'movement' || kind === 'index') return;
    const slot = slots.push({ kind: 'arena', index: -1, offset: 0, dtype: node.dtype, size: sizeOf(node.shape) }) - 1;
    places[i] = dense(i, slot);
    if (node.op === 'convolution' && mergesImages(node)) {
      const { order } = formOf(node, graph.nodes[node.sources[0]!]!.shape, graph.nodes[node.sources[1]!]!.shape, true);
      const strides = node.shape.map(() => 0);
      const sorted = stridesOf(order.map((a) => node.shape[a]!));
      order.forEach((a, j) => {
        strides[a] = sorted[j]!;
      });
      places[i] = { slot, offset: 0, strides };
    }
  });
  // Pieces of a concat lie in its storage.
  graph.nodes.forEach((node, i) => {
    if (node.op !== 'concat' || places[i] === null) return;
    const whole = places[i]!;
    let at = 0;
    for (const s of node.sources) {
      const step = whole.strides[node.attrs.axis]!;
      places[s] = { slot: whole.slot, offset: whole.offset + at * step, strides: whole.strides };
      at += graph.nodes[s]!.shape[node.attrs.axis]!;
    }
  });
  const copies: [number, number][] = [];
  for (const { node, into } of graph.outputs) if (into !== null && places[node] !== null) copies.push([places[node]!.slot, places[into]!.slot]);
  return { layout: { graph, places, slots }, copies, bound };
}
