/*
 * Sort of rows whose elements have 32 bits or fewer: digit by digit, the lowest first, each pass stable. An element and its
 * place go together as one i64, key below. All digits are counted in one walk over the row.
 *
 * Scratch memory: two lists of pairs (8 bytes each), then a count for each digit of each pass.
 */
import type { DType, Sort } from '@dl/tensor';
import type { Local } from '../wasm/assembler';
import { pushAddress, pushElement } from './scalar-loops';
import type { Frame } from './target';

/** How keys are cut into digits. */
export interface Digits {
  readonly bits: number;
  readonly passes: number;
}

/** Rows from which clearing and adding up the counts is less than merging. */
const least = 64;
/** Rows from which three passes of longer digits are less than four. */
const long = 4096;

/** The digits of a row's keys, or null where rows are merged. */
export function digitsOf({ dtype, length }: Pick<Sort, 'dtype' | 'length'>): Digits | null {
  if (length < least || dtype === 'f64' || dtype === 'f16') return null;
  if (dtype === 'u8' || dtype === 'bool') return { bits: 8, passes: 1 };
  return length < long ? { bits: 8, passes: 4 } : { bits: 11, passes: 3 };
}

const countBytes = ({ bits, passes }: Digits): number => passes * 2 ** bits * 4;

export const radixScratch = (length: number, digits: Digits): number => length * 16 + countBytes(digits) + 64;

/** Turns the element on the stack into an i32 whose unsigned order is that of elements: −0 is 0, NaN is largest. */
function toKey(frame: Frame, dtype: DType, descending: boolean): void {
  const { f } = frame;
  if (dtype === 'f32') {
    const [x, bits] = [f.borrow('f32'), f.borrow('i32')];
    f.f32(0).op('f32.add').tee(x).op('i32.reinterpret_f32').tee(bits);
    f.get(bits).i32(31).op('i32.shr_s').i32(-0x80000000).op('i32.or').op('i32.xor');
    f.i32(-1).get(x).get(x).op('f32.eq').select();
    f.release(x, bits);
  } else if (dtype === 'i32') f.i32(-0x80000000).op('i32.xor');
  if (descending) f.i32(-1).op('i32.xor');
}

/** Pushes the address of the count of the digit of the key on the stack. */
function pushCount(frame: Frame, counts: Local, { bits }: Digits, pass: number): void {
  const { f } = frame;
  if (pass > 0) f.i32(bits * pass).op('i32.shr_u');
  f.i32(2 ** bits - 1)
    .op('i32.and')
    .i32(2)
    .op('i32.shl');
  f.get(counts).op('i32.add');
}

/** Writes the order of the row that the counters name. */
export function emitRadixRow(frame: Frame, sort: Sort, digits: Digits): void {
  const { f } = frame;
  const { dtype, rows, length, count, descending, input, outIndex, out } = sort;
  const { bits, passes } = digits;
  const [at, key, counts, place, sum] = f.borrowAll('i32', 5) as [Local, Local, Local, Local, Local];
  const pair = f.borrow('i64');
  const offsetOf = (pass: number): number => pass * 2 ** bits * 4;
  /** Lists of pairs lie one after the other; a pass reads one and writes the other. */
  const list = (pass: number): number => (pass % 2) * length * 8;
  f.get(frame.scratch)
    .i32(length * 16)
    .op('i32.add')
    .tee(counts);
  f.i32(0).i32(countBytes(digits)).memoryFill();
  f.get(frame.scratch).set(place);
  f.for(at, { to: length }, () => {
    frame.counters[rows.length] = at;
    pushElement(frame, input, dtype);
    toKey(frame, dtype, descending);
    f.set(key);
    f.get(place).get(at).op('i64.extend_i32_u').i64(32).op('i64.shl').get(key).op('i64.extend_i32_u').op('i64.or');
    f.mem('i64.store', list(0)).increment(place, 8);
    for (let pass = 0; pass < passes; pass++) {
      f.get(key);
      pushCount(frame, counts, digits, pass);
      f.tee(sum).get(sum).mem('i32.load', offsetOf(pass)).i32(1).op('i32.add').mem('i32.store', offsetOf(pass));
    }
  });
  for (let pass = 0; pass < passes; pass++) {
    // Counts become the byte offsets at which the pairs of a digit begin.
    f.i32(0).set(sum).get(counts).set(place);
    f.for(at, { to: 2 ** bits }, () => {
      f.get(place).mem('i32.load', offsetOf(pass)).set(key);
      f.get(place).get(sum).mem('i32.store', offsetOf(pass)).increment(place, 4);
      f.get(sum).get(key).i32(3).op('i32.shl').op('i32.add').set(sum);
    });
    f.get(frame.scratch).set(place);
    f.for(at, { to: length }, () => {
      f.get(place).mem('i64.load', list(pass)).tee(pair).op('i32.wrap_i64');
      pushCount(frame, counts, digits, pass);
      f.tee(key).mem('i32.load', offsetOf(pass)).set(sum);
      f.get(frame.scratch)
        .get(sum)
        .op('i32.add')
        .get(pair)
        .mem('i64.store', list(pass + 1));
      f.get(key).get(sum).i32(8).op('i32.add').mem('i32.store', offsetOf(pass)).increment(place, 8);
    });
  }
  f.get(frame.scratch).set(place);
  f.for(at, { to: count }, () => {
    frame.counters[rows.length] = at;
    pushAddress(frame, out, { binding: out, index: outIndex, bounds: [] }, 'i32');
    f.get(place)
      .mem('i32.load', list(passes) + 4)
      .mem('i32.store')
      .increment(place, 8);
  });
  f.release(at, key, counts, place, sum, pair);
}
