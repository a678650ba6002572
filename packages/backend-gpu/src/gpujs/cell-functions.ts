/**
 * Functions that cells may call, as gpu.js source. They spell out what a shading language leaves open: what NaN does in a maximum or
 * a comparison, powers of negative numbers, digits near zero. Modes that run on the processor have JavaScript's own
 * functions and take those. NaN is what does not equal itself: WGSL answers false to `x != x`.
 * All are of floats to a float. No name may be one of GLSL's or WGSL's own (`equal`, `select`).
 */

/** A function of gpu.js: its name and source. */
export interface CellFunction {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly source: string;
}

const define = (name: string, parameters: string, body: string): CellFunction => ({
  name,
  parameters: parameters.split(', '),
  source: `function ${name}(${parameters}) {\n${body}\n}`,
});

const common: readonly CellFunction[] = [
  define('real', 'x', 'return x;'),
  define('floorOf', 'x', 'return Math.floor(x);'),
  define('ceilOf', 'x', 'return Math.ceil(x);'),
  // Exact for whole numbers up to 2^24, however the device rounds its division.
  define(
    'quotient',
    'a, b',
    `let q = Math.floor(a / b);
    const rest = a - q * b;
    if (rest < 0) { q = q - 1; }
    if (rest >= b) { q = q + 1; }
    return q;`,
  ),
  define('signOf', 'x', 'let r = x;\nif (x > 0) { r = 1.0; }\nif (x < 0) { r = -1.0; }\nreturn r;'),
  define('isEqual', 'a, b', 'let r = 0.0;\nif (a == b) { r = 1.0; }\nreturn r;'),
  define('isLess', 'a, b', 'let r = 0.0;\nif (a < b) { r = 1.0; }\nreturn r;'),
  define('isTrue', 'a', 'let r = 0.0;\nif (!(a == 0)) { r = 1.0; }\nreturn r;'),
  define('choose', 'c, a, b', 'let r = b;\nif (c != 0) { r = a; }\nreturn r;'),
  define(
    'roundToEven',
    'x',
    `const below = floorOf(x);
    const rest = x - below;
    let r = below;
    if (rest > 0.5) { r = below + 1; }
    if (rest == 0.5) { r = 2 * floorOf(below / 2 + 0.5); }
    return r;`,
  ),
  // Near zero by its series, else Abramowitz & Stegun 7.1.26.
  define(
    'erf',
    'x',
    `const size = Math.abs(x);
    const s = x * x;
    let r = x;
    if (size < 0.9) {
      let p = ${1 / 685440};
      p = p * s - ${1 / 75600};
      p = p * s + ${1 / 9360};
      p = p * s - ${1 / 1320};
      p = p * s + ${1 / 216};
      p = p * s - ${1 / 42};
      p = p * s + 0.1;
      p = p * s - ${1 / 3};
      r = 1.1283791670955126 * x * (p * s + 1);
    }
    if (size >= 0.9) {
      const t = 1 / (1 + 0.3275911 * size);
      let p = 1.061405429;
      p = p * t - 1.453152027;
      p = p * t + 1.421413741;
      p = p * t - 0.284496736;
      p = p * t + 0.254829592;
      r = Math.sign(x) * (1 - p * t * expOf(-s));
    }
    return r;`,
  ),
];

const exact: readonly CellFunction[] = [
  define('sinOf', 'x', 'return Math.sin(x);'),
  define('cosOf', 'x', 'return Math.cos(x);'),
  define('expOf', 'x', 'return Math.exp(x);'),
  define('logOf', 'x', 'return Math.log(x);'),
  define('maximum', 'a, b', 'return Math.max(a, b);'),
  define('minimum', 'a, b', 'return Math.min(a, b);'),
  define(
    'power',
    'x, y',
    `let r = Math.pow(x, y);
    if (x == 1) { r = 1.0; }
    if (x == -1 && y * 0.5 == y && y != 0) { r = 1.0; }
    return r;`,
  ),
  define(
    'floorMod',
    'x, y',
    `let r = x % y;
    if (r < 0 && y > 0) { r = r + y; }
    if (r > 0 && y < 0) { r = r + y; }
    return r;`,
  ),
  define('log1pOf', 'x', 'return Math.log1p(x);'),
  define('expm1Of', 'x', 'return Math.expm1(x);'),
  define('tanhOf', 'x', 'return Math.tanh(x);'),
];

/** π / 2 in three parts, the first two short enough that a few thousand times each is exact in f32. */
const halfPi = [1.5703125, 0.00048351287841796875, 3.139164786504813e-7] as const;

