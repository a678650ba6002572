/**
 * Encoder and decoder as recurrent networks, with additive attention between them (Bahdanau et al. 2015): for each token
 * that it writes, the decoder looks at all of the source again.
 */
import { AdditiveAttention } from '@dl/attention';
import { Embedding, Linear, Module } from '@dl/layers';
import { GRU, GRUCell } from '@dl/rnn';
import { concat, stack, type Tensor } from '@dl/tensor';

export const SIZES = { embedding: 32, encoder: 64, decoder: 96, attention: 64 } as const;

/** What the encoder made of a source. */
export interface Source {
  /** `[B, S, 2 · encoder]` */
  readonly memory: Tensor;
  /** The memory as attention scores it, `[B, S, attention]`. */
  readonly keys: Tensor;
  /** bool `[B, 1, S]`: true where there is a token. */
  readonly mask: Tensor;
}

/** One step of the decoder. */
export interface Written {
  /** `[B, V]` */
  readonly logits: Tensor;
  /** The next state, `[B, decoder]`. */
  readonly state: Tensor;
  /** Where it looked, `[B, S]`. */
  readonly weights: Tensor;
}

export class Seq2Seq extends Module {
  readonly embedding: Embedding;
  readonly encoder = new GRU(SIZES.embedding, SIZES.encoder, { bidirectional: true, batchFirst: true });
  readonly bridge = new Linear(2 * SIZES.encoder, SIZES.decoder);
  readonly attention = new AdditiveAttention(SIZES.decoder, 2 * SIZES.encoder, SIZES.attention);
  readonly cell = new GRUCell(SIZES.embedding + 2 * SIZES.encoder, SIZES.decoder);
  readonly head: Linear;

  constructor(readonly vocabulary: number) {
    super();
    this.embedding = new Embedding(vocabulary, SIZES.embedding);
    this.head = new Linear(SIZES.decoder + 2 * SIZES.encoder, vocabulary);
  }

  /**
   * @param ids - i32 `[B, S]`
   * @param padding - bool `[B, S]`: true where there is no token
   * @returns the source, and the decoder's first state `[B, decoder]`
   */
  encode(ids: Tensor, padding: Tensor): { source: Source; state: Tensor } {
    const [rows, length] = ids.dims(2);
    const present = padding.not();
    const lengths = present.cast('i32').sum(1);
    const { output: memory, state } = this.encoder.forward(this.embedding.forward(ids), { lengths }); // state [2, B, encoder]
    const last = state.permute([1, 0, 2]).reshape([rows, 2 * SIZES.encoder]);
    const source = { memory, keys: this.attention.projectKeys(memory), mask: present.reshape([rows, 1, length]) };
    return { source, state: this.bridge.forward(last).tanh() };
  }

  /** Reads one token for each row and gives the logits of the next. @param tokens - i32 `[B]` */
  write(tokens: Tensor, { memory, keys, mask }: Source, state: Tensor): Written {
    const { output, weights } = this.attention.attendTo(state.unsqueeze(1), keys, memory, { mask });
    const context = output.squeeze(1); // [B, 2 · encoder]
    const next = this.cell.forward(concat([this.embedding.forward(tokens), context], 1), state);
    return { logits: this.head.forward(concat([next, context], 1)), state: next, weights: weights.squeeze(1) };
  }

  /**
   * Logits of each token of the target from those before it, whatever the decoder would have written.
   *
   * @param target - i32 `[B, T]`, from the begin token on
   * @returns logits `[B, T, V]` and attention `[B, T, S]`
   */
  forward(ids: Tensor, padding: Tensor, target: Tensor): { logits: Tensor; weights: Tensor } {
    const encoded = this.encode(ids, padding);
    let { state } = encoded;
    const steps: Written[] = [];
    for (let t = 0; t < target.shape[1]!; t++) {
      const written = this.write(target.at(':', t), encoded.source, state);
      state = written.state;
      steps.push(written);
    }
    return {
      logits: stack(
        steps.map((s) => s.logits),
        1,
      ),
      weights: stack(
        steps.map((s) => s.weights),
        1,
      ),
    };
  }
}
