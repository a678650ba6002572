/**
 * The numbering of tokens. Special tokens (padding, unknown, begin, end) come first, in this order, then the others. What
 * has no number is the unknown token if there is one, else an error that names it: nothing is dropped in silence.
 */
import { FormatError, ValueError } from '@dl/tensor';

/** Tokens that stand for no text. Their text is only for people; it is never found in what is encoded. */
export interface SpecialTokens {
  /** Fills sequences up to one length. */
  readonly pad?: string;
  /** Stands for what is not in the vocabulary. Without it, that is an error. */
  readonly unknown?: string;
  /** Before the first token. */
  readonly begin?: string;
  /** After the last token. */
  readonly end?: string;
}

/** The usual four. */
export const SPECIAL_TOKENS: Required<SpecialTokens> = { pad: '<pad>', unknown: '<unk>', begin: '<bos>', end: '<eos>' };

export type SpecialRole = keyof SpecialTokens;

const roles: readonly SpecialRole[] = ['pad', 'unknown', 'begin', 'end'];

export class Vocabulary {
  /** Every token by id. */
  readonly tokens: readonly string[];
  readonly #ids = new Map<string, number>();
  readonly #special = new Map<SpecialRole, number>();

  /** @throws ValueError if a token comes twice */
  constructor(
    tokens: readonly string[],
    readonly specials: SpecialTokens = {},
  ) {
    const first = roles.flatMap((role) => (specials[role] === undefined ? [] : [specials[role]]));
    this.tokens = [...first, ...tokens];
    for (const role of roles) if (specials[role] !== undefined) this.#special.set(role, this.#special.size);
    tokens.forEach((token, i) => {
      if (this.#ids.has(token)) throw new ValueError(`Vocabulary: the token ${JSON.stringify(token)} comes twice.`);
      this.#ids.set(token, first.length + i);
    });
  }

  /** How many ids there are. */
  get size(): number {
    return this.tokens.length;
  }

  /** How many of them are special: ids below this. */
  get specialCount(): number {
    return this.#special.size;
  }

  /** The id of a special token, or null if the vocabulary has none. */
  special(role: SpecialRole): number | null {
    return this.#special.get(role) ?? null;
  }

  /** The id of a special token. @throws ValueError if the vocabulary has none */
  required(operation: string, role: SpecialRole): number {
    const id = this.#special.get(role);
    if (id === undefined)
      throw new ValueError(
        `${operation}: the vocabulary has no token for '${role}'. Train it with { specials: SPECIAL_TOKENS }.`,
      );
    return id;
  }

  /** The id of a token. @throws ValueError if it has none and there is no unknown token */
  idOf(operation: string, token: string): number {
    const id = this.#ids.get(token) ?? this.#special.get('unknown');
    if (id === undefined)
      throw new ValueError(
        `${operation}: ${JSON.stringify(token)} is not in the vocabulary of ${this.size} tokens. Train on text that has it, or with an unknown token.`,
      );
    return id;
  }

  /** Whether an id is that of a special token. @throws ValueError if the id is outside the vocabulary */
  isSpecial(operation: string, id: number): boolean {
    if (!Number.isInteger(id) || id < 0 || id >= this.size)
      throw new ValueError(
        `${operation}: the id ${id} is outside the vocabulary. Ids are whole numbers from 0 to ${this.size - 1}.`,
      );
    return id < this.#special.size;
  }
}

/** Options of `encode`. */
export interface EncodeOptions {
  /** Whether the begin token comes first. Default false. */
  readonly begin?: boolean;
  /** Whether the end token comes last. Default false. */
  readonly end?: boolean;
}

/** Options of `decode`. */
export interface DecodeOptions {
  /** Whether special tokens are written out. Default false: they are left out. */
  readonly specials?: boolean;
}

/** Ids with the begin and end tokens that are asked for. */
export function framed(
  operation: string,
  vocabulary: Vocabulary,
  ids: readonly number[],
  { begin, end }: EncodeOptions,
): Int32Array {
  const all: number[] = [];
  if (begin) all.push(vocabulary.required(operation, 'begin'));
  for (const id of ids) all.push(id);
  if (end) all.push(vocabulary.required(operation, 'end'));
  return Int32Array.from(all);
}

/** What a saved tokeniser has, whatever its kind. */
export interface SavedTokenizer {
  readonly kind: string;
  readonly version: 1;
  readonly specials: SpecialTokens;
}

/** @throws FormatError unless the saved tokeniser is of the kind */
export function checkSaved<S extends SavedTokenizer>(
  saved: unknown,
  kind: S['kind'],
  lists: readonly (keyof S & string)[],
): S {
  const found = saved as Partial<S> | null;
  if (typeof found !== 'object' || found === null || found.kind !== kind || found.version !== 1)
    throw new FormatError(
      `Tokenizer: the data is not a ${kind} tokeniser of version 1, but kind ${JSON.stringify(found?.kind)}, version ${JSON.stringify(found?.version)}.`,
    );
  for (const list of lists) {
    if (!Array.isArray(found[list]))
      throw new FormatError(`Tokenizer: '${list}' of the saved ${kind} tokeniser is no list.`);
  }
  return found as S;
}
