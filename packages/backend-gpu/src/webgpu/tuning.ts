/*
 * Which way of computing large products is the fastest on this adapter: a product of each of three sizes is timed in every way. A
 * choice changes no result, for each output is a sum in the same order whatever the tile, so what is measured may be wrong
 * without harm.
 */
import { BackendError } from '@dl/tensor';
import { sharedTiles, type Tile, type Tuning } from '../wgsl/contraction/plan';

/** How a product is computed, by name: what is kept of a measurement. */
type Way = 'direct' | keyof typeof sharedTiles;

const ways: readonly Way[] = ['direct', ...(Object.keys(sharedTiles) as (keyof typeof sharedTiles)[])];

const tileOf = (way: Way): Tile | 'direct' => (way === 'direct' ? way : sharedTiles[way]);

/** Products of so many outputs and more, and the rows, columns and products a sum of the square one that is timed for them. */
const classes = [
  { from: 0, size: 128 },
  { from: 256 * 256, size: 512 },
  { from: 1024 * 1024, size: 1024 },
] as const;

/** The milliseconds that a product of n rows, n columns and n products a sum takes this way. */
export type TimeProduct = (size: number, tile: Tile | 'direct') => Promise<number>;

type Choice = readonly { readonly from: number; readonly way: Way }[];

async function fastest(size: number, time: TimeProduct): Promise<Way> {
  let [best, least]: [Way, number] = ['direct', Number.POSITIVE_INFINITY];
  for (const way of ways) {
    const ms = await time(size, tileOf(way));
    if (!(ms > 0)) throw new BackendError('webgpu: the device gives no times, so it cannot be tuned. Leave out tune.');
    if (ms < least) [best, least] = [way, ms];
  }
  return best;
}

/** Where measurements are kept, by the name of the adapter. */
export interface TuningStore {
  load(adapter: string): Promise<string | null>;
  save(adapter: string, text: string): Promise<void>;
}

const asTuning = (choice: Choice): Tuning => choice.map(({ from, way }) => ({ from, tile: tileOf(way) }));

/** A measurement that was kept, or null if it is of other classes or ways than these. */
function parse(text: string | null): Choice | null {
  if (text === null) return null;
  try {
    const kept: unknown = JSON.parse(text);
    if (!Array.isArray(kept) || kept.length !== classes.length) return null;
    const isOurs = classes.every(({ from }, i) => kept[i]?.from === from && ways.includes(kept[i]?.way));
    return isOurs ? (kept as Choice) : null;
  } catch {
    return null; // not JSON: it is measured again, and written over
  }
}

/**
 * The tuning kept for an adapter, or else one that is measured now and kept.
 *
 * @throws BackendError if a measurement gives no time
 */
export async function tuningOf(adapter: string, store: TuningStore, time: TimeProduct): Promise<Tuning> {
  const kept = parse(await store.load(adapter));
  if (kept) return asTuning(kept);
  const choice: { from: number; way: Way }[] = [];
  for (const { from, size } of classes) choice.push({ from, way: await fastest(size, time) });
  await store.save(adapter, JSON.stringify(choice));
  return asTuning(choice);
}
