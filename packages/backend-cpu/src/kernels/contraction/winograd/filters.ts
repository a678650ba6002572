/*
 * The filters' part of a convolution by tiles: every 3×3 filter becomes the places of a tile, U = G g Gᵀ, four filters at a time, one in each
 * lane. It is done before the range of a kernel, and once where filters do not change. Eight filters are a panel: for each
 * place a right operand of channels by eight.
 */
import type { FunctionBuilder, Local } from '../../../wasm/assembler';
import type { Frame } from '../../target';
import { type Layout, PANEL, panelBytes, placeBytes } from './layout';
import { type Arithmetic, emitTransform } from './vectors';

const LANES = 4;

/** Bytes from a filter, channel, row and column to the next. They may be negative. */
type Strides = Layout['filterStrides'];

/** One element of each of `count` filters, that of the last in the lanes that are left. To be released. */
function loadElement(f: FunctionBuilder, address: Local, { strides, low, count, row, column }: Element): Local {
  const result = f.borrow('v128');
  const offsetOf = (lane: number) => strides.row * row + strides.column * column + strides.filter * lane - low;
  const offsets = Array.from({ length: LANES }, (_, lane) => 4 * offsetOf(Math.min(lane, count - 1)));
  for (let lane = 0; lane < LANES; lane++) f.get(address);
  f.mem('v128.load32_zero', offsets[0], 2);
  for (let lane = 1; lane < LANES; lane++) f.memLane('v128.load32_lane', lane, offsets[lane]);
  f.set(result);
  return result;
}

interface Element {
  readonly strides: Strides;
  /** Of the elements of a transform, the lowest. */
  readonly low: number;
  readonly count: number;
  readonly row: number;
  readonly column: number;
}

/** Transforms `count` filters of one channel; `from` is where that begins. */
function emitFilters(
  f: FunctionBuilder,
  arithmetic: Arithmetic,
  layout: Layout,
  { from, to, count }: { from: Local; to: Local; count: number },
): void {
  const { filterStrides: strides, tile } = layout;
  const low =
    Math.min(0, strides.filter * (count - 1)) + Math.min(0, strides.row * 2) + Math.min(0, strides.column * 2);
  const address = f.borrow('i32');
  f.get(from)
    .i32(low * 4)
    .op('i32.add')
    .set(address);
  const rows = [0, 1, 2].map((row) => {
    const g = [0, 1, 2].map((column) => loadElement(f, address, { strides, low, count, row, column }));
    const along = f.borrowAll('v128', tile.reach);
    emitTransform(f, arithmetic, tile.filter, g, (results) => {
      for (const [i, result] of results.entries()) f.get(result).set(along[i]!);
    });
    f.release(...g);
    return along;
  });
  for (let column = 0; column < tile.reach; column++) {
    const g = rows.map((row) => row[column]!);
    emitTransform(f, arithmetic, tile.filter, g, (results) => {
      for (const [row, result] of results.entries()) {
        f.get(to)
          .get(result)
          .mem('v128.store', (row * tile.reach + column) * placeBytes(layout), 2);
      }
    });
    f.release(...g);
  }
  f.release(address);
}

/** Writes the transformation of panels `frame.begin` to `frame.end`; `push` pushes the address of the first filter. */
export function emitFilterPanels(frame: Frame, layout: Layout, arithmetic: Arithmetic, push: () => void): void {
  const { f } = frame;
  const { filters, channels, filterStrides } = layout;
  const [panel, channel, from, to] = f.locals('i32', 4) as [Local, Local, Local, Local];
  const rest = filters % PANEL;
  const whole = Math.floor(filters / PANEL);
  const half = (first: number, count: number) => {
    push();
    f.get(panel)
      .i32(PANEL)
      .op('i32.mul')
      .i32(first)
      .op('i32.add')
      .i32(filterStrides.filter * 4);
    f.op('i32.mul').op('i32.add').set(from);
    frame.pushShared();
    f.get(panel)
      .i32(panelBytes(layout))
      .op('i32.mul')
      .op('i32.add')
      .i32(first * 4)
      .op('i32.add')
      .set(to);
    f.for(channel, { to: channels }, () => {
      emitFilters(f, arithmetic, layout, { from, to, count });
      f.increment(from, filterStrides.channel * 4).increment(to, PANEL * 4);
    });
  };
  f.for(panel, { from: frame.begin, to: frame.end }, () => {
    const all = (count: number) => {
      for (let first = 0; first < count; first += LANES) half(first, Math.min(LANES, count - first));
    };
    if (rest === 0) all(PANEL);
    else
      f.get(panel)
        .i32(whole)
        .op('i32.lt_s')
        .if(
          () => all(PANEL),
          () => all(rest),
        );
  });
}
