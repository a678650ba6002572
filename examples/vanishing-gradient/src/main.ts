/**
 * `pnpm example vanishing-gradient`: the gradient of the last output's sum with respect to the state at each of 100 time
 * steps, of an RNN, a GRU and an LSTM, as they begin and with their gates set to keep. Prints the norms and draws them.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cpu } from '@dl/backend-cpu';
import { lineCharts } from '@dl/example-kit';
import { GRU, gradientNorms, inspect, LSTM, type Recurrent, RNN } from '@dl/rnn';
import { rand, setBackend, setSeed, zeros } from '@dl/tensor';

const [STEPS, BATCH, INPUT, HIDDEN] = [100, 16, 8, 32];

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    out: { type: 'string', default: 'out/vanishing-gradient' },
  },
});

/** Adds to the bias of the second gate: z of a GRU, f of an LSTM. Both say how much of the past is kept. */
function keeping<L extends Recurrent>(layer: L, gates: number): L {
  const [, bias] = layer.namedParameters().find(([key]) => key === 'bias_ih_l0')!;
  bias.assign(zeros([gates * HIDDEN]).with([`${HIDDEN}:${2 * HIDDEN}`], 4));
  return layer;
}

/** Norms at times 1 to 100, as a share of the last. */
async function sharesOf(layer: Recurrent): Promise<number[]> {
  const { output, layers } = inspect(layer, rand([STEPS, BATCH, INPUT]));
  const norms = await gradientNorms(output.at(-1).sum(), layers[0]!.hidden).array(1);
  return norms.map((norm) => norm / norms.at(-1)!);
}

const colours = ['#d9480f', '#1f6feb', '#2b8a3e', '#7c3aed', '#0b7285'];

/** The shares over time on a scale of powers of ten. */
const draw = (series: Readonly<Record<string, readonly number[]>>): string =>
  lineCharts([
    {
      title: 'Gradient that reaches each time step, as a share of the last',
      series: Object.entries(series).map(([name, values], i) => ({ name, colour: colours[i]!, values })),
      along: 'time step',
      format: () => '',
      ticks: '.0e',
      logFrom: 1e-20,
      width: 640,
    },
  ]);

setBackend(await cpu());
setSeed(Number(values.seed));
const layers: Readonly<Record<string, Recurrent>> = {
  RNN: new RNN(INPUT, HIDDEN),
  GRU: new GRU(INPUT, HIDDEN),
  LSTM: new LSTM(INPUT, HIDDEN),
  'GRU, z near 1': keeping(new GRU(INPUT, HIDDEN), 3),
  'LSTM, f near 1': keeping(new LSTM(INPUT, HIDDEN), 4),
};
const shares: Record<string, number[]> = {};
for (const [name, layer] of Object.entries(layers)) {
  shares[name] = await sharesOf(layer);
  const [first, middle] = [shares[name][0]!, shares[name][STEPS / 2]!];
  console.log(
    `${name.padEnd(16)} step 1: ${first.toExponential(1)}  step ${STEPS / 2 + 1}: ${middle.toExponential(1)}  step ${STEPS}: 1`,
  );
}
await mkdir(values.out, { recursive: true });
await writeFile(join(values.out, 'norms.svg'), draw(shares));
console.log(`drawn: ${join(values.out, 'norms.svg')}`);
if (values.json) {
  const reaching = Object.fromEntries(Object.entries(shares).map(([name, list]) => [name, list[0]]));
  console.log(JSON.stringify({ example: 'vanishing-gradient', steps: STEPS, shareAtFirstStep: reaching }));
}
