/*
 * Values that follow from the place: index expressions, and guards, which keep a value where limits hold.
 */
import type { Instruction } from '@dl/tensor';
import type { Local } from '../wasm/assembler';
import { bits32 } from '../wasm/vector';
import { emitCast } from './elementwise';
import type { PlannedOp } from './plan';
import { type LimitTrack, moves, type OpTracks, type Site } from './site';
import type { Track } from './tracks';
import { partsOf, splatOf, type Value, widenMask } from './values';

/** The values of a track in the lanes of the block, as i32. */
export function emitTrackLanes(site: Site, track: Track, uniform: boolean): Value {
  const { f, target } = site.frame;
  if (uniform) {
    const regs = site.vectors.width(1).fill(() => f.get(site.tracker.at(track)).op('i32x4.splat'));
    return { dtype: 'i32', uniform, regs };
  }
  const regs = site.vectors.width(site.block.length).fill((group) => {
    if (track.curved.length === 0) {
      f.get(site.tracker.at(track));
      if (group > 0) f.i32(4 * group * track.laneStep).op('i32.add');
      f.op('i32x4.splat');
      target.constants.vector(f, new Uint8Array(Int32Array.of(0, 1, 2, 3).map((i) => i * track.laneStep).buffer));
      f.op('i32x4.add');
      return;
    }
    f.v128(new Uint8Array(16));
    for (let lane = 0; lane < site.block[group]!; lane++) {
      site.tracker.pushAt(track, site.laneVariable, 4 * group + lane);
      f.lane('i32x4.replace_lane', lane);
    }
  });
  return { dtype: 'i32', uniform, regs };
}

/** The value of an index expression. */
export function emitIndex(site: Site, planned: PlannedOp, tracks: OpTracks): Value {
  const whole = emitTrackLanes(site, tracks.expr!, !planned.lanes);
  const value = emitCast(site.vectors, whole, planned.op.dtype);
  site.vectors.release(whole);
  return value;
}

/** A mask of the lanes where limits hold. */
function limitsMask(site: Site, limits: readonly LimitTrack[], uniform: boolean): Value {
  const { f } = site.frame;
  const width = uniform ? 1 : site.block.length;
  const v = site.vectors.width(width);
  let mask: Value | undefined;
  for (const { track, min, end } of limits) {
    const steady = !moves(track);
    const value = emitTrackLanes(site, track, steady);
    const own = site.vectors.width(value.regs.length);
    const holds = own.scope(() =>
      own.op('i32x4.lt_u', own.op('i32x4.sub', value.regs, bits32(min)), bits32(end - min)),
    );
    site.vectors.release(value);
    const next: Value = { dtype: 'bool', uniform: steady, regs: holds };
    if (!mask) {
      mask = next;
      continue;
    }
    const both = mask.uniform && next.uniform;
    const emitter = both ? own : v;
    const count = both ? 1 : width;
    const regs = emitter.op('v128.and', site.vectors.spread(mask, count), site.vectors.spread(next, count));
    f.release(...mask.regs, ...next.regs);
    mask = { dtype: 'bool', uniform: both, regs };
  }
  return mask!;
}

/** The argument where the limits hold, else the fill. */
export function emitGuard(site: Site, planned: PlannedOp, tracks: OpTracks, value: Value): Value {
  const { dtype, fill } = planned.op.source as Instruction & { op: 'guard' };
  if (tracks.limits.length === 0) return site.vectors.copy(value);
  const parts = partsOf(dtype);
  const mask = limitsMask(site, tracks.limits, !planned.lanes);
  const uniform = mask.uniform && value.uniform;
  const count = uniform ? 1 : site.block.length * parts;
  const wide = dtype === 'f64' ? widenMask(site.vectors, mask) : mask.regs;
  const masks = mask.uniform ? new Array<Local>(count).fill(wide[0]!) : wide;
  const regs = site.vectors.width(count).select(masks, site.vectors.spread(value, count), splatOf(dtype, fill));
  if (dtype === 'f64') site.frame.f.release(...wide);
  site.vectors.release(mask);
  return { dtype, uniform, regs };
}
