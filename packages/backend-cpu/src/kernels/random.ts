/*
 * Random bits: threefry2x32 with 20 rounds (Salmon et al. 2011) on four counters at a time. The counter is a whole
 * number below 2^53, so that its low word may carry into the high one between two lanes.
 */
import type { Instruction } from '@dl/tensor';
import { bits32, type Vec } from '../wasm/vector';
import { emitTrackLanes } from './place-values';
import type { PlannedOp } from './plan';
import type { OpTracks, Site } from './site';
import type { Value } from './values';

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const parity = 0x1bd11bda;

/** u32 random bits of the counter plus the index of each lane. */
export function emitRandom(site: Site, planned: PlannedOp, tracks: OpTracks): Value {
  const { f } = site.frame;
  const source = planned.op.source as Instruction & { op: 'random' };
  const place = emitTrackLanes(site, tracks.expr!, !planned.lanes);
  const v = site.vectors.width(place.regs.length);
  const one = site.vectors.width(1);
  const splatOf = (push: () => void): Vec =>
    new Array(place.regs.length).fill(
      one.fill(() => {
        push();
        f.op('i32x4.splat');
      })[0],
    );
  const key = (param: number) =>
    splatOf(() => {
      site.frame.pushNumber(param);
      f.op('i32.trunc_sat_f64_u');
    });
  const pushCounter = () => {
    site.frame.pushNumber(source.counter);
    return f.op('i64.trunc_sat_f64_u');
  };
  const key0 = key(source.key0);
  const key1 = key(source.key1);
  const low = splatOf(() => pushCounter().op('i32.wrap_i64'));
  const high = splatOf(() => pushCounter().i64(32).op('i64.shr_u').op('i32.wrap_i64'));
  const regs = v.scope(() => {
    const c0 = v.op('i32x4.add', low, place.regs);
    const carry = v.op('i32x4.lt_u', c0, low); // −1 where it carries
    return threefry(site, [c0, v.op('i32x4.sub', high, carry)], [key0, key1]);
  });
  f.release(...[key0, key1, low, high].map((vec) => vec[0]!), ...place.regs);
  return { dtype: 'u32', uniform: place.uniform, regs };
}

function threefry(site: Site, counter: readonly [Vec, Vec], key: readonly [Vec, Vec]): Vec {
  const { f } = site.frame;
  const v = site.vectors.width(counter[0].length);
  const third = v.op('v128.xor', v.op('v128.xor', key[0], key[1]), bits32(parity));
  const keys = [key[0], key[1], third] as const;
  const x0 = v.op('i32x4.add', counter[0], keys[0]);
  const x1 = v.op('i32x4.add', counter[1], keys[1]);
  const update = (to: Vec, from: Vec) => to.forEach((local, at) => f.get(from[at]!).set(local));
  for (let round = 0; round < 20; round++) {
    v.scope(() => {
      update(x0, v.op('i32x4.add', x0, x1));
      const by = rotations[round % 8]!;
      const turned = v.op('v128.or', v.shift('i32x4.shl', x1, by), v.shift('i32x4.shr_u', x1, 32 - by));
      update(x1, v.op('v128.xor', turned, x0));
      if (round % 4 === 3) {
        const injection = (round + 1) / 4;
        update(x0, v.op('i32x4.add', x0, keys[injection % 3]!));
        update(x1, v.op('i32x4.add', v.op('i32x4.add', x1, keys[(injection + 1) % 3]!), bits32(injection)));
      }
      return [];
    });
  }
  return x0;
}
