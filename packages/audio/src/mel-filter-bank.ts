/**
 * The mel scale, on which equal distances sound equally far apart, and the filters that bring a spectrum to it. Filters are
 * computed on the host in f64: they depend on no data.
 */
import { type DType, type Tensor, tensor, ValueError } from '@dl/tensor';

/** 'htk': 2595·log10(1 + f/700); 'slaney': linear to 1000 Hz, logarithmic above. */
export type MelScale = 'htk' | 'slaney';

interface Scale {
  readonly toMel: (hertz: number) => number;
  readonly toHertz: (mel: number) => number;
}

/** Slaney's scale: 15 mel at 1000 Hz, then 27 mel for each factor of 6.4. */
const [kneeHertz, kneeMel, growth] = [1000, 15, Math.log(6.4) / 27];

const scales: Record<MelScale, Scale> = {
  htk: {
    toMel: (hertz) => 2595 * Math.log10(1 + hertz / 700),
    toHertz: (mel) => 700 * (10 ** (mel / 2595) - 1),
  },
  slaney: {
    toMel: (hertz) =>
      hertz < kneeHertz ? (hertz * kneeMel) / kneeHertz : kneeMel + Math.log(hertz / kneeHertz) / growth,
    toHertz: (mel) => (mel < kneeMel ? (mel * kneeHertz) / kneeMel : kneeHertz * Math.exp(growth * (mel - kneeMel))),
  },
};

export interface MelOptions {
  /** How many filters. */
  readonly nMels: number;
  /** Samples a second. */
  readonly sampleRate: number;
  /** Where the first filter begins, in hertz. Default 0. */
  readonly fMin?: number;
  /** Where the last filter ends, in hertz. Default sampleRate / 2. */
  readonly fMax?: number;
  /** 'slaney' divides each filter by half its width, so that all have about one area; null leaves peaks at 1. Default null. */
  readonly norm?: 'slaney' | null;
  /** Default 'htk'. */
  readonly melScale?: MelScale;
}

export interface MelFilterBankOptions extends MelOptions {
  /** Samples of the transform whose bins are weighed. */
  readonly nFft: number;
  /** Default 'f32'. */
  readonly dtype?: DType;
}

/**
 * Triangular filters, equally spaced in mel: filter m rises from point m to 1 at point m + 1 and falls to 0 at point m + 2 of
 * nMels + 2 points from fMin to fMax; bin k is at k · sampleRate / nFft.
 *
 * @param options - `nFft`, `nMels`, `sampleRate`; `fMin`, default 0; `fMax`, default sampleRate / 2; `norm`, default null;
 * `melScale`, default 'htk'; `dtype`, default f32
 * @returns `[⌊nFft / 2⌋ + 1, nMels]`; a filter narrower than the bins may be all 0
 * @throws ValueError if a count or frequency is out of range, or a name unknown
 * @see Davis & Mermelstein 1980, section II; Slaney 1998, Auditory Toolbox, for the norm
 */
export function melFilterBank(options: MelFilterBankOptions): Tensor {
  return melFilters('melFilterBank', options);
}

/** @internal The same under the name of the operation that needs it. */
export function melFilters(operation: string, options: MelFilterBankOptions): Tensor {
  const { nFft, nMels, sampleRate, dtype = 'f32', norm = null, melScale = 'htk' } = options;
  const { fMin = 0, fMax = sampleRate / 2 } = options;
  check(operation, { ...options, fMin, fMax, norm, melScale });
  const { toMel, toHertz } = scales[melScale];
  const [low, high] = [toMel(fMin), toMel(fMax)];
  const points = Array.from({ length: nMels + 2 }, (_, i) => toHertz(low + ((high - low) * i) / (nMels + 1)));
  const bins = Math.floor(nFft / 2) + 1;
  const filters = new Float64Array(bins * nMels);
  for (let m = 0; m < nMels; m++) {
    const [from, peak, to] = [points[m]!, points[m + 1]!, points[m + 2]!];
    const scale = norm === 'slaney' ? 2 / (to - from) : 1;
    for (let k = 0; k < bins; k++) {
      const hertz = (k * sampleRate) / nFft;
      const weight = Math.min((hertz - from) / (peak - from), (to - hertz) / (to - peak));
      filters[k * nMels + m] = Math.max(0, weight) * scale;
    }
  }
  return tensor(filters, [bins, nMels], { dtype });
}

type Checked = Required<Omit<MelFilterBankOptions, 'dtype'>>;

function check(operation: string, { nFft, nMels, sampleRate, fMin, fMax, norm, melScale }: Checked): void {
  for (const [name, value] of Object.entries({ nFft, nMels })) {
    if (!Number.isInteger(value) || value < 1)
      throw new ValueError(`${operation}: ${name} is ${value}. Give a whole number above 0.`);
  }
  if (!(sampleRate > 0 && Number.isFinite(sampleRate)))
    throw new ValueError(`${operation}: sampleRate is ${sampleRate}. Give samples a second, above 0.`);
  if (!(fMin >= 0 && fMin < fMax && Number.isFinite(fMax)))
    throw new ValueError(`${operation}: fMin ${fMin} and fMax ${fMax} leave no frequencies. Give 0 ≤ fMin < fMax.`);
  if (norm !== null && norm !== 'slaney')
    throw new ValueError(`${operation}: norm '${String(norm)}' is not known. Use 'slaney' or null.`);
  if (!Object.hasOwn(scales, melScale))
    throw new ValueError(`${operation}: melScale '${String(melScale)}' is not known. Use 'htk' or 'slaney'.`);
}
