/* Three small models, each with its data and one compiled step of Adam: what trains on one backend should train alike on another. */
import { LearnedPositions, TransformerEncoder, TransformerEncoderLayer } from '@dl/attention';
import {
  Conv2d,
  crossEntropy,
  Embedding,
  Flatten,
  LayerNorm,
  Linear,
  linear,
  MaxPool2d,
  ReLU,
  Sequential,
} from '@dl/layers';
import { Adam } from '@dl/optim';
import { LSTM } from '@dl/rnn';
import { type Backend, compile, setBackend, setSeed, type Tensor, tensor } from '@dl/tensor';

/** Makes a model and its data, and answers one step of training: the loss before the update. */
export type Training = () => Promise<(step: number) => Tensor>;

/** Numbers from 0 to below a limit that depend on place alone, the same on every backend. */
const pattern = (size: number, below: number, seed = 1): number[] =>
  Array.from({ length: size }, (_, i) => (Math.imul(i + seed, 0x9e3779b1) >>> 16) % below);

const labels = (values: readonly number[], shape: readonly number[]): Tensor =>
  tensor(Int32Array.from(values), [...shape], { dtype: 'i32' });

export interface LeNetSizes {
  readonly batch: number;
  readonly image: number;
  readonly channels: readonly [number, number];
}

/** Two convolutions with pooling, two linear layers; images of noise with labels to be learned by heart. */
export const leNet =
  ({ batch, image, channels: [c1, c2] }: LeNetSizes): Training =>
  async () => {
    const side = Math.floor((Math.floor(image / 2) - 2) / 2);
    const model = new Sequential(
      new Conv2d(1, c1, 3, { padding: 1 }),
      new ReLU(),
      new MaxPool2d(2),
      new Conv2d(c1, c2, 3),
      new ReLU(),
      new MaxPool2d(2),
      new Flatten(),
      new Linear(c2 * side * side, 32),
      new ReLU(),
      new Linear(32, 10),
    );
    const optimizer = new Adam(model.parameters(), { lr: 2e-3 });
    const step = compile((x: Tensor, y: Tensor) => {
      const loss = crossEntropy(model.forward(x), y);
      optimizer.minimize(loss);
      return loss;
    });
    const batches = [0, 1, 2].map((i) => ({
      x: tensor(
        Float32Array.from(pattern(batch * image * image, 256, i), (v) => v / 128 - 1),
        [batch, 1, image, image],
      ),
      y: labels(pattern(batch, 10, 7 * i), [batch]),
    }));
    return (i) => step(batches[i % 3]!.x, batches[i % 3]!.y);
  };

export interface TextSizes {
  readonly batch: number;
  readonly time: number;
  readonly vocabulary: number;
  readonly width: number;
}

/** Text whose next letter follows from the last two, with its targets. */
function text({ batch, time, vocabulary }: TextSizes): { ids: number[]; targets: number[] } {
  const ids: number[] = [];
  const targets: number[] = [];
  for (let b = 0; b < batch; b++) {
    let [before, last] = [b % vocabulary, (3 * b + 1) % vocabulary];
    for (let t = 0; t < time; t++) {
      const next = (before + 2 * last + 1) % vocabulary;
      ids.push(last);
      targets.push(next);
      [before, last] = [last, next];
    }
  }
  return { ids, targets };
}

/** Embedding, LSTM and a linear layer. */
export const lstm =
  (sizes: TextSizes): Training =>
  async () => {
    const { batch, time, vocabulary, width } = sizes;
    const embedding = new Embedding(vocabulary, width);
    const layer = new LSTM(width, width, { batchFirst: true });
    const head = new Linear(width, vocabulary);
    const optimizer = new Adam([...embedding.parameters(), ...layer.parameters(), ...head.parameters()], { lr: 1e-2 });
    const step = compile((x: Tensor, y: Tensor) => {
      const { output } = layer.forward(embedding.forward(x));
      const loss = crossEntropy(head.forward(output).reshape([-1, vocabulary]), y.reshape([-1]));
      optimizer.minimize(loss, { clipNorm: 1 });
      return loss;
    });
    const { ids, targets } = text(sizes);
    const [x, y] = [labels(ids, [batch, time]), labels(targets, [batch, time])];
    return () => step(x, y);
  };

/** A decoder-only Transformer of two layers. */
export const gpt =
  (sizes: TextSizes): Training =>
  async () => {
    const { batch, time, vocabulary, width } = sizes;
    const tokens = new Embedding(vocabulary, width);
    const positions = new LearnedPositions(time, width);
    const layer = () =>
      new TransformerEncoderLayer(width, 2, {
        dimFeedforward: 4 * width,
        activation: 'gelu',
        dropout: 0,
        normFirst: true,
        batchFirst: true,
      });
    const encoder = new TransformerEncoder(layer, 2, { norm: new LayerNorm(width) });
    const parameters = [...tokens.parameters(), ...positions.parameters(), ...encoder.parameters()];
    const optimizer = new Adam(parameters, { lr: 3e-3 });
    const step = compile((x: Tensor, y: Tensor) => {
      const h = encoder.forward(positions.forward(tokens.forward(x)), { causal: true });
      const loss = crossEntropy(linear(h, tokens.weight).reshape([-1, vocabulary]), y.reshape([-1]));
      optimizer.minimize(loss);
      return loss;
    });
    const { ids, targets } = text(sizes);
    const [x, y] = [labels(ids, [batch, time]), labels(targets, [batch, time])];
    return () => step(x, y);
  };

/** The losses of so many steps from one seed. */
export async function lossesOn(backend: Backend, training: Training, steps: number): Promise<number[]> {
  setBackend(backend);
  setSeed(11);
  const step = await training();
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push(await step(i).item());
  return losses;
}
