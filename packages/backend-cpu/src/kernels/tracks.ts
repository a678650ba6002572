/*
 * Running index values. A track is a sum that code needs in an inner loop: the byte address of an access, or the term of
 * a limit. Each loop that changes it keeps its own local, set on entry and moved by a constant each round, so that no
 * address is multiplied out in an inner loop. Parts that divide the lane variable are evaluated lane by lane on top.
 */
import type { Local } from '../wasm/assembler';
import { atomMask, factorOf, type Linear, linear, scaled, type Term } from './linear';
import { depthOf, type Kept, type Loop } from './plan';
import type { Frame } from './target';

export type TrackBase =
  | { readonly kind: 'none' }
  | { readonly kind: 'binding'; readonly binding: number }
  | { readonly kind: 'scratch'; readonly offset: number };

export interface Track {
  readonly base: TrackBase;
  /** In bytes for an address. Without the terms in `curved`. */
  readonly steady: Linear;
  /** Terms that divide the lane variable. */
  readonly curved: readonly Term[];
  /** Change from one lane to the next, without curved terms. */
  readonly laneStep: number;
}

/** The tracks of one function, each kept once. */
export class TrackTable {
  readonly #known = new Map<string, Track>();

  constructor(private readonly laneVariable: number) {}

  get all(): Iterable<Track> {
    return new Set(this.#known.values());
  }

  of(base: TrackBase, sum: Linear, scale = 1): Track {
    const key = `${JSON.stringify(base)}${scale}${JSON.stringify(sum)}`;
    const known = this.#known.get(key);
    if (known) return known;
    const bytes = scaled(sum, scale);
    const lane = this.laneVariable;
    const isCurved = (t: Term): boolean => lane >= 0 && t.atom.kind !== 'var' && (atomMask(t.atom) & (1 << lane)) !== 0;
    const track: Track = {
      base,
      steady: linear(
        bytes.constant,
        bytes.terms.filter((t) => !isCurved(t)),
      ),
      curved: bytes.terms.filter(isCurved),
      laneStep: lane < 0 ? 0 : factorOf(bytes, lane),
    };
    this.#known.set(key, track);
    return track;
  }

  /** The address of an element: a track, and bytes from there where another access has the same track at an offset. */
  address(base: TrackBase, sum: Linear, scale: number): { track: Track; offset: number } {
    const key = `address ${JSON.stringify(base)}${scale}${JSON.stringify(sum.terms)}`;
    const known = this.#known.get(key);
    if (known) return { track: known, offset: sum.constant * scale - known.steady.constant };
    const track = this.of(base, sum, scale);
    if (track.curved.length === 0) this.#known.set(key, track);
    return { track, offset: 0 };
  }

  /** Where a kept value lies: `factor` bytes for each element of the reduced axes. */
  kept(kept: Kept, loops: readonly Loop[], factor: number): Track {
    const terms: Term[] = [];
    let step = factor;
    for (const loop of loops.filter((l) => l.reduced).reverse()) {
      terms.push({ atom: { kind: 'var', index: loop.variable, size: loop.size }, factor: step });
      step *= loop.size;
    }
    return this.of({ kind: 'scratch', offset: kept.offset }, linear(0, terms));
  }
}

/** The locals that hold the tracks while code is written. */
export class Tracker {
  readonly #current = new Map<Track, Local>();

  constructor(
    private readonly frame: Frame,
    private readonly loops: readonly Loop[],
  ) {}

  /** The local with the value of a track at the first lane of the block. */
  at(track: Track): Local {
    return this.#current.get(track)!;
  }

  /** Sets every track to what is known before any loop. */
  start(tracks: Iterable<Track>): void {
    const { f } = this.frame;
    for (const track of tracks) {
      const local = f.local('i32');
      const known = track.steady.terms.filter((t) => depthOf(atomMask(t.atom), this.loops) === 0);
      this.frame.pushSum(linear(track.steady.constant, known));
      if (track.base.kind === 'binding') {
        this.frame.pushBinding(track.base.binding);
        f.op('i32.add');
      } else if (track.base.kind === 'scratch') {
        f.get(this.frame.scratch).i32(track.base.offset).op('i32.add').op('i32.add');
      }
      f.set(local);
      this.#current.set(track, local);
    }
  }

  /**
   * Runs `body`, which writes loop `d`, with a local for every track that the loop moves.
   *
   * @param from - first value of the loop variable
   * @param body - calls `move(rounds)` at the end of its rounds
   */
  loop(d: number, tracks: Iterable<Track>, from: Local | number, body: (move: (by: number) => void) => void): void {
    const { f } = this.frame;
    const { variable } = this.loops[d]!;
    const moved: { track: Track; before: Local; local: Local; factor: number }[] = [];
    for (const track of tracks) {
      const factor = factorOf(track.steady, variable);
      if (factor === 0) continue;
      const before = this.at(track);
      const local = f.borrow('i32');
      f.get(before);
      if (typeof from !== 'number') f.get(from).i32(factor).op('i32.mul').op('i32.add');
      else if (from !== 0) f.i32(from * factor).op('i32.add');
      f.set(local);
      this.#current.set(track, local);
      moved.push({ track, before, local, factor });
    }
    body((by) => {
      for (const { local, factor } of moved) f.increment(local, factor * by);
    });
    for (const { track, before, local } of moved) {
      this.#current.set(track, before);
      f.release(local);
    }
  }

  /** Runs `body`, inside loop `d`, with the terms added that are known there but do not move evenly. */
  inside(d: number, tracks: Iterable<Track>, body: () => void): void {
    const { f } = this.frame;
    const added: { track: Track; before: Local; local: Local }[] = [];
    for (const track of tracks) {
      const terms = track.steady.terms.filter(
        (t) => t.atom.kind !== 'var' && depthOf(atomMask(t.atom), this.loops) === d + 1,
      );
      if (terms.length === 0) continue;
      const before = this.at(track);
      const local = f.borrow('i32');
      this.frame.pushSum(linear(0, terms));
      f.get(before).op('i32.add').set(local);
      this.#current.set(track, local);
      added.push({ track, before, local });
    }
    body();
    for (const { track, before, local } of added) {
      this.#current.set(track, before);
      f.release(local);
    }
  }

  /** Pushes the value of a track at a lane of the block; a step that is the same for all lanes may be left to an offset. */
  pushAt(track: Track, laneVariable: number, lane: number, withStep = true): void {
    const { f } = this.frame;
    f.get(this.at(track));
    const step = withStep ? track.laneStep * lane : 0;
    if (step !== 0) f.i32(step).op('i32.add');
    if (track.curved.length > 0) {
      this.frame.pushSum(linear(0, track.curved), laneVariable, lane);
      f.op('i32.add');
    }
  }
}
