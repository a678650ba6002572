/** State dicts of `torch.nn.TransformerEncoder` and `torch.nn.Transformer`, with what they give: written by PyTorch 1.13 in f64. */
import { readFileSync } from 'node:fs';
import { LayerNorm, type Module, StateDictError } from '@dl/layers';
import { setBackend, type Tensor, tensor } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, expect, test } from 'vitest';
import { Transformer, TransformerEncoder, TransformerEncoderLayer } from '../src';

interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Fixture {
  readonly state: Readonly<Record<string, Stored>>;
  readonly src: Stored;
  readonly tgt: Stored;
  readonly padding: readonly number[];
  readonly out: Stored;
}

const fixtures = JSON.parse(readFileSync(new URL('./pytorch.json', import.meta.url), 'utf8')) as Record<
  'encoder' | 'transformer',
  Fixture
>;

const read = ({ shape, data }: Stored): Tensor => tensor(Float32Array.from(data), shape);
const load = (module: Module, { state }: Fixture): void =>
  void module.loadStateDict(Object.fromEntries(Object.entries(state).map(([key, value]) => [key, read(value)])));

/** Values of a few units, summed in f32 over a few hundred terms. */
async function expectClose(got: Tensor, want: Stored): Promise<void> {
  expect(got.shape).toEqual(want.shape);
  (await got.data()).forEach((value, i) => void expect(value).toBeCloseTo(want.data[i]!, 4));
}

const options = { dimFeedforward: 12, dropout: 0 } as const;
const encoderOf = (): TransformerEncoder =>
  new TransformerEncoder(
    () => new TransformerEncoderLayer(8, 2, { ...options, activation: 'gelu', batchFirst: true, normFirst: true }),
    2,
    { norm: new LayerNorm(8) },
  );

beforeAll(() => setBackend(referenceBackend()));

test('a state dict of TransformerEncoder gives what PyTorch gives, padding ignored', async () => {
  const fixture = fixtures.encoder;
  const encoder = encoderOf();
  expect(Object.keys(encoder.stateDict())).toEqual(Object.keys(fixture.state));
  load(encoder, fixture);
  const padding = tensor([...fixture.padding], [2, 5], { dtype: 'bool' });
  await expectClose(encoder.forward(read(fixture.src), { keyPaddingMask: padding }), fixture.out);
});

test('a state dict of Transformer gives what PyTorch gives, sequence first', async () => {
  const fixture = fixtures.transformer;
  const model = new Transformer({ ...options, dModel: 8, numHeads: 2, numEncoderLayers: 2, numDecoderLayers: 2 });
  expect(Object.keys(model.stateDict())).toEqual(Object.keys(fixture.state));
  load(model, fixture);
  await expectClose(model.forward(read(fixture.src), read(fixture.tgt), { causal: true }), fixture.out);
});

test('a checkpoint of another architecture is refused, with the keys that do not fit', () => {
  const model = encoderOf();
  expect(() => load(model, fixtures.transformer)).toThrow(StateDictError);
  const shallow = new TransformerEncoder(() => new TransformerEncoderLayer(8, 2, options), 3);
  expect(() => load(shallow, fixtures.encoder)).toThrow('layers.2.self_attn.in_proj_weight');
});
