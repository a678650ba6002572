/*
 * Neighbours at stride 2: two loads or stores whose lanes interleave, as those of a window of two do, become two whole
 * vectors and two shuffles.
 */
import { addressOf } from './access';
import { loadLanes, storeLanes } from './memory-lanes';
import type { PlannedOp } from './plan';
import type { OpTracks, Site } from './site';
import { partsOf, type Value } from './values';

/** For the first of two accesses, the second. */
export type Pairs = ReadonlyMap<PlannedOp, PlannedOp>;

const fourBytes: ReadonlySet<string> = new Set(['f32', 'i32', 'u32']);

/** Pairs of loads or of stores in a list of operations: even lanes first. */
export function pairsOf(ops: readonly PlannedOp[], kind: 'load' | 'store', tracksOf: (ref: number) => OpTracks): Pairs {
  const pairs = new Map<PlannedOp, PlannedOp>();
  const open = ops.filter((o) => {
    if (o.op.op !== kind || !o.lanes || !fourBytes.has(o.op.dtype)) return false;
    const { place, limits } = tracksOf(o.ref);
    return limits.length === 0 && place!.curved.length === 0 && place!.laneStep === 8;
  });
  const taken = new Set<PlannedOp>();
  for (const even of open) {
    if (taken.has(even)) continue;
    const own = tracksOf(even.ref);
    const odd = open.find((o) => {
      const other = tracksOf(o.ref);
      return (
        !taken.has(o) && other.place === own.place && other.offset === own.offset + 4 && o.op.dtype === even.op.dtype
      );
    });
    if (odd === undefined) continue;
    taken.add(even).add(odd);
    pairs.set(even, odd);
  }
  return pairs;
}

/** Loads a pair: even and odd elements. */
export function loadPair(site: Site, even: PlannedOp, { place, offset }: OpTracks): [Value, Value] {
  const { f } = site.frame;
  const { dtype } = even.op;
  const count = site.block.length * partsOf(dtype);
  const borrow = () => Array.from({ length: count }, () => f.borrow('v128'));
  const [evens, odds] = [borrow(), borrow()];
  f.scratch('v128', (low) => {
    f.scratch('v128', (high) => {
      for (let at = 0; at < count; at++) {
        const width = site.block[at]!;
        if (width < 4) {
          loadLanes(f, dtype, addressOf(site, place!, offset), 4 * at, width);
          f.set(evens[at]!);
          loadLanes(f, dtype, addressOf(site, place!, offset + 4), 4 * at, width);
          f.set(odds[at]!);
          continue;
        }
        f.get(site.tracker.at(place!))
          .mem('v128.load', offset + at * 32, 2)
          .set(low);
        f.get(site.tracker.at(place!))
          .mem('v128.load', offset + at * 32 + 16, 2)
          .set(high);
        f.get(low).get(high).shuffle32(0, 2, 4, 6).set(evens[at]!);
        f.get(low).get(high).shuffle32(1, 3, 5, 7).set(odds[at]!);
      }
    });
  });
  return [
    { dtype, uniform: false, regs: evens },
    { dtype, uniform: false, regs: odds },
  ];
}

/** Stores a pair. */
export function storePair(site: Site, { place, offset }: OpTracks, even: Value, odd: Value): void {
  const { f } = site.frame;
  const count = site.block.length;
  const [a, b] = [site.vectors.spread(even, count), site.vectors.spread(odd, count)];
  for (let at = 0; at < count; at++) {
    const lanes = { first: 4 * at, count: site.block[at]! };
    if (lanes.count < 4) {
      storeLanes(f, even.dtype, a[at]!, addressOf(site, place!, offset), lanes);
      storeLanes(f, even.dtype, b[at]!, addressOf(site, place!, offset + 4), lanes);
      continue;
    }
    f.get(site.tracker.at(place!))
      .get(a[at]!)
      .get(b[at]!)
      .shuffle32(0, 4, 1, 5)
      .mem('v128.store', offset + at * 32, 2);
    f.get(site.tracker.at(place!))
      .get(a[at]!)
      .get(b[at]!)
      .shuffle32(2, 6, 3, 7)
      .mem('v128.store', offset + at * 32 + 16, 2);
  }
}
