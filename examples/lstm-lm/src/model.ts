/**
 * The language model: characters as vectors, one LSTM layer, a score for each next character. Its state goes on from batch
 * to batch: the gradient ends where a batch begins (truncated back-propagation through time), but the values do not.
 */
import { Embedding, Linear, Module } from '@dl/layers';
import { LSTM, type MemoryState } from '@dl/rnn';
import { type Tensor, Variable } from '@dl/tensor';

const EMBEDDING = 128;
const HIDDEN = 256;

/** h and c in variables: read at the beginning of a call, assigned at its end. */
class CarriedState extends Module {
  readonly h: Variable;
  readonly c: Variable;

  constructor({ h, c }: MemoryState) {
    super();
    this.h = new Variable(h, { name: 'state.h' });
    this.c = new Variable(c, { name: 'state.c' });
  }

  forward(): MemoryState {
    return { h: this.h, c: this.c };
  }

  /** Takes over the state at the end of a sequence. */
  assign({ h, c }: MemoryState): void {
    this.h.assign(h);
    this.c.assign(c);
  }

  /** Forgets everything. */
  reset(): void {
    this.h.assign(0);
    this.c.assign(0);
  }
}

export class CharacterModel extends Module {
  readonly embedding: Embedding;
  readonly lstm = new LSTM(EMBEDDING, HIDDEN);
  readonly head: Linear;
  /** Of training, of validation, and of a text that is generated. */
  readonly states: Readonly<Record<'train' | 'validation' | 'sample', CarriedState>>;

  /**
   * @param characters - size of the vocabulary
   * @param batch - streams that are read side by side
   */
  constructor(characters: number, batch: number) {
    super();
    this.embedding = new Embedding(characters, EMBEDDING);
    this.head = new Linear(HIDDEN, characters);
    const stateFor = (streams: number) => new CarriedState(this.lstm.zeroState(streams));
    this.states = { train: stateFor(batch), validation: stateFor(batch), sample: stateFor(1) };
  }

  /**
   * @param ids - i32 `[T, N]`, the continuation of what the state has read
   * @returns scores of the next characters, `[T · N, characters]`
   */
  forward(ids: Tensor, state: CarriedState = this.training ? this.states.train : this.states.validation): Tensor {
    const { output, state: next } = this.lstm.forward(this.embedding.forward(ids), { state: state.forward() });
    state.assign(next);
    return this.head.forward(output).flatten(0, 1);
  }
}
