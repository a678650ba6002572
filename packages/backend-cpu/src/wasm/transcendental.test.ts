import { beforeAll, describe, expect, it } from 'vitest';
import { ModuleBuilder } from './assembler';
import { Constants } from './constants';
import { detectFeatures } from './features';
import { emitTranscendental, TRANSCENDENTAL, type UnaryTranscendental } from './transcendental';
import { type FloatLane, VectorEmitter } from './vector';

type Name = UnaryTranscendental | 'pow';
type Floats = Float32Array | Float64Array;

let relaxedSimd = false;
beforeAll(async () => {
  relaxedSimd = (await detectFeatures()).relaxedSimd;
});

interface Variant {
  readonly width?: number;
  readonly fused?: boolean;
}

/** Runs an emitter over arrays; lengths must be multiples of the vectors carried together. */
function evaluate(
  lane: FloatLane,
  name: Name,
  xs: number[] | Floats,
  ys: number[] = [],
  { width = 1, fused = true }: Variant = {},
) {
  const Type = lane === 'f32x4' ? Float32Array : Float64Array;
  const block = 16 * width;
  const bytes = Math.ceil((xs.length * Type.BYTES_PER_ELEMENT) / block) * block;
  const [x, y, out] = [65536, 65536 + bytes, 65536 + 2 * bytes];
  const memory = new WebAssembly.Memory({ initial: Math.ceil((out + bytes) / 65536) });
  new Type(memory.buffer, x).set(xs);
  new Type(memory.buffer, y).set(ys);
  const constants = new Constants(4096, 60000);
  const module = new ModuleBuilder().importMemory({ minPages: 1 });
  module.function({ export: 'run' }, (f) => {
    const v = new VectorEmitter(f, { constants, features: { relaxedSimd: relaxedSimd && fused }, width });
    const at = f.local('i32');
    const load = (base: number) => v.fill((k) => f.get(at).mem('v128.load', base + 16 * k));
    f.for(at, { to: bytes, step: block }, () => {
      v.scope(() => {
        const result =
          name === 'pow' ? TRANSCENDENTAL[lane].pow(v, load(x), load(y)) : TRANSCENDENTAL[lane][name](v, load(x));
        for (const [k, local] of result.entries())
          f.get(at)
            .get(local)
            .mem('v128.store', out + 16 * k);
        return result;
      });
    });
  });
  new Uint8Array(memory.buffer).set(constants.bytes(), constants.base);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { memory } });
  (instance.exports.run as () => void)();
  return new Type(memory.buffer, out, xs.length) as Floats;
}

/** Distance in units of the last place of the exact value, where the type has denormals. */
function ulps(lane: FloatLane, got: number, exact: number): number {
  const rounded = lane === 'f32x4' ? Math.fround(exact) : exact;
  if (Object.is(got, rounded) || (Number.isNaN(got) && Number.isNaN(rounded))) return 0;
  if (!Number.isFinite(got) || !Number.isFinite(rounded)) return Infinity;
  const [digits, smallest] = lane === 'f32x4' ? [23, -126] : [52, -1022];
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(exact))), smallest);
  return Math.abs(got - exact) / 2 ** Math.max(exponent - digits, -1074);
}

/** erf by its series of positive terms, or by the continued fraction of erfc. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (!(a < 6.5)) return Number.isNaN(x) ? x : Math.sign(x);
  if (a > 2.5) {
    let fraction = 0;
    for (let k = 120; k > 0; k--) fraction = k / 2 / (a + fraction);
    return Math.sign(x) * (1 - Math.exp(-a * a) / (a + fraction) / Math.sqrt(Math.PI));
  }
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-18; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const exact: Record<UnaryTranscendental, (x: number) => number> = {
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  erf,
};

let seed = 1;
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return (seed + 0.5) / 2 ** 32;
}

/** Evenly spread samples and samples spread over all magnitudes up to the larger bound. */
function samples(lane: FloatLane, low: number, high: number, count = 20000): number[] {
  const round = lane === 'f32x4' ? Math.fround : (x: number) => x;
  const top = Math.log2(Math.max(Math.abs(low), high));
  const bottom = lane === 'f32x4' ? -148 : -1070;
  const xs: number[] = [];
  while (xs.length < count) {
    xs.push(round(low + (high - low) * random()));
    const x = round((random() < 0.5 ? -1 : 1) * 2 ** (bottom + (top - bottom) * random()));
    if (x >= low && x <= high) xs.push(x);
    const near = round((random() < 0.5 ? -1 : 1) * 2 ** (-12 * random()) * Math.min(1, high));
    if (near >= low && near <= high) xs.push(near);
  }
  return xs;
}

