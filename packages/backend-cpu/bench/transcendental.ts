/*
 * Speed of the elementary functions in ns an element: `npx tsx bench/transcendental.ts`. Columns are the number of
 * vectors carried together; each figure is the best of 40 passes over 4,096 random numbers in (0.05, 4).
 */

import { ModuleBuilder } from '../src/wasm/assembler';
import { Constants } from '../src/wasm/constants';
import { detectFeatures, type WasmFeatures } from '../src/wasm/features';
import { TRANSCENDENTAL, type UnaryTranscendental } from '../src/wasm/transcendental';
import { type FloatLane, VectorEmitter } from '../src/wasm/vector';

const COUNT = 4096;
const NAMES: readonly (UnaryTranscendental | 'pow')[] = [
  'exp',
  'expm1',
  'log',
  'log1p',
  'sin',
  'cos',
  'tanh',
  'erf',
  'pow',
];

interface Trial {
  readonly lane: FloatLane;
  readonly name: UnaryTranscendental | 'pow';
  readonly width: number;
}

function nanoseconds(features: WasmFeatures, { lane, name, width }: Trial): number {
  const memory = new WebAssembly.Memory({ initial: 4 });
  const bytes = COUNT * (lane === 'f32x4' ? 4 : 8);
  const [x, out] = [16384, 16384 + 65536 + 1088];
  const data = lane === 'f32x4' ? new Float32Array(memory.buffer, x, COUNT) : new Float64Array(memory.buffer, x, COUNT);
  for (let k = 0; k < COUNT; k++) data[k] = 0.05 + 3.95 * Math.random();
  const constants = new Constants(0, 8192);
  const module = new ModuleBuilder().importMemory({ minPages: 4 });
  module.function({ export: 'run' }, (f) => {
    const v = new VectorEmitter(f, { constants, features, width });
    const at = f.local('i32');
    f.for(at, { to: bytes, step: 16 * width }, () => {
      v.scope(() => {
        const input = v.fill((k) => f.get(at).mem('v128.load', x + 16 * k));
        const table = TRANSCENDENTAL[lane];
        const result = name === 'pow' ? table.pow(v, input, input) : table[name](v, input);
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
  const run = instance.exports.run as () => void;
  const warm = performance.now();
  while (performance.now() - warm < 40) run();
  let best = Infinity;
  for (let pass = 0; pass < 40; pass++) {
    const start = performance.now();
    for (let k = 0; k < 5; k++) run();
    best = Math.min(best, performance.now() - start);
  }
  return (best * 1e6) / (5 * COUNT);
}

const detected = await detectFeatures();
console.log(`${process.version}, relaxed SIMD ${detected.relaxedSimd}`);
for (const lane of ['f32x4', 'f64x2'] as const) {
  for (const relaxedSimd of detected.relaxedSimd ? [true, false] : [false]) {
    console.log(`\n${lane}, fused ${relaxedSimd}`.padEnd(28), '1       2       4');
    for (const name of NAMES) {
      const row = [1, 2, 4].map((width) => nanoseconds({ ...detected, relaxedSimd }, { lane, name, width }).toFixed(2));
      console.log(name.padEnd(22), ...row.map((figure) => figure.padStart(7)));
    }
  }
}