/** Sine of x + shift · π / 2: a rest within ±π / 4, and the series of sine or cosine by the quadrant. */
const sine = (name: string, shift: number): CellFunction =>
  define(
    name,
    'x',
    `const n = floorOf(x * ${2 / Math.PI} + 0.5);
    let r = x - n * ${halfPi[0]};
    r = r - n * ${halfPi[1]};
    r = r - n * ${halfPi[2]};
    const z = r * r;
    let s = ${1 / 362880};
    s = s * z - ${1 / 5040};
    s = s * z + ${1 / 120};
    s = s * z - ${1 / 6};
    s = r + r * z * s;
    let c = -${1 / 3628800};
    c = c * z + ${1 / 40320};
    c = c * z - ${1 / 720};
    c = c * z + ${1 / 24};
    c = c * z - 0.5;
    c = c * z + 1;
    const m = n + ${shift};
    const quadrant = m - 4 * floorOf(m * 0.25);
    let y = s;
    if (quadrant == 1) { y = c; }
    if (quadrant == 2) { y = -s; }
    if (quadrant == 3) { y = -c; }
    return y;`,
  );

const device: readonly CellFunction[] = [
  sine('sinOf', 0),
  sine('cosOf', 1),
  // 2^n times the series of the rest: drivers' own loses digits as x grows. 2^128 alone would be infinite.
  define(
    'expOf',
    'x',
    `let y = x;
    if (x > 89) { y = 89.0; }
    if (x < -104) { y = -104.0; }
    const n = floorOf(y * ${Math.LOG2E} + 0.5);
    const r = y - n * 0.693359375 + n * ${0.693359375 - Math.LN2};
    let p = ${1 / 5040};
    p = p * r + ${1 / 720};
    p = p * r + ${1 / 120};
    p = p * r + ${1 / 24};
    p = p * r + ${1 / 6};
    p = p * r + 0.5;
    p = p * r + 1;
    p = p * r + 1;
    return 2 * p * Math.pow(2, n - 1);`,
  ),
  // Below zero a driver may answer anything; the root of a negative number is NaN in each.
  define(
    'logOf',
    'x',
    `let r = Math.log(x);
    if (x == 0) { r = -1 / Math.abs(x); }
    if (x < 0) { r = Math.sqrt(x); }
    if (!(x == x)) { r = x; }
    return r;`,
  ),
  define('maximum', 'a, b', 'let r = b;\nif (a > b) { r = a; }\nif (!(a == a)) { r = a; }\nreturn r;'),
  define('minimum', 'a, b', 'let r = b;\nif (a < b) { r = a; }\nif (!(a == a)) { r = a; }\nreturn r;'),
  define(
    'power',
    'x, y',
    `let r = 1.0;
    if (y != 0 && x != 1) {
      if (x >= 0) { r = Math.pow(x, y); }
      if (x < 0) {
        const half = y * 0.5;
        r = Math.pow(-x, y);
        if (floorOf(half) != half && floorOf(y) == y) { r = -r; }
        if (floorOf(y) != y) { r = Math.sqrt(x); }
      }
      if (!(x == x)) { r = x; }
    }
    return r;`,
  ),
  define('floorMod', 'x, y', 'return x - y * floorOf(x / y);'),
  // log(1 + x) = 2 artanh(x / (2 + x))
  define(
    'log1pOf',
    'x',
    `let r = x;
    if (x > -0.25 && x < 0.35) {
      const s = x / (2 + x);
      const q = s * s;
      r = 2 * s * (1 + q * (${1 / 3} + q * (0.2 + q * (${1 / 7} + q / 9))));
    }
    if (x <= -0.25 || x >= 0.35) { r = logOf(1 + x); }
    return r;`,
  ),
  define(
    'expm1Of',
    'x',
    `let r = x;
    if (x > -0.5 && x < 0.5) {
      let p = ${1 / 362880};
      p = p * x + ${1 / 40320};
      p = p * x + ${1 / 5040};
      p = p * x + ${1 / 720};
      p = p * x + ${1 / 120};
      p = p * x + ${1 / 24};
      p = p * x + ${1 / 6};
      p = p * x + 0.5;
      r = x * (p * x + 1);
    }
    if (x <= -0.5 || x >= 0.5) { r = expOf(x) - 1; }
    return r;`,
  ),
  define(
    'tanhOf',
    'x',
    `let y = x;
    if (x > 15) { y = 15.0; }
    if (x < -15) { y = -15.0; }
    const t = expm1Of(2 * y);
    return t / (t + 2);`,
  ),
];

/** The functions for a mode that runs on the processor, or for one that runs through a graphics driver. */
export const cellFunctions = (onDevice: boolean): readonly CellFunction[] => [
  ...common,
  ...(onDevice ? device : exact),
];
