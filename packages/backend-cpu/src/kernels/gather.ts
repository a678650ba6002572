/*
 * Reads by an index that is data, and the check of such an index.
 */
import type { DType, Instruction } from '@dl/tensor';
import type { Local } from '../wasm/assembler';
import { blockRegs, eachRegister, fillRegs, setLane } from './access';
import { withinLimits } from './limits';
import { type LaneAddress, loadLanes, loadSplat, registerLanes } from './memory-lanes';
import type { PlannedOp } from './plan';
import type { OpTracks, Site } from './site';
import { widths } from './target';
import type { Track } from './tracks';
import { partsOf, type Value } from './values';

/** The element at place + index · stride, for each lane; an index out of range is a fault. */
export function emitGather(site: Site, planned: PlannedOp, tracks: OpTracks, index: Value): Value {
  const { f } = site.frame;
  const source = planned.op.source as Instruction & { op: 'gather' };
  const { dtype, fill, limit } = source;
  const step = source.stride * widths[dtype];
  const track = tracks.place!;
  const place = f.borrow('i32');
  const pushAddress = (lane: number) => {
    site.tracker.pushAt(track, site.laneVariable, lane);
    f.get(place).i32(step).op('i32.mul').op('i32.add');
  };
  const checked = (lane: number, group: number, load: () => void): void => {
    f.get(index.regs[index.uniform ? 0 : group]!).lane('i32x4.extract_lane', lane);
    f.tee(place).i32(limit).op('i32.lt_u');
    f.if(load, () => site.frame.fault(place, limit));
  };
  let regs: Local[];
  if (!planned.lanes) {
    regs = [f.borrow('v128')];
    const all = () => {
      fillRegs(site, dtype, regs, 0);
      checked(0, 0, () => {
        pushAddress(0);
        loadSplat(f, dtype);
        f.set(regs[0]!);
      });
    };
    withinLimits(site, tracks.limits, { all, none: () => fillRegs(site, dtype, regs, fill), one: () => {} });
  } else {
    regs = blockRegs(site, dtype);
    const one = (group: number, lane: number) =>
      checked(lane, group, () => setLane(site, dtype, regs, { group, lane }, () => pushAddress(4 * group + lane)));
    const all = () => {
      fillRegs(site, dtype, regs, 0);
      if (index.uniform && track.curved.length === 0)
        return checked(0, 0, () => loadRow(site, dtype, regs, { track, place, step }));
      site.block.forEach((width, group) => {
        for (let lane = 0; lane < width; lane++) one(group, lane);
      });
    };
    const faulty = (group: number, lane: number) => {
      // A lane within the limits starts from 0, so that a fault leaves 0.
      clearLane(site, dtype, regs, group, lane);
      one(group, lane);
    };
    withinLimits(site, tracks.limits, { all, none: () => fillRegs(site, dtype, regs, fill), one: faulty });
  }
  f.release(place);
  return { dtype, uniform: !planned.lanes, regs };
}

/** The index itself; a lane outside its range is a fault. */
export function emitCheck(site: Site, planned: PlannedOp, index: Value): Value {
  const { f } = site.frame;
  const { limit } = planned.op.source as Instruction & { op: 'check' };
  const place = f.borrow('i32');
  const check = (group: number, lane: number): void => {
    f.get(index.regs[group]!).lane('i32x4.extract_lane', lane);
    f.tee(place).i32(limit).op('i32.ge_u');
    f.if(() => site.frame.fault(place, limit));
  };
  if (!planned.lanes || index.uniform) check(0, 0);
  else
    site.block.forEach((width, group) => {
      for (let lane = 0; lane < width; lane++) check(group, lane);
    });
  f.release(place);
  const regs = index.regs.map((from) => {
    const to = f.borrow('v128');
    f.get(from).set(to);
    return to;
  });
  return { ...index, regs };
}

function clearLane(site: Site, dtype: DType, regs: readonly Local[], group: number, lane: number): void {
  const { f } = site.frame;
  const lanes = registerLanes(dtype);
  const reg = regs[group * partsOf(dtype) + Math.floor(lane / lanes)]!;
  f.get(reg);
  if (lanes === 2) f.f64(0).lane('f64x2.replace_lane', lane % 2);
  else f.i32(0).lane('i32x4.replace_lane', lane);
  f.set(reg);
}

/** Loads the block from one row of the table, whose number all lanes share. */
function loadRow(
  site: Site,
  dtype: DType,
  regs: readonly Local[],
  { track, place, step }: { track: Track; place: Local; step: number },
): void {
  const { f } = site.frame;
  f.scratch('i32', (base) => {
    f.get(site.tracker.at(track)).get(place).i32(step).op('i32.mul').op('i32.add').set(base);
    const address: LaneAddress = { push: () => f.get(base), step: track.laneStep, offset: 0 };
    eachRegister(site, dtype, (at, first, count) => {
      if (track.laneStep === 0) {
        f.get(base);
        loadSplat(f, dtype);
      } else loadLanes(f, dtype, address, first, count);
      f.set(regs[at]!);
    });
  });
}
