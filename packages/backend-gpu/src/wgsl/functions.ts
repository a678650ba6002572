/*
 * WGSL functions that kernels call. WGSL lets an implementation assume that there is no NaN and no infinity, so what depends on
 * them looks at bits; and its elementary functions are far less exact than a comparison with a CPU allows, so they are written
 * out: an argument reduced to a short interval, and a polynomial there. Coefficients: Cephes (exp, log, sin, cos), N. Juffa
 * (erf, and the reduction of large angles after Payne and Hanek).
 */

interface FunctionSource {
  readonly needs: readonly string[];
  readonly code: string;
}

const number = (x: number): string => {
  const text = String(Math.fround(x));
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
};

/** Horner's scheme, the highest coefficient first. */
const polynomial = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(1).reduce((p, c) => `fma(${p}, ${x}, ${number(c)})`, number(coefficients[0]!));

const expCoefficients = [1.9890981e-4, 1.3933641e-3, 8.33331093e-3, 4.1666465e-2, 1.66666667e-1, 5.00000001e-1];
const logCoefficients = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
];
const sinCoefficients = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1];
const cosCoefficients = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2];
const erfSmall = [-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1];
const erfTail = [
  -1.7285347e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1,
];

const table = {
  // Not constants: a compiler that sees an infinity or NaN refuses it.
  inf: {
    needs: [],
    code: 'var<private> inf_bits: u32 = 0x7f800000u;\nfn inf() -> f32 { return bitcast<f32>(inf_bits); }',
  },
  nan: {
    needs: [],
    code: 'var<private> nan_bits: u32 = 0x7fc00000u;\nfn nan() -> f32 { return bitcast<f32>(nan_bits); }',
  },
  is_nan: { needs: [], code: 'fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }' },
  with_sign: {
    needs: [],
    code: 'fn with_sign(x: f32, s: f32) -> f32 { return bitcast<f32>((bitcast<u32>(x) & 0x7fffffffu) | (bitcast<u32>(s) & 0x80000000u)); }',
  },
  floor_div: {
    needs: [],
    code: 'fn floor_div(a: i32, d: i32) -> i32 { let q = a / d; return select(q, q - 1, q * d > a); }',
  },
  max_f32: {
    needs: ['is_nan'],
    code: 'fn max_f32(a: f32, b: f32) -> f32 { return select(select(select(b, a, a > b), b, is_nan(b)), a, is_nan(a)); }',
  },
  min_f32: {
    needs: ['is_nan'],
    code: 'fn min_f32(a: f32, b: f32) -> f32 { return select(select(select(b, a, a < b), b, is_nan(b)), a, is_nan(a)); }',
  },
  eq_f32: {
    needs: ['is_nan'],
    code: 'fn eq_f32(a: f32, b: f32) -> bool { return a == b && !is_nan(a) && !is_nan(b); }',
  },
  lt_f32: {
    needs: ['is_nan'],
    code: 'fn lt_f32(a: f32, b: f32) -> bool { return a < b && !is_nan(a) && !is_nan(b); }',
  },
  sign_f32: { needs: ['is_nan'], code: 'fn sign_f32(x: f32) -> f32 { return select(sign(x), x, is_nan(x)); }' },
  /** f · 2^n for n from −150 to 129. */
  scale2: {
    needs: [],
    code: `fn scale2(f: f32, n: i32) -> f32 {
  let half = n >> 1u;
  return f * bitcast<f32>((half + 127) << 23u) * bitcast<f32>((n - half + 127) << 23u);
}`,
  },
  /** e^r − 1 for |r| ≤ ln 2 / 2. */
  expm1_reduced: {
    needs: [],
    code: `fn expm1_reduced(r: f32) -> f32 { return fma(r * r, ${polynomial('r', expCoefficients)}, r); }`,
  },
  ln2_rest: {
    needs: [],
    code: `fn ln2_rest(x: f32, n: f32) -> f32 { return fma(n, ${number(2.1219444e-4)}, fma(n, -0.693359375f, x)); }`,
  },
  exp_f32: {
    needs: ['is_nan', 'inf', 'scale2', 'expm1_reduced', 'ln2_rest'],
    code: `fn exp_f32(x: f32) -> f32 {
  let c = clamp(x, -104.0f, 88.8f);
  let n = round(c * ${number(Math.LOG2E)});
  let y = scale2(1.0f + expm1_reduced(ln2_rest(c, n)), i32(n));
  return select(select(y, inf(), x > 88.722839f), x, is_nan(x));
}`,
  },
  expm1_f32: {
    needs: ['is_nan', 'exp_f32', 'expm1_reduced'],
    code: `fn expm1_f32(x: f32) -> f32 {
  if (abs(x) < 0.34f) { return expm1_reduced(x); }
  return exp_f32(x) - 1.0f;
}`,
  },
  /** log(1 + f) for 1 + f between √½ and √2. */
  log_reduced: {
    needs: [],
    code: `fn log_reduced(f: f32) -> f32 {
  let s = f * f;
  return f + fma(s, -0.5f, s * f * ${polynomial('f', logCoefficients)});
}`,
  },
  /** x = m · 2^e with m between √½ and √2, for finite x > 0. */
  split_log: {
    needs: [],
    code: `struct Parts { m: f32, e: f32 }
fn split_log(x: f32) -> Parts {
  let tiny = x < 1.1754944e-38f;
  let offset = bitcast<i32>(select(x, x * 8388608.0f, tiny)) - 0x3f3504f3;
  return Parts(bitcast<f32>((offset & 0x007fffff) + 0x3f3504f3), f32(offset >> 23u) - select(0.0f, 23.0f, tiny));
}`,
  },
  log_f32: {
    needs: ['is_nan', 'inf', 'nan', 'log_reduced', 'split_log'],
    code: `fn log_f32(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  if (is_nan(x) || bits == 0x7f800000u) { return x; }
  if ((bits & 0x7fffffffu) == 0u) { return -inf(); }
  if (bits > 0x7fffffffu) { return nan(); }
  let p = split_log(x);
  return fma(p.e, 0.693359375f, fma(p.e, ${number(-2.1219444e-4)}, log_reduced(p.m - 1.0f)));
}`,
  },
  log1p_f32: {
    needs: ['log_f32', 'log_reduced'],
    code: `fn log1p_f32(x: f32) -> f32 {
  if (x > -0.29f && x < 0.41f) { return log_reduced(x); }
  return log_f32(1.0f + x);
}`,
  },
  tanh_f32: {
    needs: ['is_nan', 'with_sign', 'expm1_f32'],
    code: `fn tanh_f32(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  let t = expm1_f32(2.0f * min(abs(x), 9.1f));
  return with_sign(t / (t + 2.0f), x);
}`,
  },
  erf_f32: {
    needs: ['is_nan', 'with_sign', 'expm1_f32'],
    code: `fn erf_f32(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  let a = abs(x);
  if (a <= 0.92773f) { let s = x * x; return fma(${polynomial('s', erfSmall)}, x, x); }
  let t = min(a, 4.0f);
  return with_sign(-expm1_f32(fma(${polynomial('t', erfTail)}, t, -t)), x);
}`,
  },
  /** The upper half of a 64-bit product. */
  mul_high: {
    needs: [],
    code: `fn mul_high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu; let a1 = a >> 16u; let b0 = b & 0xffffu; let b1 = b >> 16u;
  let mid = a1 * b0 + ((a0 * b0) >> 16u);
  let low = a0 * b1 + (mid & 0xffffu);
  return a1 * b1 + (mid >> 16u) + (low >> 16u);
}`,
  },
  /** x = q · π/2 + r: beyond 64 by the product of x with as many digits of 2/π as matter, in 2.62 fixed point. */
  quadrant: {
    needs: ['mul_high'],
    code: `struct Angle { r: f32, q: i32 }
fn quadrant(x: f32) -> Angle {
  if (abs(x) < 64.0f) {
    let n = round(x * ${number(2 / Math.PI)});
    return Angle(fma(n, -7.5497899548918821e-8f, fma(n, -4.837512969970703e-4f, fma(n, -1.5703125f, x))), i32(n));
  }
  let bits = bitcast<u32>(x);
  let m = (bits << 8u) | 0x80000000u;
  var digits = array<u32, 7>(0u, 0x28be60dbu, 0x9391054au, 0x7f09d5f4u, 0x7d4d3770u, 0x36d8a566u, 0x4f10e410u);
  let e = ((bits >> 23u) & 0xffu) - 126u;
  let i = e >> 5u;
  let s = e & 31u;
  var high = digits[i]; var mid = digits[i + 1u]; var low = digits[i + 2u];
  if (s > 0u) {
    high = (high << s) | (mid >> (32u - s));
    mid = (mid << s) | (low >> (32u - s));
    low = (low << s) | (digits[min(i + 3u, 6u)] >> (32u - s));
  }
  let carry = mul_high(m, low);
  let p0 = m * mid + carry;
  let p1 = mul_high(m, mid) + select(0u, 1u, p0 < carry) + m * high;
  let rounded = p1 + 0x20000000u;
  let q = i32(rounded >> 30u);
  let fraction = bitcast<i32>(p1 << 2u);
  let r = (f32(fraction) + f32(p0 >> 30u) + f32(p0 & 0x3fffffffu) * 9.313225746154785e-10f) * ${number((Math.PI / 2) * 2 ** -32)};
  return Angle(select(r, -r, x < 0.0f), select(q, -q, x < 0.0f));
}`,
  },
  sine: {
    needs: ['quadrant', 'nan'],
    code: `fn sine(x: f32, turn: i32) -> f32 {
  if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u) { return nan(); }
  let a = quadrant(x);
  let q = a.q + turn;
  let s = a.r * a.r;
  let sin_r = fma(a.r * s, ${polynomial('s', sinCoefficients)}, a.r);
  let cos_r = 1.0f + fma(s, -0.5f, s * s * ${polynomial('s', cosCoefficients)});
  let y = select(sin_r, cos_r, (q & 1) != 0);
  return select(y, -y, (q & 2) != 0);
}`,
  },
  sin_f32: { needs: ['sine'], code: 'fn sin_f32(x: f32) -> f32 { return sine(x, 0); }' },
  cos_f32: { needs: ['sine'], code: 'fn cos_f32(x: f32) -> f32 { return sine(x, 1); }' },
  /** C99's special cases but that NaN^0 is 1; elsewhere 2^(y·e) · 2^(y·log₂ m) for x = m · 2^e. */
  pow_f32: {
    needs: ['is_nan', 'inf', 'nan', 'with_sign', 'split_log', 'log_reduced', 'expm1_reduced', 'scale2'],
    code: `fn pow_f32(x: f32, y: f32) -> f32 {
  let ax = bitcast<u32>(x) & 0x7fffffffu;
  let ay = bitcast<u32>(y) & 0x7fffffffu;
  if (bitcast<u32>(x) == 0x3f800000u || ay == 0u) { return 1.0f; }
  if (ax > 0x7f800000u || ay > 0x7f800000u) { return nan(); }
  let up = y > 0.0f;
  if (ay == 0x7f800000u) {
    if (ax == 0x3f800000u) { return 1.0f; }
    return select(0.0f, inf(), (ax > 0x3f800000u) == up);
  }
  let whole = ay >= 0x4b800000u || trunc(y) == y;
  let odd = ay < 0x4b800000u && whole && (i32(y) & 1) != 0;
  let s = select(1.0f, x, odd);
  if (ax == 0u) { return with_sign(select(inf(), 0.0f, up), s); }
  if (ax == 0x7f800000u) { return with_sign(select(0.0f, inf(), up), s); }
  if (bitcast<u32>(x) > 0x7fffffffu && !whole) { return nan(); }
  let p = split_log(bitcast<f32>(ax));
  let l = log_reduced(p.m - 1.0f) * ${number(Math.LOG2E)};
  let c = clamp(y, -1e6f, 1e6f);
  let a = c * p.e;
  let n = clamp(round(a + c * l), -200.0f, 200.0f);
  let r = (a - n) + fma(c, p.e, -a) + c * l;
  if (n > 128.0f) { return with_sign(inf(), s); }
  if (n < -149.0f) { return with_sign(0.0f, s); }
  return with_sign(scale2(1.0f + expm1_reduced(r * ${number(Math.LN2)}), i32(n)), s);
}`,
  },
  /** The exact remainder, by long division of the significands eight bits at a time. */
  mod_f32: {
    needs: ['nan', 'scale2', 'with_sign'],
    code: `fn mod_f32(x: f32, y: f32) -> f32 {
  let ax = bitcast<u32>(x) & 0x7fffffffu;
  let ay = bitcast<u32>(y) & 0x7fffffffu;
  if (ay == 0u || ax >= 0x7f800000u || ay > 0x7f800000u) { return nan(); }
  var rest = x;
  if (ax >= ay) {
    let ex = max(ax >> 23u, 1u);
    let ey = max(ay >> 23u, 1u);
    let my = (ay & 0x7fffffu) | select(0u, 0x800000u, ay >= 0x800000u);
    var m = ((ax & 0x7fffffu) | select(0u, 0x800000u, ax >= 0x800000u)) % my;
    var shift = ex - ey;
    while (shift > 0u && m != 0u) {
      let step = min(shift, 8u);
      m = (m << step) % my;
      shift -= step;
    }
    rest = with_sign(scale2(f32(m), i32(ey) - 150), x);
  }
  return select(rest, rest + y, rest != 0.0f && (rest < 0.0f) != (y < 0.0f));
}`,
  },
  div_i32: {
    needs: [],
    code: 'fn div_i32(a: i32, b: i32) -> i32 { return select(a / select(b, 1, b == 0), 0, b == 0); }',
  },
  div_u32: {
    needs: [],
    code: 'fn div_u32(a: u32, b: u32) -> u32 { return select(a / select(b, 1u, b == 0u), 0u, b == 0u); }',
  },
  mod_i32: {
    needs: [],
    code: `fn mod_i32(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  let r = a % b;
  return select(r, r + b, r != 0 && (r < 0) != (b < 0));
}`,
  },
  mod_u32: {
    needs: [],
    code: 'fn mod_u32(a: u32, b: u32) -> u32 { return select(a % select(b, 1u, b == 0u), 0u, b == 0u); }',
  },
  pow_u32: {
    needs: [],
    code: `fn pow_u32(x: u32, y: u32) -> u32 {
  var result = 1u; var base = x; var n = y;
  while (n > 0u) {
    if ((n & 1u) != 0u) { result *= base; }
    base *= base;
    n >>= 1u;
  }
  return result;
}`,
  },
  pow_i32: {
    needs: ['pow_u32'],
    code: `fn pow_i32(x: i32, y: i32) -> i32 {
  if (y < 0) { return select(select(0, select(1, -1, (y & 1) != 0), x == -1), 1, x == 1); }
  return bitcast<i32>(pow_u32(bitcast<u32>(x), bitcast<u32>(y)));
}`,
  },
  i32_of_f32: {
    needs: ['is_nan'],
    code: `fn i32_of_f32(x: f32) -> i32 {
  if (is_nan(x)) { return 0; }
  if (x >= 2147483648.0f) { return 2147483647; }
  return i32(max(x, -2147483648.0f));
}`,
  },
  u32_of_f32: {
    needs: ['is_nan'],
    code: `fn u32_of_f32(x: f32) -> u32 {
  if (is_nan(x)) { return 0u; }
  if (x >= 4294967296.0f) { return 4294967295u; }
  return u32(max(x, 0.0f));
}`,
  },
  /** The number that sixteen bits stand for. */
  f32_of_f16: {
    needs: [],
    code: `fn f32_of_f16(h: u32) -> f32 {
  let s = (h & 0x8000u) << 16u;
  let m = h & 0x7fffu;
  if (m >= 0x7c00u) { return bitcast<f32>(s | 0x7f800000u | ((m & 0x3ffu) << 13u)); }
  if (m < 0x400u) { return bitcast<f32>(s | bitcast<u32>(f32(m) * 5.9604644775390625e-8f)); }
  return bitcast<f32>(s | ((m << 13u) + 0x38000000u));
}`,
  },
  /** The nearest of sixteen bits, ties to even. */
  f16_of_f32: {
    needs: [],
    code: `fn f16_of_f32(x: f32) -> u32 {
  let s = (bitcast<u32>(x) >> 16u) & 0x8000u;
  let a = bitcast<u32>(x) & 0x7fffffffu;
  if (a > 0x7f800000u) { return 0x7e00u; }
  if (a >= 0x477ff000u) { return s | 0x7c00u; }
  if (a < 0x38800000u) { return s | u32(round(bitcast<f32>(a) * 16777216.0f)); }
  return s | ((a - 0x38000000u + 0xfffu + ((a >> 13u) & 1u)) >> 13u);
}`,
  },
  /** threefry2x32 with 20 rounds, the first word (Salmon et al. 2011). */
  random: {
    needs: [],
    code: `fn turned(x: u32, by: u32) -> u32 { return (x << by) | (x >> (32u - by)); }
fn random(k0: u32, k1: u32, c0: u32, c1: u32) -> u32 {
  var keys = array<u32, 3>(k0, k1, 0x1bd11bdau ^ k0 ^ k1);
  var turns = array<u32, 8>(13u, 15u, 26u, 6u, 17u, 29u, 16u, 24u);
  var x0 = c0 + k0;
  var x1 = c1 + k1;
  for (var i = 0u; i < 20u; i++) {
    x0 += x1;
    x1 = turned(x1, turns[i & 7u]) ^ x0;
    if ((i & 3u) == 3u) {
      let j = (i + 1u) >> 2u;
      x0 += keys[j % 3u];
      x1 += keys[(j + 1u) % 3u] + j;
    }
  }
  return x0;
}`,
  },
  random_at: {
    needs: ['random'],
    code: `fn random_at(k0: u32, k1: u32, low: u32, high: u32, index: i32) -> u32 {
  let c = low + u32(index);
  return random(k0, k1, c, high + select(0u, 1u, c < low));
}`,
  },
  /** Whether x comes after best in an order in which NaN is largest. */
  exceeds_f32: {
    needs: ['is_nan'],
    code: 'fn exceeds_f32(x: f32, best: f32) -> bool { return select(!is_nan(best) && x > best, !is_nan(best), is_nan(x)); }',
  },
} as const satisfies Record<string, FunctionSource>;

export type FunctionName = keyof typeof table;

/** The text of functions and of all that they need, each before its first use. */
export function functionsSource(names: Iterable<FunctionName>): string {
  const done = new Set<string>();
  const parts: string[] = [];
  const add = (name: string): void => {
    if (done.has(name)) return;
    done.add(name);
    const { needs, code } = table[name as FunctionName] as FunctionSource;
    needs.forEach(add);
    parts.push(code);
  };
  for (const name of [...names].sort()) add(name);
  return parts.join('\n');
}
