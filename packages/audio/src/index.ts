/** @dl/audio: spectra, mel filter banks and cepstral coefficients. */
export { type DctMatrixOptions, type DctOptions, dct, dctMatrix, idct } from './dct';
export { type MelFilterBankOptions, type MelOptions, type MelScale, melFilterBank } from './mel-filter-bank';
export {
  type LogKind,
  type LogMelSpectrogramOptions,
  logMelSpectrogram,
  type MelSpectrogramOptions,
  melSpectrogram,
} from './mel-spectrogram';
export { lifter, type MfccOptions, mfcc, preemphasis } from './mfcc';
export { type SpectrogramOptions, spectrogram } from './spectrogram';
export { type Spectrum, type StftOptions, stft } from './stft';
export { type WindowFunctionOptions, type WindowName, windowFunction } from './window-function';
