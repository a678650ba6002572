/** BLEU: how many runs of one to four words of a translation are in the reference, times a penalty for being short. */
import { ValueError } from '@dl/tensor';

const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];

function counts(tokens: readonly string[], n: number): Map<string, number> {
  const found = new Map<string, number>();
  for (let i = 0; i + n <= tokens.length; i++) {
    const key = tokens.slice(i, i + n).join(' ');
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  return found;
}

const LONGEST = 4;

/**
 * BLEU of a corpus with one reference a sentence, from 0 to 100, case ignored, punctuation as words:
 * 100 · exp(min(0, 1 − r / c) + Σ_n log p_n / 4), where p_n is the share of runs of n words that the reference has too, c and r are
 * the lengths of the translations and of the references.
 *
 * @throws ValueError if there is not one reference a translation
 * @see Papineni et al. 2002
 * @example
 * bleu(['the cat sat on the mat'], ['the cat sat on a mat']); // 53.7
 */
export function bleu(translations: readonly string[], references: readonly string[]): number {
  if (translations.length !== references.length)
    throw new ValueError(
      `bleu: ${translations.length} translations and ${references.length} references. Give one for each.`,
    );
  const [matched, total] = [new Array<number>(LONGEST).fill(0), new Array<number>(LONGEST).fill(0)];
  let [length, referenceLength] = [0, 0];
  for (const [i, translation] of translations.entries()) {
    const [got, want] = [words(translation), words(references[i]!)];
    length += got.length;
    referenceLength += want.length;
    for (let n = 1; n <= LONGEST; n++) {
      const wanted = counts(want, n);
      for (const [key, count] of counts(got, n)) matched[n - 1]! += Math.min(count, wanted.get(key) ?? 0);
      total[n - 1]! += Math.max(0, got.length - n + 1);
    }
  }
  if (matched.some((m) => m === 0)) return 0;
  const precision = matched.reduce((sum, m, i) => sum + Math.log(m / total[i]!), 0) / LONGEST;
  const penalty = length < referenceLength ? 1 - referenceLength / length : 0;
  return 100 * Math.exp(precision + penalty);
}