function worst(lane: FloatLane, xs: number[], got: Floats, want: (k: number) => number) {
  let [error, at] = [0, Number.NaN];
  for (const [k, x] of xs.entries()) {
    const distance = ulps(lane, got[k] as number, want(k));
    if (distance > error) [error, at] = [distance, x];
  }
  return { error, at };
}

/** Range and bound in ulp, a little above what was measured: f32x4, then f64x2 (whose reference errs by up to 1). */
const RANGES: [UnaryTranscendental, number, number, number, number, number][] = [
  ['exp', -104, 89, 1.5, -745.2, 710],
  ['expm1', -20, 89, 2, -40, 710],
  ['log', 0, 3.4e38, 2, 0, 1.7e308],
  ['log', 0.5, 2, 2, 0.5, 2],
  ['log1p', -1, 3.4e38, 2, -1, 1.7e308],
  ['log1p', -0.7, 2, 2, -0.7, 2],
  ['sin', -1e5, 1e5, 2, -1e5, 1e5],
  ['sin', -4, 4, 2, -4, 4],
  ['cos', -1e5, 1e5, 2, -1e5, 1e5],
  ['cos', -4, 4, 2, -4, 4],
  ['tanh', -10, 10, 2.5, -23, 23],
  ['erf', -5, 5, 2, -6.5, 6.5],
];

describe.each([true, false])('accuracy (fused multiply-add allowed: %s)', (fused) => {
  it.each(RANGES)('f32x4 %s on [%f, %f] within %f ulp', (name, low, high, bound) => {
    const xs = samples('f32x4', low, high);
    const got = evaluate('f32x4', name, xs, [], { fused });
    const { error, at } = worst('f32x4', xs, got, (k) => exact[name](xs[k] as number));
    console.info(`f32x4 ${name} on [${low}, ${high}]: ${error.toFixed(2)} ulp at ${at}`);
    expect(error, `at ${at}`).toBeLessThan(bound);
  });

  it.each(RANGES)('f64x2 %s', (name, _low, _high, _bound, low, high) => {
    const xs = samples('f64x2', low, high);
    const got = evaluate('f64x2', name, xs, [], { fused });
    const { error, at } = worst('f64x2', xs, got, (k) => exact[name](xs[k] as number));
    console.info(`f64x2 ${name} on [${low}, ${high}]: ${error.toFixed(2)} ulp at ${at}`);
    // The reference of erf is a series in doubles and errs by up to 10 ulp itself.
    expect(error, `at ${at}`).toBeLessThan(name === 'erf' ? 12 : 5);
  });

  it.each(['f32x4', 'f64x2'] as const)('%s pow', (lane) => {
    const round = lane === 'f32x4' ? Math.fround : (x: number) => x;
    const reach = lane === 'f32x4' ? 100 : 800;
    const [xs, ys]: [number[], number[]] = [[], []];
    for (let k = 0; k < 20000; k++) {
      const x = round(k % 2 === 0 ? 2 ** (40 * random() - 20) : 1 + (random() - 0.5) / 8);
      xs.push(k % 5 === 0 ? -x : x);
      const y = round((reach * (2 * random() - 1)) / Math.max(Math.abs(Math.log(x)), 1e-3));
      ys.push(k % 5 === 0 ? Math.round(y) : y);
    }
    const { error, at } = worst(
      lane,
      xs,
      evaluate(lane, 'pow', xs, ys, { fused }),
      (k) => (xs[k] as number) ** (ys[k] as number),
    );
    console.info(`${lane} pow: ${error.toFixed(2)} ulp at ${at}`);
    expect(error, `at ${at}`).toBeLessThan(lane === 'f32x4' ? 1 : 5);
  });
});

