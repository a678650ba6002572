/*
 * Loads and stores of a block of lanes, within their limits.
 */
import type { DType, Instruction } from '@dl/tensor';
import type { Local } from '../wasm/assembler';
import { withinLimits } from './limits';
import {
  insertLane,
  type LaneAddress,
  loadLanes,
  loadSplat,
  registerLanes,
  storeLanes,
  storeOne,
} from './memory-lanes';
import type { PlannedOp } from './plan';
import type { OpTracks, Site } from './site';
import type { Track } from './tracks';
import { partsOf, splatOf, type Value } from './values';

export function addressOf(site: Site, track: Track, offset: number): LaneAddress {
  const even = track.curved.length === 0;
  return {
    push: (lane) => site.tracker.pushAt(track, site.laneVariable, lane, !even),
    step: even ? track.laneStep : null,
    offset,
  };
}

/** Registers of the block for a dtype, in borrowed locals. */
export function blockRegs(site: Site, dtype: DType): Local[] {
  return Array.from({ length: site.block.length * partsOf(dtype) }, () => site.frame.f.borrow('v128'));
}

export function fillRegs(site: Site, dtype: DType, regs: readonly Local[], fill: number): void {
  const { f, target } = site.frame;
  const { lane, value } = splatOf(dtype, fill);
  for (const reg of regs) {
    target.constants.splat(f, lane, value);
    f.set(reg);
  }
}

/** Calls `visit` for each register of the block: its first lane, and how many lanes of it are used. */
export function eachRegister(
  site: Site,
  dtype: DType,
  visit: (at: number, first: number, count: number) => void,
): void {
  const parts = partsOf(dtype);
  const lanes = registerLanes(dtype);
  site.block.forEach((width, group) => {
    for (let part = 0; part < parts; part++) {
      visit(group * parts + part, 4 * group + part * lanes, Math.max(0, Math.min(lanes, width - part * lanes)));
    }
  });
}

/** Sets one lane of a register of the block from the address that `push` pushes. */
export function setLane(
  site: Site,
  dtype: DType,
  regs: readonly Local[],
  at: { group: number; lane: number },
  push: () => void,
): void {
  const { f } = site.frame;
  const lanes = registerLanes(dtype);
  const reg = regs[at.group * partsOf(dtype) + Math.floor(at.lane / lanes)]!;
  const lane = at.lane % lanes;
  push();
  if (dtype === 'bool') {
    f.scratch('i32', (bit) => {
      f.mem('i32.load8_u').set(bit).get(reg).i32(0).get(bit).op('i32.sub').lane('i32x4.replace_lane', lane);
    });
  } else {
    if (dtype === 'u8') {
      f.scratch('i32', (byte) => f.mem('i32.load8_u').set(byte).get(reg).get(byte).lane('i32x4.replace_lane', lane));
    } else insertLane(f, dtype, lane, 0, reg);
  }
  f.set(reg);
}

/** A load, in every lane or in each. */
export function emitLoad(site: Site, planned: PlannedOp, tracks: OpTracks): Value {
  const { f } = site.frame;
  const { dtype, fill } = planned.op.source as Instruction & { op: 'load' };
  const track = tracks.place!;
  if (!planned.lanes) {
    const reg = f.borrow('v128');
    const set = () => {
      f.get(site.tracker.at(track));
      loadSplat(f, dtype, tracks.offset);
      f.set(reg);
    };
    withinLimits(site, tracks.limits, { all: set, none: () => fillRegs(site, dtype, [reg], fill), one: () => {} });
    return { dtype, uniform: true, regs: [reg] };
  }
  const regs = blockRegs(site, dtype);
  const address = addressOf(site, track, tracks.offset);
  const all = () =>
    eachRegister(site, dtype, (at, first, count) => {
      if (address.step === 0) {
        address.push(0);
        loadSplat(f, dtype, tracks.offset);
      } else loadLanes(f, dtype, address, first, count);
      f.set(regs[at]!);
    });
  withinLimits(site, tracks.limits, {
    all,
    none: () => fillRegs(site, dtype, regs, fill),
    one: (group, lane) =>
      setLane(site, dtype, regs, { group, lane }, () => {
        site.tracker.pushAt(track, site.laneVariable, 4 * group + lane);
        if (tracks.offset !== 0) f.i32(tracks.offset).op('i32.add');
      }),
  });
  return { dtype, uniform: false, regs };
}

/** A store of a value at its place. */
export function emitStore(site: Site, planned: PlannedOp, tracks: OpTracks, value: Value): void {
  const { f } = site.frame;
  const { dtype } = planned.op;
  const track = tracks.place!;
  const none = () => {};
  if (!planned.lanes) {
    const all = () =>
      storeOne(f, dtype, value.regs[0]!, () => {
        f.get(site.tracker.at(track));
        return tracks.offset;
      });
    withinLimits(site, tracks.limits, { all, none, one: none });
    return;
  }
  const regs = site.vectors.spread(value, site.block.length * partsOf(dtype));
  const address = addressOf(site, track, tracks.offset);
  const lanes = registerLanes(dtype);
  withinLimits(site, tracks.limits, {
    all: () =>
      eachRegister(site, dtype, (at, first, count) => storeLanes(f, dtype, regs[at]!, address, { first, count })),
    none,
    one: (group, lane) => {
      const at = group * partsOf(dtype) + Math.floor(lane / lanes);
      const one: LaneAddress = {
        push: () => site.tracker.pushAt(track, site.laneVariable, 4 * group + lane),
        step: null,
        offset: tracks.offset,
      };
      const shifted = lane % lanes;
      // A register whose first lane is the one to store.
      f.scratch('v128', (local) => {
        f.get(regs[at]!).get(regs[at]!);
        if (lanes === 2) f.shuffle32(2 * shifted, 2 * shifted + 1, 0, 0);
        else f.shuffle32(shifted, 0, 0, 0);
        f.set(local);
        storeLanes(f, dtype, local, one, { first: 0, count: 1 });
      });
    },
  });
}
