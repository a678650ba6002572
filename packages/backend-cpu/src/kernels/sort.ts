/*
 * Sort: the order of each row's elements. Elements become whole numbers in whose order NaN is largest and −0 equals 0. Long
 * rows of 32 bits an element are sorted by digits (sort-radix.ts); for others, a bottom-up merge sort orders their places.
 * Both are stable.
 *
 * Scratch memory of a merge sort: the keys (8 bytes each), then two lists of places (4 bytes each).
 */
import type { DType, Sort } from '@dl/tensor';
import type { Local } from '../wasm/assembler';
import { loopOver, pushAddress, pushElement } from './scalar-loops';
import { digitsOf, emitRadixRow, radixScratch } from './sort-radix';
import type { Frame } from './target';

export function sortScratch(sort: Sort): number {
  const digits = digitsOf(sort);
  return digits ? radixScratch(sort.length, digits) : sort.length * 16 + 64;
}

/** Turns the element on the stack into an i64 key. */
function toKey(frame: Frame, dtype: DType, descending: boolean): void {
  const { f } = frame;
  if (dtype === 'f32') f.op('f64.promote_f32');
  if (dtype === 'f32' || dtype === 'f64') {
    const x = f.borrow('f64');
    const bits = f.borrow('i64');
    f.f64(0).op('f64.add').tee(x).op('i64.reinterpret_f64').tee(bits); // −0 + 0 is 0
    f.get(bits).i64(63).op('i64.shr_s').i64(0x7fffffffffffffffn).op('i64.and').op('i64.xor').set(bits);
    f.get(bits).i64(0x7fffffffffffffffn).get(x).get(x).op('f64.eq').select();
    f.release(x, bits);
  } else f.op(dtype === 'i32' ? 'i64.extend_i32_s' : 'i64.extend_i32_u');
  if (descending) f.i64(-1).op('i64.xor');
}

/** Writes a sort. */
export function emitSort(frame: Frame, sort: Sort, range: number): void {
  const digits = digitsOf(sort);
  loopOver(frame, sort.rows, { ranged: range > 1 }, () => {
    if (digits) emitRadixRow(frame, sort, digits);
    else emitMergedRow(frame, sort);
  });
}

function emitMergedRow(frame: Frame, { dtype, rows, length, count, descending, input, outIndex, out }: Sort): void {
  const { f } = frame;
  const keys = frame.scratch;
  const [from, to, at] = f.locals('i32', 3) as [Local, Local, Local];
  f.get(keys)
    .i32(length * 8)
    .op('i32.add')
    .set(from);
  f.get(from)
    .i32(length * 4)
    .op('i32.add')
    .set(to);
  f.for(at, { to: length }, () => {
    frame.counters[rows.length] = at;
    f.get(keys).get(at).i32(3).op('i32.shl').op('i32.add');
    pushElement(frame, input, dtype);
    toKey(frame, dtype, descending);
    f.mem('i64.store');
    f.get(from).get(at).i32(2).op('i32.shl').op('i32.add').get(at).mem('i32.store');
  });
  mergePasses(frame, length, { keys, from, to });
  f.for(at, { to: count }, () => {
    frame.counters[rows.length] = at;
    pushAddress(frame, out, { binding: out, index: outIndex, bounds: [] }, 'i32');
    f.get(from).get(at).i32(2).op('i32.shl').op('i32.add').mem('i32.load').mem('i32.store');
  });
}

interface Lists {
  readonly keys: Local;
  readonly from: Local;
  readonly to: Local;
}

/** Merges runs of 1, 2, 4, … until one is left; `from` then holds the order. */
function mergePasses(frame: Frame, length: number, lists: Lists): void {
  const { f } = frame;
  const [width, start] = [f.borrow('i32'), f.borrow('i32')];
  f.i32(1).set(width);
  f.block((done) => {
    f.loop((again) => {
      f.get(width).i32(length).op('i32.ge_s').brIf(done);
      f.i32(0).set(start);
      f.loop((next) => {
        mergeRuns(frame, length, { ...lists, width, start });
        f.get(start).get(width).i32(1).op('i32.shl').op('i32.add').tee(start).i32(length).op('i32.lt_s').brIf(next);
      });
      f.get(lists.from).get(lists.to).set(lists.from).set(lists.to);
      f.get(width).i32(1).op('i32.shl').set(width).br(again);
    });
  });
  f.release(width, start);
}

/** Merges the runs [start, start + width) and [start + width, start + 2·width). */
function mergeRuns(
  frame: Frame,
  length: number,
  { keys, from, to, width, start }: Lists & { width: Local; start: Local },
): void {
  const { f } = frame;
  const names = ['left', 'right', 'leftEnd', 'rightEnd', 'at', 'place'] as const;
  const own = Object.fromEntries(names.map((name) => [name, f.borrow('i32')])) as Record<(typeof names)[number], Local>;
  const { left, right, leftEnd, rightEnd, at, place } = own;
  const clamp = () => {
    f.set(place).get(place).i32(length).get(place).i32(length).op('i32.lt_s').select();
  };
  const element = (list: Local, index: Local) =>
    f.get(list).get(index).i32(2).op('i32.shl').op('i32.add').mem('i32.load');
  const key = (index: Local) => {
    f.get(keys);
    element(from, index);
    f.i32(3).op('i32.shl').op('i32.add').mem('i64.load');
  };
  f.get(start).set(left);
  f.get(start).get(width).op('i32.add');
  clamp();
  f.tee(leftEnd).set(right);
  f.get(start).get(width).i32(1).op('i32.shl').op('i32.add');
  clamp();
  f.set(rightEnd);
  f.for(at, { from: start, to: rightEnd }, () => {
    // The right run gives its element if the left one is used up or larger.
    f.get(left).get(leftEnd).op('i32.ge_s');
    f.if(
      () => f.i32(1),
      () => {
        f.get(right).get(rightEnd).op('i32.lt_s');
        f.if(
          () => {
            key(right);
            key(left);
            f.op('i64.lt_s');
          },
          () => f.i32(0),
          'i32',
        );
      },
      'i32',
    );
    f.if(
      () => {
        element(from, right);
        f.set(place).increment(right, 1);
      },
      () => {
        element(from, left);
        f.set(place).increment(left, 1);
      },
    );
    f.get(to).get(at).i32(2).op('i32.shl').op('i32.add').get(place).mem('i32.store');
  });
  f.release(...Object.values(own));
}
