/**
 * Networks that tests train whole, of any size: written in plain operations, so that whatever is fused is the scheduler's doing.
 * Parameters start at zero; a test that runs them fills them.
 */
import { crossEntropy, LayerNorm, Parameter } from '@dl/layers';
import { arange, stack, type Tensor, zeros } from '@dl/tensor';

export interface Model {
  readonly parameters: readonly Parameter[];
  /** @param ids - i32, as is `targets`, of one shape: `[time, batch]` for `lstm`, `[batch, time]` for `gpt` */
  loss(ids: Tensor, targets: Tensor): Tensor;
}

const parameter = (shape: readonly number[]): Parameter => new Parameter(zeros(shape));

interface Linear {
  readonly w: Parameter;
  readonly b: Parameter;
}

const linear = (inputs: number, outputs: number): Linear => ({
  w: parameter([outputs, inputs]),
  b: parameter([outputs]),
});

const apply = (x: Tensor, { w, b }: Linear): Tensor => x.matmul(w.transpose(0, 1)).add(b);

export interface LstmSizes {
  readonly layers: number;
  readonly vocabulary: number;
  readonly hidden: number;
  readonly time: number;
  readonly batch: number;
}

/** A language model of LSTM layers, unrolled over time. */
export function lstm({ layers, vocabulary, hidden, time, batch }: LstmSizes): Model {
  const embedding = parameter([vocabulary, hidden]);
  const cells = Array.from({ length: layers }, () => ({
    input: linear(hidden, 4 * hidden),
    state: linear(hidden, 4 * hidden),
  }));
  const head = linear(hidden, vocabulary);
  const linears = [...cells.flatMap(({ input, state }) => [input, state]), head];
  const loss = (ids: Tensor, targets: Tensor): Tensor => {
    const embedded = embedding.take(0, ids); // [T, B, H]
    let inputs = Array.from({ length: time }, (_, t) => embedded.at(t));
    for (const cell of cells) inputs = unrolled(cell, inputs, zeros([batch, hidden]));
    const states = stack(inputs, 0).reshape([time * batch, hidden]);
    return crossEntropy(apply(states, head), targets.reshape([time * batch]));
  };
  return { parameters: [embedding, ...linears.flatMap(({ w, b }) => [w, b])], loss };
}

interface Cell {
  readonly input: Linear;
  readonly state: Linear;
}

function unrolled({ input, state }: Cell, inputs: readonly Tensor[], start: Tensor): Tensor[] {
  let [h, c] = [start, start];
  return inputs.map((x) => {
    const gates = apply(x, input).add(apply(h, state));
    const [i, f, g, o] = gates.chunk(1, 4) as [Tensor, Tensor, Tensor, Tensor];
    c = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
    h = o.sigmoid().mul(c.tanh());
    return h;
  });
}

export interface GptSizes {
  readonly vocabulary: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly time: number;
  readonly batch: number;
}

/** A language model of Transformer blocks, with causal attention and GELU. */
export function gpt({ vocabulary, width, layers, heads, time, batch }: GptSizes): Model {
  const blocks = Array.from({ length: layers }, () => ({
    norm1: new LayerNorm(width),
    qkv: linear(width, 3 * width),
    proj: linear(width, width),
    norm2: new LayerNorm(width),
    up: linear(width, 4 * width),
    down: linear(4 * width, width),
  }));
  const [embedding, positions, head] = [
    [vocabulary, width],
    [time, width],
    [vocabulary, width],
  ].map(parameter) as [Parameter, Parameter, Parameter];
  const last = new LayerNorm(width);
  const weights = blocks.flatMap(({ norm1, norm2, ...linears }) => [
    ...norm1.parameters(),
    ...norm2.parameters(),
    ...Object.values(linears).flatMap(({ w, b }) => [w, b]),
  ]);
  const loss = (ids: Tensor, targets: Tensor): Tensor => {
    let h = embedding.take(0, ids).add(positions); // [B, T, D]
    const place = arange(time);
    const future = place.reshape([time, 1]).lt(place.reshape([1, time]));
    for (const block of blocks) {
      const split = (z: Tensor): Tensor => z.reshape([batch, time, heads, width / heads]).permute([0, 2, 1, 3]);
      const [q, k, v] = apply(block.norm1.forward(h), block.qkv).chunk(2, 3).map(split) as [Tensor, Tensor, Tensor];
      const scores = q.matmul(k.transpose(-2, -1)).mul(1 / Math.sqrt(width / heads));
      const mixed = future.where(-Infinity, scores).softmax(-1).matmul(v);
      h = h.add(apply(mixed.permute([0, 2, 1, 3]).reshape([batch, time, width]), block.proj));
      const u = apply(block.norm2.forward(h), block.up);
      h = h.add(apply(u.mul(0.5).mul(u.mul(Math.SQRT1_2).erf().add(1)), block.down));
    }
    const logits = last.forward(h).matmul(head.transpose(0, 1));
    return crossEntropy(logits.reshape([batch * time, vocabulary]), targets.reshape([batch * time]));
  };
  return { parameters: [embedding, positions, head, ...last.parameters(), ...weights] as Parameter[], loss };
}
