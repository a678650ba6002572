/*
 * Limits within which memory is touched. One that does not differ between lanes is tested once for a block of lanes; one
 * that moves evenly along them is tested for the whole block, and lane by lane only where the block straddles an edge. The
 * many limits of a window are tested together first, for mostly all of them hold.
 */
import { type LimitTrack, moves, type Site } from './site';
import type { Track } from './tracks';

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

/** Limits whose terms differ by constants, as bounds of the first one's term. */
interface Joined {
  readonly track: Track;
  low: number;
  high: number;
}

/** How many tests a joint one must save. */
const worthJoining = 2;

/**
 * A test of many limits at once: what pushes whether all hold for the whole block. Null where they cannot, or where testing
 * each is as good.
 */
export function jointTest(site: Site, limits: readonly LimitTrack[]): (() => void) | null {
  const groups = new Map<string, Joined>();
  for (const { track, min, end } of limits) {
    if (track.curved.length > 0) return null;
    const span = track.laneStep * Math.max(0, lanesOf(site) - 1);
    const key = JSON.stringify(track.steady.terms);
    const own = groups.get(key) ?? { track, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
    const shift = track.steady.constant - own.track.steady.constant;
    own.low = Math.max(own.low, min - shift - Math.min(0, span));
    own.high = Math.min(own.high, end - shift - Math.max(0, span));
    groups.set(key, own);
  }
  const joined = [...groups.values()];
  if (limits.length - joined.length < worthJoining || joined.some((g) => g.high <= g.low)) return null;
  const { f } = site.frame;
  return () =>
    joined.forEach(({ track, low, high }, i) => {
      f.get(site.tracker.at(track)).i32(low).op('i32.sub');
      f.i32(high - low).op('i32.lt_u');
      if (i > 0) f.op('i32.and');
    });
}

export interface Cases {
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
export function withinLimits(site: Site, limits: readonly LimitTrack[], cases: Cases): void {
  const { f } = site.frame;
  if (limits.length === 0 || site.inside) {
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