describe.each(['f32x4', 'f64x2'] as const)('%s special values', (lane) => {
  const specials = [0, -0, 1, -1, 0.5, 2, 1e-45, -1e-45, 1e-310, 1e30, -1e30, Infinity, -Infinity, Number.NaN].map(
    (x) => (lane === 'f32x4' ? Math.fround(x) : x),
  );

  it.each(Object.keys(exact) as UnaryTranscendental[])('%s', (name) => {
    const periodic = name === 'sin' || name === 'cos';
    const xs = specials.filter((x) => !periodic || !Number.isFinite(x) || Math.abs(x) < 1e6);
    const got = evaluate(lane, name, xs);
    for (const [k, x] of xs.entries())
      expect(ulps(lane, got[k] as number, exact[name](x)), `${name}(${x}) = ${got[k]}`).toBeLessThan(4);
  });

  it.each(Object.keys(exact) as UnaryTranscendental[])('%s of a NaN of any bits', (name) => {
    const xs =
      lane === 'f32x4'
        ? new Float32Array(new Uint32Array([0x7fc00000, 0xffc00000, 0x7fffffff, 0xffffffff]).buffer)
        : new Float64Array(
            new BigUint64Array([0x7ff8n << 48n, 0xfff8n << 48n, (1n << 63n) - 1n, (1n << 64n) - 1n]).buffer,
          );
    expect([...evaluate(lane, name, xs)]).toEqual([NaN, NaN, NaN, NaN]);
  });

  it('exp is 0 wherever it underflows', () => {
    const xs = Array.from({ length: 400 }, (_, k) => (lane === 'f32x4' ? -104 - k : -746 - 4 * k));
    expect(new Set(evaluate(lane, 'exp', [...xs, -1e30, -Infinity, -1e9, -3e38]))).toEqual(new Set([0]));
  });

  it('pow of every pair, as C99', () => {
    const extra = [3, -3, 2.5, 1e9 + 1, -0.5, 2 ** 24 + 2].map((x) => (lane === 'f32x4' ? Math.fround(x) : x));
    const values = [...specials, ...extra];
    const pairs = values.flatMap((x) => values.map((y) => [x, y] as const));
    const xs = pairs.map(([x]) => x);
    const ys = pairs.map(([, y]) => y);
    const got = evaluate(lane, 'pow', xs, ys);
    for (const [k, [x, y]] of pairs.entries()) {
      const one = x === 1 || (x === -1 && Math.abs(y) === Infinity);
      expect(ulps(lane, got[k] as number, one ? 1 : x ** y), `${x} ** ${y} = ${got[k]}`).toBeLessThan(4);
    }
  });
});

describe('carrying several vectors', () => {
  it.each(['f32x4', 'f64x2'] as const)('%s gives the same bits as one vector', (lane) => {
    const xs = samples(lane, 0.01, 20, 256).slice(0, 256);
    for (const name of [...Object.keys(exact), 'pow'] as Name[]) {
      expect(evaluate(lane, name, xs, xs, { width: 4 })).toEqual(evaluate(lane, name, xs, xs));
    }
  });
});

describe('emitTranscendental', () => {
  it('takes operands from the stack and leaves the result there', () => {
    const module = new ModuleBuilder();
    const constants = new Constants(0, 0); // no room: constants are immediates
    module.function({ params: ['f32', 'f32'], results: ['f32'], export: 'pow' }, (f) => {
      for (const param of f.params) f.get(param).op('f32x4.splat');
      emitTranscendental(new VectorEmitter(f, { constants, features: { relaxedSimd: false } }), 'f32x4', 'pow');
      f.lane('f32x4.extract_lane', 2);
    });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()));
    expect((exports.pow as (x: number, y: number) => number)(3, 4)).toBe(81);
  });
});
