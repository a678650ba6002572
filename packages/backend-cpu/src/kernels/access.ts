/*
 * Instructions that touch memory or depend on the place: loads, stores, gathers, guards and index values, with their
 * limits. A limit that does not differ between lanes is tested once for a block of lanes; one that moves evenly along
 * them is tested for the whole block, and lane by lane only where the block straddles an edge.
 */
import type { DType, Instruction } from '@dl/tensor';
import type { Local } from '../wasm/assembler';
import { bits32 } from '../wasm/vector';
import { emitCast } from './elementwise';
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
import { type Frame, widths } from './target';
import type { Track, Tracker } from './tracks';
import { partsOf, splatOf, type Value, type Vectors } from './values';

export interface LimitTrack {
  readonly track: Track;
  readonly min: number;
  readonly end: number;
}

/** The tracks of one operation. */
export interface OpTracks {
  /** Byte address. */
  readonly place?: Track;
  /** Bytes from there. */
  readonly offset: number;
  /** Of an index or random instruction. */
  readonly expr?: Track;
  readonly limits: readonly LimitTrack[];
}

/** What is running: the function, the lanes of the current block, and the tracks. */
export interface Site {
  readonly frame: Frame;
  readonly vectors: Vectors;
  readonly tracker: Tracker;
  readonly laneVariable: number;
  /** Lanes used of each group; `[]` outside the lane loop. */
  readonly block: readonly number[];
}

const moves = (track: Track): boolean => track.laneStep !== 0 || track.curved.length > 0;
const lanesOf = (site: Site): number => site.block.reduce((a, b) => a + b, 0);

/** Pushes whether a limit holds at a lane. */
function pushLimit(site: Site, { track, min, end }: LimitTrack, lane: number): void {
  const { f } = site.frame;
  site.tracker.pushAt(track, site.laneVariable, lane);
  if (min !== 0) f.i32(min).op('i32.sub');
  f.i32(end - min).op('i32.lt_u');
}

function pushAll(site: Site, limits: readonly LimitTrack[], push: (limit: LimitTrack) => void): void {
  const { f } = site.frame;
  limits.forEach((limit, i) => {
    push(limit);
    if (i > 0) f.op('i32.and');
  });
  if (limits.length === 0) f.i32(1);
}

/** Pushes whether limits hold at every lane of the block. */
function pushInside(site: Site, limits: readonly LimitTrack[]): void {
  const { f } = site.frame;
  pushAll(site, limits, ({ track, min, end }) => {
    const span = track.laneStep * (lanesOf(site) - 1);
    const size = end - min - Math.abs(span);
    if (size <= 0) {
      f.i32(0);
      return;
    }
    f.get(site.tracker.at(track))
      .i32(Math.min(0, span) - min)
      .op('i32.add');
    f.i32(size).op('i32.lt_u');
  });
}

/** Pushes whether some limit fails at every lane of the block. */
function pushOutside(site: Site, limits: readonly LimitTrack[]): void {
  const { f } = site.frame;
  limits.forEach(({ track, min, end }, i) => {
    const span = track.laneStep * (lanesOf(site) - 1);
    const local = site.tracker.at(track);
    f.get(local)
      .i32(end - Math.min(0, span))
      .op('i32.ge_s');
    f.get(local)
      .i32(min - Math.max(0, span))
      .op('i32.lt_s')
      .op('i32.or');
    if (i > 0) f.op('i32.or');
  });
}

interface Cases {
  /** Every lane of the block is within the limits. */
  all(): void;
  /** No lane is. */
  none(): void;
  /** One lane that is, where some are and some are not. */
  one(group: number, lane: number): void;
}

function eachLane(site: Site, limits: readonly LimitTrack[], one: Cases['one']): void {
  site.block.forEach((width, group) => {
    for (let lane = 0; lane < width; lane++) {
      pushAll(site, limits, (limit) => pushLimit(site, limit, 4 * group + lane));
      site.frame.f.if(() => one(group, lane));
    }
  });
}

/** Writes code for each case that the limits can come to. */
function withinLimits(site: Site, limits: readonly LimitTrack[], cases: Cases): void {
  const { f } = site.frame;
  if (limits.length === 0) {
    cases.all();
    return;
  }
  const steady = limits.filter((l) => !moves(l.track));
  const moving = limits.filter((l) => moves(l.track));
  const pushSteady = () => pushAll(site, steady, (limit) => pushLimit(site, limit, 0));
  if (moving.length === 0) {
    pushSteady();
    f.if(
      () => cases.all(),
      () => cases.none(),
    );
    return;
  }
  const some = () => {
    cases.none();
    eachLane(site, moving, cases.one);
  };
  const split = () => {
    if (moving.some((l) => l.track.curved.length > 0)) return some();
    pushInside(site, moving);
    f.if(
      () => cases.all(),
      () => {
        pushOutside(site, moving);
        f.if(() => cases.none(), some);
      },
    );
  };
  if (steady.length === 0) split();
  else {
    pushSteady();
    f.if(split, () => cases.none());
  }
}

export function addressOf(site: Site, track: Track, offset: number): LaneAddress {
  const even = track.curved.length === 0;
  return {
    push: (lane) => site.tracker.pushAt(track, site.laneVariable, lane, !even),
    step: even ? track.laneStep : null,
    offset,
  };
}

/** Registers of the block for a dtype, in borrowed locals. */
function blockRegs(site: Site, dtype: DType): Local[] {
  return Array.from({ length: site.block.length * partsOf(dtype) }, () => site.frame.f.borrow('v128'));
}

function fillRegs(site: Site, dtype: DType, regs: readonly Local[], fill: number): void {
  const { f, target } = site.frame;
  const { lane, value } = splatOf(dtype, fill);
  for (const reg of regs) {
    target.constants.splat(f, lane, value);
    f.set(reg);
  }
}

/** Calls `visit` for each register of the block: its first lane, and how many lanes of it are used. */
function eachRegister(site: Site, dtype: DType, visit: (at: number, first: number, count: number) => void): void {
  const parts = partsOf(dtype);
  const lanes = registerLanes(dtype);
  site.block.forEach((width, group) => {
    for (let part = 0; part < parts; part++) {
      visit(group * parts + part, 4 * group + part * lanes, Math.max(0, Math.min(lanes, width - part * lanes)));
    }
  });
}

/** Sets one lane of a register of the block from the address that `push` pushes. */
function setLane(
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
      setLane(site, dtype, regs, { group, lane }, () =>
        site.tracker.pushAt(track, site.laneVariable, 4 * group + lane),
      ),
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
        offset: 0,
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
  const wide = dtype === 'f64' ? wideMask(site, mask) : mask.regs;
  const masks = mask.uniform ? new Array<Local>(count).fill(wide[0]!) : wide;
  const regs = site.vectors.width(count).select(masks, site.vectors.spread(value, count), splatOf(dtype, fill));
  if (dtype === 'f64') site.frame.f.release(...wide);
  site.vectors.release(mask);
  return { dtype, uniform, regs };
}

function wideMask(site: Site, mask: Value): readonly Local[] {
  const { f } = site.frame;
  if (mask.uniform) return site.vectors.width(1).fill(() => f.get(mask.regs[0]!));
  return site.vectors
    .width(mask.regs.length * 2)
    .fill((at) =>
      f.get(mask.regs[at >> 1]!).op(at % 2 === 0 ? 'i64x2.extend_low_i32x4_s' : 'i64x2.extend_high_i32x4_s'),
    );
}
