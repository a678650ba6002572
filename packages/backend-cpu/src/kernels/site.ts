/*
 * What the emitters of instructions are handed: the function, the lanes that run, and the tracks of an operation.
 */
import type { Frame } from './target';
import type { Track, Tracker } from './tracks';
import type { Vectors } from './values';

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
  /** Whether all limits of the accesses written now are known to hold for the whole block. */
  readonly inside: boolean;
}

export const moves = (track: Track): boolean => track.laneStep !== 0 || track.curved.length > 0;
